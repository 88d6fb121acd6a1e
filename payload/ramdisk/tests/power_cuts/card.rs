//! A card whose power can be cut at any write, with a cache that loses or reorders what was not synced.

use migos_ramdisk::disk::Disk;
use std::io;

/// What a power cut leaves of the write that it interrupts, and of those before it that were not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loss {
    /// Everything up to the interrupted write, and so many eighths of its sectors.
    Torn(usize),
    /// What was not synced is lost, but for the interrupted write, which overtook it.
    Overtaken,
    /// Everything that was not synced is lost.
    Unsynced,
}

pub(crate) const LOSSES: [Loss; 5] =
    [Loss::Torn(0), Loss::Torn(3), Loss::Torn(8), Loss::Overtaken, Loss::Unsynced];

pub(crate) struct Card {
    /// What is on the medium.
    pub(crate) medium: Vec<u8>,
    pending: Vec<(usize, Vec<u8>)>,
    pub(crate) writes: usize,
    cut: Option<(usize, Loss)>,
    off: bool,
}

impl Card {
    pub(crate) fn new(medium: Vec<u8>) -> Self {
        Self { medium, pending: Vec::new(), writes: 0, cut: None, off: false }
    }

    /// The power goes at that write, counted from 0.
    pub(crate) fn cut_at(medium: Vec<u8>, write: usize, loss: Loss) -> Self {
        Self { cut: Some((write, loss)), ..Self::new(medium) }
    }

    fn settle(&mut self) {
        for (at, bytes) in std::mem::take(&mut self.pending) {
            self.medium[at..at + bytes.len()].copy_from_slice(&bytes);
        }
    }

    fn lose(&mut self, loss: Loss, at: usize, bytes: &[u8]) {
        let kept = match loss {
            // Less than a sector is never torn.
            Loss::Torn(eighths) => match (bytes.len() <= 512, eighths) {
                (true, 8) => bytes.len(),
                (true, _) => 0,
                (false, _) => bytes.len() / 512 * eighths / 8 * 512,
            },
            Loss::Overtaken => bytes.len(),
            Loss::Unsynced => 0,
        };
        if !matches!(loss, Loss::Torn(_)) {
            self.pending.clear();
        }
        self.pending.push((at, bytes[..kept].to_vec()));
        self.settle();
        self.off = true;
    }
}

fn no_power() -> io::Error {
    io::Error::other("no power")
}

impl Disk for Card {
    fn size(&self) -> u64 {
        self.medium.len() as u64
    }

    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<()> {
        if self.off {
            return Err(no_power());
        }
        let (start, end) = (at as usize, at as usize + into.len());
        let bytes = self.medium.get(start..end).ok_or(io::ErrorKind::UnexpectedEof)?;
        into.copy_from_slice(bytes);
        for (at, bytes) in &self.pending {
            let (from, to) = ((*at).max(start), (at + bytes.len()).min(end));
            if from < to {
                into[from - start..to - start].copy_from_slice(&bytes[from - at..to - at]);
            }
        }
        Ok(())
    }

    fn write_at(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        let at = at as usize;
        assert!(at + bytes.len() <= self.medium.len(), "a write behind the card's end");
        if self.off {
            return Err(no_power());
        }
        if let Some((_, loss)) = self.cut.filter(|(write, _)| *write == self.writes) {
            self.lose(loss, at, bytes);
            return Err(no_power());
        }
        self.writes += 1;
        self.pending.push((at, bytes.to_vec()));
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        if self.off {
            return Err(no_power());
        }
        self.settle();
        Ok(())
    }
}
