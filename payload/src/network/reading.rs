//! What comes of reading: connections, what is refused, and what is left out.

use super::connection::Connection;
use super::{ConfigFile, Untranslatable, mask};
use std::net::IpAddr;

/// After so many refusals nobody wants more of them: a device may send any text.
const MOST_REFUSED: usize = 200;

/// What all readers together have found.
#[derive(Default)]
pub(super) struct Reading {
    /// The ways onto networks.
    pub connections: Vec<Connection>,
    /// Lines that cannot be carried over.
    pub refused: Vec<Untranslatable>,
    /// What was left out.
    pub notes: Vec<String>,
    /// The country whose rules the radio keeps.
    pub country: Option<String>,
    /// Name servers of no connection.
    pub dns: Vec<IpAddr>,
    /// Time servers.
    pub ntp: Vec<String>,
    /// The file that was refused last, and its lines without secrets.
    pub(super) masked: Option<(ConfigFile, Vec<String>)>,
}

impl Reading {
    /// Refuses a line, counted from 1; 0 is the whole file.
    pub(super) fn refuse(&mut self, file: &ConfigFile, line: usize, why: impl Into<String>) {
        if self.refused.len() >= MOST_REFUSED {
            return;
        }
        let index = line.checked_sub(1);
        let text = index.and_then(|index| self.masked_lines(file).get(index).cloned());
        let refusal = Untranslatable {
            path: file.path.clone(),
            line: index.and_then(|_| u32::try_from(line).ok()),
            text: text.unwrap_or_default(),
            why: why.into(),
        };
        if !self.refused.contains(&refusal) {
            self.refused.push(refusal);
        }
    }

    fn masked_lines(&mut self, file: &ConfigFile) -> &[String] {
        if self.masked.as_ref().is_none_or(|(masked, _)| masked != file) {
            let lines = mask(file).text.lines().map(|line| line.trim().to_owned()).collect();
            self.masked = Some((file.clone(), lines));
        }
        self.masked.as_ref().map_or(&[], |(_, lines)| lines)
    }

    /// Tells people what was left out.
    pub(super) fn note(&mut self, text: impl Into<String>) {
        let text = text.into();
        if !self.notes.contains(&text) {
            self.notes.push(text);
        }
    }

    /// Notes a country; the first one stays.
    pub(super) fn country(&mut self, text: &str) -> bool {
        let country = text.trim().trim_matches('"').to_ascii_uppercase();
        let is_country = country.len() == 2 && country.bytes().all(|it| it.is_ascii_alphanumeric());
        // 00 is the world's, which is what a radio without any keeps.
        if is_country && country != "00" {
            self.country.get_or_insert(country);
        }
        is_country
    }

    /// Notes time servers.
    pub(super) fn time_servers(&mut self, names: &str) {
        for name in names.split_whitespace() {
            if !self.ntp.iter().any(|it| it == name) {
                self.ntp.push(name.to_owned());
            }
        }
    }
}

/// Words for where something stands.
pub(super) fn place(file: &ConfigFile, line: usize) -> String {
    format!("{}:{line}", file.path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_is_told_without_its_secret() {
        let text = "network={\n\tpsk=\"correct horse\"\n}\n".to_owned();
        let file = ConfigFile { path: "/etc/wpa_supplicant/wpa_supplicant.conf".to_owned(), text };
        let mut reading = Reading::default();
        reading.refuse(&file, 2, "why");
        reading.refuse(&file, 2, "why");
        assert_eq!(reading.refused.len(), 1);
        assert_eq!(reading.refused[0].text, "psk=\"<secret>\"");
        assert_eq!(reading.refused[0].line, Some(2));
    }

    #[test]
    fn a_file_of_nothing_but_nonsense_is_refused_some_hundred_times() {
        let text = "nonsense\n".repeat(9000);
        let file = ConfigFile { path: "/etc/dhcpcd.conf".to_owned(), text };
        let mut reading = Reading::default();
        (1..=9000).for_each(|line| reading.refuse(&file, line, "it is not known"));
        assert_eq!(reading.refused.len(), MOST_REFUSED);
    }

    #[test]
    fn the_first_country_stays() {
        let mut reading = Reading::default();
        assert!(!reading.country("Germany") && reading.country("00") && reading.country("de"));
        assert!(reading.country("GB"));
        assert_eq!(reading.country.as_deref(), Some("DE"));
    }
}
