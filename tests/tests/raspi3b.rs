//! A Pi 3B with Broadcom's chips, as far as QEMU has them: the device tree, the drivers of card, USB and Ethernet that
//! MIGOS has on a real one. It takes some minutes, so it is run by itself: `make raspi3b`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
// What it says is for people.
#![allow(clippy::print_stdout)]

use migos_tests::emulated::{Ground, Model, Setup, tell};

#[test]
fn a_pi_3b_with_broadcoms_chips_is_migrated() {
    // What QEMU's firmware is told at a reset is lost, so nothing can be booted once.
    let policy = "prove: never\nstrategy: auto\nallow_rewrite: [\"Pi 3B\"]\n";
    let ground = Ground::new(Setup {
        model: Model::ThreeB,
        whole_payload: true,
        old_firmware: true,
        dead_man: "{ contact: 10m, commit: 20m, hung: 2m }",
        policy,
        ..Setup::default()
    })
    .unwrap();
    let pi = ground.pi();
    let mut process = ground.migrate().unwrap();
    // MIGOS has no watchdog here (see `Machine::take_tree`), and so no reset: the plug does what it asks for.
    let asks = || pi.console().is_ok_and(|console| console.contains("Reboot failed"));
    ground.until(&mut process, "MIGOS to have done its work", false, asks).unwrap();
    assert!(pi.console().unwrap().contains("migos: restart: the card is rewritten"));
    pi.cut_power().unwrap();
    pi.power_on();
    let ended = ground.end(process).unwrap();
    println!("{}\n{}", ended.stderr, tell(&pi.life()));
    for line in pi.console().unwrap().lines().filter(|line| is_telling(line)) {
        println!("{}", line.trim());
    }
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.stdout, ground.story());
    assert_eq!((pi.life().boots.len(), pi.life().times_in_migos()), (3, 1));
    let [known] = &ground.balena().devices()[..] else { panic!("one device") };
    assert_eq!(known.os_version.as_deref(), Some("balenaOS 6.0.24"));
}

/// What of the console shows which chips are driven, and what MIGOS does.
fn is_telling(line: &str) -> bool {
    ["migos: ", "Machine model", "sdhost", "mmcblk0: p1", "cdc_ether", "dwc2 "]
        .iter()
        .any(|words| line.contains(words))
}
