//! `ansible.cfg`: the file that is read is the one that Ansible itself finds.

use super::{ansible, program, succeeds};
use serde_json::Value;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const HOSTS: &str = "all: { hosts: { kiosk-1: } }\n";

/// What there is, and what the environment says.
struct Case {
    here: bool,
    /// Everybody may write in the current folder.
    open: bool,
    home: bool,
    variable: Option<&'static str>,
}

fn cases() -> Vec<Case> {
    let case = |number: usize, variable| {
        let [here, open, home] = [1, 2, 4].map(|bit| number & bit != 0);
        Case { here, open, home, variable }
    };
    let searched = [None, Some("gone")].into_iter();
    let searched = searched.flat_map(|variable| (0..8).map(move |number| case(number, variable)));
    let named = ["other", "other/own.cfg", "~/own.cfg", "."].map(Some).into_iter();
    searched.chain(named.flat_map(|variable| [case(0, variable), case(7, variable)])).collect()
}

/// Runs a program in the project with only this environment.
fn run(folder: &Path, case: &Case, command: &mut Command) -> Output {
    command.current_dir(folder.join("project")).env_clear();
    command.env("HOME", folder.join("home")).env("ANSIBLE_LOCALHOST_WARNING", "false");
    match case.variable {
        Some(path) if path.starts_with('~') || path == "." => {
            command.env("ANSIBLE_CONFIG", path);
        }
        Some(path) => _ = command.env("ANSIBLE_CONFIG", folder.join(path)),
        None => {}
    }
    let output = command.output().unwrap();
    succeeds(&output);
    output
}

fn found_by_ansible(folder: &Path, case: &Case) -> Option<PathBuf> {
    let mut command = Command::new(ansible().join("ansible-config"));
    let output = run(folder, case, command.args(["dump", "--format", "json"]));
    let settings: Value = serde_json::from_slice(&output.stdout).unwrap();
    let is_it = |setting: &&Value| setting["name"] == "CONFIG_FILE";
    let found = settings.as_array().unwrap().iter().find(is_it).unwrap();
    found["value"].as_str().map(PathBuf::from)
}

fn found_by_us(folder: &Path, case: &Case) -> (Option<PathBuf>, String) {
    let mut command = Command::new(program().unwrap());
    let args = ["inventory", "hosts.yml", "--explain", "kiosk-1", "--format", "json"];
    let output = run(folder, case, command.args(args));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let is_it = |setting: &&Value| setting["key"] == "ssh.user";
    let user = told["settings"].as_array().unwrap().iter().find(is_it).unwrap();
    let file = user["origin"]["file"].as_str().map(|file| folder.join("project").join(file));
    let file = file.map(|file| file.canonicalize().unwrap());
    assert_eq!(file.is_some(), user["value"] != "pi", "{told}");
    (file, String::from_utf8(output.stderr).unwrap())
}

#[test]
fn the_file_that_is_read_is_the_one_that_ansible_finds() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().canonicalize().unwrap();
    let write = |name: &str| {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, format!("[defaults]\nremote_user = {}\n", name.len())).unwrap();
    };
    ["other/ansible.cfg", "other/own.cfg", "home/own.cfg"].into_iter().for_each(write);
    fs::create_dir(folder.join("project")).unwrap();
    fs::write(folder.join("project/hosts.yml"), HOSTS).unwrap();
    let mut seen = std::collections::BTreeSet::new();
    for case in cases() {
        for (name, is_there) in
            [("project/ansible.cfg", case.here), ("home/.ansible.cfg", case.home)]
        {
            if is_there {
                write(name);
            } else if let Err(error) = fs::remove_file(folder.join(name)) {
                assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
            }
        }
        let mode = if case.open { 0o777 } else { 0o755 };
        fs::set_permissions(folder.join("project"), Permissions::from_mode(mode)).unwrap();
        let theirs = found_by_ansible(&folder, &case);
        let (ours, said) = found_by_us(&folder, &case);
        let Case { here, open, home, variable } = case;
        let what = format!("here {here}, open {open}, home {home}, {variable:?}");
        // Of one for everybody on this computer only Ansible tells.
        let theirs = theirs.filter(|path| path.starts_with(&folder));
        assert_eq!(ours, theirs, "{what}");
        let is_passed_over = here && open && ours != Some(folder.join("project/ansible.cfg"));
        let is_chosen = variable.is_some_and(|path| path != "gone");
        assert_eq!(said.contains("everybody may write"), is_passed_over && !is_chosen, "{what}");
        seen.insert(ours);
    }
    assert_eq!(seen.len(), 6, "{seen:?}");
}
