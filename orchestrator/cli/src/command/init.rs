//! `init`: a folder to begin with: an inventory, a policy, what to do next, and what an editor checks them by.

use super::schema;
use crate::args::{Init, SchemaName};
use crate::failure::{Failure, Kind, OrFail};
use crate::printer::Printer;
use migos_engine::run::write_whole;
use migos_inventory::{MadeInventory, from_csv};
use migos_playbooks::policy::SHIPPED;
use std::path::{Path, PathBuf};

const INVENTORY: &str = "inventory.yaml";
const POLICY: &str = "policy.yaml";

/// The inventory of somebody who has none yet.
const FIRST_INVENTORY: &str = include_str!("init/inventory.yaml");

/// What to do next.
const NEXT_STEPS: &str = include_str!("init/README.md");

/// The files that people write; the schemas of this version are put beside them, so that an editor needs no network.
const SCHEMAS: [SchemaName; 4] =
    [SchemaName::Inventory, SchemaName::Settings, SchemaName::Policy, SchemaName::Playbook];

/// What does not belong into version control.
const IGNORED: &str = "runs/\npayloads/\nimages/\n";

pub(super) fn run(args: &Init, printer: Printer) -> Result<u8, Failure> {
    let made = args.from_csv.as_deref().map(|table| read(table, &args.map)).transpose()?;
    let folder = args.dir.clone().unwrap_or_else(|| PathBuf::from("."));
    let inventory = match &made {
        Some(made) => with_policy(&made.text),
        None => FIRST_INVENTORY.to_owned(),
    };
    // The first of the shipped ones is what an inventory without a policy gets.
    let [(_, policy), ..] = SHIPPED;
    let mut files = vec![
        (INVENTORY.to_owned(), checked_by(SchemaName::Inventory, &inventory)),
        (POLICY.to_owned(), checked_by(SchemaName::Policy, policy)),
        ("README.md".to_owned(), NEXT_STEPS.to_owned()),
        (".gitignore".to_owned(), IGNORED.to_owned()),
    ];
    for name in SCHEMAS {
        files.push((schema::path(name), schema::text(name)?));
    }
    write(&folder, &files)?;
    printer.out(&said(&folder, made.as_ref()));
    Ok(0)
}

fn read(table: &Path, map: &[String]) -> Result<MadeInventory, Failure> {
    let chosen = map.iter().map(|told| match told.split_once('=') {
        Some((column, key)) => Ok((column.trim().to_owned(), key.trim().to_owned())),
        None => Err(Failure::new(Kind::Usage, format!("--map {told} names no key"))
            .hint("write --map COLUMN=KEY, such as --map Standort=site")),
    });
    let chosen = chosen.collect::<Result<Vec<_>, Failure>>()?;
    let name = table.display().to_string();
    let bytes = std::fs::read(table).map_err(|error| {
        Failure::at(Kind::Input, format!("failed to read the table {name}"), &error)
    })?;
    from_csv(&name, &bytes, &chosen).map_err(|problems| {
        let count = problems.0.len();
        let word = if count == 1 { "problem" } else { "problems" };
        Failure::new(Kind::Input, format!("the table has {count} {word}\n{problems}"))
            .hint("places are the line of the file and the number of the cell in it")
    })
}

/// An inventory that names the policy beside it.
fn with_policy(inventory: &str) -> String {
    inventory.replacen("migos: 1\n", &format!("migos: 1\npolicy: {POLICY}\n"), 1)
}

/// A file with the line by which editors find its schema.
fn checked_by(name: SchemaName, text: &str) -> String {
    format!("# yaml-language-server: $schema={}\n{text}", schema::path(name))
}

/// Writes all files, or none if one of them is there already.
fn write(folder: &Path, files: &[(String, String)]) -> Result<(), Failure> {
    for (name, _) in files {
        let path = folder.join(name);
        if path.symlink_metadata().is_ok() {
            let what = format!("{} is there already, and nothing was written", path.display());
            return Err(Failure::new(Kind::Input, what)
                .hint("name another folder, or move the file away: migos-fleet init DIR"));
        }
    }
    for (name, text) in files {
        let path = folder.join(name);
        let parent = path.parent().unwrap_or(folder);
        std::fs::create_dir_all(parent).map_err(|error| {
            let what = format!("failed to make the folder {}", parent.display());
            Failure::at(Kind::Input, what, &error)
        })?;
        write_whole(&path, text.as_bytes(), 0o644).or_fail(Kind::Input)?;
    }
    Ok(())
}

/// What was written, what became of the columns, and what comes next.
fn said(folder: &Path, made: Option<&MadeInventory>) -> String {
    let mut text = String::new();
    if let Some(made) = made {
        text += "Columns\n";
        for column in &made.columns {
            text += &format!("  {}\n", migos_report::plain(&column.to_string()));
        }
        text += "  another key: --map COLUMN=KEY; leave one out: --map COLUMN=\n";
        for remark in &made.remarks {
            text += &format!("note: {remark}\n");
        }
        text += &format!("{} devices\n\n", made.devices);
    }
    let inventory = folder.join(INVENTORY);
    text += &format!(
        "Written: {INVENTORY}, {POLICY}, README.md, .gitignore and {}/ in {}\n\
         Look at it:   migos-fleet inventory {} --check\n\
         Next steps:   {}\n",
        schema::FOLDER,
        folder.display(),
        inventory.display(),
        folder.join("README.md").display(),
    );
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use migos_inventory::parse;

    #[test]
    fn what_is_begun_with_can_be_read() {
        let fleet = parse(INVENTORY, FIRST_INVENTORY).unwrap();
        assert_eq!(fleet.devices.len(), 3);
    }

    #[test]
    fn the_policy_is_named_in_the_inventory_of_a_table() {
        assert_eq!(
            with_policy("# Made.\nmigos: 1\ndata: none\n"),
            "# Made.\nmigos: 1\npolicy: policy.yaml\ndata: none\n"
        );
    }
}
