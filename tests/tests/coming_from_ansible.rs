//! What people bring from Ansible: its configuration, lists of hosts, and inventories that were written for it alone.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use migos_lab::Pace;
use migos_tests::fleet::{Bench, Ended, Home};
use std::fs;
use std::process::Output;

const GUIDE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/ansible.md");

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

/// The same without the name of the folder, and so without columns that depend on its length.
fn without_folder(home: &Home, text: &str) -> String {
    let folder = home.path().canonicalize().unwrap().display().to_string();
    let text = text.replace(&folder, "HERE");
    let words = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    words.collect::<Vec<_>>().join("\n")
}

/// The lines that begin with one of these words, and those below them.
fn lines(text: &str, words: &[&str]) -> String {
    let mut shown = false;
    let wanted = text.lines().filter(|line| {
        if !line.trim_start().starts_with("instead of") {
            shown = words.iter().any(|word| line.trim_start().starts_with(word));
        }
        shown
    });
    wanted.collect::<Vec<_>>().join("\n")
}

const HOSTS: &str = "\
all:
  vars: { ansible_port: 2222 }
  hosts:
    kiosk-1:
    kiosk-2: { ansible_user: own, ansible_ssh_common_args: -o HashKnownHosts=yes }
";

const CFG: &str = "\
[defaults]
inventory = inventories/hosts.yml
remote_user = admin
remote_port = 2200
private_key_file = keys/fleet
[ssh_connection]
ssh_args = -C -i keys/second -D 9
ssh_common_args = -o ProxyJump=bastion
";

#[test]
fn its_configuration_says_what_inventories_leave_open() {
    let ssh_config = "Host *\n  User below\n  Port 7\n  ProxyCommand nc %h %p\n  UserKnownHostsFile known\nHost kiosk-1\n  HostName 10.0.0.1\n";
    let home =
        home(&[("inventories/hosts.yml", HOSTS), ("ansible.cfg", CFG), ("ssh_config", ssh_config)]);
    let explain = |device: &str, variables: &[(&str, &str)]| {
        let args =
            ["inventory", "inventories/hosts.yml", "--ssh-config", "ssh_config", "--explain"];
        let process = home.start_with(&[&args[..], &[device]].concat(), variables).unwrap();
        without_folder(&home, &said(&process.end().unwrap()))
    };
    insta::assert_snapshot!(explain("kiosk-1", &[]), @r###"
    Some(0)
    kiosk-1
    host 10.0.0.1 ssh_config:7:3, ssh_config
    instead of kiosk-1 built in
    ssh.user admin ansible.cfg:3:15, [defaults]
    instead of below ssh_config:2:3, ssh_config
    instead of pi built in
    ssh.port 2222 inventories/hosts.yml:2:25, group all
    instead of 2200 ansible.cfg:4:15, [defaults]
    instead of 7 ssh_config:3:3, ssh_config
    instead of 22 built in
    ssh.identity HERE/keys/second ansible.cfg:7:12, [ssh_connection]
    instead of HERE/keys/fleet ansible.cfg:5:20, [defaults]
    ssh.jump [{ host: bastion }] ansible.cfg:8:19, [ssh_connection]
    ssh.known_hosts known ssh_config:5:3, ssh_config
    ssh.host_keys accept-new built in
    handover attended built in
    balena.api https://api.balena-cloud.com built in
    note: ansible.cfg:7:12: ssh_connection.ssh_args: of `ssh_args` this is not read: -D 9
    "###);
    let words = ["host ", "ssh.user", "ssh.jump", "ssh.proxy"];
    insta::assert_snapshot!(lines(&explain("kiosk-2", &[]), &words), @r###"
    host kiosk-2 built in
    ssh.user own inventories/hosts.yml:5:30, device
    instead of admin ansible.cfg:3:15, [defaults]
    instead of below ssh_config:2:3, ssh_config
    instead of pi built in
    ssh.proxy nc %h %p ssh_config:4:3, ssh_config
    "###);
    let variables = [("ANSIBLE_REMOTE_USER", "me"), ("ANSIBLE_SSH_COMMON_ARGS", "-J other")];
    insta::assert_snapshot!(lines(&explain("kiosk-1", &variables), &words), @r###"
    host 10.0.0.1 ssh_config:7:3, ssh_config
    instead of kiosk-1 built in
    ssh.user me the variable ANSIBLE_REMOTE_USER
    instead of below ssh_config:2:3, ssh_config
    instead of pi built in
    ssh.jump [{ host: other }] the variable ANSIBLE_SSH_COMMON_ARGS
    "###);
}

#[test]
fn a_native_inventory_hears_nothing_of_it() {
    let native = "migos: 1\ndevices: { kiosk-1: , kiosk-3: }\n";
    let home = home(&[("hosts.yml", HOSTS), ("kiosks.yaml", native), ("ansible.cfg", CFG)]);
    let user = |args: &[&str], device: &str| {
        let text = told(&home, &[&["inventory"], args, &["--explain", device]].concat());
        lines(&text, &["ssh.user"])
    };
    insta::assert_snapshot!(user(&["kiosks.yaml"], "kiosk-1"), @r###"  ssh.user       pi                            built in"###);
    insta::assert_snapshot!(user(&["kiosks.yaml", "hosts.yml"], "kiosk-3"), @r###"  ssh.user       pi                            built in"###);
    insta::assert_snapshot!(user(&["kiosks.yaml", "hosts.yml"], "kiosk-1"), @r###"
    ssh.user       admin                         ansible.cfg:3:15, [defaults]
                   instead of pi                 built in
    "###);
    // Not even a mistake in it is of any interest.
    home.write("ansible.cfg", [0xff, 0xfe]).unwrap();
    assert_eq!(home.run(&["inventory", "kiosks.yaml"]).unwrap().code, Some(0));
    insta::assert_snapshot!(told(&home, &["inventory", "hosts.yml"]), @r###"
    Some(3)
    error: failed to read Ansible's configuration ansible.cfg
    because: stream did not contain valid UTF-8
    "###);
}

#[test]
fn settings_of_this_program_count_more() {
    let settings = "migos: 1\ndefaults: { ssh: { user: ours } }\n";
    let home = home(&[("hosts.yml", HOSTS), ("migos.yaml", settings), ("ansible.cfg", CFG)]);
    let text = told(&home, &["inventory", "hosts.yml", "--explain", "kiosk-1"]);
    insta::assert_snapshot!(lines(&text, &["ssh.user", "ssh.identity"]), @r###"
    ssh.user       ours                          migos.yaml:2:26, defaults
                   instead of admin              ansible.cfg:3:15, [defaults]
                   instead of pi                 built in
    ssh.identity   keys/second                   ansible.cfg:7:12, [ssh_connection]
                   instead of keys/fleet         ansible.cfg:5:20, [defaults]
    "###);
}

#[test]
fn where_no_inventory_is_named_its_own_are_taken() {
    let home = home(&[("inventories/hosts.yml", HOSTS)]);
    insta::assert_snapshot!(told(&home, &["inventory"]), @r###"
    Some(2)
    error: no inventory is named
    hint: name one behind the command: migos-fleet COMMAND inventory.yaml
    hint: what `inventory = …` in ansible.cfg names is taken where none is
    "###);
    home.write("ansible.cfg", CFG).unwrap();
    insta::assert_snapshot!(told(&home, &["inventory", "--fold"]), @r###"
    Some(0)
     devices   of them   user               groups      site   balena fleet   data       held
    ──────────────────────────────────────────────────────────────────────────────────────────
     kiosk-1         1   admin, port 2222   ungrouped                         not said
     kiosk-2         1   own, port 2222     ungrouped                         not said
    ──────────────────────────────────────────────────────────────────────────────────────────
    2 devices, 0 held: kiosk-[1-2]
    note: ansible.cfg:7:12: ssh_connection.ssh_args: of `ssh_args` this is not read: -D 9
    "###);
    let process = home.start_with(&["inventory"], &[("ANSIBLE_INVENTORY", "nowhere.yml")]).unwrap();
    insta::assert_snapshot!(said(&process.end().unwrap()), @r###"
    Some(3)
    error: failed to read the inventory nowhere.yml
    because: No such file or directory (os error 2)
    "###);
}

#[test]
fn it_can_want_passwords_to_be_asked_for() {
    let home = home(&[("hosts.yml", HOSTS), ("ansible.cfg", "[defaults]\nask_pass = true\n")]);
    insta::assert_snapshot!(told(&home, &["probe", "hosts.yml"]), @r###"
    Some(2)
    error: nobody is there to be asked for the password
    hint: run it in a terminal, or set MIGOS_SSH_PASSWORD
    "###);
    let sudo = "[privilege_escalation]\nbecome_ask_pass = true\n";
    home.write("ansible.cfg", sudo).unwrap();
    insta::assert_snapshot!(told(&home, &["probe", "hosts.yml"]), @r###"
    Some(2)
    error: nobody is there to be asked for the sudo password
    hint: run it in a terminal, or set MIGOS_SUDO_PASSWORD
    "###);
    home.write("kiosks.yaml", "migos: 1\ndevices: { kiosk-1: }\n").unwrap();
    let native = told(&home, &["probe", "kiosks.yaml"]);
    assert!(native.contains("no key to log in to kiosk-1 with"), "{native}");
}

#[test]
fn hosts_with_commas_between_are_an_inventory() {
    let home = home(&[("group_vars/all.yml", "migos_site: lab\n"), ("a,b", HOSTS)]);
    insta::assert_snapshot!(told(&home, &["inventory", "pi@kiosk-1,kiosk-2:2222,"]), @r###"
    Some(0)
     device    address           groups      site   balena fleet   data       held
    ───────────────────────────────────────────────────────────────────────────────
     kiosk-1   pi@kiosk-1        ungrouped   lab                   not said
     kiosk-2   pi@kiosk-2:2222   ungrouped   lab                   not said
    ───────────────────────────────────────────────────────────────────────────────
    2 devices, 0 held: kiosk-[1-2]
    "###);
    insta::assert_snapshot!(told(&home, &["inventory", "kiosk 1,kiosk-2,kiosk-[1:3]"]), @r###"
    Some(3)
    error: the inventory has 2 problems
    kiosk 1,kiosk-2,kiosk-[1:3]:1:1: "kiosk 1" is not a device name
      hint: a name has letters, digits, `.`, `_` and `-`, starts with a letter or digit and has at most 64 characters; write the address under `ansible_host`
    kiosk 1,kiosk-2,kiosk-[1:3]:1:17: "kiosk-[1:3]" is not a device name
      hint: a name has letters, digits, `.`, `_` and `-`, starts with a letter or digit and has at most 64 characters; write the address under `ansible_host`
    "###);
    insta::assert_snapshot!(told(&home, &["inventory", "a,b", "--fold"]), @r###"
    Some(0)
     devices   of them   user             groups      site   balena fleet   data       held
    ────────────────────────────────────────────────────────────────────────────────────────
     kiosk-1         1   pi, port 2222    ungrouped   lab                   not said
     kiosk-2         1   own, port 2222   ungrouped   lab                   not said
    ────────────────────────────────────────────────────────────────────────────────────────
    2 devices, 0 held: kiosk-[1-2]
    "###);
}

#[test]
fn a_native_inventory_in_the_current_folder_hides_no_variables_there() {
    let native = "migos: 1\ndevices: { kiosk-3: }\n";
    let home = home(&[
        ("group_vars/all.yml", "migos_site: here\n"),
        ("deep/hosts.yml", HOSTS),
        ("kiosks.yaml", native),
    ]);
    let text = told(&home, &["inventory", "deep/hosts.yml", "kiosks.yaml", "--explain", "kiosk-1"]);
    assert_eq!(lines(&text, &["site"]).split_whitespace().nth(1), Some("here"), "{text}");
}

#[test]
fn what_was_written_for_ansible_alone_is_taken_as_it_is_meant() {
    let hosts = "\
all:
  vars: { migos_site: 3, ansible_become: no, migos_hold: 2026 }
  hosts:
    kiosk-1: { ansible_user: 1000, ansible_ssh_private_key_file: keys/own }
    kiosk-2: { ansible_user: root, ansible_become: false }
";
    let home = home(&[("deep/hosts.yml", hosts)]);
    insta::assert_snapshot!(told(&home, &["inventory", "deep/hosts.yml"]), @r###"
    Some(0)
     device    address        groups      site   balena fleet   data       held
    ────────────────────────────────────────────────────────────────────────────
     kiosk-1   1000@kiosk-1   ungrouped   3                     not said   2026
     kiosk-2   root@kiosk-2   ungrouped   3                     not said   2026
    ────────────────────────────────────────────────────────────────────────────
    2 devices, 2 held: kiosk-[1-2]
    note: deep/hosts.yml:2:42: all.vars.ansible_become: `ansible_become` is off, and migos-fleet becomes root through sudo all the same
    "###);
    let text = told(&home, &["inventory", "deep/hosts.yml", "--explain", "kiosk-1"]);
    // As for Ansible, the path starts at the current folder.
    let text = without_folder(&home, &text);
    insta::assert_snapshot!(lines(&text, &["ssh.identity"]), @r###"ssh.identity HERE/keys/own deep/hosts.yml:4:66, device"###);
    let serial = "all: { hosts: { kiosk-1: { migos_serial: 12345678, migos_sit: 3 } } }\n";
    home.write("serial.yml", serial).unwrap();
    insta::assert_snapshot!(told(&home, &["inventory", "serial.yml"]), @r###"
    Some(3)
    note: serial.yml:1:63: all.hosts.kiosk-1.migos_sit: `migos_sit` is no setting, and left out (did you mean `migos_site`?)
    error: the inventory has 1 problem
    serial.yml:1:42: all.hosts.kiosk-1.migos_serial: "12345678" is not a serial number
      hint: copy the 16 hexadecimal digits that `cat /proc/device-tree/serial-number` prints on the device
    "###);
}

#[test]
fn arguments_of_a_nearer_variable_take_the_place_of_all_others() {
    let hosts = "\
all:
  vars: { ansible_ssh_common_args: -o User=far -o Port=7, ansible_ssh_args: -o Port=9 }
  hosts:
    kiosk-1:
    kiosk-2: { ansible_ssh_common_args: -J bastion, ansible_port: 5 }
    kiosk-3: { ansible_ssh_common_args: , ansible_user: own, ansible_ssh_args: }
";
    let home = home(&[("hosts.yml", hosts)]);
    let words = ["ssh.user", "ssh.port", "ssh.jump"];
    let of = |device| lines(&told(&home, &["inventory", "hosts.yml", "--explain", device]), &words);
    insta::assert_snapshot!(["kiosk-1", "kiosk-2", "kiosk-3"].map(of).join("\n\n"), @r###"
    ssh.user       far                           hosts.yml:2:36, group all
                   instead of pi                 built in
    ssh.port       9                             hosts.yml:2:77, group all
                   instead of 7                  hosts.yml:2:36, group all
                   instead of 22                 built in

    ssh.user       pi                            built in
    ssh.port       9                             hosts.yml:2:77, group all
                   instead of 5                  hosts.yml:5:67, device
                   instead of 22                 built in
    ssh.jump       [{ host: bastion }]           hosts.yml:5:41, device

    ssh.user       own                           hosts.yml:6:57, device
                   instead of pi                 built in
    ssh.port       22                            built in
    "###);
}

/// The blocks of a page in this language, each without its fences.
fn blocks<'a>(page: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("\n```{language}\n");
    let after = page.split(&*fence).skip(1);
    after.filter_map(|rest| Some(rest.split_once("```")?.0)).collect()
}

/// Writes the files of a page; the first line of each names it.
fn write_files(home: &Home, page: &str) -> usize {
    let files = ["yaml", "ini"].iter().flat_map(|language| blocks(page, language));
    let mut count = 0;
    for text in files {
        let (name, _) = text.split_once('\n').unwrap();
        home.write(name.strip_prefix("# ").expect(name), text).unwrap();
        count += 1;
    }
    count
}

#[test]
fn the_guide_shows_what_is_said() {
    let page = fs::read_to_string(GUIDE).unwrap();
    let home = Home::new().unwrap();
    assert!(write_files(&home, &page) >= 3);
    let mut commands = 0;
    for block in blocks(&page, "console") {
        for shown in block.split("$ ").filter(|shown| !shown.is_empty()) {
            let (command, expected) = shown.split_once('\n').unwrap();
            let args: Vec<&str> = command.split_whitespace().skip(1).collect();
            let Ended { stdout, stderr, .. } = home.run(&args).unwrap();
            let told = stdout + &stderr;
            let told: Vec<&str> = told.lines().map(str::trim_end).collect();
            assert_eq!(told.join("\n").trim(), expected.trim(), "docs/ansible.md: {command}");
            commands += 1;
        }
    }
    assert!(commands >= 3, "{commands}");
}

/// Writes the lab's fleet down as people have it who come from Ansible, and what Ansible has no word for beside it.
fn as_for_ansible(bench: &Bench) {
    let native = bench.home.read("lab/inventory.yaml").unwrap();
    let (settings, _) = native.split_once("defaults:").unwrap();
    bench.home.write("lab/migos.yaml", settings).unwrap();
    let mut hosts = "kiosks:\n  hosts:\n".to_owned();
    for pi in bench.lab().devices() {
        let (name, ip, port) = (pi.name(), pi.addr().ip(), pi.addr().port());
        hosts += &format!("    {name}: {{ ansible_host: {ip}, ansible_port: {port} }}\n");
    }
    bench.home.write("lab/hosts.yml", hosts).unwrap();
    let login = native.lines().find(|line| line.trim_start().starts_with("ssh:")).unwrap();
    let value = |key: &str| {
        let (_, rest) = login.split_once(&format!("{key}: ")).unwrap();
        rest.split([',', ' ']).next().unwrap()
    };
    let cfg = format!(
        "[defaults]\nremote_user = {}\nprivate_key_file = {}\n[ssh_connection]\nssh_args = -F none \
         -o UserKnownHostsFile={} -o StrictHostKeyChecking=yes\n",
        value("user"),
        value("identity"),
        value("known_hosts"),
    );
    bench.home.write("lab/ansible.cfg", cfg).unwrap();
}

#[test]
fn the_three_commands_of_the_guide_lead_to_a_dry_run() {
    let page = fs::read_to_string(GUIDE).unwrap();
    let commands = blocks(&page, "sh").into_iter().next().unwrap();
    let commands: Vec<&str> = commands.lines().collect();
    assert_eq!(commands.len(), 3, "{commands:?}");
    let bench = Bench::start(2, "", Pace::test()).unwrap();
    as_for_ansible(&bench);
    let mut last = String::new();
    for command in commands {
        let typed = command.split('#').next().unwrap();
        let args: Vec<&str> = typed.split_whitespace().skip(1).collect();
        let mut command = bench.home.command(&args).unwrap();
        let Output { status, stdout, stderr } =
            command.current_dir(bench.home.path().join("lab")).output().unwrap();
        assert!(status.success(), "{typed}: {}", String::from_utf8_lossy(&stderr));
        last = String::from_utf8(stdout).unwrap();
    }
    assert!(last.contains("migrate") && last.contains("kiosk-[001-002]"), "{last}");
}
