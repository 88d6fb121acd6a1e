//! A device's networks with their passphrases: read again on Raspbian, translated as the plan has it, and kept in the
//! run's secrets until MIGOS is given them. They are not in the plan, which holds no secret.

use super::Failure;
use crate::executor::Device;
use crate::port::{BalenaApi, Session, Transport};
use migos_payload::network::{ConfigFile, Found, Networks, translate};
use migos_playbooks::facts::config_text;
use migos_playbooks::plan::NetworkPlan;

/// A file that configures a network has at most so many bytes.
const FILE_LIMIT: u64 = 256 << 10;

/// Reads the files that the plan was made from, and keeps what becomes of them. May be repeated: it looks again, so
/// that a passphrase that was changed meanwhile is the new one.
pub(super) async fn found_again<T: Transport, B: BalenaApi>(
    device: &mut Device<T, B>,
) -> Result<Networks, Failure> {
    let plan = device.plan().network.clone();
    let session = device.raspbian().await?;
    let mut files = Vec::new();
    for source in &plan.sources {
        if let Some(bytes) = session.read(&source.path, FILE_LIMIT).await? {
            files.push(ConfigFile { path: source.path.clone(), text: config_text(&bytes) });
        }
    }
    let mut networks = as_planned(&plan, files)?;
    let added = device.world.keyfiles.get(&device.id).cloned().unwrap_or_default();
    if !added.keys().eq(plan.added.keys()) {
        return Err(Failure::Failed("a keyfile of the inventory is not at hand".into()));
    }
    networks.keyfiles.extend(added);
    let kept = device.world.secrets.keep_networks(&device.id, &networks);
    kept.map_err(|error| Failure::Failed(format!("its networks could not be kept: {error}")))?;
    Ok(networks)
}

/// The networks of these files, if they differ from the plan's in nothing but secrets.
fn as_planned(plan: &NetworkPlan, files: Vec<ConfigFile>) -> Result<Networks, Failure> {
    let found = Found { files, ..plan.found.clone() };
    let changes = plan.changes(&found);
    if !changes.is_empty() {
        let changes = changes.join(", ");
        return Err(Failure::Refused(format!("{changes} since the plan was made")));
    }
    let other = || Failure::Refused("its network is not what the plan was made for".into());
    let networks = translate(&found).map_err(|_| other())?;
    let is_the_same = networks.migos == plan.migos
        && networks.wifi.is_some() == plan.wifi
        && networks.keyfiles.keys().eq(plan.keyfiles.keys());
    if is_the_same { Ok(networks) } else { Err(other()) }
}

/// What [`found_again`] has kept.
pub(super) fn kept<T: Transport, B: BalenaApi>(device: &Device<T, B>) -> Result<Networks, Failure> {
    let kept = device.world.secrets.networks(&device.id);
    kept.map_err(|error| Failure::Failed(format!("its networks are not known any more: {error}")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;
    use migos_payload::network::{Interface, mask};

    const PATH: &str = "/etc/wpa_supplicant/wpa_supplicant.conf";

    fn conf(psk: &str, more: &str) -> Vec<ConfigFile> {
        let text = format!("country=DE\nnetwork={{\n\tssid=\"shop\"\n\tpsk=\"{psk}\"\n{more}}}\n");
        vec![ConfigFile { path: PATH.to_owned(), text }]
    }

    fn plan() -> NetworkPlan {
        let interface = Interface {
            name: "wlan0".into(),
            mac: "b8:27:eb:00:00:02".into(),
            wireless: true,
            addresses: vec!["192.168.1.20".parse().unwrap()],
            is_default_route: true,
        };
        let files = conf("correct horse", "").iter().map(mask).collect();
        let active = ["dhcpcd".to_owned()].into();
        NetworkPlan::of(&Found { files, interfaces: vec![interface], active, ..Found::default() })
            .unwrap()
    }

    #[test]
    fn the_passphrase_is_that_of_the_device_now() {
        let plan = plan();
        assert!(plan.wifi && !format!("{plan:?}").contains("correct horse"));
        for psk in ["correct horse", "battery staple"] {
            let networks = as_planned(&plan, conf(psk, "")).unwrap();
            assert!(networks.wifi.unwrap().contains(psk));
            assert!(networks.keyfiles.values().any(|text| text.contains(psk)));
        }
    }

    #[test]
    fn another_network_than_the_plans_is_refused_without_its_secrets() {
        for files in [conf("battery staple", "\tscan_ssid=1\n"), Vec::new()] {
            let Err(Failure::Refused(words)) = as_planned(&plan(), files) else { panic!() };
            assert!(
                words.starts_with(PATH) && words.ends_with("since the plan was made"),
                "{words}"
            );
            assert!(!words.contains("staple"));
        }
    }
}
