//! `config.txt`: read without loss, an answer for every board, and texts that all firmware reads.

#![no_main]

use libfuzzer_sys::fuzz_target;
use migos_payload::board::{Architecture, BoardFacts, Revision};
use migos_payload::boot_document::ConfigTxt;
use migos_payload::boot_text::{COLUMN_LIMIT, FILE_LIMIT, migos_config_txt, proof_tryboot_txt};
use migos_payload::diff;

fuzz_target!(|input: (u32, Option<u64>, &[u8])| {
    let (revision, serial, bytes) = input;
    let board = BoardFacts { revision: Revision(revision), serial };
    let config = ConfigTxt::parse(bytes);
    assert_eq!(config.to_bytes(), bytes);
    let whole = config.lines().iter().flat_map(|line| config.text(line.whole));
    assert!(whole.eq(bytes));

    for key in ["gpu_mem", "kernel", "ramfsfile", "dtoverlay"] {
        if let Some(effective) = config.effective(key, &board) {
            assert!(effective.line <= config.lines().len());
        }
    }
    assert!(config.settings_for(&board).len() <= config.lines().len());
    assert!(config.remarks().iter().all(|remark| !remark.to_string().contains('\n')));

    if let Ok(text) = migos_config_txt(&config, &board, Architecture::Arm64, |_| true) {
        assert!(text.is_ascii() && text.len() < FILE_LIMIT && text.ends_with("\n[all]\n"));
        assert!(text.lines().all(|line| line.len() <= COLUMN_LIMIT));
    }
    if let Ok(proof) = proof_tryboot_txt(&config) {
        assert!(proof.ends_with(b"\n[all]\ncmdline=/migos/probe.txt\n"));
        assert!(!diff::unified(bytes, &proof, "config.txt").is_empty());
    }
});
