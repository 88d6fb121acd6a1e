//! The YAML form: `hosts`, `vars` and `children`, nested as deep as people like (Ansible: plugin `yaml`).

use std::sync::Arc;

use super::graph::{Graph, Spot};
use super::range;
use super::variables::Variable;
use crate::near::nearest;
use crate::problem::Report;
use crate::range::MAX_DEVICES;
use crate::yaml::{Entry, KeyPath, Kind, Node, quote};

/// More hosts in groups, and variables of hosts, than this come only from ranges that nobody means.
const MOST_WRITTEN: usize = 10 * MAX_DEVICES;

const SECTIONS: [&str; 3] = ["hosts", "vars", "children"];

/// Reads the groups of a file into the graph.
pub(super) fn read(graph: &mut Graph, root: &Node, report: &mut Report, remarks: &mut Report) {
    remarks.turn_to(&report.file());
    let mut reader = Reader { graph, file: report.file(), report, remarks };
    for entry in entries(root) {
        reader.group(entry, &KeyPath::root());
    }
}

struct Reader<'a> {
    graph: &'a mut Graph,
    file: Arc<str>,
    report: &'a mut Report,
    remarks: &'a mut Report,
}

fn entries(node: &Node) -> &[Entry] {
    match &node.kind {
        Kind::Mapping(entries) => entries,
        _ => &[],
    }
}

impl Reader<'_> {
    fn spot(&self, entry: &Entry, path: &KeyPath) -> Spot {
        Spot { file: self.file.clone(), place: entry.place, path: path.key(&entry.key) }
    }

    fn variable(&self, entry: &Entry, path: &KeyPath) -> Variable {
        let (node, file) = (Arc::new(entry.value.clone()), self.file.clone());
        Variable { node, file, path: path.key(&entry.key) }
    }

    fn group(&mut self, entry: &Entry, above: &KeyPath) -> Option<usize> {
        let path = above.key(&entry.key);
        if !matches!(entry.value.kind, Kind::Mapping(_) | Kind::Null) {
            let message = format!("not a group, and left out: {}", entry.value.found());
            self.remarks.add(entry.value.place, &path, message);
            return None;
        }
        let number = self.graph.group(&entry.key, Some(self.spot(entry, above)));
        for section in entries(&entry.value) {
            self.section(number, section, &path);
        }
        Some(number)
    }

    fn section(&mut self, group: usize, section: &Entry, above: &KeyPath) {
        let path = above.key(&section.key);
        if !SECTIONS.contains(&section.key.as_str()) {
            let listed = "a group has only `hosts`, `vars` and `children`; this is left out";
            match nearest(&section.key, SECTIONS) {
                Some(near) => {
                    let hint = format!("did you mean `{near}`?");
                    self.remarks.add_with_hint(section.place, &path, listed, hint);
                }
                None => self.remarks.add(section.place, &path, listed),
            }
            return;
        }
        let single;
        let members = match &section.value.kind {
            Kind::Null => return,
            Kind::Mapping(members) => members.as_slice(),
            // A bare text is a mapping with this one key.
            Kind::Text(text) => {
                let place = section.value.place;
                let value = Node { place, kind: Kind::Null };
                single = [Entry { key: text.clone(), place, value }];
                &single
            }
            _ => {
                let found = section.value.found();
                let message = format!("expected a mapping, found {found}");
                let hint = "write each name as a key: `name:` on a line of its own, with the colon";
                self.report.add_with_hint(section.value.place, &path, message, hint);
                return;
            }
        };
        for member in members {
            match section.key.as_str() {
                "vars" => {
                    let variable = self.variable(member, &path);
                    self.graph.set_on_group(group, &member.key, variable);
                }
                "children" => self.child(group, member, &path),
                _ => self.hosts(group, member, &path),
            }
        }
    }

    fn child(&mut self, group: usize, member: &Entry, above: &KeyPath) {
        let Some(child) = self.group(member, above) else { return };
        if !self.graph.link(group, child) {
            let name = self.graph.groups.get(group).map_or("", |group| group.name.as_str());
            let message = match name == member.key {
                true => "a group cannot be within itself".to_owned(),
                false => format!("the groups `{name}` and `{}` are within each other", member.key),
            };
            let hint = "take one of the two out of the `children` of the other";
            self.report.add_with_hint(member.place, &above.key(&member.key), message, hint);
        }
    }

    fn hosts(&mut self, group: usize, member: &Entry, above: &KeyPath) {
        let spot = self.spot(member, above);
        let path = &spot.path;
        let (names, port) = match range::expand(&member.key) {
            Ok(expanded) => expanded,
            Err(error) => {
                let message = format!("{}: {error}", quote(&member.key));
                self.report.add_with_hint(member.place, path, message, error.hint());
                return;
            }
        };
        if !matches!(member.value.kind, Kind::Mapping(_) | Kind::Null) {
            let message = format!("expected the host's variables, found {}", member.value.found());
            let hint = "write them below the host: `ansible_host: 10.0.0.7`";
            self.report.add_with_hint(member.value.place, path, message, hint);
            return;
        }
        let variables: Vec<(&str, Variable)> = entries(&member.value)
            .iter()
            .map(|entry| (entry.key.as_str(), self.variable(entry, path)))
            .collect();
        let written = names.len().saturating_mul(1 + variables.len());
        self.graph.written = self.graph.written.saturating_add(written);
        if self.graph.written > MOST_WRITTEN {
            let message =
                format!("more than {MOST_WRITTEN} hosts and variables of hosts are written out");
            let hint =
                "look for a digit too many in a range, or set on a group what its hosts share";
            self.report.add_with_hint(member.place, path, message, hint);
            return;
        }
        for name in names {
            let host = self.graph.host(&name, group, port, &spot);
            for (name, variable) in &variables {
                self.graph.set_on_host(host, name, variable.clone());
            }
        }
    }
}
