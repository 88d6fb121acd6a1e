//! Reads the probe's text into typed facts.

mod condition;
mod folders;

use super::configuration::configuration;
use super::{
    Arrival, BootPartition, Disk, Facts, FileSystem, Firmware, Identity, Leaf, Network, OsRelease,
    Tree,
};
use migos_payload::board::Revision;
use migos_payload::digest::Sha256;
use migos_payload::size::ByteCount;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// Why no sense can be made of a probe's text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FactsError {
    /// Another form than this version reads.
    #[error("the answer does not begin with {expected:?} but with {found:?}")]
    Header {
        /// What it should begin with.
        expected: &'static str,
        /// What it begins with.
        found: String,
    },
    /// The last line is missing.
    #[error("the answer was cut off")]
    Cut,
    /// A fact that every Pi has is missing.
    #[error("the answer has no {0}")]
    Missing(&'static str),
    /// A value is not of its form.
    #[error("{key} is not understood: {value:?}")]
    Value {
        /// The fact's key.
        key: &'static str,
        /// Its value.
        value: String,
    },
}

/// Reads the text of the `probe` verb.
///
/// # Errors
/// [`FactsError`]; a device whose facts are not understood is not touched.
pub fn parse(text: &str) -> Result<Facts, FactsError> {
    let lines = Lines::read(text, "migos-probe 1")?;
    let mounts = lines.all("mount");
    let boot = match lines.first("boot.path") {
        Some(path) => Some(boot_partition(&lines, mounts, path)?),
        None => None,
    };
    let root = FileSystem { ..file_system(mounts, "/", lines.first("root.space"), "root.space")? };
    Ok(Facts {
        model: lines.need("model")?.to_owned(),
        revision: Revision(hex(lines.need("revision")?, "revision")?),
        serial: lines.first("serial").unwrap_or_default().to_ascii_lowercase(),
        machine_id: lines.first("machine-id").unwrap_or_default().to_owned(),
        hostname: lines.first("hostname").unwrap_or_default().to_owned(),
        os: os_release(lines.all("os-release")),
        kernel: lines.need("kernel")?.to_owned(),
        machine: lines.need("machine")?.to_owned(),
        userland: lines.first("userland").unwrap_or_default().to_owned(),
        memory: ByteCount(number::<u64>(lines.need("memory")?, "memory")?.saturating_mul(1024)),
        boot,
        root,
        cmdline: lines.first("cmdline").unwrap_or_default().to_owned(),
        disk: disk(&lines)?,
        device_mapper: lines.all("dm").iter().map(|name| (*name).to_owned()).collect(),
        firmware: firmware(&lines)?,
        throttled: lines
            .first("throttled")
            .map(|value| hex(value.trim_start_matches("0x"), "throttled"))
            .transpose()?,
        network: network(&lines),
        largest: folders::largest(&lines),
        clock: condition::clock(&lines),
        card_errors: condition::card_errors(&lines),
        watchdogs: condition::watchdogs(&lines),
        hat: lines.first("hat").filter(|name| !name.is_empty()).map(str::to_owned),
        reach: condition::reach(&lines),
        data: BTreeMap::new(),
    })
}

/// Reads the text of the `identity` verb: the keys `serial`, `machine-id`, `boot-id` and `boot.sum` of the
/// probe, after the first line `migos-identity 1`.
///
/// # Errors
/// [`FactsError`].
pub fn parse_identity(text: &str) -> Result<Identity, FactsError> {
    let lines = Lines::read(text, "migos-identity 1")?;
    Ok(Identity {
        serial: lines.first("serial").unwrap_or_default().to_ascii_lowercase(),
        machine_id: lines.first("machine-id").unwrap_or_default().to_owned(),
        boot_id: lines.need("boot-id")?.to_owned(),
        sums: sums(&lines)?,
    })
}

/// Reads the text of the `sizes` verb: after the first line `migos-sizes 1` one line for each path, `size KIB path` or
/// `size - path`; at the end `end ok`.
///
/// # Errors
/// [`FactsError`].
pub fn parse_sizes(text: &str) -> Result<BTreeMap<String, Option<ByteCount>>, FactsError> {
    let lines = Lines::read(text, "migos-sizes 1")?;
    let size = |line: &&str| {
        let (size, path) = line.split_once(' ').ok_or_else(|| bad("size", line))?;
        let size = match size {
            "-" => None,
            size => Some(ByteCount(number::<u64>(size, "size")?.saturating_mul(1024))),
        };
        Ok((path.to_owned(), size))
    };
    lines.all("size").iter().map(size).collect()
}

/// Reads the text of the `tree` verb: after the first line `migos-tree 1` one line for each file, `size digest
/// path`, and one for each folder, `- - path/`; at the end `end ok`.
///
/// # Errors
/// [`FactsError`].
pub fn parse_tree(text: &str) -> Result<Tree, FactsError> {
    let mut lines = text.lines();
    let first = lines.next().unwrap_or_default();
    if first != TREE {
        let found = first.chars().take(80).collect();
        return Err(FactsError::Header { expected: TREE, found });
    }
    let mut tree = Tree::default();
    for line in lines {
        let (leaf, path) = match line.splitn(3, ' ').collect::<Vec<_>>()[..] {
            ["end", "ok"] => return Ok(tree),
            ["-", "-", path] => (Leaf::Folder, path.trim_end_matches('/')),
            [size, sum, path] => {
                let size = ByteCount(number(size, "tree")?);
                (Leaf::File { size, sha256: sum.parse().map_err(|_| bad("tree", line))? }, path)
            }
            _ => return Err(bad("tree", line)),
        };
        tree.0.insert(path.to_owned(), leaf);
    }
    Err(FactsError::Cut)
}

const TREE: &str = "migos-tree 1";

/// The lines of an answer, by key.
pub(super) struct Lines<'a>(BTreeMap<&'a str, Vec<&'a str>>);

impl<'a> Lines<'a> {
    fn read(text: &'a str, header: &'static str) -> Result<Self, FactsError> {
        // A carriage return belongs to the file that a line tells of.
        let mut lines = text.split('\n').filter(|line| !line.is_empty());
        let first = lines.next().unwrap_or_default();
        if first != header {
            let found = first.chars().take(80).collect();
            return Err(FactsError::Header { expected: header, found });
        }
        let mut values: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for line in lines {
            let (key, value) = line.split_once(' ').unwrap_or((line, ""));
            values.entry(key).or_default().push(value);
        }
        match values.get("end") {
            Some(_) => Ok(Lines(values)),
            None => Err(FactsError::Cut),
        }
    }

    pub(super) fn all(&self, key: &str) -> &[&'a str] {
        self.0.get(key).map_or(&[], Vec::as_slice)
    }

    pub(super) fn first(&self, key: &str) -> Option<&'a str> {
        self.all(key).first().copied()
    }

    fn need(&self, key: &'static str) -> Result<&'a str, FactsError> {
        self.first(key).filter(|value| !value.is_empty()).ok_or(FactsError::Missing(key))
    }

    fn text(&self, key: &str) -> String {
        self.all(key).iter().map(|line| format!("{line}\n")).collect()
    }
}

fn bad(key: &'static str, value: &str) -> FactsError {
    FactsError::Value { key, value: value.to_owned() }
}

fn number<T: std::str::FromStr>(value: &str, key: &'static str) -> Result<T, FactsError> {
    value.parse().map_err(|_| bad(key, value))
}

fn hex(value: &str, key: &'static str) -> Result<u32, FactsError> {
    u32::from_str_radix(value, 16).map_err(|_| bad(key, value))
}

fn boot_partition(
    lines: &Lines<'_>,
    mounts: &[&str],
    path: &str,
) -> Result<BootPartition, FactsError> {
    let mut files = BTreeMap::new();
    for value in lines.all("boot.file") {
        let (size, name) = value.split_once(' ').ok_or_else(|| bad("boot.file", value))?;
        files.insert(name.to_owned(), ByteCount(number(size, "boot.file")?));
    }
    Ok(BootPartition {
        path: path.to_owned(),
        file_system: file_system(mounts, path, lines.first("boot.space"), "boot.space")?,
        partition: lines
            .first("boot.partition")
            .map(|value| number(value, "boot.partition"))
            .transpose()?,
        extent: condition::extent(lines),
        files,
        sums: sums(lines)?,
        config_txt: lines.text("config.txt"),
        cmdline_txt: lines.text("cmdline.txt"),
        dirty: lines.first("boot.dirty").map(str::to_owned),
    })
}

fn sums(lines: &Lines<'_>) -> Result<BTreeMap<String, Sha256>, FactsError> {
    let pair = |value: &&str| {
        let (sum, name) = value.split_once(' ').ok_or_else(|| bad("boot.sum", value))?;
        Ok((name.to_owned(), sum.parse().map_err(|_| bad("boot.sum", value))?))
    };
    lines.all("boot.sum").iter().map(pair).collect()
}

/// The last mount at this path is the one that is seen.
fn file_system(
    mounts: &[&str],
    path: &str,
    space: Option<&str>,
    key: &'static str,
) -> Result<FileSystem, FactsError> {
    let fields = |line: &&str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let found =
        mounts.iter().map(fields).rev().find(|fields| fields.get(1).is_some_and(|at| at == path));
    let Some([source, _, kind, options, ..]) = found.as_deref() else {
        return Ok(FileSystem::default());
    };
    let (mut cluster, mut free, mut size) = (0, 0, 0);
    if let Some(space) = space {
        let mut numbers = space.split(' ').map(|value| number::<u64>(value, key));
        let mut next = || numbers.next().unwrap_or_else(|| Err(bad(key, space)));
        cluster = next()?;
        free = next()?.saturating_mul(cluster);
        size = next()?.saturating_mul(cluster);
    }
    Ok(FileSystem {
        source: source.clone(),
        kind: kind.clone(),
        writable: options.split(',').any(|option| option == "rw"),
        cluster: ByteCount(cluster),
        free: ByteCount(free),
        size: ByteCount(size),
    })
}

fn os_release(lines: &[&str]) -> OsRelease {
    let value = |key: &str| {
        let assigned = lines.iter().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        assigned.unwrap_or_default().trim_matches('"').to_owned()
    };
    OsRelease { id: value("ID"), version: value("VERSION_ID"), name: value("PRETTY_NAME") }
}

fn disk(lines: &Lines<'_>) -> Result<Option<Disk>, FactsError> {
    let Some(value) = lines.first("disk") else { return Ok(None) };
    let (name, sectors) = value.split_once(' ').ok_or_else(|| bad("disk", value))?;
    Ok(Some(Disk {
        name: name.to_owned(),
        size: ByteCount(number::<u64>(sectors, "disk")?.saturating_mul(512)),
        id: lines.first("disk.id").unwrap_or_default().to_ascii_lowercase(),
        read_only: lines.first("disk.read-only").is_some(),
    }))
}

fn firmware(lines: &Lines<'_>) -> Result<Firmware, FactsError> {
    let mut has: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for value in lines.all("firmware.has") {
        let (word, file) = value.split_once(' ').ok_or_else(|| bad("firmware.has", value))?;
        has.entry(word.to_owned()).or_default().insert(file.to_owned());
    }
    // The first line is a date and a time: "May 14 2025 12:23:36".
    let date = lines.first("firmware.version").unwrap_or_default();
    let date = date.split_ascii_whitespace().take(3).collect::<Vec<_>>().join(" ");
    Ok(Firmware {
        has,
        date,
        eeprom_build: lines
            .first("eeprom.build-timestamp")
            .map(|value| number(value, "eeprom.build-timestamp"))
            .transpose()?,
        eeprom_capabilities: lines
            .first("eeprom.capabilities")
            .map(|value| number(value, "eeprom.capabilities"))
            .transpose()?,
        signed_boot: lines.first("eeprom.signed").is_some_and(|value| value != "0"),
        eeprom_config: lines
            .all("eeprom.config")
            .iter()
            .map(|line| line.trim())
            .filter(|line| line.contains('=') || line.starts_with("initramfs"))
            .map(str::to_owned)
            .collect(),
    })
}

/// `/proc/net/route`: interface, destination, gateway, flags, counts, metric, mask; numbers in hex but
/// for the metric. A default route has destination 0 and a gateway.
fn network(lines: &Lines<'_>) -> Network {
    let route = |line: &&str| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let [interface, "00000000", _, _, _, _, metric, ..] = fields[..] else { return None };
        Some((metric.parse::<u32>().unwrap_or(u32::MAX), interface.to_owned()))
    };
    let interface = lines.all("route").iter().filter_map(route).min().map(|(_, name)| name);
    let is_ours = |name: &str| interface.as_deref() == Some(name);
    let mac = lines.all("mac").iter().find_map(|value| {
        value.split_once(' ').filter(|(name, _)| is_ours(name)).map(|(_, mac)| mac.to_owned())
    });
    Network {
        wireless: interface.as_deref().is_some_and(|name| lines.all("wireless").contains(&name)),
        mac: mac.unwrap_or_default(),
        configuration: configuration(lines, interface.as_deref()),
        arrival: arrival(lines),
        interface,
    }
}

/// The interface that has the address at which the connection arrived.
fn arrival(lines: &Lines<'_>) -> Option<Arrival> {
    let connection = lines.first("connection")?.split_ascii_whitespace();
    let (address, scope) = match connection.collect::<Vec<_>>()[..] {
        [_, _, own, _] => own.split_once('%').map_or((own, None), |(own, link)| (own, Some(link))),
        _ => return None,
    };
    let address = address.parse::<IpAddr>().ok()?.to_canonical();
    let has_it = |value: &&str| {
        let (name, of) = value.split_once(' ')?;
        (of.parse() == Ok(address)).then(|| name.to_owned())
    };
    // Every interface may have a link-local address that another one has, too.
    let interface = scope.map(str::to_owned);
    let interface = interface.or_else(|| lines.all("address").iter().find_map(has_it));
    let interface = interface.or_else(|| address.is_loopback().then(|| "lo".to_owned()))?;
    let is_virtual = interface == "lo" || lines.all("virtual").contains(&interface.as_str());
    Some(Arrival { address, interface, is_virtual })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrived(connection: &str) -> Option<(String, bool)> {
        let text = format!(
            "migos-probe 1\n{connection}\n\
             address lo 127.0.0.1\naddress eth0 192.168.1.20\naddress eth0 fe80::1\n\
             address wg0 10.8.0.5\naddress wg0 fd00::5\naddress wlan0 fe80::1\n\
             virtual lo\nvirtual wg0\nend ok\n"
        );
        let lines = Lines::read(&text, "migos-probe 1").ok()?;
        arrival(&lines).map(|arrival| (arrival.interface, arrival.is_virtual))
    }

    #[test]
    fn the_interface_is_the_one_that_has_the_address() {
        for (connection, interface, is_virtual) in [
            ("connection 10.1.4.2 50000 192.168.1.20 22", "eth0", false),
            ("connection 192.168.1.2 50000 ::ffff:192.168.1.20 22", "eth0", false),
            ("connection fe80::2%wlan0 50000 fe80::1%wlan0 22", "wlan0", false),
            ("connection 10.8.0.1 50000 10.8.0.5 22", "wg0", true),
            ("connection fd00::1 50000 fd00:0::5 22", "wg0", true),
            ("connection 127.0.0.1 50000 127.0.0.1 22", "lo", true),
            ("connection ::1 50000 ::1 22", "lo", true),
        ] {
            assert_eq!(arrived(connection), Some((interface.to_owned(), is_virtual)));
        }
    }

    #[test]
    fn what_is_not_told_is_not_known() {
        for connection in [
            "kernel x",
            "connection",
            "connection 10.8.0.1 50000 10.8.0.5",
            "connection a b c d",
            "connection 10.1.4.2 50000 192.168.1.99 22",
        ] {
            assert_eq!(arrived(connection), None, "{connection}");
        }
    }
}
