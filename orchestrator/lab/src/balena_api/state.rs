//! Fleets, devices, keys and heartbeats.

use super::query::Actor;
use super::schema::Resource;
use super::seed;
use super::table::{Row, Tables, row};
use super::{ApiConfig, Fault, FleetConfig};
use jiff::Timestamp;
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
    /// The version of the supervisor that it reported.
    pub supervisor_version: Option<String>,
    /// The release that it reported to run.
    pub runs: Option<u64>,
    /// The release that it is pinned to.
    pub pinned: Option<u64>,
    /// Its configuration variables.
    pub variables: BTreeMap<String, String>,
    /// Its environment variables.
    pub environment: BTreeMap<String, String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
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

impl HeartbeatState {
    /// What the API says of a device as a whole.
    fn overall_status(self) -> &'static str {
        match self {
            Self::Unknown => "configuring",
            Self::Online => "operational",
            Self::Timeout => "reduced-functionality",
            Self::Offline => "disconnected",
        }
    }
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
    pub(super) supervisor_version: Option<String>,
    /// The release that it reported to run.
    pub(super) runs: Option<u64>,
    /// The release that it is to run whatever its fleet runs.
    pub(super) pinned: Option<u64>,
    /// When it was registered.
    pub(super) created_at: String,
    /// When it last asked for its state with its own key.
    pub(super) last_poll: Option<Instant>,
}

/// Everything the API remembers.
pub(super) struct State {
    pub(super) config: ApiConfig,
    pub(super) devices: BTreeMap<u64, Device>,
    /// All rows but those of devices.
    pub(super) tables: Tables,
    pub(super) fault: Fault,
    keys: HashMap<String, Key>,
    started: Instant,
    devices_made: u64,
    keys_made: u64,
}

impl State {
    pub(super) fn new(config: ApiConfig) -> Self {
        Self {
            keys: HashMap::from([(config.token.clone(), Key::User)]),
            devices: BTreeMap::new(),
            tables: seed::tables(&config),
            fault: Fault::None,
            started: (config.now)(),
            devices_made: 0,
            keys_made: 0,
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
            supervisor_version: None,
            runs: None,
            pinned: None,
            created_at: self.date(),
            last_poll: None,
        };
        self.devices.insert(id, device);
        id
    }

    /// The present date as the API writes dates.
    pub(super) fn date(&self) -> String {
        let passed = (self.config.now)().saturating_duration_since(self.started);
        let now = Timestamp::try_from(self.config.wall + passed).unwrap_or(Timestamp::UNIX_EPOCH);
        format!("{now:.3}")
    }

    /// The configuration variables of a device.
    pub(super) fn variables(&self, device: u64) -> BTreeMap<String, String> {
        self.tables.pairs("device_config_variable", "name", device)
    }

    /// Changes fields of a device that [`super::rule`] lets a user change. A move forgets the pin.
    pub(super) fn change_device(&mut self, id: u64, changes: &Row) {
        let Some(device) = self.devices.get_mut(&id) else { return };
        if let Some(name) = changes.get("device_name") {
            name.as_str().unwrap_or_default().clone_into(&mut device.name);
        }
        if let Some(note) = changes.get("note") {
            device.note = note.as_str().map(str::to_owned);
        }
        let fleet = changes.get("belongs_to__application").and_then(Value::as_u64);
        if let Some(fleet) = fleet.filter(|fleet| *fleet != device.fleet) {
            (device.fleet, device.pinned) = (fleet, None);
        }
        if let Some(release) = changes.get("is_pinned_on__release") {
            device.pinned = release.as_u64();
        }
    }

    /// Forgets a device and its keys.
    pub(super) fn remove_device(&mut self, id: u64) {
        self.devices.remove(&id);
        self.tables.remove_of_device(id);
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

    /// Takes in another fleet.
    pub(super) fn add_fleet(&mut self, fleet: FleetConfig) {
        seed::fleet(&mut self.tables, &fleet);
        self.config.fleets.push(fleet);
    }

    /// The release that a device should run: the one that it is pinned to, or its fleet's.
    pub(super) fn should_run(&self, device: &Device) -> Option<u64> {
        let of_fleet = || {
            let fleet = self.tables.row("application", device.fleet)?;
            fleet.get("should_be_running__release")?.as_u64()
        };
        device.pinned.or_else(of_fleet)
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
            supervisor_version: device.supervisor_version.clone(),
            runs: device.runs,
            pinned: device.pinned,
            variables: self.variables(device.id),
            environment: self.tables.pairs("device_environment_variable", "name", device.id),
            tags: self.tables.pairs("device_tag", "tag_key", device.id),
        };
        self.devices.values().map(record).collect()
    }

    /// All rows of a resource that somebody may see.
    pub(super) fn rows(&self, resource: &Resource, actor: Actor) -> Vec<Row> {
        if resource.name == "device" {
            let seen = self.devices.values().filter(|device| actor.sees(device));
            return seen.map(|device| self.device_row(device)).collect();
        }
        let public = |application: &Value| {
            let is_it = |row: &&Row| row.get("id") == Some(application);
            let found = self.tables.rows("application").find(is_it);
            found.and_then(|row| row.get("is_public")) == Some(&json!(true))
        };
        let is_seen = |row: &&Row| match actor {
            Actor::User => true,
            Actor::Device(_) => {
                row.get("device").and_then(Value::as_u64).is_none_or(|id| actor.sees_device(id))
            }
            Actor::Anybody => match resource.name {
                "application" => row.get("is_public") == Some(&json!(true)),
                "release" => row.get("belongs_to__application").is_some_and(public),
                "application_tag" => row.get("application").is_some_and(public),
                _ => true,
            },
        };
        self.tables.rows(resource.name).filter(is_seen).cloned().collect()
    }

    fn device_row(&self, device: &Device) -> Row {
        let heartbeat = self.heartbeat(device);
        // A device has its VPN for as long as it asks.
        let vpn = heartbeat == HeartbeatState::Online;
        let slug = |row: &&Row| row.get("slug") == Some(&json!(device.device_type));
        let device_type = self.tables.rows("device_type").find(slug).and_then(|row| row.get("id"));
        row([
            ("id", json!(device.id)),
            ("uuid", json!(device.uuid)),
            ("device_name", json!(device.name)),
            ("note", json!(device.note)),
            ("api_heartbeat_state", json!(heartbeat.to_string())),
            ("is_online", json!(vpn)),
            ("is_connected_to_vpn", json!(vpn)),
            ("overall_status", json!(heartbeat.overall_status())),
            ("os_version", json!(device.os_version)),
            ("supervisor_version", json!(device.supervisor_version)),
            ("mac_address", json!(device.mac_address)),
            ("ip_address", json!(device.ip_address)),
            ("created_at", json!(device.created_at)),
            ("belongs_to__application", json!(device.fleet)),
            ("is_of__device_type", json!(device_type)),
            ("is_running__release", json!(device.runs)),
            ("is_pinned_on__release", json!(device.pinned)),
            ("should_be_running__release", json!(self.should_run(device))),
        ])
    }
}
