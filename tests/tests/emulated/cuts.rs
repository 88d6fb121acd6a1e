//! The plug is pulled at instants that are seen from outside: in the journal, on the console, on the card itself.

use super::{assert_is_as_it_was, assert_is_the_image, done, ends, is_recorded};
use migos_playbooks::step::Action;
use migos_tests::emulated::{Card, Ground, Setup};
use migos_tests::fleet::{Process, begins};

const MIB: u64 = 1 << 20;
const SECTOR: usize = 512;

/// Pulls the plug at that moment and puts it back. What the Pi then boots is MIGOS, or is not.
fn cut(
    ground: &Ground,
    process: &mut Process,
    (what, is_in_migos): (&str, bool),
    holds: impl FnMut() -> bool,
) {
    let pi = ground.pi();
    ground.cut_power_at(process, what, holds).unwrap();
    let boots = pi.life().boots.len();
    println!("cut: {what}");
    pi.power_on();
    pi.until("a boot", |life| life.boots.len() > boots).unwrap();
    assert_eq!(pi.life().is_in_migos(), is_in_migos, "{what}: {:?}", pi.life().boots.last());
}

fn console_says(ground: &Ground, words: &str) -> bool {
    ground.pi().console().is_ok_and(|console| console.contains(words))
}

#[test]
fn before_the_commit_every_power_cut_ends_in_raspbian() {
    let ground = Ground::new(Setup::default()).unwrap();
    let (ground, pi, card) = (&ground, ground.pi(), ground.pi().card());
    let before = card.boot_tree().unwrap();
    let mut process = ground.migrate().unwrap();
    let mut cut = |what: &str, holds: &mut dyn FnMut() -> bool| {
        cut(ground, &mut process, (what, false), holds);
    };

    let grows = |action| {
        let mut from = None;
        move || {
            if !is_recorded(ground, |it| begins(it, action)) {
                return false;
            }
            let written = card.written().unwrap();
            written >= *from.get_or_insert(written) + 4 * MIB
        }
    };
    cut("the payload is being sent", &mut grows(Action::SendPayload));
    cut("the image is being sent", &mut grows(Action::SendImage));
    cut("tryboot.txt is written", &mut || is_recorded(ground, |it| done(it, Action::WriteTryboot)));
    cut("it shuts down with the flag set", &mut || pi.told_firmware().contains("tryboot"));
    // Whether it came up nobody knows: it is armed once more, and only once.
    cut("MIGOS comes up", &mut || {
        pi.life().times_in_migos() == 1 && console_says(ground, "migos:")
    });

    let ended = ends(ground, process, 6, "failed");
    assert!(ended.stderr.contains("Raspbian came back"), "{}", ended.stderr);
    assert_is_as_it_was(pi, &before);
    assert!(ground.balena().devices().is_empty());
}

/// What the flash has come to, by the card alone.
struct Progress<'a> {
    card: &'a Card,
    raw: &'a [u8],
    /// Where the old boot partition ended.
    old_end: u64,
    /// The first sector of the old boot partition.
    old_boot: Vec<u8>,
}

impl<'a> Progress<'a> {
    fn new(card: &'a Card, raw: &'a [u8]) -> Self {
        let (start, old_end) = card.boot_extent().unwrap();
        Self { card, raw, old_end, old_boot: card.bytes(start, SECTOR).unwrap() }
    }

    fn sector(&self, at: u64) -> Vec<u8> {
        self.card.bytes(at, SECTOR).unwrap()
    }

    /// True once the first sector of the image from there on that is not all zero is on the card.
    fn has_image_from(&self, at: u64) -> bool {
        let from = usize::try_from(at).unwrap();
        let sectors = self.raw[from..].chunks_exact(SECTOR).zip((at..).step_by(SECTOR));
        let (content, at) = sectors.into_iter().find(|(it, _)| it.iter().any(|b| *b != 0)).unwrap();
        self.sector(at) == content
    }

    /// True once a copy of the old boot partition begins behind the image.
    fn has_lifeboat(&self) -> bool {
        // Where it came to lie may be noted in it; its serial number and its name stay.
        let names = 67..82;
        let first = (self.raw.len() as u64).max(self.old_end).next_multiple_of(MIB);
        let places = (first..first + 8 * MIB).step_by(MIB as usize);
        places.into_iter().any(|at| self.sector(at)[names.clone()] == self.old_boot[names.clone()])
    }

    fn is_on_lifeboat(&self) -> bool {
        self.card.boot_start().unwrap() >= self.raw.len() as u64
    }

    fn is_configured(&self) -> bool {
        const NEW_BOOT: u64 = 4 * MIB;
        self.is_on_lifeboat() && self.card.file_of(NEW_BOOT, "config.json").unwrap().is_some()
    }

    fn is_new(&self) -> bool {
        self.sector(0) == self.raw[..SECTOR]
    }
}

#[test]
fn after_the_commit_every_power_cut_ends_in_migos_and_then_in_balena() {
    let ground = Ground::new(Setup::default()).unwrap();
    let card = ground.pi().card();
    let progress = Progress::new(card, &ground.raw);
    let mut process = ground.migrate().unwrap();
    let mut cut = |what: &str, is_in_migos, holds: &mut dyn FnMut() -> bool| {
        cut(&ground, &mut process, (what, is_in_migos), holds);
    };

    cut("MIGOS is permanent", true, &mut || {
        let config = card.boot_file("config.txt").unwrap().unwrap_or_default();
        String::from_utf8_lossy(&config).contains("os_prefix=migos/")
    });
    cut("the tail is being written", true, &mut || progress.has_image_from(progress.old_end));
    cut("the lifeboat is being made", true, &mut || progress.has_lifeboat());
    cut("sector 0 names the lifeboat", true, &mut || progress.is_on_lifeboat());
    cut("the head is being written", true, &mut || {
        progress.is_on_lifeboat() && progress.has_image_from(28 * MIB)
    });
    cut("the configuration is written", true, &mut || progress.is_configured());
    cut("sector 0 is the image's", false, &mut || progress.is_new());

    ends(&ground, process, 0, "migrated");
    assert_eq!(ground.pi().life().times_in_migos(), 7);
    assert_is_the_image(ground.pi(), &ground.raw);
    assert_eq!(ground.balena().devices().len(), 1);
}
