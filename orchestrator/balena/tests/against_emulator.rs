//! The client against the lab's balena API, over real sockets. Time is turned by hand.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod conversation;
#[path = "against_emulator/identity.rs"]
mod identity;
#[path = "against_emulator/variables.rs"]
mod variables;

use jiff::Timestamp;
use migos_balena::{Authority, Balena, Timeouts, Token, install_tls_provider};
use migos_engine::port::{BalenaApi as _, BalenaError, Clock, Registration, Table};
use migos_inventory::FleetSlug;
use migos_lab::balena_api::{
    ApiConfig, BalenaApi, DeviceClient, Fault, FleetConfig, HeartbeatState, Reported,
};
use migos_payload::size::ByteCount;
use migos_playbooks::balena::{BalenaFleet, DeviceUuid, Heartbeat, Sighting};
use migos_playbooks::policy::ReleaseRule;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};
use tokio::time::Instant;

const TOKEN: &str = "hWY2Q8QfgrQRobZodrn7iX5mbzhIr5KT";
const UUID: &str = "2925c2cf3cd44910aa623bdd717824e2";
const DEVICE_KEY: &str = "52cd736ca5c84a2a997ba18789f0b96c";
const OS: &str = "balenaOS 6.0.24+rev1";
const NOON: Timestamp = Timestamp::constant(1_795_435_200, 0);

struct World {
    api: BalenaApi,
    passed: Arc<Mutex<Duration>>,
}

struct WallClock(Timestamp);

impl Clock for WallClock {
    fn now(&self) -> Timestamp {
        self.0
    }
}

impl World {
    async fn new() -> Self {
        let fleet = |id, slug: &str, device_type: &str, architecture: &str| FleetConfig {
            slug: slug.to_owned(),
            device_type: device_type.to_owned(),
            architecture: architecture.to_owned(),
            id,
            release: Vec::new(),
        };
        let fleets = vec![
            fleet(1, "acme/kiosks", "raspberrypi4-64", "aarch64"),
            FleetConfig {
                release: vec![310_000_000, 9_000_000_000],
                ..fleet(2, "acme/gates", "raspberrypi3", "armv7hf")
            },
            fleet(3, "o'hara/signs", "raspberry-pi", "rpi"),
        ];
        let passed = Arc::new(Mutex::new(Duration::ZERO));
        let (start, turned) = (Instant::now(), Arc::clone(&passed));
        let config = ApiConfig {
            poll_interval: Duration::from_secs(10),
            offline_after: Duration::from_secs(5),
            now: Arc::new(move || start + *turned.lock().unwrap()),
            wall: SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_435_200),
            ..ApiConfig::new(TOKEN, fleets)
        };
        let api = BalenaApi::start("127.0.0.1:0".parse().unwrap(), config).await.unwrap();
        Self { api, passed }
    }

    fn pass(&self, time: Duration) {
        *self.passed.lock().unwrap() += time;
    }

    fn balena(&self) -> Balena {
        balena(&self.api.url(), TOKEN, NOON)
    }

    async fn device_reports(&self) -> Reported {
        let device = DeviceClient::new(&self.api.url(), UUID, DEVICE_KEY).unwrap();
        device.report(OS, "DC:A6:32:00:00:01", "192.168.1.50").await.unwrap()
    }

    /// Status and body of a request as it stands.
    async fn raw(&self, method: &str, path: &str, key: &str, body: Option<Value>) -> (u16, String) {
        install_tls_provider();
        let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let mut request =
            client.request(method, format!("{}{path}", self.api.url())).bearer_auth(key);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// An error's words, the port aside.
    fn words(&self, error: &BalenaError) -> String {
        error.to_string().replace(&self.api.addr().to_string(), "HOST")
    }
}

fn balena(api: &str, token: &str, clock: Timestamp) -> Balena {
    let token = Token::new(token).unwrap();
    Balena::new(
        api,
        Authority::Public,
        token,
        "0.1.0",
        Timeouts::default(),
        Arc::new(WallClock(clock)),
    )
    .unwrap()
}

fn slug(text: &str) -> FleetSlug {
    FleetSlug::new(text).unwrap()
}

fn uuid() -> DeviceUuid {
    DeviceUuid(UUID.to_owned())
}

fn kiosk() -> Registration {
    Registration {
        fleet: 1,
        device_type: "raspberrypi4-64".to_owned(),
        uuid: uuid(),
        device_key: DEVICE_KEY.to_owned(),
        name: "kiosk-001".to_owned(),
    }
}

#[tokio::test]
async fn what_a_real_api_is_asked_the_emulator_answers() {
    let world = World::new().await;
    let mut topics = Vec::new();
    let mut told = |what: &str, _: &str| topics.push(what.to_owned());
    let held = conversation::hold(&world.balena(), &slug("acme/kiosks"), UUID, &mut told).await;
    assert_eq!(held, Ok(()));
    assert_eq!(topics.len(), 6, "{topics:?}");
    assert!(world.api.devices().is_empty());
}

#[tokio::test]
async fn the_token_is_checked() {
    let world = World::new().await;
    assert_eq!(world.balena().whoami().await.unwrap(), "admin");
    let error = balena(&world.api.url(), "wrong", NOON).whoami().await.unwrap_err();
    insta::assert_snapshot!(world.words(&error), @"balena refused the token: HOST answered 401 Unauthorized to GET /actor/v1/whoami");
}

#[tokio::test]
async fn keys_of_devices_and_fleets_are_no_tokens_for_an_operator() {
    let world = World::new().await;
    world.balena().register(&kiosk()).await.unwrap();
    let error = balena(&world.api.url(), DEVICE_KEY, NOON).whoami().await.unwrap_err();
    insta::assert_snapshot!(world.words(&error), @"balena refused the token: it belongs to a balena device; give a user's API key");
}

#[tokio::test]
async fn a_fleet_is_found_with_its_device_type_and_architecture() {
    let world = World::new().await;
    let gates = BalenaFleet {
        id: 2,
        slug: slug("acme/gates"),
        device_type: "raspberrypi3".to_owned(),
        architecture: "armv7hf".to_owned(),
        app: Some(ByteCount(9_310_000_000)),
    };
    assert_eq!(world.balena().fleet(&slug("acme/gates")).await.unwrap(), Some(gates));
    assert_eq!(world.balena().fleet(&slug("acme/none")).await.unwrap(), None);
}

#[tokio::test]
async fn a_fleet_without_a_release_is_found_all_the_same() {
    let world = World::new().await;
    let kiosks = world.balena().fleet(&slug("acme/kiosks")).await.unwrap().unwrap();
    assert_eq!((kiosks.id, kiosks.app), (1, None));
}

#[tokio::test]
async fn a_field_that_there_is_not_is_a_500_however_deep_it_stands() {
    let world = World::new().await;
    let ask = |field: &str| {
        format!(
            "/v7/application(slug='acme/gates')?$select=id&$expand=should_be_running__release($select=id;\
             $expand=release_image($select=id;$expand=image($select={field})))"
        )
    };
    assert_eq!(world.raw("GET", &ask("image_size"), TOKEN, None).await.0, 200);
    assert_eq!(world.raw("GET", &ask("image_sise"), TOKEN, None).await, (500, String::new()));
}

#[tokio::test]
async fn a_registered_device_has_our_uuid_key_and_name() {
    let world = World::new().await;
    let id = world.balena().register(&kiosk()).await.unwrap();
    let devices = world.api.devices();
    assert_eq!(devices.len(), 1);
    assert_eq!((devices[0].id, devices[0].uuid.as_str()), (id, UUID));
    assert_eq!((devices[0].name.as_str(), devices[0].fleet.as_str()), ("kiosk-001", "acme/kiosks"));
    assert_eq!(devices[0].device_type, "raspberrypi4-64");
    let poll_interval = Duration::from_secs(10);
    let config = BTreeMap::new();
    assert_eq!(world.device_reports().await, Reported::Seen { poll_interval, config });
}

#[tokio::test]
async fn a_registration_repeated_finds_the_same_device() {
    let world = World::new().await;
    let first = world.balena().register(&kiosk()).await.unwrap();
    let renamed = Registration { name: "kiosk-1".to_owned(), ..kiosk() };
    assert_eq!(world.balena().register(&renamed).await.unwrap(), first);
    let devices = world.api.devices();
    assert_eq!((devices.len(), devices[0].name.as_str()), (1, "kiosk-1"));
}

#[tokio::test]
async fn a_registration_whose_answer_is_lost_is_found_by_its_key() {
    let world = World::new().await;
    world.api.set_fault(Fault::LostRegistrations);
    let id = world.balena().register(&kiosk()).await.unwrap();
    let devices = world.api.devices();
    assert_eq!(devices.len(), 1);
    assert_eq!((devices[0].id, devices[0].name.as_str()), (id, "kiosk-001"));
}

#[tokio::test]
async fn a_uuid_that_is_somebody_elses_is_refused_and_left_alone() {
    let world = World::new().await;
    world.balena().register(&kiosk()).await.unwrap();
    let other = Registration { device_key: "0".repeat(32), name: "mine".to_owned(), ..kiosk() };
    let error = world.balena().register(&other).await.unwrap_err();
    assert!(matches!(error, BalenaError::Refused(_)));
    insta::assert_snapshot!(world.words(&error), @r#"balena refused the request: HOST answered 409 Conflict to POST /device/register: "uuid" must be unique. (somebody else has uuid 2925c2cf3cd44910aa623bdd717824e2 or its key)"#);
    assert_eq!(world.api.devices()[0].name, "kiosk-001");
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_suspected_when_the_fresh_key_is_refused() {
    let world = World::new().await;
    let yesterday = NOON - jiff::SignedDuration::from_hours(24);
    let late = balena(&world.api.url(), TOKEN, yesterday);
    let error = late.register(&kiosk()).await.unwrap_err();
    insta::assert_snapshot!(world.words(&error), @"balena refused the token: HOST answered 401 Unauthorized to POST /device/register: API key required (the key was made a moment ago; is this computer's clock right?)");
    assert!(world.api.devices().is_empty());
}

fn variables(of: &[(&str, &str)]) -> BTreeMap<String, String> {
    of.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[tokio::test]
async fn a_device_is_withdrawn_only_while_it_was_never_seen() {
    let world = World::new().await;
    let balena = world.balena();
    assert!(balena.withdraw(&uuid()).await.unwrap(), "one that never was is gone");

    balena.register(&kiosk()).await.unwrap();
    assert!(balena.withdraw(&uuid()).await.unwrap());
    assert!(world.api.devices().is_empty());
    assert_eq!(world.device_reports().await, Reported::Unregistered);

    balena.register(&kiosk()).await.unwrap();
    world.device_reports().await;
    assert!(!balena.withdraw(&uuid()).await.unwrap());
    world.pass(Duration::from_secs(3600));
    assert!(!balena.withdraw(&uuid()).await.unwrap(), "it has been there, though it is silent now");
    assert_eq!(world.api.devices()[0].heartbeat, HeartbeatState::Offline);
}

#[tokio::test]
async fn a_device_that_shows_up_during_its_deletion_is_kept() {
    let world = World::new().await;
    world.balena().register(&kiosk()).await.unwrap();
    world.device_reports().await;
    let delete = format!("/v7/device(uuid='{UUID}')?$filter=api_heartbeat_state eq 'unknown'");
    assert_eq!(world.raw("DELETE", &delete, TOKEN, None).await, (200, String::new()));
    assert_eq!(world.api.devices().len(), 1);
}

#[tokio::test]
async fn sightings_follow_the_heartbeat() {
    let world = World::new().await;
    let balena = world.balena();
    balena.register(&kiosk()).await.unwrap();
    let seen = async || balena.sightings(&[slug("acme/kiosks")]).await.unwrap().remove(0);

    let sighting = seen().await;
    let waiting = Sighting {
        uuid: uuid(),
        name: "kiosk-001".to_owned(),
        heartbeat: Heartbeat::Unknown,
        vpn: false,
        os_version: None,
        supervisor: None,
        runs: None,
        should_run: None,
    };
    assert_eq!(sighting, waiting);

    world.device_reports().await;
    let sighting = seen().await;
    assert_eq!(sighting.os_version.as_deref(), Some(OS));
    assert!(sighting.is_well("balenaOS 6.0.24", ReleaseRule::Required));

    world.pass(Duration::from_millis(14_999));
    assert_eq!(seen().await.heartbeat, Heartbeat::Online);
    world.pass(Duration::from_millis(1));
    assert_eq!(seen().await.heartbeat, Heartbeat::Timeout);
    world.pass(Duration::from_secs(5));
    assert_eq!(seen().await.heartbeat, Heartbeat::Offline);
    world.device_reports().await;
    assert_eq!(seen().await.heartbeat, Heartbeat::Online);
}

#[tokio::test]
async fn sightings_are_of_all_fleets_asked_for_and_no_others() {
    let world = World::new().await;
    let balena = world.balena();
    for (fleet, digit) in [(1, "1"), (2, "2"), (1, "3"), (3, "4")] {
        let device = Registration {
            fleet,
            uuid: DeviceUuid(digit.repeat(32)),
            device_key: digit.repeat(31),
            name: format!("device-{digit}"),
            ..kiosk()
        };
        balena.register(&device).await.unwrap();
    }
    let names = async |fleets: &[FleetSlug]| -> Vec<String> {
        let seen = balena.sightings(fleets).await.unwrap();
        seen.into_iter().map(|sighting| sighting.name).collect()
    };
    let both = [slug("acme/gates"), slug("acme/kiosks")];
    assert_eq!(names(&both).await, ["device-1", "device-2", "device-3"]);
    assert_eq!(names(&both[..1]).await, ["device-2"]);
    assert!(names(&[slug("acme/none")]).await.is_empty());
    assert!(names(&[]).await.is_empty());
}

#[tokio::test]
async fn an_overload_says_when_to_come_again() {
    let world = World::new().await;
    world.api.set_fault(Fault::RateLimited { seconds: 42 });
    let error = world.balena().sightings(&[slug("acme/kiosks")]).await.unwrap_err();
    insta::assert_snapshot!(world.words(&error), @"balena is away: HOST answered 429 Too Many Requests to GET /v7/device");
    assert!(matches!(error, BalenaError::Away { retry_after: Some(42), .. }));
}

#[tokio::test]
async fn a_service_that_is_away_says_nothing_about_devices() {
    let world = World::new().await;
    let balena = world.balena();
    balena.register(&kiosk()).await.unwrap();
    world.api.set_fault(Fault::Away);
    for error in [
        balena.whoami().await.unwrap_err(),
        balena.fleet(&slug("acme/kiosks")).await.unwrap_err(),
        balena.sightings(&[slug("acme/kiosks")]).await.unwrap_err(),
        balena.register(&kiosk()).await.unwrap_err(),
        balena.withdraw(&uuid()).await.unwrap_err(),
    ] {
        assert!(matches!(error, BalenaError::Away { retry_after: None, .. }), "{error}");
    }
    world.api.set_fault(Fault::None);
    assert_eq!(world.balena().whoami().await.unwrap(), "admin");

    let (url, host) = (world.api.url(), world.api.addr().to_string());
    world.api.stop().await;
    let error = self::balena(&url, TOKEN, NOON).whoami().await.unwrap_err();
    let words = error.to_string().replace(&host, "HOST");
    insta::assert_snapshot!(words, @"balena is away: no connection to HOST: Connection refused (os error 111)");
}

#[tokio::test]
async fn a_server_without_tls_is_named_as_what_it_is() {
    let world = World::new().await;
    let https = balena(&world.api.url().replace("http:", "https:"), TOKEN, NOON);
    let error = https.whoami().await.unwrap_err();
    insta::assert_snapshot!(world.words(&error), @"balena is away: no connection to HOST: it does not speak TLS (received corrupt message of type InvalidContentType)");
    assert!(matches!(error, BalenaError::Away { retry_after: None, .. }));
}

#[tokio::test]
async fn the_emulator_refuses_what_a_real_api_refuses() {
    let world = World::new().await;
    let get = async |path: &'static str| world.raw("GET", path, TOKEN, None).await;
    assert_eq!(get("/ping").await, (200, "OK".to_owned()));
    let fleet = "/v7/application(slug='o''hara%2Fsigns')?$select=id,slug";
    assert_eq!(get(fleet).await, (200, r#"{"d":[{"id":3,"slug":"o'hara/signs"}]}"#.to_owned()));
    assert_eq!(
        get("/v7/application?$filter=slug%20eq%20'acme/gates'&$select=id%2Cslug").await,
        (
            400,
            "\"Malformed url: '/v7/application?$filter=slug%20eq%20%27acme/gates%27\
             &$select=id%2Cslug'\""
                .to_owned()
        )
    );
    for unknown in [
        "/v7/device?$filter=colour eq 'red'&$select=id",
        "/v7/device?$select=id,api_secret",
        "/v7/application?$expand=colour",
        "/v7/application?$filter=is_for__device_type/any(dt:dt/colour eq 'red')",
    ] {
        assert_eq!(get(unknown).await, (500, String::new()), "{unknown}");
    }
    assert_eq!(get("/v7/colour?$select=id").await, (401, String::new()));
    assert_eq!(get("/v7/device?$top=abc").await.0, 400);
    assert_eq!(world.raw("GET", fleet, "wrong", None).await, (401, String::new()));
}

#[tokio::test]
async fn the_emulator_checks_registrations_like_a_real_api() {
    let world = World::new().await;
    let mint = async |expiry: &str| -> String {
        let body = json!({
            "actorType": "application", "actorTypeId": 1, "roles": ["provisioning-api-key"],
            "expiryDate": expiry, "description": "a test",
        });
        let (status, key) = world.raw("POST", "/api-key/v2", TOKEN, Some(body)).await;
        assert_eq!(status, 200);
        serde_json::from_str(&key).unwrap()
    };
    let register = async |key: &str, fleet: u64, uuid: &str, device_key: &str| -> (u16, String) {
        let body = json!({
            "application": fleet, "device_type": "raspberrypi4-64", "uuid": uuid, "api_key": device_key,
        });
        world.raw("POST", "/device/register", key, Some(body)).await
    };
    let key = mint("2026-11-23T12:10:00Z").await;
    let expired = mint("2026-11-23T11:59:59Z").await;
    let no_key = r#"{"error":"API key required"}"#.to_owned();
    assert_eq!(register("wrong", 1, UUID, "k").await, (401, no_key.clone()));
    assert_eq!(register(&expired, 1, UUID, "k").await, (401, no_key));
    assert_eq!(register(&key, 2, UUID, "k").await, (401, String::new()));
    let (status, said) = register(&key, 1, &UUID.to_uppercase(), "k").await;
    assert_eq!(
        (status, said.as_str()),
        (400, r#""Device UUID must be a 32 or 62 character long lower case hex string.""#)
    );
    assert_eq!(register(&key, 1, UUID, "k").await.0, 201);
    let taken = (409, r#""uuid" must be unique."#.to_owned());
    assert_eq!(register(&key, 1, UUID, "other").await, taken);
    let taken = (409, r#""\"key\" must be unique.""#.to_owned());
    assert_eq!(register(&key, 1, &"0".repeat(32), "k").await, taken);
    let read = format!("/v7/device(uuid='{UUID}')?$select=id");
    assert_eq!(world.raw("GET", &read, &key, None).await, (401, String::new()));
    assert_eq!(world.raw("GET", &read, "k", None).await, (200, r#"{"d":[{"id":1}]}"#.to_owned()));
}
