//! Contestants in turns: all in each round, in an order that is turned round every second time.

use crate::account::{Cost, Group};
use crate::figures::{Spread, median};
use anyhow::{Context, Result};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// One way to do the job.
pub(crate) struct Contestant<'a> {
    /// What it is called in tables.
    pub(crate) name: &'static str,
    /// It takes part in so many rounds at most; for those that take minutes.
    pub(crate) rounds: usize,
    /// What is run.
    pub(crate) command: Box<dyn Fn() -> Result<Command> + 'a>,
}

impl<'a> Contestant<'a> {
    /// One that takes part in all rounds.
    pub(crate) fn new(name: &'static str, command: impl Fn() -> Result<Command> + 'a) -> Self {
        Contestant { name, rounds: usize::MAX, command: Box::new(command) }
    }

    /// The same in so many rounds at most.
    pub(crate) fn at_most(self, rounds: usize) -> Self {
        Contestant { rounds, ..self }
    }
}

/// What is done around each run, outside of what is measured.
pub(crate) trait Arena {
    /// Makes everything as it was before the first run.
    ///
    /// # Errors
    /// If that is not possible.
    fn prepare(&self) -> Result<()>;

    /// Waits until the other side is at rest, and gives the processor time that it has used so far.
    ///
    /// # Errors
    /// If it does not come to rest.
    fn servers(&self) -> Result<Duration>;

    /// Looks whether the work was done.
    ///
    /// # Errors
    /// If it was not.
    fn check(&self, said: &str) -> Result<()>;
}

/// One run of one contestant.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run {
    /// Of which round.
    pub(crate) round: usize,
    /// What it cost on our side.
    pub(crate) cost: Cost,
    /// The processor time of the servers.
    pub(crate) servers: Duration,
}

/// All runs of one contestant.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// What it is called.
    pub(crate) name: &'static str,
    /// Its runs.
    pub(crate) runs: Vec<Run>,
}

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Metric {
    /// Time from start to end.
    Wall,
    /// Processor time of the client's whole process tree.
    Client,
    /// Processor time of the servers.
    Servers,
    /// The client's peak memory.
    Peak,
}

impl Metric {
    /// Its value in one run: seconds, or bytes.
    pub(crate) fn of(self, run: &Run) -> f64 {
        match self {
            Metric::Wall => run.cost.wall.as_secs_f64(),
            Metric::Client => run.cost.cpu.total.as_secs_f64(),
            Metric::Servers => run.servers.as_secs_f64(),
            Metric::Peak => run.cost.peak as f64,
        }
    }
}

impl Entry {
    /// Median, least and most of all runs.
    pub(crate) fn spread(&self, metric: Metric) -> Spread {
        Spread::of(self.runs.iter().map(|run| metric.of(run)).collect())
    }
}

/// How many times what the first needs the second needs: the median over the rounds that both took part in.
pub(crate) fn ratio(of: &Entry, to: &Entry, metric: Metric) -> f64 {
    let pairs = of.runs.iter().filter_map(|run| {
        let other = to.runs.iter().find(|other| other.round == run.round)?;
        Some(metric.of(run) / metric.of(other).max(f64::MIN_POSITIVE))
    });
    median(pairs.collect())
}

/// Lets all contestants do their work in turns.
///
/// # Errors
/// If one of them does not do it.
pub(crate) fn hold(
    contestants: &[Contestant<'_>],
    rounds: usize,
    client: &Group,
    arena: &dyn Arena,
    folder: &Path,
) -> Result<Vec<Entry>> {
    let mut entries: Vec<Entry> =
        contestants.iter().map(|one| Entry { name: one.name, runs: Vec::new() }).collect();
    for round in 0..rounds {
        for at in order(contestants.len(), round) {
            let contestant = &contestants[at];
            if round >= contestant.rounds {
                continue;
            }
            let name = contestant.name;
            let run = once(contestant, round, client, arena, folder);
            let run = run.with_context(|| format!("{name}, round {}", round + 1))?;
            crate::page::say(&format!(
                "  round {} {name}: {:.2} s, client {:.3} s, servers {:.2} s, {:.0} MB",
                round + 1,
                Metric::Wall.of(&run),
                Metric::Client.of(&run),
                Metric::Servers.of(&run),
                Metric::Peak.of(&run) / 1e6,
            ));
            entries[at].runs.push(run);
        }
    }
    Ok(entries)
}

fn once(
    contestant: &Contestant<'_>,
    round: usize,
    client: &Group,
    arena: &dyn Arena,
    folder: &Path,
) -> Result<Run> {
    arena.prepare()?;
    let said = folder.join("said");
    let command = (contestant.command)()?;
    let before = arena.servers()?;
    let cost = client.measure(&command, &said)?;
    let servers = arena.servers()?.saturating_sub(before);
    let said = String::from_utf8_lossy(&std::fs::read(&said)?).into_owned();
    arena.check(&said).with_context(|| {
        let end = said.len().saturating_sub(2000);
        format!("it said: {}", said.get(end..).unwrap_or(&said))
    })?;
    Ok(Run { round, cost, servers })
}

/// Who comes when: there and back, so that nobody always follows the same one.
fn order(contestants: usize, round: usize) -> Vec<usize> {
    let forth = 0..contestants;
    if round.is_multiple_of(2) { forth.collect() } else { forth.rev().collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &'static str, walls: &[(usize, u64)]) -> Entry {
        let run = |(round, millis): &(usize, u64)| Run {
            round: *round,
            cost: Cost { wall: Duration::from_millis(*millis), ..Cost::default() },
            servers: Duration::ZERO,
        };
        Entry { name, runs: walls.iter().map(run).collect() }
    }

    #[test]
    fn the_order_turns_round() {
        assert_eq!(order(3, 0), [0, 1, 2]);
        assert_eq!(order(3, 1), [2, 1, 0]);
        assert_eq!(order(3, 2), [0, 1, 2]);
    }

    #[test]
    fn a_ratio_compares_runs_of_the_same_round() {
        let ours = entry("ours", &[(0, 100), (1, 200), (2, 900)]);
        let other = entry("other", &[(0, 200), (1, 400)]);
        assert!((ratio(&ours, &other, Metric::Wall) - 0.5).abs() < 1e-9);
        assert!((ratio(&other, &ours, Metric::Wall) - 2.0).abs() < 1e-9);
        assert!(ratio(&ours, &entry("nobody", &[]), Metric::Wall).is_nan());
    }
}
