//! Inventories as a user meets them: begun, made of a table, laid over each other, explained and checked.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use migos_tests::fleet::{Ended, Home};
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;

const SETTINGS: &str = "\
migos: 1
balena: { fleet: acme/kiosks }
payloads: payloads/
images: { raspberrypi3: images/3.img }
policy: slow.yaml
defaults: { ssh: { user: admin, identity: keys/fleet } }
";

const NORTH: &str = "\
migos: 1
data: none
groups: { north: { devices: [\"kiosk-[1:4]\"], site: north } }
devices: { kiosk-1: { host: 10.0.0.1 } }
";

const SOUTH: &str = "\
migos: 1
data: none
groups: { south: { devices: [kiosk-7], site: south, ssh: { user: south } } }
devices: { kiosk-1: { host: 10.0.0.9 } }
";

fn home(files: &[(&str, &str)]) -> Home {
    Home::with(files).unwrap()
}

/// What it printed, and its exit code.
fn said(ended: &Ended) -> String {
    format!("{:?}\n{}{}", ended.code, ended.stdout, ended.stderr)
}

fn told(home: &Home, args: &[&str]) -> String {
    said(&home.run(args).unwrap())
}

#[test]
fn several_inventories_are_one_fleet_and_settings_lie_below_them() {
    let home = home(&[("migos.yaml", SETTINGS), ("north.yaml", NORTH), ("south.yaml", SOUTH)]);
    insta::assert_snapshot!(told(&home, &["inventory", "north.yaml", "south.yaml"]), @r###"
    Some(0)
     device    address          groups   site    balena fleet   data   held
    ────────────────────────────────────────────────────────────────────────
     kiosk-1   admin@10.0.0.9   north    north   acme/kiosks    none
     kiosk-2   admin@kiosk-2    north    north   acme/kiosks    none
     kiosk-3   admin@kiosk-3    north    north   acme/kiosks    none
     kiosk-4   admin@kiosk-4    north    north   acme/kiosks    none
     kiosk-7   south@kiosk-7    south    south   acme/kiosks    none
    ────────────────────────────────────────────────────────────────────────
    5 devices, 0 held: kiosk-[1-4,7]
    "###);
    insta::assert_snapshot!(told(&home, &["inventory", "north.yaml", "south.yaml", "--fold"]), @r###"
    Some(0)
     devices       of them   user    groups   site    balena fleet   data   held
    ─────────────────────────────────────────────────────────────────────────────
     kiosk-[1-4]         4   admin   north    north   acme/kiosks    none
     kiosk-7             1   south   south    south   acme/kiosks    none
    ─────────────────────────────────────────────────────────────────────────────
    5 devices, 0 held: kiosk-[1-4,7]
    "###);
}

#[test]
fn each_setting_is_explained() {
    let home = home(&[("migos.yaml", SETTINGS), ("north.yaml", NORTH), ("south.yaml", SOUTH)]);
    let args = ["inventory", "north.yaml", "south.yaml", "--explain"];
    insta::assert_snapshot!(told(&home, &[&args[..], &["kiosk-1"]].concat()), @r###"
    Some(0)
    kiosk-1
      host                 10.0.0.9                      south.yaml:4:29, device
                           instead of 10.0.0.1           north.yaml:4:29, device
                           instead of kiosk-1            built in
      site                 north                         north.yaml:3:52, group north
      ssh.user             admin                         migos.yaml:6:26, defaults
                           instead of pi                 built in
      ssh.port             22                            built in
      ssh.identity         keys/fleet                    migos.yaml:6:43, defaults
      ssh.host_keys        accept-new                    built in
      balena.fleet         acme/kiosks                   migos.yaml:2:18, the top level
      images.raspberrypi3  images/3.img                  migos.yaml:4:25, the top level
      data                 none                          south.yaml:2:7, the top level
                           instead of none               north.yaml:2:7, the top level
      handover             attended                      built in
      balena.api           https://api.balena-cloud.com  built in
      payloads             payloads/                     migos.yaml:3:11, the top level
      policy               slow.yaml                     migos.yaml:5:9, the top level
    "###);
    insta::assert_snapshot!(told(&home, &[&args[..], &["kiosk-77"]].concat()), @r###"
    Some(2)
    error: no device is called "kiosk-77"
    hint: did you mean `kiosk-7`?
    "###);
    let json = home.run(&[&args[..], &["kiosk-7", "--format", "json"]].concat()).unwrap().stdout;
    let json: Value = serde_json::from_str(&json).unwrap();
    let user = json["settings"].as_array().unwrap().iter().find(|it| it["key"] == "ssh.user");
    insta::assert_snapshot!(serde_json::to_string_pretty(&user).unwrap(), @r###"
    {
      "hides": [
        {
          "origin": {
            "file": "migos.yaml",
            "layer": "defaults",
            "place": {
              "column": 26,
              "line": 6
            }
          },
          "value": "admin"
        },
        {
          "origin": {
            "file": null,
            "layer": "built in",
            "place": null
          },
          "value": "pi"
        }
      ],
      "key": "ssh.user",
      "origin": {
        "file": "south.yaml",
        "layer": "group south",
        "place": {
          "column": 66,
          "line": 3
        }
      },
      "value": "south"
    }
    "###);
}

#[test]
fn settings_of_a_person_are_below_those_of_a_project() {
    let home = home(&[
        ("project/migos.yaml", "migos: 1\ndefaults: { ssh: { user: project } }\n"),
        ("project/kiosks.yaml", "migos: 1\ndevices: { pi-1: }\n"),
        (
            "config/migos/fleet.yaml",
            "migos: 1\nimages: { raspberrypi3: 3.img }\ndefaults: { ssh: { user: me, port: 2222 } }\n",
        ),
    ]);
    let config = home.path().join("config").display().to_string();
    let args = ["inventory", "project/kiosks.yaml", "--explain", "pi-1"];
    let process = home.start_with(&args, &[("XDG_CONFIG_HOME", &config)]).unwrap();
    let told = process.end().unwrap().stdout.replace(&config, "CONFIG");
    let words = told.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    insta::assert_snapshot!(words.collect::<Vec<_>>().join("\n"), @r###"
    pi-1
    host pi-1 built in
    ssh.user project project/migos.yaml:2:26, defaults
    instead of me CONFIG/migos/fleet.yaml:3:26, defaults
    instead of pi built in
    ssh.port 2222 CONFIG/migos/fleet.yaml:3:36, defaults
    instead of 22 built in
    ssh.host_keys accept-new built in
    images.raspberrypi3 CONFIG/migos/3.img CONFIG/migos/fleet.yaml:2:25, the top level
    handover attended built in
    balena.api https://api.balena-cloud.com built in
    "###);
}

#[test]
fn what_is_wrong_with_settings_is_told_with_their_file() {
    let home = home(&[
        ("migos.yaml", "migos: 1\npolcy: swift\ndevices: { pi-9: }\n"),
        ("kiosks.yaml", "migos: 1\ndevices: { pi-1: { hots: 10.0.0.1 } }\n"),
    ]);
    insta::assert_snapshot!(told(&home, &["inventory", "kiosks.yaml"]), @r###"
    Some(3)
    error: the inventory has 3 problems
    kiosks.yaml:2:20: devices.pi-1.hots: unknown key
      hint: did you mean `host`?
    migos.yaml:2:1: polcy: unknown key
      hint: did you mean `policy`?
    migos.yaml:3:1: devices: a file of settings names no devices
      hint: write them in the inventory
    "###);
    home.write("migos.yaml", "policy: swift\n").unwrap();
    insta::assert_snapshot!(told(&home, &["inventory", "kiosks.yaml"]), @r###"
    Some(3)
    error: the inventory has 2 problems
    kiosks.yaml:2:20: devices.pi-1.hots: unknown key
      hint: did you mean `host`?
    migos.yaml:1:1: `migos: 1` is missing, so this is no file in the native form
      hint: write `migos: 1` as the first line
    "###);
}

#[test]
fn a_check_tells_what_is_likely_not_meant() {
    let home = home(&[("migos.yaml", SETTINGS), ("north.yaml", NORTH), ("south.yaml", SOUTH)]);
    insta::assert_snapshot!(told(&home, &["inventory", "north.yaml", "--check", "--strict"]), @r###"
    Some(0)
    nothing found: 4 devices, 1 group
    "###);
    let both = ["inventory", "north.yaml", "south.yaml", "--check", "--strict"];
    insta::assert_snapshot!(told(&home, &both), @r###"
    Some(6)
    north.yaml:4:29: `host` is 10.0.0.1 here, and 10.0.0.9 in south.yaml:4:29, device
      hint: the file that is named later counts; keep one of the two
    1 finding
    "###);
    let json = home.run(&[&both[..], &["--format", "json"]].concat()).unwrap();
    assert_eq!(json.code, Some(6));
    let json: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json["findings"][0]["kind"], "shadowed");
}

#[test]
fn devices_that_are_one_are_refused_across_files() {
    let twin = "migos: 1\ndevices: { pi-7: { host: 10.0.0.1 } }\n";
    let home = home(&[("north.yaml", NORTH), ("twin.yaml", twin)]);
    insta::assert_snapshot!(told(&home, &["inventory", "north.yaml", "twin.yaml"]), @r###"
    Some(3)
    error: the inventories have 1 problem
    twin.yaml:2:26: devices.pi-7.host: `kiosk-1` on line 4 of north.yaml has the same address, 10.0.0.1 port 22
      hint: give each device its own `host:`, or remove one of the two
    "###);
}

#[test]
fn a_project_is_begun_and_nothing_is_overwritten() {
    let home = Home::new().unwrap();
    insta::assert_snapshot!(told(&home, &["init", "fleet"]), @r###"
    Some(0)
    Written: inventory.yaml, policy.yaml, README.md, .gitignore and schemas/ in fleet
    Look at it:   migos-fleet inventory fleet/inventory.yaml --check
    Next steps:   fleet/README.md
    "###);
    insta::assert_snapshot!(told(&home, &["inventory", "fleet/inventory.yaml", "--check"]), @r###"
    Some(0)
    nothing is said of the data of kiosk-[001-002]
      hint: write `data: none` if nothing on the cards is needed, or what is kept: docs/data.md
    no image is named for kiosk-[001-002]
      hint: get one with `migos-fleet image fetch`, and name it under `images:`
    no payloads are named
      hint: build them with `migos-fleet payload build`, and name their folder: `payloads: payloads/`
    3 findings
    "###);
    insta::assert_snapshot!(told(&home, &["policy", "check", "fleet/policy.yaml"]), @r###"
    Some(0)
    fleet/policy.yaml: nothing is wrong with it
    "###);
    home.write("fleet/inventory.yaml", "mine").unwrap();
    insta::assert_snapshot!(told(&home, &["init", "fleet"]), @r###"
    Some(3)
    error: fleet/inventory.yaml is there already, and nothing was written
    hint: name another folder, or move the file away: migos-fleet init DIR
    "###);
    assert_eq!(home.read("fleet/inventory.yaml").unwrap(), "mine");
}

#[test]
fn a_table_becomes_an_inventory() {
    let table =
        "Gerät;IP;Standort;Preis\r\nKiosk Süd 1;10.0.0.1;Köln;1,50\r\nkiosk-2;10.0.0.2;Köln;2\r\n";
    let home = home(&[("kiosks.csv", table)]);
    insta::assert_snapshot!(told(&home, &["init", "fleet", "--from-csv", "kiosks.csv", "--map", "Preis="]), @r###"
    Some(0)
    Columns
      Gerät → name
      IP → host
      Standort → site
      Preis → left out, as told
      another key: --map COLUMN=KEY; leave one out: --map COLUMN=
    note: 1 name has other characters than a device's name may have, and was written otherwise; as it was it stands under `vars: { label: … }`
    2 devices

    Written: inventory.yaml, policy.yaml, README.md, .gitignore and schemas/ in fleet
    Look at it:   migos-fleet inventory fleet/inventory.yaml --check
    Next steps:   fleet/README.md
    "###);
    insta::assert_snapshot!(home.read("fleet/inventory.yaml").unwrap(), @r###"
    # yaml-language-server: $schema=schemas/inventory.schema.json
    # Made of kiosks.csv by migos-fleet.
    migos: 1
    policy: policy.yaml
    balena: { token: { env: BALENA_TOKEN } }   # and fleet: organisation/name
    # payloads: payloads/                     # see `migos-fleet payload build`
    # images: { raspberrypi3: images/… }       # see `migos-fleet image fetch`
    # data: none                              # if nothing on the cards is needed; see docs/data.md
    defaults: { site: Köln }
    devices:
      kiosk-sued-1: { host: 10.0.0.1, vars: { label: Kiosk Süd 1 } }
      kiosk-2: { host: 10.0.0.2 }
    "###);
    insta::assert_snapshot!(told(&home, &["inventory", "fleet/inventory.yaml"]), @r###"
    Some(0)
     device         address       groups   site   balena fleet   data       held
    ─────────────────────────────────────────────────────────────────────────────
     kiosk-sued-1   pi@10.0.0.1            Köln                  not said
     kiosk-2        pi@10.0.0.2            Köln                  not said
    ─────────────────────────────────────────────────────────────────────────────
    2 devices, 0 held: kiosk-sued-1, kiosk-2
    "###);
}

#[test]
fn a_table_with_mistakes_makes_nothing() {
    let home = home(&[("kiosks.csv", "name,ip\npi-1,10.0.0.1\npi-1,10.0.0\u{7}.2\npi-3,a b\n")]);
    insta::assert_snapshot!(told(&home, &["init", "fleet", "--from-csv", "kiosks.csv"]), @r###"
    Some(3)
    error: the table has 3 problems
    kiosks.csv:3:1: the device pi-1 stands on line 2, too
      hint: remove one of the two rows, or correct it
    kiosks.csv:3:2: ip: "10.0.0 .2" is not a host name or address
      hint: write a name such as kiosk-042.example.org or an address such as 10.1.4.42
    kiosks.csv:4:2: ip: "a b" is not a host name or address
      hint: write a name such as kiosk-042.example.org or an address such as 10.1.4.42
    hint: places are the line of the file and the number of the cell in it
    "###);
    assert!(!home.path().join("fleet").exists());
    insta::assert_snapshot!(told(&home, &["init", "fleet", "--from-csv", "kiosks.csv", "--map", "ip"]), @r###"
    Some(2)
    error: --map ip names no key
    hint: write --map COLUMN=KEY, such as --map Standort=site
    "###);
}

#[test]
fn the_environment_says_what_no_flag_does() {
    let home = home(&[("kiosks.yaml", NORTH)]);
    let plan = ["plan", "kiosks.yaml"];
    let of = |name: &str, value: &str| {
        said(&home.start_with(&plan, &[(name, value)]).unwrap().end().unwrap())
    };
    insta::assert_snapshot!(of("MIGOS_PARALLEL", "many"), @r###"
    Some(2)
    error: the variable MIGOS_PARALLEL holds no number from 1 to 10000
    hint: unset it with: unset MIGOS_PARALLEL
    "###);
    insta::assert_snapshot!(of("MIGOS_POLICY", "nowhere.yaml"), @r###"
    Some(3)
    error: failed to read the policy ./nowhere.yaml
    because: No such file or directory (os error 2)
    hint: name a file, or a shipped policy: careful, steady, swift, one-by-one
    "###);
}

const ANSIBLE: &str = "\
all:
  vars: { ansible_user: admin, migos_data: none }
  children:
    north: { hosts: { \"kiosk-[1:2]\": { ansible_host: 10.0.0.1 } }, vars: { migos_sit: north } }
    south: { hosts: { kiosk-3: , kiosk-1: { ansible_host: 10.0.0.3 } } }
    empty: {}
";

#[test]
fn ansible_inventories_are_explained_and_checked_like_native_ones() {
    let home = home(&[
        ("prod/hosts.yml", ANSIBLE),
        (
            "prod/migos.yaml",
            "migos: 1\nbalena: { fleet: acme/kiosks }\nimages: { raspberrypi3: 3.img }\n",
        ),
        ("prod/group_vars/north.yml", "migos_site: north\nansible_user: north\n"),
        ("prod/group_vars/south/a.yml", "migos_site: somewhere\n"),
        ("prod/group_vars/south/b.yml", "migos_site: south\n"),
        ("prod/group_vars/south/.c.yml", "migos_site: hidden\n"),
        ("prod/host_vars/kiosk-3", "migos_serial: 00000000765FC593\nansible_port: \"2222\"\n"),
    ]);
    insta::assert_snapshot!(told(&home, &["inventory", "prod/hosts.yml"]), @r###"
    Some(0)
     device    address              groups         site    balena fleet   data   held
    ──────────────────────────────────────────────────────────────────────────────────
     kiosk-1   north@10.0.0.3       north, south   south   acme/kiosks    none
     kiosk-2   north@10.0.0.1       north          north   acme/kiosks    none
     kiosk-3   admin@kiosk-3:2222   south          south   acme/kiosks    none
    ──────────────────────────────────────────────────────────────────────────────────
    3 devices, 0 held: kiosk-[1-3]
    note: prod/hosts.yml:4:87: all.children.north.vars.migos_sit: `migos_sit` is no setting, and left out (did you mean `migos_site`?)
    "###);
    insta::assert_snapshot!(told(&home, &["inventory", "prod", "--explain", "kiosk-1"]), @r###"
    Some(0)
    kiosk-1
      host                 10.0.0.3                      prod/hosts.yml:5:59, device
                           instead of kiosk-1            built in
      site                 south                         prod/group_vars/south/b.yml:1:13, group south
                           instead of somewhere          prod/group_vars/south/a.yml:1:13, group south
                           instead of north              prod/group_vars/north.yml:1:13, group north
      ssh.user             north                         prod/group_vars/north.yml:2:15, group north
                           instead of admin              prod/hosts.yml:2:25, group all
                           instead of pi                 built in
      ssh.port             22                            built in
      ssh.host_keys        accept-new                    built in
      balena.fleet         acme/kiosks                   prod/migos.yaml:2:18, the top level
      images.raspberrypi3  3.img                         prod/migos.yaml:3:25, the top level
      data                 none                          prod/hosts.yml:2:44, group all
      handover             attended                      built in
      balena.api           https://api.balena-cloud.com  built in
    note: prod/hosts.yml:4:87: all.children.north.vars.migos_sit: `migos_sit` is no setting, and left out (did you mean `migos_site`?)
    "###);
    insta::assert_snapshot!(told(&home, &["inventory", "prod/hosts.yml", "--check"]), @r###"
    Some(0)
    prod/hosts.yml:4:87: all.children.north.vars.migos_sit: `migos_sit` is no setting, and left out
      hint: did you mean `migos_site`?
    prod/hosts.yml:6:5: the group `empty` has no devices
      hint: name its devices, or remove it
    no payloads are named
      hint: build them with `migos-fleet payload build`, and name their folder: `payloads: payloads/`
    3 findings
    "###);
}

#[test]
fn what_only_ansible_can_read_is_read_through_it() {
    let listed = r#"{"_meta": {"hostvars": {"pi-1": {"ansible_host": "10.0.0.1", "migos_data": "none"}}}, "north": {"hosts": ["pi-1"]}}"#;
    let home =
        home(&[("hosts.ini", "[north]\npi-1 ansible_host=10.0.0.1\n"), ("listed.json", listed)]);
    insta::assert_snapshot!(told(&home, &["inventory", "hosts.ini"]), @r###"
    Some(3)
    error: the inventory has 1 problem
    hosts.ini:1:1: this is neither in the native form (`migos: 1`) nor a YAML or JSON inventory of Ansible
      hint: let Ansible write it out: `ansible-inventory -i hosts.ini --list | migos-fleet … -`
    "###);
    // A stand-in that says what Ansible's own program would.
    let script =
        "#!/bin/sh\n[ \"$*\" = '-i hosts.ini --list' ] && exec cat listed.json\nexec echo no >&2\n";
    home.write("bin/ansible-inventory", script).unwrap();
    let program = home.path().join("bin/ansible-inventory");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/bin:/bin", home.path().join("bin").display());
    let process = home.start_with(&["inventory", "hosts.ini"], &[("PATH", &path)]).unwrap();
    insta::assert_snapshot!(said(&process.end().unwrap()), @r###"
    Some(0)
     device   address       groups   site   balena fleet   data   held
    ───────────────────────────────────────────────────────────────────
     pi-1     pi@10.0.0.1   north                          none
    ───────────────────────────────────────────────────────────────────
    1 device, 0 held: pi-1
    "###);
}
