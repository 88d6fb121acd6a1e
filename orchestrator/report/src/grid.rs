//! Rows and columns of text.

use crate::Style;
use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};

const RULE: LineStyle = LineStyle::none().fill('─').junction('─');

/// A rule under the header and one at the end.
const RULED: TableStyle = TableStyle::new().header_separator(RULE).bottom_border(RULE);

/// Columns without lines, each text line indented by two blanks.
pub(crate) fn columns(style: Style, rows: Vec<Vec<String>>) -> String {
    let mut table = laid_out(style, NOTHING);
    table.add_rows(rows);
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.lines().map(|line| format!("  {}\n", line.trim_end()).replace("  \n", "\n")).collect()
}

/// A table under a header; the columns in `right` hold numbers.
pub(crate) fn table(
    style: Style,
    header: &[&str],
    right: &[usize],
    rows: Vec<Vec<String>>,
) -> String {
    let mut table = laid_out(style, RULED);
    table.set_header(header.iter().copied());
    table.add_rows(rows);
    for index in right {
        if let Some(column) = table.column_mut(*index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

fn laid_out(style: Style, lines: TableStyle) -> Table {
    let mut table = Table::new();
    table.load_style(lines);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    // Two columns are kept for the indent.
    table.set_width(style.width.saturating_sub(2));
    table
}
