//! What every host hears, and in which order: `all` before its groups, parents before children, variables of the
//! inventory before files of `group_vars`, and the host itself last (Ansible: variable precedence).

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use serde::Serialize;

use super::graph::{ALL, Graph, Spot, UNGROUPED};
use super::variables::{Owner, Read, Variable, Variables};
use crate::problem::{Place, Report};
use crate::secretive::is_secretive;
use crate::yaml::{KeyPath, Kind, Node};

/// Names that Ansible gives a meaning of its own whatever an inventory says.
const MAGIC: [&str; 19] = [
    "ansible_config_file",
    "ansible_diff_mode",
    "ansible_facts",
    "ansible_forks",
    "ansible_inventory_sources",
    "ansible_limit",
    "ansible_playbook_python",
    "ansible_run_tags",
    "ansible_skip_tags",
    "ansible_verbosity",
    "ansible_version",
    "group_names",
    "groups",
    "inventory_dir",
    "inventory_file",
    "inventory_hostname",
    "inventory_hostname_short",
    "omit",
    "playbook_dir",
];

/// An Ansible inventory, read to its end.
#[derive(Debug)]
pub struct Resolved {
    /// The variables of groups and hosts, those that are heard last at the end.
    pub(crate) scopes: Vec<Scope>,
    /// The hosts, in the order in which they are first named.
    pub(crate) hosts: Vec<Host>,
    /// The groups but `all`, by name, with the numbers of all hosts in them and below them.
    pub(crate) groups: BTreeMap<String, GroupView>,
}

/// The variables of one group or host in one file.
#[derive(Debug)]
pub(crate) struct Scope {
    /// `group north` or `device`.
    pub(crate) level: Arc<str>,
    pub(crate) file: Arc<str>,
    pub(crate) variables: Variables,
    /// True for what belongs to one host.
    pub(crate) is_of_host: bool,
}

#[derive(Debug)]
pub(crate) struct GroupView {
    pub(crate) file: Option<Arc<str>>,
    pub(crate) place: Place,
    pub(crate) hosts: BTreeSet<usize>,
}

/// A host as Ansible would tell of it.
#[derive(Debug, Serialize)]
pub struct Listed<'r> {
    groups: &'r [String],
    variables: BTreeMap<&'r str, Shown<'r>>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Shown<'r> {
    Plain(&'r Node),
    Secret(&'static str),
}

/// A host of an Ansible inventory.
#[derive(Debug)]
pub struct Host {
    /// Its name.
    pub name: String,
    /// The groups it is in, at any depth, but `all`; in alphabetical order.
    pub groups: Vec<String>,
    pub(crate) file: Arc<str>,
    pub(crate) place: Place,
    pub(crate) path: KeyPath,
    /// What it hears, the last word at the end.
    pub(crate) scopes: Vec<usize>,
}

impl Resolved {
    /// The hosts, in the order in which they are first named.
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// The variables of a host, as `ansible-inventory --host` tells them.
    pub fn variables(&self, host: &Host) -> BTreeMap<&str, &Node> {
        let heard = host.scopes.iter().filter_map(|number| self.scopes.get(*number));
        let all = heard.flat_map(|scope| &scope.variables);
        all.map(|(name, variable)| (name.as_str(), &*variable.node)).collect()
    }

    /// All hosts with their groups and variables, what is likely a secret left out.
    pub fn listing(&self) -> BTreeMap<&str, Listed<'_>> {
        let listed = |host| {
            let all = self.variables(host).into_iter();
            let variables = all.map(|(name, node)| {
                let secret = is_secretive(name) && !matches!(node.kind, Kind::Null);
                (name, if secret { Shown::Secret("<secret>") } else { Shown::Plain(node) })
            });
            Listed { groups: &host.groups, variables: variables.collect() }
        };
        self.hosts.iter().map(|host| (host.name.as_str(), listed(host))).collect()
    }

    /// The variable that a host hears under one of these names: the nearest level counts, and in it the last name.
    pub(crate) fn nearest(&self, host: &Host, names: &[&str]) -> Option<&Variable> {
        let heard = host.scopes.iter().rev().filter_map(|number| self.scopes.get(*number));
        let of = |scope: &'_ Scope| {
            names.iter().rev().find(|name| scope.variables.contains_key(**name)).copied()
        };
        heard.filter_map(|scope| scope.variables.get(of(scope)?)).next()
    }

    /// The variable that a host hears under a name.
    pub(crate) fn variable(&self, host: &Host, name: &str) -> Option<(&Scope, &Variable)> {
        let heard = host.scopes.iter().rev().filter_map(|number| self.scopes.get(*number));
        heard.filter_map(|scope| Some((scope, scope.variables.get(name)?))).next()
    }
}

/// Lays out what every host hears.
pub(super) fn resolve(mut graph: Graph, files: Vec<Read>, remarks: &mut Report) -> Resolved {
    graph.reconcile();
    tell_homeless(&graph, &files, remarks);
    tell_namesakes(&graph, remarks);
    let order = heard_order(&graph);
    let mut scopes = Scopes::default();
    for number in &order {
        if let Some(group) = graph.groups.get_mut(*number) {
            let variables = std::mem::take(&mut group.variables);
            let level = format!("group {}", group.name);
            scopes.add(Of::Group(*number), &level, by_file(variables));
        }
    }
    add_files(&graph, &order, files, &mut scopes);
    for (number, host) in graph.hosts.iter_mut().enumerate() {
        let variables = std::mem::take(&mut host.variables);
        scopes.add(Of::Host(number), "device", by_file(variables));
    }
    scopes.end(&graph)
}

/// The groups, in the order in which they are heard.
fn heard_order(graph: &Graph) -> Vec<usize> {
    let depths = graph.depths();
    let mut order: Vec<usize> = (0..graph.groups.len()).collect();
    order.sort_by_key(|number| {
        let group = graph.groups.get(*number);
        (
            depths.get(*number).copied().unwrap_or_default(),
            group.map(|group| group.priority),
            group.map(|group| group.name.clone()),
        )
    });
    order
}

/// Whose scope it is.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Of {
    Group(usize),
    Host(usize),
}

#[derive(Default)]
struct Scopes {
    /// In the order in which they are heard, but for files of `host_vars`, which come before the hosts' own variables
    /// here and are sorted in at the end.
    all: Vec<Scope>,
    of: HashMap<Of, Vec<usize>>,
    /// Files of `host_vars`, which are heard after all else.
    last: Vec<(usize, Read)>,
}

impl Scopes {
    fn add(&mut self, of: Of, level: &str, files: Vec<(Arc<str>, Variables)>) {
        for (file, mut variables) in files {
            variables.retain(|name, _| !MAGIC.contains(&name.as_str()));
            if !variables.is_empty() {
                self.of.entry(of).or_default().push(self.all.len());
                let is_of_host = matches!(of, Of::Host(_));
                self.all.push(Scope { level: level.into(), file, variables, is_of_host });
            }
        }
    }

    fn end(mut self, graph: &Graph) -> Resolved {
        for (host, read) in std::mem::take(&mut self.last) {
            self.add(Of::Host(host), "device", vec![(read.file, read.variables)]);
        }
        let mut groups: BTreeMap<String, GroupView> = BTreeMap::new();
        let mut hosts = Vec::new();
        for (number, host) in graph.hosts.iter().enumerate() {
            let above = graph.with_ancestors(&host.groups);
            let mut scopes: Vec<usize> = above
                .iter()
                .map(|group| Of::Group(*group))
                .chain([Of::Host(number)])
                .filter_map(|of| self.of.get(&of))
                .flatten()
                .copied()
                .collect();
            scopes.sort_unstable();
            let mut names: Vec<String> = Vec::new();
            for group in above.iter().filter_map(|group| graph.groups.get(*group)) {
                if group.name == ALL {
                    continue;
                }
                names.push(group.name.clone());
                let view = groups.entry(group.name.clone()).or_insert_with(|| view(&group.spot));
                view.hosts.insert(number);
            }
            names.sort();
            let Spot { file, place, path } = host.spot.clone();
            hosts.push(Host { name: host.name.clone(), groups: names, file, place, path, scopes });
        }
        for group in &graph.groups {
            if group.name != ALL && group.name != UNGROUPED {
                groups.entry(group.name.clone()).or_insert_with(|| view(&group.spot));
            }
        }
        Resolved { scopes: self.all, hosts, groups }
    }
}

fn view(spot: &Option<Spot>) -> GroupView {
    GroupView {
        file: spot.as_ref().map(|spot| spot.file.clone()),
        place: spot.as_ref().map_or(Place::START, |spot| spot.place),
        hosts: BTreeSet::new(),
    }
}

/// Parts variables by the file they stand in.
fn by_file(variables: Variables) -> Vec<(Arc<str>, Variables)> {
    let mut files: Vec<(Arc<str>, Variables)> = Vec::new();
    for (name, variable) in variables {
        match files.iter_mut().find(|(file, _)| *file == variable.file) {
            Some((_, variables)) => {
                variables.insert(name, variable);
            }
            None => files.push((variable.file.clone(), Variables::from([(name, variable)]))),
        }
    }
    files
}

/// Files of `all` are heard first, then source by source those of the groups; files of hosts wait for the end.
fn add_files(graph: &Graph, order: &[usize], files: Vec<Read>, scopes: &mut Scopes) {
    let place: HashMap<usize, usize> =
        order.iter().enumerate().map(|(place, number)| (*number, place)).collect();
    let mut of_groups = Vec::new();
    for read in files {
        match &read.of {
            Owner::Group(name) => {
                if let Some(number) = graph.find_group(name) {
                    of_groups.push((number, read));
                }
            }
            Owner::Host(name) => {
                if let Some(number) = graph.find_host(name) {
                    scopes.last.push((number, read));
                }
            }
        }
    }
    let is_all = |number: usize| graph.find_group(ALL) == Some(number);
    // Stable, so that the files of one folder stay in their order.
    of_groups.sort_by_key(|(number, read)| {
        let among_groups = (read.source, place.get(number).copied());
        if is_all(*number) {
            (false, read.source, None)
        } else {
            (true, among_groups.0, among_groups.1)
        }
    });
    for (number, read) in of_groups {
        let name = graph.groups.get(number).map_or("", |group| group.name.as_str());
        let level = format!("group {name}");
        scopes.add(Of::Group(number), &level, vec![(read.file, read.variables)]);
    }
}

/// Names hosts that are called like a group: a pattern means both.
fn tell_namesakes(graph: &Graph, remarks: &mut Report) {
    for host in graph.hosts.iter().filter(|host| graph.find_group(&host.name).is_some()) {
        remarks.turn_to(&host.spot.file);
        let message = "there is a group of this name, too, and a limit means both";
        remarks.add(host.spot.place, &host.spot.path, message);
    }
}

/// Names the files of variables that are nobody's.
fn tell_homeless(graph: &Graph, files: &[Read], remarks: &mut Report) {
    for read in files {
        let (what, name, is_known) = match &read.of {
            Owner::Group(name) => ("group", name, graph.find_group(name).is_some()),
            Owner::Host(name) => ("host", name, graph.find_host(name).is_some()),
        };
        if is_known || read.is_of_all {
            continue;
        }
        remarks.turn_to(&read.file);
        let message = format!("there is no {what} `{name}`, and nobody reads this file");
        let known: Vec<&str> = match read.of {
            Owner::Group(_) => graph.groups.iter().map(|group| group.name.as_str()).collect(),
            Owner::Host(_) => graph.hosts.iter().map(|host| host.name.as_str()).collect(),
        };
        let root = KeyPath::root();
        match crate::near::nearest(name, known) {
            Some(near) => {
                let hint = format!("did you mean `{near}`?");
                remarks.add_with_hint(Place::START, &root, message, hint);
            }
            None => remarks.add(Place::START, &root, message),
        }
    }
}
