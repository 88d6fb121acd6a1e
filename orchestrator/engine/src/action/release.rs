//! Release: the point of no return of a device that commits by itself. The permit is in the journal by now; here it is
//! written into the job, with its end.
//!
//! Without this step nothing on the card lets MIGOS commit: the job that `write-job` leaves has a permit that ended
//! long ago.

use super::{Failure, rewrite_config, write_job};
use crate::executor::Device;
use crate::port::{BalenaApi, Transport};
use migos_contract::boot_path;
use migos_events::Learned;
use migos_playbooks::plan::{Boot, CheckedPlan, Handover};
use migos_playbooks::step::Action;
use std::time::Duration;

/// More than a Pi needs from its reboot until MIGOS looks at its permit.
pub(super) const BOOT: Duration = Duration::from_secs(15 * 60);

pub(super) async fn perform<T: Transport, B: BalenaApi>(
    device: &mut Device<T, B>,
) -> Result<Learned, Failure> {
    let identity = device.verified_identity().await?;
    let ends = seconds(device).saturating_add(lasts(&device.world.plan).as_secs());
    write_job::write(device, ends).await?;
    Ok(Learned { boot_id: Some(identity.boot_id), permit_ends: Some(ends), ..Learned::default() })
}

/// How long a permit lasts: until the device has surely been rebooted, and MIGOS has had its time.
fn lasts(plan: &CheckedPlan) -> Duration {
    let leaves =
        |action: &Action| matches!(action, Action::Arm | Action::RewriteConfig | Action::Reboot);
    let leaving = plan.steps.iter().filter(|step| leaves(&step.action)).map(|step| step.limit.0);
    leaving.sum::<Duration>() + must_be_left(plan)
}

/// What must be left of a permit when the device is rebooted.
fn must_be_left(plan: &CheckedPlan) -> Duration {
    BOOT + plan.dead_man.commit.0
}

fn seconds<T: Transport, B: BalenaApi>(device: &Device<T, B>) -> u64 {
    u64::try_from(device.world.clock.now().as_second()).unwrap_or_default()
}

/// Refuses to let a device that commits by itself leave Raspbian with a permit that might end on the way.
pub(super) fn may_leave<T: Transport, B: BalenaApi>(device: &Device<T, B>) -> Result<(), Failure> {
    if device.plan().handover != Handover::Unattended {
        return Ok(());
    }
    let needed = seconds(device).saturating_add(must_be_left(&device.world.plan).as_secs());
    match device.learned.permit_ends {
        Some(ends) if needed <= ends => Ok(()),
        Some(_) => Err(Failure::Failed("its permit to commit by itself runs out".into())),
        None => Err(Failure::Failed("it has no permit to commit by itself".into())),
    }
}

/// True if an earlier controller may have rebooted a device that commits by itself, and its Raspbian does not answer
/// now: then it is past calling, and the step that waits for its commit finds out.
pub(super) async fn may_have_left<T: Transport, B: BalenaApi>(device: &mut Device<T, B>) -> bool {
    if device.plan().handover == Handover::Unattended && device.taken_up {
        device.may_have_left = device.verified_identity().await.is_err();
    }
    device.may_have_left
}

/// Brings a released device back, or finds it back: Raspbian answers, is disarmed, and its boot files are those that
/// boot it. Nothing can boot MIGOS from then on, so it will not commit any more.
///
/// # Errors
/// [`Failure::Stuck`] if MIGOS has committed; others if nothing was found out.
pub(crate) async fn bring_back<T: Transport, B: BalenaApi>(
    device: &mut Device<T, B>,
) -> Result<(), Failure> {
    device.back_on_raspbian().await?;
    if matches!(device.plan().boot, Boot::Rewrite { .. }) {
        rewrite_config::undo(device).await?;
    }
    let identity = device.verified_identity().await?;
    match identity.sums == device.plan().boot_sums {
        true => Ok(()),
        false => Err(Failure::Failed(format!("{} is not Raspbian's", boot_path::CONFIG))),
    }
}
