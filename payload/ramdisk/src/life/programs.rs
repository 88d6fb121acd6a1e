//! The programs beside MIGOS: busybox for modules and addresses, dropbear for the controller.

use super::kernel::log;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

/// Where programs are looked for.
const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";
/// The names of the kernel modules to load, one a line, in order.
const MODULES: &str = "/etc/migos/modules";
/// Where the keys of the SSH server stand in memory.
const HOST_KEY: &str = "/run/migos/host_key";
/// How often it is looked whether a program still runs and whether a network interface has come.
const LOOK: Duration = Duration::from_secs(2);

fn program(name: &str, words: &[&str]) -> Command {
    let mut command = Command::new(name);
    command.args(words).env("PATH", PATH).stdin(Stdio::null());
    command
}

/// Loads the kernel's modules. One that fails is not needed on this board, or is missed later.
pub(super) fn load_modules() {
    let names = fs::read_to_string(MODULES).unwrap_or_default();
    for name in names.split_whitespace() {
        match program("busybox", &["modprobe", name]).stderr(Stdio::null()).status() {
            Ok(status) if status.success() => {}
            Ok(_) => log(&format!("module {name} does not load")),
            Err(error) => log(&format!("module {name} does not load: {error}")),
        }
    }
}

/// Asks for an address on every wired interface, now or when it comes, and again should it go.
pub(super) fn start_network(host_name: String) {
    thread::spawn(move || {
        let mut clients: Vec<(String, Child)> = Vec::new();
        loop {
            clients.retain_mut(|(_, client)| matches!(client.try_wait(), Ok(None)));
            for name in wired_interfaces() {
                if !clients.iter().any(|(known, _)| *known == name) {
                    match start_dhcp(&name, &host_name) {
                        Ok(client) => clients.push((name, client)),
                        Err(error) => log(&format!("no DHCP on {name}: {error}")),
                    }
                }
            }
            thread::sleep(LOOK);
        }
    });
}

/// Ethernet, and what looks like it; a radio wants credentials that the job does not have.
fn wired_interfaces() -> Vec<String> {
    const ETHERNET: &str = "1";
    let Ok(entries) = fs::read_dir("/sys/class/net") else { return Vec::new() };
    let is_wired = |path: &Path| {
        let kind = fs::read_to_string(path.join("type")).unwrap_or_default();
        kind.trim() == ETHERNET
            && !path.join("wireless").exists()
            && !path.join("phy80211").exists()
    };
    let wired = entries.flatten().filter(|entry| is_wired(&entry.path()));
    wired.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

/// `udhcpc` calls this program with each change: see [`take_lease`].
fn start_dhcp(interface: &str, host_name: &str) -> io::Result<Child> {
    program("busybox", &["ip", "link", "set", interface, "up"]).status()?;
    let host_name = format!("hostname:{host_name}");
    let words = ["udhcpc", "-f", "-i", interface, "-x", &host_name, "-A", "5", "-s", "/init"];
    program("busybox", &words).stdout(Stdio::null()).spawn()
}

/// An address that a DHCP server has given, as `udhcpc` tells it in the environment.
pub(super) struct Lease {
    /// The network interface.
    pub(super) interface: String,
    /// The address.
    pub(super) address: String,
    /// The network's prefix length.
    pub(super) prefix: String,
    /// The first router, if there is any.
    pub(super) router: Option<String>,
}

/// Gives an interface its address.
///
/// # Errors
/// `ip` cannot be run.
pub(super) fn take_lease(lease: &Lease) -> io::Result<()> {
    let Lease { interface, address, prefix, router } = lease;
    let ip = |words: &[&str]| program("busybox", &[&["ip"], words].concat()).status();
    let network = format!("{address}/{prefix}");
    log(&format!("{interface} has {network}"));
    // A renewal adds nothing: the address is there, and a flush would cut the controller off.
    let shown = program("busybox", &["ip", "addr", "show", "dev", interface]).output()?;
    if !String::from_utf8_lossy(&shown.stdout).contains(&format!("inet {network} ")) {
        ip(&["addr", "flush", "dev", interface])?;
        ip(&["addr", "add", &network, "dev", interface])?;
    }
    if let Some(router) = router {
        ip(&["route", "replace", "default", "via", router, "dev", interface])?;
    }
    Ok(())
}

/// Starts the SSH server, and starts it again whenever it ends. Only the job's key may log in.
///
/// # Errors
/// The keys cannot be put where the server reads them.
pub(super) fn start_ssh(host_key: &[u8], authorized_keys: &[u8]) -> io::Result<()> {
    let private = |path: &str| fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    private("/root/.ssh")?;
    private("/run/migos")?;
    write_private(HOST_KEY, host_key)?;
    write_private("/root/.ssh/authorized_keys", authorized_keys)?;
    thread::spawn(|| {
        loop {
            let words = ["-F", "-E", "-s", "-r", HOST_KEY, "-p", "22"];
            match program("dropbear", &words).status() {
                Ok(status) => log(&format!("dropbear ended: {status}")),
                Err(error) => log(&format!("dropbear does not start: {error}")),
            }
            thread::sleep(LOOK);
        }
    });
    Ok(())
}

fn write_private(path: &str, content: &[u8]) -> io::Result<()> {
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(content)
}
