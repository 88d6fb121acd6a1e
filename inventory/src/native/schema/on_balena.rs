//! What a device shall be on balena.

use super::text::{
    Address, AnyText, Commit, Country, FleetName, Host, NameOnBalena, PublicKey, Text, Variable,
    WholePath,
};
use schemars::JsonSchema;
use std::collections::BTreeMap;

/// What devices shall be on balena. In mappings the nearer level counts key by key.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, extend("type" = ["object", "null"]))]
pub(super) struct OnBalena {
    /// The device's name; `{device}`, `{hostname}` and `{serial}` stand for something of it.
    #[schemars(example = &"{device}")]
    name: Option<NameOnBalena>,
    /// Tags of the device.
    tags: Option<Tags>,
    /// Environment variables of the device, for its containers.
    environment: Option<Environment>,
    /// Configuration variables of the device; their names begin with `BALENA_` or `RESIN_`.
    config: Option<Config>,
    /// The commit of the release that the device is pinned to, in quotes.
    release: Option<Commit>,
    /// The fleet that it moves on to once it has arrived.
    #[schemars(example = &"acme/field")]
    move_to: Option<FleetName>,
    /// Public keys that may log in to the host OS.
    ssh_keys: Option<Vec<PublicKey>>,
    /// Time servers of the host OS.
    ntp_servers: Option<Vec<Host>>,
    /// Name servers of the host OS, by address.
    dns_servers: Option<Vec<Address>>,
    /// The country of its radio, by two capital letters.
    #[schemars(example = &"DE")]
    country: Option<Country>,
}

#[derive(JsonSchema)]
#[schemars(inline, extend(
    "type" = ["object", "null"],
    "propertyNames" = { "pattern": r"^(?!migos\.)\S{1,100}$" },
))]
struct Tags(BTreeMap<String, Text>);

#[derive(JsonSchema)]
#[schemars(inline, extend(
    "type" = ["object", "null"],
    "propertyNames" = { "pattern": "^(?!BALENA_|RESIN_)[A-Za-z_][A-Za-z0-9_]*$" },
))]
struct Environment(BTreeMap<String, Value>);

#[derive(JsonSchema)]
#[schemars(inline, extend(
    "type" = ["object", "null"],
    "propertyNames" = { "pattern": "^(?:BALENA_|RESIN_)[A-Za-z0-9_]*$" },
))]
struct Config(BTreeMap<String, Text>);

/// The value of a variable, or where it is found.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum Value {
    /// The value itself, in quotes where it looks like a number.
    Literal(AnyText),
    /// Where it is found.
    Found(ValueSource),
}

/// Where the value of a variable is found.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
enum ValueSource {
    /// In this environment variable of the controller.
    Env(Variable),
    /// In the file at this path on the controller's computer.
    File(Text),
    /// In the file at this path on the device.
    Device(WholePath),
}
