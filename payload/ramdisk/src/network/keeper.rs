//! Keeps the network up: whatever is missing is started again, for as long as MIGOS lives.

use super::{Interface, by_hand, dhcp, interfaces, radio, up, wanted};
use crate::programs::{Programs, Words};
use migos_contract::{Addressing, Link, Network};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

/// The interfaces that the job wants, with the programs that serve them.
pub struct Keeper {
    /// The programs to run.
    pub programs: Programs,
    /// `/sys/class/net`.
    pub sys: PathBuf,
    /// What the job says.
    pub network: Network,
    /// The name that DHCP servers are told.
    pub host_name: String,
    /// The radio's networks and passwords, in memory.
    pub radio: PathBuf,
    /// What has been brought up.
    pub held: Vec<Held>,
}

/// An interface in use.
pub struct Held {
    interface: Interface,
    link: Link,
    is_up: bool,
    has_addresses: bool,
    radio: Option<Child>,
    client: Option<Child>,
    complaint: Option<String>,
}

impl Keeper {
    /// Looks once, and starts what is missing. Gives the complaints that are new.
    pub fn look(&mut self) -> Vec<String> {
        let wanted = wanted(&self.network, &interfaces(&self.sys));
        self.held.retain(|held| wanted.iter().any(|(interface, _)| *interface == held.interface));
        for (interface, link) in wanted {
            if !self.held.iter().any(|held| held.interface == interface) {
                self.held.push(Held::new(interface, link));
            }
        }
        let Self { programs, host_name, radio, held, .. } = self;
        held.iter_mut().filter_map(|held| held.look(programs, host_name, radio)).collect()
    }
}

impl Held {
    fn new(interface: Interface, link: Link) -> Self {
        let (is_up, has_addresses) = (false, false);
        let (radio, client, complaint) = (None, None, None);
        Self { interface, link, is_up, has_addresses, radio, client, complaint }
    }

    fn look(&mut self, programs: &Programs, host_name: &str, radio: &Path) -> Option<String> {
        let complaint = self.serve(programs, host_name, radio).err();
        // What fails again and again for the same reason is said once.
        let is_new = complaint.is_some() && complaint != self.complaint;
        self.complaint.clone_from(&complaint);
        complaint.filter(|_| is_new)
    }

    fn serve(
        &mut self,
        programs: &Programs,
        host_name: &str,
        configuration: &Path,
    ) -> Result<(), String> {
        let name = self.interface.name.clone();
        if !self.is_up {
            // A radio's driver may refuse as long as its firmware is not loaded.
            programs.run(&up(&name))?;
            self.is_up = true;
        }
        if self.link.wifi {
            keep(&mut self.radio, programs, &radio(&name, configuration))?;
        }
        match &self.link.addressing {
            Addressing::Dhcp { client_id } => {
                let words = dhcp(&name, host_name, client_id.as_deref());
                keep(&mut self.client, programs, &words)
            }
            Addressing::Static { .. } if self.has_addresses => Ok(()),
            Addressing::Static { addresses, router } => {
                by_hand(&self.interface, addresses, *router)
                    .iter()
                    .try_for_each(|words| programs.run(words))?;
                self.has_addresses = true;
                Ok(())
            }
        }
    }
}

/// Starts a program unless it runs.
fn keep(child: &mut Option<Child>, programs: &Programs, words: &Words) -> Result<(), String> {
    if child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None))) {
        return Ok(());
    }
    let started = programs.command(words).stdout(Stdio::null()).spawn();
    *child = Some(started.map_err(|error| format!("{}: {error}", words.join(" ")))?);
    Ok(())
}

impl Drop for Held {
    fn drop(&mut self) {
        for child in [&mut self.radio, &mut self.client].into_iter().flatten() {
            // One that has ended by itself is not there to be ended.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::disallowed_methods)]
    use super::*;
    use std::fs;
    use std::time::{Duration, Instant};
    use tempfile::TempDir;

    const MAC: &str = "b8:27:eb:00:00:01";

    /// Programs that note how they are called. They stand in the repository: a program that has just been written
    /// cannot be run while another thread's child still holds it open.
    const STUBS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/stubs");

    struct Board {
        root: TempDir,
        keeper: Keeper,
    }

    impl Board {
        fn new(links: Vec<Link>) -> Self {
            let root = tempfile::tempdir().unwrap();
            let path = format!("{}:{STUBS}:/usr/bin:/bin", root.path().display());
            let keeper = Keeper {
                programs: Programs::on(path),
                sys: root.path().join("sys"),
                network: Network { links, dns: Vec::new() },
                host_name: "pi".to_owned(),
                radio: "/run/wifi.conf".into(),
                held: Vec::new(),
            };
            Self { root, keeper }
        }

        fn interface(&self, name: &str, number: &str) {
            let folder = self.keeper.sys.join(name);
            fs::create_dir_all(&folder).unwrap();
            for (file, text) in [("type", "1"), ("ifindex", number), ("address", MAC)] {
                fs::write(folder.join(file), text).unwrap();
            }
        }

        /// Looks until so many calls have been made. Gives them.
        fn look_until(&mut self, count: usize) -> Vec<String> {
            let limit = Instant::now() + Duration::from_secs(30);
            loop {
                self.keeper.look();
                let calls = fs::read_to_string(self.root.path().join("calls")).unwrap_or_default();
                let calls: Vec<String> = calls.lines().map(str::to_owned).collect();
                if calls.len() >= count {
                    return calls;
                }
                assert!(Instant::now() < limit, "{calls:?}");
                std::thread::yield_now();
            }
        }
    }

    fn link(wifi: bool, addressing: Addressing) -> Link {
        Link { mac: MAC.to_owned(), wifi, addressing }
    }

    #[test]
    fn an_interface_may_come_late_and_go_and_come_again() {
        let mut board = Board::new(Vec::new());
        assert_eq!(board.keeper.look(), Vec::<String>::new());
        board.interface("eth0", "2");
        let calls = board.look_until(2);
        let asked = "busybox udhcpc -f -i eth0 -A 5 -s /init -x hostname:pi";
        assert_eq!(calls, ["busybox ip link set eth0 up", asked]);
        board.keeper.look();
        fs::remove_dir_all(board.keeper.sys.join("eth0")).unwrap();
        board.keeper.look();
        assert!(board.keeper.held.is_empty());
        // Gone and come again between two looks, it has another number, and neither address nor flag.
        board.interface("eth0", "3");
        board.look_until(4);
        board.interface("eth0", "4");
        let calls = board.look_until(6);
        assert_eq!(calls[4..], calls[..2]);
    }

    #[test]
    fn a_program_that_ends_is_started_again() {
        let mut board = Board::new(vec![link(true, Addressing::Dhcp { client_id: None })]);
        board.interface("wlan0", "3");
        let mut calls = board.look_until(3);
        calls[1..].sort_unstable();
        assert_eq!(calls[0], "busybox ip link set wlan0 up");
        assert!(calls[1].starts_with("busybox udhcpc -f -i wlan0 "), "{calls:?}");
        let radio = "wpa_supplicant -q -D nl80211,wext -i wlan0 -c /run/wifi.conf";
        assert_eq!(calls[2], radio);
        fs::write(board.root.path().join("end"), "").unwrap();
        let calls = board.look_until(7);
        assert!(calls[3..].iter().any(|call| call == radio), "{calls:?}");
        assert!(!calls[3..].iter().any(|call| call.contains("link set")), "{calls:?}");
    }

    #[test]
    fn addresses_are_set_once_and_a_refusal_is_said_once() {
        let router = Some("10.0.0.1".parse().unwrap());
        let by_hand = Addressing::Static { addresses: vec!["10.0.0.2/24".to_owned()], router };
        let mut board = Board::new(vec![link(false, by_hand)]);
        board.interface("eth0", "2");
        fs::write(board.root.path().join("refuse"), "").unwrap();
        let complaint =
            "busybox ip link set eth0 up: ip: RTNETLINK answers: Unknown error 132".to_owned();
        assert_eq!(board.keeper.look(), [complaint]);
        assert_eq!(board.keeper.look(), Vec::<String>::new());
        fs::remove_file(board.root.path().join("refuse")).unwrap();
        board.keeper.look();
        board.keeper.look();
        let calls = board.look_until(6);
        let set = [
            "busybox ip link set eth0 up",
            "busybox ip addr flush dev eth0",
            "busybox ip addr add 10.0.0.2/24 dev eth0",
            "busybox ip -4 route replace default via 10.0.0.1 dev eth0 metric 200",
        ];
        assert_eq!(calls[2..], set);
    }
}
