//! A fleet is assessed on day one, when there is nothing but an inventory with logins.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use migos_lab::Pace;
use migos_tests::fleet::{Bench, Ended};
use serde_json::Value;
use std::io::ErrorKind;
use std::net::TcpListener;

const FAULTS: &str = "\
kiosk-002: [old-firmware]
kiosk-003: [under-voltage]
kiosk-004: [unreachable]
kiosk-006: [small-card]
kiosk-007: [sudo-asks]
kiosk-008: [tunnel]
kiosk-011: [overlay-root]
";

/// Keys that an inventory does not need for this, and the lab's has.
const NOT_NEEDED: [&str; 5] = ["balena:", "payloads:", "images:", "data:", "policy:"];

/// A lab, and its inventory with nothing in it but who stands where and how to log in; `kiosk-001` is held.
fn day_one(devices: usize, faults: &str) -> Bench {
    let bench = Bench::start(devices, faults, Pace::test()).unwrap();
    let mut kept = String::new();
    let mut is_dropped = false;
    for line in bench.home.read("lab/inventory.yaml").unwrap().lines() {
        is_dropped = match line.starts_with(' ') {
            true => is_dropped,
            false => NOT_NEEDED.iter().any(|key| line.starts_with(key)),
        };
        if !is_dropped {
            kept += &line.replace("kiosk-001: {", "kiosk-001: { hold: ask the site,");
            kept.push('\n');
        }
    }
    bench.home.write("lab/kiosks.yaml", kept).unwrap();
    bench
}

fn assess(bench: &Bench, more: &[&str]) -> Ended {
    let ended = bench.home.run(&[&["assess", "lab/kiosks.yaml"], more].concat()).unwrap();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    ended
}

#[test]
fn every_device_stands_somewhere_and_nothing_but_ssh_is_needed() {
    let bench = day_one(24, FAULTS);
    let json = assess(&bench, &["--format", "json", "--html", "page.html"]).stdout;
    let page: Value = serde_json::from_str(&json).unwrap();
    let expected = [
        ("kiosk-001", "held"),
        ("kiosk-002", "fixable"),
        ("kiosk-003", "visit"),
        ("kiosk-004", "unreachable"),
        // A Pi 5, which no recipe builds a payload for.
        ("kiosk-005", "visit"),
        ("kiosk-006", "visit"),
        ("kiosk-007", "fixable"),
        ("kiosk-008", "fixable"),
        ("kiosk-009", "ready"),
        // A Zero W: it has no room for an image of the size that is assumed, and that is no fault.
        ("kiosk-010", "ready"),
        ("kiosk-011", "fixable"),
    ];
    for (device, state) in expected {
        assert_eq!(page["devices"][device]["state"], state, "{device}: {json}");
    }
    assert_eq!(page["devices"].as_object().unwrap().len(), 24);
    let counts = page["counts"].as_object().unwrap();
    assert_eq!(counts.values().filter_map(Value::as_u64).sum::<u64>(), 24, "{counts:?}");
    assert_eq!(page["undecided"].as_array().unwrap().len(), 5, "{}", page["undecided"]);
    assert!(page["forecast"]["prediction"]["seconds"].as_u64().unwrap() > 0, "{json}");

    let html = bench.home.read("page.html").unwrap();
    for n in 1..=24 {
        let row = format!("<td>kiosk-{n:03}</td>");
        assert!(html.contains(&row), "{row} is not on the page");
    }
    assert!(!html.contains("<script"));
    assert!(!bench.home.path().join("runs/devices.json").exists(), "no run was begun");
}

#[test]
fn balena_is_never_asked() {
    let bench = day_one(2, "");
    let balena = TcpListener::bind("127.0.0.1:0").unwrap();
    balena.set_nonblocking(true).unwrap();
    let api = format!("migos: 1\nbalena: {{ api: \"http://{}\" }}", balena.local_addr().unwrap());
    let text = bench.home.read("lab/kiosks.yaml").unwrap().replace("migos: 1", &api);
    bench.home.write("lab/kiosks.yaml", text).unwrap();
    assess(&bench, &[]);
    let asked = balena.accept().unwrap_err();
    assert_eq!(asked.kind(), ErrorKind::WouldBlock, "somebody has connected");
}

#[test]
fn saved_facts_and_a_selection_are_enough() {
    let bench = day_one(3, "kiosk-002: [old-firmware]");
    let args = ["probe", "lab/kiosks.yaml", "-o", "facts.json"];
    assert_eq!(bench.home.run(&args).unwrap().code, Some(0));
    let ended = assess(&bench, &["--facts", "facts.json", "-l", "kiosk-[002:003]"]);
    assert!(!ended.stderr.contains("probing"), "{}", ended.stderr);
    assert!(ended.stdout.contains("2 devices"), "{}", ended.stdout);
    assert!(ended.stdout.contains("raspberrypi-bootloader"), "{}", ended.stdout);
}
