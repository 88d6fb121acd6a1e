//! What came of power cuts, and the page that tells it.

use super::controller::Saga;
use super::power::{Course, Cut, Moment, Scene};
use migos_engine::run::write_whole;
use migos_events::DeviceState;
use migos_inventory::DeviceId;
use migos_lab::State;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::sync::Mutex;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/power-cuts.md");

/// Held while the page is made anew: each table is a test of its own.
static MAKING: Mutex<()> = Mutex::new(());

/// Where a device ended whose power was cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum End {
    AsItWas,
    Migrated,
}

/// What came of a power cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Aftermath {
    /// What came up next; nothing if there was no such write, and so no cut.
    pub(crate) next: Option<State>,
    pub(crate) end: End,
}

impl Aftermath {
    /// Looks at a device when all is over; an error is what never may be, whatever is done.
    pub(crate) fn of(saga: &Saga, id: &DeviceId, state: &DeviceState) -> Result<Self, String> {
        let pi = saga.bench.device(id.as_str()).unwrap();
        let states = pi.life().states;
        if states.contains(&State::Dark) {
            return Err("it was dark".to_owned());
        }
        // The first state is `Off` too: that was before the lab's start.
        let off = states.iter().skip(1).position(|state| *state == State::Off);
        let after = off.map(|at| &states[at + 1..]);
        let is_up = |state: &&State| !matches!(state, State::Off | State::Booting);
        let next = after.and_then(|after| after.iter().find(is_up).copied());
        let end = match state {
            DeviceState::Migrated if pi.state() == State::BalenaOs => End::Migrated,
            DeviceState::Failed(_) | DeviceState::Undone => match saga.differences(id).as_slice() {
                [] => End::AsItWas,
                differences => return Err(differences.join(", ")),
            },
            _ => return Err("neither what it was nor migrated".to_owned()),
        };
        Ok(Aftermath { next, end })
    }
}

/// What came of all power cuts, by what was going on.
#[derive(Default)]
pub(crate) struct Table {
    rows: BTreeMap<Moment, BTreeMap<(&'static str, End), usize>>,
    wrong: Vec<String>,
}

impl Table {
    /// Cuts the power everywhere in a scene. `is_right` says whether this may come of a cut at this moment.
    pub(crate) fn of(scene: &Scene, is_right: fn(Moment, State, End) -> bool) -> Table {
        let mut table = Table::default();
        scene.cut_everywhere(&scene.profile(), |saga, id, cut, state| {
            let told = Aftermath::of(saga, id, state)
                .and_then(|aftermath| table.add(scene, cut.moment, state, aftermath, is_right));
            if let Err(why) = told {
                table.wrong.push(story(saga, id, cut, state, &why));
            }
        });
        table
    }

    fn add(
        &mut self,
        scene: &Scene,
        moment: Moment,
        state: &DeviceState,
        Aftermath { next, end }: Aftermath,
        is_right: fn(Moment, State, End) -> bool,
    ) -> Result<(), String> {
        let Some(next) = next else {
            // Its way was that of all others.
            let was_sooner = moment.waits() && scene.ends_in(state);
            return if was_sooner { Ok(()) } else { Err("its power was not cut".to_owned()) };
        };
        if !is_right(moment, next, end) {
            return Err(format!("{next:?} came up, and it is {end:?}"));
        }
        *self.rows.entry(moment).or_default().entry((name(next), end)).or_default() += 1;
        Ok(())
    }

    /// How many devices a moment brought to this system and to this end.
    pub(crate) fn count(&self, moment: Moment, next: State, end: End) -> usize {
        let row = self.rows.get(&moment);
        row.and_then(|row| row.get(&(name(next), end))).copied().unwrap_or(0)
    }

    /// Fails if anything went wrong, or if the page tells of other cuts.
    pub(crate) fn assert_told(&self, scene: &Scene, section: &str) {
        let text = self.text(scene);
        println!("{section}\n{text}");
        let cuts: usize = self.rows.values().flat_map(BTreeMap::values).sum();
        assert!(self.wrong.is_empty(), "{} wrong:\n{}", self.wrong.len(), self.wrong.join("\n"));
        assert!(cuts > 0, "nothing was tried");

        let _making = MAKING.lock().unwrap();
        let page = std::fs::read_to_string(PAGE).unwrap();
        let (begin, end) =
            (format!("<!-- {section}: begin -->\n"), format!("<!-- {section}: end -->"));
        let (before, rest) = page.split_once(&begin).expect("the page has a place for the table");
        let (told, after) = rest.split_once(&end).expect("the table's place ends");
        #[expect(clippy::disallowed_methods, reason = "the way to make the page anew")]
        if std::env::var("UPDATE_DOCS").is_ok() {
            let page = format!("{before}{begin}{text}{end}{after}");
            write_whole(Path::new(PAGE), page.as_bytes(), 0o644).unwrap();
            return;
        }
        assert_eq!(
            tried(told),
            tried(&text),
            "docs/power-cuts.md is not current; make it anew with: \
             UPDATE_DOCS=1 cargo test --release -p migos-tests --test saga"
        );
    }

    fn text(&self, scene: &Scene) -> String {
        let mut rows: Vec<_> = self.rows.iter().collect();
        if scene.course != Course::Migrated {
            // The last step is taken back first.
            rows.sort_by_key(|(moment, _)| Reverse(**moment));
        }
        let what = if scene.course == Course::Migrated { "step" } else { "step taken back" };
        let mut text = format!(
            "| {what} | power cuts | came up in | ended as it was | ended migrated |\n\
             | --- | --- | --- | --- | --- |\n"
        );
        for (moment, row) in rows {
            let mut systems: BTreeMap<&str, usize> = BTreeMap::new();
            let mut ends: BTreeMap<End, usize> = BTreeMap::new();
            for ((system, end), count) in row {
                *systems.entry(system).or_default() += count;
                *ends.entry(*end).or_default() += count;
            }
            let cuts: usize = row.values().sum();
            let about = if moment.waits() { ABOUT } else { "" };
            let systems: Vec<_> =
                systems.iter().map(|(system, count)| format!("{system} {count}")).collect();
            let ended = |end| ends.get(&end).map_or("–".to_owned(), usize::to_string);
            let action = serde_json::to_value(moment.action()).unwrap();
            // Writing to a string cannot fail.
            let _ = writeln!(
                text,
                "| {} | {about}{cuts} | {} | {} | {} |",
                action.as_str().unwrap(),
                systems.join(", "),
                ended(End::AsItWas),
                ended(End::Migrated),
            );
        }
        text
    }
}

/// Before a number that differs from time to time.
const ABOUT: &str = "about ";

/// The steps of a table with their numbers of cuts, where those are always the same. How the devices ended may differ:
/// on a busy computer one that would have gone on is taken back.
fn tried(table: &str) -> Vec<(&str, &str)> {
    let row = |line| {
        let mut cells = str::split(line, '|').map(str::trim).skip(1);
        Some((cells.next()?, cells.next()?))
    };
    table.lines().filter_map(row).filter(|(_, cuts)| !cuts.starts_with(ABOUT)).collect()
}

fn name(system: State) -> &'static str {
    match system {
        State::Raspbian => "Raspbian",
        State::Migos => "MIGOS",
        State::BalenaOs => "balenaOS",
        State::Off | State::Booting | State::Dark => "nothing",
    }
}

fn story(saga: &Saga, id: &DeviceId, cut: Cut, state: &DeviceState, why: &str) -> String {
    let pi = saga.bench.device(id.as_str()).unwrap();
    let kind = format!("{} {:?}", pi.model().name, pi.release());
    format!("{id} ({kind}), {cut:?}: {why}; {state:?}; {:?}", pi.life().states)
}
