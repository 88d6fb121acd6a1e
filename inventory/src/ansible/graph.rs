//! Groups within groups, and the hosts in them: what several sources come to together.

use std::collections::HashMap;
use std::sync::Arc;

use super::variables::{Variable, Variables};
use crate::problem::Place;
use crate::yaml::{KeyPath, Kind, Node};

/// The group of all hosts.
pub(super) const ALL: &str = "all";
/// The group of those in no other.
pub(super) const UNGROUPED: &str = "ungrouped";

/// Where a name is first written.
#[derive(Clone, Debug)]
pub(super) struct Spot {
    pub(super) file: Arc<str>,
    pub(super) place: Place,
    pub(super) path: KeyPath,
}

#[derive(Debug)]
pub(super) struct Group {
    pub(super) name: String,
    pub(super) spot: Option<Spot>,
    pub(super) parents: Vec<usize>,
    pub(super) children: Vec<usize>,
    pub(super) hosts: Vec<usize>,
    pub(super) variables: Variables,
    /// Of groups of equal depth the one with the higher number is heard first.
    pub(super) priority: i64,
}

#[derive(Debug)]
pub(super) struct Host {
    pub(super) name: String,
    pub(super) spot: Spot,
    pub(super) groups: Vec<usize>,
    pub(super) variables: Variables,
}

/// The groups and hosts, by number.
#[derive(Debug)]
pub(super) struct Graph {
    pub(super) groups: Vec<Group>,
    pub(super) hosts: Vec<Host>,
    /// How many hosts in groups, and variables of hosts, were written out so far.
    pub(super) written: usize,
    group_numbers: HashMap<String, usize>,
    host_numbers: HashMap<String, usize>,
}

impl Default for Graph {
    fn default() -> Self {
        let mut graph = Graph {
            groups: Vec::new(),
            hosts: Vec::new(),
            written: 0,
            group_numbers: HashMap::new(),
            host_numbers: HashMap::new(),
        };
        let all = graph.group(ALL, None);
        let ungrouped = graph.group(UNGROUPED, None);
        graph.link(all, ungrouped);
        graph
    }
}

impl Graph {
    /// The number of a group, which is made if it is new.
    pub(super) fn group(&mut self, name: &str, spot: Option<Spot>) -> usize {
        if let Some(number) = self.group_numbers.get(name) {
            let number = *number;
            if let Some(group) = self.groups.get_mut(number)
                && group.spot.is_none()
            {
                group.spot = spot;
            }
            return number;
        }
        let number = self.groups.len();
        self.group_numbers.insert(name.to_owned(), number);
        self.groups.push(Group {
            name: name.to_owned(),
            spot,
            parents: Vec::new(),
            children: Vec::new(),
            hosts: Vec::new(),
            variables: Variables::new(),
            priority: 1,
        });
        number
    }

    /// The number of a group that is there.
    pub(super) fn find_group(&self, name: &str) -> Option<usize> {
        self.group_numbers.get(name).copied()
    }

    /// The number of a host that is there.
    pub(super) fn find_host(&self, name: &str) -> Option<usize> {
        self.host_numbers.get(name).copied()
    }

    /// Puts a host into a group; a new host takes the port.
    pub(super) fn host(
        &mut self,
        name: &str,
        group: usize,
        port: Option<u16>,
        spot: &Spot,
    ) -> usize {
        let number = match self.host_numbers.get(name) {
            Some(number) => *number,
            None => {
                let number = self.hosts.len();
                self.host_numbers.insert(name.to_owned(), number);
                self.hosts.push(Host {
                    name: name.to_owned(),
                    spot: spot.clone(),
                    groups: Vec::new(),
                    variables: port.map(|port| port_variable(port, spot)).into_iter().collect(),
                });
                number
            }
        };
        if let (Some(host), Some(group_of)) =
            (self.hosts.get_mut(number), self.groups.get_mut(group))
            && !host.groups.contains(&group)
        {
            host.groups.push(group);
            group_of.hosts.push(number);
        }
        number
    }

    /// Makes one group the child of another; false if that closes a circle.
    pub(super) fn link(&mut self, parent: usize, child: usize) -> bool {
        if parent == child || self.is_below(child, parent) {
            return false;
        }
        let is_new = self.groups.get(parent).is_some_and(|group| !group.children.contains(&child));
        if is_new {
            if let Some(group) = self.groups.get_mut(parent) {
                group.children.push(child);
            }
            if let Some(group) = self.groups.get_mut(child) {
                group.parents.push(parent);
            }
        }
        true
    }

    /// Whether a group is, at any depth, within another.
    fn is_below(&self, top: usize, wanted: usize) -> bool {
        let mut seen = vec![false; self.groups.len()];
        let mut open = vec![top];
        while let Some(number) = open.pop() {
            if number == wanted {
                return true;
            }
            let is_first = seen.get_mut(number).is_some_and(|seen| !std::mem::replace(seen, true));
            if let Some(group) = self.groups.get(number).filter(|_| is_first) {
                open.extend(&group.children);
            }
        }
        false
    }

    /// Sets a variable of a group, the later one winning. The priority is none.
    pub(super) fn set_on_group(&mut self, group: usize, name: &str, variable: Variable) {
        let Some(group) = self.groups.get_mut(group) else { return };
        if name == "ansible_group_priority" {
            let priority = match &variable.node.kind {
                Kind::Number(number) => number.as_i64(),
                Kind::Text(text) => text.trim().parse().ok(),
                _ => None,
            };
            group.priority = priority.unwrap_or(group.priority);
            return;
        }
        group.variables.insert(name.to_owned(), variable);
    }

    /// Sets a variable of a host, the later one winning. Where a group has the host's name, Ansible sets it there.
    pub(super) fn set_on_host(&mut self, host: usize, name: &str, variable: Variable) {
        let Some(host) = self.hosts.get_mut(host) else { return };
        match self.group_numbers.get(&host.name) {
            Some(group) => self.set_on_group(*group, name, variable),
            None => _ = host.variables.insert(name.to_owned(), variable),
        }
    }

    /// Ends the reading as Ansible does: whatever is in no group is in `all`, and hosts of no group are `ungrouped`.
    pub(super) fn reconcile(&mut self) {
        let all = self.group(ALL, None);
        let ungrouped = self.group(UNGROUPED, None);
        for number in 0..self.groups.len() {
            let is_top = self.groups.get(number).is_some_and(|group| group.parents.is_empty());
            if number != all && is_top {
                self.link(all, number);
            }
        }
        for number in 0..self.hosts.len() {
            let Some(host) = self.hosts.get_mut(number) else { continue };
            let is_own = |group: &usize| *group != all && *group != ungrouped;
            if host.groups.iter().any(is_own) {
                host.groups.retain(|group| *group != ungrouped);
                if let Some(group) = self.groups.get_mut(ungrouped) {
                    group.hosts.retain(|host| *host != number);
                }
            } else if !host.groups.contains(&ungrouped) {
                host.groups.push(ungrouped);
                if let Some(group) = self.groups.get_mut(ungrouped) {
                    group.hosts.push(number);
                }
            }
        }
    }

    /// How deep each group is: the length of the longest way from `all`.
    pub(super) fn depths(&self) -> Vec<usize> {
        let mut depths = vec![0; self.groups.len()];
        let mut waiting: Vec<usize> = self.groups.iter().map(|group| group.parents.len()).collect();
        let mut open: Vec<usize> =
            (0..self.groups.len()).filter(|number| waiting.get(*number) == Some(&0)).collect();
        while let Some(number) = open.pop() {
            let depth = depths.get(number).copied().unwrap_or_default();
            let Some(group) = self.groups.get(number) else { continue };
            for child in &group.children {
                if let Some(deepest) = depths.get_mut(*child) {
                    *deepest = (*deepest).max(depth + 1);
                }
                if let Some(left) = waiting.get_mut(*child) {
                    *left -= 1;
                    if *left == 0 {
                        open.push(*child);
                    }
                }
            }
        }
        depths
    }

    /// All groups above these, and themselves.
    pub(super) fn with_ancestors(&self, groups: &[usize]) -> Vec<usize> {
        let (mut found, mut seen) = (Vec::new(), vec![false; self.groups.len()]);
        let mut open = groups.to_vec();
        while let Some(number) = open.pop() {
            let is_first = seen.get_mut(number).is_some_and(|seen| !std::mem::replace(seen, true));
            if is_first {
                found.push(number);
                open.extend(self.groups.get(number).into_iter().flat_map(|group| &group.parents));
            }
        }
        found
    }
}

fn port_variable(port: u16, spot: &Spot) -> (String, Variable) {
    let kind = Kind::Number(crate::yaml::Number::from_port(port));
    let node = Arc::new(Node { place: spot.place, kind });
    let variable = Variable { node, file: spot.file.clone(), path: spot.path.clone() };
    ("ansible_port".to_owned(), variable)
}
