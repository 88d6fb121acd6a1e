//! Windows: when a device may start, and when it may cross the point of no return.

use super::roster::Hours;
use super::{Rollout, Turn};
use jiff::Timestamp;
use migos_events::{Event, Outcome};
use migos_inventory::DeviceId;
use migos_playbooks::estimate::{Estimate, with_margin};
use std::collections::BTreeMap;
use std::time::Duration;

/// When windows open next. Nobody looks into a calendar again before that moment: a run waits through whole nights.
#[derive(Debug, Default)]
pub(super) struct Calendar {
    /// By the window's number and how long it has to stay open: when that was looked up, and what was found.
    openings: BTreeMap<(usize, Duration), (Timestamp, Timestamp)>,
}

impl Calendar {
    /// True if a device that starts now is likely to be done before its window closes.
    pub(super) fn fits(&mut self, hours: Hours<'_>, now: Timestamp) -> bool {
        self.opens(hours, now) == Some(now)
    }

    /// When the window next has room for a device; `None` if it never does.
    fn opens(&mut self, hours: Hours<'_>, now: Timestamp) -> Option<Timestamp> {
        let key = (hours.number, hours.whole);
        if let Some((looked, opens)) = self.openings.get(&key)
            && (*looked..*opens).contains(&now)
        {
            return Some(*opens);
        }
        let opens = hours.window.fits_next(now, with_margin(hours.whole));
        if let Some(opens) = opens.filter(|opens| *opens > now) {
            self.openings.insert(key, (now, opens));
        }
        opens
    }
}

impl Turn<'_> {
    /// True if the way from the point of no return to balena is likely to fit into its window.
    pub(super) fn may_cross_now(&self, device: &DeviceId) -> bool {
        let plan = self.rollout.plan.devices.get(device);
        let Some(window) = plan.and_then(|plan| plan.window.as_ref()) else { return true };
        window.fits(self.now.wall, with_margin(self.prediction(device).to_well.0))
    }

    /// In words, for people.
    pub(super) fn why_it_may_not_cross(&self, device: &DeviceId) -> String {
        let needed = with_margin(self.prediction(device).to_well.0).as_secs().div_ceil(60);
        format!("its window closes within the {needed} minutes that it needs from here")
    }

    /// What the slowest device of its class has taken in this run, else the plan's estimate.
    fn prediction(&self, device: &DeviceId) -> Estimate {
        let planned = || self.rollout.plan.devices.get(device).map(|plan| plan.estimate);
        self.rollout.roster.slowest(device).or_else(planned).unwrap_or_default()
    }

    /// Says that nothing can start before a window opens; a person is called if none ever opens for long enough.
    pub(super) fn tell_of_windows(&mut self, stage: usize) -> bool {
        let Rollout { roster, calendar, .. } = &mut *self.rollout;
        let now = self.now.wall;
        let mut opens: Option<Timestamp> = None;
        let waiting = roster.waiting_hours(stage);
        for hours in &waiting {
            match hours.map(|hours| calendar.opens(hours, now)) {
                Some(Some(at)) if at > now => opens = Some(opens.map_or(at, |other| other.min(at))),
                // Too short.
                Some(None) => {}
                Some(Some(_)) | None => return false,
            }
        }
        if waiting.is_empty() {
            return false;
        }
        let Some(opens) = opens else {
            let devices = migos_inventory::fold(&roster.waiting(stage));
            let reason =
                format!("the windows of {devices} are too short for what their class takes");
            self.close(Outcome::Paused, Event::Paused { reason, gate: None });
            return true;
        };
        if self.rollout.history.window_opens == Some(opens) {
            return false;
        }
        self.say(Event::WindowClosed { opens })
    }
}
