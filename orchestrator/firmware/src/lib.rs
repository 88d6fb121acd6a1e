//! What a Raspberry Pi boots from a FAT tree, by the facts.
//!
//! The referee of everything that edits a boot partition: it is told which board it is, which files
//! the partition holds and how the board was reset, and answers with the kernel, device tree,
//! initramfs and command line a real Pi would start, or with the reason why it would start nothing.
//! It shares no code with the part that writes boot files.
//!
//! ```text
//! boot                                                   files
//!  ├─ which tree is this?   autoboot.txt, partition      boot.rs
//!  ├─ first-stage loader    bootcode.bin or EEPROM       loader.rs
//!  ├─ start*.elf, fixup*.dat, and what they understand   loader.rs
//!  ├─ tryboot.txt or config.txt                          boot.rs
//!  │     lines, include, initramfs                       config.rs
//!  │     [sections]                                      filter.rs
//!  ├─ os_prefix, kernel, device tree, initramfs          select.rs
//!  └─ command line, watchdog                             cmdline.rs
//! ```
//!
//! # What the firmware files must contain
//!
//! Firmware is as old as the strings it carries. The model looks for them in the loader files on
//! the partition, as one would with `grep` on a live device, so a made-up boot partition must put
//! them there:
//!
//! | string | in | without it |
//! | --- | --- | --- |
//! | `tryboot.txt` | `bootcode.bin` and the start file (BCM2711: the start file) | the one-shot flag is ignored |
//! | `[tryboot]` | the start file | the section is never satisfied |
//! | `board-type` | the start file | the section is never satisfied |
//! | `auto_initramfs` | the start file | the key is ignored; a BCM2711 defaults to a 32-bit kernel |
//! | `os_prefix` | the start file | the key is ignored |
//! | `kernel_watchdog_timeout` | the start file | the key is ignored |
//!
//! BCM2712 boards keep their firmware in the EEPROM and know all of them; the last from its release
//! of 20 June 2025 on.
//!
//! # Where hardware has not been asked
//!
//! Then the model takes the answer that promises less, and says so in the log: a missing
//! `tryboot.txt`, sections it does not know, keys in upper case or with spaces before `=` (not
//! recognised). CRLF line ends are the exception: they are tolerated, though no document says so.
//! Not modelled at all: overlays and HATs, the EEPROM's own `[config.txt]` section, and whether a
//! file's content is any good (only an empty one is noticed).

mod board;
mod boot;
mod cmdline;
mod config;
mod filter;
mod loader;
mod partition;
mod select;

pub use board::{Board, Eeprom, Soc};
pub use boot::{Boot, ConfigFile, NoBoot, Reset, boot};
pub use partition::BootPartition;
