#![allow(clippy::unwrap_used, clippy::panic)]
use super::*;
use proptest::prelude::*;

fn window(days: &str, from: &str, to: &str) -> Window {
    Window::new(days, from, to, "Europe/Berlin").unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

const fn minutes(count: u64) -> Duration {
    Duration::from_secs(count * 60)
}

/// The minutes of these UTC days at which it opens and closes.
fn turns(window: &Window, first: &str, days: i64) -> Vec<String> {
    let first = at(&format!("{first}T00:00:00Z"));
    let moments = (0..days * 24 * 60).map(|n| first + Duration::from_secs(n.unsigned_abs() * 60));
    let mut open = window.is_open(first);
    let mut turns = Vec::new();
    for moment in moments {
        if window.is_open(moment) != open {
            open = !open;
            turns.push(format!("{} {moment}", if open { "opens" } else { "closes" }));
        }
    }
    turns
}

#[test]
fn a_night_belongs_to_the_day_on_which_it_begins() {
    // 2026-11-27 is a Friday; Berlin is an hour ahead of UTC.
    assert_eq!(
        turns(&window("mon-fri", "22:00", "05:00"), "2026-11-26", 5),
        [
            "closes 2026-11-26T04:00:00Z",
            "opens 2026-11-26T21:00:00Z",
            "closes 2026-11-27T04:00:00Z",
            "opens 2026-11-27T21:00:00Z",
            "closes 2026-11-28T04:00:00Z",
            "opens 2026-11-30T21:00:00Z",
        ]
    );
}

#[test]
fn a_night_in_which_clocks_change_is_shorter_or_longer() {
    // Clocks go from 02:00 to 03:00 on 2026-03-29, and from 03:00 to 02:00 on 2026-10-25, at 01:00 UTC.
    let night = window("sat", "22:00", "05:00");
    let (spring, autumn) = (at("2026-03-28T21:00:00Z"), at("2026-10-24T20:00:00Z"));
    assert_eq!(
        turns(&night, "2026-03-28", 2),
        ["opens 2026-03-28T21:00:00Z", "closes 2026-03-29T03:00:00Z"]
    );
    assert_eq!(
        turns(&night, "2026-10-24", 2),
        ["opens 2026-10-24T20:00:00Z", "closes 2026-10-25T04:00:00Z"]
    );
    assert!(night.fits(spring, minutes(6 * 60)) && !night.fits(spring, minutes(6 * 60 + 1)));
    assert!(night.fits(autumn, minutes(8 * 60)) && !night.fits(autumn, minutes(8 * 60 + 1)));
    // What needs the whole seven hours waits for the week after the short night, from whenever one asks.
    for asked in ["2026-03-23T12:00:00Z", "2026-03-28T22:00:00Z", "2026-03-29T12:00:00Z"] {
        let next = night.fits_next(at(asked), minutes(7 * 60));
        assert_eq!(next, Some(at("2026-04-04T20:00:00Z")), "asked at {asked}");
    }
}

#[test]
fn a_time_that_a_night_does_not_have_is_an_hour_later_and_of_two_the_first_counts() {
    // 02:30 does not exist on 2026-03-29, and exists twice on 2026-10-25.
    assert_eq!(
        turns(&window("sun", "02:30", "05:00"), "2026-03-29", 1),
        ["opens 2026-03-29T01:30:00Z", "closes 2026-03-29T03:00:00Z"]
    );
    assert_eq!(
        turns(&window("sun", "00:00", "02:30"), "2026-10-24", 2),
        ["opens 2026-10-24T22:00:00Z", "closes 2026-10-25T00:30:00Z"]
    );
    // It would close before it opens: not on that night.
    let vanished = window("sun", "02:30", "03:15");
    assert_eq!(turns(&vanished, "2026-03-29", 1), Vec::<String>::new());
    assert_eq!(
        vanished.fits_next(at("2026-03-29T00:00:00Z"), minutes(45)),
        Some(at("2026-04-05T00:30:00Z"))
    );
}

#[test]
fn whole_days_follow_each_other_without_a_gap() {
    let days = window("mon-fri", "00:00", "00:00");
    let monday = at("2026-11-22T23:00:00Z");
    assert_eq!(days.longest(), Some(DAY * 5));
    assert!(days.fits(monday, DAY * 5) && !days.fits(monday, DAY * 5 + minutes(1)));
    assert_eq!(window("fri-mon", "06:00", "06:00").longest(), Some(DAY * 4));
    assert_eq!(window("daily", "00:00", "00:00").longest(), None);
    assert!(window("daily", "03:00", "03:00").fits(monday, DAY * 14));
    assert_eq!(window("daily", "22:00", "05:00").longest(), Some(minutes(7 * 60)));
}

#[test]
fn it_is_open_from_its_first_moment_and_closed_from_its_last() {
    let day = window("daily", "08:00", "16:00");
    let (opens, closes) = (at("2026-11-24T07:00:00Z"), at("2026-11-24T15:00:00Z"));
    assert!(day.is_open(opens) && !day.is_open(closes));
    assert!(day.fits(opens, minutes(8 * 60)) && day.fits(closes - minutes(1), minutes(1)));
    assert!(!day.fits(closes, Duration::ZERO));
    assert_eq!(day.fits_next(opens, minutes(60)), Some(opens));
    assert_eq!(day.fits_next(closes, minutes(60)), Some(opens + DAY));
    assert_eq!(day.fits_next(closes, minutes(9 * 60)), None);
}

#[test]
fn days_are_shown_as_people_write_them() {
    for (written, shown) in [
        ("mon-fri", "mon-fri"),
        ("sun,sat", "sat-sun"),
        ("fri-mon", "mon,fri-sun"),
        ("mon, mon,wed", "mon,wed"),
        ("tue-mon", "daily"),
        ("daily", "daily"),
    ] {
        let window = window(written, "22:00", "05:00");
        assert_eq!(window.to_string(), format!("{shown} 22:00-05:00 Europe/Berlin"));
    }
}

#[test]
fn what_cannot_be_read_is_named() {
    let told = |days, from, to, zone| {
        let error = Window::new(days, from, to, zone).unwrap_err();
        format!("{}: {error}", error.key())
    };
    insta::assert_snapshot!([
        told("mon-fry", "22:00", "05:00", "UTC"),
        told("", "22:00", "05:00", "UTC"),
        told("mon", "10pm", "05:00", "UTC"),
        told("mon", "22:00", "24:00", "UTC"),
        told("mon", "22:00", "05:00", "Berlin"),
        told("mon", "22:00", "05:00", "Etc/Unknown"),
        told("mon", "22:00", "05:00", ""),
    ].join("\n"), @r###"
    days: not days of the week: "mon-fry"; write them as `mon-fri` or `sat,sun`
    days: not days of the week: ""; write them as `mon-fri` or `sat,sun`
    from: not a time of day: "10pm"; write it from `00:00` to `23:59`
    to: not a time of day: "24:00"; write it from `00:00` to `23:59`
    zone: not a time zone: "Berlin"; write it as `Europe/Berlin` or `UTC`
    zone: not a time zone: "Etc/Unknown"; write it as `Europe/Berlin` or `UTC`
    zone: not a time zone: ""; write it as `Europe/Berlin` or `UTC`
    "###);
}

fn any_window() -> impl Strategy<Value = Window> {
    let zones = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC"];
    let time = || (0..24u8, 0..60u8).prop_map(|(hour, minute)| format!("{hour:02}:{minute:02}"));
    let days = proptest::sample::subsequence(DAYS.map(|(name, _)| name).to_vec(), 1..=7);
    let zone = proptest::sample::select(zones.to_vec());
    (days, time(), time(), zone)
        .prop_map(|(days, from, to, zone)| Window::new(&days.join(","), &from, &to, zone).unwrap())
}

proptest! {
    #[test]
    fn what_fits_finds_it_open_at_every_minute(
        window in any_window(), second in 1_767_225_600i64..1_830_297_600, span in 0u64..4000
    ) {
        let start = Timestamp::from_second(second).unwrap();
        let open = (0..span.max(1)).all(|n| window.is_open(start + minutes(n)));
        if window.fits(start, minutes(span)) {
            prop_assert!(open);
        } else {
            // The last minute may be cut by a second.
            prop_assert!(!open || !window.is_open(start + minutes(span)));
        }
    }

    #[test]
    fn the_next_time_that_fits_does_fit_and_is_the_first(
        window in any_window(), second in 1_767_225_600i64..1_830_297_600, span in 0u64..2000
    ) {
        let start = Timestamp::from_second(second).unwrap();
        let span = minutes(span);
        match window.fits_next(start, span) {
            Some(next) => {
                prop_assert!(next >= start && window.fits(next, span));
                prop_assert!(next == start || !window.fits(start, span));
                let between = next.as_second() - start.as_second();
                let earlier = (0..between).step_by(1799);
                for n in earlier {
                    prop_assert!(!window.fits(start + Duration::from_secs(n.unsigned_abs()), span));
                }
            }
            None => prop_assert!(window.longest().is_some_and(|longest| longest < span)),
        }
    }

    #[test]
    fn it_reads_back_from_what_is_written(window in any_window()) {
        let written = serde_json::to_string(&window).unwrap();
        prop_assert_eq!(serde_json::from_str::<Window>(&written).unwrap(), window.clone());
        let shown = window.to_string();
        let [days, hours, zone] = shown.split(' ').collect::<Vec<_>>()[..] else { panic!("{shown}") };
        let (from, to) = hours.split_once('-').unwrap();
        prop_assert_eq!(Window::new(days, from, to, zone).unwrap(), window);
    }
}
