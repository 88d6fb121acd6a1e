//! Actions: what a step does to a device, and what takes it back, side by side in one file each.
//!
//! Every action may be performed again after it was cut off anywhere: it looks first at what is there.
//! Waiting for balena has no file, because nothing is done to the device then: the rollout core sees the
//! arrival in what balena tells about the whole fleet.

mod admit;
mod arm;
mod await_commit;
mod await_flash;
mod await_migos;
mod backup;
mod carry;
mod check;
mod commit;
mod configure;
mod dismiss;
mod lock;
mod mirror;
mod networks;
mod own;
mod preregister;
mod prove_arm;
mod prove_gone;
mod prove_return;
mod prove_seen;
mod prove_write;
mod reboot;
mod register;
mod release;
mod rewrite_config;
mod save_data;
mod send_image;
mod send_payload;
mod settle;
mod update_firmware;
mod update_reboot;
mod update_seen;
mod write_job;
mod write_tryboot;

pub(crate) use release::bring_back;

use crate::executor::Device;
use crate::port::{BalenaApi, BalenaError, Transport, TransportError};
use migos_events::Learned;
use migos_playbooks::step::{Action, Step};

/// Why an action, or its undo, did not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The same may succeed a little later.
    Transient(String),
    /// The device is not what the plan was made for.
    Refused(String),
    /// It will not succeed; the device can still go back.
    Failed(String),
    /// Past the point of no return, and it cannot go on by itself.
    Stuck(String),
    /// Past the point of no return, and silent.
    Lost(String),
    /// What is seen cannot be, by what is known.
    Contradiction(String),
    /// It cannot be kept for this run: nothing more may be done to it, and waiting does not help.
    NotOurs(String),
}

impl Failure {
    /// What happened: a lowercase fragment.
    pub fn message(&self) -> &str {
        match self {
            Failure::Transient(message)
            | Failure::Refused(message)
            | Failure::Failed(message)
            | Failure::Stuck(message)
            | Failure::Lost(message)
            | Failure::Contradiction(message)
            | Failure::NotOurs(message) => message,
        }
    }
}

impl From<TransportError> for Failure {
    fn from(error: TransportError) -> Self {
        if error.is_transient() {
            return Failure::Transient(error.to_string());
        }
        match error {
            TransportError::HostKey(_) => Failure::Refused(error.to_string()),
            _ => Failure::Failed(error.to_string()),
        }
    }
}

impl From<BalenaError> for Failure {
    fn from(error: BalenaError) -> Self {
        match error {
            BalenaError::Away { .. } => Failure::Transient(error.to_string()),
            _ => Failure::Failed(error.to_string()),
        }
    }
}

/// Performs an action.
pub(crate) async fn perform<T: Transport, B: BalenaApi>(
    step: &Step,
    device: &mut Device<T, B>,
) -> Result<Learned, Failure> {
    match step.action {
        Action::Check => check::perform(device).await,
        Action::Lock => lock::perform(device).await,
        Action::Run => own::perform(step, device).await,
        Action::UpdateFirmware => update_firmware::perform(device).await,
        Action::UpdateReboot => update_reboot::perform(device).await,
        Action::UpdateSeen => update_seen::perform(device).await,
        Action::Backup => backup::perform(device).await,
        Action::SaveData => save_data::perform(device).await,
        Action::ProveWrite => prove_write::perform(device).await,
        Action::ProveArm => prove_arm::perform(device).await,
        Action::ProveSeen => prove_seen::perform(device).await,
        Action::ProveReturn => prove_return::perform(device).await,
        Action::ProveGone => prove_gone::perform(device).await,
        Action::SendPayload => send_payload::perform(device).await,
        Action::SendImage => send_image::perform(device).await,
        Action::Admit => admit::perform(device).await,
        Action::Preregister => preregister::perform(device).await,
        Action::WriteJob => write_job::perform(device).await,
        Action::WriteTryboot => write_tryboot::perform(device).await,
        Action::Release => release::perform(device).await,
        Action::Arm => arm::perform(device).await,
        Action::RewriteConfig => rewrite_config::perform(device).await,
        Action::Reboot => reboot::perform(device).await,
        Action::AwaitMigos => await_migos::perform(device).await,
        Action::Register => register::perform(device).await,
        Action::Configure => configure::perform(device).await,
        Action::Commit => commit::perform(device).await,
        Action::AwaitCommit => await_commit::perform(device).await,
        Action::AwaitFlash => await_flash::perform(device).await,
        Action::Dismiss => dismiss::perform(device).await,
        Action::AwaitBalena => Ok(Learned::default()),
        Action::Settle => settle::perform(device).await,
    }
}

/// Takes an action back.
pub(crate) async fn undo<T: Transport, B: BalenaApi>(
    step: &Step,
    device: &mut Device<T, B>,
) -> Result<(), Failure> {
    match step.action {
        Action::Lock => lock::undo(device).await,
        Action::Run => own::undo(step, device).await,
        Action::UpdateReboot => update_reboot::undo(device).await,
        Action::Backup => backup::undo(device).await,
        Action::ProveWrite => prove_write::undo(device).await,
        Action::ProveArm => prove_arm::undo(device).await,
        Action::ProveReturn => prove_return::undo(device).await,
        Action::SendPayload => send_payload::undo(device).await,
        Action::SendImage => send_image::undo(device).await,
        Action::Admit => admit::undo(device).await,
        Action::Preregister => preregister::undo(device).await,
        Action::WriteJob => write_job::undo(device).await,
        Action::WriteTryboot => write_tryboot::undo(device).await,
        Action::Arm => arm::undo(device).await,
        Action::RewriteConfig => rewrite_config::undo(device).await,
        Action::Reboot => reboot::undo(device).await,
        Action::AwaitMigos => await_migos::undo(device).await,
        Action::Register => register::undo(device).await,
        // Nothing that could be taken back, or nothing left to take back.
        Action::Check
        | Action::UpdateFirmware
        | Action::UpdateSeen
        | Action::SaveData
        | Action::ProveSeen
        | Action::ProveGone
        | Action::Configure
        | Action::Release
        | Action::Commit
        | Action::AwaitCommit
        | Action::AwaitFlash
        | Action::Dismiss
        | Action::AwaitBalena
        | Action::Settle => Ok(()),
    }
}
