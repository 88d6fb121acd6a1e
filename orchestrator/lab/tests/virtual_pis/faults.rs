//! What goes wrong where a fault was asked for.

use std::time::Duration;

use crate::operator::{Operator, Trial, until};
use migos_contract::{Command, DeadMan};
use migos_lab::State::{BalenaOs, Booting, Migos, Off, Raspbian};
use migos_lab::balena_api::HeartbeatState;
use migos_payload::digest::Sha256;

#[tokio::test]
async fn unreachable_devices_refuse_connections() {
    let operator = Operator::with(2, "kiosk-002: [unreachable]").await;
    operator.first().await;
    let pi = operator.lab.device("kiosk-002").unwrap();
    assert_eq!((pi.state(), pi.boot_count()), (Off, 0));
    let error = tokio::net::TcpStream::connect(pi.addr()).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn a_full_boot_partition_takes_no_payload() {
    let operator = Operator::with(1, "kiosk-001: [no-space]").await;
    let pi = operator.first().await;
    let before = pi.boot_tree();
    let ssh = operator.login(pi).await;
    let path = format!("{}/migos/kernel7.img", pi.release().boot_path());
    let sum = Sha256::of(&[0; 300_000]).to_string();
    let content = [b"0\n".as_slice(), &[0; 300_000]].concat();
    let full = ssh.verb("receive", &[&path, "300000", &sum], &content).await;
    assert_eq!(
        (full.code, full.stderr),
        (Some(73), format!("no space left on device: {path}.part\n"))
    );
    let full = ssh.verb("write", &[&path, "600", "300000"], &[0; 300_000]).await;
    assert_eq!((full.code, full.stderr), (Some(73), format!("no space left on device: {path}\n")));
    ssh.must("remove", &[&format!("{}/migos", pi.release().boot_path())], b"").await;
    assert_eq!(pi.boot_tree(), before);
}

#[tokio::test]
async fn a_full_root_file_system_takes_no_image() {
    let operator = Operator::with(1, "kiosk-001: [root-full]").await;
    let ssh = operator.login(operator.first().await).await;
    let (path, content) = ("/var/lib/migos/image", [b"0\n".as_slice(), &[0; 300_000]].concat());
    let sum = Sha256::of(&content[2..]).to_string();
    let full = ssh.verb("receive", &[path, "300000", &sum], &content).await;
    assert_eq!(full.code, Some(73));
}

#[tokio::test]
async fn an_ignored_flag_ends_in_raspbian() {
    let operator = Operator::with(1, "kiosk-001: [one-shot-ignored]").await;
    let pi = operator.first().await;
    let trial = Trial::new(&operator, pi).await;
    let raspbian = operator.login(pi).await;
    trial.stage(&operator, pi, &raspbian).await;
    raspbian.must("arm", &[], b"").await;
    let life = until(pi, |life| life.boots == 2 && life.state == Raspbian).await;
    assert_eq!(life.states, [Off, Booting, Raspbian, Booting, Raspbian]);
}

#[tokio::test]
async fn a_migos_without_network_gives_up_by_itself() {
    let operator = Operator::with(1, "kiosk-001: [hangs-in-migos]").await;
    let pi = operator.first().await;
    let mut trial = Trial::new(&operator, pi).await;
    trial.job.dead_man = DeadMan { contact_seconds: 1, commit_seconds: 60 };
    let raspbian = operator.login(pi).await;
    trial.stage(&operator, pi, &raspbian).await;
    raspbian.must("arm", &[], b"").await;
    until(pi, |life| life.state == Migos).await;
    assert!(trial.connect(pi).await.is_err());
    let life = until(pi, |life| life.boots == 3 && life.state == Raspbian).await;
    assert_eq!(life.states, [Off, Booting, Raspbian, Booting, Migos, Booting, Raspbian]);
}

#[tokio::test]
async fn a_device_that_never_comes_up_is_silent_on_balena() {
    let operator = Operator::with(2, "kiosk-001: [never-up]").await;
    let mut heartbeats = Vec::new();
    for (name, silent) in [("kiosk-001", true), ("kiosk-002", false)] {
        let pi = operator.lab.device(name).unwrap();
        until(pi, |life| life.state == Raspbian).await;
        let trial = Trial::new(&operator, pi).await;
        let migos = trial.start_migos(&operator, pi).await;
        let uuid = format!("{:032x}", u8::from(silent));
        let files = operator.configuration(&uuid, pi).await;
        migos.migos(&Command::Configure, Some(&files)).await.unwrap();
        migos.migos(&trial.commit(), None).await.unwrap();
        until(pi, |life| life.state == BalenaOs && (silent || life.reports > 1)).await;
        heartbeats.push(uuid);
    }
    let heartbeats = heartbeats.iter().map(|uuid| operator.record(uuid).heartbeat);
    assert_eq!(heartbeats.collect::<Vec<_>>(), [HeartbeatState::Unknown, HeartbeatState::Online]);
}

#[tokio::test]
async fn a_cut_upload_is_resumed_where_it_broke() {
    let operator = Operator::with(1, "kiosk-001: [{ cut-upload: 200000 }]").await;
    let pi = operator.first().await;
    let content: Vec<u8> = (0..1_000_000_u32).map(|n| (n % 253) as u8).collect();
    let sum = Sha256::of(&content).to_string();
    let arguments = ["/var/lib/migos/image", "1000000", &sum];
    let whole = [b"0\n", &content[..]].concat();
    let cut = operator.login(pi).await.verb("receive", &arguments, &whole).await;
    assert_eq!(cut.code, None, "the connection was lost");

    let ssh = operator.login(pi).await;
    let part = ssh.verb("receive", &arguments, b"").await.stdout;
    let offset: usize = part.split(' ').nth(1).unwrap().parse().unwrap();
    assert!(part.starts_with("part ") && (100_000..=200_000).contains(&offset), "{part}");
    let rest = [format!("{offset}\n").as_bytes(), &content[offset..]].concat();
    ssh.must("receive", &arguments, &rest).await;
    assert_eq!(pi.boot_count(), 1, "the device itself never went away");
}

#[tokio::test]
async fn a_slow_boot_takes_its_time() {
    let started = std::time::Instant::now();
    let operator = Operator::with(1, "kiosk-001: [{ slow-boot: 700ms }]").await;
    operator.first().await;
    assert!(started.elapsed() >= Duration::from_millis(700));
}
