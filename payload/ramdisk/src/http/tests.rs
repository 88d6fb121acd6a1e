#![allow(clippy::unwrap_used)]
use super::*;
use crate::web::Web;

fn limits() -> Limits {
    Limits { connect: Duration::from_secs(10), silence: Duration::from_secs(10) }
}

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

#[test]
fn urls_are_read_in_their_parts() {
    let read = |text: &str| {
        let Url { is_encrypted, host, port, path } = url(text);
        (is_encrypted, host, port, path)
    };
    assert_eq!(read("http://a.example"), (false, "a.example".into(), 80, "/".into()));
    assert_eq!(read("HTTPS://10.0.0.1:8443/x?y#z"), (true, "10.0.0.1".into(), 8443, "/x?y".into()));
    assert_eq!(read("http://[fd00::1]:81?q"), (false, "fd00::1".into(), 81, "/?q".into()));
    assert_eq!(url("http://[fd00::1]/x").to_string(), "http://[fd00::1]:80/x");
    for text in [
        "",
        "a.example",
        "ftp://a.example/",
        "http://",
        "http:///x",
        "http://u:p@a.example/",
        "http://a.example:http/",
        "http://a.example/\r\nX-Evil: 1",
        "http://a b/",
    ] {
        assert!(matches!(Url::parse(text), Err(HttpError::Url(_))), "{text}");
    }
}

#[test]
fn an_answer_has_status_headers_and_body() {
    let web = Web::answering(&[
        "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nCONTENT-LENGTH:  6\r\n\r\nbalena",
    ]);
    let answer = get(&web.url("/image"), None, limits()).unwrap();
    assert_eq!((answer.status, answer.length()), (200, Some(6)));
    assert_eq!(answer.date(), Some(784_111_777));
    let mut body = String::new();
    answer.body().read_to_string(&mut body).unwrap();
    assert_eq!(body, "balena");
    let asked = &web.requests()[0];
    assert!(asked.starts_with("GET /image HTTP/1.1\r\nHost: 127.0.0.1:"), "{asked}");
    assert!(!asked.contains("Range"), "{asked}");
}

#[test]
fn a_part_is_asked_for_by_its_bytes() {
    let part = "HTTP/1.1 206 Partial\r\nContent-Range: bytes 100-149/2000\r\n\r\n";
    let web = Web::answering(&[part, &part.replace("2000", "*")]);
    let wanted = Some(Part { offset: 100, length: 50 });
    let parts = [(); 2].map(|()| get(&web.url("/"), wanted, limits()).unwrap().part());
    assert_eq!(parts, [Some((100, Some(2000))), Some((100, None))]);
    assert!(web.requests()[0].contains("\r\nRange: bytes=100-149\r\n"), "{:?}", web.requests());
}

#[test]
fn what_comes_in_pieces_has_no_length() {
    let web = Web::answering(&[
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n1\r\na\r\n0\r\n\r\n",
    ]);
    assert_eq!(get(&web.url("/"), None, limits()).unwrap().length(), None);
}

#[test]
fn sent_elsewhere_it_goes_there_once() {
    let web = Web::answering(&[
        "HTTP/1.1 302 Found\r\nLocation: /there\r\n\r\n",
        "HTTP/1.1 204 No Content\r\n\r\n",
    ]);
    assert_eq!(get_moved(&web.url("/"), None, limits()).unwrap().status, 204);
    assert!(web.requests()[1].starts_with("GET /there "), "{:?}", web.requests());
    let moved = "HTTP/1.1 301 Moved\r\nLocation: /round\r\n\r\n";
    let web = Web::answering(&[moved, moved]);
    let round = get_moved(&web.url("/"), None, limits());
    assert!(matches!(round, Err(HttpError::Redirects(_))));
    let web = Web::answering(&["HTTP/1.1 301 Moved\r\nLocation: https://a.example/\r\n\r\n"]);
    let encrypted = get_moved(&web.url("/"), None, limits()).err().unwrap().to_string();
    assert_eq!(
        encrypted,
        "https://a.example:443/ wants encryption, with which MIGOS fetches nothing"
    );
}

#[test]
fn what_is_no_http_is_refused() {
    let long = format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(100_000));
    for answer in
        ["", "SSH-2.0-OpenSSH\r\n", "HTTP/1.1 200 OK\r\nX: 1", "HTTP/1.1 abc\r\n\r\n", &long]
    {
        let web = Web::answering(&[answer]);
        let error = get(&web.url("/"), None, limits()).err().unwrap();
        assert!(matches!(error, HttpError::NotHttp(_) | HttpError::Read { .. }), "{error}");
    }
}

#[test]
fn nobody_there_and_silence_have_an_end() {
    let web = Web::answering(&[]);
    let nobody = web.url("/");
    drop(web);
    assert!(matches!(get(&nobody, None, limits()), Err(HttpError::Connect { .. })));
    // Taken by the kernel, and by nobody else.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent_url = url(&format!("http://{}/", silent.local_addr().unwrap()));
    let short = Limits { silence: Duration::from_millis(50), ..limits() };
    assert!(matches!(get(&silent_url, None, short), Err(HttpError::Read { .. })));
}
