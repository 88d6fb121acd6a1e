//! What of a device's state decisions go by, and how a change of it is taken down.

use super::Roster;
use migos_events::{Counted, DeviceState, Progress};
use std::time::Duration;

/// What of a device's state decisions go by; by default nothing has happened to it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Standing {
    counted: Counted,
    /// On its way to balena.
    arriving: bool,
    pub(super) has_task: bool,
    /// It has ended badly, and a person has looked at it.
    forgiven: bool,
    /// One-shot boot was proven on it.
    proven: bool,
    /// It has arrived, and something is left to do for it.
    to_settle: bool,
    /// This controller has tried to do that.
    tried: bool,
    /// When it was away for the first time and for the last time, if it is.
    pub(super) away: Option<(Duration, Duration)>,
}

impl Standing {
    /// How it stands after this progress; `settles` if the plan leaves something to do for it once it has arrived.
    pub(super) fn after(
        self,
        progress: Option<&Progress>,
        forgiven: impl Fn() -> bool,
        settles: bool,
    ) -> Standing {
        let Standing { has_task, tried, .. } = self;
        let Some(progress) = progress else {
            return Standing { has_task, tried, ..Standing::default() };
        };
        let counted = Counted::of(&progress.state);
        let first_away = progress.away_since.unwrap_or(progress.since);
        Standing {
            counted,
            arriving: matches!(progress.state, DeviceState::Arriving | DeviceState::Late),
            has_task,
            forgiven: counted.ended_badly() && forgiven(),
            proven: progress.proven,
            to_settle: settles && counted == Counted::Migrated && !progress.settled && !tried,
            tried,
            away: (counted == Counted::Away).then_some((first_away, progress.since)),
        }
    }

    pub(super) fn with_task(self, has_task: bool) -> Standing {
        Standing { has_task, ..self }
    }

    pub(super) fn tried(self) -> Standing {
        Standing { to_settle: false, tried: true, ..self }
    }

    pub(super) fn is_in_flight(self) -> bool {
        self.has_task || self.arriving
    }

    pub(super) fn waits(self) -> bool {
        self.counted == Counted::Pending && !self.is_in_flight()
    }

    pub(super) fn may_still_start(self) -> bool {
        self.waits() || (self.away.is_some() && !self.is_in_flight())
    }

    /// What a device's link or a change of its files does is not its class's fault.
    pub(super) fn has_failed(self) -> bool {
        matches!(self.counted, Counted::Failed | Counted::Stuck | Counted::Lost) && !self.forgiven
    }
}

#[cfg(test)]
impl Standing {
    pub(super) fn counted(self) -> Counted {
        self.counted
    }

    pub(super) fn is_forgiven(self) -> bool {
        self.forgiven
    }

    pub(super) fn is_proven(self) -> bool {
        self.proven
    }
}

impl Roster {
    /// A device stands otherwise than before.
    pub(super) fn place(&mut self, number: usize, after: Standing) {
        let Some(before) = self.seats.get(number).map(|seat| seat.standing) else { return };
        if before == after {
            return;
        }
        self.leave(number, before);
        if before.is_in_flight() != after.is_in_flight() {
            self.fly(number, after.is_in_flight());
        }
        self.enter(number, after);
    }

    /// Takes it out of every count and queue that it is in by its standing.
    fn leave(&mut self, number: usize, before: Standing) {
        let Some(seat) = self.seats.get(number) else { return };
        let (kind, site, place) = (seat.kind, seat.site, seat.place);
        if let Some(stage) = self.stages.get_mut(seat.stage) {
            if !before.forgiven {
                stage.tally.remove(before.counted);
            }
            if before.waits() {
                stage.waiting.remove(kind, site, place);
            }
        }
        if let Some((first, last)) = before.away {
            self.away.remove(&(first, number));
            self.resting.remove(&(last, number));
            self.due.remove(kind, site, place);
        }
        if before.arriving {
            self.arriving.remove(&number);
        }
        if before.to_settle && !before.has_task {
            self.to_settle.remove(seat.stage, site, number);
        }
        let Some(class) = self.classes.get_mut(seat.class) else { return };
        class.startable -= u32::from(before.may_still_start());
        class.proven -= u32::from(before.proven);
        if before.has_failed() {
            class.failed.remove(&number);
        }
        if before.counted == Counted::Migrated {
            class.migrated.remove(&number);
        }
    }

    /// Enters it into every count and queue that it belongs to by its standing.
    pub(super) fn enter(&mut self, number: usize, after: Standing) {
        let Some(seat) = self.seats.get_mut(number) else { return };
        seat.standing = after;
        let (kind, site, place) = (seat.kind, seat.site, seat.place);
        if let Some(stage) = self.stages.get_mut(seat.stage) {
            if !after.forgiven {
                stage.tally.add(after.counted);
            }
            if after.waits() {
                stage.waiting.insert(kind, site, place);
            }
        }
        if let Some((first, last)) = after.away {
            self.away.insert((first, number));
            if !after.is_in_flight() {
                self.resting.insert((last, number));
            }
        }
        if after.arriving {
            self.arriving.insert(number);
        }
        if after.to_settle && !after.has_task {
            self.to_settle.insert(seat.stage, site, number);
        }
        let class_number = seat.class;
        if let Some(class) = self.classes.get_mut(class_number) {
            class.startable += u32::from(after.may_still_start());
            class.proven += u32::from(after.proven);
            if after.has_failed() {
                class.failed.insert(number);
            }
            if after.counted == Counted::Migrated {
                class.migrated.insert(number);
            }
        }
        self.watch_class(class_number);
    }

    /// A device begins to be in flight, or is not any more.
    fn fly(&mut self, number: usize, flies: bool) {
        let Some(seat) = self.seats.get(number) else { return };
        let change = |count: &mut u32| match flies {
            true => *count += 1,
            false => *count = count.saturating_sub(1),
        };
        change(&mut self.in_flight);
        if let Some(stage) = self.stages.get_mut(seat.stage) {
            change(&mut stage.in_flight);
        }
        if let Some(class) = self.classes.get_mut(seat.class) {
            change(&mut class.in_flight);
        }
        let number = seat.site;
        if let Some(site) = self.sites.get_mut(number) {
            change(&mut site.in_flight);
        }
        self.mind_site(number);
    }

    /// Whoever waits for a site without room is not found.
    pub(super) fn mind_site(&mut self, number: usize) {
        let is_full = self.sites.get(number).is_some_and(|site| site.in_flight >= site.most);
        let waiting = self.stages.iter_mut().map(|stage| &mut stage.waiting);
        let others = [&mut self.due, &mut self.to_settle, &mut self.to_give_back];
        waiting.chain(others).for_each(|queue| queue.set_full(number, is_full));
    }
}
