//! The native form of an inventory: `migos: 1` at the top, read strictly.
//!
//! What holds for a device comes from up to four layers, later ones winning: the top level,
//! `defaults`, its groups, the device itself. The files here follow the text from outside in:
//! `document` reads the whole file, `settings` what holds once, `layer` what can be said at every
//! level, `login` how to reach a device, `data` what is fetched from it, `bastion`
//! the host it calls, `window` its hours; `resolve` lays the layers over each other and `unique`
//! checks that no two devices are one.

mod bastion;
mod data;
mod document;
mod keyfiles;
mod layer;
mod login;
mod mirror;
mod on_balena;
mod resolve;
mod settings;
mod unique;
mod window;

use self::document::Document;
use crate::fleet::{BadHours, Fleet, Hours};
use crate::problem::{Place, Problems, Report};
use crate::yaml::{self, KeyPath, Node};

/// The key that marks the native form; its value is the version of the form.
const MARK: &str = "migos";

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
    let root = yaml::load(text, &mut report);
    // Of a file in another form, its differences from this one are not worth telling.
    let native = match &root {
        Some(root) => root.get(MARK).is_some(),
        None => text.contains(MARK),
    };
    if !native {
        return Err(not_native(file));
    }
    match root {
        Some(root) => read(&root, hours, report),
        None => Err(report.into_problems()),
    }
}

fn read(
    root: &Node,
    hours: &dyn Fn(&Hours) -> Result<(), BadHours>,
    mut report: Report,
) -> Result<Fleet, Problems> {
    let document = Document::read(root, &mut report);
    window::check(&document, hours, &mut report);
    let fleet = resolve::fleet(&document, &mut report);
    unique::check(&document, &fleet, &mut report);
    // Devices may be missing only because their lines could not be read.
    if fleet.devices.is_empty() && report.is_clean() {
        report.add_with_hint(
            Place::START,
            &KeyPath::root(),
            "the inventory names no device",
            "list devices under `devices:`, or in a group: `groups: { lab: { devices: [pi-1] } }`",
        );
    }
    report.into_result(fleet)
}

fn not_native(file: &str) -> Problems {
    let mut report = Report::new(file);
    report.add_with_hint(
        Place::START,
        &KeyPath::root(),
        "`migos: 1` is missing, and this version reads only inventories in the native form",
        "write `migos: 1` as the first line, then the devices under `groups:` and `devices:`",
    );
    report.into_problems()
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
