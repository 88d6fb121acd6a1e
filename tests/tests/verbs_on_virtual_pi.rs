//! A virtual Pi is held to the same contract of the verbs as real servers are.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;

use anyhow::{Context, Result};
use migos_lab::{Hindrance, Lab, LabOptions, Pace, State as Life, VirtualPi};
use migos_ssh::verb::Rise;
use migos_tests::verb_cases::{State, cases, with_gnu_tar};
use migos_tests::verb_runner::{Device, Outcome, run};
use russh::ChannelMsg;
use russh::client::{self, Handle};
use russh::keys::{PrivateKeyWithHashAlg, PublicKey, PublicKeyOrCertificate, load_secret_key};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// The host key that is right.
struct Known(PublicKey);

impl client::Handler for Known {
    type Error = russh::Error;

    async fn check_server_key(
        &mut self,
        key: &PublicKeyOrCertificate,
    ) -> Result<bool, russh::Error> {
        Ok(key.public_key().key_data() == self.0.key_data())
    }
}

/// The only device of a lab, and a connection to it.
struct Bench {
    pi: Arc<VirtualPi>,
    ssh: Handle<Known>,
    _lab: Lab,
    _dir: TempDir,
}

struct OnVirtualPi {
    runtime: Runtime,
    bench: Bench,
}

impl Bench {
    /// With this seed the first device has its boot partition at `/boot`, where the cases look for
    /// it.
    async fn start() -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let options = LabOptions {
            devices: 1,
            seed: 0,
            faults: migos_lab::Faults::new(),
            networks: Default::default(),
            pace: Pace::test(),
            dir: dir.path().to_owned(),
            api_port: 0,
        };
        let lab = Lab::start(options).await?;
        let pi = Arc::clone(lab.device("kiosk-001").context("no device")?);
        pi.until(|life| life.state == Life::Raspbian).await;
        let known = Known(pi.raspbian_host_key());
        let mut ssh = client::connect(Arc::default(), pi.addr(), known).await?;
        let key = Arc::new(load_secret_key(dir.path().join("operator_key"), None)?);
        ssh.authenticate_publickey("pi", PrivateKeyWithHashAlg::new(key, None)).await?;
        Ok(Self { pi, ssh, _lab: lab, _dir: dir })
    }

    async fn execute(&self, command: &str, stdin: &[u8]) -> Result<Outcome> {
        let channel = self.ssh.channel_open_session().await?;
        channel.exec(true, command).await?;
        let (mut reader, writer) = channel.split();
        // The inputs of the cases fit into the server's window; a command that does not want them
        // is no failure.
        let _ = writer.data_bytes(stdin.to_vec()).await;
        let _ = writer.eof().await;
        let (mut code, mut stdout, mut stderr) = (None, Vec::new(), Vec::new());
        while let Some(message) = reader.wait().await {
            match message {
                ChannelMsg::Data { data } => stdout.extend_from_slice(&data),
                ChannelMsg::ExtendedData { data, .. } => stderr.extend_from_slice(&data),
                ChannelMsg::ExitStatus { exit_status } => code = Some(exit_status),
                _ => {}
            }
        }
        Ok(Outcome {
            code: i32::try_from(code.context("the connection was lost")?)?,
            stdout,
            stderr: String::from_utf8(stderr)?,
        })
    }
}

impl Device for OnVirtualPi {
    const RISE: Rise = Rise::Sudo;

    fn fresh(&mut self, state: State) -> Result<()> {
        // A Pi that reboots without its firmware stays dark.
        if !self.bench.pi.life().reboots.is_empty() {
            self.bench = self.runtime.block_on(Bench::start())?;
        }
        let pi = &self.bench.pi;
        pi.remove_file("/boot")?;
        pi.remove_file("/var/lib/migos")?;
        pi.remove_file("/run/systemd")?;
        pi.remove_file("/run/migos-run")?;
        pi.hinder(match state {
            State::Plain => None,
            State::PackagesLocked => Some(Hindrance::PackagesLocked),
            State::RebootFails => Some(Hindrance::RebootFails),
        });
        Ok(())
    }

    fn put(&mut self, path: &str, content: &[u8]) -> Result<()> {
        Ok(self.bench.pi.put_file(path, content)?)
    }

    fn get(&mut self, path: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.bench.pi.file(path))
    }

    fn execute(&mut self, command: &str, stdin: &[u8]) -> Result<Outcome> {
        self.runtime.block_on(self.bench.execute(command, stdin))
    }

    fn reboots(&mut self) -> Result<Vec<String>> {
        Ok(self.bench.pi.life().reboots)
    }

    fn known(&self, name: &str) -> String {
        let pi = &self.bench.pi;
        let text = |path| String::from_utf8(pi.file(path).unwrap()).unwrap().trim_end().to_owned();
        match name {
            "serial" => pi.serial(),
            "machine-id" => text("/etc/machine-id"),
            "boot-id" => text("/proc/sys/kernel/random/boot_id"),
            other => panic!("no placeholder {other}"),
        }
    }
}

#[test]
fn a_virtual_pi_keeps_the_contract_of_the_verbs() {
    let runtime = Runtime::new().unwrap();
    let bench = runtime.block_on(Bench::start()).unwrap();
    assert_eq!(bench.pi.release().boot_path(), "/boot");
    let mut device = OnVirtualPi { runtime, bench };
    let failures: Vec<String> = [cases(), with_gnu_tar()]
        .concat()
        .iter()
        .filter_map(|case| run(&mut device, case).err())
        .map(|error| format!("{error:#}"))
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
