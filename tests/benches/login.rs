//! Connect, log in, and read what there is to know.

use crate::account::Group;
use crate::contest::{Contestant, Metric, hold, ratio};
use crate::endpoints::{Endpoints, Logins};
use crate::finding::{Finding, Goal};
use crate::peers::{Crowd, Peers};
use crate::scale::Scale;
use anyhow::{Result, ensure};
use migos_engine::run::write_whole;
use migos_playbooks::requirement::hosts;
use migos_ssh::verb::{Rise, Verb, command_line};
use migos_tests::fleet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where no balena is: devices are asked whether they reach it, and know at once that they do not.
const API: &str = "https://api.balena.invalid";

/// The inventory of all endpoints, in our own form.
fn inventory(endpoints: &Endpoints, folder: &Path) -> Result<PathBuf> {
    let (key, known) = (endpoints.key.display(), endpoints.known_hosts.display());
    let mut text = format!(
        "migos: 1\nbalena: {{ fleet: compare/devices, api: \"{API}\" }}\ndata: none\ndefaults:\n  ssh: {{ user: root, \
         port: {}, identity: {key}, known_hosts: {known}, host_keys: strict, config: none }}\n\
         devices:\n",
        endpoints.port
    );
    for one in &endpoints.all {
        text += &format!("  {}: {{ host: {} }}\n", one.name, one.address);
    }
    let path = folder.join("devices.yaml");
    write_whole(&path, text.as_bytes(), 0o644)?;
    Ok(path)
}

/// Every contestant must have said the same of every device.
fn all_answered(said: &str, devices: usize) -> Result<()> {
    let model = said.matches("Raspberry Pi 3 Model B Plus Rev 1.3").count();
    let facts = said.matches("ansible_facts").count();
    ensure!(
        model == devices || facts == devices,
        "{model} and {facts} of {devices} devices answered"
    );
    Ok(())
}

/// Compares how devices are looked at.
///
/// # Errors
/// If a contestant fails.
pub(crate) fn compare(scale: &Scale, endpoints: &Endpoints, peers: &Peers) -> Result<Finding> {
    let folder = tempfile::tempdir()?;
    let program = fleet::program()?;
    let inventory = inventory(endpoints, folder.path())?;
    let crowd = Crowd::of(endpoints, &endpoints.all, scale.parallel);
    let hosts = hosts(API);
    let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
    let line = command_line(Rise::Login, Verb::Probe, &hosts);
    let order = peers.order(&line)?;
    let given = peers.variables(&line)?;
    let xargs = format!("exec ssh {} -p $2 $3@$1 \"$(cat {})\"", crowd.options(), order.display());
    let parallel = scale.parallel.to_string();
    let contestants = [
        Contestant::new("migos-fleet probe", || {
            let mut command = Command::new(program);
            command.arg("probe").arg(&inventory).args(["--parallel", &parallel]);
            command.args(["--format", "json"]).current_dir(folder.path());
            Ok(command)
        }),
        Contestant::new("asyncssh", || peers.library("with_asyncssh.py", "run", &crowd, &order)),
        Contestant::new("parallel-ssh", || {
            peers.library("with_parallel_ssh.py", "run", &crowd, &order)
        }),
        Contestant::new("xargs ssh", || peers.xargs(&crowd, &xargs)),
        Contestant::new("Ansible raw", || {
            peers.ansible(&crowd, &["-m", "raw", "-a", ": ; {{ order }}", "-e", &given])
        })
        .at_most(1),
        Contestant::new("Ansible setup", || peers.ansible(&crowd, &["-m", "setup"])).at_most(1),
    ];
    let devices = endpoints.all.len();
    let said = |said: &str| all_answered(said, devices);
    let arena = Logins { endpoints, said: &said };
    let client = Group::new("login");
    let entries = hold(&contestants, scale.rounds, &client, &arena, folder.path())?;
    let best = |metric| {
        let libraries = entries[1..3].iter().map(|one| ratio(&entries[0], one, metric));
        libraries.fold(f64::NEG_INFINITY, f64::max)
    };
    let floor = entries[0].spread(Metric::Servers).median / scale.processors as f64;
    let goals = vec![
        Goal::ratio(
            "wall, to what the servers need of all processors",
            entries[0].spread(Metric::Wall).median / floor,
            1.25,
        ),
        Goal::ratio(
            "client CPU, to Ansible raw",
            ratio(&entries[0], &entries[4], Metric::Client),
            1.0 / 60.0,
        ),
        Goal::ratio("client CPU, to the best library", best(Metric::Client), 1.0 / 3.0),
    ];
    Ok(Finding::of_contest(
        "login",
        &format!("Connect, log in and probe {devices} devices, {parallel} at a time"),
        &format!(
            "Everybody runs the same script on each device, that of `migos-fleet probe`, and brings its answer home; \
             Ansible's `setup` reads facts of its own with Python. Everybody but parallel-ssh checks host keys. Behind \
             the {devices} addresses are {} OpenSSH servers on the same processors.",
            endpoints.servers()
        ),
        &entries,
        goals,
    ))
}
