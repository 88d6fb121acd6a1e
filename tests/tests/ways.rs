//! Devices behind other hosts are migrated whole: on Raspbian and in MIGOS they are reached the same way.

#![allow(clippy::unwrap_used)]

use migos_lab::{Pace, State};
use migos_tests::fleet::Bench;
use migos_tests::sshd::{Sshd, Userland};

#[test]
fn devices_behind_a_host_and_behind_a_command_are_migrated() {
    let host = Sshd::start(Userland::Debian).unwrap();
    let bench = Bench::start(2, "", Pace::test()).unwrap();
    let inventory = bench.home.read("lab/inventory.yaml").unwrap();
    let (address, port, key) = (host.address(), host.port(), host.key().display().to_string());
    let jump = format!(
        "jump: {{ host: {address}, port: {port}, user: pi, identity: {key}, known_hosts: /dev/null, \
         host_keys: accept-new }}"
    );
    let mut devices = 0;
    let behind: String = inventory
        .lines()
        .map(|line| match line.split_once("ssh: { port: ") {
            Some((before, after)) => {
                devices += 1;
                let way = if devices == 1 { &jump } else { "proxy: busybox nc %h %p" };
                format!("{before}ssh: {{ {way}, port: {after}\n")
            }
            None => format!("{line}\n"),
        })
        .collect();
    assert_eq!(devices, 2, "{inventory}");
    bench.home.write("lab/inventory.yaml", behind).unwrap();
    let ended = bench.migrate(&[]).unwrap().end().unwrap();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    for pi in bench.lab().devices() {
        assert_eq!(pi.state(), State::BalenaOs);
    }
}
