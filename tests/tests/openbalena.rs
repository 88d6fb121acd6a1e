//! A fleet on an API whose certificate its own authority has signed, as openBalena's is: by the whole program.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::disallowed_methods, reason = "files for tests")]

use migos_lab::Pace;
use migos_tests::fleet::Bench;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;

fn openssl(folder: &Path, args: &str) {
    let mut command = Command::new("openssl");
    let done = command.args(args.split(' ')).current_dir(folder).stderr(Stdio::null()).status();
    assert!(done.expect("package openssl").success(), "openssl {args}");
}

/// Makes an authority that nobody knows, `ca.pem`, and a certificate of it for 127.0.0.1.
fn certificates(folder: &Path) {
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2";
    openssl(folder, &format!("req -x509 {key} -subj /CN=acme -keyout ca.key -out ca.pem"));
    openssl(folder, &format!("req {key} -subj /CN=api -keyout api.key -out api.csr"));
    std::fs::write(folder.join("api.ext"), "subjectAltName=IP:127.0.0.1\n").unwrap();
    let sign = "x509 -req -in api.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile api.ext -out api.pem";
    openssl(folder, sign);
}

/// Stands before an API and speaks TLS for it; gives its own port.
fn front(runtime: &Runtime, folder: &Path, api: u16) -> u16 {
    let chain = CertificateDer::pem_file_iter(folder.join("api.pem")).unwrap();
    let chain = chain.collect::<Result<Vec<_>, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_file(folder.join("api.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config =
        ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.unwrap().with_no_client_auth().with_single_cert(chain, key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0))).unwrap();
    let port = listener.local_addr().unwrap().port();
    runtime.spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let mut client = acceptor.accept(client).await?;
                let mut server = TcpStream::connect(("127.0.0.1", api)).await?;
                copy_bidirectional(&mut client, &mut server).await
            });
        }
    });
    port
}

#[test]
fn a_fleet_moves_to_an_api_with_its_own_authority() {
    let bench = Bench::start(2, "", Pace::test()).unwrap();
    let lab = bench.home.path().join("lab");
    certificates(&lab);
    let inventory = bench.home.read("lab/inventory.yaml").unwrap();
    let plain = inventory.split("http://127.0.0.1:").nth(1).unwrap();
    let digits: String = plain.chars().take_while(char::is_ascii_digit).collect();
    let runtime = Runtime::new().unwrap();
    let port = front(&runtime, &lab, digits.parse().unwrap());
    let secured = inventory
        .replace(&format!("http://127.0.0.1:{digits}"), &format!("https://127.0.0.1:{port}"));

    bench.home.write("lab/inventory.yaml", &secured).unwrap();
    let refused = bench.migrate(&[]).unwrap().end().unwrap();
    assert_eq!(refused.code, Some(4), "{}", refused.stderr);
    for words in ["its certificate is not trusted", "balena: { ca: … }"] {
        assert!(refused.stderr.contains(words), "{words}: {}", refused.stderr);
    }

    let trusting = secured.replacen("api: ", "ca: ca.pem, api: ", 1);
    assert_ne!(trusting, secured);
    bench.home.write("lab/inventory.yaml", &trusting).unwrap();
    let ended = bench.migrate(&[]).unwrap().end().unwrap();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(bench.lab().api().devices().len(), 2);
}
