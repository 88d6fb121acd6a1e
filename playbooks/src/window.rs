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

    /// How long it is open at a time at least, in an ordinary week.
    pub fn length(&self) -> Duration {
        let seconds = |time: Time| i64::from(time.hour()) * 3600 + i64::from(time.minute()) * 60;
        let open = (seconds(self.to) - seconds(self.from)).rem_euclid(24 * 3600);
        match u64::try_from(open) {
            Ok(0) | Err(_) => Duration::from_secs(24 * 3600),
            Ok(open) => Duration::from_secs(open),
        }
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

    fn days_in_words(&self) -> String {
        let names = DAYS.iter().filter(|(_, day)| self.days.contains(day)).map(|(name, _)| *name);
        names.collect::<Vec<_>>().join(",")
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
