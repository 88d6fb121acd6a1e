//! A whole migration to watch: a Pi under QEMU goes from Raspberry Pi OS to balenaOS, and all of it is on your screen.
//!
//! What the program says is as it always is. Lines that begin with `|` are the Pi's own: what its firmware boots, and
//! what MIGOS writes on its serial console.

// This is for people.
#![allow(clippy::print_stdout)]

use anyhow::{Result, ensure};
use migos_firmware::ConfigFile;
use migos_tests::emulated::{EmulatedPi, Ground, Setup, is_migos};
use std::thread;
use std::time::Duration;

/// Pause between two looks at the Pi.
const LOOK: Duration = Duration::from_millis(100);

/// What of the Pi's life has been shown.
#[derive(Default)]
struct Shown {
    boots: usize,
    console: usize,
}

impl Shown {
    fn show(&mut self, pi: &EmulatedPi) {
        let life = pi.life();
        for (boot, time) in life.boots.iter().zip(&life.times).skip(self.boots) {
            let system = if is_migos(boot) { "MIGOS" } else { "the card's own system" };
            let (seconds, kernel) = (time.as_secs(), &boot.kernel);
            let by = match boot.config {
                ConfigFile::ConfigTxt => "config.txt",
                ConfigFile::TrybootTxt => "tryboot.txt",
            };
            println!("| [{seconds:>5}s] the firmware reads {by} and boots {system}: {kernel}");
        }
        self.boots = life.boots.len();
        let console = pi.console().unwrap_or_default();
        let whole = console.rfind('\n').map_or(0, |end| end + 1);
        for line in console.get(self.console..whole).unwrap_or_default().lines() {
            if line.contains("migos: ") {
                println!("| {}", line.trim());
            }
        }
        self.console = whole;
    }
}

fn main() -> Result<()> {
    println!(
        "Making a card with Raspberry Pi OS, a balenaOS image and a payload, and booting the Pi."
    );
    let ground = Ground::new(Setup::default())?;
    println!("In {}: migos-fleet {}", ground.home.path().display(), Ground::MIGRATE.join(" "));
    let mut process = ground.migrate_on_screen()?;
    let mut shown = Shown::default();
    let status = loop {
        shown.show(ground.pi());
        if let Some(status) = process.try_wait()? {
            break status;
        }
        thread::sleep(LOOK);
    };
    ensure!(status.success(), "it ended with {status}");
    println!("{:#?}", ground.balena().devices());
    Ok(())
}
