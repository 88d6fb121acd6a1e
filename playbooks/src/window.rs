//! Windows: the hours in which devices may start and cross the point of no return.

use jiff::Timestamp;
use jiff::civil::{Date, Time, Weekday};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::time::Duration;

/// The hours in which devices may start and cross the point of no return, in the zone where they stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// The days on which it opens.
    days: Vec<Weekday>,
    /// When it opens.
    from: Time,
    /// When it closes; not after `from`: on the next day.
    to: Time,
    /// The zone of both.
    zone: TimeZone,
}

/// Why a window cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadWindow {
    /// Not days of the week.
    #[error("not days of the week: {0:?}; write them as `mon-fri` or `sat,sun`")]
    Days(String),
    /// Not a time of day.
    #[error("not a time of day: {0:?}; write it as `22:00`")]
    Time(String),
    /// Not a time zone.
    #[error("not a time zone: {0:?}; write it as `Europe/Berlin` or `UTC`")]
    Zone(String),
}

const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

/// More days than any window is away or any chain of windows needs to be followed.
const HORIZON: i64 = 9;

impl Window {
    /// The window of these days, from and to these times of day (`to` not after `from`: of the next day), in
    /// this zone of the IANA database. The database is the program's own, so that a plan means the same everywhere.
    ///
    /// # Errors
    /// [`BadWindow`] names what cannot be read.
    pub fn new(days: &str, from: &str, to: &str, zone: &str) -> Result<Window, BadWindow> {
        let time = |text: &str| {
            Time::strptime("%H:%M", text).map_err(|_| BadWindow::Time(text.to_owned()))
        };
        Ok(Window {
            days: days_of(days).ok_or_else(|| BadWindow::Days(days.to_owned()))?,
            from: time(from)?,
            to: time(to)?,
            zone: TimeZoneDatabase::bundled()
                .get(zone)
                .map_err(|_| BadWindow::Zone(zone.to_owned()))?,
        })
    }

    /// True if it is open at this moment.
    pub fn is_open(&self, at: Timestamp) -> bool {
        self.around(at).is_some()
    }

    /// True if it is open at this moment and stays so for so long.
    pub fn fits(&self, at: Timestamp, span: Duration) -> bool {
        let Ok(end) = at.checked_add(span) else { return false };
        let mut reached = at;
        // Windows that follow each other without a gap are one.
        for _ in 0..HORIZON {
            match self.around(reached) {
                Some(closes) if closes >= end => return true,
                Some(closes) => reached = closes,
                None => return false,
            }
        }
        false
    }

    /// The first moment from this one on at which it is open and stays so for so long; `None` if it never is.
    pub fn fits_next(&self, at: Timestamp, span: Duration) -> Option<Timestamp> {
        let mut openings: Vec<Timestamp> = self.near(at).map(|(opens, _)| opens).collect();
        openings.retain(|opens| *opens > at);
        openings.sort();
        std::iter::once(at).chain(openings).find(|moment| self.fits(*moment, span))
    }

    /// When the window around this moment closes.
    fn around(&self, at: Timestamp) -> Option<Timestamp> {
        let open = self.near(at).filter(|(opens, closes)| *opens <= at && at < *closes);
        open.map(|(_, closes)| closes).max()
    }

    /// The windows that open between the day before this moment and a week later.
    fn near(&self, at: Timestamp) -> impl Iterator<Item = (Timestamp, Timestamp)> {
        let today = self.zone.to_datetime(at).date();
        (-1..HORIZON).filter_map(move |offset| {
            let day = today.checked_add(jiff::Span::new().days(offset)).ok()?;
            if !self.days.contains(&day.weekday()) {
                return None;
            }
            let last = if self.to > self.from { day } else { day.tomorrow().ok()? };
            Some((self.moment(day, self.from)?, self.moment(last, self.to)?))
        })
    }

    /// A time of day on the night when clocks change: one that does not exist is taken an hour later, of two the
    /// first.
    fn moment(&self, day: Date, time: Time) -> Option<Timestamp> {
        self.zone.to_timestamp(day.to_datetime(time)).ok()
    }

    /// As they are written: neighbours as a range.
    fn days_in_words(&self) -> String {
        let is_open = |n: usize| DAYS.get(n).is_some_and(|(_, day)| self.days.contains(day));
        let name = |n: usize| DAYS.get(n).map_or("", |(name, _)| *name);
        let mut parts = Vec::new();
        let mut n = 0;
        while n < DAYS.len() {
            let length = (n..DAYS.len()).take_while(|m| is_open(*m)).count();
            match length {
                0 => {}
                1 => parts.push(name(n).to_owned()),
                _ => parts.push(format!("{}-{}", name(n), name(n + length - 1))),
            }
            n += length + 1;
        }
        match parts.join(",").as_str() {
            "mon-sun" => "daily".to_owned(),
            words => words.to_owned(),
        }
    }
}

/// `mon-fri`, `sat,sun`, `fri-mon`, `daily`.
fn days_of(text: &str) -> Option<Vec<Weekday>> {
    if text == "daily" {
        return Some(DAYS.iter().map(|(_, day)| *day).collect());
    }
    let index = |name: &str| DAYS.iter().position(|(known, _)| *known == name.trim());
    let mut days = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (index(first)?, index(last)?);
        let count = (last + DAYS.len() - first) % DAYS.len();
        days.extend((0..=count).filter_map(|n| DAYS.get((first + n) % DAYS.len())).map(|it| it.1));
    }
    Some(days)
}

impl std::fmt::Display for Window {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Written { days, from, to, zone } = Written::from(self);
        write!(f, "{days} {from}-{to} {zone}")
    }
}

/// How it stands in a file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    days: String,
    from: String,
    to: String,
    zone: String,
}

impl From<&Window> for Written {
    fn from(window: &Window) -> Written {
        let time = |time: Time| format!("{:02}:{:02}", time.hour(), time.minute());
        Written {
            days: window.days_in_words(),
            from: time(window.from),
            to: time(window.to),
            zone: window.zone.iana_name().unwrap_or("UTC").to_owned(),
        }
    }
}

impl Serialize for Window {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Written::from(self).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Window {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Written { days, from, to, zone } = Written::deserialize(deserializer)?;
        Window::new(&days, &from, &to, &zone).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn berlin(days: &str, from: &str, to: &str) -> Window {
        Window::new(days, from, to, "Europe/Berlin").unwrap()
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_night_belongs_to_the_day_on_which_it_begins() {
        // Friday 27 November 2026, in winter: an hour ahead of UTC.
        let nights = berlin("mon-fri", "22:00", "05:00");
        for (moment, open) in [
            ("2026-11-27T20:59:59Z", false),
            ("2026-11-27T21:00:00Z", true),
            ("2026-11-28T03:59:59Z", true),
            ("2026-11-28T04:00:00Z", false),
            ("2026-11-28T21:30:00Z", false),
            ("2026-11-30T02:00:00Z", false),
            ("2026-11-30T21:00:00Z", true),
        ] {
            assert_eq!(nights.is_open(at(moment)), open, "{moment}");
        }
        let saturday = at("2026-11-28T12:00:00Z");
        assert_eq!(nights.fits_next(saturday, HOUR), Some(at("2026-11-30T21:00:00Z")));
        assert_eq!(nights.fits_next(saturday, 8 * HOUR), None);
    }

    #[test]
    fn where_clocks_change_a_night_is_an_hour_shorter_or_longer() {
        let nights = berlin("daily", "22:00", "05:00");
        // 29 March 2026: from 2 to 3 o'clock there is nothing.
        let spring = at("2026-03-28T21:00:00Z");
        assert!(nights.fits(spring, 6 * HOUR) && !nights.fits(spring, 7 * HOUR));
        // 25 October 2026: from 2 to 3 o'clock is twice.
        let autumn = at("2026-10-24T20:00:00Z");
        assert!(nights.fits(autumn, 8 * HOUR) && !nights.fits(autumn, 9 * HOUR));
        // A window that opens at a time that does not exist opens an hour later.
        let early = berlin("daily", "02:30", "06:00");
        assert!(!early.is_open(at("2026-03-29T01:00:00Z")));
        assert!(early.is_open(at("2026-03-29T01:30:00Z")));
    }

    #[test]
    fn windows_without_a_gap_are_one() {
        let weekend = berlin("sat,sun", "00:00", "00:00");
        let saturday = at("2026-11-27T23:00:00Z");
        assert!(weekend.fits(saturday, 48 * HOUR) && !weekend.fits(saturday, 49 * HOUR));
        assert!(!weekend.is_open(at("2026-11-27T22:59:59Z")));
        assert_eq!(weekend.to_string(), "sat-sun 00:00-00:00 Europe/Berlin");
    }

    #[test]
    fn what_is_no_window_is_named() {
        let wrong = |days, from, zone| Window::new(days, from, "05:00", zone).unwrap_err();
        assert_eq!(wrong("mon-fry", "22:00", "UTC"), BadWindow::Days("mon-fry".into()));
        assert_eq!(wrong("mon", "25:00", "UTC"), BadWindow::Time("25:00".into()));
        assert_eq!(wrong("mon", "22:00", "Mars"), BadWindow::Zone("Mars".into()));
    }

    proptest! {
        #[test]
        fn what_fits_is_open_all_the_time_and_the_next_fit_fits(
            first in 0usize..7,
            last in 0usize..7,
            from in 0u32..24 * 60,
            to in 0u32..24 * 60,
            moment in 1_760_000_000i64..1_800_000_000,
            minutes in 1u64..40 * 60,
        ) {
            let time = |minutes: u32| format!("{:02}:{:02}", minutes / 60, minutes % 60);
            let days = format!("{}-{}", DAYS[first].0, DAYS[last].0);
            let window = berlin(&days, &time(from), &time(to));
            let text = serde_json::to_string(&window).unwrap();
            let again: Window = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(again.to_string(), window.to_string());
            let moment = Timestamp::from_second(moment).unwrap();
            let span = Duration::from_secs(minutes * 60);
            if window.fits(moment, span) {
                for minute in 0..minutes {
                    prop_assert!(window.is_open(moment + Duration::from_secs(minute * 60)));
                }
                prop_assert_eq!(window.fits_next(moment, span), Some(moment));
            }
            if let Some(next) = window.fits_next(moment, span) {
                prop_assert!(next >= moment && window.fits(next, span));
            }
        }
    }
}
