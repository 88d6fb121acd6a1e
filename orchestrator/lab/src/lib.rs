//! A simulated fleet: virtual Pis that speak real SSH, and a balena API; with faults.
//!
//! A [`Lab`] is one process on one computer. Each of its [`VirtualPi`]s has a board, a card in
//! memory, an address of its own and an SSH server; the folder that the lab writes is an ordinary
//! inventory, and whoever works through it cannot tell the devices from real ones but by their
//! speed.
//!
//! The lab is a referee. It shares with the controller what both sides of a wire must share (the
//! contract with MIGOS, digests, the forms of payloads and images) and none of the code by which the
//! controller decides what to write into a boot partition: what a boot partition does is decided by
//! [`migos_firmware`], from its files alone.
//!
//! ```text
//! fleet       a lab, started and stopped           mix        which Pis it has
//!  ├─ folder, inventory, payloads  what a controller is given
//!  ├─ network, seed, keys, pace    addresses, everything random, how long things take
//!  ├─ workshop, twin               devices of the mix, or after what others have told of themselves
//!  ├─ balena_api                   the API that flashed devices report to
//!  └─ device                       one Pi, seen from outside;  faults: what goes wrong with it
//!      ├─ board, release, stock    its model, its Raspbian, its files
//!      ├─ site                 its network: what leads out, and for whom
//!      ├─ card                     FAT, root file system or flashed image; write by write
//!      └─ life                     power on, boot, run, reset
//!          ├─ boot, magic          what the firmware starts, by the bytes of its files
//!          ├─ server, stream       SSH, on a cable that breaks when the power goes
//!          ├─ raspbian, words      a login, a command line
//!          ├─ verbs, mounts        the verbs, on the card's files
//!          ├─ migos                job, migos-ctl, commit, flash
//!          └─ balena_os            config.json, heartbeats; supervisor: config.txt
//! ```

pub mod balena_api;
mod balena_os;
mod board;
mod boot;
mod card;
mod device;
mod faults;
mod fleet;
mod folder;
mod inventory;
mod keys;
mod life;
mod magic;
mod migos;
mod mix;
mod mounts;
mod network;
mod pace;
mod payloads;
mod raspbian;
mod release;
mod seed;
mod server;
mod site;
mod stock;
mod stream;
mod sudo;
pub mod supervisor;
mod tasks;
mod twin;
mod verbs;
mod words;
mod workshop;

pub use board::{MODELS, Model};
pub use card::{FsError, Loss};
pub use device::{Hindrance, Life, State, VirtualPi};
pub use faults::{
    DeviceFaults, FAULTS, Faults, FaultsError, SUDO_PASSWORD, Tier, parse as parse_faults,
};
pub use fleet::{FLEET, Lab, LabError, LabOptions, TwinOptions};
pub use folder::FolderError;
pub use network::MAX_DEVICES;
pub use pace::Pace;
pub use release::Release;
pub use site::{NetworkKind, mixed_networks};
pub use twin::{Presence, TwinDevice};
