//! The native form of an inventory: `migos: 1` at the top, read strictly.
//!
//! What holds for a device comes from up to four levels, later ones winning: the top level,
//! `defaults`, its groups, the device itself. There may be several files, which are laid over each other level by
//! level, and files of settings below them. The files here follow the text from outside in:
//! `document` reads the whole file, `settings` what holds once, `layer` what can be said at every
//! level, `login` how to reach a device, `data` what is fetched from it, `bastion`
//! the host it calls, `window` its hours; `stack` lays the files over each other, `resolve` the levels, `unique`
//! checks that no two devices are one, `saying` and `explain` tell who said what, and `vain` who said it for
//! nothing.

mod bastion;
mod data;
mod document;
mod explain;
mod folder;
mod keyfiles;
mod layer;
mod login;
mod mirror;
mod of_ansible;
mod of_cfg;
mod on_balena;
mod resolve;
mod saying;
pub mod schema;
mod settings;
mod stack;
mod unique;
mod vain;
mod window;

pub(crate) use self::layer::device_type;
pub(crate) use self::login::{host as host_name, user_name};
pub(crate) use self::of_ansible::{foreign_variables, own_variables};
pub(crate) use self::of_cfg::Folders;

use self::document::Document;
pub(crate) use self::document::device_keys;
use self::of_cfg::Cfg;
use self::stack::Stack;
use crate::ansible::Resolved;
use crate::check::{self, Finding};
use crate::connection::{AnsibleCfg, Secrets, SshConfig};
use crate::fleet::{BadHours, Fleet, Hours};
use crate::name::DeviceId;
use crate::origin::Told;
use crate::problem::{Place, Problems, Report};
use crate::yaml::{self, KeyPath, Kind, Node};

/// The key that marks the native form; its value is the version of the form.
const MARK: &str = "migos";

/// Checks hours, and says what is wrong with them.
pub(crate) type CheckHours<'a> = &'a dyn Fn(&Hours) -> Result<(), BadHours>;

/// Reads an inventory in its native form; `file` is only a name for messages.
///
/// # Errors
/// Everything that is wrong with the text, in file order.
pub fn parse(file: &str, text: &str) -> Result<Fleet, Problems> {
    parse_with(file, text, &|_| Ok(()))
}

/// The same, with hours checked by somebody who knows time zones.
///
/// # Errors
/// Everything that is wrong with the text, in file order.
pub fn parse_with(
    file: &str,
    text: &str,
    hours: &dyn Fn(&Hours) -> Result<(), BadHours>,
) -> Result<Fleet, Problems> {
    let mut report = Report::new(file);
    let mut documents = Documents::default();
    documents.add_inventory(&Written { name: file, text, folder: None }, hours, &mut report);
    let fleet = documents.fleet(&SshConfig::default(), &mut report);
    report.into_result(fleet)
}

/// A text in the native form.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Written<'a> {
    /// Its name in messages.
    pub(crate) name: &'a str,
    /// The text.
    pub(crate) text: &'a str,
    /// The folder that its paths start at, if it is not the one of the first inventory.
    pub(crate) folder: Option<&'a str>,
}

/// What several files in the native form say, before it is laid over each other.
#[derive(Default)]
pub(crate) struct Documents {
    inventories: Vec<Document>,
    settings: Vec<Document>,
    cfg: Cfg,
    /// The passwords that stand in an inventory.
    secrets: Secrets,
}

impl Documents {
    /// Reads an inventory, which is heard before those that were added earlier.
    pub(crate) fn add_inventory(
        &mut self,
        written: &Written<'_>,
        hours: CheckHours<'_>,
        report: &mut Report,
    ) {
        let document = read(written, hours, report, Document::read);
        self.inventories.extend(document);
    }

    /// Takes what a resolved Ansible inventory says, which is heard before what was added earlier.
    pub(crate) fn add_ansible(
        &mut self,
        resolved: &Resolved,
        folders: Folders<'_>,
        hours: CheckHours<'_>,
        report: &mut Report,
        remarks: &mut Report,
    ) {
        let documents = of_ansible::documents(resolved, folders.here, report, remarks);
        self.secrets = of_ansible::secrets(resolved);
        documents.iter().for_each(|document| window::check(document, hours, report));
        self.inventories.extend(documents);
    }

    /// Takes what `ansible.cfg` says to the hosts of a resolved inventory, which is heard after all else.
    pub(crate) fn add_cfg(&mut self, cfg: &AnsibleCfg, folders: Folders<'_>, resolved: &Resolved) {
        self.cfg = Cfg::of(cfg, folders, resolved);
    }

    /// Reads a file of settings, which is heard before those that were added earlier, and after all inventories.
    pub(crate) fn add_settings(
        &mut self,
        written: &Written<'_>,
        hours: CheckHours<'_>,
        report: &mut Report,
    ) {
        let document = read(written, hours, report, Document::read_settings);
        self.settings.extend(document);
    }

    /// Lays all that was read over each other.
    pub(crate) fn fleet(&self, config: &SshConfig, report: &mut Report) -> Fleet {
        let stack = self.stack();
        stack.refuse_too_many(report);
        let fleet = resolve::fleet(&stack, config, report);
        let fleet = Fleet { secrets: self.secrets.clone(), ..fleet };
        unique::check(&stack, &fleet, report);
        // Devices may be missing only because their lines could not be read.
        if fleet.devices.is_empty()
            && report.is_clean()
            && let Some(first) = self.inventories.first()
        {
            report.turn_to(&first.file);
            report.add_with_hint(
                Place::START,
                &KeyPath::root(),
                "the inventory names no device",
                "list devices under `devices:`, or in a group: `groups: { lab: { devices: [pi-1] } }`",
            );
        }
        fleet
    }

    /// Tells all settings of a device, where they are from and what they hide; nothing if there is no such device.
    pub(crate) fn explain(&self, id: &DeviceId, config: &SshConfig) -> Vec<Told> {
        explain::device(&self.stack(), id, config)
    }

    /// What is likely not meant in what was read, and in the fleet it has come to.
    pub(crate) fn check(&self, fleet: &Fleet, config: &SshConfig) -> Vec<Finding> {
        let stack = self.stack();
        let mut found = vain::look(&stack);
        found.extend(check::fleet(fleet, &|id| explain::device(&stack, id, config), &|name| {
            vain::group_origin(&stack, name)
        }));
        found
    }

    fn stack(&self) -> Stack<'_> {
        Stack::new(&self.inventories, &self.settings, &self.cfg)
    }
}

fn read(
    written: &Written<'_>,
    hours: CheckHours<'_>,
    report: &mut Report,
    read: fn(&Node, &mut Report) -> Document,
) -> Option<Document> {
    report.turn_to(written.name);
    let mut own = Report::new(written.name);
    let root = yaml::load(written.text, &mut own);
    // Of a file in another form, its differences from this one are not worth telling.
    if !is_native(written.text, root.as_ref()) {
        refuse_other_form(report);
        return None;
    }
    report.append(own);
    let mut document = read(&root?, report);
    if let Some(folder) = written.folder {
        folder::start_paths(&mut document, folder);
    }
    window::check(&document, hours, report);
    Some(document)
}

/// Whether a text is in the native form; a text that cannot be read to its end is told by a line of its own.
pub(crate) fn is_native(text: &str, root: Option<&Node>) -> bool {
    match root {
        Some(root) => root.get(MARK).is_some_and(|mark| !matches!(mark.kind, Kind::Mapping(_))),
        None => is_mark(text),
    }
}

/// Whether a line of a text is the mark. With a mapping below or behind it, it is a group of this name.
pub(crate) fn is_mark(text: &str) -> bool {
    let mut lines = text.trim_start_matches('\u{feff}').lines();
    let mark = lines.find_map(|line| line.strip_prefix(MARK)?.trim_start().strip_prefix(':'));
    let Some(value) = mark.map(str::trim_start) else { return false };
    let says = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
    match value.is_empty() || value.starts_with('#') {
        true => !lines.find(says).is_some_and(|next| next.starts_with([' ', '\t'])),
        false => !value.starts_with('{'),
    }
}

fn refuse_other_form(report: &mut Report) {
    report.add_with_hint(
        Place::START,
        &KeyPath::root(),
        "`migos: 1` is missing, so this is no file in the native form",
        "write `migos: 1` as the first line",
    );
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::parse;
    use crate::fleet::PolicyChoice;
    use crate::name::DeviceId;

    const GOOD: &str = r#"
migos: 1
balena: { fleet: acme/kiosks, token: { env: BALENA_TOKEN } }
payloads: payloads/
images: { raspberrypi3: rpi3-6.0.24.img.gz, raspberrypi4-64: rpi4-6.0.24.img.gz }
data: none
policy: careful
defaults:
  ssh: { user: pi, identity: ~/.ssh/fleet }
devices:
  kiosk-042: { host: 10.1.4.42, serial: "00000000765fc593", hold: "screen being replaced" }
groups:
  lab:   { devices: [bench-2, bench-1] }
  north: { devices: ["kiosk-[041:043]"], vars: { site: north } }
"#;

    #[test]
    fn settings_groups_and_order_are_as_written() {
        let fleet = parse("kiosks.yaml", GOOD).unwrap();
        insta::assert_snapshot!(serde_yaml::to_string(&fleet.settings).unwrap(), @r"
        api: https://api.balena-cloud.com
        token: !env BALENA_TOKEN
        payloads: payloads/
        policy: !named careful
        ");
        insta::assert_snapshot!(serde_yaml::to_string(&fleet.groups).unwrap(), @r"
        lab:
        - bench-1
        - bench-2
        north:
        - kiosk-041
        - kiosk-042
        - kiosk-043
        ");
        let order: Vec<_> = fleet.order.iter().map(DeviceId::as_str).collect();
        assert_eq!(order, ["kiosk-042", "bench-2", "bench-1", "kiosk-041", "kiosk-043"]);
        assert_eq!(fleet.devices.len(), 5);
    }

    #[test]
    fn an_inline_policy_keeps_its_places() {
        let text = "migos: 1\npolicy:\n  parallel: 8\ndevices: { pi-1: }\n";
        let fleet = parse("t", text).unwrap();
        let Some(PolicyChoice::Inline(node)) = fleet.settings.policy else {
            panic!("the policy is inline");
        };
        assert_eq!(node.get("parallel").unwrap().place.line, 3);
    }

    #[test]
    fn equal_texts_give_equal_fleets() {
        assert_eq!(parse("a", GOOD), parse("a", GOOD));
        let windows = format!("\u{feff}{}", GOOD.replace('\n', "\r\n"));
        assert_eq!(parse("a", &windows), parse("a", GOOD));
    }

    #[test]
    fn too_many_devices_are_an_error_and_not_a_long_wait() {
        let group = |index: usize| format!("  g{index}: {{ devices: ['a[1:100000]'] }}\n");
        let full = format!("migos: 1\ngroups:\n{}", group(0));
        assert_eq!(parse("t", &full).unwrap().order.len(), 100_000);
        let over = format!("{full}  more: {{ devices: [b] }}\n");
        insta::assert_snapshot!(parse("t", &over).unwrap_err(), @r"
        t:4:21: groups.more.devices[0]: the inventory names more than 100000 devices
          hint: look for a range with a digit too many, or split the inventory
        ");
        let many = (0..200).map(group).collect::<String>();
        insta::assert_snapshot!(parse("t", &format!("migos: 1\ngroups:\n{many}")).unwrap_err(), @r"
        t:13:20: groups.g10.devices[0]: the groups have more than 1000000 devices in all
          hint: look for a range with a digit too many, or split the inventory
        ");
    }
}
