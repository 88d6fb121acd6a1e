//! Makes the parts of virtual Pis: boards, cards and what was spoilt on them.

use std::net::SocketAddr;

use migos_firmware::Reset;
use russh::keys::PublicKey;

use crate::boot;
use crate::card::{Card, FsError, Pool};
use crate::device::Parts;
use crate::faults::DeviceFaults;
use crate::mix;
use crate::pace::Pace;
use crate::release::Release;
use crate::seed::Seed;
use crate::site::{NetworkKind, Site, Tenant, own_address};
use crate::stock::{Identity, Stock};
use crate::twin::{self, Hollows, Presence, Told, Twin};

/// What is free on a file system that a fault calls nearly full, in bytes.
const NEARLY_FULL: u64 = 200_000;

/// Where a device comes from.
pub(crate) enum Origin {
    /// It is one of the lab's mix.
    Mix,
    /// It is the twin of a device elsewhere.
    Twin(Presence),
}

/// One device that is to be made.
pub(crate) struct Device {
    pub(crate) place: usize,
    pub(crate) name: String,
    pub(crate) address: SocketAddr,
    pub(crate) faults: DeviceFaults,
    pub(crate) network: NetworkKind,
}

/// Makes the devices of one lab, which share what is the same on their cards.
pub(crate) struct Workshop {
    seed: Seed,
    pace: Pace,
    operator: PublicKey,
    pool: Pool,
    stock: Stock,
    hollows: Hollows,
    /// Twins from whose cards no Raspbian comes up, and why.
    pub(crate) dead: Vec<(String, String)>,
}

impl Workshop {
    pub(crate) fn new(seed: Seed, pace: Pace, operator: PublicKey) -> Self {
        let pool = Pool::default();
        let stock = Stock::new(pool.clone());
        Self { seed, pace, operator, pool, stock, hollows: Hollows::default(), dead: Vec::new() }
    }

    /// The parts of a device.
    pub(crate) fn parts(&mut self, device: Device, origin: Origin) -> Result<Parts, FsError> {
        match origin {
            Origin::Mix => self.of_mix(device, None),
            Origin::Twin(Presence::Answers(text)) => self.twin(device, Told::read(&text)),
            Origin::Twin(presence) => self.unseen(device, &presence),
        }
    }

    fn of_mix(&mut self, device: Device, twin: Option<Twin>) -> Result<Parts, FsError> {
        let Device { place, name, address, faults, network } = device;
        let (model, release) = mix::pick(self.seed.0, place);
        // Boards since the Pi 4 set the highest digit; the lower half is the unique part.
        let serial = self.seed.number(&format!("{name} serial")) & 0xffff_ffff;
        let serial = if model.eeprom.is_some() { serial | 0x1000_0000_0000_0000 } else { serial };
        let disk_id = self.seed.number(&format!("{name} disk id")) as u32;
        let (seed, own) = (self.seed, own_address(address));
        let tenant = Tenant { name: &name, model, release, serial, seed, own };
        let site = Site::new(network, &tenant);
        let mut card = self.stock_card(release, &name, disk_id)?;
        self.set_up(&mut card, &site)?;
        spoil(&mut card, &self.stock, release, faults)?;
        Ok(Parts {
            model: model.clone(),
            release,
            twin,
            serial,
            seed: self.seed,
            site,
            address,
            faults,
            pace: self.pace,
            pool: self.pool.clone(),
            operator: self.operator.clone(),
            card,
            name,
        })
    }

    /// Puts the files onto the card that set up its network.
    fn set_up(&self, card: &mut Card, site: &Site) -> Result<(), FsError> {
        let Some(partitions) = card.partitions_mut() else { return Ok(()) };
        // Below /run they are made at every start.
        for (path, text) in site.files.iter().filter(|(path, _)| !path.starts_with("/run/")) {
            let path = path.trim_start_matches('/');
            if let Some((folder, _)) = path.rsplit_once('/') {
                partitions.root.make_folders(folder)?;
            }
            partitions.root.write(path, self.pool.keep(text.as_bytes()))?;
        }
        card.sync();
        Ok(())
    }

    fn stock_card(&mut self, release: Release, name: &str, disk_id: u32) -> Result<Card, FsError> {
        let machine_id = &self.seed.hex(&format!("{name} machine id"), 32);
        self.stock.card(release, &Identity { hostname: name, machine_id, disk_id })
    }

    /// The twin of a device of which nothing is known is one of the mix that behaves like it.
    fn unseen(&mut self, mut device: Device, presence: &Presence) -> Result<Parts, FsError> {
        let faults = &mut device.faults;
        match presence {
            Presence::Silent => faults.unreachable = true,
            Presence::OtherHostKey => faults.wrong_host_key = true,
            Presence::SudoAsks => faults.sudo_asks = true,
            Presence::Answers(_) | Presence::RefusesLogin | Presence::NoPi => {}
        }
        self.of_mix(device, Some(Twin::unseen(presence)))
    }

    fn twin(&mut self, device: Device, told: Told) -> Result<Parts, FsError> {
        let Device { name, address, mut faults, .. } = device;
        let (model, release) = (twin::model(&told), twin::release(&told));
        let known = told.first("serial").and_then(|serial| u64::from_str_radix(serial, 16).ok());
        let serial = known.unwrap_or_else(|| self.seed.number(&format!("{name} serial")));
        let mut hollows = std::mem::take(&mut self.hollows);
        let pool = self.pool.clone();
        let card = twin::card(&told, release, &pool, &mut hollows, |disk_id| {
            self.stock_card(release, &name, disk_id)
        });
        self.hollows = hollows;
        let mut card = card?;

        let mac = told.mac().map_or_else(|| model.mac(serial), str::to_owned);
        let site = Site::unknown(mac, told.network_files());

        let boot_path = told.first("boot.path").unwrap_or_default();
        faults.read_only_boot |= told.mounted(boot_path).is_some_and(|boot| !boot.writable);
        let outcome = boot::boot(&model, release, serial, &card, Reset::default());
        let (twin, dead) = Twin::of(told, outcome);
        self.dead.extend(dead.map(|reason| (name.clone(), reason)));
        spoil(&mut card, &self.stock, release, faults)?;
        Ok(Parts {
            model,
            release,
            twin: Some(twin),
            serial,
            seed: self.seed,
            site,
            address,
            faults,
            pace: self.pace,
            pool,
            operator: self.operator.clone(),
            card,
            name,
        })
    }
}

/// What a fault is to the card.
fn spoil(
    card: &mut Card,
    stock: &Stock,
    release: Release,
    faults: DeviceFaults,
) -> Result<(), FsError> {
    if faults.small_card {
        card.shrink();
    }
    let Some(partitions) = card.partitions_mut() else { return Ok(()) };
    if faults.old_firmware {
        stock.age_firmware(release, &mut partitions.boot)?;
    }
    if faults.overlay_root {
        stock.overlay_root(release, &mut partitions.boot)?;
    }
    if faults.no_space {
        partitions.boot.leave_free(NEARLY_FULL);
    }
    if faults.root_full {
        partitions.root.leave_free(NEARLY_FULL);
    }
    card.sync();
    Ok(())
}
