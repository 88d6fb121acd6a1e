//! What the device reaches of balena from where it stands.

use super::{Candidate, Verdict, pass, refuse, warn};

/// The domains where balena runs its VPN, called cloudlink, beside the API (balena documentation: network requirements).
const CLOUDS: [&str; 2] = ["balena-cloud.com", "balena-staging.com"];

/// Where balena's API and VPN are, each as `HOST:PORT`: what a probe is asked to try.
pub fn hosts(api: &str) -> Vec<String> {
    [api_host(api), vpn_host(api)].into_iter().flatten().collect()
}

fn api_host(api: &str) -> Option<String> {
    let (scheme, rest) = api.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?;
    let port = match scheme {
        "http" => 80,
        _ => 443,
    };
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    match host {
        "" => None,
        _ if has_port => Some(host.to_owned()),
        _ => Some(format!("{host}:{port}")),
    }
}

/// Servers of one's own have it where they please.
fn vpn_host(api: &str) -> Option<String> {
    let host = api_host(api)?;
    let domain = host.strip_prefix("api.")?.strip_suffix(":443")?;
    CLOUDS.contains(&domain).then(|| format!("cloudlink.{domain}:443"))
}

/// Without it the device would never be seen on balena: nobody could tell it from one that was lost.
pub(super) fn reaches_the_api(case: &Candidate<'_>) -> Option<Verdict> {
    let host = api_host(case.api)?;
    match case.facts.reach.get(&host)? {
        true => pass(format!("reaches {host}")),
        false => refuse(
            format!("it does not reach balena's API at {host}"),
            "let its network through to that: firewall, DNS, proxy",
        ),
    }
}

pub(super) fn reaches_the_vpn(case: &Candidate<'_>) -> Option<Verdict> {
    let host = vpn_host(case.api)?;
    match case.facts.reach.get(&host)? {
        true => pass(format!("reaches {host}")),
        false => warn(
            format!("it does not reach balena's VPN at {host}"),
            "let its network through to that: without it there is no terminal and no public URL",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{Sample, evidence, reasons, warnings};
    use super::hosts;

    #[test]
    fn the_hosts_are_those_of_the_api_and_on_balenas_own_cloud_of_the_vpn() {
        let cloud = ["api.balena-cloud.com:443", "cloudlink.balena-cloud.com:443"];
        assert_eq!(hosts("https://api.balena-cloud.com"), cloud);
        assert_eq!(hosts("https://api.balena-cloud.com/v7"), cloud);
        assert_eq!(hosts("https://api.example.org:8443/"), ["api.example.org:8443"]);
        assert_eq!(hosts("http://127.0.0.1:40123"), ["127.0.0.1:40123"]);
        assert_eq!(hosts("http://[::1]"), ["[::1]:80"]);
        assert_eq!(hosts("balena"), [""; 0]);
    }

    #[test]
    fn a_site_that_blocks_balena_is_refused_and_one_that_blocks_its_vpn_is_warned_of() {
        let blocked = Sample::buster().and("reach api.balena-cloud.com:443 no");
        assert_eq!(
            reasons(&blocked),
            ["it does not reach balena's API at api.balena-cloud.com:443"]
        );
        let half = Sample::buster()
            .and("reach api.balena-cloud.com:443 yes")
            .and("reach cloudlink.balena-cloud.com:443 no");
        assert!(reasons(&half).is_empty());
        assert_eq!(evidence(&half, "api-reach"), "reaches api.balena-cloud.com:443");
        assert_eq!(
            warnings(&half),
            ["it does not reach balena's VPN at cloudlink.balena-cloud.com:443"]
        );
        assert_eq!(evidence(&Sample::buster(), "api-reach"), "", "nobody has asked");
    }
}
