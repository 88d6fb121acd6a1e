//! The balena API, as far as the engine uses it.

use migos_inventory::FleetSlug;
use migos_playbooks::balena::{BalenaFleet, DeviceUuid, SeenRelease, Sighting};
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;

/// The balena API, as far as the engine uses it.
pub trait BalenaApi: Send + Sync + 'static {
    /// Who the token belongs to: the check of the credentials.
    fn whoami(&self) -> impl Future<Output = Result<String, BalenaError>> + Send;

    /// The fleet of this slug; `None` if there is none or the token may not see it.
    fn fleet(
        &self,
        slug: &FleetSlug,
    ) -> impl Future<Output = Result<Option<BalenaFleet>, BalenaError>> + Send;

    /// The release of this commit in a fleet, by its numeric id; `None` if there is none.
    fn release(
        &self,
        fleet: u64,
        commit: &str,
    ) -> impl Future<Output = Result<Option<SeenRelease>, BalenaError>> + Send;

    /// All devices of these fleets, in one request.
    fn sightings(
        &self,
        fleets: &[FleetSlug],
    ) -> impl Future<Output = Result<Vec<Sighting>, BalenaError>> + Send;

    /// Those of these devices that balena knows, whatever their fleet; as many requests as it takes.
    fn sightings_of(
        &self,
        devices: &[DeviceUuid],
    ) -> impl Future<Output = Result<Vec<Sighting>, BalenaError>> + Send;

    /// Registers a device under a uuid and key that we chose; repeated, it finds the same device again.
    /// Returns balena's numeric id of the device.
    fn register(
        &self,
        registration: &Registration,
    ) -> impl Future<Output = Result<u64, BalenaError>> + Send;

    /// Sets values of a device, by its numeric id; those that are so already are left alone, and so are others.
    fn set_values(
        &self,
        device: u64,
        table: Table,
        values: &BTreeMap<String, String>,
    ) -> impl Future<Output = Result<(), BalenaError>> + Send;

    /// Pins a device to a release of its fleet, by the release's numeric id.
    fn pin(
        &self,
        uuid: &DeviceUuid,
        release: u64,
    ) -> impl Future<Output = Result<(), BalenaError>> + Send;

    /// Moves a device to another fleet, by the fleet's numeric id; what it was pinned to is forgotten.
    fn move_to(
        &self,
        uuid: &DeviceUuid,
        fleet: u64,
    ) -> impl Future<Output = Result<(), BalenaError>> + Send;

    /// Deletes a registered device that was never seen. True if it is gone; false if balena has seen it
    /// and it was left alone.
    fn withdraw(&self, uuid: &DeviceUuid)
    -> impl Future<Output = Result<bool, BalenaError>> + Send;
}

/// What of a device has names and values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Table {
    /// Configuration variables, which its supervisor carries out; their names begin with `BALENA_` or `RESIN_`.
    Config,
    /// Environment variables, which its services see.
    Environment,
    /// Tags.
    Tags,
}

/// A device to be registered.
#[derive(Clone)]
pub struct Registration {
    /// The fleet's numeric id.
    pub fleet: u64,
    /// The balena device type.
    pub device_type: String,
    /// The uuid we chose.
    pub uuid: DeviceUuid,
    /// The device key we chose: 32 hex digits.
    pub device_key: String,
    /// The name it shall have.
    pub name: String,
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registration").field("uuid", &self.uuid).field("name", &self.name).finish()
    }
}

/// Why balena did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BalenaError {
    /// No answer, an overload or a fault of the service: says nothing about any device.
    #[error("balena is away: {message}")]
    Away {
        /// What happened.
        message: String,
        /// Seconds after which the service asked to be tried again, if it did.
        retry_after: Option<u64>,
    },
    /// The token is wrong or may not do this.
    #[error("balena refused the token: {0}")]
    Token(String),
    /// The request was refused.
    #[error("balena refused the request: {0}")]
    Refused(String),
    /// The answer is not of the API's form.
    #[error("balena answered what cannot be understood: {0}")]
    Garbled(String),
}
