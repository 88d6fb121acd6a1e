//! Several files over each other, level by level: what is said nearer to a device is heard first, and of two files
//! that say something at one level the later one.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::document::Document;
use super::layer::{Layer, Said};
use super::of_cfg::Cfg;
use crate::name::{DeviceId, GroupName};
use crate::problem::{Place, Report};
use crate::range::MAX_DEVICES;

/// What all files say, seen from one device's side.
pub(super) struct Stack<'a> {
    /// The inventories, in the order given.
    pub(super) inventories: &'a [Document],
    /// The files of settings below them, the lowest first.
    pub(super) settings: &'a [Document],
    /// Every device once, and the file that names it first.
    pub(super) named: Vec<(&'a Document, &'a Said<DeviceId>)>,
    /// Of each group what the files say, the latest first.
    groups: BTreeMap<&'a GroupName, Vec<&'a Layer>>,
    /// The groups of each device, in order of their names.
    groups_of: BTreeMap<&'a DeviceId, Vec<&'a GroupName>>,
    /// What is said of each device alone, the latest first.
    own: HashMap<&'a DeviceId, Vec<&'a Layer>>,
    /// What holds for all devices, nearest first.
    below: Vec<&'a Layer>,
    /// What `ansible.cfg` says to Ansible's hosts.
    cfg: &'a Cfg,
}

impl<'a> Stack<'a> {
    pub(super) fn new(inventories: &'a [Document], settings: &'a [Document], cfg: &'a Cfg) -> Self {
        let mut stack = Stack {
            inventories,
            settings,
            named: Vec::new(),
            groups: BTreeMap::new(),
            groups_of: BTreeMap::new(),
            own: HashMap::new(),
            below: Vec::new(),
            cfg,
        };
        stack.groups_of.extend(
            inventories.iter().flat_map(|document| &document.named).map(|it| (&it.value, vec![])),
        );
        for (id, layer) in inventories.iter().rev().flat_map(|document| &document.devices) {
            stack.own.entry(id).or_default().push(layer);
        }
        stack.name_devices();
        stack.lay_groups();
        let later_first = || inventories.iter().rev();
        stack.below.extend(later_first().map(|document| &document.defaults));
        stack.below.extend(later_first().map(|document| &document.top));
        for document in settings.iter().rev() {
            stack.below.extend([&document.defaults, &document.top]);
        }
        stack
    }

    fn name_devices(&mut self) {
        let mut seen = HashSet::new();
        for document in self.inventories {
            let new = document.named.iter().filter(|said| seen.insert(&said.value));
            self.named.extend(new.map(|said| (document, said)));
        }
    }

    fn lay_groups(&mut self) {
        for document in self.inventories.iter().rev() {
            for (name, group) in &document.groups {
                self.groups.entry(name).or_default().push(&group.layer);
                for id in &group.devices {
                    let groups = self.groups_of.entry(id).or_default();
                    if let Err(index) = groups.binary_search(&name) {
                        groups.insert(index, name);
                    }
                }
            }
        }
    }

    /// Refuses more devices than an inventory may have.
    pub(super) fn refuse_too_many(&self, report: &mut Report) {
        if let Some((document, said)) = self.named.get(MAX_DEVICES) {
            report.turn_to(&document.file);
            report.add_with_hint(
                said.place,
                &said.path,
                format!("the inventories name more than {MAX_DEVICES} devices"),
                "look for a range with a digit too many, or migrate one inventory after the other",
            );
        }
    }

    /// Whether any file names the device.
    pub(super) fn is_named(&self, id: &DeviceId) -> bool {
        self.groups_of.contains_key(id)
    }

    /// Of each group what the files say, the latest first.
    pub(super) fn group_layers(&self) -> impl Iterator<Item = &[&'a Layer]> {
        self.groups.values().map(Vec::as_slice)
    }

    /// Where a group is first written.
    pub(super) fn group_place(&self, name: &str) -> Option<(&'a Document, Place)> {
        let place = |document: &'a Document| Some((document, document.groups.get(name)?.place));
        self.inventories.iter().find_map(place)
    }

    /// The files, nearest first.
    pub(super) fn nearest_documents(&self) -> impl Iterator<Item = &'a Document> + Clone {
        self.inventories.iter().rev().chain(self.settings.iter().rev())
    }

    /// The levels that apply to one device.
    pub(super) fn levels<'s>(&'s self, id: &DeviceId) -> Levels<'s> {
        let groups = self.groups_of.get(id).map(Vec::as_slice).unwrap_or_default();
        Levels {
            own: self.own.get(id).map(Vec::as_slice).unwrap_or_default(),
            groups: groups
                .iter()
                .filter_map(|name| Some((*name, self.groups.get(name)?.as_slice())))
                .collect(),
            below: &self.below,
            cfg: self.cfg.layers(id),
        }
    }
}

/// The levels that apply to one device; in each the latest file comes first.
pub(super) struct Levels<'a> {
    /// What is said of the device alone.
    pub(super) own: &'a [&'a Layer],
    /// Its groups, which are equals.
    pub(super) groups: Vec<(&'a GroupName, &'a [&'a Layer])>,
    /// What holds for all devices.
    pub(super) below: &'a [&'a Layer],
    /// What `ansible.cfg` says, if it is a host of Ansible.
    pub(super) cfg: Vec<&'a Layer>,
}

impl<'a> Levels<'a> {
    /// All of them, the nearest first.
    pub(super) fn nearest_first(&self) -> impl Iterator<Item = &'a Layer> {
        let groups = self.groups.iter().flat_map(|(_, layers)| layers.iter());
        self.own.iter().chain(groups).chain(self.below).chain(&self.cfg).copied()
    }
}
