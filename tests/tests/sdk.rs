//! balena's own client, from npm, against the lab's API: what it asks is answered as it expects.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::disallowed_methods, reason = "files for tests")]

use migos_lab::balena_api::{ApiConfig, BalenaApi, FleetConfig, OsImage, OsState};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{env, fs};
use tokio::process::Command;

const TOKEN: &str = "hWY2Q8QfgrQRobZodrn7iX5mbzhIr5KT";
/// What is downloaded; the client does not look into it.
const IMAGE: &[u8] = b"\x1f\x8b an image";

/// The folder that npm installs into, with the client in it.
async fn client() -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("sdk");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("sdk");
    fs::create_dir_all(&folder).unwrap();
    let lock = fs::read(source.join("package-lock.json")).unwrap();
    for file in ["package.json", "package-lock.json", "ask.js"] {
        fs::copy(source.join(file), folder.join(file)).unwrap();
    }
    let installed = folder.join("installed");
    if fs::read(&installed).ok().as_ref() != Some(&lock) {
        let arguments = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"];
        let npm = Command::new("npm").args(arguments).current_dir(&folder).output().await;
        let npm = npm.expect("npm runs; `make packages` installs it");
        assert!(npm.status.success(), "{}", String::from_utf8_lossy(&npm.stderr));
        fs::write(installed, lock).unwrap();
    }
    folder
}

fn fleet(id: u64, slug: &str, device_type: &str, architecture: &str) -> FleetConfig {
    FleetConfig {
        id,
        slug: slug.to_owned(),
        device_type: device_type.to_owned(),
        architecture: architecture.to_owned(),
        release: if id == 3 { vec![310_000_000] } else { Vec::new() },
    }
}

async fn api(folder: &Path) -> BalenaApi {
    let file = folder.join("image.gz");
    fs::write(&file, IMAGE).unwrap();
    let image = |version: &str, variant: &str, state, esr| OsImage {
        device_type: "raspberrypi3".to_owned(),
        architecture: "armv7hf".to_owned(),
        version: version.to_owned(),
        variant: variant.to_owned(),
        state,
        esr,
        file: file.clone(),
    };
    let fleets = vec![
        fleet(1, "acme/kiosks", "raspberrypi3", "armv7hf"),
        fleet(2, "acme/gates", "raspberrypi4-64", "aarch64"),
        fleet(3, "acme/lobby", "raspberrypi3", "armv7hf"),
    ];
    let images = vec![
        image("6.0.24", "", OsState::Final, false),
        image("6.0.24+rev1", "", OsState::Final, false),
        image("6.1.0-1795435200", "", OsState::Draft, false),
        image("6.0.30", "", OsState::Invalidated, false),
        image("2.48.0+rev1.dev", "dev", OsState::Final, false),
        image("2.48.0+rev1.prod", "prod", OsState::Final, false),
        image("2024.1.0", "", OsState::Final, true),
    ];
    let config = ApiConfig { images, ..ApiConfig::new(TOKEN, fleets) };
    BalenaApi::start("127.0.0.1:0".parse().unwrap(), config).await.unwrap()
}

#[tokio::test]
async fn balenas_own_client_is_answered_as_it_expects() {
    let client = client().await;
    let folder = tempfile::tempdir().unwrap();
    let api = api(folder.path()).await;
    let url = api.url();
    let fleets = ["acme/kiosks", "acme/gates", "raspberrypi3"];
    let mut node = Command::new("node");
    node.arg(client.join("ask.js")).args([&url, TOKEN]).args(fleets).arg(folder.path());
    let asked = node.output().await.expect("node runs; `make packages` installs it");
    assert!(asked.status.success(), "{}", String::from_utf8_lossy(&asked.stderr));
    let mut said: Map<String, Value> = serde_json::from_slice(&asked.stdout).unwrap();

    let uuid = said.remove("uuid").unwrap();
    let uuid = uuid.as_str().unwrap();
    let left = said.remove("left").unwrap();
    let lines: Vec<String> = said.iter().map(|(name, value)| format!("{name} {value}")).collect();
    let lines = lines.join("\n").replace(uuid, "UUID").replace(&url, "API");
    insta::assert_snapshot!(lines, @r#"
    again "BalenaRequestError"
    allOs 7
    byName ["UUID"]
    config {"apiEndpoint":"API","appUpdatePollInterval":600000,"applicationId":1,"deltaEndpoint":"https://delta.lab.invalid","deviceType":"raspberrypi3","listenPort":48484,"registryEndpoint":"registry2.lab.invalid","userId":2,"vpnEndpoint":"vpn.lab.invalid","vpnPort":443,"wifiKey":"pw","wifiSsid":"ap"}
    configKey 32
    configVariable "16"
    configVariables 1
    counted 1
    device {"api_heartbeat_state":"unknown","belongs_to__application":[{"slug":"acme/kiosks"}],"device_name":"kiosk's 1","id":1,"is_of__device_type":[{"slug":"raspberrypi3"}],"note":"was kiosk-001","overall_status":"configuring"}
    downloadSize 11
    downloaded 11
    expanded {"owns__device":1,"slug":"acme/kiosks"}
    fleet {"app_name":"kiosks","id":1,"is_for__device_type":[{"slug":"raspberrypi3"}],"organization":[{"handle":"acme"}],"slug":"acme/kiosks"}
    fleetTags 2
    fleets ["acme/gates","acme/kiosks","acme/lobby","balena_os/raspberrypi3","balena_os/raspberrypi3-esr"]
    inFleet 2
    moveNowhere "BalenaApplicationNotFound"
    moved "lobby"
    noDevice "BalenaDeviceNotFound"
    noFleet "BalenaApplicationNotFound"
    noImage "Error"
    noVariable null
    os [["2024.1.0","","esr"],["6.0.24+rev1","","default"],["6.0.24","","default"],["2.48.0+rev1.prod","prod","default"],["2.48.0+rev1.dev","dev","default"]]
    otherArchitecture "BalenaInvalidDeviceType"
    page [2]
    registered {"api_key":"lab00000000000000000000000000002","id":1,"uuid":"UUID"}
    releases [{"raw_version":"1.0.0","status":"success"}]
    removed "BalenaDeviceNotFound"
    reserved "BalenaRequestError"
    short "UUID"
    spaceInTag "BalenaRequestError"
    tags [["serial","00000000765fc593"],["site","munich"]]
    variable "it's"
    variables [["URL","it's"]]
    whoami {"actorType":"user","actorTypeId":2,"email":"admin@lab.invalid","id":2,"username":"admin"}
    withTag ["UUID"]
    "#);

    let devices = api.devices();
    assert_eq!(devices.len(), 1, "the other one is removed");
    assert_ne!(left[0], devices[0].uuid);
    assert_eq!((devices[0].uuid.as_str(), devices[0].name.as_str()), (uuid, "kiosk's 1"));
    assert_eq!((&*devices[0].fleet, &*devices[0].note), ("acme/lobby", "was kiosk-001"));
    let pairs = |of: &[(&str, &str)]| -> BTreeMap<String, String> {
        of.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    assert_eq!(devices[0].tags, pairs(&[("serial", "00000000765fc593"), ("site", "munich")]));
    assert_eq!(devices[0].environment, pairs(&[("URL", "it's")]));
    assert_eq!(devices[0].variables, pairs(&[("RESIN_HOST_CONFIG_gpu_mem", "16")]));
}
