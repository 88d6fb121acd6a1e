//! The host that devices call while they change over.

use super::login::{host, user_name};
use crate::fleet::{Bastion, Login, PortRange, Reach};
use crate::name::InvalidText;
use crate::problem::Report;
use crate::yaml::{Field, Keys, Mapping, Refused};

pub(super) const BASTION: Keys = Keys {
    known: &["host", "port", "user", "identity", "known_hosts", "ports", "reach"],
    refused: &[Refused {
        key: "host_keys",
        message: "the host key of a bastion is never taken on trust: devices are told of it",
        hint: "put it into the file of `known_hosts:`, for instance with `ssh-keyscan`",
    }],
};

pub(super) const REACH: Keys = Keys { known: &["host", "port"], refused: &[] };

/// Ports below are for root's services, and sshd lets only root forward them.
const FIRST_FREE: u16 = 1024;

/// Reads a bastion; nothing if it is not whole.
pub(super) fn read(field: &Field<'_>, report: &mut Report) -> Option<Bastion> {
    let bastion = field.mapping(&BASTION, report);
    let path = |key, report: &mut Report| {
        let text = bastion.get(key).and_then(|path| path.text("a path", report));
        text.map(str::to_owned)
    };
    let (identity, known_hosts) = (path("identity", report), path("known_hosts", report));
    let port = self::port(&bastion, report);
    let ports = match bastion.get("ports") {
        Some(ports) => ports.parse("a range of ports", range, report),
        None => Some(PortRange::DEFAULT),
    };
    let reach = match bastion.get("reach") {
        Some(field) => {
            let reach = field.mapping(&REACH, report);
            let port = self::port(&reach, report);
            let host = needed(field, &reach, "host", "a host name or address", host, report);
            host.zip(port).map(|(host, port)| Some(Reach { host, port }))
        }
        None => Some(None),
    };
    let host = needed(field, &bastion, "host", "a host name or address", host, report);
    let user = needed(field, &bastion, "user", "a user name", user_name, report);
    Some(Bastion {
        host: host?,
        port: port?,
        user: user?,
        identity,
        known_hosts,
        ports: ports?,
        reach: reach?,
    })
}

fn port(mapping: &Mapping<'_>, report: &mut Report) -> Option<u16> {
    match mapping.get("port") {
        Some(port) => {
            port.number(1..=u16::MAX.into(), report).and_then(|port| u16::try_from(port).ok())
        }
        None => Some(Login::DEFAULT_PORT),
    }
}

fn needed(
    field: &Field<'_>,
    mapping: &Mapping<'_>,
    key: &str,
    what: &str,
    check: fn(&str) -> Result<String, InvalidText>,
    report: &mut Report,
) -> Option<String> {
    match mapping.get(key) {
        Some(value) => value.parse(what, check, report),
        None => {
            let hint = format!("write `{key}:` with {what}");
            field.refuse_with_hint(report, format!("the key `{key}` is missing"), hint);
            None
        }
    }
}

fn range(text: &str) -> Result<PortRange, InvalidText> {
    let number = |text: &str| text.trim().parse::<u16>().ok().filter(|port| *port >= FIRST_FREE);
    let ends = text.split_once('-').and_then(|(first, last)| number(first).zip(number(last)));
    match ends.filter(|(first, last)| first <= last) {
        Some((first, last)) => Ok(PortRange { first, last }),
        None => Err(InvalidText {
            text: text.to_owned(),
            what: "a range of ports from 1024 on",
            hint: "write it as 20000-29999",
        }),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::fleet::PortRange;
    use crate::native::parse;

    fn told(text: &str) -> String {
        let text =
            format!("migos: 1\ndevices: {{ pi-1: {{ handover: call-home }}, pi-2: }}\n{text}");
        match parse("t", &text) {
            Ok(fleet) => {
                let device = fleet.devices.values().next().unwrap();
                serde_yaml::to_string(&device.bastion).unwrap()
            }
            Err(problems) => problems.to_string(),
        }
    }

    #[test]
    fn a_bastion_needs_a_host_and_a_user() {
        insta::assert_snapshot!(told("defaults: { bastion: { host: b.example.org, user: home } }"), @r###"
        host: b.example.org
        port: 22
        user: home
        identity: null
        known_hosts: null
        ports:
          first: 20000
          last: 29999
        "###);
        insta::assert_snapshot!(told(
            "defaults: { bastion: { host: 10.0.0.1, port: 2222, user: home, identity: ~/.ssh/b, \
             known_hosts: hosts, ports: 3000-3999, reach: { host: 127.0.0.1, port: 8022 } } }"
        ), @r###"
        host: 10.0.0.1
        port: 2222
        user: home
        identity: ~/.ssh/b
        known_hosts: hosts
        ports:
          first: 3000
          last: 3999
        reach:
          host: 127.0.0.1
          port: 8022
        "###);
    }

    #[test]
    fn what_is_wrong_with_a_bastion_is_told_in_its_place() {
        let wrong = [
            "",
            "defaults: { bastion: { port: 0, ports: 22-23, reach: { port: 1 } } }",
            "defaults: { bastion: { host: a b, user: a@b, host_keys: accept-new } }",
            "bastion: { host: b.example.org, user: home }",
        ];
        insta::assert_snapshot!(wrong.map(told).join("\n"), @r###"
        t:2:30: devices.pi-1.handover: no bastion is named for pi-1 to call
          hint: write `bastion: { host: …, user: … }` under `defaults:`, a group or a device
        t:3:22: defaults.bastion: the key `host` is missing
          hint: write `host:` with a host name or address
        t:3:22: defaults.bastion: the key `user` is missing
          hint: write `user:` with a user name
        t:3:30: defaults.bastion.port: expected a number between 1 and 65535, found number 0
        t:3:40: defaults.bastion.ports: "22-23" is not a range of ports from 1024 on
          hint: write it as 20000-29999
        t:3:54: defaults.bastion.reach: the key `host` is missing
          hint: write `host:` with a host name or address
        t:3:30: defaults.bastion.host: "a b" is not a host name or address
          hint: write a name such as kiosk-042.example.org or an address such as 10.1.4.42
        t:3:41: defaults.bastion.user: "a@b" is not a user name
          hint: write only the name of the user, such as pi
        t:3:46: defaults.bastion.host_keys: the host key of a bastion is never taken on trust: devices are told of it
          hint: put it into the file of `known_hosts:`, for instance with `ssh-keyscan`
        t:3:1: bastion: this cannot stand at the top level
          hint: write it under `defaults:`
        "###);
    }

    #[test]
    fn a_range_has_as_many_ports_as_it_says() {
        let range = PortRange { first: 65_534, last: 65_535 };
        assert_eq!(
            [0, 1, 2, 70_000].map(|place| range.get(place)),
            [Some(65_534), Some(65_535), None, None]
        );
    }
}
