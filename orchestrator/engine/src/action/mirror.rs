//! The mirror: a web server near the device, from which MIGOS fetches the image. Where it does not have it, the
//! controller sends it after all.

use migos_contract::Status;
use migos_playbooks::plan::DevicePlan;

/// So often MIGOS tries in vain, before our eyes, until the image is sent: its first tries may have come before its
/// network.
const FAILURES: u32 = 2;

/// What is known of a device's mirror.
pub(super) struct Mirror {
    url: Option<String>,
    /// How often MIGOS had tried in vain when it was first looked at.
    first: Option<u32>,
    was_told: bool,
}

/// Who brings what MIGOS wants.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Bringer {
    /// The mirror: MIGOS has not tried often enough yet.
    Mirror,
    /// The controller. The words are for people, the first time.
    Controller(Option<String>),
}

impl Mirror {
    pub(super) fn of(plan: &DevicePlan) -> Mirror {
        Mirror { url: plan.mirror.clone(), first: None, was_told: false }
    }

    /// Who is to bring the image to a MIGOS that wants it.
    pub(super) fn bringer(&mut self, status: &Status) -> Bringer {
        let Some(url) = &self.url else { return Bringer::Controller(None) };
        let tries = status.unfetched.as_ref().map_or(0, |unfetched| unfetched.tries);
        let first = *self.first.get_or_insert(tries);
        match &status.unfetched {
            // After a reset it counts from the beginning.
            Some(_) if tries < first => {
                self.first = Some(tries);
                Bringer::Mirror
            }
            Some(unfetched) if tries - first >= FAILURES => {
                let is_news = !std::mem::replace(&mut self.was_told, true);
                let words = || format!("{url} does not give it the image: {}", unfetched.why);
                Bringer::Controller(is_news.then(words))
            }
            _ => Bringer::Mirror,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use migos_contract::{State, Unfetched};

    fn after(tries: u32) -> Status {
        Status {
            state: State::Ready,
            nonce: String::new(),
            serial: String::new(),
            written: 0,
            total: 0,
            wants: None,
            receiving: false,
            unfetched: (tries > 0).then(|| Unfetched { tries, why: "status 404".to_owned() }),
            configured: false,
            error: None,
        }
    }

    #[test]
    fn the_mirror_is_given_up_after_two_failures_before_our_eyes() {
        let mut mirror = Mirror { url: Some("http://m/a".into()), first: None, was_told: false };
        for tries in [0, 0, 1] {
            assert_eq!(mirror.bringer(&after(tries)), Bringer::Mirror);
        }
        let words = "http://m/a does not give it the image: status 404".to_owned();
        assert_eq!(mirror.bringer(&after(2)), Bringer::Controller(Some(words)));
        assert_eq!(mirror.bringer(&after(3)), Bringer::Controller(None));
    }

    #[test]
    fn what_failed_before_we_came_says_nothing() {
        let mut mirror = Mirror { url: Some("http://m/a".into()), first: None, was_told: false };
        for tries in [7, 8, 1, 2] {
            assert_eq!(mirror.bringer(&after(tries)), Bringer::Mirror);
        }
        assert!(matches!(mirror.bringer(&after(3)), Bringer::Controller(Some(_))));
    }

    #[test]
    fn without_a_mirror_there_is_nobody_else() {
        let mut mirror = Mirror { url: None, first: None, was_told: false };
        assert_eq!(mirror.bringer(&after(0)), Bringer::Controller(None));
    }
}
