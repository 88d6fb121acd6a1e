//! Requirements: what a device must be like before anything is done to it.
//!
//! Each [`Check`] is one small pure function in the file of its subject, and one line of [`CHECKS`]. It passes with
//! its evidence, warns, or refuses; the last two with a [`Finding`]: the reason with its evidence, and the remedy. It
//! says nothing where there is nothing to judge: what it looks at is not known, or another check refuses the cause.
//! All of them are asked, so that a person sees everything at once. A person may overrule some refusals by name; those
//! without which nothing can be planned, or that stand for a brick or for the wrong device, stay.

mod balena;
mod board;
mod boot;
mod card;
pub(crate) mod firmware;
mod guard;
pub(crate) mod network;
mod reach;
pub(crate) mod room;
mod table;

pub use reach::hosts;
pub use table::CHECKS;

use crate::balena::{BalenaFleet, SeenRelease};
use crate::facts::Facts;
use crate::plan::{Class, Finding, Handover, Update};
use crate::policy::{Allow, Prove, Strategy};
use jiff::Timestamp;
use migos_inventory::Device;
use migos_payload::image::ImageManifest;
use migos_payload::manifest::Manifest;
use std::collections::BTreeSet;
use std::fmt;

/// A device with everything that was chosen for it.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// What the inventory says of it.
    pub device: &'a Device,
    /// What was found on it.
    pub facts: &'a Facts,
    /// When the oldest facts were read, by the controller's clock; `None` if that is not known.
    pub facts_read: Option<Timestamp>,
    /// The payload chosen for it; `None` if none fits.
    pub payload: Option<&'a Manifest>,
    /// The image chosen for it; `None` if none fits.
    pub image: Option<&'a ImageManifest>,
    /// Its balena fleet; `None` if balena has no such fleet.
    pub fleet: Option<&'a BalenaFleet>,
    /// The fleet that it is moved to; `None` if it is not moved, or balena has no such fleet.
    pub destination: Option<&'a BalenaFleet>,
    /// The release that it is pinned to; `None` if it is not, or its fleet has no such release.
    pub release: Option<&'a SeenRelease>,
    /// The API of balena that it will belong to.
    pub api: &'a str,
    /// How it may boot MIGOS, by the policy.
    pub switch: Switch<'a>,
    /// Who gives it the commit; `None` if its bastion has no port left for it.
    pub handover: Option<&'a Handover>,
}

/// How devices may boot MIGOS, by the policy.
#[derive(Debug, Clone, Copy)]
pub struct Switch<'a> {
    /// The strategy.
    pub strategy: Strategy,
    /// Whether one-shot boot is proven first.
    pub prove: Prove,
    /// Parts of the names of classes that may have their `config.txt` rewritten.
    pub allow_rewrite: &'a [String],
    /// Parts of the names of classes that may have their firmware updated.
    pub allow_update: &'a [String],
    /// Parts of the names of classes that may be sent the image while the card is written.
    pub allow_streaming: &'a [String],
    /// Refusals that a person has overruled.
    pub allow: &'a BTreeSet<Allow>,
}

impl Switch<'_> {
    /// True if a device of this class may have its `config.txt` rewritten.
    pub fn may_rewrite(&self, class: &Class) -> bool {
        is_named(class, self.allow_rewrite)
    }

    /// True if a device of this class may have its firmware updated.
    pub fn may_update(&self, class: &Class) -> bool {
        is_named(class, self.allow_update)
    }

    /// True if a device of this class may be sent the image while the card is written.
    pub fn may_stream(&self, class: &Class) -> bool {
        is_named(class, self.allow_streaming)
    }

    /// True if one-shot boot is proven before it is used; firmware that was updated always is.
    pub fn is_proven(&self, update: Option<&Update>) -> bool {
        self.prove != Prove::Never || update.is_some()
    }
}

fn is_named(class: &Class, parts: &[String]) -> bool {
    let name = class.to_string();
    parts.iter().any(|part| name.contains(part.as_str()))
}

/// One check.
#[derive(Debug)]
pub struct Check {
    /// Its name, by which a person speaks of it.
    pub name: &'static str,
    /// What it asks for, in a few words.
    pub what: &'static str,
    /// The worst that it says.
    pub severity: Severity,
    /// What it takes to mend what it finds.
    pub mend: Mend,
    /// What overrules its refusal; `None` if nothing does.
    pub overruled_by: Option<Allow>,
    judge: fn(&Candidate<'_>) -> Option<Verdict>,
}

/// The worst that a check says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// It warns, and the device is migrated all the same.
    Warn,
    /// It keeps the device from being migrated.
    Refuse,
}

/// What it takes to mend what a check finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mend {
    /// A login on the device, or a line of the inventory or the policy.
    FromAfar,
    /// Hands on the device; or nothing does, in this version.
    OnSite,
    /// A decision about what it becomes, or something that has to be got for it: nothing is wrong with the device.
    ByChoice,
}

impl fmt::Display for Mend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Mend::FromAfar => "from afar",
            Mend::OnSite => "on site",
            Mend::ByChoice => "by your choice",
        })
    }
}

/// What a check says of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// All is well, by this evidence.
    Pass(String),
    /// Not as it should be, and no reason to leave the device out.
    Warn(Finding),
    /// The device is not migrated.
    Refuse(Finding),
    /// The same, but a person has overruled it by name.
    Overruled(Finding),
}

impl Check {
    /// Holds a device against it; nothing where there is nothing to judge.
    pub fn judge(&self, candidate: &Candidate<'_>) -> Option<Verdict> {
        let named = |finding| Finding { check: self.name.to_owned(), ..finding };
        let is_overruled =
            self.overruled_by.is_some_and(|name| candidate.switch.allow.contains(&name));
        Some(match (self.judge)(candidate)? {
            Verdict::Pass(evidence) => Verdict::Pass(evidence),
            Verdict::Warn(finding) => Verdict::Warn(named(finding)),
            Verdict::Refuse(finding) if is_overruled => Verdict::Overruled(named(finding)),
            Verdict::Refuse(finding) | Verdict::Overruled(finding) => {
                Verdict::Refuse(named(finding))
            }
        })
    }
}

/// What overrules a refusal of the check with this name; `None` if nothing does.
pub fn overruled_by(check: &str) -> Option<Allow> {
    CHECKS.iter().find(|known| known.name == check)?.overruled_by
}

/// What it takes to mend what the check with this name finds. What is judged elsewhere than in [`CHECKS`] is about the
/// login, the inventory or the hours.
pub fn mend(check: &str) -> Mend {
    let known = CHECKS.iter().find(|known| known.name == check);
    known.map_or(Mend::FromAfar, |known| known.mend)
}

pub use firmware::after_update;

/// Holds a device against all checks; each that has something to say, by its name and in their order.
pub fn verdicts(candidate: &Candidate<'_>) -> Vec<(&'static str, Verdict)> {
    CHECKS.iter().filter_map(|check| Some((check.name, check.judge(candidate)?))).collect()
}

/// What keeps a device from being migrated; nothing where it can be.
pub fn findings(candidate: &Candidate<'_>) -> Vec<Finding> {
    let refusal = |(_, verdict)| match verdict {
        Verdict::Refuse(finding) => Some(finding),
        Verdict::Pass(_) | Verdict::Warn(_) | Verdict::Overruled(_) => None,
    };
    verdicts(candidate).into_iter().filter_map(refusal).collect()
}

/// A finding; [`Check::judge`] adds the check's name.
fn finding(reason: impl Into<String>, remedy: impl Into<String>) -> Finding {
    Finding { check: String::new(), reason: reason.into(), remedy: remedy.into() }
}

fn pass(evidence: impl Into<String>) -> Option<Verdict> {
    Some(Verdict::Pass(evidence.into()))
}

fn warn(reason: impl Into<String>, remedy: impl Into<String>) -> Option<Verdict> {
    Some(Verdict::Warn(finding(reason, remedy)))
}

fn refuse(reason: impl Into<String>, remedy: impl Into<String>) -> Option<Verdict> {
    Some(Verdict::Refuse(finding(reason, remedy)))
}

#[cfg(test)]
pub(crate) mod sample;
