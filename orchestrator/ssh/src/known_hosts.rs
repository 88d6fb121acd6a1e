//! Known-hosts files: who answers at which address (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT").
//!
//! Read by rules of our own, because russh's reader takes a revoked key, and stops at a bad line.

use migos_inventory::glob;
use ring::hmac;
use russh::keys::ssh_key::known_hosts::HostPatterns;
use russh::keys::{Algorithm, PublicKey};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A host as known-hosts files name it: `host`, or `[host]:port` if the port is not 22.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HostName(String);

impl HostName {
    /// The name of this host and port.
    pub(crate) fn new(host: &str, port: u16) -> Self {
        let host = host.to_ascii_lowercase();
        HostName(if port == 22 { host } else { format!("[{host}]:{port}") })
    }

    /// The name itself.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// The keys that the text of a known-hosts file has for a host, each as a line of such a file; a revoked one says so.
pub fn known_keys(text: &str, host: &str, port: u16) -> Vec<String> {
    let host = HostName::new(host, port);
    let mut known = Known::default();
    known.take_in(text, Path::new(""), &host);
    let line = |marker: &str, key: &PublicKey| {
        let key = PublicKey::new(key.key_data().clone(), "");
        let key = key.to_openssh().unwrap_or_default();
        format!("{marker}{} {}", host.0, key.trim_end())
    };
    let keys = known.keys.iter().map(|(key, _)| line("", key));
    keys.chain(known.revoked.iter().map(|(key, _)| line("@revoked ", key))).collect()
}

/// Where a key stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// The file.
    pub(crate) file: Arc<Path>,
    /// The line, from 1.
    pub(crate) number: usize,
}

/// What the files say of one host.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known {
    keys: Vec<(PublicKey, Line)>,
    revoked: Vec<(PublicKey, Line)>,
}

/// What is to be thought of a key that a host offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is the host's.
    Right,
    /// The host is known by another key, which stands here.
    Changed(Line),
    /// It must not be used any more, which is said here.
    Revoked(Line),
    /// Nothing is known of the host.
    Unknown,
}

impl Known {
    /// Adds what a file says of a host. Lines that cannot be understood are skipped with a warning: they
    /// say nothing, and one bad line must not stop a fleet.
    ///
    /// # Errors
    /// If the file cannot be read; one that does not exist is empty.
    pub(crate) fn read(&mut self, path: &Path, host: &HostName) -> io::Result<()> {
        match fs::read(path) {
            Ok(text) => {
                self.take_in(&String::from_utf8_lossy(&text), path, host);
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// True if no file has a key for the host.
    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The types of the keys, in the order of the files.
    pub(crate) fn algorithms(&self) -> impl Iterator<Item = Algorithm> {
        self.keys.iter().map(|(key, _)| key.algorithm())
    }

    /// Judges a key.
    pub(crate) fn judge(&self, offered: &PublicKey) -> Verdict {
        let stands_in = |list: &[(PublicKey, Line)]| {
            list.iter()
                .find(|(key, _)| key.key_data() == offered.key_data())
                .map(|(_, line)| line.clone())
        };
        if let Some(line) = stands_in(&self.revoked) {
            return Verdict::Revoked(line);
        }
        if stands_in(&self.keys).is_some() {
            return Verdict::Right;
        }
        let same_type = |(key, _): &&(PublicKey, Line)| key.algorithm() == offered.algorithm();
        match self.keys.iter().find(same_type).or(self.keys.first()) {
            Some((_, line)) => Verdict::Changed(line.clone()),
            None => Verdict::Unknown,
        }
    }

    fn take_in(&mut self, text: &str, path: &Path, host: &HostName) {
        let file: Arc<Path> = path.into();
        for (index, text) in text.lines().enumerate() {
            let mut fields = text.split_ascii_whitespace();
            let Some(first) = fields.next().filter(|first| !first.starts_with('#')) else {
                continue;
            };
            let (marker, hosts) = match first.starts_with('@') {
                true => (first, fields.next()),
                false => ("", Some(first)),
            };
            let line = || Line { file: file.clone(), number: index + 1 };
            let (Some(hosts), Some(kind), Some(key)) = (hosts, fields.next(), fields.next()) else {
                skipped(&line(), "it is no key of a host");
                continue;
            };
            // A fleet's file has a line for each device, and each device asks: nearly all lines are of others.
            if !names(hosts, host) {
                continue;
            }
            let line = line();
            match (marker, PublicKey::from_openssh(&format!("{kind} {key}"))) {
                ("@cert-authority", _) => {
                    skipped(&line, "certificates of hosts are not supported");
                }
                ("", Ok(key)) => self.keys.push((key, line)),
                ("@revoked", Ok(key)) => self.revoked.push((key, line)),
                (_, Err(error)) => skipped(&line, &error.to_string()),
                _ => skipped(&line, "its marker is not known"),
            }
        }
    }
}

fn skipped(line: &Line, why: &str) {
    tracing::warn!(file = %line.file.display(), line = line.number, "skipped a known host: {why}");
}

/// Whether a line's first field names the host.
fn names(field: &str, host: &HostName) -> bool {
    if field.starts_with('|') {
        return match field.parse() {
            Ok(HostPatterns::HashedName { salt, hash }) => {
                let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &salt);
                hmac::verify(&key, host.0.as_bytes(), &hash).is_ok()
            }
            _ => false,
        };
    }
    let mut named = false;
    for pattern in field.split(',') {
        match pattern.strip_prefix('!') {
            Some(pattern) if is_like(pattern, &host.0) => return false,
            Some(_) => {}
            None => named |= is_like(pattern, &host.0),
        }
    }
    named
}

/// Letters are compared without regard to case.
fn is_like(pattern: &str, host: &str) -> bool {
    if !pattern.contains(['*', '?']) {
        return pattern.eq_ignore_ascii_case(host);
    }
    glob(&pattern.to_ascii_lowercase(), &host.to_ascii_lowercase())
}

/// Writes a new host down, unless the file knows it by now: many devices are met at once, and other
/// controllers may use the same file. Returns what the file says of the key afterwards.
///
/// # Errors
/// If the file cannot be read or written.
pub(crate) fn learn(path: &Path, host: &HostName, key: &PublicKey) -> io::Result<Verdict> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
    file.lock()?;
    let mut text = String::new();
    read_lossy(&mut file, &mut text)?;
    let mut known = Known::default();
    known.take_in(&text, path, host);
    let verdict = known.judge(key);
    if verdict != Verdict::Unknown {
        return Ok(verdict);
    }
    let key = PublicKey::new(key.key_data().clone(), "");
    let key = key.to_openssh().map_err(io::Error::other)?;
    let before = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    file.write_all(format!("{before}{} {}\n", host.0, key.trim_end()).as_bytes())?;
    file.sync_all()?;
    Ok(Verdict::Right)
}

fn read_lossy(file: &mut File, text: &mut String) -> io::Result<()> {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    text.push_str(&String::from_utf8_lossy(&bytes));
    Ok(())
}

/// The files for a host: the operator's, and the transport's own.
#[derive(Debug, Clone)]
pub(crate) struct Files {
    /// The operator's; what it says of a host is all that counts for it.
    pub(crate) operator: Option<PathBuf>,
    /// The transport's own.
    pub(crate) own: PathBuf,
}

impl Files {
    /// What is known of a host.
    ///
    /// # Errors
    /// The file that cannot be read, and why.
    pub(crate) fn look_up(&self, host: &HostName) -> Result<Known, (PathBuf, io::Error)> {
        let read = |known: &mut Known, path: &PathBuf| {
            known.read(path, host).map_err(|error| (path.clone(), error))
        };
        let mut known = Known::default();
        if let Some(operator) = &self.operator {
            read(&mut known, operator)?;
        }
        if known.is_empty() {
            read(&mut known, &self.own)?;
        }
        Ok(known)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    #![allow(clippy::disallowed_methods, reason = "files for tests")]
    use super::*;
    use std::thread;

    const ED: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB9dG4kjRhQTtWTVzd2t27+t0DEHBPW7iOD23TUiYLio";
    const OTHER: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
    const ECDSA: &str = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBNM5NseXIR+TyDZHRybhkVjxikRK8gxYokgA3De9sDi5z/mYS4TRnwhXu34lvZESnM3j7HiYnNwTHEzGZq+SmMc=";

    fn key(text: &str) -> PublicKey {
        PublicKey::from_openssh(text).unwrap()
    }

    fn known(text: &str, host: &str, port: u16) -> Known {
        let mut known = Known::default();
        known.take_in(text, Path::new("known_hosts"), &HostName::new(host, port));
        known
    }

    fn verdict(text: &str, host: &str, port: u16, offered: &str) -> Verdict {
        known(text, host, port).judge(&key(offered))
    }

    fn at(number: usize) -> Line {
        Line { file: Path::new("known_hosts").into(), number }
    }

    #[test]
    fn hosts_are_found_however_they_are_written() {
        // Made by `ssh-keygen -H` of OpenSSH 9.2.
        let hashed = "|1|YstMWtuu7TLhoXM79Zyp63P44pg=|K8IvuELgkEhvd4tGM67nMPBmhXA=";
        for (field, host, port) in [
            ("pi.example", "pi.example", 22),
            ("pi.example,192.0.2.7", "192.0.2.7", 22),
            ("PI.example", "pi.Example", 22),
            ("[pi.example]:2222", "pi.example", 2222),
            ("192.0.2.?", "192.0.2.7", 22),
            ("*.example,!other.example", "pi.example", 22),
            ("2001:db8::7", "2001:db8::7", 22),
            (hashed, "pi.example", 22),
        ] {
            let text = format!("{field}\t{ED} comment of the owner\n");
            assert_eq!(verdict(&text, host, port, ED), Verdict::Right, "{field}");
        }
        for (field, host, port) in [
            ("pi.example", "pi.example", 2222),
            ("[pi.example]:2222", "pi.example", 22),
            ("*.example,!pi.example", "pi.example", 22),
            ("pi.example2", "pi.example", 22),
            (hashed, "pi2.example", 22),
        ] {
            let text = format!("{field} {ED}\n");
            assert_eq!(verdict(&text, host, port, ED), Verdict::Unknown, "{field}");
        }
    }

    #[test]
    fn a_changed_key_is_told_with_its_line() {
        let text = format!("# comment\n\n  h {ECDSA}\nh {ED}\n");
        assert_eq!(verdict(&text, "h", 22, OTHER), Verdict::Changed(at(4)));
        // The host is known by another type only: that is no new host either.
        let text = format!("h {ECDSA}\n");
        assert_eq!(verdict(&text, "h", 22, ED), Verdict::Changed(at(1)));
    }

    #[test]
    fn of_two_keys_of_one_type_both_are_right() {
        let text = format!("h {ED}\nh {OTHER}\n");
        assert_eq!(verdict(&text, "h", 22, ED), Verdict::Right);
        assert_eq!(verdict(&text, "h", 22, OTHER), Verdict::Right);
    }

    #[test]
    fn a_revoked_key_is_never_right() {
        let text = format!("h {ED}\n@revoked * {ED}\n");
        assert_eq!(verdict(&text, "h", 22, ED), Verdict::Revoked(at(2)));
    }

    #[test]
    fn a_bad_line_says_nothing_and_stops_nothing() {
        let text = format!(
            "h\nh ssh-ed25519\nh ssh-ed25519 AAAA\nh no-such-type AAAA\n|1|x h {ED}\n\
             @cert-authority h {OTHER}\n@unheard-of h {OTHER}\nh {ED}\n"
        );
        assert_eq!(verdict(&text, "h", 22, ED), Verdict::Right);
        assert_eq!(verdict(&text, "h", 22, OTHER), Verdict::Changed(at(8)));
    }

    #[test]
    fn the_known_types_are_told_to_ask_for_them() {
        let text = format!("h {ECDSA}\nh {ED}\n");
        let types: Vec<String> =
            known(&text, "h", 22).algorithms().map(|a| a.to_string()).collect();
        assert_eq!(types, ["ecdsa-sha2-nistp256", "ssh-ed25519"]);
    }

    #[test]
    fn the_operators_file_comes_first() {
        let folder = tempfile::tempdir().unwrap();
        let (operator, own) = (folder.path().join("operator"), folder.path().join("own"));
        fs::write(&operator, format!("h {ED}")).unwrap();
        fs::write(&own, format!("h {OTHER}\ni {OTHER}")).unwrap();
        let files = Files { operator: Some(operator.clone()), own };
        let look_up = |host| files.look_up(&HostName::new(host, 22)).unwrap();
        let line = Line { file: operator.into(), number: 1 };
        assert_eq!(look_up("h").judge(&key(OTHER)), Verdict::Changed(line));
        assert_eq!(look_up("i").judge(&key(OTHER)), Verdict::Right);
        assert_eq!(look_up("j").judge(&key(OTHER)), Verdict::Unknown);
    }

    #[test]
    fn hosts_that_are_met_at_once_are_written_down_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/known_hosts");
        thread::scope(|scope| {
            for number in 0..16 {
                let path = &path;
                scope.spawn(move || {
                    let host = HostName::new(&format!("h{}", number % 4), 22);
                    assert_eq!(learn(path, &host, &key(ED)).unwrap(), Verdict::Right);
                });
            }
        });
        let text = fs::read_to_string(&path).unwrap();
        let mut lines: Vec<&str> = text.lines().collect();
        lines.sort_unstable();
        let wanted: Vec<String> = (0..4).map(|number| format!("h{number} {ED}")).collect();
        assert_eq!(lines, wanted);
        let line = Line { file: path.as_path().into(), number: 1 };
        let host = text.split(' ').next().unwrap();
        let again = learn(&path, &HostName::new(host, 22), &key(OTHER)).unwrap();
        assert_eq!(again, Verdict::Changed(line));
    }

    #[test]
    fn a_last_line_without_its_end_stays_a_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("known_hosts");
        fs::write(&path, format!("h {ED}")).unwrap();
        learn(&path, &HostName::new("i", 2222), &key(OTHER)).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text, format!("h {ED}\n[i]:2222 {OTHER}\n"));
    }
}
