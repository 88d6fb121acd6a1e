//! Windows: the hours in which devices may start and cross the point of no return.

use jiff::Timestamp;
use jiff::civil::{Date, Time, Weekday};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use migos_inventory::{BadHours, Hours};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::time::Duration;

/// The hours in which devices may start and cross the point of no return, in the zone where they stand.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema)]
#[schemars(with = "Written")]
pub struct Window {
    /// The days on which it opens, from Monday on, each once.
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
    /// Not the time of day at which it opens.
    #[error("not a time of day: {0:?}; write it from `00:00` to `23:59`")]
    From(String),
    /// Not the time of day at which it closes.
    #[error("not a time of day: {0:?}; write it from `00:00` to `23:59`")]
    To(String),
    /// Not a time zone.
    #[error("not a time zone: {0:?}; write it as `Europe/Berlin` or `UTC`")]
    Zone(String),
}

impl BadWindow {
    /// The key whose value cannot be read.
    pub fn key(&self) -> &'static str {
        match self {
            BadWindow::Days(_) => "days",
            BadWindow::From(_) => "from",
            BadWindow::To(_) => "to",
            BadWindow::Zone(_) => "zone",
        }
    }
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

/// So many days ahead are searched for an opening with room: two weeks, since in the week in which clocks change one
/// may be too short.
const HORIZON: i64 = 15;

const DAY: Duration = Duration::from_secs(24 * 3600);

impl TryFrom<&Hours> for Window {
    type Error = BadWindow;

    fn try_from(hours: &Hours) -> Result<Window, BadWindow> {
        Window::new(&hours.days, &hours.from, &hours.to, &hours.zone)
    }
}

/// Whether hours of an inventory can be read, for [`migos_inventory::parse_with`].
///
/// # Errors
/// What is wrong with them, and under which key.
pub fn check_hours(hours: &Hours) -> Result<(), BadHours> {
    let told = |error: BadWindow| BadHours { key: error.key(), message: error.to_string() };
    Window::try_from(hours).map(|_| ()).map_err(told)
}

impl Window {
    /// The window of these days, from and to these times of day (`to` not after `from`: of the next day), in
    /// this zone of the IANA database. The database is the program's own, so that a plan means the same everywhere.
    ///
    /// # Errors
    /// [`BadWindow`] names what cannot be read.
    pub fn new(days: &str, from: &str, to: &str, zone: &str) -> Result<Window, BadWindow> {
        let bad_zone = || BadWindow::Zone(zone.to_owned());
        let zone = TimeZoneDatabase::bundled().get(zone).map_err(|_| bad_zone())?;
        Ok(Window {
            days: days_of(days).ok_or_else(|| BadWindow::Days(days.to_owned()))?,
            from: time_of(from).ok_or_else(|| BadWindow::From(from.to_owned()))?,
            to: time_of(to).ok_or_else(|| BadWindow::To(to.to_owned()))?,
            // The database's own zone of unknown rules is none that a person can mean.
            zone: Some(zone).filter(|zone| !zone.is_unknown()).ok_or_else(bad_zone)?,
        })
    }

    /// True if it is open at this moment.
    pub fn is_open(&self, at: Timestamp) -> bool {
        self.closes(at).is_some()
    }

    /// True if it is open at this moment and stays so for so long; of more than two weeks nothing is known.
    pub fn fits(&self, at: Timestamp, span: Duration) -> bool {
        let Ok(end) = at.checked_add(span) else { return false };
        let mut reached = at;
        // Windows that follow each other without a gap are one.
        for _ in 0..HORIZON {
            match self.closes(reached) {
                Some(closes) if closes >= end => return true,
                Some(closes) => reached = closes,
                None => return false,
            }
        }
        false
    }

    /// The first moment from this one on at which it is open and stays so for so long; `None` if it never is.
    pub fn fits_next(&self, at: Timestamp, span: Duration) -> Option<Timestamp> {
        let openings = self.near(at, HORIZON).map(|(opens, _)| opens).filter(|opens| *opens > at);
        std::iter::once(at).chain(openings).find(|moment| self.fits(*moment, span))
    }

    /// How long it is open at a time at most, in an ordinary week; `None`: always.
    pub fn longest(&self) -> Option<Duration> {
        let seconds = |time: Time| i64::from(time.hour()) * 3600 + i64::from(time.minute()) * 60;
        let open = (seconds(self.to) - seconds(self.from)).rem_euclid(24 * 3600);
        match u64::try_from(open).unwrap_or_default() {
            // Whole days follow each other without a gap.
            0 if self.days.len() == DAYS.len() => None,
            0 => Some(DAY * self.most_days_in_a_row()),
            open => Some(Duration::from_secs(open)),
        }
    }

    fn most_days_in_a_row(&self) -> u32 {
        let opens =
            |n: usize| DAYS.get(n % DAYS.len()).is_some_and(|day| self.days.contains(&day.1));
        let run = |first: usize| (first..first + DAYS.len()).take_while(|n| opens(*n)).count();
        (0..DAYS.len()).map(run).max().and_then(|days| u32::try_from(days).ok()).unwrap_or_default()
    }

    /// When the window around this moment closes.
    fn closes(&self, at: Timestamp) -> Option<Timestamp> {
        let open = self.near(at, 0).filter(|(opens, closes)| *opens <= at && at < *closes);
        open.map(|(_, closes)| closes).max()
    }

    /// The windows that open from the day before this moment until so many days later, the first one first.
    fn near(&self, at: Timestamp, later: i64) -> impl Iterator<Item = (Timestamp, Timestamp)> {
        let today = self.zone.to_datetime(at).date();
        (-1..=later).filter_map(move |offset| {
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
        if self.days.len() == DAYS.len() {
            return "daily".to_owned();
        }
        let runs = DAYS.split(|(_, day)| !self.days.contains(day));
        let words = runs.filter_map(|run| match run {
            [] => None,
            [(only, _)] => Some((*only).to_owned()),
            [(first, _), .., (last, _)] => Some(format!("{first}-{last}")),
        });
        words.collect::<Vec<_>>().join(",")
    }
}

fn time_of(text: &str) -> Option<Time> {
    Time::strptime("%H:%M", text).ok()
}

/// `mon-fri`, `sat,sun`, `fri-mon`, `daily`; from Monday on, each once.
fn days_of(text: &str) -> Option<Vec<Weekday>> {
    let every = DAYS.iter().map(|(_, day)| *day);
    if text == "daily" {
        return Some(every.collect());
    }
    let index = |name: &str| DAYS.iter().position(|(known, _)| *known == name.trim());
    let mut named = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (index(first)?, index(last)?);
        let count = (last + DAYS.len() - first) % DAYS.len();
        named.extend((0..=count).filter_map(|n| DAYS.get((first + n) % DAYS.len())).map(|it| it.1));
    }
    Some(every.filter(|day| named.contains(day)).collect())
}

impl std::fmt::Display for Window {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Written { days, from, to, zone } = Written::from(self);
        write!(f, "{days} {from}-{to} {zone}")
    }
}

/// How it stands in a file.
#[derive(Serialize, Deserialize, JsonSchema)]
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
mod tests;
