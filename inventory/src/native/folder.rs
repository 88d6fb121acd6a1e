//! Paths of a file that stands in another folder than the first inventory: they start at its own.

use std::sync::Arc;

use super::document::Document;
use super::layer::{Layer, Said};
use crate::fleet::{PolicyChoice, SecretSource};

/// Lets all relative paths of a file start at its folder.
pub(super) fn start_paths(document: &mut Document, folder: &str) {
    let start = at(folder);
    let whole = &mut document.whole;
    each([&mut whole.ca, &mut whole.payloads, &mut whole.playbook], &start);
    secret(&mut whole.token, &start);
    // The name of a shipped policy is no path.
    if let Some(Said { value: PolicyChoice::Named(name), .. }) = &mut whole.policy
        && name.contains(['/', '.'])
    {
        start(name);
    }
    let groups = document.groups.values_mut().map(|group| &mut group.layer);
    // What was just read is shared with nobody.
    let layers = groups.chain(document.devices.values_mut().filter_map(Arc::get_mut));
    layers
        .chain([&mut document.top, &mut document.defaults])
        .for_each(|layer| layer_paths(layer, &start));
}

/// Lets a relative path start at a folder.
pub(super) fn at(folder: &str) -> impl Fn(&mut String) {
    let folder = folder.trim_end_matches('/').to_owned();
    move |path: &mut String| {
        // `~/` is known by who opens files.
        if !path.starts_with('/') && !path.starts_with("~/") {
            *path = format!("{folder}/{path}");
        }
    }
}

/// What lets one path start at the folder.
pub(super) type Start<'a> = &'a dyn Fn(&mut String);

fn layer_paths(layer: &mut Layer, start: Start<'_>) {
    layer.ssh.start_paths(start);
    layer.on_balena.start_paths(start);
    for said in layer.images.values_mut() {
        start(&mut said.value);
    }
    if let Some(keyfiles) = &mut layer.keyfiles {
        keyfiles.value.iter_mut().for_each(start);
    }
    if let Some(bastion) = &mut layer.bastion {
        let bastion = &mut bastion.value;
        [&mut bastion.identity, &mut bastion.known_hosts].into_iter().flatten().for_each(start);
    }
}

/// Paths that are said or not.
pub(super) fn each<const N: usize>(paths: [&mut Option<Said<String>>; N], start: Start<'_>) {
    paths.into_iter().flatten().for_each(|said| start(&mut said.value));
}

/// The path of a secret, if it is in a file.
pub(super) fn secret(said: &mut Option<Said<SecretSource>>, start: Start<'_>) {
    if let Some(Said { value: SecretSource::File(path), .. }) = said {
        start(path);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::native::{Documents, Written};
    use crate::problem::Report;

    #[test]
    fn paths_start_at_the_folder_of_their_file() {
        let settings = "
migos: 1
balena: { token: { file: token }, ca: ca.pem }
payloads: payloads/
images: { raspberrypi3: images/3.img, raspberrypi2: /images/2.img }
policy: policies/slow.yaml
playbook: ~/playbook.yaml
on_balena: { environment: { A: { file: a }, B: b, C: { env: C } } }
defaults:
  ssh: { identity: keys/fleet, known_hosts: ~/hosts, sudo_password: { file: sudo } }
  keyfiles: [office]
  bastion: { host: b.example, user: callers, identity: keys/bastion }
";
        let mut report = Report::new("t");
        let mut documents = Documents::default();
        let settings =
            Written { name: "/etc/migos/fleet.yaml", text: settings, folder: Some("/etc/migos") };
        documents.add_settings(&settings, &|_| Ok(()), &mut report);
        let inventory = "migos: 1\nimages: { raspberrypi: own.img }\ndevices: { pi-1: }\n";
        let inventory = Written { name: "a.yaml", text: inventory, folder: None };
        documents.add_inventory(&inventory, &|_| Ok(()), &mut report);
        let fleet = documents.fleet(&crate::SshConfig::default(), &mut report);
        report.into_result(()).unwrap();
        let device = fleet.devices.get("pi-1").unwrap();
        let told = serde_yaml::to_string(&(&fleet.settings, device)).unwrap();
        let paths: Vec<&str> = told.lines().filter(|line| !line.contains(": null")).collect();
        insta::assert_snapshot!(paths.join("\n"), @r###"
        - api: https://api.balena-cloud.com
          token: !file /etc/migos/token
          ca: /etc/migos/ca.pem
          payloads: /etc/migos/payloads/
          policy: !named /etc/migos/policies/slow.yaml
          playbook: ~/playbook.yaml
        - id: pi-1
          login:
            host: pi-1
            port: 22
            user: pi
            identities:
            - /etc/migos/keys/fleet
            known_hosts: ~/hosts
            host_keys: accept-new
            sudo_password: !file /etc/migos/sudo
          groups: []
          vars: {}
          images:
            raspberrypi: own.img
            raspberrypi2: /images/2.img
            raspberrypi3: /etc/migos/images/3.img
          keyfiles:
          - /etc/migos/office
          handover: attended
          bastion:
            host: b.example
            port: 22
            user: callers
            identity: /etc/migos/keys/bastion
            ports:
              first: 20000
              last: 29999
          on_balena:
            tags: {}
            environment:
              A: !file /etc/migos/a
              B: !literal b
              C: !env C
            config: {}
            system: {}
        "###);
    }

    #[test]
    fn the_name_of_a_shipped_policy_is_no_path() {
        let mut report = Report::new("t");
        let mut documents = Documents::default();
        let text = "migos: 1\npolicy: steady\ndevices: { pi-1: }\n";
        let written = Written { name: "a.yaml", text, folder: Some("/etc") };
        documents.add_inventory(&written, &|_| Ok(()), &mut report);
        let policy = documents.fleet(&crate::SshConfig::default(), &mut report).settings.policy;
        assert_eq!(policy, Some(crate::PolicyChoice::Named("steady".to_owned())));
    }
}
