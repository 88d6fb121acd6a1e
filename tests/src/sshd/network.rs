//! A network of its own for servers: a switch with a cable to each of them and one to this computer.
//!
//! The switch is a network namespace that lives as long as one process, and each server's end of a cable lives in
//! the server's namespace. When they end, however they end, the kernel takes cables and addresses away.

use anyhow::{Context, Result, bail, ensure};
use std::io::{BufRead, BufReader};
use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// Makes the switch, says so, and keeps it until the input ends.
const SWITCH: &str =
    "ip link add switch type bridge && ip link set switch up && echo ready && exec cat";

/// Addresses that are set aside for tests of networks (RFC 2544): 198.18.0.0/15.
const ADDRESSES: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 0);
/// How many networks have room there.
const NETWORKS: u32 = 1 << (32 - 15 - HOST_BITS);
/// 13 servers, this computer, and the two addresses that nobody can have.
const HOST_BITS: u32 = 4;

/// A network on this computer. It ends when it is dropped, and with the test.
#[derive(Debug)]
pub struct Network {
    switch: Child,
    first: u32,
    cables: u32,
}

impl Network {
    /// Starts a network without servers.
    ///
    /// # Errors
    /// If it cannot be started; the message says what is missing.
    pub fn start() -> Result<Self> {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let mut switch = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "unshare", "--net", "sh", "-c", SWITCH])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("failed to run setpriv (package util-linux)")?;
        let said = switch.stdout.take().context("no standard output")?;
        // Tests that run at the same time have other process numbers.
        let place = std::process::id().wrapping_mul(4).wrapping_add(number) % NETWORKS;
        let first = ADDRESSES.to_bits() + (place << HOST_BITS);
        let network = Network { switch, first, cables: 0 };
        let mut ready = String::new();
        BufReader::new(said).read_line(&mut ready)?;
        ensure!(
            ready == "ready\n",
            "no network namespace with a bridge can be made here: it takes root, the package iproute2 and \
             a kernel with bridge and veth"
        );
        let (here, peer) = (format!("mf{}-{number}", std::process::id()), network.switch.id());
        ip(None, &format!("link add {here} type veth peer name here netns {peer}"))?;
        network.attach("here")?;
        ip(None, &format!("address add {}/{} dev {here}", network.address(1), 32 - HOST_BITS))?;
        ip(None, &format!("link set {here} up"))?;
        Ok(network)
    }

    /// Connects a process with a network namespace of its own; gives the address that it has from now on.
    pub(super) fn plug_in(&mut self, process: u32) -> Result<Ipv4Addr> {
        let number = self.cables + 2;
        ensure!(number < (1 << HOST_BITS) - 1, "the network has no address left");
        let (address, cable) = (self.address(number), self.cable(number));
        let switch = self.switch.id();
        ip(
            None,
            &format!("link add {cable} netns {switch} type veth peer name eth0 netns {process}"),
        )?;
        self.cables += 1;
        let inside = Some(process);
        ip(inside, &format!("address add {address}/{} dev eth0", 32 - HOST_BITS))?;
        ip(inside, "link set lo up")?;
        ip(inside, "link set eth0 up")?;
        self.attach(&cable)?;
        Ok(address)
    }

    /// Pulls the cable of the server at this address out of the switch: nothing passes any more, and nobody is
    /// told.
    ///
    /// # Errors
    /// If there is no such cable.
    pub fn pull(&self, server: Ipv4Addr) -> Result<()> {
        self.set(server, "down")
    }

    /// Puts it in again.
    ///
    /// # Errors
    /// If there is no such cable.
    pub fn put_back(&self, server: Ipv4Addr) -> Result<()> {
        self.set(server, "up")
    }

    fn set(&self, server: Ipv4Addr, state: &str) -> Result<()> {
        let cable = self.cable(server.to_bits().wrapping_sub(self.first));
        ip(Some(self.switch.id()), &format!("link set {cable} {state}"))
    }

    fn attach(&self, cable: &str) -> Result<()> {
        ip(Some(self.switch.id()), &format!("link set {cable} master switch up"))
    }

    fn cable(&self, number: u32) -> String {
        format!("cable{number}")
    }

    fn address(&self, number: u32) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.first + number)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // The namespace goes with its last process, and with it this computer's cable.
        let _ = self.switch.kill();
        let _ = self.switch.wait();
    }
}

/// Runs `ip` here, or in the network namespace of a process.
fn ip(process: Option<u32>, words: &str) -> Result<()> {
    let mut command = match process {
        None => Command::new("ip"),
        Some(process) => {
            let mut nsenter = Command::new("nsenter");
            nsenter.args([&format!("--net=/proc/{process}/ns/net"), "ip"]);
            nsenter
        }
    };
    let output = command
        .args(words.split(' '))
        .output()
        .context("failed to run ip (package iproute2) or nsenter (package util-linux)")?;
    if !output.status.success() {
        bail!("ip {words}: {}", String::from_utf8_lossy(&output.stderr).trim_end());
    }
    Ok(())
}
