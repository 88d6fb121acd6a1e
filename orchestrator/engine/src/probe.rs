//! Reads the facts of many devices; changes nothing.

use crate::port::{Session, Target, Transport, TransportError};
use migos_inventory::DeviceId;
use migos_payload::size::ByteCount;
use migos_playbooks::facts::{Facts, FactsByDevice, Probed, parse};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::sleep;

/// What files and folders take, by path.
type Sizes = BTreeMap<String, Option<ByteCount>>;

/// Tries to reach a device before it counts as unreachable.
const TRIES: u32 = 3;

/// Probes these devices, so many at a time. Each tries which of these hosts it reaches, each `HOST:PORT`,
/// and tells what those of these files and folders take that are its own.
pub async fn probe_all<T: Transport>(
    transport: Arc<T>,
    targets: Vec<Target>,
    hosts: Vec<String>,
    mut data: BTreeMap<DeviceId, Vec<String>>,
    parallel: usize,
) -> FactsByDevice {
    let (hosts, mut waiting) = (Arc::new(hosts), targets.into_iter());
    let (mut at_work, mut all) = (JoinSet::new(), FactsByDevice::new());
    loop {
        let free = parallel.max(1).saturating_sub(at_work.len());
        for target in waiting.by_ref().take(free) {
            let (transport, hosts) = (transport.clone(), hosts.clone());
            let paths = data.remove(&target.device).unwrap_or_default();
            // Where the sessions are: they and whoever waits for them would else wake each other in other threads.
            at_work.spawn(async move {
                let probed = probe(&*transport, &target, &hosts, &paths).await;
                (target.device, probed)
            });
        }
        match at_work.join_next().await {
            Some(Ok((device, probed))) => _ = all.insert(device, probed),
            Some(Err(error)) => std::panic::resume_unwind(error.into_panic()),
            None => return all,
        }
    }
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
