//! The transport port over russh.
//!
//! [`Ssh`] opens a [`Session`] on a device in four moves, each in a module of its own:
//!
//! 1. `connect` dials, or goes through a `proxy` command or another host, agrees on algorithms and bounds every wait by
//!    [`Timeouts`].
//! 2. `host_key` accepts or refuses the device's key by what known-hosts files say, or by a pin.
//! 3. `login` proves who we are, once, with `keys`, the `agent` or a password.
//! 4. `root` finds out how this login becomes root.
//!
//! A session then runs verbs. A [`verb`] is a small POSIX script that crosses the network each time, so
//! that nothing has to be installed on a device; its arguments are quoted by `quote` alone, and its
//! standard input is data only. `exec` runs one command so that neither a dead command, nor a full window,
//! nor a lost network can make it hang; `pace` keeps uploads gentle to the device, and `send` makes them
//! resumable; an `archive` takes what a device packs up. `session` puts the engine's words to all this, and a [`Transcript`]
//! tells what was done.

mod agent;
mod archive;
mod connect;
mod content;
mod exec;
mod host_key;
mod keys;
mod known_hosts;
mod login;
mod pace;
mod proxy;
mod quote;
mod root;
mod runtime;
mod send;
mod session;
mod ssh;
mod timeouts;
mod transcript;
pub mod verb;

pub use known_hosts::known_keys;
pub use runtime::runtime;
pub use session::Session;
pub use ssh::Ssh;
pub use timeouts::Timeouts;
pub use transcript::Transcript;
