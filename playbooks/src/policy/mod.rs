//! Policies: in which order, how many at once, and what may go wrong before it stops.

mod allow;
pub(crate) mod read;

pub use allow::{Allow, AllowError};

use crate::rate::Rate;
use crate::span::Span;
use crate::window::Window;
use migos_inventory::Problems;
use migos_inventory::yaml::Node;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::time::Duration;

/// The shipped policies, the default first.
pub const SHIPPED: [(&str, &str); 4] = [
    ("careful", include_str!("../builtin/careful.yaml")),
    ("steady", include_str!("../builtin/steady.yaml")),
    ("swift", include_str!("../builtin/swift.yaml")),
    ("one-by-one", include_str!("../builtin/one-by-one.yaml")),
];

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
    /// Whether devices without a site count as one site.
    pub unsited: Unsited,
    /// How the first device of a class opens it for the others.
    pub class: ClassRule,
    /// How long devices that were away are waited for.
    pub stragglers: Stragglers,
    /// How much may be sent at a time.
    pub bandwidth: Bandwidth,
    /// When devices may start and cross, where the inventory does not say it; `None`: always.
    pub window: Option<Window>,
    /// A command that is told what happens.
    pub on_event: Option<String>,
    /// What the whole run may lose.
    pub budget: Budget,
    /// When an arrival is late, and when a device is lost.
    pub arrival: Arrival,
    /// When MIGOS gives up and Raspbian returns.
    pub dead_man: DeadMan,
}

/// In which order devices come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// The first devices cover every class and site.
    Spread,
    /// As the inventory has them.
    Inventory,
    /// By the seed alone.
    Random,
}

/// How devices boot MIGOS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
    /// A command that judges the stage; `None`: nobody else is asked.
    pub check: Option<String>,
    /// What a device has to show to be well.
    pub require: Require,
    /// What a tripped gate does.
    pub on_trip: OnTrip,
}

/// What a device has to show during a soak, besides its heartbeat and its OS version.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Require {
    /// No more. A dead device keeps its heartbeat for a while, so that the soak has to outlast it.
    #[default]
    Heartbeat,
    /// Its VPN, which a dead device loses within a minute or two.
    Vpn,
}

/// What a tripped gate does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnTrip {
    /// The run pauses: a person looks, and may resume.
    #[default]
    Pause,
    /// The run stops.
    Stop,
}

/// What devices without a site mean for the limits of sites.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Unsited {
    /// All of them are one site.
    #[default]
    OneSite,
    /// Each is a site of its own.
    None,
}

/// How the first device of a class opens it for the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClassRule {
    /// How long it must stay well before another of its class starts.
    pub soak: Span,
    /// So many failures set the rest of the class aside.
    pub failures: u32,
}

/// How long devices that were away when their turn came are waited for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stragglers {
    /// From the first time that a device was away; zero: they are not waited for.
    pub wait: Span,
    /// How often each is tried again.
    pub retry: Span,
}

/// How much may be sent at a time; `None`: no bound.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Bandwidth {
    /// By the whole run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<Rate>,
    /// To all devices of a site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_site: Option<Rate>,
    /// To one device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_device: Option<Rate>,
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arrival {
    /// After the reboot into balenaOS.
    pub late: Span,
    /// After the reboot into balenaOS, or without a word from a device past the point of no return.
    pub lost: Span,
    /// How often balena is asked; one request serves the whole fleet.
    pub poll: Span,
    /// How often a migrated device tells balena that it is alive: the fleet's supervisor poll interval.
    #[serde(default = "Arrival::heartbeat_default")]
    pub heartbeat: Span,
    /// Whether a device has to run its release to be well.
    #[serde(default, skip_serializing_if = "ReleaseRule::is_required")]
    pub release: ReleaseRule,
    /// How long it must be well without a gap to have arrived.
    #[serde(default, skip_serializing_if = "Span::is_zero")]
    pub stable: Span,
}

/// Whether a device has to run the release that it should, where there is one, to be well.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ReleaseRule {
    /// It has to.
    #[default]
    Required,
    /// It counts as well without, or with another.
    Ignored,
}

impl ReleaseRule {
    /// True if it has to.
    pub fn is_required(&self) -> bool {
        *self == ReleaseRule::Required
    }
}

/// When MIGOS gives up and Raspbian returns, and when a reboot is forced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeadMan {
    /// From its start to the controller's first word.
    pub contact: Span,
    /// From its start to the commit.
    pub commit: Span,
    /// Until a reboot that was asked for counts as hung, and is forced.
    pub hung: Span,
}

impl Arrival {
    /// The poll interval of a balena fleet that has not set its own (balena's `device-heartbeat`: 10 minutes).
    pub const fn heartbeat_default() -> Span {
        Span::seconds(10 * 60)
    }

    /// For so long a dead device may still look alive by its heartbeat: balena calls it silent one and a half
    /// poll intervals after its last word, and is asked in turns.
    pub fn blind_time(&self) -> Duration {
        self.heartbeat.0 * 3 / 2 + Duration::from_secs(60)
    }
}

impl Bandwidth {
    /// True if nothing is bounded.
    pub fn is_unbounded(&self) -> bool {
        *self == Bandwidth::default()
    }
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

    /// For whom a shipped policy is: the words that its text begins with.
    pub fn purpose(shipped: &str) -> String {
        let lines = shipped.lines().map_while(|line| line.strip_prefix("# "));
        lines.collect::<Vec<_>>().join(" ")
    }

    /// The text of a shipped policy.
    pub fn shipped(name: &str) -> Option<&'static str> {
        SHIPPED.into_iter().find(|(shipped, _)| *shipped == name).map(|(_, text)| text)
    }
}
