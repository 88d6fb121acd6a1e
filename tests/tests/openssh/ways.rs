//! All the ways in: agents, protected keys, certificates, passwords, hosts on the way, proxy commands, old servers.

use crate::{Client, target};
use migos_engine::port::{
    Credentials, LoginKey, Root, Session as _, Target, Transport, TransportError,
};
use migos_tests::sshd::{SUDO_PASSWORD, Sshd, Userland, keygen};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

fn with(server: &Sshd, credentials: Credentials) -> Target {
    Target { key: LoginKey::Operator(Arc::new(credentials)), ..target(server) }
}

async fn gets_in(target: &Target) {
    Client::new().ssh.connect(target).await.unwrap().close().await;
}

async fn error(target: &Target) -> String {
    Client::new().ssh.connect(target).await.unwrap_err().to_string()
}

fn run(program: &str, args: &[&str]) {
    assert!(Command::new(program).args(args).stderr(Stdio::null()).status().unwrap().success());
}

/// A real agent, which ends with the test.
struct RunningAgent {
    process: Child,
    socket: PathBuf,
}

impl RunningAgent {
    fn start(folder: &Path, keys: &[&Path]) -> Self {
        let socket = folder.join("agent");
        let mut process = Command::new("ssh-agent")
            .args(["-D", "-a"])
            .arg(&socket)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // It tells its socket once that is there.
        let mut line = String::new();
        let told = process.stdout.take().unwrap();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(told), &mut line).unwrap();
        for key in keys {
            let mut add = Command::new("ssh-add");
            add.arg("-q").arg(key).env("SSH_AUTH_SOCK", &socket);
            assert!(add.status().unwrap().success());
        }
        RunningAgent { process, socket }
    }
}

impl Drop for RunningAgent {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test]
async fn an_agent_signs() {
    let server = Sshd::start(Userland::Debian).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let other = folder.path().join("other");
    keygen(&other, "rsa").unwrap();
    let agent = RunningAgent::start(folder.path(), &[&other, &server.key()]);
    let of_agent = || Credentials { agent: Some(agent.socket.clone()), ..Credentials::default() };
    gets_in(&with(&server, of_agent())).await;

    let only = Credentials { keys: vec![other], identities_only: true, ..of_agent() };
    let text = error(&with(&server, only)).await;
    assert!(text.contains("the device takes none of these"), "{text}");

    let gone = Credentials { agent: Some(folder.path().join("none")), ..Credentials::default() };
    let text = error(&with(&server, gone)).await;
    assert!(text.contains("the SSH agent does not answer"), "{text}");
}

#[tokio::test]
async fn a_protected_key_is_opened_by_its_passphrase_or_left_to_the_agent() {
    let server = Sshd::start(Userland::Debian).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("id");
    run("ssh-keygen", &["-q", "-t", "ed25519", "-N", "sesame", "-f", path.to_str().unwrap()]);
    server.authorize(&fs::read_to_string(path.with_extension("pub")).unwrap()).unwrap();
    let target = Target { key: LoginKey::file(path.clone()), ..target(&server) };
    let text = error(&target).await;
    assert!(text.ends_with("is protected by a passphrase: load it with `ssh-add`"), "{text}");

    let client = Client::new();
    let ask = |_: &Path| Ok::<_, TransportError>(Some(Arc::from("sesame")));
    client.ssh.unlock([&target], ask).await.unwrap();
    client.ssh.connect(&target).await.unwrap().close().await;
}

/// Has a certificate authority sign a key.
fn certify(folder: &Path, key: &Path, args: &[&str]) {
    let authority = folder.join("ca");
    if !authority.exists() {
        keygen(&authority, "ed25519").unwrap();
    }
    let sign = ["-q", "-s", authority.to_str().unwrap(), "-I", "operator"];
    let public = key.with_extension("pub");
    run("ssh-keygen", &[&sign, args, &[public.to_str().unwrap()]].concat());
}

#[tokio::test]
async fn a_certificate_lets_in_whose_key_nobody_knows() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("id");
    keygen(&key, "ed25519").unwrap();
    certify(folder.path(), &key, &["-n", "pi"]);
    let server = Sshd::start_with("TrustedUserCAKeys /etc/ssh/ca.pub").unwrap();
    fs::copy(folder.path().join("ca.pub"), server.path("/etc/ssh/ca.pub")).unwrap();
    gets_in(&Target { key: LoginKey::file(key), ..target(&server) }).await;
}

#[tokio::test]
async fn a_password_lets_in() {
    let asks = |server: &Sshd, password: &str| {
        let password = Some(Arc::from(password));
        let credentials = Credentials { password, ..Credentials::default() };
        let root = Root::Password(SUDO_PASSWORD.into());
        Target { user: "asks".to_owned(), root, ..with(server, credentials) }
    };
    let plain = Sshd::start_with("PasswordAuthentication yes").unwrap();
    gets_in(&asks(&plain, SUDO_PASSWORD)).await;
    let text = error(&asks(&plain, "hunter2")).await;
    assert!(text.contains("with the password:") && !text.contains("hunter2"), "{text}");

    let questions = Sshd::start_with("UsePAM yes\nKbdInteractiveAuthentication yes").unwrap();
    gets_in(&asks(&questions, SUDO_PASSWORD)).await;
    assert!(error(&asks(&questions, "hunter2")).await.starts_with("login refused"));
}

#[tokio::test]
async fn a_server_may_want_a_key_and_a_password() {
    let both = "PasswordAuthentication yes\nAuthenticationMethods publickey,password";
    let server = Sshd::start_with(both).unwrap();
    let key = Credentials { keys: vec![server.key()], ..Credentials::default() };
    let user = "asks".to_owned();
    let root = Root::Password(SUDO_PASSWORD.into());
    let half = Target { user, root, ..with(&server, key.clone()) };
    let text = error(&half).await;
    assert!(text.contains("takes part of it, but wants password besides"), "{text}");
    let whole = Credentials { password: Some(SUDO_PASSWORD.into()), ..key };
    gets_in(&Target { key: LoginKey::Operator(Arc::new(whole)), ..half }).await;
}

#[tokio::test]
async fn two_hosts_may_be_on_the_way() {
    let start = || Sshd::start(Userland::Debian).unwrap();
    let (first, second, device) = (start(), start(), start());
    let on_the_way = |server: &Sshd, via| {
        Some(Arc::new(Target { root: Root::NotNeeded, via, ..target(server) }))
    };
    let via = on_the_way(&second, on_the_way(&first, None));
    let client = Client::new();
    let session = client.ssh.connect(&Target { via, ..target(&device) }).await.unwrap();
    session.write("/boot/x", 0o644, b"there").await.unwrap();
    session.close().await;
    assert_eq!(fs::read(device.path("/boot/x")).unwrap(), b"there");
}

#[tokio::test]
async fn a_command_may_be_the_connection() {
    let server = Sshd::start(Userland::Busybox).unwrap();
    let by = |command: &str| Target { proxy_command: Some(command.into()), ..target(&server) };
    gets_in(&by("busybox nc %h %p")).await;
    let text = error(&by("echo 'no such gate' >&2; exit 1")).await;
    assert!(text.ends_with("by the proxy command: no such gate"), "{text}");
    let text = error(&by("nc %C")).await;
    assert!(text.ends_with("`%C` is not known here; use %h, %p and %r"), "{text}");
}

/// True while a process is more than an entry that its parent has not read yet.
fn is_alive(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().is_some_and(|rest| !matches!(rest.trim().get(..1), None | Some("Z")))
}

#[tokio::test]
async fn what_a_command_has_started_ends_with_the_connection() {
    let server = Sshd::start(Userland::Busybox).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pids");
    // The second one does not care when it is asked to end.
    let command = format!(
        "sh -c 'sleep 1000 & echo $! >>{0}; (trap \"\" TERM; exec sleep 1000) & echo $! >>{0}; exec busybox nc %h %p'",
        file.display()
    );
    let target = Target { proxy_command: Some(command.as_str().into()), ..target(&server) };
    let session = Client::new().ssh.connect(&target).await.unwrap();
    let pids = fs::read_to_string(&file).unwrap();
    let pids: Vec<String> = pids.lines().map(str::to_owned).collect();
    assert!(pids.len() == 2 && pids.iter().all(|pid| is_alive(pid)), "{pids:?}");
    session.close().await;
    let gone = move || migos_tests::fleet::wait(|| Ok(!pids.iter().any(|pid| is_alive(pid))));
    tokio::task::spawn_blocking(gone).await.unwrap().unwrap();
}

#[tokio::test]
async fn old_servers_are_reached_when_that_is_allowed() {
    let old = "KexAlgorithms diffie-hellman-group14-sha1\nCiphers aes128-cbc\nMACs hmac-sha1";
    let server = Sshd::start_with(old).unwrap();
    let target = target(&server);
    let text = error(&target).await;
    assert!(text.contains("set `old_algorithms: true` under `ssh:`"), "{text}");
    gets_in(&Target { old_algorithms: true, ..target }).await;
}
