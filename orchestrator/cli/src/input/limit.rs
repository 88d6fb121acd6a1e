//! `state=failed` in a pattern: devices by how they stand in a run.

use crate::failure::{Failure, Kind};
use migos_events::History;
use migos_inventory::DeviceId;
use migos_report::{STATES, state_word};
use std::path::Path;

/// What such a part of a pattern begins with.
const STATE: &str = "state=";

/// How a run is named in a message, and what has happened in it.
pub(crate) type Standing<'a> = (&'a str, &'a History);

/// True if the pattern asks for states, and so for a run.
pub(crate) fn asks_for_states(pattern: &str) -> bool {
    parts(pattern).any(|part| marked(part).1.starts_with(STATE))
}

/// The pattern with the names of devices in the place of states. `known` are the devices that there are;
/// `standing` is the run that their states are taken from.
pub(crate) fn with_names(
    pattern: &str,
    known: &[DeviceId],
    standing: Option<Standing<'_>>,
) -> Result<String, Failure> {
    let mut all = Vec::new();
    for part in parts(pattern) {
        let (mark, bare) = marked(part);
        let Some(state) = bare.strip_prefix(STATE) else {
            all.push(part.to_owned());
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
        let found: Vec<String> =
            known.iter().filter(|id| word(history, id) == state).map(ToString::to_string).collect();
        if found.is_empty() {
            return Err(Failure::new(Kind::Usage, format!("no device is {state} in run {run}"))
                .hint(format!("see how they stand with: migos-fleet status {run}")));
        }
        all.push(together(mark, &found));
    }
    Ok(all.join(","))
}

/// The pattern with the lines of files in the place of `@FILE`.
pub(crate) fn with_files(pattern: &str) -> Result<String, Failure> {
    let mut all = Vec::new();
    for part in parts(pattern) {
        let (mark, bare) = marked(part);
        let Some(path) = bare.strip_prefix('@') else {
            all.push(part.to_owned());
            continue;
        };
        let text = super::read_text(Path::new(path), "the list of devices")?;
        let lines = text.lines().map(str::trim);
        let names: Vec<String> = lines
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .map(str::to_owned)
            .collect();
        if names.is_empty() {
            let what = format!("{path} names no device");
            return Err(
                Failure::new(Kind::Usage, what).hint("write one name or pattern on each line")
            );
        }
        all.push(match mark {
            "" => names.join(","),
            mark => together(mark, &names),
        });
    }
    Ok(all.join(","))
}

/// The mark before a part that is kept or taken away, and the part.
fn marked(part: &str) -> (&str, &str) {
    part.split_at(usize::from(part.starts_with(['&', '!'])))
}

/// Several names as one part, so that a mark is meant for all of them.
fn together(mark: &str, names: &[String]) -> String {
    if mark.is_empty() {
        return names.join(",");
    }
    let names: Vec<String> = names.iter().map(|name| name.replace('.', "[.]")).collect();
    format!("{mark}~({})$", names.join("|"))
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
