//! The forms in which results are printed.

use clap::ValueEnum;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Text for people
    Table,
    /// One JSON document
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportFormat {
    /// Text for people
    Table,
    /// One JSON document
    Json,
    /// The run's records, one JSON object a line
    Jsonl,
    /// One HTML file that needs nothing else
    Html,
}
