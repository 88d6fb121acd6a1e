//! Inventories of Ansible, read as Ansible reads them.
//!
//! The files follow the way of a text: `plain` reads the YAML form, `listed` what `ansible-inventory --list` prints, and
//! `host_list` hosts with commas between, all into the `graph` of groups and hosts; `range` writes out names with ranges; `variables` holds what is said of
//! groups and hosts, in the inventory and in the files of `group_vars` and `host_vars` beside it; `resolved` says in
//! which order a host hears all of it. `settings` finds in the variables what is meant for this program.
//!
//! Ansible is tolerant where the native form is strict: what it only warns of is a remark here, and no error.

mod graph;
mod host_list;
mod listed;
mod plain;
mod range;
mod resolved;
mod variables;

pub(crate) use resolved::Scope;
pub use resolved::{Host, Resolved};
pub(crate) use variables::Variable;
pub use variables::{Entity, VariablesFile};

use self::graph::Graph;
use crate::problem::Report;
use crate::yaml::{Kind, Node};

/// The form of a text, told by its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Groups at the top.
    Plain,
    /// What `ansible-inventory --list` prints.
    Listed,
    /// The configuration of an inventory plugin.
    Plugin,
}

/// Tells the form of a text that is not native; nothing if it is no mapping.
pub(crate) fn form(root: &Node) -> Option<Form> {
    let Kind::Mapping(entries) = &root.kind else { return None };
    if root.get("_meta").is_some_and(|meta| meta.get("hostvars").is_some()) {
        return Some(Form::Listed);
    }
    let is_plugin = entries.iter().any(|entry| {
        entry.key == "plugin" && matches!(&entry.value.kind, Kind::Text(name) if !name.is_empty())
    });
    Some(if is_plugin { Form::Plugin } else { Form::Plain })
}

/// One or more sources of one Ansible inventory, while they are read.
#[derive(Default)]
pub(crate) struct Inventory {
    graph: Graph,
    /// The files of variables, the lowest first.
    files: Vec<variables::Read>,
}

impl Inventory {
    /// Reads the groups and hosts of one file.
    pub(crate) fn add(
        &mut self,
        form: Form,
        root: &Node,
        report: &mut Report,
        remarks: &mut Report,
    ) {
        match form {
            Form::Plain => plain::read(&mut self.graph, root, report, remarks),
            Form::Listed => listed::read(&mut self.graph, root, report),
            Form::Plugin => {}
        }
    }

    /// Reads hosts with commas between.
    pub(crate) fn add_list(&mut self, text: &str, report: &mut Report) {
        host_list::read(&mut self.graph, text, report);
    }

    /// Reads the files of variables of one source, which are heard before those that were added earlier.
    pub(crate) fn add_variables(
        &mut self,
        files: &[VariablesFile<'_>],
        report: &mut Report,
        remarks: &mut Report,
    ) {
        let source = self.files.last().map_or(0, |last| last.source + 1);
        for file in files {
            self.files.extend(variables::read(source, file, report, remarks));
        }
    }

    /// Reads files of variables that are there for other inventories, too.
    pub(crate) fn add_variables_of_all(
        &mut self,
        files: &[VariablesFile<'_>],
        report: &mut Report,
        remarks: &mut Report,
    ) {
        let first = self.files.len();
        self.add_variables(files, report, remarks);
        self.files.iter_mut().skip(first).for_each(|read| read.is_of_all = true);
    }

    /// Ends the reading: every host knows all its groups.
    pub(crate) fn resolve(self, remarks: &mut Report) -> Resolved {
        resolved::resolve(self.graph, self.files, remarks)
    }
}
