//! Who lets Raspbian return if nobody comes: a reset before the commit is Raspbian.

use migos_contract::DeadMan as Limits;
use std::time::Duration;

/// How long MIGOS still stays. All times are counted from its start; a Pi has no clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadMan {
    limits: Limits,
    contacted: bool,
    committed: bool,
}

/// What somebody who looks at the screen wants to know.
const MINUTE: u64 = 60;

impl DeadMan {
    /// Waits for the controller.
    pub fn new(limits: Limits) -> Self {
        Self { limits, contacted: false, committed: false }
    }

    /// The controller has come.
    pub fn contact(&mut self) {
        self.contacted = true;
    }

    /// There is no way back: from here nothing may reboot by itself.
    pub fn commit(&mut self) {
        self.committed = true;
    }

    /// When it ends; nothing after the commit.
    pub fn deadline(&self) -> Option<Duration> {
        let Limits { contact_seconds, commit_seconds } = self.limits;
        let seconds = match self.contacted {
            true => commit_seconds,
            false => contact_seconds.min(commit_seconds),
        };
        (!self.committed).then(|| Duration::from_secs(seconds))
    }

    /// Why it is over, if it is.
    pub fn is_over(&self, now: Duration) -> Option<&'static str> {
        self.deadline().filter(|deadline| now >= *deadline)?;
        Some(match self.contacted {
            true => "the controller came and gave no commit in time",
            false => "the controller did not come in time",
        })
    }

    /// Whole minutes left, rounded up; nothing after the commit.
    pub fn minutes_left(&self, now: Duration) -> Option<u64> {
        let left = self.deadline()?.saturating_sub(now);
        Some(left.as_secs().div_ceil(MINUTE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn without_contact_it_ends_early_with_contact_later_and_with_the_commit_never() {
        let mut dead_man = DeadMan::new(Limits { contact_seconds: 600, commit_seconds: 1800 });
        assert_eq!(dead_man.is_over(seconds(599)), None);
        assert_eq!(dead_man.is_over(seconds(600)), Some("the controller did not come in time"));
        assert_eq!(dead_man.minutes_left(seconds(61)), Some(9));
        dead_man.contact();
        assert_eq!(dead_man.is_over(seconds(1799)), None);
        let late = Some("the controller came and gave no commit in time");
        assert_eq!(dead_man.is_over(seconds(1800)), late);
        assert_eq!(dead_man.minutes_left(seconds(9999)), Some(0));
        dead_man.commit();
        assert_eq!(dead_man.is_over(seconds(99_999)), None);
        assert_eq!(dead_man.minutes_left(seconds(0)), None);
    }

    #[test]
    fn contact_never_makes_it_wait_longer_than_for_the_commit() {
        let dead_man = DeadMan::new(Limits { contact_seconds: 600, commit_seconds: 60 });
        assert_eq!(dead_man.deadline(), Some(seconds(60)));
    }
}
