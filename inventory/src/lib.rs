//! Who: reads inventories, resolves variables, selects and folds sets of devices.
//!
//! Inventories are YAML texts, in the native form or in Ansible's. [`load()`] makes a [`Fleet`] of them:
//!
//! 1. [`yaml`] turns each text into a tree in which every value knows its line and column.
//! 2. `native` reads a tree of its own form strictly into layers: the top level, `defaults`, one per group and one per
//!    device. [`ansible`] finds out which variables a host hears, in which order, and `native::of_ansible` makes layers
//!    of them. Whatever is wrong is collected, so that one look shows all of it.
//! 3. `native::stack` and `native::resolve` lay all layers over each other, device by device; `connection` adds what
//!    `ansible.cfg` and ssh_config say of the way to it.
//!
//! A [`Fleet`] then answers which devices a pattern means ([`Fleet::select`]), and [`fold`] writes
//! many names the short way people read them.
//!
//! This crate opens no file and knows no clock, environment or terminal: text goes in, values and
//! [`Problems`] come out.

pub mod ansible;
mod check;
mod connection;
mod fleet;
mod fold;
mod glob;
mod load;
mod lookalike;
mod name;
mod native;
mod near;
mod on_balena;
mod origin;
mod problem;
mod range;
mod secretive;
mod select;
mod table;
pub mod yaml;

pub use ansible::{Entity, VariablesFile};
pub use check::{Finding, FindingKind};
pub use connection::{
    AnsibleCfg, Ignored, Included, NamedInventories, SecretUse, Secrets, SshConfig, Way, hops,
    settle,
};
pub use fleet::{
    Agent, BadHours, Bastion, DataChoice, Device, Fleet, Handover, Hold, HostKeys, Hours, KeptData,
    KeptPath, Login, PolicyChoice, PortRange, Reach, SecretSource, Settings, Vars, WindowChoice,
};
pub use fold::fold;
pub use glob::glob;
pub use load::{Form, Ground, Loaded, Refused, Source, Surroundings, form, load};
pub use name::{DeviceId, FleetSlug, GroupName, InvalidText, Serial, SiteName};
pub use native::{parse, parse_with, schema};
pub use near::nearest;
pub use on_balena::{OnBalena, SystemSettings, ValueSource};
pub use origin::{Hidden, Origin, Told};
pub use problem::{Place, Problem, Problems, Report};
pub use range::{MAX_DEVICES, RangeError};
pub use select::{PatternError, select_from};
pub use table::{ColumnUse, MadeInventory, from_csv};
