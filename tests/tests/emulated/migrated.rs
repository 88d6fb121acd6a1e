//! Devices that come to balena.

use super::{assert_is_the_image, done, ends, is_recorded};
use migos_firmware::ConfigFile::{ConfigTxt, TrybootTxt};
use migos_lab::balena_api::{DeviceRecord, HeartbeatState};
use migos_playbooks::step::Action;
use migos_tests::emulated::{Cable, Ground, Model, Setup, is_migos};
use migos_tests::fleet::wait;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// The facts of the Pi, or the plan for it, as JSON.
fn json(ground: &Ground, words: &[&str]) -> Value {
    let args = [words, &["inventory.yaml", "--format", "json"]].concat();
    let ended = ground.home.run(&args).unwrap();
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    serde_json::from_str(&ended.stdout).expect(&ended.stdout)
}

#[test]
fn a_pi_is_probed_proven_and_migrated_whatever_becomes_of_the_controller() {
    let policy = "prove: per-device\n";
    let ground = Ground::new(Setup { policy, whole_payload: true, ..Setup::default() }).unwrap();
    let pi = ground.pi();
    let facts = &json(&ground, &["probe"])["devices"]["pi1"]["facts"];
    assert_eq!(facts["model"], "Raspberry Pi 3 Model B Plus Rev 1.3");
    assert_eq!(facts["serial"], "00000000765fc593");
    assert_eq!(facts["os"]["name"], "Debian GNU/Linux 12 (bookworm)");
    assert_eq!((&facts["machine"], &facts["userland"]), (&"aarch64".into(), &"arm64".into()));
    let disk = &facts["disk"];
    assert_eq!((&disk["name"], &disk["id"]), (&"mmcblk0".into(), &"c0ffee42".into()));
    assert_eq!(facts["network"]["mac"], "b8:27:eb:5f:c5:93");
    let boot = &facts["boot"];
    assert_eq!((&boot["path"], &boot["partition"]), (&"/boot/firmware".into(), &1.into()));
    assert_eq!(boot["dirty"], Value::Null);
    let before = pi.card().boot_tree().unwrap();
    let found = boot["files"].as_object().unwrap();
    let files = before.iter().filter(|(path, _)| !path.ends_with('/'));
    let sizes: BTreeMap<_, _> = files.map(|(path, content)| (path, content.len())).collect();
    assert_eq!(found.len(), sizes.len(), "{found:?}");
    for (path, size) in sizes {
        assert_eq!(found[path], size, "{path}");
    }
    let plan = json(&ground, &["plan", "--allow", "unguarded-kernel", "--allow", "api-reach"]);
    let proof = &plan["devices"]["pi1"]["boot"]["one-shot"]["proof"];
    assert!(proof["tryboot_txt"].is_string(), "{plan:#}");

    let mut process = ground.migrate().unwrap();
    let is_proven = || is_recorded(&ground, |it| done(it, Action::ProveGone));
    ground.until(&mut process, "the proof", false, is_proven).unwrap();
    process.kill().unwrap();
    let life = pi.life();
    let configs: Vec<_> = life.boots.iter().map(|boot| boot.config).collect();
    assert_eq!(configs, [ConfigTxt, TrybootTxt, ConfigTxt]);
    assert!(life.boots[1].cmdline.contains(" migos.probe="), "{}", life.boots[1].cmdline);
    assert_eq!(life.times_in_migos(), 0);

    // What must not stay on the card: seen when MIGOS boots.
    let secrets: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
    let noted = Arc::clone(&secrets);
    pi.visit_each_boot(move |boot, card| {
        if is_migos(boot) {
            let host_key = card.boot_file("migos/job/ssh/host_key")?;
            noted.lock().unwrap().extend(host_key);
        }
        Ok(Cable::Plugged)
    });
    ends(&ground, ground.resume().unwrap(), 0, "migrated");

    // On a busy computer a request may be overdue at this very moment.
    let is_online = |record: &DeviceRecord| record.heartbeat == HeartbeatState::Online;
    wait(|| Ok(ground.balena().devices().iter().all(is_online))).unwrap();
    let balena = ground.balena().devices();
    let [known] = &balena[..] else { panic!("{balena:?}") };
    assert_eq!(known.os_version.as_deref(), Some("balenaOS 6.0.24"));
    assert_eq!(known.mac_address.as_deref(), Some("B8:27:EB:5F:C5:93"));
    assert_eq!(known.ip_address.as_deref(), Some("10.0.2.15"));
    let config = assert_is_the_image(pi, &ground.raw);
    assert_eq!(config["uuid"], known.uuid);

    // Of the job's secrets the card has none any more, and the device's own key only where it belongs.
    let host_keys = secrets.lock().unwrap().clone();
    let [host_key] = &host_keys[..] else { panic!("{} boots of MIGOS", host_keys.len()) };
    // The public half is no secret.
    let private = &host_key[host_key.len() - 64..host_key.len() - 32];
    assert!(pi.card().find(private).unwrap().is_empty());
    let device_key = config["deviceApiKey"].as_str().unwrap();
    let (start, end) = pi.card().boot_extent().unwrap();
    let places = pi.card().find(device_key.as_bytes()).unwrap();
    assert!(places.iter().all(|at| (start..end).contains(at)), "{places:?}, not {start}..{end}");
}

#[test]
fn a_pi_whose_firmware_is_too_old_is_migrated_by_a_rewritten_config_txt() {
    let policy = "prove: never\nstrategy: auto\nallow_rewrite: [\"Pi 3B+\"]\n";
    let ground = Ground::new(Setup { policy, old_firmware: true, ..Setup::default() }).unwrap();
    let original = ground.pi().card().boot_file("config.txt").unwrap().unwrap();
    ends(&ground, ground.migrate().unwrap(), 0, "migrated");
    let life = ground.pi().life();
    assert!(life.boots.iter().all(|boot| boot.config == ConfigTxt), "{life:?}");
    assert_eq!((life.boots.len(), life.times_in_migos()), (3, 1));
    assert_is_the_image(ground.pi(), &ground.raw);
    assert!(!original.is_empty());
}

#[test]
fn a_pi_with_a_32_bit_system_is_migrated() {
    let setup = Setup { model: Model::TwoB, whole_payload: true, ..Setup::default() };
    let ground = Ground::new(setup).unwrap();
    let facts = &json(&ground, &["probe"])["devices"]["pi1"]["facts"];
    assert_eq!(facts["model"], Model::TwoB.name());
    assert_eq!((&facts["machine"], &facts["userland"]), (&"armv7l".into(), &"armhf".into()));
    ends(&ground, ground.migrate().unwrap(), 0, "migrated");
    let life = ground.pi().life();
    let kernels: Vec<_> = life.boots.iter().map(|boot| boot.kernel.as_str()).collect();
    assert_eq!(kernels, ["kernel7.img", "migos/kernel7.img", "kernel7.img"]);
    let [known] = &ground.balena().devices()[..] else { panic!("one device") };
    assert_eq!(known.device_type, "raspberry-pi2");
    let config = assert_is_the_image(ground.pi(), &ground.raw);
    assert_eq!(config["uuid"], known.uuid);
}

#[test]
fn two_pis_are_migrated_in_one_run() {
    let ground = Ground::new(Setup { pis: 2, ..Setup::default() }).unwrap();
    ends(&ground, ground.migrate().unwrap(), 0, "migrated");
    let known = ground.balena().devices();
    let mut uuids = Vec::new();
    for pi in &ground.pis {
        let config = assert_is_the_image(pi, &ground.raw);
        uuids.push(config["uuid"].as_str().unwrap().to_owned());
    }
    assert!(uuids[0] != uuids[1] && known.len() == 2, "{uuids:?} {known:?}");
    for uuid in uuids {
        let one = known.iter().find(|device| device.uuid == uuid).expect("balena knows it");
        assert_eq!(one.os_version.as_deref(), Some("balenaOS 6.0.24"));
    }
}
