//! The other side: real OpenSSH servers, each at many addresses, so that two hundred devices need thirteen.
//!
//! Each server lives in a root that looks like a Pi's, so that reading facts is as much work as on one. All that is
//! uploaded goes to memory.

use crate::account::Group;
use crate::contest::Arena;
use anyhow::{Context, Result, ensure};
use migos_engine::port::Cipher;
use migos_engine::run::write_whole;
use migos_payload::digest::{Hasher, Sha256};
use migos_tests::fleet::wait;
use migos_tests::sshd::{Sshd, keygen};
use std::fs;
use std::io::Read;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

/// OpenSSH listens at no more addresses.
const ADDRESSES: usize = 16;

/// Takes whatever comes at once. One key exchange for all, so that nobody pays for a costlier default.
const CONFIGURATION: &str = "\
MaxStartups 2000:30:4000
LogLevel INFO
KexAlgorithms curve25519-sha256,curve25519-sha256@libssh.org
Subsystem sftp /usr/lib/openssh/sftp-server
";

/// The file that is uploaded, in a folder of its own for each endpoint.
const UPLOAD: &str = "upload.bin";

/// One of the devices.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    /// Its name in inventories.
    pub(crate) name: String,
    /// Where it listens.
    pub(crate) address: Ipv4Addr,
    /// Where uploads go, as the device sees it.
    pub(crate) path: String,
    /// The same file from outside.
    outside: PathBuf,
}

/// All devices.
pub(crate) struct Endpoints {
    /// In order.
    pub(crate) all: Vec<Endpoint>,
    /// The port that all listen on.
    pub(crate) port: u16,
    /// The private key that root logs in with.
    pub(crate) key: PathBuf,
    /// The host keys of all.
    pub(crate) known_hosts: PathBuf,
    /// The only cipher that all have.
    pub(crate) cipher: Cipher,
    at_rest: usize,
    /// They end before their group does.
    servers: Vec<Sshd>,
    group: Group,
    _folder: TempDir,
}

impl Endpoints {
    /// Starts so many.
    ///
    /// # Errors
    /// If a server does not start.
    pub(crate) fn start(count: usize, cipher: Cipher) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let key = folder.path().join("id");
        keygen(&key, "ed25519")?;
        let public = fs::read_to_string(key.with_extension("pub"))?;
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let group = Group::new("servers");
        let (mut all, mut servers, mut hosts) = (Vec::new(), Vec::new(), String::new());
        let numbers: Vec<usize> = (1..=count).collect();
        for chunk in numbers.chunks(ADDRESSES) {
            let addresses: Vec<Ipv4Addr> = chunk.iter().map(|number| address(*number)).collect();
            let (first, others) = addresses.split_first().context("a chunk is not empty")?;
            let lines: String =
                others.iter().map(|one| format!("ListenAddress {one}:{port}\n")).collect();
            let cipher = crate::send::name(cipher);
            let lines = format!("{CONFIGURATION}Ciphers {cipher}\n{lines}");
            let server = Sshd::start_at(*first, port, &lines)?;
            server.authorize(public.trim_end())?;
            group.adopt(server.process())?;
            let host_key = server.host_key("ed25519")?;
            for (number, address) in chunk.iter().zip(&addresses) {
                let path = format!("/srv/{number:03}/{UPLOAD}");
                let outside = server.path(&path);
                fs::create_dir_all(outside.parent().context("it stands in a folder")?)?;
                hosts += &format!("[{address}]:{port} {}\n", host_key.trim_end());
                let name = format!("device-{number:03}");
                all.push(Endpoint { name, address: *address, path, outside });
            }
            servers.push(server);
        }
        let known_hosts = folder.path().join("known_hosts");
        write_whole(&known_hosts, hosts.as_bytes(), 0o644)?;
        let at_rest = group.processes(None).len();
        Ok(Endpoints {
            all,
            port,
            key,
            known_hosts,
            cipher,
            group,
            at_rest,
            servers,
            _folder: folder,
        })
    }

    /// The first one, as it is reached through a port of this computer, and the file of known hosts for that.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub(crate) fn first_behind(&self, port: u16, folder: &Path) -> Result<(Endpoint, PathBuf)> {
        let (first, server) = self.all.first().zip(self.servers.first()).context("none at all")?;
        let first = Endpoint { address: Ipv4Addr::LOCALHOST, ..first.clone() };
        let line =
            format!("[{}]:{port} {}\n", first.address, server.host_key("ed25519")?.trim_end());
        let known_hosts = folder.join("known_hosts");
        write_whole(&known_hosts, line.as_bytes(), 0o644)?;
        Ok((first, known_hosts))
    }

    /// How many servers stand behind the addresses.
    pub(crate) fn servers(&self) -> usize {
        self.servers.len()
    }

    /// Removes all that was uploaded.
    ///
    /// # Errors
    /// If a file cannot be removed.
    pub(crate) fn clear(&self) -> Result<()> {
        for endpoint in &self.all {
            let folder = endpoint.outside.parent().context("it stands in a folder")?;
            for entry in fs::read_dir(folder)? {
                fs::remove_file(entry?.path())?;
            }
        }
        Ok(())
    }

    /// The processor time of the servers, once all sessions have ended.
    ///
    /// # Errors
    /// If a session does not end.
    pub(crate) fn rested(&self) -> Result<Duration> {
        wait(|| Ok(self.group.processes(None).len() <= self.at_rest))
            .context("a session does not end")?;
        Ok(self.group.cpu()?.total)
    }

    /// True if all of these endpoints have exactly this content.
    ///
    /// # Errors
    /// If one has not.
    pub(crate) fn have(&self, endpoints: &[Endpoint], sha256: Sha256) -> Result<()> {
        for endpoint in endpoints {
            let found = digest(&endpoint.outside).with_context(|| endpoint.name.clone())?;
            ensure!(found == sha256, "{} has something else", endpoint.name);
        }
        Ok(())
    }
}

/// What two hundred of them are like: 127.0.9.1 and on.
fn address(number: usize) -> Ipv4Addr {
    let [.., high, low] = number.to_be_bytes();
    Ipv4Addr::new(127, 0, 9 + high, low)
}

fn digest(path: &Path) -> Result<Sha256> {
    let mut file = fs::File::open(path)?;
    let (mut hasher, mut piece) = (Hasher::default(), vec![0; 1 << 20]);
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(hasher.finish()),
            size => hasher.update(&piece[..size]),
        }
    }
}

/// Nothing is uploaded; whoever ends well has done the work.
pub(crate) struct Logins<'a> {
    /// The devices.
    pub(crate) endpoints: &'a Endpoints,
    /// What everybody must have said, once for each device.
    pub(crate) said: &'a dyn Fn(&str) -> Result<()>,
}

impl Arena for Logins<'_> {
    fn prepare(&self) -> Result<()> {
        Ok(())
    }

    fn servers(&self) -> Result<Duration> {
        self.endpoints.rested()
    }

    fn check(&self, said: &str) -> Result<()> {
        (self.said)(said)
    }
}

/// A file goes to each of some devices.
pub(crate) struct Uploads<'a> {
    /// All devices.
    pub(crate) endpoints: &'a Endpoints,
    /// Those that it goes to.
    pub(crate) to: &'a [Endpoint],
    /// What it is.
    pub sha256: Sha256,
    /// True if what is there already stays.
    pub(crate) again: bool,
}

impl Arena for Uploads<'_> {
    fn prepare(&self) -> Result<()> {
        if self.again { Ok(()) } else { self.endpoints.clear() }
    }

    fn servers(&self) -> Result<Duration> {
        self.endpoints.rested()
    }

    fn check(&self, _said: &str) -> Result<()> {
        self.endpoints.have(self.to, self.sha256)
    }
}
