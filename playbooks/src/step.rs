//! Steps: what is done to one device, in order, and what takes each step back.

use crate::span::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A step's name within its playbook, e.g. `send-image`.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct StepId(pub String);

impl fmt::Display for StepId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One step of a playbook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
    /// Which devices it is for.
    #[serde(default, skip_serializing_if = "When::is_always")]
    pub when: When,
    /// How long it may take, tries and pauses included.
    pub limit: Span,
    /// How often it is tried.
    pub retry: Retry,
    /// The command of an [`Action::Run`]; others have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<OwnCommand>,
}

/// A command of the user's own, run on Raspbian.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OwnCommand {
    /// What is run: by `sh -c`, as root.
    pub run: String,
    /// What takes it back, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<String>,
    /// How long each of the two may take.
    pub limit: Span,
    /// What becomes of that which it prints.
    #[serde(default)]
    pub output: Output,
}

/// What becomes of that which a command prints.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Output {
    /// Its last lines are shown, and stay in the journal.
    #[default]
    Shown,
    /// It is read and forgotten.
    Hidden,
}

impl Step {
    /// The reversal that it has by its nature; a playbook cannot say otherwise.
    pub fn natural_reversal(&self) -> Reversal {
        match &self.run {
            Some(OwnCommand { undo: None, .. }) => Reversal::Stays,
            Some(_) | None => self.action.reversal(),
        }
    }
}

/// Which devices a step is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum When {
    /// All.
    #[default]
    Always,
    /// Those whose firmware is brought up to date first.
    Update,
    /// Those whose data is fetched first.
    Data,
    /// Those whose one-shot boot is proven first.
    Proof,
    /// Those that boot MIGOS by the firmware's one-shot flag.
    OneShot,
    /// Those whose `config.txt` is replaced until MIGOS has put it back.
    Rewrite,
    /// Those that the controller orders to commit, on its own connection or through a bastion.
    Ordered,
    /// Those of them whose MIGOS calls a bastion.
    CallHome,
    /// Those whose MIGOS commits by itself.
    Unattended,
    /// Those that are moved to another fleet once they have arrived.
    Moved,
}

impl When {
    fn is_always(&self) -> bool {
        *self == When::Always
    }
}

/// What takes a step back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Reversal {
    /// It changes nothing, so nothing needs to.
    Nothing,
    /// Nothing does, and nothing needs to: the device is as good a Raspbian as before.
    Stays,
    /// The action's undo.
    Undo,
    /// Nothing can: it is the point of no return.
    PointOfNoReturn,
}

/// How often a step is tried when the connection fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// Tries in all, at least 1.
    pub times: u32,
    /// Pause before the second try; doubled before each further one.
    pub pause: Span,
}

/// What is performed; each action is one file of the engine.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Compare the device's identity and boot files with the plan's.
    Check,
    /// Take the device for this run, so that nobody else works on it.
    Lock,
    /// Run a command of the user's own on Raspbian. It may stand in many places, so it is not among [`ACTIONS`].
    Run,
    /// Install the vendor's newer firmware.
    UpdateFirmware,
    /// Reboot into the same Raspbian, on the new firmware.
    UpdateReboot,
    /// Look whether the new firmware can boot once, and whether there still is room.
    UpdateSeen,
    /// Copy the boot partition, to the device and to the run's folder.
    Backup,
    /// Fetch what is to be kept of the card's data to this computer.
    SaveData,
    /// Write the files that prove one-shot boot.
    ProveWrite,
    /// Set the one-shot flag and reboot into the same Raspbian.
    ProveArm,
    /// Look whether the one-shot file was read.
    ProveSeen,
    /// Reboot without the flag.
    ProveReturn,
    /// Look whether it is not read any more, and delete the files.
    ProveGone,
    /// Send the payload into its folder on the boot partition.
    SendPayload,
    /// Send the image onto the root file system.
    SendImage,
    /// Let the device's MIGOS in at the bastion, for one port only.
    Admit,
    /// Register the device with balena before it leaves Raspbian.
    Preregister,
    /// Write the job and the ramdisk's kernel command line.
    WriteJob,
    /// Write `tryboot.txt`.
    WriteTryboot,
    /// Write the permit by which MIGOS commits by itself.
    Release,
    /// Set the one-shot flag and reboot.
    Arm,
    /// Replace `config.txt` until MIGOS has put it back.
    RewriteConfig,
    /// Reboot without a flag.
    Reboot,
    /// Wait until MIGOS answers under its own host key.
    AwaitMigos,
    /// Register the device with balena.
    Register,
    /// Hand the device's configuration to MIGOS.
    Configure,
    /// Order MIGOS to cross the point of no return.
    Commit,
    /// Wait until MIGOS has committed by itself, or Raspbian has come back.
    AwaitCommit,
    /// Wait until MIGOS has written the card.
    AwaitFlash,
    /// Let the device's MIGOS in at the bastion no more.
    Dismiss,
    /// Wait until balena sees the device well.
    AwaitBalena,
    /// Move the device to the fleet where it stays.
    Settle,
}

/// The built-in actions of a migration, in the only order in which they make sense, and which devices they are for.
pub const ACTIONS: [(Action, When); 31] = [
    (Action::Check, When::Always),
    (Action::Lock, When::Always),
    (Action::UpdateFirmware, When::Update),
    (Action::UpdateReboot, When::Update),
    (Action::UpdateSeen, When::Update),
    (Action::Backup, When::Always),
    (Action::SaveData, When::Data),
    (Action::ProveWrite, When::Proof),
    (Action::ProveArm, When::Proof),
    (Action::ProveSeen, When::Proof),
    (Action::ProveReturn, When::Proof),
    (Action::ProveGone, When::Proof),
    (Action::SendPayload, When::Always),
    (Action::SendImage, When::Always),
    (Action::Admit, When::CallHome),
    (Action::Preregister, When::Unattended),
    (Action::WriteJob, When::Always),
    (Action::WriteTryboot, When::OneShot),
    (Action::Release, When::Unattended),
    (Action::Arm, When::OneShot),
    (Action::RewriteConfig, When::Rewrite),
    (Action::Reboot, When::Rewrite),
    (Action::AwaitMigos, When::Ordered),
    (Action::Register, When::Ordered),
    (Action::Configure, When::Ordered),
    (Action::Commit, When::Ordered),
    (Action::AwaitCommit, When::Unattended),
    (Action::AwaitFlash, When::Always),
    (Action::Dismiss, When::CallHome),
    (Action::AwaitBalena, When::Always),
    (Action::Settle, When::Moved),
];

impl Action {
    /// The reversal that the action has by its nature; a playbook cannot say otherwise.
    pub fn reversal(self) -> Reversal {
        match self {
            // The files stay on this computer.
            Action::Check
            | Action::UpdateSeen
            | Action::SaveData
            | Action::ProveSeen
            | Action::ProveGone => Reversal::Nothing,
            Action::UpdateFirmware => Reversal::Stays,
            Action::Lock
            | Action::Run
            | Action::UpdateReboot
            | Action::Backup
            | Action::ProveWrite
            | Action::ProveArm
            | Action::ProveReturn
            | Action::SendPayload
            | Action::SendImage
            | Action::Admit
            | Action::Preregister
            | Action::WriteJob
            | Action::WriteTryboot
            | Action::Arm
            | Action::RewriteConfig
            | Action::Reboot
            | Action::AwaitMigos
            | Action::Register => Reversal::Undo,
            Action::Release | Action::Commit => Reversal::PointOfNoReturn,
            // MIGOS holds the configuration in memory only; and past the point of no return there is
            // nothing left to take back.
            Action::Configure
            | Action::AwaitCommit
            | Action::AwaitFlash
            | Action::Dismiss
            | Action::AwaitBalena
            | Action::Settle => Reversal::Nothing,
        }
    }

    /// True if a recalled device must take this step back: it is rebooting or has left Raspbian, it would
    /// not boot Raspbian, or it keeps others away.
    ///
    /// What merely lies on the card or at balena stays there, so that nothing has to be sent twice.
    pub fn holds_the_device(self) -> bool {
        match self {
            Action::Lock
            | Action::Run
            | Action::UpdateReboot
            | Action::ProveWrite
            | Action::ProveArm
            | Action::ProveReturn
            | Action::Arm
            | Action::RewriteConfig
            | Action::Reboot
            | Action::AwaitMigos => true,
            Action::Check
            | Action::UpdateFirmware
            | Action::UpdateSeen
            | Action::Backup
            | Action::SaveData
            | Action::ProveSeen
            | Action::ProveGone
            | Action::SendPayload
            | Action::SendImage
            | Action::Admit
            | Action::Preregister
            | Action::WriteJob
            | Action::WriteTryboot
            | Action::Release
            | Action::Register
            | Action::Configure
            | Action::Commit
            | Action::AwaitCommit
            | Action::AwaitFlash
            | Action::Dismiss
            | Action::AwaitBalena
            | Action::Settle => false,
        }
    }

    /// True if the device may be rebooting, or in MIGOS, when this step is taken back.
    pub fn reboots(self) -> bool {
        matches!(
            self,
            Action::UpdateReboot
                | Action::ProveArm
                | Action::ProveReturn
                | Action::Arm
                | Action::RewriteConfig
                | Action::Reboot
                | Action::AwaitMigos
        )
    }

    /// True if an earlier step needs no taking back any more, once this one is done.
    pub fn settles(self, earlier: Action) -> bool {
        match self {
            Action::UpdateSeen => earlier == Action::UpdateReboot,
            Action::ProveGone => {
                matches!(earlier, Action::ProveWrite | Action::ProveArm | Action::ProveReturn)
            }
            _ => false,
        }
    }
}
