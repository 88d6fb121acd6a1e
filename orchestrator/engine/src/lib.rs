//! Makes it happen: rollout core, dispatcher, executor, actions, journal; defines the ports.

pub mod port;
