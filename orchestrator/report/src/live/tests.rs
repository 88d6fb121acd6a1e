#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use super::*;
use crate::RunLines;
use crate::sample::{self, Story, id};
use migos_playbooks::step::Action;
use std::sync::{Arc, Mutex};

const WIDTH: u16 = 90;
const STYLE: Style = Style { color: false, width: WIDTH };

/// Keeps what is written.
#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A terminal of rows without end.
#[derive(Debug, Clone, Default)]
struct Screen(Arc<Mutex<(Vec<String>, usize)>>);

impl Screen {
    fn text(&self) -> String {
        let rows = self.0.lock().unwrap().0.clone();
        rows.iter().map(|row| row.trim_end().to_owned() + "\n").collect()
    }

    fn on_row(&self, act: impl FnOnce(&mut Vec<String>, &mut usize)) -> io::Result<()> {
        let (rows, row) = &mut *self.0.lock().unwrap();
        // A full row goes on in the next one.
        rows.resize(rows.len().max(*row + 2), String::new());
        act(rows, row);
        Ok(())
    }
}

impl indicatif::TermLike for Screen {
    fn width(&self) -> u16 {
        WIDTH
    }
    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.on_row(|_, row| *row -= n)
    }
    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.on_row(|_, row| *row += n)
    }
    fn move_cursor_right(&self, _: usize) -> io::Result<()> {
        Ok(())
    }
    fn move_cursor_left(&self, _: usize) -> io::Result<()> {
        Ok(())
    }
    fn write_line(&self, text: &str) -> io::Result<()> {
        self.write_str(text)?;
        self.on_row(|_, row| *row += 1)
    }
    fn write_str(&self, text: &str) -> io::Result<()> {
        text.chars().try_for_each(|c| {
            self.on_row(|rows, row| {
                *row += usize::from(rows[*row].chars().count() == usize::from(WIDTH));
                rows[*row].push(c);
            })
        })
    }
    fn clear_line(&self) -> io::Result<()> {
        self.on_row(|rows, row| rows[*row].clear())
    }
    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn follow(live: &mut Live, story: &Story) {
    let mut lines = RunLines::new(&live.plan, STYLE, false);
    for record in &story.records {
        let lines = lines.record(record);
        live.record(record, &lines);
    }
}

#[test]
fn without_a_terminal_a_status_line_comes_every_half_minute() {
    let paper = Paper::default();
    let mut live = Live::to_writer(&sample::plan(), STYLE, Box::new(paper.clone()));
    let mut story = Story::begin();
    story.steps("kiosk-002", Action::SendImage);
    follow(&mut live, &story);
    for second in 0..=70 {
        live.tick(seconds(second));
    }
    live.finish();
    insta::assert_snapshot!(String::from_utf8(paper.0.lock().unwrap().clone()).unwrap(), @r###"
    Starting run 7f3a2c-01: 5 devices in 2 stages
       Stage canary: 1 device
     Running [   1m 50s] stage canary, 0/5: 1 under way, 4 not started
     Running [   2m 20s] stage canary, 0/5: 1 under way, 4 not started
    "###);
}

#[test]
fn the_area_shows_eight_devices_and_how_many_more() {
    let mut plan = sample::plan();
    let device = plan.devices[&id("kiosk-001")].clone();
    let names: Vec<_> = (1..=11).map(|n| format!("pi-{n:02}")).collect();
    plan.devices = names.iter().map(|name| (id(name), device.clone())).collect();
    plan.stages[0].devices = plan.devices.keys().cloned().collect();
    let mut live = Live::to_writer(&plan, STYLE, Box::new(io::sink()));
    let mut story = Story::with(11, 0, 0);
    story.migrated(&names[3], "5e91c2a7");
    for name in &names {
        if name != "pi-04" {
            story.steps(name, Action::SendImage);
        }
    }
    follow(&mut live, &story);
    for second in 0..=10 {
        live.progress(&id("pi-01"), second * 2_100_000, 164_000_000);
        live.tick(seconds(second));
    }
    insta::assert_snapshot!(live.area().join("\n"), @r###"
    Stage [  18m 50s] canary ██░░░░░░░░░░░░░░░░░░░░░░ 1/11
                     pi-01  step 5 send-image  21 MB of 164 MB, 2.1 MB/s, 1m 08s left
                     pi-02  step 5 send-image  10m 50s
                     pi-03  step 5 send-image  9m 30s
                     pi-05  step 5 send-image  8m 10s
                     pi-06  step 5 send-image  6m 50s
                     pi-07  step 5 send-image  5m 30s
                     pi-08  step 5 send-image  4m 10s
                     pi-09  step 5 send-image  2m 50s
                     and 2 more
    "###);
}

#[test]
fn the_area_of_a_large_run_has_ten_rows_that_fit_at_any_width() {
    let mut plan = sample::plan();
    let device = plan.devices[&id("kiosk-001")].clone();
    let names: Vec<_> = (1..=500).map(|n| format!("pi-{n:03}")).collect();
    plan.devices = names.iter().map(|name| (id(name), device.clone())).collect();
    plan.stages[0].devices = plan.devices.keys().cloned().collect();
    let mut story = Story::with(500, 0, 0);
    names.iter().for_each(|name| _ = story.steps(name, Action::SendImage));
    for width in [20, 40, 59, 60, 80, 200] {
        let style = Style { color: false, width };
        let mut live = Live::to_writer(&plan, style, Box::new(io::sink()));
        follow(&mut live, &story);
        live.progress(&id("pi-001"), 21_000_000, 164_000_000);
        let area = live.area();
        assert_eq!(area.len(), 2 + MOST_ROWS);
        let widest = area.iter().map(|line| line.chars().count()).max().unwrap();
        assert!(widest <= usize::from(width.max(26)), "{width}: {area:#?}");
        assert!(area.last().unwrap().contains("and"), "{area:#?}");
    }
}

#[test]
fn a_narrow_area_has_no_bar_and_whole_words() {
    let mut story = Story::begin();
    story.steps("kiosk-002", Action::SendImage);
    let narrow = Style { color: false, width: 40 };
    let mut live = Live::to_writer(&sample::plan(), narrow, Box::new(io::sink()));
    follow(&mut live, &story);
    live.progress(&id("kiosk-002"), 21_000_000, 164_000_000);
    insta::assert_snapshot!(live.area().join("\n"), @r###"
         Stage [   1m 20s] canary 0/1
    kiosk-002  step 5 send-image  21 MB…
    "###);
}

#[test]
fn a_soak_shows_how_long_it_has_gone_and_long_lines_are_cut() {
    let mut story = Story::begin();
    story.migrated("kiosk-002", "5e91c2a7").add(Event::SoakStarted { stage: 0 });
    let narrow = Style { color: false, width: 64 };
    let mut live = Live::to_writer(&sample::plan(), narrow, Box::new(io::sink()));
    follow(&mut live, &story);
    live.tick(seconds(90));
    insta::assert_snapshot!(live.area().join("\n"), @"       Stage [   6m 50s] canary ████████████████████████ 1/1…");
}

#[test]
fn on_a_terminal_lines_stand_above_the_area_and_nothing_is_left_of_it() {
    let screen = Screen::default();
    let target = ProgressDrawTarget::term_like(Box::new(screen.clone()));
    let mut live = Live::on(&sample::plan(), STYLE, terminal(target));
    let mut story = Story::begin();
    story.steps("kiosk-002", Action::SendImage);
    live.tick(seconds(0));
    follow(&mut live, &story);
    live.tick(seconds(1));
    insta::assert_snapshot!(screen.text(), @r###"
    Starting run 7f3a2c-01: 5 devices in 2 stages
       Stage canary: 1 device
       Stage [   1m 21s] canary ░░░░░░░░░░░░░░░░░░░░░░░░ 0/1
                        kiosk-002  step 5 send-image  1.0s
    "###);
    live.finish();
    insta::assert_snapshot!(screen.text(), @r###"
    Starting run 7f3a2c-01: 5 devices in 2 stages
       Stage canary: 1 device
    "###);
}
