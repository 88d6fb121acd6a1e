//! What MIGOS brings up at a site, by its job.

use std::net::IpAddr;

use migos_contract as contract;
use migos_contract::{Link, Network};

use super::lan::{Addressing, Lan, Way, default_way};
use super::radio::attempts;
use super::{Plug, Port, Site};

/// The metrics that MIGOS gives: a wire goes before the air.
const METRIC_WIRE: u32 = 200;
const METRIC_RADIO: u32 = 300;

impl Site {
    /// How far MIGOS gets with its job's network and the `wpa_supplicant.conf` beside it.
    pub(crate) fn for_migos(&self, network: &Network, wifi: Option<&str>) -> Way {
        if self.is_unknown() {
            return Way::Out;
        }
        default_way(self.ports.iter().filter_map(|port| self.by_port(port, network, wifi)))
    }

    fn by_port(&self, port: &Port, network: &Network, wifi: Option<&str>) -> Option<(u32, Way)> {
        let (addressing, has_radio) = match network.links.is_empty() {
            // A radio wants credentials, and so a job that names it.
            true => (Addressing::Dhcp, false),
            false => {
                let is_ours = |link: &&Link| link.mac.trim().eq_ignore_ascii_case(&port.mac);
                let link = network.links.iter().find(is_ours)?;
                (read(&link.addressing), link.wifi)
            }
        };
        let names: &[IpAddr] = &network.dns;
        let way = |lan: &Lan| lan.way(&addressing, names);
        match &port.plug {
            Plug::Lan(lan) => Some((METRIC_WIRE, way(lan))),
            // It sets the address whether anybody is there or not.
            Plug::Nothing | Plug::Tagged(..) => match addressing {
                Addressing::Static { router: Some(_), .. } => Some((METRIC_WIRE, Way::Wrong)),
                _ => None,
            },
            Plug::Radio if has_radio => {
                let lan = self.joined(wifi?)?;
                Some((METRIC_RADIO, way(lan)))
            }
            Plug::Radio => None,
        }
    }

    /// The network that a radio joins with this configuration.
    fn joined(&self, wifi: &str) -> Option<&Lan> {
        let attempts = match attempts(wifi) {
            Ok(attempts) => attempts,
            Err(reason) => {
                tracing::debug!(reason, "wpa_supplicant does not start");
                return None;
            }
        };
        let joins = |point: &&super::AccessPoint| attempts.iter().any(|it| point.lets_in(it));
        self.air.iter().find(joins).map(|point| &point.lan)
    }
}

fn read(addressing: &contract::Addressing) -> Addressing {
    match addressing {
        contract::Addressing::Dhcp { .. } => Addressing::Dhcp,
        contract::Addressing::Static { addresses, router } => Addressing::Static {
            addresses: addresses.iter().filter_map(|text| Addressing::address(text)).collect(),
            router: *router,
        },
    }
}
