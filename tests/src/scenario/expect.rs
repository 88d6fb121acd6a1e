//! What a script expects.

use super::line::{Line, ScriptError};
use migos_engine::simulation::Ended;
use migos_events::{CauseKind, DeviceState, History, Outcome, exit_code};
use migos_inventory::{DeviceId, fold};
use std::collections::BTreeSet;

#[derive(Debug, Clone)]
pub(super) enum Expectation {
    /// The last controller ended like this; with this exit code, where it could give one.
    Ended(Ended, Option<u8>),
    /// These devices, and no others, are in this state.
    State(&'static str, Vec<DeviceId>),
    /// All other devices are in this state.
    Others(&'static str),
}

const ENDS: [(&str, Ended); 6] = [
    ("finished", Ended::Outcome(Outcome::Finished)),
    ("paused", Ended::Outcome(Outcome::Paused)),
    ("stopped", Ended::Outcome(Outcome::Stopped)),
    ("interrupted", Ended::Outcome(Outcome::Interrupted)),
    ("taken-back", Ended::Outcome(Outcome::TakenBack)),
    ("killed", Ended::Killed),
];

const STATES: [&str; 15] = [
    "pending",
    "running",
    "in-migos",
    "undoing",
    "arriving",
    "late",
    "migrated",
    "failed",
    "away",
    "unreachable",
    "refused",
    "set-aside",
    "undone",
    "stuck",
    "lost",
];

/// One word for a state.
pub(super) fn word(state: &DeviceState) -> &'static str {
    match state {
        DeviceState::Pending => "pending",
        DeviceState::Running { .. } => "running",
        DeviceState::InMigos => "in-migos",
        DeviceState::Undoing { .. } => "undoing",
        DeviceState::Arriving => "arriving",
        DeviceState::Late => "late",
        DeviceState::Migrated => "migrated",
        DeviceState::Failed(cause) => match cause.kind {
            CauseKind::Step => "failed",
            CauseKind::Away => "away",
            CauseKind::Unreachable => "unreachable",
            CauseKind::Refused => "refused",
        },
        DeviceState::SetAside(_) => "set-aside",
        DeviceState::Undone => "undone",
        DeviceState::Stuck(_) => "stuck",
        DeviceState::Lost(_) => "lost",
    }
}

pub(super) fn read(line: &mut Line, all: &[DeviceId]) -> Result<Expectation, ScriptError> {
    let state = |word: &str| STATES.into_iter().find(|state| *state == word);
    let mut ahead = line.clone();
    if let Some(state) = state(&ahead.word("a state or an end")?) {
        *line = ahead;
        return match line.takes("others") {
            true => Ok(Expectation::Others(state)),
            false => Ok(Expectation::State(state, line.devices(all)?)),
        };
    }
    let states = STATES.map(|name| (name, None));
    let ends = ENDS.map(|(name, ended)| (name, Some(ended)));
    let known: Vec<(&str, Option<Ended>)> = ends.into_iter().chain(states).collect();
    let ended = line.one_of("a state or an end", &known)?;
    let Some(ended) = ended else { return Err(line.error("no state", "write a state")) };
    if ended == Ended::Killed {
        return Ok(Expectation::Ended(ended, None));
    }
    line.must("exit")?;
    let word = line.word("an exit code")?;
    let code = word.parse().map_err(|_| {
        line.error(format!("`{word}` is not an exit code"), "write a number from 0 to 255")
    })?;
    Ok(Expectation::Ended(ended, Some(code)))
}

impl Expectation {
    /// What is otherwise, in words.
    pub(super) fn missed(
        &self,
        ended: Option<Ended>,
        history: &History,
        all: &[DeviceId],
        named: &BTreeSet<DeviceId>,
    ) -> Option<String> {
        let state = |id: &DeviceId| {
            history.devices.get(id).map_or("pending", |progress| word(&progress.state))
        };
        match self {
            Expectation::Ended(expected, code) => {
                let found_code = match ended {
                    Some(Ended::Outcome(outcome)) => Some(exit_code(outcome, &history.tally())),
                    _ => None,
                };
                let is_so = ended == Some(*expected) && *code == found_code;
                (!is_so).then(|| format!("ended {ended:?} with exit code {found_code:?}"))
            }
            Expectation::State(expected, devices) => {
                let found: BTreeSet<&DeviceId> =
                    all.iter().filter(|id| state(id) == *expected).collect();
                let wanted: BTreeSet<&DeviceId> = devices.iter().collect();
                (found != wanted).then(|| match found.is_empty() {
                    true => format!("none is {expected}"),
                    false => format!("{expected} are {}", fold(found)),
                })
            }
            Expectation::Others(expected) => {
                let other = |id: &&DeviceId| !named.contains(*id) && state(id) != *expected;
                let odd: Vec<String> =
                    all.iter().filter(other).map(|id| format!("{id} is {}", state(id))).collect();
                (!odd.is_empty()).then(|| odd.join(", "))
            }
        }
    }

    /// The devices that it speaks of by name.
    pub(super) fn names(&self) -> &[DeviceId] {
        match self {
            Expectation::State(_, devices) => devices,
            Expectation::Ended(..) | Expectation::Others(_) => &[],
        }
    }

    pub(super) fn names_all_others(&self) -> bool {
        matches!(self, Expectation::Others(_))
    }
}
