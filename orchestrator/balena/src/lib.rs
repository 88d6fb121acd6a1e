//! The balena port over HTTPS: what the engine asks of balena, asked of a real balena API.
//!
//! [`Balena`] is one operator at one API (balenaCloud or openBalena). A request goes down through
//! these rooms:
//!
//! - `port` says what each verb of the port asks; `register` and `withdraw` are the two that must not be done twice
//!   or too late, `values` writes only what differs, and `place` moves and pins;
//! - `release` asks how large a fleet's app is, which nothing depends on;
//! - `odata` writes the query, by hand, because the API refuses URLs that common encoders make;
//! - `http` sends it once, with limits on time and size, and follows no redirect;
//! - `failure` sorts what went wrong into what the engine can act on. Nothing is tried again here.
//!
//! Images of balenaOS come from the same API, some of them without a token: `images` downloads one, `os` knows which
//! versions there are.
//!
//! Before that, `address` and `token` make sure that the token goes to the API only, and never in
//! the clear over a network.

mod address;
mod failure;
mod http;
mod images;
mod odata;
mod os;
mod place;
mod port;
mod register;
mod release;
mod setup;
mod token;
mod values;
mod withdraw;

pub use address::AddressError;
pub use images::{Download, Images, ImagesError};
pub use os::{OsVersion, Wanted, order as order_of_versions};
pub use setup::{Authority, Balena, SetupError, Timeouts, install_tls_provider};
pub use token::{Token, TokenError};
