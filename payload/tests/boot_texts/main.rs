//! The boot texts of every board with every release, judged by a model of the firmware that shares no code
//! with them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod card;
mod documents;
mod referee;
mod table;
