//! How long a rollout takes if nothing goes wrong.

use super::{Circumstances, Ended, Errand, Pace, Simulation, SimulationError};
use jiff::Timestamp;
use migos_events::{DeviceEvent, Event, Outcome};
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
    while simulation.carry_out(Errand::default(), LONGEST)? != Ended::Outcome(Outcome::Finished) {
        if pauses == gates {
            let history = simulation.history()?;
            let reason = history.stopped.or(history.paused).unwrap_or_default();
            return Err(SimulationError::Unfinished(reason));
        }
        pauses += 1;
    }
    let mut stages = Vec::new();
    let mut began = Duration::ZERO;
    let mut devices: BTreeMap<DeviceId, Journey> = BTreeMap::new();
    for record in simulation.journal() {
        let at = record.elapsed;
        match &record.event {
            Event::StageStarted { .. } => began = at,
            Event::StagePassed { stage } => {
                let name = plan.stages.get(*stage).map(|it| it.name.clone()).unwrap_or_default();
                stages.push(StagePrediction { name, takes: at - began });
            }
            Event::Device { device, what } => {
                let begins = Journey { starts: at, leaves: at, commits: at, arrives: at };
                let journey = devices.entry(device.clone()).or_insert(begins);
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
            _ => {}
        }
    }
    Ok(Prediction { stages, whole: simulation.clock(), pauses, begun: start, devices })
}
