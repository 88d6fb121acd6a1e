//! How long a migration is likely to take, before anything has been measured.

use crate::plan::Class;
use crate::policy::Bandwidth;
use crate::span::Span;
use jiff::Timestamp;
use migos_inventory::DeviceId;
use migos_payload::image::ImageManifest;
use migos_payload::manifest::Manifest;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// How long one device is likely to take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Estimate {
    /// From its start until it leaves Raspbian: from then on its users miss it.
    pub to_reboot: Span,
    /// From its start until it asks for the permit to cross the point of no return.
    pub to_commit: Span,
    /// From that permit until balena sees it well.
    pub to_well: Span,
    /// Of that, while the card is written.
    pub flash: Span,
    /// True if it comes from what devices of its class have taken; else cards and links are assumed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub measured: bool,
}

/// What the migration of one device took.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    /// Its class.
    pub class: Class,
    /// What each part of its way took.
    pub took: Estimate,
}

/// What earlier runs have measured.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Experience {
    counts: BTreeMap<String, u32>,
    of_class: BTreeMap<Class, Estimate>,
    of_board: BTreeMap<String, Estimate>,
}

impl Experience {
    /// What this amounts to.
    pub fn of(measured: impl IntoIterator<Item = Measured>) -> Experience {
        let mut counts = BTreeMap::new();
        let mut of_class: BTreeMap<Class, Vec<Estimate>> = BTreeMap::new();
        let mut of_board: BTreeMap<String, Vec<Estimate>> = BTreeMap::new();
        for Measured { class, took } in measured {
            *counts.entry(class.to_string()).or_insert(0) += 1;
            of_board.entry(class.board.clone()).or_default().push(took);
            of_class.entry(class).or_default().push(took);
        }
        Experience { counts, of_class: medians(of_class), of_board: medians(of_board) }
    }

    /// How many devices of each class have been migrated, by the class's name.
    pub fn counts(&self) -> BTreeMap<String, u32> {
        self.counts.clone()
    }

    /// What a device of this class is likely to take: the median of its class, else of its board.
    pub fn estimate(&self, class: &Class) -> Option<Estimate> {
        self.of_class.get(class).or_else(|| self.of_board.get(&class.board)).copied()
    }
}

fn medians<K: Ord>(estimates: BTreeMap<K, Vec<Estimate>>) -> BTreeMap<K, Estimate> {
    let medians = estimates.into_iter().map(|(key, estimates)| Some((key, median(estimates)?)));
    medians.flatten().collect()
}

fn median(estimates: Vec<Estimate>) -> Option<Estimate> {
    let of = |part: fn(&Estimate) -> Span| {
        let mut spans: Vec<Span> = estimates.iter().map(part).collect();
        spans.sort();
        spans.get(spans.len() / 2).copied()
    };
    Some(Estimate {
        to_reboot: of(|it| it.to_reboot)?,
        to_commit: of(|it| it.to_commit)?,
        to_well: of(|it| it.to_well)?,
        flash: of(|it| it.flash)?,
        measured: true,
    })
}

/// How long a rollout takes if nothing goes wrong, and if people answer at once where they are waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prediction {
    /// Each stage, in order.
    pub stages: Vec<StagePrediction>,
    /// The whole run.
    pub whole: Duration,
    /// How often a person is waited for.
    pub pauses: usize,
    /// When it was begun.
    pub begun: Timestamp,
    /// Each device, by moments of the run.
    pub devices: BTreeMap<DeviceId, Journey>,
}

/// A device's way through a run, in moments of that run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Journey {
    /// Work on it begins.
    pub starts: Duration,
    /// It leaves Raspbian: its users miss it.
    pub leaves: Duration,
    /// It crosses the point of no return.
    pub commits: Duration,
    /// balena sees it well.
    pub arrives: Duration,
}

/// How long a stage takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StagePrediction {
    /// Its name.
    pub name: String,
    /// From its start until its gate lets the run pass.
    pub takes: Duration,
}

/// What is held free for something that is predicted to take so long: a quarter more.
pub fn with_margin(predicted: Duration) -> Duration {
    predicted + predicted / 4
}

/// What a link is taken for until one has been measured: 1 MB/s.
const LINK: u64 = 1_000_000;
/// What a card is taken for: 5 MB/s, and it is read back.
const CARD: u64 = 5_000_000;
/// Logins, digests and a backup.
const BEFORE: Duration = Duration::from_secs(3 * 60);
/// The boot of MIGOS.
const BOOT: Duration = Duration::from_secs(60);
/// balenaOS's first start, until balena has heard of it.
const ARRIVAL: Duration = Duration::from_secs(5 * 60);

impl Estimate {
    /// The estimate for a device that is sent these files; the image comes from elsewhere where it is `fetched`.
    pub fn of(
        payload: &Manifest,
        image: &ImageManifest,
        fetched: bool,
        bandwidth: &Bandwidth,
    ) -> Estimate {
        let bounds = [bandwidth.total, bandwidth.per_site, bandwidth.per_device];
        let link = bounds.into_iter().flatten().map(|rate| rate.0).fold(LINK, u64::min).max(1);
        let payload: u64 = payload.files.iter().map(|file| file.size.0).sum();
        let sent = payload + if fetched { 0 } else { image.size.0 };
        let whole = |bytes: u64, rate: u64| Duration::from_secs(bytes.div_ceil(rate));
        let to_reboot = BEFORE + whole(sent, link);
        let flash = 2 * whole(image.raw_size.0, CARD);
        Estimate {
            to_reboot: Span(to_reboot),
            to_commit: Span(to_reboot + BOOT),
            to_well: Span(flash + ARRIVAL),
            flash: Span(flash),
            measured: false,
        }
    }

    /// How long its users miss it.
    pub fn dark(&self) -> Duration {
        self.to_commit.0.saturating_sub(self.to_reboot.0) + self.to_well.0
    }

    /// The whole of it.
    pub fn whole(&self) -> Duration {
        self.to_commit.0 + self.to_well.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(board: &str, kernel: &str, seconds: u64) -> Measured {
        let class = Class {
            board: board.into(),
            firmware: String::new(),
            os: "raspbian 10".into(),
            kernel: kernel.into(),
        };
        let span = Span::seconds(seconds);
        let took = Estimate { to_commit: span, to_well: span, ..Estimate::default() };
        Measured { class, took }
    }

    #[test]
    fn what_its_class_took_counts_before_what_its_board_took() {
        let taken = [("3B", "a", 60), ("3B", "a", 80), ("3B", "a", 900), ("3B", "b", 300)];
        let experience =
            Experience::of(taken.map(|(board, kernel, it)| measured(board, kernel, it)));
        let of = |board, kernel| {
            let class = measured(board, kernel, 0).class;
            experience.estimate(&class).map(|estimate| estimate.to_well)
        };
        assert_eq!(of("3B", "a"), Some(Span::seconds(80)), "one that waited says little");
        assert_eq!(of("3B", "b"), Some(Span::seconds(300)));
        assert_eq!(of("3B", "c"), Some(Span::seconds(300)), "of its board");
        assert_eq!(of("4B", "a"), None);
        assert_eq!(experience.counts().values().copied().collect::<Vec<_>>(), [3, 1]);
    }
}
