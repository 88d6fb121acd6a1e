//! `probe`: reads facts of devices; changes nothing.

use crate::args::{self, Format, Global};
use crate::capacity::Capacity;
use crate::failure::{Failure, Kind, OrFail};
use crate::input::LoadedInventory;
use crate::printer::Printer;
use crate::prompt;
use crate::wire::{self, Passwords};
use migos_engine::port::{Clock, Target};
use migos_engine::probe::probe_all;
use migos_engine::run::write_whole;
use migos_inventory::DataChoice;
use migos_playbooks::facts::{FACTS_SCHEMA, FactsFile, Probed};
use migos_playbooks::requirement::hosts;
use migos_report::probe_table;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// Devices probed at a time, unless the command line says otherwise.
pub(super) const PARALLEL: u32 = 64;

pub(super) async fn run(
    args: &args::Inventory,
    parallel: u32,
    output: Option<&Path>,
    format: Format,
    global: &Global,
    printer: Printer,
) -> Result<u8, Failure> {
    let inventory = LoadedInventory::read(args, &global.runs, printer)?;
    let facts = facts(&inventory, parallel, global, printer).await?;
    let json = || {
        let json = serde_json::to_string_pretty(&facts).or_fail(Kind::Internal);
        json.map(|json| json + "\n")
    };
    if let Some(path) = output {
        write_whole(path, json()?.as_bytes(), 0o644).or_fail(Kind::Internal)?;
        printer.say(&format!(
            "facts of {} devices saved in {}",
            facts.devices.len(),
            path.display()
        ));
    }
    match format {
        Format::Table => printer.out(&probe_table(&facts.devices, printer.out_style())),
        Format::Json => printer.out(&json()?),
    }
    Ok(0)
}

/// Probes the selection. Held devices are left alone: nobody may even look at them for now.
pub(super) async fn facts(
    inventory: &LoadedInventory,
    parallel: u32,
    global: &Global,
    printer: Printer,
) -> Result<FactsFile, Failure> {
    let asked = prompt::passwords(global, inventory.asks)?;
    let passwords = Passwords { own: inventory.fleet.secrets.clone(), ..asked };
    let (mut targets, mut data) = (Vec::new(), BTreeMap::new());
    for id in &inventory.selection {
        match inventory.fleet.devices.get(id) {
            Some(device) if device.hold.is_none() => {
                let target = wire::target(&inventory.base, id, &device.login, &passwords)?;
                targets.push(Target { cipher: global.cipher.of(None), ..target });
                if let Some(DataChoice::Keep(kept)) = &device.data {
                    let paths = kept.paths.iter().map(|kept| kept.path.clone());
                    data.insert(id.clone(), paths.collect());
                }
            }
            _ => {}
        }
    }
    let most = u32::try_from(targets.len()).unwrap_or(u32::MAX).max(1);
    let parallel = Capacity::here().at_a_time(parallel.min(most), printer);
    let ssh = wire::ssh(&global.runs, None)?;
    wire::unlock(&ssh, &targets).await?;
    printer.say(&format!("probing {} devices, {parallel} at a time", targets.len()));
    let read = wire::SystemClock.now();
    let hosts = hosts(&inventory.fleet.settings.api);
    let facts = probe_all(Arc::new(ssh), targets, hosts, data, parallel as usize).await;
    let answered = facts.values().filter(|probed| matches!(probed, Probed::Facts(_))).count();
    printer.say(&format!("{answered} of {} devices answered", facts.len()));
    Ok(FactsFile { schema: FACTS_SCHEMA, read, devices: facts })
}
