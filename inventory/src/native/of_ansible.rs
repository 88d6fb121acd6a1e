//! What an Ansible inventory says to this program: `ansible_*` variables that tell how to reach a host, and `migos_*`
//! variables, which are settings of the native form under another name.
//!
//! Each group or host becomes a level of its own, so that a device hears them in Ansible's order, and whoever asks why
//! a setting is as it is gets the file and line of the variable.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::document::{Document, Group, read_hold};
use super::layer::{Layer, Level, Said};
use super::login::{self, Ssh};
use crate::ansible::{Host, Resolved, Scope, Variable};
use crate::connection::{SecretUse, Secrets, Way};
use crate::fleet::{Hold, SecretSource};
use crate::name::{DeviceId, GroupName, Serial};
use crate::near::nearest;
use crate::problem::{Place, Report};
use crate::yaml::{Field, KeyPath, Kind, Mapping, Node, UNSAFE, VAULT};

/// The beginning of the variables that are settings.
const OWN: &str = "migos_";

/// Settings that may be said of a host or group, without their beginning.
const SETTINGS: [&str; 13] = [
    "balena_fleet",
    "bastion",
    "data",
    "device_type",
    "handover",
    "hold",
    "images",
    "keyfiles",
    "mirror",
    "on_balena",
    "serial",
    "site",
    "window",
];

const HOST: [&str; 2] = ["ansible_host", "ansible_ssh_host"];
const PORT: [&str; 2] = ["ansible_port", "ansible_ssh_port"];
const USER: [&str; 2] = ["ansible_user", "ansible_ssh_user"];
const IDENTITY: [&str; 2] = ["ansible_private_key_file", "ansible_ssh_private_key_file"];

const PASSWORD: [&str; 3] = ["ansible_password", "ansible_ssh_pass", "ansible_ssh_password"];
const SUDO_PASSWORD: [&str; 3] =
    ["ansible_sudo_pass", "ansible_become_password", "ansible_become_pass"];

/// Arguments of the program `ssh`, in the order in which Ansible hands them over: the first value counts.
const ARGUMENTS: [&str; 3] =
    ["ansible_ssh_args", "ansible_ssh_common_args", "ansible_ssh_extra_args"];

/// What may keep a host from being reached over SSH with sudo.
const FOREIGN: [&str; 3] = ["ansible_connection", "ansible_become_method", "ansible_become_user"];

/// Turns a resolved inventory into documents, the one that is heard first at the end.
pub(super) fn documents(
    resolved: &Resolved,
    report: &mut Report,
    remarks: &mut Report,
) -> Vec<Document> {
    let ids: Vec<Option<DeviceId>> =
        resolved.hosts.iter().map(|host| device_id(host, report)).collect();
    let mut documents = names(resolved, &ids, remarks);
    let layers: Vec<Option<Arc<Layer>>> =
        resolved.scopes.iter().map(|scope| layer(scope, report, remarks).map(Arc::new)).collect();
    documents.extend(levels(resolved, &ids, &layers));
    documents.push(holds(resolved, &ids, report));
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
fn levels(
    resolved: &Resolved,
    ids: &[Option<DeviceId>],
    layers: &[Option<Arc<Layer>>],
) -> Vec<Document> {
    let mut shared: BTreeMap<usize, BTreeMap<DeviceId, Arc<Layer>>> = BTreeMap::new();
    let mut own: Vec<BTreeMap<DeviceId, Arc<Layer>>> = Vec::new();
    for (host, id) in resolved.hosts.iter().zip(ids) {
        let Some(id) = id else { continue };
        let mut depth = 0;
        for number in &host.scopes {
            let is_own = resolved.scopes.get(*number).is_some_and(|scope| scope.is_of_host);
            let Some(Some(layer)) = layers.get(*number) else { continue };
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

/// What is said in one place; nothing if it is nothing to this program.
fn layer(scope: &Scope, report: &mut Report, remarks: &mut Report) -> Option<Layer> {
    report.turn_to(&scope.file);
    remarks.turn_to(&scope.file);
    let says = scope.variables.keys().any(|name| name.starts_with(OWN) || is_of_login(name));
    if !says {
        return None;
    }
    tell_unknown(scope, remarks);
    let mapping = Mapping::of(own_fields(scope));
    let balena = scope.variables.get("migos_balena_fleet").filter(|variable| is_plain(variable));
    let balena = balena.map(|variable| Mapping::of(vec![("fleet", field(variable))]));
    let mut layer =
        Layer::read(Level::Ansible(scope.level.clone()), &mapping, balena.as_ref(), report);
    layer.serial = Said::read(mapping.get("serial"), |serial| {
        serial.parse("a serial number", Serial::new, report)
    });
    layer.hold = Said::read(mapping.get("hold"), |hold| read_hold(hold, report));
    let (host, by_arguments) = arguments(scope, report, remarks);
    layer.host =
        said(scope, &HOST, |host| host.parse("a host name or address", login::host, report));
    layer.host = layer.host.or(host);
    layer.ssh = ssh(scope, report).or(by_arguments);
    Some(layer)
}

fn is_of_login(name: &str) -> bool {
    let of_login = [HOST, PORT, USER, IDENTITY].iter().any(|names| names.contains(&name));
    of_login || [PASSWORD, SUDO_PASSWORD, ARGUMENTS].iter().any(|names| names.contains(&name))
}

fn ssh(scope: &Scope, report: &mut Report) -> Ssh {
    Ssh {
        user: said(scope, &USER, |user| user.parse("a user name", login::user_name, report)),
        port: said(scope, &PORT, |field| port(field, report)),
        identities: said(scope, &IDENTITY, |path| {
            path.text("a path", report).map(|path| vec![path.to_owned()])
        }),
        password: said(scope, &PASSWORD, |field| password(field, report)),
        sudo_password: said(scope, &SUDO_PASSWORD, |field| password(field, report)),
        ..Ssh::default()
    }
}

/// Where a password is found: here. The password itself is kept apart.
fn password(field: &Field<'_>, report: &mut Report) -> Option<SecretSource> {
    let found = password_text(field).map(|_| SecretSource::Inventory);
    if found.is_none() {
        field.refuse(report, "a password is a text that is not empty");
    }
    found
}

fn password_text(field: &Field<'_>) -> Option<String> {
    match &field.node.kind {
        Kind::Text(text) if !text.is_empty() => Some(text.clone()),
        Kind::Number(number) => Some(number.text().to_owned()),
        _ => None,
    }
}

/// The passwords of all hosts, which are shown nowhere.
pub(super) fn secrets(resolved: &Resolved) -> Secrets {
    let mut secrets = Secrets::default();
    for host in &resolved.hosts {
        let Ok(id) = DeviceId::new(host.name.as_str()) else { continue };
        for (what_for, names) in [(SecretUse::Login, PASSWORD), (SecretUse::Sudo, SUDO_PASSWORD)] {
            let variable = resolved.nearest(host, &names).filter(|variable| is_plain(variable));
            let password = variable.and_then(|variable| password_text(&field(variable)));
            if let Some(password) = password {
                secrets.insert(id.clone(), what_for, password);
            }
        }
    }
    secrets
}

/// A port may stand in quotes, too.
fn port(field: &Field<'_>, report: &mut Report) -> Option<u16> {
    let text = match &field.node.kind {
        Kind::Text(text) => text.trim().parse().ok(),
        Kind::Number(number) => number.as_i64().and_then(|number| u16::try_from(number).ok()),
        _ => None,
    };
    let port = text.filter(|port| *port > 0);
    if port.is_none() {
        field.expected("a number between 1 and 65535", report);
    }
    port
}

/// Reads the variable of one of these names, the last of them that is there.
fn said<T>(
    scope: &Scope,
    names: &[&str],
    read: impl FnOnce(&Field<'_>) -> Option<T>,
) -> Option<Said<T>> {
    let variable = names.iter().rev().find_map(|name| scope.variables.get(*name))?;
    let field = is_plain(variable).then(|| field(variable));
    Said::read(field.as_ref(), read)
}

fn own_fields(scope: &Scope) -> Vec<(&'static str, Field<'_>)> {
    let own = SETTINGS.iter().filter(|key| **key != "balena_fleet");
    own.filter_map(|key| {
        let variable = scope.variables.get(format!("{OWN}{key}").as_str())?;
        is_plain(variable).then(|| (*key, field(variable)))
    })
    .collect()
}

/// The value of a variable; what is marked as not to be expanded is a plain text here.
fn field(variable: &Variable) -> Field<'_> {
    let node = variable.node.get(UNSAFE).unwrap_or(&variable.node);
    Field { node, path: variable.path.clone() }
}

/// Why a value is known to Ansible alone.
fn hidden(node: &Node) -> Option<&'static str> {
    match &node.kind {
        Kind::Mapping(_) if node.get(VAULT).is_some() => Some("is encrypted by ansible-vault"),
        Kind::Text(text) if text.contains("{{") || text.contains("{%") => {
            Some("is a template, which only Ansible can fill in")
        }
        _ => None,
    }
}

fn is_plain(variable: &Variable) -> bool {
    hidden(&variable.node).is_none()
}

/// What arguments for `ssh` say of the way; what of them means nothing here is told.
fn arguments(
    scope: &Scope,
    report: &mut Report,
    remarks: &mut Report,
) -> (Option<Said<String>>, Ssh) {
    let mut all: (Option<Said<String>>, Ssh) = Default::default();
    for name in ARGUMENTS {
        let Some(variable) = scope.variables.get(name).filter(|variable| is_plain(variable)) else {
            continue;
        };
        let field = field(variable);
        let Kind::Text(text) = &field.node.kind else {
            if field.node.kind != Kind::Null {
                field.expected("arguments for ssh", report);
            }
            continue;
        };
        match Way::from_ssh_args(text) {
            Ok((way, ignored)) => {
                if !ignored.is_empty() {
                    let message = format!("of `{name}` this is not read: {}", ignored.join(", "));
                    remarks.add(variable.node.place, &variable.path, message);
                }
                let (host, ssh) = Ssh::of_way(way, variable.node.place, &variable.path);
                all = (all.0.or(host), all.1.or(ssh));
            }
            Err(why) => field.refuse(report, format!("these arguments cannot be read: {why}")),
        }
    }
    all
}

/// Names settings that are none.
fn tell_unknown(scope: &Scope, remarks: &mut Report) {
    for (name, variable) in &scope.variables {
        let Some(key) = name.strip_prefix(OWN).filter(|key| !SETTINGS.contains(key)) else {
            continue;
        };
        let message = format!("`{name}` is no setting, and left out");
        let hint = match nearest(key, SETTINGS) {
            Some(near) => format!("did you mean `{OWN}{near}`?"),
            None => format!("the settings are {OWN}{}", SETTINGS.join(&format!(", {OWN}"))),
        };
        remarks.add_with_hint(variable.node.place, &variable.path, message, hint);
    }
}

/// The last word on hosts that this program cannot reach as Ansible would, and an error for what it would have to know.
fn holds(resolved: &Resolved, ids: &[Option<DeviceId>], report: &mut Report) -> Document {
    let mut devices = BTreeMap::new();
    let mut told: HashMap<(Arc<str>, Place), ()> = HashMap::new();
    for (host, id) in resolved.hosts.iter().zip(ids) {
        let Some(id) = id else { continue };
        tell_hidden(resolved, host, &mut told, report);
        let Some((scope, variable, reason)) = foreign(resolved, host) else { continue };
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

/// What keeps a host from being reached over SSH with sudo.
fn foreign<'r>(resolved: &'r Resolved, host: &Host) -> Option<(&'r Scope, &'r Variable, String)> {
    let text = |variable: &Variable| match &field(variable).node.kind {
        Kind::Text(text) if is_plain(variable) => Some(text.to_ascii_lowercase()),
        _ => None,
    };
    let find = |name: &str, good: &[&str], only: &str| {
        let (scope, variable) = resolved.variable(host, name)?;
        let found = text(variable).filter(|found| {
            let found = found.rsplit('.').next().unwrap_or(found);
            !good.contains(&found)
        })?;
        Some((scope, variable, format!("its {name} is `{found}`, and only {only} is used here")))
    };
    let ssh = ["ssh", "smart", "paramiko", "paramiko_ssh", "libssh"];
    let [connection, method, user] = FOREIGN;
    find(connection, &ssh, "ssh")
        .or_else(|| find(method, &["sudo"], "sudo"))
        .or_else(|| find(user, &["root"], "root"))
}

/// Refuses values that are needed and that only Ansible knows.
fn tell_hidden(
    resolved: &Resolved,
    host: &Host,
    told: &mut HashMap<(Arc<str>, Place), ()>,
    report: &mut Report,
) {
    let login = [HOST, PORT, USER, IDENTITY].into_iter().flatten();
    let words = [PASSWORD, SUDO_PASSWORD, ARGUMENTS, FOREIGN].into_iter().flatten();
    let needed = login.chain(words).map(str::to_owned);
    let own = SETTINGS.iter().map(|key| format!("{OWN}{key}"));
    for name in needed.chain(own) {
        let Some((scope, variable)) = resolved.variable(host, &name) else { continue };
        let Some(why) = hidden(&variable.node) else { continue };
        if told.insert((scope.file.clone(), variable.node.place), ()).is_some() {
            continue;
        }
        report.turn_to(&scope.file);
        report.add_with_hint(
            variable.node.place,
            &variable.path,
            format!("`{name}` {why}"),
            "write the plain value, here or in a file of `host_vars` or `group_vars`",
        );
    }
}
