//! How a fleet stands before its migration, on one page: who is ready, who can be fixed and how, what is still to be got and
//! decided, what it costs and how long it takes.

mod json;

pub use json::assess_json;

use crate::Style;
use crate::grid::columns;
use crate::outlook::{age, basis, dark, done, names};
use crate::plan::{Around, section};
use crate::words::{Tone, counts, many, paint, plain};
use migos_inventory::{DeviceId, SiteName};
use migos_playbooks::assess::{
    Assessment, IMAGE_RAW_SIZE, IMAGE_SIZE, Need, Sent, Standing, Undecided,
};
use migos_playbooks::estimate::Prediction;
use migos_playbooks::plan::Finding;
use std::collections::BTreeMap;

/// What can be mended without a visit.
pub(crate) const FIXABLE: &str = "Can be fixed from here";
/// What cannot.
pub(crate) const VISIT: &str = "Need a visit, or stay as they are";
/// What the checks warn of.
pub(crate) const WARNED: &str = "Ready, with a warning";
/// What has to be there.
pub(crate) const TO_GET: &str = "Images and payloads";
/// What nobody has said yet.
pub(crate) const TO_DECIDE: &str = "Still to decide";
/// About the commands that get them.
pub(crate) const HOW_TO_GET: &str = "FILE is the image of a card that balena has for download; docs/payload.md tells what else `payload build` is told";
/// The end of it.
pub(crate) const UNTOUCHED: &str = "Nothing was changed, and balena was not asked.";

/// The text of an assessment.
pub fn assess_text(assessment: &Assessment, style: Style, around: &Around<'_>) -> String {
    let title = |words: &str| format!("\n{}\n", paint(style, Tone::Plain, words));
    let mut text = format!(
        "{}  {}  {}  {}\n\n",
        paint(style, Tone::Plain, "Assessment"),
        around.source,
        many(assessment.devices.len(), "device"),
        age(&assessment.forecast, around.now),
    );
    let row = |(word, reason, devices): (&str, String, Vec<&DeviceId>)| {
        vec![word.to_owned(), format!("{:>4}", devices.len()), names(devices), reason]
    };
    text += &columns(style, standings(assessment).into_iter().map(row).collect());
    if !assessment.forecast.devices.is_empty() {
        text += &title("In short");
        let rows = answers(assessment, around.prediction).into_iter();
        text += &columns(style, rows.map(|(what, answer)| vec![what.to_owned(), answer]).collect());
    }
    if assessment.data.len() > 1 {
        text += &title("Sent, by site");
        text += &columns(style, by_site(assessment));
    }
    text += &section(style, FIXABLE, found(assessment, fixable));
    text += &section(style, VISIT, found(assessment, visit));
    text += &section(style, WARNED, found(assessment, warned));
    let wanted = to_get(assessment);
    if !wanted.is_empty() {
        text += &title(TO_GET);
        text += &needed(&wanted, style);
    }
    if !assessment.undecided.is_empty() {
        text += &title(TO_DECIDE);
        let rows = assessment.undecided.iter().map(|undecided| {
            let count = format!("{:>4}", undecided.devices.len());
            vec![undecided.what.into(), count, who(assessment, undecided), undecided.remedy.into()]
        });
        text += &columns(style, rows.collect());
    }
    text + &format!("\n{UNTOUCHED}\n{}\n", around.hint)
}

/// What is needed, and below it the commands for what the inventory does not name; each stays in one piece, to be copied.
fn needed(wanted: &[Wanted<'_>], style: Style) -> String {
    let named = |it: &Wanted<'_>| match it.get.is_some() {
        true => String::new(),
        false => it.how(),
    };
    let row = |it: &Wanted<'_>| {
        let count = format!("{:>4}", it.need.devices.len());
        vec![it.what.clone(), count, it.boards.clone(), named(it)]
    };
    let mut text = columns(style, wanted.iter().map(row).collect());
    let commands: Vec<&String> = wanted.iter().filter_map(|it| it.get.as_ref()).collect();
    if !commands.is_empty() {
        text += "\n  To get what is not named in the inventory:\n";
        commands.iter().for_each(|command| text += &format!("    {command}\n"));
        text += &columns(style, vec![vec![format!("{HOW_TO_GET}.")]]);
    }
    text
}

/// The devices that wait for a decision.
fn who(assessment: &Assessment, undecided: &Undecided) -> String {
    let all = assessment.those(|standing| !standing.is_left_out()).len();
    match undecided.devices.len() == all {
        true => "all".to_owned(),
        false => names(&undecided.devices),
    }
}

/// What to do next.
pub fn assess_next(assessment: &Assessment, source: &str) -> String {
    let count = |is_it: fn(&Standing) -> bool| assessment.those(is_it).len();
    let is_missing = |needs: &BTreeMap<String, Need>| needs.values().any(|it| it.named.is_empty());
    let waits = !assessment.undecided.is_empty()
        || is_missing(&assessment.images)
        || is_missing(&assessment.payloads);
    let fixable = count(|it| matches!(it, Standing::Fixable(_)));
    match (count(Standing::goes), fixable, waits) {
        (0, _, _) if count(|it| matches!(it, Standing::Done(_))) == assessment.devices.len() => {
            "There is nothing to do.".to_owned()
        }
        (0, _, _) => format!(
            "Nobody can be migrated as it is; when that has changed, look again: migos-fleet assess {source}"
        ),
        (_, 1.., _) => {
            format!("Next: fix what can be fixed, then look again: migos-fleet assess {source}")
        }
        (_, 0, true) => format!(
            "Next: get and decide what is missing, then see what would happen: migos-fleet plan {source}"
        ),
        (_, 0, false) => format!("Next: migos-fleet plan {source}"),
    }
}

/// One word for how a device stands.
pub(crate) fn word(standing: &Standing) -> &'static str {
    match standing {
        Standing::Ready(_) => "ready",
        Standing::Fixable(_) => "fixable",
        Standing::Visit(_) => "visit",
        Standing::Unreachable(_) => "unreachable",
        Standing::Held(_) => "held",
        Standing::Done(_) => "done",
    }
}

/// All devices: the word, the reason, and those for whom they are the same.
pub(crate) fn standings(assessment: &Assessment) -> Vec<(&'static str, String, Vec<&DeviceId>)> {
    let mut groups: BTreeMap<(usize, &str, String), Vec<&DeviceId>> = BTreeMap::new();
    for (id, standing) in &assessment.devices {
        let (rank, reason) = match standing {
            Standing::Ready(_) => (0, String::new()),
            Standing::Fixable(_) => (1, "see below".to_owned()),
            Standing::Visit(_) => (2, "see below".to_owned()),
            Standing::Unreachable(reason) => (3, plain(reason)),
            Standing::Held(reason) => (4, format!("\"{}\"", plain(reason))),
            Standing::Done(evidence) => (5, format!("on balenaOS: {}", plain(evidence))),
        };
        groups.entry((rank, word(standing), reason)).or_default().push(id);
    }
    groups.into_iter().map(|((_, word, reason), devices)| (word, reason, devices)).collect()
}

pub(crate) fn fixable(standing: &Standing) -> &[Finding] {
    if let Standing::Fixable(findings) = standing { findings } else { &[] }
}

pub(crate) fn visit(standing: &Standing) -> &[Finding] {
    if let Standing::Visit(findings) = standing { findings } else { &[] }
}

pub(crate) fn warned(standing: &Standing) -> &[Finding] {
    if let Standing::Ready(findings) = standing { findings } else { &[] }
}

/// All devices with what is found on those that stand in one way.
pub(crate) fn found(
    assessment: &Assessment,
    of: fn(&Standing) -> &[Finding],
) -> impl Iterator<Item = (&DeviceId, &[Finding])> {
    assessment.devices.iter().map(move |(id, standing)| (id, of(standing)))
}

/// What is asked of a fleet that may be migrated, and the answer.
pub(crate) fn answers(
    assessment: &Assessment,
    prediction: Result<&Prediction, &str>,
) -> Vec<(&'static str, String)> {
    let plan = &assessment.forecast;
    vec![
        ("counted", counted(assessment)),
        ("done", done(prediction)),
        ("dark", dark(plan)),
        ("data", data(assessment)),
        ("based on", format!("{}; {}", sizes(assessment), basis(plan))),
    ]
}

/// For whom the forecast is.
fn counted(assessment: &Assessment) -> String {
    let forecast = &assessment.forecast.devices;
    let number = |of: fn(&Standing) -> bool| {
        let those = assessment.those(of).into_iter().filter(|id| forecast.contains_key(*id));
        u32::try_from(those.count()).unwrap_or(u32::MAX)
    };
    let words = counts([
        (number(|it| matches!(it, Standing::Ready(_))), "ready"),
        (number(|it| matches!(it, Standing::Fixable(_))), "once they are fixed"),
    ]);
    let left = assessment.those(Standing::goes).len() - forecast.len();
    let left = match left {
        0 => String::new(),
        left => format!("; {left} more cannot be reckoned with before that"),
    };
    format!("{}: {words}{left}", many(forecast.len(), "device"))
}

fn data(assessment: &Assessment) -> String {
    let all = assessment.all_data();
    let each = match all.least == all.most {
        true => format!("{} to each device", all.most),
        false => format!("{} to {} to each device", all.least, all.most),
    };
    let fetched = match all.fetched.0 {
        0 => String::new(),
        _ => format!(", and {} fetched from mirrors", all.fetched),
    };
    format!("{} sent in all to {}{fetched}, {each}", all.sent, many(all.devices, "device"))
}

/// What is sent, as assumed.
fn sizes(assessment: &Assessment) -> String {
    let payload = |(name, need): (&String, &Need)| format!("{} ({})", need.size, plain(name));
    let payloads: Vec<String> = assessment.payloads.iter().map(payload).collect();
    format!(
        "assumed: payloads of {}, the most that they may have, and images of {IMAGE_SIZE}, {IMAGE_RAW_SIZE} unpacked",
        payloads.join(", ")
    )
}

/// One row a site.
pub(crate) fn by_site(assessment: &Assessment) -> Vec<Vec<String>> {
    let row = |(site, sent): (&Option<SiteName>, &Sent)| {
        let name = site.as_ref().map_or("no site", |site| site.as_str());
        let mut bytes = sent.sent.to_string();
        if sent.fetched.0 > 0 {
            bytes += &format!(", and {} from its mirror", sent.fetched);
        }
        vec![plain(name), many(sent.devices, "device"), bytes]
    };
    assessment.data.iter().map(row).collect()
}

/// A payload or an image that is needed.
pub(crate) struct Wanted<'a> {
    pub(crate) what: String,
    pub(crate) need: &'a Need,
    pub(crate) boards: String,
    /// The command that gets it; `None` if the inventory names one.
    pub(crate) get: Option<String>,
}

impl Wanted<'_> {
    /// Where it comes from, in words.
    pub(crate) fn how(&self) -> String {
        let named: Vec<String> = self.need.named.iter().map(|path| plain(path)).collect();
        match &self.get {
            Some(command) => format!("`{command}`"),
            None => format!("named in the inventory: {}", named.join(", ")),
        }
    }
}

/// All images and payloads that are needed, and how each is got.
pub(crate) fn to_get(assessment: &Assessment) -> Vec<Wanted<'_>> {
    let images = assessment.images.iter().map(|(name, need)| {
        let get = format!("migos-fleet image prepare FILE -o images/{name}.img.gz");
        wanted("image", name, need, &get)
    });
    let payloads = assessment.payloads.iter().map(|(name, need)| {
        wanted("payload", name, need, &format!("migos-fleet payload build --recipe {name}"))
    });
    images.chain(payloads).collect()
}

fn wanted<'a>(kind: &str, name: &str, need: &'a Need, get: &str) -> Wanted<'a> {
    let boards: Vec<&str> = need.boards.iter().map(String::as_str).collect();
    Wanted {
        what: plain(&format!("{kind} {name}")),
        need,
        boards: format!("Pi {}", boards.join(", ")),
        get: need.named.is_empty().then(|| plain(get)),
    }
}

#[cfg(test)]
mod tests;
