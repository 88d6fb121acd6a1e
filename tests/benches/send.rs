//! Our contestant where only a file is sent: the program has no command that does no more than that.
//!
//! This is the transport that `migrate` sends payloads and images with, verifying at the end as it always does.

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use migos_engine::bandwidth::Meter;
use migos_engine::port::{
    Cipher, Content, HostKey, LoginKey, Root, Session, Source, Target, Transport,
};
use migos_payload::digest::Sha256;
use migos_ssh::{Ssh, Timeouts};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// What is held in memory, as a payload is; larger files are read for each device, as an image is.
const IN_MEMORY: u64 = 16 << 20;

/// The word that makes this program a sender.
pub(crate) const WORD: &str = "send";

/// A cipher as OpenSSH calls it.
pub(crate) fn name(cipher: Cipher) -> &'static str {
    match cipher {
        Cipher::Aes => "aes128-gcm@openssh.com",
        Cipher::ChaCha20 => "chacha20-poly1305@openssh.com",
    }
}

/// One line of the list of receivers.
fn target(line: &str, cipher: Cipher, key: &Path, known_hosts: &Path) -> Result<(Target, String)> {
    let words: Vec<&str> = line.split(' ').collect();
    let [name, address, port, user, path] = words[..] else { bail!("not a receiver: {line}") };
    let target = Target {
        device: name.parse()?,
        host: address.to_owned(),
        port: port.parse()?,
        user: user.to_owned(),
        key: LoginKey::file(key.to_owned()),
        host_key: HostKey::Known { operator: Some(known_hosts.to_owned()), accept_new: false },
        root: Root::Passwordless,
        via: None,
        proxy_command: None,
        old_algorithms: false,
        cipher,
        meter: Meter::default(),
    };
    Ok((target, path.to_owned()))
}

/// `send CIPHER KEY KNOWN_HOSTS PARALLEL FILE LIST`: sends a file, and says how many bytes crossed the network.
///
/// # Errors
/// If it does not reach everybody.
pub(crate) fn run(args: &[String]) -> Result<()> {
    let [cipher, key, known_hosts, parallel, file, list] = args else {
        bail!("usage: send CIPHER KEY KNOWN_HOSTS PARALLEL FILE LIST");
    };
    let (key, known_hosts) = (PathBuf::from(key), PathBuf::from(known_hosts));
    let known = [Cipher::Aes, Cipher::ChaCha20].into_iter().find(|one| cipher == name(*one));
    let cipher = known.with_context(|| format!("not a cipher: {cipher}"))?;
    let list = std::fs::read_to_string(list)?;
    let targets: Result<Vec<_>> =
        list.lines().map(|line| target(line, cipher, &key, &known_hosts)).collect();
    let bytes =
        migos_ssh::runtime()?.block_on(send(targets?, Path::new(file), parallel.parse()?))?;
    crate::page::say(&format!("{bytes} bytes"));
    Ok(())
}

async fn send(targets: Vec<(Target, String)>, file: &Path, parallel: usize) -> Result<u64> {
    let content = content(file)?;
    let folder = tempfile::tempdir()?;
    let ssh = Arc::new(Ssh::new(folder.path().join("known_hosts"), Timeouts::default(), None));
    let turns = Arc::new(Semaphore::new(parallel));
    let (mut tasks, mut bytes) = (JoinSet::new(), 0);
    for (target, path) in targets {
        let (ssh, turns, content) = (ssh.clone(), turns.clone(), content.clone());
        tasks.spawn(async move {
            let _turn = turns.acquire().await?;
            let session = ssh.connect(&target).await?;
            let sent = session.send(&content, &path, &|_| ()).await?;
            session.close().await;
            anyhow::Ok(sent.bytes)
        });
    }
    while let Some(sent) = tasks.join_next().await {
        bytes += sent??;
    }
    Ok(bytes)
}

fn content(path: &Path) -> Result<Content> {
    let size = std::fs::metadata(path)?.len();
    let sha256 = digest_beside(path)?;
    let source = match size <= IN_MEMORY {
        true => Source::Memory(Bytes::from(std::fs::read(path)?)),
        false => Source::File(Arc::new(path.to_owned())),
    };
    Ok(Content { source, size, sha256 })
}

/// What a manifest tells the program of a payload or an image: nobody hashes it again before it is sent.
fn digest_beside(path: &Path) -> Result<Sha256> {
    let beside = path.with_extension("sha256");
    let text = std::fs::read_to_string(&beside).with_context(|| beside.display().to_string())?;
    ensure!(!text.is_empty(), "{} is empty", beside.display());
    Ok(text.trim_end().parse()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_is_read_from_its_line() {
        let (target, path) = target(
            "device-001 127.0.9.1 2222 root /srv/001/x",
            Cipher::Aes,
            Path::new("k"),
            Path::new("h"),
        )
        .unwrap();
        assert_eq!((target.port, &*target.user, &*path), (2222, "root", "/srv/001/x"));
        assert!(
            super::target("device-001 127.0.9.1", Cipher::Aes, Path::new("k"), Path::new("h"))
                .is_err()
        );
    }
}
