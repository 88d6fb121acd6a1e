//! One power-on: a QEMU process until its reset, its end, or its power is cut.

use super::model::{Model, fdtput};
use anyhow::{Context, Result, bail, ensure};
use migos_engine::run::write_whole;
use serde_json::Value;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

/// The file with the device tree of this power-on.
const DEVICE_TREE: &str = "board.dtb";
/// Where Broadcom's watchdog is in its device trees.
const WATCHDOG: &str = "/soc/watchdog@7e100000";

/// The file that holds what the firmware was told.
pub(super) const REBOOT_PARAM: &str = "reboot-param";

/// Pulls the cable, in the words of QEMU's own protocol.
const NO_CABLE: &[u8] =
    b"{\"execute\": \"set_link\", \"arguments\": {\"name\": \"eth\", \"up\": false}}\n";

/// What is powered on.
#[derive(Debug)]
pub(super) struct Machine<'a> {
    /// The board.
    pub(super) model: Model,
    /// The script that runs QEMU.
    pub(super) qemu: &'a Path,
    /// Where it keeps its files.
    pub(super) folder: &'a Path,
    /// The card.
    pub(super) card: &'a Path,
    /// The port on 127.0.0.1 that leads to its SSH server.
    pub(super) port: u16,
    /// The Ethernet address.
    pub(super) mac: &'a str,
    /// The processor that it runs on.
    pub(super) processor: usize,
    /// How QEMU reads and writes the card.
    pub(super) aio: &'static str,
}

/// How a machine is powered on.
#[derive(Debug)]
pub(super) struct Start<'a> {
    /// The kernel's command line.
    pub(super) cmdline: &'a str,
    /// Whether there is an initramfs.
    pub(super) initramfs: bool,
    /// Whether the network's cable is plugged in.
    pub(super) cable: bool,
}

/// How a power-on ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// A reset, with what was handed to the firmware for the next boot.
    Reset(String),
    /// It switched itself off, or its power was cut.
    Off,
}

/// The power of a machine that runs, for whoever wants to cut it.
#[derive(Debug, Clone)]
pub(super) struct Plug(Arc<Mutex<Child>>);

impl Plug {
    /// No signal is handled, nothing is flushed: what the guest had not written is gone.
    pub(super) fn pull(&self) {
        // Fails only if it has ended.
        let _ = self.0.lock().unwrap_or_else(PoisonError::into_inner).kill();
    }

    fn is_live(&self) -> Result<bool> {
        let mut child = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(child.try_wait()?.is_none())
    }
}

/// A machine that runs.
#[derive(Debug)]
pub(super) struct Running {
    plug: Plug,
    said: BufReader<ChildStdout>,
    param: PathBuf,
}

impl Machine<'_> {
    /// Prepares the device tree of QEMU's own boards, which then says of itself what a board of this model does. Gives the
    /// quickest way to read and write the card that this computer has.
    pub(super) fn prepare(&self, serial: &str) -> Result<&'static str> {
        let path = self.folder.join(DEVICE_TREE);
        let dump = |aio| {
            let mut qemu = Command::new(self.qemu);
            let machine = if self.model.is_broadcom() { "virt" } else { self.model.machine() };
            qemu.arg("-M").arg(format!("{machine},dumpdtb={}", path.display()));
            qemu.args(self.model.parts());
            qemu.args(["-nic", "none", "-display", "none"]);
            qemu.arg("-drive").arg(self.drive("none,id=sd", aio));
            qemu.output()
        };
        // By threads, each sector is handed to another one and back. Not every kernel lets QEMU do it otherwise.
        let mut aio = "io_uring";
        let mut dumped = dump(aio)?;
        if !dumped.status.success() {
            aio = "threads";
            dumped = dump(aio)?;
        }
        ensure!(dumped.status.success(), "{}", String::from_utf8_lossy(&dumped.stderr));
        if !self.model.is_broadcom() {
            self.model.sign(&path, serial)?;
            // By it the kernel would choose its place by chance, and for that keep its page tables apart: half as much
            // again for each call into it, under emulation.
            fdtput(&["-d", word(&path)?, "/chosen", "kaslr-seed"])?;
        }
        Ok(aio)
    }

    /// Takes a device tree from the card, as the firmware of a board with Broadcom's chips does.
    pub(super) fn take_tree(&self, tree: &[u8], serial: &str, is_migos: bool) -> Result<()> {
        let path = self.folder.join(DEVICE_TREE);
        write_whole(&path, tree, 0o644)?;
        self.model.sign(&path, serial)?;
        if is_migos {
            // QEMU's has no time: it resets the board as soon as it is started. Without it the board cannot be reset
            // either, which is left to the plug.
            fdtput(&["-t", "s", word(&path)?, WATCHDOG, "status", "disabled"])?;
        }
        Ok(())
    }

    fn drive(&self, interface: &str, aio: &str) -> String {
        let card = self.card.display();
        format!("file={card},if={interface},format=raw,cache=unsafe,aio={aio}")
    }

    /// Powers it on, with `kernel` and, if there is one, `initramfs` in its folder.
    pub(super) fn start(&self, start: &Start<'_>) -> Result<Running> {
        let file = |name: &str| self.folder.join(name).display().to_string();
        let mut qemu = Command::new("setpriv");
        qemu.args(["--pdeathsig", "KILL", "taskset", "-c", &self.processor.to_string()]);
        qemu.arg(self.qemu).args(["-M", self.model.machine()]).args(self.model.parts());
        qemu.args(["-dtb", &file(DEVICE_TREE), "-kernel", &file("kernel")]);
        qemu.args(["-append", start.cmdline]);
        if start.initramfs {
            qemu.args(["-initrd", &file("initramfs")]);
        }
        let (mac, param) = (self.mac, self.folder.join(REBOOT_PARAM));
        qemu.arg("-netdev").arg(format!("user,id=net,hostfwd=tcp:127.0.0.1:{}-:22", self.port));
        if self.model.is_broadcom() {
            qemu.arg("-drive").arg(self.drive("sd", self.aio));
            qemu.arg("-device").arg(format!("usb-net,id=eth,netdev=net,mac={mac}"));
            write_whole(&param, b"", 0o644)?;
        } else {
            qemu.arg("-drive").arg(self.drive("none,id=sd", self.aio));
            qemu.args(["-device", "sdhci-pci", "-device", "sd-card,drive=sd"]);
            qemu.args(["-device", "virtio-rng-pci", "-device"]);
            qemu.arg(format!("virtio-net-pci,id=eth,netdev=net,romfile=,mac={mac}"));
            // What a kernel of a Pi tells the firmware in registers goes through a port of its own.
            qemu.arg("-chardev").arg(format!("file,id=param,path={}", param.display()));
            qemu.args(["-device", "virtio-serial-pci"]);
            qemu.args(["-device", "virtserialport,chardev=param,name=reboot-param"]);
            qemu.args(["-device", "i6300esb", "-action", "watchdog=reset"]);
        }
        qemu.arg("-no-reboot");
        qemu.arg("-chardev").arg(format!("file,id=tty,append=on,path={}", file("console")));
        qemu.args(["-serial", "chardev:tty", "-display", "none", "-monitor", "none"]);
        qemu.args(["-qmp", "stdio"]);
        qemu.stdin(Stdio::piped()).stdout(Stdio::piped());
        qemu.stderr(File::create(self.folder.join("qemu.log"))?);
        let mut child = qemu.spawn().context("failed to run setpriv (package util-linux)")?;
        let said = BufReader::new(child.stdout.take().context("QEMU says nothing")?);
        // Until it is told this, QEMU tells of no events. It ends at the end of its standard input.
        let mut told = child.stdin.take().context("QEMU cannot be told anything")?;
        let plug = Plug(Arc::new(Mutex::new(child)));
        let mut hello = told.write_all(b"{\"execute\": \"qmp_capabilities\"}\n");
        if !start.cable {
            hello = hello.and_then(|()| told.write_all(NO_CABLE));
        }
        plug.0.lock().unwrap_or_else(PoisonError::into_inner).stdin = Some(told);
        if hello.is_err() || !plug.is_live()? {
            bail!("QEMU did not start: {}", fs::read_to_string(self.folder.join("qemu.log"))?);
        }
        Ok(Running { plug, said, param })
    }
}

impl Running {
    /// Its power.
    pub(super) fn plug(&self) -> Plug {
        self.plug.clone()
    }

    /// Waits for its end.
    pub(super) fn ended(mut self) -> Result<Ended> {
        let mut reset = false;
        for line in (&mut self.said).lines() {
            // What QEMU was about to say when its power was cut is half a line.
            let Ok(said) = serde_json::from_str::<Value>(&line?) else { continue };
            reset |= said["event"] == "SHUTDOWN" && said["data"]["reason"] == "guest-reset";
        }
        // Its standard output is closed: it ends now, if it has not.
        let status = self.plug.0.lock().unwrap_or_else(PoisonError::into_inner).wait()?;
        ensure!(reset || status.success() || status.code().is_none(), "QEMU ended with {status}");
        match reset {
            true => Ok(Ended::Reset(fs::read_to_string(&self.param)?.trim().to_owned())),
            false => Ok(Ended::Off),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.plug.pull();
    }
}

fn word(path: &Path) -> Result<&str> {
    path.to_str().context("a path is not UTF-8")
}
