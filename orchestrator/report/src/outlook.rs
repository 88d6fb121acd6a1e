//! What a plan costs, in the order in which people ask: what is lost, for how long, what is sent, and when it is done.

use crate::Style;
use crate::grid::columns;
use crate::words::{duration, many, plain, short};
use jiff::Timestamp;
use migos_inventory::DeviceId;
use migos_payload::device_variables;
use migos_payload::size::ByteCount;
use migos_playbooks::estimate::{Prediction, StagePrediction};
use migos_playbooks::plan::{DevicePlan, NetworkPlan, Plan, SavedData};
use std::collections::BTreeMap;
use std::time::Duration;

/// Sites, lines and classes that are told one by one.
const MOST: usize = 5;

/// The answers, one a row; `prediction` is how long it takes, or why that cannot be told.
pub(crate) fn outlook(plan: &Plan, style: Style, prediction: Result<&Prediction, &str>) -> String {
    let rows = answers(plan, prediction).into_iter();
    columns(style, rows.map(|(what, text)| vec![what.to_owned(), text]).collect())
}

/// What is asked, and the answer.
pub(crate) fn answers(
    plan: &Plan,
    prediction: Result<&Prediction, &str>,
) -> Vec<(&'static str, String)> {
    let mut answers = vec![
        ("done", done(prediction)),
        ("dark", dark(plan)),
        ("exposed", exposed(plan)),
        ("erased", erased(plan)),
        ("kept", kept(plan)),
    ];
    answers.extend(kept_as(plan).map(|text| ("kept as", text)));
    answers.extend(dropped(plan).map(|text| ("dropped", text)));
    answers.extend(network(plan).map(|text| ("network", text)));
    answers.push(("data", data(plan)));
    answers.push(("based on", basis(plan)));
    answers.extend(made_it(plan).map(|text| ("made it", text)));
    answers
}

/// When all is over.
pub(crate) fn done(prediction: Result<&Prediction, &str>) -> String {
    let prediction = match prediction {
        Ok(prediction) => prediction,
        Err(why) => return format!("cannot be told: {}", plain(why)),
    };
    let stage = |stage: &StagePrediction| format!("{} {}", stage.name, duration(stage.takes));
    let stages: Vec<String> = prediction.stages.iter().map(stage).collect();
    let people = match prediction.pauses {
        0 => String::new(),
        pauses => format!(", and what a person takes at {}", many(pauses, "gate")),
    };
    let end = prediction.begun.checked_add(prediction.whole).map(minute).unwrap_or_default();
    format!(
        "{} after its start, so {end} if begun now and all goes well{people}: {}",
        duration(prediction.whole),
        stages.join(", ")
    )
}

/// A moment to the minute, in UTC.
pub(crate) fn minute(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

pub(crate) fn dark(plan: &Plan) -> String {
    let spans = range(plan, |device| device.estimate.dark().as_secs());
    let hours = match plan.devices.values().filter(|device| device.window.is_none()).count() {
        0 => "within its window".to_owned(),
        all if all == plan.devices.len() => "at any hour, since no `window` is set".to_owned(),
        some => format!("within its window, but for {} without one", many(some, "device")),
    };
    format!("each device is out of service for {}, {hours}", words(spans, seconds))
}

fn exposed(plan: &Plan) -> String {
    let flash = range(plan, |device| device.estimate.flash.0.as_secs());
    let mut text = format!(
        "0 s without a bootable card: while it is written, for {}, a power cut ends in MIGOS, which goes on",
        words(flash, seconds)
    );
    let bare: Vec<_> = plan.devices.iter().filter(|(_, device)| device.no_lifeboat).collect();
    if !bare.is_empty() {
        let spans = bare.iter().map(|(_, device)| device.estimate.flash.0.as_secs());
        let most = spans.max().unwrap_or_default();
        let names = short(bare.iter().map(|(id, _)| *id), 40);
        text += &format!("; NOT SO on {names}: up to {} without one", seconds(most));
    }
    text
}

fn erased(plan: &Plan) -> String {
    let used = range(plan, |device| device.erased.used.0);
    let mut text = format!(
        "the whole card of each device, with {} in use",
        words(used, |bytes| ByteCount(bytes).to_string())
    );
    let folders = plan.devices.iter().flat_map(|(id, device)| {
        device.erased.largest.iter().map(move |folder| (folder.size, &folder.path, id))
    });
    if let Some((size, path, id)) = folders.max() {
        text += &format!("; the largest folder is {} with {size}, on {id}", plain(path));
    }
    text
}

fn kept(plan: &Plan) -> String {
    let saved: Vec<&SavedData> =
        plan.devices.values().filter_map(|device| device.data.as_ref()).collect();
    let saved: Vec<&SavedData> =
        saved.into_iter().filter(|data| !data.folders.is_empty()).collect();
    let boot = "a copy of each boot partition";
    let folder = "in the run's folder; copy off first what else you need";
    if saved.is_empty() {
        return format!("{boot}, {folder}");
    }
    let size: ByteCount = saved.iter().map(|data| data.size()).sum();
    format!("{boot}, and data of {}, up to {size}, {folder}", many(saved.len(), "device"))
}

/// What becomes of lines of `config.txt`, the most frequent first.
fn kept_as(plan: &Plan) -> Option<String> {
    let variables = plan.devices.values().flat_map(|device| &device.variables);
    let word = |(name, value): (&String, &String)| {
        format!("{}={value}", name.strip_prefix(device_variables::PREFIX).unwrap_or(name))
    };
    let told = counted(plan, variables.map(word))?;
    let prefix = device_variables::PREFIX;
    Some(format!("device variables {prefix}…: {told}"))
}

/// The lines of `config.txt` that balenaOS will not have, by their reasons.
fn dropped(plan: &Plan) -> Option<String> {
    let mut reasons: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for line in plan.devices.values().flat_map(|device| &device.dropped) {
        reasons.entry(&line.why).or_default().push(line.line.clone());
    }
    let mut reasons: Vec<(&str, Vec<String>)> = reasons.into_iter().collect();
    reasons.sort_by_key(|(why, lines)| (std::cmp::Reverse(lines.len()), *why));
    let more = reasons.len().saturating_sub(most(plan));
    let more =
        if more == 0 { String::new() } else { format!("; and {}", many(more, "more reason")) };
    let told = reasons.into_iter().take(most(plan)).filter_map(|(why, lines)| {
        Some(format!("{}: {}", counted(plan, lines.into_iter())?, plain(why)))
    });
    let told: Vec<String> = told.collect();
    (!told.is_empty()).then(|| format!("lines of config.txt: {}{more}", told.join("; ")))
}

/// How devices will reach the network: what becomes of what they have now. Nothing where that is what balenaOS does by
/// itself.
fn network(plan: &Plan) -> Option<String> {
    let networks = || plan.devices.values().map(|device| &device.network);
    if networks().all(NetworkPlan::is_plain) {
        return None;
    }
    let is_alone = plan.devices.len() == 1;
    let told = counted(plan, networks().flat_map(|network| network.words(is_alone)))?;
    let wifi = match networks().any(|network| network.wifi) {
        true => "; passphrases of Wi-Fi rest on the boot partition from write-job on",
        false => "",
    };
    Some(format!("{told}{wifi}"))
}

/// Things with the number of devices that have them, where not all do.
fn counted(plan: &Plan, things: impl Iterator<Item = String>) -> Option<String> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    things.for_each(|thing| *counts.entry(thing).or_default() += 1);
    let mut counts: Vec<(String, usize)> = counts.into_iter().collect();
    counts.sort_by(|one, two| two.1.cmp(&one.1).then_with(|| one.0.cmp(&two.0)));
    let word = |(thing, count): &(String, usize)| match *count >= plan.devices.len() {
        true => plain(thing),
        false => format!("{} ({count})", plain(thing)),
    };
    let told: Vec<String> = counts.iter().take(most(plan)).map(word).collect();
    let more = counts.len().saturating_sub(most(plan));
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    (!told.is_empty()).then(|| format!("{}{more}", told.join(", ")))
}

/// How many things are told: of a device alone all of them.
fn most(plan: &Plan) -> usize {
    if plan.devices.len() == 1 { usize::MAX } else { MOST }
}

/// What one site is sent, or fetches from its mirror, and how many devices it has.
#[derive(Default)]
struct Site {
    devices: usize,
    bytes: ByteCount,
    app: ByteCount,
}

/// Bytes by site, then what the app adds to them.
fn data(plan: &Plan) -> String {
    let mut sites: BTreeMap<&str, Site> = BTreeMap::new();
    let (mut all, mut fetched) = (ByteCount::default(), ByteCount::default());
    for device in plan.devices.values() {
        let name = device.site.as_ref().map_or("no site", |site| site.as_str());
        let site = sites.entry(name).or_default();
        let (sent, from_mirror) = bytes(plan, device);
        site.devices += 1;
        site.bytes = site.bytes + sent + from_mirror;
        site.app = site.app + device.app.unwrap_or_default();
        all = all + sent;
        fetched = fetched + from_mirror;
    }
    let mut text = format!("{all} sent in all{}", bandwidth(plan));
    if fetched > ByteCount::default() {
        text += &format!(", and {fetched} fetched from mirrors, or sent where they fail");
    }
    text += &by_site(&sites, |site| format!("{} to {}", site.bytes, site.devices));
    text + &app(plan, &sites)
}

/// `: north 543 MB to 3, south 394 MB to 2`, those that get most first; nothing if there is only one.
fn by_site(sites: &BTreeMap<&str, Site>, word: impl Fn(&Site) -> String) -> String {
    if sites.len() < 2 {
        return String::new();
    }
    let mut sites: Vec<(&&str, &Site)> = sites.iter().collect();
    sites.sort_by_key(|(_, site)| std::cmp::Reverse(site.bytes));
    let told: Vec<String> = sites
        .iter()
        .take(MOST)
        .map(|(name, site)| format!("{} {}", plain(name), word(site)))
        .collect();
    let more = sites.len().saturating_sub(MOST);
    let more = if more == 0 { String::new() } else { format!(", {}", many(more, "more site")) };
    format!(": {}{more}", told.join(", "))
}

/// What devices download once they are there: balena tells the app's size unpacked, and sends it packed.
fn app(plan: &Plan, sites: &BTreeMap<&str, Site>) -> String {
    let unknown = plan.devices.values().filter(|device| device.app.is_none()).count();
    let all = sites.values().map(|site| site.app).sum::<ByteCount>();
    if unknown == plan.devices.len() {
        return "; then the app, which each device downloads once it is there".to_owned();
    }
    let except = match unknown {
        0 => String::new(),
        some => {
            format!(", without {} whose app balena does not tell the size of", many(some, "device"))
        }
    };
    format!(
        "; then the app, which each device downloads once it is there, at most {all} in all{except}{}",
        by_site(sites, |site| site.app.to_string())
    )
}

/// What a device is sent, and what it fetches from its mirror.
fn bytes(plan: &Plan, device: &DevicePlan) -> (ByteCount, ByteCount) {
    let payload = plan.payloads.get(&device.payload).map(|it| ByteCount(it.size()));
    let payload = payload.unwrap_or_default();
    let image = plan.images.get(&device.image).map(|image| image.size).unwrap_or_default();
    match device.mirror {
        Some(_) => (payload, image),
        None => (payload + image, ByteCount::default()),
    }
}

/// `, at most 40MB/s in all, 1MB/s to one site`.
fn bandwidth(plan: &Plan) -> String {
    let bandwidth = &plan.bandwidth;
    let limits = [
        (bandwidth.total, "in all"),
        (bandwidth.per_site, "to one site"),
        (bandwidth.per_device, "to one device"),
    ];
    let limits: Vec<String> =
        limits.into_iter().filter_map(|(rate, words)| Some(format!("{} {words}", rate?))).collect();
    if limits.is_empty() { String::new() } else { format!(", at most {}", limits.join(", ")) }
}

/// Where the times come from.
pub(crate) fn basis(plan: &Plan) -> String {
    let measured = plan.devices.values().filter(|device| device.estimate.measured).count();
    let assumed = "1 MB/s to a device and 5 MB/s to its card, both assumed until one of its class has shown it";
    match plan.devices.len() - measured {
        0 => "what devices of the same class or board took in earlier runs".to_owned(),
        all if all == plan.devices.len() => assumed.to_owned(),
        rest => format!(
            "what earlier runs took, for {}; for the other {rest} {assumed}",
            many(measured, "device")
        ),
    }
}

/// How many devices of these classes have made it already.
fn made_it(plan: &Plan) -> Option<String> {
    let mut classes: Vec<(&String, &u32)> = plan.migrated_before.iter().collect();
    classes.sort_by_key(|(name, count)| (std::cmp::Reverse(**count), *name));
    let all: u32 = classes.iter().map(|(_, count)| **count).sum();
    let told = classes.iter().take(MOST).map(|(name, count)| format!("{count} {}", plain(name)));
    let told: Vec<String> = told.collect();
    let more = classes.len().saturating_sub(MOST);
    let more = if more == 0 { String::new() } else { format!("; {}", many(more, "more class")) };
    (all > 0)
        .then(|| format!("{all} of the same classes in earlier runs: {}{more}", told.join("; ")))
}

/// The least and the most over all devices.
fn range(plan: &Plan, of: impl Fn(&DevicePlan) -> u64) -> (u64, u64) {
    let values = || plan.devices.values().map(&of);
    (values().min().unwrap_or_default(), values().max().unwrap_or_default())
}

fn words((least, most): (u64, u64), word: impl Fn(u64) -> String) -> String {
    let (least, most) = (word(least), word(most));
    if least == most { most } else { format!("{least} to {most}") }
}

fn seconds(seconds: u64) -> String {
    duration(Duration::from_secs(seconds))
}

/// How old the facts are: `facts 4m 10s old`.
pub(crate) fn age(plan: &Plan, now: Timestamp) -> String {
    let age = now.duration_since(plan.facts_read);
    match Duration::try_from(age) {
        Ok(age) if age >= Duration::from_secs(60) => format!("facts {} old", duration(age)),
        _ => "facts just read".to_owned(),
    }
}

/// The devices of a table's row.
pub(crate) fn names<'a>(devices: impl IntoIterator<Item = &'a DeviceId>) -> String {
    short(devices, 40)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::sample;
    use migos_payload::device_variables::Dropped;

    const STYLE: Style = Style { color: false, width: 120 };

    /// The sample, with what each device's `config.txt` becomes.
    fn plan() -> Plan {
        let mut plan = sample::plan();
        for (n, device) in plan.devices.values_mut().enumerate() {
            let mut variable = |name: &str, value: &str| {
                let name = format!("{}{name}", device_variables::PREFIX);
                device.variables.insert(name, value.to_owned());
            };
            variable("dtparam", "\"audio=on\"");
            if n < 2 {
                variable("display_rotate", "1");
                variable("dtoverlay", "\"i2c-rtc,ds3231\"");
            }
            let mut drop = |line: &str, why: &str| {
                let (line, why) = (line.to_owned(), why.to_owned());
                device.dropped.push(Dropped { line, why });
            };
            drop("arm_64bit=0", "balenaOS decides what is booted");
            if n == 0 {
                drop("kernel=old\u{1b}.img", "balenaOS decides what is booted");
                drop("warp=9", "nobody knows");
            }
        }
        plan
    }

    fn told(plan: &Plan) -> String {
        let text = outlook(plan, STYLE, Err("a test"));
        let from = text.find("  kept as").unwrap();
        text[from..text.find("  data").unwrap()].to_owned()
    }

    #[test]
    fn what_becomes_of_config_txt_is_told_once_with_numbers() {
        insta::assert_snapshot!(told(&plan()), @r###"
        kept as   device variables BALENA_HOST_CONFIG_…: dtparam="audio=on", display_rotate=1 (2),
                  dtoverlay="i2c-rtc,ds3231" (2)
        dropped   lines of config.txt: arm_64bit=0, kernel=old .img (1): balenaOS decides what is booted; warp=9 (1): nobody
                  knows
        "###);
    }

    #[test]
    fn of_one_device_everything_is_told() {
        let mut plan = plan().alone(&sample::id("kiosk-001"));
        let device = plan.devices.values_mut().next().unwrap();
        let variables =
            (0..9).map(|n| (format!("{}gpu_mem_{n}", device_variables::PREFIX), "1".into()));
        device.variables.extend(variables);
        let text = told(&plan);
        assert!(text.contains("gpu_mem_8=1") && !text.contains(" more"), "{text}");
    }
}
