//! No two devices may be one: a card would be written twice, or the wrong card.

use std::collections::HashMap;
use std::hash::Hash;

use super::document::Document;
use super::layer::{Layer, Said};
use super::login::address;
use super::stack::Stack;
use crate::fleet::Fleet;
use crate::name::DeviceId;
use crate::problem::{Place, Report};
use crate::yaml::KeyPath;

/// Checks names, addresses and serial numbers.
pub(super) fn check(stack: &Stack<'_>, fleet: &Fleet, report: &mut Report) {
    names(stack, report);
    addresses(stack, fleet, report);
    serials(stack, report);
}

fn names(stack: &Stack<'_>, report: &mut Report) {
    let mut folded = Seen::default();
    for (document, named) in &stack.named {
        report.turn_to(&document.file);
        let name = named.value.as_str();
        // Ansible lets a host and a group share a name, and a remark says so.
        let group = stack.group_place(name).filter(|_| !document.is_of_ansible);
        if let Some((other, place)) = group {
            let line = report.line_of(&other.file, place);
            report.add_with_hint(
                named.place,
                &named.path,
                format!("`{name}` is also the name of a group, on {line}"),
                "rename one of them, so that a pattern says which is meant",
            );
        }
        let here = Spot { file: &document.file, place: named.place, path: &named.path };
        if let Some((other, spot)) = folded.twin(name.to_lowercase(), name, here) {
            let line = report.line_of(spot.file, spot.place);
            report.add_with_hint(
                named.place,
                &named.path,
                format!("`{name}` and `{other}` on {line} differ only in upper and lower case"),
                "rename one of them; some file systems could not tell their files apart",
            );
        }
    }
}

fn addresses(stack: &Stack<'_>, fleet: &Fleet, report: &mut Report) {
    let mut seen = Seen::default();
    for (document, named) in &stack.named {
        let Some(device) = fleet.devices.get(&named.value) else { continue };
        let here = said(stack, &named.value, |layer| layer.host.as_ref())
            .map_or_else(|| spot(&document.file, named), |(layer, host)| spot(&layer.file, host));
        let (host, port) = (&device.login.host, device.login.port);
        if let Some((other, spot)) = seen.twin(address(host, port), named.value.as_str(), here) {
            report.turn_to(here.file);
            let line = report.line_of(spot.file, spot.place);
            report.add_with_hint(
                here.place,
                here.path,
                format!("`{other}` on {line} has the same address, {host} port {port}"),
                "give each device its own `host:`, or remove one of the two",
            );
        }
    }
}

fn serials(stack: &Stack<'_>, report: &mut Report) {
    let mut seen = Seen::default();
    for (_, named) in &stack.named {
        let Some((layer, serial)) = said(stack, &named.value, |layer| layer.serial.as_ref()) else {
            continue;
        };
        let here = spot(&layer.file, serial);
        if let Some((other, spot)) = seen.twin(&serial.value, named.value.as_str(), here) {
            report.turn_to(here.file);
            let line = report.line_of(spot.file, spot.place);
            report.add_with_hint(
                here.place,
                here.path,
                format!("`{other}` on {line} has the same serial number"),
                "read it again with `cat /proc/device-tree/serial-number` on both devices",
            );
        }
    }
}

/// What the latest file says of a device alone.
fn said<'a, T: 'a>(
    stack: &Stack<'a>,
    id: &DeviceId,
    get: impl Fn(&'a Layer) -> Option<&'a Said<T>>,
) -> Option<(&'a Layer, &'a Said<T>)> {
    let own = |document: &'a Document| document.devices.get(id).map(|layer| &**layer);
    stack.inventories.iter().rev().filter_map(own).find_map(|layer| Some((layer, get(layer)?)))
}

/// Where something is written.
#[derive(Clone, Copy)]
struct Spot<'a> {
    file: &'a str,
    place: Place,
    path: &'a KeyPath,
}

fn spot<'a, T>(file: &'a str, said: &'a Said<T>) -> Spot<'a> {
    Spot { file, place: said.place, path: &said.path }
}

/// The devices that were seen with something that should be their own.
struct Seen<'a, K>(HashMap<K, (&'a str, Spot<'a>)>);

impl<K> Default for Seen<'_, K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<'a, K: Eq + Hash> Seen<'a, K> {
    /// The device that had `key` before this one, and where that is written.
    fn twin(&mut self, key: K, name: &'a str, spot: Spot<'a>) -> Option<(&'a str, Spot<'a>)> {
        match self.0.get(&key) {
            Some(first) => Some(*first),
            None => {
                self.0.insert(key, (name, spot));
                None
            }
        }
    }
}
