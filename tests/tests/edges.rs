//! Which crate may know which: read from cargo's own resolution, held against a table.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};

/// Every crate with those that it uses outside of its tests.
type Graph = BTreeMap<String, BTreeSet<String>>;

/// What these crates never depend on, themselves or through others.
struct Rule {
    of: &'static [&'static str],
    never: &'static [&'static str],
    because: &'static str,
}

const RULES: &[Rule] = &[
    Rule {
        of: &[
            "migos-contract",
            "migos-events",
            "migos-firmware",
            "migos-inventory",
            "migos-payload",
            "migos-playbooks",
        ],
        never: &["tokio", "russh", "reqwest", "hyper", "clap", "indicatif"],
        because: "it is pure: values in, values out, without network, runtime or terminal",
    },
    Rule {
        of: &["migos-engine"],
        never: &["russh", "reqwest", "hyper", "migos-ssh", "migos-balena", "migos-lab"],
        because: "it reaches the world through its own ports and never names what stands behind",
    },
    Rule {
        of: &["migos-engine"],
        never: &["clap", "indicatif", "migos-report"],
        because: "it says what happens as events; words and screens are others' work",
    },
    Rule {
        of: &["migos-report"],
        never: &["migos-engine", "tokio"],
        because: "a recorded run must read exactly as it did live",
    },
    Rule {
        of: &["migos-playbooks"],
        never: &["migos-events"],
        because: "a plan is made before anything happens",
    },
    Rule {
        of: &["migos-firmware"],
        never: &["migos-payload"],
        because: "the referee does not share the code of the player",
    },
    Rule {
        of: &["migos-payload-builder"],
        never: &["tokio", "clap", "indicatif", "migos-engine", "migos-report"],
        because: "it runs other programs one after the other and says what it does to its caller",
    },
    Rule {
        of: &["migos-ramdisk"],
        never: &["tokio", "russh", "reqwest", "clap", "migos-payload", "migos-engine"],
        because: "it runs alone on the Pi, and is small",
    },
    Rule { of: &["migos-ssh"], never: &["migos-balena"], because: "each port stands alone" },
    Rule { of: &["migos-balena"], never: &["migos-ssh"], because: "each port stands alone" },
    Rule {
        of: &[
            "migos-balena",
            "migos-contract",
            "migos-engine",
            "migos-events",
            "migos-firmware",
            "migos-inventory",
            "migos-lab",
            "migos-payload",
            "migos-payload-builder",
            "migos-playbooks",
            "migos-ramdisk",
            "migos-report",
            "migos-ssh",
            "migos-tests",
        ],
        never: &["migos-fleet"],
        because: "the program is wiring and nothing else",
    },
];

/// Other crypto libraries than ring.
const OTHER_CRYPTO: Rule = Rule {
    of: &["migos-fleet"],
    never: &["aws-lc-rs", "aws-lc-sys", "openssl", "openssl-sys", "native-tls"],
    because: "one crypto library is enough: ring",
};

fn metadata() -> Metadata {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    MetadataCommand::new().manifest_path(manifest).exec().unwrap()
}

fn graph(metadata: &Metadata) -> Graph {
    let names: BTreeMap<_, _> =
        metadata.packages.iter().map(|package| (&package.id, package.name.to_string())).collect();
    let mut graph = Graph::new();
    for node in &metadata.resolve.as_ref().unwrap().nodes {
        // Several versions of a crate count as one.
        let uses = graph.entry(names[&node.id].clone()).or_default();
        for dependency in &node.deps {
            if dependency.dep_kinds.iter().any(|kind| kind.kind == DependencyKind::Normal) {
                uses.insert(names[&dependency.pkg].clone());
            }
        }
    }
    graph
}

/// The shortest way from one crate to another.
fn way<'a>(graph: &'a Graph, from: &'a str, to: &str) -> Option<Vec<&'a str>> {
    let mut ways = VecDeque::from([vec![from]]);
    let mut seen = BTreeSet::from([from]);
    while let Some(way) = ways.pop_front() {
        let last = way.last()?;
        for next in graph.get(*last).into_iter().flatten() {
            let longer = [&way[..], &[next]].concat();
            if next == to {
                return Some(longer);
            }
            if seen.insert(next) {
                ways.push_back(longer);
            }
        }
    }
    None
}

/// Every forbidden edge, with the way it comes about.
fn broken(graph: &Graph, rules: &[Rule]) -> Vec<String> {
    let mut found = Vec::new();
    for rule in rules {
        for of in rule.of {
            for never in rule.never {
                if let Some(way) = way(graph, of, never) {
                    found.push(format!("{}: {}", way.join(" -> "), rule.because));
                }
            }
        }
    }
    found
}

#[test]
fn no_crate_knows_what_it_must_not() {
    let broken = broken(&graph(&metadata()), RULES);
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn there_is_one_crypto_library() {
    let graph = graph(&metadata());
    let broken = broken(&graph, &[OTHER_CRYPTO]);
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    assert!(way(&graph, "migos-fleet", "ring").is_some());
}

#[test]
fn a_rule_that_speaks_of_nothing_is_noticed() {
    let metadata = metadata();
    let graph = graph(&metadata);
    let members: BTreeSet<&str> =
        metadata.workspace_packages().iter().map(|package| package.name.as_str()).collect();
    for rule in RULES {
        for of in rule.of {
            assert!(members.contains(of), "there is no crate {of} here");
        }
        for never in rule.never {
            assert!(graph.contains_key(*never), "nobody uses {never} at all");
        }
    }
    let judged: BTreeSet<&str> =
        RULES.iter().flat_map(|rule| rule.of).copied().chain(["migos-fleet"]).collect();
    assert_eq!(judged, members, "every crate has a rule");
}

#[test]
fn a_forbidden_edge_is_reported_with_the_way_it_comes_about() {
    let mut graph = graph(&metadata());
    graph.get_mut("migos-inventory").unwrap().insert("serde_json".to_owned());
    graph.get_mut("serde_json").unwrap().insert("tokio".to_owned());
    let broken = broken(&graph, &RULES[..1]);
    assert!(broken.iter().any(|line| {
        line == "migos-inventory -> serde_json -> tokio: it is pure: values in, values out, without \
                 network, runtime or terminal"
    }), "{broken:?}");
}

#[test]
fn the_lab_does_not_judge_boot_files_by_the_code_that_writes_them() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../orchestrator/lab/src");
    let sources = sources(&folder);
    assert!(sources.len() > 20, "the lab's sources are not in {}", folder.display());
    for path in sources {
        let text = fs::read_to_string(&path).unwrap();
        assert!(!text.contains("boot_text"), "{} uses the payload's boot texts", path.display());
    }
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else {
            found.push(path);
        }
    }
    found
}
