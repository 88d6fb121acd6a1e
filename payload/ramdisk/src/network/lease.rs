//! What a DHCP server has given, and the name servers, which come from several sides.

use super::default_route;
use crate::programs::{Programs, private_file, private_folder, words};
use rustix::fs::{FlockOperation, flock};
use std::fs::{self, File};
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// As many as a resolver asks (resolv.conf(5)).
const MOST_SERVERS: usize = 3;
/// The end of a name whose file is not whole yet.
const NEW: &str = ".new";

/// An address that a DHCP server has given, as `udhcpc` tells it in the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The network interface.
    pub interface: String,
    /// The address.
    pub address: String,
    /// The network's prefix length.
    pub prefix: String,
    /// The first router, if there is any.
    pub router: Option<IpAddr>,
    /// The name servers.
    pub dns: Vec<IpAddr>,
}

impl Lease {
    /// Reads what `udhcpc` says; nothing where it names no address.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let addresses = |name: &str| -> Vec<IpAddr> {
            let all = variable(name).unwrap_or_default();
            all.split_whitespace().filter_map(|it| it.parse().ok()).collect()
        };
        Some(Lease {
            interface: variable("interface")?,
            address: variable("ip")?,
            prefix: variable("mask").unwrap_or_else(|| "24".to_owned()),
            router: addresses("router").first().copied(),
            dns: addresses("dns"),
        })
    }

    /// Gives the interface its address and its router.
    ///
    /// # Errors
    /// `ip` fails.
    pub fn take(&self, programs: &Programs, is_radio: bool) -> Result<(), String> {
        let Lease { interface, address, prefix, router, .. } = self;
        let ip = |rest: &[&str]| words(&[&["busybox", "ip"], rest].concat());
        let network = format!("{address}/{prefix}");
        // A renewal adds nothing: the address is there, and a flush would cut the controller off.
        let show = ip(&["addr", "show", "dev", interface]);
        let shown = programs.command(&show).output().map_err(|error| error.to_string())?;
        if !String::from_utf8_lossy(&shown.stdout).contains(&format!("inet {network} ")) {
            programs.run(&ip(&["addr", "flush", "dev", interface]))?;
            programs.run(&ip(&["addr", "add", &network, "dev", interface]))?;
        }
        router.map_or(Ok(()), |router| programs.run(&default_route(interface, is_radio, router)))
    }
}

/// The name servers by whom they come from, and the file that the resolver reads.
#[derive(Debug, Clone)]
pub struct NameServers {
    /// A folder in memory: one file for each side.
    pub folder: PathBuf,
    /// `/etc/resolv.conf`.
    pub file: PathBuf,
}

impl NameServers {
    /// The ramdisk's own.
    pub fn of_this_system() -> Self {
        Self { folder: "/run/migos/dns".into(), file: "/etc/resolv.conf".into() }
    }

    /// Takes those that the job names: they are asked first.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn of_job(&self, servers: &[IpAddr]) -> io::Result<()> {
        self.put("0-job", servers)
    }

    /// Takes those that came with a lease.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn of_lease(&self, lease: &Lease) -> io::Result<()> {
        self.put(&format!("1-{}", lease.interface), &lease.dns)
    }

    fn put(&self, side: &str, servers: &[IpAddr]) -> io::Result<()> {
        private_folder(&self.folder)?;
        // Each lease comes to a process of its own: two at once must not lose one another.
        let folder = File::open(&self.folder)?;
        flock(&folder, FlockOperation::LockExclusive)?;
        replace(&self.folder.join(side), &lines(servers))?;
        let sides = fs::read_dir(&self.folder)?.flatten().map(|entry| entry.path());
        let mut sides: Vec<PathBuf> =
            sides.filter(|path| !path.to_string_lossy().ends_with(NEW)).collect();
        sides.sort_unstable();
        let mut all = Vec::new();
        for side in sides {
            let text = fs::read_to_string(side)?;
            all.extend(text.lines().filter_map(|line| line.parse::<IpAddr>().ok()));
        }
        replace(&self.file, &resolv_conf(&all))
    }
}

fn lines(servers: &[IpAddr]) -> String {
    servers.iter().map(|server| format!("{server}\n")).collect()
}

/// The text of `/etc/resolv.conf`: one that does not answer is not waited for long.
fn resolv_conf(servers: &[IpAddr]) -> String {
    let mut different: Vec<&IpAddr> = Vec::new();
    for server in servers {
        if !different.contains(&server) {
            different.push(server);
        }
    }
    let servers = different.iter().take(MOST_SERVERS);
    let mut text: String = servers.map(|server| format!("nameserver {server}\n")).collect();
    text.push_str("options timeout:3 attempts:2\n");
    text
}

/// A resolver that reads at this moment sees the old file or the new one.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let mut new = path.as_os_str().to_owned();
    new.push(NEW);
    private_file(Path::new(&new), text.as_bytes())?;
    fs::rename(new, path)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn addresses(all: &[&str]) -> Vec<IpAddr> {
        all.iter().map(|it| it.parse().unwrap()).collect()
    }

    fn lease(all: &[(&str, &str)]) -> Option<Lease> {
        Lease::read(|name| {
            let found = all.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn a_lease_is_read_as_udhcpc_tells_it() {
        let all = [
            ("interface", "eth0"),
            ("ip", "192.168.1.7"),
            ("mask", "22"),
            ("router", "192.168.1.1 192.168.1.2"),
            ("dns", "192.168.1.1 nonsense 9.9.9.9"),
        ];
        let read = lease(&all).unwrap();
        assert_eq!((read.interface.as_str(), read.prefix.as_str()), ("eth0", "22"));
        assert_eq!(read.router, Some("192.168.1.1".parse().unwrap()));
        assert_eq!(read.dns, addresses(&["192.168.1.1", "9.9.9.9"]));
        let least = lease(&[("interface", "eth0"), ("ip", "10.0.0.2")]).unwrap();
        assert_eq!((least.prefix.as_str(), least.router, least.dns), ("24", None, Vec::new()));
        assert_eq!(lease(&[("interface", "eth0")]), None);
    }

    #[test]
    fn the_jobs_name_servers_are_asked_first_and_each_lease_has_its_own() {
        let root = tempfile::tempdir().unwrap();
        let servers =
            NameServers { folder: root.path().join("dns"), file: root.path().join("resolv.conf") };
        let of_lease = |interface: &str, dns: &str| {
            let all = [("interface", interface), ("ip", "10.0.0.2"), ("dns", dns)];
            servers.of_lease(&lease(&all).unwrap()).unwrap();
        };
        let asked = || {
            let text = fs::read_to_string(&servers.file).unwrap();
            let lines = text.lines().filter_map(|line| line.strip_prefix("nameserver "));
            lines.collect::<Vec<_>>().join(" ")
        };
        of_lease("eth0", "10.0.0.1");
        assert_eq!(asked(), "10.0.0.1");
        servers.of_job(&addresses(&["1.1.1.1"])).unwrap();
        of_lease("wlan0", "10.0.0.1 10.9.9.9 10.8.8.8");
        assert_eq!(asked(), "1.1.1.1 10.0.0.1 10.9.9.9");
        of_lease("eth0", "10.0.0.254");
        assert_eq!(asked(), "1.1.1.1 10.0.0.254 10.0.0.1");
    }
}
