//! What holds of a device: its data, its hours, who gives the commit, and the host that it calls.

use super::login::Nothing;
use super::text::{Days, Host, NamePattern, PlainPath, Port, PortRange, Text, TimeOfDay, UserName};
use schemars::JsonSchema;

/// What becomes of the data on a card.
#[derive(JsonSchema)]
#[schemars(untagged)]
pub(super) enum Data {
    /// Somebody has decided that nothing on the card is needed.
    None(Nothing),
    /// What is fetched first.
    Keep(Kept),
}

/// What is fetched from a card before it is erased.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Kept {
    /// Files and folders; none in another.
    #[schemars(length(min = 1), example = ["/home/pi/photos"])]
    keep: Vec<KeptChoice>,
    /// Patterns of names that are left out.
    #[schemars(example = ["*.tmp"])]
    exclude: Option<Vec<NamePattern>>,
}

/// A file or folder that is fetched.
#[derive(JsonSchema)]
#[schemars(untagged, inline)]
enum KeptChoice {
    /// A path that every device has.
    Needed(PlainPath),
    /// A path that a device may be without.
    Keys(KeptPath),
}

/// A file or folder that is fetched.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct KeptPath {
    /// Its absolute path.
    path: PlainPath,
    /// Whether a device may be without it.
    #[schemars(extend("default" = false))]
    optional: Option<bool>,
}

/// The hours in which devices may start.
#[derive(JsonSchema)]
#[schemars(untagged)]
pub(super) enum Window {
    /// Always, whatever the policy says.
    None(Nothing),
    /// These hours.
    Hours(Hours),
}

/// Hours on days of the week. A night belongs to the day on which it begins; `from` equal to `to` is a whole day.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Hours {
    /// The days on which they begin: `mon-fri`, `sat,sun`, `daily`.
    #[schemars(example = &"mon-fri")]
    days: Days,
    /// When they begin, in quotes.
    #[schemars(example = &"22:00")]
    from: TimeOfDay,
    /// When they end, in quotes; not after `from`: on the next day.
    #[schemars(example = &"05:00")]
    to: TimeOfDay,
    /// The time zone of both.
    #[schemars(example = &"Europe/Berlin")]
    zone: Text,
}

/// Who gives the commit.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
pub(super) enum Handover {
    /// The controller, on its own connection: for devices that keep their address when they reboot.
    Attended,
    /// The controller, through a bastion that the device calls: for devices that nobody can call.
    CallHome,
    /// The device itself, once it has verified the image and reached balena: for devices that may call balena, and nothing
    /// else.
    Unattended,
}

/// An SSH server that devices and controller both see.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Bastion {
    /// Its host name or address, as the devices see it.
    #[schemars(example = &"bastion.example.org")]
    host: Host,
    /// Its port.
    #[schemars(extend("default" = 22))]
    port: Option<Port>,
    /// The user as whom devices and controller log in.
    user: UserName,
    /// The controller's private key; left out: as for devices.
    identity: Option<Text>,
    /// The file of known hosts that has its key; it is never taken on trust.
    known_hosts: Option<Text>,
    /// Ports of its loopback address, one for each device.
    #[schemars(extend("default" = "20000-29999"))]
    ports: Option<PortRange>,
    /// Where the controller sees it, if not at `host` and `port`.
    reach: Option<Reach>,
}

/// Where the controller sees a bastion.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Reach {
    /// Its host name or address.
    host: Host,
    /// Its port.
    #[schemars(extend("default" = 22))]
    port: Option<Port>,
}
