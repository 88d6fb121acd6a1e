//! Events, and the records that keep them.

use crate::outcome::Outcome;
use jiff::Timestamp;
use migos_inventory::DeviceId;
use migos_playbooks::balena::DeviceUuid;
use migos_playbooks::plan::{Class, PlanId};
use migos_playbooks::step::Action;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// The name of a run: its plan's short id and a number, e.g. `7f3a2c-01`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(pub String);

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One line of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Its number, from 0, without gaps.
    pub seq: u64,
    /// When it happened, by the controller's clock.
    pub at: Timestamp,
    /// Time that the run has been going, in milliseconds; it stands still while no controller runs.
    #[serde(rename = "elapsed_ms", with = "milliseconds")]
    pub elapsed: Duration,
    /// What happened.
    pub event: Event,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Event {
    /// A run begins. Always the first record.
    RunStarted {
        /// The run.
        run: RunId,
        /// The plan that it carries out.
        plan: PlanId,
        /// The version of the controller.
        controller: String,
        /// Devices to migrate.
        devices: u32,
        /// Devices of the selection that the plan refused.
        refused: u32,
        /// Devices of the selection that did not answer when the plan was made.
        unreachable: u32,
        /// The change request that it belongs to, and who approved that.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        change: Option<Change>,
    },
    /// A controller takes up the run again.
    RunResumed {
        /// The version of that controller.
        controller: String,
    },
    /// A stage begins.
    StageStarted {
        /// Its index.
        stage: usize,
    },
    /// All devices of a stage have ended; from now on everything migrated so far must stay well.
    SoakStarted {
        /// The stage's index.
        stage: usize,
    },
    /// Something is not well, or cannot be seen; the soak begins again when it is.
    SoakBroken {
        /// The stage's index.
        stage: usize,
        /// What was not well.
        reason: String,
    },
    /// The command that judges a stage has answered.
    GateChecked {
        /// The stage's index.
        stage: usize,
        /// What it says.
        verdict: CheckVerdict,
        /// What it wrote, or why it could not be asked.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        message: String,
    },
    /// The first devices of a class have shown that others of it may follow.
    ClassOpened {
        /// The class.
        class: Class,
    },
    /// Too many devices of a class have failed: no other of it is started.
    ClassSetAside {
        /// The class.
        class: Class,
        /// Its devices that are not started.
        devices: Vec<DeviceId>,
        /// What happened to the others.
        reason: String,
    },
    /// Nothing can start until a window opens.
    WindowClosed {
        /// When it opens.
        opens: Timestamp,
    },
    /// Devices may start again.
    WindowOpened,
    /// All others have ended; only devices that were away are waited for.
    StragglersAwaited {
        /// These.
        devices: Vec<DeviceId>,
        /// At this moment of the run the last of them is given up, in milliseconds.
        #[serde(rename = "until_ms", with = "milliseconds")]
        until: Duration,
    },
    /// A person has looked at what went wrong so far; the gates do not count it any more.
    Forgiven {
        /// Who.
        by: String,
        /// Why.
        reason: String,
        /// The devices that had ended badly or were set aside.
        devices: Vec<DeviceId>,
    },
    /// A gate let the run through.
    StagePassed {
        /// The stage's index.
        stage: usize,
    },
    /// No new work until a person resumes.
    Paused {
        /// What is waited for.
        reason: String,
        /// The stage whose gate is passed when a person resumes, if its instructions are what is waited
        /// for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        gate: Option<usize>,
    },
    /// No new work any more.
    Stopped {
        /// Why.
        reason: String,
        /// True if whatever can be taken back is taken back.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        undo: bool,
    },
    /// A person interrupted the controller.
    Interrupted,
    /// balena does not answer; nothing is concluded about any device.
    BalenaAway {
        /// What happened.
        message: String,
    },
    /// balena answers again.
    BalenaBack,
    /// Something about one device.
    Device {
        /// The device.
        device: DeviceId,
        /// What.
        what: DeviceEvent,
    },
    /// The run ends, or waits without a controller.
    RunEnded {
        /// How.
        outcome: Outcome,
    },
    /// An event of a newer version.
    #[serde(other)]
    Unknown,
}

/// A change request of the people whose devices these are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Its name in their books.
    pub id: String,
    /// Who approved it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved_by: Option<String>,
}

/// What a command says that judges a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckVerdict {
    /// The stage is good.
    Pass,
    /// It cannot tell.
    Unsure,
    /// The stage is not good.
    Fail,
}

/// A step of the plan, as events name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct StepRef {
    /// Its index in the plan, from 0.
    pub n: usize,
    /// What it does.
    pub action: Action,
}

/// Something that happened to one device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum DeviceEvent {
    /// A permit for this step was given. On disk before anything is done.
    StepStarted {
        /// The step.
        step: StepRef,
    },
    /// A try failed and another one follows.
    StepRetried {
        /// The step.
        step: StepRef,
        /// Why the last try failed.
        message: String,
    },
    /// The step was performed.
    StepDone {
        /// The step.
        step: StepRef,
        /// What was found out on the way.
        #[serde(default, skip_serializing_if = "Learned::is_empty")]
        learned: Learned,
    },
    /// The step is not needed: its class has shown already what it would show.
    StepSkipped {
        /// The step.
        step: StepRef,
    },
    /// The step failed; what was done before is taken back next.
    StepFailed {
        /// The step.
        step: StepRef,
        /// Why.
        cause: Cause,
    },
    /// The step failed after the device was permitted to commit by itself; yet Raspbian is back, nothing can boot
    /// MIGOS any more, and it has not committed. What was done before is taken back next.
    CameBack {
        /// The step.
        step: StepRef,
        /// Why.
        cause: Cause,
    },
    /// The device is in MIGOS and asks for the permit to cross the point of no return.
    CommitAsked,
    /// No permit: the device goes back to Raspbian and waits.
    Recalled {
        /// Why, unless the run closes.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        reason: String,
    },
    /// A person wants the device back as it was.
    UndoOrdered,
    /// Taking a step back begins.
    UndoStarted {
        /// The step.
        step: StepRef,
    },
    /// The step was taken back.
    UndoDone {
        /// The step.
        step: StepRef,
    },
    /// A remark for people; changes nothing.
    Noted {
        /// The remark.
        message: String,
    },
    /// What is seen of it cannot be, by what is known of it: a person has to look.
    Contradicted {
        /// What is seen.
        message: String,
    },
    /// A recalled device is on Raspbian again.
    WentBack,
    /// It was not seen in time; nothing is lost yet.
    Late,
    /// It is on balena and well.
    Migrated {
        /// Its uuid there.
        uuid: DeviceUuid,
        /// The OS version it reported.
        os_version: String,
    },
    /// It is on balena and well, but a step after that was not done; another controller tries it again.
    Unsettled {
        /// The step.
        step: StepRef,
        /// Why it was not done.
        message: String,
    },
    /// It failed, and everything was taken back.
    Failed {
        /// Why.
        cause: Cause,
    },
    /// Its class is set aside: it is not started.
    SetAside {
        /// What happened to others of its class.
        reason: String,
    },
    /// Its class may start again.
    Readmitted,
    /// By a person's order it is again what it was.
    Undone,
    /// It needs hands: taking back failed, or MIGOS cannot go on.
    Stuck {
        /// What is the matter.
        message: String,
    },
    /// Silent past the point of no return.
    Lost {
        /// What was last known.
        message: String,
    },
}

/// What a step found out that later steps, or a later controller, need.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Learned {
    /// The boot id of the Raspbian that was there before the reboot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot_id: Option<String>,
    /// The end of its permit to commit by itself, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permit_ends: Option<u64>,
    /// The host key that its bastion has shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bastion_key: Option<String>,
    /// The device's numeric id on balena.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub balena_id: Option<u64>,
    /// Bytes that were sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_sent: Option<u64>,
}

impl Learned {
    /// True if nothing was found out.
    pub fn is_empty(&self) -> bool {
        *self == Learned::default()
    }

    /// Adds what a further step found out.
    pub fn add(&mut self, more: &Learned) {
        if more.boot_id.is_some() {
            self.boot_id.clone_from(&more.boot_id);
        }
        if more.bastion_key.is_some() {
            self.bastion_key.clone_from(&more.bastion_key);
        }
        self.permit_ends = more.permit_ends.or(self.permit_ends);
        self.balena_id = more.balena_id.or(self.balena_id);
        self.bytes_sent = match (self.bytes_sent, more.bytes_sent) {
            (Some(before), Some(now)) => Some(before.saturating_add(now)),
            (before, now) => before.or(now),
        };
    }
}

/// Why a device failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// What sort of failure it is; each has a tolerance of its own.
    pub kind: CauseKind,
    /// What happened: a lowercase fragment.
    pub message: String,
}

/// What sort of failure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CauseKind {
    /// It was not reached when its turn came; nothing was written.
    Away,
    /// The connection was lost for good after something was written.
    Unreachable,
    /// It is not what the plan was made for any more.
    Refused,
    /// A step did not succeed.
    Step,
}

mod milliseconds {
    use serde::{Deserialize, Deserializer, Serializer};
    use std::time::Duration;

    pub(super) fn serialize<S: Serializer>(
        span: &Duration,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(u64::try_from(span.as_millis()).unwrap_or(u64::MAX))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_record_is_one_readable_line() {
        let record = Record {
            seq: 7,
            at: "2026-11-23T10:00:00Z".parse().unwrap(),
            elapsed: Duration::from_millis(1500),
            event: Event::Device {
                device: DeviceId::new("kiosk-001").unwrap(),
                what: DeviceEvent::StepStarted { step: StepRef { n: 3, action: Action::WriteJob } },
            },
        };
        let line = serde_json::to_string(&record).unwrap();
        insta::assert_snapshot!(line, @r###"{"seq":7,"at":"2026-11-23T10:00:00Z","elapsed_ms":1500,"event":{"type":"device","device":"kiosk-001","what":{"type":"step-started","step":{"n":3,"action":"write-job"}}}}"###);
        assert_eq!(serde_json::from_str::<Record>(&line).unwrap(), record);
    }

    #[test]
    fn an_event_of_a_newer_version_is_read_as_unknown() {
        let line = r#"{"seq":1,"at":"2026-11-23T10:00:00Z","elapsed_ms":0,"event":{"type":"sang","song":"la"}}"#;
        assert_eq!(serde_json::from_str::<Record>(line).unwrap().event, Event::Unknown);
    }
}
