//! What `ansible-inventory --list` and scripts of dynamic inventories print: groups with lists of hosts, and the
//! variables of each host under `_meta.hostvars` (Ansible: plugin `script`).

use std::sync::Arc;

use super::graph::{Graph, Spot};
use super::variables::Variable;
use crate::problem::Report;
use crate::yaml::{Entry, KeyPath, Kind, Node};

/// Reads the groups of a listing into the graph.
pub(super) fn read(graph: &mut Graph, root: &Node, report: &mut Report) {
    let mut reader = Reader { graph, file: report.file(), report };
    let Kind::Mapping(entries) = &root.kind else { return };
    for entry in entries.iter().filter(|entry| entry.key != "_meta") {
        reader.group(entry);
    }
    let variables = root.get("_meta").and_then(|meta| meta.get("hostvars"));
    if let Some(Node { kind: Kind::Mapping(hosts), .. }) = variables {
        let path = KeyPath::root().key("_meta").key("hostvars");
        for host in hosts {
            reader.host_variables(host, &path);
        }
    }
}

struct Reader<'a> {
    graph: &'a mut Graph,
    file: Arc<str>,
    report: &'a mut Report,
}

impl Reader<'_> {
    fn spot(&self, node: &Node, path: KeyPath) -> Spot {
        Spot { file: self.file.clone(), place: node.place, path }
    }

    fn group(&mut self, entry: &Entry) {
        let path = KeyPath::root().key(&entry.key);
        let spot = Spot { file: self.file.clone(), place: entry.place, path: path.clone() };
        let group = self.graph.group(&entry.key, Some(spot));
        let Kind::Mapping(_) = &entry.value.kind else {
            // The older form: a group is the list of its hosts.
            return self.hosts(group, &entry.value, &path);
        };
        if let Some(hosts) = entry.value.get("hosts") {
            self.hosts(group, hosts, &path.key("hosts"));
        }
        if let Some(Node { kind: Kind::Mapping(variables), .. }) = entry.value.get("vars") {
            for variable in variables {
                let path = path.key("vars").key(&variable.key);
                let variable_of = self.variable(variable, path);
                self.graph.set_on_group(group, &variable.key, variable_of);
            }
        }
        if let Some(children) = entry.value.get("children") {
            self.children(group, children, &path.key("children"));
        }
    }

    fn variable(&self, entry: &Entry, path: KeyPath) -> Variable {
        Variable { node: Arc::new(entry.value.clone()), file: self.file.clone(), path }
    }

    /// The texts of a list, with their places.
    fn names<'n>(&mut self, list: &'n Node, path: &KeyPath) -> Vec<(&'n str, &'n Node, KeyPath)> {
        let Kind::List(items) = &list.kind else {
            let message = format!("expected a list of names, found {}", list.found());
            let hint = "give what `ansible-inventory --list` prints, as it is";
            self.report.add_with_hint(list.place, path, message, hint);
            return Vec::new();
        };
        let name = |(index, item): (usize, &'n Node)| match &item.kind {
            Kind::Text(text) => Some((text.as_str(), item, path.item(index))),
            _ => None,
        };
        items.iter().enumerate().filter_map(name).collect()
    }

    fn hosts(&mut self, group: usize, list: &Node, path: &KeyPath) {
        for (name, node, path) in self.names(list, path) {
            let spot = self.spot(node, path);
            self.graph.host(name, group, None, &spot);
        }
    }

    fn children(&mut self, group: usize, list: &Node, path: &KeyPath) {
        for (name, node, path) in self.names(list, path) {
            let spot = self.spot(node, path.clone());
            let child = self.graph.group(name, Some(spot));
            if !self.graph.link(group, child) {
                let message = format!("the group `{name}` is within itself");
                self.report.add(node.place, &path, message);
            }
        }
    }

    fn host_variables(&mut self, host: &Entry, above: &KeyPath) {
        let path = above.key(&host.key);
        let all = self.graph.group(super::graph::ALL, None);
        let number = match self.graph.find_host(&host.key) {
            Some(number) => number,
            None => {
                let spot = Spot { file: self.file.clone(), place: host.place, path: path.clone() };
                self.graph.host(&host.key, all, None, &spot)
            }
        };
        let Kind::Mapping(variables) = &host.value.kind else { return };
        for variable in variables {
            let variable_of = self.variable(variable, path.key(&variable.key));
            self.graph.set_on_host(number, &variable.key, variable_of);
        }
    }
}
