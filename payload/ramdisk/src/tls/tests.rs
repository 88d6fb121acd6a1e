#![allow(clippy::unwrap_used)]
use super::*;
use crate::web::Web;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// OpenSSL's own server, with a key made for the moment.
struct OpenSsl(Child, Url);

impl OpenSsl {
    fn new(folder: &std::path::Path, version: &str) -> Self {
        #[rustfmt::skip]
        let made = Command::new("openssl").current_dir(folder).args([
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-subj", "/CN=localhost", "-keyout", "key.pem", "-out", "cert.pem",
        ]).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let mut server = Command::new("openssl")
            .current_dir(folder)
            .args(["s_server", "-accept", "127.0.0.1:0", "-key", "key.pem", "-cert", "cert.pem"])
            .arg(version)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // It says where it listens, since it was left to choose: "ACCEPT 127.0.0.1:34567".
        let said = BufReader::new(server.stdout.as_mut().unwrap()).lines().map_while(Result::ok);
        let port = said.filter_map(|line| line.strip_prefix("ACCEPT 127.0.0.1:")?.parse().ok());
        let port: u16 = port.take(1).next().unwrap();
        // By a name, so that the name goes with the greeting.
        let url = Url::parse(&format!("https://localhost:{port}/")).unwrap();
        Self(server, url)
    }
}

impl Drop for OpenSsl {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn real_servers_of_either_version_greet_back() {
    for version in ["-tls1_2", "-tls1_3"] {
        let folder = tempfile::tempdir().unwrap();
        let server = OpenSsl::new(folder.path(), version);
        let greeted = greet(&server.1, Limits::default());
        assert!(greeted.is_ok(), "{version}: {greeted:?}");
    }
}

#[test]
fn a_refusal_and_what_is_no_tls_are_told_apart() {
    let refusal = [ALERT, 3, 3, 0, 2, 2, 40].to_vec();
    let page = b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec();
    let web = Web::saying(vec![refusal, page, Vec::new()]);
    let greet = || greet(&web.url("/"), Limits::default()).unwrap_err();
    let host = web.url("/").authority();
    assert_eq!(greet().to_string(), format!("{host} refuses TLS with alert 40"));
    assert_eq!(greet().to_string(), format!("{host} answers what is no TLS"));
    assert!(matches!(greet(), TlsError::Connect(HttpError::Read { .. })));
}

#[test]
fn the_name_goes_with_the_greeting_an_address_does_not() {
    let has = |host: &str, name: &[u8]| {
        client_hello(host).windows(name.len()).any(|window| window == name)
    };
    assert!(has("api.example.com", b"\0\0\0\x14\0\x12\0\0\x0fapi.example.com"));
    assert!(!has("10.0.0.1", b"10.0.0.1"));
    let hello = client_hello("a.example");
    assert_eq!(usize::from(u16::from_be_bytes([hello[3], hello[4]])), hello.len() - 5);
}
