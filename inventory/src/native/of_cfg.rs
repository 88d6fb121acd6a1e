//! What `ansible.cfg` and the environment say to the hosts of an Ansible inventory: the lowest level of all that files say,
//! above the person's ssh_config.

use std::collections::HashMap;

use super::folder;
use super::layer::{Layer, Level};
use super::login::Ssh;
use crate::ansible::Resolved;
use crate::connection::{AnsibleCfg, Part, Spot};
use crate::name::DeviceId;
use crate::problem::Place;
use crate::yaml::KeyPath;

/// The settings as layers, and who hears which.
#[derive(Default)]
pub(super) struct Cfg {
    /// Those that count more first.
    layers: Vec<Layer>,
    /// Of each of Ansible's hosts the numbers of the layers that it hears.
    heard: HashMap<DeviceId, Vec<usize>>,
}

/// The folders that paths start at, where they are not the one of the first inventory.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Folders<'a> {
    /// The folder of `ansible.cfg`.
    pub(crate) cfg: Option<&'a str>,
    /// The current one.
    pub(crate) here: Option<&'a str>,
}

impl Cfg {
    pub(super) fn of(cfg: &AnsibleCfg, folders: Folders<'_>, resolved: &Resolved) -> Self {
        let mut heard = HashMap::new();
        for host in resolved.hosts() {
            // As Ansible has it, one that is said in the inventory takes the place of the whole setting.
            let is_replaced = |part: &&Part| {
                part.replaced_by.is_some_and(|name| resolved.variable(host, name).is_some())
            };
            let parts = cfg.parts.iter().enumerate();
            let numbers = parts.filter(|(_, part)| !is_replaced(part)).map(|(number, _)| number);
            if let Ok(id) = DeviceId::new(host.name.as_str()) {
                heard.insert(id, numbers.collect());
            }
        }
        let layers = cfg.parts.iter().map(|part| layer(part, folders)).collect();
        Cfg { layers, heard }
    }

    /// What a device hears, the nearest first.
    pub(super) fn layers(&self, id: &DeviceId) -> Vec<&Layer> {
        let numbers = self.heard.get(id).map(Vec::as_slice).unwrap_or_default();
        numbers.iter().filter_map(|number| self.layers.get(*number)).collect()
    }
}

fn layer(part: &Part, folders: Folders<'_>) -> Layer {
    let root = KeyPath::root();
    let (file, level, place, path) = match &part.spot {
        Spot::File { file, section, place, path } => {
            (file.clone(), Level::Ansible(format!("[{section}]").into()), *place, path)
        }
        Spot::Variable(name) => (Default::default(), Level::Variable(name), Place::START, &root),
    };
    let (host, mut ssh) = Ssh::of_way(part.way.clone(), place, path);
    if let Some(folder) = if part.starts_at_file { folders.cfg } else { folders.here } {
        ssh.start_paths(&folder::at(folder));
    }
    Layer { file, level, host, ssh, ..Layer::default() }
}
