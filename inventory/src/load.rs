//! Everything that a person named, read and laid over each other.

use std::borrow::Cow;
use std::fmt;

use crate::ansible::{self, Resolved, VariablesFile};
use crate::check::Finding;
use crate::connection::{AnsibleCfg, SshConfig};
use crate::fleet::{BadHours, Fleet, Hours};
use crate::name::DeviceId;
use crate::native::{Documents, Folders, Written, is_mark, is_native};
use crate::origin::Told;
use crate::problem::{Place, Problem, Problems, Report};
use crate::yaml::{self, KeyPath};

/// A text that was read.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// Its name in messages.
    pub name: &'a str,
    /// The text.
    pub text: &'a str,
    /// The folder that its paths start at, if it is not the one of the first inventory.
    pub folder: Option<&'a str>,
    /// The files of Ansible's `group_vars` and `host_vars` beside it, those that are heard last at the end.
    pub variables: &'a [VariablesFile<'a>],
    /// True if the text is no file's: hosts with commas between, as Ansible takes them in place of one.
    pub is_list: bool,
}

impl Source<'_> {
    fn form(&self) -> Form {
        if self.is_list { Form::Ansible } else { form(self.text) }
    }
}

/// What was found around the inventories.
#[derive(Clone, Debug, Default)]
pub struct Ground<'a> {
    /// Files of settings, the lowest first: they are heard after all inventories.
    pub settings: Vec<Source<'a>>,
    /// The person's ssh_config, for what the inventories leave open.
    pub ssh_config: SshConfig,
    /// What Ansible would find around its inventories.
    pub ansible: Surroundings<'a>,
}

/// What Ansible finds around its inventories. Folders are given where they are not the one of the first inventory.
#[derive(Clone, Debug, Default)]
pub struct Surroundings<'a> {
    /// Its configuration.
    pub cfg: AnsibleCfg,
    /// The folder of the file that this is from.
    pub cfg_folder: Option<&'a str>,
    /// The current folder.
    pub here: Option<&'a str>,
    /// The files of `group_vars` and `host_vars` in the current folder, which are heard after those beside inventories.
    pub variables: &'a [VariablesFile<'a>],
}

/// Inventories that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Everything that is wrong.
    pub problems: Problems,
    /// What is not read, and other things to look at.
    pub remarks: Vec<Problem>,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.problems.fmt(f)
    }
}

impl std::error::Error for Refused {}

/// The form of an inventory, told by its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `migos: 1` at the top.
    Native,
    /// Ansible's YAML, or what `ansible-inventory --list` prints.
    Ansible,
    /// The configuration of one of Ansible's inventory plugins.
    Plugin,
    /// Something else; an INI inventory of Ansible, for instance, or a program that writes one.
    Other,
}

/// Tells the form of an inventory. A text that is read as Ansible's may yet have mistakes in it.
pub fn form(text: &str) -> Form {
    let text = text.trim_start_matches('\u{feff}');
    let says =
        |line: &&str| !line.trim().is_empty() && !line.starts_with(['#', ';', '-', ' ', '%']);
    let keys = || text.lines().filter(says);
    if is_mark(text) {
        return Form::Native;
    }
    if text.starts_with("#!") {
        return Form::Other;
    }
    let is_flow = keys().next().is_some_and(|line| line.starts_with('{'));
    if !is_flow && !keys().any(|line| line.starts_with("plugin:")) {
        let is_mapping = keys().any(|line| line.contains(':')) && !looks_like_ini(text);
        return if is_mapping { Form::Ansible } else { Form::Other };
    }
    let mut scratch = (Report::new(""), Report::new(""));
    match yaml::load_as_ansible(&plain_escapes(text), &mut scratch.0, &mut scratch.1) {
        Some(root) if is_native(text, Some(&root)) => Form::Native,
        Some(root) if ansible::form(&root) == Some(ansible::Form::Plugin) => Form::Plugin,
        _ => Form::Ansible,
    }
}

/// Whether the first line that says something is a section or a host of an INI file.
fn looks_like_ini(text: &str) -> bool {
    let says = |line: &&str| !line.is_empty() && !line.starts_with(['#', ';']);
    let first = text.lines().map(str::trim).find(says).unwrap_or_default();
    let section = first.starts_with('[') && first.ends_with(']') && !first.contains(',');
    let words = first.split_whitespace().nth(1).is_some_and(|word| word.contains('='));
    section || words
}

/// What inventories have come to.
pub struct Loaded {
    /// The fleet.
    pub fleet: Fleet,
    /// What is not read, and other things to look at.
    pub remarks: Vec<Problem>,
    /// What Ansible would say of those that are its own, if there are any.
    pub resolved: Option<Resolved>,
    documents: Documents,
    ssh_config: SshConfig,
}

impl Loaded {
    /// Tells all settings of a device, where they are from and what they hide; nothing if there is no such device.
    pub fn explain(&self, id: &DeviceId) -> Vec<Told> {
        self.documents.explain(id, &self.ssh_config)
    }

    /// What is likely not meant.
    pub fn check(&self) -> Vec<Finding> {
        let mut found: Vec<Finding> = self.remarks.iter().map(Finding::remark).collect();
        found.extend(self.documents.check(&self.fleet, &self.ssh_config));
        found
    }
}

/// Reads inventories, the later ones heard before the earlier ones.
///
/// All that are Ansible's are one inventory, as they are to Ansible; those in the native form are heard before them.
///
/// # Errors
/// Everything that is wrong, file by file.
pub fn load(
    sources: &[Source<'_>],
    ground: &Ground<'_>,
    hours: &dyn Fn(&Hours) -> Result<(), BadHours>,
) -> Result<Loaded, Refused> {
    let first = sources.first().map(|source| source.name).unwrap_or_default();
    let (mut report, mut remarks) = (Report::new(first), Report::new(first));
    let mut documents = Documents::default();
    for Source { name, text, folder, .. } in &ground.settings {
        documents.add_settings(&Written { name, text, folder: *folder }, hours, &mut report);
    }
    let (native, others): (Vec<_>, Vec<_>) =
        sources.iter().partition(|source| source.form() == Form::Native);
    let around = &ground.ansible;
    let resolved =
        (!others.is_empty()).then(|| read_ansible(&others, around, &mut report, &mut remarks));
    if let Some(resolved) = &resolved {
        documents.add_ansible(resolved, around.folders(), hours, &mut report, &mut remarks);
        documents.add_cfg(&around.cfg, around.folders(), resolved);
        if resolved.hosts.is_empty() && native.is_empty() && report.is_clean() {
            report.turn_to(first);
            let hint = "write each host as a key: `all: { hosts: { pi-1: , pi-2: } }`";
            report.add_with_hint(Place::START, &KeyPath::root(), "no host is named", hint);
        }
    }
    for Source { name, text, folder, .. } in native {
        documents.add_inventory(&Written { name, text, folder: *folder }, hours, &mut report);
    }
    let fleet = documents.fleet(&ground.ssh_config, &mut report);
    let mut remarks = remarks.into_problems().0;
    if resolved.is_some() {
        remarks.extend(around.cfg.remarks.iter().cloned());
    }
    if !report.is_clean() {
        return Err(Refused { problems: report.into_problems(), remarks });
    }
    let ssh_config = ground.ssh_config.clone();
    Ok(Loaded { fleet, remarks, resolved, documents, ssh_config })
}

impl Surroundings<'_> {
    fn folders(&self) -> Folders<'_> {
        Folders { cfg: self.cfg_folder, here: self.here }
    }
}

fn read_ansible(
    sources: &[&Source<'_>],
    around: &Surroundings<'_>,
    report: &mut Report,
    remarks: &mut Report,
) -> Resolved {
    let mut inventory = ansible::Inventory::default();
    for source in sources {
        report.turn_to(source.name);
        remarks.turn_to(source.name);
        if source.is_list {
            inventory.add_list(source.text, report);
            continue;
        }
        let mut own = Report::new(source.name);
        let root = yaml::load_as_ansible(&plain_escapes(source.text), &mut own, remarks);
        let form = root.as_ref().map(ansible::form);
        match (form, &root) {
            (Some(Some(ansible::Form::Plugin)), _) => refuse(report, PLUGIN, source.name),
            (Some(Some(form)), Some(root)) => inventory.add(form, root, report, remarks),
            _ if source.text.trim().is_empty() => refuse_nothing(report),
            (None, _) if !looks_like_ini(source.text) => report.append(own),
            _ => refuse(report, OTHER, source.name),
        }
    }
    for source in sources {
        inventory.add_variables(source.variables, report, remarks);
    }
    inventory.add_variables_of_all(around.variables, report, remarks);
    inventory.resolve(remarks)
}

const PLUGIN: &str = "this is the configuration of an inventory plugin, which only Ansible can run";
const OTHER: &str =
    "this is neither in the native form (`migos: 1`) nor a YAML or JSON inventory of Ansible";

fn refuse(report: &mut Report, message: &str, name: &str) {
    let hint =
        format!("let Ansible write it out: `ansible-inventory -i {name} --list | migos-fleet … -`");
    report.add_with_hint(Place::START, &KeyPath::root(), message, hint);
}

fn refuse_nothing(report: &mut Report) {
    let hint =
        "write `migos: 1` as the first line, then the devices under `groups:` and `devices:`";
    report.add_with_hint(Place::START, &KeyPath::root(), "the inventory is empty", hint);
}

/// JSON writes characters beyond the first 65,536 as two escapes, which YAML does not know.
fn plain_escapes(text: &str) -> Cow<'_, str> {
    if !text.contains("\\ud") && !text.contains("\\uD") {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("\\u") {
        let (before, escapes) = rest.split_at(start);
        plain.push_str(before);
        let unit = |at: usize| {
            let escape = escapes.get(at..at + 6)?.strip_prefix("\\u")?;
            u16::from_str_radix(escape, 16).ok()
        };
        let pair = unit(0).zip(unit(6));
        let decoded = pair.and_then(|(high, low)| char::decode_utf16([high, low]).next()?.ok());
        let (text, length) = match decoded.filter(|c| u32::from(*c) > 0xffff) {
            Some(decoded) => (decoded.to_string(), 12),
            None => ("\\u".to_owned(), 2),
        };
        plain.push_str(&text);
        rest = escapes.get(length..).unwrap_or_default();
    }
    plain.push_str(rest);
    Cow::Owned(plain)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn forms_are_told_by_their_content() {
        let texts = [
            ("migos: 1\ndevices: { a: }\n", Form::Native),
            ("{\"migos\": 1}", Form::Native),
            ("migos: 1\nx: [\n", Form::Native),
            ("migos: { hosts: { a: } }\n", Form::Ansible),
            ("lab:\nmigos:  # ours\n\n  hosts: { a: }\n", Form::Ansible),
            ("{\"migos\": {\"hosts\": {\"a\": null}}}", Form::Ansible),
            ("migos:\ndevices: { a: }\n", Form::Native),
            ("all: { hosts: { a: } }\n", Form::Ansible),
            ("all:\n  hosts: [\n", Form::Ansible),
            ("{\"_meta\": {\"hostvars\": {}}, \"all\": {}}", Form::Ansible),
            ("plugin: aws_ec2\n", Form::Plugin),
            ("[north]\npi-1 ansible_host=10.0.0.1\n", Form::Other),
            ("# pis\npi-1 ansible_host=10.0.0.1\n", Form::Other),
            ("- a\n", Form::Other),
            ("#!/usr/bin/python3\nprint({'a': 1})\n", Form::Other),
            ("", Form::Other),
        ];
        for (text, expected) in texts {
            assert_eq!(form(text), expected, "{text}");
        }
    }

    #[test]
    fn escapes_of_json_become_characters() {
        assert_eq!(plain_escapes(r#"a\ud83d\ude00b\u00e9\ud83d"#), "a\u{1f600}b\\u00e9\\ud83d");
    }
}
