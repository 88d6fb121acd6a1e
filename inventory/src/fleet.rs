//! The fleet: every device of an inventory with all its settings laid out.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::connection::Secrets;
use crate::name::{DeviceId, FleetSlug, GroupName, Serial, SiteName};
use crate::on_balena::OnBalena;
use crate::yaml::Node;

/// Every device of an inventory, and what holds for all of them.
///
/// It can be serialised for digests and for people; secrets appear in it only as the place they
/// are read from.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Fleet {
    /// What holds for the whole inventory.
    pub settings: Settings,
    /// The devices by name.
    pub devices: BTreeMap<DeviceId, Device>,
    /// The devices in the order in which the file first names them.
    pub order: Vec<DeviceId>,
    /// The groups and their devices.
    pub groups: BTreeMap<GroupName, BTreeSet<DeviceId>>,
    /// The passwords that stand in the inventory itself.
    #[serde(skip)]
    pub secrets: Secrets,
}

/// What holds for the whole inventory.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Settings {
    /// Base address of the balena API, without a trailing slash.
    pub api: String,
    /// Where the token for the balena API is found.
    pub token: Option<SecretSource>,
    /// A file with the certificates of the API's own authority, as written; `None`: a public one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
    /// A folder or file with payloads, as written.
    pub payloads: Option<String>,
    /// The policy of a rollout.
    pub policy: Option<PolicyChoice>,
    /// The file that names the policy or has it written out, for messages.
    #[serde(skip)]
    pub policy_file: Option<String>,
    /// The path of a playbook, as written; the built-in one without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub playbook: Option<String>,
}

impl Settings {
    /// The API of balenaCloud (balena documentation: API overview).
    pub const BALENA_CLOUD: &str = "https://api.balena-cloud.com";
}

/// Where a secret is found; the secret itself is never in the inventory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SecretSource {
    /// The name of an environment variable.
    Env(String),
    /// The path of a file, as written.
    File(String),
    /// An inventory of another tool has it, and it is kept nowhere else.
    Inventory,
}

/// The policy an inventory asks for.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PolicyChoice {
    /// The name of a shipped policy, or a path, as written.
    Named(String),
    /// A policy written out in the inventory; its values still know their places in that file.
    Inline(Node),
}

/// One device with everything the inventory says about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Device {
    /// Its name in the inventory.
    pub id: DeviceId,
    /// How to reach it.
    pub login: Login,
    /// The groups it is in.
    pub groups: BTreeSet<GroupName>,
    /// Its free variables; the variable `site` is not among them, it is [`Device::site`].
    pub vars: Vars,
    /// Why it is left out, if it is.
    pub hold: Option<Hold>,
    /// The serial number it must have.
    pub serial: Option<Serial>,
    /// Where it stands.
    pub site: Option<SiteName>,
    /// The balena fleet it moves to.
    pub balena_fleet: Option<FleetSlug>,
    /// Operating system images by balena device type; paths as written.
    pub images: BTreeMap<String, String>,
    /// Where the folder of the images is found over HTTP, without a trailing slash: the device fetches its image there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mirror: Option<String>,
    /// NetworkManager keyfiles that are added to its own network connections; paths as written. Each has the name under
    /// which balenaOS keeps it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keyfiles: Vec<String>,
    /// The balena device type to use, whatever the board says.
    pub device_type: Option<String>,
    /// What happens to the data on its card.
    pub data: Option<DataChoice>,
    /// Who gives the last permission while it changes over.
    pub handover: Handover,
    /// The host through which it is reached while it changes over, with [`Handover::CallHome`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bastion: Option<Bastion>,
    /// When it may start and cross the point of no return; without it, as the policy says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<WindowChoice>,
    /// What it shall be on balena.
    #[serde(default, skip_serializing_if = "OnBalena::is_empty")]
    pub on_balena: OnBalena,
}

/// When a device may start and cross the point of no return.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WindowChoice {
    /// Always, whatever the policy says.
    None,
    /// In these hours.
    Hours(Hours),
}

/// Hours of the week, as written; what they mean, if they mean anything, is known by who reads time zones.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hours {
    /// The days, such as `mon-fri`.
    pub days: String,
    /// When they begin, such as `22:00`.
    pub from: String,
    /// When they end, such as `05:00`.
    pub to: String,
    /// The time zone of both, such as `Europe/Berlin`.
    pub zone: String,
}

/// Why hours mean nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadHours {
    /// The key whose value is wrong.
    pub key: &'static str,
    /// What is wrong with it.
    pub message: String,
}

/// How to reach a device over SSH.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Login {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// The user to log in as.
    pub user: String,
    /// Paths of private keys, as written; they are tried in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub identities: Vec<String>,
    /// Path of the certificate of one of the keys, as written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
    /// True if the agent may be asked for these keys only.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub identities_only: bool,
    /// Which agent is asked for keys.
    #[serde(default, skip_serializing_if = "Agent::is_running")]
    pub agent: Agent,
    /// Where the password is found, if the device asks for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<SecretSource>,
    /// Path of the file of known host keys, as written.
    pub known_hosts: Option<String>,
    /// What to do about a host key that is not known yet.
    pub host_keys: HostKeys,
    /// Where the password for sudo is found, if sudo asks for one.
    pub sudo_password: Option<SecretSource>,
    /// The hosts on the way, the first one first; none of them has hosts on its own way.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub jump: Vec<Login>,
    /// A command whose input and output are the connection; `%h`, `%p` and `%r` in it stand for host, port and user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy_command: Option<String>,
    /// True if algorithms that only old servers need are allowed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub old_algorithms: bool,
}

/// Which SSH agent is asked for keys.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Agent {
    /// The one that runs for this person, if one does.
    #[default]
    Running,
    /// None.
    None,
    /// The one behind this socket; its path as written.
    Socket(String),
}

impl Agent {
    /// True for the one that runs for this person.
    pub fn is_running(&self) -> bool {
        *self == Agent::Running
    }
}

impl Login {
    /// The SSH port of a device that says nothing else.
    pub const DEFAULT_PORT: u16 = 22;
    /// The user Raspbian came with.
    pub const DEFAULT_USER: &str = "pi";

    /// The login at a host of which nothing else is said.
    pub fn at(host: &str) -> Self {
        Login {
            host: host.to_owned(),
            port: Self::DEFAULT_PORT,
            user: Self::DEFAULT_USER.to_owned(),
            identities: Vec::new(),
            certificate: None,
            identities_only: false,
            agent: Agent::default(),
            password: None,
            known_hosts: None,
            host_keys: HostKeys::default(),
            sudo_password: None,
            jump: Vec::new(),
            proxy_command: None,
            old_algorithms: false,
        }
    }
}

/// What to do about a host key that is not known yet; a changed key is always refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum HostKeys {
    /// Take a new key and remember it.
    #[default]
    AcceptNew,
    /// Refuse it.
    Strict,
}

/// Why a device is left out; never empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Hold(pub String);

/// What happens to the data on a device's card.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DataChoice {
    /// Nothing on the card is needed; all of it may be erased.
    None,
    /// This is fetched first; all of it may be erased then.
    Keep(KeptData),
}

/// What is fetched from a device's card before it is erased.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptData {
    /// Files and folders; at least one, and none in another.
    pub paths: Vec<KeptPath>,
    /// Patterns of names that are left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
}

/// A file or folder that is fetched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptPath {
    /// Its path, absolute and plain.
    pub path: String,
    /// True if the device may be without it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
}

/// Who gives the last permission while a device changes over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Handover {
    /// The controller, on its own connection to the device.
    #[default]
    Attended,
    /// The controller, through a [`Bastion`] that the device calls.
    CallHome,
    /// The device itself, within a permit that was given before it left Raspbian.
    Unattended,
}

/// A host that devices call, and that the controller reaches them through.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Bastion {
    /// Host name or address, as the devices see it.
    pub host: String,
    /// TCP port of its SSH server, as the devices see it.
    pub port: u16,
    /// The user that both the devices and the controller log in as.
    pub user: String,
    /// Path of the controller's private key, as written.
    pub identity: Option<String>,
    /// Path of the file of known host keys, as written.
    pub known_hosts: Option<String>,
    /// Ports of its loopback address that lead to devices.
    pub ports: PortRange,
    /// Where the controller sees it, if not where the devices do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reach: Option<Reach>,
}

/// An address and port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reach {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

/// TCP ports from the first to the last; there is at least one.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(deny_unknown_fields)]
pub struct PortRange {
    /// The first.
    pub first: u16,
    /// The last.
    pub last: u16,
}

impl PortRange {
    /// The ports of a bastion that says nothing else: outside of those that systems give out by themselves.
    pub const DEFAULT: PortRange = PortRange { first: 20_000, last: 29_999 };

    /// The port at this place of the range, counted from 0.
    pub fn get(self, place: usize) -> Option<u16> {
        let place = u16::try_from(place).ok()?;
        self.first.checked_add(place).filter(|port| *port <= self.last)
    }
}

impl Bastion {
    /// Where the controller sees it.
    pub fn reach(&self) -> Reach {
        let as_devices = || Reach { host: self.host.clone(), port: self.port };
        self.reach.clone().unwrap_or_else(as_devices)
    }
}

/// Variables that the inventory gives a device for people and scripts to use.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Vars(pub BTreeMap<String, serde_yaml::Value>);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::Device;
    use crate::native::parse;

    #[test]
    fn a_stored_device_reads_back_the_same() {
        let text = "
migos: 1
devices:
  pi-1: { hold: why, data: none, ssh: { sudo_password: { env: SUDO } }, vars: { a: [1, x, ~] } }
";
        let fleet = parse("t", text).unwrap();
        let device = fleet.devices.get("pi-1").unwrap();
        let stored = serde_yaml::to_string(device).unwrap();
        assert_eq!(&serde_yaml::from_str::<Device>(&stored).unwrap(), device);
    }
}
