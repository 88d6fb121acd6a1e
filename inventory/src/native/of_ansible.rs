//! What an Ansible inventory says to this program: `ansible_*` variables that tell how to reach a host, and `migos_*`
//! variables, which are settings of the native form under another name.
//!
//! Each group or host becomes a level of its own, so that a device hears them in Ansible's order, and whoever asks why
//! a setting is as it is gets the file and line of the variable. `variables` reads what one of them says, `withheld` finds
//! hosts that cannot be reached as Ansible would.

mod variables;
mod withheld;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub(super) use self::variables::secrets;
use self::variables::{OWN, SETTINGS, Words, of_login};
use self::withheld::FOREIGN;
use super::document::{Document, Group};
use super::layer::{Layer, Said};
use crate::ansible::{Host, Resolved};
use crate::name::{DeviceId, GroupName};
use crate::problem::Report;
use crate::yaml::KeyPath;

/// The variables that are settings.
pub(crate) fn own_variables() -> impl Iterator<Item = String> {
    SETTINGS.iter().map(|key| format!("{OWN}{key}"))
}

/// The variables of Ansible that mean something here.
pub(crate) fn foreign_variables<'a>() -> impl Iterator<Item = &'a str> {
    of_login().chain(FOREIGN).map(|name| -> &'a str { name })
}

/// Turns a resolved inventory into documents, the one that is heard first at the end. `here` is the current folder, if it is
/// not the one that paths start at.
pub(super) fn documents(
    resolved: &Resolved,
    here: Option<&str>,
    report: &mut Report,
    remarks: &mut Report,
) -> Vec<Document> {
    let ids: Vec<Option<DeviceId>> =
        resolved.hosts.iter().map(|host| device_id(host, report)).collect();
    let mut documents = names(resolved, &ids, remarks);
    let words: Vec<Words> =
        resolved.scopes.iter().map(|scope| variables::read(scope, here, report, remarks)).collect();
    let [first, common, extra] = [0, 1, 2].map(|which| arguments(resolved, &ids, &words, which));
    documents.extend([extra, common]);
    documents.extend(levels(resolved, &ids, &words));
    documents.extend([first, withheld::holds(resolved, &ids, report, remarks)]);
    documents
}

fn device_id(host: &Host, report: &mut Report) -> Option<DeviceId> {
    DeviceId::new(host.name.as_str())
        .map_err(|invalid| {
            report.turn_to(&host.file);
            let hint = format!("{}; write the address under `ansible_host`", invalid.hint);
            report.add_with_hint(host.place, &host.path, invalid.to_string(), hint);
        })
        .ok()
}

/// The files with the names of their hosts and groups.
fn names(resolved: &Resolved, ids: &[Option<DeviceId>], remarks: &mut Report) -> Vec<Document> {
    let mut documents: Vec<Document> = Vec::new();
    for (host, id) in resolved.hosts.iter().zip(ids) {
        let Some(id) = id else { continue };
        let said = Said { value: id.clone(), place: host.place, path: host.path.clone() };
        of_file(&mut documents, &host.file).named.push(said);
    }
    for (name, view) in &resolved.groups {
        let file = view.file.clone().or_else(|| Some(documents.first()?.file.clone()));
        let Some(file) = file else { continue };
        let Ok(name) = GroupName::new(name.as_str()) else {
            remarks.turn_to(&file);
            let message = "the name of this group cannot be used in a limit";
            remarks.add(view.place, &KeyPath::root().key(name), message);
            continue;
        };
        let devices: BTreeSet<DeviceId> =
            view.hosts.iter().filter_map(|host| ids.get(*host)?.clone()).collect();
        let group = Group { layer: Layer::default(), devices, place: view.place };
        of_file(&mut documents, &file).groups.insert(name, group);
    }
    documents
}

fn of_file<'d>(documents: &'d mut Vec<Document>, file: &Arc<str>) -> &'d mut Document {
    let index = match documents.iter().position(|document| document.file == *file) {
        Some(index) => index,
        None => {
            documents.push(Document::empty(file.clone()));
            documents.len() - 1
        }
    };
    &mut documents[index]
}

/// A document for each level that hosts share, and as few as possible for those of single hosts.
fn levels(resolved: &Resolved, ids: &[Option<DeviceId>], words: &[Words]) -> Vec<Document> {
    let mut shared: BTreeMap<usize, BTreeMap<DeviceId, Arc<Layer>>> = BTreeMap::new();
    let mut own: Vec<BTreeMap<DeviceId, Arc<Layer>>> = Vec::new();
    for (host, id) in resolved.hosts.iter().zip(ids) {
        let Some(id) = id else { continue };
        let mut depth = 0;
        for number in &host.scopes {
            let is_own = resolved.scopes.get(*number).is_some_and(|scope| scope.is_of_host);
            let Some(layer) = words.get(*number).and_then(|words| words.own.as_ref()) else {
                continue;
            };
            if !is_own {
                shared.entry(*number).or_default().insert(id.clone(), layer.clone());
                continue;
            }
            if own.len() == depth {
                own.push(BTreeMap::new());
            }
            own[depth].insert(id.clone(), layer.clone());
            depth += 1;
        }
    }
    shared.into_values().chain(own).map(Document::of_layers).collect()
}

/// One of the variables with arguments for ssh. Of several the nearest counts, whole, and not word by word; ssh hears the
/// first of the three before what is said of user, port and key, and the others after that.
fn arguments(
    resolved: &Resolved,
    ids: &[Option<DeviceId>],
    words: &[Words],
    which: usize,
) -> Document {
    let mut devices = BTreeMap::new();
    for (host, id) in resolved.hosts.iter().zip(ids) {
        let nearest = host.scopes.iter().rev().find_map(|number| {
            words.get(*number).and_then(|words| words.arguments.get(which)?.as_ref())
        });
        devices.extend(id.clone().zip(nearest.cloned()));
    }
    Document::of_layers(devices)
}
