//! `cmdline.txt`: read without loss, and lines that the kernel reads as they are meant.

#![no_main]

use libfuzzer_sys::fuzz_target;
use migos_payload::boot_document::CmdlineTxt;
use migos_payload::boot_text::{CMDLINE_LIMIT, migos_cmdline, proof_cmdline};

fuzz_target!(|bytes: &[u8]| {
    let cmdline = CmdlineTxt::parse(bytes);
    assert_eq!(cmdline.to_bytes(), bytes);
    let mut end = 0;
    for token in cmdline.tokens() {
        assert!(end <= token.span.start && !token.span.is_empty());
        assert_eq!(token.text, &bytes[token.span.start..token.span.end]);
        assert!(token.value().is_none_or(|value| value.len() < token.text.len()));
        end = token.span.end;
    }
    assert_eq!(cmdline.keeping(|_| true).tokens().count(), cmdline.tokens().count());
    assert!(cmdline.dropping(|_| true).line().is_empty());

    if let Ok(line) = migos_cmdline(&cmdline) {
        assert!(line.len() < CMDLINE_LIMIT && !line.contains([';', '"', '\'', '$', '`', '\n']));
    }
    if let Ok(proof) = proof_cmdline(&cmdline, "0badcafe") {
        let proof = CmdlineTxt::parse(&proof);
        let value = proof.token("migos.probe").and_then(|token| token.value());
        assert_eq!(value, Some(&b"0badcafe"[..]));
    }
});
