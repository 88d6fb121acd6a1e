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
const LONGEST: usize = 8 << 10;

/// Changed texts without end.
pub struct Changes {
    seeds: &'static [&'static str],
    state: u64,
}

impl Changes {
    /// Texts made of these.
    pub fn new(seeds: &'static [&'static str], seed: u64) -> Self {
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
        self.seeds.get(index).map(|seed| seed.as_bytes().to_vec()).unwrap_or_default()
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
            let mut changes = Changes::new(&["migos: 1\n", "policy: 1\n"], seed);
            (0..100).map(|_| changes.next_text()).collect::<Vec<_>>()
        };
        assert_eq!(texts(1), texts(1));
        assert_ne!(texts(1), texts(2));
    }
}
