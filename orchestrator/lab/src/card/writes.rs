//! Writes one by one: how many there were, which of them would survive a power cut, and at which one
//! the power goes.

use super::{Card, Medium};

/// What a power cut takes from the card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// Nothing: every write up to the cut is on the card.
    Nothing,
    /// Every write that no sync has followed, the last one among them.
    Unsynced,
}

/// The writes of a card.
pub(super) struct Writes {
    count: u64,
    cut: Option<(u64, Loss)>,
    /// What is on the card for certain.
    durable: Medium,
}

impl Writes {
    pub(super) fn new(medium: &Medium) -> Self {
        Self { count: 0, cut: None, durable: medium.clone() }
    }
}

/// What becomes of the power after a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Power {
    Stays,
    Goes,
}

impl Card {
    /// How many writes there were.
    pub(crate) fn writes(&self) -> u64 {
        self.writes.count
    }

    /// Has the power go with this write, counted from the card's first.
    pub(crate) fn cut_at(&mut self, write: u64, loss: Loss) {
        self.writes.cut = Some((write, loss));
    }

    /// Everything that has been written is on the card for certain.
    pub(crate) fn sync(&mut self) {
        self.writes.durable = self.medium.clone();
    }

    /// Counts a write that has been done; where the power goes with it, the card is left as it is found
    /// afterwards.
    pub(crate) fn wrote(&mut self) -> Power {
        self.writes.count += 1;
        let Some((_, loss)) = self.writes.cut.take_if(|(write, _)| *write == self.writes.count)
        else {
            return Power::Stays;
        };
        if loss == Loss::Unsynced {
            self.medium = self.writes.durable.clone();
        }
        Power::Goes
    }

    /// What was written to memory above a root file system is gone.
    pub(crate) fn drop_overlay(&mut self) {
        if let Some(partitions) = self.partitions_mut()
            && let Some(lower) = partitions.lower.take()
        {
            partitions.root = lower;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::card::{FileSystem, Kind, Pool};

    fn after_three_writes(loss: Loss) -> Vec<String> {
        let file_system = |kind| FileSystem::new(kind, 512, 100);
        let mut card = Card::new(1, 1, file_system(Kind::Fat), file_system(Kind::Unix));
        card.cut_at(3, loss);
        for (name, power) in [("a", Power::Stays), ("b", Power::Stays), ("c", Power::Goes)] {
            let boot = &mut card.partitions_mut().unwrap().boot;
            boot.write(name, Pool::default().keep(b"x")).unwrap();
            assert_eq!(card.wrote(), power);
            if name == "a" {
                card.sync();
            }
        }
        assert_eq!(card.wrote(), Power::Stays, "the power goes once");
        card.partitions().unwrap().boot.files().map(|(path, _)| path.to_owned()).collect()
    }

    #[test]
    fn the_power_goes_with_a_write_and_may_take_what_was_not_synced() {
        assert_eq!(after_three_writes(Loss::Nothing), ["a", "b", "c"]);
        assert_eq!(after_three_writes(Loss::Unsynced), ["a"]);
    }
}
