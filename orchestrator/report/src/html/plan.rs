//! The plan as a page.

use super::markup::{Html, classed, element, folded, page, prose, table, text, tile, with};
use super::timeline::{Band, Row, Span, legend, timeline};
use crate::limits;
use crate::network::parts;
use crate::outlook::{age, answers, minute};
use crate::plan::{Around, at_once, differs, groups, set_aside};
use crate::steps::{Kind, kinds};
use crate::words::{duration, many, plain};
use migos_inventory::{DeviceId, fold};
use migos_playbooks::estimate::{Journey, Prediction};
use migos_playbooks::plan::{DevicePlan, Finding, NetworkPlan, Plan, SetAside};
use std::time::Duration;

/// The plan as one HTML file.
pub fn plan_html(plan: &Plan, around: &Around<'_>) -> String {
    let title = format!("Plan {}", plan.id.short());
    let mut body = vec![element("h1", title.clone()), classed("p", "pale", about(plan, around))];
    body.push(tiles(plan));
    if !plan.devices.is_empty() {
        let answer = |(what, answer): (&str, String)| {
            vec![element("dt", what), element("dd", prose(answer))]
        };
        let answers = answers(plan, around.prediction).into_iter().flat_map(answer);
        body.push(element("h2", "In short"));
        body.push(element("dl", answers.collect::<Vec<_>>()));
        body.push(element("h2", "Stages"));
        body.push(stages(plan, around.prediction.ok()));
        if let Ok(prediction) = around.prediction {
            body.push(element("h2", "When, if all goes well"));
            body.push(picture(plan, prediction));
        }
        body.push(element("h2", "What happens"));
        body.extend(kinds(plan).iter().enumerate().map(|(n, kind)| what_happens(kind, n == 0)));
    }
    let refused = plan.set_aside.iter().filter_map(|(id, why)| match why {
        SetAside::Refused(findings) => Some((id, findings.as_slice())),
        _ => None,
    });
    body.extend(findings("Refused", refused));
    let of = |part: fn(&DevicePlan) -> &[Finding]| {
        plan.devices.iter().map(move |(id, device)| (id, part(device)))
    };
    body.extend(findings("Refused, but overruled by --allow", of(|it| &it.overruled)));
    body.extend(findings("Migrated, with a warning", of(|it| &it.warnings)));
    let others = set_aside(plan).into_iter().filter(|(result, _, _)| *result != "refused");
    let row = |(result, reason, devices): (&str, String, Vec<&DeviceId>)| {
        vec![text(result), text(fold(devices)), text(reason)]
    };
    let others: Vec<_> = others.map(row).collect();
    if !others.is_empty() {
        body.push(element("h2", "Left as they are"));
        body.push(table(&["", "devices", "why"], others));
    }
    if !plan.devices.is_empty() {
        body.push(element("h2", "Every device"));
        body.push(every_device(plan, around.prediction.ok()));
    }
    body.push(element("h2", "How to run it"));
    body.push(element("p", element("code", around.hint)));
    body.push(classed("p", "pale", "Nothing was changed to make this plan."));
    page(&title, body)
}

fn about(plan: &Plan, around: &Around<'_>) -> String {
    let devices = many(plan.devices.len() + plan.set_aside.len(), "device");
    let mut parts = vec![around.source.to_owned(), devices, age(plan, around.now)];
    for (digest, payload) in &plan.payloads {
        parts.push(format!("MIGOS {} (sha256 {})", payload.version, digest.short()));
    }
    parts
        .extend(plan.images.values().map(|it| format!("{} for {}", it.os_version, it.device_type)));
    parts.join(" · ")
}

fn tiles(plan: &Plan) -> Html {
    let mut tiles = vec![tile(plan.devices.len(), "to migrate", "good")];
    let count =
        |is_it: fn(&SetAside) -> bool| plan.set_aside.values().filter(|it| is_it(it)).count();
    let others = [
        (count(|it| matches!(it, SetAside::Refused(_))), "refused", "bad"),
        (count(|it| matches!(it, SetAside::Unreachable(_))), "unreachable", "wait"),
        (count(|it| matches!(it, SetAside::AlreadyMigrated { .. })), "done already", "plain"),
        (count(|it| matches!(it, SetAside::Held(_))), "held", "plain"),
    ];
    tiles.extend(
        others
            .iter()
            .filter(|(count, ..)| *count > 0)
            .map(|(count, word, look)| tile(*count, word, look)),
    );
    classed("div", "tiles", tiles)
}

fn stages(plan: &Plan, prediction: Option<&Prediction>) -> Html {
    let takes = |name: &str| {
        let stage = prediction?.stages.iter().find(|stage| stage.name == name)?;
        Some(duration(stage.takes))
    };
    let rows = plan.stages.iter().map(|stage| {
        let number = match at_once(plan, stage).as_str() {
            "" => stage.devices.len().to_string(),
            at_once => format!("{}, {at_once}", stage.devices.len()),
        };
        let names = folded(many(stage.devices.len(), "device"), fold(&stage.devices));
        vec![
            element("b", stage.name.clone()),
            text(number),
            names,
            text(limits::gate(&stage.gate)),
            text(takes(&stage.name).unwrap_or_default()),
        ]
    });
    table(&["stage", "how many", "who", "goes on if", "takes"], rows.collect())
}

/// The parts of a predicted way.
pub(super) fn predicted(journey: &Journey) -> Vec<Span> {
    let span = |from, to, look| Span { from, to, look };
    vec![
        span(journey.starts, journey.leaves, "staging"),
        span(journey.leaves, journey.commits, "dark"),
        span(journey.commits, journey.arrives, "flash"),
    ]
}

pub(super) fn picture(plan: &Plan, prediction: &Prediction) -> Html {
    let row = |id: &DeviceId| {
        let journey = prediction.devices.get(id)?;
        let took = |from: Duration| duration(journey.arrives.saturating_sub(from));
        Some(Row {
            name: id.to_string(),
            told: format!(
                "starts after {}, is dark for {}, is well after {}",
                duration(journey.starts),
                took(journey.leaves),
                duration(journey.arrives)
            ),
            planned: Vec::new(),
            spans: predicted(journey),
        })
    };
    let bands: Vec<Band> = plan
        .stages
        .iter()
        .map(|stage| {
            let mut rows: Vec<Row> = stage.devices.iter().filter_map(row).collect();
            rows.sort_by_key(|row| row.spans.first().map(|span| span.from));
            Band { name: stage.name.clone(), rows }
        })
        .collect();
    let legend = legend(&[
        ("staging", "in service, while files are sent"),
        ("dark", "in MIGOS, Raspbian returns by itself"),
        ("flash", "past the point of no return, until it is well"),
    ]);
    element("div", [legend, timeline(&bands, prediction.begun)])
}

fn what_happens(kind: &Kind<'_>, is_first: bool) -> Html {
    let devices = kind.devices.iter().copied();
    let title = format!("{}: {}", many(kind.devices.len(), "device"), kind.boards());
    let mut steps = Vec::new();
    for (n, (step, words)) in kind.steps.iter().enumerate() {
        if let Some(warning) = kind.no_return(step) {
            let warning = element("span", warning);
            steps.push(element(
                "li",
                classed("div", "no-return", [text("Point of no return"), warning]),
            ));
        }
        let what = format!("{}. {}: {}", n + 1, step.id.0, words.what);
        let mut parts = vec![classed("span", "mark", words.mark), text(what)];
        if !words.undo.is_empty() {
            parts.push(classed("span", "undo", format!("undo: {}", words.undo)));
        }
        if !words.added.is_empty() {
            let lines: String = words.added.iter().map(|line| format!("+{line}\n")).collect();
            parts.push(folded("the lines that are written", element("pre", lines)));
        }
        steps.push(element("li", parts));
    }
    let inner = [
        element("p", fold(devices)),
        classed(
            "p",
            "pale",
            "· changes nothing   + can be undone   ! reboots, or keeps Raspbian from booting   ‼ for good",
        ),
        classed("ol", "steps", steps),
    ];
    match is_first {
        true => element("div", [element("h3", title), element("div", inner)]),
        false => folded(title, inner),
    }
}

pub(super) fn findings<'a>(
    title: &'static str,
    found: impl Iterator<Item = (&'a DeviceId, &'a [Finding])>,
) -> Vec<Html> {
    let mut rows = Vec::new();
    for (all, devices) in groups(found) {
        let names = fold(devices);
        for (index, finding) in all.first().copied().unwrap_or_default().iter().enumerate() {
            let more =
                if differs(&all, index) { " (the first of them; the others alike)" } else { "" };
            rows.push(vec![
                text(if index == 0 { names.as_str() } else { "" }),
                prose(plain(&finding.reason) + more),
                prose(plain(&finding.remedy)),
            ]);
        }
    }
    if rows.is_empty() {
        return Vec::new();
    }
    vec![element("h2", title), table(&["devices", "why", "what to do"], rows)]
}

/// In a few words, with every line behind them.
fn network(network: &NetworkPlan) -> Html {
    let parts = parts(network);
    if parts.is_empty() {
        return text("DHCP");
    }
    let lines: String = parts
        .iter()
        .map(|part| format!("{}\n  {}\n", part.title, part.lines.join("\n  ")))
        .collect();
    folded(plain(&network.words(true).join("; ")), element("pre", lines))
}

fn every_device(plan: &Plan, prediction: Option<&Prediction>) -> Html {
    let mut rows = Vec::new();
    for stage in &plan.stages {
        for id in &stage.devices {
            let Some(device) = plan.devices.get(id) else { continue };
            let journey = prediction.and_then(|it| it.devices.get(id));
            let at = |of: fn(&Journey) -> Duration| {
                let moment = prediction?.begun.checked_add(of(journey?)).ok()?;
                Some(minute(moment))
            };
            let image = plan.images.get(&device.image).map(|it| it.device_type.as_str());
            let site = device.site.as_ref().map_or("", |site| site.as_str());
            rows.push(vec![
                with("span", &[("id", id.to_string())], id.to_string()),
                text(site),
                text(&stage.name),
                text(plain(&device.class.to_string())),
                text(image.unwrap_or_default()),
                text(device.erased.used),
                network(&device.network),
                text(at(|it| it.leaves).unwrap_or_default()),
                text(at(|it| it.arrives).unwrap_or_default()),
            ]);
        }
    }
    let header = [
        "device",
        "site",
        "stage",
        "class",
        "image",
        "in use",
        "network",
        "leaves Raspbian",
        "is well",
    ];
    folded(many(plan.devices.len(), "device"), table(&header, rows))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::sample;
    use jiff::Timestamp;
    use migos_playbooks::estimate::StagePrediction;

    fn html(plan: &Plan) -> String {
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        let journey = |n: usize| {
            let starts = minutes(10 * n as u64);
            let (leaves, commits) = (starts + minutes(9), starts + minutes(10));
            Journey { starts, leaves, commits, arrives: commits + minutes(15) }
        };
        let prediction = Prediction {
            stages: vec![StagePrediction { name: "canary".into(), takes: minutes(60) }],
            whole: minutes(155),
            pauses: 1,
            begun: Timestamp::UNIX_EPOCH,
            devices: plan
                .devices
                .keys()
                .cloned()
                .enumerate()
                .map(|(n, id)| (id, journey(n)))
                .collect(),
        };
        let around = Around {
            now: Timestamp::UNIX_EPOCH,
            prediction: Ok(&prediction),
            source: "kiosks.yaml",
            hint: "migos-fleet migrate kiosks.yaml",
        };
        plan_html(plan, &around)
    }

    #[test]
    fn the_page_has_every_device_and_says_what_cannot_be_undone() {
        let plan = sample::plan();
        let page = html(&plan);
        for id in plan.devices.keys() {
            assert!(page.matches(&format!(">{id}<")).count() >= 2, "{id} in picture and table");
        }
        for words in ["Point of no return", "screens being replaced", "wlan0", "2h 35m", "undo: "] {
            assert!(page.contains(words), "{words}");
        }
        assert!(!page.contains(sample::IDENTITY));
        assert!(!page.contains("<script") && !page.contains("http-equiv=\"refresh"));
    }

    #[test]
    fn names_and_reasons_stay_text() {
        let mut plan = sample::plan();
        let wicked = "<script>alert(1)</script>";
        plan.set_aside.insert(sample::id("kiosk-777"), SetAside::Held(wicked.into()));
        assert!(!html(&plan).contains(wicked));
    }

    #[test]
    fn a_thousand_devices_are_still_one_page() {
        let mut plan = sample::plan();
        let device = plan.devices.values().next().unwrap().clone();
        plan.devices =
            (0..1000).map(|n| (sample::id(&format!("pi-{n:04}")), device.clone())).collect();
        plan.stages[1].devices = plan.devices.keys().cloned().collect();
        let page = html(&plan);
        assert!(page.len() < 1_500_000, "{} bytes", page.len());
        assert!(page.contains("pi-0999"));
    }
}
