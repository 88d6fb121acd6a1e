//! Who has the device, and how it reboots.

use crate::{Client, target};
use migos_engine::port::{Root, Session as _, Tier, Transport, TransportError};
use migos_ssh::verb::{Rise, Verb, command_line};
use migos_tests::openssh::OpenSsh;
use migos_tests::sshd::{SUDO_PASSWORD, Sshd, Userland};
use std::fs;
use std::thread;
use std::time::Duration;

const LOCK: &str = "/var/lib/migos/lock";
const MINUTE: Duration = Duration::from_secs(60);

fn held(text: &str) -> Result<(), TransportError> {
    Err(TransportError::Busy(text.to_owned()))
}

async fn lock(userland: Userland) {
    let server = Sshd::start(userland).unwrap();
    let session = Client::new().session(&server).await;
    session.lock("run-1", MINUTE).await.unwrap();
    let busy = held("run-1 has the device for 60 s more");
    assert_eq!(session.lock("run-2", MINUTE).await, busy);
    session.lock("run-1", 2 * MINUTE).await.unwrap();
    session.unlock("run-2").await.unwrap();
    assert_eq!(session.lock("run-2", MINUTE).await, held("run-1 has the device for 120 s more"));

    // It ends by the uptime.
    let uptime = |seconds: &str| fs::write(server.path("/proc/uptime"), seconds).unwrap();
    uptime("1119.99 1.00\n");
    assert_eq!(session.lock("run-2", MINUTE).await, held("run-1 has the device for 1 s more"));
    uptime("1120.00 1.00\n");
    session.lock("run-2", MINUTE).await.unwrap();
    assert_eq!(session.lock("run-1", MINUTE).await, held("run-2 has the device for 60 s more"));

    // And with the boot.
    let boot = server.path("/proc/sys/kernel/random/boot_id");
    fs::write(boot, "9c52f6ab-35f5-4a8e-8e07-000000000000\n").unwrap();
    uptime("10.00 1.00\n");
    session.lock("run-1", MINUTE).await.unwrap();
    session.unlock("run-1").await.unwrap();
    session.unlock("run-1").await.unwrap();
    assert!(!server.path(LOCK).exists());
    session.lock("run-2", MINUTE).await.unwrap();
}

#[tokio::test]
async fn one_owner_has_the_device() {
    lock(Userland::Debian).await;
}

#[tokio::test]
async fn one_owner_has_the_device_under_busybox() {
    lock(Userland::Busybox).await;
}

/// Both take it at once, some rounds.
fn race(userland: Userland) {
    let server = Sshd::start(userland).unwrap();
    let openssh = OpenSsh::connect(&server).unwrap();
    let take = |owner| {
        let line = command_line(Rise::Login, Verb::Lock, &[owner, "60"]);
        openssh.execute(&line, b"").unwrap()
    };
    fs::create_dir_all(server.path("/var/lib/migos")).unwrap();
    for round in 0..20 {
        let lock = server.path(LOCK);
        let _ = fs::remove_file(&lock);
        // Every other time there is one of an earlier boot.
        if round % 2 == 0 {
            fs::write(&lock, "run-0 00000000-0000-4000-8000-000000000000 9999\n").unwrap();
        }
        let [a, b] = thread::scope(|scope| {
            ["run-a", "run-b"]
                .map(|owner| scope.spawn(move || take(owner)))
                .map(|t| t.join().unwrap())
        });
        let (winner, loser) = if a.code == 0 { ("run-a", b) } else { ("run-b", a) };
        assert_eq!(loser.code, 75, "round {round}: {loser:?}");
        assert!(loser.stderr.starts_with(&format!("{winner} has the device")), "{loser:?}");
        assert!(fs::read_to_string(&lock).unwrap().starts_with(&format!("{winner} ")));
    }
}

#[test]
fn of_two_who_take_it_at_once_one_has_it() {
    race(Userland::Debian);
}

#[test]
fn of_two_who_take_it_at_once_one_has_it_under_busybox() {
    race(Userland::Busybox);
}

#[tokio::test]
async fn a_taker_that_was_killed_is_in_nobodys_way() {
    let server = Sshd::start(Userland::Debian).unwrap();
    let session = Client::new().session(&server).await;
    let guard = server.path("/run/migos.guard");
    // The server itself lives.
    fs::write(&guard, "1\n").unwrap();
    assert_eq!(session.lock("run-1", MINUTE).await, held("somebody else holds /run/migos.guard"));
    assert!(guard.exists() && !server.path(LOCK).exists());
    fs::write(&guard, "999999\n").unwrap();
    session.lock("run-1", MINUTE).await.unwrap();
    assert!(!guard.exists() && server.path(LOCK).exists());
}

/// A reboot that systemd does not do comes after the session, with or without sudo's own terminal.
async fn reboots(userland: Userland, user: &str) {
    let server = Sshd::start(userland).unwrap();
    let client = Client::new();
    let mut target = target(&server);
    target.user = user.to_owned();
    target.root = Root::Password(SUDO_PASSWORD.into());
    let parameter = server.path("/run/systemd/reboot-param");
    for (tier, done) in
        [(Tier::Forced, &["reboot -f"][..]), (Tier::Sysrq, &["s", "u", "b"]), (Tier::Orderly, &[])]
    {
        fs::write(&parameter, "0 tryboot\n").unwrap();
        let session = client.ssh.connect(&target).await.unwrap();
        session.reboot(tier).await.unwrap();
        session.close().await;
        assert!(!parameter.exists());
        if tier != Tier::Orderly {
            assert_eq!(server.let_go_on(done.len()).unwrap(), done);
        }
        let asked = fs::read_to_string(server.path("/run/systemctl.log")).unwrap_or_default();
        assert_eq!(asked, if tier == Tier::Orderly { "reboot: \n" } else { "" });
    }
}

#[tokio::test]
async fn every_tier_reboots_and_outlives_the_session() {
    reboots(Userland::Debian, "pi").await;
}

#[tokio::test]
async fn every_tier_reboots_where_sudo_asks() {
    reboots(Userland::Debian, "asks").await;
}

#[tokio::test]
async fn every_tier_reboots_under_busybox() {
    reboots(Userland::Busybox, "pi").await;
}
