//! What the program says when something is wrong: stdout, stderr and exit code together.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use migos_lab::Pace;
use migos_tests::fleet::{Bench, Ended, Home};

/// What a command prints and how it ends. Folders and addresses of this computer are replaced.
fn told(home: &Home, args: &[&str]) -> String {
    let Ended { code, stdout, stderr } = home.run(args).unwrap();
    let code = code.map_or("killed".to_owned(), |code| code.to_string());
    let mut text = format!("exit code {code}\n");
    for (stream, said) in [("stdout", stdout), ("stderr", stderr)] {
        if !said.is_empty() {
            text += &format!("----- {stream}\n{said}");
        }
    }
    text.replace(home.path().to_str().unwrap(), "[HOME]")
}

/// What is said about an inventory.
fn inventory(content: impl AsRef<[u8]>) -> String {
    let home = Home::new().unwrap();
    home.write("kiosks.yaml", content).unwrap();
    told(&home, &["inventory", "kiosks.yaml"])
}

/// A lab with one device, and its inventory with something changed in it.
fn lab_with(from: &str, to: &str) -> Bench {
    let bench = Bench::start(1, "", Pace::test()).unwrap();
    let text = bench.home.read("lab/inventory.yaml").unwrap();
    assert!(text.contains(from), "{from:?} is not in the lab's inventory:\n{text}");
    bench.home.write("lab/inventory.yaml", text.replace(from, to)).unwrap();
    bench
}

#[test]
fn an_inventory_with_a_mistyped_key() {
    insta::assert_snapshot!(inventory("migos: 1\ndevcies:\n  kiosk-1: { host: 10.0.0.1 }\n"), @r"
    exit code 3
    ----- stderr
    error: the inventory has 1 problem
    kiosks.yaml:2:1: devcies: unknown key
      hint: did you mean `devices`?
    ");
}

#[test]
fn an_inventory_that_ends_too_early() {
    insta::assert_snapshot!(inventory("migos: 1\ndevices: { kiosk-1: { host: 10.0.0.1 }\n"), @r"
    exit code 3
    ----- stderr
    error: the inventory has 1 problem
    kiosks.yaml:3:1: a mapping in braces is not finished
      hint: separate the entries with `,` and close the mapping with `}`
    ");
}

#[test]
fn an_empty_inventory() {
    insta::assert_snapshot!(inventory(""), @r###"
    exit code 3
    ----- stderr
    error: the inventory has 1 problem
    kiosks.yaml:1:1: the inventory is empty
      hint: write `migos: 1` as the first line, then the devices under `groups:` and `devices:`
    "###);
}

#[test]
fn an_inventory_that_is_no_text() {
    insta::assert_snapshot!(inventory(b"\x1f\x8b\x08\xff\xfe"), @r"
    exit code 3
    ----- stderr
    error: failed to read the inventory kiosks.yaml
    because: stream did not contain valid UTF-8
    ");
}

#[test]
fn an_ansible_inventory() {
    insta::assert_snapshot!(inventory("all:\n  hosts:\n    kiosk-1: { ansible_host: 10.0.0.1 }\n"), @r###"
    exit code 0
    ----- stdout
     device    address       groups      site   balena fleet   data       held
    ───────────────────────────────────────────────────────────────────────────
     kiosk-1   pi@10.0.0.1   ungrouped                         not said
    ───────────────────────────────────────────────────────────────────────────
    1 device, 0 held: kiosk-1
    "###);
}

#[test]
fn an_ini_inventory() {
    insta::assert_snapshot!(inventory("[kiosks]\nkiosk-[01:20] ansible_user=pi\n"), @r###"
    exit code 3
    ----- stderr
    error: the inventory has 1 problem
    kiosks.yaml:1:1: this is neither in the native form (`migos: 1`) nor a YAML or JSON inventory of Ansible
      hint: let Ansible write it out: `ansible-inventory -i kiosks.yaml --list | migos-fleet … -`
    "###);
}

#[test]
fn an_inventory_with_a_token_in_it() {
    let said = inventory(
        "migos: 1\nbalena: { fleet: acme/kiosks, token: 0a1b2c3d4e5f }\ndevices: { kiosk-1: }\n",
    );
    assert!(!said.contains("0a1b2c3d4e5f"), "{said}");
    insta::assert_snapshot!(said, @r"
    exit code 3
    ----- stderr
    error: the inventory has 1 problem
    kiosks.yaml:2:38: balena.token: a secret cannot stand in the inventory; say where it is found
      hint: write { env: BALENA_TOKEN } or { file: path/of/a/file }
    ");
}

#[test]
fn an_inventory_with_many_mistakes() {
    insta::assert_snapshot!(inventory(r#"migos: 1
balena: { fleet: kiosks }
defaults: { ssh: { user: "pi ", port: ssh } }
groups:
  north: { devices: ["kiosk-[1:3]", "kiosk-[3:1]"], children: [attic] }
devices:
  kiosk-2: { hold: yes, serial: 765fc593 }
"#), @r#"
    exit code 3
    ----- stderr
    error: the inventory has 6 problems
    kiosks.yaml:2:18: balena.fleet: "kiosks" is not a balena fleet
      hint: write it as organisation/fleet, such as acme/kiosks
    kiosks.yaml:3:26: defaults.ssh.user: "pi " is not a user name
      hint: write only the name of the user, such as pi
    kiosks.yaml:3:39: defaults.ssh.port: expected a number between 1 and 65535, found text "ssh"
    kiosks.yaml:5:37: groups.north.devices[1]: "kiosk-[3:1]": `3:1` ends before it begins
      hint: write the lower end first
    kiosks.yaml:5:53: groups.north.children: the native form has no groups within groups
      hint: list the devices of the group: `devices: [pi-1, pi-2]`
    kiosks.yaml:7:33: devices.kiosk-2.serial: "765fc593" is not a serial number
      hint: copy the 16 hexadecimal digits that `cat /proc/device-tree/serial-number` prints on the device
    "#);
}

#[test]
fn an_inventory_with_two_devices_at_one_address() {
    insta::assert_snapshot!(inventory(
        "migos: 1\ndevices:\n  kiosk-1: { host: 10.0.0.1 }\n  kiosk-2: { host: 10.0.0.1 }\n"
    ), @r"
    exit code 3
    ----- stderr
    error: the inventory has 1 problem
    kiosks.yaml:4:20: devices.kiosk-2.host: `kiosk-1` on line 3 has the same address, 10.0.0.1 port 22
      hint: give each device its own `host:`, or remove one of the two
    ");
}

#[test]
fn an_inventory_from_a_program_that_printed_nothing() {
    let home = Home::new().unwrap();
    insta::assert_snapshot!(told(&home, &["inventory", "-"]), @r###"
    exit code 3
    ----- stderr
    error: the inventory has 1 problem
    -:1:1: the inventory is empty
      hint: write `migos: 1` as the first line, then the devices under `groups:` and `devices:`
    "###);
}

#[test]
fn an_inventory_that_is_not_there() {
    let home = Home::new().unwrap();
    insta::assert_snapshot!(told(&home, &["inventory", "kiosks.yaml"]), @r"
    exit code 3
    ----- stderr
    error: failed to read the inventory kiosks.yaml
    because: No such file or directory (os error 2)
    ");
    insta::assert_snapshot!(told(&home, &["migrate", "."]), @r###"
    exit code 3
    ----- stderr
    error: the folder . holds no inventory
    hint: write one into it: `migos-fleet init DIR` makes a first one
    "###);
}

#[test]
fn a_pattern_that_matches_nothing() {
    let home = Home::new().unwrap();
    let text = "migos: 1\ngroups:\n  north: { devices: [\"kiosk-[01:20]\"] }\n";
    home.write("kiosks.yaml", text).unwrap();
    insta::assert_snapshot!(told(&home, &["inventory", "kiosks.yaml", "-l", "nroth"]), @r"
    exit code 2
    ----- stderr
    error: `nroth` matches no device and no group
    hint: did you mean `north`?
    ");
    insta::assert_snapshot!(told(&home, &["inventory", "kiosks.yaml", "-l", "north:!kiosk-01"]), @r###"
    exit code 0
    ----- stdout
     device     address       groups   site   balena fleet   data       held
    ─────────────────────────────────────────────────────────────────────────
     kiosk-02   pi@kiosk-02   north                          not said
     kiosk-03   pi@kiosk-03   north                          not said
     kiosk-04   pi@kiosk-04   north                          not said
     kiosk-05   pi@kiosk-05   north                          not said
     kiosk-06   pi@kiosk-06   north                          not said
     kiosk-07   pi@kiosk-07   north                          not said
     kiosk-08   pi@kiosk-08   north                          not said
     kiosk-09   pi@kiosk-09   north                          not said
     kiosk-10   pi@kiosk-10   north                          not said
     kiosk-11   pi@kiosk-11   north                          not said
     kiosk-12   pi@kiosk-12   north                          not said
     kiosk-13   pi@kiosk-13   north                          not said
     kiosk-14   pi@kiosk-14   north                          not said
     kiosk-15   pi@kiosk-15   north                          not said
     kiosk-16   pi@kiosk-16   north                          not said
     kiosk-17   pi@kiosk-17   north                          not said
     kiosk-18   pi@kiosk-18   north                          not said
     kiosk-19   pi@kiosk-19   north                          not said
     kiosk-20   pi@kiosk-20   north                          not said
    ─────────────────────────────────────────────────────────────────────────
    19 devices, 0 held: kiosk-[02-20]
    "###);
    insta::assert_snapshot!(told(&home, &["plan", "kiosks.yaml", "--limit", "kiosk-[01:20"]), @r"
    exit code 2
    ----- stderr
    error: `kiosk-[01:20` cannot be written out as names
    because: the brackets `[` and `]` do not match
    hint: close every `[` with one `]`, as in kiosk-[001:060]
    ");
}

#[test]
fn a_run_that_there_is_not() {
    let home = Home::new().unwrap();
    insta::assert_snapshot!(told(&home, &["status"]), @r"
    exit code 2
    ----- stderr
    error: there is no run in runs
    hint: begin one with: migos-fleet migrate INVENTORY
    ");
    insta::assert_snapshot!(told(&home, &["status", "7f3a2c-01"]), @r"
    exit code 2
    ----- stderr
    error: there is no run 7f3a2c-01 in runs
    hint: give the folder of the runs with --runs
    ");
    insta::assert_snapshot!(told(&home, &["resume", "../etc", "--runs", "elsewhere"]), @r"
    exit code 2
    ----- stderr
    error: there is no run ../etc in elsewhere
    hint: give the folder of the runs with --runs
    ");
}

#[test]
fn a_policy_with_mistakes() {
    let home = Home::new().unwrap();
    home.write("kiosks.yaml", "migos: 1\npolicy: swfit\ndevices: { kiosk-1: }\n").unwrap();
    home.write(
        "policy.yaml",
        "policy: 1\nparalel: 8\nwindow: { from: \"22:00\" }\nstages:\n  \
         - { name: canary, to: 1, gate: { tolerate: some } }\n  \
         - { name: half, to: 50%, gate: { soak: soon } }\n",
    )
    .unwrap();
    insta::assert_snapshot!(told(&home, &["plan", "kiosks.yaml"]), @r"
    exit code 3
    ----- stderr
    error: failed to read the policy [HOME]/swfit
    because: No such file or directory (os error 2)
    hint: name a file, or a shipped policy: careful, steady, swift, one-by-one
    ");
    insta::assert_snapshot!(told(&home, &["plan", "kiosks.yaml", "--policy", "policy.yaml"]), @r#"
    exit code 3
    ----- stderr
    error: the policy has 7 problems
    policy.yaml:2:1: paralel: unknown key
      hint: did you mean `parallel`?
    policy.yaml:3:9: window: a window needs `days`
    policy.yaml:3:9: window: a window needs `to`
    policy.yaml:3:9: window: a window needs `zone`
    policy.yaml:5:3: stages: the stages do not end at 100 %
      hint: give the last stage `to: 100%`
    policy.yaml:5:46: stages[0].gate.tolerate: expected a number of devices or a percentage such as 5%, found text "some"
    policy.yaml:6:42: stages[1].gate.soak: expected a length of time such as 30m, found text "soon"
    "#);
}

#[test]
fn no_payload() {
    let home = Home::new().unwrap();
    home.write("kiosks.yaml", "migos: 1\npayloads: payloads/\ndevices: { kiosk-1: }\n").unwrap();
    insta::assert_snapshot!(told(&home, &["plan", "kiosks.yaml"]), @r"
    exit code 3
    ----- stderr
    error: failed to read the payloads in [HOME]/payloads/
    because: No such file or directory (os error 2)
    hint: correct `payloads:` in the inventory
    ");
    home.write("payloads/README.txt", "nothing yet\n").unwrap();
    insta::assert_snapshot!(told(&home, &["plan", "kiosks.yaml"]), @r"
    exit code 3
    ----- stderr
    error: [HOME]/payloads/ holds no payload (*.tar.gz)
    hint: correct `payloads:` in the inventory
    ");
    home.write("payloads/migos.tar.gz", "not a tarball").unwrap();
    insta::assert_snapshot!(told(&home, &["plan", "kiosks.yaml"]), @r"
    exit code 3
    ----- stderr
    error: the payload [HOME]/payloads/migos.tar.gz cannot be used
    because: failed to read the tarball
    because: invalid gzip header
    hint: get it again: it may be damaged
    ");
}

#[test]
fn no_image() {
    let bench = lab_with("images/raspberry-pi.img", "images/other.img");
    let home = &bench.home;
    insta::assert_snapshot!(told(home, &["plan", "lab/inventory.yaml"]), @r"
    exit code 3
    ----- stderr
    error: failed to read the image manifest [HOME]/lab/images/other.img.manifest.json
    because: No such file or directory (os error 2)
    hint: every image needs its manifest beside it: migos-fleet image prepare makes both
    ");
    let manifest = home.read("lab/images/raspberry-pi.img.manifest.json").unwrap();
    home.write("lab/images/other.img.manifest.json", manifest).unwrap();
    home.write("lab/images/other.img", "cut off").unwrap();
    insta::assert_snapshot!(told(home, &["plan", "lab/inventory.yaml"]), @r"
    exit code 3
    ----- stderr
    error: the image [HOME]/lab/images/other.img cannot be used
    because: the image is damaged or another one: it has 7 bytes, SHA-256 117b4857, its manifest says 8388608 bytes, SHA-256 8eab7a8d
    ");
}

#[test]
fn no_token() {
    let bench = lab_with("{ file: token }", "{ env: BALENA_TOKEN }");
    insta::assert_snapshot!(told(&bench.home, &["plan", "lab/inventory.yaml"]), @r"
    exit code 3
    ----- stderr
    error: the variable BALENA_TOKEN is not set; it holds the balena token
    hint: read -rs BALENA_TOKEN && export BALENA_TOKEN
    ");
}

#[test]
fn a_token_that_balena_does_not_know() {
    let bench = lab_with("{ file: token }", "{ file: other }");
    bench.home.write("lab/other", "0123456789abcdef0123456789abcdef\n").unwrap();
    let said = told(&bench.home, &["plan", "lab/inventory.yaml"]);
    let api = bench.lab().api().addr().to_string();
    insta::assert_snapshot!(said.replace(&api, "[API]"), @r"
    exit code 3
    ----- stderr
    error: balena refused the token: [API] answered 401 Unauthorized to GET /actor/v1/whoami
    hint: give a named user API key of balena under `balena: { token: … }`
    ");
}

#[test]
fn nobody_there_to_confirm() {
    let bench = Bench::start(1, "", Pace::test()).unwrap();
    let args = ["migrate", "lab/inventory.yaml", "--policy", "quick.yaml"];
    let said = told(&bench.home, &args);
    // The plan comes first, but is not what this is about.
    let (code, rest) = said.split_once('\n').unwrap();
    let (_, stderr) = rest.split_once("----- stderr\n").unwrap();
    insta::assert_snapshot!(format!("{code}\n{stderr}"), @r"
    exit code 2
    probing 1 devices, 1 at a time
    1 of 1 devices answered
    error: nobody is there to confirm that 1 devices are erased
    hint: run it in a terminal, or add --yes
    ");
    assert!(bench.home.only_run().is_err(), "no run was begun");
}

#[test]
fn a_plan_that_was_changed() {
    let bench = Bench::start(1, "", Pace::test()).unwrap();
    let home = &bench.home;
    let args = ["plan", "lab/inventory.yaml", "--policy", "quick.yaml", "-o", "plan.json"];
    assert_eq!(home.run(&args).unwrap().code, Some(0));
    let plan = home.read("plan.json").unwrap();
    let migrate = ["migrate", "lab/inventory.yaml", "--yes", "--plan", "plan.json"];
    home.write("plan.json", plan.replace("\"per_site\": 8", "\"per_site\": 800")).unwrap();
    insta::assert_snapshot!(told(home, &migrate), @r"
    exit code 3
    ----- stderr
    error: the plan plan.json cannot be carried out
    because: the plan was changed after it was made: its digest is not its id
    hint: make it again with `plan -o`
    ");
    let (begin, _) = plan.split_once("\"stages\": [").unwrap();
    home.write("plan.json", begin).unwrap();
    let cut = told(home, &migrate);
    let place = cut.split(" at line ").nth(1).unwrap().lines().next().unwrap().to_owned();
    insta::assert_snapshot!(cut.replace(&place, "…"), @r"
    exit code 3
    ----- stderr
    error: the plan plan.json cannot be carried out
    because: failed to read the plan
    because: EOF while parsing a value at line …
    hint: make it again with `plan -o`
    ");
    home.write("plan.json", plan).unwrap();
    std::fs::remove_file(home.path().join("lab/images/raspberry-pi.img")).unwrap();
    insta::assert_snapshot!(told(home, &migrate), @r"
    exit code 3
    ----- stderr
    error: the image [HOME]/lab/images/raspberry-pi.img cannot be used
    because: No such file or directory (os error 2)
    ");
}

#[test]
fn a_command_line_with_mistakes() {
    let home = Home::new().unwrap();
    insta::assert_snapshot!(told(&home, &["migarte", "kiosks.yaml"]), @r"
    exit code 2
    ----- stderr
    error: unrecognized subcommand 'migarte'

      tip: some similar subcommands exist: 'image', 'migrate'

    Usage: migos-fleet [OPTIONS] <COMMAND>

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(told(&home, &["migrate"]), @r###"
    exit code 2
    ----- stderr
    error: no inventory is named
    hint: name one behind the command: migos-fleet COMMAND inventory.yaml
    hint: what `inventory = …` in ansible.cfg names is taken where none is
    "###);
    insta::assert_snapshot!(told(&home, &["plan", "kiosks.yaml", "--parallel", "0"]), @r"
    exit code 2
    ----- stderr
    error: invalid value '0' for '--parallel <N>': 0 is not in 1..=10000

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(told(&home, &["migrate", "kiosks.yaml", "--plan", "p", "-l", "all"]), @r###"
    exit code 2
    ----- stderr
    error: the argument '--plan <FILE>' cannot be used with '--limit <PATTERN>'

    Usage: migos-fleet migrate --plan <FILE> <INVENTORY>...

    For more information, try '--help'.
    "###);
}

#[test]
fn a_refusal_that_cannot_be_overruled() {
    let home = Home::new().unwrap();
    insta::assert_snapshot!(told(&home, &["plan", "kiosks.yaml", "--allow", "serial"]), @"
    exit code 2
    ----- stderr
    error: invalid value 'serial' for '--allow <NAME>'
      [possible values: system, unguarded-kernel, memory, power, dirty-boot, boot-space, pending-update, first-boot, eeprom-settings, device-mapper, root-space, no-lifeboat, card-errors, watchdog, tunnel, api-reach]

    For more information, try '--help'.
    ");
}

#[test]
fn a_mistyped_refusal() {
    let home = Home::new().unwrap();
    insta::assert_snapshot!(told(&home, &["plan", "kiosks.yaml", "--allow", "pover"]), @"
    exit code 2
    ----- stderr
    error: invalid value 'pover' for '--allow <NAME>'
      [possible values: system, unguarded-kernel, memory, power, dirty-boot, boot-space, pending-update, first-boot, eeprom-settings, device-mapper, root-space, no-lifeboat, card-errors, watchdog, tunnel, api-reach]

      tip: a similar value exists: 'power'

    For more information, try '--help'.
    ");
}
