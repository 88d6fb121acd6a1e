//! What can be typed about an assessment.

use super::{Format, Inventory};
use clap::Args as ClapArgs;
use std::path::PathBuf;

#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct Assess {
    #[command(flatten)]
    pub(crate) inventory: Inventory,
    /// Policy file or shipped policy, instead of the inventory's [env: MIGOS_POLICY]
    #[arg(long, value_name = "POLICY")]
    pub(crate) policy: Option<String>,
    /// Facts saved by `probe -o`, instead of probing now
    #[arg(long, value_name = "FILE")]
    pub(crate) facts: Option<PathBuf>,
    /// Devices probed at a time
    #[arg(short, long, visible_alias = "forks", short_alias = 'f', value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) parallel: u32,
    /// Write the page as one HTML file, too
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,
}
