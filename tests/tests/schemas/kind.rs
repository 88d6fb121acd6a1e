//! The kinds of files that people write, and what the program itself says of one.

use migos_inventory::Report;
use migos_inventory::{Fleet, Ground, PolicyChoice, Problems, Source, load, parse_with, yaml};
use migos_playbooks::playbook::Playbook;
use migos_playbooks::policy::Policy;
use migos_playbooks::window::check_hours;
use serde_json::Value;

/// A kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Inventory,
    Settings,
    Policy,
    Playbook,
}

impl Kind {
    /// The name of its schema.
    pub(crate) fn schema(self) -> &'static str {
        match self {
            Kind::Inventory => "inventory",
            Kind::Settings => "settings",
            Kind::Policy => "policy",
            Kind::Playbook => "playbook",
        }
    }

    /// The kind of a text by its mark.
    pub(crate) fn of(text: &str) -> Option<Kind> {
        let begins = |mark: &str| text.lines().any(|line| line.starts_with(mark));
        let marks = [
            ("migos:", Kind::Inventory),
            ("policy: 1", Kind::Policy),
            ("playbook: 1", Kind::Playbook),
        ];
        marks.into_iter().find(|(mark, _)| begins(mark)).map(|(_, kind)| kind)
    }

    /// Reads a text as the program does.
    pub(crate) fn read(self, text: &str) -> Result<(), Problems> {
        match self {
            Kind::Inventory => policy_of(parse_with("t", text, &check_hours)?),
            Kind::Settings => {
                let source = |name, text| Source {
                    name,
                    text,
                    folder: None,
                    variables: &[],
                    is_list: false,
                };
                let ground = Ground { settings: vec![source("t", text)], ..Ground::default() };
                let inventory = source("i", "migos: 1\ndevices: { pi-1: }\n");
                let loaded = load(&[inventory], &ground, &check_hours);
                policy_of(loaded.map_err(|refused| refused.problems)?.fleet)
            }
            Kind::Policy => Policy::parse("t", text).map(|_| ()),
            Kind::Playbook => Playbook::parse("t", text).map(|_| ()),
        }
    }
}

/// The policy that stands in an inventory is read with it.
fn policy_of(fleet: Fleet) -> Result<(), Problems> {
    match fleet.settings.policy {
        Some(PolicyChoice::Inline(node)) => Policy::from_node("t", &node).map(|_| ()),
        _ => Ok(()),
    }
}

/// What a text says, without its places; nothing if it is not YAML as the program wants it.
pub(crate) fn plain(text: &str) -> Option<Value> {
    let mut report = Report::new("t");
    let root = yaml::load(text, &mut report)?;
    report.is_clean().then(|| serde_json::to_value(&root).unwrap())
}
