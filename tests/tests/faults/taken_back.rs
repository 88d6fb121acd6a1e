//! Faults that show on the way: everything is taken back, and Raspbian runs as before.

use crate::{Met, Trial};
use migos_lab::State::{self, Booting, Dark, Off, Raspbian};

/// Rebooted twice, without MIGOS.
const CAME_BACK: &[State] = &[Off, Booting, Raspbian, Booting, Raspbian, Booting, Raspbian];
/// MIGOS hung twice.
const HUNG: &[State] =
    &[Off, Booting, Raspbian, Booting, Dark, Booting, Raspbian, Booting, Dark, Booting, Raspbian];
/// Armed, and armed once more.
const ARMED: &[&str] = &["0 tryboot", "0 tryboot"];

/// Those whose reboots hang.
const ORDERLY: &str = "kiosk-002";
const FORCED: &str = "kiosk-003";

/// Devices by name, what befalls them, their lives, and every reboot that was asked for: with the flag or without.
const FAILED: [(&str, &str, &[State], &[&str]); 4] = [
    (ORDERLY, "reboot-hangs: orderly", CAME_BACK, &["0 tryboot", "", "0 tryboot", ""]),
    (FORCED, "reboot-hangs: forced", CAME_BACK, &["0 tryboot", "", "", "0 tryboot", "", ""]),
    ("kiosk-004", "hang-after-watchdog", HUNG, ARMED),
    // A Zero 2 W with firmware of 2026, which watches over the kernel itself.
    ("kiosk-012", "hang-before-watchdog", HUNG, ARMED),
];

fn assert_taken_back(trial: &Trial, met: &Met, name: &str, states: &[State]) {
    assert_eq!(met.state(name), "failed", "{name}");
    let cause = met.cause(name);
    let why = match name {
        ORDERLY | FORCED => "its reboots hang, so the one-shot flag never sets in",
        _ => "Raspbian came back instead of MIGOS",
    };
    assert!(cause.contains(why), "{name}: {cause}");
    assert!(cause.ends_with("(undone)"), "{name}: {cause}");
    trial.assert_as_before(name);
    assert_eq!(trial.device(name).life().states, states, "{name}");
}

#[test]
fn what_shows_on_the_way_is_taken_back() {
    let mut faults = "kiosk-001: [wrong-serial]\n".to_owned();
    for (name, fault, _, _) in FAILED {
        faults += &format!("{name}: [{fault}]\n");
    }
    let trial = Trial::start(12, &faults);
    trial.policy(&[("commit: 120s", "commit: 120s, hung: 3s")]);
    let met = trial.meet();
    assert_eq!(met.ended.code, Some(6), "{}", met.ended.stderr);

    assert_eq!(met.state("kiosk-001"), "refused");
    let cause = met.cause("kiosk-001");
    assert!(cause.contains("another device answers at its address: serial number"), "{cause}");
    assert!(cause.ends_with("(nothing was changed)"), "{cause}");
    trial.assert_untouched("kiosk-001");

    for (name, _, states, reboots) in FAILED {
        assert_taken_back(&trial, &met, name, states);
        assert_eq!(trial.device(name).life().reboots, reboots, "{name}");
    }
    for pi in trial.bench.lab().devices().filter(|pi| !faults.contains(pi.name())) {
        assert_eq!(met.state(pi.name()), "migrated", "{}", pi.name());
    }
}

#[test]
fn firmware_that_ignores_the_flag_is_refused_by_the_proof() {
    let name = "kiosk-001";
    let trial = Trial::start(1, "kiosk-001: [one-shot-ignored]");
    trial.policy(&[("prove: never", "prove: per-class")]);
    let met = trial.meet();
    assert_eq!(met.ended.code, Some(6), "{}", met.ended.stderr);
    assert_eq!(met.state(name), "refused", "{name}");
    let cause = met.cause(name);
    assert!(cause.contains("ignores the one-shot flag, as two reboots have shown"), "{cause}");
    assert!(cause.ends_with("(undone)"), "{cause}");
    trial.assert_as_before(name);
    assert_eq!(trial.device(name).life().states, CAME_BACK, "{name}");
}

#[test]
fn a_hang_that_no_watchdog_sees_waits_for_a_power_cycle() {
    let trial = Trial::start(1, "kiosk-001: [hang-before-watchdog]");
    let process = trial.bench.migrate(&[]).unwrap();
    let pi = trial.bench.device("kiosk-001").unwrap().clone();
    // The controller arms it once more after the first power cycle: a power cut is no verdict.
    for boots in [2, 4] {
        let is_dark = |life: &migos_lab::Life| life.boots == boots && life.state == Dark;
        trial.bench.runtime.block_on(pi.until(is_dark));
        pi.cut_power();
    }
    let met = trial.met(process.end().unwrap());
    assert_eq!(met.ended.code, Some(6), "{}", met.ended.stderr);
    let cycle = [Booting, Dark, Off, Booting, Raspbian];
    let states = [&[Off, Booting, Raspbian][..], &cycle, &cycle].concat();
    assert_taken_back(&trial, &met, "kiosk-001", &states);
}
