//! Steps: what is done to one device, in order, and what takes each step back.

use crate::span::Span;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A step's name within its playbook, e.g. `send-image`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepId(pub String);

impl fmt::Display for StepId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One step of a playbook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Its name.
    pub id: StepId,
    /// What it does, for people: a lowercase fragment.
    pub title: String,
    /// What is performed.
    pub action: Action,
    /// What takes it back.
    pub reversal: Reversal,
    /// How long it may take, tries and pauses included.
    pub limit: Span,
    /// How often it is tried.
    pub retry: Retry,
}

/// What takes a step back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reversal {
    /// It changes nothing, so nothing needs to.
    Nothing,
    /// The action's undo.
    Undo,
    /// Nothing can: it is the point of no return.
    PointOfNoReturn,
}

/// How often a step is tried when the connection fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// Tries in all, at least 1.
    pub times: u32,
    /// Pause before the second try; doubled before each further one.
    pub pause: Span,
}

/// What is performed; each action is one file of the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Compare the device's identity and boot files with the plan's.
    Check,
    /// Send the payload into its folder on the boot partition.
    SendPayload,
    /// Send the image onto the root file system.
    SendImage,
    /// Write the job and the ramdisk's kernel command line.
    WriteJob,
    /// Write `tryboot.txt`.
    WriteTryboot,
    /// Set the one-shot flag and reboot.
    Arm,
    /// Wait until MIGOS answers under its own host key.
    AwaitMigos,
    /// Register the device with balena.
    Register,
    /// Hand the device's configuration to MIGOS.
    Configure,
    /// Order MIGOS to cross the point of no return.
    Commit,
    /// Wait until MIGOS has written the card.
    AwaitFlash,
    /// Wait until balena sees the device well.
    AwaitBalena,
}

/// The actions of a migration, in the only order in which they make sense.
pub const ACTIONS: [Action; 12] = [
    Action::Check,
    Action::SendPayload,
    Action::SendImage,
    Action::WriteJob,
    Action::WriteTryboot,
    Action::Arm,
    Action::AwaitMigos,
    Action::Register,
    Action::Configure,
    Action::Commit,
    Action::AwaitFlash,
    Action::AwaitBalena,
];

impl Action {
    /// The reversal that the action has by its nature; a playbook cannot say otherwise.
    pub fn reversal(self) -> Reversal {
        match self {
            Action::Check => Reversal::Nothing,
            Action::SendPayload
            | Action::SendImage
            | Action::WriteJob
            | Action::WriteTryboot
            | Action::Arm
            | Action::AwaitMigos
            | Action::Register => Reversal::Undo,
            Action::Commit => Reversal::PointOfNoReturn,
            // MIGOS holds the configuration in memory only; and past the point of no return there is
            // nothing left to take back.
            Action::Configure | Action::AwaitFlash | Action::AwaitBalena => Reversal::Nothing,
        }
    }

    /// True if a recalled device must take this step back: it has left Raspbian, or is about to.
    ///
    /// What merely lies on the card or at balena stays there, so that nothing has to be sent twice.
    pub fn leaves_raspbian(self) -> bool {
        match self {
            Action::Arm | Action::AwaitMigos => true,
            Action::Check
            | Action::SendPayload
            | Action::SendImage
            | Action::WriteJob
            | Action::WriteTryboot
            | Action::Register
            | Action::Configure
            | Action::Commit
            | Action::AwaitFlash
            | Action::AwaitBalena => false,
        }
    }
}
