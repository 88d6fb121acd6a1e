//! What the planner says of a server that is no Pi's: it is refused before anything is written.

use crate::Client;
use migos_engine::port::Session as _;
use migos_playbooks::facts::parse;
use migos_playbooks::plan::Handover;
use migos_playbooks::policy::{Prove, Strategy};
use migos_playbooks::requirement::{Candidate, Switch, findings};
use migos_tests::sshd::{Sshd, Userland};

#[tokio::test]
async fn a_boot_partition_that_is_not_fat_is_refused() {
    let server = Sshd::start(Userland::Debian).unwrap();
    let session = Client::new().session(&server).await;
    let facts = parse(&session.probe(&[]).await.unwrap()).unwrap();
    session.close().await;

    let text = "migos: 1\ndata: none\ndevices: { kiosk-001: { host: 127.0.0.1 } }\n";
    let fleet = migos_inventory::parse("inventory.yaml", text).unwrap();
    let device = &fleet.devices["kiosk-001"];
    let allow = Default::default();
    let switch = Switch {
        strategy: Strategy::OneShot,
        prove: Prove::PerDevice,
        allow_rewrite: &[],
        allow_update: &[],
        allow_streaming: &[],
        allow: &allow,
    };
    let (payload, image, fleet) = (None, None, None);
    let handover = Some(&Handover::Attended);
    let (facts, facts_read, api) = (&facts, None, "");
    let (destination, release) = (None, None);
    let alone = Candidate {
        device,
        facts,
        facts_read,
        payload,
        image,
        fleet,
        destination,
        release,
        api,
        switch,
        handover,
    };
    let found = findings(&alone);
    let refusal = found.iter().find(|finding| finding.reason.contains("vfat")).unwrap();
    assert_eq!(refusal.reason, "/boot is ext4, not vfat: the firmware cannot boot from it");
    let remedy = "find out which partition the firmware boots from, and mount that";
    assert_eq!(refusal.remedy, remedy);
}
