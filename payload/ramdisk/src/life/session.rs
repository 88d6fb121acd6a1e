//! From the kernel's start to the reset: what MIGOS does, in order.

use super::boot_partition::{Found, OnCard, Secrets, find, from_root};
use super::handover;
use super::kernel::{self, Watchdog, log, restart, say};
use super::programs;
use crate::control::{Control, MakePermanent, SOCKET, Server, Supply, Work, nameless};
use crate::disk::BlockDisk;
use crate::flash::{Flash, FlashError, Observer, PIECE, Progress};
use crate::image::{ChunkTable, StreamedImage, VerifiedImage};
use migos_contract::{Job, State, Status};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Folder for what is kept in memory.
const MEMORY: &str = "/run/migos";
/// The card may come late: USB disks take some seconds.
const CARD_PATIENCE: Duration = Duration::from_secs(60);
/// Coming up, with the image read and unpacked for the trial, takes no longer; else the board is reset. A
/// gigabyte from a slow card takes two minutes, and unpacking it on the slowest Pi some more.
const START_PATIENCE: Duration = Duration::from_secs(20 * 60);
/// The time for the last answers to reach the controller.
const FAREWELL: Duration = Duration::from_secs(4);
/// The wait before a flash that has failed is begun again.
const AGAIN: Duration = Duration::from_secs(60);
/// The watchdog's shortest time is some seconds.
const TICK: Duration = Duration::from_secs(1);
/// So many ticks nothing may hold up the dead-man: a card that takes this long for two files is broken.
const BUSY_LIMIT: u32 = 120;

/// What the threads share.
#[derive(Default)]
struct Shared {
    control: OnceLock<Arc<Mutex<Control>>>,
}

impl Shared {
    fn control(&self) -> Option<MutexGuard<'_, Control>> {
        Some(self.control.get()?.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Lives until the reset.
pub(super) fn live() -> ! {
    kernel::panic_early(true);
    // All at once: the card must not wait for the network's modules to be put in order, nor the watchdog.
    let modules = thread::spawn(programs::load_modules);
    let mut watchdog = Watchdog::default();
    let shared = Arc::new(Shared::default());
    let worker = Arc::clone(&shared);
    thread::spawn(move || {
        if let Err(why) = come_up(&worker, &modules) {
            give_up(&why);
        }
    });
    let (mut shown, mut busy) = (String::new(), 0);
    loop {
        watchdog.feed();
        thread::sleep(TICK);
        let now = kernel::uptime();
        let Some(control) = shared.control.get() else {
            if now > START_PATIENCE {
                restart("it does not come up");
            }
            continue;
        };
        // Held while the commit goes to the card, which may take longer than the watchdog waits.
        let Ok(mut control) = control.try_lock() else {
            busy += 1;
            if busy > BUSY_LIMIT {
                restart("it hangs");
            }
            continue;
        };
        busy = 0;
        control.tick(now);
        let text = words(&control, now);
        let status = control.status();
        drop(control);
        if text != shown {
            say(&text);
            shown = text;
        }
        if matches!(status.state, State::Leaving | State::Flashed) {
            thread::sleep(FAREWELL);
            leave(&status);
        }
    }
}

/// What the screen says.
fn words(control: &Control, now: Duration) -> String {
    let status = control.status();
    let percent = (status.written.saturating_mul(100)).checked_div(status.total).unwrap_or(0);
    match (status.state, control.minutes_left(now)) {
        (State::Leaving | State::Flashed, _) => "Restarting. Do not switch off.".to_owned(),
        (State::Flashing, _) => format!("System update. Do not switch off. {}%", percent / 10 * 10),
        (State::Failed, _) => "The system update needs help. Do not switch off.".to_owned(),
        (_, Some(minutes)) => {
            format!("System update. Do not switch off. At most {minutes} min until it begins.")
        }
        (_, None) => "System update. Do not switch off.".to_owned(),
    }
}

/// The end, one way or the other.
fn leave(status: &Status) -> ! {
    match (status.state, &status.error) {
        (State::Flashed, _) => restart("the card is rewritten"),
        (_, Some(why)) => give_up(why),
        (_, None) => give_up("asked to go back"),
    }
}

/// Says why, where Raspbian can read it, and resets the board.
fn give_up(why: &str) -> ! {
    match find() {
        Ok(Some(found)) if found.committed.is_none() => found.boot.note(why),
        Err((boot, _)) => boot.note(why),
        Ok(_) => {}
    }
    restart(why)
}

/// Everything up to the first answer; then the flash, whenever there is one to do.
fn come_up(shared: &Shared, modules: &JoinHandle<()>) -> Result<(), String> {
    let found = wait_for_card()?;
    let obstacle = check(&found).err();
    if found.committed.is_some() {
        kernel::panic_early(false);
    } else if let Some(why) = obstacle {
        return Err(why);
    } else {
        found.boot.note("MIGOS has come up");
    }
    programs::start_network(&found.job, found.secrets.wifi.as_deref());
    let image = supply(&found, modules);
    let (disk, job) = (found.card.disk.clone(), found.job.clone());
    let (control, secrets) = control(found, image, obstacle)?;
    let control = shared.control.get_or_init(|| Arc::new(Mutex::new(control)));
    let server = Server::new(Arc::clone(control), PathBuf::from(MEMORY), kernel::own_log().clone());
    server
        .clone()
        .listen(Path::new(SOCKET))
        .map_err(|error| format!("failed to listen at {SOCKET}: {error}"))?;
    programs::start_ssh(&secrets.host_key, &secrets.authorized_keys)
        .map_err(|error| format!("failed to start the SSH server: {error}"))?;
    handover::start(&job, secrets, server, control)?;
    flash_when_asked(shared, &disk)
}

fn wait_for_card() -> Result<Found, String> {
    loop {
        match find() {
            Ok(Some(found)) => return Ok(found),
            Ok(None) if kernel::uptime() < CARD_PATIENCE => thread::sleep(TICK),
            Ok(None) => return Err("no card has the job of this boot".to_owned()),
            Err((_, why)) => return Err(why),
        }
    }
}

/// Checks that the job is for this board and this card.
fn check(found: &Found) -> Result<(), String> {
    let serial =
        kernel::serial().map_err(|error| format!("the board has no serial number: {error}"))?;
    if found.job.serial != serial {
        return Err(format!("the job is for board {}, this is {serial}", found.job.serial));
    }
    if found.job.disk_id != found.card.disk_id {
        let (wanted, found) = (&found.job.disk_id, &found.card.disk_id);
        return Err(format!("the job is for disk {wanted}, this is {found}"));
    }
    Ok(())
}

/// Finds out where the image comes from, and takes it into memory where that has room.
fn supply(found: &Found, modules: &JoinHandle<()>) -> Result<Supply, String> {
    let chunks = chunk_table(found);
    match &found.job.image.path {
        Some(path) if found.committed.is_none() => {
            let chunks = chunks?;
            let load = |path: &Path| load(path, &found.job, chunks.clone());
            from_root(&found.card, path, modules, load).map(Supply::Memory)
        }
        // Half overwritten, it is sent again; and without its chunks it is still known by its digest.
        Some(path) => {
            let chunks = chunks.map_err(|why| log(&why)).ok().flatten();
            let load = |path: &Path| load(path, &found.job, chunks.clone());
            let image = from_root(&found.card, path, modules, load).map_err(|why| log(&why));
            Ok(image.map_or_else(|()| Supply::Missing(chunks.clone()), Supply::Memory))
        }
        None if found.job.image.into_memory => Ok(Supply::Missing(match found.committed {
            None => chunks?,
            Some(_) => chunks.map_err(|why| log(&why)).ok().flatten(),
        })),
        None => match chunks? {
            Some(chunks) => Ok(Supply::Streamed(StreamedImage::new(chunks))),
            None => Err("the job names no image on the card, and no chunks in which it could be \
                         sent while the card is written"
                .to_owned()),
        },
    }
}

fn chunk_table(found: &Found) -> Result<Option<Arc<ChunkTable>>, String> {
    let Some(text) = &found.chunks else { return Ok(None) };
    let table = ChunkTable::read(text.as_ref().map_err(Clone::clone)?, &found.job.image);
    table.map(|table| Some(Arc::new(table))).map_err(|error| error.to_string())
}

/// Copies the image into memory and verifies it there.
fn load(path: &Path, job: &Job, chunks: Option<Arc<ChunkTable>>) -> Result<VerifiedImage, String> {
    let copy = || {
        let mut file = nameless(Path::new(MEMORY))?;
        io::copy(&mut File::open(path)?, &mut file)?;
        Ok(file)
    };
    let file = copy().map_err(|error: io::Error| format!("it does not go into memory: {error}"))?;
    VerifiedImage::verify(file, &job.image, chunks).map_err(|error| error.to_string())
}

fn control(
    found: Found,
    image: Result<Supply, String>,
    obstacle: Option<String>,
) -> Result<(Control, Secrets), String> {
    let serial = kernel::serial().unwrap_or_default();
    let Found { card, boot, job, committed, replaced, secrets, .. } = found;
    if let Some(configuration) = committed {
        // Without its chunks an image that memory does not hold is known by nothing.
        let (image, obstacle) = match image {
            Ok(image) => (image, obstacle),
            Err(why) => (Supply::Missing(None), obstacle.or(Some(why))),
        };
        return Ok((Control::resumed(job, serial, configuration, image, obstacle), secrets));
    }
    let (image, disk) = (image?, card.disk);
    let switch = OnCard { disk, boot, job: job.clone(), replaced };
    if let Supply::Memory(image) = &image {
        switch.fits(image)?;
    }
    Ok((Control::ready(job, serial, image, Box::new(switch)), secrets))
}

/// Waits for the commit and for all there is to write; what fails is begun again after a while.
fn flash_when_asked(shared: &Shared, disk: &Path) -> Result<(), String> {
    loop {
        let work = shared.control().and_then(|mut control| control.begin_work());
        let Some(work) = work else {
            thread::sleep(TICK);
            continue;
        };
        log("the card is being rewritten");
        let done = flash(&work, disk, &mut Witness(shared));
        let Some(mut control) = shared.control() else { continue };
        match done {
            Ok(()) => {
                control.has_flashed();
                return Ok(());
            }
            Err(why) => {
                log(&why);
                control.fail(why);
                drop(control);
                thread::sleep(AGAIN);
                if let Some(mut control) = shared.control() {
                    control.resume();
                }
            }
        }
    }
}

/// Tells the threads how the flash goes.
struct Witness<'a>(&'a Shared);

impl Observer for Witness<'_> {
    fn has_written(&mut self, progress: Progress) {
        if let Some(mut control) = self.0.control() {
            control.has_written(progress);
        }
    }

    fn note(&mut self, line: &str) {
        log(line);
    }

    fn log(&self) -> String {
        kernel::own_log().text()
    }
}

fn flash(work: &Work, disk: &Path, observer: &mut dyn Observer) -> Result<(), String> {
    let mut disk = BlockDisk::open(disk).map_err(|error| format!("failed to open it: {error}"))?;
    let flash = Flash {
        image: work.image.as_ref(),
        files: &work.configuration.files,
        no_lifeboat: work.no_lifeboat,
        piece: PIECE,
    };
    match flash.run(&mut disk, observer) {
        Ok(()) => Ok(()),
        // The card boots the image, and holds these secrets anyway.
        Err(error @ FlashError::Remains(_)) => {
            log(&error.to_string());
            Ok(())
        }
        Err(error) => Err(error.to_string()),
    }
}
