//! What a person sees of a run in a real terminal: tmux draws it, and tells what stands on the screen.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use migos_lab::Pace;
use migos_tests::fleet::{Bench, program, wait};
use std::process::Command;

/// Rows of the area: the stage's bar, eight devices, and how many more there are.
const AREA: usize = 10;

const HEIGHT: usize = 40;

/// A terminal with the program in it; it ends with the test.
struct Terminal<'a> {
    bench: &'a Bench,
    width: usize,
}

impl<'a> Terminal<'a> {
    /// Migrates the lab in a terminal that is so wide.
    fn migrating(bench: &'a Bench, width: usize, variables: &str) -> Self {
        // Nothing is drawn but what the program says, and it can be read after its end.
        let conf = "set -g status off\nset -g remain-on-exit on\nset -g history-limit 9999\n\
                    set -g remain-on-exit-format ''\n";
        bench.home.write("tmux.conf", conf).unwrap();
        let terminal = Terminal { bench, width };
        let job = format!(
            "exec env -i TERM=tmux-256color {variables} {} migrate --yes lab/inventory.yaml --policy quick.yaml",
            program().unwrap().display()
        );
        let size = ["-x", &width.to_string(), "-y", &HEIGHT.to_string()].map(str::to_owned);
        let start = ["-f", "tmux.conf", "new-session", "-d"].map(str::to_owned);
        let args: Vec<String> = start.into_iter().chain(size).chain([job]).collect();
        terminal.tmux(&args.iter().map(String::as_str).collect::<Vec<_>>());
        terminal
    }

    fn tmux(&self, args: &[&str]) -> String {
        let mut tmux = Command::new("tmux");
        tmux.current_dir(self.bench.home.path()).env("LC_ALL", "C.UTF-8").env_remove("TMUX");
        let told = tmux.args(["-S", "tmux"]).args(args).output().expect("package tmux");
        assert!(told.status.success(), "tmux {args:?}: {}", String::from_utf8_lossy(&told.stderr));
        String::from_utf8(told.stdout).unwrap()
    }

    /// All lines so far, each as wide as it is on the screen.
    fn rows(&self) -> Vec<String> {
        let text = self.tmux(&["capture-pane", "-p", "-S", "-"]);
        text.trim_end().lines().map(|line| line.trim_end().to_owned()).collect()
    }

    /// With the codes of its colours.
    fn raw(&self) -> String {
        self.tmux(&["capture-pane", "-p", "-e", "-S", "-"])
    }

    fn has_ended(&self) -> bool {
        self.tmux(&["display-message", "-p", "#{pane_dead}"]).trim() == "1"
    }

    fn resize(&mut self, width: usize) {
        let (x, y) = (width.to_string(), HEIGHT.to_string());
        self.tmux(&["resize-window", "-x", &x, "-y", &y]);
        self.width = width;
    }

    /// Waits for an area with a device in it, and returns its rows.
    fn until_area(&self) -> Vec<String> {
        let mut found = Vec::new();
        let seen = wait(|| {
            anyhow::ensure!(!self.has_ended(), "it ended without an area");
            found = area(&self.rows());
            Ok(found.len() > 1)
        });
        seen.unwrap_or_else(|error| panic!("{error:#}: {:#?}", self.rows()));
        found
    }

    /// Looks on until the program has ended: the area is always in its bounds. Returns all that it leaves.
    fn until_end(&self) -> Vec<String> {
        wait(|| {
            let area = area(&self.rows());
            assert!(area.len() <= AREA, "{area:#?}");
            assert!(area.iter().all(|row| row.chars().count() <= self.width), "{area:#?}");
            Ok(self.has_ended())
        })
        .unwrap();
        self.rows()
    }
}

impl Drop for Terminal<'_> {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
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
    let terminal = Terminal::migrating(&bench, 40, "");
    for row in terminal.until_area() {
        assert!(row.chars().count() < 40, "{row}");
        assert!(!row.contains('█') && !row.contains('░'), "there is no room for a bar: {row}");
    }
    ends_well(&terminal.until_end());
}

#[test]
fn a_terminal_that_is_made_wider_is_used() {
    let bench = bench();
    let mut terminal = Terminal::migrating(&bench, 80, "");
    assert!(terminal.until_area().iter().all(|row| row.chars().count() < 80));
    terminal.resize(200);
    ends_well(&terminal.until_end());
}

#[test]
fn a_wide_terminal_without_colours_says_the_same() {
    let bench = bench();
    let terminal = Terminal::migrating(&bench, 200, "NO_COLOR=1");
    let bar = terminal.until_area().remove(0);
    assert!(bar.contains("all ") && bar.contains('░') && bar.contains("/12"), "{bar}");
    let rows = terminal.until_end();
    ends_well(&rows);
    assert!(rows.iter().any(|row| row.trim_start().starts_with("MIGRATED [")), "{rows:#?}");
    assert!(!terminal.raw().contains("\u{1b}[1;32m"), "colours in spite of NO_COLOR");
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
