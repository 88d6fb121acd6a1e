//! Queries of the v7 API, written by hand.
//!
//! The API takes punctuation outside string literals only as it is: an encoder of query strings would
//! turn `,` into `%2C` and get "Malformed url" for an answer. Inside a literal everything may be
//! encoded, and a quote is doubled.

use migos_inventory::FleetSlug;
use migos_playbooks::balena::DeviceUuid;
use std::fmt::Write;

/// The fleet of this slug, with its device type and that type's architecture.
pub(crate) fn fleet(slug: &FleetSlug) -> String {
    format!(
        "/v7/application(slug={})?$select=id&$expand=is_for__device_type($select=slug;\
         $expand=is_of__cpu_architecture($select=slug))",
        literal(slug.as_str())
    )
}

/// The release that the devices of this fleet should run, with the sizes of its images.
pub(crate) fn release(slug: &FleetSlug) -> String {
    format!(
        "/v7/application(slug={})?$select=id&$expand=should_be_running__release($select=id;\
         $expand=release_image($select=id;$expand=image($select=image_size)))",
        literal(slug.as_str())
    )
}

/// All devices of these fleets.
pub(crate) fn sightings(fleets: &[FleetSlug]) -> String {
    let slugs: Vec<String> =
        fleets.iter().map(|slug| format!("a/slug%20eq%20{}", literal(slug.as_str()))).collect();
    format!(
        "/v7/device?$filter=belongs_to__application/any(a:{})\
         &$select=uuid,device_name,api_heartbeat_state,is_connected_to_vpn,os_version\
         &$orderby=id%20asc",
        slugs.join("%20or%20")
    )
}

/// The id of the device of this uuid, if the asking key may see it.
pub(crate) fn device_id(uuid: &DeviceUuid) -> String {
    format!("/v7/device?$filter=uuid%20eq%20{}&$select=id", literal(&uuid.0))
}

/// The heartbeat of the device of this uuid.
pub(crate) fn heartbeat(uuid: &DeviceUuid) -> String {
    format!("{}?$select=api_heartbeat_state", device(uuid))
}

/// The device of this uuid, to be deleted only if it was never seen. The condition goes with the
/// request, so that a device that appears at this very moment is kept.
pub(crate) fn never_seen(uuid: &DeviceUuid) -> String {
    format!("{}?$filter=api_heartbeat_state%20eq%20{}", device(uuid), literal("unknown"))
}

/// The device of this uuid.
pub(crate) fn device(uuid: &DeviceUuid) -> String {
    format!("/v7/device(uuid={})", literal(&uuid.0))
}

/// The configuration variables of the device of this id.
pub(crate) fn variables(device: u64) -> String {
    format!("/v7/device_config_variable?$filter=device%20eq%20{device}&$select=name,value")
}

/// One configuration variable of the device of this id, there or not.
pub(crate) fn variable(device: u64, name: &str) -> String {
    format!("/v7/device_config_variable(device={device},name={})", literal(name))
}

/// A string literal: quotes doubled, all but unreserved signs encoded, in quotes.
fn literal(text: &str) -> String {
    let mut literal = String::with_capacity(text.len() + 2);
    literal.push('\'');
    for byte in text.bytes() {
        match byte {
            b'\'' => literal.push_str("%27%27"),
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                literal.push(char::from(byte));
            }
            // Writing to a string does not fail.
            _ => _ = write!(literal, "%{byte:02X}"),
        }
    }
    literal.push('\'');
    literal
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn literals_are_encoded_and_their_quotes_doubled() {
        assert_eq!(literal("acme/kiosks"), "'acme%2Fkiosks'");
        assert_eq!(literal("it's a+b&c=ü"), "'it%27%27s%20a%2Bb%26c%3D%C3%BC'");
    }

    #[test]
    fn punctuation_outside_literals_stays_as_it_is() {
        let fleets = ["acme/kiosks", "acme/gates"].map(|slug| FleetSlug::new(slug).unwrap());
        insta::assert_snapshot!(sightings(&fleets), @"/v7/device?$filter=belongs_to__application/any(a:a/slug%20eq%20'acme%2Fkiosks'%20or%20a/slug%20eq%20'acme%2Fgates')&$select=uuid,device_name,api_heartbeat_state,is_connected_to_vpn,os_version&$orderby=id%20asc");
        insta::assert_snapshot!(fleet(&fleets[0]), @"/v7/application(slug='acme%2Fkiosks')?$select=id&$expand=is_for__device_type($select=slug;$expand=is_of__cpu_architecture($select=slug))");
        insta::assert_snapshot!(release(&fleets[0]), @"/v7/application(slug='acme%2Fkiosks')?$select=id&$expand=should_be_running__release($select=id;$expand=release_image($select=id;$expand=image($select=image_size)))");
        insta::assert_snapshot!(never_seen(&DeviceUuid("5e91c2".into())), @"/v7/device(uuid='5e91c2')?$filter=api_heartbeat_state%20eq%20'unknown'");
    }
}
