//! The verbs: what can be asked of Raspbian, each by one script.
//!
//! A verb runs as `[sudo …] sh -c '<script>' migos-<verb>/1 <arguments>`. The scripts stand in
//! `src/verbs/`; what their exit codes mean stands here.

use crate::quote::quote;
use migos_engine::port::TransportError;

macro_rules! script {
    ($($file:literal),+) => {
        concat!($(include_str!(concat!("verbs/", $file))),+)
    };
}

/// A verb.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verb {
    /// \[CONNECTION \[HOST:PORT...\]\]: all facts, and which of the hosts the device reaches; nothing is changed.
    Probe,
    /// What tells the device and its boot files from any other; nothing is changed.
    Identity,
    /// PATH LIMIT: a file's bytes.
    Read,
    /// PATH MODE SIZE: a small file, whole.
    Write,
    /// PATH...: digests, read from the medium.
    Sums,
    /// PATH SIZE SHA256: a large file. It tells what is there of it, is told where to go on, and takes the rest.
    Receive,
    /// PATH...: files and folders go.
    Remove,
    /// WHAT: newer firmware from the packages of the device's release.
    Update,
    /// KEY SECONDS DEVICE RUN COMMAND: a command of the user's own.
    Run,
    /// Reboot with the one-shot flag.
    Arm,
    /// TIER: reboot without it.
    Reboot,
    /// PATH: all files and folders below a folder, read from the medium.
    Tree,
    /// FROM TO: a copy of a folder on the device.
    Backup,
    /// PATH: a folder as a tar archive.
    Pack,
    /// PATH...: what files and folders take.
    Sizes,
    /// PATH \[PATTERN...\]: a file or folder as a compressed tar archive, but for names of these patterns.
    Save,
    /// OWNER SECONDS: the device is taken.
    Lock,
    /// OWNER: the device is given back.
    Unlock,
    /// NAME PORT SECONDS TYPE KEY: at a bastion, a key may offer one port.
    Admit,
    /// NAME: at a bastion, that key may no more.
    Dismiss,
}

impl Verb {
    /// All of them.
    pub const ALL: [Verb; 20] = [
        Verb::Probe,
        Verb::Identity,
        Verb::Read,
        Verb::Write,
        Verb::Sums,
        Verb::Receive,
        Verb::Remove,
        Verb::Update,
        Verb::Run,
        Verb::Arm,
        Verb::Reboot,
        Verb::Tree,
        Verb::Backup,
        Verb::Pack,
        Verb::Sizes,
        Verb::Save,
        Verb::Lock,
        Verb::Unlock,
        Verb::Admit,
        Verb::Dismiss,
    ];

    /// Its name, as devices and people see it.
    pub fn name(self) -> &'static str {
        match self {
            Verb::Probe => "probe",
            Verb::Identity => "identity",
            Verb::Read => "read",
            Verb::Write => "write",
            Verb::Sums => "sums",
            Verb::Receive => "receive",
            Verb::Remove => "remove",
            Verb::Update => "update",
            Verb::Run => "run",
            Verb::Arm => "arm",
            Verb::Reboot => "reboot",
            Verb::Tree => "tree",
            Verb::Backup => "backup",
            Verb::Pack => "pack",
            Verb::Sizes => "sizes",
            Verb::Save => "save",
            Verb::Lock => "lock",
            Verb::Unlock => "unlock",
            Verb::Admit => "admit",
            Verb::Dismiss => "dismiss",
        }
    }

    /// Its script.
    pub fn script(self) -> &'static str {
        match self {
            Verb::Probe => script!("prelude.sh", "facts.sh", "probe.sh"),
            Verb::Identity => script!("prelude.sh", "facts.sh", "identity.sh"),
            Verb::Read => script!("prelude.sh", "read.sh"),
            Verb::Write => script!("prelude.sh", "writing.sh", "write.sh"),
            Verb::Sums => script!("prelude.sh", "sums.sh"),
            Verb::Receive => script!("prelude.sh", "writing.sh", "receive.sh"),
            Verb::Remove => script!("prelude.sh", "writing.sh", "remove.sh"),
            Verb::Update => script!("prelude.sh", "update.sh"),
            Verb::Run => script!("prelude.sh", "run.sh"),
            Verb::Arm => script!("prelude.sh", "arm.sh"),
            Verb::Reboot => script!("prelude.sh", "reboot.sh"),
            Verb::Tree => script!("prelude.sh", "listing.sh", "tree.sh"),
            Verb::Backup => script!("prelude.sh", "writing.sh", "listing.sh", "backup.sh"),
            Verb::Pack => script!("prelude.sh", "pack.sh"),
            Verb::Sizes => script!("prelude.sh", "sizes.sh"),
            Verb::Save => script!("prelude.sh", "save.sh"),
            Verb::Lock => script!("prelude.sh", "writing.sh", "alone.sh", "owner.sh", "lock.sh"),
            Verb::Unlock => {
                script!("prelude.sh", "writing.sh", "alone.sh", "owner.sh", "unlock.sh")
            }
            Verb::Admit => script!("prelude.sh", "writing.sh", "alone.sh", "guests.sh", "admit.sh"),
            Verb::Dismiss => {
                script!("prelude.sh", "writing.sh", "alone.sh", "guests.sh", "dismiss.sh")
            }
        }
    }
}

/// How a command gets root's rights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rise {
    /// The login is root.
    Login,
    /// sudo does not ask.
    Sudo,
    /// sudo reads the password from the first line of standard input, and asks for it even if it was
    /// given before: else that line would reach the command.
    SudoWithPassword,
}

impl Rise {
    /// What stands before a command.
    pub fn prefix(self) -> &'static str {
        match self {
            Rise::Login => "",
            Rise::Sudo => "sudo -n ",
            Rise::SudoWithPassword => "sudo -S -k -p '' ",
        }
    }
}

/// The command line that is sent for a verb.
pub fn command_line(rise: Rise, verb: Verb, args: &[&str]) -> String {
    let (prefix, script) = (rise.prefix(), quote(verb.script()));
    let mut line = format!("{prefix}sh -c {script} migos-{}/1", verb.name());
    if verb == Verb::Probe {
        // The login's own shell puts it in: sudo takes it out of what it starts.
        line.push_str(" \"$SSH_CONNECTION\"");
    }
    for arg in args {
        line.push(' ');
        line.push_str(&quote(arg));
    }
    line
}

/// The exit codes of all verbs.
pub mod exit {
    /// Done.
    pub const DONE: u32 = 0;
    /// Wrong arguments.
    pub const USAGE: u32 = 64;
    /// The content differs from what was expected.
    pub const DAMAGED: u32 = 65;
    /// What was asked for is not there.
    pub const ABSENT: u32 = 66;
    /// No space is left on the file system.
    pub const NO_SPACE: u32 = 73;
    /// Not now.
    pub const BUSY: u32 = 75;
}

/// Where the device's lock is kept: one line, `OWNER BOOT-ID UNTIL`, the last in seconds of uptime.
const LOCK: &str = "/var/lib/migos/lock";

/// Where a bastion keeps the keys that may log in.
const GUESTS: &str = "~/.ssh/authorized_keys";

/// What a verb's exit code other than 0 means; `said` is the last line of its standard error.
pub(crate) fn failure(verb: Verb, args: &[&str], code: u32, said: &str) -> TransportError {
    let path = || {
        let written = match verb {
            Verb::Backup => args.get(1),
            Verb::Lock | Verb::Unlock => Some(&LOCK),
            Verb::Admit | Verb::Dismiss => Some(&GUESTS),
            _ => args.first(),
        };
        written.copied().unwrap_or_default().to_owned()
    };
    let refused = |message: String| TransportError::Refused { verb: verb.name(), message };
    if code == exit::NO_SPACE || said.contains("No space left on device") {
        return TransportError::NoSpace { path: path() };
    }
    if said.starts_with("sudo: ") {
        return TransportError::Root(said.to_owned());
    }
    match (code, verb) {
        (exit::DAMAGED, Verb::Write | Verb::Receive | Verb::Backup) => {
            TransportError::Damaged { path: path() }
        }
        (exit::BUSY, _) => TransportError::Busy(said.to_owned()),
        _ if said.is_empty() => refused(format!("exit code {code}")),
        _ => refused(said.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_holds_script_name_and_quoted_arguments() {
        let line = command_line(Rise::Sudo, Verb::Reboot, &["it's", "b c"]);
        assert!(line.starts_with("sudo -n sh -c 'set -eu\n"), "{line}");
        assert!(line.ends_with(r"' migos-reboot/1 'it'\''s' 'b c'"), "{line}");
    }

    #[test]
    fn the_probe_is_told_the_connection_by_the_shell_before_sudo() {
        for rise in [Rise::Login, Rise::Sudo, Rise::SudoWithPassword] {
            let line = command_line(rise, Verb::Probe, &[]);
            assert!(line.ends_with(" migos-probe/1 \"$SSH_CONNECTION\""), "{line}");
            let line = command_line(rise, Verb::Probe, &["a.b:443"]);
            assert!(line.ends_with(" migos-probe/1 \"$SSH_CONNECTION\" 'a.b:443'"), "{line}");
        }
    }

    #[test]
    fn the_probe_reads_every_file_that_networks_are_translated_from() {
        let words: Vec<&str> = Verb::Probe.script().split([' ', '\n', ';']).collect();
        for pattern in migos_payload::network::FILES {
            assert!(words.contains(pattern), "the probe does not read {pattern}");
        }
    }

    #[test]
    fn the_ways_to_root_differ_in_the_prefix_only() {
        let bare = command_line(Rise::Login, Verb::Sums, &["/a"]);
        assert!(bare.starts_with("sh -c '"));
        for (rise, prefix) in
            [(Rise::Sudo, "sudo -n "), (Rise::SudoWithPassword, "sudo -S -k -p '' ")]
        {
            assert_eq!(command_line(rise, Verb::Sums, &["/a"]), format!("{prefix}{bare}"));
        }
    }

    #[test]
    fn scripts_are_lean_and_text_only() {
        for verb in Verb::ALL {
            let script = verb.script();
            assert!(script.starts_with("set -eu\n") && script.is_ascii(), "{verb:?}");
            // A command is one SSH packet, and every server takes one of 32 KiB.
            assert!(command_line(Rise::Sudo, verb, &[]).len() < 16384, "{verb:?}");
        }
    }

    #[test]
    fn exit_codes_become_errors_that_say_what_happened() {
        let path = "/boot/x".to_owned();
        let refused =
            |verb, message: &str| TransportError::Refused { verb, message: message.to_owned() };
        let cases = [
            (Verb::Write, 73, "", TransportError::NoSpace { path: path.clone() }),
            (
                Verb::Receive,
                1,
                "cat: write error: No space left on device",
                TransportError::NoSpace { path: path.clone() },
            ),
            (Verb::Receive, 65, "x", TransportError::Damaged { path: path.clone() }),
            (Verb::Read, 65, "/boot/x has 9 bytes", refused("read", "/boot/x has 9 bytes")),
            (Verb::Arm, 75, "dpkg is locked", TransportError::Busy("dpkg is locked".to_owned())),
            (Verb::Lock, 73, "", TransportError::NoSpace { path: LOCK.to_owned() }),
            (Verb::Remove, 1, "", refused("remove", "exit code 1")),
            (
                Verb::Remove,
                1,
                "sudo: a password is required",
                TransportError::Root("sudo: a password is required".to_owned()),
            ),
        ];
        for (verb, code, said, error) in cases {
            assert_eq!(failure(verb, &["/boot/x"], code, said), error);
        }
    }
}
