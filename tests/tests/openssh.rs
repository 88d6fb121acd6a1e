//! The transport against a real OpenSSH server, and the scripts of the verbs under dash and busybox.
//!
//! Needs root and the packages openssh-server, openssh-client, sudo, busybox-static, dash and iproute2; see
//! [`migos_tests::sshd`].
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::disallowed_methods, reason = "files for tests")]

#[path = "openssh/bastion.rs"]
mod bastion;
#[path = "openssh/condition.rs"]
mod condition;
#[path = "openssh/contract.rs"]
mod contract;
#[path = "openssh/folders.rs"]
mod folders;
#[path = "openssh/host_keys.rs"]
mod host_keys;
#[path = "openssh/login.rs"]
mod login;
#[path = "openssh/machine.rs"]
mod machine;
#[path = "openssh/migos.rs"]
mod migos;
#[path = "openssh/network.rs"]
mod network;
#[path = "openssh/probe.rs"]
mod probe;
#[path = "openssh/read_only.rs"]
mod read_only;
#[path = "openssh/refusal.rs"]
mod refusal;
#[path = "openssh/trouble.rs"]
mod trouble;
#[path = "openssh/update.rs"]
mod update;
#[path = "openssh/upload.rs"]
mod upload;
#[path = "openssh/verbs.rs"]
mod verbs;
#[path = "openssh/ways.rs"]
mod ways;

use migos_engine::bandwidth::Meter;
use migos_engine::port::{Cipher, HostKey, LoginKey, Root, Target, Transport};
use migos_ssh::{Session, Ssh, Timeouts};
use migos_tests::sshd::Sshd;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;

/// A transport with a known-hosts file of its own, and what it told.
struct Client {
    ssh: Ssh,
    folder: TempDir,
    told: Arc<Mutex<Vec<String>>>,
}

impl Client {
    fn new() -> Self {
        Self::with(Timeouts { answer: Duration::from_secs(30), ..Timeouts::default() })
    }

    fn with(timeouts: Timeouts) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let told = Arc::new(Mutex::new(Vec::new()));
        let sink = told.clone();
        let transcript = Arc::new(move |device: &migos_inventory::DeviceId, line: &str| {
            sink.lock().unwrap().push(format!("{device}: {line}"));
        });
        let ssh = Ssh::new(folder.path().join("known_hosts"), timeouts, Some(transcript));
        Client { ssh, folder, told }
    }

    fn told(&self) -> String {
        self.told.lock().unwrap().join("\n")
    }

    async fn session(&self, server: &Sshd) -> Session {
        self.ssh.connect(&target(server)).await.unwrap()
    }
}

/// The server as the user `pi`, whatever its host key.
fn target(server: &Sshd) -> Target {
    Target {
        device: "pi-1".parse().unwrap(),
        host: server.address().to_string(),
        port: server.port(),
        user: "pi".to_owned(),
        key: LoginKey::file(server.key()),
        host_key: HostKey::Known { operator: None, accept_new: true },
        root: Root::Passwordless,
        via: None,
        proxy_command: None,
        old_algorithms: false,
        cipher: Cipher::default(),
        meter: Meter::default(),
    }
}

/// From now on the server's mount table shows its boot partition as read-only.
fn show_read_only(server: &Sshd) {
    let path = server.path("/proc/mounts");
    let mounts = fs::read_to_string(&path).unwrap();
    let shown = mounts.replace("/boot ext4 rw,", "/boot vfat ro,");
    assert_ne!(shown, mounts);
    fs::write(path, shown).unwrap();
}

/// Puts a script in the place of a program. `/usr/local/bin` comes first everywhere.
fn replace(server: &Sshd, program: &str, script: &str) {
    let path = server.path(program);
    let _ = fs::remove_file(&path);
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
}
