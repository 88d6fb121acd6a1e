//! What a person sees of a run in a real terminal: tmux draws it, and tells what stands on the screen.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use migos_lab::Pace;
use migos_tests::fleet::{Bench, program, wait};
use migos_tests::terminal::Terminal;

/// Rows of the area: the stage's bar, eight devices, and how many more there are.
const AREA: usize = 10;

/// Migrates the lab in a terminal that is so wide.
fn migrating<'a>(bench: &'a Bench, width: usize, variables: &str) -> Terminal<'a> {
    let program = program().unwrap().display();
    let job = format!(
        "exec env -i TERM=tmux-256color {variables} {program} migrate --yes lab/inventory.yaml --policy quick.yaml"
    );
    Terminal::running(&bench.home, width, &job).unwrap()
}

/// Waits for an area with a device in it, and returns its rows.
fn until_area(terminal: &Terminal<'_>) -> Vec<String> {
    let mut found = Vec::new();
    let seen = wait(|| {
        anyhow::ensure!(!terminal.has_ended()?, "it ended without an area");
        found = area(&terminal.rows()?);
        Ok(found.len() > 1)
    });
    seen.unwrap_or_else(|error| panic!("{error:#}: {:#?}", terminal.rows()));
    found
}

/// Looks on until the program has ended: the area is always in its bounds. Returns all that it leaves.
fn until_end(terminal: &Terminal<'_>, width: usize) -> Vec<String> {
    wait(|| {
        let area = area(&terminal.rows()?);
        assert!(area.len() <= AREA, "{area:#?}");
        assert!(area.iter().all(|row| row.chars().count() <= width), "{area:#?}");
        terminal.has_ended()
    })
    .unwrap();
    terminal.rows().unwrap()
}

/// The area below the lines that stay: from the last row with the stage's time on.
fn area(rows: &[String]) -> Vec<String> {
    let is_bar = |row: &String| row.trim_start().starts_with("Stage [");
    rows.iter().rposition(is_bar).map(|first| rows[first..].to_vec()).unwrap_or_default()
}

fn bench() -> Bench {
    Bench::start(12, "", Pace { flash: Pace::lab().flash, ..Pace::test() }).unwrap()
}

/// What is left has nothing of the area, and ends with the summary.
fn ends_well(rows: &[String]) {
    assert!(area(rows).is_empty(), "something of the area is left: {rows:#?}");
    let is_row = |row: &&String| row.contains("  step ");
    assert_eq!(rows.iter().find(is_row), None, "{rows:#?}");
    let summary = rows.iter().rposition(|row| row.trim_start().starts_with("Summary ["));
    let summary = summary.unwrap_or_else(|| panic!("no summary: {rows:#?}"));
    // A narrow terminal breaks it.
    assert!(rows[summary..].concat().contains("12/12: 12 migrated"), "{rows:#?}");
    assert!(rows.len() - summary <= 4, "the summary is the end: {rows:#?}");
}

#[test]
fn a_narrow_terminal_shows_whole_words() {
    let bench = bench();
    let terminal = migrating(&bench, 40, "");
    for row in until_area(&terminal) {
        assert!(row.chars().count() < 40, "{row}");
        assert!(!row.contains('█') && !row.contains('░'), "there is no room for a bar: {row}");
    }
    ends_well(&until_end(&terminal, 40));
}

#[test]
fn a_terminal_that_is_made_wider_is_used() {
    let bench = bench();
    let terminal = migrating(&bench, 80, "");
    assert!(until_area(&terminal).iter().all(|row| row.chars().count() < 80));
    terminal.resize(200).unwrap();
    ends_well(&until_end(&terminal, 200));
}

#[test]
fn a_wide_terminal_without_colours_says_the_same() {
    let bench = bench();
    let terminal = migrating(&bench, 200, "NO_COLOR=1");
    let bar = until_area(&terminal).remove(0);
    assert!(bar.contains("all ") && bar.contains('░') && bar.contains("/12"), "{bar}");
    let rows = until_end(&terminal, 200);
    ends_well(&rows);
    assert!(rows.iter().any(|row| row.trim_start().starts_with("MIGRATED [")), "{rows:#?}");
    assert!(!terminal.raw().unwrap().contains("\u{1b}[1;32m"), "colours in spite of NO_COLOR");
}

#[test]
fn without_a_terminal_there_are_lines_only() {
    let bench = bench();
    let ended = bench.migrate(&[]).unwrap().end().unwrap();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(!ended.stderr.contains('\u{1b}') && !ended.stderr.contains('░'), "{}", ended.stderr);
    assert!(ended.stderr.lines().any(|line| line.trim_start().starts_with("MIGRATED [")));
    let last = ended.stdout.trim_end().lines().last().unwrap_or_default();
    assert!(last.contains("12/12: 12 migrated"), "{}", ended.stdout);
}
