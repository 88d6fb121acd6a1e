//! Reads the facts of many devices; changes nothing.

use crate::port::{Session, Target, Transport, TransportError};
use futures::{StreamExt, stream};
use migos_inventory::DeviceId;
use migos_payload::size::ByteCount;
use migos_playbooks::facts::{Facts, FactsByDevice, Probed, parse};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::sleep;

/// What files and folders take, by path.
type Sizes = BTreeMap<String, Option<ByteCount>>;

/// Tries to reach a device before it counts as unreachable.
const TRIES: u32 = 3;

/// Probes these devices, so many at a time. Each tries which of these hosts it reaches, each `HOST:PORT`,
/// and tells what those of these files and folders take that are its own.
pub async fn probe_all<T: Transport>(
    transport: &T,
    targets: Vec<Target>,
    hosts: &[String],
    data: &BTreeMap<DeviceId, Vec<String>>,
    parallel: usize,
) -> FactsByDevice {
    let probes = targets.into_iter().map(|target| async move {
        let paths = data.get(&target.device).map(Vec::as_slice).unwrap_or_default();
        let probed = probe(transport, &target, hosts, paths).await;
        (target.device, probed)
    });
    stream::iter(probes).buffer_unordered(parallel.max(1)).collect().await
}

async fn probe<T: Transport>(
    transport: &T,
    target: &Target,
    hosts: &[String],
    paths: &[String],
) -> Probed {
    let mut pause = Duration::from_millis(500);
    let mut tries = 1;
    loop {
        match probe_once(transport, target, hosts, paths).await {
            Ok((text, data)) => {
                return match parse(&text) {
                    Ok(facts) => Probed::Facts(Box::new(Facts { data, ..facts })),
                    Err(error) => Probed::Unusable {
                        reason: format!("its facts are not understood: {error}"),
                        remedy: "look whether it is a Raspberry Pi with Raspbian".into(),
                    },
                };
            }
            Err(error) if error.is_transient() && tries < TRIES => {
                tries += 1;
                sleep(pause).await;
                pause *= 2;
            }
            Err(error) if error.is_transient() => {
                // Its address says nothing new, and would keep devices apart that are silent alike.
                let address = format!("{}:{}: ", target.host, target.port);
                let why = error.to_string().replace(&address, "");
                return Probed::Unreachable(format!("{why}, {TRIES} tries"));
            }
            Err(error) => {
                return Probed::Unusable { remedy: remedy(&error), reason: error.to_string() };
            }
        }
    }
}

async fn probe_once<T: Transport>(
    transport: &T,
    target: &Target,
    hosts: &[String],
    paths: &[String],
) -> Result<(String, Sizes), TransportError> {
    let session = transport.connect(target).await?;
    let answers = look(&session, hosts, paths).await;
    session.close().await;
    answers
}

async fn look<S: Session>(
    session: &S,
    hosts: &[String],
    paths: &[String],
) -> Result<(String, Sizes), TransportError> {
    let text = session.probe(hosts).await?;
    let sizes = if paths.is_empty() { Sizes::new() } else { session.sizes(paths).await? };
    Ok((text, sizes))
}

fn remedy(error: &TransportError) -> String {
    match error {
        TransportError::HostKey(_) => "look who answers there; then correct known_hosts",
        TransportError::Login(_) => "check user and identity under `ssh:` in the inventory",
        TransportError::Root(_) => {
            "allow sudo without a password for this user, or give `sudo_password` in the inventory"
        }
        _ => "try it by hand: ssh to the device and look",
    }
    .to_owned()
}
