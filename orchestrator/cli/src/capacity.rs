//! What this computer can take at a time: open files, and memory.

use crate::failure::{Failure, Kind};
use crate::printer::Printer;
use crate::wire;
use migos_playbooks::plan::Plan;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// A device in flight needs its connection twice while that is young, the file that is sent, and the one that is written
/// of it; through a proxy command, three pipes.
const FILES_PER_DEVICE: u64 = 5;

/// Standard streams, journal, lock, logs, the connections to balena and to a bastion.
const FILES_BESIDES: u64 = 40;

/// A device to which something is being sent: what is read ahead of it, what is on the way, and its connection.
const MEMORY_PER_DEVICE: u64 = 1 << 20;

/// The program, and the plan of a thousand devices.
const MEMORY_BESIDES: u64 = 64 << 20;

/// What this computer gives.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Capacity {
    /// Files that this program may have open; `None`: as many as it likes.
    files: Option<u64>,
    /// Bytes of memory that are free; `None` if that is not told.
    memory: Option<u64>,
}

/// Asks for as many open files as this program may have: shells begin with far fewer.
pub(crate) fn raise() {
    let limit = getrlimit(Resource::Nofile);
    // Who may not has the old limit, and is told when it is too low.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

impl Capacity {
    /// That of this computer, now.
    pub(crate) fn here() -> Self {
        Capacity { files: getrlimit(Resource::Nofile).current, memory: wire::free_memory() }
    }

    /// So many devices at a time, or as many as there are files for; who gets fewer is told.
    pub(crate) fn at_a_time(self, wanted: u32, printer: Printer) -> u32 {
        let most = self.most().unwrap_or(wanted);
        if most < wanted {
            let files = self.files.unwrap_or_default();
            printer.say(&format!(
                "warning: at most {files} files may be open here: {most} devices at a time instead of {wanted}\n\
                 hint: {}",
                remedy(wanted)
            ));
        }
        self.tell_of_memory(wanted.min(most), printer);
        wanted.min(most)
    }

    /// Refuses a plan that may need more files than can be open: it would fail in the middle.
    ///
    /// # Errors
    /// If it has too many devices in flight.
    pub(crate) fn check_plan(self, plan: &Plan, printer: Printer) -> Result<(), Failure> {
        let devices = u32::try_from(plan.devices.len()).unwrap_or(u32::MAX);
        self.check(plan.parallel.min(devices), printer)
    }

    fn check(self, devices: u32, printer: Printer) -> Result<(), Failure> {
        if let (Some(files), Some(most)) = (self.files, self.most())
            && most < devices
        {
            let what = format!(
                "at most {files} files may be open here, which is enough for {most} devices at a time and not for {devices}"
            );
            let hint = format!("{}, or set a lower `parallel`", remedy(devices));
            return Err(Failure::new(Kind::NotStarted, what).hint(hint));
        }
        self.tell_of_memory(devices, printer);
        Ok(())
    }

    fn most(self) -> Option<u32> {
        let most = self.files?.saturating_sub(FILES_BESIDES) / FILES_PER_DEVICE;
        Some(u32::try_from(most).unwrap_or(u32::MAX).max(1))
    }

    fn tell_of_memory(self, devices: u32, printer: Printer) {
        let needed = MEMORY_BESIDES + u64::from(devices) * MEMORY_PER_DEVICE;
        if let Some(free) = self.memory.filter(|free| *free < needed) {
            printer.say(&format!(
                "warning: {devices} devices at a time may need {} MB of memory, and {} MB are free here",
                needed >> 20,
                free >> 20
            ));
        }
    }
}

fn remedy(devices: u32) -> String {
    let files = FILES_BESIDES + u64::from(devices) * FILES_PER_DEVICE;
    format!("allow more with `ulimit -n {files}` before, as root if it has to be")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::args::Color;

    fn with_files(files: Option<u64>) -> Capacity {
        Capacity { files, memory: None }
    }

    #[test]
    fn a_run_that_would_run_out_of_files_is_not_begun() {
        let printer = Printer::new(Color::Never);
        with_files(None).check(10_000, printer).unwrap();
        with_files(Some(1024)).check(196, printer).unwrap();
        let failure = with_files(Some(1024)).check(197, printer).unwrap_err();
        insta::assert_snapshot!(failure.text(), @r"
        error: at most 1024 files may be open here, which is enough for 196 devices at a time and not for 197
        hint: allow more with `ulimit -n 1025` before, as root if it has to be, or set a lower `parallel`
        ");
        assert_eq!(failure.exit_code(), 4);
    }

    #[test]
    fn some_device_has_its_turn_whatever_the_limit() {
        let printer = Printer::new(Color::Never);
        assert_eq!(with_files(Some(16)).at_a_time(64, printer), 1);
        assert_eq!(with_files(Some(240)).at_a_time(64, printer), 40);
        assert_eq!(with_files(Some(1024)).at_a_time(64, printer), 64);
    }
}
