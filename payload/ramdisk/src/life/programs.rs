//! The programs beside MIGOS: busybox for modules and addresses, dropbear for the controller.

use super::kernel::log;
use crate::network::{Keeper, Lease, NameServers, interfaces, radio_configuration, up};
use crate::programs::{Programs, private_file, private_folder, words};
use migos_contract::Job;
use std::fs;
use std::io;
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

/// The names of the kernel modules to load, one a line, in order.
const MODULES: &str = "/etc/migos/modules";
/// Where the kernel tells of the network interfaces.
const SYS: &str = "/sys/class/net";
/// Where the keys of the SSH server stand in memory.
const HOST_KEY: &str = "/run/migos/host_key";
/// Where the radio's networks and passwords stand in memory.
const RADIO: &str = "/run/migos/wpa_supplicant.conf";
/// How often it is looked whether a program still runs and whether a network interface has come.
const LOOK: Duration = Duration::from_secs(2);

/// Loads the kernel's modules. One that fails is not needed on this board, or is missed later.
pub(super) fn load_modules() {
    let programs = Programs::of_this_system();
    let names = fs::read_to_string(MODULES).unwrap_or_default();
    for name in names.split_whitespace() {
        let mut modprobe = programs.command(&words(&["busybox", "modprobe", name]));
        match modprobe.stderr(Stdio::null()).status() {
            Ok(status) if status.success() => {}
            Ok(_) => log(&format!("module {name} does not load")),
            Err(error) => log(&format!("module {name} does not load: {error}")),
        }
    }
}

/// Brings up the job's interfaces, now or when they come, and again should they go. What cannot be written is
/// missed by some of them at most.
pub(super) fn start_network(job: &Job, wifi: Option<&[u8]>) {
    if let Some(wifi) = wifi {
        if let Err(error) = private_file(Path::new(RADIO), &radio_configuration(wifi)) {
            log(&format!("no Wi-Fi: {RADIO}: {error}"));
        }
    }
    if let Err(error) = NameServers::of_this_system().of_job(&job.network.dns) {
        log(&format!("the job's name servers are not asked: {error}"));
    }
    let programs = Programs::of_this_system();
    // What a bastion carries here comes out at an address of the board's own.
    if let Err(error) = programs.run(&up("lo")) {
        log(&format!("no loopback: {error}"));
    }
    let mut keeper = Keeper {
        programs,
        sys: SYS.into(),
        network: job.network.clone(),
        host_name: job.host_name.clone(),
        radio: RADIO.into(),
        held: Vec::new(),
    };
    thread::spawn(move || {
        loop {
            keeper.look().iter().for_each(|complaint| log(complaint));
            thread::sleep(LOOK);
        }
    });
}

/// Takes what a DHCP server has given.
pub(super) fn take_lease(lease: &Lease) {
    log(&format!("{} has {}/{}", lease.interface, lease.address, lease.prefix));
    let is_radio =
        interfaces(Path::new(SYS)).iter().any(|it| it.name == lease.interface && it.is_radio);
    if let Err(error) = lease.take(&Programs::of_this_system(), is_radio) {
        log(&format!("failed to set an address: {error}"));
    }
    if let Err(error) = NameServers::of_this_system().of_lease(lease) {
        log(&format!("the network's name servers are not asked: {error}"));
    }
}

/// Starts the SSH server, and starts it again whenever it ends. Only the job's key may log in.
///
/// # Errors
/// The keys cannot be put where the server reads them.
pub(super) fn start_ssh(host_key: &[u8], authorized_keys: &[u8]) -> io::Result<()> {
    private_folder(Path::new("/root/.ssh"))?;
    private_file(Path::new(HOST_KEY), host_key)?;
    private_file(Path::new("/root/.ssh/authorized_keys"), authorized_keys)?;
    thread::spawn(|| {
        let programs = Programs::of_this_system();
        loop {
            let dropbear = words(&["dropbear", "-F", "-E", "-s", "-r", HOST_KEY, "-p", "22"]);
            match programs.command(&dropbear).status() {
                Ok(status) => log(&format!("dropbear ended: {status}")),
                Err(error) => log(&format!("dropbear does not start: {error}")),
            }
            thread::sleep(LOOK);
        }
    });
    Ok(())
}
