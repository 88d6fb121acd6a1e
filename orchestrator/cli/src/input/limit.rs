//! `state=failed` in a pattern: devices by how they stand in a run.

use crate::failure::{Failure, Kind};
use migos_events::History;
use migos_inventory::DeviceId;
use migos_report::{STATES, state_word};

/// What such a part of a pattern begins with.
const STATE: &str = "state=";

/// How a run is named in a message, and what has happened in it.
pub(crate) type Standing<'a> = (&'a str, &'a History);

/// True if the pattern asks for states, and so for a run.
pub(crate) fn asks_for_states(pattern: &str) -> bool {
    parts(pattern).any(|part| part.starts_with(STATE))
}

/// The pattern with the names of devices in the place of states. `known` are the devices that there are;
/// `standing` is the run that their states are taken from.
pub(crate) fn with_names(
    pattern: &str,
    known: &[DeviceId],
    standing: Option<Standing<'_>>,
) -> Result<String, Failure> {
    let mut names = Vec::new();
    for part in parts(pattern) {
        let Some(state) = part.strip_prefix(STATE) else {
            names.push(part.to_owned());
            continue;
        };
        let Some((run, history)) = standing else {
            let what = format!("`{part}` asks for a run, and there is none yet");
            return Err(Failure::new(Kind::Usage, what)
                .hint("give the folder of the runs with --runs, or leave it out of --limit"));
        };
        if !STATES.contains(&state) {
            return Err(Failure::new(Kind::Usage, format!("there is no state `{state}`"))
                .hint(format!("the states are {}", STATES.join(", "))));
        }
        let found = known.iter().filter(|id| word(history, id) == state).map(ToString::to_string);
        let before = names.len();
        names.extend(found);
        if names.len() == before {
            return Err(Failure::new(Kind::Usage, format!("no device is {state} in run {run}"))
                .hint(format!("see how they stand with: migos-fleet status {run}")));
        }
    }
    Ok(names.join(","))
}

fn word(history: &History, device: &DeviceId) -> &'static str {
    state_word(history.devices.get(device).map(|progress| &progress.state))
}

/// The parts of a pattern; commas and colons inside brackets belong to a part.
fn parts(pattern: &str) -> impl Iterator<Item = &str> {
    let mut inside = false;
    pattern
        .split(move |c| {
            match c {
                '[' => inside = true,
                ']' => inside = false,
                _ => {}
            }
            !inside && matches!(c, ',' | ':')
        })
        .map(str::trim)
        .filter(|part| !part.is_empty())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn states_become_names_and_the_rest_stays() {
        let known: Vec<DeviceId> =
            ["k-1", "k-2"].map(|name| DeviceId::new(name).unwrap()).into_iter().collect();
        let history = History::default();
        let names = |pattern: &str| with_names(pattern, &known, Some(("7f-01", &history)));
        assert_eq!(names("state=not-started:b-[1,3]").unwrap(), "k-1,k-2,b-[1,3]");
        assert!(
            names("state=failed").unwrap_err().text().starts_with("error: no device is failed")
        );
        assert!(names("state=fialed").unwrap_err().text().contains("the states are"));
        assert!(with_names("state=failed", &known, None).is_err());
        assert!(asks_for_states("north, state=failed") && !asks_for_states("north"));
    }
}
