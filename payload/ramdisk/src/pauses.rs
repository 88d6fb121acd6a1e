//! The pauses between tries of what has failed.

use std::time::Duration;

/// Pauses that double from a first to a longest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pauses {
    first: Duration,
    longest: Duration,
    next: Duration,
}

impl Pauses {
    /// Of so many seconds.
    pub fn new(first: u64, longest: u64) -> Self {
        let first = Duration::from_secs(first);
        Self { first, longest: Duration::from_secs(longest), next: first }
    }

    /// The pause after one more failure.
    pub fn after_failure(&mut self) -> Duration {
        let longer = self.next.saturating_mul(2).min(self.longest);
        std::mem::replace(&mut self.next, longer)
    }

    /// It went well: the next failure is the first.
    pub fn reset(&mut self) {
        self.next = self.first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_grow_to_the_longest_and_begin_anew_after_a_success() {
        let mut pauses = Pauses::new(5, 120);
        let seconds: Vec<_> = (0..7).map(|_| pauses.after_failure().as_secs()).collect();
        assert_eq!(seconds, [5, 10, 20, 40, 80, 120, 120]);
        pauses.reset();
        assert_eq!(pauses.after_failure(), Duration::from_secs(5));
    }
}
