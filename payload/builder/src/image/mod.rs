//! Images of operating systems: what is in them, and what is made of them to be sent.
//!
//! What an image is for, it says itself: its partitions have names, and the boot partition of balenaOS holds
//! `device-type.json` and `os-release`.
//!
//! ```text
//! source      bytes of an image, whatever it is packed in      partition  its partitions and their labels
//! told        what it says of itself, and a person of it       layout     whether they are balenaOS's
//! prepare     chunks and manifest                              look       all that without making anything
//! ```

mod layout;
mod look;
mod partition;
mod prepare;
mod source;
mod told;

pub use layout::LayoutError;
pub use look::{Look, LookError, look};
pub use partition::{Content, Partition};
pub use prepare::{PrepareError, prepare};
pub use told::Told;
