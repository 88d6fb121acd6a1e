//! Pis under QEMU: a real kernel, a real Raspberry Pi OS userland, a real card, real reboots.
//!
//! What boots is decided as on a Pi: at each reset the harness reads the FAT partition of the card and
//! asks [`migos_firmware`] for kernel, ramdisk and command line. QEMU's own board has what that needs,
//! and its device tree says Raspberry Pi.
//!
//! ```text
//! cache     what takes long is made once for all tests, by a script, under target/emulated
//! place     a processor for each Pi: as many run at a time, in all processes, as there are
//! card      the card of such a Pi, and its boot partition as seen from outside
//! payload   MIGOS, and copies of it in which something is wrong
//! gate      the way to a Pi's SSH server
//! model     the boards: what each says of itself, what QEMU makes of it
//! machine   one power-on: a QEMU process until its reset, its end, or its power is cut
//! pi        the Pi: firmware, resets, power
//! ground    Pis in an inventory, a balena for them, and the program that works on them
//! ```
//!
//! | script | makes |
//! | --- | --- |
//! | `qemu.sh` | QEMU, unpacked beside what is installed |
//! | `kernel.sh` | Debian's kernel, a ramdisk that finds the root, device trees, firmware, busybox |
//! | `root.sh` | a root file system of Debian's packages that looks like Raspberry Pi OS |
//! | `card.sh` | the card of both |
//! | `balena.sh` | a card with a small balenaOS, on the same kernel |

mod cache;
mod card;
mod gate;
mod ground;
mod machine;
mod model;
mod payload;
mod pi;
mod place;

pub use card::{Card, Tree};
pub use ground::{Ground, Setup, tell};
pub use model::Model;
pub use payload::Overlay;
pub use pi::{Cable, EmulatedPi, Life, Power};

use migos_contract::boot_path;
use migos_firmware::Boot;

/// True if what the firmware boots there is MIGOS.
pub fn is_migos(boot: &Boot) -> bool {
    boot.os_prefix == format!("{}/", boot_path::FOLDER)
}
