//! Cases of the verbs for the data that is kept.

use super::{Case, NASTY, case};
use migos_ssh::verb::Verb;

pub(super) fn cases() -> Vec<Case> {
    [sizes(), save()].concat()
}

fn sizes() -> Vec<Case> {
    vec![
        // What is there takes as much as its file system gives it, so only what is not there can stand in a table.
        case("sizes tells what is absent", Verb::Sizes, &["/boot/a b", NASTY])
            .stdout(format!("migos-sizes 1\nsize - /boot/a b\nsize - {NASTY}\nend ok\n")),
        case("sizes needs a path", Verb::Sizes, &[]).exit(64),
        case("sizes needs absolute paths", Verb::Sizes, &["/boot", "boot"]).exit(64),
    ]
}

fn save() -> Vec<Case> {
    let name = NASTY.rsplit('/').next().unwrap_or_default();
    vec![
        photos("save holds a folder with all below it", &[]).archive(&[
            ("photos", None),
            ("photos/1.jpg", Some("two\r\nlines\n")),
            ("photos/old", None),
            ("photos/old/2.tmp", Some("2")),
            ("photos/old/cache", None),
            ("photos/old/cache/x", Some("x")),
        ]),
        case("save of a file", Verb::Save, &["/boot/a"])
            .before("/boot/a", "abc")
            .archive(&[("a", Some("abc"))]),
        case("save of a nasty name", Verb::Save, &[NASTY])
            .before(NASTY, "x")
            .archive(&[(name, Some("x"))]),
        case("save of what is not there", Verb::Save, &["/boot/a"]).exit(66),
        case("save needs a path", Verb::Save, &[]).exit(64),
        case("save needs an absolute path", Verb::Save, &["boot"]).exit(64),
    ]
}

/// Cases that need GNU tar, as Raspbian has it: others cannot leave out names.
pub(super) fn with_gnu_tar() -> Vec<Case> {
    vec![
        photos("save leaves out names of patterns", &["*.tmp", "cache"]).archive(&[
            ("photos", None),
            ("photos/1.jpg", Some("two\r\nlines\n")),
            ("photos/old", None),
        ]),
        photos("save takes a pattern for nothing else", &["?.jpg", "-rf", "$(reboot)"]).archive(&[
            ("photos", None),
            ("photos/old", None),
            ("photos/old/2.tmp", Some("2")),
            ("photos/old/cache", None),
            ("photos/old/cache/x", Some("x")),
        ]),
    ]
}

fn photos(name: &'static str, patterns: &[&str]) -> Case {
    let args = [&["/var/lib/migos/photos"], patterns].concat();
    case(name, Verb::Save, &args)
        .before("/var/lib/migos/photos/1.jpg", "two\r\nlines\n")
        .before("/var/lib/migos/photos/old/cache/x", "x")
        .before("/var/lib/migos/photos/old/2.tmp", "2")
        .before("/var/lib/migos/other", "")
}
