//! What the controller and the ramdisk (MIGOS) say to each other.
//!
//! The controller leaves a [`Job`] in `migos/job/` on the boot partition before the reboot. In MIGOS it
//! then runs `migos-ctl` over SSH: a [`Command`] goes in, a [`Status`] comes out as one JSON object.
//! Just before the commit it hands over a [`Configuration`]: the files that make the device itself on
//! balena.
//!
//! Both sides depend on this crate and on nothing else of each other, so it holds serde types only and
//! builds with the older compiler that the ramdisk is built with.

mod command;
mod job;
mod status;

pub use command::{Command, CommandError, Configuration, PROGRAM};
pub use job::{
    Addressing, Bastion, Chunk, Chunks, Compression, DeadMan, Handover, Image, JOB_SCHEMA, Job,
    Link, Network, Restore, Strategy, Unattended, boot_path, job_path,
};
pub use status::{Part, State, Status, Unfetched};
