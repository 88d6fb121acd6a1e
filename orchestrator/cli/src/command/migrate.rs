//! `migrate`: the job.

use super::plan::{Prepared, Stock, exit_code, prepare};
use super::rollout::{Ready, carry_out};
use crate::args::{Global, Migrate};
use crate::failure::{Failure, Kind, OrFail};
use crate::input::{self, LoadedInventory, Sources};
use crate::printer::Printer;
use crate::{prompt, wire};
use migos_engine::run::RunDir;
use migos_playbooks::plan::CheckedPlan;
use migos_report::plan_text;
use std::path::Path;

pub(super) async fn run(args: &Migrate, global: &Global, printer: Printer) -> Result<u8, Failure> {
    let prepared = match &args.plan {
        Some(path) => saved(args, path)?,
        None => prepare(&args.planning, global, printer).await?,
    };
    let source = &prepared.sources.inventory;
    let hint = if args.dry_run {
        format!("Run it with: migos-fleet migrate {source}")
    } else {
        String::new()
    };
    printer.out(&plan_text(&prepared.plan, printer.out_style(), None, source, &hint));
    if args.dry_run {
        return Ok(0);
    }
    if prepared.plan.devices.is_empty() {
        printer.say("nothing to do: no device of the selection is to be migrated");
        return Ok(exit_code(&prepared.plan));
    }
    if !args.yes {
        prompt::confirm(&prepared.plan)?;
    }
    let Prepared { plan, sources, stock, balena } = prepared;
    let run = RunDir::create(&global.runs, &plan).or_fail(Kind::Internal)?;
    let lock = run.lock().or_fail(Kind::NotStarted)?;
    sources.save(&run)?;
    carry_out(Ready { run, lock, plan, sources, stock, balena }, global, printer).await
}

/// A saved plan, with payloads and images found again by the inventory and compared by digest.
fn saved(args: &Migrate, path: &Path) -> Result<Prepared, Failure> {
    let plan = input::plan(path)?;
    let inventory = LoadedInventory::read(&args.planning.inventory)?;
    let settings = &inventory.fleet.settings;
    let written = match (&args.planning.payload, &settings.payloads) {
        (Some(path), _) => path.clone(),
        (None, Some(written)) => wire::resolve(&inventory.base, written),
        (None, None) => {
            let failure = Failure::new(Kind::Input, "the inventory names no payloads");
            return Err(failure.hint("write `payloads: payloads/` into it, or use --payload"));
        }
    };
    let payloads = input::payloads(&written)?;
    let images = inventory.fleet.devices.values().flat_map(|device| device.images.values());
    let images = input::images(&inventory.base, &images.map(String::as_str).collect())?;
    let sources = Sources {
        inventory: inventory.name.clone(),
        base: inventory.base.clone(),
        token: settings.token.clone(),
        payloads: payloads.iter().map(|(digest, (path, _))| (*digest, path.clone())).collect(),
        images: images.manifests.iter().map(|(path, image)| (image.sha256, path.into())).collect(),
    };
    let stock = Stock {
        payloads: payloads.into_iter().map(|(digest, (_, payload))| (digest, payload)).collect(),
        images: images.contents,
    };
    is_at_hand(&plan, &stock)?;
    let balena = wire::balena(&plan.api, &inventory.base, settings.token.as_ref())?;
    Ok(Prepared { plan, sources, stock, balena })
}

/// Every payload and image of the plan must be there, with the very bytes it was made with.
pub(super) fn is_at_hand(plan: &CheckedPlan, stock: &Stock) -> Result<(), Failure> {
    let payload = plan.payloads.keys().find(|digest| !stock.payloads.contains_key(digest));
    let image = plan.images.keys().find(|digest| !stock.images.contains_key(digest));
    let missing =
        payload.map(|digest| ("payload", digest)).or(image.map(|digest| ("image", digest)));
    match missing {
        None => Ok(()),
        Some((what, digest)) => {
            let text =
                format!("the {what} with SHA-256 {} of the plan is not there", digest.short());
            Err(Failure::new(Kind::Input, text)
                .hint("put it back where the inventory says, or plan again"))
        }
    }
}
