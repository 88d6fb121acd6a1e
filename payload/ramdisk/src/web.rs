//! A web server for tests: it gives answers in turn, whatever it is asked.

#![allow(clippy::unwrap_used)]

use crate::http::Url;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

pub(crate) struct Web {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
    thread: Option<JoinHandle<()>>,
}

impl Web {
    /// After the last answer nobody is there any more.
    pub(crate) fn answering(answers: &[&str]) -> Self {
        let answers: Vec<Vec<u8>> = answers.iter().map(|it| it.as_bytes().to_vec()).collect();
        Self::saying(answers)
    }

    pub(crate) fn saying(answers: Vec<Vec<u8>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&requests);
        let thread = thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let asked = hear(&mut stream);
                heard.lock().unwrap().push(String::from_utf8_lossy(&asked).into_owned());
                // Who has heard enough hangs up.
                let _ = stream.write_all(&answer);
            }
        });
        Self { address, requests, thread: Some(thread) }
    }

    pub(crate) fn url(&self, path: &str) -> Url {
        Url::parse(&format!("http://{}{path}", self.address)).unwrap()
    }

    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

/// A request of HTTP to its end, or a greeting of TLS.
fn hear(stream: &mut TcpStream) -> Vec<u8> {
    let mut asked = vec![0; 5];
    if stream.read_exact(&mut asked).is_err() {
        return Vec::new();
    }
    if asked[0] == 22 {
        let mut rest = vec![0; usize::from(u16::from_be_bytes([asked[3], asked[4]]))];
        stream.read_exact(&mut rest).unwrap();
        return [asked, rest].concat();
    }
    let mut byte = [0];
    while !asked.ends_with(b"\r\n\r\n") && stream.read_exact(&mut byte).is_ok() {
        asked.push(byte[0]);
    }
    asked
}

impl Drop for Web {
    fn drop(&mut self) {
        // Answers that nobody has asked for are taken by nobody: each wants one connection.
        while !self.thread.as_ref().is_none_or(JoinHandle::is_finished) {
            let _ = TcpStream::connect(self.address);
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
