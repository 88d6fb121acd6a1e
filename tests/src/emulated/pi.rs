//! The Pi: what its firmware boots at each reset, and its power.

use super::card::{Card, Tree};
use super::gate::Gate;
use super::machine::{Ended, Machine, Plug, REBOOT_PARAM, Start};
use super::place::{self, Place};
use super::{Model, cache, is_migos};
use anyhow::{Context, Result, bail, ensure};
use migos_engine::run::write_whole;
use migos_firmware::{Board, Boot, Reset, boot};
use std::fs;
use std::io::Read;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long anything is waited for: far longer than a busy computer needs. A wait that ends here has failed.
const PATIENCE: Duration = Duration::from_secs(300);
/// How long a server may take to say that it is one.
const GREETING: Duration = Duration::from_secs(10);
/// Pause between two looks at a port, which cannot tell us anything by itself.
const LOOK: Duration = Duration::from_millis(100);

/// The first one's serial number, whose end is the Ethernet address's, as on a Pi.
const SERIAL: u64 = 0x765f_c593;

/// Whether a Pi does anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Power {
    /// It has no power, or has switched itself off.
    Off,
    /// A kernel was started.
    On,
    /// It has power and starts no kernel, for this reason; so it stays until its power is cut.
    Dark(String),
    /// The emulation itself has failed; nothing can be said of a Pi.
    Broken(String),
}

/// What became of a Pi.
#[derive(Debug, Clone)]
pub struct Life {
    /// Its power.
    pub power: Power,
    /// What its firmware booted, in order.
    pub boots: Vec<Boot>,
    /// When that was, from the first one on.
    pub times: Vec<Duration>,
}

impl Life {
    /// How often MIGOS was booted.
    pub fn times_in_migos(&self) -> usize {
        self.boots.iter().filter(|boot| is_migos(boot)).count()
    }

    /// True if what was booted last is MIGOS.
    pub fn is_in_migos(&self) -> bool {
        self.boots.last().is_some_and(is_migos)
    }
}

/// Whether a Pi's network cable is plugged in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cable {
    /// It is.
    Plugged,
    /// It has been pulled.
    Pulled,
}

/// Somebody who is at the Pi at each reset, before the kernel starts: he knows what is about to boot, may change the
/// card, and may pull the cable.
type Visitor = Box<dyn FnMut(&Boot, &Card) -> Result<Cable> + Send>;

struct Shared {
    inner: Mutex<Inner>,
    changed: Condvar,
}

struct Inner {
    life: Life,
    /// When it booted first.
    began: Option<Instant>,
    /// Whether the supply is switched on.
    supplied: bool,
    plug: Option<Plug>,
    ending: bool,
    visitor: Option<Visitor>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An emulated Pi. Its power is cut when it is dropped.
pub struct EmulatedPi {
    model: Model,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    card: Arc<Card>,
    folder: Arc<TempDir>,
    gate: Gate,
    _place: Place,
}

impl EmulatedPi {
    /// So many Pis without power, each another board with a card of its own, made in a folder. Waits until a processor is
    /// free for each.
    ///
    /// # Errors
    /// If they cannot be made; the message says what is missing.
    pub fn several(
        count: usize,
        model: Model,
        mut card: impl FnMut(&Path) -> Result<Card>,
    ) -> Result<Vec<Self>> {
        let qemu = cache::made("qemu", include_str!("qemu.sh"), &[])?.join("run");
        let places = place::take(count)?.into_iter();
        let serials = SERIAL..;
        places
            .zip(serials)
            .map(|(place, serial)| Self::at(place, &qemu, (model, serial), &mut card))
            .collect()
    }

    fn at(
        place: Place,
        qemu: &Path,
        (model, serial): (Model, u64),
        card: &mut impl FnMut(&Path) -> Result<Card>,
    ) -> Result<Self> {
        let folder = Arc::new(tempfile::tempdir_in(cache::folder()?)?);
        let card = Arc::new(card(folder.path())?);
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let life = Life { power: Power::Off, boots: Vec::new(), times: Vec::new() };
        let inner =
            Inner { life, began: None, supplied: false, plug: None, ending: false, visitor: None };
        let shared = Arc::new(Shared { inner: Mutex::new(inner), changed: Condvar::new() });
        let end = serial.to_be_bytes();
        let mut firmware = Firmware {
            shared: Arc::clone(&shared),
            qemu: qemu.to_owned(),
            card: Arc::clone(&card),
            folder: Arc::clone(&folder),
            port,
            model,
            board: Board { revision: model.revision(), serial, eeprom: None },
            mac: format!("b8:27:eb:{:02x}:{:02x}:{:02x}", end[5], end[6], end[7]),
            processor: place.processor,
            aio: "threads",
        };
        firmware.aio = firmware.machine().prepare(&firmware.serial())?;
        let thread = Some(thread::spawn(move || firmware.run()));
        let gate = Gate::to(port)?;
        Ok(Self { model, shared, thread, card, folder, gate, _place: place })
    }

    /// Which board it is.
    pub fn model(&self) -> Model {
        self.model
    }

    /// Its card. What is on it is to be looked at only while the Pi is off.
    pub fn card(&self) -> &Card {
        &self.card
    }

    /// The port of its SSH server, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.gate.port()
    }

    /// What became of it so far.
    pub fn life(&self) -> Life {
        self.shared.lock().life.clone()
    }

    /// All that was written to its serial console.
    ///
    /// # Errors
    /// If it was never on.
    pub fn console(&self) -> Result<String> {
        let bytes = fs::read(self.folder.path().join("console"))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// What its system has told the firmware for the next boot, since it was last booted.
    pub fn told_firmware(&self) -> String {
        fs::read_to_string(self.folder.path().join(REBOOT_PARAM)).unwrap_or_default()
    }

    /// Has somebody come at each reset from now on.
    pub fn visit_each_boot(
        &self,
        visitor: impl FnMut(&Boot, &Card) -> Result<Cable> + Send + 'static,
    ) {
        self.shared.lock().visitor = Some(Box::new(visitor));
    }

    /// Switches its supply on.
    pub fn power_on(&self) {
        self.shared.lock().supplied = true;
        self.shared.changed.notify_all();
    }

    /// Cuts its power, and waits until nothing moves any more.
    ///
    /// # Errors
    /// If it does not end.
    pub fn cut_power(&self) -> Result<()> {
        self.cut();
        self.until("its end", |life| life.power == Power::Off)
    }

    fn cut(&self) {
        let mut inner = self.shared.lock();
        inner.supplied = false;
        if let Some(plug) = &inner.plug {
            plug.pull();
        }
        if matches!(inner.life.power, Power::Dark(_)) {
            inner.life.power = Power::Off;
        }
        drop(inner);
        self.shared.changed.notify_all();
    }

    /// Waits until a condition holds.
    ///
    /// # Errors
    /// If it never does, or the emulation fails.
    pub fn until(&self, what: &str, mut holds: impl FnMut(&Life) -> bool) -> Result<()> {
        let started = Instant::now();
        let mut inner = self.shared.lock();
        while !holds(&inner.life) {
            if let Power::Broken(why) = &inner.life.power {
                bail!("waited for {what}: the emulation failed: {why}");
            }
            let left = PATIENCE.saturating_sub(started.elapsed());
            ensure!(!left.is_zero(), "waited {PATIENCE:?} for {what}: {:?}", inner.life);
            let waited = self.shared.changed.wait_timeout(inner, left);
            inner = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        Ok(())
    }

    /// Waits until its SSH server answers.
    ///
    /// # Errors
    /// If it never does, or the Pi is not on.
    pub fn until_ssh(&self) -> Result<()> {
        // Every connection is taken, and closed when nobody is found behind.
        self.until_true("SSH", || self.greeting().is_ok_and(|greeting| greeting == *b"SSH-"))
    }

    /// Waits until something holds that nobody tells of, while the Pi is on.
    ///
    /// # Errors
    /// If it never does, or the Pi goes off.
    pub fn until_true(&self, what: &str, mut holds: impl FnMut() -> bool) -> Result<()> {
        let started = Instant::now();
        self.until("power", |life| life.power != Power::Off)?;
        while !holds() {
            let power = self.life().power;
            let console = || self.console().unwrap_or_default();
            ensure!(power == Power::On, "waited for {what}: it is {power:?}; {}", console());
            let over = started.elapsed() >= PATIENCE;
            ensure!(!over, "waited {PATIENCE:?} for {what}; {}", console());
            thread::sleep(LOOK);
        }
        Ok(())
    }

    fn greeting(&self) -> std::io::Result<[u8; 4]> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port()))?;
        stream.set_read_timeout(Some(GREETING))?;
        let mut greeting = [0; 4];
        stream.read_exact(&mut greeting)?;
        Ok(greeting)
    }
}

impl Drop for EmulatedPi {
    fn drop(&mut self) {
        self.shared.lock().ending = true;
        self.cut();
        if let Some(thread) = self.thread.take() {
            // A panic there has been reported where it happened.
            let _ = thread.join();
        }
    }
}

/// What runs before any kernel: on a thread, for as long as there is a Pi.
struct Firmware {
    shared: Arc<Shared>,
    qemu: PathBuf,
    card: Arc<Card>,
    folder: Arc<TempDir>,
    port: u16,
    model: Model,
    board: Board,
    mac: String,
    processor: usize,
    aio: &'static str,
}

impl Firmware {
    fn machine(&self) -> Machine<'_> {
        Machine {
            model: self.model,
            qemu: &self.qemu,
            folder: self.folder.path(),
            card: self.card.image(),
            port: self.port,
            mac: &self.mac,
            processor: self.processor,
            aio: self.aio,
        }
    }

    fn serial(&self) -> String {
        format!("{:016x}", self.board.serial)
    }

    fn run(&self) {
        while self.wait_for_power() {
            // The flag does not survive a power cut.
            let mut reset = Some(Reset::default());
            while let Some(this) = reset {
                reset = self.boot(this).unwrap_or_else(|error| {
                    self.becomes(Power::Broken(format!("{error:#}")));
                    None
                });
            }
            let mut inner = self.shared.lock();
            inner.supplied = false;
            if inner.life.power == Power::On {
                inner.life.power = Power::Off;
            }
            drop(inner);
            self.shared.changed.notify_all();
        }
    }

    /// False when there is nothing more to do.
    fn wait_for_power(&self) -> bool {
        let mut inner = self.shared.lock();
        while !inner.supplied && !inner.ending {
            inner = self.shared.changed.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
        !inner.ending
    }

    fn becomes(&self, power: Power) {
        self.shared.lock().life.power = power;
        self.shared.changed.notify_all();
    }

    /// Boots once; gives the reset that the boot ended with.
    fn boot(&self, reset: Reset) -> Result<Option<Reset>> {
        let tree = self.card.boot_tree()?;
        let boot = match boot(&self.board, &tree, reset) {
            Ok(boot) => boot,
            Err(no_boot) => {
                self.becomes(Power::Dark(no_boot.to_string()));
                return Ok(None);
            }
        };
        let Some(dtb) = &boot.dtb else {
            self.becomes(Power::Dark("the kernel has no device tree".to_owned()));
            return Ok(None);
        };
        if self.model.is_broadcom() {
            let dtb = tree.get(dtb).with_context(|| format!("there is no {dtb}"))?;
            self.machine().take_tree(dtb, &self.serial(), is_migos(&boot))?;
        }
        self.put("kernel", &tree, std::slice::from_ref(&boot.kernel))?;
        let initramfs = boot.initramfs.as_deref().unwrap_or_default();
        self.put("initramfs", &tree, initramfs)?;
        // The port that QEMU's board has is the first, whatever the card's command line says.
        let cmdline = format!("console=ttyAMA0,115200 {}", boot.cmdline);
        let cable = self.is_visited(&boot)? == Cable::Plugged;
        let start = Start { cmdline: &cmdline, initramfs: !initramfs.is_empty(), cable };
        let running = self.machine().start(&start)?;

        let mut inner = self.shared.lock();
        let time = inner.began.get_or_insert_with(Instant::now).elapsed();
        inner.life.times.push(time);
        inner.life.boots.push(boot);
        inner.life.power = Power::On;
        let plug = running.plug();
        if !inner.supplied {
            plug.pull();
        }
        inner.plug = Some(plug);
        drop(inner);
        self.shared.changed.notify_all();

        let ended = running.ended();
        self.shared.lock().plug = None;
        Ok(match ended? {
            Ended::Reset(param) if self.shared.lock().supplied => Some(parameter(&param)),
            Ended::Reset(_) | Ended::Off => None,
        })
    }

    fn is_visited(&self, boot: &Boot) -> Result<Cable> {
        let visitor = self.shared.lock().visitor.take();
        let Some(mut visitor) = visitor else { return Ok(Cable::Plugged) };
        let cable = visitor(boot, &self.card);
        self.shared.lock().visitor.get_or_insert(visitor);
        cable
    }

    fn put(&self, name: &str, tree: &Tree, paths: &[String]) -> Result<()> {
        let mut bytes = Vec::new();
        for path in paths {
            let content = migos_firmware::BootPartition::read(tree, path);
            bytes.extend_from_slice(content.with_context(|| format!("there is no {path}"))?);
        }
        Ok(write_whole(&self.folder.path().join(name), &bytes, 0o644)?)
    }
}

/// What `reboot` was given: a partition, and perhaps the one-shot flag behind it (Raspberry Pi documentation: tryboot).
fn parameter(param: &str) -> Reset {
    let mut words = param.split_ascii_whitespace();
    let partition = words.next().and_then(|word| word.parse().ok()).unwrap_or(0);
    Reset { tryboot: words.next() == Some("tryboot"), partition }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_flag_behind_a_partition_is_the_flag() {
        let flagged = |partition| Reset { tryboot: true, partition };
        assert_eq!(parameter("0 tryboot"), flagged(0));
        assert_eq!(parameter("2 tryboot"), flagged(2));
        assert_eq!(parameter(""), Reset::default());
        assert_eq!(parameter("tryboot"), Reset::default());
        assert_eq!(parameter("1"), Reset { tryboot: false, partition: 1 });
    }
}
