//! A bastion: whom it lets in, for what, and the way through it.

use crate::{Client, target};
use migos_engine::port::{Guest, Root, Session as _, Target, Transport, TransportError};
use migos_tests::sshd::{Sshd, Userland, keygen};
use std::fs::{self, Permissions};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;

const KEYS: &str = "/home/pi/.ssh/authorized_keys";

fn bastion(server: &Sshd) -> Target {
    Target { root: Root::NotNeeded, ..target(server) }
}

fn guest(name: &str, key: String, listen: u16) -> Guest {
    let lease = Duration::from_secs(3600);
    Guest { name: format!("migos-fleet/7f3a2c-01/{name}"), key, listen, lease }
}

fn any_key() -> String {
    format!("ssh-ed25519 AAAA{} migos-fleet", "b".repeat(64))
}

/// Keeps lines that are not ours, and the file's mode.
async fn lets_in_and_out(userland: Userland) {
    let server = Sshd::start(userland).unwrap();
    let session = Client::new().ssh.connect(&bastion(&server)).await.unwrap();
    let path = server.path(KEYS);
    let read = || fs::read_to_string(&path).unwrap();
    session.dismiss("migos-fleet/7f3a2c-01/kiosk-001").await.unwrap();
    assert!(!path.exists(), "who was never let in leaves nothing");

    let first = guest("kiosk-001", any_key(), 20_001);
    let shown = session.admit(&first).await.unwrap();
    assert!(server.host_key("ed25519").unwrap().starts_with(&shown), "{shown}");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);

    let own = "# ours\nssh-ed25519 AAAAown me@home";
    fs::write(&path, format!("{}{own}", read())).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
    session.admit(&guest("kiosk-002", any_key(), 20_002)).await.unwrap();
    session.admit(&Guest { listen: 20_003, ..first.clone() }).await.unwrap();
    let lines = read();
    let count = |part: &str| lines.lines().filter(|line| line.contains(part)).count();
    assert_eq!(
        [count("kiosk-001"), count("kiosk-002"), count("20001"), lines.lines().count()],
        [1, 1, 0, 4]
    );
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o640);

    for name in ["kiosk-001", "kiosk-002", "kiosk-002"] {
        session.dismiss(&format!("migos-fleet/7f3a2c-01/{name}")).await.unwrap();
    }
    assert_eq!(read(), format!("{own}\n"));
    let left = fs::read_dir(path.parent().unwrap()).unwrap().count();
    assert_eq!(left, 1, "only the file itself is left");
}

#[tokio::test]
async fn a_bastion_lets_guests_in_and_out_again() {
    lets_in_and_out(Userland::Debian).await;
}

#[tokio::test]
async fn a_bastion_with_busybox_does_so_too() {
    lets_in_and_out(Userland::Busybox).await;
}

#[tokio::test]
async fn what_is_no_guest_is_not_let_in() {
    let server = Sshd::start(Userland::Debian).unwrap();
    let session = Client::new().ssh.connect(&bastion(&server)).await.unwrap();
    let refused = |said: Result<String, TransportError>| said.unwrap_err().to_string();
    let good = guest("kiosk-001", any_key(), 20_001);
    let quoted = Guest { key: "ssh-ed25519 AAAA\"b".into(), ..good.clone() };
    assert!(refused(session.admit(&quoted).await).contains("not a key: "));
    let spaced = Guest { name: "a b".into(), ..good.clone() };
    assert!(refused(session.admit(&spaced).await).contains("not a guest: a b"));
    session.admit(&good).await.unwrap();
    fs::remove_file(server.path(KEYS)).unwrap();
    std::os::unix::fs::symlink("/etc/ssh/authorized_keys", server.path(KEYS)).unwrap();
    assert!(refused(session.admit(&good).await).contains("is a link"));
}

#[tokio::test]
async fn guests_that_come_at_once_are_all_let_in() {
    let server = Sshd::start(Userland::Debian).unwrap();
    let client = Arc::new(Client::new());
    let mut coming = tokio::task::JoinSet::new();
    for number in 0..12 {
        let (client, bastion) = (client.clone(), bastion(&server));
        coming.spawn(async move {
            let session = client.ssh.connect(&bastion).await.unwrap();
            let guest = guest(&format!("kiosk-{number:03}"), any_key(), 20_000 + number);
            session.admit(&guest).await.unwrap();
        });
    }
    coming.join_all().await;
    assert_eq!(fs::read_to_string(server.path(KEYS)).unwrap().lines().count(), 12);
}

/// Whom a bastion has let in, with OpenSSH's own client.
struct Caller<'a> {
    server: &'a Sshd,
    key: PathBuf,
}

impl Caller<'_> {
    fn ssh(&self, args: &[&str]) -> Command {
        let mut ssh = Command::new("ssh");
        ssh.args(["-F", "none", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes"])
            .args(["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"])
            .args(["-o", "ExitOnForwardFailure=yes", "-o", "LogLevel=INFO", "-i"])
            .arg(&self.key)
            .args(["-p", &self.server.port().to_string()])
            .args(args)
            .stdin(Stdio::null());
        ssh
    }

    fn tries(&self, args: &[&str]) -> Output {
        self.ssh(args).output().unwrap()
    }
}

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

fn public(key: &Path) -> String {
    fs::read_to_string(key.with_extension("pub")).unwrap().trim().to_owned()
}

#[tokio::test]
async fn a_guest_may_offer_its_one_port_and_nothing_else() {
    let server = Sshd::start(Userland::Debian).unwrap();
    let session = Client::new().ssh.connect(&bastion(&server)).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("guest");
    keygen(&key, "ed25519").unwrap();
    let (port, other) = (free_port(), free_port());
    let caller = Caller { server: &server, key: key.clone() };
    let host = format!("pi@{}", server.address());
    let behind = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let behind = behind.local_addr().unwrap();
    let forward = |port: u16| format!("127.0.0.1:{port}:{behind}");
    assert_eq!(caller.tries(&[&host, "true"]).status.code(), Some(255), "not let in yet");

    let admitted = guest("kiosk-001", public(&key), port);
    session.admit(&admitted).await.unwrap();
    assert_eq!(caller.tries(&[&host, "touch /tmp/x"]).status.code(), Some(1));
    assert!(!server.path("/tmp/x").exists());
    let here = server.port().to_string();
    for target in [format!("127.0.0.1:{here}"), format!("localhost:{here}"), behind.to_string()] {
        let through = caller.tries(&["-W", &target, &host]);
        let said = String::from_utf8_lossy(&through.stderr).into_owned();
        assert!(said.contains("prohibited"), "{target}: {said}");
    }
    let wrong = caller.tries(&["-N", "-R", &forward(other), &host]);
    assert_eq!(wrong.status.code(), Some(255), "another port");
    let wide = format!("0.0.0.0:{port}:{behind}");
    assert_eq!(caller.tries(&["-N", "-R", &wide, &host]).status.code(), Some(255), "everywhere");

    let right = caller.ssh(&["-N", "-R", &forward(port), &host]).spawn().unwrap();
    let mut right = Killed(right);
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_err() {
        assert!(right.0.try_wait().unwrap().is_none(), "the forward was refused");
        tokio::task::yield_now().await;
    }
    drop(right);

    let over = Guest { lease: Duration::ZERO, ..admitted.clone() };
    session.admit(&over).await.unwrap();
    let since = Instant::now();
    while caller.tries(&[&host, "true"]).status.code() != Some(255) {
        // sshd counts whole seconds.
        assert!(since.elapsed() < Duration::from_secs(30), "its time is over");
    }
    session.admit(&admitted).await.unwrap();
    assert_eq!(caller.tries(&[&host, "true"]).status.code(), Some(1), "and begins anew");
    session.dismiss(&admitted.name).await.unwrap();
    assert_eq!(caller.tries(&[&host, "true"]).status.code(), Some(255), "dismissed");
}

#[tokio::test]
async fn a_session_goes_through_a_host_on_the_way() {
    let (outer, inner) =
        (Sshd::start(Userland::Debian).unwrap(), Sshd::start(Userland::Debian).unwrap());
    let client = Client::new();
    let behind = Target { via: Some(Arc::new(bastion(&outer))), ..target(&inner) };
    let session = client.ssh.connect(&behind).await.unwrap();
    session.write("/boot/migos/x", 0o644, b"there").await.unwrap();
    session.close().await;
    assert_eq!(fs::read(inner.path("/boot/migos/x")).unwrap(), b"there");
    assert!(!outer.path("/boot/migos/x").exists());

    let nobody = Target { port: free_port(), ..behind.clone() };
    let error = client.ssh.connect(&nobody).await.unwrap_err();
    assert!(matches!(error, TransportError::Unreachable(_)) && error.is_transient(), "{error}");
    drop(outer);
    let error = client.ssh.connect(&behind).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
}
