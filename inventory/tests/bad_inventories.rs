//! Inventories with mistakes, and what the person who made them is told.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use migos_inventory::parse;

/// What is said about an inventory that cannot be used.
fn told(text: &str) -> String {
    parse("kiosks.yaml", text.trim_start_matches('\n')).unwrap_err().to_string()
}

#[test]
fn mistyped_keys() {
    insta::assert_snapshot!(told(r#"
migos: 1
balena: { flete: acme/kiosks }
defaults:
  ssh: { idenity: ~/.ssh/fleet, color: red }
groups:
  north: { devices: [kiosk-1], shh: { user: pi } }
devices:
  kiosk-1: { serail: "00000000765fc593" }
"#), @r###"
    kiosks.yaml:2:11: balena.flete: unknown key
      hint: did you mean `fleet`?
    kiosks.yaml:4:10: defaults.ssh.idenity: unknown key
      hint: did you mean `identity`?
    kiosks.yaml:4:33: defaults.ssh.color: unknown key
      hint: the keys allowed here are user, identity, certificate, identities_only, agent, password, port, jump, proxy, known_hosts, host_keys, sudo_password, old_algorithms, config
    kiosks.yaml:6:32: groups.north.shh: unknown key
      hint: did you mean `ssh`?
    kiosks.yaml:8:14: devices.kiosk-1.serail: unknown key
      hint: did you mean `serial`?
    "###);
}

#[test]
fn keys_in_the_wrong_place() {
    insta::assert_snapshot!(told("
migos: 1
ssh: { user: pi }
site: north
groups:
  north: { hosts: [kiosk-1], serial: x, balena: { token: { env: T } }, policy: swift }
devices:
  kiosk-1: { ssh: { host: 10.0.0.1 } }
"), @r"
    kiosks.yaml:2:1: ssh: this cannot stand at the top level
      hint: write it under `defaults:`
    kiosks.yaml:3:1: site: this cannot stand at the top level
      hint: write it under `defaults:`
    kiosks.yaml:5:12: groups.north.hosts: the native form has no `hosts`
      hint: list the devices of the group: `devices: [pi-1, pi-2]`
    kiosks.yaml:5:30: groups.north.serial: this belongs to one device
      hint: write it under the device in `devices:`
    kiosks.yaml:5:51: groups.north.balena.token: one balena API and token serve the whole inventory
      hint: write it under `balena:` at the top level
    kiosks.yaml:5:72: groups.north.policy: this holds for the whole inventory
      hint: write it at the top level
    kiosks.yaml:7:21: devices.kiosk-1.ssh.host: the address of a device is not an SSH setting
      hint: write `host:` directly under the device in `devices:`
    ");
}

#[test]
fn a_key_written_twice() {
    insta::assert_snapshot!(told("
migos: 1
devices:
  kiosk-1: { host: 10.0.0.1 }
  kiosk-2: { host: 10.0.0.2 }
  kiosk-1: { host: 10.0.0.3 }
"), @r"
    kiosks.yaml:5:3: devices.kiosk-1: written twice, first on line 3
      hint: keep one of the two
    ");
}

#[test]
fn wrong_ports() {
    insta::assert_snapshot!(told("
migos: 1
defaults: { ssh: { port: abc } }
devices:
  kiosk-1: { ssh: { port: 70000 } }
  kiosk-2: { host: '10.0.0.1:2222' }
  kiosk-3: { host: pi@10.0.0.3 }
"), @r#"
    kiosks.yaml:2:26: defaults.ssh.port: expected a number between 1 and 65535, found text "abc"
    kiosks.yaml:4:27: devices.kiosk-1.ssh.port: expected a number between 1 and 65535, found number 70000
    kiosks.yaml:5:20: devices.kiosk-2.host: "10.0.0.1:2222" is not a host name or address
      hint: write the port under `ssh: { port: … }`
    kiosks.yaml:6:20: devices.kiosk-3.host: "pi@10.0.0.3" is not a host name or address
      hint: write the user under `ssh: { user: … }`
    "#);
}

#[test]
fn ranges_that_count_nothing() {
    insta::assert_snapshot!(told(r#"
migos: 1
groups:
  north: { devices: ["kiosk-[060:001]", "kiosk-[1:060]", "kiosk-[001:060"] }
  south: { devices: ["kiosk-[1..60]", "kiosk-[0:999999]"] }
devices:
  "kiosk-[061:070]": { host: 10.0.0.1 }
"#), @r#"
    kiosks.yaml:3:22: groups.north.devices[0]: "kiosk-[060:001]": `060:001` ends before it begins
      hint: write the lower end first
    kiosks.yaml:3:41: groups.north.devices[1]: "kiosk-[1:060]": the ends of `1:060` differ in their number of digits, and one has leading zeros
      hint: write both ends with the same number of digits, as in [001:060]
    kiosks.yaml:3:58: groups.north.devices[2]: "kiosk-[001:060": the brackets `[` and `]` do not match
      hint: close every `[` with one `]`, as in kiosk-[001:060]
    kiosks.yaml:4:22: groups.south.devices[0]: "kiosk-[1..60]": `1..60` is not a range
      hint: write numbers [001:060], every second one [01:50:2], or letters [a:f]
    kiosks.yaml:4:39: groups.south.devices[1]: "kiosk-[0:999999]": it stands for more than 100000 names
      hint: look for a digit too many, or name fewer devices at once
    kiosks.yaml:6:3: devices.kiosk-[061:070]: "kiosk-[061:070]" is not a device name
      hint: ranges stand in a group: `groups: { north: { devices: ["pi-[1:9]"] } }`
    "#);
}

#[test]
fn two_devices_that_are_one() {
    insta::assert_snapshot!(told(r#"
migos: 1
devices:
  kiosk-1: { host: 10.0.0.1, serial: "00000000765fc593" }
  kiosk-2: { host: 10.0.0.1 }
  kiosk-3: { host: KIOSK-4.example.org, serial: "00000000765FC593" }
  kiosk-4: { host: kiosk-4.example.org. }
  Kiosk-1:
"#), @r"
    kiosks.yaml:4:20: devices.kiosk-2.host: `kiosk-1` on line 3 has the same address, 10.0.0.1 port 22
      hint: give each device its own `host:`, or remove one of the two
    kiosks.yaml:5:49: devices.kiosk-3.serial: `kiosk-1` on line 3 has the same serial number
      hint: read it again with `cat /proc/device-tree/serial-number` on both devices
    kiosks.yaml:6:20: devices.kiosk-4.host: `kiosk-3` on line 5 has the same address, kiosk-4.example.org. port 22
      hint: give each device its own `host:`, or remove one of the two
    kiosks.yaml:7:3: devices.Kiosk-1: `Kiosk-1` and `kiosk-1` on line 3 differ only in upper and lower case
      hint: rename one of them; some file systems could not tell their files apart
    ");
}

#[test]
fn a_token_in_the_file() {
    insta::assert_snapshot!(told("
migos: 1
balena: { fleet: acme/kiosks, token: 5up3rs3cret }
devices:
  kiosk-1: { ssh: { password: raspberry, sudo_password: raspberry } }
"), @r###"
    kiosks.yaml:2:38: balena.token: a secret cannot stand in the inventory; say where it is found
      hint: write { env: BALENA_TOKEN } or { file: path/of/a/file }
    kiosks.yaml:4:31: devices.kiosk-1.ssh.password: a secret cannot stand in the inventory; say where it is found
      hint: write { env: SSH_PASSWORD } or { file: path/of/a/file }
    kiosks.yaml:4:57: devices.kiosk-1.ssh.sudo_password: a secret cannot stand in the inventory; say where it is found
      hint: write { env: SUDO_PASSWORD } or { file: path/of/a/file }
    "###);
}

#[test]
fn serial_numbers_that_are_not() {
    insta::assert_snapshot!(told(r#"
migos: 1
devices:
  kiosk-1: { serial: 0000000012345678 }
  kiosk-2: { serial: "765fc593" }
  kiosk-3: { serial: 0x00000000765fc593 }
  kiosk-4: { serial: }
"#), @r#"
    kiosks.yaml:3:22: devices.kiosk-1.serial: expected a serial number, found number 0000000012345678
      hint: put it in quotes: "0000000012345678"
    kiosks.yaml:4:22: devices.kiosk-2.serial: "765fc593" is not a serial number
      hint: copy the 16 hexadecimal digits that `cat /proc/device-tree/serial-number` prints on the device
    kiosks.yaml:5:22: devices.kiosk-3.serial: "0x00000000765fc593" is not a serial number
      hint: copy the 16 hexadecimal digits that `cat /proc/device-tree/serial-number` prints on the device
    kiosks.yaml:6:14: devices.kiosk-4.serial: expected a serial number, found nothing
    "#);
}

#[test]
fn indented_with_tabs() {
    insta::assert_snapshot!(told("migos: 1\ndevices:\n\tkiosk-1:\n\t\thost: 10.0.0.1\n"), @r"
    kiosks.yaml:3:1: a tab is used to indent
      hint: YAML is indented with spaces; replace the tab by spaces
    ");
}

#[test]
fn an_ansible_inventory() {
    let told_once = told(
        "
all:
  hosts:
    kiosk-1: { ansible_host: 10.0.0.1, ansible_password: !vault secret }
",
    );
    insta::assert_snapshot!(told_once, @r###"
    kiosks.yaml:1:1: `migos: 1` is missing, so this is no file in the native form
      hint: write `migos: 1` as the first line
    "###);
    assert_eq!(told("[kiosks]\nkiosk-1 ansible_host=10.0.0.1\n"), told_once);
    assert_eq!(told(r#"{"_meta": {"hostvars": {}}}"#), told_once);
    assert_eq!(told(""), told_once);
}

#[test]
fn a_newer_form() {
    insta::assert_snapshot!(told("migos: 2\ndevices: { kiosk-1: }\n"), @r"
    kiosks.yaml:1:8: migos: expected version 1 of the native form, found number 2
      hint: write `migos: 1`
    ");
}

#[test]
fn groups_that_do_not_agree() {
    insta::assert_snapshot!(told(r#"
migos: 1
groups:
  north: { devices: ["kiosk-[1:4]"], vars: { site: north }, ssh: { user: pi } }
  old:   { devices: ["kiosk-[3:6]"], vars: { site: attic }, ssh: { user: admin } }
devices:
  kiosk-4: { ssh: { user: pi }, site: north }
"#), @r"
    kiosks.yaml:4:52: groups.old.vars.site: group `old` says otherwise than group `north` on line 3, and kiosk-3 is in both
      hint: say it on the devices themselves under `devices:`, or let the groups agree
    kiosks.yaml:4:74: groups.old.ssh.user: group `old` says otherwise than group `north` on line 3, and kiosk-3 is in both
      hint: say it on the devices themselves under `devices:`, or let the groups agree
    ");
}

#[test]
fn an_api_without_tls() {
    insta::assert_snapshot!(told("
migos: 1
balena: { fleet: acme/kiosks, api: http://api.example.org }
devices: { kiosk-1: }
"), @r#"
    kiosks.yaml:2:36: balena.api: "http://api.example.org" is not a safe address: the token would travel in the clear
      hint: write https:// instead of http://; only this computer itself may be asked over http
    "#);
    insta::assert_snapshot!(told("
migos: 1
balena: { api: 'https://admin:5up3rs3cret@api.example.org' }
devices: { kiosk-1: }
"), @r"
    kiosks.yaml:2:16: balena.api: an API address has no user or password
      hint: write it as https://api.example.org, and the token under `token:`
    ");
}

#[test]
fn fleets_without_their_organisation() {
    insta::assert_snapshot!(told("
migos: 1
balena: { fleet: kiosks }
devices: { kiosk-1: { balena: { fleet: https://dashboard.balena-cloud.com/fleets/1 } } }
"), @r#"
    kiosks.yaml:2:18: balena.fleet: "kiosks" is not a balena fleet
      hint: write it as organisation/fleet, such as acme/kiosks
    kiosks.yaml:3:40: devices.kiosk-1.balena.fleet: "https://dashboard.balena-cloud.com/fleets/1" is not a balena fleet
      hint: write it as organisation/fleet, such as acme/kiosks
    "#);
}

#[test]
fn what_this_version_does_not_do() {
    insta::assert_snapshot!(told("
migos: 1
data: [/home/pi/media]
defaults: { ssh: { jump: ops@bastion.example.org, agent: true }, data: no, handover: attendet }
devices: { kiosk-1: }
"), @r###"
    kiosks.yaml:2:7: data: expected `none` or `keep`, found a list
      hint: write `data: none` if nothing on the cards is needed, or what is: `data: { keep: [/home/pi/photos] }`
    kiosks.yaml:3:72: defaults.data: expected `none` or `keep`, found text "no"
      hint: write `data: none` if nothing on the cards is needed, or what is: `data: { keep: [/home/pi/photos] }`
    kiosks.yaml:3:86: defaults.handover: expected `attended` or `call-home` or `unattended`, found text "attendet"
      hint: did you mean `attended`?
    "###);
}

#[test]
fn no_devices() {
    insta::assert_snapshot!(told("migos: 1\n"), @r"
    kiosks.yaml:1:1: the inventory names no device
      hint: list devices under `devices:`, or in a group: `groups: { lab: { devices: [pi-1] } }`
    ");
    insta::assert_snapshot!(told("migos: 1\ngroups: { north: { devices: [] }, south: }\n"), @r"
    kiosks.yaml:2:35: groups.south: the key `devices` is missing
      hint: write `devices: [pi-1, pi-2]`, or `devices: []` while the group is empty
    ");
}

#[test]
fn names_that_mislead() {
    insta::assert_snapshot!(told("
migos: 1
groups:
  all: { devices: [kiosk-1] }
  lab: { devices: [bench 1, lab, 7, \"\"] }
devices:
  ../../etc/passwd: { host: 10.0.0.1 }
"), @r#"
    kiosks.yaml:3:3: groups.all: "all" is not a free name
      hint: `all` always means every device; choose another name
    kiosks.yaml:4:20: groups.lab.devices[0]: "bench 1" is not a device name
      hint: a name has letters, digits, `.`, `_` and `-`, starts with a letter or digit and has at most 64 characters
    kiosks.yaml:4:29: groups.lab.devices[1]: `lab` is also the name of a group, on line 4
      hint: rename one of them, so that a pattern says which is meant
    kiosks.yaml:4:34: groups.lab.devices[2]: expected a device name, found number 7
      hint: put it in quotes: "7"
    kiosks.yaml:4:37: groups.lab.devices[3]: expected a device name, found an empty text
    kiosks.yaml:6:3: devices.../../etc/passwd: "../../etc/passwd" is not a device name
      hint: a name has letters, digits, `.`, `_` and `-`, starts with a letter or digit and has at most 64 characters
    "#);
}

#[test]
fn values_of_the_wrong_kind() {
    insta::assert_snapshot!(told("
migos: 1
images: [rpi3.img]
payloads: { path: payloads/ }
defaults: pi
groups:
  north: { devices: kiosk-1 }
devices:
  - kiosk-2
"), @r###"
    kiosks.yaml:2:9: images: expected a mapping, found a list
    kiosks.yaml:3:11: payloads: expected the path of a folder or file, found a mapping
    kiosks.yaml:4:11: defaults: expected a mapping, found text "pi"
    kiosks.yaml:6:21: groups.north.devices: expected a list of devices, found text "kiosk-1"
      hint: put it in brackets: ["kiosk-1"]
    kiosks.yaml:8:3: devices: expected a mapping, found a list
      hint: write each device as a key: `pi-1: { host: 10.0.0.1 }`, or `pi-2:` alone
    "###);
    insta::assert_snapshot!(told("
migos: 1
images: { Raspberry Pi 3: rpi3.img, raspberrypi4-64: }
policy: 7
devices:
  kiosk-1: { host: 10.0, hold: true, ssh: { host_keys: acceptnew, user: pi@x }, site: '' }
  kiosk-2: { hold: , site: a, vars: { site: b } }
"), @r#"
    kiosks.yaml:2:11: images.Raspberry Pi 3: "Raspberry Pi 3" is not a balena device type
      hint: write balena's own name for the board, such as raspberrypi3 or raspberrypi4-64
    kiosks.yaml:2:37: images.raspberrypi4-64: expected the path of an image, found nothing
    kiosks.yaml:3:9: policy: expected a policy: its name, a path or a mapping, found number 7
      hint: put it in quotes: "7"
    kiosks.yaml:5:20: devices.kiosk-1.host: expected a host name or address, found number 10.0
      hint: put it in quotes: "10.0"
    kiosks.yaml:5:32: devices.kiosk-1.hold: expected the reason why the device is left out, found true
      hint: write why: `hold: "screen being replaced, ask the site"`
    kiosks.yaml:5:56: devices.kiosk-1.ssh.host_keys: expected `accept-new` or `strict`, found text "acceptnew"
      hint: did you mean `accept-new`?
    kiosks.yaml:5:73: devices.kiosk-1.ssh.user: "pi@x" is not a user name
      hint: write only the name of the user, such as pi
    kiosks.yaml:5:87: devices.kiosk-1.site: expected a site name, found an empty text
    kiosks.yaml:6:14: devices.kiosk-2.hold: expected the reason why the device is left out, found nothing
      hint: write why: `hold: "screen being replaced, ask the site"`
    kiosks.yaml:6:45: devices.kiosk-2.vars.site: `site` on line 6 says another site
      hint: keep one of the two
    "#);
}

#[test]
fn yaml_that_spreads_values_around() {
    insta::assert_snapshot!(told("
migos: 1
defaults: &all { ssh: { user: pi } }
groups:
  north: { devices: [kiosk-1], ssh: *all }
devices:
  kiosk-2:
    <<: *all
"), @r"
    kiosks.yaml:4:37: groups.north.ssh: aliases (`*name`) are not supported
      hint: write the value out, or put it in quotes if it is meant as text
    kiosks.yaml:7:5: devices.kiosk-2.<<: merge keys are not supported
      hint: write the keys out here
    ");
}
