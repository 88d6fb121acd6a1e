//! Policies: in which order, how many at once, and what may go wrong before it stops.

mod read;

use crate::span::Span;
use migos_inventory::Problems;
use migos_inventory::yaml::Node;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

const CAREFUL: &str = include_str!("../builtin/careful.yaml");

/// A policy, before its percentages are resolved for a selection of devices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Policy {
    /// In which order devices come.
    pub order: Order,
    /// Decides between equals in that order.
    pub seed: u64,
    /// Most devices in flight, where a stage has no number of its own.
    pub parallel: u32,
    /// Most devices of one site in flight.
    pub per_site: u32,
    /// How devices boot MIGOS.
    pub strategy: Strategy,
    /// Whether one-shot boot is proven first.
    pub prove: Prove,
    /// Classes that may boot MIGOS by a rewritten `config.txt`: each a part of the class's name, as the plan
    /// prints it.
    pub allow_rewrite: Vec<String>,
    /// Classes whose firmware may be updated where it is too old for one-shot boot, named as in `allow_rewrite`.
    pub allow_update: Vec<String>,
    /// Classes whose devices may be sent the image while the card is written, where they have no room for it, named as
    /// in `allow_rewrite`.
    pub allow_streaming: Vec<String>,
    /// Refusals that a person has overruled on the command line.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub allow: BTreeSet<Allow>,
    /// The stages, in order; their sizes ascend and end at 100 %.
    pub stages: Vec<StagePolicy>,
    /// What the whole run may lose.
    pub budget: Budget,
    /// When an arrival is late, and when a device is lost.
    pub arrival: Arrival,
    /// When MIGOS gives up and Raspbian returns.
    pub dead_man: DeadMan,
}

/// A refusal that a person may overrule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Allow {
    /// A payload whose kernel cannot restart the board before its modules are loaded: for emulation and benches.
    UnguardedKernel,
}

/// In which order devices come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// The first devices cover every class and site.
    Spread,
    /// As the inventory has them.
    Inventory,
}

/// How devices boot MIGOS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// By the firmware's one-shot flag, or not at all.
    OneShot,
    /// By a rewritten `config.txt`, for classes that `allow_rewrite` names.
    Rewrite,
    /// By the flag where the firmware has it, else as `rewrite`.
    Auto,
}

/// Whether one-shot boot is proven before the first real use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Prove {
    /// On every device.
    PerDevice,
    /// On the first device of each class.
    PerClass,
    /// Not at all: what the firmware's files say is trusted.
    Never,
}

/// One stage of a policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StagePolicy {
    /// Its name.
    pub name: String,
    /// How many devices are in this stage and all before it.
    pub to: Share,
    /// Most devices in flight in this stage; `None`: as the whole run.
    pub parallel: Option<u32>,
    /// How many of the stage may end badly.
    pub tolerate: ToleratePolicy,
    /// How long everything migrated so far must stay well.
    pub soak: Span,
    /// Instructions for the person who decides; `None`: nobody is waited for.
    pub pause: Option<String>,
}

/// How many of a stage may end badly, by how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ToleratePolicy {
    /// Failed at a step, and undone.
    pub failed: Share,
    /// Not reached any more when their turn came.
    pub unreachable: Share,
    /// Refused when their facts were read again.
    pub refused: Share,
    /// Undo failed.
    pub stuck: Share,
    /// Silent past the point of no return.
    pub lost: Share,
}

/// A number of devices, or a part of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Share {
    /// So many.
    Count(u32),
    /// So many of a hundred.
    Percent(u8),
}

/// What the whole run may lose; one more stops it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// Failed devices; `None`: the gates alone decide.
    pub failed: Option<u32>,
    /// Stuck devices.
    pub stuck: u32,
    /// Lost devices.
    pub lost: u32,
}

/// When an arrival is late, and when a device is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Arrival {
    /// After the reboot into balenaOS.
    pub late: Span,
    /// After the reboot into balenaOS, or without a word from a device past the point of no return.
    pub lost: Span,
    /// How often balena is asked; one request serves the whole fleet.
    pub poll: Span,
}

/// When MIGOS gives up and Raspbian returns, and when a reboot is forced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeadMan {
    /// From its start to the controller's first word.
    pub contact: Span,
    /// From its start to the commit.
    pub commit: Span,
    /// Until a reboot that was asked for counts as hung, and is forced.
    pub hung: Span,
}

impl Share {
    /// So many of `all`, a percentage rounded up.
    pub fn rounded_up(self, all: usize) -> usize {
        match self {
            Share::Count(count) => (count as usize).min(all),
            Share::Percent(percent) => (all * usize::from(percent)).div_ceil(100),
        }
    }

    /// So many of `all`, a percentage rounded down.
    pub fn rounded_down(self, all: usize) -> u32 {
        match self {
            Share::Count(count) => count,
            Share::Percent(percent) => {
                u32::try_from(all * usize::from(percent) / 100).unwrap_or(u32::MAX)
            }
        }
    }
}

impl ToleratePolicy {
    /// The same share of failed, unreachable and refused devices; nothing stuck, nothing lost.
    fn alike(share: Share) -> Self {
        let none = Share::Count(0);
        ToleratePolicy {
            failed: share,
            unreachable: share,
            refused: share,
            stuck: none,
            lost: none,
        }
    }
}

impl Policy {
    /// Reads a policy from its text; `file` is only a name for messages.
    ///
    /// # Errors
    /// Everything that is wrong with it, in file order.
    pub fn parse(file: &str, text: &str) -> Result<Policy, Problems> {
        read::text(file, text)
    }

    /// Reads a policy that stands inline in an inventory under `policy`.
    ///
    /// # Errors
    /// Everything that is wrong with it, in file order.
    pub fn from_node(file: &str, node: &Node) -> Result<Policy, Problems> {
        read::inline(file, node)
    }

    /// The most devices that are ever in flight.
    pub fn most_in_flight(&self) -> u32 {
        self.stages.iter().filter_map(|stage| stage.parallel).fold(self.parallel, u32::max)
    }

    /// The same policy with at most so many devices in flight, in every stage.
    #[must_use]
    pub fn with_parallel(mut self, parallel: u32) -> Policy {
        self.parallel = parallel;
        for stage in &mut self.stages {
            stage.parallel = stage.parallel.map(|own| own.min(parallel));
        }
        self
    }

    /// The text of a shipped policy.
    pub fn shipped(name: &str) -> Option<&'static str> {
        match name {
            "careful" => Some(CAREFUL),
            _ => None,
        }
    }
}
