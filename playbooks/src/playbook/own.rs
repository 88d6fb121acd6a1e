//! Playbooks of the user's own: the built-in one with commands between its steps and other limits.

use super::{Playbook, why_not_after};
use crate::span::Span;
use crate::step::{Action, Output, OwnCommand, Retry, Reversal, Step, StepId, When};
use migos_inventory::yaml::{self, Field, Keys, Kind, Mapping, Member, Node};
use migos_inventory::{Problems, Report};
use std::time::Duration;

pub(crate) const PLAYBOOK: Keys = Keys {
    known: &["playbook", "name", "extends", "insert", "change"],
    refused: &[yaml::Refused {
        key: "steps",
        message: "the built-in steps keep a device from becoming a brick, so they are not written anew",
        hint: "write `extends: migrate`, and your own steps under `insert:`",
    }],
};
pub(crate) const INSERT: Keys = Keys { known: &["before", "after", "steps"], refused: &[] };
pub(crate) const STEP: Keys =
    Keys { known: &["id", "title", "run", "undo", "limit", "retry", "output"], refused: &[] };
pub(crate) const CHANGE: Keys = Keys { known: &["limit", "retry"], refused: &[] };
pub(crate) const RETRY: Keys = Keys { known: &["times", "pause"], refused: &[] };

/// How long a command may take that says nothing else.
const LIMIT: Span = Span::seconds(5 * 60);

/// How often a command is tried that says nothing else.
const RETRY_DEFAULT: Retry = Retry { times: 4, pause: Span::seconds(5) };

/// The longest first pause: it is doubled before each further try.
const LONGEST_PAUSE: Span = Span::seconds(3600);

/// The longest command: with its verb it has to fit into one SSH packet of 32 KiB.
const LONGEST: usize = 8 << 10;

const ONLY_LONGER: &str =
    "so late a device that is still at work must not be given up; make it longer only";

/// What the step of a command may take besides, to connect and to go on after a cut.
const BESIDES: Duration = Duration::from_secs(10 * 60);

pub(super) fn read(file: &str, text: &str) -> Result<Playbook, Problems> {
    let mut report = Report::new(file);
    let Some(root) = yaml::load(text, &mut report) else { return Err(report.into_problems()) };
    let field = Field::root(&root, "");
    if is_ansible(&root) {
        let hint = "write what it does on the devices as commands under `insert:`, see docs/playbooks.md; or run it \
                    with ansible-playbook before the migration";
        field.refuse_with_hint(
            &mut report,
            "this is an Ansible playbook, not one of migos-fleet",
            hint,
        );
        return Err(report.into_problems());
    }
    let Ok(migrate) = Playbook::migrate() else {
        field.refuse(&mut report, "the built-in playbook cannot be read");
        return Err(report.into_problems());
    };
    let mut steps = migrate.steps;
    let keys = field.mapping(&PLAYBOOK, &mut report);
    match keys.get("playbook") {
        Some(version) => _ = version.number(1..=1, &mut report),
        None => {
            let hint = "begin it with `playbook: 1`";
            field.refuse_with_hint(&mut report, "this is not a playbook", hint);
        }
    }
    if let Some(extends) = keys.require("extends", "write `extends: migrate`", &mut report) {
        extends.one_of(&[("migrate", ())], &mut report);
    }
    if let Some(changes) = keys.get("change") {
        for member in changes.members(&mut report) {
            change(&member, &mut steps, &mut report);
        }
    }
    if let Some(inserts) = keys.get("insert") {
        for item in inserts.list("a list of places with steps", &mut report) {
            insert(&item, &mut steps, &mut report);
        }
    }
    let playbook = report.into_result(steps)?;
    Playbook::new(playbook).map_err(|error| {
        let mut report = Report::new(file);
        field.refuse(&mut report, error.to_string());
        report.into_problems()
    })
}

/// Ansible's playbooks are lists of plays, each with its hosts.
fn is_ansible(root: &Node) -> bool {
    matches!(&root.kind, Kind::List(items) if items.iter().any(|item| item.get("hosts").is_some()))
}

fn change(member: &Member<'_>, steps: &mut [Step], report: &mut Report) {
    let Some(step) = steps.iter_mut().find(|step| step.id.0 == member.key) else {
        let message = format!("there is no step {}", member.key);
        let hint = "see all of them with: migos-fleet playbook show";
        report.add_with_hint(member.place, &member.field.path, message, hint);
        return;
    };
    let keys = member.field.mapping(&CHANGE, report);
    if let Some(field) = keys.get("limit")
        && let Some(limit) = span(field, report)
    {
        if step.action >= Action::Release && limit < step.limit {
            let message = format!("{} is too short: the step takes up to {}", limit, step.limit);
            field.refuse_with_hint(report, message, ONLY_LONGER);
        }
        step.limit = limit;
    }
    if let Some(field) = keys.get("retry") {
        let changed = retry(field, step.retry, report);
        if step.action >= Action::Release && changed.times < step.retry.times {
            let message = format!(
                "{} is too few: the step is tried {} times",
                changed.times, step.retry.times
            );
            field.refuse_with_hint(report, message, ONLY_LONGER);
        }
        step.retry = changed;
    }
}

/// Reads how often a step is tried; what is not said stays as it is.
fn retry(field: &Field<'_>, before: Retry, report: &mut Report) -> Retry {
    let mut retry = before;
    let keys = field.mapping(&RETRY, report);
    if let Some(times) = keys.get("times").and_then(|times| times.number(1..=1000, report)) {
        retry.times = u32::try_from(times).unwrap_or(retry.times);
    }
    if let Some(field) = keys.get("pause")
        && let Some(pause) = span(field, report)
    {
        if pause > LONGEST_PAUSE {
            let hint = "it is only the first pause: each further one is twice as long";
            let message = format!("{pause} is too long: a pause has at most {LONGEST_PAUSE}");
            field.refuse_with_hint(report, message, hint);
        }
        retry.pause = pause;
    }
    retry
}

fn insert(item: &Field<'_>, steps: &mut Vec<Step>, report: &mut Report) {
    let keys = item.mapping(&INSERT, report);
    let place = place(item, &keys, steps, report);
    let Some(list) = keys.require("steps", "write `steps: [{ id: …, run: … }]`", report) else {
        return;
    };
    let mut own = Vec::new();
    for field in list.list("a list of steps", report) {
        let Some(step) = own_step(&field, report) else { continue };
        if steps.iter().chain(&own).any(|other| other.id == step.id) {
            field.refuse(report, format!("there are two steps {}", step.id));
            continue;
        }
        own.push(step);
    }
    if let Some(place) = place {
        steps.splice(place..place, own);
    }
}

/// The index at which steps are put in; nothing if none may be there.
fn place(
    item: &Field<'_>,
    keys: &Mapping<'_>,
    steps: &[Step],
    report: &mut Report,
) -> Option<usize> {
    let (field, is_after) = match (keys.get("before"), keys.get("after")) {
        (Some(before), None) => (before, false),
        (None, Some(after)) => (after, true),
        _ => {
            let hint = "write `before: arm`, or `after: backup`";
            item.refuse_with_hint(report, "one place is needed: `before` or `after` a step", hint);
            return None;
        }
    };
    let name = field.text("the name of a step", report)?;
    let Some(found) = steps.iter().position(|step| step.id.0 == name) else {
        let hint = "see all of them with: migos-fleet playbook show";
        field.refuse_with_hint(report, format!("there is no step {name}"), hint);
        return None;
    };
    let is_last =
        |step: &Step| matches!(step.action, Action::Release | Action::Arm | Action::RewriteConfig);
    let place = match is_after {
        // After what was put there before.
        true => found + 1 + steps[found + 1..].iter().take_while(|step| step.run.is_some()).count(),
        // The last moment on Raspbian is before the permit, wherever a device has one.
        false if steps.get(found).is_some_and(is_last) => {
            steps.iter().position(|step| step.action == Action::Release).unwrap_or(found)
        }
        false => found,
    };
    let before = steps[..place].iter().rev().find(|step| step.run.is_none());
    if let Some(why) = why_not_after(before.map(|step| step.action)) {
        let at = if is_after { "after" } else { "before" };
        field.refuse_with_hint(report, format!("nothing can be put {at} {name}"), why);
        return None;
    }
    Some(place)
}

fn own_step(field: &Field<'_>, report: &mut Report) -> Option<Step> {
    let keys = field.mapping(&STEP, report);
    let id = keys.require("id", "give it a name, such as `id: stop-app`", report);
    let id = id.and_then(|id| id.parse("a name", name, report));
    let run =
        keys.require("run", "write the command, such as `run: \"systemctl stop kiosk\"`", report);
    let run = run.and_then(|run| command(run, report));
    // What is wrong with one key shall not hide what is wrong with the next.
    let undo = keys.get("undo").map(|undo| command(undo, report));
    let limit = match keys.get("limit") {
        Some(limit) => span(limit, report),
        None => Some(LIMIT),
    };
    let retry = match keys.get("retry") {
        Some(field) => retry(field, RETRY_DEFAULT, report),
        None => RETRY_DEFAULT,
    };
    let title = match keys.get("title") {
        Some(title) => title.text("words", report).map(str::to_owned),
        None => Some("run your command".to_owned()),
    };
    let outputs = [("shown", Output::Shown), ("hidden", Output::Hidden)];
    let output = match keys.get("output") {
        Some(output) => output.one_of(&outputs, report),
        None => Some(Output::Shown),
    };
    let undo = match undo {
        Some(undo) => Some(undo?),
        None => None,
    };
    let limit = limit?;
    Some(Step {
        id: StepId(id?),
        title: title?,
        action: Action::Run,
        reversal: if undo.is_some() { Reversal::Undo } else { Reversal::Stays },
        when: When::Always,
        limit: Span(limit.0 + BESIDES),
        retry,
        run: Some(OwnCommand { run: run?, undo, limit, output: output? }),
    })
}

fn command(field: &Field<'_>, report: &mut Report) -> Option<String> {
    let text = field.text("a command", report)?;
    if text.trim().is_empty() || text.contains('\0') || text.len() > LONGEST {
        let message = format!("a command has 1 to {LONGEST} bytes, and no NUL");
        field.refuse_with_hint(report, message, "put a longer one into a file on the devices");
        return None;
    }
    Some(text.to_owned())
}

fn name(text: &str) -> Result<String, migos_inventory::InvalidText> {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(is_plain)
        && text.len() <= 40
    {
        return Ok(text.to_owned());
    }
    Err(migos_inventory::InvalidText {
        text: text.to_owned(),
        what: "a name of a step",
        hint: "write small letters, digits and -, such as stop-app",
    })
}

fn span(field: &Field<'_>, report: &mut Report) -> Option<Span> {
    let span = Span::read(field, report)?;
    if span.is_zero() {
        field.refuse(report, "expected a length of time, found none at all");
        return None;
    }
    Some(span)
}

#[cfg(test)]
mod tests;
