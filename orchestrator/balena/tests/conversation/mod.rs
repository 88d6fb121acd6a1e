//! All that the client says to a balena API, once, with a device that is there for this alone.
//!
//! The lab's API is asked by the tests, and any real one by the example `real_api`; both have to agree.

use migos_balena::Balena;
use migos_engine::port::{BalenaApi, BalenaError, Registration, Table};
use migos_inventory::FleetSlug;
use migos_playbooks::balena::{BalenaFleet, DeviceUuid, Heartbeat};
use std::collections::BTreeMap;

/// The name of the device, by which a person finds it should it be left over.
const NAME: &str = "migos-fleet's own test, may be deleted";

/// What was asked and answered so far.
pub(crate) type Told<'a> = &'a mut dyn FnMut(&str, &str);

/// Asks everything, and takes back what was made. `random` is 32 hexadecimal digits that were never used before.
///
/// # Errors
/// What was not answered as it should be.
pub(crate) async fn hold(
    balena: &Balena,
    fleet: &FleetSlug,
    random: &str,
    told: Told<'_>,
) -> Result<(), String> {
    let wrong = |what: &'static str| move |error: BalenaError| format!("{what}: {error}");
    told("whoami", &balena.whoami().await.map_err(wrong("whoami"))?);
    let nobody = FleetSlug::new(format!("{}-{}", fleet.as_str(), &random[..8]));
    let nobody = nobody.map_err(|error| error.to_string())?;
    let none = balena.fleet(&nobody).await.map_err(wrong("a fleet that there is not"))?;
    expect("a fleet that there is not is none", none.is_none())?;
    let found = balena.fleet(fleet).await.map_err(wrong("the fleet"))?;
    let found = found.ok_or_else(|| format!("there is no fleet {}", fleet.as_str()))?;
    let is = format!("{} for {} ({})", found.id, found.device_type, found.architecture);
    told("the fleet", &is);

    let device = Registration {
        fleet: found.id,
        device_type: found.device_type.clone(),
        uuid: DeviceUuid(random.to_owned()),
        device_key: random.chars().rev().collect(),
        name: NAME.to_owned(),
    };
    let said = with_device(balena, &found, &device, told).await;
    // Whatever was said, the device goes.
    let gone = balena.withdraw(&device.uuid).await.map_err(wrong("withdrawal"))?;
    said?;
    expect("a device that was never seen is withdrawn", gone)?;
    let again = balena.withdraw(&device.uuid).await.map_err(wrong("withdrawal repeated"))?;
    expect("a withdrawal repeated finds nothing to do", again)?;
    let left = balena.sightings(std::slice::from_ref(fleet)).await;
    let left = left.map_err(wrong("sightings after the withdrawal"))?;
    expect("the device is gone", left.iter().all(|one| one.uuid != device.uuid))?;
    told("withdrawal", "done, and nothing to do the second time");
    Ok(())
}

async fn with_device(
    balena: &Balena,
    fleet: &BalenaFleet,
    device: &Registration,
    told: Told<'_>,
) -> Result<(), String> {
    let wrong = |what: &'static str| move |error: BalenaError| format!("{what}: {error}");
    let id = balena.register(device).await.map_err(wrong("registration"))?;
    let again = balena.register(device).await.map_err(wrong("registration repeated"))?;
    expect("a registration repeated finds the same device", id == again)?;
    let other = Registration { device_key: "0".repeat(32), ..device.clone() };
    let refused = balena.register(&other).await;
    expect("a uuid of somebody else is refused", matches!(refused, Err(BalenaError::Refused(_))))?;
    told("registration", &format!("device {id}, the same one the second time"));

    let seen = balena.sightings(std::slice::from_ref(&fleet.slug)).await;
    let seen = seen.map_err(wrong("sightings"))?;
    let own = seen.iter().find(|one| one.uuid == device.uuid);
    let own = own.ok_or("the device is not among its fleet's")?;
    expect("it has the name it was given", own.name == NAME)?;
    expect("nobody has seen it", own.heartbeat == Heartbeat::Unknown && !own.vpn)?;
    expect("it reported no version", own.os_version.is_none())?;
    told("sightings", &format!("{} devices, this one as it should be", seen.len()));

    for value in ["64", "it's \"16\", ü & 1+1=2", "16"] {
        let variables =
            BTreeMap::from([("RESIN_HOST_CONFIG_gpu_mem".to_owned(), value.to_owned())]);
        for _ in 0..2 {
            let set = balena.set_values(id, Table::Config, &variables).await;
            set.map_err(wrong("a configuration variable"))?;
        }
    }
    let foreign = BTreeMap::from([("FOREIGN".to_owned(), "1".to_owned())]);
    let refused = balena.set_values(id, Table::Config, &foreign).await;
    expect("a foreign name is refused", matches!(refused, Err(BalenaError::Refused(_))))?;
    told("variables", "set, set again, replaced; a foreign name is refused");
    Ok(())
}

fn expect(what: &str, holds: bool) -> Result<(), String> {
    if holds { Ok(()) } else { Err(format!("not as it should be: {what}")) }
}
