//! The roster counted anew, for tests: what is kept up record by record must be what a look at all devices finds.

use super::Roster;
use super::standing::Standing;
use migos_events::{Counted, History, Tally};
use std::collections::BTreeSet;

impl Roster {
    /// Compares every count with a look at all devices and at the history.
    pub(in crate::rollout) fn assert_is_as_counted_anew(&self, history: &History) {
        for seat in &self.seats {
            let progress = history.devices.get(&seat.id);
            let forgiven = || history.forgiven.contains(&seat.id);
            assert_eq!(seat.standing, seat.standing.after(progress, forgiven, seat.settles));
        }
        assert_eq!(self.in_flight, self.count(|_| true, Standing::is_in_flight));
        for (number, site) in self.sites.iter().enumerate() {
            assert_eq!(
                site.in_flight,
                self.count(|seat| seat.site == number, Standing::is_in_flight)
            );
        }
        for number in 0..self.stages.len() {
            self.assert_stage(number);
        }
        for number in 0..self.classes.len() {
            self.assert_class(number);
        }
    }

    fn assert_stage(&self, number: usize) {
        let stage = &self.stages[number];
        let is_of_it = |seat: &super::Seat| seat.stage == number;
        assert_eq!(stage.in_flight, self.count(is_of_it, Standing::is_in_flight));
        let mut tally = Tally::default();
        let own = self.seats.iter().filter(|seat| is_of_it(seat));
        own.clone()
            .filter(|it| !it.standing.is_forgiven())
            .for_each(|it| tally.add(it.standing.counted()));
        assert_eq!(stage.tally, tally);
        let mut waiting: Vec<usize> =
            own.filter(|seat| seat.standing.waits()).map(|seat| seat.place).collect();
        waiting.sort_unstable();
        assert_eq!(stage.waiting.places(), waiting);
    }

    fn assert_class(&self, number: usize) {
        let class = &self.classes[number];
        let is_of_it = |seat: &super::Seat| seat.class == number;
        assert_eq!(class.in_flight, self.count(is_of_it, Standing::is_in_flight));
        assert_eq!(class.startable, self.count(is_of_it, Standing::may_still_start));
        assert_eq!(class.proven, self.count(is_of_it, Standing::is_proven));
        assert_eq!(class.failed, self.those(is_of_it, Standing::has_failed));
        let has_migrated = |it: Standing| it.counted() == Counted::Migrated;
        assert_eq!(class.migrated, self.those(is_of_it, has_migrated));
    }

    fn those(
        &self,
        of: impl Fn(&super::Seat) -> bool,
        is: impl Fn(Standing) -> bool,
    ) -> BTreeSet<usize> {
        let all = self.seats.iter().enumerate();
        all.filter(|(_, seat)| of(seat) && is(seat.standing)).map(|(number, _)| number).collect()
    }

    fn count(&self, of: impl Fn(&super::Seat) -> bool, is: impl Fn(Standing) -> bool) -> u32 {
        u32::try_from(self.those(of, is).len()).unwrap_or(u32::MAX)
    }
}
