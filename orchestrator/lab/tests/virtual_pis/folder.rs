//! The folder that a lab writes, and its beginning and end.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::operator::{Operator, until};
use migos_lab::{FLEET, Lab, LabError, LabOptions, Pace, State, parse_faults};
use migos_payload::digest::Sha256;
use migos_payload::image::ImageManifest;
use migos_payload::size::ByteCount;
use migos_playbooks::policy::Policy;

fn options(dir: &std::path::Path, devices: usize, faults: &str) -> LabOptions {
    let faults = parse_faults(faults).unwrap();
    LabOptions {
        devices,
        seed: 3,
        faults,
        networks: Default::default(),
        pace: Pace::test(),
        dir: dir.to_owned(),
        api_port: 0,
    }
}

#[tokio::test]
async fn the_folder_is_an_ordinary_inventory_with_all_it_names() {
    let operator = Operator::with(24, "").await;
    let dir = operator.dir.path();
    let text = fs::read_to_string(operator.lab.inventory()).unwrap();
    let fleet = migos_inventory::parse("inventory.yaml", &text).unwrap();
    assert_eq!(fleet.settings.api, operator.lab.api().url());
    assert_eq!(fleet.devices.len(), 24);
    let policy = fs::read_to_string(dir.join("policy.yaml")).unwrap();
    assert_eq!(Policy::parse("policy.yaml", &policy).unwrap().stages.len(), 3);

    let known_hosts = fs::read_to_string(dir.join("known_hosts")).unwrap();
    let mut images = BTreeMap::new();
    for device in fleet.devices.values() {
        let pi = operator.lab.device(device.id.as_str()).unwrap();
        let (host, port) = (&device.login.host, device.login.port);
        assert_eq!(format!("{host}:{port}"), pi.addr().to_string());
        assert_eq!(device.login.identities, ["operator_key"]);
        assert_eq!(device.balena_fleet.as_ref().unwrap().as_str(), FLEET);
        let key = pi.raspbian_host_key().to_openssh().unwrap();
        assert!(known_hosts.contains(&format!("[{host}]:{port} {key}\n")));
        let device_type = pi.model().device_types()[0];
        images.insert(device_type, device.images[device_type].clone());
    }
    let sites: BTreeSet<&str> =
        fleet.devices.values().map(|device| device.site.as_ref().unwrap().as_str()).collect();
    assert_eq!(sites, BTreeSet::from(["east", "north", "south"]));
    for (device_type, path) in images {
        let image = fs::read(dir.join(&path)).unwrap();
        let manifest = fs::read(dir.join(format!("{path}.manifest.json"))).unwrap();
        let manifest: ImageManifest = serde_json::from_slice(&manifest).unwrap();
        assert_eq!(manifest.check(ByteCount(image.len() as u64), Sha256::of(&image)), Ok(()));
        assert_eq!(manifest.device_type, device_type);
        assert_eq!((image.len(), &image[510..512]), (8 << 20, &[0x55, 0xaa][..]));
    }
    assert_eq!(fs::read_dir(dir.join("payloads")).unwrap().count(), 2);
    for secret in ["operator_key", "token"] {
        let mode = fs::metadata(dir.join(secret)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{secret}");
    }
}

#[tokio::test]
async fn equal_seeds_give_equal_fleets() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let mut seen = Vec::new();
    for folder in &folders {
        let lab = Lab::start(options(folder.path(), 5, "")).await.unwrap();
        let devices: BTreeMap<String, String> = lab
            .devices()
            .map(|pi| {
                (pi.serial(), format!("{} {:?} {:?}", pi.mac(), pi.release(), pi.boot_tree()))
            })
            .collect();
        seen.push((devices, fs::read(folder.path().join("operator_key")).unwrap()));
    }
    assert_eq!(seen[0], seen[1]);
}

#[tokio::test]
async fn hundreds_of_devices_come_up_together() {
    let operator = Operator::with(400, "").await;
    for pi in operator.lab.devices() {
        until(pi, |life| life.state == State::Raspbian).await;
    }
    let last = operator.lab.device("kiosk-400").unwrap();
    assert_eq!(operator.login(last).await.run("hostname", b"").await.stdout, "kiosk-400\n");
}

#[tokio::test]
async fn a_lab_that_stops_takes_its_devices_along() {
    let operator = Operator::with(1, "").await;
    let pi = std::sync::Arc::clone(operator.first().await);
    let ssh = operator.login(&pi).await;
    let api = operator.lab.api().addr();
    operator.lab.stop().await;
    ssh.closed().await;
    assert!(tokio::net::TcpStream::connect(pi.addr()).await.is_err());
    assert!(tokio::net::TcpStream::connect(api).await.is_err());
}

#[tokio::test]
async fn what_cannot_be_a_lab_is_refused_with_words() {
    let dir = tempfile::tempdir().unwrap();
    let error = |result: Result<Lab, LabError>| result.err().unwrap().to_string();
    assert_eq!(
        error(Lab::start(options(dir.path(), 0, "")).await),
        "a lab has 1 to 10000 devices, not 0"
    );
    let faults = "kiosk-009: [no-space]";
    assert_eq!(
        error(Lab::start(options(dir.path(), 8, faults)).await),
        "the faults name kiosk-009, but the lab's devices are kiosk-001 to kiosk-008"
    );
    fs::File::create_new(dir.path().join("thesis.tex")).unwrap();
    let refused = Lab::start(options(dir.path(), 1, "")).await.err().unwrap();
    assert!(matches!(refused, LabError::Folder(_)), "{refused}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing was written");
}
