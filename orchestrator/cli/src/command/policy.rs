//! `policy`: what a policy asks for, and whether it can be read.

use crate::args::{self, Format, Global, PolicyCommand, PolicyShow};
use crate::failure::{Failure, Kind, OrFail};
use crate::input::{self, LoadedInventory};
use crate::printer::Printer;
use migos_inventory::{Device, PolicyChoice};
use migos_playbooks::policy::SHIPPED;
use migos_report::{policy_json, policy_list, policy_text};
use std::path::Path;

/// Where policies that the command line names start.
const HERE: &str = ".";

pub(super) fn run(
    command: PolicyCommand,
    global: &Global,
    printer: Printer,
) -> Result<u8, Failure> {
    match command {
        PolicyCommand::List => printer.out(&policy_list(printer.out_style())),
        PolicyCommand::Show(wanted) => show(wanted, global, printer)?,
        PolicyCommand::Check { policy } => {
            input::named_policy(Path::new(HERE), &policy)?;
            printer.out(&format!("{policy}: nothing is wrong with it\n"));
        }
    }
    Ok(0)
}

fn show(wanted: PolicyShow, global: &Global, printer: Printer) -> Result<(), Failure> {
    let PolicyShow { policy: chosen, devices, inventory, limit, format } = wanted;
    let (policy, name, devices) = match inventory {
        Some(inventory) => {
            let inventory = args::Inventory { inventory: vec![inventory], limit, ssh_config: None };
            let inventory = LoadedInventory::read(&inventory, &global.runs, printer)?;
            let policy = input::policy(&inventory, chosen.as_deref())?;
            let name = chosen.unwrap_or_else(|| name_in(&inventory));
            (policy, name, Some(to_migrate(&inventory)))
        }
        None => {
            let name = chosen.unwrap_or_else(|| SHIPPED[0].0.to_owned());
            let policy = input::named_policy(Path::new(HERE), &name)?;
            (policy, name, devices.map(|devices| devices as usize))
        }
    };
    printer.out(&match format {
        Format::Table => policy_text(&name, &policy, devices, printer.out_style()),
        Format::Json => policy_json(&name, &policy, devices).or_fail(Kind::Internal)?,
    });
    Ok(())
}

/// What the policy of an inventory is called.
fn name_in(inventory: &LoadedInventory) -> String {
    match &inventory.fleet.settings.policy {
        None => SHIPPED[0].0.to_owned(),
        Some(PolicyChoice::Named(name)) => name.clone(),
        Some(PolicyChoice::Inline(_)) => {
            let file = inventory.fleet.settings.policy_file.as_ref();
            format!("in {}", file.unwrap_or(&inventory.name))
        }
    }
}

/// Held devices are known without a probe; whoever else a plan would refuse is not.
fn to_migrate(inventory: &LoadedInventory) -> usize {
    let devices = inventory.selection.iter().filter_map(|id| inventory.fleet.devices.get(id));
    devices.filter(|device: &&Device| device.hold.is_none()).count()
}
