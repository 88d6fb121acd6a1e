//! MIGOS: the program that is a Pi's whole system while its card is rewritten.
//!
//! Raspbian is left for a ramdisk in which this program is `/init`. What it does, in order:
//!
//! 1. [`life`] brings the board up: file systems, modules, the watchdog, the network, an SSH server. It finds
//!    the card it came from, and reads the [job](migos_contract::Job). The [`network`] is kept up from then on, by
//!    [`programs`] that stand beside it.
//! 2. [`switch`] handles the boot files: what was replaced to boot MIGOS is put back first of all, so that
//!    any reset is Raspbian again; until the **commit**, the one rename that makes every reset MIGOS.
//! 3. The [`image`] is taken into memory and verified, packed and unpacked; or, where memory is small, it comes in
//!    chunks while the card is written.
//! 4. [`control`] answers the controller (`migos-ctl` over SSH); [`dead_man`] lets Raspbian return if nobody
//!    comes.
//! 5. Where the controller cannot come by itself, MIGOS goes to meet it: [`call_home`]; or commits as the job allows
//!    it to: [`unattended`].
//! 6. Past the commit, [`flash`] rewrites the card in an order that a power cut at any instant does not harm.
//!    It knows a card as a [`disk`] with a partition [`table`]. An image that is gone is [fetched](fetch).
//!    The [`log`] is left on it.
//!
//! Only [`life`] touches the system; everything else is tested on any computer. One static program, built as
//! `build.sh` beside this crate does.

pub mod call_home;
pub mod control;
pub mod dead_man;
pub mod disk;
pub mod fetch;
pub mod flash;
pub mod http;
pub mod image;
pub mod life;
pub mod log;
pub mod network;
pub mod pauses;
pub mod programs;
pub mod switch;
pub mod table;
pub mod tls;
pub mod unattended;
#[cfg(test)]
mod web;
