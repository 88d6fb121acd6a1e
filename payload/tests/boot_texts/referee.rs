//! What the firmware makes of the texts.

use crate::card::{BOARDS, Card, ONE_SHOT, PI_3, PLAIN, RELEASES, Release, text};
use migos_firmware::{Boot, ConfigFile};
use migos_payload::board::Revision;
use migos_payload::boot_document::CmdlineTxt;
use migos_payload::boot_text::{proof_cmdline, proof_tryboot_txt};

/// A board with a card that it boots every day, and what it boots.
struct Case {
    release: Release,
    revision: Revision,
    /// With firmware that knows one-shot boots.
    card: Card,
    stock: Boot,
}

impl Case {
    fn text(&self) -> String {
        text(&self.card.config(), self.revision, self.release.architecture(self.revision))
    }

    fn with_payload(&self) -> Card {
        self.card.clone().with_payload(self.release.architecture(self.revision))
    }

    /// Ready for the one-shot boot.
    fn staged(&self) -> Card {
        self.with_payload().with("tryboot.txt", self.text())
    }

    fn name(&self) -> String {
        format!("{:?} {}", self.release, self.revision.board_type())
    }
}

fn cases(config: impl Fn(Release) -> String) -> Vec<Case> {
    let mut cases = Vec::new();
    for release in RELEASES {
        let mut card = Card::of(release).with("config.txt", config(release));
        if release == Release::Stretch {
            card = card.with_new_firmware();
        }
        for revision in BOARDS {
            if let Some(stock) = card.stock(revision) {
                cases.push(Case { release, revision, card: card.clone(), stock });
            }
        }
    }
    assert!(cases.len() > 70, "only {} cases", cases.len());
    cases
}

fn stock_cases() -> Vec<Case> {
    cases(|release| release.config_txt().to_owned())
}

/// MIGOS, whole and with its own command line.
fn assert_migos(boot: &Boot, name: &str) {
    assert_eq!(boot.os_prefix, "migos/", "{name}");
    assert!(boot.kernel.starts_with("migos/kernel"), "{name}: {}", boot.kernel);
    assert!(boot.dtb.as_ref().is_some_and(|dtb| dtb.starts_with("migos/")), "{name}");
    assert_eq!(boot.initramfs.as_deref(), Some(&["migos/initrd.migos".to_owned()][..]), "{name}");
    assert!(boot.cmdline.contains(" rdinit=/init ") && !boot.cmdline.contains("root="), "{name}");
    assert!(boot.cmdline.ends_with(" migos.job=0badcafe"), "{name}: {}", boot.cmdline);
    assert!(!boot.log.iter().any(|line| line.contains(".txt: line ")), "{:?}", boot.log);
}

#[test]
fn the_one_shot_flag_boots_migos_and_every_other_boot_is_as_before() {
    for case in stock_cases() {
        let (card, name) = (case.staged(), case.name());
        let trial = card.boot(case.revision, ONE_SHOT).unwrap();
        assert_eq!((trial.config, trial.tryboot), (ConfigFile::TrybootTxt, true), "{name}");
        assert_migos(&trial, &name);
        let wide = case.release.architecture(case.revision).to_string() == "arm64";
        assert_eq!(trial.arm_64bit, wide, "{name}");
        // The firmware has nothing to add where the line says it already.
        assert_eq!(trial.cmdline.matches("watchdog.open_timeout=").count(), 1, "{name}");
        assert_eq!(card.boot(case.revision, PLAIN).as_ref(), Ok(&case.stock), "{name}");
    }
}

#[test]
fn in_place_of_config_txt_the_same_text_boots_migos() {
    for case in stock_cases() {
        let card = case.with_payload().with("config.txt", case.text());
        assert_migos(&card.boot(case.revision, PLAIN).unwrap(), &case.name());
    }
}

#[test]
fn without_its_kernel_or_device_trees_raspbian_boots() {
    const KERNELS: [&str; 5] = [
        "migos/kernel.img",
        "migos/kernel7.img",
        "migos/kernel7l.img",
        "migos/kernel8.img",
        "migos/kernel_2712.img",
    ];
    for case in stock_cases() {
        let (card, name) = (case.staged(), case.name());
        let trial = card.boot(case.revision, ONE_SHOT).unwrap();
        // A board may take a sibling's device tree as well.
        let (mut without_tree, mut tree) = (card.clone(), trial.dtb.unwrap());
        while tree.starts_with("migos/") {
            without_tree = without_tree.without(&[&tree]);
            tree = without_tree.boot(case.revision, ONE_SHOT).unwrap().dtb.unwrap();
        }
        for broken in [without_tree, card.clone().without(&KERNELS)] {
            let boot = broken.boot(case.revision, ONE_SHOT).unwrap();
            assert_eq!(boot.os_prefix, "", "{name}");
            // Without its prefix our text still says 32 bits, where new firmware would choose 64.
            assert!(case.stock.kernel == boot.kernel || boot.kernel == "kernel7l.img", "{name}");
            assert_eq!(boot.dtb, case.stock.dtb, "{name}");
            assert!(boot.cmdline.contains("root=PARTUUID=0badcafe-02"), "{name}");
        }
    }
}

#[test]
fn without_its_ramdisk_the_kernel_panics_and_so_comes_back() {
    for case in stock_cases() {
        let card = case.staged().without(&["migos/initrd.migos"]);
        let boot = card.boot(case.revision, ONE_SHOT).unwrap();
        assert_eq!(
            (boot.os_prefix.as_str(), &boot.initramfs),
            ("migos/", &None),
            "{}",
            case.name()
        );
        assert!(boot.cmdline.contains(" panic=10 ") && !boot.cmdline.contains("root="));
        assert!(!boot.cmdline.contains("rootwait"));
    }
}

#[test]
fn the_same_loader_files_are_used_as_every_day() {
    let loaders = |boot: &Boot| boot.log[0].clone();
    for lines in [
        "gpu_mem=16",
        "start_x=1\ngpu_mem=128",
        "[pi4]\nstart_x=1\n[pi3]\ngpu_mem=16",
        "start_debug=1",
        "start_file=start_x.elf\nfixup_file=fixup_x.dat\n[pi4]\nstart_file=start4x.elf\nfixup_file=fixup4x.dat",
    ] {
        for case in cases(|release| format!("{}{lines}\n", release.config_txt())) {
            let trial = case.staged().boot(case.revision, ONE_SHOT).unwrap();
            assert_migos(&trial, &case.name());
            assert_eq!(loaders(&trial), loaders(&case.stock), "{} {lines}", case.name());
        }
    }
}

#[test]
fn the_proof_boots_the_everyday_system_with_a_token_more() {
    for case in stock_cases() {
        let name = case.name();
        let cmdline = CmdlineTxt::parse(case.release.cmdline_txt().as_bytes());
        let card = (case.card.clone())
            .with("tryboot.txt", proof_tryboot_txt(&case.card.config()).unwrap())
            .with("migos/probe.txt", proof_cmdline(&cmdline, "0badcafe").unwrap());
        let proof = card.boot(case.revision, ONE_SHOT).unwrap();
        assert_eq!(proof.config, ConfigFile::TrybootTxt, "{name}");
        assert_eq!(
            (&proof.kernel, &proof.dtb, &proof.initramfs, proof.arm_64bit),
            (&case.stock.kernel, &case.stock.dtb, &case.stock.initramfs, case.stock.arm_64bit),
            "{name}"
        );
        assert_eq!(proof.cmdline, format!("{} migos.probe=0badcafe", case.stock.cmdline), "{name}");
        assert_eq!(card.boot(case.revision, PLAIN).as_ref(), Ok(&case.stock), "{name}");
    }
}

#[test]
fn firmware_of_stretch_ignores_all_of_it() {
    let card = Card::of(Release::Stretch);
    let stock = card.stock(PI_3).unwrap();
    let text = text(&card.config(), PI_3, Release::Stretch.architecture(PI_3));
    let staged = card.with_payload(Release::Stretch.architecture(PI_3)).with("tryboot.txt", text);
    let boot = staged.boot(PI_3, ONE_SHOT).unwrap();
    assert_eq!((boot.config, boot.kernel), (ConfigFile::ConfigTxt, stock.kernel));
    assert_eq!(boot.cmdline, stock.cmdline);
}
