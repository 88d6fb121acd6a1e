//! `--cipher`.

use clap::ValueEnum;
use migos_engine::port::Cipher;
use migos_payload::board::BoardType;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CipherChoice {
    Auto,
    Chacha20,
    Aes,
}

impl CipherChoice {
    /// The cipher for such a board; `None`: it is not known yet.
    pub(crate) fn of(self, board: Option<BoardType>) -> Cipher {
        match self {
            CipherChoice::Chacha20 => Cipher::ChaCha20,
            CipherChoice::Aes => Cipher::Aes,
            CipherChoice::Auto if board.is_some_and(BoardType::has_aes) => Cipher::Aes,
            CipherChoice::Auto => Cipher::ChaCha20,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boards_with_instructions_for_aes_are_asked_for_it() {
        let cipher = |board| CipherChoice::Auto.of(BoardType::named(board));
        assert_eq!(["3B+", "4B", "CM4", "Zero 2 W"].map(cipher), [Cipher::ChaCha20; 4]);
        assert_eq!(["5", "500", "CM5", "CM5 Lite"].map(cipher), [Cipher::Aes; 4]);
        assert_eq!(CipherChoice::Auto.of(None), Cipher::ChaCha20);
        assert_eq!(CipherChoice::Aes.of(BoardType::named("4B")), Cipher::Aes);
    }
}
