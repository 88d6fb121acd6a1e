//! Raspbian as it runs on a virtual Pi: its mounts, its login, its commands.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use russh::keys::PublicKey;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::card::{FsError, Pool};
use crate::device::{OTHER_BOARD, VirtualPi};
use crate::mounts::{self, Hands};
use crate::server::{Answer, Run, Shell};
use crate::sudo::{self, Rise};
use crate::twin::Twin;
use crate::{site, verbs, words};

/// The login that images of this age come with.
const USER: &str = "pi";

/// Where the loader's own words to the system stand.
const BOOTLOADER: &str = "proc/device-tree/chosen/bootloader";

/// A running Raspbian.
#[derive(Clone)]
pub(crate) struct Raspbian {
    pub(crate) pi: Arc<VirtualPi>,
    pub(crate) kernel: RunningKernel,
    pub(crate) boot_id: String,
    /// The board's serial number, as it is read on this connection.
    pub(crate) serial: u64,
    pub(crate) hands: Hands,
    started: Instant,
}

/// The kernel that the firmware started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RunningKernel {
    /// Its file on the boot partition.
    pub(crate) file: String,
    /// `uname -r`.
    pub(crate) version: String,
    /// `uname -m`.
    pub(crate) machine: String,
    /// `/proc/cmdline`.
    pub(crate) cmdline: String,
    /// `/proc/device-tree/chosen/bootloader/tryboot`.
    pub(crate) tryboot: bool,
}

impl RunningKernel {
    /// Changes of the root file system go to memory.
    pub(crate) fn has_overlay(&self) -> bool {
        let mut words = self.cmdline.split_ascii_whitespace();
        words.any(|word| word == "boot=overlay" || word.starts_with("overlayroot=tmpfs"))
    }
}

impl Raspbian {
    pub(crate) fn start(
        pi: &Arc<VirtualPi>,
        kernel: RunningKernel,
        boots: u32,
        power: watch::Receiver<()>,
    ) -> Result<Self, FsError> {
        let boot_id = pi.seed.uuid(&format!("{} boot {boots}", pi.name));
        let mut memory = mounts::memory();
        for folder in ["run/systemd", "proc/sys/kernel/random"] {
            memory.make_folders(folder)?;
        }
        for (path, text) in
            [("proc/cmdline", &kernel.cmdline), ("proc/sys/kernel/random/boot_id", &boot_id)]
        {
            memory.write(path, pi.pool.keep(format!("{text}\n").as_bytes()))?;
        }
        // What is made at every start anew.
        for (path, text) in pi.site.files.iter().filter(|(path, _)| path.starts_with("/run/")) {
            let path = path.trim_start_matches('/');
            memory.make_folders(path.rsplit_once('/').map_or("", |(folder, _)| folder))?;
            memory.write(path, pi.pool.keep(text.as_bytes()))?;
        }
        // The EEPROM's loaders tell how they were started; of the others it is not known.
        if pi.model.eeprom.is_some() {
            memory.make_folders(BOOTLOADER)?;
            let flag = u32::from(kernel.tryboot).to_be_bytes();
            memory.write(&format!("{BOOTLOADER}/tryboot"), pi.pool.keep(&flag))?;
        }
        *pi.memory() = memory;
        pi.mount_boot();
        if kernel.has_overlay()
            && let Some(partitions) = pi.card().partitions_mut()
        {
            partitions.lower = Some(partitions.root.clone());
            // Half of the memory, as every tmpfs; what a twin has told is of such a one already.
            if !pi.twin.as_ref().is_some_and(Twin::has_overlay) {
                partitions.root.leave_free(pi.model.memory.saturating_mul(1024) / 2);
            }
        }
        Ok(Self {
            serial: pi.present_serial(),
            hands: Hands::new(pi, power),
            started: Instant::now(),
            pi: Arc::clone(pi),
            kernel,
            boot_id,
        })
    }

    /// Seconds since it was started, as in `/proc/uptime`.
    pub(crate) fn uptime(&self) -> u64 {
        self.started.elapsed().as_secs()
    }

    /// `SSH_CONNECTION` of a login: of a computer on the same network, or at the other end of a tunnel.
    fn connection(&self) -> String {
        let own = self.address();
        match own {
            IpAddr::V4(address) => {
                let [a, b, c, _] = address.octets();
                format!("{} 50022 {own} 22", Ipv4Addr::from([a, b, c, 1]))
            }
            IpAddr::V6(_) => format!("{own} 50022 {own} 22"),
        }
    }

    /// The address at which it is reached, as it sees it itself; the lab's own are all of one computer.
    pub(crate) fn address(&self) -> IpAddr {
        let own = site::own_address(self.pi.address);
        if let (true, IpAddr::V4(own)) = (self.pi.faults.tunnel, own) {
            let [.., number] = own.octets();
            return IpAddr::from([10, 8, 0, number]);
        }
        self.pi.twin.as_ref().and_then(Twin::address).unwrap_or(own)
    }

    /// Where contents are kept.
    pub(crate) fn pool(&self) -> &Pool {
        &self.pi.pool
    }
}

impl Shell for Raspbian {
    fn accepts(&self, user: &str, key: &PublicKey) -> bool {
        let refuses = self.pi.twin.as_ref().is_some_and(|twin| twin.refuses_login);
        !refuses && user == USER && key.key_data() == self.pi.operator.key_data()
    }

    fn session(self: Arc<Self>) -> Arc<dyn Shell> {
        let is_other = self.pi.count_connection() > 1 && self.pi.faults.wrong_serial;
        let serial = match is_other {
            true => self.pi.present_serial() ^ OTHER_BOARD,
            false => self.pi.present_serial(),
        };
        Arc::new(Self { serial, ..Self::clone(&self) })
    }

    fn run(self: Arc<Self>, line: &str) -> Run {
        let words = match words::split(line, &self.connection()) {
            Ok(words) => words,
            Err(error) => return Run::Ended(Answer::fail(2, format!("sh: {error}"))),
        };
        match sudo::strip(&words) {
            Err(answer) => Run::Ended(answer),
            Ok((command, None)) => self.command(command, false),
            Ok((command, Some(_))) if !self.pi.faults.sudo_asks => self.command(command, true),
            Ok((_, Some(Rise::Silent))) => {
                Run::Ended(Answer::fail(1, "sudo: a password is required"))
            }
            Ok((command, Some(Rise::FromInput))) => {
                let command = command.to_vec();
                sudo::ask(Box::new(move || self.command(&command, true)))
            }
        }
    }
}

impl Raspbian {
    fn command(self: Arc<Self>, words: &[String], root: bool) -> Run {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words[..] {
            [] => Run::Ended(Answer::fail(1, "sudo: no command")),
            // The script is for real shells. A virtual Pi knows the verb by its name.
            ["sh", "-c", _script, verb, ref arguments @ ..] => {
                verbs::run(&self, root, verb, arguments)
            }
            _ => Run::Ended(self.plain_command(&words, root)),
        }
    }

    /// The few commands that a person tries first.
    fn plain_command(&self, words: &[&str], root: bool) -> Answer {
        let user = if root { "root" } else { USER };
        let line = |text: &str| Answer::print(format!("{text}\n"));
        match words {
            ["true"] => Answer::done(),
            ["id", "-u"] => line(if root { "0" } else { "1000" }),
            ["id", "-un"] | ["whoami"] => line(user),
            ["hostname"] => line(self.pi.hostname()),
            ["uname", "-r"] => line(&self.kernel.version),
            ["uname", "-m"] => line(&self.kernel.machine),
            _ => {
                let name = words.first().copied().unwrap_or_default();
                Answer::fail(
                    127,
                    format!("sh: {name}: not found (a virtual Pi knows the verbs and little more)"),
                )
            }
        }
    }
}
