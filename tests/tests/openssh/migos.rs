//! `migos-ctl`, run as plain words.

use crate::{Client, target};
use migos_contract::{Command, Configuration, State};
use migos_engine::port::{Root, Session as _, Transport, TransportError};
use migos_ssh::Session;
use migos_tests::sshd::{Sshd, Userland};
use std::collections::BTreeMap;
use std::fs;

async fn session(client: &Client, server: &Sshd) -> Session {
    let mut target = target(server);
    target.user = "root".to_owned();
    target.root = Root::NotNeeded;
    client.ssh.connect(&target).await.unwrap()
}

#[tokio::test]
async fn the_status_is_read() {
    let server = Sshd::start(Userland::Busybox).unwrap();
    let client = Client::new();
    let session = session(&client, &server).await;
    let status = session.migos(&Command::Status, None).await.unwrap();
    assert_eq!((status.state, status.total), (State::Ready, 7));
    let nonce = "0123456789abcdef0123456789abcdef".to_owned();
    let status = session.migos(&Command::Commit { nonce: nonce.clone() }, None).await.unwrap();
    assert_eq!(status.nonce, nonce);
}

#[tokio::test]
async fn the_configuration_goes_through_standard_input_and_nowhere_else() {
    let server = Sshd::start(Userland::Busybox).unwrap();
    let client = Client::new();
    let session = session(&client, &server).await;
    let files = BTreeMap::from([("config.json".to_owned(), "s3cret".to_owned())]);
    session.migos(&Command::Configure, Some(&Configuration { files })).await.unwrap();
    let input = fs::read_to_string(server.path("/run/migos-ctl.input")).unwrap();
    assert_eq!(input, r#"{"files":{"config.json":"s3cret"}}"#);
    assert!(!client.told().contains("s3cret"), "{}", client.told());
}

#[tokio::test]
async fn a_refusal_and_nonsense_are_told_apart() {
    let server = Sshd::start(Userland::Busybox).unwrap();
    let client = Client::new();
    let session = session(&client, &server).await;
    let error = session.migos(&Command::Abort, None).await.unwrap_err();
    assert_eq!(error.to_string(), "abort failed: the commit has been taken");
    fs::write(server.path("/usr/local/bin/migos-ctl"), "#!/bin/sh\necho ready\n").unwrap();
    let error = session.migos(&Command::Status, None).await.unwrap_err();
    assert!(matches!(error, TransportError::Garbled { verb: "status", .. }), "{error:?}");
}
