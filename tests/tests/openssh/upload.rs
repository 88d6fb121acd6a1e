//! Uploads: whole, resumed, damaged, and onto a full disk.

use crate::{Client, target};
use bytes::Bytes;
use migos_engine::bandwidth::Meter;
use migos_engine::port::{Content, Session as _, Source, Target, Transport, TransportError};
use migos_payload::digest::Sha256;
use migos_playbooks::rate::Rate;
use migos_ssh::Timeouts;
use migos_tests::proxy::{Fault, Proxy};
use migos_tests::sshd::{Sshd, Userland};
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const PATH: &str = "/var/lib/migos/images/it's.img";
const PART: &str = "/var/lib/migos/images/it's.img.part";

/// Bytes that no position repeats.
fn content(size: usize) -> Content {
    let bytes: Bytes = (0..size.div_ceil(8) as u64)
        .flat_map(|at| at.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes())
        .take(size)
        .collect();
    let sha256 = Sha256::of(&bytes);
    Content { source: Source::Memory(bytes), size: size as u64, sha256 }
}

fn bytes(content: &Content) -> &[u8] {
    match &content.source {
        Source::Memory(bytes) => bytes,
        Source::File(_) => panic!("not in memory"),
    }
}

fn there(server: &Sshd, path: &str) -> Vec<u8> {
    fs::read(server.path(path)).unwrap()
}

#[tokio::test]
async fn an_upload_arrives_and_is_not_repeated() {
    // With openssl and a dd that forgets one file, and without.
    for userland in [Userland::Debian, Userland::Busybox] {
        let server = Sshd::start(userland).unwrap();
        let session = Client::new().session(&server).await;
        let content = content(5_000_001);
        let progress = AtomicU64::new(0);
        let count = |bytes| assert!(progress.swap(bytes, Ordering::Relaxed) <= bytes);
        let sent = session.send(&content, PATH, &count).await.unwrap();
        assert_eq!((sent.bytes, progress.load(Ordering::Relaxed)), (5_000_001, 5_000_001));
        assert!(there(&server, PATH) == bytes(&content));
        assert_eq!(session.send(&content, PATH, &count).await.unwrap().bytes, 0);
    }
}

#[tokio::test]
async fn a_file_is_sent_as_memory_is() {
    let server = Sshd::start(Userland::Busybox).unwrap();
    let session = Client::new().session(&server).await;
    let mut content = content(700_001);
    let file = tempfile::NamedTempFile::new().unwrap();
    let wanted = bytes(&content).to_vec();
    fs::write(file.path(), &wanted).unwrap();
    content.source = Source::File(Arc::new(file.path().to_owned()));
    assert_eq!(session.send(&content, PATH, &|_| ()).await.unwrap().bytes, 700_001);
    assert!(there(&server, PATH) == wanted);
}

#[tokio::test]
async fn an_empty_content_is_an_empty_file() {
    let server = Sshd::start(Userland::Debian).unwrap();
    let session = Client::new().session(&server).await;
    assert_eq!(session.send(&content(0), PATH, &|_| ()).await.unwrap().bytes, 0);
    assert_eq!(there(&server, PATH), b"");
}

#[tokio::test]
async fn an_upload_that_was_cut_goes_on_where_it_was() {
    let server = Sshd::start(Userland::Debian).unwrap();
    let client = Client::new();
    let content = content(4 << 20);
    let proxy = Proxy::start(server.port(), Fault::CutAfter(2 << 20)).unwrap();
    let mut target = target(&server);
    target.port = proxy.port();
    let session = client.ssh.connect(&target).await.unwrap();
    let error = session.send(&content, PATH, &|_| ()).await.unwrap_err();
    assert_eq!(error, TransportError::Lost { verb: "receive" });
    assert!(!server.path(PATH).exists());

    let session = client.ssh.connect(&target).await.unwrap();
    let before = proxy.passed();
    let start = AtomicU64::new(u64::MAX);
    let first = |bytes| {
        start.fetch_min(bytes, Ordering::Relaxed);
    };
    let sent = session.send(&content, PATH, &first).await.unwrap();
    let start = start.into_inner();
    assert!(start > 1 << 20, "{start} bytes were there");
    assert_eq!(sent.bytes, (4 << 20) - start);
    assert!(proxy.passed() - before < sent.bytes + (64 << 10));
    assert!(there(&server, PATH) == bytes(&content));
}

#[tokio::test]
async fn a_beginning_of_something_else_is_not_built_upon() {
    let server = Sshd::start(Userland::Debian).unwrap();
    let session = Client::new().session(&server).await;
    let content = content(100_000);
    let other = [b"x", &bytes(&content)[1..50_000]].concat();
    fs::create_dir_all(server.path("/var/lib/migos/images")).unwrap();
    for beginning in [other, [bytes(&content), b"x"].concat()] {
        fs::write(server.path(PART), beginning).unwrap();
        assert_eq!(session.send(&content, PATH, &|_| ()).await.unwrap().bytes, 100_000);
        assert!(there(&server, PATH) == bytes(&content));
        fs::remove_file(server.path(PATH)).unwrap();
    }
    // All of it but its name is there.
    fs::write(server.path(PART), bytes(&content)).unwrap();
    assert_eq!(session.send(&content, PATH, &|_| ()).await.unwrap().bytes, 0);
    assert!(there(&server, PATH) == bytes(&content));
}

#[tokio::test]
async fn a_damaged_upload_is_sent_once_more_and_then_given_up() {
    let server = Sshd::start(Userland::Debian).unwrap();
    let session = Client::new().session(&server).await;
    let mut content = content(10_000);
    content.sha256 = Sha256::of(b"something else");
    let sent = AtomicU64::new(0);
    let count = |bytes| {
        sent.fetch_add(bytes, Ordering::Relaxed);
    };
    let error = session.send(&content, PATH, &count).await.unwrap_err();
    assert_eq!(error, TransportError::Damaged { path: PATH.to_owned() });
    assert_eq!(sent.into_inner(), 20_000);
    assert!(!server.path(PATH).exists() && !server.path(PART).exists());
}

#[tokio::test]
async fn a_full_disk_is_told_and_leaves_no_half_file() {
    let server = Sshd::start(Userland::Debian).unwrap();
    let session = Client::new().session(&server).await;
    let full = |path: &str| TransportError::NoSpace { path: path.to_owned() };
    let sent = session.send(&content(64 << 20), "/small/image", &|_| ()).await;
    assert_eq!(sent, Err(full("/small/image")));
    assert!(!server.path("/small/image").exists());
    session.remove(&["/small/image".to_owned()]).await.unwrap();
    assert!(!server.path("/small/image.part").exists());

    session.write("/small/file", 0o600, b"old").await.unwrap();
    let large = vec![7; 2 << 20];
    assert_eq!(session.write("/small/file", 0o600, &large).await, Err(full("/small/file")));
    assert_eq!(session.read("/small/file", 9).await, Ok(Some(b"old".to_vec())));
    assert!(!server.path("/small/file.new").exists());
}

/// 16 kB/s: two seconds for each packet, where one second of silence counts as stalled.
#[tokio::test]
async fn an_upload_keeps_to_its_limit_and_is_not_taken_for_stalled() {
    let server = Sshd::start(Userland::Debian).unwrap();
    let timeouts = Timeouts { progress: Duration::from_secs(1), ..Timeouts::default() };
    let limited = Target { meter: Meter::alone(Rate(16_000)), ..target(&server) };
    let session = Client::with(timeouts).ssh.connect(&limited).await.unwrap();
    let content = content(100_000);
    let start = Instant::now();
    assert_eq!(session.send(&content, PATH, &|_| ()).await.unwrap().bytes, 100_000);
    // The first packet need not wait.
    let least = Duration::from_secs((100_000 - (32 << 10)) / 16_000);
    assert!(start.elapsed() >= least, "{:?}", start.elapsed());
    assert!(there(&server, PATH) == bytes(&content));
}
