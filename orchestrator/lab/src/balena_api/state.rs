//! Fleets, devices, keys and heartbeats.

use super::{ApiConfig, Fault, FleetConfig};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::time::SystemTime;
use tokio::time::Instant;

/// A device as the API knows it at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceRecord {
    /// The numeric id.
    pub id: u64,
    /// The uuid.
    pub uuid: String,
    /// The name.
    pub name: String,
    /// The note, empty if there is none.
    pub note: String,
    /// The slug of its fleet.
    pub fleet: String,
    /// The device type it was registered with.
    pub device_type: String,
    /// The state of its heartbeat.
    pub heartbeat: HeartbeatState,
    /// The OS version it reported.
    pub os_version: Option<String>,
    /// The MAC addresses it reported, separated by spaces.
    pub mac_address: Option<String>,
    /// The IP addresses it reported, separated by spaces.
    pub ip_address: Option<String>,
    /// Its configuration variables.
    pub variables: BTreeMap<String, String>,
}

/// The state of a device's heartbeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeartbeatState {
    /// It never asked for its state.
    Unknown,
    /// It asked within 1.5 poll intervals.
    Online,
    /// Its next request is overdue.
    Timeout,
    /// It is silent.
    Offline,
}

impl fmt::Display for HeartbeatState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "unknown",
            Self::Online => "online",
            Self::Timeout => "timeout",
            Self::Offline => "offline",
        })
    }
}

/// The fields of a device that may be selected.
pub(super) const DEVICE_FIELDS: &[&str] = &[
    "id",
    "uuid",
    "device_name",
    "note",
    "api_heartbeat_state",
    "is_connected_to_vpn",
    "os_version",
    "mac_address",
    "ip_address",
];

/// Whose key it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    /// The user's.
    User,
    /// A fleet's: may register devices in it and nothing else.
    Provisioning {
        /// The fleet's id.
        fleet: u64,
        /// When it stops to work.
        expires: Option<SystemTime>,
    },
    /// A device's: sees and changes this device only.
    Device {
        /// The device's id.
        device: u64,
    },
}

/// A registered device.
pub(super) struct Device {
    pub(super) id: u64,
    pub(super) uuid: String,
    pub(super) name: String,
    pub(super) note: Option<String>,
    pub(super) fleet: u64,
    pub(super) device_type: String,
    pub(super) os_version: Option<String>,
    pub(super) mac_address: Option<String>,
    pub(super) ip_address: Option<String>,
    /// Configuration variables by name, each with the id of its row.
    pub(super) variables: BTreeMap<String, (u64, String)>,
    /// When it last asked for its state with its own key.
    pub(super) last_poll: Option<Instant>,
}

impl Device {
    /// Its configuration variables and their values.
    pub(super) fn values(&self) -> BTreeMap<String, String> {
        let value = |(name, (_, value)): (&String, &(u64, String))| (name.clone(), value.clone());
        self.variables.iter().map(value).collect()
    }
}

/// Everything the API remembers.
pub(super) struct State {
    pub(super) config: ApiConfig,
    pub(super) devices: BTreeMap<u64, Device>,
    pub(super) fault: Fault,
    keys: HashMap<String, Key>,
    started: Instant,
    devices_made: u64,
    keys_made: u64,
    variables_made: u64,
}

impl State {
    pub(super) fn new(config: ApiConfig) -> Self {
        Self {
            keys: HashMap::from([(config.token.clone(), Key::User)]),
            devices: BTreeMap::new(),
            fault: Fault::None,
            started: (config.now)(),
            devices_made: 0,
            keys_made: 0,
            variables_made: 0,
            config,
        }
    }

    /// Whose key this is; an expired one is nobody's.
    pub(super) fn key(&self, key: &str) -> Option<Key> {
        let known = *self.keys.get(key)?;
        match known {
            Key::Provisioning { expires: Some(expires), .. } => {
                let passed = (self.config.now)().saturating_duration_since(self.started);
                (self.config.wall + passed < expires).then_some(known)
            }
            Key::Provisioning { expires: None, .. } | Key::User | Key::Device { .. } => Some(known),
        }
    }

    /// True if somebody has this key, expired or not.
    pub(super) fn key_is_taken(&self, key: &str) -> bool {
        self.keys.contains_key(key)
    }

    /// Makes a key of 32 characters.
    pub(super) fn new_key(&mut self) -> String {
        self.keys_made += 1;
        format!("lab{:029}", self.keys_made)
    }

    /// Lets a key in.
    pub(super) fn add_key(&mut self, text: String, key: Key) {
        self.keys.insert(text, key);
    }

    /// Takes in a device and gives it an id.
    pub(super) fn add_device(&mut self, fleet: u64, device_type: String, uuid: String) -> u64 {
        self.devices_made += 1;
        let id = self.devices_made;
        let device = Device {
            id,
            uuid,
            name: format!("lab-stone-{id}"),
            note: None,
            fleet,
            device_type,
            os_version: None,
            mac_address: None,
            ip_address: None,
            variables: BTreeMap::new(),
            last_poll: None,
        };
        self.devices.insert(id, device);
        id
    }

    /// Gives a device a configuration variable, in a new row; gives that row's id.
    pub(super) fn set_variable(&mut self, device: u64, name: &str, value: &str) -> Option<u64> {
        let row = self.variables_made + 1;
        let variables = &mut self.devices.get_mut(&device)?.variables;
        variables.insert(name.to_owned(), (row, value.to_owned()));
        self.variables_made = row;
        Some(row)
    }

    /// Forgets a device and its keys.
    pub(super) fn remove_device(&mut self, id: u64) {
        self.devices.remove(&id);
        self.keys.retain(|_, key| *key != Key::Device { device: id });
    }

    /// The device of this uuid.
    pub(super) fn device(&self, uuid: &str) -> Option<&Device> {
        self.devices.values().find(|device| device.uuid == uuid)
    }

    /// The device of this uuid, to be changed.
    pub(super) fn device_mut(&mut self, uuid: &str) -> Option<&mut Device> {
        self.devices.values_mut().find(|device| device.uuid == uuid)
    }

    /// The fleet of this id.
    pub(super) fn fleet(&self, id: u64) -> Option<&FleetConfig> {
        self.config.fleets.iter().find(|fleet| fleet.id == id)
    }

    /// Notes that a device asked for its state.
    pub(super) fn beat(&mut self, uuid: &str) {
        let now = (self.config.now)();
        if let Some(device) = self.device_mut(uuid) {
            device.last_poll = Some(now);
        }
    }

    /// The state of a device's heartbeat, which follows from when it last asked.
    pub(super) fn heartbeat(&self, device: &Device) -> HeartbeatState {
        let Some(last) = device.last_poll else { return HeartbeatState::Unknown };
        let silent = (self.config.now)().saturating_duration_since(last);
        let overdue = self.config.poll_interval * 3 / 2;
        if silent < overdue {
            HeartbeatState::Online
        } else if silent < overdue + self.config.offline_after {
            HeartbeatState::Timeout
        } else {
            HeartbeatState::Offline
        }
    }

    /// All devices for those who start the API.
    pub(super) fn records(&self) -> Vec<DeviceRecord> {
        let record = |device: &Device| DeviceRecord {
            id: device.id,
            uuid: device.uuid.clone(),
            name: device.name.clone(),
            note: device.note.clone().unwrap_or_default(),
            fleet: self.fleet(device.fleet).map(|fleet| fleet.slug.clone()).unwrap_or_default(),
            device_type: device.device_type.clone(),
            heartbeat: self.heartbeat(device),
            os_version: device.os_version.clone(),
            mac_address: device.mac_address.clone(),
            ip_address: device.ip_address.clone(),
            variables: device.values(),
        };
        self.devices.values().map(record).collect()
    }

    /// A device as a query answers it: [`DEVICE_FIELDS`].
    pub(super) fn row(&self, device: &Device) -> Value {
        json!({
            "id": device.id,
            "uuid": device.uuid,
            "device_name": device.name,
            "note": device.note,
            "api_heartbeat_state": self.heartbeat(device).to_string(),
            // A device has its VPN for as long as it asks.
            "is_connected_to_vpn": self.heartbeat(device) == HeartbeatState::Online,
            "os_version": device.os_version,
            "mac_address": device.mac_address,
            "ip_address": device.ip_address,
        })
    }
}
