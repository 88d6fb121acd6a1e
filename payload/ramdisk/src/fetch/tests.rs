#![allow(clippy::unwrap_used)]
use super::*;
use crate::control::tests::{CONFIGURATION, Card, IMAGE, job};
use crate::control::{Control, Supply};
use crate::log::Log;
use crate::web::Web;
use migos_contract::{Job, State};
use std::sync::{Arc, Mutex};
use std::time::Duration;

struct Board {
    web: Web,
    source: Source,
    server: Server,
    control: Arc<Mutex<Control>>,
    _folder: tempfile::TempDir,
}

/// Past the commit and without the image; a server with these answers has it, or not.
fn board(answers: &[&str]) -> Board {
    board_of(answers, |job| {
        let serial = job.serial.clone();
        let configuration = serde_json::from_str(CONFIGURATION).map_err(|_| String::new());
        Control::resumed(job, serial, configuration, Supply::Missing(None), None)
    })
}

fn board_of(answers: &[&str], control: impl FnOnce(Job) -> Control) -> Board {
    let web = Web::answering(answers);
    let mut job = job();
    job.image.url = Some(web.url("/image").to_string());
    let source = Source::of_job(&job.image, Limits::default()).unwrap().unwrap();
    let control = Arc::new(Mutex::new(control(job)));
    let folder = tempfile::tempdir().unwrap();
    let server =
        Server::new(Arc::clone(&control), folder.path().to_owned(), Log::new(|| Duration::ZERO));
    Board { web, source, server, control, _folder: folder }
}

fn answer(status: &str, headers: &str, body: &[u8]) -> String {
    let (length, body) = (body.len(), String::from_utf8_lossy(body));
    format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n{headers}\r\n{body}")
}

#[test]
fn an_image_that_is_missing_is_fetched() {
    let board = board(&[&answer("200 OK", "", IMAGE)]);
    assert_eq!(board.server.status().state, State::NeedsImage);
    assert!(board.source.serve(&board.server).unwrap());
    assert_eq!(board.server.status().state, State::Committed);
    assert!(board.web.requests()[0].starts_with("GET /image HTTP/1.1\r\n"));
    // Whoever has it wants no more.
    assert!(!board.source.serve(&board.server).unwrap());
}

#[test]
fn before_the_commit_it_is_fetched_into_memory_and_nobody_is_taken_for_the_controller() {
    let answers = [answer("503 Busy", "", b""), answer("200 OK", "", IMAGE)];
    let board = board_of(&answers.each_ref().map(String::as_str), |job| {
        let serial = job.serial.clone();
        Control::ready(job, serial, Supply::Missing(None), Box::new(Card(Ok(()))))
    });
    let status = || board.server.status();
    let why = board.source.serve(&board.server).unwrap_err().to_string();
    board.server.not_fetched(why.clone());
    let unfetched = status().unfetched.unwrap();
    assert_eq!((unfetched.tries, &unfetched.why), (1, &why));
    assert!(board.source.serve(&board.server).unwrap());
    assert_eq!((status().state, status().wants), (State::Ready, None));
    board.control.lock().unwrap().tick(Duration::from_secs(600));
    assert_eq!(status().error.as_deref(), Some("the controller did not come in time"));
}

#[test]
fn another_file_is_refused_and_the_next_is_taken() {
    let longer = answer("200 OK", "", b"some page");
    let board = board(&[
        &answer("404 Not Found", "", b""),
        &answer("200 OK", "", b"short"),
        &longer,
        &answer("200 OK", "Transfer-Encoding: chunked\r\n", IMAGE),
        &answer("200 OK", "", IMAGE).replace("image", "im"),
        &answer("200 OK", "", IMAGE),
    ]);
    let refusal = || {
        let why = board.source.serve(&board.server).unwrap_err().to_string();
        why.replace(&board.web.url("/image").to_string(), "URL")
    };
    assert_eq!(refusal(), "URL is answered with status 404");
    assert_eq!(refusal(), "URL has 5 bytes, the job's image 9");
    let damaged =
        "what URL sends is not taken: the image is damaged: its size or digest is not the job's";
    assert_eq!(refusal(), damaged);
    assert_eq!(refusal(), "URL is answered with something else than was asked for");
    assert_eq!(refusal(), damaged);
    assert_eq!(board.server.status().state, State::NeedsImage);
    assert!(board.source.serve(&board.server).unwrap());
}

#[test]
fn a_part_comes_alone_or_is_cut_out_of_the_whole() {
    let part = Part { offset: 4, length: 3 };
    let range = |range: &str| format!("Content-Range: bytes {range}\r\n");
    let board = board(&[
        &answer("206 Partial", &range("4-6/9"), &IMAGE[4..7]),
        &answer("200 OK", "", IMAGE),
        &answer("206 Partial", &range("2-8/9"), &IMAGE[2..]),
        &answer("206 Partial", &range("5-6/9"), &IMAGE[5..7]),
        &answer("206 Partial", &range("4-6/10"), &IMAGE[4..7]),
        &answer("206 Partial", "", &IMAGE[4..7]),
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nth",
    ]);
    let read = || {
        let mut text = String::new();
        board.source.open(part).map(|mut body| body.read_to_string(&mut text).unwrap())?;
        Ok::<_, FetchError>(text)
    };
    for _ in 0..3 {
        assert_eq!(read().unwrap().as_bytes(), &IMAGE[4..7]);
    }
    assert!(matches!(read(), Err(FetchError::OtherPart(_))));
    assert!(matches!(read(), Err(FetchError::OtherSize { found: 10, .. })));
    assert!(matches!(read(), Err(FetchError::OtherPart(_))));
    assert!(matches!(read(), Err(FetchError::Skip { .. })));
    assert!(board.web.requests()[0].contains("Range: bytes=4-6\r\n"));
}

#[test]
fn while_the_controller_sends_it_nothing_is_taken_from_elsewhere() {
    let board = board(&[&answer("200 OK", "", IMAGE)]);
    board.control.lock().unwrap().begin_image().unwrap();
    assert!(!board.source.serve(&board.server).unwrap());
    assert!(board.web.requests().is_empty());
}
