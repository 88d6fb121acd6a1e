//! An operator without a controller: a lab, an SSH client, and MIGOS put onto devices by hand.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

const IMAGE: &str = "/var/lib/migos/image";

use migos_contract::{
    Command, Compression, Configuration, DeadMan, Handover, Image, JOB_SCHEMA, Job, Network,
    Restore, Status, Strategy, job_path,
};
use migos_lab::balena_api::DeviceRecord;
use migos_lab::{Faults, Lab, LabOptions, Life, NetworkKind, Pace, State, VirtualPi};
use migos_payload::archive::VerifiedPayload;
use migos_payload::digest::Sha256;
use migos_payload::image::ImageManifest;
use russh::client::{self, Handle};
use russh::keys::ssh_key::private::Ed25519Keypair;
use russh::keys::{
    PrivateKey, PrivateKeyWithHashAlg, PublicKey, PublicKeyOrCertificate, load_secret_key,
};
use russh::{Channel, ChannelMsg};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// No test waits longer for anything.
const PATIENCE: Duration = Duration::from_secs(30);

/// A lab in a folder of its own, and the operator's key to it.
pub(crate) struct Operator {
    pub(crate) lab: Lab,
    pub(crate) key: Arc<PrivateKey>,
    pub(crate) dir: tempfile::TempDir,
}

/// What a command left behind.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Output {
    pub(crate) code: Option<u32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A logged-in connection.
pub(crate) struct Connection(Handle<KnownKey>);

pub(crate) struct KnownKey(PublicKey);

impl client::Handler for KnownKey {
    type Error = russh::Error;

    async fn check_server_key(
        &mut self,
        key: &PublicKeyOrCertificate,
    ) -> Result<bool, russh::Error> {
        Ok(key.public_key().key_data() == self.0.key_data())
    }
}

impl Operator {
    pub(crate) async fn with(devices: usize, faults: &str) -> Self {
        Self::with_pace(devices, faults, Pace::test()).await
    }

    pub(crate) async fn with_pace(devices: usize, faults: &str, pace: Pace) -> Self {
        Self::start(devices, faults, BTreeMap::new(), pace).await
    }

    /// A lab where these devices have networks of these kinds.
    pub(crate) async fn with_networks(
        devices: usize,
        networks: impl IntoIterator<Item = (&str, NetworkKind)>,
        faults: &str,
    ) -> Self {
        let named = networks.into_iter().map(|(name, kind)| (name.to_owned(), kind)).collect();
        Self::start(devices, faults, named, Pace::test()).await
    }

    async fn start(
        devices: usize,
        faults: &str,
        networks: BTreeMap<String, NetworkKind>,
        pace: Pace,
    ) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let faults: Faults = migos_lab::parse_faults(faults).unwrap();
        let at = dir.path().to_owned();
        let options = LabOptions { devices, seed: 1, faults, networks, pace, dir: at, api_port: 0 };
        let lab = Lab::start(options).await.unwrap();
        let key = Arc::new(load_secret_key(dir.path().join("operator_key"), None).unwrap());
        Self { lab, key, dir }
    }

    /// The first device, in Raspbian.
    pub(crate) async fn first(&self) -> &Arc<VirtualPi> {
        let pi = self.lab.device("kiosk-001").unwrap();
        until(pi, |life| life.state == State::Raspbian).await;
        pi
    }

    /// Registers a device as a controller would, and makes its `config.json`.
    pub(crate) async fn configuration(&self, uuid: &str, pi: &VirtualPi) -> Configuration {
        let device_type = pi.model().device_types()[0];
        let key = uuid.replace('0', "a");
        let body =
            json!({ "application": 1, "device_type": device_type, "uuid": uuid, "api_key": key });
        let id = self.register(&body.to_string()).await;
        let config = json!({
            "uuid": uuid,
            "deviceApiKey": key,
            "deviceId": id,
            "registered_at": 1_795_000_000_u64,
            "applicationId": 1,
            "deviceType": device_type,
            "apiEndpoint": self.lab.api().url(),
        });
        Configuration { files: BTreeMap::from([("config.json".to_owned(), config.to_string())]) }
    }

    async fn register(&self, body: &str) -> u64 {
        let token = std::fs::read_to_string(self.dir.path().join("token")).unwrap();
        let request = format!(
            "POST /device/register HTTP/1.1\r\nHost: lab\r\nAuthorization: Bearer {}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            token.trim(),
            body.len()
        );
        let mut stream = TcpStream::connect(self.lab.api().addr()).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (_, json) = answer.split_once("\r\n\r\n").unwrap();
        serde_json::from_str::<serde_json::Value>(json).unwrap()["id"].as_u64().unwrap()
    }

    /// What balena knows of a device.
    pub(crate) fn record(&self, uuid: &str) -> DeviceRecord {
        self.lab.api().devices().into_iter().find(|device| device.uuid == uuid).unwrap()
    }

    pub(crate) async fn login(&self, pi: &VirtualPi) -> Connection {
        connect(pi, "pi", &self.key, pi.raspbian_host_key()).await.unwrap()
    }
}

/// Waits until a device's life is as asked for.
pub(crate) async fn until(pi: &VirtualPi, condition: impl FnMut(&Life) -> bool) -> Life {
    match tokio::time::timeout(PATIENCE, pi.until(condition)).await {
        Ok(life) => life,
        Err(_) => panic!("{} never got there: {:?}", pi.name(), pi.life()),
    }
}

/// Connects, checks the host key, logs in.
pub(crate) async fn connect(
    pi: &VirtualPi,
    user: &str,
    key: &Arc<PrivateKey>,
    host_key: PublicKey,
) -> Result<Connection, russh::Error> {
    let config = Arc::new(client::Config { nodelay: true, ..client::Config::default() });
    let mut handle = client::connect(config, pi.addr(), KnownKey(host_key)).await?;
    let key = PrivateKeyWithHashAlg::new(Arc::clone(key), None);
    match handle.authenticate_publickey(user, key).await? {
        client::AuthResult::Success => Ok(Connection(handle)),
        client::AuthResult::Failure { .. } => Err(russh::Error::NotAuthenticated),
    }
}

/// A key that nobody knows.
pub(crate) fn stranger() -> Arc<PrivateKey> {
    Arc::new(PrivateKey::from(Ed25519Keypair::from_seed(&[9; 32])))
}

/// Quotes a word as every POSIX shell understands it.
pub(crate) fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

impl Connection {
    /// Runs a command line with this input.
    pub(crate) async fn run(&self, line: &str, input: &[u8]) -> Output {
        let channel = self.0.channel_open_session().await.unwrap();
        channel.exec(true, line).await.unwrap();
        Self::output(channel, input).await
    }

    /// Asks for a shell, as `ssh` without a command does.
    pub(crate) async fn shell(&self) -> Output {
        let channel = self.0.channel_open_session().await.unwrap();
        channel.request_shell(true).await.unwrap();
        Self::output(channel, b"").await
    }

    async fn output(channel: Channel<client::Msg>, input: &[u8]) -> Output {
        let (mut reader, writer) = channel.split();
        let feed = async {
            // A command that ends early, or a Pi that is reset, wants no more of it.
            let _ = writer.data_bytes(input.to_vec()).await;
            let _ = writer.eof().await;
            std::future::pending::<()>().await;
        };
        let mut output = Output { code: None, stdout: String::new(), stderr: String::new() };
        let read = async {
            while let Some(message) = reader.wait().await {
                match message {
                    ChannelMsg::Data { data } => output.stdout += &String::from_utf8_lossy(&data),
                    ChannelMsg::ExtendedData { data, .. } => {
                        output.stderr += &String::from_utf8_lossy(&data);
                    }
                    ChannelMsg::ExitStatus { exit_status } => output.code = Some(exit_status),
                    _ => {}
                }
            }
        };
        tokio::select! {
            () = feed => {}
            () = read => {}
        }
        output
    }

    /// Runs a verb as root.
    pub(crate) async fn verb(&self, verb: &str, arguments: &[&str], input: &[u8]) -> Output {
        let script = "set -eu; echo \"it's for real shells\" >&2; exit 1";
        let arguments: String = arguments.iter().map(|word| format!(" {}", quote(word))).collect();
        let line = format!(
            "sudo -n sh -c {} {}{arguments}",
            quote(script),
            quote(&format!("migos-{verb}/1"))
        );
        self.run(&line, input).await
    }

    /// Runs a verb that must succeed.
    pub(crate) async fn must(&self, verb: &str, arguments: &[&str], input: &[u8]) -> String {
        let output = self.verb(verb, arguments, input).await;
        assert_eq!(output.code, Some(0), "{verb} {arguments:?}: {output:?}");
        output.stdout
    }

    /// Puts a large file there, all of it.
    pub(crate) async fn upload(&self, path: &str, content: &[u8]) {
        let (size, sha256) = (content.len().to_string(), Sha256::of(content).to_string());
        let input = [b"0\n", content].concat();
        self.must("receive", &[path, &size, &sha256], &input).await;
    }

    /// Waits until the connection is lost.
    pub(crate) async fn closed(self) {
        let lost = tokio::time::timeout(PATIENCE, self.0).await.expect("the connection stays up");
        assert!(lost.is_err(), "a reset is no farewell");
    }

    /// Asks MIGOS; the status, or the words of its refusal.
    pub(crate) async fn migos(
        &self,
        command: &Command,
        input: Option<&Configuration>,
    ) -> Result<Status, String> {
        let input = input.map(|files| serde_json::to_vec(files).unwrap()).unwrap_or_default();
        let output = self.run(&command.words().join(" "), &input).await;
        match output.code {
            Some(0) => Ok(serde_json::from_str(&output.stdout).unwrap()),
            Some(1) => Err(output.stderr.trim_end().to_owned()),
            _ => panic!("{command:?}: {output:?}"),
        }
    }
}

/// MIGOS on one device, put there by hand.
pub(crate) struct Trial {
    pub(crate) nonce: String,
    pub(crate) host_key: PrivateKey,
    pub(crate) run_key: Arc<PrivateKey>,
    pub(crate) job: Job,
    /// The radio's networks and passwords.
    pub(crate) wifi: Option<String>,
    pub(crate) prefix: String,
}

impl Trial {
    /// A job for this device that is right in all its parts.
    pub(crate) async fn new(operator: &Operator, pi: &VirtualPi) -> Self {
        let device_type = pi.model().device_types()[0];
        let manifest = operator.dir.path().join(format!("images/{device_type}.img.manifest.json"));
        let image: ImageManifest =
            serde_json::from_slice(&std::fs::read(manifest).unwrap()).unwrap();
        let nonce = "00112233445566778899aabbccddeeff".to_owned();
        let job = Job {
            schema: JOB_SCHEMA,
            nonce: nonce.clone(),
            strategy: Strategy::OneShot,
            handover: Handover::Attended,
            serial: pi.serial(),
            disk_id: disk_id(operator, pi).await,
            image: Image {
                path: Some(IMAGE.to_owned()),
                url: None,
                into_memory: false,
                size: image.size.0,
                sha256: image.sha256.to_string(),
                compression: Compression::None,
                raw_size: image.raw_size.0,
                raw_sha256: image.raw_sha256.to_string(),
                chunks_sha256: None,
            },
            dead_man: DeadMan { contact_seconds: 20, commit_seconds: 25 },
            no_lifeboat: false,
            host_name: pi.name().to_owned(),
            network: Network::default(),
            restore: None,
        };
        Self {
            nonce,
            host_key: PrivateKey::from(Ed25519Keypair::from_seed(&[3; 32])),
            run_key: Arc::new(PrivateKey::from(Ed25519Keypair::from_seed(&[4; 32]))),
            job,
            wifi: None,
            prefix: format!("{}/migos", pi.release().boot_path()),
        }
    }

    /// Puts the payload, the job and the image onto the card.
    pub(crate) async fn stage(&self, operator: &Operator, pi: &VirtualPi, pi_ssh: &Connection) {
        let boot = pi.release().boot_path();
        let payload = payload(operator, pi);
        for file in &payload.manifest().files {
            let content = payload.content(&file.path).unwrap();
            pi_ssh.upload(&format!("{}/{}", self.prefix, file.path), content).await;
        }
        let image = self.image(operator, pi);
        pi_ssh.upload(IMAGE, &image).await;

        let switch = switch(operator, pi);
        // Under `rewrite` it is the last, and takes the place of the original.
        let selects = match self.job.strategy {
            Strategy::OneShot => format!("{boot}/tryboot.txt"),
            Strategy::Rewrite => format!("{boot}/config.txt"),
        };
        let cmdline = "console=tty1 panic=10 oops=panic rootfstype=ramfs rdinit=/init\n";
        let authorized = self.run_key.public_key().to_openssh().unwrap();
        let job = serde_json::to_vec(&self.job).unwrap();
        for (path, bytes) in [
            (format!("{}/cmdline.txt", self.prefix), cmdline.as_bytes()),
            (format!("{}/job/job.json", self.prefix), &job),
            (format!("{}/job/ssh/host_key", self.prefix), &dropbear([3; 32])),
            (format!("{}/job/ssh/authorized_keys", self.prefix), authorized.as_bytes()),
            (selects, switch.as_bytes()),
        ] {
            pi_ssh.must("write", &[&path, "600", &bytes.len().to_string()], bytes).await;
        }
        if let Some(wifi) = &self.wifi {
            let path = format!("{}/job/{}", self.prefix, job_path::WIFI);
            pi_ssh.must("write", &[&path, "600", &wifi.len().to_string()], wifi.as_bytes()).await;
        }
    }

    pub(crate) fn image(&self, operator: &Operator, pi: &VirtualPi) -> Vec<u8> {
        let device_type = pi.model().device_types()[0];
        let image =
            std::fs::read(operator.dir.path().join(format!("images/{device_type}.img"))).unwrap();
        assert_eq!(Sha256::of(&image).to_string(), self.job.image.sha256);
        image
    }

    /// Connects to MIGOS: the job's host key, the run's key, root.
    pub(crate) async fn connect(&self, pi: &VirtualPi) -> Result<Connection, russh::Error> {
        connect(pi, "root", &self.run_key, self.host_key.public_key().clone()).await
    }

    /// The same job for a device whose `config.txt` is replaced.
    pub(crate) async fn rewriting(operator: &Operator, pi: &VirtualPi) -> Self {
        let mut trial = Self::new(operator, pi).await;
        let config = pi.file(&format!("{}/config.txt", pi.release().boot_path())).unwrap();
        trial.job.strategy = Strategy::Rewrite;
        trial.job.restore = Some(Restore {
            config: job_path::ORIGINAL_CONFIG.to_owned(),
            sha256: Sha256::of(&config).to_string(),
        });
        let path = format!("{}/job/{}", trial.prefix, job_path::ORIGINAL_CONFIG);
        let ssh = operator.login(pi).await;
        ssh.must("write", &[&path, "600", &config.len().to_string()], &config).await;
        trial
    }

    /// Stages, arms (or reboots, where nothing has to be armed), and waits for MIGOS.
    pub(crate) async fn start_migos(&self, operator: &Operator, pi: &VirtualPi) -> Connection {
        let raspbian = operator.login(pi).await;
        self.stage(operator, pi, &raspbian).await;
        match self.job.strategy {
            Strategy::OneShot => raspbian.must("arm", &[], b"").await,
            Strategy::Rewrite => raspbian.must("reboot", &["orderly"], b"").await,
        };
        until(pi, |life| life.state == State::Migos).await;
        self.connect(pi).await.unwrap()
    }

    /// What MIGOS answers to the image, sent again after a power cut past the commit.
    pub(crate) async fn send_again(&self, operator: &Operator, pi: &VirtualPi) -> Output {
        until(pi, |life| life.state == State::Migos).await;
        let migos = self.connect(pi).await.unwrap();
        migos.run(&Command::Stream.words().join(" "), &self.image(operator, pi)).await
    }

    pub(crate) fn commit(&self) -> Command {
        Command::Commit { nonce: self.nonce.clone() }
    }
}

/// The text that selects MIGOS. The watchdog's line is for firmware that knows it.
fn switch(operator: &Operator, pi: &VirtualPi) -> String {
    let wide = payload(operator, pi).content("kernel8.img").is_some();
    format!(
        "[all]\nos_prefix=migos/\nauto_initramfs=0\ninitramfs initrd.migos followkernel\n\
         arm_64bit={}\nkernel_watchdog_timeout=120\n[all]\n",
        u8::from(wide)
    )
}

fn payload(operator: &Operator, pi: &VirtualPi) -> VerifiedPayload {
    ["armhf", "arm64"]
        .map(|architecture| {
            operator.dir.path().join(format!("payloads/migos-1.0.0-{architecture}.tar.gz"))
        })
        .map(|path| VerifiedPayload::read(&std::fs::read(path).unwrap()).unwrap())
        .into_iter()
        .find(|payload| payload.manifest().fits(pi.model().revision))
        .unwrap()
}

/// The disk identifier, as `cmdline.txt` names it.
async fn disk_id(operator: &Operator, pi: &VirtualPi) -> String {
    let path = format!("{}/cmdline.txt", pi.release().boot_path());
    let cmdline = operator.login(pi).await.must("read", &[&path, "4096"], b"").await;
    let (_, rest) = cmdline.split_once("root=PARTUUID=").unwrap();
    rest.split_once('-').unwrap().0.to_owned()
}

fn dropbear(seed: [u8; 32]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for string in [&b"ssh-ed25519"[..], &Ed25519Keypair::from_seed(&seed).to_bytes()] {
        bytes.extend_from_slice(&(string.len() as u32).to_be_bytes());
        bytes.extend_from_slice(string);
    }
    bytes
}
