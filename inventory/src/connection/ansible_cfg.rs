//! `ansible.cfg`: what it says about logins, for hosts of an Ansible inventory.

use std::collections::BTreeMap;

use super::way::Way;
use crate::fleet::HostKeys;

/// What an `ansible.cfg` says about logins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AnsibleCfg {
    /// The way to hosts whose inventory says nothing else.
    pub way: Way,
    /// Arguments for `ssh` that mean nothing here, and arguments that cannot be read.
    pub ignored: Vec<String>,
    /// Paths of inventories to read if none is named, as written.
    pub inventory: Vec<String>,
    /// True if it asks for the password of the login.
    pub ask_pass: bool,
    /// True if it asks for the password of sudo.
    pub become_ask_pass: bool,
}

impl AnsibleCfg {
    /// Reads the text of one. What cannot be understood is passed over, as it may be meant for Ansible alone.
    pub fn parse(text: &str) -> Self {
        let said = entries(text);
        let get = |section: &str, key: &str| {
            let value = said.get(&(section.to_owned(), key.to_owned()))?;
            Some(value.as_str()).filter(|value| !value.is_empty())
        };
        let mut cfg = AnsibleCfg::default();
        // The order in which Ansible hands them to ssh, where the first value wins.
        for key in ["ssh_args", "ssh_common_args", "ssh_extra_args"] {
            let Some(args) = get("ssh_connection", key) else { continue };
            match Way::from_ssh_args(args) {
                Ok((way, ignored)) => {
                    cfg.way = std::mem::take(&mut cfg.way).or(way);
                    cfg.ignored.extend(ignored);
                }
                Err(why) => cfg.ignored.push(format!("{key}: {why}")),
            }
        }
        let checked = get("defaults", "host_key_checking").and_then(flag);
        let lower = Way {
            user: get("defaults", "remote_user").map(str::to_owned),
            port: get("defaults", "remote_port").and_then(|port| port.parse().ok()),
            identities: get("defaults", "private_key_file").map(|path| vec![path.to_owned()]),
            // Ansible's `true` means ssh's own manner, in which a person is asked; here a new key is remembered.
            host_keys: checked.filter(|checked| !checked).map(|_| HostKeys::AcceptNew),
            ..Way::default()
        };
        cfg.way = std::mem::take(&mut cfg.way).or(lower);
        if let Some(paths) = get("defaults", "inventory") {
            let paths = paths.split(',').map(str::trim).filter(|path| !path.is_empty());
            cfg.inventory = paths.map(str::to_owned).collect();
        }
        cfg.ask_pass = get("defaults", "ask_pass").and_then(flag).unwrap_or_default();
        cfg.become_ask_pass =
            get("privilege_escalation", "become_ask_pass").and_then(flag).unwrap_or_default();
        cfg
    }
}

/// The values by section and key. Lines that are indented go on with the value before, as in Python's configparser.
fn entries(text: &str) -> BTreeMap<(String, String), String> {
    let mut entries: BTreeMap<(String, String), String> = BTreeMap::new();
    let (mut section, mut open) = (String::new(), None);
    for line in text.lines() {
        let bare = line.trim();
        if bare.is_empty() || bare.starts_with(['#', ';']) {
            continue;
        }
        if line.starts_with([' ', '\t'])
            && let Some(key) = &open
        {
            if let Some(value) = entries.get_mut(key) {
                *value = format!("{value} {}", uncommented(bare));
            }
        } else if let Some(name) = bare.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            (section, open) = (name.0.to_owned(), None);
        } else if let Some((key, value)) = bare.split_once(['=', ':']) {
            let key = (section.clone(), key.trim().to_ascii_lowercase());
            entries.insert(key.clone(), uncommented(value.trim()).to_owned());
            open = Some(key);
        }
    }
    entries
}

/// Ansible's parser ends a value at ` ;`.
fn uncommented(value: &str) -> &str {
    value.find(" ;").map_or(value, |end| value.split_at(end).0).trim_end()
}

fn flag(value: &str) -> Option<bool> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" | "y" | "t" => Some(true),
        "false" | "no" | "off" | "0" | "n" | "f" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::AnsibleCfg;

    #[test]
    fn what_concerns_logins_is_read() {
        let cfg = AnsibleCfg::parse(
            "# ours\n[defaults]\ninventory = hosts.yml, more/ ; both\nremote_user: admin\n\
             private_key_file = ~/.ssh/fleet\nhost_key_checking = False\nask_pass = yes\n\
             [ssh_connection]\nssh_args = -o ControlMaster=auto\n   -o User=ops\n\
             ssh_common_args = -o ProxyCommand=\"ssh -W %h:%p b.example\" -D 9\n\
             [privilege_escalation]\nbecome_ask_pass = 1\n[colors]\nuser = x\n",
        );
        insta::assert_snapshot!(format!("{cfg:#?}").replace("        None", "-"), @r###"
        AnsibleCfg {
            way: Way {
                host: None,
                port: None,
                user: Some(
                    "ops",
                ),
                identities: Some(
                    [
                        "~/.ssh/fleet",
                    ],
                ),
                certificate: None,
                identities_only: None,
                agent: None,
                password: None,
                sudo_password: None,
                jump: Some(
                    [
                        Way {
                            host: Some(
                                "b.example",
                            ),
                            port: None,
                            user: None,
                            identities: None,
                            certificate: None,
                            identities_only: None,
                            agent: None,
                            password: None,
                            sudo_password: None,
                            jump: None,
                            proxy_command: None,
                            known_hosts: None,
                            host_keys: None,
                            old_algorithms: None,
                            config: None,
                        },
                    ],
                ),
                proxy_command: None,
                known_hosts: None,
                host_keys: Some(
                    AcceptNew,
                ),
                old_algorithms: None,
                config: None,
            },
            ignored: [
                "-D 9",
            ],
            inventory: [
                "hosts.yml",
                "more/",
            ],
            ask_pass: true,
            become_ask_pass: true,
        }
        "###);
    }

    #[test]
    fn an_empty_one_says_nothing() {
        assert_eq!(
            AnsibleCfg::parse("[defaults]\nroles_path=x\nnonsense\n"),
            AnsibleCfg::default()
        );
    }
}
