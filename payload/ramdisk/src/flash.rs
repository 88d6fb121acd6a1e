//! The card rewritten, so that the power may go at any instant.
//!
//! The firmware boots the first FAT partition that sector 0 names, and a card writes a sector whole or not
//! at all. So there are three times, parted by two writes of sector 0:
//!
//! 1. Sector 0 is the old one. Everything of the image that lies behind the old boot partition is written;
//!    then what the old boot partition holds is copied behind the image: the **lifeboat**.
//! 2. Sector 0 names the lifeboat alone. The rest of the image is written, and the device's own files into
//!    its boot partition.
//! 3. Sector 0 is the image's. The lifeboat is zeroed, and what the image left of the old boot partition.
//!
//! In the first two the firmware boots MIGOS, which begins again: sector 0 tells it where it was. In the
//! third it boots the image, whole. Every piece is read back from the medium before the next is written.
//! `tests/power_cuts.rs` cuts the power at every write.

mod boot_files;
mod fat;
mod layout;

pub use boot_files::{FilesError, LOG_FILE, check_names, put_files};

use boot_files::put_log;
pub use layout::{Layout, LayoutError, Lifeboat};

use crate::disk::Disk;
use crate::image::Image;
use crate::table::{Extent, SECTOR, Sector, Table};
use std::collections::BTreeMap;
use std::io::{self, Read};
use thiserror::Error;

/// Bytes written and read back at once: the size of the blocks in which a card erases.
pub const PIECE: usize = 4 << 20;

/// Parts of the old boot partition that are this much of a piece apart are copied as one: to copy the little in
/// between costs less than one more write that waits for the card.
const NEAR: u64 = 16;

/// So often a piece is written before the card is given up.
const TRIES: u32 = 3;

/// Why the card is not rewritten.
#[derive(Debug, Error)]
pub enum FlashError {
    /// The image cannot go onto this card.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// The card cannot be read.
    #[error("failed to read the card at byte {at}: {source}")]
    Read {
        /// The offset.
        at: u64,
        /// Why.
        source: io::Error,
    },
    /// The image in memory cannot be read.
    #[error("failed to unpack the image at byte {at}: {source}")]
    Unpack {
        /// The offset in the unpacked image.
        at: u64,
        /// Why.
        source: io::Error,
    },
    /// The card cannot be written, or does not hold what is written.
    #[error("failed to write the card at byte {at}: {source}")]
    Write {
        /// The offset.
        at: u64,
        /// Why.
        source: io::Error,
    },
    /// The device's own files are not in place.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// The card boots the image, but remains of what was before could not be zeroed.
    #[error("the card is rewritten, but its remains could not be zeroed: {0}")]
    Remains(Box<FlashError>),
}

/// How far it is, in bytes written and read back: of the image, and of the copy of the old boot partition.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Of so many.
    pub total: u64,
    /// So many are done.
    pub written: u64,
}

/// Whoever looks on while a card is rewritten.
pub trait Observer {
    /// It is so far.
    fn has_written(&mut self, progress: Progress);

    /// Something is done that belongs into the log.
    fn note(&mut self, line: &str);

    /// The log up to now; it is left on the new boot partition.
    fn log(&self) -> String;
}

/// One image for one card.
pub struct Flash<'a> {
    /// What is written.
    pub image: &'a dyn Image,
    /// The device's own files, by their path in the image's boot partition.
    pub files: &'a BTreeMap<String, String>,
    /// Go on even without room for the lifeboat.
    pub no_lifeboat: bool,
    /// Bytes written at once; [`PIECE`] but in tests.
    pub piece: usize,
}

impl Flash<'_> {
    /// Decides where everything goes, without a write. Asked before the commit, it refuses what
    /// [`run`](Self::run) would refuse after it.
    ///
    /// # Errors
    /// The card or the image cannot be read, or they do not fit each other.
    pub fn check(&self, disk: &dyn Disk) -> Result<(), FlashError> {
        self.survey(disk).map(drop)
    }

    /// Puts the files into the image's boot partition on a scratch disk, in memory. Asked before the commit,
    /// it refuses files that there is no place for.
    ///
    /// # Errors
    /// The image cannot be read, or the files cannot be put there.
    pub fn try_files(&self, scratch: &mut dyn Disk) -> Result<(), FlashError> {
        let new = self.new_boot()?;
        self.write_image(scratch, new.start, new.end(), &mut |_| {})?;
        Ok(put_files(scratch, new, self.files)?)
    }

    /// Where the image's boot partition ends: the size of the scratch disk.
    ///
    /// # Errors
    /// The image cannot be read, or has none.
    pub fn scratch_size(&self) -> Result<u64, FlashError> {
        Ok(self.new_boot()?.end())
    }

    fn new_boot(&self) -> Result<Extent, FlashError> {
        let boot = Table::parse(self.new_sector()?).and_then(|table| table.boot());
        let boot = boot.filter(|boot| boot.end() <= self.image.raw_size());
        Ok(boot.ok_or(LayoutError::ImageWithoutBoot)?)
    }

    fn new_sector(&self) -> Result<Sector, FlashError> {
        let mut sector = [0; SECTOR];
        self.image
            .open(0..SECTOR as u64)
            .and_then(|mut image| image.read_exact(&mut sector))
            .map_err(|source| FlashError::Unpack { at: 0, source })?;
        Ok(sector)
    }

    /// Rewrites the card. Cut off at any instant, it is begun again in the same way, and ends the same.
    ///
    /// # Errors
    /// After [`FlashError::Remains`] the card boots the image; after any other it boots what it booted
    /// before, or the lifeboat.
    pub fn run(&self, disk: &mut dyn Disk, observer: &mut dyn Observer) -> Result<(), FlashError> {
        let (first, image) = (SECTOR as u64, self.image.raw_size());
        let Some(Survey { old_table, layout, new_sector, in_use }) = self.survey(disk)? else {
            observer.has_written(Progress { total: image, written: image });
            return Ok(());
        };
        let copied = match layout.lifeboat {
            Lifeboat::ToMake(_) => in_use.iter().map(|part| part.size).sum(),
            Lifeboat::Made | Lifeboat::None => 0,
        };
        let mut meter =
            Meter { observer, progress: Progress { total: image + copied, written: 0 } };
        meter.count(0);
        // From here to its end the image may be written while the old boot partition still boots.
        let tail = match layout.lifeboat {
            Lifeboat::Made => image,
            Lifeboat::ToMake(_) | Lifeboat::None => layout.old.end().min(image),
        };
        self.write_image(disk, tail, image, &mut |bytes| meter.count(bytes))?;
        if let Lifeboat::ToMake(place) = layout.lifeboat {
            meter.note(&format!("bytes {tail} to {image} of the image are written"));
            for part in &in_use {
                let (from, to) = (part.within(layout.old), part.within(place));
                self.copy(disk, from, to, &mut |bytes| meter.count(bytes))?;
            }
            let sector = old_table.with_boot_at(place).ok_or_else(too_far)?;
            write_checked(disk, 0, &sector)?;
            meter.note(&format!(
                "the lifeboat boots: {copied} of {} bytes are copied to byte {}",
                place.size, place.start
            ));
        }
        self.write_image(disk, first, tail, &mut |bytes| meter.count(bytes))?;
        put_files(disk, layout.new, self.files)?;
        meter.note("the image is written, with the device's own files");
        if !self.files.contains_key(LOG_FILE) {
            put_log(disk, layout.new, &meter.observer.log())?;
        }
        write_checked(disk, 0, &new_sector)?;
        meter.count(first);
        for part in layout.remains(&in_use) {
            self.zero(disk, part).map_err(|error| FlashError::Remains(Box::new(error)))?;
        }
        Ok(())
    }

    /// Looks at both; nothing if sector 0 is the image's already. That is written last, so everything is,
    /// and an earlier try has only failed to read it back.
    fn survey(&self, disk: &dyn Disk) -> Result<Option<Survey>, FlashError> {
        let (mut old_sector, new_sector) = ([0; SECTOR], self.new_sector()?);
        disk.read_at(0, &mut old_sector).map_err(|source| FlashError::Read { at: 0, source })?;
        if old_sector == new_sector {
            return Ok(None);
        }
        let old_table = Table::parse(old_sector).ok_or(LayoutError::CardWithoutBoot)?;
        let new_table = Table::parse(new_sector).ok_or(LayoutError::ImageWithoutBoot)?;
        let layout = Layout::new(
            (&old_table, disk.size()),
            (&new_table, self.image.raw_size()),
            self.no_lifeboat,
            self.piece as u64,
        )?;
        let whole = || vec![Extent { start: 0, size: layout.old.size }];
        // What boots from behind the image and is no lifeboat may have held more than it holds now.
        let is_known = layout.lifeboat != Lifeboat::Made || old_table.names_one_partition();
        let near = self.piece as u64 / NEAR;
        let in_use = is_known.then(|| fat::in_use(disk, layout.old, near)).flatten();
        let in_use = in_use.unwrap_or_else(whole);
        Ok(Some(Survey { old_table, layout, new_sector, in_use }))
    }

    /// Writes a part of the image to its place.
    fn write_image(
        &self,
        disk: &mut dyn Disk,
        from: u64,
        to: u64,
        count: &mut dyn FnMut(u64),
    ) -> Result<(), FlashError> {
        if from >= to {
            return Ok(());
        }
        let unpack = |at| move |source| FlashError::Unpack { at, source };
        let mut image = self.image.open(from..to).map_err(unpack(from))?;
        let mut piece = vec![0; self.piece];
        for (at, size) in self.pieces(from, to) {
            let piece = &mut piece[..size];
            image.read_exact(piece).map_err(unpack(at))?;
            write_checked(disk, at, piece)?;
            count(size as u64);
        }
        Ok(())
    }

    fn copy(
        &self,
        disk: &mut dyn Disk,
        from: Extent,
        to: Extent,
        count: &mut dyn FnMut(u64),
    ) -> Result<(), FlashError> {
        let mut piece = vec![0; self.piece];
        for (at, size) in self.pieces(to.start, to.end()) {
            let (piece, from) = (&mut piece[..size], from.start + (at - to.start));
            disk.read_at(from, piece).map_err(|source| FlashError::Read { at: from, source })?;
            write_checked(disk, at, piece)?;
            count(size as u64);
        }
        Ok(())
    }

    fn zero(&self, disk: &mut dyn Disk, part: Extent) -> Result<(), FlashError> {
        let zeros = vec![0; self.piece];
        for (at, size) in self.pieces(part.start, part.end()) {
            write_checked(disk, at, &zeros[..size])?;
        }
        Ok(())
    }

    /// Offset and size of the pieces of a range; each ends at a multiple of the piece's size.
    fn pieces(&self, from: u64, to: u64) -> impl Iterator<Item = (u64, usize)> + use<> {
        let piece = self.piece as u64;
        let mut at = from;
        std::iter::from_fn(move || {
            let end = (at / piece + 1).saturating_mul(piece).min(to);
            let size = usize::try_from(end.checked_sub(at)?).ok().filter(|size| *size > 0)?;
            Some((std::mem::replace(&mut at, end), size))
        })
    }
}

struct Survey {
    old_table: Table,
    layout: Layout,
    new_sector: Sector,
    /// The parts of the partition that boots now that hold something, counted from its start.
    in_use: Vec<Extent>,
}

/// Counts what is written.
struct Meter<'a> {
    observer: &'a mut dyn Observer,
    progress: Progress,
}

impl Meter<'_> {
    fn count(&mut self, bytes: u64) {
        self.progress.written += bytes;
        self.observer.has_written(self.progress);
    }

    fn note(&mut self, line: &str) {
        self.observer.note(line);
    }
}

fn too_far() -> FlashError {
    let source = io::Error::new(io::ErrorKind::InvalidInput, "too far for a partition table");
    FlashError::Write { at: 0, source }
}

/// Writes a piece and reads it back from the medium; a card is given some tries.
fn write_checked(disk: &mut dyn Disk, at: u64, piece: &[u8]) -> Result<(), FlashError> {
    let mut found = vec![0; piece.len()];
    let mut once = || {
        disk.write_at(at, piece)?;
        disk.sync()?;
        disk.read_at(at, &mut found)?;
        match found == piece {
            true => Ok(()),
            false => Err(io::Error::new(io::ErrorKind::InvalidData, "it reads back otherwise")),
        }
    };
    let mut tries = 1;
    loop {
        match once() {
            Ok(()) => return Ok(()),
            Err(_) if tries < TRIES => tries += 1,
            Err(source) => return Err(FlashError::Write { at, source }),
        }
    }
}
