//! The table of what a probe found.

use crate::Style;
use crate::grid::{columns, table};
use crate::words::{Tone, many, paint, plain};
use migos_inventory::{DeviceId, fold};
use migos_playbooks::facts::{Facts, FactsByDevice, Network, Probed};
use migos_playbooks::plan::NetworkPlan;

/// What a probe found, one device a row; below it those that told nothing, and why.
pub fn probe_table(facts: &FactsByDevice, style: Style) -> String {
    let mut rows = Vec::new();
    let mut silent: Vec<(String, String, Vec<&DeviceId>)> = Vec::new();
    for (id, probed) in facts {
        let (reason, remedy) = match probed {
            Probed::Facts(facts) => {
                rows.push(facts_row(id, facts));
                continue;
            }
            Probed::Unreachable(reason) => (plain(reason), String::new()),
            Probed::Unusable { reason, remedy } => (plain(reason), plain(remedy)),
        };
        match silent.iter_mut().find(|(known, cure, _)| (known, cure) == (&reason, &remedy)) {
            Some((_, _, devices)) => devices.push(id),
            None => silent.push((reason, remedy, vec![id])),
        }
    }
    let answered = rows.len();
    let mut text = String::new();
    if answered > 0 {
        let header = ["device", "model", "system", "kernel", "boot free", "network"];
        text += &table(style, &header, &[4], rows);
    }
    text += &format!("{} of {} answered\n", answered, many(facts.len(), "device"));
    if !silent.is_empty() {
        let row = |(reason, remedy, devices): (_, _, Vec<_>)| vec![fold(devices), reason, remedy];
        text += &format!("\n{}\n", paint(style, Tone::Plain, "No facts"));
        text += &columns(style, silent.into_iter().map(row).collect());
    }
    text
}

fn facts_row(id: &DeviceId, facts: &Facts) -> Vec<String> {
    let free = facts.boot.as_ref().map(|boot| boot.file_system.free.to_string());
    vec![
        id.to_string(),
        plain(&facts.model).replace("Raspberry Pi", "Pi"),
        plain(&facts.os.name).replace(" GNU/Linux", ""),
        plain(&facts.kernel),
        free.unwrap_or_else(|| "not mounted".to_owned()),
        network_words(&facts.network),
    ]
}

fn network_words(network: &Network) -> String {
    let Some(interface) = &network.interface else { return "no default route".to_owned() };
    let mut words = plain(interface);
    if network.wireless {
        words += ", wireless";
    }
    if NetworkPlan::of(&network.configuration).is_ok_and(|plan| plan.has_fixed_address()) {
        words += ", fixed address";
    }
    words
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::sample::id;
    use migos_payload::board::Revision;
    use migos_payload::size::ByteCount;
    use migos_playbooks::facts::{BootPartition, FileSystem, Firmware, OsRelease};

    const STYLE: Style = Style { color: false, width: 120 };

    fn facts(network: Network) -> Probed {
        let boot = BootPartition {
            path: "/boot".into(),
            file_system: FileSystem { free: ByteCount(203_000_000), ..FileSystem::default() },
            partition: Some(1),
            extent: None,
            files: Default::default(),
            sums: Default::default(),
            config_txt: String::new(),
            cmdline_txt: String::new(),
            dirty: None,
        };
        Probed::Facts(Box::new(Facts {
            largest: Vec::new(),
            data: Default::default(),
            clock: None,
            card_errors: Default::default(),
            watchdogs: Default::default(),
            hat: None,
            reach: Default::default(),
            model: "Raspberry Pi 3 Model B Plus Rev 1.3".into(),
            revision: Revision(0xa020d3),
            serial: "00000000765fc593".into(),
            machine_id: "6f".repeat(16),
            hostname: "kiosk".into(),
            os: OsRelease {
                id: "raspbian".into(),
                version: "10".into(),
                name: "Raspbian GNU/Linux 10 (buster)".into(),
            },
            kernel: "5.10.103-v7+".into(),
            machine: "armv7l".into(),
            userland: "armhf".into(),
            memory: ByteCount(900_000_000),
            boot: Some(boot),
            root: FileSystem::default(),
            cmdline: String::new(),
            disk: None,
            device_mapper: Default::default(),
            firmware: Firmware::default(),
            throttled: None,
            network,
        }))
    }

    #[test]
    fn a_probe_as_a_table_tells_also_who_did_not_answer() {
        let wired = Network { interface: Some("eth0".into()), ..Network::default() };
        let wireless =
            Network { interface: Some("wlan0".into()), wireless: true, ..Network::default() };
        let refused = Probed::Unusable {
            reason: "sudo asks for a password".into(),
            remedy: "set ssh.sudo_password".into(),
        };
        let table = probe_table(
            &[
                (id("kiosk-001"), facts(wired)),
                (id("kiosk-002"), facts(wireless)),
                (id("kiosk-003"), Probed::Unreachable("connect timeout".into())),
                (id("kiosk-004"), Probed::Unreachable("connect timeout".into())),
                (id("kiosk-005"), refused),
            ]
            .into(),
            STYLE,
        );
        insta::assert_snapshot!(table, @r###"
         device      model                       system                 kernel         boot free   network
        ───────────────────────────────────────────────────────────────────────────────────────────────────────────
         kiosk-001   Pi 3 Model B Plus Rev 1.3   Raspbian 10 (buster)   5.10.103-v7+      203 MB   eth0
         kiosk-002   Pi 3 Model B Plus Rev 1.3   Raspbian 10 (buster)   5.10.103-v7+      203 MB   wlan0, wireless
        ───────────────────────────────────────────────────────────────────────────────────────────────────────────
        2 of 5 devices answered

        No facts
          kiosk-[003-004]  connect timeout
          kiosk-005        sudo asks for a password  set ssh.sudo_password
        "###);
    }
}
