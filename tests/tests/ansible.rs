//! Ansible's inventories, held against Ansible itself: host by host, variable by variable, pattern by pattern.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::disallowed_methods, reason = "files for tests")]
#![allow(clippy::print_stdout, reason = "how long it took")]

#[path = "ansible/cfg.rs"]
mod cfg;

use migos_inventory::{Ground, Source, load};
use migos_tests::fleet::program;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::Instant;

/// Variables of one host, and the groups it is in.
type Hosts = BTreeMap<String, (BTreeSet<String>, Map<String, Value>)>;

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The folder of the programs of Ansible, in a Python environment of its own.
fn ansible() -> &'static Path {
    static PROGRAMS: OnceLock<PathBuf> = OnceLock::new();
    PROGRAMS.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("ansible");
        let wanted = std::fs::read(here().join("ansible_core/requirements.txt")).unwrap();
        let (mark, programs) = (folder.join("installed"), folder.join("bin"));
        if std::fs::read(&mark).ok().as_ref() != Some(&wanted) {
            let python =
                Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder).output();
            succeeds(&python.expect("python3 runs; `make packages` installs it"));
            let list = here().join("ansible_core/requirements.txt");
            let mut pip = Command::new(programs.join("pip"));
            succeeds(&pip.args(["install", "--quiet", "-r"]).arg(list).output().unwrap());
            std::fs::write(mark, wanted).unwrap();
        }
        programs
    })
}

fn succeeds(output: &Output) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Asks a program for JSON, in a folder.
fn json_of(folder: &Path, command: &mut Command) -> Value {
    let output = command.current_dir(folder).env_remove("ANSIBLE_CONFIG").output().unwrap();
    succeeds(&output);
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The corpus: the current folder for each inventory, and what is named.
fn cases() -> Vec<(PathBuf, Vec<String>)> {
    let entries = std::fs::read_dir(here().join("ansible")).unwrap();
    let mut cases: Vec<_> = entries
        .map(|entry| {
            let folder = entry.unwrap().path();
            let named = std::fs::read_to_string(folder.join("args"));
            let named = named.unwrap_or_else(|_| "hosts.yml".to_owned());
            let here = std::fs::read_to_string(folder.join("cwd")).unwrap_or_default();
            (folder.join(here.trim()), named.split_whitespace().map(str::to_owned).collect())
        })
        .collect();
    cases.sort();
    cases
}

fn listed_by_ansible(folder: &Path, named: &[String]) -> Value {
    let mut command = Command::new(ansible().join("ansible-inventory"));
    command.env("ANSIBLE_LOCALHOST_WARNING", "false").arg("--list");
    json_of(folder, command.args(named.iter().flat_map(|name| ["-i", name])))
}

/// Ansible's listing by hosts: each with all the groups above it but `all`.
fn by_hosts(listing: &Value) -> Hosts {
    let mut hosts = Hosts::new();
    for (name, variables) in listing["_meta"]["hostvars"].as_object().unwrap() {
        hosts.entry(name.clone()).or_default().1 = variables.as_object().unwrap().clone();
    }
    for group in
        listing.as_object().unwrap().keys().filter(|name| *name != "all" && *name != "_meta")
    {
        for host in below(listing, group) {
            hosts.entry(host).or_default().0.insert(group.clone());
        }
    }
    hosts
}

fn below(listing: &Value, group: &str) -> BTreeSet<String> {
    let texts = |key: &str| {
        let list = listing[group][key].as_array().cloned().unwrap_or_default();
        list.into_iter().map(|item| item.as_str().unwrap().to_owned())
    };
    texts("hosts").chain(texts("children").flat_map(|child| below(listing, &child))).collect()
}

fn by_ours(listing: &Value) -> Hosts {
    let host = |(name, host): (&String, &Value)| {
        let groups = host["groups"].as_array().unwrap().iter();
        let groups = groups.map(|group| group.as_str().unwrap().to_owned()).collect();
        (name.clone(), (groups, host["variables"].as_object().unwrap().clone()))
    };
    listing.as_object().unwrap().iter().map(host).collect()
}

#[test]
fn every_host_has_the_groups_and_variables_that_ansible_gives_it() {
    let cases = cases();
    assert!(cases.len() >= 20, "{} inventories", cases.len());
    for (folder, named) in cases {
        let listing = listed_by_ansible(&folder, &named);
        let expected = by_hosts(&listing);
        assert!(!expected.is_empty(), "{}", folder.display());
        let mut command = Command::new(program().unwrap());
        command.arg("inventory").args(&named).arg("--ansible");
        let ours = by_ours(&json_of(&folder, &mut command));
        assert_eq!(ours, expected, "{}", folder.display());

        // What Ansible has written out is the same fleet again.
        let text = listing.to_string();
        let source =
            Source { name: "-", text: &text, folder: None, variables: &[], is_list: false };
        let loaded = load(&[source], &Ground::default(), &|_| Ok(())).unwrap();
        let again = serde_json::to_value(loaded.resolved.unwrap().listing()).unwrap();
        assert_eq!(by_ours(&again), expected, "the listing of {}", folder.display());
    }
}

/// Asks Ansible for many patterns at once.
fn expanded_by_ansible(questions: &[Value]) -> Vec<Value> {
    let mut python = Command::new(ansible().join("python"))
        .arg(here().join("ansible_core/expand.py"))
        .env("ANSIBLE_LOCALHOST_WARNING", "false")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let text: String = questions.iter().map(|question| format!("{question}\n")).collect();
    let mut stdin = python.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(text.as_bytes()));
    let output = python.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let answers: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers.len(), questions.len());
    answers
}

/// Numbers that look random and are the same each time (Numerical Recipes' generator).
struct Dice(u32);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8) as usize % sides
    }

    fn pick<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.roll(words.len())]
    }
}

#[test]
fn host_patterns_stand_for_the_names_that_ansible_says() {
    let mut dice = Dice(1);
    let ends =
        ["0", "1", "2", "3", "9", "12", "01", "02", "09", "012", "a", "b", "f", "x", "A", "C", ""];
    let mut patterns = Vec::new();
    for _ in 0..2000 {
        let mut pattern = dice.pick(&["", "k", "www-", "a.b"]).to_owned();
        for _ in 0..=dice.roll(2) {
            let (first, last) = (dice.pick(&ends), dice.pick(&ends));
            let step = dice.pick(&["", "", "", ":1", ":2", ":5"]);
            pattern += &format!("[{first}:{last}{step}]{}", dice.pick(&["", "-", ".x"]));
        }
        patterns.push(pattern + dice.pick(&["", "", ":22", ":2222"]));
    }
    let questions: Vec<Value> = patterns.iter().map(|pattern| json!(["range", pattern])).collect();
    let mut counts = (0, 0);
    for (pattern, expected) in patterns.iter().zip(expanded_by_ansible(&questions)) {
        let text = json!({ "g": { "hosts": { pattern.as_str(): null } } }).to_string();
        let source =
            Source { name: "t", text: &text, folder: None, variables: &[], is_list: false };
        let loaded = load(&[source], &Ground::default(), &|_| Ok(()));
        let ours = loaded.map(|loaded| {
            let listing = serde_json::to_value(loaded.resolved.unwrap().listing()).unwrap();
            let names = listing.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
            let port = |name: &String| listing[name]["variables"]["ansible_port"].clone();
            let port = names.first().map(port);
            (names, port)
        });
        let told = expected.as_array().filter(|answer| !answer[0].as_array().unwrap().is_empty());
        let told = told.map(|answer| {
            let names = answer[0].as_array().unwrap().iter();
            (names.map(|name| name.as_str().unwrap().to_owned()).collect(), Some(answer[1].clone()))
        });
        match (ours, told) {
            (Ok(ours), Some(told)) => {
                assert_eq!(ours, told, "{pattern}");
                counts.0 += 1;
            }
            (Err(_), None) => counts.1 += 1,
            // Names of devices are stricter: they begin with a letter or digit, and become names of files.
            (Err(problems), Some(_)) => {
                let text = problems.to_string();
                let stricter = [
                    "is not a device name",
                    "differ only in upper and lower case",
                    "expected a number between 1 and 65535",
                ];
                assert!(stricter.iter().any(|why| text.contains(why)), "{pattern}: {text}");
            }
            (Ok(ours), None) => panic!("{pattern} is {ours:?}, and nothing to Ansible"),
        }
    }
    assert!(counts.0 > 100 && counts.1 > 100, "{counts:?}");
}

#[test]
fn limits_mean_the_hosts_that_ansible_says() {
    let groups = json!({ "db": ["d1", "d2", "w0"], "lab": ["bench", "x.y", "xzy"], "web": ["w0", "w1", "w2"] });
    let mut dice = Dice(7);
    let words = [
        "web", "db", "lab", "all", "w1", "d2", "bench", "w*", "*b", "d?", "x?y", "x.y", "~w[12]",
        "~.*b$", "~x.y$", "web[0]", "db[1:2]", "lab[-1]", "web[1:]", "all[0-3]", "w*[1]", "web[7]",
        "nobody",
    ];
    let mut patterns = Vec::new();
    for _ in 0..400 {
        let part =
            |dice: &mut Dice| format!("{}{}", dice.pick(&["", "", "&", "!"]), dice.pick(&words));
        let count = 1 + dice.roll(3);
        patterns.push((0..count).map(|_| part(&mut dice)).collect::<Vec<_>>().join(","));
    }
    let groups_of_hosts: Map<String, Value> = groups
        .as_object()
        .unwrap()
        .iter()
        .map(|(group, hosts)| {
            let hosts = hosts.as_array().unwrap().iter();
            let hosts: Map<_, _> =
                hosts.map(|host| (host.as_str().unwrap().to_owned(), Value::Null)).collect();
            (group.clone(), json!({ "hosts": hosts }))
        })
        .collect();
    let text = Value::Object(groups_of_hosts).to_string();
    let source = Source { name: "t", text: &text, folder: None, variables: &[], is_list: false };
    let fleet = load(&[source], &Ground::default(), &|_| Ok(())).unwrap().fleet;
    let questions: Vec<Value> =
        patterns.iter().map(|pattern| json!(["limit", groups, pattern])).collect();
    let mut selected = 0;
    for (pattern, expected) in patterns.iter().zip(expanded_by_ansible(&questions)) {
        let names = |value: &Value| -> BTreeSet<String> {
            let list = value.as_array().into_iter().flatten();
            list.map(|name| name.as_str().unwrap().to_owned()).collect()
        };
        match fleet.select(Some(pattern)) {
            Ok(ours) => {
                selected += 1;
                let ours: BTreeSet<String> = ours.iter().map(ToString::to_string).collect();
                assert_eq!(ours, names(&expected), "{pattern}");
            }
            // Where Ansible warns of a part that matches nothing, or leaves nobody, this is an error here.
            Err(error) => {
                let has_nothing = pattern.contains("nobody") || pattern.contains("[7]");
                assert!(has_nothing || names(&expected).is_empty(), "{pattern}: {error}");
            }
        }
    }
    assert!(selected > 100, "{selected}");
}

#[test]
fn ten_thousand_hosts_are_read_in_no_time() {
    let mut text = "all:\n  vars: { ansible_user: pi, migos_data: none }\n  children:\n".to_owned();
    for site in 0..100 {
        text += &format!(
            "    site{site:03}:\n      vars: {{ migos_site: s{site}, a: [1, 2, 3], b: {{ c: {site} }} }}\n      hosts:\n"
        );
        for host in 0..100 {
            text += &format!(
                "        pi-{site:03}-{host:03}: {{ ansible_host: 10.1.{site}.{host} }}\n"
            );
        }
    }
    let begin = Instant::now();
    let source = Source { name: "t", text: &text, folder: None, variables: &[], is_list: false };
    let loaded = load(&[source], &Ground::default(), &|_| Ok(())).unwrap();
    let took = begin.elapsed();
    assert_eq!(loaded.fleet.devices.len(), 10_000);
    assert!(took.as_secs_f64() < 20.0, "10,000 hosts in 100 groups took {took:?}");
}
