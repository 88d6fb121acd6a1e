//! Faults of boards, firmware and owners' settings.

use std::time::Duration;

use crate::operator::{Operator, Trial, connect, until};
use migos_contract::Command;
use migos_lab::State::{Booting, Dark, Migos, Off, Raspbian};
use migos_lab::{Release, SUDO_PASSWORD, VirtualPi};
use migos_playbooks::facts::{self, Facts};

/// More than the dead-man's and the watchdog's patience together in any test here.
const STAYS_DARK: Duration = Duration::from_millis(300);

async fn probe(operator: &Operator, pi: &VirtualPi) -> Facts {
    facts::parse(&operator.login(pi).await.must("probe", &[], b"").await).unwrap()
}

async fn arm(operator: &Operator, pi: &VirtualPi) {
    let raspbian = operator.login(pi).await;
    Trial::new(operator, pi).await.stage(operator, pi, &raspbian).await;
    raspbian.must("arm", &[], b"").await;
}

#[tokio::test]
async fn a_connection_arrives_on_ethernet_or_through_a_tunnel() {
    let operator = Operator::with(2, "kiosk-002: [tunnel]").await;
    for (name, interface, is_virtual) in [("kiosk-001", "eth0", false), ("kiosk-002", "wg0", true)]
    {
        let pi = operator.lab.device(name).unwrap();
        until(pi, |life| life.state == Raspbian).await;
        let line = "sudo -n sh -c '' migos-probe/1 \"$SSH_CONNECTION\"";
        let output = operator.login(pi).await.run(line, b"").await;
        let arrival = facts::parse(&output.stdout).unwrap().network.arrival.unwrap();
        assert_eq!((arrival.interface.as_str(), arrival.is_virtual), (interface, is_virtual));
    }
}

#[tokio::test]
async fn another_host_key_is_shown() {
    let operator = Operator::with(1, "kiosk-001: [wrong-host-key]").await;
    let pi = operator.first().await;
    let known = connect(pi, "pi", &operator.key, pi.raspbian_host_key()).await;
    assert!(matches!(known, Err(russh::Error::UnknownKey)));
}

#[tokio::test]
async fn another_board_answers_from_the_second_connection_on() {
    let operator = Operator::with(1, "kiosk-001: [wrong-serial]").await;
    let pi = operator.first().await;
    let (first, second) = (probe(&operator, pi).await, probe(&operator, pi).await);
    assert_eq!(first.serial, pi.serial());
    assert_ne!(second.serial, first.serial);
    assert_eq!(second.machine_id, first.machine_id, "the card is a copy");
}

#[tokio::test]
async fn a_board_that_is_swapped_takes_its_connections_with_it() {
    let operator = Operator::with(1, "").await;
    let pi = operator.first().await;
    let own = operator.login(pi).await;
    own.must("identity", &[], b"").await;
    pi.swap_board();
    own.closed().await;
    let other = probe(&operator, pi).await;
    assert_ne!(other.serial, pi.serial());

    let trial = Trial::new(&operator, pi).await;
    arm(&operator, pi).await;
    let life = until(pi, |life| life.boots == 3 && life.state == Raspbian).await;
    assert_eq!(life.states[3..], [Booting, Migos, Booting, Raspbian], "the job is another board's");
    pi.swap_board();
    assert_eq!(probe(&operator, pi).await.serial, pi.serial());
    let migos = trial.start_migos(&operator, pi).await;
    assert_eq!(migos.migos(&Command::Status, None).await.unwrap().serial, pi.serial());
    pi.swap_board();
    let migos = trial.connect(pi).await.unwrap();
    assert_eq!(migos.migos(&Command::Status, None).await.unwrap().serial, other.serial);
}

#[tokio::test]
async fn a_hang_before_the_watchdog_driver_ends_by_the_firmware_or_by_hand() {
    let names = (1..=30).map(|n| format!("kiosk-{n:03}: [hang-before-watchdog]\n"));
    let operator = Operator::with(30, &names.collect::<String>()).await;
    // Its firmware, of 2026, knows kernel_watchdog_timeout; the other one's, of 2021, does not.
    for (release, heals) in [(Release::TrixieArm64, true), (Release::Buster, false)] {
        let pi = operator
            .lab
            .devices()
            .find(|pi| pi.release() == release && { pi.model().eeprom.is_none() });
        let pi = pi.unwrap();
        until(pi, |life| life.state == Raspbian).await;
        arm(&operator, pi).await;
        until(pi, |life| life.state == Dark).await;
        let healed = tokio::time::timeout(STAYS_DARK, until(pi, |life| life.boots == 3)).await;
        assert_eq!(healed.is_ok(), heals, "{release:?}");
        if !heals {
            pi.cut_power();
        }
        let life = until(pi, |life| life.boots == 3 && life.state == Raspbian).await;
        assert_eq!(life.states[3..5], [Booting, Dark]);
    }
}

#[tokio::test]
async fn a_hang_after_the_watchdog_driver_ends_by_itself() {
    let operator = Operator::with(1, "kiosk-001: [hang-after-watchdog]").await;
    let pi = operator.first().await;
    arm(&operator, pi).await;
    let life = until(pi, |life| life.boots == 3 && life.state == Raspbian).await;
    assert_eq!(life.states, [Off, Booting, Raspbian, Booting, Dark, Booting, Raspbian]);
}

#[tokio::test]
async fn old_firmware_does_not_know_one_shot_boots() {
    let operator = Operator::with(1, "kiosk-001: [old-firmware]").await;
    let pi = operator.first().await;
    let facts = probe(&operator, pi).await;
    assert!(facts.firmware.has.is_empty(), "{:?}", facts.firmware);
    arm(&operator, pi).await;
    let life = until(pi, |life| life.boots == 2 && life.state == Raspbian).await;
    assert_eq!(life.states, [Off, Booting, Raspbian, Booting, Raspbian]);
}

#[tokio::test]
async fn a_read_only_boot_partition_is_one_after_every_boot() {
    let operator = Operator::with(1, "kiosk-001: [read-only-boot]").await;
    let pi = operator.first().await;
    assert!(!probe(&operator, pi).await.boot.unwrap().file_system.writable);
    let trial = Trial::new(&operator, pi).await;
    trial.start_migos(&operator, pi).await;
    assert!(!pi.is_boot_read_only(), "MIGOS mounts it for itself");
    pi.cut_power();
    until(pi, |life| life.boots == 3 && life.state == Raspbian).await;
    assert!(pi.is_boot_read_only());
}

#[tokio::test]
async fn what_is_written_above_an_overlay_vanishes() {
    let operator = Operator::with(2, "kiosk-001: [overlay-root]").await;
    let pi = operator.first().await;
    let facts = probe(&operator, pi).await;
    assert_eq!(facts.root.kind, "overlay");
    assert!(facts.cmdline.contains("boot=overlay") || facts.cmdline.contains("overlayroot=tmpfs"));
    let (ssh, writes) = (operator.login(pi).await, pi.writes());
    let boot = format!("{}/kept", pi.release().boot_path());
    ssh.must("write", &["/var/lib/migos/lost", "600", "1"], b"x").await;
    assert_eq!(pi.writes(), writes, "that was memory");
    ssh.must("write", &[&boot, "600", "1"], b"x").await;
    ssh.must("reboot", &["orderly"], b"").await;
    until(pi, |life| life.boots == 2 && life.state == Raspbian).await;
    assert_eq!((pi.file("/var/lib/migos/lost"), pi.file(&boot)), (None, Some(b"x".to_vec())));
}

#[tokio::test]
async fn a_weak_power_supply_is_told() {
    let operator = Operator::with(2, "kiosk-001: [under-voltage]").await;
    let weak = probe(&operator, operator.first().await).await;
    let other = operator.lab.device("kiosk-002").unwrap();
    until(other, |life| life.state == Raspbian).await;
    assert_ne!(weak.throttled, probe(&operator, other).await.throttled);
}

#[tokio::test]
async fn a_reboot_that_hangs_wants_the_next_tier_and_loses_the_flag() {
    for (fault, tiers) in [("orderly", &["forced"][..]), ("forced", &["forced", "sysrq"])] {
        let operator = Operator::with(1, &format!("kiosk-001: [reboot-hangs: {fault}]")).await;
        let pi = operator.first().await;
        arm(&operator, pi).await;
        let ssh = operator.login(pi).await;
        for tier in tiers {
            assert_eq!(pi.boot_count(), 1);
            ssh.must("reboot", &[tier], b"").await;
        }
        let life = until(pi, |life| life.boots == 2 && life.state == Raspbian).await;
        assert_eq!(life.states, [Off, Booting, Raspbian, Booting, Raspbian], "{fault}");
    }
}

#[tokio::test]
async fn packages_are_installed_for_a_while() {
    let operator = Operator::with(1, "kiosk-001: [dpkg-locked: 400ms]").await;
    let pi = operator.first().await;
    let ssh = operator.login(pi).await;
    assert_eq!(ssh.verb("arm", &[], b"").await.code, Some(75));
    let arms = async { while ssh.verb("arm", &[], b"").await.code == Some(75) {} };
    tokio::time::timeout(Duration::from_secs(20), arms).await.unwrap();
    until(pi, |life| life.boots == 2).await;
}

#[tokio::test]
async fn sudo_asks_for_the_password_on_its_input() {
    let operator = Operator::with(1, "kiosk-001: [sudo-asks]").await;
    let ssh = operator.login(operator.first().await).await;
    let refused = ssh.verb("arm", &[], b"").await;
    assert_eq!(
        (refused.code, refused.stderr.as_str()),
        (Some(1), "sudo: a password is required\n")
    );
    let line = "sudo -S -k -p '' sh -c 'exit 1' migos-write/1 /var/lib/migos/a 600 2";
    let wrong = ssh.run(line, b"guess\nhi").await;
    assert_eq!(wrong.stderr, "sudo: 1 incorrect password attempt\n");
    let written = ssh.run(line, format!("{SUDO_PASSWORD}\nhi").as_bytes()).await;
    assert_eq!((written.code, written.stderr), (Some(0), String::new()));
    let read = ssh.run("sh -c 'exit 1' migos-read/1 /var/lib/migos/a 9", b"").await;
    assert_eq!(read.stdout, "hi");
}
