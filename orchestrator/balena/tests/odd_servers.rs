//! The client against servers that answer what no good API would, over real sockets.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::disallowed_methods, reason = "the server of a test ends with the test")]

use jiff::Timestamp;
use migos_balena::{Authority, Balena, Timeouts, Token};
use migos_engine::port::{BalenaApi as _, BalenaError, Clock, Registration};
use migos_inventory::FleetSlug;
use migos_playbooks::balena::DeviceUuid;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

struct Epoch;

impl Clock for Epoch {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }
}

fn balena(listener: &TcpListener) -> Balena {
    let api = format!("http://{}", listener.local_addr().unwrap());
    let timeouts = Timeouts { request: Duration::from_millis(250), ..Timeouts::default() };
    Balena::new(
        &api,
        Authority::Public,
        Token::new("operator").unwrap(),
        "0.1.0",
        timeouts,
        Arc::new(Epoch),
    )
    .unwrap()
}

/// Gives these answers one after the other, and returns the first lines and keys of the requests.
fn answers(listener: TcpListener, answers: Vec<Vec<u8>>) -> JoinHandle<Vec<String>> {
    tokio::spawn(async move {
        let mut asked = Vec::new();
        for answer in answers {
            let (stream, _) = listener.accept().await.unwrap();
            let mut stream = BufReader::new(stream);
            let (mut first, mut key, mut length) = (String::new(), String::new(), 0);
            stream.read_line(&mut first).await.unwrap();
            loop {
                let mut line = String::new();
                stream.read_line(&mut line).await.unwrap();
                match line.trim_end().split_once(": ") {
                    Some(("authorization", value)) => key = value.to_owned(),
                    Some(("content-length", value)) => length = value.parse().unwrap(),
                    Some(_) => {}
                    None => break,
                }
            }
            stream.read_exact(&mut vec![0; length]).await.unwrap();
            asked.push(format!("{} {key}", first.trim_end().trim_end_matches(" HTTP/1.1")));
            // A client that has read enough hangs up, which is its right.
            let _cut_off = stream.write_all(&answer).await;
        }
        asked
    })
}

fn answer(status: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
    )
    .into_bytes()
}

async fn listen() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

#[tokio::test]
async fn a_fleet_is_found_where_the_size_of_its_app_is_not_told() {
    let fleet = r#"{"d":[{"id":7,"is_for__device_type":[{"slug":"raspberrypi3","is_of__cpu_architecture":[{"slug":"armv7hf"}]}]}]}"#;
    for other in [
        answer("500 Internal Server Error", "", ""),
        answer("200 OK", "", r#"{"d":[{"id":7}]}"#),
        answer("200 OK", "", "<html>"),
    ] {
        let listener = listen().await;
        let balena = balena(&listener);
        let asked = answers(listener, vec![answer("200 OK", "", fleet), other]);
        let found = balena.fleet(&FleetSlug::new("acme/kiosks").unwrap()).await.unwrap().unwrap();
        assert_eq!((found.id, found.app), (7, None));
        assert_eq!(asked.await.unwrap().len(), 2);
    }
}

/// The error of a whoami that is answered so, the port aside.
async fn whoami(given: Vec<u8>) -> (BalenaError, String) {
    let listener = listen().await;
    let host = listener.local_addr().unwrap().to_string();
    let balena = balena(&listener);
    let asked = answers(listener, vec![given]);
    let error = balena.whoami().await.unwrap_err();
    assert_eq!(asked.await.unwrap(), ["GET /actor/v1/whoami Bearer operator"]);
    let words = error.to_string().replace(&host, "HOST");
    (error, words)
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = answer("302 Found", "Location: http://127.0.0.1:9/login\r\n", "");
    let (error, words) = whoami(elsewhere).await;
    assert!(matches!(error, BalenaError::Refused(_)));
    insta::assert_snapshot!(words, @"balena refused the request: HOST answered 302 Found to GET /actor/v1/whoami and points to http://127.0.0.1:9/login; give the address of the API itself");
}

#[tokio::test]
async fn an_answer_of_another_form_is_garbled() {
    let (error, words) = whoami(answer("200 OK", "", "<html>Sign in to the hotel's Wi-Fi")).await;
    assert!(matches!(error, BalenaError::Garbled(_)));
    insta::assert_snapshot!(words, @"balena answered what cannot be understood: GET /actor/v1/whoami: expected value at line 1 column 1");
}

#[tokio::test]
async fn an_answer_without_end_is_cut_off() {
    let mut endless = answer("200 OK", "", "");
    let text = String::from_utf8(endless).unwrap().replace("Content-Length: 0\r\n", "");
    endless = text.into_bytes();
    endless.resize(17 * 1024 * 1024, b' ');
    let (error, words) = whoami(endless).await;
    assert!(matches!(error, BalenaError::Garbled(_)), "{error}");
    insta::assert_snapshot!(words, @"balena answered what cannot be understood: GET /actor/v1/whoami: more than 16 MiB");
}

#[tokio::test]
async fn a_gateway_in_trouble_is_balena_being_away() {
    let busy = answer("503 Service Unavailable", "Retry-After: 7\r\n", "<html>nginx");
    let (error, words) = whoami(busy).await;
    assert!(matches!(error, BalenaError::Away { retry_after: Some(7), .. }));
    insta::assert_snapshot!(words, @"balena is away: HOST answered 503 Service Unavailable to GET /actor/v1/whoami: a web page");
    let dated = "Retry-After: Mon, 23 Nov 2026 12:00:00 GMT\r\n";
    let (error, words) = whoami(answer("500 Internal Server Error", dated, "")).await;
    assert!(matches!(error, BalenaError::Away { retry_after: None, .. }));
    insta::assert_snapshot!(words, @"balena is away: HOST answered 500 Internal Server Error to GET /actor/v1/whoami (also its answer to a query it does not understand)");
}

#[tokio::test]
async fn half_an_answer_is_no_answer() {
    let mut half = answer("200 OK", "", r#"{"id":2,"actorType":"user","username":"admin"}"#);
    half.truncate(half.len() - 10);
    let (error, words) = whoami(half).await;
    assert!(matches!(error, BalenaError::Away { .. }));
    insta::assert_snapshot!(words, @"balena is away: HOST gave no whole answer to GET /actor/v1/whoami: end of file before message length reached");
}

#[tokio::test]
async fn silence_ends_at_the_time_limit() {
    let listener = listen().await;
    let host = listener.local_addr().unwrap().to_string();
    let fleets = [FleetSlug::new("acme/kiosks").unwrap()];
    let error = balena(&listener).sightings(&fleets).await.unwrap_err();
    assert!(matches!(error, BalenaError::Away { retry_after: None, .. }));
    insta::assert_snapshot!(error.to_string().replace(&host, "HOST"), @"balena is away: HOST did not answer GET /v7/device within 0.25 s");
}

#[tokio::test]
async fn without_a_provisioning_key_the_operators_token_registers() {
    let listener = listen().await;
    let balena = balena(&listener);
    let asked = answers(
        listener,
        vec![
            answer("404 Not Found", "", ""),
            answer("201 Created", "", r#"{"id":7,"uuid":"5e91c2","api_key":"device"}"#),
            answer("200 OK", "", ""),
        ],
    );
    let device = Registration {
        fleet: 1,
        device_type: "raspberrypi3".to_owned(),
        uuid: DeviceUuid("5e91c2".to_owned()),
        device_key: "device".to_owned(),
        name: "kiosk-001".to_owned(),
    };
    assert_eq!(balena.register(&device).await.unwrap(), 7);
    assert_eq!(
        asked.await.unwrap(),
        [
            "POST /api-key/v2 Bearer operator",
            "POST /device/register Bearer operator",
            "PATCH /v7/device(uuid='5e91c2') Bearer operator",
        ]
    );
}

#[tokio::test]
async fn only_seconds_say_when_to_come_again() {
    // A date would need a clock that both sides share.
    let date = "Retry-After: Mon, 30 Nov 2026 12:00:00 GMT\r\n";
    for (header, expected) in [("Retry-After: 17\r\n", Some(17)), (date, None), ("", None)] {
        let listener = listen().await;
        let balena = balena(&listener);
        let server = answers(listener, vec![answer("429 Too Many Requests", header, "")]);
        let Err(BalenaError::Away { retry_after, .. }) = balena.whoami().await else {
            panic!("{header:?} is no overload")
        };
        assert_eq!(retry_after, expected, "{header:?}");
        server.await.unwrap();
    }
}
