//! Scenarios: what befalls a rollout, as text, and what is printed then.
//!
//! A script names a fleet, a policy, what goes wrong and when, and what must come of it; `tests/scenarios/README.md`
//! describes the language. A [`Scenario`] is a script that has been read; [`Scenario::play`] carries it out with the
//! rollout core and a simulated fleet, and gives the text that a person would have seen.

mod expect;
mod fleet;
mod line;
mod parse;
mod play;

pub use fleet::{Group, plan};
pub use line::ScriptError;

use expect::Expectation;
use jiff::Timestamp;
use migos_engine::rollout::Order;
use migos_engine::simulation::{Circumstances, Deed, Moment};
use migos_inventory::DeviceId;
use migos_playbooks::plan::CheckedPlan;
use std::time::Duration;

/// A script that has been read.
#[derive(Debug, Clone)]
pub struct Scenario {
    plan: CheckedPlan,
    circumstances: Circumstances,
    /// What the wall clock shows at the start.
    start: Timestamp,
    acts: Vec<Act>,
}

/// One thing that a person does, or looks at, one after the other.
#[derive(Debug, Clone)]
enum Act {
    /// A controller carries the run on, to its end, a pause or its death.
    Run { resumes: bool, until: Option<usize>, forgive: Option<String> },
    /// A controller gives these devices back as they were.
    Undo(Vec<DeviceId>),
    /// Nobody does anything for so long.
    Wait(Duration),
    /// What befalls the controllers from here on.
    Deed(Moment, Deed),
    /// What must have come of it, by the line that says so.
    Expect(usize, Expectation),
}

/// What a person can order, and what else may happen to a controller, as scripts write it.
fn deeds() -> [(&'static str, Deed); 5] {
    let person = || "a person".to_owned();
    [
        ("pause", Deed::Order(Order::Pause(person()))),
        ("stop", Deed::Order(Order::Stop(person()))),
        ("undo", Deed::Order(Order::StopAndUndo(person()))),
        ("interrupt", Deed::Order(Order::Interrupt)),
        ("kill", Deed::Kill),
    ]
}
