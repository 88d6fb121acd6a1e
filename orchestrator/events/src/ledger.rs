//! What the fleet remembers of a device over all runs.

use crate::event::{DeviceEvent, RunId};
use jiff::Timestamp;
use migos_inventory::DeviceId;
use migos_playbooks::balena::DeviceUuid;
use migos_playbooks::estimate::Measured;
use migos_playbooks::step::Reversal;
use serde::{Deserialize, Serialize};

/// What became of one device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerEntry {
    /// Its name in the inventory then.
    pub device: DeviceId,
    /// Its uuid on balena.
    pub uuid: DeviceUuid,
    /// The run that worked on it last.
    pub run: RunId,
    /// Where it got to.
    pub state: LedgerState,
    /// True once it may have crossed the point of no return.
    pub crossed: bool,
    /// When.
    pub at: Timestamp,
    /// Why it ended badly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// What its migration took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured: Option<Measured>,
}

/// Where a device got to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LedgerState {
    /// Work on it has begun.
    Started,
    /// It may have crossed the point of no return.
    Committed,
    /// After the flash it was not seen in time.
    Late,
    /// balena has seen it well.
    Migrated,
    /// It failed, and everything was taken back.
    Failed,
    /// By a person's order it is again what it was.
    Undone,
    /// It needs hands.
    Stuck,
    /// Silent past the point of no return.
    Lost,
}

impl LedgerState {
    /// What the fleet remembers of this event, and why it ended badly, if it did; `None`: nothing.
    pub fn after(event: &DeviceEvent) -> Option<(LedgerState, Option<String>)> {
        Some(match event {
            DeviceEvent::StepStarted { step }
                if step.action.reversal() == Reversal::PointOfNoReturn =>
            {
                (LedgerState::Committed, None)
            }
            DeviceEvent::StepStarted { step } if step.n == 0 => (LedgerState::Started, None),
            DeviceEvent::Late => (LedgerState::Late, None),
            DeviceEvent::Migrated { .. } => (LedgerState::Migrated, None),
            DeviceEvent::Failed { cause } => (LedgerState::Failed, Some(cause.message.clone())),
            DeviceEvent::Undone => (LedgerState::Undone, None),
            DeviceEvent::Stuck { message } => (LedgerState::Stuck, Some(message.clone())),
            DeviceEvent::Lost { message } => (LedgerState::Lost, Some(message.clone())),
            _ => return None,
        })
    }
}
