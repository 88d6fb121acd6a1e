//! Virtual Pis over real SSH, as an operator without a controller meets them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod faults;
mod folder;
mod migration;
mod operator;
mod verbs;
