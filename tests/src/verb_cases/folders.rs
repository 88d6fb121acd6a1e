//! Cases of the verbs that take whole folders.

use super::{Case, NASTY, case, sha};
use migos_ssh::verb::Verb;

const COPY: &str = "/var/lib/migos/backup";

pub(super) fn cases() -> Vec<Case> {
    [tree(), backup(), pack()].concat()
}

/// The answer of `tree`: path and content of each file, path of each folder with its `/`.
fn listing(leaves: &[(&str, &str)]) -> String {
    let line = |(path, content): &(&str, &str)| match path.strip_suffix('/') {
        Some(_) => format!("- - {path}\n"),
        None => format!("{} {} {path}\n", content.len(), sha(content)),
    };
    let lines: String = leaves.iter().map(line).collect();
    format!("migos-tree 1\n{lines}end ok\n")
}

fn tree() -> Vec<Case> {
    let name = NASTY.rsplit('/').next().unwrap_or_default();
    vec![
        // The `/` of a folder does not count.
        case("tree is sorted bytewise by path", Verb::Tree, &["/boot"])
            .before("/boot/a/z", "")
            .before("/boot/a-b", "x\n")
            .before("/boot/B", "two")
            .before("/boot/a/b/c d", "deep")
            .stdout(listing(&[
                ("B", "two"),
                ("a/", ""),
                ("a-b", "x\n"),
                ("a/b/", ""),
                ("a/b/c d", "deep"),
                ("a/z", ""),
            ])),
        case("tree of a folder in a folder", Verb::Tree, &["/boot/a"])
            .before("/boot/a/b/c", "c")
            .before("/boot/d", "d")
            .stdout(listing(&[("b/", ""), ("b/c", "c")])),
        case("tree of a nasty name", Verb::Tree, &["/var/lib/migos"])
            .before(NASTY, "x")
            .stdout(listing(&[(name, "x")])),
        case("tree tells an empty folder", Verb::Tree, &["/boot"])
            .before("/boot/a/b", "")
            .first(Verb::Remove, &["/boot/a/b"])
            .stdout(listing(&[("a/", "")])),
        case("tree of nothing", Verb::Tree, &["/boot"]).stdout(listing(&[])),
        case("tree of what is not there", Verb::Tree, &["/boot/a"]).exit(66),
        case("tree of a file", Verb::Tree, &["/boot/a"]).before("/boot/a", "").exit(66),
        case("tree needs a folder", Verb::Tree, &[]).exit(64),
        case("tree needs an absolute path", Verb::Tree, &["boot"]).exit(64),
    ]
}

fn backup() -> Vec<Case> {
    let boot = |name| {
        let case = case(name, Verb::Backup, &["/boot", COPY]);
        let case = case.before("/boot/config.txt", "[all]\n").before("/boot/o/x.dtbo", "x");
        case.stdout(listing(&[("config.txt", "[all]\n"), ("o/", ""), ("o/x.dtbo", "x")]))
            .after("/boot/config.txt", "[all]\n")
            .after("/var/lib/migos/backup/config.txt", "[all]\n")
            .after("/var/lib/migos/backup/o/x.dtbo", "x")
            .gone("/var/lib/migos/backup.new/config.txt")
    };
    let mut cases = vec![
        boot("backup copies a folder"),
        boot("backup leaves an equal copy").first(Verb::Backup, &["/boot", COPY]),
        boot("backup replaces another copy")
            .before("/var/lib/migos/backup/config.txt", "other")
            .before("/var/lib/migos/backup/more", "")
            .gone("/var/lib/migos/backup/more"),
        boot("backup replaces a copy that lacks something")
            .before("/var/lib/migos/backup/config.txt", "[all]\n"),
        boot("backup replaces a leftover")
            .before("/var/lib/migos/backup.new/config.txt", "half")
            .before("/var/lib/migos/backup.new/more", "")
            .gone("/var/lib/migos/backup/more"),
        case("backup of what is not there", Verb::Backup, &["/boot/a", COPY]).exit(66),
        case("backup of a file", Verb::Backup, &["/boot/a", COPY]).before("/boot/a", "").exit(66),
        case("backup into itself", Verb::Backup, &["/boot", "/boot/copy"])
            .before("/boot/a", "")
            .exit(64),
        case("backup over itself", Verb::Backup, &["/boot/a/b", "/boot/a"])
            .before("/boot/a/b/c", "c")
            .exit(64)
            .after("/boot/a/b/c", "c"),
        case("backup needs two folders", Verb::Backup, &["/boot"]).exit(64),
        case("backup needs an absolute path", Verb::Backup, &["boot", COPY]).exit(64),
    ];
    for to in ["", "/", "/var", "var/x", "/var/../x", "/var//x", "/var/./x", "/var/"] {
        let refused = case("backup refuses a dangerous path", Verb::Backup, &["/boot", to]);
        cases.push(refused.exit(64));
    }
    cases
}

fn pack() -> Vec<Case> {
    let name = NASTY.rsplit('/').next().unwrap_or_default();
    vec![
        case("pack holds files and folders", Verb::Pack, &["/boot"])
            .before("/boot/config.txt", "two\r\nlines\n")
            .before("/boot/o/a b", "")
            .before("/boot/e/x", "")
            .first(Verb::Remove, &["/boot/e/x"])
            .archive(&[
                ("config.txt", Some("two\r\nlines\n")),
                ("e", None),
                ("o", None),
                ("o/a b", Some("")),
            ]),
        case("pack of a nasty name", Verb::Pack, &["/var/lib/migos"])
            .before(NASTY, "x")
            .archive(&[(name, Some("x"))]),
        case("pack of what is not there", Verb::Pack, &["/boot/a"]).exit(66),
        case("pack of a file", Verb::Pack, &["/boot/a"]).before("/boot/a", "").exit(66),
        case("pack needs a folder", Verb::Pack, &[]).exit(64),
        case("pack needs an absolute path", Verb::Pack, &["boot"]).exit(64),
    ]
}
