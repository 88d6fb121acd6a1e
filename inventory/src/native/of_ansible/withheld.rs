//! What keeps hosts of Ansible from being reached over SSH with sudo, and what this program would have to know and does
//! not.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::variables::{OWN, SETTINGS, USER, field, hidden, is_plain, of_login, remedy};
use crate::ansible::{Host, Resolved, Scope, Variable};
use crate::fleet::Hold;
use crate::name::DeviceId;
use crate::native::document::Document;
use crate::native::layer::{Layer, Level, Said};
use crate::problem::{Place, Report};
use crate::yaml::Kind;

const CONNECTION: &str = "ansible_connection";
const METHOD: &str = "ansible_become_method";
const BECOME_USER: &str = "ansible_become_user";
const BECOME: &str = "ansible_become";

/// What may keep a host from being reached over SSH with sudo.
pub(in crate::native) const FOREIGN: [&str; 4] = [CONNECTION, METHOD, BECOME_USER, BECOME];

/// Places that were told already.
type Seen = HashSet<(Arc<str>, Place)>;

/// The last word on hosts that this program cannot reach as Ansible would, and an error for what it would have to know.
pub(super) fn holds(
    resolved: &Resolved,
    ids: &[Option<DeviceId>],
    report: &mut Report,
    remarks: &mut Report,
) -> Document {
    let mut devices = BTreeMap::new();
    let (mut hidden, mut unasked, mut left) = (Seen::new(), Seen::new(), Seen::new());
    for (host, id) in resolved.hosts().iter().zip(ids) {
        let Some(id) = id else { continue };
        tell_hidden(resolved, host, &mut hidden, report);
        tell_root_all_the_same(resolved, host, &mut unasked, remarks);
        let Some((scope, variable, reason)) = foreign(resolved, host) else { continue };
        if left.insert((scope.file.clone(), variable.node.place)) {
            remarks.turn_to(&scope.file);
            let message = format!("`{id}`, and whoever else hears this, is left out: {reason}");
            remarks.add(variable.node.place, &variable.path, message);
        }
        let hold =
            Said { value: Hold(reason), place: variable.node.place, path: variable.path.clone() };
        let layer = Layer {
            file: scope.file.clone(),
            level: Level::Ansible(scope.level.clone()),
            hold: Some(hold),
            ..Layer::default()
        };
        devices.insert(id.clone(), Arc::new(layer));
    }
    Document::of_layers(devices)
}

fn text(variable: &Variable) -> Option<String> {
    match &field(variable).node.kind {
        Kind::Text(text) if is_plain(variable) => Some(text.to_ascii_lowercase()),
        _ => None,
    }
}

/// What keeps a host from being reached over SSH with sudo.
fn foreign<'r>(resolved: &'r Resolved, host: &Host) -> Option<(&'r Scope, &'r Variable, String)> {
    let find = |name: &str, good: &[&str], only: &str| {
        let (scope, variable) = resolved.variable(host, name)?;
        let found = text(variable).filter(|found| {
            let found = found.rsplit('.').next().unwrap_or(found);
            !good.contains(&found)
        })?;
        Some((scope, variable, format!("its {name} is `{found}`, and only {only} is used here")))
    };
    let ssh = ["ssh", "smart", "paramiko", "paramiko_ssh", "libssh"];
    find(CONNECTION, &ssh, "ssh")
        .or_else(|| find(METHOD, &["sudo"], "sudo"))
        .or_else(|| find(BECOME_USER, &["root"], "root"))
}

/// Says of hosts on which Ansible does not become root that it is done here all the same.
fn tell_root_all_the_same(resolved: &Resolved, host: &Host, told: &mut Seen, remarks: &mut Report) {
    let Some((scope, variable)) = resolved.variable(host, BECOME) else { return };
    let is_unwanted = match &field(variable).node.kind {
        Kind::Bool(wanted) => !wanted,
        _ => text(variable).is_some_and(|text| matches!(&*text, "no" | "false" | "off")),
    };
    let user = resolved.nearest(host, &USER).and_then(text);
    if !is_unwanted || user.as_deref() == Some("root") {
        return;
    }
    if told.insert((scope.file.clone(), variable.node.place)) {
        remarks.turn_to(&scope.file);
        let message =
            format!("`{BECOME}` is off, and migos-fleet becomes root through sudo all the same");
        remarks.add(variable.node.place, &variable.path, message);
    }
}

/// Refuses values that are needed and that only Ansible knows.
fn tell_hidden(resolved: &Resolved, host: &Host, told: &mut Seen, report: &mut Report) {
    let needed = of_login().chain(FOREIGN).filter(|name| *name != BECOME).map(str::to_owned);
    let own = SETTINGS.iter().map(|key| format!("{OWN}{key}"));
    for name in needed.chain(own) {
        let Some((scope, variable)) = resolved.variable(host, &name) else { continue };
        let Some(why) = hidden(&variable.node) else { continue };
        if !told.insert((scope.file.clone(), variable.node.place)) {
            continue;
        }
        report.turn_to(&scope.file);
        report.add_with_hint(
            variable.node.place,
            &variable.path,
            format!("`{name}` {why}"),
            remedy(&variable.node),
        );
    }
}
