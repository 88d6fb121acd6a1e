//! Whole migrations: a lab of virtual Pis as one process, the controller as another.

use crate::account::{Cost, Group, LIMIT};
use crate::endpoints::Endpoints;
use crate::figures::{digits, median, megabytes, milliseconds, seconds};
use crate::finding::{Finding, Goal};
use crate::parcel::Parcel;
use crate::peers::{Crowd, Peers};
use crate::scale::Scale;
use crate::table::Table;
use crate::{journey, papers};
use anyhow::{Context, Result, bail, ensure};
use migos_engine::journal::Journal;
use migos_engine::port::Cipher;
use migos_engine::run::write_whole;
use migos_events::{DeviceEvent, Event, Record};
use migos_tests::fleet::{self, wait};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

/// All at once, as far as `--parallel` allows; limits that no busy computer reaches by accident.
const POLICY: &str = "\
policy: 1
class: { soak: 0s }
order: inventory
parallel: 10000
per_site: 10000
prove: never
stages: [{ name: all, to: 100%, gate: { tolerate: 0 } }]
arrival: { late: 4m, lost: 8m, poll: 1s }
dead_man: { contact: 2m, commit: 4m }
";

/// The job, as far as it is the same everywhere. One cipher for all boards, so that it can be told what bytes cost.
pub(crate) const MIGRATE: [&str; 7] =
    ["migrate", "--yes", "lab/inventory.yaml", "--policy", "policy.yaml", "--cipher", "chacha20"];

/// A file whose sending tells what bytes cost, in bytes.
const BYTES: u64 = 64 << 20;

/// A lab that runs, in a folder of its own.
pub(crate) struct Lab {
    child: Child,
    /// The folder, for the program to work in.
    pub(crate) folder: PathBuf,
    /// How many devices it has.
    pub(crate) devices: usize,
    _group: Group,
}

impl Lab {
    /// Starts one, in a folder of its own within another. That one outlives the comparison: a kernel is slow to make
    /// files where many went shortly before.
    ///
    /// # Errors
    /// If it does not come up.
    pub(crate) fn start(devices: usize, within: &Path) -> Result<Self> {
        let (folder, group) = (within.join(format!("lab-{devices}")), Group::new("lab"));
        fs::create_dir(&folder)?;
        write_whole(&folder.join("policy.yaml"), POLICY.as_bytes(), 0o644)?;
        let mut command = Command::new(fleet::program()?);
        command.args(["lab", "up", "--devices", &devices.to_string()]);
        command.current_dir(&folder).env("HOME", &folder);
        let said = folder.join("lab.said");
        let mut command = group.within(&command);
        let mut child =
            command.stdout(File::create(&said)?).stderr(File::create(&said)?).spawn()?;
        let up = wait(|| {
            if let Some(status) = child.try_wait()? {
                bail!("the lab ended with {status}: {}", fs::read_to_string(&said)?);
            }
            Ok(fs::read_to_string(&said)?.contains("are running"))
        });
        let lab = Lab { child, folder, devices, _group: group };
        up.map(|()| lab)
    }

    /// The program, to work on this lab.
    ///
    /// # Errors
    /// If it does not build.
    pub(crate) fn program(&self, args: &[&str]) -> Result<Command> {
        let mut command = Command::new(fleet::program()?);
        command.args(args).current_dir(&self.folder).env("HOME", &self.folder);
        Ok(command)
    }

    /// Runs the program to its end, and counts.
    ///
    /// # Errors
    /// If it fails.
    pub(crate) fn measure(&self, client: &Group, args: &[&str]) -> Result<Cost> {
        client.measure(&self.program(args)?, &self.folder.join("said"))
    }

    /// The same; nothing if it takes longer than this.
    ///
    /// # Errors
    /// If it fails.
    pub(crate) fn measure_within(
        &self,
        limit: Duration,
        client: &Group,
        args: &[&str],
    ) -> Result<Option<Cost>> {
        client.measure_within(limit, &self.program(args)?, &self.folder.join("said"))
    }

    /// The folder of the only run.
    ///
    /// # Errors
    /// If there is none.
    pub(crate) fn run(&self) -> Result<PathBuf> {
        for entry in fs::read_dir(self.folder.join("runs"))? {
            let path = entry?.path();
            if path.join("plan.json").is_file() {
                return Ok(path);
            }
        }
        bail!("there is no run")
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        // It has nothing that is worth a good end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One migration of a whole lab.
struct Migration {
    devices: usize,
    cost: Cost,
    /// The bytes that were sent to all.
    sent: u64,
}

impl Migration {
    fn cpu_per_device(&self) -> f64 {
        self.cost.cpu.total.as_secs_f64() / self.devices as f64
    }

    fn bytes_per_device(&self) -> f64 {
        self.sent as f64 / self.devices as f64
    }
}

/// Migrates labs of all sizes; the largest has its papers written, too.
///
/// # Errors
/// If a device does not arrive.
pub(crate) fn migrate(scale: &Scale, peers: &Peers) -> Result<Vec<Finding>> {
    let (client, all) = (Group::new("controller"), tempfile::tempdir()?);
    let (mut migrations, mut findings, mut ways) = (Vec::new(), Vec::new(), None);
    let mut endless = Vec::new();
    let largest = scale.labs.iter().max().copied().unwrap_or_default();
    for devices in &scale.labs {
        let lab = Lab::start(*devices, all.path())?;
        let planned = match *devices == largest {
            true => Some(papers::plans(scale, &lab, &client)?),
            false => None,
        };
        let parallel = scale.lab_parallel.to_string();
        let args = [&MIGRATE[..], &["--parallel", &parallel]].concat();
        let Some(cost) = lab.measure_within(LIMIT, &client, &args)? else {
            crate::page::say(&format!("  {devices} devices: ended after {LIMIT:?}"));
            endless.push(*devices);
            continue;
        };
        let records = Journal::read(&lab.run()?.join("journal.jsonl"))?;
        let (migrated, sent) = outcome(&records);
        ensure!(migrated == *devices, "{migrated} of {devices} devices are migrated");
        crate::page::say(&format!(
            "  {devices} devices: {:.1} s, client {:.2} s, {:.0} MB",
            cost.wall.as_secs_f64(),
            cost.cpu.total.as_secs_f64(),
            cost.peak as f64 / 1e6
        ));
        if ways.is_none() || *devices <= 200 {
            ways = Some((*devices, journey::table(&records)));
        }
        migrations.push(Migration { devices: *devices, cost, sent });
        if let Some(planned) = planned {
            findings.push(papers::reports(scale, &lab, &client, planned)?);
        }
    }
    let byte = cost_of_a_byte(scale, peers, &client)?;
    findings.insert(0, fleet_finding(scale, &migrations, &endless, byte)?);
    if let Some((devices, table)) = ways {
        findings.push(journey::finding(devices, table));
    }
    Ok(findings)
}

fn outcome(records: &[Record]) -> (usize, u64) {
    let (mut migrated, mut sent) = (0, 0);
    for record in records {
        match &record.event {
            Event::Device { what: DeviceEvent::Migrated { .. }, .. } => migrated += 1,
            Event::Device { what: DeviceEvent::StepDone { learned, .. }, .. } => {
                sent += learned.bytes_sent.unwrap_or_default();
            }
            _ => {}
        }
    }
    (migrated, sent)
}

/// The seconds of processor time that our side needs to send a byte to an OpenSSH server, with the same cipher.
fn cost_of_a_byte(scale: &Scale, peers: &Peers, client: &Group) -> Result<f64> {
    let (folder, endpoints) = (tempfile::tempdir()?, Endpoints::start(1, Cipher::ChaCha20)?);
    let parcel = Parcel::new(folder.path(), BYTES)?;
    let crowd = Crowd::of(&endpoints, &endpoints.all, 1);
    let mut costs = Vec::new();
    for _ in 0..scale.repeats {
        endpoints.clear()?;
        let command = peers.ours(&crowd, &parcel.path)?;
        let cost = client.measure(&command, &folder.path().join("said"))?;
        endpoints.have(&endpoints.all, parcel.sha256)?;
        costs.push(cost.cpu.total.as_secs_f64() / parcel.size as f64);
    }
    Ok(median(costs))
}

fn fleet_finding(
    scale: &Scale,
    migrations: &[Migration],
    endless: &[usize],
    byte: f64,
) -> Result<Finding> {
    let (first, last) = migrations.first().zip(migrations.last()).context("no lab at all")?;
    let mut table = Table::new(&[
        "devices",
        "wall",
        "client CPU",
        "of it in the kernel",
        "CPU per device",
        "of it for bytes",
        "sent per device",
        "peak memory",
        "open files",
    ]);
    let for_bytes = |one: &Migration| one.bytes_per_device() * byte;
    for one in migrations {
        let total = one.cost.cpu.total.as_secs_f64();
        let system = one.cost.cpu.system.as_secs_f64() / total.max(f64::MIN_POSITIVE);
        table.row(vec![
            one.devices.to_string(),
            seconds(one.cost.wall.as_secs_f64()),
            seconds(total),
            format!("{:.0} %", system * 100.0),
            milliseconds(one.cpu_per_device()),
            milliseconds(for_bytes(one)),
            megabytes(one.bytes_per_device()),
            megabytes(one.cost.peak as f64),
            one.cost.files.to_string(),
        ]);
    }
    let beyond = (last.cpu_per_device() - for_bytes(last)).max(0.0) * 1e3;
    let peak = last.cost.peak as f64 / 1e6;
    let too_long = endless.iter().map(|devices| {
        let what = format!("migration of {devices} devices, ended when it took longer");
        Goal::at_most(what, f64::INFINITY, LIMIT.as_secs_f64(), "s")
    });
    let mut goals = vec![
        Goal::at_most(format!("peak memory with {} devices", last.devices), peak, 200.0, "MB"),
        Goal::at_most("CPU per device, beyond what its bytes cost", beyond, 25.0, "ms"),
        Goal::ratio(
            format!(
                "cost per device with {} devices, to that with {}",
                last.devices, first.devices
            ),
            last.cpu_per_device() / first.cpu_per_device(),
            1.2,
        ),
    ];
    goals.extend(too_long);
    Ok(Finding {
        key: "fleet",
        title: "Whole migrations in the lab".to_owned(),
        text: format!(
            "The controller alone is counted; the lab, with its virtual Pis and its balena API, is another process on the \
             same processors. At most {} devices at a time, all in one stage. All of them arrive, or there is no figure \
             here. What bytes cost was measured by sending {} MiB to an OpenSSH server, {} s per GB with \
             ChaCha20-Poly1305, as here; boards with instructions for AES are sent AES-128-GCM, which costs less.",
            scale.lab_parallel,
            BYTES >> 20,
            digits(byte * 1e9)
        ),
        tables: vec![table],
        goals,
        ..Finding::default()
    })
}

/// A file in the folder of the lab.
pub(crate) fn inside(lab: &Lab, name: &str) -> PathBuf {
    lab.folder.join(name)
}
