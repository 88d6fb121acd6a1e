//! Who gives the commit: MIGOS that calls home through a real sshd, and MIGOS that commits by itself.

use super::{assert_is_as_it_was, assert_is_the_image, ends};
use migos_engine::run::write_whole;
use migos_tests::emulated::{Ground, Setup};
use migos_tests::sshd::{Sshd, Userland};
use std::fs;
use std::net::{Ipv4Addr, TcpListener};

/// This computer, as the emulated network has it.
const GATE: &str = "10.0.2.2";

/// Gives the first Pi further settings in the inventory.
fn settings(ground: &Ground, settings: &str) {
    let text = ground.home.read("inventory.yaml").unwrap();
    assert!(text.contains("  pi1: { "), "{text}");
    let text = text.replace("  pi1: { ", &format!("  pi1: {{ {settings}, "));
    ground.home.write("inventory.yaml", text).unwrap();
}

#[test]
fn a_pi_that_calls_home_is_migrated_through_the_bastion() {
    let ground = Ground::new(Setup::default()).unwrap();
    let sshd = Sshd::start(Userland::Debian).unwrap();
    let (address, port) = (sshd.address(), sshd.port());
    let known = format!("[{address}]:{port} {}", sshd.host_key("ed25519").unwrap());
    ground.home.write("bastion_hosts", known).unwrap();
    let key = fs::read(sshd.key()).unwrap();
    write_whole(&ground.home.path().join("bastion_key"), &key, 0o600).unwrap();
    settings(
        &ground,
        &format!(
            "handover: call-home, bastion: {{ host: {GATE}, port: {port}, user: pi, identity: bastion_key, \
             known_hosts: bastion_hosts, reach: {{ host: {address}, port: {port} }} }}"
        ),
    );
    ends(&ground, ground.migrate().unwrap(), 0, "migrated");
    let run = ground.home.only_run().unwrap();
    let transcript = fs::read_to_string(run.path().join("devices/pi1.log")).unwrap();
    assert!(transcript.contains("as root, through"), "{transcript}");
    let keys = fs::read_to_string(sshd.path("/home/pi/.ssh/authorized_keys")).unwrap();
    assert_eq!(keys, "", "the bastion is closed again");
    assert_is_the_image(ground.pi(), &ground.raw);
}

/// What carries a connection to a port of the Pi's own to the same port of this computer: there the API is, under the
/// only address to which the controller speaks without encryption. It stands before busybox, which MIGOS runs first.
fn forwarder(port: u16) -> String {
    format!(
        "#!/bin/busybox sh\n\
         if busybox=/bin/busybox && $busybox mkdir /run/forwarder 2>/dev/null; then\n\
         $busybox ip link set lo up\n\
         while :; do $busybox nc -l -p {port} -e $busybox nc {GATE} {port} || $busybox sleep 1; done \
         </dev/null >/dev/null 2>&1 &\n\
         fi\n\
         exec /bin/busybox \"$@\"\n"
    )
}

fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

#[test]
fn a_pi_that_nobody_attends_commits_by_itself() {
    let api_port = free_port();
    let forwarder = forwarder(api_port);
    let overlay = [("usr/sbin/busybox", forwarder.as_str())];
    let ground = Ground::new(Setup { overlay: &overlay, api_port, ..Setup::default() }).unwrap();
    settings(&ground, "handover: unattended");
    ends(&ground, ground.migrate().unwrap(), 0, "migrated");
    assert_is_the_image(ground.pi(), &ground.raw);
}

#[test]
fn a_pi_that_does_not_reach_balena_from_migos_lets_raspbian_return() {
    let dead_man = "{ contact: 20s, commit: 60s, hung: 1m }";
    let ground = Ground::new(Setup { dead_man, ..Setup::default() }).unwrap();
    let before = ground.pi().card().boot_tree().unwrap();
    settings(&ground, "handover: unattended");
    let ended = ends(&ground, ground.migrate().unwrap(), 6, "failed");
    assert!(ended.stderr.contains("was not reached"), "{}", ended.stderr);
    assert_is_as_it_was(ground.pi(), &before);
    assert!(ground.balena().devices().is_empty());
}
