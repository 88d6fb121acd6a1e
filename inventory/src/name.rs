//! Names and numbers that people write down: each knows what it may look like.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::yaml::quote;

/// A text that is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{} is not {what}", quote(text))]
pub struct InvalidText {
    /// The text as written.
    pub text: String,
    /// What was wanted, with its article.
    pub what: &'static str,
    /// What to write instead.
    pub hint: &'static str,
}

/// Device and group names become file names and log fields, so they stay short and plain.
const LONGEST_NAME: usize = 64;

const DEVICE_HINT: &str = "a name has letters, digits, `.`, `_` and `-`, starts with a letter or digit and has at most 64 characters";
const SITE_HINT: &str = "a site is one line of text with at most 64 characters";
const SLUG_HINT: &str = "write it as organisation/fleet, such as acme/kiosks";
const SERIAL_HINT: &str = "copy the 16 hexadecimal digits that `cat /proc/device-tree/serial-number` prints on the device";

macro_rules! text_newtype {
    ($(#[$doc:meta])* $name:ident, $what:literal, $hint:expr, $check:expr) => {
        $(#[$doc])*
        #[derive(
            Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
        )]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Checks and takes a text.
            ///
            /// # Errors
            /// [`InvalidText`] says what a good one looks like.
            pub fn new(text: impl Into<String>) -> Result<Self, InvalidText> {
                let text = text.into();
                let check: fn(&str) -> Option<String> = $check;
                match check(&text) {
                    Some(good) => Ok(Self(good)),
                    None => Err(InvalidText { text, what: $what, hint: $hint }),
                }
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidText;

            fn from_str(text: &str) -> Result<Self, InvalidText> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidText;

            fn try_from(text: String) -> Result<Self, InvalidText> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }
    };
}

text_newtype!(
    /// The name of a device in the inventory, such as `kiosk-042`.
    DeviceId, "a device name", DEVICE_HINT, plain_name
);

text_newtype!(
    /// The name of a group of devices.
    GroupName, "a group name", DEVICE_HINT, plain_name
);

text_newtype!(
    /// The name of a place where devices stand; devices of one site share its network.
    SiteName, "a site name", SITE_HINT, |text| {
        let fits = !text.is_empty()
            && text.trim() == text
            && text.chars().count() <= LONGEST_NAME
            && !text.chars().any(char::is_control);
        fits.then(|| text.to_owned())
    }
);

text_newtype!(
    /// A balena fleet as `organisation/fleet`.
    ///
    /// The fleet part is kept in lower case, because balena lower-cases a fleet's name in its slug
    /// and compares slugs exactly.
    FleetSlug, "a balena fleet", SLUG_HINT, |text| {
        let (organisation, fleet) = text.split_once('/')?;
        let plain = |part: &str| {
            !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
        };
        (plain(organisation) && plain(fleet))
            .then(|| format!("{organisation}/{}", fleet.to_ascii_lowercase()))
    }
);

text_newtype!(
    /// The serial number of a Raspberry Pi: 16 hexadecimal digits, kept in lower case.
    Serial, "a serial number", SERIAL_HINT, |text| {
        (text.len() == 16 && text.chars().all(|c| c.is_ascii_hexdigit()))
            .then(|| text.to_ascii_lowercase())
    }
);

fn plain_name(text: &str) -> Option<String> {
    let fits = text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.len() <= LONGEST_NAME
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    fits.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn a_device_name_can_be_a_file_name() {
        for good in ["a", "7", "kiosk-042", "pi.shop_4", &"x".repeat(64)] {
            assert_eq!(DeviceId::new(good).map(|id| id.to_string()), Ok(good.to_owned()));
        }
        for bad in ["", ".", "..", "-a", "a b", "a/b", "a:b", "é", "a\n", &"x".repeat(65)] {
            assert!(DeviceId::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_slug_has_two_parts_and_a_lower_case_fleet() {
        assert_eq!(FleetSlug::new("Acme/Kiosks").unwrap().as_str(), "Acme/kiosks");
        for bad in ["kiosks", "/kiosks", "acme/", "a/b/c", "a/b'c", "a b/c"] {
            assert!(FleetSlug::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_serial_has_exactly_16_hexadecimal_digits() {
        assert_eq!(Serial::new("00000000765FC593").unwrap().as_str(), "00000000765fc593");
        for bad in ["765fc593", "00000000765fc59g", "0x000000765fc593", "100000000765fc593"] {
            assert!(Serial::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_site_may_be_any_line_of_text() {
        assert!(SiteName::new("Köln, Domplatz 3").is_ok());
        for bad in ["", " north", "a\tb", &"x".repeat(65)] {
            assert!(SiteName::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn names_are_plain_strings_when_stored_and_are_checked_when_read_back() {
        let id = DeviceId::new("kiosk-042").unwrap();
        assert_eq!(serde_yaml::to_string(&id).unwrap(), "kiosk-042\n");
        assert_eq!(serde_yaml::from_str::<DeviceId>("kiosk-042").unwrap(), id);
        let error = serde_yaml::from_str::<DeviceId>("../etc").unwrap_err();
        assert_eq!(error.to_string(), r#""../etc" is not a device name"#);
    }
}
