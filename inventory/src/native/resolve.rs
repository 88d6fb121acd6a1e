//! Lays the levels over each other: top level < `defaults` < groups < device.
//!
//! Groups are equals. When two groups of a device say different things and the device itself says
//! nothing, there is no right answer, and guessing one would hide it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::layer::{Layer, Said};
use super::stack::{Levels, Stack};
use super::{on_balena, settings};
use crate::connection::{Secrets, SshConfig, Way, settle};
use crate::fleet::{Device, Fleet, Handover, Vars};
use crate::fold::fold;
use crate::name::{DeviceId, GroupName};
use crate::problem::{Place, Report};
use crate::yaml::KeyPath;

/// Gives every device its settings.
pub(super) fn fleet(stack: &Stack<'_>, config: &SshConfig, report: &mut Report) -> Fleet {
    let mut clashes = Clashes::default();
    let mut homeless = Homeless::default();
    let mut devices = BTreeMap::new();
    for (_, named) in &stack.named {
        let id = &named.value;
        let levels = Settling { id, levels: stack.levels(id), clashes: &mut clashes };
        devices.insert(id.clone(), device(levels, config, &mut homeless));
    }
    clashes.tell(report);
    // A bastion may be missing only because it could not be read.
    if report.is_clean() {
        homeless.tell(report);
    }
    let mut groups: BTreeMap<GroupName, BTreeSet<DeviceId>> = BTreeMap::new();
    for (name, group) in stack.inventories.iter().flat_map(|document| &document.groups) {
        groups.entry(name.clone()).or_default().extend(group.devices.iter().cloned());
    }
    Fleet {
        settings: settings::settle(stack.nearest_documents()),
        devices,
        order: stack.named.iter().map(|(_, named)| named.value.clone()).collect(),
        groups,
        secrets: Secrets::default(),
    }
}

fn device(mut levels: Settling<'_, '_>, config: &SshConfig, homeless: &mut Homeless) -> Device {
    let id = levels.id;
    let login = settle(way(&mut levels), id.as_str(), config);
    let handover = levels.said(|layer| layer.handover.as_ref());
    let bastion = levels.settle(|layer| layer.bastion.as_ref());
    if let (Some((layer, said)), None) = (handover, &bastion) {
        homeless.note(id, layer, said);
    }
    Device {
        id: id.clone(),
        login,
        groups: levels.levels.groups.iter().map(|(name, _)| (*name).clone()).collect(),
        vars: Vars(levels.settle_map(|layer| &layer.vars)),
        hold: levels.settle(|layer| layer.hold.as_ref()),
        serial: levels.settle(|layer| layer.serial.as_ref()),
        site: levels.settle(|layer| layer.site.as_ref()),
        balena_fleet: levels.settle(|layer| layer.fleet.as_ref()),
        images: levels.settle_map(|layer| &layer.images),
        mirror: levels.settle(|layer| layer.mirror.as_ref()),
        keyfiles: levels.settle(|layer| layer.keyfiles.as_ref()).unwrap_or_default(),
        device_type: levels.settle(|layer| layer.device_type.as_ref()),
        data: levels.settle(|layer| layer.data.as_ref()),
        handover: handover.map(|(_, said)| said.value).unwrap_or_default(),
        bastion,
        window: levels.settle(|layer| layer.window.as_ref()),
        on_balena: on_balena::settle(&mut levels),
    }
}

fn way(levels: &mut Settling<'_, '_>) -> Way {
    let (jump, proxy_command) = detour(levels);
    Way {
        host: levels.settle(|layer| layer.host.as_ref()),
        port: levels.settle(|layer| layer.ssh.port.as_ref()),
        user: levels.settle(|layer| layer.ssh.user.as_ref()),
        identities: levels.settle(|layer| layer.ssh.identities.as_ref()),
        certificate: levels.settle(|layer| layer.ssh.certificate.as_ref()),
        identities_only: levels.settle(|layer| layer.ssh.identities_only.as_ref()),
        agent: levels.settle(|layer| layer.ssh.agent.as_ref()),
        password: levels.settle(|layer| layer.ssh.password.as_ref()),
        sudo_password: levels.settle(|layer| layer.ssh.sudo_password.as_ref()),
        jump,
        proxy_command,
        known_hosts: levels.settle(|layer| layer.ssh.known_hosts.as_ref()),
        host_keys: levels.settle(|layer| layer.ssh.host_keys.as_ref()),
        old_algorithms: levels.settle(|layer| layer.ssh.old_algorithms.as_ref()),
        config: levels.settle(|layer| layer.ssh.config.as_ref()),
    }
}

/// Hosts on the way and a command, both of the nearest level that says either: it is one question how to get there.
fn detour(levels: &mut Settling<'_, '_>) -> (Option<Vec<Way>>, Option<String>) {
    let jump = levels.said(|layer| layer.ssh.jump.as_ref());
    let command = levels.said(|layer| layer.ssh.proxy_command.as_ref());
    let own = |layer: &Layer| {
        let says = |found: Option<&Layer>| found.is_some_and(|found| std::ptr::eq(found, layer));
        (says(jump.map(|(layer, _)| layer)), says(command.map(|(layer, _)| layer)))
    };
    let nearest = levels.levels.nearest_first().map(own).find(|(jump, command)| *jump || *command);
    let (is_jump, is_command) = nearest.unwrap_or_default();
    let jump = jump.filter(|_| is_jump).map(|(_, said)| said.value.clone());
    (jump, command.filter(|_| is_command).map(|(_, said)| said.value.clone()))
}

/// The settings of one device while they are settled.
pub(super) struct Settling<'a, 'c> {
    id: &'a DeviceId,
    levels: Levels<'a>,
    clashes: &'c mut Clashes,
}

impl<'a> Settling<'a, '_> {
    /// The setting of the highest level that has one.
    pub(super) fn settle<T: Clone + PartialEq + 'a>(
        &mut self,
        get: impl Fn(&'a Layer) -> Option<&'a Said<T>>,
    ) -> Option<T> {
        self.said(get).map(|(_, said)| said.value.clone())
    }

    /// The same, with where it is written.
    fn said<T: PartialEq + 'a>(
        &mut self,
        get: impl Fn(&'a Layer) -> Option<&'a Said<T>>,
    ) -> Option<(&'a Layer, &'a Said<T>)> {
        let of = |layer: &&'a Layer| Some((*layer, get(layer)?));
        if let Some(own) = self.levels.own.iter().find_map(of) {
            return Some(own);
        }
        let mut of_groups = self
            .levels
            .groups
            .iter()
            .filter_map(|(name, layers)| Some((*name, layers.iter().find_map(of)?)));
        let Some((first_group, first)) = of_groups.next() else {
            return self.levels.below.iter().chain(&self.levels.cfg).find_map(of);
        };
        for (group, said) in of_groups.filter(|(_, (_, said))| said.value != first.1.value) {
            self.clashes.note(self.id, (first_group, first), (group, said));
        }
        Some(first)
    }

    /// Settles every key of a mapping on its own.
    pub(super) fn settle_map<T: Clone + PartialEq + 'a>(
        &mut self,
        get: impl Fn(&'a Layer) -> &'a BTreeMap<String, Said<T>>,
    ) -> BTreeMap<String, T> {
        let keys: BTreeSet<&str> = self
            .levels
            .nearest_first()
            .flat_map(|layer| get(layer).keys().map(String::as_str))
            .collect();
        let settled = keys
            .into_iter()
            .filter_map(|key| Some((key.to_owned(), self.settle(|layer| get(layer).get(key))?)));
        settled.collect()
    }
}

/// A place in one of several files.
type FilePlace = (Arc<str>, Place);

/// Devices that shall call home and know no host to call, by where it is said.
#[derive(Default)]
struct Homeless(BTreeMap<FilePlace, (KeyPath, Vec<DeviceId>)>);

impl Homeless {
    fn note(&mut self, id: &DeviceId, layer: &Layer, said: &Said<Handover>) {
        if said.value == Handover::CallHome {
            let entry = self.0.entry((layer.file.clone(), said.place));
            entry.or_insert_with(|| (said.path.clone(), Vec::new())).1.push(id.clone());
        }
    }

    fn tell(self, report: &mut Report) {
        for ((file, place), (path, devices)) in self.0 {
            report.turn_to(&file);
            let message = format!("no bastion is named for {} to call", fold(&devices));
            let hint =
                "write `bastion: { host: …, user: … }` under `defaults:`, a group or a device";
            report.add_with_hint(place, &path, message, hint);
        }
    }
}

/// Settings on which two groups of a device do not agree, with the devices they share.
#[derive(Default)]
struct Clashes(BTreeMap<(FilePlace, FilePlace), Clash>);

struct Clash {
    groups: (GroupName, GroupName),
    /// Where the second group says it.
    path: KeyPath,
    devices: Vec<DeviceId>,
}

impl Clashes {
    fn note<T>(
        &mut self,
        id: &DeviceId,
        (first_group, first): (&GroupName, (&Layer, &Said<T>)),
        (group, said): (&GroupName, (&Layer, &Said<T>)),
    ) {
        let place = |(layer, said): (&Layer, &Said<T>)| (layer.file.clone(), said.place);
        let clash = self.0.entry((place(first), place(said))).or_insert_with(|| Clash {
            groups: (first_group.clone(), group.clone()),
            path: said.1.path.clone(),
            devices: Vec::new(),
        });
        clash.devices.push(id.clone());
    }

    fn tell(self, report: &mut Report) {
        for (((first_file, first_place), (file, place)), clash) in self.0 {
            report.turn_to(&file);
            let (first_group, group) = clash.groups;
            let message = format!(
                "group `{group}` says otherwise than group `{first_group}` on {}, and {} {} in both",
                report.line_of(&first_file, first_place),
                fold(&clash.devices),
                if clash.devices.len() == 1 { "is" } else { "are" },
            );
            let hint = "say it on the devices themselves under `devices:`, or let the groups agree";
            report.add_with_hint(place, &clash.path, message, hint);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use crate::native::parse;

    /// Says what a device got, as YAML.
    fn device(text: &str, id: &str) -> String {
        let fleet = parse("t", text).unwrap();
        serde_yaml::to_string(fleet.devices.get(id).unwrap()).unwrap()
    }

    #[test]
    fn a_device_of_few_words_gets_the_defaults() {
        insta::assert_snapshot!(device("migos: 1\ndevices: { pi-1: }", "pi-1"), @r###"
        id: pi-1
        login:
          host: pi-1
          port: 22
          user: pi
          known_hosts: null
          host_keys: accept-new
          sudo_password: null
        groups: []
        vars: {}
        hold: null
        serial: null
        site: null
        balena_fleet: null
        images: {}
        device_type: null
        data: null
        handover: attended
        "###);
    }

    #[test]
    fn the_nearest_level_wins_key_by_key() {
        let text = r#"
migos: 1
balena: { fleet: acme/top }
images: { raspberrypi3: top.img, raspberrypi2: top2.img, raspberry-pi: top1.img }
data: none
defaults:
  balena: { fleet: acme/defaults }
  ssh: { user: defaults, identity: ~/.ssh/defaults, port: 2222, host_keys: strict }
  images: { raspberrypi3: defaults.img, raspberrypi2: defaults2.img }
  vars: { a: 1, b: 1, c: 1 }
groups:
  north:
    devices: ["kiosk-[1:2]"]
    ssh: { user: north, identity: ~/.ssh/north, known_hosts: north_hosts }
    images: { raspberrypi3: north.img }
    vars: { b: 2, c: 2, site: north }
  old: { devices: [kiosk-1], ssh: { user: north, port: 22 } }
devices:
  kiosk-1:
    host: 10.0.0.1
    serial: "00000000765FC593"
    hold: |
      screen being replaced,
      ask the site
    ssh: { user: own, sudo_password: { file: sudo.txt } }
    device_type: raspberrypi3-64
    vars: { c: [3] }
"#;
        insta::assert_snapshot!(device(text, "kiosk-1"), @r###"
        id: kiosk-1
        login:
          host: 10.0.0.1
          port: 22
          user: own
          identities:
          - ~/.ssh/north
          known_hosts: north_hosts
          host_keys: strict
          sudo_password: !file sudo.txt
        groups:
        - north
        - old
        vars:
          a: 1
          b: 2
          c:
          - 3
        hold: screen being replaced, ask the site
        serial: 00000000765fc593
        site: north
        balena_fleet: acme/defaults
        images:
          raspberry-pi: top1.img
          raspberrypi2: defaults2.img
          raspberrypi3: north.img
        device_type: raspberrypi3-64
        data: none
        handover: attended
        "###);
    }

    #[test]
    fn a_device_settles_what_its_groups_dispute() {
        let groups = "
migos: 1
groups:
  a: { devices: [pi-1], site: north, ssh: { user: x } }
  b: { devices: [pi-1], site: south, ssh: { user: x } }
";
        assert!(parse("t", groups).is_err());
        let settled = format!("{groups}devices: {{ pi-1: {{ vars: {{ site: west }} }} }}\n");
        assert!(device(&settled, "pi-1").contains("\nsite: west\n"));
    }
}
