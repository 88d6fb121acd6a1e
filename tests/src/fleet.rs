//! The program as a user runs it: a process in a folder of its own, against a lab of virtual Pis.

use anyhow::{Context, Result, bail, ensure};
use cargo_metadata::Message;
use jiff::Timestamp;
use migos_engine::journal::Journal;
use migos_engine::port::Clock;
use migos_engine::run::write_whole;
use migos_events::{DeviceEvent, Event, Record};
use migos_lab::{Lab, LabOptions, NetworkKind, Pace, State, VirtualPi, parse_faults};
use migos_playbooks::step::Action;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// How long anything is waited for: far longer than a busy computer needs. A wait that ends here has failed.
const PATIENCE: Duration = Duration::from_secs(180);

/// Pause between two looks at another process, which can tell us nothing by itself.
const LOOK: Duration = Duration::from_millis(3);

/// A policy without stages and soaks, with limits that no busy computer reaches by accident.
pub const QUICK: &str = "\
policy: 1
class: { soak: 0s }
order: inventory
parallel: 8
per_site: 8
prove: never
stages: [{ name: all, to: 100%, gate: { tolerate: 3 } }]
arrival: { late: 2m, lost: 4m, poll: 200ms }
dead_man: { contact: 60s, commit: 120s }
";

/// The way of a device that is migrated without any trouble.
pub const STRAIGHT: [State; 7] = [
    State::Off,
    State::Booting,
    State::Raspbian,
    State::Booting,
    State::Migos,
    State::Booting,
    State::BalenaOs,
];

/// The program, built from the sources as they are now.
///
/// # Errors
/// If it does not build.
pub fn program() -> Result<&'static Path> {
    static PROGRAM: OnceLock<std::result::Result<PathBuf, String>> = OnceLock::new();
    let built = PROGRAM.get_or_init(|| build().map_err(|error| format!("{error:#}")));
    built.as_deref().map_err(|error| anyhow::anyhow!("{error}"))
}

fn build() -> Result<PathBuf> {
    // What cargo tells a test of its own crate, some build scripts take for a change, and build anew.
    let told: Vec<_> = std::env::vars_os().map(|(name, _)| name).collect();
    let told = told.iter().filter(|name| {
        let name = name.to_string_lossy();
        name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
    });
    let mut cargo = Command::new(env!("CARGO"));
    told.for_each(|name| _ = cargo.env_remove(name));
    let mut cargo = cargo
        .args(["build", "--release", "--package", "migos-fleet", "--message-format", "json"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("failed to run cargo")?;
    let messages = BufReader::new(cargo.stdout.take().context("cargo says nothing")?);
    let mut program = None;
    for message in Message::parse_stream(messages) {
        if let Message::CompilerArtifact(artifact) = message?
            && artifact.target.name == "migos-fleet"
        {
            program = artifact.executable.map(PathBuf::from).or(program);
        }
    }
    ensure!(cargo.wait()?.success(), "migos-fleet does not build");
    program.context("cargo built no migos-fleet")
}

/// A folder in which the program is run, with nothing of our environment.
pub struct Home(TempDir);

impl Home {
    /// An empty folder.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn new() -> Result<Self> {
        Ok(Home(tempfile::tempdir()?))
    }

    /// A folder with these files, by name and text.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn with(files: &[(&str, &str)]) -> Result<Self> {
        let home = Self::new()?;
        files.iter().try_for_each(|(name, text)| home.write(name, text))?;
        Ok(home)
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file, and the folders it stands in.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> Result<()> {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().context("a file stands in a folder")?)?;
        Ok(write_whole(&path, content.as_ref(), 0o644)?)
    }

    /// Reads a file.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn read(&self, name: &str) -> Result<String> {
        fs::read_to_string(self.path().join(name)).with_context(|| format!("failed to read {name}"))
    }

    /// Runs the program to its end.
    ///
    /// # Errors
    /// If it does not start or does not end.
    pub fn run(&self, args: &[&str]) -> Result<Ended> {
        self.start(args)?.end()
    }

    /// Starts the program. It is killed with what it is bound to, and with the test.
    ///
    /// # Errors
    /// If it does not start.
    pub fn start(&self, args: &[&str]) -> Result<Process> {
        self.start_with(args, &[])
    }

    /// Starts the program with these variables in its environment.
    ///
    /// # Errors
    /// If it does not start.
    pub fn start_with(&self, args: &[&str], variables: &[(&str, &str)]) -> Result<Process> {
        let said = tempfile::tempdir()?;
        let child = self
            .command(args)?
            .envs(variables.iter().copied())
            .stdout(File::create_new(said.path().join("stdout"))?)
            .stderr(File::create_new(said.path().join("stderr"))?)
            .spawn()
            .context("failed to run setpriv (package util-linux)")?;
        Ok(Process { child, said })
    }

    /// The program, to be started: it is killed with what it is bound to, and with the test.
    ///
    /// # Errors
    /// If it does not build.
    pub fn command(&self, args: &[&str]) -> Result<Command> {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(program()?).args(args);
        command.env_clear().current_dir(self.path()).stdin(Stdio::null());
        Ok(command)
    }

    /// The only run in the folder `runs`.
    ///
    /// # Errors
    /// If there is none, or more than one.
    pub fn only_run(&self) -> Result<Run> {
        let mut found = Vec::new();
        for entry in fs::read_dir(self.path().join("runs")).context("there are no runs")? {
            let path = entry?.path();
            if path.join("plan.json").is_file() {
                found.push(path);
            }
        }
        match <[PathBuf; 1]>::try_from(found) {
            Ok([path]) => Ok(Run { path }),
            Err(found) => bail!("{} runs instead of one", found.len()),
        }
    }

    /// Waits until the journal of the only run has a record like this.
    ///
    /// # Errors
    /// If the program ends before.
    pub fn until_record(
        &self,
        process: &mut Process,
        what: &str,
        mut is_it: impl FnMut(&Record) -> bool,
    ) -> Result<()> {
        process.until(what, || {
            let records = self.only_run().and_then(|run| run.records());
            records.is_ok_and(|records| records.iter().any(&mut is_it))
        })
    }
}

/// The program while it runs.
pub struct Process {
    child: Child,
    /// Its stdout and stderr, as files: nobody has to read them for it to go on.
    said: TempDir,
}

/// What a run of the program left behind.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// What it printed for programs and pipes.
    pub stdout: String,
    /// What it said to people.
    pub stderr: String,
}

impl Process {
    /// What it has said to people so far.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn stderr(&self) -> Result<String> {
        Ok(fs::read_to_string(self.said.path().join("stderr"))?)
    }

    /// Sends it a signal, such as `INT`.
    ///
    /// # Errors
    /// If it has ended already.
    pub fn signal(&self, name: &str) -> Result<()> {
        // It is our child and has not been waited for, so its number is still its own.
        let pid = self.child.id().to_string();
        let status = Command::new("kill").args(["-s", name, &pid]).status()?;
        ensure!(status.success(), "SIG{name} could not be sent");
        Ok(())
    }

    /// Kills it as the system does when memory runs out: no warning, no last word.
    ///
    /// # Errors
    /// If it had ended already.
    pub fn kill(mut self) -> Result<()> {
        ensure!(self.child.try_wait()?.is_none(), "it had ended: {}", self.stderr()?);
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// If it does not end.
    pub fn end(self) -> Result<Ended> {
        self.end_within(PATIENCE)
    }

    /// Waits so long for its end.
    ///
    /// # Errors
    /// If it does not end.
    pub fn end_within(mut self, patience: Duration) -> Result<Ended> {
        let mut status: Option<ExitStatus> = None;
        let ended = wait_for(patience, || {
            status = self.child.try_wait()?;
            Ok(status.is_some())
        });
        ended.with_context(|| format!("it does not end; it said: {:?}", self.stderr()))?;
        Ok(Ended {
            code: status.and_then(|status| status.code()),
            stdout: fs::read_to_string(self.said.path().join("stdout"))?,
            stderr: self.stderr()?,
        })
    }

    /// True once it has ended.
    ///
    /// # Errors
    /// If that cannot be told.
    pub fn has_ended(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_some())
    }

    /// Waits until it has said this to people.
    ///
    /// # Errors
    /// If it ends before.
    pub fn until_says(&mut self, words: &str) -> Result<()> {
        let stderr = self.said.path().join("stderr");
        self.until(words, || fs::read_to_string(&stderr).is_ok_and(|said| said.contains(words)))
    }

    /// Waits until a condition holds, while it runs.
    ///
    /// # Errors
    /// If it ends before.
    pub fn until(&mut self, what: &str, mut holds: impl FnMut() -> bool) -> Result<()> {
        wait(|| {
            if holds() {
                return Ok(true);
            }
            match self.child.try_wait()? {
                // What it did last may be the very thing.
                Some(_) if holds() => Ok(true),
                Some(status) => bail!("it ended with {status}: {}", self.stderr()?),
                None => Ok(false),
            }
        })
        .with_context(|| format!("waited for {what}"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Fails only if it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until a condition holds.
///
/// # Errors
/// If it never does, or cannot be told.
pub fn wait(holds: impl FnMut() -> Result<bool>) -> Result<()> {
    wait_for(PATIENCE, holds)
}

fn wait_for(patience: Duration, mut holds: impl FnMut() -> Result<bool>) -> Result<()> {
    let started = Instant::now();
    while !holds()? {
        ensure!(started.elapsed() < patience, "waited for {patience:?}");
        thread::sleep(LOOK);
    }
    Ok(())
}

/// The folder of a run.
pub struct Run {
    path: PathBuf,
}

impl Run {
    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The run's name.
    pub fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// All records that are on the disk.
    ///
    /// # Errors
    /// If the journal cannot be read.
    pub fn records(&self) -> Result<Vec<Record>> {
        Ok(Journal::read(&self.path.join("journal.jsonl"))?)
    }

    /// `summary.json`.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn summary(&self) -> Result<Value> {
        Ok(serde_json::from_slice(&fs::read(self.path.join("summary.json"))?)?)
    }

    /// How each device ended, by name: `migrated`, `failed`, …
    ///
    /// # Errors
    /// If the summary cannot be read.
    pub fn fates(&self) -> Result<Vec<(String, String)>> {
        let summary = self.summary()?;
        let devices = summary["devices"].as_object().context("the summary has devices")?;
        let fate = |(name, device): (&String, &Value)| {
            Some((name.clone(), device["state"].as_str()?.to_owned()))
        };
        devices.iter().map(|device| fate(device).context("a device has a state")).collect()
    }
}

/// True for the record that a step of this action was begun, on any device.
pub fn begins(record: &Record, action: Action) -> bool {
    matches!(
        &record.event,
        Event::Device { what: DeviceEvent::StepStarted { step }, .. } if step.action == action
    )
}

/// The computer's clock.
pub struct WallClock;

impl Clock for WallClock {
    #[expect(clippy::disallowed_methods, reason = "a test stands where the program stands")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// A lab in this process, and a home from which the program works on it.
///
/// The lab's insides can be looked at while the program knows nothing of it but addresses.
pub struct Bench {
    /// The folder; the lab is in `lab`, and [`QUICK`] is `quick.yaml`.
    pub home: Home,
    /// The lab's own threads.
    pub runtime: Runtime,
    lab: Lab,
}

impl Bench {
    /// Starts a lab with these faults, as YAML, and waits until its devices are up.
    ///
    /// # Errors
    /// If it does not start.
    pub fn start(devices: usize, faults: &str, pace: Pace) -> Result<Self> {
        Self::with_networks(devices, faults, BTreeMap::new(), pace)
    }

    /// Starts a lab with these faults, where these devices have other networks than a cable and DHCP.
    ///
    /// # Errors
    /// If it does not start.
    pub fn with_networks(
        devices: usize,
        faults: &str,
        networks: BTreeMap<String, NetworkKind>,
        pace: Pace,
    ) -> Result<Self> {
        let (home, runtime) = (Home::new()?, Runtime::new()?);
        home.write("quick.yaml", QUICK)?;
        let faults = parse_faults(faults)?;
        let dir = home.path().join("lab");
        let options = LabOptions {
            devices,
            seed: 1,
            faults: faults.clone(),
            networks,
            pace,
            dir,
            api_port: 0,
        };
        let lab = runtime.block_on(Lab::start(options))?;
        for pi in lab.devices() {
            if !faults.get(pi.name()).is_some_and(|faults| faults.unreachable) {
                runtime.block_on(pi.until(|life| life.state == State::Raspbian));
            }
        }
        Ok(Bench { home, runtime, lab })
    }

    /// The lab.
    pub fn lab(&self) -> &Lab {
        &self.lab
    }

    /// A device by its name.
    ///
    /// # Errors
    /// If there is none.
    pub fn device(&self, name: &str) -> Result<&Arc<VirtualPi>> {
        self.lab.device(name).with_context(|| format!("there is no {name}"))
    }

    /// Starts to migrate the lab, without questions.
    ///
    /// # Errors
    /// If the program does not start.
    pub fn migrate(&self, more: &[&str]) -> Result<Process> {
        let args = ["migrate", "--yes", "lab/inventory.yaml", "--policy", "quick.yaml"];
        self.home.start(&[&args, more].concat())
    }
}
