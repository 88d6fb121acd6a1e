//! Documents that are right, and all those that come of one change: a value dropped, renamed, or made something else.
//! What the program still reads is valid, so that an editor gives no false alarm; what it refuses for its form is not.

use super::found_wrong;
use super::kind::{Kind, plain};
use migos_tests::fuzz::Changes;
use serde_json::{Value, json};

/// Every key of an inventory, in several so that each change is read fast.
const INVENTORIES: [&str; 4] = [
    r#"
migos: 1
balena: { fleet: acme/signs, api: "https://api.example.org", token: { env: TOKEN }, ca: ca.pem }
payloads: payloads/
images: { raspberrypi3: rpi3.img.gz }
mirror: "http://10.0.0.1:8000"
data: { keep: [/home/pi/slides, { path: /etc/sign.conf, optional: true }], exclude: ["*.tmp"] }
policy: { policy: 1, stages: [{ name: all, to: 100% }] }
playbook: own.yaml
handover: attended
on_balena: { tags: { owner: acme }, environment: { A: top, B: { env: TOKEN } } }
devices: { pi-1: }
"#,
    r#"
migos: 1
defaults:
  balena: { fleet: acme/others }
  ssh:
    user: pi
    identity: [~/.ssh/signs]
    certificate: signs.pub
    identities_only: true
    agent: false
    password: { env: PASSWORD }
    port: 22
    jump: [ops@first, { host: second, user: ops, identity: key, port: 2200, host_keys: strict, agent: true }]
    known_hosts: hosts
    host_keys: strict
    sudo_password: { file: sudo.txt }
    old_algorithms: true
    config: none
devices: { pi-1: }
"#,
    r#"
migos: 1
defaults:
  bastion: { host: b.example.org, port: 22, user: c, identity: key, known_hosts: h, ports: 20000-29999, reach: { host: ::1, port: 8022 } }
  window: { days: mon-fri, from: "22:00", to: "05:00", zone: Europe/Berlin }
  handover: call-home
  mirror: "http://10.0.0.2:8000"
groups:
  east: { devices: ["sign-[001:003]", "hall-[a:c]"], site: east, keyfiles: [office], vars: { n: [1, ~, 2.5] } }
  west: { devices: [tower], vars: { site: west }, images: { raspberrypi3: other.img.gz } }
"#,
    r#"
migos: 1
devices:
  sign-042:
    host: 10.1.4.42
    serial: "00000000765fc593"
    device_type: raspberrypi3
    ssh: { proxy: "nc %h %p", agent: /run/agent, identity: key }
    window: none
    data: none
    on_balena:
      name: "{device}"
      tags: { a: b }
      environment: { E: "1", F: { file: f }, G: { device: /etc/g } }
      config: { RESIN_HOST_CONFIG_gpu_mem: "16" }
      release: "0123456789abcdef0123456789abcdef"
      move_to: acme/field
      ssh_keys: ["ssh-ed25519 AAAA name"]
      ntp_servers: [ntp.example.org]
      dns_servers: [10.0.0.1]
      country: DE
    hold: >-
      screen being replaced,
      ask the site
"#,
];

const SETTINGS: &str = "
migos: 1
balena: { api: 'https://api.example.org', token: { file: token } }
policy: steady
defaults: { ssh: { user: pi, jump: 'ops@first,second:2200', identity: key }, site: north }
";

/// Every key of a policy.
const POLICY: &str = include_str!("../../fuzz/policy.yaml");

/// Every key of a playbook.
const PLAYBOOK: &str = include_str!("../../fuzz/playbook.yaml");

/// What a value is made: something of every type, and every text that some reader takes or nearly takes.
fn others() -> Vec<Value> {
    let texts = [
        "",
        " ",
        "none",
        "all",
        "text",
        "a b",
        "a\nb",
        "a\tb",
        "é",
        "1",
        "0",
        "01",
        "-1",
        "+1",
        "1.5",
        "true",
        "5%",
        "0%",
        "100%",
        "101%",
        "+5%",
        "005%",
        "5 %",
        "30s",
        "1h 30m",
        "1h30m",
        "1.5h",
        "1 h",
        " 2 days ",
        "0s",
        "0",
        "5 parsecs",
        "1M",
        "4MB/s",
        "4 MB/s",
        "0MB/s",
        "4mb/s",
        "500kB/s",
        "1B/s",
        "mon",
        "daily",
        "sat, sun",
        "fri-mon",
        "mon-",
        "1:00",
        "01:5",
        "24:00",
        "22:00",
        "22",
        "UTC",
        "Moon/Base",
        "a/b",
        "Acme/Kiosks",
        "a/b/c",
        "/",
        "/a",
        "/a/",
        "/a/../b",
        "//a",
        "~/a",
        "./a",
        "a.pem",
        ".a",
        "a.",
        "https://a",
        "https://a:1/b",
        "http://a",
        "http://localhost:1",
        "https://u:p@a",
        "http://[::1]:1/a",
        "10.0.0.1",
        "fe80::1%eth0",
        "::1",
        "[::1]",
        "a:1",
        "a@b",
        "user@[::1]:22",
        "host.",
        "-a",
        "_a",
        ".host",
        "00000000765FC593",
        "765fc593",
        "raspberrypi3",
        "Raspberrypi3",
        "kiosk-[1:3]",
        "kiosk-[1",
        "x[a,b]y",
        "[ 1:3 ]",
        "k[1:9:2]",
        "1024-1025",
        "20000 - 29999",
        "22-23",
        "2-1",
        "DE",
        "de",
        "0123456789abcdef0123456789abcdef01234567",
        "ssh-rsa AAAA",
        "ssh-rsa",
        "{serial}",
        "{name}",
        "*.tmp",
        "a?",
        "accept-new",
        "strict",
        "attended",
        "unattended",
        "call-home",
        "Attended",
        "spread",
        "inventory",
        "random",
        "one-shot",
        "rewrite",
        "auto",
        "per-device",
        "never",
        "one",
        "one-site",
        "heartbeat",
        "vpn",
        "pause",
        "stop",
        "required",
        "ignored",
        "shown",
        "hidden",
        "migrate",
        "backup",
        "lock",
        "arm",
        "check",
        "careful",
    ];
    let mut others: Vec<Value> = texts.into_iter().map(Value::from).collect();
    others.extend([
        json!(null),
        json!(true),
        json!(false),
        json!(0),
        json!(1),
        json!(2),
        json!(22),
        json!(65_535),
        json!(65_536),
        json!(10_000),
        json!(10_001),
        json!(-1),
        json!(1.5),
        json!([]),
        json!({}),
        json!([1]),
        json!(["a"]),
        json!(["/a", "/b"]),
        json!([null]),
        json!({ "a": 1 }),
        json!({ "a": "b" }),
        json!({ "env": "A" }),
        json!({ "env": "1A" }),
        json!({ "file": "a" }),
        json!({ "device": "/a" }),
        json!({ "env": "A", "file": "a" }),
        json!({ "host": "a" }),
        json!([{ "host": "a" }]),
        json!({ "path": "/a" }),
        json!({ "keep": ["/a"] }),
        json!({ "name": "a", "to": 1 }),
        json!([{ "name": "a", "to": "100%" }]),
        json!({ "failed": 1 }),
        json!({ "times": 3 }),
        json!({ "limit": "1h" }),
        json!({ "policy": 1, "stages": [{ "name": "a", "to": "100%" }] }),
        json!("x".repeat(64)),
        json!("x".repeat(65)),
        json!("x".repeat(9000)),
    ]);
    others
}

/// Keys that a mapping may come to have.
const NEW_KEYS: [&str; 12] = [
    "x",
    "all",
    "a b",
    "é",
    "1",
    "site",
    "BALENA_A",
    "migos.a",
    "raspberrypi4-64",
    "send-image",
    "pi-[1:2]",
    "env",
];

/// The places in a value, as JSON Pointers.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                places(item, &format!("{at}/{index}"), found);
            }
        }
        Value::Object(members) => {
            for (key, member) in members {
                places(
                    member,
                    &format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")),
                    found,
                );
            }
        }
        _ => {}
    }
}

/// All documents that come of one change at one place.
fn changed(document: &Value, at: &str) -> Vec<Value> {
    let with = |change: &dyn Fn(&mut Value)| {
        let mut document = document.clone();
        change(&mut document);
        document
    };
    let here =
        |document: &mut Value, value: &Value| *document.pointer_mut(at).unwrap() = value.clone();
    let is_leaf = !matches!(document.pointer(at), Some(Value::Array(_) | Value::Object(_)));
    // To whoever wants a mapping or a list, one text is like the other.
    let is_tried = |other: &&Value| is_leaf || !other.is_string() || *other == "none";
    let mut found: Vec<Value> = others()
        .iter()
        .filter(is_tried)
        .map(|other| with(&|document| here(document, other)))
        .collect();
    if let Some((above, key)) = at.rsplit_once('/') {
        found.push(with(&|document| match document.pointer_mut(above).unwrap() {
            Value::Array(items) => _ = items.remove(key.parse().unwrap()),
            Value::Object(members) => _ = members.remove(key),
            _ => unreachable!("only these have members"),
        }));
        found.push(with(&|document| {
            if let Value::Object(members) = document.pointer_mut(above).unwrap() {
                let value = members.remove(key).unwrap_or_default();
                members.insert(format!("{key}x"), value);
            }
        }));
    }
    if let Some(Value::Object(members)) = document.pointer(at) {
        let values = members.values().next().into_iter().chain([&Value::Null]);
        for (value, key) in values.flat_map(|value| NEW_KEYS.map(|key| (value.clone(), key))) {
            found.push(with(&|document| document.pointer_mut(at).unwrap()[key] = value.clone()));
        }
    }
    found
}

/// Words of problems that are only of the form.
const OF_THE_FORM: [&str; 4] = ["unknown key", "expected ", "is missing", " needs `"];

#[test]
fn one_change_is_seen_by_the_reader_and_the_schema_alike() {
    let mut texts = Vec::new();
    let others = [(Kind::Settings, SETTINGS), (Kind::Policy, POLICY), (Kind::Playbook, PLAYBOOK)];
    let inventories = INVENTORIES.map(|text| (Kind::Inventory, text));
    for (kind, text) in inventories.into_iter().chain(others) {
        assert_eq!(kind.read(text).map_err(|problems| problems.to_string()), Ok(()));
        let document = plain(text).unwrap();
        let mut at = Vec::new();
        places(&document, "", &mut at);
        let changed = at.iter().flat_map(|at| changed(&document, at));
        // JSON is YAML, so the reader takes it as it is.
        texts.extend(changed.map(|value| (kind, kind.read(&value.to_string()), value)));
    }
    let documents: Vec<_> = texts.iter().map(|(kind, _, value)| (kind.schema(), value)).collect();
    let told = found_wrong(&documents);
    let (mut read, mut refused, mut wrong) = (0, 0, Vec::new());
    for ((kind, answer, _), told) in texts.iter().zip(told) {
        match (answer, told) {
            (Ok(()), None) => read += 1,
            (Ok(()), Some((place, told))) => {
                wrong.push(format!("{kind:?}: a false alarm: {place}: {told}"))
            }
            (Err(_), Some(_)) => refused += 1,
            (Err(problems), None) => {
                let is_of_the_form =
                    |problem: &String| OF_THE_FORM.iter().any(|it| problem.contains(it));
                let seen = problems.0.iter().map(ToString::to_string).find(is_of_the_form);
                wrong.extend(seen.map(|seen| format!("{kind:?}: not found: {seen}")));
            }
        }
    }
    assert!(read > 5000 && refused > 10_000, "{read} {refused}");
    wrong.sort();
    wrong.dedup();
    assert!(wrong.is_empty(), "{}\n{}", wrong.len(), wrong.join("\n"));
}

/// How many changed texts are tried of each kind.
const TEXTS: usize = 10_000;

#[test]
fn texts_that_are_changed_anywhere_and_still_read_are_valid() {
    let kinds = [
        (Kind::Inventory, &INVENTORIES[..]),
        (Kind::Settings, &[SETTINGS]),
        (Kind::Policy, &[POLICY]),
        (Kind::Playbook, &[PLAYBOOK]),
    ];
    let mut readable = Vec::new();
    for (kind, seeds) in kinds {
        let seeds: Vec<&[u8]> = seeds.iter().map(|seed| seed.as_bytes()).collect();
        let mut changes = Changes::new(&seeds, 1);
        for _ in 0..TEXTS {
            let text = String::from_utf8_lossy(&changes.next_text()).into_owned();
            if kind.read(&text).is_ok() {
                readable.push((kind, text));
            }
        }
    }
    assert!(readable.len() > 400, "{}", readable.len());
    let values: Vec<Value> = readable.iter().map(|(_, text)| plain(text).unwrap()).collect();
    let documents: Vec<_> =
        readable.iter().zip(&values).map(|((kind, _), value)| (kind.schema(), value)).collect();
    for ((kind, text), told) in readable.iter().zip(found_wrong(&documents)) {
        assert_eq!(told, None, "{kind:?}\n{text}");
    }
}
