//! Emulated Pis in an inventory of their own, and a balena that they are to come to.

use super::card::Card;
use super::payload::{self, Overlay};
use super::pi::{EmulatedPi, Power};
use super::{Model, is_migos, pi::Life};
use crate::fleet::{Ended, Home, Process, QUICK};
use anyhow::{Result, bail, ensure};
use migos_lab::{Lab, LabOptions, Pace};
use std::fmt::Write as _;
use std::fs;
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// The seed of the lab whose balena the Pis come to. Devices of every type may join its fleet.
const SEED: u64 = 15;
/// How long anything is waited for: more than five times what an idle computer needs.
const PATIENCE: Duration = Duration::from_secs(900);
/// Pause between two looks at what can tell us nothing by itself: short, where the power is cut at an instant.
const GLANCE: Duration = Duration::from_millis(4);

/// What is laid out.
#[derive(Debug, Clone, Copy)]
pub struct Setup<'a> {
    /// How many Pis.
    pub pis: usize,
    /// Which board they are.
    pub model: Model,
    /// Whether the payload is one of those that the program builds. All but the usual board need that.
    pub whole_payload: bool,
    /// Files of the ramdisk that are others, in a payload for the usual board alone.
    pub overlay: &'a [Overlay<'a>],
    /// The policy's `dead_man`.
    pub dead_man: &'a str,
    /// Further lines of the policy.
    pub policy: &'a str,
    /// The port of balena's API on 127.0.0.1; any, if 0.
    pub api_port: u16,
    /// Whether the firmware is too old for the one-shot flag.
    pub old_firmware: bool,
}

impl Default for Setup<'_> {
    fn default() -> Self {
        let dead_man = "{ contact: 5m, commit: 10m, hung: 1m }";
        Self {
            pis: 1,
            model: Model::default(),
            whole_payload: false,
            overlay: &[],
            dead_man,
            policy: "prove: never\n",
            api_port: 0,
            old_firmware: false,
        }
    }
}

/// Pis with power, and a home from which the program works on them.
pub struct Ground {
    /// The Pis, in the inventory as `pi1`, `pi2`, and so on.
    pub pis: Vec<EmulatedPi>,
    /// The folder of the program.
    pub home: Home,
    /// The image as it is to stand on a card.
    pub raw: Vec<u8>,
    lab: Lab,
    /// The lab's threads.
    _runtime: Runtime,
}

impl Ground {
    /// What the program is given to migrate all Pis. The kernel of the payload is Debian's, and the API listens where no
    /// Pi reaches it.
    pub const MIGRATE: [&str; 9] = [
        "migrate",
        "--yes",
        "--allow",
        "unguarded-kernel",
        "--allow",
        "api-reach",
        "-v",
        "--no-progress",
        "inventory.yaml",
    ];

    /// Lays it out, and waits until every Pi is up.
    ///
    /// # Errors
    /// If it cannot be done; the message says what is missing.
    pub fn new(setup: Setup<'_>) -> Result<Self> {
        let (home, runtime) = (Home::new()?, Runtime::new()?);
        let payload = match setup.whole_payload {
            true => payload::whole(setup.model)?,
            false => payload::lean(setup.overlay)?,
        };
        home.write("payloads/payload.tgz", payload)?;
        let raw = put_image(&home, setup.model)?;
        let options = LabOptions {
            devices: 1,
            seed: SEED,
            faults: Default::default(),
            networks: Default::default(),
            pace: Pace::test(),
            dir: home.path().join("lab"),
            api_port: setup.api_port,
        };
        let lab = runtime.block_on(Lab::start(options))?;
        let card = |folder: &_| Card::raspberry_pi_os(setup.model, folder);
        let pis = EmulatedPi::several(setup.pis, setup.model, card)?;
        home.write("inventory.yaml", inventory(&lab, setup.model, &pis))?;
        let policy = QUICK
            .replace("prove: never\n", setup.policy)
            .replace("{ contact: 60s, commit: 120s }", setup.dead_man);
        home.write("policy.yaml", policy)?;
        for pi in &pis {
            if setup.old_firmware {
                pi.card().forget_one_shot()?;
            }
            pi.power_on();
        }
        for pi in &pis {
            pi.until_ssh()?;
        }
        Ok(Self { pis, home, raw, lab, _runtime: runtime })
    }

    /// The first Pi.
    pub fn pi(&self) -> &EmulatedPi {
        &self.pis[0]
    }

    /// The lab's API of balena.
    pub fn balena(&self) -> &migos_lab::balena_api::BalenaApi {
        self.lab.api()
    }

    /// Begins to migrate all Pis.
    ///
    /// # Errors
    /// If the program does not start.
    pub fn migrate(&self) -> Result<Process> {
        self.home.start(&Self::MIGRATE)
    }

    /// The same, for somebody who looks on.
    ///
    /// # Errors
    /// If the program does not start.
    pub fn migrate_on_screen(&self) -> Result<Child> {
        Ok(self.home.command(&Self::MIGRATE)?.spawn()?)
    }

    /// Takes up the only run.
    ///
    /// # Errors
    /// If there is none, or the program does not start.
    pub fn resume(&self) -> Result<Process> {
        self.home.start(&["resume", "-v", &self.home.only_run()?.name()])
    }

    /// Waits until the program has ended.
    ///
    /// # Errors
    /// If it does not, or an emulation fails.
    pub fn end(&self, mut process: Process) -> Result<Ended> {
        self.until(&mut process, "the end", true, || false)?;
        process.end()
    }

    /// Waits for something while the program works and all Pis live. Gives the program's own end only where that is
    /// waited for.
    ///
    /// # Errors
    /// If it never is, the program ends before, or a Pi does.
    pub fn until(
        &self,
        process: &mut Process,
        what: &str,
        may_end: bool,
        mut holds: impl FnMut() -> bool,
    ) -> Result<()> {
        let started = Instant::now();
        while !holds() {
            let ended = process.has_ended()?;
            if ended && (may_end || holds()) {
                return Ok(());
            }
            let why = match self.pis.iter().map(|pi| pi.life().power).find(is_dead) {
                _ if ended => "the program has ended".to_owned(),
                _ if started.elapsed() > PATIENCE => format!("it took {PATIENCE:?}"),
                Some(power) => format!("a Pi is {power:?}"),
                None => {
                    thread::sleep(GLANCE);
                    continue;
                }
            };
            bail!("waited for {what}: {why}\n{}\n{}", process.stderr()?, self.story());
        }
        Ok(())
    }

    /// Waits for a moment, and pulls the first Pi's plug at it.
    ///
    /// # Errors
    /// If it never comes.
    pub fn cut_power_at(
        &self,
        process: &mut Process,
        what: &str,
        holds: impl FnMut() -> bool,
    ) -> Result<()> {
        self.until(process, what, false, holds)?;
        self.pi().cut_power()
    }

    /// What became of the Pis, for people who look why a test failed.
    pub fn story(&self) -> String {
        let mut story = String::new();
        for (number, pi) in self.pis.iter().enumerate() {
            let _ = writeln!(story, "pi{}: {}", number + 1, tell(&pi.life()));
            let console = pi.console().unwrap_or_default();
            let lines: Vec<_> = console.lines().collect();
            for line in &lines[lines.len().saturating_sub(40)..] {
                let _ = writeln!(story, "  {line}");
            }
        }
        story
    }
}

fn is_dead(power: &Power) -> bool {
    matches!(power, Power::Dark(_) | Power::Broken(_))
}

/// One line: what was booted when.
pub fn tell(life: &Life) -> String {
    let boots = life.boots.iter().zip(&life.times).map(|(boot, time)| {
        let system = if is_migos(boot) { "MIGOS" } else { "the card's own system" };
        format!("{:.1} s {system} by {:?}", time.as_secs_f64(), boot.config)
    });
    boots.chain([format!("{:?}", life.power)]).collect::<Vec<_>>().join("; ")
}

fn inventory(lab: &Lab, model: Model, pis: &[EmulatedPi]) -> String {
    let (device_type, _) = model.device_type();
    let mut text = format!(
        "migos: 1\n\
         balena: {{ fleet: {fleet}, api: \"{api}\", token: {{ file: lab/token }} }}\n\
         payloads: payloads/\n\
         images: {{ {device_type}: images/balena.img }}\n\
         data: none\n\
         policy: policy.yaml\n\
         devices:\n",
        fleet = migos_lab::FLEET,
        api = lab.api().url(),
    );
    for (number, pi) in pis.iter().enumerate() {
        let (number, port, key) = (number + 1, pi.port(), pi.card().key().display());
        let _ = writeln!(
            text,
            "  pi{number}: {{ host: 127.0.0.1, ssh: {{ user: pi, port: {port}, identity: {key} }} }}"
        );
    }
    text
}

/// The small balenaOS as an image to be flashed, prepared as a person does it.
fn put_image(home: &Home, model: Model) -> Result<Vec<u8>> {
    let folder = tempfile::tempdir()?;
    let raw = fs::read(Card::balena_os(model, folder.path())?.image())?;
    home.write("balena.img", &raw)?;
    let mut args = vec!["image", "prepare", "balena.img", "-o", "images/balena.img"];
    let (device_type, architecture) = model.device_type();
    args.extend(["--device-type", device_type, "--architecture", architecture]);
    args.extend(["--os-version", "balenaOS 6.0.24"]);
    let ended = home.run(&args)?;
    ensure!(ended.code == Some(0), "{}{}", ended.stdout, ended.stderr);
    Ok(raw)
}
