//! A boot partition that is mounted read-only is so again after each verb.
//!
//! That every verb does the same there as elsewhere, `contract` shows; here are the troubles.

use crate::{Client, replace, show_read_only, target};
use bytes::Bytes;
use migos_engine::port::{Content, Session as _, Source, Transport, TransportError};
use migos_payload::digest::Sha256;
use migos_tests::proxy::{Fault, Proxy};
use migos_tests::sshd::{Sshd, Userland};
use std::fs;
use std::time::{Duration, Instant};

fn read_only(userland: Userland) -> Sshd {
    let server = Sshd::start(userland).unwrap();
    show_read_only(&server);
    server.remount("/boot", "ro").unwrap();
    server
}

fn content(size: usize) -> Content {
    let bytes = Bytes::from(vec![7; size]);
    Content { size: size as u64, sha256: Sha256::of(&bytes), source: Source::Memory(bytes) }
}

#[tokio::test]
async fn it_is_read_only_again_after_every_word() {
    for userland in [Userland::Debian, Userland::Busybox] {
        let server = read_only(userland);
        let session = Client::new().session(&server).await;
        let is_again = || assert!(server.is_read_only("/boot").unwrap());
        session.write("/boot/a", 0o644, b"a").await.unwrap();
        is_again();
        session.send(&content(100_000), "/boot/migos/b", &|_| ()).await.unwrap();
        is_again();
        session.backup("/boot/overlays", "/boot/copy").await.unwrap();
        is_again();
        session.remove(&["/boot/a".to_owned(), "/boot/copy".to_owned()]).await.unwrap();
        is_again();
        session.write("/boot/config.txt/x", 0o644, b"").await.unwrap_err();
        is_again();
        let mut other = content(10);
        other.sha256 = Sha256::of(b"");
        session.send(&other, "/boot/c", &|_| ()).await.unwrap_err();
        is_again();
        session.lock("run-1", Duration::from_secs(60)).await.unwrap();
        session.unlock("run-1").await.unwrap();
        is_again();
        let paths = ["/boot/a", "/boot/migos/b", "/boot/c", "/boot/c.part"].map(str::to_owned);
        let sums = session.sums(&paths).await.unwrap();
        assert_eq!(sums, [None, Some(content(100_000).sha256), None, None]);
    }
}

#[tokio::test]
async fn it_is_read_only_again_after_a_lost_connection() {
    let server = read_only(Userland::Debian);
    let client = Client::new();
    let proxy = Proxy::start(server.port(), Fault::CutAfter(2 << 20)).unwrap();
    let mut target = target(&server);
    target.port = proxy.port();
    let session = client.ssh.connect(&target).await.unwrap();
    let error = session.send(&content(4 << 20), "/boot/x", &|_| ()).await.unwrap_err();
    assert_eq!(error, TransportError::Lost { verb: "receive" });
    let session = client.ssh.connect(&target).await.unwrap();
    let end = Instant::now() + Duration::from_secs(20);
    while !server.is_read_only("/boot").unwrap() {
        assert!(Instant::now() < end, "it stays writable");
        session.identity().await.unwrap();
    }
    session.send(&content(4 << 20), "/boot/x", &|_| ()).await.unwrap();
    assert!(server.is_read_only("/boot").unwrap());
}

#[tokio::test]
async fn it_is_read_only_again_after_a_signal() {
    let server = read_only(Userland::Debian);
    let session = Client::new().session(&server).await;
    for signal in ["HUP", "INT", "PIPE", "TERM"] {
        // A program that the script runs by itself: its parent is the script.
        replace(&server, "/usr/local/bin/chmod", &format!("kill -{signal} $PPID"));
        let error = session.write("/boot/a", 0o644, b"").await.unwrap_err();
        assert_eq!(error.to_string(), "write failed: exit code 1", "{signal}");
        assert!(server.is_read_only("/boot").unwrap(), "{signal}");
        assert!(!server.path("/boot/a").exists() && !server.path("/boot/a.new").exists());
    }
}

#[tokio::test]
async fn a_card_that_takes_no_writes_is_told() {
    let server = read_only(Userland::Busybox);
    let session = Client::new().session(&server).await;
    let refuse = "echo \"mount: $3: cannot remount: write-protected.\" >&2; echo more >&2; exit 32";
    replace(&server, "/usr/bin/mount", refuse);
    let error = session.write("/boot/a", 0o644, b"").await.unwrap_err();
    let said = "/boot cannot be made writable: mount: /boot: cannot remount: write-protected.";
    assert_eq!(error.to_string(), format!("write failed: {said}"));
    assert!(!server.path("/boot/a").exists());

    // It was made writable, but does not go back.
    server.remount("/boot", "rw").unwrap();
    replace(
        &server,
        "/usr/bin/mount",
        "[ \"$2\" = remount,rw ] || { echo \"$3 busy\" >&2; exit 1; }",
    );
    let error = session.write("/boot/a", 0o644, b"").await.unwrap_err();
    assert_eq!(error.to_string(), "write failed: /boot stays writable: /boot busy");
    // What went wrong first is what counts.
    let error = session.write("/boot/config.txt/a", 0o644, b"").await.unwrap_err().to_string();
    assert!(error.starts_with("write failed: mkdir: "), "{error}");
}

#[tokio::test]
async fn nothing_else_is_mounted_anew() {
    let server = Sshd::start(Userland::Busybox).unwrap();
    let session = Client::new().session(&server).await;
    replace(&server, "/usr/bin/mount", "echo \"$*\" >>/run/mount.log");
    let (table, log) = (server.path("/proc/mounts"), server.path("/run/mount.log"));
    for (mounts, remounted) in [
        ("/dev/root / ext4 rw 0 0\n/dev/mmcblk0p1 /boot vfat rw,errors=remount-ro 0 0\n", ""),
        ("overlay / overlay ro,relatime 0 0\ntmpfs /boot tmpfs ro 0 0\n", ""),
        // The nearest mount counts, and of two at one place the last.
        ("/dev/root / ext4 ro 0 0\n/dev/mmcblk0p1 /boot vfat rw 0 0\n", ""),
        ("/dev/mmcblk0p2 / ext4 rw 0 0\n/dev/mmcblk0p1 /boo vfat ro 0 0\n", ""),
        ("/dev/mmcblk0p2 / ext4 rw 0 0\n/dev/mmcblk0p1 /boot/firmware vfat ro 0 0\n", ""),
        ("systemd-1 /boot autofs ro 0 0\n/dev/mmcblk0p1 /boot vfat rw 0 0\n", ""),
        ("systemd-1 /boot autofs rw 0 0\n/dev/mmcblk0p1 /boot vfat ro 0 0\n", "/boot"),
        ("/dev/root / ext4 ro,noatime 0 0\n", "/"),
    ] {
        fs::write(&table, mounts).unwrap();
        fs::write(&log, "").unwrap();
        session.write("/boot/a", 0o644, b"a").await.unwrap();
        let wanted = match remounted {
            "" => String::new(),
            at => format!("-o remount,rw {at}\n-o remount,ro {at}\n"),
        };
        assert_eq!(fs::read_to_string(&log).unwrap(), wanted, "{mounts}");
    }
    // Wrong arguments change nothing, and neither does reading.
    fs::write(&table, "/dev/mmcblk0p1 /boot vfat ro 0 0\n").unwrap();
    fs::write(&log, "").unwrap();
    session.remove(&["/boot".to_owned()]).await.unwrap_err();
    session.tree("/boot").await.unwrap();
    session.read("/boot/config.txt", 99).await.unwrap();
    assert_eq!(fs::read_to_string(&log).unwrap(), "");
}
