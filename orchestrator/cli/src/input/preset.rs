//! What the environment says in place of flags: `MIGOS_POLICY` is like `--policy`, unless that is given.

use crate::args::Planning;
use crate::failure::{Failure, Kind};
use crate::wire;
use std::ops::RangeInclusive;

/// Fills what the command line left open.
pub(crate) fn with_presets(planning: Planning) -> Result<Planning, Failure> {
    filled(planning, &wire::preset)
}

/// The policy that the environment names.
pub(crate) fn preset_policy() -> Option<String> {
    wire::preset(POLICY)
}

const POLICY: &str = "MIGOS_POLICY";

fn filled(
    mut planning: Planning,
    preset: &dyn Fn(&str) -> Option<String>,
) -> Result<Planning, Failure> {
    let path = |name| preset(name).map(Into::into);
    planning.policy = planning.policy.or_else(|| preset(POLICY));
    planning.playbook = planning.playbook.or_else(|| path("MIGOS_PLAYBOOK"));
    planning.payload = planning.payload.or_else(|| path("MIGOS_PAYLOAD"));
    if planning.parallel.is_none() {
        planning.parallel = number(preset, "MIGOS_PARALLEL", 1..=10_000)?;
    }
    if planning.max_failures.is_none() {
        planning.max_failures = number(preset, "MIGOS_MAX_FAILURES", 0..=10_000)?;
    }
    Ok(planning)
}

fn number(
    preset: &dyn Fn(&str) -> Option<String>,
    name: &str,
    range: RangeInclusive<u32>,
) -> Result<Option<u32>, Failure> {
    let Some(text) = preset(name) else { return Ok(None) };
    match text.parse().ok().filter(|number| range.contains(number)) {
        Some(number) => Ok(Some(number)),
        None => {
            let (first, last) = range.into_inner();
            let what = format!("the variable {name} holds no number from {first} to {last}");
            Err(Failure::new(Kind::Usage, what).hint(format!("unset it with: unset {name}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Args, Command};
    use clap::Parser;

    fn plan(flags: &[&str], variables: &[(&str, &str)]) -> Result<Planning, String> {
        let args = Args::try_parse_from([&["migos-fleet", "plan", "a.yaml"], flags].concat());
        let Ok(Args { command: Command::Plan { planning, .. }, .. }) = args else {
            return Err("this is no plan".to_owned());
        };
        let preset = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        filled(planning, &preset).map_err(|failure| failure.text())
    }

    #[test]
    fn the_environment_says_what_no_flag_does() {
        let variables = [("MIGOS_POLICY", "swift"), ("MIGOS_PARALLEL", "7")];
        let planning = plan(&[], &variables).unwrap();
        assert_eq!((planning.policy.as_deref(), planning.parallel), (Some("swift"), Some(7)));
        let planning = plan(&["--policy", "steady", "-p", "9"], &variables).unwrap();
        assert_eq!((planning.policy.as_deref(), planning.parallel), (Some("steady"), Some(9)));
    }

    #[test]
    fn a_variable_that_says_nothing_sensible_is_named() {
        insta::assert_snapshot!(plan(&[], &[("MIGOS_PARALLEL", "many")]).unwrap_err(), @r"
        error: the variable MIGOS_PARALLEL holds no number from 1 to 10000
        hint: unset it with: unset MIGOS_PARALLEL
        ");
    }
}
