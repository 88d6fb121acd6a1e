//! What a person reads who decides about a fleet: plans of described fleets, held against golden texts in `plans/`.
//! `UPDATE_PLANS=1` writes those anew.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "golden_plans/described.rs"]
mod described;
#[path = "golden_plans/pi.rs"]
mod pi;
#[path = "golden_plans/refused.rs"]
mod refused;

use described::Described;
use jiff::Timestamp;
use migos_playbooks::plan::{CheckedPlan, SetAside};
use pi::Pi;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// When the facts were read: Monday, 2026-11-23, at eight in the evening.
const READ: Timestamp = Timestamp::constant(1_795_464_000, 0);

/// When the plan is read.
const NOW: Timestamp = Timestamp::constant(1_795_464_250, 0);

/// Lines of two large screens, or of two printed pages. What is to be decided stands there.
const TWO_SCREENS: usize = 120;

/// The width that the texts are made for.
const WIDTH: usize = 120;

/// Holds a text against its golden file.
fn is_golden(name: &str, text: &str) {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("plans").join(format!("{name}.txt"));
    #[expect(clippy::disallowed_methods, reason = "golden files are written on request only")]
    if std::env::var_os("UPDATE_PLANS").is_some() {
        #[expect(clippy::disallowed_methods, reason = "the working tree is under version control")]
        fs::write(&golden, text).unwrap();
    }
    let expected = fs::read_to_string(&golden).unwrap_or_default();
    assert!(expected == text, "the plan is not that of {}:\n{text}", golden.display());
    for line in text.lines() {
        assert!(line.chars().count() <= WIDTH, "too wide: {line}");
    }
}

const CAREFUL: &str = "policy: 1
parallel: 4
stages:
  - { name: canary, to: 1, gate: { tolerate: 0, soak: 30m, pause: \"Check the app on the canary, then resume.\" } }
  - { name: rest, to: 100%, gate: { tolerate: 1, soak: 30m } }
budget: { failed: 2, stuck: 0, lost: 0 }
";

#[test]
fn kiosks_of_two_classes_are_migrated_in_their_nights() {
    let inventory = r#"
data: none
groups:
  north: { site: north, devices: ["kiosk-[01:08]"] }
  south: { site: south, devices: ["kiosk-[09:12]"] }
"#;
    let window = "window: { days: mon-fri, from: \"22:00\", to: \"05:00\", zone: Europe/Berlin }\n";
    let mut fleet = Described::new(inventory, &format!("{CAREFUL}{window}"));
    fleet.are("kiosk-[01:08]", &Pi::three());
    fleet.are("kiosk-[09:12]", &Pi::four());
    is_golden("kiosks", &fleet.text(&fleet.plan(), None));
}

#[test]
fn boards_and_releases_are_mixed_and_old_firmware_is_updated_where_it_may_be() {
    let inventory = r#"
data: none
devices:
  gate-01: { site: harbour }
  gate-02: { site: harbour }
  sign-01: { site: harbour }
  sign-02: { site: station }
  till-01: { site: station }
  till-02: { site: station }
"#;
    let policy = format!("{CAREFUL}strategy: auto\nallow_update: [\"Pi 3B+\"]\n");
    let mut fleet = Described::new(inventory, &policy);
    let old = |pi: &Pi| pi.is("firmware.has tryboot.txt start.elf\n", "");
    fleet.are("gate-01", &Pi::three());
    fleet.are("gate-02", &old(&Pi::three().and("config.txt gpu_mem=64")));
    fleet.are("sign-01", &Pi::zero());
    fleet.are("sign-02", &old(&Pi::zero()));
    fleet.are("till-01", &Pi::four().and("hat PiJuice"));
    fleet.are("till-02", &Pi::four().is("/boot/firmware vfat rw", "/boot/firmware vfat ro"));
    is_golden("mixed", &fleet.text(&fleet.plan(), None));
}

#[test]
fn some_call_home_and_some_are_left_to_themselves() {
    let inventory = r#"
data: none
groups:
  behind-nat:
    site: north
    devices: ["kiosk-[1:3]"]
    handover: call-home
    bastion: { host: bastion.acme.example, user: callers, ports: 20000-20099 }
    mirror: "http://10.1.4.1:8000"
  alone: { site: hut, devices: ["hut-[1:2]"], handover: unattended, mirror: "http://10.9.0.1:8000" }
"#;
    let mut fleet = Described::new(inventory, CAREFUL);
    fleet.are(
        "kiosk-[1:3]",
        &Pi::three().is("address eth0 10.1.4.1", "address tun0 10.1.4.1").and("virtual tun0"),
    );
    fleet.are("hut-[1:2]", &Pi::four());
    is_golden("handovers", &fleet.text(&fleet.plan(), None));
}

/// The devices of a plan, by their result.
fn counts(plan: &CheckedPlan) -> [(&'static str, usize); 5] {
    let aside = |is: fn(&SetAside) -> bool| plan.set_aside.values().filter(|why| is(why)).count();
    [
        ("migrate", plan.devices.len()),
        ("done", aside(|why| matches!(why, SetAside::AlreadyMigrated { .. }))),
        ("held", aside(|why| matches!(why, SetAside::Held(_)))),
        ("refused", aside(|why| matches!(why, SetAside::Refused(_)))),
        ("unreachable", aside(|why| matches!(why, SetAside::Unreachable(_)))),
    ]
}

/// The text without its line breaks and columns, in which a sentence can be found.
fn words(text: &str) -> BTreeSet<&str> {
    text.split_whitespace().collect()
}

#[test]
fn a_large_fleet_with_every_refusal_fits_on_two_screens_and_leaves_nobody_out() {
    let (fleet, whom) = refused::fleet();
    let plan = fleet.plan();
    let text = fleet.text(&plan, None);

    for (names, check) in &whom {
        for id in fleet.fleet.select(Some(names)).unwrap() {
            let Some(SetAside::Refused(findings)) = plan.set_aside.get(&id) else {
                panic!("{id} is not refused by {check}: {:?}", plan.set_aside.get(&id));
            };
            let found: Vec<&str> = findings.iter().map(|it| it.check.as_str()).collect();
            assert!(found.contains(check), "{id} should be refused by {check}: {found:?}");
        }
    }
    let met: BTreeSet<&str> = whom.iter().map(|(_, check)| *check).collect();
    assert_eq!(met, refused::checks().into_iter().collect(), "every check that refuses");

    let told = words(&text);
    for why in plan.set_aside.values() {
        let SetAside::Refused(findings) = why else { continue };
        for finding in findings {
            let words = finding.remedy.split_whitespace();
            let lost: Vec<&str> = words.filter(|word| !told.contains(word)).collect();
            assert!(lost.is_empty(), "{lost:?} of the remedy of {} is not told", finding.check);
        }
    }
    let (mut counted, mut rows) = (0, text.lines());
    for (result, count) in counts(&plan) {
        // A result with several reasons has a row for each.
        let of = |line: &&str| line.split_whitespace().next() == Some(result);
        let numbers = rows.clone().filter(of).filter_map(|line| line.split_whitespace().nth(1));
        let told: usize = numbers.filter_map(|number| number.parse::<usize>().ok()).sum();
        assert_eq!(told, count, "{result}");
        counted += count;
    }
    assert_eq!(counted, fleet.fleet.devices.len());
    assert!(rows.any(|line| line.contains("300 devices")));
    is_golden("large", &text);
    // Nobody has all kinds of refusals at once: some dozen of them still fit.
    let refused = text.split_once("\nRefused\n").unwrap().1.split_once("\n\n").unwrap().0;
    let kinds = refused.lines().filter(|line| !line.starts_with("   ")).count();
    let (lines, all) = (refused.lines().count(), text.lines().count());
    assert!(lines <= kinds * 2, "{lines} lines for {kinds} kinds of refusals");
    assert!(all - lines + 12 * 2 <= TWO_SCREENS, "{all} lines, {lines} of them refusals:\n{text}");
}

#[test]
fn one_device_is_shown_with_all_its_checks() {
    let mut fleet = Described::new(
        "data: none\ndevices:\n  kiosk-7: { site: north }\n  kiosk-8: {}\n",
        CAREFUL,
    );
    fleet.are("kiosk-7", &Pi::three().is("throttled 0x0", "throttled 0x40000"));
    fleet.are("kiosk-8", &Pi::three());
    is_golden("detail", &fleet.text(&fleet.plan(), Some("kiosk-7")));
}
