//! Pis under QEMU: a real kernel, a real Raspberry Pi OS userland, a real card, real reboots.
//!
//! What boots is decided as on a Pi: at each reset the harness reads the FAT partition of the card and
//! asks [`migos_firmware`] for kernel, ramdisk and command line. QEMU's own board has what that needs,
//! and its device tree says Raspberry Pi.
//!
//! ```text
//! cache     what takes long is made once for all tests, by a script, under target/emulated
//! card      the card of such a Pi, and its boot partition as seen from outside
//! machine   one power-on: a QEMU process until its reset, its end, or its power is cut
//! pi        the Pi: firmware, resets, power
//! ```
//!
//! | script | makes |
//! | --- | --- |
//! | `qemu.sh` | QEMU, unpacked beside what is installed |
//! | `kernel.sh` | Debian's kernel for arm64, its modules, device trees, busybox |
//! | `root.sh` | a root file system of Debian's packages that looks like Raspberry Pi OS |
//! | `card.sh` | the card of both |
//! | `balena.sh` | a card with a small balenaOS, on the same kernel |
//!
//! One Pi runs at a time, in all processes: each takes a processor for itself.

mod cache;
mod card;
mod machine;
mod pi;

pub use card::{Card, Tree};
pub use pi::{EmulatedPi, Life, Power};
