//! Carries out a script, and writes down what a person sees.

use super::expect::Expectation;
use super::{Act, Scenario};
use anyhow::{Result, bail, ensure};
use migos_engine::rollout::{Forgiveness, Wishes};
use migos_engine::simulation::{Ended, Errand, Simulation};
use migos_events::{History, exit_code};
use migos_inventory::{DeviceId, fold};
use migos_playbooks::span::Span;
use migos_report::{RunLines, Style, summary};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::time::Duration;

/// Longer than any run may go on, in virtual time.
const LONGEST: Duration = Duration::from_secs(60 * 24 * 3600);

const STYLE: Style = Style { color: false, width: 110 };

impl Scenario {
    /// Carries out the script; gives the text that a person would have seen.
    ///
    /// # Errors
    /// An expectation that is missed, an invariant that is broken, a run that does not end: with the text so far.
    pub fn play(&self) -> Result<String> {
        let mut stage = Stage {
            scenario: self,
            simulation: Simulation::new(self.plan.clone(), self.circumstances.clone(), self.start),
            text: String::new(),
            ended: None,
            named: None,
        };
        for act in &self.acts {
            if let Err(error) = stage.act(act) {
                bail!("{error:#}\n\n{}", stage.text);
            }
        }
        if let Err(error) = stage.names_everybody().and_then(|()| stage.keeps_the_rules()) {
            bail!("{error:#}\n\n{}", stage.text);
        }
        Ok(stage.text)
    }
}

struct Stage<'a> {
    scenario: &'a Scenario,
    simulation: Simulation,
    text: String,
    ended: Option<Ended>,
    /// The devices whose state the script has named since the last controller, if it has named any; `true` with
    /// all others.
    named: Option<(BTreeSet<DeviceId>, bool)>,
}

impl Stage<'_> {
    fn act(&mut self, act: &Act) -> Result<()> {
        match act {
            Act::Run { resumes, until, forgive } => {
                self.names_everybody()?;
                let mut command = if *resumes { "resume" } else { "run" }.to_owned();
                if let Some(stage) = until.and_then(|n| self.scenario.plan.stages.get(n)) {
                    write!(command, " --until {}", stage.name)?;
                }
                if let Some(reason) = forgive {
                    write!(command, " --forgive \"{reason}\"")?;
                }
                let forgive =
                    forgive.clone().map(|reason| Forgiveness { by: "anna".into(), reason });
                let wishes = Wishes { until: *until, forgive, ..Wishes::default() };
                self.carry_out(&command, Errand { wishes, ..Errand::default() })
            }
            Act::Undo(devices) => {
                self.names_everybody()?;
                let command = format!("undo -l {}", fold(devices));
                self.carry_out(&command, Errand { take_back: devices.clone(), ..Errand::default() })
            }
            Act::Wait(span) => {
                self.simulation.wait(*span);
                writeln!(self.text, "\n(nobody does anything for {})", Span(*span))?;
                Ok(())
            }
            Act::Deed(moment, deed) => {
                self.simulation.add_deed(moment.clone(), deed.clone());
                Ok(())
            }
            Act::Expect(line, expectation) => self.expect(*line, expectation),
        }
    }

    fn carry_out(&mut self, command: &str, errand: Errand) -> Result<()> {
        let before = self.simulation.journal().len();
        if !self.text.is_empty() {
            self.text += "\n";
        }
        writeln!(self.text, "$ {command}")?;
        let ended = self.simulation.carry_out(errand, LONGEST);
        let mut lines = RunLines::new(self.simulation.plan(), STYLE, false);
        for (number, record) in self.simulation.journal().iter().enumerate() {
            let told = lines.record(record);
            for line in told.iter().filter(|_| number >= before) {
                writeln!(self.text, "{line}")?;
            }
        }
        let ended = ended?;
        self.ended = Some(ended);
        self.named = None;
        match ended {
            Ended::Killed => self.text += "(the controller is killed)\n",
            Ended::Outcome(outcome) => {
                let history = self.simulation.history()?;
                self.text += "\n";
                self.text += &summary(self.simulation.plan(), &history, Some(outcome), STYLE);
                writeln!(self.text, "(exit code {})", exit_code(outcome, &history.tally()))?;
            }
        }
        Ok(())
    }

    fn expect(&mut self, line: usize, expectation: &Expectation) -> Result<()> {
        let history = self.simulation.history()?;
        let all: Vec<DeviceId> = self.scenario.plan.devices.keys().cloned().collect();
        let (named, others) = self.named.get_or_insert_default();
        if !expectation.names().is_empty() {
            named.extend(expectation.names().iter().cloned());
        }
        *others |= expectation.names_all_others();
        match expectation.missed(self.ended, &history, &all, named) {
            None => Ok(()),
            Some(found) => bail!("line {line}: it is otherwise: {found}"),
        }
    }

    /// A script that names states has to name the state of every device.
    fn names_everybody(&self) -> Result<()> {
        let Some((named, others)) = &self.named else { return Ok(()) };
        if *others || named.is_empty() {
            return Ok(());
        }
        let left: Vec<&DeviceId> =
            self.scenario.plan.devices.keys().filter(|id| !named.contains(*id)).collect();
        let names = fold(left.iter().copied());
        ensure!(
            left.is_empty(),
            "nothing is expected of {names}: name it, or write `expect STATE others`"
        );
        Ok(())
    }

    /// What holds in every scenario.
    fn keeps_the_rules(&self) -> Result<()> {
        let breaches = self.simulation.breaches();
        ensure!(breaches.is_empty(), "rules are broken:\n{}", breaches.join("\n"));
        // What is written is what is known: a journal that goes through its text form replays to the same.
        let mut records = Vec::new();
        for record in self.simulation.journal() {
            records.push(serde_json::from_str(&serde_json::to_string(record)?)?);
        }
        ensure!(
            History::replay(&records)? == self.simulation.history()?,
            "it replays to another history"
        );
        Ok(())
    }
}
