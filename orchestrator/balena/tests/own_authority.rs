//! An API whose certificate its own authority has signed, as openBalena's is.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::disallowed_methods, reason = "the server's files are gone with the test")]

use jiff::Timestamp;
use migos_balena::{Authority, Balena, Images, ImagesError, SetupError, Timeouts, Token};
use migos_engine::port::{BalenaApi as _, BalenaError, Clock};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::{fs, process};

struct Epoch;

impl Clock for Epoch {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }
}

/// What the server answers to `GET /actor/v1/whoami`: a file is sent as it stands, header and all.
const WHOAMI: &str = "HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n\
     {\"id\":2,\"actorType\":\"user\",\"actorTypeId\":2,\"username\":\"admin\"}";

/// What it answers to a download.
const IMAGE: &str = "HTTP/1.0 200 OK\r\nContent-Type: application/gzip\r\n\r\nimage";
/// Path and query of that download, which are the name of its file.
const DOWNLOAD: &str = "download?deviceType=raspberrypi3&version=6.0.24&fileType=.gz";

fn openssl(folder: &Path, args: &str) {
    let mut command = Command::new("openssl");
    let done = command.args(args.split(' ')).current_dir(folder).stderr(Stdio::null()).status();
    assert!(done.expect("package openssl").success(), "openssl {args}");
}

/// A TLS server with a certificate of an authority that nobody knows.
struct Server {
    folder: tempfile::TempDir,
    child: Child,
    api: String,
}

impl Server {
    fn start() -> Server {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2";
        openssl(path, &format!("req -x509 {key} -subj /CN=acme -keyout ca.key -out ca.pem"));
        openssl(path, &format!("req {key} -subj /CN=api -keyout api.key -out api.csr"));
        fs::write(path.join("api.ext"), "subjectAltName=IP:127.0.0.1\n").unwrap();
        openssl(
            path,
            "x509 -req -in api.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
             -extfile api.ext -out api.pem",
        );
        fs::create_dir_all(path.join("actor/v1")).unwrap();
        fs::write(path.join("actor/v1/whoami"), WHOAMI).unwrap();
        fs::write(path.join(DOWNLOAD), IMAGE).unwrap();
        let mut child = Command::new("openssl")
            .args(["s_server", "-accept", "127.0.0.1:0", "-HTTP"])
            .args(["-cert", "api.pem", "-key", "api.key"])
            .current_dir(path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let accepts =
            lines.find_map(|line| Some(line.unwrap().strip_prefix("ACCEPT ")?.to_owned()));
        Server { api: format!("https://{}", accepts.unwrap()), folder, child }
    }

    fn ca(&self) -> String {
        fs::read_to_string(self.folder.path().join("ca.pem")).unwrap()
    }

    fn balena(&self, authority: Authority<'_>) -> Result<Balena, SetupError> {
        let token = Token::new("operator").unwrap();
        Balena::new(&self.api, authority, token, "0.1.0", Timeouts::default(), Arc::new(Epoch))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Fails only if it has ended.
        let _ = self.child.kill();
        let _: Option<process::ExitStatus> = self.child.wait().ok();
    }
}

#[tokio::test]
async fn it_is_trusted_if_its_authority_is_named_and_not_otherwise() {
    let server = Server::start();
    let ca = server.ca();
    let balena = server.balena(Authority::Own(&ca)).unwrap();
    assert_eq!(balena.whoami().await.unwrap(), "admin");

    let error = server.balena(Authority::Public).unwrap().whoami().await.unwrap_err();
    assert!(matches!(error, BalenaError::Away { .. }), "{error}");
    assert!(error.to_string().contains("its certificate is not trusted"), "{error}");

    for bad in ["", "no certificate"] {
        let error = server.balena(Authority::Own(bad)).err().unwrap();
        assert!(error.to_string().contains("there is none in the file"), "{error}");
    }
}

#[tokio::test]
async fn images_come_from_it_on_the_same_condition() {
    let server = Server::start();
    let ca = server.ca();
    let images = |authority| {
        Images::new(&server.api, authority, None, "0.1.0", Timeouts::default()).unwrap()
    };
    let trusting = images(Authority::Own(&ca));
    let mut download = trusting.download("raspberrypi3", "6.0.24").await.unwrap();
    assert_eq!(download.next().await.unwrap().as_deref(), Some(&b"image"[..]));

    let wary = images(Authority::Public);
    let error = wary.download("raspberrypi3", "6.0.24").await.err().unwrap();
    assert!(matches!(error, ImagesError::Away(_)), "{error}");
}
