//! What is said of a group or a host: variables with their places, in the inventory or in files beside it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::problem::Report;
use crate::yaml::{KeyPath, Kind, Node, load_as_ansible};

/// A variable, and where it is written.
#[derive(Clone, Debug)]
pub(crate) struct Variable {
    pub(crate) node: Arc<Node>,
    pub(crate) file: Arc<str>,
    pub(crate) path: KeyPath,
}

/// The variables of one group or host, by name.
pub(crate) type Variables = BTreeMap<String, Variable>;

/// A file of variables beside an inventory, as found by whoever reads files.
#[derive(Clone, Copy, Debug)]
pub struct VariablesFile<'a> {
    /// Whose variables they are.
    pub of: Entity<'a>,
    /// The file's name in messages.
    pub name: &'a str,
    /// Its text.
    pub text: &'a str,
}

/// A group or a host, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entity<'a> {
    /// A file or folder in `group_vars`.
    Group(&'a str),
    /// A file or folder in `host_vars`.
    Host(&'a str),
}

/// A file of variables that was read.
#[derive(Debug)]
pub(crate) struct Read {
    /// The number of the source that it stands beside.
    pub(crate) source: usize,
    pub(crate) of: Owner,
    pub(crate) file: Arc<str>,
    pub(crate) variables: Variables,
    /// True if it is there for other inventories, too.
    pub(crate) is_of_all: bool,
}

/// Whose variables they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    Group(String),
    Host(String),
}

/// Reads a file of variables; nothing if it says nothing.
pub(super) fn read(
    source: usize,
    file: &VariablesFile<'_>,
    report: &mut Report,
    remarks: &mut Report,
) -> Option<Read> {
    report.turn_to(file.name);
    remarks.turn_to(file.name);
    let mut own = Report::new(file.name);
    let encrypted = file.text.starts_with("$ANSIBLE_VAULT;");
    let root = if encrypted { None } else { load_as_ansible(file.text, &mut own, remarks) };
    report.append(own);
    if encrypted {
        let message = "the file is encrypted by ansible-vault";
        let hint = "give the output of `ansible-inventory --list`, which decrypts it: `ansible-inventory -i … --list | migos-fleet … -`";
        report.add_with_hint(crate::Place::START, &KeyPath::root(), message, hint);
    }
    let variables = match root?.kind {
        Kind::Null => return None,
        Kind::Mapping(entries) => {
            let file = report.file();
            let variable = |node| Arc::new(node);
            entries
                .into_iter()
                .map(|entry| {
                    let path = KeyPath::root().key(&entry.key);
                    let node = variable(entry.value);
                    (entry.key, Variable { node, file: file.clone(), path })
                })
                .collect()
        }
        _ => {
            let message = "expected variables, `name: value`";
            report.add(crate::Place::START, &KeyPath::root(), message);
            return None;
        }
    };
    let of = match file.of {
        Entity::Group(name) => Owner::Group(name.to_owned()),
        Entity::Host(name) => Owner::Host(name.to_owned()),
    };
    Some(Read { source, of, file: report.file(), variables, is_of_all: false })
}
