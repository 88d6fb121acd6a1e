//! Devices in which MIGOS does not come up, or is left alone: Raspbian comes back, and all is as it was.

use super::{assert_is_as_it_was, done, ends, is_recorded};
use migos_playbooks::step::Action;
use migos_tests::emulated::{Cable, Ground, Overlay, Setup, is_migos};

/// A `dead_man` that ends soon after MIGOS has come up.
const SOON: &str = "{ contact: 20s, commit: 40s, hung: 1m }";

/// Migrates a Pi to MIGOS that fails like this; gives what the program says. MIGOS has to boot so often.
fn fails(setup: Setup<'_>, meddle: impl FnOnce(&Ground), in_migos: usize) -> String {
    let ground = Ground::new(setup).unwrap();
    let before = ground.pi().card().boot_tree().unwrap();
    meddle(&ground);
    let ended = ends(&ground, ground.migrate().unwrap(), 6, "failed");
    let life = ground.pi().life();
    assert_eq!(life.times_in_migos(), in_migos, "{life:?}");
    assert!(!life.is_in_migos());
    assert_is_as_it_was(ground.pi(), &before);
    assert!(ground.balena().devices().is_empty());
    ended.stderr
}

fn overlaid<'a>(overlay: &'a [Overlay<'a>]) -> Setup<'a> {
    Setup { overlay, dead_man: SOON, ..Setup::default() }
}

#[test]
fn a_migos_that_panics_is_reset_by_its_kernel() {
    // The kernel panics when its first process ends.
    let overlay = [("init", "#!/bin/busybox sh\nexit 1\n")];
    // It leaves no word, so it could have been the firmware, and is tried once more.
    let said = fails(overlaid(&overlay), |_| {}, 2);
    assert!(said.contains("MIGOS gave up without a word"), "{said}");
}

#[test]
fn a_migos_that_hangs_is_reset_by_the_watchdog() {
    // Where it starts the SSH server, MIGOS itself is stopped: nothing feeds the watchdog any more.
    let stop = "#!/bin/busybox sh\nbusybox kill -STOP $PPID\nexec busybox sleep 1000000\n";
    let said = fails(overlaid(&[("usr/sbin/dropbear", stop)]), |_| {}, 1);
    assert!(said.contains("MIGOS said: MIGOS has come up"), "{said}");
}

#[test]
fn a_migos_without_network_goes_back() {
    let pull = |ground: &Ground| {
        ground.pi().visit_each_boot(|boot, _| {
            Ok(if is_migos(boot) { Cable::Pulled } else { Cable::Plugged })
        });
    };
    let said = fails(overlaid(&[]), pull, 1);
    assert!(said.contains("MIGOS said: the controller did not come in time"), "{said}");
}

#[test]
fn a_damaged_image_is_refused_by_migos() {
    let damage = |ground: &Ground| {
        let image = std::fs::read(ground.home.path().join("images/balena.img")).unwrap();
        ground.pi().visit_each_boot(move |boot, card| {
            if is_migos(boot) {
                card.damage(&image)?;
            }
            Ok(Cable::Plugged)
        });
    };
    let said = fails(overlaid(&[]), damage, 1);
    assert!(said.contains("the image is damaged"), "{said}");
}

#[test]
fn a_pi_whose_controller_is_killed_returns_by_itself_and_is_undone() {
    let ground = Ground::new(overlaid(&[])).unwrap();
    let pi = ground.pi();
    let before = pi.card().boot_tree().unwrap();
    let mut process = ground.migrate().unwrap();
    let is_armed = || is_recorded(&ground, |it| done(it, Action::Arm));
    ground.until(&mut process, "arming", false, is_armed).unwrap();
    process.kill().unwrap();
    pi.until("MIGOS, and Raspbian after it", |life| {
        life.times_in_migos() == 1 && !life.is_in_migos()
    })
    .unwrap();
    pi.until_ssh().unwrap();
    let undone = ground.home.run(&["undo", &ground.home.only_run().unwrap().name()]).unwrap();
    assert_eq!(undone.code, Some(0), "{}{}", undone.stdout, undone.stderr);
    assert_is_as_it_was(pi, &before);
    assert!(ground.balena().devices().is_empty());
}
