//! The forms in which results are printed, and the forms of files that are described.

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

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SchemaName {
    /// An inventory in the native form (`migos: 1`)
    Inventory,
    /// A file of settings: `migos.yaml` beside the inventory, `fleet.yaml` of a person or a computer
    Settings,
    /// A policy (`policy: 1`)
    Policy,
    /// A playbook of your own (`playbook: 1`)
    Playbook,
    /// A plan that `plan -o` has saved
    Plan,
}
