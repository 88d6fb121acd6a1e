//! Makes texts of other texts: the same ones for the same seed, so that what was found is found again.

/// Pieces that mean something to one reader or another.
const PIECES: &[&str] = &[
    "\n",
    "\r\n",
    "\t",
    "  ",
    "- ",
    ": ",
    ",",
    "[",
    "]",
    "{",
    "}",
    "\"",
    "'",
    "\\",
    "|",
    ">-",
    "&a ",
    "*a",
    "<<: ",
    "!!str ",
    "#",
    "---\n",
    "~",
    "null",
    "true",
    "0",
    "-1",
    "1.5",
    "1e999",
    "0x",
    "[1:9999999]",
    "[a:f]",
    "[01:09:0]",
    "18446744073709551616",
    "99999999999d",
    "100%",
    "4MB/s",
    "=",
    "[all]\n",
    "[pi4]\n",
    "$",
    "*",
    "?",
    "!",
    "&",
    "..",
    "/",
    "::",
    "/33",
    "\u{0}",
    "\u{1b}[1m",
    "\u{feff}",
    "\u{85}",
    "é",
    "\u{1F600}",
];

/// The most that a text may grow to.
const LONGEST: usize = 32 << 10;

/// Texts of this length that repeat themselves: each seed, each of its lines within the rest, and each piece after the
/// beginning of a seed.
pub(super) fn stretched(
    seeds: &'static [&'static [u8]],
    length: usize,
) -> impl Iterator<Item = Vec<u8>> {
    let again = move |before: &[u8], piece: &[u8], after: &[u8]| {
        let most = length.saturating_sub(before.len() + after.len()) / piece.len().max(1);
        [before, &piece.repeat(most), after].concat()
    };
    seeds.iter().flat_map(move |seed| {
        let whole = std::iter::once(again(b"", seed, b""));
        let ends =
            seed.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
        let starts = std::iter::once(0).chain(ends);
        let lines: Vec<Vec<u8>> = starts
            .filter_map(|start| {
                let (before, rest) = seed.split_at_checked(start)?;
                let end =
                    rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |at| at + 1);
                let (line, after) = rest.split_at_checked(end)?;
                (!line.is_empty() && line.len() < length).then(|| again(before, line, after))
            })
            .collect();
        let half = seed.split_at(seed.len() / 2).0;
        let pieces = PIECES.iter().map(move |piece| again(half, piece.as_bytes(), b""));
        whole.chain(lines).chain(pieces)
    })
}

/// Changed texts without end.
pub struct Changes<'a> {
    seeds: &'a [&'a [u8]],
    state: u64,
}

impl<'a> Changes<'a> {
    /// Texts made of these.
    pub fn new(seeds: &'a [&'a [u8]], seed: u64) -> Self {
        Changes { seeds, state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1 }
    }

    /// The next text: a seed with one to eight changes.
    pub fn next_text(&mut self) -> Vec<u8> {
        let mut text = self.seed();
        for _ in 0..=self.below(7) {
            self.change(&mut text);
        }
        text.truncate(LONGEST);
        text
    }

    fn seed(&mut self) -> Vec<u8> {
        let index = self.below(self.seeds.len());
        self.seeds.get(index).map(|seed| seed.to_vec()).unwrap_or_default()
    }

    fn change(&mut self, text: &mut Vec<u8>) {
        let at = self.below(text.len() + 1);
        let end = at + self.below((text.len() - at).min(24) + 1);
        match self.below(7) {
            0 => {
                let bit = 1 << self.below(8);
                if let Some(byte) = text.get_mut(at) {
                    *byte ^= bit;
                }
            }
            1 => drop(text.drain(at..end)),
            2 => {
                let again: Vec<u8> = text.get(at..end).unwrap_or_default().to_vec();
                drop(text.splice(at..at, again));
            }
            3 => text.truncate(at),
            4 => {
                let other = self.seed();
                let from = self.below(other.len() + 1);
                drop(text.splice(at.., other.get(from..).unwrap_or_default().iter().copied()));
            }
            _ => {
                let index = self.below(PIECES.len());
                let piece = PIECES.get(index).copied().unwrap_or_default();
                drop(text.splice(at..end, piece.bytes()));
            }
        }
    }

    /// A number below this one: xorshift64 is random enough to choose places by.
    fn below(&mut self, limit: usize) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        let limit = u64::try_from(limit).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.state % limit).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_texts_and_another_one_others() {
        let texts = |seed| {
            let mut changes = Changes::new(&[b"migos: 1\n", b"policy: 1\n"], seed);
            (0..100).map(|_| changes.next_text()).collect::<Vec<_>>()
        };
        assert_eq!(texts(1), texts(1));
        assert_ne!(texts(1), texts(2));
    }
}
