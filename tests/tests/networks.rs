//! What becomes of networks: cases of the field with what is made of each, held against NetworkManager itself; and
//! that no text keeps a secret.
//!
//! `UPDATE_NETWORKS=1` writes what is expected anew. Read what it wrote: would this device come online?

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods)]

#[path = "networks/corpus.rs"]
mod corpus;
#[path = "networks/masks.rs"]
mod masks;
#[path = "networks/nmcli.rs"]
mod nmcli;
#[path = "networks/supplicant.rs"]
mod supplicant;
