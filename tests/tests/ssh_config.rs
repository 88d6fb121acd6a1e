//! What is read of an ssh_config, with `ssh -G` as the referee.

#![allow(clippy::unwrap_used)]

use migos_inventory::{Included, SshConfig, Way, settle};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

const HOSTS: [&str; 6] = ["kiosk-001", "kiosk-042", "inner", "10.1.4.42", "web.example.org", "x"];

/// What `ssh -G` says, by keyword; keys add up.
fn referee(file: &Path, host: &str) -> BTreeMap<String, Vec<String>> {
    let output = Command::new("ssh").arg("-G").arg("-F").arg(file).arg(host).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut said: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let (key, value) = line.split_once(' ').unwrap_or((line, ""));
        said.entry(key.to_owned()).or_default().push(value.to_owned());
    }
    said
}

#[test]
fn ssh_itself_reads_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let included = folder.path().join("more");
    std::fs::copy(Path::new("ssh_config/included"), &included).unwrap();
    let user = String::from_utf8(Command::new("id").arg("-un").output().unwrap().stdout).unwrap();
    let user = user.trim().to_owned();
    for name in ["plain", "matches", "quotes", "includes"] {
        let text = std::fs::read_to_string(Path::new("ssh_config").join(name)).unwrap();
        let text = text.replace("INCLUDED", included.to_str().unwrap());
        let file = folder.path().join(name);
        migos_engine::run::write_whole(&file, text.as_bytes(), 0o600).unwrap();
        let find = |path: &str| {
            let text = std::fs::read_to_string(path).unwrap();
            vec![Included { name: path.to_owned(), text }]
        };
        let config = SshConfig::parse(name, &text, Some(user.clone()), &find);
        for host in HOSTS {
            let (ours, theirs) = (config.way(host, None), referee(&file, host));
            let first = |key: &str| theirs.get(key).map(|all| all[0].clone());
            let what = format!("{name} for {host}: {ours:?}");
            assert_eq!(Some(ours.host.clone().unwrap_or(host.into())), first("hostname"), "{what}");
            assert_eq!(Some(ours.user.clone().unwrap_or(user.clone())), first("user"), "{what}");
            assert_eq!(Some(ours.port.unwrap_or(22).to_string()), first("port"), "{what}");
            if let Some(identities) = &ours.identities {
                assert_eq!(Some(identities), theirs.get("identityfile"), "{what}");
            }
            let only = if ours.identities_only == Some(true) { "yes" } else { "no" };
            assert_eq!(Some(only.to_owned()), first("identitiesonly"), "{what}");
            if let Some(files) = &ours.known_hosts {
                assert_eq!(Some(files.clone()), first("userknownhostsfile"), "{what}");
            }
            let command = ours.proxy_command.clone().filter(|command| !command.is_empty());
            assert_eq!(command, first("proxycommand").filter(|value| value != "none"), "{what}");
            let text = |hop: &Way| {
                let user = hop.user.as_ref().map(|user| format!("{user}@")).unwrap_or_default();
                let port = hop.port.map(|port| format!(":{port}")).unwrap_or_default();
                format!("{user}{}{port}", hop.host.clone().unwrap_or_default())
            };
            let jump = ours.jump.as_ref().map(|jump| jump.iter().map(text).collect::<Vec<_>>());
            let jump = jump.map(|jump| jump.join(",")).filter(|jump| !jump.is_empty());
            assert_eq!(jump, first("proxyjump").filter(|value| value != "none"), "{what}");
            // Whatever it says, it comes to a login.
            assert!(!settle(Way::default(), host, &config).host.is_empty());
        }
    }
}
