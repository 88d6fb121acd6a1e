//! What acts by itself: watchdogs, boards on top, the clock.

use super::{Candidate, Verdict, pass, refuse, warn};
use crate::facts::Watchdog;
use crate::span::Span;

/// What the Pi's own watchdog calls itself (Linux, drivers/watchdog/bcm2835_wdt.c). MIGOS feeds it.
const OWN: &str = "Broadcom BCM2835 Watchdog";

/// One that ends with the kernel that runs it (Linux, drivers/watchdog/softdog.c).
const SOFTWARE: &str = "Software Watchdog";

/// Words in the names of boards that cut the power or reset the Pi unless a program of Raspbian's talks to them.
const MEDDLING: &[&str] =
    &["watchdog", "ups", "pijuice", "juice4halt", "witty", "sleepy", "strompi", "piwatcher"];

/// The clock is compared with the moment when probing began, and reading a large fleet takes a while.
const AHEAD: i64 = 15 * 60;
const BEHIND: i64 = 5 * 60;

/// A certificate is not taken before its time, nor after it.
const DAY: i64 = 24 * 3600;

/// A watchdog that goes on when Raspbian has ended resets the board in the middle of the flash.
pub(super) fn is_not_watched(case: &Candidate<'_>) -> Option<Verdict> {
    let dogs = &case.facts.watchdogs;
    let ends_with_raspbian =
        |dog: &&Watchdog| dog.identity.starts_with(OWN) || dog.identity.starts_with(SOFTWARE);
    let mut armed = dogs.devices.iter().filter(|dog| dog.armed);
    if let Some(dog) = armed.clone().find(|dog| !ends_with_raspbian(dog)) {
        let after = dog.timeout.map(|seconds| format!(" after {seconds} s")).unwrap_or_default();
        return refuse(
            format!(
                "the watchdog {:?} is armed: it would reset the board{after}, while the card is written",
                dog.identity
            ),
            "stop what arms it, and make sure that it ends with Raspbian",
        );
    }
    let feeds = match (&dogs.systemd, &dogs.daemon) {
        (Some(time), _) => format!("systemd feeds a watchdog (RuntimeWatchdogSec={time})"),
        (None, Some(daemon)) => format!("{daemon} feeds a watchdog"),
        (None, None) => String::new(),
    };
    if let Some(dog) = armed.next() {
        let fate = match dog.identity.starts_with(OWN) {
            true => "MIGOS feeds it",
            false => "it ends with Raspbian",
        };
        return pass(format!("{} is armed, and {fate}", dog.identity));
    }
    if feeds.is_empty() {
        return (!dogs.devices.is_empty()).then(|| Verdict::Pass("none is armed".into()));
    }
    // Old kernels do not tell which watchdogs they have.
    match dogs.devices.is_empty() {
        true => warn(
            format!("{feeds}, and the kernel does not tell which"),
            "look whether it is the Pi's own, which MIGOS feeds: dmesg | grep -i watchdog",
        ),
        false => pass(format!("{feeds}, and none is armed")),
    }
}

pub(super) fn has_no_meddling_hat(case: &Candidate<'_>) -> Option<Verdict> {
    let product = case.facts.hat.as_ref()?;
    let lower = product.to_lowercase();
    let words: Vec<&str> = lower.split(|c: char| !c.is_alphanumeric()).collect();
    let is_one = |name: &&str| match name.len() {
        3 => words.contains(name),
        _ => lower.contains(*name),
    };
    if !MEDDLING.iter().any(is_one) {
        return pass(product.as_str());
    }
    warn(
        format!(
            "the board on top is {product:?}: it may cut the power once Raspbian does not talk to it any more"
        ),
        "look whether it does, and switch that off before",
    )
}

/// TLS fails where the clock is far off, and balenaOS starts from the time that it finds.
pub(super) fn has_the_time(case: &Candidate<'_>) -> Option<Verdict> {
    let (clock, read) = (case.facts.clock?, case.facts_read?);
    let ahead = clock.seconds.saturating_sub(read.as_second());
    let unit = if ahead.abs() > DAY { 3600 } else { 60 };
    let off = Span::seconds(ahead.unsigned_abs() / unit * unit);
    let way = if ahead < 0 { "behind" } else { "ahead" };
    let remedy =
        "give it a time server, and let UDP port 123 through to it: timedatectl set-ntp true";
    if ahead.abs() > DAY {
        let reason = format!("its clock is {off} {way}: no certificate of balena's would be taken");
        return warn(reason, remedy);
    }
    if !(-BEHIND..=AHEAD).contains(&ahead) {
        return warn(format!("its clock is {off} {way}"), remedy);
    }
    match clock.synced {
        Some(false) => warn("no time server keeps its clock right", remedy),
        Some(true) => pass("right, and kept so by a time server"),
        None => pass("right"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::sample::{Sample, evidence, reasons, warnings};

    #[test]
    fn a_watchdog_that_goes_on_without_raspbian_is_refused() {
        let on_top = Sample::buster().and("watchdog watchdog1 active 60 Rpi HAT watchdog");
        assert_eq!(
            reasons(&on_top),
            [
                "the watchdog \"Rpi HAT watchdog\" is armed: it would reset the board after 60 s, while the card is written"
            ]
        );
        let idle = Sample::buster().and("watchdog watchdog1 inactive 60 Rpi HAT watchdog");
        assert_eq!(evidence(&idle, "watchdog"), "none is armed");
    }

    #[test]
    fn the_pis_own_watchdog_is_fed_by_migos() {
        let own = Sample::buster()
            .and("watchdog watchdog0 active 15 Broadcom BCM2835 Watchdog timer")
            .and("watchdog.systemd 15");
        assert_eq!(
            evidence(&own, "watchdog"),
            "Broadcom BCM2835 Watchdog timer is armed, and MIGOS feeds it"
        );
        let untold = Sample::buster().and("watchdog.daemon watchdog");
        assert_eq!(
            warnings(&untold),
            ["watchdog feeds a watchdog, and the kernel does not tell which"]
        );
        assert!(reasons(&untold).is_empty());
    }

    #[test]
    fn a_hat_that_cuts_the_power_is_warned_of() {
        let hat = |name: &str| Sample::buster().and(&format!("hat {name}"));
        assert_eq!(evidence(&hat("PoE HAT"), "hat"), "PoE HAT");
        assert_eq!(evidence(&hat("GroupShield"), "hat"), "GroupShield");
        for name in ["PiJuice", "UPS HAT (C)", "Pi-Watchdog"] {
            let said = warnings(&hat(name));
            assert!(said[0].starts_with(&format!("the board on top is {name:?}: ")), "{said:?}");
        }
    }

    #[test]
    fn a_wrong_clock_is_warned_of_the_louder_the_more_wrong_it_is() {
        let says = |seconds: i64| {
            let read = Sample::READ;
            warnings(&Sample::buster().and(&format!("clock {}", read.as_second() + seconds)))
        };
        assert!(says(0).is_empty() && says(-200).is_empty() && says(600).is_empty());
        assert_eq!(says(-900), ["its clock is 15m behind"]);
        assert_eq!(says(3600), ["its clock is 1h ahead"]);
        assert_eq!(
            says(-200_000),
            ["its clock is 2days 7h behind: no certificate of balena's would be taken"]
        );
        let now = format!("clock {}", Sample::READ.as_second());
        let unkept = Sample::buster().and(&now).and("clock.synced no");
        assert_eq!(warnings(&unkept), ["no time server keeps its clock right"]);
        let kept = Sample::buster().and(&now).and("clock.synced yes");
        assert_eq!(evidence(&kept, "clock"), "right, and kept so by a time server");
    }
}
