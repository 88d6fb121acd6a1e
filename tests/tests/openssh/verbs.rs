//! The session's words do what they say.

use crate::{Client, target};
use migos_engine::port::{Root, Session as _, Tier, Transport, TransportError};
use migos_payload::digest::Sha256;
use migos_tests::sshd::{Sshd, Userland};
use std::fs;
use std::os::unix::fs::PermissionsExt;

#[tokio::test]
async fn files_are_written_read_summed_and_removed() {
    let server = Sshd::start(Userland::Debian).unwrap();
    let client = Client::new();
    let session = client.session(&server).await;
    let path = "/var/lib/migos/job/it's a \"file\"";
    assert_eq!(session.read(path, 100).await, Ok(None));
    session.write(path, 0o640, b"\0binary\xff\r\n").await.unwrap();
    assert_eq!(session.read(path, 10).await, Ok(Some(b"\0binary\xff\r\n".to_vec())));
    let mode = |path: &str| fs::metadata(server.path(path)).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(path), 0o640);
    assert_eq!((mode("/var/lib/migos"), mode("/var/lib/migos/job")), (0o700, 0o700));
    session.write("/boot/migos/x", 0o755, b"").await.unwrap();
    assert_eq!((mode("/boot/migos"), mode("/boot/migos/x")), (0o755, 0o755));

    let paths = [path.to_owned(), "/boot/none".to_owned(), "/boot/migos/x".to_owned()];
    let sums = session.sums(&paths).await.unwrap();
    assert_eq!(sums, [Some(Sha256::of(b"\0binary\xff\r\n")), None, Some(Sha256::of(b""))]);
    assert_eq!(session.sums(&[]).await, Ok(vec![]));

    session.remove(&paths).await.unwrap();
    session.remove(&paths).await.unwrap();
    assert_eq!(session.sums(&paths).await, Ok(vec![None, None, None]));
    session.close().await;
}

#[tokio::test]
async fn a_file_that_is_too_large_is_refused() {
    let server = Sshd::start(Userland::Debian).unwrap();
    let session = Client::new().session(&server).await;
    let error = session.read("/boot/config.txt", 16).await.unwrap_err();
    assert_eq!(error.to_string(), "read failed: /boot/config.txt has 17 bytes, more than 16");
}

#[tokio::test]
async fn a_dangerous_path_is_not_removed() {
    let server = Sshd::start(Userland::Debian).unwrap();
    let session = Client::new().session(&server).await;
    let error = session.remove(&["/boot".to_owned()]).await.unwrap_err();
    assert_eq!(error.to_string(), "remove failed: will not remove /boot");
    let error = session.remove(&["/boot/a\0b".to_owned()]).await.unwrap_err();
    assert_eq!(error.to_string(), "remove failed: an argument holds a NUL");
    assert!(server.path("/boot/config.txt").exists());
}

#[tokio::test]
async fn the_identity_is_that_of_the_board() {
    let server = Sshd::start(Userland::Debian).unwrap();
    let session = Client::new().session(&server).await;
    let identity = session.identity().await.unwrap();
    assert_eq!(identity.serial, "00000000765fc593");
    assert_eq!(identity.machine_id, "0123456789abcdef0123456789abcdef");
    assert_eq!(identity.boot_id, "9c52f6ab-35f5-4a8e-8e07-6f0d4c1b8a11");
    assert_eq!(identity.sums["config.txt"], Sha256::of(b"[all]\ngpu_mem=16\n"));
}

#[tokio::test]
async fn reboots_are_asked_for() {
    let server = Sshd::start(Userland::Debian).unwrap();
    let session = Client::new().session(&server).await;
    session.arm().await.unwrap();
    session.reboot(Tier::Orderly).await.unwrap();
    let log = fs::read_to_string(server.path("/run/systemctl.log")).unwrap();
    assert_eq!(log, "reboot: 0 tryboot\nreboot: \n");
    fs::create_dir_all(server.path("/run/systemd/shutdown")).unwrap();
    fs::write(server.path("/run/systemd/shutdown/scheduled"), "").unwrap();
    let busy = TransportError::Busy("a shutdown is scheduled".to_owned());
    assert_eq!(session.arm().await, Err(busy));
}

#[tokio::test]
async fn what_was_done_is_told_without_what_was_said() {
    let server = Sshd::start(Userland::Debian).unwrap();
    let client = Client::new();
    let mut target = target(&server);
    target.user = "asks".to_owned();
    target.root = Root::Password(migos_tests::sshd::SUDO_PASSWORD.into());
    let session = client.ssh.connect(&target).await.unwrap();
    session.write("/boot/it's", 0o600, b"s3cret").await.unwrap();
    session.read("/boot/it's", 2).await.unwrap_err();
    session.close().await;
    let told = client.told();
    let told: Vec<&str> = told.lines().map(|line| line.split(" (").next().unwrap()).collect();
    let port = server.port();
    assert_eq!(
        told,
        [
            format!("pi-1: connected to 127.0.0.1:{port} as asks, root by `sudo -S -k -p ''`")
                .as_str(),
            r"pi-1: write '/boot/it'\''s' '600' '6': done",
            r"pi-1: read '/boot/it'\''s' '2': exit code 65: /boot/it's has 6 bytes, more than 2",
            "pi-1: disconnected",
        ]
    );
    let debug = format!("{target:?} {client:?}", client = client.ssh);
    assert!(!client.told().contains("HOME") && !debug.contains("HOME"), "{debug}");
}
