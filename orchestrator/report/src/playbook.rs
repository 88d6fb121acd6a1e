//! A playbook: every step, its limits, and what takes it back.

use crate::Style;
use crate::grid::columns;
use crate::steps::built_in_undo;
use crate::words::{Tone, paint, plain};
use migos_playbooks::playbook::Playbook;
use migos_playbooks::step::{Output, Reversal, Step, When};

/// All steps in their order. Which of them a device takes is for a plan to say.
pub fn playbook_text(playbook: &Playbook, style: Style) -> String {
    let mut text = String::new();
    let mut rows = Vec::new();
    for step in playbook.steps() {
        if step.reversal == Reversal::PointOfNoReturn {
            text += &columns(style, std::mem::take(&mut rows));
            let whom = format!("point of no return{}", for_whom(step.when));
            text += &format!("  {}\n", paint(style, Tone::Bad, &format!("───── {whom} ─────")));
        }
        rows.push(vec![plain(&step.id.0), told(step)]);
    }
    text + &columns(style, rows)
}

fn told(step: &Step) -> String {
    let mut parts = vec![format!("{}{}", plain(&step.title), for_whom(step.when))];
    if let Some(own) = &step.run {
        parts.push(plain(&own.run));
        parts.push(format!("ended after {}", own.limit));
        if own.output == Output::Hidden {
            parts.push("what it prints is not shown".to_owned());
        }
    }
    parts.push(format!("given up after {} or {} tries", step.limit, step.retry.times));
    let own_undo = step.run.as_ref().and_then(|own| own.undo.as_deref());
    match own_undo.unwrap_or_else(|| built_in_undo(step)) {
        "" => {}
        undo => parts.push(format!("undo: {}", plain(undo))),
    }
    parts.join("; ")
}

fn for_whom(when: When) -> &'static str {
    match when {
        When::Always => "",
        When::Update => " (where the firmware is updated first)",
        When::Data => " (where data is kept)",
        When::Proof => " (where one-shot boot is proven first)",
        When::OneShot => " (by one-shot boot)",
        When::Rewrite => " (by a rewritten config.txt)",
        When::Ordered => " (attended and call-home)",
        When::CallHome => " (call-home)",
        When::Unattended => " (unattended)",
        When::Moved => " (where it is moved to another fleet)",
    }
}
