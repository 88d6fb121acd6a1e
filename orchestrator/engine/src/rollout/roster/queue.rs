//! Devices that wait for room, each in its place: the first whose site has room is found without a look at the others.

use std::collections::{BTreeMap, BTreeSet};

/// Devices that wait, by a kind, whose devices are decided on alike but for their sites, and by site.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// The places of the devices of each site and kind.
    lines: BTreeMap<(usize, usize), BTreeSet<usize>>,
    /// The first place of each line whose site has room, by kind.
    heads: BTreeMap<usize, BTreeSet<usize>>,
    /// How many lines each kind has.
    kinds: BTreeMap<usize, usize>,
    /// Sites without room.
    full: BTreeSet<usize>,
}

impl Queue {
    pub(super) fn insert(&mut self, kind: usize, site: usize, place: usize) {
        self.change(kind, site, |line| line.insert(place));
    }

    /// Does nothing if it is not in the queue.
    pub(super) fn remove(&mut self, kind: usize, site: usize, place: usize) {
        self.change(kind, site, |line| line.remove(&place));
    }

    fn change(
        &mut self,
        kind: usize,
        site: usize,
        change: impl FnOnce(&mut BTreeSet<usize>) -> bool,
    ) {
        let line = self.lines.entry((site, kind)).or_default();
        let before = line.first().copied();
        change(line);
        let after = line.first().copied();
        if line.is_empty() {
            self.lines.remove(&(site, kind));
        }
        match (before, after) {
            (None, Some(_)) => *self.kinds.entry(kind).or_default() += 1,
            (Some(_), None) => self.end_of_line(kind),
            _ => {}
        }
        if before != after && !self.full.contains(&site) {
            self.lead(kind, before, after);
        }
    }

    fn end_of_line(&mut self, kind: usize) {
        let lines = self.kinds.remove(&kind).unwrap_or_default().saturating_sub(1);
        if lines > 0 {
            self.kinds.insert(kind, lines);
        }
    }

    /// Another place is the first of a line.
    fn lead(&mut self, kind: usize, before: Option<usize>, after: Option<usize>) {
        let heads = self.heads.entry(kind).or_default();
        before.map(|place| heads.remove(&place));
        heads.extend(after);
        if heads.is_empty() {
            self.heads.remove(&kind);
        }
    }

    /// Whoever waits for this site is found again only when it has room.
    pub(super) fn set_full(&mut self, site: usize, is_full: bool) {
        let changes = match is_full {
            true => self.full.insert(site),
            false => self.full.remove(&site),
        };
        if !changes {
            return;
        }
        let lines = self.lines.range((site, 0)..=(site, usize::MAX));
        let firsts: Vec<_> =
            lines.map(|((_, kind), line)| (*kind, line.first().copied())).collect();
        for (kind, first) in firsts {
            match is_full {
                true => self.lead(kind, first, None),
                false => self.lead(kind, None, first),
            }
        }
    }

    /// The first place of each kind that has one at a site with room.
    pub(super) fn firsts(&self) -> impl Iterator<Item = (usize, usize)> {
        self.heads.iter().filter_map(|(kind, places)| Some((*kind, *places.first()?)))
    }

    /// All kinds that anybody waits of, whether or not there is room.
    pub(super) fn kinds(&self) -> impl Iterator<Item = usize> {
        self.kinds.keys().copied()
    }

    /// All places, in order.
    pub(super) fn places(&self) -> Vec<usize> {
        let mut places: Vec<usize> = self.lines.values().flatten().copied().collect();
        places.sort_unstable();
        places
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    /// Whoever is first of a kind, looked for among all that wait.
    fn looked_for(
        all: &BTreeSet<(usize, usize, usize)>,
        full: &BTreeSet<usize>,
    ) -> Vec<(usize, usize)> {
        let mut firsts: BTreeMap<usize, usize> = BTreeMap::new();
        for (place, kind, _) in all.iter().filter(|(_, _, site)| !full.contains(site)) {
            firsts.entry(*kind).or_insert(*place);
        }
        firsts.into_iter().collect()
    }

    proptest! {
        #[test]
        fn the_first_is_whoever_a_look_at_all_finds(
            acts in prop::collection::vec((0..4usize, 0..12usize), 0..60),
        ) {
            let (mut queue, mut all, mut full) = (Queue::default(), BTreeSet::new(), BTreeSet::new());
            for (act, place) in acts {
                let (kind, site) = (place % 2, place % 3);
                match act {
                    0 => {
                        queue.insert(kind, site, place);
                        all.insert((place, kind, site));
                    }
                    1 => {
                        queue.remove(kind, site, place);
                        all.remove(&(place, kind, site));
                    }
                    2 => {
                        queue.set_full(site, true);
                        full.insert(site);
                    }
                    _ => {
                        queue.set_full(site, false);
                        full.remove(&site);
                    }
                }
                prop_assert_eq!(queue.firsts().collect::<Vec<_>>(), looked_for(&all, &full));
                let places: Vec<usize> = all.iter().map(|(place, _, _)| *place).collect();
                prop_assert_eq!(queue.places(), places);
                let kinds: BTreeSet<usize> = all.iter().map(|(_, kind, _)| *kind).collect();
                prop_assert_eq!(queue.kinds().collect::<Vec<_>>(), Vec::from_iter(kinds));
            }
        }
    }
}
