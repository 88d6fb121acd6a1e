//! Scenarios and end-to-end runs.
//!
//! The tests stand in `tests/`; this library holds what they stand on:
//!
//! - [`sshd`] starts a real OpenSSH server in a root that looks like a Pi's,
//! - [`openssh`] is OpenSSH's own client to it,
//! - [`proxy`] stands between a client and a server and breaks the connection,
//! - [`fleet`] runs the program against a lab, [`terminal`] in a terminal,
//! - [`controller`] is the engine against a lab, in the test's own process,
//! - [`scenario`] reads and plays what befalls a simulated fleet,
//! - [`fuzz`] tries readers of foreign text with texts that nobody would write,
//! - [`emulated`] is a Pi under QEMU: real kernel, real card, real reboots,
//! - [`verb_cases`] is the contract of the verbs as data, and [`verb_runner`] holds a device to it.

pub mod controller;
pub mod emulated;
pub mod fleet;
pub mod fuzz;
pub mod openssh;
pub mod proxy;
pub mod scenario;
pub mod sshd;
pub mod terminal;
pub mod verb_cases;
pub mod verb_runner;
