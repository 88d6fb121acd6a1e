//! Why the settings of a device are as they are: who said what, and who was not heard.

use std::collections::BTreeMap;

use super::layer::{Layer, Level};
use super::saying::Saying;
use super::settings::Whole;
use super::stack::{Levels, Stack};
use crate::connection::SshConfig;
use crate::name::DeviceId;
use crate::origin::{Hidden, Origin, Told};

/// Tells all settings of a device; nothing if there is no such device.
pub(super) fn device(stack: &Stack<'_>, id: &DeviceId, config: &SshConfig) -> Vec<Told> {
    if !stack.is_named(id) {
        return Vec::new();
    }
    let mut account = Account::default();
    let levels = stack.levels(id);
    let (real_name, below) = of_config(&levels, id, config);
    let built_in = Layer::built_in(id);
    let layers = real_name.iter().chain(levels.nearest_first()).chain(&below).chain([&built_in]);
    for layer in layers {
        account.take(layer.sayings(), &|saying| layer.origin(saying));
    }
    account.own_words = false;
    for document in stack.nearest_documents() {
        account.take(document.whole.sayings(), &|saying| document.origin(saying));
    }
    account.take(Whole::built_in().sayings(), &|_| built_in_origin());
    account.told.into_values().collect()
}

/// What the person's ssh_config says, where it is asked: the name that it gives for the host's, which counts more than
/// the inventories, and the rest, which counts less.
fn of_config(
    levels: &Levels<'_>,
    id: &DeviceId,
    config: &SshConfig,
) -> (Option<Layer>, Vec<Layer>) {
    let is_asked = levels.nearest_first().find_map(|layer| layer.ssh.config.as_ref());
    if is_asked.is_some_and(|said| !said.value) {
        return (None, Vec::new());
    }
    let host = levels.nearest_first().find_map(|layer| layer.host.as_ref());
    let user = levels.nearest_first().find_map(|layer| layer.ssh.user.as_ref());
    let alias = host.map_or(id.as_str(), |host| host.value.as_str());
    let lines = config.lines_for(alias, user.map(|user| user.value.as_str()));
    let (names, rest): (Vec<_>, Vec<_>) =
        lines.into_iter().partition(|line| line.way.host.is_some());
    let real_name = names.into_iter().find(|line| line.way.host.as_deref() != Some(alias));
    let rest = rest.into_iter().map(Layer::of_ssh_config);
    (real_name.map(Layer::of_ssh_config), rest.collect())
}

/// What was told so far, by rank and key; what comes first is nearest.
struct Account {
    told: BTreeMap<(bool, usize, String), Told>,
    /// True for what can differ from device to device.
    own_words: bool,
}

impl Default for Account {
    fn default() -> Self {
        Self { told: BTreeMap::new(), own_words: true }
    }
}

impl Account {
    fn take(&mut self, sayings: Vec<Saying>, origin: &dyn Fn(&Saying) -> Origin) {
        // Whoever nearer says how to get there says it whole.
        let known = |key: &str| self.told.values().any(|told| told.key == key);
        let vain = [(known("ssh.proxy"), "ssh.jump"), (known("ssh.jump"), "ssh.proxy")];
        let is_vain = |key: &str| vain.iter().any(|(is_known, other)| *is_known && *other == key);
        for saying in sayings.into_iter().filter(|saying| !is_vain(&saying.key)) {
            let origin = origin(&saying);
            let Saying { key, value, rank, .. } = saying;
            match self.told.get_mut(&(!self.own_words, rank, key.clone())) {
                Some(nearer) => nearer.hides.push(Hidden { value, origin }),
                None => {
                    let told = Told { key: key.clone(), value, origin, hides: Vec::new() };
                    self.told.insert((!self.own_words, rank, key), told);
                }
            }
        }
    }
}

impl Layer {
    /// Where this level says something.
    pub(super) fn origin(&self, saying: &Saying) -> Origin {
        match &self.level {
            Level::BuiltIn => built_in_origin(),
            Level::Variable(_) => Origin { file: None, place: None, layer: self.level.to_string() },
            level => Origin {
                file: Some(self.file.to_string()),
                place: Some(saying.place),
                layer: level.to_string(),
            },
        }
    }
}

fn built_in_origin() -> Origin {
    Origin { file: None, place: None, layer: Level::BuiltIn.to_string() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::connection::SshConfig;
    use crate::name::DeviceId;
    use crate::native::{Documents, Written};
    use crate::problem::Report;

    /// All that is told of a device, one setting a line.
    fn told(documents: &Documents, id: &str) -> String {
        let mut text = String::new();
        for told in documents.explain(&DeviceId::new(id).unwrap(), &SshConfig::default()) {
            text += &format!("{} = {} ({})\n", told.key, told.value, told.origin);
            for hidden in told.hides {
                text += &format!("  hides {} ({})\n", hidden.value, hidden.origin);
            }
        }
        text
    }

    fn read(settings: &[(&str, &str)], inventories: &[(&str, &str)]) -> Documents {
        let mut report = Report::new("t");
        let mut documents = Documents::default();
        for (name, text) in settings {
            documents.add_settings(&Written { name, text, folder: None }, &|_| Ok(()), &mut report);
        }
        for (name, text) in inventories {
            documents.add_inventory(
                &Written { name, text, folder: None },
                &|_| Ok(()),
                &mut report,
            );
        }
        report.into_result(documents).unwrap()
    }

    #[test]
    fn every_setting_says_where_it_is_from_and_what_it_hides() {
        let documents = read(
            &[],
            &[(
                "kiosks.yaml",
                "migos: 1
balena: { fleet: acme/kiosks, token: { env: BALENA_TOKEN } }
data: none
defaults:
  ssh: { user: admin, identity: ~/.ssh/fleet }
  vars: { colour: red, wifi_password: hunter2, nested: { token: x, list: [a, \"b, c\"] } }
groups:
  north: { devices: [kiosk-1], site: north, ssh: { user: north } }
  shops: { devices: [kiosk-1], ssh: { user: north } }
devices:
  kiosk-1: { host: 10.0.0.1, vars: { colour: blue }, data: { keep: [/home/pi] } }
",
            )],
        );
        insta::assert_snapshot!(told(&documents, "kiosk-1"), @r###"
        host = 10.0.0.1 (kiosks.yaml:11:20, device)
          hides kiosk-1 (built in)
        site = north (kiosks.yaml:8:38, group north)
        ssh.user = north (kiosks.yaml:8:58, group north)
          hides north (kiosks.yaml:9:45, group shops)
          hides admin (kiosks.yaml:5:16, defaults)
          hides pi (built in)
        ssh.port = 22 (built in)
        ssh.identity = ~/.ssh/fleet (kiosks.yaml:5:33, defaults)
        ssh.host_keys = accept-new (built in)
        balena.fleet = acme/kiosks (kiosks.yaml:2:18, the top level)
        data = { keep: { paths: [{ path: /home/pi }] } } (kiosks.yaml:11:60, device)
          hides none (kiosks.yaml:3:7, the top level)
        handover = attended (built in)
        vars.colour = blue (kiosks.yaml:11:46, device)
          hides red (kiosks.yaml:6:19, defaults)
        vars.nested = { token: <secret>, list: [a, "b, c"] } (kiosks.yaml:6:56, defaults)
        vars.wifi_password = <secret> (kiosks.yaml:6:39, defaults)
        balena.api = https://api.balena-cloud.com (built in)
        balena.token = { env: BALENA_TOKEN } (kiosks.yaml:2:38, the top level)
        "###);
        assert_eq!(told(&documents, "kiosk-2"), "");
    }

    #[test]
    fn nearer_files_are_heard_first() {
        let documents = read(
            &[
                ("/etc/migos/fleet.yaml", "migos: 1\ndefaults: { ssh: { user: etc, port: 1 } }\n"),
                ("migos.yaml", "migos: 1\npolicy: swift\ndefaults: { ssh: { user: beside } }\n"),
            ],
            &[
                (
                    "a.yaml",
                    "migos: 1\npolicy: careful\ndevices: { pi-1: { site: a, ssh: { user: a } } }\n",
                ),
                (
                    "b.yaml",
                    "migos: 1\ndefaults: { ssh: { user: b } }\ndevices: { pi-1: { site: b } }\n",
                ),
            ],
        );
        insta::assert_snapshot!(told(&documents, "pi-1"), @r###"
        host = pi-1 (built in)
        site = b (b.yaml:3:26, device)
          hides a (a.yaml:3:26, device)
        ssh.user = a (a.yaml:3:42, device)
          hides b (b.yaml:2:26, defaults)
          hides beside (migos.yaml:3:26, defaults)
          hides etc (/etc/migos/fleet.yaml:2:26, defaults)
          hides pi (built in)
        ssh.port = 1 (/etc/migos/fleet.yaml:2:37, defaults)
          hides 22 (built in)
        ssh.host_keys = accept-new (built in)
        handover = attended (built in)
        balena.api = https://api.balena-cloud.com (built in)
        policy = careful (a.yaml:2:9, the top level)
          hides swift (migos.yaml:2:9, the top level)
        "###);
    }
}
