//! What can be typed about inventories: to look at one, and to begin one.

use super::{Format, Inventory};
use clap::Args as ClapArgs;
use std::path::PathBuf;

#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct Show {
    #[command(flatten)]
    pub(crate) inventory: Inventory,
    /// One row for all devices that are alike but for name, address and serial number
    #[arg(long, conflicts_with_all = ["explain", "check"])]
    pub(crate) fold: bool,
    /// Tell of one device where each setting is from, and what it hides
    #[arg(long, value_name = "DEVICE", conflicts_with = "check")]
    pub(crate) explain: Option<String>,
    /// Tell what is likely not meant: shadowed and unused settings, empty groups, mistyped names, what a plan lacks
    #[arg(long)]
    pub(crate) check: bool,
    /// Print the groups and variables of Ansible's hosts as JSON, to hold them against `ansible-inventory --list`;
    /// secrets are left out
    #[arg(long, conflicts_with_all = ["fold", "explain", "check", "format"])]
    pub(crate) ansible: bool,
    /// With --check: exit with 6 if anything was found
    #[arg(long, requires = "check")]
    pub(crate) strict: bool,
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,
}

#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct Init {
    /// The folder; it is made if it is not there
    #[arg(value_name = "DIR", required_unless_present = "from_csv")]
    pub(crate) dir: Option<PathBuf>,
    /// Make the inventory of a table with one device a row: CSV with `,`, `;` or tabs, its first row naming the columns
    #[arg(long, value_name = "FILE")]
    pub(crate) from_csv: Option<PathBuf>,
    /// What a column is, where its name does not tell: `--map Standort=site`; `--map Remarks=` leaves it out
    #[arg(long, value_name = "COLUMN=KEY", requires = "from_csv")]
    pub(crate) map: Vec<String>,
}
