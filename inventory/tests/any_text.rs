//! Whatever is in the file: an answer, never a panic, and places that exist.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use migos_inventory::{Problems, parse};
use proptest::prelude::*;

const GOOD: &str = r#"migos: 1
balena: { fleet: acme/kiosks, api: "https://api.example.org", token: { env: BALENA_TOKEN } }
payloads: payloads/
images: { raspberrypi3: rpi3.img.gz }
data: none
policy: { parallel: 8 }
defaults:
  ssh: { user: pi, identity: ~/.ssh/fleet, port: 22, sudo_password: { file: sudo.txt } }
groups:
  lab:   { devices: [bench-1, "bench-[02:06:2]"] }
  north: { devices: ["kiosk-[001:060]"], vars: { site: north, notes: [1, ~, 2.5] } }
devices:
  kiosk-042:
    host: 10.1.4.42
    serial: "00000000765fc593"
    hold: >-
      screen being replaced,
      ask the site
"#;

/// Pieces that mean something to YAML or to the inventory.
const PIECES: [&str; 40] = [
    "\t",
    "\n",
    "\r\n",
    "  ",
    "- ",
    "? ",
    ": ",
    ":",
    ",",
    "[",
    "]",
    "{",
    "}",
    "\"",
    "'",
    "|",
    ">-",
    "&a ",
    "*a",
    "<<",
    "!!str ",
    "!x ",
    "#",
    "---\n",
    "...\n",
    "%YAML 1.2\n",
    "~",
    "null",
    "0x1",
    "1e9",
    "[1:9999999]",
    "[a:f]",
    "all",
    "migos: 1\n",
    "devices:\n",
    "\u{feff}",
    "\u{0}",
    "\\",
    "\u{85}",
    "é",
];

fn check(text: &str) {
    let lines = text.split(['\n', '\r']).count();
    match parse("any.yaml", text) {
        Ok(fleet) => {
            assert!(!fleet.order.is_empty());
            assert_eq!(fleet.order.len(), fleet.devices.len());
        }
        Err(Problems(problems)) => {
            assert!(!problems.is_empty());
            for problem in problems {
                assert!(problem.line >= 1 && problem.column >= 1, "{problem}");
                assert!(problem.line <= lines + 1, "{problem}");
                assert!(!problem.to_string().contains('\u{1b}'), "{problem}");
            }
        }
    }
}

#[test]
fn the_text_that_is_changed_below_is_good() {
    assert_eq!(parse("any.yaml", GOOD).map(|fleet| fleet.order.len()), Ok(64));
}

proptest! {
    #[test]
    fn any_text(text in any::<String>()) {
        check(&text);
    }

    #[test]
    fn any_yaml_like_text(pieces in prop::collection::vec(prop::sample::select(&PIECES[..]), 0..40)) {
        check(&pieces.concat());
        check(&format!("migos: 1\n{}", pieces.concat()));
    }

    #[test]
    fn a_good_inventory_with_changes(
        changes in prop::collection::vec(
            (any::<prop::sample::Index>(), 0usize..12, prop::sample::select(&PIECES[..])), 1..6
        )
    ) {
        let mut text: Vec<char> = GOOD.chars().collect();
        for (at, removed, piece) in changes {
            let at = at.index(text.len());
            let end = (at + removed).min(text.len());
            text.splice(at..end, piece.chars());
        }
        check(&text.into_iter().collect::<String>());
    }
}
