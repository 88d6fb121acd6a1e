//! The probe's text is understood, and holds no secret.

use crate::{Client, target};
use migos_engine::port::{Root, Session as _, Target, Transport as _};
use migos_payload::digest::Sha256;
use migos_payload::size::ByteCount;
use migos_playbooks::facts::{Arrival, Facts, config_text, parse};
use migos_tests::sshd::{Network, SUDO_PASSWORD, Sshd, Userland};
use std::fs;

const SECRETS: &str = "s3cret";

/// What people write into files, and what no shell and no `read` must change.
const WEIRD: &[u8] =
    b"-n\n\\t \\\\ \"'`$(reboot) ; | & *\r\n  indented \x00nul\n\nend ok\ncaf\xc3\xa9\nno end";

async fn probe(server: &Sshd) -> (String, Facts) {
    let session = Client::new().session(server).await;
    let text = session.probe(&[]).await.unwrap();
    session.close().await;
    let facts = parse(&text).unwrap();
    (text, facts)
}

fn weird_files(server: &Sshd) {
    let put = |path: &str, content: &[u8]| {
        let path = server.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    };
    put("/boot/config.txt", WEIRD);
    put("/boot/it's $(reboot) \"x\".txt", b"1234");
    put(
        "/etc/dhcpcd.conf",
        b"# comment\n\n  hostname\nclientid\n duid \ninterface eth0\nstatic ip_address=192.0.2.7/24\r\nauthtoken 1 s3cret\n",
    );
    put("/var/lib/dhcpcd5/duid", b"00:01:00:01:28:5f:9a:01:b8:27:eb:00:00:01\n");
    put(
        "/etc/wpa_supplicant/wpa_supplicant.conf",
        b"country=DE\nnetwork={\n\tssid=\"it's\"\n\tpsk=\"s3cret word\"\n\n}\nend ok\n\x00\n",
    );
    put(
        "/etc/network/interfaces",
        b"auto lo\niface lo inet loopback\niface wlan0 inet static\n  address 192.0.2.8\n  wpa-psk s3cret\n",
    );
    put("/etc/network/interfaces.d/x", b"iface eth1 inet dhcp\n\twireless-key s3cret");
    put(
        "/etc/NetworkManager/system-connections/home net.nmconnection",
        b"[connection]\nid=home\ntype=wifi\ninterface-name = wlan0\n[wifi-security]\npsk=s3cret\n\
          [ipv4]\nmethod = manual\naddress1=192.0.2.9/24",
    );
    put(
        "/etc/netplan/90-NM.yaml",
        b"network:\n  wifis:\n    wlan0:\n      access-points:\n        x: {password: s3cret}",
    );
}

#[tokio::test]
async fn the_probe_of_a_whole_pi_is_understood() {
    let server = Sshd::start(Userland::Debian).unwrap();
    weird_files(&server);
    let (text, facts) = probe(&server).await;
    assert!(text.contains(SECRETS), "the files are told as they are");
    assert!(!serde_json::to_string(&facts).unwrap().contains(SECRETS), "facts hold no secret");
    assert_eq!(facts.model, "Raspberry Pi 3 Model B Plus Rev 1.3");
    assert_eq!(facts.revision.0, 0x00a0_20d3);
    assert_eq!(facts.serial, "00000000765fc593");
    assert_eq!(facts.hostname, "raspberrypi");
    assert_eq!(facts.os.version, "11");
    assert_eq!((facts.machine.as_str(), facts.userland.as_str()), ("armv7l", "armhf"));
    assert_eq!(facts.kernel, "5.10.103-v7+");
    assert_eq!(facts.memory, ByteCount(945_364 * 1024));
    assert_eq!(facts.root.kind, "ext4");
    assert!(facts.root.writable && facts.root.free.0 > 0);
    assert_eq!(facts.throttled, Some(0x50005));

    let disk = facts.disk.unwrap();
    assert_eq!((disk.name.as_str(), disk.id.as_str()), ("mmcblk0", "12345678"));
    assert_eq!(disk.size, ByteCount(31_116_288 * 512));

    assert_eq!(facts.firmware.date, "May 14 2025");
    assert_eq!(facts.firmware.eeprom_build, Some(1_673_459_876));
    assert_eq!(facts.firmware.eeprom_capabilities, Some(0x7f));
    let has: Vec<(&str, Vec<&str>)> = facts
        .firmware
        .has
        .iter()
        .map(|(word, files)| (word.as_str(), files.iter().map(String::as_str).collect()))
        .collect();
    assert_eq!(
        has,
        [
            ("kernel_watchdog_timeout", vec!["start.elf"]),
            ("tryboot.txt", vec!["bootcode.bin", "start.elf"])
        ]
    );

    assert_eq!(facts.network.interface.as_deref(), Some("eth0"));
    assert_eq!(facts.network.mac, "b8:27:eb:00:00:01");
    assert!(!facts.network.wireless);
    assert!(text.contains("\nwireless wlan0\n"));
    let found = &facts.network.configuration;
    assert_eq!(found.active, ["dhcpcd".to_owned()].into());
    assert_eq!(found.country.as_deref(), Some("DE"));
    let duid = "0001000128 5f9a01b827eb000001".replace(' ', "");
    let id = |mac: &str| format!("ff{mac}{duid}");
    let ids = [("eth0".to_owned(), id("eb000001")), ("wlan0".to_owned(), id("eb000002"))];
    assert_eq!(found.client_ids, ids.into());
    let interfaces = found.interfaces.iter().map(|it| (it.name.as_str(), it.wireless));
    assert_eq!(interfaces.collect::<Vec<_>>(), [("eth0", false), ("wlan0", true)]);
}

#[tokio::test]
async fn the_probe_tells_the_boot_partition_as_it_is() {
    let server = Sshd::start(Userland::Debian).unwrap();
    weird_files(&server);
    let (text, facts) = probe(&server).await;
    let boot = facts.boot.unwrap();
    assert_eq!(boot.path, "/boot");
    // The planner refuses this: it is not FAT.
    assert_eq!(boot.file_system.kind, "ext4");
    assert_eq!(boot.file_system.source, "/dev/mmcblk0p1");
    assert_eq!(boot.partition, Some(1));
    assert!(boot.file_system.cluster.0 > 0 && boot.file_system.free.0 > 0);
    assert_eq!(boot.sums["config.txt"], Sha256::of(WEIRD));
    let cmdline = "console=serial0,115200 root=PARTUUID=12345678-02 rootwait";
    assert_eq!(boot.cmdline_txt, format!("{cmdline}\n"));
    let size = |name: &str| boot.files.get(name).map(|size| size.0);
    assert_eq!(size("overlays/a b.dtbo"), Some(7));
    assert_eq!(size("it's $(reboot) \"x\".txt"), Some(4));
    let lines: Vec<&str> = text.split('\n').filter_map(|l| l.strip_prefix("config.txt ")).collect();
    assert_eq!(
        lines,
        [
            "-n",
            "\\t \\\\ \"'`$(reboot) ; | & *\r",
            "  indented nul",
            "",
            "end ok",
            "café",
            "no end"
        ]
    );
    assert!(text.ends_with("\nend ok\n"));
}

#[tokio::test]
async fn the_probe_needs_nothing_but_busybox() {
    let server = Sshd::start(Userland::Busybox).unwrap();
    weird_files(&server);
    let (text, facts) = probe(&server).await;
    assert!(text.contains(SECRETS), "the files are told as they are");
    assert!(!serde_json::to_string(&facts).unwrap().contains(SECRETS), "facts hold no secret");
    // What is told by programs that only a Pi has is left out; all else is there.
    assert_eq!((facts.userland.as_str(), facts.throttled), ("", None));
    assert_eq!(facts.firmware.date, "");
    assert_eq!(facts.revision.0, 0x00a0_20d3);
    assert_eq!(facts.disk.unwrap().id, "12345678");
    assert_eq!(facts.firmware.has["tryboot.txt"].len(), 2);
    let boot = facts.boot.unwrap();
    assert_eq!(boot.sums["config.txt"], Sha256::of(WEIRD));
    assert_eq!(boot.files["overlays/a b.dtbo"], ByteCount(7));
    let found = &facts.network.configuration;
    assert_eq!((found.files.len(), found.client_ids.len()), (6, 2));
    assert_eq!((found.active.len(), found.country.as_deref()), (1, Some("DE")));
}

#[tokio::test]
async fn the_probe_tells_files_of_the_network_as_they_are_read_later() {
    for userland in [Userland::Debian, Userland::Busybox] {
        let server = Sshd::start(userland).unwrap();
        weird_files(&server);
        let session = Client::new().session(&server).await;
        let text = session.probe(&[]).await.unwrap();
        let mut told = 0;
        for file in text.split('\n').filter_map(|line| line.strip_prefix("net.file ")) {
            let (number, path) = file.split_once(' ').unwrap();
            let key = format!("net.line {number} ");
            let lines = text.split('\n').filter_map(|line| line.strip_prefix(&key));
            let lines: String = lines.map(|line| format!("{line}\n")).collect();
            let read = session.read(path, 1 << 16).await.unwrap().unwrap();
            assert_eq!(lines, config_text(&read), "{path}, {userland:?}");
            told += 1;
        }
        assert_eq!(told, 6, "{userland:?}: {text}");
        session.close().await;
    }
}

#[tokio::test]
async fn a_machine_without_anything_of_a_pi_is_told_to_the_end() {
    let server = Sshd::start(Userland::Debian).unwrap();
    for path in ["/sys/firmware", "/sys/class", "/proc/net", "/boot/config.txt"] {
        let path = server.path(path);
        if path.is_dir() {
            fs::remove_dir_all(path).unwrap();
        } else {
            fs::remove_file(path).unwrap();
        }
    }
    fs::write(server.path("/proc/mounts"), "overlay / overlay rw 0 0\n").unwrap();
    let session = Client::new().session(&server).await;
    let text = session.probe(&[]).await.unwrap();
    assert!(text.starts_with("migos-probe 1\n") && text.ends_with("\nend ok\n"), "{text}");
    assert!(!text.contains("model") && !text.contains("boot.path"), "{text}");
}

#[tokio::test]
async fn the_probe_tells_where_its_own_connection_arrived() {
    let mut network = Network::start().unwrap();
    let client = Client::new();
    for userland in [Userland::Debian, Userland::Busybox] {
        let here = Sshd::start(userland).unwrap();
        let away = Sshd::start_on(&mut network, userland).unwrap();
        for (server, interface) in [(&here, "lo"), (&away, "eth0")] {
            let arrival = Arrival {
                address: server.address().into(),
                interface: interface.to_owned(),
                is_virtual: interface == "lo",
            };
            // Only the login's own shell is told of the connection: sudo takes that out.
            let root = Root::Password(SUDO_PASSWORD.into());
            for (user, root) in
                [("pi", Root::Passwordless), ("asks", root), ("root", Root::NotNeeded)]
            {
                let target = Target { user: user.to_owned(), root, ..target(server) };
                let session = client.ssh.connect(&target).await.unwrap();
                let facts = parse(&session.probe(&[]).await.unwrap()).unwrap();
                session.close().await;
                assert_eq!(facts.network.arrival.as_ref(), Some(&arrival), "{user}, {userland:?}");
            }
        }
    }
}
