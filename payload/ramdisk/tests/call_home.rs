//! The way home, for real: dropbear's client calls an OpenSSH server, and somebody comes back through it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods)]

use migos_contract::Bastion;
use migos_ramdisk::call_home::CallHome;
use migos_ramdisk::programs::Programs;
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const BANNER: &[u8] = b"SSH-2.0-migos\r\n";
const PATIENCE: Duration = Duration::from_secs(60);

/// No terminal, on which a client could ask whoever runs the test.
fn programs() -> Programs {
    let stubs = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/stubs/no-terminal");
    Programs::on(format!("{stubs}:/usr/sbin:/usr/bin:/sbin:/bin"))
}

fn run(folder: &Path, words: &[&str]) -> Output {
    let run = Command::new(words[0]).args(&words[1..]).current_dir(folder).output();
    let said = run.unwrap_or_else(|error| panic!("{}: {error}", words[0]));
    assert!(said.status.success(), "{words:?}: {}", String::from_utf8_lossy(&said.stderr));
    said
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim().to_owned()
}

fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// What stands for MIGOS's own SSH server: it says who it is, and hangs up.
fn own_server() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for mut caller in listener.incoming().flatten() {
            let _ = caller.write_all(BANNER);
        }
    });
    port
}

/// A host that MIGOS calls: OpenSSH, with a key that may do nothing but ask for one port.
struct Host {
    folder: TempDir,
    bastion: Bastion,
    server: Option<Child>,
}

impl Host {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        run(at, &["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "host_key"]);
        let made = run(at, &["dropbearkey", "-t", "ed25519", "-f", "key"]);
        let made = text(&made.stdout);
        let key = made.lines().find(|line| line.starts_with("ssh-ed25519 ")).unwrap();
        let (port, listen) = (free_port(), free_port());
        let allowed =
            format!("restrict,port-forwarding,permitlisten=\"127.0.0.1:{listen}\" {key}\n");
        fs::write(at.join("authorized_keys"), allowed).unwrap();
        let host_key = fs::read_to_string(at.join("host_key.pub")).unwrap();
        let host_key = host_key.split(' ').take(2).collect::<Vec<_>>().join(" ");
        let user = text(&run(at, &["id", "-un"]).stdout);
        let host = "127.0.0.1".to_owned();
        let bastion = Bastion { host, port, user, host_key, listen };
        Self { folder, bastion, server: None }
    }

    fn start(&mut self) {
        let at = self.folder.path();
        // Where it runs as root, it wants a folder of its own.
        let _ = fs::create_dir("/run/sshd");
        let config = format!(
            "ListenAddress 127.0.0.1:{}\nHostKey {at}/host_key\nAuthorizedKeysFile {at}/authorized_keys\n\
             PidFile none\nStrictModes no\nUsePAM no\nPermitRootLogin prohibit-password\n",
            self.bastion.port,
            at = at.display(),
        );
        fs::write(at.join("config"), config).unwrap();
        let log = at.join("log");
        let mut server = Command::new("/usr/sbin/sshd");
        server.arg("-D").arg("-E").arg(log).arg("-f").arg(at.join("config"));
        self.server = Some(server.spawn().unwrap());
        let port = self.bastion.port;
        self.wait("it listens", || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok());
    }

    /// Ends the server and every session of it.
    fn stop(&mut self) {
        if let Some(mut server) = self.server.take() {
            for pid in family(server.id()).into_iter().rev() {
                let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).unwrap();
                // Some end with those that have just ended.
                let _ = kill_process(pid, Signal::KILL);
            }
            server.wait().unwrap();
        }
    }

    fn wait(&self, what: &str, is_so: impl Fn() -> bool) {
        let limit = Instant::now() + PATIENCE;
        while !is_so() {
            let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            assert!(Instant::now() < limit, "{what}: not so\n{log}");
            thread::yield_now();
        }
    }

    fn call(&self, bastion: &Bastion, own: u16) -> CallHome {
        let key = fs::read(self.folder.path().join("key")).unwrap();
        CallHome::new(bastion, own, &self.home(), &key).unwrap()
    }

    fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    fn leads_to_migos(&self) -> bool {
        let port = self.bastion.listen;
        let Ok(mut stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else { return false };
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut banner = Vec::new();
        stream.read_to_end(&mut banner).is_ok() && banner == BANNER
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A process and all that come from it, itself first.
fn family(pid: u32) -> Vec<u32> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    let children = children.unwrap_or_default();
    let children = children.split_whitespace().filter_map(|child| child.parse().ok());
    [pid].into_iter().chain(children.flat_map(family)).collect()
}

#[test]
fn the_controller_comes_back_through_the_host_that_was_called_again_after_it_was_gone() {
    let mut host = Host::new();
    let call = host.call(&host.bastion, own_server());
    let is_over = Arc::new(AtomicBool::new(false));
    let (told, ends) = mpsc::channel();
    let caller = thread::spawn({
        let is_over = Arc::clone(&is_over);
        move || {
            while !is_over.load(Ordering::Relaxed) {
                told.send(call.call(&programs())).unwrap();
            }
        }
    });
    // Nobody is there yet.
    let why = ends.recv_timeout(PATIENCE).unwrap();
    assert!(why.contains("Connection refused"), "{why}");
    for _ in 0..2 {
        host.start();
        host.wait("the port leads to MIGOS", || host.leads_to_migos());
        host.stop();
    }
    is_over.store(true, Ordering::Relaxed);
    caller.join().unwrap();
    assert!(ends.iter().count() > 1);
}

#[test]
fn a_host_with_another_key_is_not_spoken_to() {
    let mut host = Host::new();
    host.start();
    let other = Host::new();
    let bastion = Bastion { host_key: other.bastion.host_key.clone(), ..host.bastion.clone() };
    let why = host.call(&bastion, own_server()).call(&programs());
    assert!(why.contains("ost key mismatch"), "{why}");
    // Of another kind than the one it shows, a key says nothing of it either.
    run(host.folder.path(), &["ssh-keygen", "-q", "-t", "ecdsa", "-N", "", "-f", "other"]);
    let key = fs::read_to_string(host.folder.path().join("other.pub")).unwrap();
    let host_key = key.split(' ').take(2).collect::<Vec<_>>().join(" ");
    let bastion = Bastion { host_key, ..host.bastion.clone() };
    let why = host.call(&bastion, own_server()).call(&programs());
    assert!(why.contains("validate host key"), "{why}");
    assert!(!host.leads_to_migos());
    let log = fs::read_to_string(host.folder.path().join("log")).unwrap();
    assert!(!log.contains("Accepted"), "{log}");
}

#[test]
fn a_port_that_the_host_does_not_give_ends_the_call() {
    let mut host = Host::new();
    host.start();
    let bastion = Bastion { listen: free_port(), ..host.bastion.clone() };
    let why = host.call(&bastion, own_server()).call(&programs());
    assert!(why.contains("orward"), "{why}");
    let log = fs::read_to_string(host.folder.path().join("log")).unwrap();
    assert!(log.contains("Accepted publickey"), "{log}");
}

#[test]
fn a_host_that_takes_the_call_and_says_nothing_is_given_up_and_a_good_one_is_kept() {
    let mute = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let mut host = Host::new();
    let silence = Duration::from_secs(2);
    let port = mute.local_addr().unwrap().port();
    let bastion = Bastion { port, ..host.bastion.clone() };
    let why = host.call(&bastion, own_server()).silent_for(silence).call(&programs());
    assert_eq!(why, "the host has been silent for 2 s");

    host.start();
    // Longer than the 15 s between two signs of life.
    let call = host.call(&host.bastion, own_server()).silent_for(Duration::from_secs(20));
    let (told, ends) = mpsc::channel();
    thread::spawn(move || told.send(call.call(&programs())));
    host.wait("the port leads to MIGOS", || host.leads_to_migos());
    let early = ends.recv_timeout(Duration::from_secs(45));
    assert!(early.is_err(), "a call that was well has ended: {early:?}");
    assert!(host.leads_to_migos());
    host.stop();
    ends.recv_timeout(PATIENCE).unwrap();
}

#[test]
fn its_secrets_are_for_root_alone() {
    use std::os::unix::fs::PermissionsExt;
    let host = Host::new();
    let _ = host.call(&host.bastion, 22);
    for file in ["key", ".ssh/known_hosts"] {
        let mode = fs::metadata(host.home().join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
}
