//! Devices that are reached through a tunnel which Raspbian makes: MIGOS has none.

use crate::Trial;
use migos_tests::fleet::STRAIGHT;

#[test]
fn who_is_reached_through_a_tunnel_is_refused_unless_it_is_not_attended() {
    let trial = Trial::start(3, "kiosk-001: [tunnel]\nkiosk-002: [tunnel]\n");
    let home = &trial.bench.home;
    let inventory = home.read("lab/inventory.yaml").unwrap();
    let unattended = inventory.replace("  kiosk-002: { ", "  kiosk-002: { handover: unattended, ");
    assert_ne!(inventory, unattended);
    home.write("lab/inventory.yaml", unattended).unwrap();
    let met = trial.meet();
    assert_eq!(met.ended.code, Some(6), "{}", met.ended.stderr);
    let (reason, remedy) = met.refusal("kiosk-001");
    assert!(reason.contains(" on wg0, an interface that Raspbian makes"), "{reason}");
    assert!(remedy.contains("`handover: call-home` with a `bastion:`"), "{remedy}");
    trial.assert_untouched("kiosk-001");
    for name in ["kiosk-002", "kiosk-003"] {
        assert_eq!(met.state(name), "migrated");
        assert_eq!(trial.device(name).life().states, STRAIGHT, "{name}");
    }
    assert!(!met.ended.stdout.contains("Not known on which address"), "{}", met.ended.stdout);
}
