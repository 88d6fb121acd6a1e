#![allow(clippy::unwrap_used)]
use super::*;
use crate::control::Control;
use crate::control::tests::{CONFIGURATION, IMAGE, job};
use crate::web::Web;
use std::sync::{Arc, Mutex};

struct Board {
    web: Web,
    source: Source,
    server: Server,
    control: Arc<Mutex<Control>>,
    _folder: tempfile::TempDir,
}

/// Past the commit and without the image; a server with these answers has it, or not.
fn board(answers: &[&str]) -> Board {
    let web = Web::answering(answers);
    let mut job = job();
    job.image.url = Some(web.url("/image").to_string());
    let source = Source::of_job(&job.image, Limits::default()).unwrap().unwrap();
    let serial = job.serial.clone();
    let configuration = serde_json::from_str(CONFIGURATION).map_err(|_| String::new());
    let control = Control::resumed(job, serial, configuration, None, None);
    let control = Arc::new(Mutex::new(control));
    let folder = tempfile::tempdir().unwrap();
    let server = Server::new(Arc::clone(&control), folder.path().to_owned());
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
    let why = board.source.serve(&board.server).unwrap_err().to_string();
    assert!(why.ends_with("is not taken: the image is being sent already"), "{why}");
}
