//! How to reach a device: what each source says of it, and what that comes to.
//!
//! A [`Way`] is what one source says; it may leave anything open. The sources are the inventory, arguments for
//! `ssh` in Ansible's variables ([`Way::from_ssh_args`]), [`AnsibleCfg`] and [`SshConfig`]. [`settle`] lays
//! them over each other and gives a [`crate::Login`], which has everything. [`Secrets`] are the passwords that stand in an
//! inventory; they are never written anywhere.

mod ansible_cfg;
mod keyword;
mod secrets;
mod ssh_args;
mod ssh_config;
mod way;
mod words;

pub use ansible_cfg::{AnsibleCfg, NamedInventories};
pub(crate) use ansible_cfg::{Part, Spot};
pub use secrets::{SecretUse, Secrets};
pub use ssh_args::Ignored;
pub(crate) use ssh_config::ConfigLine;
pub use ssh_config::{Included, SshConfig};
pub use way::{Way, hops, settle};
