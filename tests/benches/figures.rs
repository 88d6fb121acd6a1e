//! Figures: medians, spreads, and how numbers are written.

/// The least, the median and the most of some values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Spread {
    /// The least.
    pub(crate) least: f64,
    /// The one in the middle.
    pub(crate) median: f64,
    /// The most.
    pub(crate) most: f64,
}

impl Spread {
    /// Of these values; not a number if there are none.
    pub(crate) fn of(values: Vec<f64>) -> Self {
        let least = values.iter().copied().fold(f64::NAN, f64::min);
        let most = values.iter().copied().fold(f64::NAN, f64::max);
        Spread { least, median: median(values), most }
    }

    /// The median, and how far the others are from it: `1.20 s (1.10–1.40)`.
    pub(crate) fn text(self, write: impl Fn(f64) -> String) -> String {
        let median = write(self.median);
        if self.least == self.most {
            return median;
        }
        format!("{median} ({}–{})", number(write(self.least)), number(write(self.most)))
    }
}

/// A number without its unit.
fn number(text: String) -> String {
    text.split_once(' ').map_or(text.clone(), |(number, _)| number.to_owned())
}

/// The value in the middle; not a number if there are none.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let (low, high) = (values.len().saturating_sub(1) / 2, values.len() / 2);
    match (values.get(low), values.get(high)) {
        (Some(low), Some(high)) => f64::midpoint(*low, *high),
        _ => f64::NAN,
    }
}

/// Three digits that matter.
pub(crate) fn digits(value: f64) -> String {
    match value.abs() {
        size if size.is_infinite() => "∞".to_owned(),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 1.0 || size == 0.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

/// Seconds.
pub(crate) fn seconds(value: f64) -> String {
    format!("{} s", digits(value))
}

/// Seconds, shown as milliseconds.
pub(crate) fn milliseconds(value: f64) -> String {
    format!("{} ms", digits(value * 1e3))
}

/// Bytes, shown as megabytes.
pub(crate) fn megabytes(value: f64) -> String {
    format!("{} MB", digits(value / 1e6))
}

/// A size of a file that is a round number of binary units.
pub(crate) fn binary(bytes: u64) -> String {
    match bytes >> 20 {
        0 => format!("{} KiB", bytes >> 10),
        mebibytes => format!("{mebibytes} MiB"),
    }
}

/// How many times.
pub(crate) fn times(value: f64) -> String {
    if value.is_nan() { "–".to_owned() } else { format!("{}×", digits(value)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(Vec::new()).is_nan());
    }

    #[test]
    fn figures_have_three_digits() {
        let shown = [1234.5, 123.4, 12.34, 1.234, 0.1234, 0.0].map(digits);
        insta::assert_snapshot!(shown.join(" "), @r###"1234 123 12.3 1.23 0.123 0.00"###);
        let spread = Spread::of(vec![1.2, 1.1, 1.4]);
        insta::assert_snapshot!(spread.text(seconds), @r###"1.20 s (1.10–1.40)"###);
        insta::assert_snapshot!(Spread::of(vec![2.0]).text(megabytes), @r###"0.000 MB"###);
        insta::assert_snapshot!(times(f64::NAN), @r###"–"###);
    }
}
