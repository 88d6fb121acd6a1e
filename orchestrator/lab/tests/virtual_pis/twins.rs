//! Twins of devices elsewhere, as they tell of themselves.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::operator::{Operator, until};
use migos_lab::{Faults, Lab, Pace, Presence, State, TwinDevice, TwinOptions, parse_faults};
use migos_payload::size::ByteCount;
use migos_playbooks::facts::{Facts, parse};
use russh::keys::load_secret_key;

/// A Pi 3B+ on Buster with files of the sizes they have in the field.
const TOLD: &str = "migos-probe 1\n\
    model Raspberry Pi 3 Model B Plus Rev 1.3\nrevision a020d3\nserial 00000000765fc593\n\
    machine-id 5c0de0f1c5f94a0cbb0c0b6f1c9f3b7a\nhostname till\n\
    os-release PRETTY_NAME=\"Raspbian GNU/Linux 10 (buster)\"\nos-release VERSION_ID=\"10\"\nos-release ID=raspbian\n\
    kernel 5.10.103-v7+\nmachine armv7l\nuserland armhf\nmemory 945512\n\
    cmdline coherent_pool=1M vc_mem.mem_size=0x3ec00000 root=PARTUUID=1234abcd-02 rootwait\n\
    mount /dev/root / ext4 rw 0 0\nmount /dev/mmcblk0p1 /boot vfat rw 0 0\n\
    root.space 4096 2734375 3750000\nboot.path /boot\nboot.space 2048 99609 129039\n\
    boot.partition 1\nboot.extent 8192 532480\ndisk mmcblk0 62333952\ndisk.id 1234abcd\n\
    boot.file 52456 bootcode.bin\nboot.file 2952928 start.elf\nboot.file 7314 fixup.dat\n\
    boot.file 6270912 kernel7.img\nboot.file 7800000 kernel8.img\nboot.file 28147 bcm2710-rpi-3-b-plus.dtb\n\
    boot.file 13 config.txt\nboot.file 40 cmdline.txt\nboot.file 1523 overlays/disable-bt.dtbo\n\
    config.txt # by hand\r\nconfig.txt a\ncmdline.txt root=PARTUUID=1234abcd-02 rootwait\n\
    firmware.has tryboot.txt bootcode.bin\nfirmware.has tryboot.txt start.elf\nfirmware.version Feb 25 2021\n\
    throttled 0x50000\nhat Sense HAT\nwatchdog watchdog0 active 15 Broadcom BCM2835 Watchdog timer\n\
    route wlan0\t00000000\t0101A8C0\t0003\t0\t0\t303\t00000000\nwireless wlan0\nmac wlan0 b8:27:eb:0a:90:c6\n\
    dhcpcd static ip_address=192.168.7.9/24\nconnection 192.168.7.1 1 192.168.7.9 22\naddress wlan0 192.168.7.9\n\
    clock 1700000000\nclock.synced no\ncard.errors 2\ncard.error mmc0: error -110\nfolder 700000 /home/pi/media\n\
    reach api.balena-cloud.com:443 yes\nend ok\n";

async fn lab(twins: &[(&str, Presence)], faults: Faults) -> Operator {
    let dir = tempfile::tempdir().unwrap();
    let device = |(name, presence): &(&str, Presence)| TwinDevice {
        name: (*name).to_owned(),
        presence: presence.clone(),
        groups: Vec::new(),
        settings: Vec::new(),
    };
    let options = TwinOptions {
        twins: twins.iter().map(device).collect(),
        policy: None,
        seed: 1,
        faults,
        pace: Pace::test(),
        dir: dir.path().to_owned(),
        api_port: 0,
    };
    let lab = Lab::twin(options).await.unwrap();
    let key = Arc::new(load_secret_key(dir.path().join("operator_key"), None).unwrap());
    Operator { lab, key, dir }
}

async fn probe(operator: &Operator, name: &str) -> Facts {
    let pi = operator.lab.device(name).unwrap();
    until(pi, |life| life.state == State::Raspbian).await;
    let ssh = operator.login(pi).await;
    let output =
        ssh.verb("probe", &["10.0.0.1 1 10.0.0.2 22", "api.balena-cloud.com:443"], b"").await;
    parse(&output.stdout).unwrap()
}

#[tokio::test]
async fn a_twin_tells_what_its_original_told() {
    let twins = [("till", Presence::Answers(TOLD.to_owned()))];
    let operator = lab(&twins, Faults::new()).await;
    let (mut told, mut again) = (parse(TOLD).unwrap(), probe(&operator, "till").await);
    let (was, is) = (told.clock.take().unwrap(), again.clock.take().unwrap());
    assert!(is.synced == was.synced && (0..60).contains(&(is.seconds - was.seconds)), "{is:?}");
    let (before, after) = (told.boot.as_mut().unwrap(), again.boot.as_mut().unwrap());
    // No digest was told here, and lines say little of a file's size.
    after.sums.clear();
    for name in ["config.txt", "cmdline.txt"] {
        before.files.remove(name);
        after.files.remove(name);
    }
    assert_eq!(told, again);
    assert_eq!(operator.lab.dead(), []);
    assert_eq!(operator.lab.device("till").unwrap().mac(), "b8:27:eb:0a:90:c6");
}

#[tokio::test]
async fn faults_befall_twins_too() {
    let faults =
        parse_faults("till: [no-space, under-voltage, little-memory, small-card]").unwrap();
    let operator = lab(&[("till", Presence::Answers(TOLD.to_owned()))], faults).await;
    let facts = probe(&operator, "till").await;
    assert_eq!(facts.throttled, Some(0x50005));
    assert!(facts.boot.unwrap().file_system.free < ByteCount(300_000));
    assert!(facts.memory < ByteCount(400 << 20) && facts.disk.unwrap().size < ByteCount(1 << 30));
}

#[tokio::test]
async fn files_that_boot_nothing_are_named_and_silence_is_kept() {
    let broken = TOLD.replace("boot.file 6270912 kernel7.img\n", "");
    let twins = [
        ("broken", Presence::Answers(broken)),
        ("closed", Presence::RefusesLogin),
        ("gone", Presence::Silent),
    ];
    let operator = lab(&twins, Faults::new()).await;
    let dead: BTreeMap<_, _> = operator.lab.dead().iter().cloned().collect();
    assert_eq!(dead.len(), 1);
    assert_eq!(dead["broken"], "no kernel was found, looked for kernel7.img");
    let broken = operator.lab.device("broken").unwrap();
    until(broken, |life| life.state == State::Dark).await;
    let closed = operator.lab.device("closed").unwrap();
    until(closed, |life| life.state == State::Raspbian).await;
    assert_eq!(operator.lab.device("gone").unwrap().boot_count(), 0);
}

#[tokio::test]
async fn hundreds_of_twins_come_up_together() {
    let names: Vec<String> = (0..300).map(|number| format!("till-{number}")).collect();
    // Each of them has some files more than the others, as if nobody had ever cared for them.
    let twin = |(number, name): (usize, &String)| {
        let own = format!("boot.file {} old.img\nend ok", 8_000_000 + number);
        (name.clone(), Presence::Answers(TOLD.replace("end ok", &own)))
    };
    let twins: Vec<(String, Presence)> = names.iter().enumerate().map(twin).collect();
    let twins: Vec<(&str, Presence)> =
        twins.iter().map(|(name, presence)| (name.as_str(), presence.clone())).collect();
    let operator = lab(&twins, Faults::new()).await;
    for pi in operator.lab.devices() {
        until(pi, |life| life.state == State::Raspbian).await;
    }
    assert_eq!(probe(&operator, "till-299").await.boot.unwrap().files.len(), 10);
}
