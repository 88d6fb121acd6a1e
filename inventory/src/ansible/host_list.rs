//! Hosts with commas between, in place of an inventory (Ansible: plugin `host_list`).

use super::graph::{Graph, Spot, UNGROUPED};
use super::variables::Variable;
use crate::problem::{Place, Report};
use crate::yaml::{KeyPath, Kind, Node};

/// Reads a list into the graph: names or addresses, each with a port if wanted. Ansible hands `user@host` to ssh as it is;
/// here the user is taken from it.
pub(super) fn read(graph: &mut Graph, text: &str, report: &mut Report) {
    let ungrouped = graph.group(UNGROUPED, None);
    let mut column = 1;
    for part in text.split(',') {
        let indent = part.chars().take_while(|c| c.is_whitespace()).count();
        let place = Place { line: 1, column: column + indent };
        column += part.chars().count() + 1;
        let part = part.trim();
        if part.is_empty() {
            continue;
        }
        let (user, rest) = match part.split_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, part),
        };
        let (name, port) = host_and_port(rest);
        let spot = Spot { file: report.file(), place, path: KeyPath::root() };
        let host = graph.host(name, ungrouped, port, &spot);
        if let Some(user) = user {
            let node = Node { place, kind: Kind::Text(user.to_owned()) };
            let (file, path) = (spot.file, spot.path);
            graph.set_on_host(host, "ansible_user", Variable { node: node.into(), file, path });
        }
    }
}

/// What cannot be a port is a part of the name.
fn host_and_port(text: &str) -> (&str, Option<u16>) {
    let bracketed = text.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let (host, port) = match bracketed {
        Some((host, "")) => return (host, None),
        Some((host, rest)) => (host, rest.strip_prefix(':')),
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => return (text, None),
        },
    };
    match port.and_then(|port| port.parse().ok()) {
        Some(port) => (host, Some(port)),
        None => (text, None),
    }
}

#[cfg(test)]
mod tests {
    use super::host_and_port;

    #[test]
    fn a_port_is_parted_from_its_host() {
        assert_eq!(host_and_port("pi-1"), ("pi-1", None));
        assert_eq!(host_and_port("pi-1:2222"), ("pi-1", Some(2222)));
        assert_eq!(host_and_port("[::1]:22"), ("::1", Some(22)));
        assert_eq!(host_and_port("::1"), ("::1", None));
        assert_eq!(host_and_port("[::1]"), ("::1", None));
        assert_eq!(host_and_port("k[1:2]"), ("k[1:2]", None));
    }
}
