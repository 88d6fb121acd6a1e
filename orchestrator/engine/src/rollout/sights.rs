//! What balena has told of each device, and since when it has been so.

use super::roster::Roster;
use super::{Seen, Sight};
use migos_playbooks::balena::DeviceUuid;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What balena has told this controller, by the numbers of devices.
#[derive(Debug, Default)]
pub(super) struct Sights {
    /// What was not well when balena last answered, or that it did not answer.
    pub(super) unwell: Option<String>,
    /// When balena last answered.
    pub(super) seen_at: Option<Duration>,
    /// Until this moment no arriving device has taken too long.
    pub(super) judge_at: Duration,
    /// Since when balena has answered without a gap; `None` while it does not.
    steady_since: Option<Duration>,
    /// How each device was that balena has named, when it last answered.
    last: BTreeMap<usize, (DeviceUuid, Sight)>,
    /// Those that are well, and not migrated as far as the run knows.
    found: BTreeSet<usize>,
    /// Migrated devices that nothing has been told of yet.
    unknown: BTreeSet<usize>,
    /// Since when each migrated device has been well.
    well: BTreeMap<usize, Duration>,
    /// Those of them without VPN.
    no_vpn: BTreeSet<usize>,
    /// Since when a migrated device has not been well.
    ill: BTreeMap<usize, Duration>,
    /// Since when each arriving device has been well.
    arriving: BTreeMap<usize, Duration>,
}

impl Sights {
    /// Nothing has been told yet.
    pub(super) fn of(roster: &Roster) -> Sights {
        Sights { unknown: roster.migrated().collect(), ..Sights::default() }
    }

    /// balena does not answer: how long anything has been well is counted anew when it does.
    pub(super) fn lose(&mut self, why: String) {
        self.unwell = Some(why);
        self.steady_since = None;
    }

    /// balena has answered.
    pub(super) fn open(&mut self, now: Duration) {
        self.seen_at = Some(now);
        self.steady_since.get_or_insert(now);
        self.unwell = None;
    }

    /// What a whole answer says otherwise than the last one: whom balena does not name any more it does not see.
    pub(super) fn changes(&self, answer: Vec<Seen>, roster: &Roster) -> Vec<Seen> {
        let named: BTreeSet<usize> =
            answer.iter().filter_map(|seen| roster.number(&seen.device)).collect();
        let mut changes = answer;
        changes.retain(|seen| {
            let number = roster.number(&seen.device);
            let last = number.and_then(|number| self.last.get(&number));
            last.is_none_or(|(_, sight)| *sight != seen.sight)
        });
        let missing = self
            .last
            .iter()
            .filter(|(number, (_, sight))| *sight != Sight::Silent && !named.contains(number));
        changes.extend(missing.filter_map(|(number, (uuid, _))| {
            let device = roster.name(*number)?.clone();
            Some(Seen { device, uuid: uuid.clone(), sight: Sight::Silent })
        }));
        changes
    }

    /// Takes down how a device is; `migrated` if the run knows that it has arrived.
    pub(super) fn tell(&mut self, number: usize, uuid: DeviceUuid, sight: Sight, migrated: bool) {
        match sight {
            Sight::Well { .. } if !migrated => _ = self.found.insert(number),
            Sight::Well { .. } => {}
            Sight::Unwell(_) | Sight::Silent => {
                self.found.remove(&number);
                self.arriving.remove(&number);
            }
        }
        self.last.insert(number, (uuid, sight));
        if migrated {
            self.unknown.insert(number);
        }
    }

    /// Those that are well, and not migrated as far as the run knows.
    pub(super) fn found(&self) -> Vec<usize> {
        self.found.iter().copied().collect()
    }

    /// How balena sees a device that is well: its uuid and the version of its OS.
    pub(super) fn as_well(&self, number: usize) -> Option<(DeviceUuid, String)> {
        match self.last.get(&number)? {
            (uuid, Sight::Well { os_version, .. }) => Some((uuid.clone(), os_version.clone())),
            (_, Sight::Unwell(_) | Sight::Silent) => None,
        }
    }

    /// The run knows now that it has arrived.
    pub(super) fn arrived(&mut self, number: usize) {
        self.found.remove(&number);
        self.unknown.insert(number);
    }

    /// Since when an arriving device has been well, which it is now.
    pub(super) fn arriving_since(&mut self, number: usize, now: Duration) -> Duration {
        let since = *self.arriving.entry(number).or_insert(now);
        since.max(self.steady_since.unwrap_or(now))
    }

    pub(super) fn is_arriving(&self, number: usize) -> bool {
        self.arriving.contains_key(&number)
    }

    /// Why an arriving device that answers is not well.
    pub(super) fn ailment(&self, number: usize) -> Option<&str> {
        match self.last.get(&number)? {
            (_, Sight::Unwell(why)) => Some(why),
            (_, Sight::Well { .. } | Sight::Silent) => None,
        }
    }

    /// Watches migrated devices of which something new is known.
    pub(super) fn watch(&mut self, now: Duration) {
        for number in std::mem::take(&mut self.unknown) {
            match self.last.get(&number) {
                Some((_, Sight::Well { vpn, .. })) => {
                    self.ill.remove(&number);
                    self.well.entry(number).or_insert(now);
                    match vpn {
                        true => self.no_vpn.remove(&number),
                        false => self.no_vpn.insert(number),
                    };
                }
                Some((_, Sight::Unwell(_) | Sight::Silent)) | None => {
                    self.well.remove(&number);
                    self.no_vpn.remove(&number);
                    self.ill.entry(number).or_insert(now);
                }
            }
        }
    }

    /// One of the migrated devices that are not well.
    pub(super) fn any_ill(&self) -> Option<usize> {
        self.ill.last_key_value().map(|(number, _)| *number)
    }

    /// One of the migrated devices without VPN.
    pub(super) fn any_without_vpn(&self) -> Option<usize> {
        self.no_vpn.last().copied()
    }

    /// For how long a migrated device has been well without a gap, when balena last answered.
    pub(super) fn well_for(&self, number: usize) -> Option<Duration> {
        let since = (*self.well.get(&number)?).max(self.steady_since?);
        Some(self.seen_at?.saturating_sub(since))
    }

    pub(super) fn has_vpn(&self, number: usize) -> bool {
        !self.no_vpn.contains(&number)
    }

    pub(super) fn unwell_since(&self, number: usize) -> Option<Duration> {
        self.ill.get(&number).copied()
    }
}
