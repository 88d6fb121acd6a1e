//! What a device is on balena: tags, variables, release and fleet; and how it is seen.

use super::*;
use migos_lab::balena_api::ReleaseConfig;
use migos_playbooks::balena::SeenRelease;

/// A release of the gates' fleet.
fn release(id: u64, commit: &str, is_final: bool) -> ReleaseConfig {
    ReleaseConfig { fleet: 2, id, commit: commit.to_owned(), is_final }
}

#[tokio::test]
async fn tags_and_environment_variables_are_set_as_configuration_is() {
    let world = World::new().await;
    let balena = world.balena();
    let id = balena.register(&kiosk()).await.unwrap();
    let tags = variables(&[("migos.serial", "00000000765fc593"), ("it's,a/tag", "ü & more")]);
    let environment = variables(&[("SITE", "munich"), ("EMPTY", "")]);
    for _ in 0..2 {
        balena.set_values(id, Table::Tags, &tags).await.unwrap();
        balena.set_values(id, Table::Environment, &environment).await.unwrap();
    }
    let device = world.api.devices().remove(0);
    assert_eq!((device.tags, device.environment), (tags, environment));
    assert!(device.variables.is_empty());

    for (table, name) in [(Table::Tags, "a b"), (Table::Environment, "RESIN_X")] {
        let wrong = variables(&[(name, "1")]);
        let error = balena.set_values(id, table, &wrong).await.unwrap_err();
        assert!(matches!(error, BalenaError::Refused(_)), "{error}");
    }
    let twice = json!({ "device": id, "tag_key": "migos.serial", "value": "1" });
    let (status, said) = world.raw("POST", "/v7/device_tag", TOKEN, Some(twice)).await;
    assert_eq!((status, said.as_str()), (409, r#""\"device\" and \"tag_key\" must be unique.""#));
    let path = format!("/v7/device_tag?$filter=device eq {id}&$select=name,value");
    assert_eq!(world.raw("GET", &path, TOKEN, None).await, (500, String::new()));
}

#[tokio::test]
async fn a_device_is_moved_and_pinned_to_a_release_of_its_fleet_alone() {
    let world = World::new().await;
    let balena = world.balena();
    balena.register(&kiosk()).await.unwrap();
    world.api.add_release(release(70, "aa", true));
    world.api.add_release(release(71, "bb", false));
    let found = balena.release(2, "aa").await.unwrap();
    assert_eq!(found, Some(SeenRelease { id: 70, unfit: None }));
    let draft = balena.release(2, "bb").await.unwrap().unwrap();
    assert_eq!(draft.unfit.as_deref(), Some("is not final"));
    assert_eq!(balena.release(1, "aa").await.unwrap(), None, "of another fleet");

    let error = balena.pin(&uuid(), 70).await.unwrap_err();
    assert!(matches!(error, BalenaError::Refused(_)), "{error}");
    for _ in 0..2 {
        balena.move_to(&uuid(), 2).await.unwrap();
        balena.pin(&uuid(), 70).await.unwrap();
    }
    let place = || world.api.devices().remove(0);
    assert_eq!((place().fleet.as_str(), place().pinned), ("acme/gates", Some(70)));

    let error = balena.move_to(&uuid(), 99).await.unwrap_err();
    assert!(error.to_string().contains("Application doesn't exist"), "{error}");
    world.api.set_fault(Fault::NoMoves);
    let error = balena.move_to(&uuid(), 1).await.unwrap_err();
    assert!(error.to_string().contains("was not moved, though balena took it"), "{error}");
    world.api.set_fault(Fault::None);
    balena.move_to(&uuid(), 1).await.unwrap();
    assert_eq!(place().pinned, None, "a move forgets the pin");
}

#[tokio::test]
async fn devices_are_seen_by_name_however_many_are_asked_for() {
    let world = World::new().await;
    let balena = world.balena();
    balena.register(&kiosk()).await.unwrap();
    let mut many: Vec<DeviceUuid> = (0..900).map(|n| DeviceUuid(format!("{n:032x}"))).collect();
    assert_eq!(balena.sightings_of(&many).await, Ok(Vec::new()));
    many.insert(500, uuid());
    let seen = balena.sightings_of(&many).await.unwrap();
    assert_eq!(seen, balena.sightings(&[slug("acme/kiosks")]).await.unwrap());
    assert_eq!(balena.sightings_of(&[]).await, Ok(Vec::new()));
}

#[tokio::test]
async fn a_device_runs_its_release_once_it_reports_it() {
    let world = World::new().await;
    let balena = world.balena();
    balena.register(&Registration { fleet: 2, ..kiosk() }).await.unwrap();
    let seen = async || balena.sightings_of(&[uuid()]).await.unwrap().remove(0);
    let release = seen().await.should_run;
    assert_eq!((release.is_some(), seen().await.runs), (true, None));
    let device = DeviceClient::new(&world.api.url(), UUID, DEVICE_KEY).unwrap().without_app();
    device.report(OS, "DC:A6:32:00:00:01", "192.168.1.50").await.unwrap();
    let ailing = seen().await;
    assert!(!ailing.is_well("balenaOS 6.0.24", ReleaseRule::Required));
    assert!(ailing.is_well("balenaOS 6.0.24", ReleaseRule::Ignored));
    world.device_reports().await;
    let well = seen().await;
    assert_eq!((well.runs, well.supervisor.as_deref()), (release, Some("17.4.0")));
    assert!(well.is_well("balenaOS 6.0.24", ReleaseRule::Required));
}
