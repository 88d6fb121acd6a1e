//! How long a migration is likely to take, before anything has been measured.

use crate::policy::Bandwidth;
use crate::span::Span;
use migos_payload::image::ImageManifest;
use migos_payload::manifest::Manifest;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long one device is likely to take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Estimate {
    /// From its start until it asks for the permit to cross the point of no return.
    pub to_commit: Span,
    /// From that permit until balena sees it well.
    pub to_well: Span,
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
/// Logins, digests, a backup and two boots.
const BEFORE: Duration = Duration::from_secs(4 * 60);
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
        Estimate {
            to_commit: Span(BEFORE + whole(sent, link)),
            to_well: Span(ARRIVAL + 2 * whole(image.raw_size.0, CARD)),
        }
    }

    /// The whole of it.
    pub fn whole(&self) -> Duration {
        self.to_commit.0 + self.to_well.0
    }
}
