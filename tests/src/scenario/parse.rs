//! Reads scripts, strictly.

use super::expect;
use super::fleet::{self, Group};
use super::line::{Line, ScriptError};
use super::{Act, Scenario, deeds};
use jiff::Timestamp;
use migos_engine::simulation::{Behaviour, Circumstances, Failing, Moment, Period};
use migos_events::{CauseKind, CheckVerdict};
use migos_inventory::{DeviceId, SiteName};
use migos_playbooks::plan::CheckedPlan;
use migos_playbooks::policy::Policy;
use migos_playbooks::step::{ACTIONS, Action};
use std::time::Duration;

const KINDS: [(&str, CauseKind); 3] = [
    ("refused", CauseKind::Refused),
    ("unreachable", CauseKind::Unreachable),
    ("away", CauseKind::Away),
];

const VERDICTS: [(&str, CheckVerdict); 3] =
    [("pass", CheckVerdict::Pass), ("unsure", CheckVerdict::Unsure), ("fail", CheckVerdict::Fail)];

/// A line and the lines under it that stand further to the right.
struct Entry<'a> {
    head: Line,
    body: Vec<(usize, &'a str)>,
}

impl Scenario {
    /// Reads a script.
    ///
    /// # Errors
    /// The first line that cannot be read, and what to write instead.
    pub fn parse(text: &str) -> Result<Scenario, ScriptError> {
        let entries = entries(text)?;
        let mut reader = Reader::default();
        for entry in entries {
            reader.entry(entry)?;
        }
        reader.finish()
    }
}

fn entries(text: &str) -> Result<Vec<Entry<'_>>, ScriptError> {
    let mut entries: Vec<Entry<'_>> = Vec::new();
    for (number, text) in (1..).zip(text.lines()) {
        let line = Line::new(number, text);
        if text.trim().is_empty() || text.trim_start().starts_with('#') {
            continue;
        }
        match (text.starts_with(' '), entries.last_mut()) {
            (true, Some(entry)) => entry.body.push((number, text)),
            (true, None) => {
                let line = Line::new(number, "")?;
                return Err(line.error("nothing stands above this line", "begin it at the margin"));
            }
            (false, _) => entries.push(Entry { head: line?, body: Vec::new() }),
        }
    }
    Ok(entries)
}

#[derive(Default)]
struct Reader {
    groups: Vec<Group>,
    all: Vec<DeviceId>,
    policy: Option<Policy>,
    plan: Option<CheckedPlan>,
    circumstances: Circumstances,
    start: Timestamp,
    acts: Vec<Act>,
    has_run: bool,
    last: usize,
}

impl Reader {
    fn entry(&mut self, entry: Entry<'_>) -> Result<(), ScriptError> {
        let Entry { head: mut line, body } = entry;
        self.last = line.number;
        let word = line.word("a word of the language")?;
        if !matches!(word.as_str(), "fleet" | "policy")
            && let Some((number, _)) = body.first()
        {
            let line = Line::new(*number, "")?;
            let message = format!("`{word}` has no lines under it");
            return Err(line.error(message, "begin the line at the margin"));
        }
        match word.as_str() {
            "fleet" => self.fleet(&line, &body)?,
            "policy" => self.policy(&mut line, &body)?,
            "start" => {
                let word = line.word("a moment such as 2026-11-23T22:00:00Z")?;
                self.start = word.parse().map_err(|_| {
                    line.error(
                        format!("`{word}` is not a moment"),
                        "write it as 2026-11-23T22:00:00Z",
                    )
                })?;
            }
            "fault" => self.fault(&mut line)?,
            "check" => self.check(&mut line)?,
            "at" => {
                let moment = Moment::At(line.span()?);
                self.acts.push(Act::Deed(moment, line.one_of("an order", &deeds())?));
            }
            "when" => {
                let device = line.device(&self.all)?;
                line.must("begins")?;
                let moment = Moment::Begins(device, action(&mut line)?);
                self.acts.push(Act::Deed(moment, line.one_of("an order", &deeds())?));
            }
            "run" | "resume" => self.run(&mut line, word == "resume")?,
            "undo" => {
                let devices = line.devices(&self.all)?;
                self.acts.push(Act::Undo(devices));
            }
            "wait" => self.acts.push(Act::Wait(line.span()?)),
            "expect" => {
                let expectation = expect::read(&mut line, &self.all)?;
                self.acts.push(Act::Expect(line.number, expectation));
            }
            other => {
                return Err(line.error(
                    format!("`{other}` is not a word of the language"),
                    "begin a line with fleet, policy, start, fault, check, at, when, run, resume, undo, wait or \
                     expect",
                ));
            }
        }
        line.ends()
    }

    fn fleet(&mut self, head: &Line, body: &[(usize, &str)]) -> Result<(), ScriptError> {
        for (number, text) in body {
            let mut line = Line::new(*number, text)?;
            let mut group = Group {
                names: line.word("names such as kiosk-[001:010]")?,
                site: None,
                board: "3B+".into(),
                unattended: false,
            };
            while !line.is_empty() {
                if line.takes("site") {
                    group.site = Some(line.word("a site")?);
                } else if line.takes("board") {
                    group.board = line.word("a board")?;
                } else {
                    line.must("unattended")?;
                    group.unattended = true;
                }
            }
            self.groups.push(group);
        }
        self.all = fleet::names(&self.groups).map_err(|error| {
            head.error(
                error.to_string(),
                "write a line for each group: kiosk-[001:010] site north board 3B+",
            )
        })?;
        Ok(())
    }

    fn policy(&mut self, head: &mut Line, body: &[(usize, &str)]) -> Result<(), ScriptError> {
        let (name, text) = match body.first() {
            None => {
                let name =
                    head.word("the name of a shipped policy, or a policy under this line,")?;
                let text = Policy::shipped(&name).ok_or_else(|| {
                    head.error(
                        format!("no policy is called `{name}`"),
                        "write careful, or the policy itself",
                    )
                })?;
                (name, text.to_owned())
            }
            // Lines are left out above it, so that the policy's own messages name the script's lines.
            Some((first, _)) => {
                let mut text = "\n".repeat(first - 1);
                let mut at = *first;
                for (number, line) in body {
                    text += &"\n".repeat(number - at);
                    text += line.strip_prefix("  ").unwrap_or(line);
                    at = *number;
                }
                ("policy".to_owned(), text + "\n")
            }
        };
        let policy = Policy::parse(&name, &text).map_err(|problems| {
            head.error(format!("the policy cannot be read:\n{problems}"), "see docs/policies.md")
        })?;
        self.policy = Some(policy);
        Ok(())
    }

    fn plan(&mut self, line: &Line) -> Result<&CheckedPlan, ScriptError> {
        if self.plan.is_none() {
            let Some(policy) = &self.policy else {
                return Err(line.error("no policy is given yet", "write `policy careful` above"));
            };
            let plan = fleet::plan(&self.groups, policy).map_err(|error| {
                line.error(format!("the plan cannot be made: {error:#}"), "write a fleet above")
            })?;
            self.plan = Some(plan);
        }
        self.plan.as_ref().ok_or_else(|| line.error("no plan", "write a fleet above"))
    }

    fn stage(&mut self, line: &mut Line) -> Result<usize, ScriptError> {
        let stages: Vec<String> =
            self.plan(line)?.stages.iter().map(|stage| stage.name.clone()).collect();
        let known: Vec<(&str, usize)> =
            stages.iter().enumerate().map(|(n, name)| (name.as_str(), n)).collect();
        line.one_of("a stage of the plan", &known)
    }

    fn run(&mut self, line: &mut Line, resumes: bool) -> Result<(), ScriptError> {
        if resumes != self.has_run {
            let (word, remedy) = match resumes {
                true => ("resume", "begin with `run`"),
                false => ("run", "write `resume` from the second controller on"),
            };
            return Err(line.error(format!("`{word}` does not fit here"), remedy));
        }
        self.has_run = true;
        let mut act = (None, None);
        while !line.is_empty() {
            if line.takes("until") {
                act.0 = Some(self.stage(line)?);
            } else {
                line.must("forgive")?;
                act.1 = Some(line.quoted().ok_or_else(|| {
                    line.error("it is not said why", "write forgive \"the reason\"")
                })?);
            }
        }
        self.acts.push(Act::Run { resumes, until: act.0, forgive: act.1 });
        Ok(())
    }

    fn check(&mut self, line: &mut Line) -> Result<(), ScriptError> {
        let stage = self.stage(line)?;
        line.must("answers")?;
        let verdict = line.one_of("a verdict", &VERDICTS)?;
        let message = line.quoted().unwrap_or_default();
        self.circumstances.checks.entry(stage).or_default().push((verdict, message));
        Ok(())
    }

    fn fault(&mut self, line: &mut Line) -> Result<(), ScriptError> {
        if self.has_run {
            return Err(line.error("faults are known from the start", "write it above `run`"));
        }
        if line.takes("balena away") {
            self.circumstances.balena_away.push(period(line)?);
        } else if line.takes("site") {
            let name = line.word("a site")?;
            let site = SiteName::new(name.as_str()).ok();
            let known = self.groups.iter().any(|group| group.site.as_ref() == Some(&name));
            let (Some(site), true) = (site, known) else {
                return Err(
                    line.error(format!("no device stands at `{name}`"), "name a site of the fleet")
                );
            };
            line.must("dark")?;
            self.circumstances.dark_sites.push((site, period(line)?));
        } else {
            let devices = line.devices(&self.all)?;
            let read = line.clone();
            for device in devices {
                *line = read.clone();
                behave(line, self.circumstances.devices.entry(device).or_default())?;
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Scenario, ScriptError> {
        let end = Line::new(self.last.max(1), "")?;
        if !self.has_run {
            return Err(end.error("nothing is carried out", "write `run`"));
        }
        if !self.acts.iter().any(|act| matches!(act, Act::Expect(..))) {
            return Err(end.error("nothing is expected", "write `expect` lines below `run`"));
        }
        let is_run = |act: &Act| matches!(act, Act::Run { .. } | Act::Undo(_));
        let heard = self.acts.iter().rposition(is_run).unwrap_or_default();
        if self.acts.iter().skip(heard).any(|act| matches!(act, Act::Deed(..))) {
            return Err(end.error(
                "no controller hears the last order",
                "write `at` and `when` above the `run` or `resume` that they are for",
            ));
        }
        let plan = self.plan(&end)?.clone();
        let Reader { circumstances, start, acts, .. } = self;
        Ok(Scenario { plan, circumstances, start, acts })
    }
}

fn action(line: &mut Line) -> Result<Action, ScriptError> {
    let name = |action: Action| {
        serde_json::to_value(action).ok().and_then(|name| name.as_str().map(str::to_owned))
    };
    let named = ACTIONS.map(|(action, _)| (name(action).unwrap_or_default(), action));
    let known = named.each_ref().map(|(name, action)| (name.as_str(), *action));
    line.one_of("an action", &known)
}

/// `from T to T`, or `from T` for good.
fn period(line: &mut Line) -> Result<Period, ScriptError> {
    line.must("from")?;
    let from = line.span()?;
    if !line.takes("to") {
        return Ok(Period::from(from));
    }
    let to = line.span()?;
    match to > from {
        true => Ok(Period { from, to }),
        false => Err(line.error("it ends before it begins", "write the earlier moment first")),
    }
}

fn behave(line: &mut Line, behaviour: &mut Behaviour) -> Result<(), ScriptError> {
    if line.takes("fails at") {
        let at = action(line)?;
        let times = line.takes("once").then_some(1);
        let kind = match line.takes("as") {
            true => line.one_of("a sort of failure", &KINDS)?,
            false => CauseKind::Step,
        };
        let message = line.quoted().unwrap_or_else(|| "no space left on device".to_owned());
        behaviour.fails.push(Failing { at, kind, message, times });
    } else if line.takes("cannot be undone") {
        behaviour.undo_fails = true;
    } else if line.takes("silent in flash") {
        behaviour.silent_in_flash = true;
    } else if line.takes("never arrives") {
        behaviour.never_arrives = true;
    } else if line.takes("late by") {
        behaviour.late = line.span()?;
    } else if line.takes("turns up at") {
        behaviour.turns_up = Some(line.span()?);
    } else if line.takes("arrives as another") {
        behaviour.arrives_as_another = true;
    } else if line.takes("contradicts once") {
        behaviour.contradicts = 1;
    } else if line.takes("contradicts") {
        behaviour.contradicts = u32::MAX;
    } else if line.takes("no vpn") {
        behaviour.no_vpn = true;
    } else if line.takes("away") {
        behaviour.away.push(period(line)?);
    } else if line.takes("relapses at") {
        let from = line.span()?;
        let to = match line.takes("for") {
            true => from + line.span()?,
            false => Duration::MAX,
        };
        behaviour.away.push(Period { from, to });
    } else {
        let word = line.word("what is the matter with it")?;
        return Err(line.error(
            format!("`{word}` is not a fault of a device"),
            "write fails at, cannot be undone, silent in flash, never arrives, late by, turns up at, arrives as \
             another, contradicts, no vpn, away from or relapses at",
        ));
    }
    Ok(())
}
