//! Where the settings of a device come from, for whoever asks why one is as it is.

use std::fmt;

use serde::Serialize;

use crate::problem::Place;

/// Where a setting was said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Origin {
    /// The file as the caller named it; `None`: it is built in.
    pub file: Option<String>,
    /// Where in the file.
    pub place: Option<Place>,
    /// The level of the file: `group north`, `device`, `defaults`, `built in`.
    pub layer: String,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(file) = &self.file else { return f.write_str(&self.layer) };
        f.write_str(file)?;
        if let Some(Place { line, column }) = self.place {
            write!(f, ":{line}:{column}")?;
        }
        match self.layer.is_empty() {
            true => Ok(()),
            false => write!(f, ", {}", self.layer),
        }
    }
}

/// One setting of a device: what it is, who said so, and who was not heard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Told {
    /// The key, such as `ssh.user`.
    pub key: String,
    /// The value on one line; `<secret>` in place of what looks like one.
    pub value: String,
    /// Where it was said.
    pub origin: Origin,
    /// What was said further away, nearest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hides: Vec<Hidden>,
}

/// What was said about a setting, and not heard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Hidden {
    /// The value, on one line.
    pub value: String,
    /// Where it was said.
    pub origin: Origin,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_reads_like_the_place_of_a_mistake() {
        let place = Some(Place { line: 3, column: 7 });
        let file = Some("kiosks.yaml".to_owned());
        let of = |file: &Option<String>, place, layer: &str| {
            Origin { file: file.clone(), place, layer: layer.to_owned() }.to_string()
        };
        assert_eq!(of(&file, place, "group north"), "kiosks.yaml:3:7, group north");
        assert_eq!(of(&file, None, ""), "kiosks.yaml");
        assert_eq!(of(&None, None, "built in"), "built in");
    }
}
