//! `ansible.cfg`, and the variables of the environment that count more: what they say about logins to the hosts of an
//! Ansible inventory.
//!
//! What cannot be understood is told and passed over, as it may be meant for Ansible alone.

mod entries;

use std::sync::Arc;

use self::entries::{Entries, flag, unquoted, with_variables};
use super::way::Way;
use crate::fleet::HostKeys;
use crate::problem::{Place, Problem, Report};
use crate::yaml::KeyPath;

/// What `ansible.cfg` and the environment say about logins.
#[derive(Clone, Debug, Default)]
pub struct AnsibleCfg {
    /// What each setting says, those that count more first.
    pub(crate) parts: Vec<Part>,
    /// The inventories to read if none is named.
    pub inventory: Option<NamedInventories>,
    /// True if it asks for the password of the login.
    pub ask_pass: bool,
    /// True if it asks for the password of sudo.
    pub become_ask_pass: bool,
    /// What is not read, although it may matter.
    pub remarks: Vec<Problem>,
}

/// Inventories that `ansible.cfg` or the environment names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedInventories {
    /// Their paths, as written.
    pub paths: Vec<String>,
    /// True if the paths start at the folder of `ansible.cfg`.
    pub is_of_file: bool,
}

/// What one setting says.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) spot: Spot,
    pub(crate) way: Way,
    /// The variable of a host that takes the place of all of it.
    pub(crate) replaced_by: Option<&'static str>,
    /// True if its paths start at the folder of `ansible.cfg`, false if at the current one.
    pub(crate) starts_at_file: bool,
}

/// Where a setting is said.
#[derive(Clone, Debug)]
pub(crate) enum Spot {
    /// In a file.
    File { file: Arc<str>, section: &'static str, place: Place, path: KeyPath },
    /// In a variable of the environment.
    Variable(&'static str),
}

/// A setting by its two names.
#[derive(Clone, Copy)]
struct Setting {
    section: &'static str,
    key: &'static str,
    variable: &'static str,
}

const fn setting(section: &'static str, key: &'static str, variable: &'static str) -> Setting {
    Setting { section, key, variable }
}

const USER: Setting = setting("defaults", "remote_user", "ANSIBLE_REMOTE_USER");
const PORT: Setting = setting("defaults", "remote_port", "ANSIBLE_REMOTE_PORT");
const IDENTITY: Setting = setting("defaults", "private_key_file", "ANSIBLE_PRIVATE_KEY_FILE");
const CHECKING: Setting = setting("defaults", "host_key_checking", "ANSIBLE_HOST_KEY_CHECKING");
const INVENTORY: Setting = setting("defaults", "inventory", "ANSIBLE_INVENTORY");
const ASK_PASS: Setting = setting("defaults", "ask_pass", "ANSIBLE_ASK_PASS");
const BECOME_ASK_PASS: Setting =
    setting("privilege_escalation", "become_ask_pass", "ANSIBLE_BECOME_ASK_PASS");

/// Arguments for ssh, and the variable of a host that takes their place.
const SSH_ARGS: (Setting, &str) =
    (setting("ssh_connection", "ssh_args", "ANSIBLE_SSH_ARGS"), "ansible_ssh_args");
const COMMON_ARGS: (Setting, &str) = (
    setting("ssh_connection", "ssh_common_args", "ANSIBLE_SSH_COMMON_ARGS"),
    "ansible_ssh_common_args",
);
const EXTRA_ARGS: (Setting, &str) = (
    setting("ssh_connection", "ssh_extra_args", "ANSIBLE_SSH_EXTRA_ARGS"),
    "ansible_ssh_extra_args",
);

/// What may say that devices are reached otherwise than here, what is done here, and what it calls that.
const FOREIGN: [(Setting, &[&str], &str); 3] = [
    (
        setting("defaults", "transport", "ANSIBLE_TRANSPORT"),
        &["ssh", "smart", "paramiko", "paramiko_ssh", "libssh"],
        "reaches devices over ssh",
    ),
    (
        setting("privilege_escalation", "become_method", "ANSIBLE_BECOME_METHOD"),
        &["sudo"],
        "becomes root through sudo",
    ),
    (
        setting("privilege_escalation", "become_user", "ANSIBLE_BECOME_USER"),
        &["root"],
        "becomes root through sudo",
    ),
];

impl AnsibleCfg {
    /// Reads the text of a file, by its name and text, and the variables of the environment.
    pub fn read(
        file: Option<(&str, &str)>,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> AnsibleCfg {
        let (name, text) = file.unwrap_or_default();
        let mut reader = Reader {
            entries: Entries::read(text),
            variable,
            report: Report::new(name),
            parts: Vec::new(),
        };
        // The order in which Ansible hands them to ssh, where the first value counts.
        reader.arguments(SSH_ARGS);
        reader.checking();
        reader.port();
        reader.identity();
        reader.user();
        reader.arguments(COMMON_ARGS);
        reader.arguments(EXTRA_ARGS);
        reader.tell_foreign();
        AnsibleCfg {
            inventory: reader.inventory(),
            ask_pass: reader.flag(ASK_PASS).unwrap_or_default(),
            become_ask_pass: reader.flag(BECOME_ASK_PASS).unwrap_or_default(),
            parts: reader.parts,
            remarks: reader.report.into_problems().0,
        }
    }
}

struct Reader<'a> {
    entries: Entries,
    variable: &'a dyn Fn(&str) -> Option<String>,
    report: Report,
    parts: Vec<Part>,
}

impl Reader<'_> {
    /// What a setting says, and where: the environment counts more. What is empty says nothing.
    fn get(&self, setting: Setting) -> Option<(String, Spot)> {
        let Setting { section, key, variable } = setting;
        let said = (self.variable)(variable).map(|value| (value, Spot::Variable(variable)));
        let in_file = || {
            let entry = self.entries.get(section, key)?;
            let path = KeyPath::root().key(section).key(key);
            let file = self.report.file();
            let spot = Spot::File { file, section, place: entry.place, path };
            Some((unquoted(&entry.value).to_owned(), spot))
        };
        said.or_else(in_file).filter(|(value, _)| !value.is_empty())
    }

    fn flag(&self, setting: Setting) -> Option<bool> {
        flag(&self.get(setting)?.0)
    }

    fn add(&mut self, spot: Spot, way: Way) {
        self.parts.push(Part { spot, way, replaced_by: None, starts_at_file: false });
    }

    fn arguments(&mut self, (setting, replaced_by): (Setting, &'static str)) {
        let Some((text, spot)) = self.get(setting) else { return };
        match Way::from_ssh_args(&text) {
            Ok((way, ignored)) => {
                if !ignored.is_empty() {
                    let ignored = ignored.join(", ");
                    let message = format!("of `{}` this is not read: {ignored}", setting.key);
                    self.remark(&spot, message);
                }
                let replaced_by = Some(replaced_by);
                self.parts.push(Part { spot, way, replaced_by, starts_at_file: false });
            }
            Err(why) => self.remark(&spot, format!("`{}` is not read: {why}", setting.key)),
        }
    }

    fn checking(&mut self) {
        let Some((text, spot)) = self.get(CHECKING) else { return };
        // Ansible's `true` means ssh's own manner, in which a person is asked; here a new key is remembered.
        if flag(&text) == Some(false) {
            self.add(spot, Way { host_keys: Some(HostKeys::AcceptNew), ..Way::default() });
        }
    }

    fn port(&mut self) {
        let Some((text, spot)) = self.get(PORT) else { return };
        match text.parse().ok().filter(|port| *port > 0) {
            port @ Some(_) => self.add(spot, Way { port, ..Way::default() }),
            None => self.remark(&spot, format!("{text:?} is no port, and left out")),
        }
    }

    fn identity(&mut self) {
        let Some((path, spot)) = self.get(IDENTITY) else { return };
        let path = with_variables(&path, self.variable);
        let way = Way { identities: Some(vec![path]), ..Way::default() };
        let starts_at_file = matches!(spot, Spot::File { .. });
        self.parts.push(Part { spot, way, replaced_by: None, starts_at_file });
    }

    fn user(&mut self) {
        let Some((text, spot)) = self.get(USER) else { return };
        match crate::native::user_name(&text) {
            Ok(user) => self.add(spot, Way { user: Some(user), ..Way::default() }),
            Err(_) => self.remark(&spot, format!("{text:?} is no user name, and left out")),
        }
    }

    fn tell_foreign(&mut self) {
        for (setting, good, here) in FOREIGN {
            let Some((text, spot)) = self.get(setting) else { continue };
            let bare = text.to_ascii_lowercase();
            if !good.contains(&bare.rsplit('.').next().unwrap_or_default()) {
                let key = setting.key;
                self.remark(&spot, format!("`{key}` is `{text}`, and migos-fleet {here}"));
            }
        }
    }

    fn inventory(&self) -> Option<NamedInventories> {
        let (text, spot) = self.get(INVENTORY)?;
        let paths = text.split(',').map(str::trim).filter(|path| !path.is_empty());
        let paths: Vec<String> = paths.map(|path| with_variables(path, self.variable)).collect();
        let is_of_file = matches!(spot, Spot::File { .. });
        (!paths.is_empty()).then_some(NamedInventories { paths, is_of_file })
    }

    fn remark(&mut self, spot: &Spot, message: String) {
        let message = message.replace(char::is_control, " ");
        match spot {
            Spot::File { file, place, path, .. } => {
                self.report.turn_to(file);
                self.report.add(*place, path, message);
            }
            Spot::Variable(name) => {
                let file = self.report.file();
                self.report.turn_to(name);
                self.report.add(Place::START, &KeyPath::root(), message);
                self.report.turn_to(&file);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{AnsibleCfg, Spot};

    /// Everything that is said, one setting a line.
    fn told(cfg: &AnsibleCfg) -> String {
        let mut text = String::new();
        for part in &cfg.parts {
            let spot = match &part.spot {
                Spot::File { file, place, path, .. } => {
                    format!("{file}:{}:{} {path}", place.line, place.column)
                }
                Spot::Variable(name) => (*name).to_owned(),
            };
            let way = serde_yaml::to_string(&part.way).unwrap_or_default();
            text += &format!("{spot}: {}\n", way.trim().replace('\n', " "));
        }
        text += &format!("{:?} {} {}\n", cfg.inventory, cfg.ask_pass, cfg.become_ask_pass);
        for remark in &cfg.remarks {
            text += &format!("{remark}\n");
        }
        text
    }

    const CFG: &str = "# ours\n[defaults]\ninventory = hosts.yml, more/ ; both\nremote_user: \"admin\"\n\
        private_key_file = $HOME/.ssh/${FLEET}\nhost_key_checking = False\nask_pass = yes\nremote_port=x\n\
        [ssh_connection]\nssh_args = -o ControlMaster=auto\n   -o User=ops\n\
        ssh_common_args = -o ProxyCommand=\"ssh -W %h:%p b.example\" -D 9\n\
        [privilege_escalation]\nbecome_ask_pass = 1\nbecome_method = su\n[colors]\nuser = x\n";

    #[test]
    fn what_concerns_logins_is_read() {
        let cfg = AnsibleCfg::read(Some(("ansible.cfg", CFG)), &|_| None);
        insta::assert_snapshot!(told(&cfg), @r###"
        ansible.cfg:10:12 ssh_connection.ssh_args: user: ops
        ansible.cfg:6:21 defaults.host_key_checking: host_keys: accept-new
        ansible.cfg:5:20 defaults.private_key_file: identities: - $HOME/.ssh/${FLEET}
        ansible.cfg:4:14 defaults.remote_user: user: admin
        ansible.cfg:12:19 ssh_connection.ssh_common_args: jump: - host: b.example
        Some(NamedInventories { paths: ["hosts.yml", "more/"], is_of_file: true }) true true
        ansible.cfg:8:13: defaults.remote_port: "x" is no port, and left out
        ansible.cfg:12:19: ssh_connection.ssh_common_args: of `ssh_common_args` this is not read: -D 9
        ansible.cfg:15:17: privilege_escalation.become_method: `become_method` is `su`, and migos-fleet becomes root through sudo
        "###);
    }

    #[test]
    fn the_environment_counts_more() {
        let variable = |name: &str| match name {
            "HOME" => Some("/home/me".to_owned()),
            "ANSIBLE_REMOTE_USER" => Some("me".to_owned()),
            "ANSIBLE_SSH_ARGS" => Some("-D 1 -p 7".to_owned()),
            "ANSIBLE_INVENTORY" => Some("mine.yml".to_owned()),
            "ANSIBLE_ASK_PASS" => Some("no".to_owned()),
            _ => None,
        };
        let cfg = AnsibleCfg::read(Some(("ansible.cfg", CFG)), &variable);
        insta::assert_snapshot!(told(&cfg), @r###"
        ANSIBLE_SSH_ARGS: port: 7
        ansible.cfg:6:21 defaults.host_key_checking: host_keys: accept-new
        ansible.cfg:5:20 defaults.private_key_file: identities: - /home/me/.ssh/${FLEET}
        ANSIBLE_REMOTE_USER: user: me
        ansible.cfg:12:19 ssh_connection.ssh_common_args: jump: - host: b.example
        Some(NamedInventories { paths: ["mine.yml"], is_of_file: false }) false true
        ansible.cfg:8:13: defaults.remote_port: "x" is no port, and left out
        ansible.cfg:12:19: ssh_connection.ssh_common_args: of `ssh_common_args` this is not read: -D 9
        ansible.cfg:15:17: privilege_escalation.become_method: `become_method` is `su`, and migos-fleet becomes root through sudo
        ANSIBLE_SSH_ARGS:1:1: of `ssh_args` this is not read: -D 1
        "###);
    }

    #[test]
    fn an_empty_one_says_nothing() {
        let text = "[defaults]\nroles_path=x\nremote_user =\nnonsense\n";
        let cfg = AnsibleCfg::read(Some(("ansible.cfg", text)), &|_| None);
        assert_eq!(told(&cfg), "None false false\n");
        assert_eq!(told(&AnsibleCfg::read(None, &|_| None)), "None false false\n");
    }
}
