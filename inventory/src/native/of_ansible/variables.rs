//! Reads what one group or host says in one file: variables that tell how to reach a host, and settings of the native
//! form under another name.

use std::borrow::Cow;
use std::sync::Arc;

use crate::ansible::{Resolved, Scope, Variable};
use crate::connection::{SecretUse, Secrets, Way};
use crate::fleet::SecretSource;
use crate::name::{DeviceId, Serial};
use crate::native::document::read_hold;
use crate::native::folder;
use crate::native::layer::{Layer, Level, Said};
use crate::native::login::{self, Ssh};
use crate::near::{is_one_slip, nearest};
use crate::problem::Report;
use crate::yaml::{Field, KeyPath, Kind, Mapping, Node, UNSAFE, VAULT};

/// The beginning of the variables that are settings.
pub(super) const OWN: &str = "migos_";

/// Settings that may be said of a host or group, without their beginning.
pub(super) const SETTINGS: [&str; 13] = [
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

/// Settings that are texts, and mean the same where a number stands without quotes.
const WORDS: [&str; 2] = ["hold", "site"];

const HOST: [&str; 2] = ["ansible_host", "ansible_ssh_host"];
const PORT: [&str; 2] = ["ansible_port", "ansible_ssh_port"];
pub(super) const USER: [&str; 2] = ["ansible_user", "ansible_ssh_user"];
const IDENTITY: [&str; 2] = ["ansible_private_key_file", "ansible_ssh_private_key_file"];

const PASSWORD: [&str; 3] = ["ansible_password", "ansible_ssh_pass", "ansible_ssh_password"];
const SUDO_PASSWORD: [&str; 3] =
    ["ansible_sudo_pass", "ansible_become_password", "ansible_become_pass"];

/// Arguments of the program `ssh`, in the order in which Ansible hands them over: the first value counts.
const ARGUMENTS: [&str; 3] =
    ["ansible_ssh_args", "ansible_ssh_common_args", "ansible_ssh_extra_args"];

/// The variables that tell how to reach a host.
pub(in crate::native) fn of_login() -> impl Iterator<Item = &'static str> {
    let login = [HOST, PORT, USER, IDENTITY].into_iter().flatten();
    login.chain([PASSWORD, SUDO_PASSWORD, ARGUMENTS].into_iter().flatten())
}

/// What is said in one place.
pub(super) struct Words {
    /// All but arguments; nothing if it is nothing to this program.
    pub(super) own: Option<Arc<Layer>>,
    /// Each variable with arguments.
    pub(super) arguments: [Option<Arc<Layer>>; 3],
}

/// Reads what is said in one place. Paths of logins start at the current folder, `here`, as they do for Ansible.
pub(super) fn read(
    scope: &Scope,
    here: Option<&str>,
    report: &mut Report,
    remarks: &mut Report,
) -> Words {
    report.turn_to(&scope.file);
    remarks.turn_to(&scope.file);
    tell_mistyped(scope, remarks);
    let says =
        |name: &String| name.starts_with(OWN) || of_login().any(|known| known == name.as_str());
    if !scope.variables.keys().any(says) {
        return Words { own: None, arguments: [None, None, None] };
    }
    tell_unknown(scope, remarks);
    let start = |mut layer: Layer| {
        if let Some(here) = here {
            layer.ssh.start_paths(&folder::at(here));
        }
        Arc::new(layer)
    };
    let own = Some(start(own(scope, report)));
    let arguments = ARGUMENTS.map(|name| arguments(scope, name, report, remarks).map(start));
    Words { own, arguments }
}

fn own(scope: &Scope, report: &mut Report) -> Layer {
    let nodes = own_nodes(scope);
    let fields = nodes.iter().map(|(key, node, path)| (*key, Field { node, path: path.clone() }));
    let mapping = Mapping::of(fields.collect());
    let balena = scope.variables.get("migos_balena_fleet").filter(|variable| is_plain(variable));
    let balena = balena.map(|variable| Mapping::of(vec![("fleet", field(variable))]));
    let mut layer =
        Layer::read(Level::Ansible(scope.level.clone()), &mapping, balena.as_ref(), report);
    layer.serial = Said::read(mapping.get("serial"), |serial| {
        serial.parse("a serial number", Serial::new, report)
    });
    layer.hold = Said::read(mapping.get("hold"), |hold| read_hold(hold, report));
    layer.host =
        said(scope, &HOST, |host| host.parse("a host name or address", login::host, report));
    layer.ssh = Ssh {
        user: said(scope, &USER, |user| {
            let node = as_text(user.node);
            let user = Field { node: &node, path: user.path.clone() };
            user.parse("a user name", login::user_name, report)
        }),
        port: said(scope, &PORT, |field| port(field, report)),
        identities: said(scope, &IDENTITY, |path| {
            path.text("a path", report).map(|path| vec![path.to_owned()])
        }),
        password: said(scope, &PASSWORD, |field| password(field, report)),
        sudo_password: said(scope, &SUDO_PASSWORD, |field| password(field, report)),
        ..Ssh::default()
    };
    layer
}

/// A number as the text that stands there; anything else as it is.
fn as_text(node: &Node) -> Cow<'_, Node> {
    match &node.kind {
        Kind::Number(number) => {
            let kind = Kind::Text(number.text().to_owned());
            Cow::Owned(Node { place: node.place, kind })
        }
        _ => Cow::Borrowed(node),
    }
}

fn own_nodes(scope: &Scope) -> Vec<(&'static str, Cow<'_, Node>, KeyPath)> {
    let own = SETTINGS.iter().filter(|key| **key != "balena_fleet");
    own.filter_map(|key| {
        let variable = scope.variables.get(format!("{OWN}{key}").as_str())?;
        let node = field(variable).node;
        let node = if WORDS.contains(key) { as_text(node) } else { Cow::Borrowed(node) };
        is_plain(variable).then(|| (*key, node, variable.path.clone()))
    })
    .collect()
}

/// Where a password is found: here. The password itself is kept apart.
fn password(field: &Field<'_>, report: &mut Report) -> Option<SecretSource> {
    let found = password_text(field).map(|_| SecretSource::Inventory);
    if found.is_none() {
        let hint = "write it in quotes; or leave it out, and give --ask-pass or --ask-become-pass";
        field.refuse_with_hint(report, "a password is a text that is not empty", hint);
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
pub(in crate::native) fn secrets(resolved: &Resolved) -> Secrets {
    let mut secrets = Secrets::default();
    for host in resolved.hosts() {
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

/// The value of a variable; what is marked as not to be expanded is a plain text here.
pub(super) fn field(variable: &Variable) -> Field<'_> {
    let node = variable.node.get(UNSAFE).unwrap_or(&variable.node);
    Field { node, path: variable.path.clone() }
}

/// Why a value is known to Ansible alone.
pub(super) fn hidden(node: &Node) -> Option<&'static str> {
    match &node.kind {
        Kind::Mapping(_) if node.get(VAULT).is_some() => Some("is encrypted by ansible-vault"),
        Kind::Text(text) if text.contains("{{") || text.contains("{%") => {
            Some("is a template, which only Ansible can fill in")
        }
        _ => None,
    }
}

/// What to do about a value that is known to Ansible alone.
pub(super) fn remedy(node: &Node) -> &'static str {
    match &node.kind {
        Kind::Mapping(_) => {
            "write the plain value, here or in a file of `host_vars` or `group_vars` (Ansible decrypts whole files only \
             when it lists them); or leave it out, and give passwords with --ask-pass and --ask-become-pass"
        }
        _ => "write the plain value, here or in a file of `host_vars` or `group_vars`",
    }
}

pub(super) fn is_plain(variable: &Variable) -> bool {
    hidden(&variable.node).is_none()
}

/// What arguments for `ssh` say of the way; what of them means nothing here is told.
fn arguments(
    scope: &Scope,
    name: &str,
    report: &mut Report,
    remarks: &mut Report,
) -> Option<Layer> {
    let variable = scope.variables.get(name).filter(|variable| is_plain(variable))?;
    let field = field(variable);
    let text = match &field.node.kind {
        Kind::Text(text) => text.as_str(),
        Kind::Null => "",
        _ => {
            field.expected("arguments for ssh", report);
            return None;
        }
    };
    match Way::from_ssh_args(text) {
        Ok((way, ignored)) => {
            if !ignored.is_empty() {
                let message = format!("of `{name}` this is not read: {}", ignored.join(", "));
                remarks.add(variable.node.place, &variable.path, message);
            }
            let (host, ssh) = Ssh::of_way(way, variable.node.place, &variable.path);
            let (file, level) = (scope.file.clone(), Level::Ansible(scope.level.clone()));
            Some(Layer { file, level, host, ssh, ..Layer::default() })
        }
        Err(why) => {
            let message = format!("these arguments cannot be read: {why}");
            let hint = "write options as they stand behind `ssh`, with every quote closed: -o ProxyJump=ops@gate";
            field.refuse_with_hint(report, message, hint);
            None
        }
    }
}

/// Names variables that are one slip away from one that tells how to reach a host.
fn tell_mistyped(scope: &Scope, remarks: &mut Report) {
    let known: Vec<&str> = super::foreign_variables().collect();
    for (name, variable) in &scope.variables {
        if !name.starts_with("ansible_") || known.contains(&name.as_str()) {
            continue;
        }
        if let Some(meant) = known.iter().find(|known| is_one_slip(name, known)) {
            let message = format!("`{name}` means nothing to Ansible, and is not read");
            let hint = format!("did you mean `{meant}`?");
            remarks.add_with_hint(variable.node.place, &variable.path, message, hint);
        }
    }
}

/// Names settings that are none.
fn tell_unknown(scope: &Scope, remarks: &mut Report) {
    for (name, variable) in &scope.variables {
        let Some(key) = name.strip_prefix(OWN).filter(|key| !SETTINGS.contains(key)) else {
            continue;
        };
        let message = format!("`{name}` is no setting, and left out");
        let is_part = |known: &&str| known.split('_').any(|part| part == key);
        let near = nearest(key, SETTINGS).or_else(|| SETTINGS.into_iter().find(is_part));
        let hint = match near {
            Some(near) => format!("did you mean `{OWN}{near}`?"),
            None => format!("the settings are {OWN}{}", SETTINGS.join(&format!(", {OWN}"))),
        };
        remarks.add_with_hint(variable.node.place, &variable.path, message, hint);
    }
}
