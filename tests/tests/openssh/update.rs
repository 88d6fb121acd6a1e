//! The vendor's firmware update goes on when nobody waits for it, and says what went wrong.

use crate::Client;
use migos_engine::port::{Session as _, TransportError};
use migos_playbooks::plan::FirmwareKind;
use migos_tests::sshd::{Sshd, Userland};
use std::fs;
use std::process::Command;
use std::time::Duration;
use tokio::time::timeout;

const UPDATE: &str = "-q update\n";
const INSTALL: &str = "-q -y -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold \
                       install --only-upgrade raspberrypi-bootloader raspberrypi-kernel\n";

/// From now on `apt-get install` waits until it is told how to end.
fn hold(server: &Sshd) {
    let made = Command::new("mkfifo").arg(server.path("/run/apt-gate")).status().unwrap();
    assert!(made.success());
}

async fn let_end(server: &Sshd, error: &str) {
    // Opening it waits for the reader.
    let (gate, line) = (server.path("/run/apt-gate"), format!("{error}\n"));
    tokio::task::spawn_blocking(move || fs::write(gate, line)).await.unwrap().unwrap();
}

async fn goes_on(userland: Userland) {
    let server = Sshd::start(userland).unwrap();
    hold(&server);
    let client = Client::new();
    let session = client.session(&server).await;
    let cut = timeout(Duration::from_millis(500), session.update(FirmwareKind::Card)).await;
    assert!(cut.is_err(), "it does not end by itself");
    drop(session);
    let session = client.session(&server).await;
    let (updated, ()) = tokio::join!(session.update(FirmwareKind::Card), let_end(&server, ""));
    assert_eq!(updated, Ok(()));
    session.update(FirmwareKind::Card).await.unwrap();
    let log = fs::read_to_string(server.path("/run/apt.log")).unwrap();
    assert_eq!(log, format!("{UPDATE}{INSTALL}"), "once");
}

#[tokio::test]
async fn an_update_goes_on_when_the_connection_is_lost() {
    goes_on(Userland::Debian).await;
}

#[tokio::test]
async fn an_update_goes_on_when_the_connection_is_lost_under_busybox() {
    goes_on(Userland::Busybox).await;
}

#[tokio::test]
async fn an_archive_that_is_gone_is_named() {
    let server = Sshd::start(Userland::Debian).unwrap();
    hold(&server);
    let session = Client::new().session(&server).await;
    let error = "E: The repository 'raspbian stretch Release' does no longer have a Release file.";
    let (updated, ()) = tokio::join!(session.update(FirmwareKind::Card), let_end(&server, error));
    let refused = TransportError::Refused { verb: "update", message: error.to_owned() };
    assert_eq!(updated, Err(refused));
    fs::remove_file(server.path("/run/apt-gate")).unwrap();
    assert_eq!(session.update(FirmwareKind::Card).await, Ok(()), "tried anew");
}
