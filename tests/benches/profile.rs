//! In which functions the processor time of our side goes, by `perf` where the computer has one.

use crate::account::Group;
use crate::endpoints::Endpoints;
use crate::finding::Finding;
use crate::lab::{Lab, MIGRATE};
use crate::parcel::Parcel;
use crate::peers::{Crowd, Peers};
use crate::scale::Scale;
use crate::table::Table;
use anyhow::{Context, Result, ensure};
use std::path::Path;
use std::process::Command;

/// Looks per second.
const FREQUENCY: &str = "499";
/// So many functions are named.
const NAMED: usize = 12;
/// Longer names are cut.
const LONGEST: usize = 70;

/// Looks at an upload to all, and at a small migration.
///
/// # Errors
/// If what is looked at fails.
pub(crate) fn look(scale: &Scale, endpoints: &Endpoints, peers: &Peers) -> Result<Finding> {
    let mut finding = Finding {
        key: "profile",
        title: "Where the processor time goes".to_owned(),
        ..Finding::default()
    };
    if !Command::new("perf").arg("--version").output().is_ok_and(|told| told.status.success()) {
        finding.text = "This computer has no `perf`, so nobody has looked.".to_owned();
        return Ok(finding);
    }
    let folder = tempfile::tempdir()?;
    let client = Group::new("profile");
    let parcel = Parcel::new(folder.path(), scale.small)?;
    let crowd = Crowd::of(endpoints, &endpoints.all, scale.parallel);
    let upload = peers.ours(&crowd, &parcel.path)?;
    let devices = endpoints.all.len();
    finding.tables.push(table("of an upload", &client, &upload, folder.path())?);
    let lab = Lab::start(scale.labs.iter().min().copied().unwrap_or(1), folder.path())?;
    let parallel = scale.lab_parallel.to_string();
    let migrate = lab.program(&[&MIGRATE[..], &["--parallel", &parallel]].concat())?;
    finding.tables.push(table("of a migration", &client, &migrate, folder.path())?);
    finding.text = format!(
        "By `perf`, {FREQUENCY} times a second: the functions that were found at work most often, on our side alone. First \
         the upload to {devices} devices, then the migration of {} virtual ones.",
        lab.devices
    );
    Ok(finding)
}

fn table(head: &str, client: &Group, command: &Command, folder: &Path) -> Result<Table> {
    let data = folder.join("perf.data");
    let mut perf = Command::new("perf");
    perf.args(["record", "-q", "-F", FREQUENCY, "-o"]).arg(&data).arg("--");
    perf.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            perf.env(name, value);
        }
    }
    if let Some(folder) = command.get_current_dir() {
        perf.current_dir(folder);
    }
    client.measure(&perf, &folder.join("said"))?;
    let report = Command::new("perf")
        .args(["report", "--stdio", "--no-children", "-F", "overhead,symbol", "-g", "none", "-i"])
        .arg(&data)
        .output()
        .context("failed to run perf")?;
    ensure!(report.status.success(), "perf: {}", String::from_utf8_lossy(&report.stderr));
    let mut table = Table::new(&[head, "part"]);
    for (part, function) in functions(&String::from_utf8_lossy(&report.stdout)) {
        table.row(vec![function, part]);
    }
    Ok(table)
}

/// The first functions of a report, with their parts.
fn functions(report: &str) -> Vec<(String, String)> {
    let lines = report.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    let split = lines.filter_map(|line| line.split_once(char::is_whitespace));
    let named = split.map(|(part, symbol)| (part.replace('%', " %"), name(symbol.trim())));
    named.take(NAMED).collect()
}

/// A function's name, in one piece and not too long; those of the kernel say so.
fn name(symbol: &str) -> String {
    let (place, name) = symbol.split_once("] ").unwrap_or(("", symbol));
    let name: String = name.replace('`', "'");
    let cut: String = name.chars().take(LONGEST).collect();
    let more = if cut.len() < name.len() { "…" } else { "" };
    let kernel = if place == "[k" { " (kernel)" } else { "" };
    format!("`{cut}{more}`{kernel}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_of_perf_is_read() {
        let report = "\
# Samples: 469  of event 'cpu-clock:ppp'
#
# Overhead  Symbol
# ........  ......

    13.22%  [.] <A as core::slice::cmp::SliceOrd>::compare
     7.10%  [k] clear_page_erms
";
        let found = functions(report);
        let shown: Vec<String> =
            found.iter().map(|(part, name)| format!("{part} {name}")).collect();
        insta::assert_snapshot!(shown.join("\n"), @r"
        13.22 % `<A as core::slice::cmp::SliceOrd>::compare`
        7.10 % `clear_page_erms` (kernel)
        ");
        assert_eq!(name(&"x".repeat(80)).chars().count(), LONGEST + 3);
    }
}
