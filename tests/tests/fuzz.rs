//! Every reader of foreign text, tried with some thousands of texts that nobody would write; or, with `FUZZ_SECONDS` in
//! the environment, for as long, and with `FUZZ_TARGET` one of them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use migos_tests::fuzz::{TARGETS, Target};
use std::time::{Duration, Instant};

/// Texts for each reader in an ordinary run of the tests.
const CASES: u64 = 1500;

#[expect(clippy::disallowed_methods, reason = "the way to ask for a longer run")]
fn set(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// How many texts the reader survived.
fn try_out(target: &Target, seconds: Option<u64>) -> u64 {
    let (started, mut cases) = (Instant::now(), 0);
    let tried = target.try_out(1, || match seconds {
        Some(seconds) => started.elapsed() < Duration::from_secs(seconds),
        None => {
            cases += 1;
            cases <= CASES
        }
    });
    tried.unwrap_or_else(|text| {
        panic!("{} panics at {:?}", target.name, String::from_utf8_lossy(&text))
    })
}

#[test]
fn no_reader_panics_whatever_the_text() {
    let seconds = set("FUZZ_SECONDS").map(|seconds| seconds.parse().expect("SECONDS is a number"));
    let wanted = set("FUZZ_TARGET");
    let chosen: Vec<&Target> = TARGETS
        .iter()
        .filter(|target| wanted.as_deref().is_none_or(|wanted| wanted == target.name))
        .collect();
    let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
    assert!(!chosen.is_empty(), "no target has this name; there are {}", names.join(", "));
    for target in chosen {
        assert!(try_out(target, seconds) > 0, "{} was not tried", target.name);
    }
}

/// Longer than any inventory that a person writes by hand.
const LONG: usize = 64 << 10;

/// What a reader may take for it: a hundred times what a slow computer needs where time grows with the length.
const PATIENCE: Duration = Duration::from_secs(10);

#[test]
fn no_reader_is_held_up_by_a_long_text() {
    let wanted = set("FUZZ_TARGET");
    let chosen = TARGETS
        .iter()
        .filter(|target| wanted.as_deref().is_none_or(|wanted| wanted == target.name));
    for target in chosen {
        let within = |text: &[u8], took: Duration| {
            let begins = String::from_utf8_lossy(text.get(..200).unwrap_or(text)).into_owned();
            let ends = String::from_utf8_lossy(&text[text.len().saturating_sub(40)..]).into_owned();
            assert!(took < PATIENCE, "{} took {took:?} for {begins:?}…{ends:?}", target.name);
        };
        target.stretch(LONG, within).unwrap_or_else(|text| {
            panic!("{} panics at {:?}", target.name, String::from_utf8_lossy(&text))
        });
    }
}
