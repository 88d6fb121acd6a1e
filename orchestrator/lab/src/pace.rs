//! How long things take in a lab.

use std::time::Duration;

/// How long things take in a lab; real Pis take a hundred times longer.
///
/// The times that a job gives to MIGOS, its dead-man's limits, are not scaled.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// From power-on to the SSH server; each boot takes this long or up to twice as long.
    pub boot: Duration,
    /// From `systemctl reboot` to the reset.
    pub shutdown: Duration,
    /// From a kernel's panic to the reset, where `panic=` asks for one.
    pub panic: Duration,
    /// From the firmware's arming of the watchdog to its bite, where the kernel hangs.
    pub watchdog: Duration,
    /// How long a power cut lasts.
    pub power_cut: Duration,
    /// How long MIGOS says that it is leaving before it resets.
    pub leaving: Duration,
    /// What the whole image takes to be written.
    pub flash: Duration,
    /// How often balena wants to hear from a device. After half as much again without a word it is
    /// in time-out, and after this long in time-out it counts as offline.
    pub heartbeat: Duration,
}

impl Pace {
    /// For a lab that people watch.
    pub const fn lab() -> Self {
        Self {
            boot: Duration::from_millis(400),
            shutdown: Duration::from_millis(100),
            panic: Duration::from_secs(1),
            watchdog: Duration::from_secs(2),
            power_cut: Duration::from_millis(300),
            leaving: Duration::from_secs(1),
            flash: Duration::from_millis(1500),
            heartbeat: Duration::from_secs(2),
        }
    }

    /// As fast as can be told apart, for tests.
    pub const fn test() -> Self {
        Self {
            boot: Duration::from_millis(30),
            shutdown: Duration::from_millis(100),
            panic: Duration::from_millis(50),
            watchdog: Duration::from_millis(100),
            power_cut: Duration::from_millis(20),
            leaving: Duration::from_millis(300),
            flash: Duration::from_millis(120),
            heartbeat: Duration::from_millis(200),
        }
    }
}

impl Default for Pace {
    fn default() -> Self {
        Self::lab()
    }
}
