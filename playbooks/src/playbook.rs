//! Playbooks: ordered steps for one device, written as data.

pub(crate) mod own;
mod place;

pub use place::why_not_after;

use crate::step::{ACTIONS, Action, Step, When};
use migos_inventory::Problems;
use serde::{Deserialize, Serialize};

/// The version of the playbook's form.
pub const PLAYBOOK_SCHEMA: u32 = 1;

const MIGRATE: &str = include_str!("builtin/migrate.yaml");

/// A playbook whose steps make sense in their order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Playbook {
    steps: Vec<Step>,
}

/// Why a text is not a playbook.
#[derive(Debug, thiserror::Error)]
pub enum PlaybookError {
    /// Not YAML of the playbook's form.
    #[error("failed to read the playbook")]
    Read(#[source] serde_yaml::Error),
    /// Another form than this version reads.
    #[error("playbook has schema {0}, this version reads {PLAYBOOK_SCHEMA}")]
    Schema(u32),
    /// Steps missing, doubled or out of order: there is only one safe order.
    #[error("step {found} stands where {expected} must")]
    Order {
        /// The action found, or "nothing".
        found: String,
        /// The action expected, or "nothing".
        expected: String,
    },
    /// A step that claims another reversal than its action has.
    #[error("step {0} claims another reversal than its action has")]
    Reversal(String),
    /// A command without a place of its own, or a built-in action with a command.
    #[error("step {0} has a command and another action, or an action and no command")]
    Command(String),
    /// A command where none may stand.
    #[error("step {step} cannot stand there: {why}")]
    Place {
        /// The step.
        step: String,
        /// Why not.
        why: &'static str,
    },
    /// Two steps of one name.
    #[error("there are two steps {0}")]
    Doubled(String),
    /// A step that may never be tried.
    #[error("step {0} is tried 0 times")]
    NeverTried(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    playbook: u32,
    #[serde(rename = "name")]
    _name: String,
    steps: Vec<Step>,
}

impl Playbook {
    /// The built-in playbook `migrate`.
    ///
    /// # Errors
    /// None with the built-in text; a test keeps it so.
    pub fn migrate() -> Result<Playbook, PlaybookError> {
        Playbook::built_in(MIGRATE)
    }

    /// Reads a playbook of the user's own; `file` is only a name for messages.
    ///
    /// # Errors
    /// Everything that is wrong with it, in file order.
    pub fn parse(file: &str, text: &str) -> Result<Playbook, Problems> {
        own::read(file, text)
    }

    fn built_in(text: &str) -> Result<Playbook, PlaybookError> {
        let text: Text = serde_yaml::from_str(text).map_err(PlaybookError::Read)?;
        match text.playbook {
            PLAYBOOK_SCHEMA => Playbook::new(text.steps),
            other => Err(PlaybookError::Schema(other)),
        }
    }

    /// Checks that these steps make sense in this order.
    ///
    /// # Errors
    /// [`PlaybookError`] names the first step that does not.
    pub fn new(steps: Vec<Step>) -> Result<Playbook, PlaybookError> {
        let built_in = steps.iter().filter(|step| step.action != Action::Run);
        let found =
            built_in.map(|step| Some((step.action, step.when))).chain(std::iter::repeat(None));
        let expected = ACTIONS.into_iter().map(Some).chain([None]);
        if let Some((found, expected)) =
            found.zip(expected).find(|(found, expected)| found != expected)
        {
            let name = |action: Option<(Action, When)>| match action {
                Some((action, When::Always)) => format!("{action:?}"),
                Some((action, when)) => format!("{action:?} ({when:?})"),
                None => "nothing".to_owned(),
            };
            return Err(PlaybookError::Order { found: name(found), expected: name(expected) });
        }
        for step in &steps {
            if step.run.is_some() != (step.action == Action::Run) {
                return Err(PlaybookError::Command(step.id.to_string()));
            }
            if steps.iter().filter(|other| other.id == step.id).count() > 1 {
                return Err(PlaybookError::Doubled(step.id.to_string()));
            }
            if step.reversal != step.natural_reversal() {
                return Err(PlaybookError::Reversal(step.id.to_string()));
            }
            if step.retry.times == 0 {
                return Err(PlaybookError::NeverTried(step.id.to_string()));
            }
        }
        let mut last = None;
        for step in &steps {
            match (step.action, why_not_after(last)) {
                (Action::Run, Some(why)) => {
                    return Err(PlaybookError::Place { step: step.id.to_string(), why });
                }
                (Action::Run, None) => {}
                (action, _) => last = Some(action),
            }
        }
        Ok(Playbook { steps })
    }

    /// The steps, in order.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::step::Reversal;

    #[test]
    fn the_built_in_playbook_is_sound() {
        let actions: Vec<_> =
            Playbook::migrate().unwrap().steps().iter().map(|s| (s.action, s.when)).collect();
        assert_eq!(actions, ACTIONS);
    }

    #[test]
    fn a_step_out_of_order_doubled_or_missing_is_refused() {
        let steps = Playbook::migrate().unwrap().steps;
        let mut swapped = steps.clone();
        let commit = ACTIONS.iter().position(|(action, _)| *action == Action::Commit).unwrap();
        swapped.swap(commit - 1, commit);
        let error = Playbook::new(swapped).unwrap_err().to_string();
        assert_eq!(error, "step Commit (Ordered) stands where Configure (Ordered) must");
        let error = Playbook::new(steps[..ACTIONS.len() - 1].to_vec()).unwrap_err().to_string();
        assert_eq!(error, "step nothing stands where Settle (Moved) must");
        let doubled = [&steps[..], &steps[ACTIONS.len() - 1..]].concat();
        let error = Playbook::new(doubled).unwrap_err().to_string();
        assert_eq!(error, "step Settle (Moved) stands where nothing must");
    }

    #[test]
    fn a_false_reversal_is_refused() {
        let mut steps = Playbook::migrate().unwrap().steps;
        let commit = steps.iter_mut().find(|step| step.action == Action::Commit).unwrap();
        commit.reversal = Reversal::Undo;
        let error = Playbook::new(steps).unwrap_err().to_string();
        assert_eq!(error, "step commit claims another reversal than its action has");
    }
}
