//! The boot partition, mounted for as long as something is done with it and no longer: the power may go at
//! any time.

use super::card::{Blocks, Candidate};
use super::kernel::{self, Mount, log};
use crate::control::MakePermanent;
use crate::disk::BlockDisk;
use crate::flash::{Flash, PIECE};
use crate::image::Image;
use crate::switch::{BootFiles, Mounted, Switch, SwitchError, job_file};
use migos_contract::{Configuration, Handover, Job, boot_path, job_path};
use rustix::io::Errno;
use rustix::mount::MountFlags;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};
use std::time::Duration;

const FOLDER: &str = "/run/migos/boot";
/// Where MIGOS leaves its last words to the controller, which reads the last line of at most 4096 bytes.
const RESULT: &str = "result.txt";
/// How often a file system is tried whose module is still to be loaded.
const MODULE_TICK: Duration = Duration::from_millis(200);

/// Raspbian's boot partition, or its copy.
#[derive(Debug, Clone)]
pub(super) struct BootPartition(PathBuf);

/// What MIGOS came up for, all in memory.
pub(super) struct Found {
    /// The card.
    pub(super) card: Candidate,
    /// Its boot partition.
    pub(super) boot: BootPartition,
    /// The job.
    pub(super) job: Job,
    /// The image's list of chunks, if there has to be one.
    pub(super) chunks: Option<Result<Vec<u8>, String>>,
    /// What was configured, if MIGOS is permanent.
    pub(super) committed: Option<Result<Configuration, String>>,
    /// What had been put in the place of `config.txt`.
    pub(super) replaced: Option<Vec<u8>>,
    /// What only this device may know.
    pub(super) secrets: Secrets,
}

/// What only this device may know, in memory alone from now on.
pub(super) struct Secrets {
    /// The SSH server's key.
    pub(super) host_key: Vec<u8>,
    /// Who may log in.
    pub(super) authorized_keys: Vec<u8>,
    /// The key that opens the way home.
    pub(super) call_home_key: Option<Vec<u8>>,
    /// The networks and passwords of the radio.
    pub(super) wifi: Option<Vec<u8>>,
    /// What is to be configured without anybody's help.
    pub(super) configuration: Option<Vec<u8>>,
}

impl BootPartition {
    fn mounted<T>(
        &self,
        flags: MountFlags,
        act: impl FnOnce(Switch<Mounted>) -> Result<T, SwitchError>,
    ) -> Result<T, String> {
        let mount = Mount::new(&self.0, "vfat", flags, None, FOLDER)
            .map_err(|error| format!("failed to mount {}: {error}", self.0.display()))?;
        act(Switch { files: Mounted(mount.path().to_owned()) }).map_err(|error| error.to_string())
    }

    /// Says in `migos/result.txt` how it goes, as long as the card is Raspbian's. It holds the last word
    /// only: what went before is in the kernel's log.
    pub(super) fn note(&self, line: &str) {
        log(line);
        let written = self.mounted(MountFlags::empty(), |mut switch| {
            let path = format!("{}/{RESULT}", boot_path::FOLDER);
            switch.files.put(&path, format!("{line}\n").as_bytes()).map_err(SwitchError::Commit)
        });
        if let Err(error) = written {
            log(&error);
        }
    }
}

/// Finds the card whose job this boot is for, and puts back what was replaced before anything else is
/// done. Nothing if there is no such card yet.
///
/// # Errors
/// The card is there, and its job or its boot files are not sound.
pub(super) fn find() -> Result<Option<Found>, (BootPartition, String)> {
    let nonce = kernel::nonce();
    for card in Blocks::of_this_system().candidates() {
        let boot = BootPartition(card.boot.clone());
        let has_job = boot.mounted(MountFlags::RDONLY, |switch| Ok(is_job_of(&switch, &nonce)));
        if has_job == Ok(true) {
            let found =
                boot.mounted(MountFlags::empty(), |switch| read(switch, card, boot.clone()));
            return found.map(Some).map_err(|error| (boot, error));
        }
    }
    Ok(None)
}

/// A job that cannot be read is this boot's as well: it is where that is said.
fn is_job_of(switch: &Switch<Mounted>, nonce: &Option<String>) -> bool {
    match switch.job() {
        Ok(job) => nonce.as_ref().is_none_or(|nonce| *nonce == job.nonce),
        Err(SwitchError::Missing(_)) => false,
        Err(_) => true,
    }
}

fn read(
    mut switch: Switch<Mounted>,
    card: Candidate,
    boot: BootPartition,
) -> Result<Found, SwitchError> {
    let job = switch.job()?;
    let (committed, replaced) = match switch.is_permanent(&job)? {
        true => (Some(switch.committed().map_err(|error| error.to_string())), None),
        false => (None, switch.restore(&job)?),
    };
    let file = |name: &str| {
        let path = job_file(name);
        match switch.files.read(&path) {
            Ok(content) => content.ok_or(SwitchError::Missing(path)),
            Err(source) => Err(SwitchError::Read { path, source }),
        }
    };
    // Before the commit nothing may be missing. After it, half of it is better than nothing.
    let wanted = |is_wanted: bool, name: &str| match is_wanted.then(|| file(name)) {
        None => Ok(None),
        Some(Err(error)) if committed.is_some() => {
            log(&error.to_string());
            Ok(None)
        }
        Some(content) => content.map(Some),
    };
    let is_unattended = matches!(job.handover, Handover::Unattended(_)) && committed.is_none();
    let secrets = Secrets {
        host_key: file(job_path::HOST_KEY)?,
        authorized_keys: file(job_path::AUTHORIZED_KEYS)?,
        call_home_key: wanted(
            matches!(job.handover, Handover::CallHome(_)),
            job_path::CALL_HOME_KEY,
        )?,
        wifi: wanted(job.network.links.iter().any(|link| link.wifi), job_path::WIFI)?,
        configuration: wanted(is_unattended, job_path::CONFIGURATION)?,
    };
    let has_chunks = job.image.chunks_sha256.is_some();
    let chunks = has_chunks.then(|| file(job_path::CHUNKS).map_err(|error| error.to_string()));
    Ok(Found { card, boot, job, chunks, committed, replaced, secrets })
}

/// Makes MIGOS permanent on the card.
pub(super) struct OnCard {
    /// The card's device.
    pub(super) disk: PathBuf,
    /// The boot partition.
    pub(super) boot: BootPartition,
    /// The job.
    pub(super) job: Job,
    /// What had been put in the place of `config.txt`.
    pub(super) replaced: Option<Vec<u8>>,
}

impl MakePermanent for OnCard {
    fn fits(&self, image: &dyn Image) -> Result<(), String> {
        let (files, no_lifeboat) = (BTreeMap::new(), self.job.no_lifeboat);
        let flash = Flash { image, files: &files, no_lifeboat, piece: PIECE };
        let disk = BlockDisk::open_read_only(&self.disk).map_err(|error| error.to_string())?;
        flash.check(&disk).map_err(|error| error.to_string())
    }

    fn make_permanent(&mut self, configuration: &Configuration) -> Result<(), String> {
        let replaced = self.replaced.as_deref();
        self.boot
            .mounted(MountFlags::empty(), |mut switch| switch.commit(configuration, replaced))?;
        // Mounted anew, the card itself is read. To overwrite Raspbian while the card boots it would be the
        // end of both.
        let is_written = self.boot.mounted(MountFlags::RDONLY, |switch| {
            Ok(switch.is_permanent(&self.job)? && switch.committed()? == *configuration)
        })?;
        if !is_written {
            return Err("the commit could not be written: the card does not hold it".to_owned());
        }
        kernel::panic_early(false);
        Ok(())
    }
}

/// Opens a file on Raspbian's root file system, and gives it to be read while that is mounted. While modules are being
/// loaded, that of the file system may yet come.
///
/// # Errors
/// No partition of the card has such a file that can be taken; the last reason is given.
pub(super) fn from_root<T>(
    card: &Candidate,
    path: &str,
    modules: &JoinHandle<()>,
    take: impl Fn(&Path) -> Result<T, String>,
) -> Result<T, String> {
    let mut why = format!("{path} is on no partition of the card");
    for device in &card.others {
        // Without the journal first: then nothing at all is written. Where Raspbian did not end in order
        // the file may show only with it.
        for data in [c"noload,errors=continue", c"errors=continue"] {
            let mount =
                || Mount::new(device, "ext4", MountFlags::RDONLY, Some(data), "/run/migos/root");
            let taken = once_known(modules, mount)
                .map_err(|error: io::Error| error.to_string())
                .and_then(|mount| {
                    let file = mount.path().join(path.trim_start_matches('/'));
                    if file.is_file() { take(&file).map(Some) } else { Ok(None) }
                });
            match taken {
                Ok(Some(taken)) => return Ok(taken),
                Ok(None) => {}
                Err(error) => why = format!("{path} on {}: {error}", device.display()),
            }
        }
    }
    Err(why)
}

/// Mounts once the kernel knows the file system, or once no more modules are loaded.
fn once_known<T>(modules: &JoinHandle<()>, mount: impl Fn() -> io::Result<T>) -> io::Result<T> {
    loop {
        let was_loading = !modules.is_finished();
        match mount() {
            Err(error)
                if was_loading && error.raw_os_error() == Some(Errno::NODEV.raw_os_error()) =>
            {
                thread::sleep(MODULE_TICK);
            }
            mounted => return mounted,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::cell::Cell;
    use std::sync::mpsc;

    #[test]
    fn a_file_system_whose_module_is_still_to_be_loaded_is_waited_for() {
        let (load, is_loaded) = mpsc::channel::<()>();
        let modules = thread::spawn(move || is_loaded.recv().unwrap());
        let (tries, load) = (Cell::new(0), Cell::new(Some(load)));
        let mounted = once_known(&modules, || {
            tries.set(tries.get() + 1);
            match tries.get() {
                1 | 2 => Err(io::Error::from_raw_os_error(Errno::NODEV.raw_os_error())),
                _ => load.take().map_or(Ok(()), |load| load.send(()).map_err(io::Error::other)),
            }
        });
        assert_eq!((mounted.unwrap(), tries.get()), ((), 3));
        modules.join().unwrap();
    }

    #[test]
    fn a_file_system_that_no_module_brings_is_an_error() {
        let modules = thread::spawn(|| {});
        let tries = Cell::new(0);
        let mounted: io::Result<()> = once_known(&modules, || {
            tries.set(tries.get() + 1);
            Err(io::Error::from_raw_os_error(Errno::NODEV.raw_os_error()))
        });
        assert_eq!(mounted.unwrap_err().raw_os_error(), Some(Errno::NODEV.raw_os_error()));
        modules.join().unwrap();
        assert!(tries.get() >= 1);
    }
}
