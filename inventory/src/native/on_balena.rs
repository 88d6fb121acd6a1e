//! What a device shall be on balena, level by level.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::folder::Start;
use super::layer::Said;
use super::login::{host, is_variable};
use super::resolve::Settling;
use super::saying::Sayings;
use crate::name::{FleetSlug, InvalidText};
use crate::on_balena::{OnBalena, SystemSettings, ValueSource};
use crate::problem::Report;
use crate::yaml::{Field, Keys, Kind, Mapping};

pub(super) const ON_BALENA: Keys = Keys {
    known: &[
        "name",
        "tags",
        "environment",
        "config",
        "release",
        "move_to",
        "ssh_keys",
        "ntp_servers",
        "dns_servers",
        "country",
    ],
    refused: &[],
};

/// Tags that begin so are the program's own.
const OWN_TAGS: &str = "migos.";

/// A tag's key has at most so many characters (open-balena-api: tags).
const LONGEST_TAG: usize = 100;

/// What stands for something of the device in its name.
const PLACEHOLDERS: [&str; 3] = ["{device}", "{hostname}", "{serial}"];

/// What one level of the inventory says about devices on balena.
#[derive(Default)]
pub(super) struct Layer {
    name: Option<Said<String>>,
    tags: BTreeMap<String, Said<String>>,
    environment: BTreeMap<String, Said<ValueSource>>,
    config: BTreeMap<String, Said<String>>,
    release: Option<Said<String>>,
    move_to: Option<Said<FleetSlug>>,
    ssh_keys: Option<Said<Vec<String>>>,
    ntp_servers: Option<Said<Vec<String>>>,
    dns_servers: Option<Said<Vec<String>>>,
    country: Option<Said<String>>,
}

impl Layer {
    pub(super) fn read(field: &Field<'_>, report: &mut Report) -> Self {
        let keys = field.mapping(&ON_BALENA, report);
        Self {
            name: parsed(&keys, "name", "a name", device_name, report),
            tags: members(&keys, "tags", tag_key, report, |value, report| {
                value.text("the value of a tag", report).map(str::to_owned)
            }),
            environment: members(&keys, "environment", environment_name, report, source),
            config: members(&keys, "config", config_name, report, |value, report| {
                value.text("the value of a variable", report).map(str::to_owned)
            }),
            release: parsed(&keys, "release", "a release's commit", commit, report),
            move_to: parsed(
                &keys,
                "move_to",
                "a balena fleet",
                |text| FleetSlug::new(text),
                report,
            ),
            ssh_keys: list(&keys, "ssh_keys", "a public key", public_key, report),
            ntp_servers: list(&keys, "ntp_servers", "a host name or address", host, report),
            dns_servers: list(&keys, "dns_servers", "an address", address, report),
            country: parsed(&keys, "country", "a country's two letters", country, report),
        }
    }
}

impl Layer {
    /// Lets its relative paths start at a folder.
    pub(super) fn start_paths(&mut self, start: Start<'_>) {
        for said in self.environment.values_mut() {
            if let ValueSource::File(path) = &mut said.value {
                start(path);
            }
        }
    }

    /// Tells all that this level says.
    pub(super) fn tell(&self, sayings: &mut Sayings) {
        let Layer {
            name,
            tags,
            environment,
            config,
            release,
            move_to,
            ssh_keys,
            ntp_servers,
            dns_servers,
            country,
        } = self;
        sayings.one("on_balena.name", name.as_ref());
        sayings.each("on_balena.tags", tags);
        sayings.each("on_balena.environment", environment);
        sayings.each("on_balena.config", config);
        sayings.one("on_balena.release", release.as_ref());
        sayings.one("on_balena.move_to", move_to.as_ref());
        sayings.one("on_balena.ssh_keys", ssh_keys.as_ref());
        sayings.one("on_balena.ntp_servers", ntp_servers.as_ref());
        sayings.one("on_balena.dns_servers", dns_servers.as_ref());
        sayings.one("on_balena.country", country.as_ref());
    }
}

/// Lays the levels over each other: the nearest wins, in maps key by key.
pub(super) fn settle(levels: &mut Settling<'_, '_>) -> OnBalena {
    OnBalena {
        name: levels.settle(|layer| layer.on_balena.name.as_ref()),
        tags: levels.settle_map(|layer| &layer.on_balena.tags),
        environment: levels.settle_map(|layer| &layer.on_balena.environment),
        config: levels.settle_map(|layer| &layer.on_balena.config),
        release: levels.settle(|layer| layer.on_balena.release.as_ref()),
        move_to: levels.settle(|layer| layer.on_balena.move_to.as_ref()),
        system: SystemSettings {
            ssh_keys: levels.settle(|layer| layer.on_balena.ssh_keys.as_ref()).unwrap_or_default(),
            ntp_servers: levels
                .settle(|layer| layer.on_balena.ntp_servers.as_ref())
                .unwrap_or_default(),
            dns_servers: levels
                .settle(|layer| layer.on_balena.dns_servers.as_ref())
                .unwrap_or_default(),
            country: levels.settle(|layer| layer.on_balena.country.as_ref()),
        },
    }
}

fn parsed<T>(
    keys: &Mapping<'_>,
    key: &str,
    what: &str,
    check: impl Fn(&str) -> Result<T, InvalidText>,
    report: &mut Report,
) -> Option<Said<T>> {
    Said::read(keys.get(key), |field| field.parse(what, check, report))
}

fn list(
    keys: &Mapping<'_>,
    key: &str,
    what: &str,
    check: impl Fn(&str) -> Result<String, InvalidText>,
    report: &mut Report,
) -> Option<Said<Vec<String>>> {
    Said::read(keys.get(key), |field| {
        let items = field.list(&format!("a list, each {what}"), report);
        Some(items.iter().filter_map(|item| item.parse(what, &check, report)).collect())
    })
}

fn members<T>(
    keys: &Mapping<'_>,
    key: &str,
    check: impl Fn(&str) -> Result<(), InvalidText>,
    report: &mut Report,
    read: impl Fn(&Field<'_>, &mut Report) -> Option<T>,
) -> BTreeMap<String, Said<T>> {
    let mut found = BTreeMap::new();
    let Some(field) = keys.get(key) else { return found };
    for member in field.members(report) {
        if let Err(invalid) = check(member.key) {
            let message = invalid.to_string();
            report.add_with_hint(member.place, &member.field.path, message, invalid.hint);
            continue;
        }
        let said = Said::read(Some(&member.field), |value| read(value, report));
        found.extend(said.map(|said| (member.key.to_owned(), said)));
    }
    found
}

/// Reads where the value of an environment variable comes from. It may be a secret that somebody wrote in the wrong
/// form, so no message repeats it.
fn source(field: &Field<'_>, report: &mut Report) -> Option<ValueSource> {
    let hint = "write the value in quotes, or { env: NAME }, { file: PATH } or { device: /PATH }";
    let [entry] = (match &field.node.kind {
        Kind::Text(text) if !text.chars().any(char::is_control) => {
            return Some(ValueSource::Literal(text.clone()));
        }
        Kind::Mapping(entries) => entries.as_slice(),
        _ => &[],
    }) else {
        field.refuse_with_hint(report, "expected a value, or where it is found", hint);
        return None;
    };
    let value = match &entry.value.kind {
        Kind::Text(text) if !text.is_empty() && !text.chars().any(char::is_control) => text,
        _ => "",
    };
    let wrong = match entry.key.as_str() {
        "env" if is_variable(value) => return Some(ValueSource::Env(value.to_owned())),
        "file" if !value.is_empty() => return Some(ValueSource::File(value.to_owned())),
        "device" if value.starts_with('/') => return Some(ValueSource::Device(value.to_owned())),
        "env" => "this is not the name of an environment variable",
        "file" => "this is not the path of a file",
        "device" => "this is not the whole path of a file on the device",
        _ => "expected where the value is found",
    };
    report.add_with_hint(entry.value.place, &field.path.key(&entry.key), wrong, hint);
    None
}

fn invalid<T>(text: &str, what: &'static str, hint: &'static str) -> Result<T, InvalidText> {
    Err(InvalidText { text: text.to_owned(), what, hint })
}

fn device_name(text: &str) -> Result<String, InvalidText> {
    let mut rest = text.to_owned();
    PLACEHOLDERS.iter().for_each(|known| rest = rest.replace(known, ""));
    match rest.contains(['{', '}']) {
        false => Ok(text.to_owned()),
        true => {
            let hint = "of a device its name may have {device}, {hostname} and {serial}";
            invalid(text, "a name on balena", hint)
        }
    }
}

fn tag_key(text: &str) -> Result<(), InvalidText> {
    let what = "a tag's key";
    if text.starts_with(OWN_TAGS) {
        return invalid(text, what, "tags that begin with `migos.` are set by migos-fleet itself");
    }
    match text.chars().count() {
        1..=LONGEST_TAG if !text.contains(char::is_whitespace) => Ok(()),
        _ => invalid(text, what, "balena takes 1 to 100 characters without white space"),
    }
}

fn is_reserved(text: &str) -> bool {
    ["BALENA_", "RESIN_"].iter().any(|start| text.starts_with(start))
}

fn environment_name(text: &str) -> Result<(), InvalidText> {
    let what = "the name of an environment variable";
    if is_reserved(text) {
        return invalid(
            text,
            what,
            "balena keeps BALENA_ and RESIN_ for `config:`; write it there",
        );
    }
    match is_variable(text) {
        true => Ok(()),
        false => {
            invalid(text, what, "it has letters, digits and `_`, and does not begin with a digit")
        }
    }
}

fn config_name(text: &str) -> Result<(), InvalidText> {
    match is_variable(text) && is_reserved(text) {
        true => Ok(()),
        false => invalid(
            text,
            "the name of a configuration variable",
            "such names begin with BALENA_ or RESIN_; others belong under `environment:`",
        ),
    }
}

fn commit(text: &str) -> Result<String, InvalidText> {
    let is_hex = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    match matches!(text.len(), 32 | 40) && is_hex {
        true => Ok(text.to_owned()),
        false => invalid(text, "a release's commit", "write all its 32 hex digits, in quotes"),
    }
}

fn public_key(text: &str) -> Result<String, InvalidText> {
    let mut words = text.split_whitespace();
    let is_kind = |kind: &str| ["ssh-", "ecdsa-", "sk-"].iter().any(|it| kind.starts_with(it));
    match (words.next().is_some_and(is_kind), words.next()) {
        (true, Some(_)) => Ok(text.to_owned()),
        // A private key in the wrong place is not repeated.
        _ => invalid(
            "what stands here",
            "a public key",
            "write a line such as `ssh-ed25519 AAAA… name`",
        ),
    }
}

fn address(text: &str) -> Result<String, InvalidText> {
    match text.parse::<IpAddr>() {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => {
            invalid(text, "an address", "name servers are known by address, such as 10.0.0.1")
        }
    }
}

fn country(text: &str) -> Result<String, InvalidText> {
    match text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase()) {
        true => Ok(text.to_owned()),
        false => invalid(text, "a country's two letters", "write them in capitals, such as DE"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::native::parse;

    #[test]
    fn levels_are_laid_over_each_other_key_by_key() {
        let text = r#"
migos: 1
on_balena: { tags: { owner: acme, site: none }, environment: { A: top, B: { env: TOKEN } } }
defaults: { on_balena: { name: "{hostname}-{serial}", country: DE, ntp_servers: [ntp.acme.example] } }
groups:
  north: { devices: [pi-1], on_balena: { tags: { site: north }, environment: { A: { device: /etc/a } } } }
devices:
  pi-1: { on_balena: { config: { RESIN_HOST_CONFIG_gpu_mem: "16" }, move_to: acme/field, country: AT } }
"#;
        let fleet = parse("t", text).unwrap();
        insta::assert_snapshot!(serde_yaml::to_string(&fleet.devices["pi-1"].on_balena).unwrap(), @r"
        name: '{hostname}-{serial}'
        tags:
          owner: acme
          site: north
        environment:
          A: !device /etc/a
          B: !env TOKEN
        config:
          RESIN_HOST_CONFIG_gpu_mem: '16'
        release: null
        move_to: acme/field
        system:
          ntp_servers:
          - ntp.acme.example
          country: AT
        ");
    }

    #[test]
    fn what_balena_would_refuse_is_refused_here() {
        let text = r#"
migos: 1
on_balena:
  name: "{name}"
  tags: { migos.run: x, "a b": y }
  environment: { RESIN_X: "1", 1A: "2", C: { device: etc/a }, D: [secret], E: { env: "no name" } }
  config: { gpu_mem: "16" }
  release: abc
  ssh_keys: ["-----BEGIN PRIVATE KEY-----"]
  dns_servers: [ns.example]
  country: de
devices: { pi-1: }
"#;
        insta::assert_snapshot!(parse("t", text).unwrap_err().to_string(), @r#"
        t:4:9: on_balena.name: "{name}" is not a name on balena
          hint: of a device its name may have {device}, {hostname} and {serial}
        t:5:11: on_balena.tags.migos.run: "migos.run" is not a tag's key
          hint: tags that begin with `migos.` are set by migos-fleet itself
        t:5:25: on_balena.tags.a b: "a b" is not a tag's key
          hint: balena takes 1 to 100 characters without white space
        t:6:18: on_balena.environment.RESIN_X: "RESIN_X" is not the name of an environment variable
          hint: balena keeps BALENA_ and RESIN_ for `config:`; write it there
        t:6:32: on_balena.environment.1A: "1A" is not the name of an environment variable
          hint: it has letters, digits and `_`, and does not begin with a digit
        t:6:54: on_balena.environment.C.device: this is not the whole path of a file on the device
          hint: write the value in quotes, or { env: NAME }, { file: PATH } or { device: /PATH }
        t:6:66: on_balena.environment.D: expected a value, or where it is found
          hint: write the value in quotes, or { env: NAME }, { file: PATH } or { device: /PATH }
        t:6:86: on_balena.environment.E.env: this is not the name of an environment variable
          hint: write the value in quotes, or { env: NAME }, { file: PATH } or { device: /PATH }
        t:7:13: on_balena.config.gpu_mem: "gpu_mem" is not the name of a configuration variable
          hint: such names begin with BALENA_ or RESIN_; others belong under `environment:`
        t:8:12: on_balena.release: "abc" is not a release's commit
          hint: write all its 32 hex digits, in quotes
        t:9:14: on_balena.ssh_keys[0]: "what stands here" is not a public key
          hint: write a line such as `ssh-ed25519 AAAA… name`
        t:10:17: on_balena.dns_servers[0]: "ns.example" is not an address
          hint: name servers are known by address, such as 10.0.0.1
        t:11:12: on_balena.country: "de" is not a country's two letters
          hint: write them in capitals, such as DE
        "#);
    }
}
