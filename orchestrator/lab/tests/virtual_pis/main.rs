//! Virtual Pis over real SSH, as an operator without a controller meets them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod boots;
mod faults;
mod folder;
mod hardware;
mod migration;
mod networks;
mod operator;
mod power;
mod twins;
mod verbs;
