#![allow(clippy::unwrap_used)]
use super::*;
use crate::html::assess_html;
use crate::sample::{self, id};
use jiff::Timestamp;
use migos_payload::size::ByteCount;
use migos_playbooks::estimate::StagePrediction;
use serde_json::json;
use std::time::Duration;

const STYLE: Style = Style { color: false, width: 120 };

/// The fleet of the sample plan: three can go once they are fixed, one of them is not in the forecast.
fn assessment() -> Assessment {
    let mut forecast = sample::plan();
    forecast.set_aside.clear();
    forecast.id = forecast.digest().unwrap();
    let finding = |check: &str, reason: &str, remedy: &str| Finding {
        check: check.into(),
        reason: reason.into(),
        remedy: remedy.into(),
    };
    let old = finding("firmware", "its EEPROM is too old", "rpi-eeprom-update -a, then reboot");
    let overlay = finding(
        "overlay-root",
        "its root file system is an overlay",
        "raspi-config nonint disable_overlayfs, then reboot",
    );
    let weak = finding("power", "under-voltage seen now", "check the power supply");
    let slow = finding("throttled", "it is too hot now", "look whether it gets air");
    let devices = [
        ("kiosk-001", Standing::Ready(Vec::new())),
        ("kiosk-002", Standing::Ready(Vec::new())),
        ("kiosk-003", Standing::Ready(vec![slow])),
        ("kiosk-061", Standing::Fixable(vec![old.clone()])),
        ("kiosk-062", Standing::Fixable(vec![old.clone()])),
        ("kiosk-063", Standing::Fixable(vec![overlay])),
        ("kiosk-064", Standing::Visit(vec![weak, old])),
        ("kiosk-065", Standing::Unreachable("connect timeout\x1b[2J".into())),
        ("kiosk-066", Standing::Held("ask <the> site".into())),
        ("kiosk-067", Standing::Done("an earlier run has migrated it".into())),
    ];
    let names = |names: &[&str]| names.iter().map(|name| id(name)).collect();
    let need = |devices: &[&str], board: &str, size, named: &[&str]| Need {
        devices: devices.iter().map(|name| id(name)).collect(),
        boards: [board.to_owned()].into(),
        named: named.iter().map(|path| (*path).to_owned()).collect(),
        size: ByteCount(size),
    };
    let north = ["kiosk-001", "kiosk-002", "kiosk-003"];
    let south = ["kiosk-061", "kiosk-062", "kiosk-063"];
    let sent = |each: u64| Sent {
        devices: 3,
        sent: ByteCount(3 * each),
        fetched: ByteCount(0),
        least: ByteCount(each),
        most: ByteCount(each),
    };
    let site = |name: &str| SiteName::new(name).ok();
    Assessment {
        facts_read: Timestamp::UNIX_EPOCH,
        devices: devices.map(|(name, standing)| (id(name), standing)).into(),
        payloads: [
            ("raspios-arm64".to_owned(), need(&south, "4B", 24_000_000, &[])),
            ("raspios-armhf".to_owned(), need(&north, "3B+", 18_000_000, &[])),
        ]
        .into(),
        images: [
            ("raspberrypi3".to_owned(), need(&north, "3B+", 170_000_000, &["images/3.img.gz"])),
            ("raspberrypi4-64".to_owned(), need(&south, "4B", 170_000_000, &[])),
        ]
        .into(),
        undecided: vec![Undecided {
            what: "the balena fleet to join",
            remedy: "`balena: { fleet: organisation/name }`",
            devices: names(&["kiosk-001", "kiosk-002"]),
        }],
        data: [(site("north"), sent(188_000_000)), (site("south"), sent(194_000_000))].into(),
        forecast: forecast.check().unwrap(),
    }
}

fn around<T>(assessment: &Assessment, render: impl FnOnce(&Around<'_>) -> T) -> T {
    let hour = Duration::from_secs(3600);
    let prediction = Prediction {
        stages: vec![StagePrediction { name: "all".into(), takes: 3 * hour }],
        whole: 3 * hour,
        pauses: 1,
        begun: Timestamp::UNIX_EPOCH,
        devices: BTreeMap::new(),
    };
    let hint = assess_next(assessment, "kiosks.yaml");
    let (now, source) = (Timestamp::UNIX_EPOCH, "kiosks.yaml");
    render(&Around { now, prediction: Ok(&prediction), source, hint: &hint })
}

#[test]
fn one_page_says_how_the_fleet_stands() {
    let assessment = assessment();
    let text = around(&assessment, |around| assess_text(&assessment, STYLE, around));
    insta::assert_snapshot!(text, @r###"
    Assessment  kiosks.yaml  10 devices  facts just read

      ready           3  kiosk-[001-003]
      fixable         3  kiosk-[061-063]  see below
      visit           1  kiosk-064        see below
      unreachable     1  kiosk-065        connect timeout [2J
      held            1  kiosk-066        "ask <the> site"
      done            1  kiosk-067        on balenaOS: an earlier run has migrated it

    In short
      counted   5 devices: 3 ready, 2 once they are fixed; 1 more cannot be reckoned with before that
      done      3h 00m after its start, so 1970-01-01 03:00 UTC if begun now and all goes well, and what a person takes at
                1 gate: all 3h 00m
      dark      each device is out of service for 16m 00s, at any hour, since no `window` is set
      data      1.1 GB sent in all to 6 devices, 188 MB to 194 MB to each device
      based on  assumed: payloads of 24 MB (raspios-arm64), 18 MB (raspios-armhf), the most that they may have, and images
                of 170 MB, 952 MB unpacked; 1 MB/s to a device and 5 MB/s to its card, both assumed until one of its class
                has shown it

    Sent, by site
      north  3 devices  564 MB
      south  3 devices  582 MB

    Can be fixed from here
      kiosk-[061-062]  its EEPROM is too old → rpi-eeprom-update -a, then reboot
      kiosk-063        its root file system is an overlay → raspi-config nonint disable_overlayfs, then reboot

    Need a visit, or stay as they are
      kiosk-064  under-voltage seen now → check the power supply
                 its EEPROM is too old → rpi-eeprom-update -a, then reboot

    Ready, with a warning
      kiosk-003  it is too hot now → look whether it gets air

    Images and payloads
      image raspberrypi3        3  Pi 3B+  named in the inventory: images/3.img.gz
      image raspberrypi4-64     3  Pi 4B
      payload raspios-arm64     3  Pi 4B
      payload raspios-armhf     3  Pi 3B+

      To get what is not named in the inventory:
        migos-fleet image prepare FILE -o images/raspberrypi4-64.img.gz
        migos-fleet payload build --recipe raspios-arm64
        migos-fleet payload build --recipe raspios-armhf
      FILE is the image of a card that balena has for download; docs/payload.md tells what else `payload build` is told.

    Still to decide
      the balena fleet to join     2  kiosk-[001-002]  `balena: { fleet: organisation/name }`

    Nothing was changed, and balena was not asked.
    Next: fix what can be fixed, then look again: migos-fleet assess kiosks.yaml
    "###);
}

#[test]
fn the_page_has_every_device_and_lets_nothing_through() {
    let assessment = assessment();
    let page = around(&assessment, |around| assess_html(&assessment, around));
    for device in assessment.devices.keys() {
        assert!(page.contains(&format!("<td>{device}</td>")), "{device}");
    }
    assert!(page.contains("ask &lt;the&gt; site"));
    assert!(!page.contains('\x1b') && !page.contains("<script"));
    assert!(!page.contains(sample::IDENTITY));
}

#[test]
fn programs_get_the_same_numbers() {
    let assessment = assessment();
    let json = around(&assessment, |around| assess_json(&assessment, around));
    let ready =
        json!({ "ready": 3, "fixable": 3, "visit": 1, "unreachable": 1, "held": 1, "done": 1 });
    assert_eq!(json["counts"], ready);
    assert_eq!(json["data"]["all"]["sent"], 1_146_000_000);
    assert_eq!(json["data"]["sites"][0]["site"], "north");
    assert_eq!(json["forecast"]["prediction"]["ends"], "1970-01-01T03:00:00Z");
    assert_eq!(json["devices"]["kiosk-061"]["why"][0]["check"], "firmware");
}

#[test]
fn the_next_command_is_the_one_that_helps() {
    let mut assessment = assessment();
    assert!(assess_next(&assessment, "k.yaml").contains("fix what can be fixed"));
    assessment.devices.retain(|_, standing| !matches!(standing, Standing::Fixable(_)));
    assert!(assess_next(&assessment, "k.yaml").contains("get and decide what is missing"));
    assessment.undecided.clear();
    for need in assessment.payloads.values_mut().chain(assessment.images.values_mut()) {
        need.named.insert("there".to_owned());
    }
    assert_eq!(assess_next(&assessment, "k.yaml"), "Next: migos-fleet plan k.yaml");
    assessment.devices.retain(|_, standing| !standing.goes());
    assert!(assess_next(&assessment, "k.yaml").starts_with("Nobody can be migrated"));
    assessment.devices.retain(|_, standing| matches!(standing, Standing::Done(_)));
    assert_eq!(assess_next(&assessment, "k.yaml"), "There is nothing to do.");
}
