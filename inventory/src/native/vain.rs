//! What is said in vain: by one file where a later one says otherwise, or to no device.

use std::collections::{HashMap, HashSet};

use super::layer::Layer;
use super::saying::Saying;
use super::stack::Stack;
use crate::check::{Finding, FindingKind};
use crate::name::GroupName;
use crate::origin::Origin;
use crate::problem::Place;

/// Everything that is said in vain, file by file.
pub(super) fn look(stack: &Stack<'_>) -> Vec<Finding> {
    let mut shadowed = Vec::new();
    for layers in levels(stack) {
        let told = layers.iter().flat_map(|layer| {
            layer.sayings().into_iter().map(|saying| (layer.origin(&saying), saying))
        });
        find_shadowed(told, &mut shadowed);
    }
    let whole = stack.inventories.iter().rev().flat_map(|document| {
        let sayings = document.whole.sayings().into_iter();
        sayings.map(|saying| (document.origin(&saying), saying))
    });
    find_shadowed(whole, &mut shadowed);
    let known: HashSet<_> = shadowed.iter().map(|(place, _)| place.clone()).collect();
    let mut found: Vec<Finding> = shadowed.into_iter().map(|(_, finding)| finding).collect();
    found.extend(unheard(stack, &known));
    found
}

/// Where a group is first written.
pub(super) fn group_origin(stack: &Stack<'_>, name: &GroupName) -> Option<Origin> {
    let (document, place) = stack.group_place(name.as_str())?;
    let layer = format!("group {name}");
    Some(Origin { file: Some(document.file.to_string()), place: Some(place), layer })
}

/// A setting in its place.
type Spot = (Option<String>, Place, String);

fn spot(origin: &Origin, saying: &Saying) -> Spot {
    (origin.file.clone(), saying.place, saying.key.clone())
}

/// The levels of the inventories that more than one file can speak of, the latest file first.
fn levels<'a>(stack: &Stack<'a>) -> Vec<Vec<&'a Layer>> {
    let later_first = || stack.inventories.iter().rev();
    let mut levels = vec![
        later_first().map(|document| &document.top).collect::<Vec<_>>(),
        later_first().map(|document| &document.defaults).collect(),
    ];
    levels.extend(stack.group_layers().map(<[_]>::to_vec));
    if stack.inventories.len() > 1 {
        for (_, named) in &stack.named {
            let own = |document: &'a super::Document| document.devices.get(&named.value);
            let native = later_first().filter(|document| !document.is_of_ansible);
            levels.push(native.filter_map(own).map(|layer| &**layer).collect());
        }
    }
    levels
}

fn find_shadowed(told: impl Iterator<Item = (Origin, Saying)>, found: &mut Vec<(Spot, Finding)>) {
    let mut latest: HashMap<String, (String, Origin)> = HashMap::new();
    for (origin, saying) in told {
        let spot = spot(&origin, &saying);
        let Some((value, winner)) = latest.get(&saying.key) else {
            latest.insert(saying.key, (saying.value, origin));
            continue;
        };
        if *value == saying.value {
            continue;
        }
        let message = format!("`{}` is {} here, and {value} in {winner}", saying.key, saying.value);
        let hint = Some("the file that is named later counts; keep one of the two".to_owned());
        found.push((
            spot,
            Finding { kind: FindingKind::Shadowed, origin: Some(origin), message, hint },
        ));
    }
}

/// What the inventories say and no device takes, because nearer levels say otherwise.
fn unheard(stack: &Stack<'_>, known: &HashSet<Spot>) -> Vec<Finding> {
    // What layers say is asked for each device, and does not change.
    let mut said: HashMap<*const Layer, Vec<(bool, Saying)>> = HashMap::new();
    for (_, named) in &stack.named {
        let mut heard: HashMap<String, String> = HashMap::new();
        for layer in stack.levels(&named.value).nearest_first() {
            let sayings = said.entry(layer).or_insert_with(|| {
                layer.sayings().into_iter().map(|saying| (false, saying)).collect()
            });
            for (is_heard, saying) in sayings {
                match heard.get(&saying.key) {
                    None => {
                        heard.insert(saying.key.clone(), saying.value.clone());
                        *is_heard = true;
                    }
                    Some(nearer) => *is_heard |= *nearer == saying.value,
                }
            }
        }
    }
    let shared = stack.inventories.iter().flat_map(|document| {
        let groups = document.groups.values().map(|group| &group.layer);
        groups.chain([&document.defaults, &document.top])
    });
    let mut found = Vec::new();
    for layer in shared {
        let Some(sayings) = said.get(&std::ptr::from_ref(layer)) else { continue };
        for (_, saying) in sayings.iter().filter(|(is_heard, _)| !is_heard) {
            let origin = layer.origin(saying);
            if known.contains(&spot(&origin, saying)) {
                continue;
            }
            let message = format!("no device takes this `{}`: each has a nearer one", saying.key);
            let hint =
                "remove it, or see who says otherwise: `migos-fleet inventory … --explain DEVICE`";
            found.push(Finding {
                kind: FindingKind::Unheard,
                origin: Some(origin),
                message,
                hint: Some(hint.to_owned()),
            });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::native::{Documents, Written};
    use crate::problem::Report;

    fn found(inventories: &[(&str, &str)]) -> String {
        let mut report = Report::new("t");
        let mut documents = Documents::default();
        for (name, text) in inventories {
            let written = Written { name, text, folder: None };
            documents.add_inventory(&written, &|_| Ok(()), &mut report);
        }
        let fleet = documents.fleet(&crate::SshConfig::default(), &mut report);
        report.into_result(()).unwrap();
        let found = documents.check(&fleet, &crate::SshConfig::default());
        found.iter().map(|finding| format!("{finding}\n")).collect()
    }

    #[test]
    fn of_two_files_at_one_level_the_later_one_is_heard() {
        let a = "
migos: 1
balena: { fleet: acme/kiosks, api: https://one.example }
payloads: p/
images: { raspberrypi3: a.img }
data: none
groups: { north: { devices: [pi-1], site: north } }
devices: { pi-1: { host: 10.0.0.1, serial: \"00000000765fc593\" } }
";
        let b = "
migos: 1
balena: { api: https://two.example }
images: { raspberrypi3: b.img }
data: none
groups: { north: { devices: [pi-2], site: North } }
devices: { pi-1: { host: 10.0.0.2 } }
";
        insta::assert_snapshot!(found(&[("a.yaml", a), ("b.yaml", b)]), @r###"
        a.yaml:5:25: `images.raspberrypi3` is a.img here, and b.img in b.yaml:4:25, the top level
          hint: the file that is named later counts; keep one of the two
        a.yaml:7:43: `site` is north here, and North in b.yaml:6:43, group north
          hint: the file that is named later counts; keep one of the two
        a.yaml:8:26: `host` is 10.0.0.1 here, and 10.0.0.2 in b.yaml:7:26, device
          hint: the file that is named later counts; keep one of the two
        a.yaml:3:36: `balena.api` is https://one.example here, and https://two.example in b.yaml:3:16, the top level
          hint: the file that is named later counts; keep one of the two
        "###);
    }

    #[test]
    fn what_no_device_takes_is_told() {
        let text = "
migos: 1
balena: { fleet: acme/kiosks }
data: none
defaults: { ssh: { user: pi, port: 22 }, vars: { hold: x, ansible_hots: 10.0.0.1 } }
groups:
  north: { devices: [pi-1, pi-2, pi-3, pi-4], ssh: { user: a }, site: north, vars: { colour: red } }
  norht: { devices: [pi-5], ssh: { user: b }, site: norht, vars: { color: blue } }
  empty: { devices: [], site: nowhere }
devices: { pi-4: { site: west }, pi-2: { site: north } }
";
        insta::assert_snapshot!(found(&[("a.yaml", text)]), @r###"
        a.yaml:5:26: no device takes this `ssh.user`: each has a nearer one
          hint: remove it, or see who says otherwise: `migos-fleet inventory … --explain DEVICE`
        a.yaml:9:3: the group `empty` has no devices
          hint: name its devices, or remove it
        a.yaml:5:73: the variable `ansible_hots` of pi-[1-5] is not read
          hint: did you mean `ansible_host`?
        a.yaml:5:56: the variable `hold` of pi-[1-5] is not read
          hint: write `hold:` beside `vars:` if it is meant for migos-fleet
        a.yaml:8:75: the variable `color` of pi-5 looks like `colour`, which more devices have
          hint: did you mean `colour`?
        a.yaml:8:53: the site `norht` of pi-5 looks like `north`, which more devices have
          hint: did you mean `north`?
        a.yaml:8:3: the group `norht` looks like `north`, which has more devices
          hint: did you mean `north`?
        no image is named for pi-[1-5]
          hint: get one with `migos-fleet image fetch`, and name it under `images:`
        no payloads are named
          hint: build them with `migos-fleet payload build`, and name their folder: `payloads: payloads/`
        "###);
    }
}
