//! Whose turn it is: the first device that the limits allow.

use super::queue::Queue;
use super::{Kind, Roster};
use migos_inventory::DeviceId;
use migos_playbooks::window::Window;
use std::collections::BTreeSet;
use std::time::Duration;

/// When devices of a kind may start.
#[derive(Debug, Clone, Copy)]
pub(in crate::rollout) struct Hours<'a> {
    /// While this is open.
    pub(in crate::rollout) window: &'a Window,
    /// Its number.
    pub(in crate::rollout) number: usize,
    /// For so long at least: what a device takes.
    pub(in crate::rollout) whole: Duration,
}

impl Roster {
    /// True if the run or the stage has room for one device more.
    fn has_room(&self, stage: usize) -> bool {
        self.in_flight < self.parallel
            && self.stages.get(stage).is_some_and(|stage| stage.in_flight < stage.parallel)
    }

    /// The first that may start in this stage: of its own devices, then in the last one of those that are left over of
    /// earlier ones, then of those that were away. `fits` tells whether the hours let a device start.
    pub(in crate::rollout) fn first_to_start(
        &self,
        stage: usize,
        mut fits: impl FnMut(Hours<'_>) -> bool,
    ) -> Option<&DeviceId> {
        if !self.has_room(stage) {
            return None;
        }
        let mut may_start = |kind: usize| {
            let Some(kind) = self.kinds.get(kind) else { return false };
            self.classes.get(kind.class).is_some_and(|class| class.has_room())
                && self.hours(kind).is_none_or(&mut fits)
        };
        let first = |queue: &Queue| {
            let mut first: Option<usize> = None;
            for (kind, place) in queue.firsts() {
                if first.is_none_or(|first| place < first) && may_start(kind) {
                    first = Some(place);
                }
            }
            first
        };
        let place = self.queues(stage).find_map(first)?;
        self.name(*self.in_order.get(place)?)
    }

    /// Who waits for a start in this stage, in the order in which they are taken.
    fn queues(&self, stage: usize) -> impl Iterator<Item = &Queue> {
        let is_last = stage + 1 == self.stages.len();
        let own = self.stages.get(stage).into_iter();
        let earlier = self.stages.iter().take(if is_last { stage } else { 0 });
        own.chain(earlier).map(|stage| &stage.waiting).chain(is_last.then_some(&self.due))
    }

    fn waiting_kinds(&self, stage: usize) -> impl Iterator<Item = &Kind> {
        let kinds: BTreeSet<usize> = self.queues(stage).flat_map(Queue::kinds).collect();
        kinds.into_iter().filter_map(|kind| self.kinds.get(kind))
    }

    /// `None`: at any time. By what the slowest of the class has taken, else by the plan.
    fn hours(&self, kind: &Kind) -> Option<Hours<'_>> {
        let (number, planned) = kind.hours?;
        let slowest = self.classes.get(kind.class).and_then(|class| class.slowest);
        let whole = slowest.map_or(planned, |slowest| slowest.whole());
        Some(Hours { window: self.windows.get(number)?, number, whole })
    }

    /// The hours of all who wait for a start in this stage; of none twice.
    pub(in crate::rollout) fn waiting_hours(&self, stage: usize) -> Vec<Option<Hours<'_>>> {
        self.waiting_kinds(stage).map(|kind| self.hours(kind)).collect()
    }

    pub(in crate::rollout) fn has_waiting(&self, stage: usize) -> bool {
        self.queues(stage).any(|queue| queue.kinds().next().is_some())
    }

    /// All who wait for a start in this stage.
    pub(in crate::rollout) fn waiting(&self, stage: usize) -> Vec<DeviceId> {
        let places = self.queues(stage).flat_map(Queue::places);
        self.names(places.filter_map(|place| self.in_order.get(place).copied()))
    }

    /// Those that have arrived of classes that are not open, while others of these wait for a start in this stage.
    pub(in crate::rollout) fn first_of_waiting_classes(&self, stage: usize) -> BTreeSet<usize> {
        let classes: BTreeSet<usize> = self.waiting_kinds(stage).map(|kind| kind.class).collect();
        let classes = classes.into_iter().filter_map(|class| self.classes.get(class));
        let closed = classes.filter(|class| !class.is_open);
        closed.flat_map(|class| class.migrated.iter().copied()).collect()
    }

    /// Those that were away wait for another try after `retry`, and are given up after `wait`.
    pub(in crate::rollout) fn call_the_away(
        &mut self,
        now: Duration,
        retry: Duration,
        wait: Duration,
    ) {
        while let Some((first, number)) = self.away.first().copied()
            && now >= first.saturating_add(wait)
        {
            self.away.pop_first();
            let Some(seat) = self.seats.get(number) else { continue };
            self.due.remove(seat.kind, seat.site, seat.place);
            if let Some((_, last)) = seat.standing.away {
                self.resting.remove(&(last, number));
            }
        }
        while let Some((last, number)) = self.resting.first().copied()
            && now.saturating_sub(last) >= retry
        {
            self.resting.pop_first();
            let Some(seat) = self.seats.get(number) else { continue };
            self.due.insert(seat.kind, seat.site, seat.place);
        }
    }

    /// Those that were away and are still waited for, and when the last of them was so for the first time.
    pub(in crate::rollout) fn away(&self) -> Option<(Vec<DeviceId>, Duration)> {
        let (last, _) = self.away.last()?;
        let numbers: BTreeSet<usize> = self.away.iter().map(|(_, number)| *number).collect();
        Some((self.names(numbers), *last))
    }

    pub(in crate::rollout) fn anybody_is_away(&self) -> bool {
        !self.away.is_empty()
    }

    /// The first arrived device for which something is left to do, and that the limits allow.
    pub(in crate::rollout) fn first_to_settle(&self) -> Option<&DeviceId> {
        self.name(self.first_in(&self.to_settle)?)
    }

    /// Whoever comes first in a queue by stages.
    fn first_in(&self, queue: &Queue) -> Option<usize> {
        let firsts = queue.firsts().filter(|(stage, _)| self.has_room(*stage));
        firsts.map(|(_, place)| place).min()
    }

    /// These devices are to be given back, in this order.
    pub(in crate::rollout) fn give_back(&mut self, devices: &[DeviceId]) {
        for number in devices.iter().filter_map(|id| self.number(id)).collect::<Vec<_>>() {
            let Some(seat) = self.seats.get(number) else { continue };
            self.to_give_back.insert(seat.stage, seat.site, self.given_back_in.len());
            self.given_back_in.push(number);
        }
    }

    /// True if devices are still to be given back.
    pub(in crate::rollout) fn has_to_give_back(&self) -> bool {
        self.to_give_back.kinds().next().is_some()
    }

    /// Takes the first device to be given back that the limits allow.
    pub(in crate::rollout) fn next_to_give_back(&mut self) -> Option<DeviceId> {
        let place = self.first_in(&self.to_give_back)?;
        let seat = self.seats.get(*self.given_back_in.get(place)?)?;
        self.to_give_back.remove(seat.stage, seat.site, place);
        Some(seat.id.clone())
    }
}
