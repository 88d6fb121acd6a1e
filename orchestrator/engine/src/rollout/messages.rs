//! What the rollout core is told, and what it answers.

use jiff::Timestamp;
use migos_events::{Cause, Change, CheckVerdict, Learned, Outcome, Progress, Record, StepRef};
use migos_inventory::DeviceId;
use migos_playbooks::balena::DeviceUuid;
use std::time::Duration;

/// The moment of an input.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// How long the run has been going; monotonic, and goes on over a resume where it stood.
    pub run: Duration,
    /// The wall clock, for people.
    pub wall: Timestamp,
}

/// What can happen to a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A controller takes it up, the first or a later one.
    Begin,
    /// A device's task says something.
    Said(DeviceId, Said),
    /// A device's task has ended.
    TaskEnded(DeviceId),
    /// A person orders something.
    Order(Order),
    /// balena answered: what it sees of the run's devices.
    Seen(Vec<Seen>),
    /// balena answered: what it sees otherwise than when it answered last.
    SeenOtherwise(Vec<Seen>),
    /// balena did not answer.
    BalenaAway(String),
    /// The command that judges this stage has answered.
    Checked(usize, CheckVerdict, String),
    /// Time has passed.
    Tick,
}

/// What a device's task says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// May I begin this step?
    Ask(usize),
    /// A try of this step failed; another one follows.
    Retried(usize, String),
    /// The step is done.
    Done(usize, Learned),
    /// The step failed, and the device can still go back.
    Failed(usize, Cause),
    /// The step failed, and yet the device that was permitted to commit is back on Raspbian for good.
    CameBack(usize, Cause),
    /// May I take this step back?
    AskUndo(StepRef),
    /// The step is taken back.
    UndoDone(StepRef),
    /// All that had to be taken back is.
    Undone,
    /// The step, which comes after the device's arrival, is not done.
    Unsettled(usize, String),
    /// A remark for people.
    Noted(String),
    /// It needs hands.
    Stuck(String),
    /// It is silent past the point of no return.
    Lost(String),
    /// What is seen cannot be, by what is known.
    Contradicted(String),
}

/// What a person may order, with who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// No new work until somebody resumes.
    Pause(String),
    /// No new work any more.
    Stop(String),
    /// The same, and whatever can be taken back is taken back.
    StopAndUndo(String),
    /// As a pause, because the controller is to end now.
    Interrupt,
}

/// What balena sees of one device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The device.
    pub device: DeviceId,
    /// Its uuid.
    pub uuid: DeviceUuid,
    /// How it is.
    pub sight: Sight,
}

/// How balena sees a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sight {
    /// It answers, and runs the OS version of its plan.
    Well {
        /// That version.
        os_version: String,
        /// True if its VPN is up.
        vpn: bool,
    },
    /// It answers, but is not what the plan has made of it.
    Unwell(String),
    /// It does not answer.
    Silent,
}

/// What is to be done about an input, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Write this to the journal before anything that follows.
    Record(Record),
    /// Start the device's task from here.
    Launch(DeviceId, Box<Progress>),
    /// Tell the device's task that it may do what it asked for.
    Grant(DeviceId),
    /// Tell the device's task that what it asked for is not needed.
    Skip(DeviceId),
    /// Tell the device's task to go back to Raspbian and end.
    Recall(DeviceId),
    /// Ask the command that judges this stage.
    Check(usize),
    /// The run is over for this controller.
    End(Outcome),
}

/// What a person wants of this controller, besides the plan.
#[derive(Debug, Clone, Default)]
pub struct Wishes {
    /// The last stage to be carried out, by index; `None`: all.
    pub until: Option<usize>,
    /// Who forgives what went wrong so far, and why.
    pub forgive: Option<Forgiveness>,
    /// The change request that a new run belongs to.
    pub change: Option<Change>,
}

/// A person's word that what went wrong so far is not to be counted by gates any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forgiveness {
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
}
