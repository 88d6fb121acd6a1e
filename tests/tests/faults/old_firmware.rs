//! Firmware of a time before one-shot boots, and the vendor's update of it.

use crate::Trial;
use migos_lab::State::{BalenaOs, Booting, Migos, Off, Raspbian};

/// A Pi 2B, whose firmware is on the card, and a CM4, whose `start4.elf` does not know what its EEPROM knows.
const NAMES: [&str; 2] = ["kiosk-006", "kiosk-009"];
const FAULTS: &str = "kiosk-006: [old-firmware]\nkiosk-009: [old-firmware]";

#[test]
fn old_firmware_is_updated_and_proven_where_the_policy_allows_it() {
    let trial = Trial::start(9, FAULTS);
    trial.policy(&[("prove: never", "prove: never\nallow_update: [\"Pi \"]")]);
    let names = NAMES.join(",");
    let inventory = "lab/inventory.yaml";
    let plan = trial.bench.home.run(&["plan", inventory, "--policy", "quick.yaml", "-l", &names]);
    let plan = plan.unwrap();
    for words in [
        "The vendor's firmware update is installed first on kiosk-[006,009]",
        "because its firmware is too old for one-shot boot (bootcode.bin does not know tryboot.txt)",
        "install the vendor's newer firmware",
    ] {
        assert!(plan.stdout.contains(words), "{words}: {}", plan.stdout);
    }
    let met = trial.met(trial.bench.migrate(&["-l", &names]).unwrap().end().unwrap());
    assert_eq!(met.ended.code, Some(0), "{}", met.ended.stderr);
    for name in NAMES {
        assert_eq!(met.state(name), "migrated", "{name}");
        let life = trial.device(name).life();
        // On the new firmware; once by the proof's files, and once without; into MIGOS; flashed.
        let way = [
            Off, Booting, Raspbian, Booting, Raspbian, Booting, Raspbian, Booting, Raspbian,
            Booting, Migos, Booting, BalenaOs,
        ];
        assert_eq!(life.states, way, "{name}");
        assert_eq!(life.reboots, ["", "0 tryboot", "", "0 tryboot"], "{name}");
    }
}

#[test]
fn old_firmware_is_left_alone_where_the_policy_does_not() {
    let trial = Trial::start(9, FAULTS);
    let ended = trial.bench.migrate(&["-l", &NAMES.join(",")]).unwrap().end().unwrap();
    assert_eq!(ended.code, Some(6), "{}", ended.stderr);
    assert!(ended.stderr.contains("nothing to do"), "{}", ended.stderr);
    assert!(ended.stdout.contains("`allow_update`"), "{}", ended.stdout);
    for name in NAMES {
        trial.assert_untouched(name);
    }
}
