//! What a boot leaves to be seen: the proof of one-shot boots.

use crate::operator::{Connection, Operator, Trial, until};
use migos_contract::Command;
use migos_lab::State::{self, Booting, Off, Raspbian};
use migos_lab::VirtualPi;
use migos_playbooks::facts;

const NONCE: &str = "migos.probe=5eed";

/// A copy of `config.txt` that differs in the command line alone, and that command line.
async fn put_proof(pi: &VirtualPi, ssh: &Connection) {
    let boot = pi.release().boot_path();
    let read = async |name: &str| ssh.must("read", &[&format!("{boot}/{name}"), "9999"], b"").await;
    let config = format!("{}\n[all]\ncmdline=/migos/probe.txt\n", read("config.txt").await);
    let line = format!("{} {NONCE}\n", read("cmdline.txt").await.trim_end());
    for (name, text) in [("migos/probe.txt", line), ("tryboot.txt", config)] {
        let (path, size) = (format!("{boot}/{name}"), text.len().to_string());
        ssh.must("write", &[&path, "644", &size], text.as_bytes()).await;
    }
}

#[tokio::test]
async fn the_nonce_is_there_for_one_boot() {
    let operator = Operator::with(12, "").await;
    for pi in operator.lab.devices() {
        until(pi, |life| life.state == Raspbian).await;
        let ssh = operator.login(pi).await;
        let original = ssh.must("read", &["/proc/cmdline", "4096"], b"").await;
        put_proof(pi, &ssh).await;
        ssh.must("arm", &[], b"").await;
        until(pi, |life| life.boots == 2 && life.state == Raspbian).await;
        let ssh = operator.login(pi).await;
        let proven = ssh.must("read", &["/proc/cmdline", "4096"], b"").await;
        assert_eq!(proven, format!("{} {NONCE}\n", original.trim_end()), "{}", pi.model().name);
        let facts = facts::parse(&ssh.must("probe", &[], b"").await).unwrap();
        assert_eq!(facts.cmdline.trim_end(), proven.trim_end());
        let flag = "/proc/device-tree/chosen/bootloader/tryboot";
        if facts.firmware.eeprom_build.is_some() {
            assert_eq!(ssh.must("read", &[flag, "4"], b"").await, "\0\0\0\u{1}");
        }
        ssh.must("reboot", &["orderly"], b"").await;
        until(pi, |life| life.boots == 3 && life.state == Raspbian).await;
        let ssh = operator.login(pi).await;
        assert_eq!(ssh.must("read", &["/proc/cmdline", "4096"], b"").await, original);
    }
}

#[tokio::test]
async fn the_nonce_is_missing_where_the_flag_is_lost() {
    let faults = "kiosk-001: [one-shot-ignored]\nkiosk-002: [old-firmware]\n";
    let operator = Operator::with(2, faults).await;
    for pi in operator.lab.devices() {
        until(pi, |life| life.state == Raspbian).await;
        let ssh = operator.login(pi).await;
        put_proof(pi, &ssh).await;
        ssh.must("arm", &[], b"").await;
        until(pi, |life| life.boots == 2 && life.state == Raspbian).await;
        let line = operator.login(pi).await.must("read", &["/proc/cmdline", "4096"], b"").await;
        assert!(!line.contains(NONCE), "{}: {line}", pi.name());
    }
}

#[tokio::test]
async fn a_rewritten_device_is_raspbian_s_again_as_soon_as_migos_runs() {
    let operator = Operator::with(1, "kiosk-001: [old-firmware]").await;
    let pi = operator.first().await;
    let original = pi.boot_tree()["config.txt"];
    let trial = Trial::rewriting(&operator, pi).await;
    let migos = trial.start_migos(&operator, pi).await;
    assert_eq!(pi.boot_tree()["config.txt"], original);
    assert!(migos.migos(&Command::Status, None).await.unwrap().error.is_none());
    pi.cut_power();
    let life = until(pi, |life| life.boots == 3 && life.state == Raspbian).await;
    let expected = [Off, Booting, Raspbian, Booting, State::Migos, Off, Booting, Raspbian];
    assert_eq!(life.states, expected);
}

#[tokio::test]
async fn a_rewritten_device_arrives_on_balena() {
    let operator = Operator::with(1, "").await;
    let pi = operator.first().await;
    let trial = Trial::rewriting(&operator, pi).await;
    let migos = trial.start_migos(&operator, pi).await;
    let files = operator.configuration(&"7".repeat(32), pi).await;
    migos.migos(&Command::Configure, Some(&files)).await.unwrap();
    migos.migos(&trial.commit(), None).await.unwrap();
    let config = pi.file(&format!("{}/config.txt", pi.release().boot_path())).unwrap();
    assert!(String::from_utf8(config).unwrap().ends_with("\n# committed\n"));
    let life = until(pi, |life| life.reports > 0).await;
    let expected = [Off, Booting, Raspbian, Booting, State::Migos, Booting, State::BalenaOs];
    assert_eq!(life.states, expected);
}

#[tokio::test]
async fn a_damaged_original_is_not_put_back() {
    let operator = Operator::with(1, "").await;
    let pi = operator.first().await;
    let trial = Trial::rewriting(&operator, pi).await;
    let path = format!("{}/job/original/config.txt", trial.prefix);
    pi.put_file(&path, b"arm_freq=9000\n").unwrap();
    let migos = trial.start_migos(&operator, pi).await;
    let status = migos.migos(&Command::Status, None).await.unwrap();
    assert_eq!(status.error.as_deref(), Some("migos/job/original/config.txt is damaged"));
    until(pi, |life| life.boots == 3 && life.state == State::Migos).await;
}
