//! What the probe tells of a device's condition, and which hosts it reaches.

use crate::{Client, replace};
use migos_engine::port::Session as _;
use migos_payload::size::ByteCount;
use migos_playbooks::facts::{Extent, Facts, parse};
use migos_ssh::verb::Verb;
use migos_tests::sshd::{Sshd, Userland};
use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

/// Lines as kernels write them; those of another card, and of the radio, are not meant.
const LOG: &str = "\
[    1.2] mmc0: new high speed SDHC card at address aaaa
[    1.3] mmc1: error -110 whilst initialising SDIO card
[   10.0] mmcblk0: error -110 sending status command, retrying
[   11.0] mmc0: Timeout waiting for hardware interrupt.
[   12.0] print_req_error: I/O error, dev mmcblk1, sector 1
[   13.0] blk_update_request: I/O error, dev mmcblk0, sector 12345
[   14.0] Buffer I/O error on dev mmcblk0p2, logical block 7, lost async page write
";

fn put(server: &Sshd, path: &str, content: impl AsRef<[u8]>) {
    let path = server.path(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

async fn probe(server: &Sshd, hosts: &[String]) -> Facts {
    let session = Client::new().session(server).await;
    let text = session.probe(hosts).await.unwrap();
    session.close().await;
    parse(&text).unwrap()
}

/// A server with things to tell; `dmesg` and `timedatectl` are stand-ins.
fn troubled(userland: Userland) -> Sshd {
    let server = Sshd::start(userland).unwrap();
    let block = "/sys/devices/platform/mmc/mmc_host/mmc0/block/mmcblk0/mmcblk0p1";
    put(&server, &format!("{block}/start"), "8192\n");
    put(&server, &format!("{block}/size"), "524288\n");
    put(&server, "/run/log", LOG);
    put(&server, "/sys/fs/ext4/mmcblk0p2/errors_count", "3\n");
    put(&server, "/sys/fs/ext4/sda1/errors_count", "0\n");
    put(&server, "/sys/firmware/devicetree/base/hat/product", "Pi-Watchdog\0");
    let watchdog = "/sys/class/watchdog/watchdog0";
    put(&server, &format!("{watchdog}/identity"), "Broadcom BCM2835 Watchdog timer\n");
    put(&server, &format!("{watchdog}/state"), "active\n");
    put(&server, &format!("{watchdog}/timeout"), "15\n");
    put(&server, "/sys/class/watchdog/watchdog1/identity", "old\n");
    put(
        &server,
        "/etc/systemd/system.conf",
        "[Manager]\n#RuntimeWatchdogSec=0\nRuntimeWatchdogSec=10\n",
    );
    put(&server, "/proc/7/comm", "watchdogd\n");
    put(&server, "/proc/8/comm", "watchdog\n");
    put(&server, "/home/pi/media/film", vec![1; 5 << 20]);
    put(&server, "/home/pi/notes", vec![1; 1 << 20]);
    put(&server, "/opt/my app/data", vec![1; 2 << 20]);
    let told = [("dmesg", "cat /run/log"), ("timedatectl", "echo \" NTP synchronized: yes\"")];
    for (name, script) in told {
        replace(&server, &format!("/usr/local/bin/{name}"), script);
    }
    server
}

#[tokio::test]
async fn the_condition_of_a_device_is_told() {
    for userland in [Userland::Debian, Userland::Busybox] {
        let server = troubled(userland);
        let facts = probe(&server, &[]).await;
        let extent = Extent { start: 4 << 20, size: 256 << 20 };
        assert_eq!(facts.boot.unwrap().extent, Some(extent), "{userland:?}");
        assert_eq!(facts.card_errors.count, Some(4));
        let last: Vec<&str> = facts.card_errors.last.iter().map(|line| &line[10..16]).collect();
        assert_eq!(last, ["mmc0: ", "blk_up", "Buffer"]);
        assert_eq!(facts.card_errors.file_systems, [("mmcblk0p2".to_owned(), 3)].into());
        assert_eq!(facts.hat.as_deref(), Some("Pi-Watchdog"));
        let dogs: Vec<_> = facts
            .watchdogs
            .devices
            .iter()
            .map(|dog| (&*dog.name, dog.armed, dog.timeout))
            .collect();
        assert_eq!(dogs, [("watchdog0", true, Some(15)), ("watchdog1", false, None)]);
        assert_eq!(facts.watchdogs.systemd.as_deref(), Some("10"));
        assert_eq!(facts.watchdogs.daemon.as_deref(), Some("watchdog"));
        let clock = facts.clock.unwrap();
        assert!(clock.seconds > 1_700_000_000 && clock.synced == Some(true), "{clock:?}");
        let largest: Vec<_> =
            facts.largest.iter().map(|folder| (&*folder.path, folder.size.0 >> 20)).collect();
        assert_eq!(largest, [("/home/pi/media", 5), ("/opt/my app", 2)]);
        assert!(facts.reach.is_empty());
    }
}

#[tokio::test]
async fn folders_that_are_not_measured_in_time_are_not_told() {
    let server = troubled(Userland::Busybox);
    // As it ends what takes too long.
    replace(
        &server,
        "/usr/local/bin/timeout",
        "case $* in *\" du \"*) exit 124 ;; esac; shift; exec \"$@\"",
    );
    let facts = probe(&server, &[]).await;
    assert!(facts.largest.is_empty(), "{:?}", facts.largest);
    assert!(facts.root.free > ByteCount(0) && facts.clock.is_some());
}

/// Somebody who listens, and a port at which nobody does.
fn hosts() -> (TcpListener, [String; 2]) {
    let there = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let hosts = [there.local_addr().unwrap().to_string(), "127.0.0.1:1".to_owned()];
    (there, hosts)
}

fn expected(hosts: &[String; 2]) -> BTreeMap<String, bool> {
    [(hosts[0].clone(), true), (hosts[1].clone(), false)].into()
}

#[tokio::test]
async fn the_probe_tells_which_hosts_the_device_reaches() {
    let server = Sshd::start(Userland::Debian).unwrap();
    let (_there, hosts) = hosts();
    assert_eq!(probe(&server, &hosts).await.reach, expected(&hosts));
    let session = Client::new().session(&server).await;
    for wrong in ["nobody", "a b:1", "$(reboot):1", ":443", "host:"] {
        let error = session.probe(&[wrong.to_owned()]).await.unwrap_err().to_string();
        assert!(error.contains("not HOST:PORT: "), "{error}");
    }
}

/// Answers everybody, and in HTTP.
fn answering(listener: TcpListener) {
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let answer = b"HTTP/1.0 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
            let _ = stream.and_then(|mut stream| {
                let _ = std::io::Read::read(&mut stream, &mut [0; 512])?;
                std::io::Write::write_all(&mut stream, answer)
            });
        }
    });
}

#[test]
fn hosts_are_tried_with_whatever_program_is_there() {
    let (there, hosts) = hosts();
    answering(there);
    let list = Command::new("busybox").arg("--list").output().unwrap().stdout;
    let applets = String::from_utf8(list).unwrap();
    let busybox = Path::new("/usr/bin/busybox");
    let tried: Vec<_> = ["bash", "curl", "python3", "wget", "none"]
        .into_iter()
        .filter(|tool| {
            let folder = tempfile::tempdir().unwrap();
            // Without `du` nothing is measured. The `timeout` of busybox prefers its own programs to others.
            for applet in applets.lines().filter(|name| !["du", "timeout", "wget"].contains(name)) {
                symlink(busybox, folder.path().join(applet)).unwrap();
            }
            let (name, program) = match *tool {
                "none" => ("none", busybox.to_owned()),
                tool => (tool, Path::new("/usr/bin").join(tool)),
            };
            if !program.exists() {
                return false;
            }
            symlink(program, folder.path().join(name)).unwrap();
            if *tool != "none" {
                symlink("/usr/bin/timeout", folder.path().join("timeout")).unwrap();
            }
            let output = Command::new("/usr/bin/dash")
                .args(["-c", Verb::Probe.script(), "probe", "a 1 b 2"])
                .args(&hosts)
                .env("PATH", folder.path())
                .output()
                .unwrap();
            let text = String::from_utf8(output.stdout).unwrap();
            let mut told: Vec<_> = text.lines().filter(|line| line.starts_with("reach ")).collect();
            told.sort_by_key(|line| line.ends_with("no"));
            let expected = [format!("reach {} yes", hosts[0]), format!("reach {} no", hosts[1])];
            match *tool {
                "none" => assert!(told.is_empty(), "{told:?}"),
                tool => assert_eq!(told, expected, "{tool}"),
            }
            true
        })
        .collect();
    assert!(tried.contains(&"bash") && tried.contains(&"none"), "{tried:?}");
}
