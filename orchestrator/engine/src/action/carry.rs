//! Carry: read from the device, while it is on Raspbian, the values that it takes along to balena.

use super::Failure;
use crate::executor::Device;
use crate::port::{BalenaApi, Session, Transport};
use migos_inventory::ValueSource;
use std::collections::BTreeMap;

/// A value is no longer, in bytes: it goes into the environment of every service.
const LONGEST_VALUE: u64 = 32 * 1024;

/// Reads them once; they are kept with the secrets of the run.
pub(super) async fn perform<T: Transport, B: BalenaApi>(
    device: &mut Device<T, B>,
) -> Result<(), Failure> {
    let wanted: BTreeMap<String, String> = sources(device);
    if wanted.is_empty() || device.carried()?.is_some() {
        return Ok(());
    }
    let mut values = BTreeMap::new();
    for (name, path) in wanted {
        let read = device.raspbian().await?.read(&path, LONGEST_VALUE).await?;
        let failed = |why: &str| Failure::Failed(format!("{path}, the value of {name}, {why}"));
        let bytes = read.ok_or_else(|| failed("is not on the device"))?;
        let text = String::from_utf8(bytes).map_err(|_not_text| failed("is not text"))?;
        values.insert(name, text.trim_end_matches(['\r', '\n']).to_owned());
    }
    device.carry(&values)
}

fn sources<T: Transport, B: BalenaApi>(device: &Device<T, B>) -> BTreeMap<String, String> {
    let all = &device.plan().identity.environment;
    let of_device = all.iter().filter_map(|(name, source)| match source {
        ValueSource::Device(path) => Some((name.clone(), path.clone())),
        ValueSource::Literal(_) | ValueSource::Env(_) | ValueSource::File(_) => None,
    });
    of_device.collect()
}

/// The environment variables that the device gets, with their values.
pub(super) fn environment<T: Transport, B: BalenaApi>(
    device: &Device<T, B>,
) -> Result<BTreeMap<String, String>, Failure> {
    let carried = device.carried()?.unwrap_or_default();
    let given = device.world.provisions.environment.get(&device.id);
    let mut values = BTreeMap::new();
    for (name, source) in &device.plan().identity.environment {
        let value = match source {
            ValueSource::Literal(text) => Some(text.clone()),
            ValueSource::Env(_) | ValueSource::File(_) => {
                given.and_then(|given| given.get(name)).cloned()
            }
            ValueSource::Device(_) => carried.get(name).cloned(),
        };
        let missing = || Failure::Failed(format!("the value of {name} was not read"));
        values.insert(name.clone(), value.ok_or_else(missing)?);
    }
    Ok(values)
}
