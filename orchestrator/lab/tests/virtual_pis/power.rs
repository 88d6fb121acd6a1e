//! Power cuts between any two writes.

use crate::operator::{Operator, Trial, until};
use migos_contract::Command;
use migos_lab::State::{BalenaOs, Booting, Migos, Off, Raspbian};
use migos_lab::{Loss, VirtualPi};
use migos_payload::digest::Sha256;

const LOSSES: [Loss; 2] = [Loss::Nothing, Loss::Unsynced];

async fn back(pi: &VirtualPi, boots: u32) {
    until(pi, |life| life.boots == boots && life.state == Raspbian).await;
}

#[tokio::test]
async fn a_file_is_the_old_or_the_new_at_every_instant() {
    let operator = Operator::with(1, "").await;
    let pi = operator.first().await;
    let path = format!("{}/config.txt", pi.release().boot_path());
    let mut seen = Vec::new();
    for loss in LOSSES {
        for write in 1..=3 {
            pi.put_file(&path, b"old").unwrap();
            pi.remove_file(&format!("{path}.new")).unwrap();
            let (boots, ssh) = (pi.boot_count(), operator.login(pi).await);
            pi.cut_power_at_write(pi.writes() + write, loss);
            let output = ssh.verb("write", &[&path, "644", "3"], b"new").await;
            assert_eq!(output.code, None, "the session dies");
            back(pi, boots + 1).await;
            let text = |path: &str| {
                pi.file(path).map_or_else(|| "-".into(), |bytes| String::from_utf8(bytes).unwrap())
            };
            seen.push(format!("{} {}", text(&path), text(&format!("{path}.new"))));
        }
    }
    // The content is synced before it takes the name.
    assert_eq!(seen, ["old ", "old new", "new -", "old -", "old -", "old new"]);
}

#[tokio::test]
async fn an_upload_keeps_the_pieces_before_the_cut() {
    let operator = Operator::with(1, "").await;
    let pi = operator.first().await;
    let path = "/var/lib/migos/image";
    for (loss, kept) in [(Loss::Unsynced, false), (Loss::Nothing, true)] {
        let (boots, ssh) = (pi.boot_count(), operator.login(pi).await);
        pi.cut_power_at_write(pi.writes() + 4, loss);
        let content = [b"0\n".as_slice(), &[7; 500_000]].concat();
        let arguments = [path, "500000", &Sha256::of(&content[2..]).to_string()];
        assert_eq!(ssh.verb("receive", &arguments, &content).await.code, None);
        back(pi, boots + 1).await;
        let there = operator.login(pi).await.verb("receive", &arguments, b"").await.stdout;
        assert_eq!(there.starts_with("part "), kept, "{there}");
    }
}

#[tokio::test]
async fn a_removal_that_is_cut_is_done_again() {
    let operator = Operator::with(1, "").await;
    let pi = operator.first().await;
    let before = pi.boot_tree();
    let folder = format!("{}/migos", pi.release().boot_path());
    for loss in LOSSES {
        for write in 1..=4 {
            for name in ["a", "b/c"] {
                pi.put_file(&format!("{folder}/{name}"), b"x").unwrap();
            }
            let (boots, ssh) = (pi.boot_count(), operator.login(pi).await);
            pi.cut_power_at_write(pi.writes() + write, loss);
            assert_eq!(ssh.verb("remove", &[&folder], b"").await.code, None);
            back(pi, boots + 1).await;
            operator.login(pi).await.must("remove", &[&folder], b"").await;
            assert_eq!(pi.boot_tree(), before);
        }
    }
}

#[tokio::test]
async fn until_the_last_write_of_the_commit_a_cut_ends_in_raspbian_and_then_in_balena() {
    // The original's folder, three writes for its copy, three for the commit, and the rename.
    let cuts = (1..=8).flat_map(|write| LOSSES.map(|loss| (write, loss)));
    let operator = Operator::with(16, "").await;
    let mut ends = Vec::new();
    for ((write, loss), pi) in cuts.zip(operator.lab.devices()) {
        until(pi, |life| life.state == Raspbian).await;
        let config = pi.boot_tree()["config.txt"];
        let trial = Trial::new(&operator, pi).await;
        let migos = trial.start_migos(&operator, pi).await;
        let files = operator.configuration(&format!("{:032x}", pi.addr().port()), pi).await;
        migos.migos(&Command::Configure, Some(&files)).await.unwrap();
        pi.cut_power_at_write(pi.writes() + write, loss);
        let output = migos.run(&trial.commit().words().join(" "), b"").await;
        assert_eq!(output.code, None, "write {write}");
        let life =
            until(pi, |life| life.boots > 2 && matches!(life.state, Raspbian | BalenaOs)).await;
        if life.state == Raspbian {
            assert_eq!(pi.boot_tree()["config.txt"], config);
        }
        ends.push(life.state);
    }
    assert_eq!(ends[14], BalenaOs, "the rename was done");
    ends.remove(14);
    assert_eq!(ends, [Raspbian; 15]);
}

#[tokio::test]
async fn a_commit_that_a_cut_has_undone_does_not_count_in_the_next_trial() {
    let operator = Operator::with(1, "").await;
    let pi = operator.first().await;
    let trial = Trial::new(&operator, pi).await;
    let migos = trial.start_migos(&operator, pi).await;
    let files = operator.configuration(&"1".repeat(32), pi).await;
    migos.migos(&Command::Configure, Some(&files)).await.unwrap();
    pi.cut_power_at_write(pi.writes() + 7, Loss::Nothing);
    migos.run(&trial.commit().words().join(" "), b"").await;
    back(pi, 3).await;
    assert!(pi.boot_tree().contains_key("migos/job/committed"));
    operator.login(pi).await.must("arm", &[], b"").await;
    until(pi, |life| life.boots == 4 && life.state == Migos).await;
    let migos = trial.connect(pi).await.unwrap();
    let status = migos.migos(&Command::Status, None).await.unwrap();
    assert!(!status.state.is_committed() && !status.configured, "{status:?}");
}

#[tokio::test]
async fn a_cut_at_any_write_of_the_flash_ends_in_balena() {
    // Eight writes of the commit, and a piece of the image with each from then on; the last is sector 0.
    let cuts = [9, 16, 23, 24].into_iter().flat_map(|write| LOSSES.map(|loss| (write, loss)));
    let operator = Operator::with(8, "").await;
    for ((write, loss), pi) in cuts.zip(operator.lab.devices()) {
        until(pi, |life| life.state == Raspbian).await;
        let trial = Trial::new(&operator, pi).await;
        let migos = trial.start_migos(&operator, pi).await;
        let files = operator.configuration(&format!("{:032x}", pi.addr().port()), pi).await;
        migos.migos(&Command::Configure, Some(&files)).await.unwrap();
        pi.cut_power_at_write(pi.writes() + write, loss);
        migos.migos(&trial.commit(), None).await.unwrap();
        until(pi, |life| life.states.ends_with(&[Off, Booting, Migos]) || life.reports > 0).await;
        let was_done = write == 24 && loss == Loss::Nothing;
        // With the first piece the image on the card is gone; unless that write was lost.
        let is_asked_for = !was_done && (write, loss) != (9, Loss::Unsynced);
        if is_asked_for {
            assert_eq!(trial.send_again(&operator, pi).await.code, Some(0), "{write} {loss:?}");
        }
        let life = until(pi, |life| life.reports > 0).await;
        let came_back_in_migos = life.states.iter().filter(|state| **state == Migos).count() == 2;
        assert_eq!(came_back_in_migos, !was_done, "{write} {loss:?}: {:?}", life.states);
    }
}

#[tokio::test]
async fn a_rewritten_device_survives_a_cut_at_every_write_of_its_first_act() {
    let cuts = (1..=3).flat_map(|write| LOSSES.map(|loss| (write, loss)));
    let operator = Operator::with(6, "").await;
    for ((write, loss), pi) in cuts.zip(operator.lab.devices()) {
        until(pi, |life| life.state == Raspbian).await;
        let config = pi.boot_tree()["config.txt"];
        let trial = Trial::rewriting(&operator, pi).await;
        let raspbian = operator.login(pi).await;
        trial.stage(&operator, pi, &raspbian).await;
        assert_ne!(pi.boot_tree()["config.txt"], config);
        pi.cut_power_at_write(pi.writes() + write, loss);
        raspbian.must("reboot", &["orderly"], b"").await;
        let restored = write == 3 && loss == Loss::Nothing;
        let end = if restored { Raspbian } else { Migos };
        until(pi, |life| life.boots == 3 && life.state == end).await;
        assert_eq!(pi.boot_tree()["config.txt"], config, "{write} {loss:?}");
        pi.cut_power();
        back(pi, 4).await;
    }
}

#[tokio::test]
async fn a_rewritten_device_s_commit_is_whole_or_not_there() {
    // Three writes for the commit, three for config.txt.
    let cuts = (1..=6).flat_map(|write| LOSSES.map(|loss| (write, loss)));
    let operator = Operator::with(12, "").await;
    let mut ends = Vec::new();
    for ((write, loss), pi) in cuts.zip(operator.lab.devices()) {
        until(pi, |life| life.state == Raspbian).await;
        let trial = Trial::rewriting(&operator, pi).await;
        let migos = trial.start_migos(&operator, pi).await;
        let files = operator.configuration(&format!("{:032x}", pi.addr().port()), pi).await;
        migos.migos(&Command::Configure, Some(&files)).await.unwrap();
        pi.cut_power_at_write(pi.writes() + write, loss);
        assert_eq!(migos.run(&trial.commit().words().join(" "), b"").await.code, None);
        let life =
            until(pi, |life| life.boots > 2 && matches!(life.state, Raspbian | BalenaOs)).await;
        ends.push(life.state);
    }
    assert_eq!(ends[10], BalenaOs);
    ends.remove(10);
    assert_eq!(ends, [Raspbian; 11]);
}
