//! Where everything goes: decided from the two partition tables alone, before anything is written.

use crate::table::{Extent, Table};
use thiserror::Error;

/// Why an image cannot be flashed to a card.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum LayoutError {
    /// Not a card that the firmware boots from.
    #[error("the card has no boot partition")]
    CardWithoutBoot,
    /// The card's boot partition ends behind the card.
    #[error("the card's boot partition does not end on the card")]
    BootBeyondCard,
    /// The image would not boot.
    #[error("the image has no boot partition")]
    ImageWithoutBoot,
    /// The image is not whole sectors.
    #[error("the image is {0} bytes, which are not whole sectors")]
    ImageNotSectors(u64),
    /// The image does not fit.
    #[error("the image is {image} bytes and the card {card}")]
    TooLarge {
        /// The image's size in bytes.
        image: u64,
        /// The card's size in bytes.
        card: u64,
    },
    /// The lifeboat does not fit.
    #[error(
        "the card has no room for a copy of its boot partition behind the image: {missing} bytes are \
         missing; the job would have to allow to go without"
    )]
    NoRoom {
        /// So many bytes.
        missing: u64,
    },
}

/// Who boots if the power goes while the place of the old boot partition is overwritten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifeboat {
    /// A copy that is still to be made, there.
    ToMake(Extent),
    /// The copy that an earlier start has made: the card boots from it.
    Made,
    /// Nobody, and the job allows it.
    None,
}

/// Where everything goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// The partition that the card boots from now.
    pub old: Extent,
    /// The image's boot partition.
    pub new: Extent,
    /// The image's size in bytes.
    pub image: u64,
    /// Who boots in the meantime.
    pub lifeboat: Lifeboat,
}

impl Layout {
    /// Decides where everything goes, given both tables and sizes in bytes. The lifeboat begins at a multiple of `align` bytes.
    ///
    /// # Errors
    /// [`LayoutError`] says what does not fit.
    pub fn new(
        (card_table, card): (&Table, u64),
        (image_table, image): (&Table, u64),
        no_lifeboat: bool,
        align: u64,
    ) -> Result<Self, LayoutError> {
        let old = card_table.boot().ok_or(LayoutError::CardWithoutBoot)?;
        let new = image_table
            .boot()
            .filter(|new| new.end() <= image)
            .ok_or(LayoutError::ImageWithoutBoot)?;
        if old.end() > card {
            return Err(LayoutError::BootBeyondCard);
        }
        if image % crate::table::SECTOR as u64 != 0 {
            return Err(LayoutError::ImageNotSectors(image));
        }
        if image > card {
            return Err(LayoutError::TooLarge { image, card });
        }
        let place = Extent { start: image.max(old.end()).next_multiple_of(align), size: old.size };
        let lifeboat = if old.start >= image {
            Lifeboat::Made
        } else if place.end() <= card {
            Lifeboat::ToMake(place)
        } else if no_lifeboat {
            Lifeboat::None
        } else {
            return Err(LayoutError::NoRoom { missing: place.end() - card });
        };
        Ok(Self { old, new, image, lifeboat })
    }

    /// What must not stay, given the parts of the partition that boots now that hold something, counted from its start:
    /// the same of the lifeboat, and all between it and the image. What the image does not cover of the old boot
    /// partition lies there, and files that were removed may have left secrets where nothing stands now.
    pub fn remains(&self, in_use: &[Extent]) -> Vec<Extent> {
        let up_to = |end: u64| Extent { start: self.image, size: end.saturating_sub(self.image) };
        let boat = match self.lifeboat {
            Lifeboat::ToMake(place) => place,
            Lifeboat::Made => self.old,
            Lifeboat::None => return vec![up_to(self.old.end())],
        };
        let parts = in_use.iter().map(|part| part.within(boat));
        std::iter::once(up_to(boat.start)).chain(parts).collect()
    }
}
