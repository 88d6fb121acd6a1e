//! No two devices may be one: a card would be written twice, or the wrong card.

use std::collections::HashMap;
use std::hash::Hash;

use super::document::Document;
use super::layer::Said;
use super::login::address;
use crate::fleet::Fleet;
use crate::problem::{Place, Report};
use crate::yaml::KeyPath;

/// Checks names, addresses and serial numbers.
pub(super) fn check(document: &Document, fleet: &Fleet, report: &mut Report) {
    names(document, report);
    addresses(document, fleet, report);
    serials(document, report);
}

fn names(document: &Document, report: &mut Report) {
    let mut folded = Seen::default();
    for named in &document.named {
        let name = named.value.as_str();
        if let Some(group) = document.groups.get(name) {
            report.add_with_hint(
                named.place,
                &named.path,
                format!("`{name}` is also the name of a group, on line {}", group.place.line),
                "rename one of them, so that a pattern says which is meant",
            );
        }
        if let Some((other, line)) = folded.twin(name.to_lowercase(), name, named.place) {
            report.add_with_hint(
                named.place,
                &named.path,
                format!(
                    "`{name}` and `{other}` on line {line} differ only in upper and lower case"
                ),
                "rename one of them; some file systems could not tell their files apart",
            );
        }
    }
}

fn addresses(document: &Document, fleet: &Fleet, report: &mut Report) {
    let mut seen = Seen::default();
    for named in &document.named {
        let Some(device) = fleet.devices.get(&named.value) else { continue };
        let own = document.devices.get(&named.value);
        let (place, path) = written(own.and_then(|own| own.host.as_ref()), named);
        let (host, port) = (&device.login.host, device.login.port);
        if let Some((other, line)) = seen.twin(address(host, port), named.value.as_str(), place) {
            report.add_with_hint(
                place,
                path,
                format!("`{other}` on line {line} has the same address, {host} port {port}"),
                "give each device its own `host:`, or remove one of the two",
            );
        }
    }
}

fn serials(document: &Document, report: &mut Report) {
    let mut seen = Seen::default();
    for named in &document.named {
        let own = document.devices.get(&named.value);
        let Some(Said { value, place, path }) = own.and_then(|own| own.serial.as_ref()) else {
            continue;
        };
        if let Some((other, line)) = seen.twin(value, named.value.as_str(), *place) {
            report.add_with_hint(
                *place,
                path,
                format!("`{other}` on line {line} has the same serial number"),
                "read it again with `cat /proc/device-tree/serial-number` on both devices",
            );
        }
    }
}

/// Where a setting is written, or else where its device is.
fn written<'a, T, U>(said: Option<&'a Said<T>>, named: &'a Said<U>) -> (Place, &'a KeyPath) {
    match said {
        Some(said) => (said.place, &said.path),
        None => (named.place, &named.path),
    }
}

/// The devices that were seen with something that should be their own.
struct Seen<'a, K>(HashMap<K, (&'a str, usize)>);

impl<K> Default for Seen<'_, K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<'a, K: Eq + Hash> Seen<'a, K> {
    /// The device that had `key` before this one, and its line.
    fn twin(&mut self, key: K, name: &'a str, place: Place) -> Option<(&'a str, usize)> {
        match self.0.get(&key) {
            Some(first) => Some(*first),
            None => {
                self.0.insert(key, (name, place.line));
                None
            }
        }
    }
}
