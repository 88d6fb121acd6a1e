//! Logins, and the way to root.

use crate::{Client, target};
use migos_engine::port::{LoginKey, Root, Seed, Session as _, Target, Transport, TransportError};
use migos_tests::sshd::{SUDO_PASSWORD, Sshd, Userland, keygen};
use std::fs;

async fn error(target: &Target) -> TransportError {
    Client::new().ssh.connect(target).await.unwrap_err()
}

#[tokio::test]
async fn a_key_that_is_not_taken_is_told_with_the_remedy() {
    let server = Sshd::start(Userland::Debian).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut target = target(&server);
    let other = folder.path().join("other");
    keygen(&other, "ed25519").unwrap();
    target.key = LoginKey::file(other.clone());
    let wanted = format!(
        "login refused: pi@127.0.0.1 with {}: the device does not take this key (it takes: \
         publickey); put its public half into ~/.ssh/authorized_keys of that user",
        other.display()
    );
    assert_eq!(error(&target).await.to_string(), wanted);
}

#[tokio::test]
async fn keys_of_all_kinds_log_in() {
    let server = Sshd::start(Userland::Debian).unwrap();
    let client = Client::new();
    let folder = tempfile::tempdir().unwrap();
    let mut target = target(&server);
    for kind in ["rsa", "ecdsa"] {
        let path = folder.path().join(kind);
        keygen(&path, kind).unwrap();
        server.authorize(&fs::read_to_string(path.with_extension("pub")).unwrap()).unwrap();
        target.key = LoginKey::file(path);
        client.ssh.connect(&target).await.unwrap().close().await;
    }
    let own = client.ssh.key_pair(&Seed([42; 32]));
    server.authorize(&own.public_line).unwrap();
    target.key = LoginKey::Own(own.into());
    client.ssh.connect(&target).await.unwrap().close().await;
}

#[tokio::test]
async fn root_needs_no_sudo() {
    let server = Sshd::start(Userland::Busybox).unwrap();
    fs::remove_file(server.path("/usr/bin/sudo")).unwrap();
    let mut target = target(&server);
    target.user = "root".to_owned();
    let session = Client::new().ssh.connect(&target).await.unwrap();
    session.write("/boot/x", 0o600, b"x").await.unwrap();
    target.user = "pi".to_owned();
    let wanted = "cannot become root: the device has no sudo; log in as root instead of pi";
    assert_eq!(error(&target).await.to_string(), wanted);
}

#[tokio::test]
async fn sudo_gets_the_password_and_the_verb_its_input() {
    let server = Sshd::start(Userland::Debian).unwrap();
    let mut target = target(&server);
    target.user = "asks".to_owned();
    let wanted = "cannot become root: sudo asks asks for a password; give it as `sudo_password` in the \
                  inventory, or put `asks ALL=(ALL) NOPASSWD: ALL` into /etc/sudoers.d/asks on the device";
    assert_eq!(error(&target).await.to_string(), wanted);
    target.root = Root::Password(SUDO_PASSWORD.into());
    let session = Client::new().ssh.connect(&target).await.unwrap();
    session.write("/boot/x", 0o600, b"first\nsecond\n").await.unwrap();
    assert_eq!(session.read("/boot/x", 99).await, Ok(Some(b"first\nsecond\n".to_vec())));
}

#[tokio::test]
async fn a_password_is_not_given_where_sudo_does_not_ask() {
    let server = Sshd::start(Userland::Debian).unwrap();
    let mut target = target(&server);
    target.root = Root::Password(SUDO_PASSWORD.into());
    let session = Client::new().ssh.connect(&target).await.unwrap();
    session.write("/boot/x", 0o600, b"content").await.unwrap();
    assert_eq!(fs::read(server.path("/boot/x")).unwrap(), b"content");
}

#[tokio::test]
async fn who_may_not_use_sudo_is_told_so() {
    let server = Sshd::start(Userland::Debian).unwrap();
    let mut target = target(&server);
    target.user = "nosudo".to_owned();
    target.root = Root::Password(SUDO_PASSWORD.into());
    let text = error(&target).await.to_string();
    assert!(text.contains("nosudo is not in the sudoers file"), "{text}");
    target.user = "asks".to_owned();
    target.root = Root::Password("wrong".into());
    let text = error(&target).await.to_string();
    assert!(text.starts_with("cannot become root: sudo refuses asks with the password"), "{text}");
    assert!(!text.contains("wrong"), "{text}");
}
