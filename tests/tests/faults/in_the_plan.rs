//! Faults that the probe sees: the device is left out, with the reason and what helps, and not touched.

use crate::Trial;

const FAULTS: &str = "\
kiosk-001: [no-space]
kiosk-002: [root-full]
kiosk-003: [wrong-host-key]
kiosk-004: [overlay-root]
kiosk-005: [under-voltage]
kiosk-006: [old-firmware]
kiosk-007: [sudo-asks]
kiosk-008: [unreachable]
";

/// For each device what its reason and its remedy say.
const REFUSED: [(&str, &str, &str); 7] = [
    ("kiosk-001", "the boot partition has 198 kB free, ", "free space in /boot"),
    ("kiosk-002", "the root file system has 196 kB free, ", "free space, for example"),
    ("kiosk-003", "which is not the key in ", "look who answers there; then correct known_hosts"),
    ("kiosk-004", "what is written is gone after a reboot", "disable_overlayfs, then reboot"),
    ("kiosk-005", "under-voltage seen now (throttled=0x50005)", "check the power supply"),
    (
        "kiosk-006",
        "its firmware is too old for one-shot boot (bootcode.bin does not know tryboot.txt)",
        "apt-get install --only-upgrade raspberrypi-bootloader raspberrypi-kernel, then reboot",
    ),
    ("kiosk-007", "sudo asks pi for a password", "give `sudo_password` in the inventory"),
];

#[test]
fn what_the_probe_sees_is_refused_with_a_remedy_and_not_touched() {
    let trial = Trial::start(9, FAULTS);
    let met = trial.meet();
    assert_eq!(met.ended.code, Some(6), "{}", met.ended.stderr);
    for (name, reason, remedy) in REFUSED {
        let said = met.refusal(name);
        assert!(said.0.contains(reason) && said.1.contains(remedy), "{name}: {said:?}");
        trial.assert_untouched(name);
    }
    let away = met.summary["set_aside"]["kiosk-008"]["unreachable"].as_str().unwrap();
    assert!(away.contains("Connection refused"), "{away}");
    assert_eq!(met.state("kiosk-009"), "migrated", "the others are not held up");
}

#[test]
fn one_device_in_detail_shows_every_check_with_its_evidence() {
    let trial = Trial::start(2, "kiosk-002: [under-voltage]\n");
    let plan = |device| {
        let args = ["plan", "lab/inventory.yaml", "--detail", device];
        trial.bench.home.run(&args).unwrap()
    };
    let ended = plan("kiosk-002");
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let (checks, text) = ended.stdout.split_once("\nPlan ").unwrap();
    let rows: Vec<&str> = checks.lines().skip(1).collect();
    assert!(rows[0].contains("refuse") && rows[0].contains("under-voltage seen now"), "{checks}");
    assert!(rows.iter().any(|row| row.contains("pass") && row.contains("memory")), "{checks}");
    assert!(rows.len() > 25, "{checks}");
    assert!(text.contains("kiosk-002") && !text.contains("kiosk-001"), "{text}");
    let unknown = plan("kiosk-007");
    assert_eq!(unknown.code, Some(2), "{}", unknown.stderr);
}
