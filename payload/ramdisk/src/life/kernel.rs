//! The kernel's own interfaces: file systems, settings, the watchdog, the way out.

use crate::log::Log;
use rustix::fs::sync;
use rustix::io::Errno;
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use rustix::system::{RebootCommand, reboot};
use std::ffi::CStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

/// What every program expects to find. All memory may be used: the image lives in `/run`.
const FILE_SYSTEMS: [(&str, &str, Option<&CStr>); 5] = [
    ("proc", "/proc", None),
    ("sysfs", "/sys", None),
    ("devtmpfs", "/dev", None),
    ("devpts", "/dev/pts", None),
    ("tmpfs", "/run", Some(c"mode=755,size=100%")),
];

/// Mounts `/proc`, `/sys`, `/dev` and `/run`.
///
/// # Errors
/// One of them cannot be mounted.
pub(super) fn mount_all() -> io::Result<()> {
    for (kind, target, data) in FILE_SYSTEMS {
        fs::create_dir_all(target)?;
        match mount(kind, target, kind, MountFlags::empty(), data) {
            Ok(()) | Err(Errno::BUSY) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Ten seconds in all.
const UNMOUNT_TRIES: u32 = 200;

/// MIGOS's own log. What the programs say that it starts is in the kernel's alone.
pub(super) fn own_log() -> &'static Log {
    static LOG: OnceLock<Log> = OnceLock::new();
    LOG.get_or_init(|| Log::new(uptime))
}

/// Writes a line to MIGOS's log and to the kernel's, and so to its consoles.
pub(super) fn log(line: &str) {
    own_log().add(line);
    if let Ok(mut kmsg) = OpenOptions::new().write(true).open("/dev/kmsg") {
        // Each write is a line of its own. There is nobody else to tell.
        let _ = kmsg.write_all(format!("<4>migos: {line}\n").as_bytes());
    }
}

/// What ends in a reset before the commit, and would only disturb after it: the kernel gives up when
/// memory runs out or something hangs.
pub(super) fn panic_early(on: bool) {
    let value = if on { "1" } else { "0" };
    // Not every kernel has each of them.
    let _ = set("/proc/sys/vm/panic_on_oom", value);
    let _ = set("/proc/sys/kernel/hung_task_panic", value);
}

fn set(path: &str, value: &str) -> io::Result<()> {
    OpenOptions::new().write(true).open(path)?.write_all(value.as_bytes())
}

/// The board's serial number; without one the device tree says nothing.
///
/// # Errors
/// The device tree has none.
pub(super) fn serial() -> io::Result<String> {
    let text = fs::read_to_string("/sys/firmware/devicetree/base/serial-number")?;
    Ok(text.trim_end_matches(['\0', '\n']).to_owned())
}

/// The nonce of the job that this boot is for, from the kernel's command line.
pub(super) fn nonce() -> Option<String> {
    let line = fs::read_to_string("/proc/cmdline").ok()?;
    line.split_whitespace().find_map(|word| word.strip_prefix("migos.job=").map(str::to_owned))
}

/// The time since the kernel's start: also what the firmware's watchdog counts.
pub(super) fn uptime() -> Duration {
    let uptime = fs::read_to_string("/proc/uptime").unwrap_or_default();
    let seconds = uptime.split('.').next().and_then(|whole| whole.parse().ok());
    Duration::from_secs(seconds.unwrap_or_default())
}

/// The hardware watchdog: not fed for some seconds, it resets the board. Some boards have none.
#[derive(Default)]
pub(super) struct Watchdog(Option<File>);

impl Watchdog {
    /// Feeds it; the first time that it is there, it is armed by that.
    pub(super) fn feed(&mut self) {
        if self.0.is_none() {
            self.0 = OpenOptions::new().write(true).open("/dev/watchdog").ok();
        }
        if let Some(file) = &mut self.0 {
            // Not fed, it does what it is there for.
            let _ = file.write_all(b"\0");
        }
    }
}

/// Says something to whoever stands before the device.
pub(super) fn say(text: &str) {
    for screen in ["/dev/tty1", "/dev/console"] {
        if let Ok(mut screen) = OpenOptions::new().write(true).open(screen) {
            // A screen that is not there is not looked at.
            let _ = write!(screen, "\r\n{text}\r\n");
        }
    }
}

/// Resets the board. Does not return: where the kernel refuses, nothing feeds the watchdog any more.
pub(super) fn restart(why: &str) -> ! {
    log(&format!("restart: {why}"));
    // A broken card may never answer.
    let syncing = std::thread::spawn(sync);
    for _ in 0..20 {
        if syncing.is_finished() {
            break;
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    loop {
        if let Err(error) = reboot(RebootCommand::Restart) {
            log(&format!("the kernel does not restart: {error}"));
        }
        let _ = set("/proc/sysrq-trigger", "b");
        // A reset takes a moment; one that did not come is asked for again, and the watchdog is not fed meanwhile.
        std::thread::sleep(Duration::from_secs(5));
    }
}

/// A folder on which something is mounted, until this is dropped.
pub(super) struct Mount {
    folder: &'static Path,
}

impl Mount {
    /// Mounts a partition.
    ///
    /// # Errors
    /// The kernel does not mount it.
    pub(super) fn new(
        device: &Path,
        kind: &str,
        flags: MountFlags,
        data: Option<&CStr>,
        folder: &'static str,
    ) -> io::Result<Self> {
        let folder = Path::new(folder);
        fs::create_dir_all(folder)?;
        mount(device, folder, kind, flags, data)?;
        Ok(Self { folder })
    }

    pub(super) fn path(&self) -> &'static Path {
        self.folder
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // A child that another thread has just begun holds the open files of this one until it is its own
        // program: that is a moment, and a partition left mounted could not be mounted anew.
        for _ in 0..UNMOUNT_TRIES {
            match unmount(self.folder, UnmountFlags::empty()) {
                Ok(()) => return,
                Err(Errno::BUSY) => std::thread::sleep(Duration::from_millis(50)),
                Err(error) => {
                    return log(&format!("failed to unmount {}: {error}", self.folder.display()));
                }
            }
        }
        log(&format!("{} stays mounted: it is busy", self.folder.display()));
    }
}
