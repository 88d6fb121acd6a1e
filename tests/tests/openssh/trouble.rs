//! Whatever happens, an answer comes in time.

use crate::{Client, replace, target};
use bytes::Bytes;
use migos_engine::port::{Content, Session as _, Source, Transport, TransportError};
use migos_payload::digest::Sha256;
use migos_ssh::Timeouts;
use migos_tests::proxy::{Fault, Proxy};
use migos_tests::sshd::{Sshd, Userland};
use std::net::TcpListener;
use std::time::Duration;

fn zeros(size: usize) -> Content {
    let bytes = Bytes::from(vec![0; size]);
    let sha256 = Sha256::of(&bytes);
    Content { source: Source::Memory(bytes), size: size as u64, sha256 }
}

#[tokio::test]
async fn writing_to_a_command_that_has_died_does_not_hang() {
    let server = Sshd::start(Userland::Debian).unwrap();
    let session = Client::new().session(&server).await;
    // The script ends before it reads anything of the 64 MiB.
    let error = session.send(&zeros(64 << 20), "/boot/config.txt/x", &|_| ()).await.unwrap_err();
    assert!(matches!(error, TransportError::Refused { verb: "receive", .. }), "{error:?}");
    // The connection is as good as before.
    assert!(session.read("/boot/config.txt", 99).await.unwrap().is_some());
}

#[tokio::test]
async fn an_upload_that_stands_still_is_given_up() {
    let server = Sshd::start(Userland::Debian).unwrap();
    let timeouts = Timeouts { progress: Duration::from_secs(1), ..Timeouts::default() };
    let proxy = Proxy::start(server.port(), Fault::FreezeAfter(1 << 20)).unwrap();
    let mut target = target(&server);
    target.port = proxy.port();
    let session = Client::with(timeouts).ssh.connect(&target).await.unwrap();
    let error = session.send(&zeros(4 << 20), "/boot/x", &|_| ()).await.unwrap_err();
    assert_eq!(error, TransportError::Stalled { verb: "receive", seconds: 1 });
    session.close().await;
}

#[tokio::test]
async fn a_network_that_went_away_is_noticed_by_the_sign_of_life() {
    let server = Sshd::start(Userland::Debian).unwrap();
    let timeouts = Timeouts { keepalive: Duration::from_millis(500), ..Timeouts::default() };
    let proxy = Proxy::start(server.port(), Fault::FreezeAfter(1 << 20)).unwrap();
    let mut target = target(&server);
    target.port = proxy.port();
    let session = Client::with(timeouts).ssh.connect(&target).await.unwrap();
    let error = session.send(&zeros(4 << 20), "/boot/x", &|_| ()).await.unwrap_err();
    assert_eq!(error, TransportError::Lost { verb: "receive" });
    let error = session.identity().await.unwrap_err();
    assert_eq!(error, TransportError::Lost { verb: "identity" });
}

#[tokio::test]
async fn nobody_and_somebody_silent_are_unreachable() {
    let server = Sshd::start(Userland::Debian).unwrap();
    let mut target = target(&server);
    let timeouts = Timeouts {
        key_exchange: Duration::from_millis(100),
        keepalive: Duration::from_millis(100),
        ..Timeouts::default()
    };
    let client = Client::with(timeouts);
    let silent = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    target.port = silent.local_addr().unwrap().port();
    let text = client.ssh.connect(&target).await.unwrap_err().to_string();
    assert!(text.contains("it takes connections, but no SSH server answered"), "{text}");
    drop(silent);
    let text = client.ssh.connect(&target).await.unwrap_err().to_string();
    assert!(text.contains("Connection refused"), "{text}");
    target.host = "no-such-host.invalid".to_owned();
    let text = client.ssh.connect(&target).await.unwrap_err().to_string();
    assert!(text.contains("the name "), "{text}");
}

#[tokio::test]
async fn a_device_that_takes_nothing_is_not_flooded() {
    let server = Sshd::start(Userland::Busybox).unwrap();
    replace(&server, "/usr/bin/cat", "tail -f /dev/null");
    let timeouts = Timeouts { progress: Duration::from_secs(1), ..Timeouts::default() };
    let proxy = Proxy::start(server.port(), Fault::None).unwrap();
    let mut target = target(&server);
    target.port = proxy.port();
    let session = Client::with(timeouts).ssh.connect(&target).await.unwrap();
    let error = session.send(&zeros(4 << 20), "/boot/x", &|_| ()).await.unwrap_err();
    assert_eq!(error, TransportError::Stalled { verb: "receive", seconds: 1 });
    // The credit of 128 KiB, what a line of 1 MB/s holds during a round trip, and some packets of SSH around it.
    let passed = proxy.passed();
    assert!((128 << 10..344 << 10).contains(&passed), "{passed} bytes");
    session.close().await;
}

#[tokio::test]
async fn an_answer_without_end_is_given_up() {
    let server = Sshd::start(Userland::Busybox).unwrap();
    replace(&server, "/usr/bin/cat", "yes | head -c 100000000");
    let session = Client::new().session(&server).await;
    let error = session.read("/boot/config.txt", 99).await.unwrap_err();
    assert_eq!(error.to_string(), "read answered what cannot be understood: more than 99 bytes");
}
