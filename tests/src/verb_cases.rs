//! The contract of the verbs as data: arguments, standard input and files before; exit code, standard
//! output and files after.
//!
//! Whoever performs verbs is held to it by [`verb_runner`](crate::verb_runner). The probe is not here: its
//! form is the facts' own.

mod data;
mod folders;
mod machine;
mod own;

use crate::verb_runner::Unpacked;
use migos_payload::digest::Sha256;
use migos_ssh::verb::Verb;

/// A state that is more than files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Nothing special.
    Plain,
    /// Somebody holds the lock of dpkg.
    PackagesLocked,
    /// `systemctl reboot` fails.
    RebootFails,
}

/// One case.
#[derive(Debug, Clone)]
pub struct Case {
    /// What it shows.
    pub name: &'static str,
    /// The verb.
    pub verb: Verb,
    /// Its arguments.
    pub args: Vec<String>,
    /// Its standard input.
    pub stdin: Vec<u8>,
    /// Files that are there before.
    pub before: Vec<(&'static str, Vec<u8>)>,
    /// Verbs that are done before, with their arguments.
    pub first: Vec<(Verb, &'static [&'static str])>,
    /// The device's state.
    pub state: State,
    /// The exit code.
    pub exit: u32,
    /// Standard output, with the placeholders `{serial}`, `{machine-id}` and `{boot-id}`.
    pub stdout: String,
    /// What standard output holds instead, where it is an archive.
    pub archive: Option<Unpacked>,
    /// A part of the line on standard error.
    pub says: &'static str,
    /// Files afterwards; `None`: there is no such file.
    pub after: Vec<(&'static str, Option<Vec<u8>>)>,
    /// For each reboot that was asked for, what stood in `/run/systemd/reboot-param`.
    pub reboots: Vec<&'static str>,
}

fn case(name: &'static str, verb: Verb, args: &[&str]) -> Case {
    Case {
        name,
        verb,
        args: args.iter().map(|arg| (*arg).to_owned()).collect(),
        stdin: Vec::new(),
        before: Vec::new(),
        first: Vec::new(),
        state: State::Plain,
        exit: 0,
        stdout: String::new(),
        archive: None,
        says: "",
        after: Vec::new(),
        reboots: Vec::new(),
    }
}

impl Case {
    fn stdin(mut self, stdin: &str) -> Self {
        self.stdin = stdin.into();
        self
    }

    fn before(mut self, path: &'static str, content: &str) -> Self {
        self.before.push((path, content.into()));
        self
    }

    fn first(mut self, verb: Verb, args: &'static [&'static str]) -> Self {
        self.first.push((verb, args));
        self
    }

    fn state(mut self, state: State) -> Self {
        self.state = state;
        self
    }

    fn exit(mut self, code: u32) -> Self {
        self.exit = code;
        self
    }

    fn stdout(mut self, text: impl Into<String>) -> Self {
        self.stdout = text.into();
        self
    }

    fn archive(mut self, held: &[(&str, Option<&str>)]) -> Self {
        let held = held.iter().map(|(path, content)| ((*path).to_owned(), content.map(Into::into)));
        self.archive = Some(held.collect());
        self
    }

    fn says(mut self, part: &'static str) -> Self {
        self.says = part;
        self
    }

    fn after(mut self, path: &'static str, content: &str) -> Self {
        self.after.push((path, Some(content.into())));
        self
    }

    fn gone(mut self, path: &'static str) -> Self {
        self.after.push((path, None));
        self
    }

    fn reboot(mut self, parameter: &'static str) -> Self {
        self.reboots.push(parameter);
        self
    }
}

fn sha(content: &str) -> String {
    Sha256::of(content.as_bytes()).to_string()
}

/// A name that no shell must look into.
const NASTY: &str = "/var/lib/migos/it's; $(reboot) `x` \\ \"-rf *";

/// All cases.
pub fn cases() -> Vec<Case> {
    let files = [identity(), read(), write(), sums(), receive(), remove()].concat();
    [files, data::cases(), folders::cases(), machine::cases(), own::cases()].concat()
}

/// Cases that are for devices with GNU tar, as Raspbian has it.
pub fn with_gnu_tar() -> Vec<Case> {
    data::with_gnu_tar()
}

fn identity() -> Vec<Case> {
    let sum = |name, content| format!("boot.sum {} {name}\n", sha(content));
    let head = "migos-identity 1\nserial {serial}\nmachine-id {machine-id}\nboot-id {boot-id}\n";
    vec![
        case("identity tells the board and its boot files", Verb::Identity, &[])
            .before("/boot/config.txt", "[all]\n")
            .before("/boot/cmdline.txt", "rootwait")
            .stdout(format!(
                "{head}{}{}end ok\n",
                sum("config.txt", "[all]\n"),
                sum("cmdline.txt", "rootwait")
            )),
        case("identity leaves out a boot file that is missing", Verb::Identity, &[])
            .before("/boot/config.txt", "")
            .stdout(format!("{head}{}end ok\n", sum("config.txt", ""))),
        case("identity takes no arguments", Verb::Identity, &["x"]).exit(64),
    ]
}

fn read() -> Vec<Case> {
    vec![
        case("read gives a file of just the limit", Verb::Read, &["/boot/a", "3"])
            .before("/boot/a", "abc")
            .stdout("abc"),
        case("read of a larger file", Verb::Read, &["/boot/a", "2"])
            .before("/boot/a", "abc")
            .exit(65),
        case("read gives bytes as they are", Verb::Read, &["/boot/a", "100"])
            .before("/boot/a", "two\r\nlines\\n%s\n\n")
            .stdout("two\r\nlines\\n%s\n\n"),
        case("read gives an empty file", Verb::Read, &["/boot/a", "0"]).before("/boot/a", ""),
        case("read of a nasty name", Verb::Read, &[NASTY, "1"]).before(NASTY, "x").stdout("x"),
        case("read of what is not there", Verb::Read, &["/boot/a", "9"]).exit(66),
        case("read of a folder", Verb::Read, &["/boot/a", "9"]).before("/boot/a/b", "").exit(66),
        case("read needs a limit", Verb::Read, &["/boot/a"]).exit(64),
        case("read needs a number", Verb::Read, &["/boot/a", "1k"]).exit(64),
        case("read needs an absolute path", Verb::Read, &["boot/a", "1"]).exit(64),
    ]
}

fn write() -> Vec<Case> {
    vec![
        case("write makes a file", Verb::Write, &["/boot/a", "644", "3"])
            .stdin("abc")
            .after("/boot/a", "abc")
            .gone("/boot/a.new"),
        case("write makes folders", Verb::Write, &["/var/lib/migos/x/y", "600", "3"])
            .stdin("abc")
            .after("/var/lib/migos/x/y", "abc"),
        case("write replaces a file, and a leftover", Verb::Write, &["/boot/a", "644", "3"])
            .before("/boot/a", "the old content")
            .before("/boot/a.new", "a much longer leftover")
            .stdin("abc")
            .after("/boot/a", "abc")
            .gone("/boot/a.new"),
        case("write makes an empty file", Verb::Write, &["/boot/a", "644", "0"])
            .after("/boot/a", ""),
        case("write of a nasty name", Verb::Write, &[NASTY, "644", "1"])
            .stdin("\n")
            .after(NASTY, "\n"),
        case("write of too little changes nothing", Verb::Write, &["/boot/a", "644", "4"])
            .before("/boot/a", "old")
            .stdin("abc")
            .exit(65)
            .after("/boot/a", "old")
            .gone("/boot/a.new"),
        case("write of too much changes nothing", Verb::Write, &["/boot/a", "644", "2"])
            .stdin("abc")
            .exit(65)
            .gone("/boot/a")
            .gone("/boot/a.new"),
        case("write does not replace a folder", Verb::Write, &["/boot/a", "644", "3"])
            .before("/boot/a/b", "b")
            .stdin("abc")
            .exit(1)
            .after("/boot/a/b", "b")
            .gone("/boot/a.new"),
        case("write under a file is impossible", Verb::Write, &["/boot/a/b", "644", "3"])
            .before("/boot/a", "a")
            .stdin("abc")
            .exit(1)
            .after("/boot/a", "a"),
        case("write needs a size", Verb::Write, &["/boot/a", "644"]).exit(64).gone("/boot/a"),
        case("write needs an octal mode", Verb::Write, &["/boot/a", "rw", "0"]).exit(64),
        case("write needs an absolute path", Verb::Write, &["a", "644", "0"]).exit(64),
    ]
}

fn sums() -> Vec<Case> {
    let (a, b) = (sha("a"), sha("b\n"));
    vec![
        case("sums keeps the order", Verb::Sums, &["/boot/b", "/boot/a", "/boot/b"])
            .before("/boot/a", "a")
            .before("/boot/b", "b\n")
            .stdout(format!("{b} /boot/b\n{a} /boot/a\n{b} /boot/b\n")),
        case("sums tells what is absent", Verb::Sums, &["/boot/x", "/boot/d", "/boot/a"])
            .before("/boot/a", "a")
            .before("/boot/d/e", "")
            .stdout(format!("- /boot/x\n- /boot/d\n{a} /boot/a\n")),
        case("sums of a nasty name", Verb::Sums, &[NASTY])
            .before(NASTY, "a")
            .stdout(format!("{a} {NASTY}\n")),
        case("sums needs a path", Verb::Sums, &[]).exit(64),
        case("sums needs absolute paths", Verb::Sums, &["/boot/a", "b"]).exit(64),
    ]
}

/// `receive`: what is there is told, and what is missing taken.
fn receive() -> Vec<Case> {
    let abc = sha("abc");
    let part = |there: &str| format!("part {} {}\n", there.len(), sha(there));
    let receive = |name, args: &[&str]| case(name, Verb::Receive, args);
    let nasty_part = "/var/lib/migos/it's; $(reboot) `x` \\ \"-rf *.part";
    vec![
        receive("receive begins", &["/var/lib/migos/i/a", "3", &abc])
            .stdin("0\nabc")
            .stdout("none\n")
            .after("/var/lib/migos/i/a", "abc")
            .gone("/var/lib/migos/i/a.part"),
        receive("receive goes on", &["/boot/a", "6", &sha("abcdef")])
            .before("/boot/a.part", "abc")
            .stdin("3\ndef")
            .stdout(part("abc"))
            .after("/boot/a", "abcdef")
            .gone("/boot/a.part"),
        receive("receive cuts off what is behind", &["/boot/a", "4", &sha("abcd")])
            .before("/boot/a.part", "abXYZXYZ")
            .stdin("2\ncd")
            .stdout(part("abXYZXYZ"))
            .after("/boot/a", "abcd"),
        receive("receive begins anew", &["/boot/a", "2", &sha("ab")])
            .before("/boot/a.part", "XYZ")
            .stdin("0\nab")
            .stdout(part("XYZ"))
            .after("/boot/a", "ab"),
        receive("receive of a name that is missing", &["/boot/a", "3", &abc])
            .before("/boot/a.part", "abc")
            .stdin("3\n")
            .stdout(part("abc"))
            .after("/boot/a", "abc")
            .gone("/boot/a.part"),
        receive("receive of nothing at all", &["/boot/a", "0", &sha("")])
            .stdin("0\n")
            .stdout("none\n")
            .after("/boot/a", ""),
        receive("receive takes an empty beginning for none", &["/boot/a", "3", &abc])
            .before("/boot/a.part", "")
            .stdin("0\nabc")
            .stdout("none\n")
            .after("/boot/a", "abc"),
        receive("receive of what is there takes nothing", &["/boot/a", "3", &abc])
            .before("/boot/a", "abc")
            .before("/boot/a.part", "x")
            .stdout("whole\n")
            .after("/boot/a", "abc")
            .after("/boot/a.part", "x"),
        receive("receive replaces a file", &["/boot/a", "3", &abc])
            .before("/boot/a", "old")
            .stdin("0\nabc")
            .stdout("none\n")
            .after("/boot/a", "abc")
            .gone("/boot/a.part"),
        receive("receive of a nasty name", &[NASTY, "1", &sha("x")])
            .stdin("0\nx")
            .stdout("none\n")
            .after(NASTY, "x"),
        receive("receive goes on with a nasty name", &[NASTY, "3", &abc])
            .before(nasty_part, "ab")
            .stdin("2\nc")
            .stdout(part("ab"))
            .after(NASTY, "abc"),
        receive("receive keeps what came before a cut", &["/boot/a", "9", &abc])
            .before("/boot/a", "old")
            .stdin("0\nabc")
            .stdout("none\n")
            .exit(65)
            .after("/boot/a", "old")
            .after("/boot/a.part", "abc"),
        receive("receive throws away another content", &["/boot/a", "3", &abc])
            .before("/boot/a", "old")
            .stdin("0\nabd")
            .stdout("none\n")
            .exit(65)
            .after("/boot/a", "old")
            .gone("/boot/a.part"),
        receive("receive throws away another size", &["/boot/a", "2", &abc])
            .before("/boot/a", "old")
            .stdin("0\nabc")
            .stdout("none\n")
            .exit(65)
            .after("/boot/a", "old")
            .gone("/boot/a.part"),
        receive("receive throws away what is too long", &["/boot/a", "3", &abc])
            .stdin("0\nabcd")
            .stdout("none\n")
            .exit(65)
            .gone("/boot/a")
            .gone("/boot/a.part"),
        receive("receive throws away another beginning", &["/boot/a", "3", &abc])
            .before("/boot/a.part", "xy")
            .stdin("2\nc")
            .stdout(part("xy"))
            .exit(65)
            .gone("/boot/a")
            .gone("/boot/a.part"),
        receive("receive cannot leave a gap", &["/boot/a", "6", &abc])
            .before("/boot/a.part", "abc")
            .stdin("4\nef")
            .stdout(part("abc"))
            .exit(65)
            .after("/boot/a.part", "abc"),
        receive(
            "receive changes nothing until it is told where to go on",
            &["/boot/b/a", "6", &abc],
        )
        .stdout("none\n")
        .exit(1)
        .gone("/boot/b/a.part"),
        receive("receive is told a number", &["/boot/a", "6", &abc])
            .stdin("x\n")
            .stdout("none\n")
            .exit(64),
        receive("receive does not replace a folder", &["/boot/a", "3", &abc])
            .before("/boot/a/b", "b")
            .before("/boot/a.part", "abc")
            .stdin("3\n")
            .exit(1)
            .after("/boot/a/b", "b"),
        receive("receive needs a digest", &["/boot/a", "3"]).exit(64),
        receive("receive needs a size", &["/boot/a", "-1", &abc]).exit(64),
        receive("receive needs an absolute path", &["a", "3", &abc]).exit(64),
    ]
}

fn remove() -> Vec<Case> {
    let mut cases = vec![
        case("remove takes leftovers along", Verb::Remove, &["/boot/a"])
            .before("/boot/a", "")
            .before("/boot/a.new", "")
            .before("/boot/a.part", "")
            .before("/boot/ab", "other")
            .gone("/boot/a")
            .gone("/boot/a.new")
            .gone("/boot/a.part")
            .after("/boot/ab", "other"),
        case("remove of folders", Verb::Remove, &["/boot/migos", "/var/lib/migos"])
            .before("/boot/migos/job/x", "")
            .before("/var/lib/migos/y", "")
            .gone("/boot/migos/job/x")
            .gone("/var/lib/migos/y"),
        case("remove of what is not there", Verb::Remove, &["/boot/a", "/boot/b/c"]),
        case("remove of a nasty name", Verb::Remove, &[NASTY])
            .before(NASTY, "")
            .before("/boot/x", "other")
            .gone(NASTY)
            .after("/boot/x", "other"),
        case("remove refuses all for one", Verb::Remove, &["/boot/a", "/boot/../b"])
            .before("/boot/a", "a")
            .exit(64)
            .after("/boot/a", "a"),
        case("remove needs a path", Verb::Remove, &[]).exit(64),
    ];
    for path in [
        "",
        "/",
        "/boot",
        "boot/a",
        "./boot/a",
        "/boot/",
        "//boot",
        "/boot/.",
        "/./boot",
        "/../a",
        "/boot/..",
        "/boot//a",
        "/boot/./a",
        "-rf",
    ] {
        let refused = case("remove refuses a dangerous path", Verb::Remove, &[path]);
        cases.push(refused.before("/boot/a", "a").exit(64).after("/boot/a", "a"));
    }
    cases
}
