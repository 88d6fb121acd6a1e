//! `schema`: JSON Schemas of the files that people write, and of saved plans, for editors and programs.

use crate::args::SchemaName;
use crate::failure::{Failure, Kind, OrFail};
use crate::printer::Printer;
use clap::ValueEnum;
use migos_playbooks::plan::plan_schema;
use migos_playbooks::schema::{inventory_schema, playbook_schema, policy_schema, settings_schema};

pub(super) fn run(name: Option<SchemaName>, printer: Printer) -> Result<u8, Failure> {
    printer.out(&match name {
        Some(name) => text(name)?,
        None => list(),
    });
    Ok(0)
}

/// The folder beside an inventory that `init` puts schemas into.
pub(super) const FOLDER: &str = "schemas";

/// Where a schema is in that folder.
pub(super) fn path(name: SchemaName) -> String {
    format!("{FOLDER}/{}.schema.json", word(name))
}

/// How it is called on the command line.
fn word(name: SchemaName) -> String {
    name.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

/// The text of a schema.
pub(super) fn text(name: SchemaName) -> Result<String, Failure> {
    let text = match name {
        SchemaName::Inventory => inventory_schema(),
        SchemaName::Settings => settings_schema(),
        SchemaName::Policy => policy_schema(),
        SchemaName::Playbook => playbook_schema(),
        SchemaName::Plan => plan_schema(),
    };
    text.or_fail(Kind::Internal)
}

/// All schemas, and what each is for.
fn list() -> String {
    let mut list = String::new();
    for name in SchemaName::value_variants() {
        let value = name.to_possible_value();
        let help = value.as_ref().and_then(|value| value.get_help());
        let help = help.map(ToString::to_string).unwrap_or_default();
        list += &format!("{:<11}{help}\n", word(*name));
    }
    list + &format!(
        "\nSave one:     migos-fleet schema inventory > {}\n\
         Use it:       # yaml-language-server: $schema=PATH as the first line of the file\n",
        path(SchemaName::Inventory)
    )
}
