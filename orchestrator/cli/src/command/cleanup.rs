//! `cleanup`: deletes the records on balena of devices that earlier runs registered and that never arrived.
//!
//! Only uuids that runs in this folder have made are looked for, so a record of anybody else is never touched. A run
//! that may go on keeps its records, and so does a device past the point of no return: it may turn up yet.

use crate::args::{self, Global};
use crate::failure::{Failure, Kind, OrFail};
use crate::input::{self, LoadedInventory};
use crate::printer::Printer;
use crate::{prompt, wire};
use migos_balena::Balena;
use migos_engine::port::BalenaApi;
use migos_engine::run::{Held, RunDir};
use migos_events::{DeviceState, History, Outcome, RunId};
use migos_inventory::{DeviceId, fold};
use migos_playbooks::balena::{DeviceUuid, Heartbeat};
use std::collections::BTreeMap;

/// A uuid that a run has made.
struct Made {
    device: DeviceId,
    run: RunId,
    /// True if its device crossed the point of no return.
    crossed: bool,
}

pub(super) async fn run(
    cleanup: &args::Cleanup,
    global: &Global,
    printer: Printer,
) -> Result<u8, Failure> {
    let inventory = LoadedInventory::read(&cleanup.inventory, &global.runs, printer)?;
    let settings = &inventory.fleet.settings;
    let (token, ca) = (settings.token.as_ref(), settings.ca.as_deref());
    let balena = wire::balena(&settings.api, &inventory.base, token, ca)?;
    let mut made = made(global, printer)?;
    if cleanup.inventory.limit.is_some() {
        made.retain(|_, made| inventory.selection.contains(&made.device));
    }
    let unseen = unseen(&balena, made).await?;
    let (kept, orphans): (BTreeMap<_, _>, BTreeMap<_, _>) =
        unseen.into_iter().partition(|(_, made)| made.crossed);
    if !kept.is_empty() {
        let names = fold(kept.values().map(|made| &made.device));
        printer.say(&format!(
            "past the point of no return, and left alone, since they may turn up yet: {names}"
        ));
    }
    if orphans.is_empty() {
        printer.say(
            "nothing to delete: no other run has left a record of a device that never arrived",
        );
        return Ok(0);
    }
    for (uuid, Made { device, run, .. }) in &orphans {
        printer.out(&format!("{device}  {uuid}  run {run}\n"));
    }
    if cleanup.dry_run {
        printer.say(&format!("{} records would be deleted", orphans.len()));
        return Ok(0);
    }
    if !cleanup.yes {
        prompt::confirm_deletion(orphans.len())?;
    }
    delete(&balena, &orphans, printer).await
}

/// The uuids of all runs that are over.
fn made(global: &Global, printer: Printer) -> Result<BTreeMap<DeviceUuid, Made>, Failure> {
    let host = wire::person().host;
    let mut all = BTreeMap::new();
    for id in RunDir::list(&global.runs).or_fail(Kind::NotStarted)? {
        let run = RunDir::open(&global.runs, &id.0).or_fail(Kind::NotStarted)?;
        let history = History::replay(&input::records(&run)?).or_fail(Kind::Internal)?;
        let is_over = matches!(
            history.ended,
            Some(Outcome::Finished | Outcome::Stopped | Outcome::TakenBack)
        );
        if !is_over || run.held(&host) != Held::Free {
            printer.say(&format!("run {id} may go on; what it registered is left alone"));
            continue;
        }
        for (uuid, device) in
            run.secrets().and_then(|secrets| Ok(secrets.uuids()?)).or_fail(Kind::NotStarted)?
        {
            let progress = history.devices.get(&device);
            let crossed = progress
                .is_some_and(|it| it.crossed.is_some() || matches!(it.state, DeviceState::Lost(_)));
            all.insert(uuid, Made { device, run: id.clone(), crossed });
        }
    }
    Ok(all)
}

/// Those that balena has a record of and has never heard of.
async fn unseen(
    balena: &Balena,
    mut made: BTreeMap<DeviceUuid, Made>,
) -> Result<BTreeMap<DeviceUuid, Made>, Failure> {
    let uuids: Vec<DeviceUuid> = made.keys().cloned().collect();
    let known = balena.sightings_of(&uuids).await.or_fail(Kind::NotStarted)?;
    let unseen = known.into_iter().filter(|seen| seen.heartbeat == Heartbeat::Unknown);
    Ok(unseen.filter_map(|seen| made.remove_entry(&seen.uuid)).collect())
}

async fn delete(
    balena: &Balena,
    orphans: &BTreeMap<DeviceUuid, Made>,
    printer: Printer,
) -> Result<u8, Failure> {
    let mut deleted = 0;
    for (uuid, Made { device, .. }) in orphans {
        match balena.withdraw(uuid).await.or_fail(Kind::NotStarted)? {
            true => deleted += 1,
            false => printer.say(&format!("{device} has just arrived, and its record is kept")),
        }
    }
    printer.say(&format!("deleted: {deleted} of {}", orphans.len()));
    Ok(0)
}
