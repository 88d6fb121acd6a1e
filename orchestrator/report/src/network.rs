//! What becomes of a device's network, line by line. Plans hold no secret, so nothing needs to be hidden here.

use crate::Style;
use crate::words::{Tone, paint, paragraph, plain};
use migos_inventory::DeviceId;
use migos_playbooks::plan::NetworkPlan;

/// A part of a device's network: its title, and its lines.
pub(crate) struct Part {
    pub(crate) title: String,
    pub(crate) lines: Vec<String>,
}

/// The parts: what is given to balenaOS, and where it comes from.
pub(crate) fn parts(network: &NetworkPlan) -> Vec<Part> {
    if network.is_default() {
        return Vec::new();
    }
    let sources = network.sources.iter().map(|source| source.path.clone()).collect::<Vec<_>>();
    let part = |title: &str, lines| Part { title: title.to_owned(), lines };
    let mut parts = vec![part("reached through", network.words(true))];
    if !sources.is_empty() {
        parts.push(part("made from, and compared again before the job is written", sources));
    }
    parts.extend(network.keyfiles.iter().map(|(name, text)| Part {
        title: format!("system-connections/{}", plain(name)),
        lines: text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect(),
    }));
    parts.extend(network.added.iter().map(|(name, added)| Part {
        title: format!("system-connections/{}", plain(name)),
        lines: vec![format!("the inventory's {}", added.path)],
    }));
    let settings = settings(network);
    if !settings.is_empty() {
        parts.push(part("config.json", settings));
    }
    if !network.notes.is_empty() {
        parts.push(part("left out", network.notes.clone()));
    }
    parts.iter_mut().flat_map(|part| &mut part.lines).for_each(|line| *line = plain(line));
    parts
}

/// What of it stands in `config.json`.
fn settings(network: &NetworkPlan) -> Vec<String> {
    let list = |name: &str, all: Vec<String>| {
        (!all.is_empty()).then(|| format!("{name}: {}", all.join(" ")))
    };
    let country = network.country.iter().cloned().collect();
    let dns = network.dns.iter().map(ToString::to_string).collect();
    [list("country", country), list("dnsServers", dns), list("ntpServers", network.ntp.clone())]
        .into_iter()
        .flatten()
        .collect()
}

/// The same as text, under a title; nothing where balenaOS does it all by itself.
pub(crate) fn text(device: &DeviceId, network: &NetworkPlan, style: Style) -> String {
    let parts = parts(network);
    if parts.is_empty() {
        return String::new();
    }
    let mut text = format!("\n{}\n", paint(style, Tone::Plain, &format!("Network of {device}")));
    for part in parts {
        text += &paragraph(style, 2, &part.title);
        text += &part.lines.iter().map(|line| paragraph(style, 4, line)).collect::<String>();
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::sample;
    use migos_payload::digest::Sha256;
    use migos_playbooks::plan::{AddedKeyfile, NetworkSource};

    #[test]
    fn every_line_of_a_connection_is_told() {
        let shop = "[connection]\nid=shop\ntype=wifi\n\n[wifi-security]\npsk=<secret>\n";
        let any = Sha256::of(b"");
        let network = NetworkPlan {
            sources: vec![NetworkSource { path: "/etc/dhcpcd.conf".into(), sha256: any }],
            keyfiles: [("shop".to_owned(), shop.to_owned())].into(),
            added: [("lte".to_owned(), AddedKeyfile { path: "keys/lte".into(), sha256: any })]
                .into(),
            country: Some("DE".into()),
            ntp: vec!["time.shop".into(), "10.0.0.1".into()],
            notes: vec!["it has no \u{1b}[31m bridge".into()],
            ..NetworkPlan::default()
        };
        let style = Style { color: false, width: 100 };
        insta::assert_snapshot!(text(&sample::id("kiosk-1"), &network, style), @r###"
        Network of kiosk-1
          reached through
            every wired interface: DHCP
            added: lte
          made from, and compared again before the job is written
            /etc/dhcpcd.conf
          system-connections/shop
            [connection]
            id=shop
            type=wifi
            [wifi-security]
            psk=<secret>
          system-connections/lte
            the inventory's keys/lte
          config.json
            country: DE
            ntpServers: time.shop 10.0.0.1
          left out
            it has no  [31m bridge
        "###);
        assert_eq!(text(&sample::id("kiosk-1"), &NetworkPlan::default(), style), "");
    }
}
