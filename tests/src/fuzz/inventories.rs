//! Readers of inventories in all their forms, and of what is said about logins.

use super::targets::{text, told};
use migos_inventory::{
    AnsibleCfg, DeviceId, Entity, Finding, Fleet, Ground, Included, Loaded, Login, Problems,
    Source, SshConfig, VariablesFile, Way, fold, from_csv, hops, load, parse, settle,
};
use migos_playbooks::window::check_hours;

/// The name of the text in all messages.
const FILE: &str = "any.yaml";

/// A small Ansible inventory, for what stands beside one.
const FLEET: &str =
    "all: { children: { north: { hosts: { kiosk-1: , kiosk-2: } } }, hosts: { b: } }\n";

/// A small inventory in the native form.
const NATIVE: &str = "migos: 1\ndevices: { kiosk-1: { host: 10.0.0.1 }, b: }\n";

fn source<'a>(name: &'a str, text: &'a str, variables: &'a [VariablesFile<'a>]) -> Source<'a> {
    Source { name, text, folder: None, variables, is_list: false }
}

/// Reads one; what is found in it has a place in it, and whoever is in it can be explained.
fn loaded(text: &str, sources: &[Source<'_>], ground: &Ground<'_>) -> Option<Loaded> {
    let loaded = match load(sources, ground, &check_hours) {
        Ok(loaded) => loaded,
        Err(refused) => {
            let (own, others) =
                refused.problems.0.into_iter().partition(|problem| problem.file == FILE);
            let others: Problems = Problems(others);
            assert!(others.0.iter().all(|problem| problem.line == 1), "{others}");
            if !Vec::is_empty(&own) {
                let _ = told::<()>(Err(Problems(own)), text);
            }
            return None;
        }
    };
    let Fleet { order, devices, .. } = &loaded.fleet;
    assert!(!order.is_empty() && order.len() == devices.len());
    if !loaded.remarks.is_empty() {
        let own = |problem: &&_| is_own(problem);
        let remarks = loaded.remarks.iter().filter(own).cloned().collect::<Vec<_>>();
        if !remarks.is_empty() {
            let _ = told::<()>(Err(Problems(remarks)), text);
        }
    }
    let lines = text.split(['\n', '\r']).count();
    for Finding { origin, message, .. } in loaded.check() {
        assert!(!message.contains('\u{1b}'), "{message:?}");
        let place = origin.filter(|origin| origin.file.as_deref() == Some(FILE));
        if let Some(place) = place.and_then(|origin| origin.place) {
            assert!(place.line >= 1 && place.line <= lines + 1, "{message}");
        }
    }
    for id in [order.first(), order.last()].into_iter().flatten() {
        assert!(!loaded.explain(id).is_empty());
    }
    Some(loaded)
}

fn is_own(problem: &migos_inventory::Problem) -> bool {
    problem.file == FILE
}

/// An inventory of Ansible, as YAML or as Ansible lists it.
pub(super) fn ansible(bytes: &[u8]) {
    let text = text(bytes);
    if let Some(loaded) = loaded(&text, &[source(FILE, &text, &[])], &Ground::default())
        && let Some(resolved) = &loaded.resolved
    {
        let names = loaded.fleet.order.iter().map(DeviceId::as_str);
        assert!(resolved.hosts().iter().all(|host| names.clone().any(|name| name == host.name)));
        assert!(serde_json::to_string(&resolved.listing()).is_ok());
    }
}

/// The name of one or more hosts in an inventory of Ansible.
pub(super) fn hosts(bytes: &[u8]) {
    let name = serde_json::to_string(&text(bytes)).unwrap_or_default();
    ansible(format!("{{\"all\": {{\"hosts\": {{{name}: null}}}}}}").as_bytes());
}

/// A list of hosts in place of an inventory.
pub(super) fn host_list(bytes: &[u8]) {
    let text = text(bytes);
    let list = Source { is_list: true, ..source(FILE, &text, &[]) };
    let _ = loaded(&text, &[list], &Ground::default());
}

/// A file of variables beside an inventory.
pub(super) fn group_vars(bytes: &[u8]) {
    let text = text(bytes);
    for of in [Entity::Group("north"), Entity::Host("kiosk-1"), Entity::Group("nobody")] {
        let file = VariablesFile { of, name: FILE, text: &text };
        let _ = loaded(&text, &[source("hosts.yaml", FLEET, &[file])], &Ground::default());
    }
}

/// A file of settings around an inventory.
pub(super) fn settings(bytes: &[u8]) {
    let text = text(bytes);
    let ground = Ground { settings: vec![source(FILE, &text, &[])], ..Ground::default() };
    let _ = loaded(&text, &[source("fleet.yaml", NATIVE, &[])], &ground);
}

/// What has a way to it has a host, a user and a port, and so has every host on the way.
fn is_whole(login: &Login) {
    assert!(!login.user.is_empty() && login.port > 0);
    login.jump.iter().for_each(is_whole);
}

/// A person's ssh_config, which may include a file that includes itself.
pub(super) fn ssh_config(bytes: &[u8]) {
    let text = text(bytes);
    let find = |pattern: &str| match pattern {
        "more" => {
            let text = "Include more\nHost gate\nUser ops\n".to_owned();
            vec![Included { name: "more".to_owned(), text }]
        }
        _ => Vec::new(),
    };
    let config = SshConfig::parse(FILE, &text, Some("me".to_owned()), &find);
    let remarks: Vec<_> = config.remarks().iter().filter(|it| is_own(it)).cloned().collect();
    if !remarks.is_empty() {
        let _ = told::<()>(Err(Problems(remarks)), &text);
    }
    for name in ["kiosk-1", "kiosk-9", "gate"] {
        is_whole(&settle(Way::default(), name, &config));
    }
}

/// What Ansible says in its own configuration.
pub(super) fn ansible_cfg(bytes: &[u8]) {
    let text = text(bytes);
    let cfg = AnsibleCfg::read(Some((FILE, &text)), &|_| None);
    assert!(cfg.inventory.iter().flat_map(|named| &named.paths).all(|path| !path.is_empty()));
    if !cfg.remarks.is_empty() {
        let _ = told::<()>(Err(Problems(cfg.remarks)), &text);
    }
}

/// Arguments for `ssh`, and the hosts on a way as `ssh -J` takes them.
pub(super) fn ssh_args(bytes: &[u8]) {
    let text = text(bytes);
    match Way::from_ssh_args(&text) {
        Ok((way, _)) => {
            let hops = way.jump.clone().unwrap_or_default();
            assert!(hops.iter().all(|hop| hop.host.is_some()));
            is_whole(&settle(way, "kiosk-1", &SshConfig::default()));
        }
        Err(why) => assert!(!why.is_empty()),
    }
    if let Ok(read) = hops(&text)
        && !read.is_empty()
    {
        let written: Vec<String> = read.iter().map(hop).collect();
        assert_eq!(hops(&written.join(",")), Ok(read));
    }
}

/// A host on the way, written as `ssh -J` takes it.
fn hop(way: &Way) -> String {
    let user = way.user.as_ref().map(|user| format!("{user}@")).unwrap_or_default();
    let port = way.port.map(|port| format!(":{port}")).unwrap_or_default();
    format!("{user}[{}]{port}", way.host.as_deref().unwrap_or_default())
}

/// A table: the inventory that is made of it has its devices.
pub(super) fn table(bytes: &[u8]) {
    let lines = String::from_utf8_lossy(bytes);
    match from_csv(FILE, bytes, &[]) {
        Ok(made) => {
            let fleet = parse("inventory.yaml", &made.text);
            assert_eq!(fleet.map(|fleet| fleet.order.len()), Ok(made.devices));
        }
        Err(problems) => {
            assert!(problems.0.iter().all(is_own), "{problems}");
            // In texts of two bytes a character, lines are told by other bytes.
            if !bytes.starts_with(&[0xff, 0xfe]) && !bytes.starts_with(&[0xfe, 0xff]) {
                let _ = told::<()>(Err(problems), &lines);
            }
        }
    }
}

/// A pattern: what the chosen devices are folded to chooses the same.
pub(super) fn patterns(bytes: &[u8]) {
    const FLEET: &str = "\
migos: 1
devices: { bench-2: , b: }
groups:
  north: { devices: [\"kiosk-[001:006]\"] }
  south: { devices: [\"kiosk-[005:008]\", b] }
  new: { devices: [] }
";
    let fleet = parse(FILE, FLEET);
    assert!(fleet.is_ok());
    let Ok(fleet) = fleet else { return };
    match fleet.select(Some(&text(bytes))) {
        Ok(chosen) => {
            assert!(!chosen.is_empty());
            assert_eq!(fleet.select(Some(&fold(&chosen))), Ok(chosen));
        }
        Err(error) => {
            let text = error.to_string();
            assert!(
                !text.is_empty() && !text.contains(char::is_control) && !error.hint().is_empty()
            );
        }
    }
}
