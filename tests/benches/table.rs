//! Tables in Markdown that can be read as they are, too.

/// A table.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// One with this head, and no rows yet.
    pub(crate) fn new(head: &[&str]) -> Self {
        Table { rows: vec![head.iter().map(ToString::to_string).collect()] }
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// As Markdown, with columns that stand under each other. All but the first are aligned to the right if each of
    /// their cells has a figure.
    pub(crate) fn markdown(&self) -> String {
        let columns = self.rows.first().map_or(0, Vec::len);
        let cell = |row: &[String], at: usize| row.get(at).cloned().unwrap_or_default();
        let width = |at| self.rows.iter().map(|row| cell(row, at).chars().count()).max();
        let widths: Vec<usize> = (0..columns).map(|at| width(at).unwrap_or(0).max(3)).collect();
        let right = |at: usize| {
            at > 0 && self.rows.iter().skip(1).all(|row| cell(row, at).starts_with(is_of_figure))
        };
        let line = |row: &[String]| {
            let cells = widths.iter().enumerate().map(|(at, width)| match right(at) {
                true => format!("{:>width$}", cell(row, at)),
                false => format!("{:<width$}", cell(row, at)),
            });
            format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "))
        };
        let rule = widths.iter().enumerate().map(|(at, width)| match right(at) {
            true => format!("{}:", "-".repeat(width - 1)),
            false => "-".repeat(*width),
        });
        let rule = format!("| {} |\n", rule.collect::<Vec<_>>().join(" | "));
        let mut lines = self.rows.iter().map(|row| line(row));
        lines.next().into_iter().chain([rule]).chain(lines).collect()
    }
}

fn is_of_figure(first: char) -> bool {
    first.is_ascii_digit() || first == '–'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_stand_under_each_other() {
        let mut table = Table::new(&["", "wall", "word"]);
        table.row(vec!["scp".into(), "12.5 s".into(), "met".into()]);
        table.row(vec!["migos-fleet".into(), "–".into(), "missed".into()]);
        insta::assert_snapshot!(table.markdown(), @r###"
        |             |   wall | word   |
        | ----------- | -----: | ------ |
        | scp         | 12.5 s | met    |
        | migos-fleet |      – | missed |
        "###);
    }
}
