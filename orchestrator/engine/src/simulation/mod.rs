//! A simulated fleet: whole runs of the rollout core on a virtual clock, without I/O.
//!
//! A [`Simulation`] holds what outlives a controller: the devices themselves, the journal and the clock.
//! [`Simulation::carry_out`] is one controller's life, from its begin to its end or its death; the next one takes up
//! the journal as it would from the disk. Time jumps from one event to the next, so hours cost nothing.
//!
//! The simulated tasks keep the executor's rules, among them: a step is performed only with a permit; before the
//! point of no return it is broken off when the run closes; a failure takes back all that was begun, a recall only
//! what holds the device.

mod body;
mod circumstances;
mod controller;
mod pace;
mod predict;
mod referee;
mod sky;
mod task;
#[cfg(test)]
mod tests;

pub use circumstances::{Behaviour, Circumstances, Deed, Failing, Moment, Period};
pub use pace::Pace;
use predict::Forecast;
pub use predict::predict;
pub use referee::breaches;

use crate::rollout::Wishes;
use body::Body;
use controller::Controller;
use jiff::Timestamp;
use migos_events::{Event, History, Outcome, Record, ReplayError, RunId};
use migos_inventory::DeviceId;
use migos_playbooks::plan::CheckedPlan;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// A simulated fleet with its clock, and the journal of its run.
#[derive(Debug, Clone)]
pub struct Simulation {
    plan: Arc<CheckedPlan>,
    circumstances: Circumstances,
    /// The deeds that are still to come.
    deeds: Vec<(Moment, Deed)>,
    bodies: BTreeMap<DeviceId, Body>,
    journal: Vec<Record>,
    /// What is predicted from the records of the last controller, which are not kept: nobody takes up its journal.
    forecast: Option<Forecast>,
    /// The wall clock at the start of the simulation.
    start: Timestamp,
    /// Since then.
    clock: Duration,
    /// What the core did that it must not.
    breaches: Vec<String>,
}

/// What one controller is to do.
#[derive(Debug, Clone, Default)]
pub struct Errand {
    /// What a person wants besides the plan.
    pub wishes: Wishes,
    /// If there are any: these devices are given back as they were, and nothing else is done.
    pub take_back: Vec<DeviceId>,
}

/// How a controller's life ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// With the run, or with a pause of it.
    Outcome(Outcome),
    /// It was killed.
    Killed,
}

/// Why a simulation cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum SimulationError {
    /// The journal is not what this core has written.
    #[error("the journal cannot be replayed")]
    Replay(#[from] ReplayError),
    /// The run does not end.
    #[error("the run has not ended after {0:?}")]
    Endless(Duration),
    /// It ends otherwise than it should, though nothing goes wrong.
    #[error("the run ends early: {0}")]
    Unfinished(String),
    /// What would have to happen next never does.
    #[error("nothing happens any more, and the run has not ended")]
    Stalled,
}

impl Simulation {
    /// A fleet before its run; `start` is what the wall clock shows then.
    pub fn new(plan: CheckedPlan, circumstances: Circumstances, start: Timestamp) -> Simulation {
        let body =
            |(id, device)| (DeviceId::clone(id), Body::new(&plan, id, device, &circumstances));
        let bodies = plan.devices.iter().map(body).collect();
        Simulation {
            plan: Arc::new(plan),
            deeds: circumstances.deeds.clone(),
            circumstances,
            bodies,
            journal: Vec::new(),
            forecast: None,
            start,
            clock: Duration::ZERO,
            breaches: Vec::new(),
        }
    }

    /// The same fleet after this journal, which one controller alone has written: as it is when that is killed, and
    /// only these records are left of it.
    #[must_use]
    pub fn after(mut self, journal: Vec<Record>) -> Simulation {
        let plan = self.plan.clone();
        for record in &journal {
            self.clock = record.elapsed;
            if let Event::Device { device, what } = &record.event
                && let Some(body) = self.bodies.get_mut(device)
            {
                body.live_through(&plan, device, what, record.elapsed);
            }
        }
        self.journal = journal;
        self
    }

    /// One controller's life.
    ///
    /// # Errors
    /// [`SimulationError`]; above all, if the run does not end within `limit` of virtual time.
    pub fn carry_out(&mut self, errand: Errand, limit: Duration) -> Result<Ended, SimulationError> {
        Controller::new(self, errand)?.live(limit)
    }

    /// Lets time pass without a controller.
    pub fn wait(&mut self, span: Duration) {
        self.clock += span;
    }

    /// From now on, what befalls the controller.
    pub fn add_deed(&mut self, moment: Moment, deed: Deed) {
        self.deeds.push((moment, deed));
    }

    /// The plan.
    pub fn plan(&self) -> &CheckedPlan {
        &self.plan
    }

    /// All records so far.
    pub fn journal(&self) -> &[Record] {
        &self.journal
    }

    /// What the records amount to.
    ///
    /// # Errors
    /// [`ReplayError`], if the core has written what it cannot read.
    pub fn history(&self) -> Result<History, ReplayError> {
        History::replay(&self.journal)
    }

    /// How long the simulation has been going.
    pub fn clock(&self) -> Duration {
        self.clock
    }

    /// What the core did, of all that it must not do, in words.
    pub fn breaches(&self) -> Vec<String> {
        let mut found = self.breaches.clone();
        found.extend(breaches(&self.plan, &self.journal));
        found
    }

    /// The same for every plan, so that what is printed does not depend on its digest.
    fn run_id(&self) -> RunId {
        RunId("simulated".into())
    }

    fn body(&mut self, device: &DeviceId) -> Option<&mut Body> {
        self.bodies.get_mut(device)
    }
}
