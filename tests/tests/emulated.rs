//! The program against a Pi under QEMU: real OpenSSH, a real FAT, real reboots.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
// What the program says is for people.
#![allow(clippy::print_stdout)]

use flate2::Compression;
use flate2::write::GzEncoder;
use migos_balena::{Balena, Timeouts, Token};
use migos_engine::port::{BalenaApi as _, Registration};
use migos_events::{DeviceEvent, Event, Record};
use migos_firmware::ConfigFile;
use migos_lab::balena_api::{ApiConfig, BalenaApi, FleetConfig, HeartbeatState};
use migos_lab::{Lab, LabOptions, Pace};
use migos_payload::device_config::{CONFIG_JSON, Registered, config_json};
use migos_payload::digest::Sha256;
use migos_payload::image::{IMAGE_MANIFEST_SUFFIX, IMAGE_SCHEMA, ImageManifest};
use migos_payload::size::ByteCount;
use migos_playbooks::balena::DeviceUuid;
use migos_playbooks::step::Action;
use migos_tests::emulated::{Card, EmulatedPi};
use migos_tests::fleet::{Home, QUICK, WallClock};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;

/// A seed whose first virtual Pi is the emulated one's twin: a 3B+ with Raspberry Pi OS 12. Payload and image in the
/// lab's folder fit both.
const TWIN: u64 = 15;

/// A Pi in an inventory of its own. Balena, the image and the payload are those of a lab.
struct Ground {
    pi: EmulatedPi,
    home: Home,
    lab: Lab,
    /// The lab's threads.
    _runtime: Runtime,
}

impl Ground {
    fn new() -> Self {
        let (pi, home, runtime) = (
            EmulatedPi::new(Card::raspberry_pi_os).unwrap(),
            Home::new().unwrap(),
            Runtime::new().unwrap(),
        );
        let options = LabOptions {
            devices: 1,
            seed: TWIN,
            faults: Default::default(),
            pace: Pace::test(),
            dir: home.path().join("lab"),
            api_port: 0,
        };
        let lab = runtime.block_on(Lab::start(options)).unwrap();
        let twin = lab.devices().next().unwrap();
        assert_eq!(twin.model().name, "3B+");
        let device_type = twin.model().device_types()[0];
        let inventory = format!(
            "migos: 1\n\
             balena: {{ fleet: {fleet}, api: \"{api}\", token: {{ file: lab/token }} }}\n\
             payloads: lab/payloads/\n\
             images: {{ {device_type}: lab/images/{device_type}.img }}\n\
             data: none\n\
             policy: policy.yaml\n\
             devices:\n  pi: {{ host: 127.0.0.1, ssh: {{ user: pi, port: {port}, identity: {key} }} }}\n",
            fleet = migos_lab::FLEET,
            api = lab.api().url(),
            port = pi.port(),
            key = pi.card().key().display(),
        );
        home.write("inventory.yaml", inventory).unwrap();
        // An undo waits so long, more than once, for a Pi that may yet go down.
        let policy = QUICK
            .replace("prove: never", "prove: per-device")
            .replace("commit: 120s", "commit: 120s, hung: 15s");
        home.write("policy.yaml", policy).unwrap();
        Self { pi, home, lab, _runtime: runtime }
    }

    /// The facts of the Pi, or the plan for it, as JSON.
    fn json(&self, command: &str) -> Value {
        let ended = self.home.run(&[command, "inventory.yaml", "--format", "json"]).unwrap();
        assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
        serde_json::from_str(&ended.stdout).expect(&ended.stdout)
    }
}

fn done(record: &Record, action: Action) -> bool {
    matches!(
        &record.event,
        Event::Device { what: DeviceEvent::StepDone { step, .. }, .. } if step.action == action
    )
}

#[test]
fn a_real_system_is_probed_proven_and_given_back_as_it_was() {
    let ground = Ground::new();
    let (pi, home) = (&ground.pi, &ground.home);
    let before = pi.card().boot_tree().unwrap();
    pi.power_on();
    pi.until_ssh().unwrap();

    let facts = &ground.json("probe")["pi"]["facts"];
    assert_eq!(facts["model"], "Raspberry Pi 3 Model B Plus Rev 1.3");
    assert_eq!(facts["serial"], "00000000765fc593");
    assert_eq!(facts["os"]["name"], "Debian GNU/Linux 12 (bookworm)");
    assert_eq!((&facts["machine"], &facts["userland"]), (&"aarch64".into(), &"arm64".into()));
    assert_eq!(
        (&facts["disk"]["name"], &facts["disk"]["id"]),
        (&"mmcblk0".into(), &"c0ffee42".into())
    );
    assert_eq!(facts["network"]["mac"], "b8:27:eb:5f:c5:93");
    let boot = &facts["boot"];
    assert_eq!((&boot["path"], &boot["partition"]), (&"/boot/firmware".into(), &1.into()));
    assert_eq!(boot["dirty"], Value::Null);
    let found = boot["files"].as_object().unwrap();
    let files = before.iter().filter(|(path, _)| !path.ends_with('/'));
    let sizes: BTreeMap<_, _> = files.map(|(path, content)| (path, content.len())).collect();
    assert_eq!(found.len(), sizes.len(), "{found:?}");
    for (path, size) in sizes {
        assert_eq!(found[path], size, "{path}");
    }

    let plan = ground.json("plan");
    let proof = &plan["devices"]["pi"]["boot"]["one-shot"]["proof"];
    assert!(proof["tryboot_txt"].is_string(), "{plan:#}");

    let args = ["migrate", "--yes", "inventory.yaml"];
    let mut process = home.start(&args).unwrap();
    home.until_record(&mut process, "the proof", |it| done(it, Action::ProveGone)).unwrap();
    process.kill().unwrap();
    let configs: Vec<_> = pi.life().boots.iter().map(|boot| boot.config).collect();
    use ConfigFile::{ConfigTxt, TrybootTxt};
    assert_eq!(configs, [ConfigTxt, TrybootTxt, ConfigTxt]);
    let proof = pi.life().boots[1].clone();
    assert!(proof.cmdline.contains(" migos.probe="), "{}", proof.cmdline);

    let run = home.only_run().unwrap();
    let undone = home.run(&["undo", &run.name()]).unwrap();
    assert_eq!(undone.code, Some(0), "{}{}", undone.stdout, undone.stderr);
    pi.cut_power().unwrap();
    let after = pi.card().boot_tree().unwrap();
    assert_eq!(after.keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());
    assert!(after == before, "a file of the boot partition differs");
    assert!(ground.lab.api().devices().is_empty());
}

/// A payload of Debian's packages with MIGOS in it, in a folder of the home.
fn build_payload(home: &Home) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../payload/ramdisk/build.sh");
    let built = Command::new(script).stderr(Stdio::inherit()).output().unwrap();
    assert!(built.status.success(), "{script} failed; see above");
    let program = String::from_utf8(built.stdout).unwrap();
    let cache = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/emulated/packages");
    let out = "payloads/debian-arm64.tgz";
    let args =
        ["payload", "build", "--recipe", "debian-arm64", "--ramdisk-program", program.trim()];
    let ended = home.run(&[&args[..], &["--cache", cache, "--output", out]].concat()).unwrap();
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
}

/// The small balenaOS as an image to be flashed, beside its manifest.
fn put_image(home: &Home) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let raw = fs::read(Card::balena_os(folder.path()).unwrap().image()).unwrap();
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(&raw).unwrap();
    let packed = packed.finish().unwrap();
    let manifest = ImageManifest {
        schema: IMAGE_SCHEMA,
        device_type: "raspberrypi3-64".to_owned(),
        architecture: "aarch64".to_owned(),
        os_version: "balenaOS 6.0.24".to_owned(),
        compression: migos_contract::Compression::Gzip,
        size: ByteCount(packed.len() as u64),
        sha256: Sha256::of(&packed),
        raw_size: ByteCount(raw.len() as u64),
        raw_sha256: Sha256::of(&raw),
        chunks: None,
    };
    home.write("images/balena.img", packed).unwrap();
    let manifest = serde_json::to_vec(&manifest).unwrap();
    home.write(&format!("images/balena.img{IMAGE_MANIFEST_SUFFIX}"), manifest).unwrap();
    raw
}

#[test]
fn a_real_system_is_migrated_by_migos_to_balena() {
    let ground = Ground::new();
    let (pi, home) = (&ground.pi, &ground.home);
    build_payload(home);
    let raw = put_image(home);
    let inventory = home.read("inventory.yaml").unwrap();
    let line = |start: &str| inventory.lines().find(|line| line.starts_with(start)).unwrap();
    let inventory = inventory
        .replace(line("payloads:"), "payloads: payloads/")
        .replace(line("images:"), "images: { raspberrypi3-64: images/balena.img }");
    home.write("inventory.yaml", inventory).unwrap();
    home.write(
        "policy.yaml",
        QUICK.replace("contact: 60s, commit: 120s", "contact: 5m, commit: 8m"),
    )
    .unwrap();

    pi.power_on();
    pi.until_ssh().unwrap();
    let args = ["migrate", "--yes", "--allow", "unguarded-kernel", "-v", "inventory.yaml"];
    // Its old boot partition is copied twice, to the last sector: a minute and more on an emulated card.
    let ended = home.start(&args).unwrap().end_within(Duration::from_secs(600)).unwrap();
    println!("{}", ended.stderr);
    assert_eq!(ended.code, Some(0), "{}{}\n{}", ended.stdout, ended.stderr, pi.console().unwrap());
    let known = &ground.lab.api().devices()[0];
    assert_eq!(known.os_version.as_deref(), Some("balenaOS 6.0.24"));
    assert_eq!(known.heartbeat, HeartbeatState::Online);

    // From outside: the card is the image, but for the boot partition, and there stands the device's own config.
    pi.cut_power().unwrap();
    let card = fs::read(pi.card().image()).unwrap();
    assert!(card[..4 << 20] == raw[..4 << 20], "the table and what is before the boot partition");
    let tree = pi.card().boot_tree().unwrap();
    let config: Value = serde_json::from_slice(&tree[CONFIG_JSON]).unwrap();
    assert_eq!(config["uuid"], known.uuid);
    assert!(!tree.keys().any(|path| path.starts_with("migos/")), "{:?}", tree.keys());
}

#[test]
fn a_small_balena_os_makes_itself_known_to_balena() {
    const UUID: &str = "2925c2cf3cd44910aa623bdd717824e2";
    const DEVICE_KEY: &str = "52cd736ca5c84a2a997ba18789f0b96c";
    let runtime = Runtime::new().unwrap();
    let fleet = FleetConfig {
        slug: "acme/kiosks".to_owned(),
        device_type: "raspberrypi3-64".to_owned(),
        architecture: "aarch64".to_owned(),
        id: 5,
    };
    let config = ApiConfig::new("token", vec![fleet]);
    let api = runtime.block_on(BalenaApi::start("127.0.0.1:0".parse().unwrap(), config)).unwrap();
    let token = Token::new("token").unwrap();
    let balena =
        Balena::new(&api.url(), token, "0.1.0", Timeouts::default(), Arc::new(WallClock)).unwrap();
    let registration = Registration {
        fleet: 5,
        device_type: "raspberrypi3-64".to_owned(),
        uuid: DeviceUuid(UUID.to_owned()),
        device_key: DEVICE_KEY.to_owned(),
        name: "pi".to_owned(),
    };
    runtime.block_on(balena.register(&registration)).unwrap();
    assert_eq!(api.devices()[0].heartbeat, HeartbeatState::Unknown);

    let pi = EmulatedPi::new(Card::balena_os).unwrap();
    let config = config_json(&Registered {
        api: &api.url(),
        fleet: 5,
        device_type: "raspberrypi3-64",
        uuid: UUID,
        device_key: DEVICE_KEY,
        id: api.devices()[0].id,
        at: 1_795_000_000,
        hostname: "pi",
    });
    pi.card().write_boot_file(CONFIG_JSON, config.unwrap().as_bytes()).unwrap();
    pi.power_on();
    pi.until_true("a report", || api.devices()[0].ip_address.is_some()).unwrap();
    let known = &api.devices()[0];
    assert_eq!(known.heartbeat, HeartbeatState::Online);
    assert_eq!(known.os_version.as_deref(), Some("balenaOS 6.0.24"));
    assert_eq!(known.mac_address.as_deref(), Some("B8:27:EB:5F:C5:93"));
    assert_eq!(known.ip_address.as_deref(), Some("10.0.2.15"));
}
