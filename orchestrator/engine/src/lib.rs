//! Makes it happen: rollout core, dispatcher, executor, actions, journal; defines the ports.
//!
//! - [`rollout`]: the core without I/O. Inputs go in, effects come out; all limits, gates and permits are
//!   decided there and nowhere else.
//! - [`dispatcher`]: owns the core. It writes what the core says to the [`journal`], and only then tells
//!   the device tasks.
//! - [`executor`]: one task per device. It asks for a permit, performs the step's [`action`], reports.
//! - [`run`]: a run's folder, with its plan, journal, lock and secrets; [`ledger`]: the fleet's memory
//!   over all runs.
//! - [`simulation`]: a simulated fleet for the core, on a virtual clock.
//! - [`control`]: what people order of a running controller.
//! - [`probe`]: reads the facts of many devices.
//! - [`port`]: what all of this asks of the world.

pub mod action;
pub mod bandwidth;
pub mod control;
pub mod dispatcher;
pub mod executor;
pub mod journal;
pub mod ledger;
mod poller;
pub mod port;
pub mod probe;
pub mod rollout;
pub mod run;
pub mod simulation;

#[cfg(test)]
mod sample;
