//! One device's way to balenaOS, with MIGOS put onto it by hand, and the ways back.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::operator::{Operator, Trial, until};
use migos_contract::{Command, Configuration, DeadMan, State as Doing};
use migos_lab::Pace;
use migos_lab::State::{BalenaOs, Booting, Migos, Off, Raspbian};
use migos_lab::balena_api::HeartbeatState;

/// Long enough to ask MIGOS what is wrong before it goes.
const LEAVES_SLOWLY: Pace = Pace { leaving: Duration::from_secs(2), ..Pace::test() };

const UUID: &str = "0123456789abcdef0123456789abcdef";

#[tokio::test]
async fn one_device_of_each_model_arrives_on_balena() {
    let operator = Operator::with(30, "").await;
    let mut models = BTreeMap::new();
    for pi in operator.lab.devices() {
        models.entry(pi.model().name.clone()).or_insert(pi);
    }
    assert_eq!(models.len(), 10);
    for (number, pi) in models.into_values().enumerate() {
        until(pi, |life| life.state == Raspbian).await;
        let trial = Trial::new(&operator, pi).await;
        let migos = trial.start_migos(&operator, pi).await;
        let uuid = format!("{number:032x}");
        let files = operator.configuration(&uuid, pi).await;
        migos.migos(&Command::Configure, Some(&files)).await.unwrap();
        migos.migos(&trial.commit(), None).await.unwrap();

        let life = until(pi, |life| life.reports > 0).await;
        assert_eq!(life.states, [Off, Booting, Raspbian, Booting, Migos, Booting, BalenaOs]);
        assert!(pi.boot_tree().is_empty(), "Raspbian is gone");
        let record = operator.record(&uuid);
        assert_eq!(record.os_version.as_deref(), Some("balenaOS 6.0.24"));
        assert_eq!(record.mac_address, Some(pi.mac().to_uppercase()));
    }
}

#[tokio::test]
async fn migos_says_what_it_does_and_refuses_what_is_not_due() {
    // It must not be done before everything has been asked.
    let pace = Pace { flash: Duration::from_secs(60), ..Pace::test() };
    let operator = Operator::with_pace(1, "", pace).await;
    let pi = operator.first().await;
    let trial = Trial::new(&operator, pi).await;
    let migos = trial.start_migos(&operator, pi).await;

    let status = migos.migos(&Command::Status, None).await.unwrap();
    assert_eq!((status.state, status.configured, status.error), (Doing::Ready, false, None));
    assert_eq!((status.nonce, status.serial), (trial.nonce.clone(), pi.serial()));
    assert_eq!((status.written, status.total), (0, trial.job.image.raw_size));

    let too_early = migos.migos(&trial.commit(), None).await;
    assert_eq!(too_early, Err("there is no configuration".to_owned()));
    let files = operator.configuration(UUID, pi).await;
    assert!(migos.migos(&Command::Configure, Some(&files)).await.unwrap().configured);
    let foreign = migos.migos(&Command::Commit { nonce: "0".repeat(32) }, None).await;
    assert_eq!(foreign, Err("the nonce is another job's".to_owned()));

    let before = pi.boot_tree();
    assert_eq!(migos.migos(&trial.commit(), None).await.unwrap().state, Doing::Committed);
    let after = pi.boot_tree();
    assert_eq!(after["config.txt"], before["tryboot.txt"], "every reset is MIGOS from here on");
    assert!(!after.contains_key("tryboot.txt") && after.contains_key("migos/job/committed"));

    assert!(
        migos.migos(&trial.commit(), None).await.unwrap().state.is_committed(),
        "again is fine"
    );
    let late = migos.migos(&Command::Abort, None).await;
    assert_eq!(late, Err("the commit has been given: there is no way back".to_owned()));
    let late = migos.migos(&Command::Configure, Some(&files)).await;
    assert_eq!(late, Err("the commit has been given".to_owned()));
    let words = migos.run("sh -c 'exit 0' migos-probe/1", b"").await;
    assert_eq!(words.stderr, "not a migos-ctl command: sh -c exit 0 migos-probe/1\n");
}

#[tokio::test]
async fn migos_knows_only_the_run_and_is_known_by_the_job_s_key() {
    let operator = Operator::with(1, "").await;
    let pi = operator.first().await;
    let trial = Trial::new(&operator, pi).await;
    trial.start_migos(&operator, pi).await;
    let key = trial.host_key.public_key().clone();
    assert!(crate::operator::connect(pi, "root", &operator.key, key.clone()).await.is_err());
    assert!(crate::operator::connect(pi, "pi", &trial.run_key, key).await.is_err());
    let raspbian = pi.raspbian_host_key();
    assert!(
        crate::operator::connect(pi, "root", &trial.run_key, raspbian).await.is_err(),
        "another host key"
    );
}

#[tokio::test]
async fn an_abort_brings_raspbian_back_with_the_same_boot_files() {
    let operator = Operator::with(1, "").await;
    let pi = operator.first().await;
    let original = pi.boot_tree();
    let trial = Trial::new(&operator, pi).await;
    let migos = trial.start_migos(&operator, pi).await;
    assert_eq!(migos.migos(&Command::Abort, None).await.unwrap().state, Doing::Leaving);
    until(pi, |life| life.boots == 3 && life.state == Raspbian).await;

    let boot = pi.release().boot_path();
    let ours = [format!("{boot}/migos"), format!("{boot}/tryboot.txt")];
    operator.login(pi).await.must("remove", &ours.each_ref().map(String::as_str), b"").await;
    assert_eq!(pi.boot_tree(), original);
}

#[tokio::test]
async fn the_dead_man_brings_raspbian_back_when_nobody_comes() {
    let operator = Operator::with(1, "").await;
    let pi = operator.first().await;
    let mut trial = Trial::new(&operator, pi).await;
    trial.job.dead_man = DeadMan { contact_seconds: 1, commit_seconds: 60 };
    trial.start_migos(&operator, pi).await;
    let life = until(pi, |life| life.boots == 3 && life.state == Raspbian).await;
    assert_eq!(life.states, [Off, Booting, Raspbian, Booting, Migos, Booting, Raspbian]);
}

#[tokio::test]
async fn the_dead_man_brings_raspbian_back_when_nobody_commits() {
    let operator = Operator::with(1, "").await;
    let pi = operator.first().await;
    let mut trial = Trial::new(&operator, pi).await;
    trial.job.dead_man = DeadMan { contact_seconds: 1, commit_seconds: 2 };
    let migos = trial.start_migos(&operator, pi).await;
    migos.migos(&Command::Status, None).await.unwrap();
    let life = until(pi, |life| life.boots == 3 && life.state == Raspbian).await;
    assert_eq!(life.states, [Off, Booting, Raspbian, Booting, Migos, Booting, Raspbian]);
}

#[tokio::test]
async fn a_power_cut_before_the_commit_ends_in_raspbian() {
    let operator = Operator::with(1, "").await;
    let pi = operator.first().await;
    let trial = Trial::new(&operator, pi).await;
    let migos = trial.start_migos(&operator, pi).await;
    pi.cut_power();
    migos.closed().await;
    let life = until(pi, |life| life.boots == 3 && life.state == Raspbian).await;
    assert_eq!(life.states, [Off, Booting, Raspbian, Booting, Migos, Off, Booting, Raspbian]);
}

#[tokio::test]
async fn the_flag_does_not_survive_a_power_cut() {
    let pace = Pace { shutdown: Duration::from_secs(60), ..Pace::test() };
    let operator = Operator::with_pace(1, "", pace).await;
    let pi = operator.first().await;
    let trial = Trial::new(&operator, pi).await;
    let raspbian = operator.login(pi).await;
    trial.stage(&operator, pi, &raspbian).await;
    raspbian.must("arm", &[], b"").await;
    pi.cut_power();
    let life = until(pi, |life| life.boots == 2 && life.state == Raspbian).await;
    assert_eq!(life.states, [Off, Booting, Raspbian, Off, Booting, Raspbian]);
}

#[tokio::test]
async fn a_power_cut_while_flashing_comes_back_in_migos_and_finishes() {
    let pace = Pace { flash: Duration::from_secs(2), ..Pace::test() };
    let operator = Operator::with_pace(1, "", pace).await;
    let pi = operator.first().await;
    let trial = Trial::new(&operator, pi).await;
    let migos = trial.start_migos(&operator, pi).await;
    let files = operator.configuration(UUID, pi).await;
    migos.migos(&Command::Configure, Some(&files)).await.unwrap();
    migos.migos(&trial.commit(), None).await.unwrap();
    until(pi, |life| life.flashed > trial.job.image.raw_size / 4).await;
    pi.cut_power();
    until(pi, |life| life.state == Off).await;

    // The image was in its memory only.
    let migos = {
        until(pi, |life| life.state == Migos).await;
        trial.connect(pi).await.unwrap()
    };
    let status = migos.migos(&Command::Status, None).await.unwrap();
    assert_eq!((status.state, status.configured), (Doing::NeedsImage, true));
    assert_eq!(trial.send_again(&operator, pi).await.code, Some(0));
    assert_eq!(trial.send_again(&operator, pi).await.stderr, "the image is at hand\n");
    let life = until(pi, |life| life.reports > 0).await;
    let expected = [Off, Booting, Raspbian, Booting, Migos, Off, Booting, Migos, Booting, BalenaOs];
    assert_eq!(life.states, expected);
    assert_eq!(operator.record(UUID).heartbeat, HeartbeatState::Online);
}

#[tokio::test]
async fn a_job_that_is_not_this_device_s_leads_back_to_raspbian() {
    let operator = Operator::with_pace(1, "", LEAVES_SLOWLY).await;
    let pi = operator.first().await;
    let mut trial = Trial::new(&operator, pi).await;
    trial.job.serial = "0".repeat(16);
    let migos = trial.start_migos(&operator, pi).await;
    let status = migos.migos(&Command::Status, None).await.unwrap();
    let error = format!("the job is for board 0000000000000000, this is {}", pi.serial());
    assert_eq!((status.state, status.error), (Doing::Leaving, Some(error)));
    let refused = migos.migos(&trial.commit(), None).await;
    assert_eq!(refused, Err("there is no sound job".to_owned()));
    until(pi, |life| life.boots == 3 && life.state == Raspbian).await;
}

#[tokio::test]
async fn a_damaged_image_leads_back_to_raspbian() {
    let operator = Operator::with_pace(1, "", LEAVES_SLOWLY).await;
    let pi = operator.first().await;
    let trial = Trial::new(&operator, pi).await;
    let raspbian = operator.login(pi).await;
    trial.stage(&operator, pi, &raspbian).await;
    raspbian.must("write", &["/var/lib/migos/image", "600", "3"], b"bad").await;
    raspbian.must("arm", &[], b"").await;
    until(pi, |life| life.state == Migos).await;
    let migos = trial.connect(pi).await.unwrap();
    let status = migos.migos(&Command::Status, None).await.unwrap();
    let error = "the image is damaged".to_owned();
    assert_eq!((status.state, status.error), (Doing::Leaving, Some(error)));
    until(pi, |life| life.boots == 3 && life.state == Raspbian).await;
}

#[tokio::test]
async fn an_incomplete_payload_is_passed_over_by_the_firmware() {
    let operator = Operator::with(1, "").await;
    let pi = operator.first().await;
    let trial = Trial::new(&operator, pi).await;
    let raspbian = operator.login(pi).await;
    trial.stage(&operator, pi, &raspbian).await;
    let dtb = format!("{}/{}", trial.prefix, pi.model().dtb);
    raspbian.must("remove", &[&dtb], b"").await;
    raspbian.must("arm", &[], b"").await;
    let life = until(pi, |life| life.boots == 2 && life.state == Raspbian).await;
    assert_eq!(life.states, [Off, Booting, Raspbian, Booting, Raspbian]);
}

#[tokio::test]
async fn a_wrong_config_json_never_reports() {
    let operator = Operator::with(2, "").await;
    let mut reported = Vec::new();
    for (name, wrong) in [("kiosk-001", true), ("kiosk-002", false)] {
        let pi = operator.lab.device(name).unwrap();
        until(pi, |life| life.state == Raspbian).await;
        let trial = Trial::new(&operator, pi).await;
        let migos = trial.start_migos(&operator, pi).await;
        let uuid = format!("{}{}", &UUID[..31], u8::from(wrong));
        let mut files = operator.configuration(&uuid, pi).await;
        if wrong {
            let without = files.files["config.json"].replace("registered_at", "registeredAt");
            files = Configuration { files: BTreeMap::from([("config.json".to_owned(), without)]) };
        }
        migos.migos(&Command::Configure, Some(&files)).await.unwrap();
        migos.migos(&trial.commit(), None).await.unwrap();
        until(pi, |life| life.state == BalenaOs && (wrong || life.reports > 1)).await;
        reported.push(uuid);
    }
    let heartbeats = reported.iter().map(|uuid| operator.record(uuid).heartbeat);
    assert_eq!(heartbeats.collect::<Vec<_>>(), [HeartbeatState::Unknown, HeartbeatState::Online]);
}
