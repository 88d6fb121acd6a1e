//! How long a rollout takes if nothing goes wrong.

use super::{Circumstances, Ended, Errand, Pace, Simulation, SimulationError};
use jiff::Timestamp;
use migos_events::{DeviceEvent, Event, Outcome, Record};
use migos_inventory::DeviceId;
use migos_playbooks::estimate::{Journey, Prediction, StagePrediction};
use migos_playbooks::plan::CheckedPlan;
use migos_playbooks::step::Action;
use std::collections::BTreeMap;
use std::time::Duration;

/// No run is waited for longer: some window never opens for it.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

/// Carries out the plan on a fleet in which every device takes what the plan estimates for it, from this moment on.
///
/// # Errors
/// [`SimulationError`], if the run would not end within a year, or not well.
pub fn predict(plan: &CheckedPlan, start: Timestamp) -> Result<Prediction, SimulationError> {
    let circumstances = Circumstances { pace: Pace::Planned, ..Circumstances::default() };
    let mut simulation = Simulation::new(plan.clone(), circumstances, start);
    let gates = plan.stages.iter().filter(|stage| stage.gate.pause.is_some()).count();
    let mut pauses = 0;
    let mut ended = None;
    while pauses < gates && ended != Some(Ended::Outcome(Outcome::Finished)) {
        ended = Some(simulation.carry_out(Errand::default(), LONGEST)?);
        pauses += usize::from(ended != Some(Ended::Outcome(Outcome::Finished)));
    }
    let mut forecast = Forecast::default();
    simulation.journal().iter().for_each(|record| forecast.take(record));
    if ended != Some(Ended::Outcome(Outcome::Finished)) {
        simulation.forecast = Some(forecast);
        ended = Some(simulation.carry_out(Errand::default(), LONGEST)?);
        forecast = simulation.forecast.take().unwrap_or_default();
    }
    if ended != Some(Ended::Outcome(Outcome::Finished)) {
        return Err(SimulationError::Unfinished(forecast.why));
    }
    let stage = |(stage, takes): (usize, Duration)| {
        let name = plan.stages.get(stage).map(|it| it.name.clone()).unwrap_or_default();
        StagePrediction { name, takes }
    };
    let stages = forecast.stages.into_iter().map(stage).collect();
    let devices = forecast.devices;
    Ok(Prediction { stages, whole: simulation.clock(), pauses, begun: start, devices })
}

/// What records predict, as far as they have been taken.
#[derive(Debug, Clone, Default)]
pub(super) struct Forecast {
    /// When the present stage began.
    began: Duration,
    /// What each stage took that is over.
    stages: Vec<(usize, Duration)>,
    devices: BTreeMap<DeviceId, Journey>,
    /// Why the run was paused or stopped last.
    why: String,
}

impl Forecast {
    pub(super) fn take(&mut self, record: &Record) {
        let at = record.elapsed;
        match &record.event {
            Event::StageStarted { .. } => self.began = at,
            Event::StagePassed { stage } => self.stages.push((*stage, at - self.began)),
            Event::Paused { reason, .. } | Event::Stopped { reason, .. } => {
                self.why.clone_from(reason);
            }
            Event::Device { device, what } => self.take_of_device(device, what, at),
            _ => {}
        }
    }

    fn take_of_device(&mut self, device: &DeviceId, what: &DeviceEvent, at: Duration) {
        let begins = Journey { starts: at, leaves: at, commits: at, arrives: at };
        let journey = self.devices.entry(device.clone()).or_insert(begins);
        match what {
            DeviceEvent::StepStarted { step } => match step.action {
                Action::Arm | Action::Reboot => journey.leaves = at,
                Action::Commit | Action::AwaitCommit => journey.commits = at,
                _ => {}
            },
            DeviceEvent::Migrated { .. } => journey.arrives = at,
            _ => {}
        }
    }
}
