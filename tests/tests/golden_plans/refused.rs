//! A large fleet in which every check that refuses has a device to refuse.

use super::described::{Described, image, payload};
use super::pi::Pi;
use migos_payload::board::Architecture;
use migos_payload::digest::Sha256;
use migos_payload::manifest::Restart;
use migos_playbooks::facts::Probed;
use migos_playbooks::requirement::{CHECKS, Severity};

const POLICY: &str = "policy: 1
parallel: 24
per_site: 4
bandwidth: { per_site: 2MB/s }
stages:
  - { name: canary, to: 1, gate: { tolerate: 0, soak: 30m, pause: \"Check the app on the canary, then resume.\" } }
  - { name: early, to: 5%, gate: { tolerate: 0, soak: 1h } }
  - { name: half, to: 50%, gate: { tolerate: { failed: 2, unreachable: 10% }, soak: 30m } }
  - { name: rest, to: 100%, gate: { tolerate: 5% } }
budget: { failed: 5, stuck: 0, lost: 0 }
";

/// 300 devices of four sites, some of which have something of their own in the inventory.
const INVENTORY: &str = r#"
groups:
  north: { site: north, data: none, devices: ["kiosk-[001:080]"] }
  south: { site: south, data: none, devices: ["kiosk-[081:150]"] }
  east: { site: east, data: none, devices: ["kiosk-[151:200]"] }
  west: { site: west, data: none, devices: ["kiosk-[201:236]"] }
  lab: { site: lab, data: none, devices: ["bench-[01:08]"] }
  odd: { data: none, devices: ["odd-[01:51]", "odd-[53:56]"] }
  undecided: { devices: [odd-52] }
  callers:
    devices: [odd-41, odd-42]
    handover: call-home
    bastion: { host: bastion.acme.example, user: callers, ports: 20000-20000 }
devices:
  kiosk-030: { hold: "screens being replaced, ask the site" }
  kiosk-031: { hold: "screens being replaced, ask the site" }
  kiosk-032: { hold: "being moved" }
  odd-01: { serial: "0000000011111111" }
  odd-37: { keyfiles: [keyfiles/migos-wifi-1] }
  odd-44: { balena: { fleet: acme/gone } }
  odd-45: { images: { raspberrypi4-64: images/old.img.gz } }
  odd-46: { balena: { fleet: acme/signs } }
  odd-55: { on_balena: { move_to: acme/signs } }
  odd-56: { on_balena: { release: 0123456789abcdef0123456789abcdef } }
  odd-47: { window: { days: daily, from: "03:00", to: "03:10", zone: UTC } }
"#;

/// The checks that are made while the plan is made, and not by the table.
const OF_THE_PLANNER: [&str; 2] = ["login", "window"];

/// Who is refused by which check, and what it is like; some are refused for what the inventory says of them.
fn refusals() -> Vec<(&'static str, &'static str, Pi)> {
    let (three, four) = (Pi::three(), Pi::four());
    vec![
        ("odd-01", "serial", three.clone()),
        ("odd-02", "system", three.is("ID=raspbian", "ID=arch")),
        ("odd-03", "payload", three.is("revision a020d3", "revision 9020e0")),
        ("odd-04", "kernel-restart", three.is("revision a020d3", "revision a02100")),
        ("odd-05", "memory", three.is("memory 948280", "memory 189000")),
        ("odd-06,odd-07", "power", three.is("throttled 0x0", "throttled 0x50000")),
        ("odd-08", "boot-partition", three.is("boot.path /boot\n", "")),
        ("odd-09", "fat", three.is("/boot vfat rw", "/boot ext4 rw")),
        ("odd-10", "first-partition", three.is("boot.partition 1", "boot.partition 6")),
        (
            "odd-11",
            "dirty-boot",
            three.and("boot.dirty FAT-fs (mmcblk0p1): Volume was not properly unmounted."),
        ),
        ("odd-12,odd-13", "boot-space", three.is("boot.space 2048 100000", "boot.space 2048 4000")),
        ("odd-14", "leftovers", three.and("boot.file 300 migos/cmdline.txt")),
        ("odd-15", "foreign-boot", three.and("boot.file 120 autoboot.txt")),
        ("odd-16", "pending-update", four.and("boot.file 524288 pieeprom.upd")),
        (
            "odd-17",
            "first-boot",
            three.is(
                "rootwait\nroot.space",
                "rootwait init=/usr/lib/raspi-config/init_resize.sh\nroot.space",
            ),
        ),
        ("odd-18", "signed-boot", four.and("eeprom.signed 15")),
        (
            "odd-19",
            "eeprom-settings",
            four.and("eeprom.config [config.txt]\neeprom.config kernel=x"),
        ),
        ("odd-20,odd-21,odd-22", "firmware", three.is("firmware.has tryboot.txt start.elf\n", "")),
        ("odd-23", "boot-config", three.and("config.txt dtoverlay=w5500")),
        ("odd-24", "card", three.and("disk.read-only yes")),
        ("odd-25", "overlay-root", three.is("cmdline console", "cmdline boot=overlay console")),
        (
            "odd-26",
            "encrypted-root",
            three.is("mount /dev/mmcblk0p2 / ", "mount /dev/mapper/root / ").and("dm dm-0"),
        ),
        ("odd-27", "device-mapper", three.and("dm dm-0")),
        ("odd-28", "root-space", three.is("root.space 4096 3000000", "root.space 4096 100")),
        ("odd-29", "card-size", three.is("mmcblk0 31116288", "mmcblk0 3500000")),
        ("odd-30", "lifeboat", three.is("mmcblk0 31116288", "mmcblk0 3800000")),
        (
            "odd-31",
            "card-errors",
            three
                .is("card.errors 0", "card.errors 7")
                .and("card.error mmcblk0: error -110 sending status command, retrying"),
        ),
        ("odd-32", "watchdog", three.and("watchdog watchdog1 active 60 Rpi HAT watchdog")),
        ("odd-33", "network", three.is("route eth0", "route tun0")),
        (
            "odd-34,odd-35,odd-36",
            "network",
            three.and(
                "net.active networking\nnet.file 1 /etc/network/interfaces\nnet.line 1 auto br0\n\
                 net.line 1 iface br0 inet dhcp\nnet.line 1   bridge_ports eth0 eth1",
            ),
        ),
        (
            "odd-37",
            "keyfiles",
            three.and(
                "mac wlan0 b8:27:eb:00:00:02\nwireless wlan0\nnet.active dhcpcd\n\
                 net.file 1 /etc/wpa_supplicant/wpa_supplicant.conf\nnet.line 1 country=DE\n\
                 net.line 1 network={\nnet.line 1   ssid=\"shop\"\nnet.line 1   psk=\"correct horse\"\n\
                 net.line 1 }",
            ),
        ),
        (
            "odd-38",
            "tunnel",
            three.is("address eth0 10.1.4.1", "address wg0 10.1.4.1").and("virtual wg0"),
        ),
        (
            "odd-39",
            "api-reach",
            three.is("reach api.balena-cloud.com:443 yes", "reach api.balena-cloud.com:443 no"),
        ),
        ("odd-42", "bastion-port", three.clone()),
        ("odd-44", "fleet", three.clone()),
        ("odd-45", "image-version", four.is("revision c03111", "revision c03115")),
        ("odd-46", "architecture", three.clone()),
        ("odd-55", "move-to", three.clone()),
        ("odd-56", "release", three.clone()),
        ("odd-47", "window", three.clone()),
        ("odd-48", "image", four.is("revision c03111", "revision c04170")),
    ]
}

/// The fleet, and whom each check should refuse.
pub(crate) fn fleet() -> (Described, Vec<(&'static str, &'static str)>) {
    let mut fleet = Described::new(INVENTORY, POLICY);
    let bench = payload(Architecture::Armhf, &["CM3+"], Restart::Module);
    fleet.payloads.insert(Sha256::of(b"bench"), bench);
    let mut old = image("raspberrypi4-64", "aarch64", 150_000_000);
    (old.os_version, old.sha256) = ("balenaOS 2.88.4+rev13".into(), Sha256::of(b"old"));
    fleet.images.insert("images/old.img.gz".into(), old);
    fleet.balena_has("acme/signs", "aarch64", None);

    fleet.are("kiosk-[001:150]", &Pi::three());
    fleet.are("kiosk-[151:236]", &Pi::four());
    fleet.are("odd-[40:43],odd-[53:56]", &Pi::three());
    fleet.are_done("bench-[01:08]", "balenaOS 6.0.24+rev1");
    for name in ["kiosk-077", "kiosk-078", "kiosk-149"] {
        fleet.answered(name, &Probed::Unreachable("connect timeout after 15 s, 3 tries".into()));
    }
    fleet.answered("kiosk-150", &Probed::Unreachable("no route to host".into()));
    fleet.answered(
        "odd-49",
        &Probed::Unusable {
            reason: "the login of pi is refused".into(),
            remedy: "add the controller's key to authorized_keys there".into(),
        },
    );
    let mut whom = vec![("odd-49", "login")];
    for (names, check, pi) in refusals() {
        fleet.are(names, &pi);
        whom.push((names, check));
    }
    // One device under two names.
    fleet.are("odd-50", &Pi::three());
    let twin = fleet.facts.iter().find(|(id, _)| id.as_str() == "odd-50").map(|(_, it)| it.clone());
    fleet.answered("odd-51", &twin.unwrap());
    whom.push(("odd-50,odd-51", "serial"));
    fleet.are("odd-52", &Pi::three());
    whom.push(("odd-52", "data"));
    (fleet, whom)
}

/// The names of all checks that refuse.
pub(crate) fn checks() -> Vec<&'static str> {
    let refuse = CHECKS.iter().filter(|check| check.severity == Severity::Refuse);
    refuse.map(|check| check.name).chain(OF_THE_PLANNER).collect()
}
