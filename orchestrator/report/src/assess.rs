//! How a fleet stands before its migration, on one page: who is ready, who can be fixed and how, what is still to be got and
//! decided, what it costs and how long it takes.

use crate::Style;
use crate::grid::columns;
use crate::outlook::{age, basis, dark, done, names};
use crate::plan::{Around, section};
use crate::words::{Tone, counts, many, paint, plain};
use migos_inventory::{DeviceId, SiteName};
use migos_playbooks::assess::{Assessment, IMAGE_RAW_SIZE, IMAGE_SIZE, Need, Sent, Standing};
use migos_playbooks::estimate::{Prediction, StagePrediction};
use migos_playbooks::plan::Finding;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The version of the form for programs: minor versions add keys, major ones change or remove some.
const FORMAT: &str = "1.0";

/// What can be mended without a visit.
pub(crate) const FIXABLE: &str = "Can be fixed from here";
/// What cannot.
pub(crate) const VISIT: &str = "Need a visit, or stay as they are";
/// What the checks warn of.
pub(crate) const WARNED: &str = "Ready, with a warning";
/// What is not there yet.
pub(crate) const TO_GET: &str = "Still to get";
/// What nobody has said yet.
pub(crate) const TO_DECIDE: &str = "Still to decide, in the inventory";
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
    if !to_get(assessment).is_empty() {
        text += &title(TO_GET);
        let row = |row: Wanted<'_>| {
            let count = format!("{:>4}", row.need.devices.len());
            vec![row.what, count, names(&row.need.devices), row.boards, row.how]
        };
        text += &columns(style, to_get(assessment).into_iter().map(row).collect());
    }
    if !assessment.undecided.is_empty() {
        text += &title(TO_DECIDE);
        let rows = assessment.undecided.iter().map(|undecided| {
            let count = format!("{:>4}", undecided.devices.len());
            vec![undecided.what.into(), count, names(&undecided.devices), undecided.remedy.into()]
        });
        text += &columns(style, rows.collect());
    }
    text + &format!("\n{UNTOUCHED}\n{}\n", around.hint)
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

/// The same for programs.
pub fn assess_json(assessment: &Assessment, around: &Around<'_>) -> Value {
    let sent = |sent: &Sent| json!(sent);
    let site = |(site, data): (&Option<SiteName>, &Sent)| {
        let mut row = json!({ "site": site });
        if let (Some(row), Value::Object(data)) = (row.as_object_mut(), sent(data)) {
            row.extend(data);
        }
        row
    };
    let count =
        |word: &str| assessment.devices.values().filter(|it| self::word(it) == word).count();
    let states = ["ready", "fixable", "visit", "unreachable", "held", "done"];
    let counts: Map<String, Value> =
        states.iter().map(|word| ((*word).to_owned(), count(word).into())).collect();
    let stage = |it: &StagePrediction| json!({ "name": it.name, "seconds": it.takes.as_secs() });
    let forecast = around.prediction.map(|prediction| {
        json!({
            "begun": prediction.begun,
            "ends": prediction.begun.checked_add(prediction.whole).ok(),
            "seconds": prediction.whole.as_secs(),
            "pauses": prediction.pauses,
            "stages": prediction.stages.iter().map(stage).collect::<Vec<_>>(),
        })
    });
    json!({
        "type": "version",
        "format": FORMAT,
        "inventory": around.source,
        "facts_read": assessment.facts_read,
        "counts": counts,
        "devices": assessment.devices,
        "payloads": assessment.payloads,
        "images": assessment.images,
        "undecided": assessment.undecided,
        "data": {
            "all": sent(&assessment.all_data()),
            "sites": assessment.data.iter().map(site).collect::<Vec<_>>(),
        },
        "assumed": { "image": IMAGE_SIZE, "image_unpacked": IMAGE_RAW_SIZE },
        "forecast": {
            "devices": assessment.forecast.devices.keys().collect::<Vec<_>>(),
            "prediction": forecast.as_ref().ok(),
            "unpredictable": forecast.as_ref().err(),
        },
        "next": around.hint,
    })
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
            Standing::Fixable(_) => (1, "from here, see below".to_owned()),
            Standing::Visit(_) => (2, "only hands mend it, or nothing, see below".to_owned()),
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
        left => format!("; not {left} more, for which it cannot be told before they are fixed"),
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
    pub(crate) how: String,
}

/// All images and payloads that are needed, and how each is got.
pub(crate) fn to_get(assessment: &Assessment) -> Vec<Wanted<'_>> {
    let images = assessment.images.iter().map(|(name, need)| {
        let how = format!(
            "download balenaOS for {name} from balena, then: migos-fleet image prepare FILE -o images/{name}.img.gz"
        );
        wanted("image", name, need, &how)
    });
    let payloads = assessment.payloads.iter().map(|(name, need)| {
        let how = format!(
            "migos-fleet payload build --recipe {name} (docs/payload.md tells which mirrors to name)"
        );
        wanted("payload", name, need, &how)
    });
    images.chain(payloads).collect()
}

fn wanted<'a>(kind: &str, name: &str, need: &'a Need, how: &str) -> Wanted<'a> {
    let boards: Vec<&str> = need.boards.iter().map(String::as_str).collect();
    let named: Vec<&str> = need.named.iter().map(String::as_str).collect();
    let how = match named.is_empty() {
        true => plain(how),
        false => plain(&format!("named in the inventory: {}", named.join(", "))),
    };
    let what = plain(&format!("{kind} {name}"));
    Wanted { what, need, boards: format!("Pi {}", boards.join(", ")), how }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::html::assess_html;
    use crate::sample::{self, id};
    use jiff::Timestamp;
    use migos_payload::size::ByteCount;
    use migos_playbooks::assess::Undecided;
    use std::time::Duration;

    const STYLE: Style = Style { color: false, width: 120 };

    /// The fleet of the sample plan: three can go once they are fixed, one of them is not in the forecast.
    fn assessment() -> Assessment {
        let mut forecast = sample::plan();
        forecast.set_aside.clear();
        forecast.id = forecast.digest().unwrap();
        let finding = |check: &str, reason: &str, remedy: &str| Finding {
            check: check.into(),
            reason: reason.into(),
            remedy: remedy.into(),
        };
        let old = finding("firmware", "its EEPROM is too old", "rpi-eeprom-update -a, then reboot");
        let overlay = finding(
            "overlay-root",
            "its root file system is an overlay",
            "raspi-config nonint disable_overlayfs, then reboot",
        );
        let weak = finding("power", "under-voltage seen now", "check the power supply");
        let slow = finding("throttled", "it is too hot now", "look whether it gets air");
        let devices = [
            ("kiosk-001", Standing::Ready(Vec::new())),
            ("kiosk-002", Standing::Ready(Vec::new())),
            ("kiosk-003", Standing::Ready(vec![slow])),
            ("kiosk-061", Standing::Fixable(vec![old.clone()])),
            ("kiosk-062", Standing::Fixable(vec![old.clone()])),
            ("kiosk-063", Standing::Fixable(vec![overlay])),
            ("kiosk-064", Standing::Visit(vec![weak, old])),
            ("kiosk-065", Standing::Unreachable("connect timeout\x1b[2J".into())),
            ("kiosk-066", Standing::Held("ask <the> site".into())),
            ("kiosk-067", Standing::Done("an earlier run has migrated it".into())),
        ];
        let names = |names: &[&str]| names.iter().map(|name| id(name)).collect();
        let need = |devices: &[&str], board: &str, size, named: &[&str]| Need {
            devices: devices.iter().map(|name| id(name)).collect(),
            boards: [board.to_owned()].into(),
            named: named.iter().map(|path| (*path).to_owned()).collect(),
            size: ByteCount(size),
        };
        let north = ["kiosk-001", "kiosk-002", "kiosk-003"];
        let south = ["kiosk-061", "kiosk-062", "kiosk-063"];
        let sent = |each: u64| Sent {
            devices: 3,
            sent: ByteCount(3 * each),
            fetched: ByteCount(0),
            least: ByteCount(each),
            most: ByteCount(each),
        };
        let site = |name: &str| SiteName::new(name).ok();
        Assessment {
            facts_read: Timestamp::UNIX_EPOCH,
            devices: devices.map(|(name, standing)| (id(name), standing)).into(),
            payloads: [
                ("raspios-arm64".to_owned(), need(&south, "4B", 24_000_000, &[])),
                ("raspios-armhf".to_owned(), need(&north, "3B+", 18_000_000, &[])),
            ]
            .into(),
            images: [
                ("raspberrypi3".to_owned(), need(&north, "3B+", 170_000_000, &["images/3.img.gz"])),
                ("raspberrypi4-64".to_owned(), need(&south, "4B", 170_000_000, &[])),
            ]
            .into(),
            undecided: vec![Undecided {
                what: "the balena fleet to join",
                remedy: "`balena: { fleet: organisation/name }`",
                devices: names(&["kiosk-001", "kiosk-002"]),
            }],
            data: [(site("north"), sent(188_000_000)), (site("south"), sent(194_000_000))].into(),
            forecast: forecast.check().unwrap(),
        }
    }

    fn around<T>(assessment: &Assessment, render: impl FnOnce(&Around<'_>) -> T) -> T {
        let hour = Duration::from_secs(3600);
        let prediction = Prediction {
            stages: vec![StagePrediction { name: "all".into(), takes: 3 * hour }],
            whole: 3 * hour,
            pauses: 1,
            begun: Timestamp::UNIX_EPOCH,
            devices: BTreeMap::new(),
        };
        let hint = assess_next(assessment, "kiosks.yaml");
        let (now, source) = (Timestamp::UNIX_EPOCH, "kiosks.yaml");
        render(&Around { now, prediction: Ok(&prediction), source, hint: &hint })
    }

    #[test]
    fn one_page_says_how_the_fleet_stands() {
        let assessment = assessment();
        let text = around(&assessment, |around| assess_text(&assessment, STYLE, around));
        insta::assert_snapshot!(text, @"");
    }

    #[test]
    fn the_page_has_every_device_and_lets_nothing_through() {
        let assessment = assessment();
        let page = around(&assessment, |around| assess_html(&assessment, around));
        for device in assessment.devices.keys() {
            assert!(page.contains(&format!("<td>{device}</td>")), "{device}");
        }
        assert!(page.contains("ask &lt;the&gt; site"));
        assert!(!page.contains('\x1b') && !page.contains("<script"));
        assert!(!page.contains(sample::IDENTITY));
    }

    #[test]
    fn programs_get_the_same_numbers() {
        let assessment = assessment();
        let json = around(&assessment, |around| assess_json(&assessment, around));
        let ready =
            json!({ "ready": 3, "fixable": 3, "visit": 1, "unreachable": 1, "held": 1, "done": 1 });
        assert_eq!(json["counts"], ready);
        assert_eq!(json["data"]["all"]["sent"], 1_146_000_000);
        assert_eq!(json["data"]["sites"][0]["site"], "north");
        assert_eq!(json["forecast"]["prediction"]["ends"], "1970-01-01T03:00:00Z");
        assert_eq!(json["devices"]["kiosk-061"]["why"][0]["check"], "firmware");
    }

    #[test]
    fn the_next_command_is_the_one_that_helps() {
        let mut assessment = assessment();
        assert!(assess_next(&assessment, "k.yaml").contains("fix what can be fixed"));
        assessment.devices.retain(|_, standing| !matches!(standing, Standing::Fixable(_)));
        assert!(assess_next(&assessment, "k.yaml").contains("get and decide what is missing"));
        assessment.undecided.clear();
        for need in assessment.payloads.values_mut().chain(assessment.images.values_mut()) {
            need.named.insert("there".to_owned());
        }
        assert_eq!(assess_next(&assessment, "k.yaml"), "Next: migos-fleet plan k.yaml");
        assessment.devices.retain(|_, standing| !standing.goes());
        assert!(assess_next(&assessment, "k.yaml").starts_with("Nobody can be migrated"));
        assessment.devices.retain(|_, standing| matches!(standing, Standing::Done(_)));
        assert_eq!(assess_next(&assessment, "k.yaml"), "There is nothing to do.");
    }
}
