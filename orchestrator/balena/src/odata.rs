//! Queries of the v7 API, written by hand.
//!
//! The API takes punctuation outside string literals only as it is: an encoder of query strings would
//! turn `,` into `%2C` and get "Malformed url" for an answer. Inside a literal everything may be
//! encoded, and a quote is doubled.

use migos_engine::port::Table;
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

/// The versions of balenaOS for this device type that are finished and not taken back, with the lines they belong to.
pub(crate) fn os_versions(device_type: &str) -> String {
    format!(
        "/v7/application?$select=is_for__device_type\
         &$expand=application_tag($select=tag_key,value),owns__release($select=id,raw_version,variant;\
         $filter=is_final%20eq%20true%20and%20is_invalidated%20eq%20false%20and%20status%20eq%20'success')\
         &$filter=is_host%20eq%20true%20and%20is_for__device_type/any(dt:dt/slug%20eq%20{})",
        literal(device_type)
    )
}

/// The image of this version, packed by gzip. This is no query, but a form: a bare `+` would be a space.
pub(crate) fn download(device_type: &str, version: &str) -> String {
    let (device_type, version) = (encoded(device_type), encoded(version));
    format!("/download?deviceType={device_type}&version={version}&fileType=.gz")
}

/// All devices of these fleets.
pub(crate) fn sightings(fleets: &[FleetSlug]) -> String {
    let slugs: Vec<String> =
        fleets.iter().map(|slug| format!("a/slug%20eq%20{}", literal(slug.as_str()))).collect();
    format!(
        "/v7/device?$filter=belongs_to__application/any(a:{})\
         {SIGHTING}&$orderby=id%20asc",
        slugs.join("%20or%20")
    )
}

/// What is asked of each device.
const SIGHTING: &str = "&$select=uuid,device_name,api_heartbeat_state,is_connected_to_vpn,os_version,\
     supervisor_version&$expand=is_running__release($select=id),should_be_running__release($select=id)";

/// These devices. The whole head of a request has room for some 300 uuids (Node: 16 KiB).
pub(crate) fn sightings_of(uuids: &[DeviceUuid]) -> String {
    let uuids: Vec<String> = uuids.iter().map(|uuid| literal(&uuid.0)).collect();
    format!("/v7/device?$filter=uuid%20in%20({}){SIGHTING}&$orderby=id%20asc", uuids.join(","))
}

/// The release of this commit in the fleet of this id.
pub(crate) fn release_of_commit(fleet: u64, commit: &str) -> String {
    format!(
        "/v7/release?$filter=belongs_to__application%20eq%20{fleet}%20and%20commit%20eq%20{}\
         &$select=id,status,is_final,is_invalidated",
        literal(commit)
    )
}

/// Where a device is, and what it is pinned to.
pub(crate) fn place(uuid: &DeviceUuid) -> String {
    format!(
        "{}?$select=uuid&$expand=belongs_to__application($select=id),is_pinned_on__release($select=id)",
        device(uuid)
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

/// The resource of a table, and the field that has its names.
fn resource(table: Table) -> (&'static str, &'static str) {
    match table {
        Table::Config => ("device_config_variable", "name"),
        Table::Environment => ("device_environment_variable", "name"),
        Table::Tags => ("device_tag", "tag_key"),
    }
}

/// The values of the device of this id in a table.
pub(crate) fn values(table: Table, device: u64) -> String {
    let (resource, name) = resource(table);
    format!("/v7/{resource}?$filter=device%20eq%20{device}&$select={name},value")
}

/// One value of the device of this id in a table, there or not.
pub(crate) fn value(table: Table, device: u64, name: &str) -> String {
    let (resource, key) = resource(table);
    format!("/v7/{resource}(device={device},{key}={})", literal(name))
}

/// A string literal: quotes doubled, all but unreserved signs encoded, in quotes.
fn literal(text: &str) -> String {
    format!("'{}'", encoded(&text.replace('\'', "''")))
}

/// A text with all but unreserved signs encoded.
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            // Writing to a string does not fail.
            _ => _ = write!(encoded, "%{byte:02X}"),
        }
    }
    encoded
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
        insta::assert_snapshot!(sightings(&fleets), @"/v7/device?$filter=belongs_to__application/any(a:a/slug%20eq%20'acme%2Fkiosks'%20or%20a/slug%20eq%20'acme%2Fgates')&$select=uuid,device_name,api_heartbeat_state,is_connected_to_vpn,os_version,supervisor_version&$expand=is_running__release($select=id),should_be_running__release($select=id)&$orderby=id%20asc");
        let uuids = ["5e91c2", "77aa01"].map(|uuid| DeviceUuid(uuid.into()));
        insta::assert_snapshot!(sightings_of(&uuids), @"/v7/device?$filter=uuid%20in%20('5e91c2','77aa01')&$select=uuid,device_name,api_heartbeat_state,is_connected_to_vpn,os_version,supervisor_version&$expand=is_running__release($select=id),should_be_running__release($select=id)&$orderby=id%20asc");
        insta::assert_snapshot!(value(Table::Tags, 7, "a,b"), @"/v7/device_tag(device=7,tag_key='a%2Cb')");
        insta::assert_snapshot!(fleet(&fleets[0]), @"/v7/application(slug='acme%2Fkiosks')?$select=id&$expand=is_for__device_type($select=slug;$expand=is_of__cpu_architecture($select=slug))");
        insta::assert_snapshot!(release(&fleets[0]), @"/v7/application(slug='acme%2Fkiosks')?$select=id&$expand=should_be_running__release($select=id;$expand=release_image($select=id;$expand=image($select=image_size)))");
        insta::assert_snapshot!(download("raspberrypi3", "6.0.24+rev1"), @"/download?deviceType=raspberrypi3&version=6.0.24%2Brev1&fileType=.gz");
        insta::assert_snapshot!(never_seen(&DeviceUuid("5e91c2".into())), @"/v7/device(uuid='5e91c2')?$filter=api_heartbeat_state%20eq%20'unknown'");
    }
}
