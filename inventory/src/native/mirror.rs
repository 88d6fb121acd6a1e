//! A web server near the devices that has the images.

use super::settings::host;
use crate::name::InvalidText;
use crate::problem::Report;
use crate::yaml::Field;

const EXAMPLE: &str = "write the folder that holds the images, such as http://10.1.4.1:8000/images";

/// Reads the address of a folder of images.
pub(super) fn read(field: &Field<'_>, report: &mut Report) -> Option<String> {
    if field.text("an address", report)?.contains('@') {
        // What stands before the `@` may be a password, so it is not repeated.
        field.refuse_with_hint(report, "a mirror has no user or password", EXAMPLE);
        return None;
    }
    field.parse("an address", address, report)
}

/// Checks the address and takes its trailing slashes away.
fn address(text: &str) -> Result<String, InvalidText> {
    let invalid = |what, hint| Err(InvalidText { text: text.to_owned(), what, hint });
    if text.starts_with("https://") {
        return invalid(
            "an address that MIGOS can read: it has no TLS",
            "write http:// instead of https://; what comes is checked by the image's digest",
        );
    }
    let Some(rest) = text.strip_prefix("http://") else {
        return invalid("an address that begins with http://", EXAMPLE);
    };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let is_plain = path.chars().all(|c| c.is_ascii_alphanumeric() || "._~/%-".contains(c));
    match host(authority).filter(|_| is_plain) {
        Some(_) => Ok(text.trim_end_matches('/').to_owned()),
        None => invalid("the address of a folder", EXAMPLE),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::native::parse;

    fn told(mirror: &str) -> String {
        let text = format!(
            "migos: 1\nmirror: http://top\ngroups:\n  north: {{ devices: [pi-1], mirror: {mirror} }}\n\
             devices: {{ pi-2: , pi-3: {{ mirror: 'http://[fd00::1]:8000/a%20b/' }} }}\n"
        );
        match parse("t", &text) {
            Ok(fleet) => {
                let mirrors = fleet.devices.values().filter_map(|device| device.mirror.clone());
                mirrors.collect::<Vec<_>>().join(" ")
            }
            Err(problems) => problems.to_string(),
        }
    }

    #[test]
    fn the_nearest_mirror_counts() {
        let all = "http://10.1.4.1:8000/images http://top http://[fd00::1]:8000/a%20b";
        assert_eq!(told("http://10.1.4.1:8000/images//"), all);
    }

    #[test]
    fn what_migos_cannot_read_is_refused() {
        let bad = ["https://m", "10.1.4.1", "http://", "http://u:p@m", "http://m/?a", "http://m:x"];
        insta::assert_snapshot!(bad.map(told).join("\n"), @r###"
        t:4:37: groups.north.mirror: "https://m" is not an address that MIGOS can read: it has no TLS
          hint: write http:// instead of https://; what comes is checked by the image's digest
        t:4:37: groups.north.mirror: "10.1.4.1" is not an address that begins with http://
          hint: write the folder that holds the images, such as http://10.1.4.1:8000/images
        t:4:37: groups.north.mirror: "http://" is not the address of a folder
          hint: write the folder that holds the images, such as http://10.1.4.1:8000/images
        t:4:37: groups.north.mirror: a mirror has no user or password
          hint: write the folder that holds the images, such as http://10.1.4.1:8000/images
        t:4:37: groups.north.mirror: "http://m/?a" is not the address of a folder
          hint: write the folder that holds the images, such as http://10.1.4.1:8000/images
        t:4:37: groups.north.mirror: "http://m:x" is not the address of a folder
          hint: write the folder that holds the images, such as http://10.1.4.1:8000/images
        "###);
    }
}
