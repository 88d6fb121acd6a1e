//! Faults that cost time and nothing else.

use crate::Trial;
use migos_lab::SUDO_PASSWORD;
use migos_tests::fleet::STRAIGHT;

/// Long enough that packages are still being installed when it comes to arming.
const FAULTS: &str = "\
kiosk-001: [read-only-boot]
kiosk-002: [slow-boot: 2s]
kiosk-003: [dpkg-locked: 10s]
kiosk-004: [sudo-asks]
kiosk-005: [{ cut-upload: 5000000 }]
kiosk-006: [old-firmware]
";

#[test]
fn what_only_costs_time_is_migrated_all_the_same() {
    let trial = Trial::start(6, FAULTS);
    let home = &trial.bench.home;
    home.write("lab/sudo", SUDO_PASSWORD).unwrap();
    let inventory = home.read("lab/inventory.yaml").unwrap();
    let port = trial.device("kiosk-004").addr().port();
    let (with, without) = (
        format!("ssh: {{ port: {port}, sudo_password: {{ file: sudo }} }}"),
        format!("ssh: {{ port: {port} }}"),
    );
    assert!(inventory.contains(&without), "{inventory}");
    home.write("lab/inventory.yaml", inventory.replace(&without, &with)).unwrap();
    let allowed = "strategy: auto\nallow_rewrite: [\"Pi 2B, raspbian 9\"]\nparallel: 8";
    trial.policy(&[("parallel: 8", allowed)]);

    let met = trial.meet();
    assert_eq!(met.ended.code, Some(0), "{}", met.ended.stderr);
    for pi in trial.bench.lab().devices() {
        assert_eq!(met.state(pi.name()), "migrated");
        assert_eq!(pi.life().states, STRAIGHT, "{}", pi.name());
        // The flag is for one boot only; without one-shot boot there is none.
        let flag = if pi.name() == "kiosk-006" { "" } else { "0 tryboot" };
        assert_eq!(pi.life().reboots, [flag], "{}", pi.name());
    }
    let busy = trial.retries("kiosk-003");
    assert!(!busy.is_empty(), "it was armed while packages were being installed");
    assert!(busy.iter().all(|why| why.contains("packages are being installed")), "{busy:?}");
    let cut = trial.retries("kiosk-005");
    assert!(matches!(&cut[..], [why] if why.contains("connection lost")), "{cut:?}");
}
