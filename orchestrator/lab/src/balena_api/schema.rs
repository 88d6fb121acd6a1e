//! What resources there are, with their fields and links, as far as the lab has them.
//!
//! The names are those of balena's v7 API. A field that is not here is one that a real server does
//! not know either, or one that nobody here asks for: both are answered like an unknown field.

/// A resource.
#[derive(Debug)]
pub(super) struct Resource {
    pub(super) name: &'static str,
    /// Fields with values of their own.
    pub(super) fields: &'static [&'static str],
    /// Links to one row: a field that holds an id, and the resource that it is of.
    pub(super) links: &'static [(&'static str, &'static str)],
    /// Links to many rows: the link, the resource, and the field there that holds the id of the row here.
    pub(super) backward: &'static [(&'static str, &'static str, &'static str)],
    /// The fields that together occur only once.
    pub(super) unique: &'static [&'static str],
    /// Who may write rows.
    pub(super) written_by: WrittenBy,
}

/// Who may write the rows of a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WrittenBy {
    /// Nobody: they are there from the start.
    Nobody,
    /// Who sees the device that they belong to.
    OwnersOfTheDevice,
    /// Rows of devices, which are made by registration and changed field by field.
    Registration,
}

const DEVICE_VARIABLE: &[&str] = &["id", "name", "value", "created_at"];
const OF_DEVICE: &[(&str, &str)] = &[("device", "device")];

/// All resources.
const RESOURCES: &[Resource] = &[
    Resource {
        name: "device",
        fields: &[
            "id",
            "uuid",
            "device_name",
            "note",
            "api_heartbeat_state",
            "is_online",
            "is_connected_to_vpn",
            "overall_status",
            "overall_progress",
            "status",
            "provisioning_state",
            "provisioning_progress",
            "is_web_accessible",
            "os_variant",
            "supervisor_version",
            "public_address",
            "last_connectivity_event",
            "os_version",
            "mac_address",
            "ip_address",
            "created_at",
        ],
        links: &[
            ("belongs_to__application", "application"),
            ("is_of__device_type", "device_type"),
            ("is_running__release", "release"),
            ("is_pinned_on__release", "release"),
            ("should_be_running__release", "release"),
        ],
        backward: &[
            ("device_tag", "device_tag", "device"),
            ("device_environment_variable", "device_environment_variable", "device"),
            ("device_config_variable", "device_config_variable", "device"),
        ],
        unique: &["uuid"],
        written_by: WrittenBy::Registration,
    },
    Resource {
        name: "device_tag",
        fields: &["id", "tag_key", "value"],
        links: OF_DEVICE,
        backward: &[],
        unique: &["device", "tag_key"],
        written_by: WrittenBy::OwnersOfTheDevice,
    },
    Resource {
        name: "device_environment_variable",
        fields: DEVICE_VARIABLE,
        links: OF_DEVICE,
        backward: &[],
        unique: &["device", "name"],
        written_by: WrittenBy::OwnersOfTheDevice,
    },
    Resource {
        name: "device_config_variable",
        fields: DEVICE_VARIABLE,
        links: OF_DEVICE,
        backward: &[],
        unique: &["device", "name"],
        written_by: WrittenBy::OwnersOfTheDevice,
    },
    Resource {
        name: "application",
        fields: &[
            "id",
            "app_name",
            "slug",
            "uuid",
            "is_host",
            "is_public",
            "is_archived",
            "is_of__class",
            "created_at",
        ],
        links: &[
            ("is_for__device_type", "device_type"),
            ("organization", "organization"),
            ("should_be_running__release", "release"),
        ],
        backward: &[
            ("owns__device", "device", "belongs_to__application"),
            ("owns__release", "release", "belongs_to__application"),
            ("application_tag", "application_tag", "application"),
        ],
        unique: &["slug"],
        written_by: WrittenBy::Nobody,
    },
    Resource {
        name: "application_tag",
        fields: &["id", "tag_key", "value"],
        links: &[("application", "application")],
        backward: &[],
        unique: &["application", "tag_key"],
        written_by: WrittenBy::Nobody,
    },
    Resource {
        name: "organization",
        fields: &["id", "name", "handle"],
        links: &[],
        backward: &[("application", "application", "organization")],
        unique: &["handle"],
        written_by: WrittenBy::Nobody,
    },
    Resource {
        name: "device_type",
        fields: &["id", "slug", "name"],
        links: &[("is_of__cpu_architecture", "cpu_architecture")],
        backward: &[("device_type_alias", "device_type_alias", "references__device_type")],
        unique: &["slug"],
        written_by: WrittenBy::Nobody,
    },
    Resource {
        name: "device_type_alias",
        fields: &["id", "is_referenced_by__alias"],
        links: &[("references__device_type", "device_type")],
        backward: &[],
        unique: &["is_referenced_by__alias"],
        written_by: WrittenBy::Nobody,
    },
    Resource {
        name: "cpu_architecture",
        fields: &["id", "slug"],
        links: &[],
        backward: &[("is_supported_by__device_type", "device_type", "is_of__cpu_architecture")],
        unique: &["slug"],
        written_by: WrittenBy::Nobody,
    },
    Resource {
        name: "release",
        fields: &[
            "id",
            "commit",
            "raw_version",
            "variant",
            "phase",
            "status",
            "is_final",
            "is_invalidated",
            "known_issue_list",
            "note",
            "created_at",
        ],
        links: &[("belongs_to__application", "application")],
        backward: &[
            ("release_image", "release_image", "is_part_of__release"),
            ("release_tag", "release_tag", "release"),
            ("is_running_on__device", "device", "is_running__release"),
        ],
        unique: &["id"],
        written_by: WrittenBy::Nobody,
    },
    Resource {
        name: "release_tag",
        fields: &["id", "tag_key", "value"],
        links: &[("release", "release")],
        backward: &[],
        unique: &["release", "tag_key"],
        written_by: WrittenBy::Nobody,
    },
    Resource {
        name: "release_image",
        fields: &["id"],
        links: &[("is_part_of__release", "release"), ("image", "image")],
        backward: &[],
        unique: &["id"],
        written_by: WrittenBy::Nobody,
    },
    Resource {
        name: "image",
        fields: &["id", "image_size"],
        links: &[],
        backward: &[],
        unique: &["id"],
        written_by: WrittenBy::Nobody,
    },
];

/// The resource of this name.
pub(super) fn resource(name: &str) -> Option<&'static Resource> {
    RESOURCES.iter().find(|resource| resource.name == name)
}

impl Resource {
    /// True if rows have a value of this name, be it the id of a linked row.
    pub(super) fn has(&self, name: &str) -> bool {
        self.fields.contains(&name) || self.is_link(name)
    }

    /// True for a link to one row.
    pub(super) fn is_link(&self, name: &str) -> bool {
        self.links.iter().any(|(link, _)| *link == name)
    }

    /// Where a link of this name leads, and the fields here and there that are equal then.
    pub(super) fn link(
        &self,
        name: &str,
    ) -> Option<(&'static Resource, &'static str, &'static str)> {
        let forward = self.links.iter().find(|(link, _)| *link == name);
        let backward = self.backward.iter().find(|(link, ..)| *link == name);
        match (forward, backward) {
            (Some((link, to)), _) => Some((resource(to)?, link, "id")),
            (None, Some((_, to, by))) => Some((resource(to)?, "id", by)),
            (None, None) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_link_leads_to_a_field_of_a_resource() {
        for from in RESOURCES {
            let links = from.links.iter().map(|(link, _)| *link);
            for name in links.chain(from.backward.iter().map(|(link, ..)| *link)) {
                let (to, here, there) = from.link(name).unwrap_or_else(|| panic!("{name}"));
                assert!(from.has(here) && to.has(there), "{} {name}", from.name);
            }
            assert!(from.unique.iter().all(|field| from.has(field)), "{}", from.name);
        }
    }
}
