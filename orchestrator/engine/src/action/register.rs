//! Register: make the device known to balena under the uuid and key that this run chose for it, with what is kept of
//! its `config.txt`.

use super::Failure;
use crate::executor::Device;
use crate::port::{BalenaApi, Registration, Transport};
use migos_events::Learned;

pub(super) async fn perform<T: Transport, B: BalenaApi>(
    device: &mut Device<T, B>,
) -> Result<Learned, Failure> {
    let registration = Registration {
        fleet: device.plan().fleet_id,
        device_type: device.image_manifest()?.device_type.clone(),
        uuid: device.secrets.uuid.clone(),
        device_key: device.secrets.device_key.clone(),
        name: device.id.to_string(),
    };
    let id = device.world.balena.register(&registration).await?;
    device.world.balena.set_variables(id, &device.plan().variables).await?;
    Ok(Learned { balena_id: Some(id), ..Learned::default() })
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
