//! What a device's `config.txt` says of its hardware arrives with it on balena.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use migos_lab::{Pace, supervisor};
use migos_payload::board::{BoardFacts, Revision};
use migos_payload::boot_document::ConfigTxt;
use migos_payload::device_variables::{PREFIX, from_config_txt};
use migos_playbooks::step::Action;
use migos_tests::fleet::{Bench, begins};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What its owner has added to a stock file.
const KIOSK: &str = "\
display_rotate=1
hdmi_group=2
boot_delay=1
arm_freq=3000
[0xdeadbeef]
hdmi_mode=9
[all]
[gpio4=1]
lcd_rotate=2
[all]
dtoverlay=ads7846,penirq=25
dtparam=swapxy=1
dtparam=i2c_arm=on,spi=on
";

/// A lab in which every device has such a file.
fn kiosks(devices: usize, faults: &str) -> Bench {
    let bench = Bench::start(devices, faults, Pace::test()).unwrap();
    for pi in bench.lab().devices() {
        let path = format!("{}/config.txt", pi.release().boot_path());
        let stock = pi.file(&path).unwrap();
        pi.put_file(&path, &[&stock, KIOSK.as_bytes()].concat()).unwrap();
    }
    bench
}

/// Its variables on balena, without their common beginning.
fn variables(bench: &Bench, name: &str) -> BTreeMap<String, String> {
    let device = bench.lab().api().devices().into_iter().find(|device| device.name == name);
    let variables = device.unwrap().variables.into_iter();
    variables.map(|(name, value)| (name.strip_prefix(PREFIX).unwrap().to_owned(), value)).collect()
}

fn assert_is_a_kiosk(bench: &Bench, name: &str) {
    let variables = variables(bench, name);
    assert_eq!(variables["display_rotate"], "1", "{name}: {variables:?}");
    assert_eq!(variables["hdmi_group"], "2", "{name}: {variables:?}");
    assert_eq!(variables["dtparam"], r#""audio=on","i2c_arm=on","spi=on""#, "{name}");
    let overlays = &variables["dtoverlay"];
    assert!(overlays.ends_with(r#""ads7846,penirq=25,swapxy=1""#), "{name}: {overlays}");
    for gone in ["boot_delay", "arm_freq", "hdmi_mode", "lcd_rotate"] {
        assert!(!variables.contains_key(gone), "{name}: {variables:?}");
    }
}

#[test]
fn a_kiosk_arrives_as_it_was_turned() {
    let bench = kiosks(4, "");
    let planned = bench.home.run(&["plan", "lab/inventory.yaml", "--detail", "kiosk-001"]).unwrap();
    let said: String = planned.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    for words in [
        "kept as device variables BALENA_HOST_CONFIG_…:",
        "display_rotate=1",
        "dropped lines of config.txt:",
        "boot_delay=1",
        "balenaOS decides what is booted, and how",
        "only the board itself can tell at its start whether [gpio4=1] applies",
        "+variable display_rotate=1",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert!(!said.contains("hdmi_mode=9"), "a line for another board is no loss: {said}");

    let ended = bench.migrate(&[]).unwrap().end().unwrap();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    for pi in bench.lab().devices() {
        assert_is_a_kiosk(&bench, pi.name());
        let config = pi.balena_config_txt().unwrap();
        assert!(config.lines().any(|line| line == "display_rotate=1"), "{config}");
        assert!(config.ends_with("dtoverlay=ads7846\ndtparam=penirq=25\ndtparam=swapxy=1\n"));
    }
}

#[test]
fn a_controller_that_is_killed_while_it_registers_sets_them_all_the_same() {
    let bench = kiosks(2, "");
    let mut process = bench.migrate(&[]).unwrap();
    let registers = |record: &_| begins(record, Action::Register);
    bench.home.until_record(&mut process, "a registration", registers).unwrap();
    process.kill().unwrap();
    let run = bench.home.only_run().unwrap().name();
    let ended = bench.home.run(&["resume", &run]).unwrap();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(bench.lab().api().devices().len(), 2);
    bench.lab().devices().map(Arc::as_ref).for_each(|pi| assert_is_a_kiosk(&bench, pi.name()));
}

#[test]
fn who_commits_alone_has_them_before_it_is_booted() {
    let bench = kiosks(1, "");
    let inventory = bench.home.read("lab/inventory.yaml").unwrap();
    let unattended = inventory.replacen("defaults:", "defaults:\n  handover: unattended", 1);
    assert_ne!(inventory, unattended, "{inventory}");
    bench.home.write("lab/inventory.yaml", unattended).unwrap();
    let ended = bench.migrate(&[]).unwrap().end().unwrap();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_is_a_kiosk(&bench, "kiosk-001");
}

/// Lines that files are made of, good ones and bad ones.
fn line() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "dtoverlay=",
        "dtparam=",
        "gpio=",
        "device_tree_overlay=",
        "vc4-kms-v3d",
        "i2c-rtc",
        ",",
        "audio=off",
        "audio",
        "i2c",
        "spi=on",
        "wakeup",
        "sd_overclock=100",
        "=",
        " ",
        "[all]",
        "[pi4]",
        "[pi3]",
        "[gpio4=1]",
        "#",
        "gpu_mem=",
        "64",
        "hdmi_mode:1=4",
        "kernel=",
        "\"",
        "\\",
        ":",
        "include ",
        "x",
        "display_rotate=1",
        "\t",
        "\u{fc}",
        "\r",
    ]);
    prop::collection::vec(word, 0..7).prop_map(|words| words.concat())
}

proptest! {
    /// The supervisor reads what it was told, and so reboots no device for ever.
    #[test]
    fn whatever_is_kept_the_supervisor_gives_back(lines in prop::collection::vec(line(), 0..12)) {
        let board = BoardFacts { revision: Revision(0xc03111), serial: Some(1) };
        let text = lines.join("\n");
        let kept = from_config_txt(&ConfigTxt::parse(text.as_bytes()), &board);
        let written = supervisor::config_txt(&kept.variables);
        prop_assert!(written.is_ok(), "{text}\n{written:?}");
        let name_is_good = |name: &String| {
            let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
            name.starts_with(PREFIX) && name.chars().all(is_word)
        };
        prop_assert!(kept.variables.keys().all(name_is_good), "{:?}", kept.variables);
    }
}
