//! What an image says of itself, and what a person says of it.

use super::partition::{Content, Partition};
use super::source::Window;
use fatfs::{FileSystem, FsOptions};
use serde::Deserialize;
use std::io::{Read, Seek};

/// What a person says of an image. What the image says otherwise of its device type is a contradiction; of the rest
/// the person knows better.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Told {
    /// The balena device type.
    pub device_type: Option<String>,
    /// The architecture of its userland, as balena calls it.
    pub architecture: Option<String>,
    /// The version of balenaOS, as the running system will report it.
    pub os_version: Option<String>,
    /// The version that was asked for, such as `6.0.24+rev1`; the image has to have it.
    #[serde(skip)]
    pub asked: Option<String>,
}

/// What an image says of itself; nothing where its boot partition cannot be read.
pub(super) fn says(image: &mut (impl Read + Seek), partitions: &[Partition]) -> Option<Told> {
    #[derive(Default, Deserialize)]
    struct DeviceType {
        slug: Option<String>,
        arch: Option<String>,
    }
    let boot = partitions.iter().find(|partition| partition.content == Content::Fat)?;
    let window = Window { image, start: boot.start.0, size: boot.size.0, at: 0 };
    let partition = FileSystem::new(window, FsOptions::new()).ok()?;
    let read = |name: &str| {
        let mut text = String::new();
        let mut file = partition.root_dir().open_file(name).ok()?;
        file.read_to_string(&mut text).ok()?;
        Some(text)
    };
    let device_type = read("device-type.json").and_then(|text| serde_json::from_str(&text).ok());
    let DeviceType { slug, arch } = device_type.unwrap_or_default();
    let os_version = read("os-release").and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
        Some(line.trim().trim_matches('"').to_owned())
    });
    Some(Told { device_type: slug, architecture: arch, os_version, asked: None })
}

/// True if a system that calls itself `pretty`, such as `balenaOS 6.0.24+rev1`, is the version asked for. Versions of
/// which there were two end with `.prod` or `.dev`, which the system does not say of itself.
pub(super) fn is_version(pretty: &str, asked: &str) -> bool {
    let plain = asked.strip_suffix(".prod").or_else(|| asked.strip_suffix(".dev")).unwrap_or(asked);
    pretty.split_whitespace().any(|word| word == plain || word == asked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_a_whole_word_of_the_name() {
        assert!(is_version("balenaOS 6.0.24+rev1", "6.0.24+rev1"));
        assert!(is_version("balenaOS 2.48.0+rev1", "2.48.0+rev1.prod"));
        assert!(is_version("Resin OS 2.12.7+rev1", "2.12.7+rev1"));
        assert!(!is_version("balenaOS 6.0.24+rev1", "6.0.24"));
        assert!(!is_version("balenaOS 16.0.24", "6.0.24"));
    }
}
