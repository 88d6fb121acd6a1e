//! The way home: MIGOS calls a host that the controller can reach, and asks there for a port that leads back to its own
//! SSH server. Only that host is spoken to: its key is the job's, and no other is ever taken.

use crate::programs::{Programs, Words, private_file, private_folder, words};
use migos_contract::Bastion;
use std::collections::VecDeque;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// As many as the client's longest farewell has: another host's key, with both fingerprints.
const LINES: usize = 3;

/// So long a call may be silent. The client asks for a sign of life every 15 s, but only once it has heard who the
/// host is: one that takes the call and says nothing would hold it for ever.
const SILENCE: Duration = Duration::from_secs(90);

/// A call that can be made again and again.
#[derive(Debug, Clone)]
pub struct CallHome {
    words: Words,
    home: PathBuf,
    silence: Duration,
}

impl CallHome {
    /// Lays out what the SSH client reads in a folder in memory. The key is in dropbear's form; the port on the host
    /// leads to this port here.
    ///
    /// # Errors
    /// The job's host is not one that can be called, or there is no memory.
    pub fn new(
        bastion: &Bastion,
        local_port: u16,
        folder: &Path,
        key: &[u8],
    ) -> Result<Self, String> {
        let known = known_hosts(bastion)?;
        let (ssh, key_file) = (folder.join(".ssh"), folder.join("key"));
        private_folder(&ssh)
            .and_then(|()| private_file(&ssh.join("known_hosts"), known.as_bytes()))
            .and_then(|()| private_file(&key_file, key))
            .map_err(|error| format!("failed to write {}: {error}", folder.display()))?;
        let words = client(bastion, local_port, &key_file);
        Ok(Self { words, home: folder.to_owned(), silence: SILENCE })
    }

    /// The same, given up after another time of silence.
    #[must_use]
    pub fn silent_for(self, silence: Duration) -> Self {
        Self { silence, ..self }
    }

    /// Calls, and holds the line until it ends. Gives why it has ended.
    pub fn call(&self, programs: &Programs) -> String {
        let mut client = programs.command(&self.words);
        client.env("HOME", &self.home);
        client.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut client = match client.spawn() {
            Ok(client) => client,
            Err(error) => return format!("{} does not start: {error}", self.words[0]),
        };
        if let Some(mut answer) = client.stdin.take() {
            // A key of another kind than the known one it asks about, and where it is answered nothing it asks for ever.
            let _ = answer.write_all(b"n\n");
        }
        let said = client.stderr.take();
        let client = Mutex::new(client);
        let (said, given_up) = thread::scope(|scope| {
            let (over, ends) = mpsc::channel();
            let watch = scope.spawn(|| self.give_up_in_silence(&client, ends));
            let lines = said.into_iter().flat_map(|said| BufReader::new(said).lines());
            let said = last_words(lines.map_while(Result::ok));
            drop(over);
            (said, watch.join().unwrap_or(false))
        });
        if given_up {
            let _ = of(&client).wait();
            return format!("the host has been silent for {} s", self.silence.as_secs());
        }
        match (of(&client).wait(), said) {
            (Ok(status), said) if said.is_empty() => format!("the call home ended: {status}"),
            (Ok(_), said) => said,
            (Err(error), _) => format!("the call home is lost: {error}"),
        }
    }

    /// Ends a client that has read nothing for too long. A kernel that does not tell what it has read leaves it alone.
    fn give_up_in_silence(&self, client: &Mutex<Child>, ends: Receiver<()>) -> bool {
        let io = format!("/proc/{}/io", of(client).id());
        let (mut heard, mut since) = (None, Instant::now());
        while ends.recv_timeout(self.silence / 8) == Err(RecvTimeoutError::Timeout) {
            let now = fs::read_to_string(&io).ok().as_deref().and_then(bytes_read);
            if now.is_none() || now != heard {
                (heard, since) = (now, Instant::now());
            } else if since.elapsed() >= self.silence {
                return of(client).kill().is_ok();
            }
        }
        false
    }
}

/// What a process has read, by its `/proc/PID/io` (proc_pid_io(5)).
fn bytes_read(io: &str) -> Option<u64> {
    io.lines().find_map(|line| line.strip_prefix("rchar: ")?.parse().ok())
}

fn of(client: &Mutex<Child>) -> MutexGuard<'_, Child> {
    client.lock().unwrap_or_else(PoisonError::into_inner)
}

/// In the days that a call may last, much can be said: only the end of it is kept.
fn last_words(lines: impl Iterator<Item = String>) -> String {
    let mut last = VecDeque::new();
    for line in lines.filter(|line| !line.trim().is_empty()) {
        if last.len() == LINES {
            last.pop_front();
        }
        last.push_back(line.trim().to_owned());
    }
    Vec::from(last).join(" ")
}

/// The host's key as dropbear's client looks for it: by the name alone, whatever the port.
fn known_hosts(bastion: &Bastion) -> Result<String, String> {
    let Bastion { host, user, host_key, .. } = bastion;
    // The client would take more of it: other hosts on the way, ports, options.
    let is_plain = |text: &str, more: &str| {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || more.contains(c);
        !text.is_empty() && !text.starts_with('-') && text.chars().all(is_plain)
    };
    if !is_plain(host, ".-_:") || !is_plain(user, ".-_") {
        return Err(format!("not a host that can be called: {user}@{host}"));
    }
    let is_base64 = |key: &str| is_plain(key, "+/=");
    match host_key.split_whitespace().collect::<Vec<_>>()[..] {
        [algorithm, key] if is_plain(algorithm, "-@.") && is_base64(key) => {
            Ok(format!("{host} {algorithm} {key}\n"))
        }
        _ => Err(format!("the key of {host} is not an algorithm and a key")),
    }
}

/// dropbear's client. A port that is taken ends the call, since a call that leads nowhere would never be made anew;
/// so does silence.
fn client(bastion: &Bastion, local_port: u16, key: &Path) -> Words {
    let Bastion { host, port, user, listen, .. } = bastion;
    let (port, key) = (port.to_string(), key.to_string_lossy());
    let forward = format!("127.0.0.1:{listen}:127.0.0.1:{local_port}");
    let keep_alive = "15";
    #[rustfmt::skip]
    let all = words(&[
        "dbclient", "-N", "-T", "-K", keep_alive,
        "-o", "ExitOnForwardFailure=yes", "-o", "DisableTrivialAuth=yes",
        "-i", &key, "-R", &forward, "-l", user, "-p", &port, host,
    ]);
    all
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn bastion() -> Bastion {
        Bastion {
            host: "bastion.example.com".to_owned(),
            port: 2200,
            user: "migos".to_owned(),
            host_key: "ssh-ed25519 AAAAC3Nz".to_owned(),
            listen: 40_001,
        }
    }

    #[test]
    fn the_client_knows_one_host_and_no_way_to_take_another() {
        assert_eq!(known_hosts(&bastion()).unwrap(), "bastion.example.com ssh-ed25519 AAAAC3Nz\n");
        let all = client(&bastion(), 22, Path::new("/run/key")).join(" ");
        let expected = "dbclient -N -T -K 15 -o ExitOnForwardFailure=yes -o DisableTrivialAuth=yes \
            -i /run/key -R 127.0.0.1:40001:127.0.0.1:22 -l migos -p 2200 bastion.example.com";
        assert_eq!(all, expected);
    }

    #[test]
    fn of_all_that_is_said_the_end_is_kept() {
        let said = ["1", "2", "", " 3 ", "4"].map(str::to_owned);
        assert_eq!(last_words(said.into_iter()), "2 3 4");
    }

    #[test]
    fn what_the_client_would_take_for_something_else_is_refused() {
        let refused = |change: &dyn Fn(&mut Bastion)| {
            let mut bastion = bastion();
            change(&mut bastion);
            known_hosts(&bastion).unwrap_err()
        };
        for host in ["", "-y", "a,b", "a/22", "a b", "a\nb"] {
            let why = refused(&|bastion| bastion.host = host.to_owned());
            assert_eq!(why, format!("not a host that can be called: migos@{host}"));
        }
        assert!(refused(&|bastion| bastion.user = "-y".to_owned()).starts_with("not a host"));
        for key in ["", "ssh-ed25519", "* ssh-ed25519 AAAA", "ssh-ed25519 AAAA\nother ssh-rsa AA"] {
            let why = refused(&|bastion| bastion.host_key = key.to_owned());
            assert_eq!(why, "the key of bastion.example.com is not an algorithm and a key");
        }
    }
}
