//! Only the right machine is spoken to.

use crate::{Client, target};
use migos_engine::port::{HostKey, Seed, Session as _, Transport, TransportError};
use migos_ssh::Session;
use migos_tests::sshd::{Sshd, Userland};
use std::fs;

const OTHER: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB9dG4kjRhQTtWTVzd2t27+t0DEHBPW7iOD23TUiYLio";

/// Connects with this operator's file.
async fn connect(
    client: &Client,
    server: &Sshd,
    operator: &str,
    accept_new: bool,
) -> Result<Session, TransportError> {
    let path = client.folder.path().join("operator");
    fs::write(&path, operator).unwrap();
    let mut target = target(server);
    target.host_key = HostKey::Known { operator: Some(path), accept_new };
    client.ssh.connect(&target).await
}

fn refusal(result: Result<Session, TransportError>) -> String {
    match result.unwrap_err() {
        TransportError::HostKey(why) => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_new_host_is_taken_in_once_and_known_from_then_on() {
    let server = Sshd::start(Userland::Debian).unwrap();
    let client = Client::new();
    let why = refusal(connect(&client, &server, "", false).await);
    assert!(why.contains("is in no known-hosts file and offers ssh-ed25519 SHA256:"), "{why}");
    connect(&client, &server, "", true).await.unwrap().close().await;
    connect(&client, &server, "", false).await.unwrap().close().await;
    let own = fs::read_to_string(client.folder.path().join("known_hosts")).unwrap();
    let key = server.host_key("ed25519").unwrap();
    let key: Vec<&str> = key.split(' ').take(2).collect();
    assert_eq!(own, format!("[127.0.0.1]:{} {}\n", server.port(), key.join(" ")));
}

#[tokio::test]
async fn a_changed_key_is_refused_with_its_place_and_the_remedy() {
    let server = Sshd::start(Userland::Debian).unwrap();
    let client = Client::new();
    let host = format!("[127.0.0.1]:{}", server.port());
    let why = refusal(connect(&client, &server, &format!("\n{host} {OTHER}"), true).await);
    let file = client.folder.path().join("operator");
    let file = file.display();
    assert!(why.contains(&format!("{file} line 2")), "{why}");
    assert!(why.contains(&format!("`ssh-keygen -R '{host}' -f '{file}'`")), "{why}");
    assert!(!client.folder.path().join("known_hosts").exists());
}

#[tokio::test]
async fn a_revoked_key_is_refused() {
    let server = Sshd::start(Userland::Debian).unwrap();
    let (client, key) = (Client::new(), server.host_key("ed25519").unwrap());
    let why = refusal(connect(&client, &server, &format!("@revoked * {key}"), true).await);
    assert!(why.contains("is revoked in"), "{why}");
}

#[tokio::test]
async fn a_host_is_asked_for_the_type_it_is_known_by() {
    let server = Sshd::start(Userland::Debian).unwrap();
    let (client, key) = (Client::new(), server.host_key("ecdsa").unwrap());
    let operator = format!("[127.0.0.1]:{} {key}", server.port());
    connect(&client, &server, &operator, false).await.unwrap().close().await;
}

#[tokio::test]
async fn a_pinned_host_must_have_just_that_key() {
    let server = Sshd::start(Userland::Debian).unwrap();
    let client = Client::new();
    let mut target = target(&server);
    let mut pair = client.ssh.key_pair(&Seed([7; 32]));
    target.host_key = HostKey::Pinned(pair.clone().into());
    let why = refusal(client.ssh.connect(&target).await);
    assert!(why.contains("which this run gave it"), "{why}");
    pair.public_line = server.host_key("ed25519").unwrap();
    target.host_key = HostKey::Pinned(pair.into());
    client.ssh.connect(&target).await.unwrap().close().await;
}
