//! Renders plans and events: terminal, table, JSON, HTML.
//!
//! Everything is made from values: a plan, a fleet, facts, and the records of a run. Nothing here asks
//! whether the run is still going, so a recorded run reads exactly as it did while it ran.
//!
//! - Before a run: [`plan_text`] is what a person decides by; [`inventory_table`] and [`probe_table`]
//!   show what it was made from, [`policy_text`] what a policy asks for.
//! - On day one: [`assess_text`] is how a fleet stands before anything is got for it.
//! - During a run: [`RunLines`] turns each record into lines; [`Live`] prints them, above a small live
//!   area on a terminal.
//! - After it, or from a second terminal: [`status`], [`summary`] and [`summary_json`] say what a
//!   [`History`](migos_events::History) amounts to and what to do next.
//! - To mail and to print: [`assess_html`], [`plan_html`] and [`run_html`] are the same as pages.
//! - Over all runs: [`campaign_text`] says how the whole fleet stands.
//!
//! Texts are returned; only [`Live`] writes, to standard error or to the writer it is given.

mod assess;
mod campaign;
mod checks;
mod grid;
mod html;
mod inventory;
mod json;
mod limits;
mod lines;
mod live;
mod network;
mod next;
mod outlook;
mod plan;
mod playbook;
mod policy;
mod states;
mod status;
mod steps;
mod strategy;
mod summary;
mod tables;
mod words;

#[cfg(test)]
mod sample;

pub use assess::{assess_json, assess_next, assess_text};
pub use campaign::{Standing, campaign, campaign_json, campaign_text};
pub use checks::checks_text;
pub use html::{Told, assess_html, plan_html, run_html};
pub use inventory::{explanation, findings_text, folded_inventory_table, inventory_table};
pub use json::summary_json;
pub use lines::RunLines;
pub use live::Live;
pub use plan::{Around, plan_text};
pub use playbook::playbook_text;
pub use policy::{policy_json, policy_list, policy_text};
pub use states::{STATES, state_word};
pub use status::status;
pub use summary::summary;
pub use tables::probe_table;
pub use words::plain;

/// How texts are to look. The caller decides; nothing here looks for a terminal or at the environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Whether to use colours; every text is understandable without them.
    pub color: bool,
    /// Columns of text that fit on a line.
    pub width: u16,
}
