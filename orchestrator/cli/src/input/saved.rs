//! What this program saved earlier: facts, plans, and where a run's inputs came from.

use super::{Asks, read_text};
use crate::failure::{Failure, Kind, OrFail};
use migos_engine::journal::Journal;
use migos_engine::run::{RunDir, write_whole};
use migos_events::Record;
use migos_inventory::{SecretSource, Secrets};
use migos_payload::digest::Sha256;
use migos_playbooks::facts::{FACTS_SCHEMA, FactsFile};
use migos_playbooks::plan::{CheckedPlan, Plan};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Reads facts saved by `probe -o`.
pub(crate) fn facts(path: &Path) -> Result<FactsFile, Failure> {
    let text = read_text(path, "the facts")?;
    let unreadable = |error: &dyn std::error::Error| {
        let what = format!("{} holds no facts of this version", path.display());
        Failure::at(Kind::Input, what, error).hint("probe again with -o")
    };
    let facts: FactsFile = serde_json::from_str(&text).map_err(|error| unreadable(&error))?;
    match facts.schema {
        FACTS_SCHEMA => Ok(facts),
        other => {
            let what = format!(
                "{} has facts of form {other}, this version reads {FACTS_SCHEMA}",
                path.display()
            );
            Err(Failure::new(Kind::Input, what).hint("probe again with -o"))
        }
    }
}

/// Reads a plan saved by `plan -o`.
pub(crate) fn plan(path: &Path) -> Result<CheckedPlan, Failure> {
    let text = read_text(path, "the plan")?;
    Plan::from_json(&text).and_then(Plan::check).map_err(|error| {
        let what = format!("the plan {} cannot be carried out", path.display());
        Failure::at(Kind::Input, what, &error).hint("make it again with `plan -o`")
    })
}

/// All records of a run; none if no controller has begun it.
pub(crate) fn records(run: &RunDir) -> Result<Vec<Record>, Failure> {
    match run.journal().exists() {
        true => Journal::read(&run.journal()).or_fail(Kind::Internal),
        false => Ok(Vec::new()),
    }
}

/// Where the inputs of a run came from, so that it can be resumed by its name alone.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sources {
    /// The inventory's name, for messages.
    pub(crate) inventory: String,
    /// The folder that the inventory's paths start at.
    pub(crate) base: PathBuf,
    /// Where the balena token is.
    pub(crate) token: Option<SecretSource>,
    /// The certificates of the API's own authority, as the inventory has their path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ca: Option<String>,
    /// The passwords that stand in the inventory. They are not saved.
    #[serde(skip)]
    pub(crate) secrets: Secrets,
    /// The passwords that `ansible.cfg` wants to be asked for: those of a run that goes on are asked for by flags.
    #[serde(skip)]
    pub(crate) asks: Asks,
    /// The payloads' files.
    pub(crate) payloads: BTreeMap<Sha256, PathBuf>,
    /// The images' files.
    pub(crate) images: BTreeMap<Sha256, PathBuf>,
}

impl Sources {
    pub(crate) fn save(&self, run: &RunDir) -> Result<(), Failure> {
        let text = serde_json::to_vec_pretty(self).or_fail(Kind::Internal)?;
        write_whole(&Sources::path(run), &text, 0o644).or_fail(Kind::Internal)
    }

    pub(crate) fn load(run: &RunDir) -> Result<Sources, Failure> {
        let path = Sources::path(run);
        let text = read_text(&path, "the run's sources")?;
        serde_json::from_str(&text).map_err(|error| {
            Failure::at(Kind::Input, format!("{} is damaged", path.display()), &error)
        })
    }

    fn path(run: &RunDir) -> PathBuf {
        run.path().join("sources.json")
    }
}
