//! Register: make the device known to balena under the uuid and key that this run chose for it, with all that
//! it is there before its first start: name, tags, variables and release.

use super::{Failure, carry};
use crate::executor::Device;
use crate::port::{BalenaApi, Registration, Table, Transport};
use migos_events::Learned;
use migos_playbooks::plan::{TAG_CHANGE, TAG_RUN};
use std::collections::BTreeMap;

pub(super) async fn perform<T: Transport, B: BalenaApi>(
    device: &mut Device<T, B>,
) -> Result<Learned, Failure> {
    let registration = Registration {
        fleet: device.plan().fleet_id,
        device_type: device.image_manifest()?.device_type.clone(),
        uuid: device.secrets.uuid.clone(),
        device_key: device.secrets.device_key.clone(),
        name: device.plan().name_on_balena(&device.id),
    };
    let id = device.world.balena.register(&registration).await?;
    describe(device, id).await?;
    Ok(Learned { balena_id: Some(id), ..Learned::default() })
}

/// A record that is cut off in the middle of this is known by its tags, so these come first.
async fn describe<T: Transport, B: BalenaApi>(
    device: &Device<T, B>,
    id: u64,
) -> Result<(), Failure> {
    let (plan, balena) = (device.plan(), &device.world.balena);
    balena.set_values(id, Table::Tags, &tags(device)).await?;
    balena.set_values(id, Table::Config, &plan.config_variables()).await?;
    balena.set_values(id, Table::Environment, &carry::environment(device)?).await?;
    // A device that is moved is pinned where it stays.
    if let (Some(pin), None) = (&plan.identity.pin, &plan.identity.move_to) {
        balena.pin(&device.secrets.uuid, pin.id).await?;
    }
    Ok(())
}

fn tags<T: Transport, B: BalenaApi>(device: &Device<T, B>) -> BTreeMap<String, String> {
    let mut tags = device.plan().tags();
    tags.insert(TAG_RUN.to_owned(), device.world.run.to_string());
    let change = device.world.provisions.change.clone();
    tags.extend(change.map(|change| (TAG_CHANGE.to_owned(), change)));
    tags
}

pub(super) async fn undo<T: Transport, B: BalenaApi>(
    device: &mut Device<T, B>,
) -> Result<(), Failure> {
    let uuid = device.secrets.uuid.clone();
    let left = match device.world.balena.withdraw(&uuid).await {
        Ok(true) => return Ok(()),
        Ok(false) => "balena has seen it already".to_owned(),
        Err(error) => error.to_string(),
    };
    // A record too many harms no device, so it does not make the undo fail.
    device.note(format!("its record {} was left on balena: {left}", uuid.short())).await;
    Ok(())
}
