//! The form of inventories and files of settings as JSON Schema, for editors.
//!
//! The readers beside this module decide what is right; the types here say the same of the form: which keys there are,
//! what their values look like, and what an editor tells of them. A schema may take what a reader refuses, since it
//! cannot look from one place to another, but never refuses what a reader takes. None of these types holds a value.
//!
//! The file follows the levels of an inventory from outside in; `text` has the texts, `login` how devices are
//! reached, `device` what holds of a device, `on_balena` what it shall be there.

#![expect(dead_code, reason = "the types are only looked at by the deriving of their schemas")]

mod device;
mod login;
mod on_balena;
mod text;

pub use self::device::Hours;
pub use self::text::Text;

use self::device::{Bastion, Data, Handover, Window};
use self::login::{Secret, Ssh};
use self::on_balena::OnBalena;
use self::text::{
    ApiAddress, BoardName, FleetName, Host, KeyfilePath, MirrorAddress, NameOrRange, Reason,
    SerialNumber, Site,
};
use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema};
use std::collections::BTreeMap;

/// The schema of an inventory in the native form; `P` is the form of what stands under `policy`.
#[must_use]
pub fn inventory<P: JsonSchema>() -> Schema {
    of::<Inventory<P>>()
}

/// The schema of a file of settings; `P` is the form of what stands under `policy`.
#[must_use]
pub fn settings<P: JsonSchema>() -> Schema {
    of::<SettingsFile<P>>()
}

/// The schema of a form. A key that may be left out is no key that may be left empty.
#[must_use]
pub fn of<T: JsonSchema>() -> Schema {
    let settings = SchemaSettings::draft2020_12();
    settings
        .with_transform(RecursiveTransform(as_written))
        .into_generator()
        .into_root_schema_for::<T>()
}

/// Takes away the null that stands for a missing key. Where a mapping may be left empty, its type says so itself.
fn as_written(schema: &mut Schema) {
    let Some(object) = schema.as_object_mut() else { return };
    // The width of a number in memory says nothing to whoever writes one.
    if object.get("type").is_some_and(|kind| kind == "integer") {
        object.remove("format");
    }
    if let Some(kind) = object.get_mut("type")
        && let Some([only, null]) = kind.as_array().map(Vec::as_slice)
        && null == "null"
        && only != "object"
    {
        *kind = only.clone();
    }
    if let Some(words) = object.get_mut("enum").and_then(|words| words.as_array_mut()) {
        words.retain(|word| !word.is_null());
    }
    let Some(forms) = object.get_mut("anyOf").and_then(|forms| forms.as_array_mut()) else {
        return;
    };
    forms.retain(|form| form.get("type").is_none_or(|kind| kind != "null"));
    let [only] = forms.as_slice() else { return };
    let only = only.as_object().cloned().unwrap_or_default();
    object.remove("anyOf");
    for (key, value) in only {
        object.entry(key).or_insert(value);
    }
}

/// What can be said at every level below the top.
macro_rules! level {
    ($(#[$doc:meta])* $name:ident { $($own:tt)* }) => {
        #[derive(JsonSchema)]
        $(#[$doc])*
        #[schemars(deny_unknown_fields)]
        struct $name {
            $($own)*
            /// Which balena fleet the devices join.
            balena: Option<FleetChoice>,
            /// How the devices are reached.
            ssh: Option<Ssh>,
            /// An image of balenaOS by balena device type.
            images: Option<Images>,
            /// A folder on a web server near the devices that has the images under their own names, so that the image
            /// goes to their site once only.
            mirror: Option<MirrorAddress>,
            /// Paths of NetworkManager keyfiles that balenaOS gets besides the device's own networks. The nearest list
            /// counts, whole.
            keyfiles: Option<Vec<KeyfilePath>>,
            /// What becomes of the data on the card: `none` if nothing is needed, or what is fetched before it is erased.
            /// Without it there is no plan.
            data: Option<Data>,
            /// Who gives the commit, the point of no return.
            #[schemars(extend("default" = "attended"))]
            handover: Option<Handover>,
            /// The host that devices with `handover: call-home` call. The nearest one counts, whole.
            bastion: Option<Bastion>,
            /// The hours in which devices may start and cross the point of no return, instead of the policy's; `none` for
            /// always. The nearest one counts, whole.
            window: Option<Window>,
            /// What the devices shall be on balena.
            on_balena: Option<OnBalena>,
            /// The balena device type, where the board's own is not wanted.
            device_type: Option<BoardName>,
            /// Where the devices stand; devices of one site share a limit.
            site: Option<Site>,
            /// Your own values; kept, and not read.
            vars: Option<Vars>,
        }
    };
}

/// What holds for a whole file.
macro_rules! whole {
    ($(#[$doc:meta])* $name:ident { $($own:tt)* }) => {
        #[derive(JsonSchema)]
        $(#[$doc])*
        #[schemars(deny_unknown_fields)]
        struct $name<P> {
            /// The mark of the form, and its version.
            #[schemars(with = "i64", extend("const" = 1))]
            migos: i64,
            /// The balena API, and the fleet that the devices join.
            balena: Option<Balena>,
            /// The MIGOS payloads: a payload (`*.tar.gz`), or a folder of them.
            #[schemars(example = &"payloads/")]
            payloads: Option<Text>,
            /// An image of balenaOS by balena device type.
            images: Option<Images>,
            /// A folder on a web server near the devices that has the images under their own names, so that the image goes
            /// to their site once only.
            mirror: Option<MirrorAddress>,
            /// What becomes of the data on the cards: `none` if nothing is needed, or what is fetched before they are erased.
            /// Without it there is no plan.
            data: Option<Data>,
            /// A shipped policy, the path of a file, or the policy itself.
            #[schemars(extend("default" = "careful"))]
            policy: Option<P>,
            /// The path of a playbook of your own; left out: the built-in one.
            #[schemars(example = &"own.yaml")]
            playbook: Option<Text>,
            /// Who gives the commit, the point of no return.
            #[schemars(extend("default" = "attended"))]
            handover: Option<Handover>,
            /// What the devices shall be on balena.
            on_balena: Option<OnBalena>,
            /// What holds for all devices, where their groups and they themselves say nothing else.
            defaults: Option<Defaults>,
            $($own)*
        }
    };
}

whole! {
    /// The devices that are moved from Raspbian to balenaOS, and how. Paths start at the folder of this file.
    #[schemars(rename = "Inventory", title = "Inventory of migos-fleet")]
    Inventory {
        /// Groups of devices, and what holds for their members.
        groups: Option<Groups>,
        /// Devices, and what holds for each alone.
        devices: Option<Devices>,
    }
}

whole! {
    /// What lies below the inventories: `migos.yaml` beside them, or the settings of a person or a computer.
    #[schemars(rename = "Settings", title = "Settings of migos-fleet")]
    SettingsFile {}
}

level! {
    /// What holds for all devices.
    #[schemars(extend("type" = ["object", "null"]))]
    Defaults {}
}

level! {
    /// A group of devices. Two groups of one device may not contradict each other.
    Group {
        /// The names of its devices; with ranges, in quotes.
        #[schemars(example = ["kiosk-[001:060]"])]
        devices: Vec<NameOrRange>,
    }
}

level! {
    /// One device.
    #[schemars(extend("type" = ["object", "null"]))]
    Device {
        /// Its address or host name; left out: the device's name.
        #[schemars(example = &"10.1.4.42")]
        host: Option<Host>,
        /// The board's serial number, in quotes. Another board at this address is refused.
        #[schemars(example = &"00000000765fc593")]
        serial: Option<SerialNumber>,
        /// Why it is left out for now.
        #[schemars(example = &"screen being replaced, ask the site")]
        hold: Option<Reason>,
    }
}

/// The balena API, and the fleet that the devices join.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, extend("type" = ["object", "null"]))]
struct Balena {
    /// The fleet, as organisation/name.
    #[schemars(example = &"acme/kiosks")]
    fleet: Option<FleetName>,
    /// The API's address: `https`, or `http` on this computer's own addresses.
    #[schemars(extend("default" = "https://api.balena-cloud.com"))]
    api: Option<ApiAddress>,
    /// Where a named user API key is found; never the key itself.
    token: Option<Secret>,
    /// The path of a file of certificates (PEM) of the API's own authority, for openBalena.
    ca: Option<Text>,
}

/// Which balena fleet devices join.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, extend("type" = ["object", "null"]))]
struct FleetChoice {
    /// The fleet, as organisation/name.
    #[schemars(example = &"acme/kiosks")]
    fleet: Option<FleetName>,
}

#[derive(JsonSchema)]
#[schemars(inline, extend(
    "type" = ["object", "null"],
    "propertyNames" = { "pattern": "^[a-z][a-z0-9-]*$" },
    "examples" = [{ "raspberrypi3": "images/rpi3.img.gz" }],
))]
struct Images(BTreeMap<String, Text>);

#[derive(JsonSchema)]
#[schemars(inline, extend("type" = ["object", "null"], "propertyNames" = free_name()))]
struct Groups(BTreeMap<String, Group>);

#[derive(JsonSchema)]
#[schemars(inline, extend("type" = ["object", "null"], "propertyNames" = free_name()))]
struct Devices(BTreeMap<String, Device>);

#[derive(JsonSchema)]
#[schemars(inline, extend("type" = ["object", "null"], "additionalProperties" = true))]
struct Vars {
    /// Another way to write the key `site`.
    site: Option<Site>,
}

/// The name of a device or group; `all` always means every device.
fn free_name() -> Schema {
    schemars::json_schema!({
        "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$",
        "not": { "const": "all" },
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{device, login, of, on_balena};
    use crate::native::{bastion, data, document, layer, settings, window};
    use crate::yaml::Keys;
    use schemars::JsonSchema;
    use std::collections::BTreeSet;

    /// Takes a policy for whatever it is.
    type AnyPolicy = bool;

    fn assert_same_keys<T: JsonSchema>(keys: &Keys) {
        let schema = of::<T>();
        let properties = schema.get("properties").and_then(|it| it.as_object()).unwrap();
        let written: BTreeSet<&str> = properties.keys().map(String::as_str).collect();
        assert_eq!(written, keys.known.iter().copied().collect(), "{}", T::schema_name());
        assert_eq!(schema.get("additionalProperties").unwrap(), false, "{}", T::schema_name());
    }

    /// Every table of keys stands here: `tests/tests/schemas.rs` looks for those that do not.
    #[test]
    fn every_form_has_the_keys_of_its_reader() {
        assert_same_keys::<super::Inventory<AnyPolicy>>(&document::TOP);
        assert_same_keys::<super::SettingsFile<AnyPolicy>>(&document::SETTINGS);
        assert_same_keys::<super::Defaults>(&document::DEFAULTS);
        assert_same_keys::<super::Group>(&document::GROUP);
        assert_same_keys::<super::Device>(&document::DEVICE);
        assert_same_keys::<super::Balena>(&settings::BALENA);
        assert_same_keys::<super::FleetChoice>(&layer::BALENA);
        assert_same_keys::<login::Ssh>(&crate::native::login::SSH);
        assert_same_keys::<login::HopKeys>(&crate::native::login::HOP);
        assert_same_keys::<device::Kept>(&data::DATA);
        assert_same_keys::<device::KeptPath>(&data::KEPT);
        assert_same_keys::<device::Hours>(&window::HOURS);
        assert_same_keys::<device::Bastion>(&bastion::BASTION);
        assert_same_keys::<device::Reach>(&bastion::REACH);
        assert_same_keys::<on_balena::OnBalena>(&crate::native::on_balena::ON_BALENA);
    }

    #[test]
    fn only_a_mapping_may_be_left_empty() {
        let schema = of::<super::Device>();
        let at = |pointer| schema.pointer(pointer).unwrap().to_string();
        assert_eq!(at("/type"), r#"["object","null"]"#);
        assert_eq!(at("/properties/host/type"), r#""string""#);
        assert_eq!(at("/properties/ssh/$ref"), r##""#/$defs/Ssh""##);
        assert_eq!(at("/$defs/Ssh/type"), r#"["object","null"]"#);
    }
}
