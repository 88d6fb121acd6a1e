//! The assessment as a page.

use super::markup::{Html, classed, element, page, prose, table, text, tile};
use super::plan::{findings, picture};
use crate::assess::{
    FIXABLE, HOW_TO_GET, TO_DECIDE, TO_GET, UNTOUCHED, VISIT, WARNED, answers, by_site, fixable,
    found, standings, to_get, visit, warned, word,
};
use crate::outlook::age;
use crate::plan::Around;
use crate::words::{many, plain};
use migos_inventory::{DeviceId, fold};
use migos_playbooks::assess::{Assessment, Standing};

/// The assessment as one HTML file.
pub fn assess_html(assessment: &Assessment, around: &Around<'_>) -> String {
    let about = [
        around.source.to_owned(),
        many(assessment.devices.len(), "device"),
        age(&assessment.forecast, around.now),
    ];
    let mut body = vec![element("h1", "Assessment"), classed("p", "pale", about.join(" · "))];
    body.push(tiles(assessment));
    if !assessment.forecast.devices.is_empty() {
        let answer = |(what, answer): (&str, String)| {
            vec![element("dt", what), element("dd", prose(answer))]
        };
        let answers = answers(assessment, around.prediction).into_iter().flat_map(answer);
        body.extend([element("h2", "In short"), element("dl", answers.collect::<Vec<_>>())]);
    }
    if assessment.data.len() > 1 {
        let rows = by_site(assessment).into_iter();
        let rows = rows.map(|row| row.into_iter().map(text).collect()).collect();
        body.extend([element("h2", "Sent, by site"), table(&["site", "", "bytes"], rows)]);
    }
    body.extend(findings(FIXABLE, found(assessment, fixable)));
    body.extend(findings(VISIT, found(assessment, visit)));
    body.extend(findings(WARNED, found(assessment, warned)));
    body.extend(still(assessment));
    let says_itself =
        |standing: &Standing| standing.goes() || matches!(standing, Standing::Visit(_));
    if assessment.devices.values().any(|standing| !says_itself(standing)) {
        let others = standings(assessment).into_iter();
        let others = others.filter(|(word, ..)| !["ready", "fixable", "visit"].contains(word));
        let row = |(word, reason, devices): (&str, String, Vec<&DeviceId>)| {
            vec![text(word), text(fold(devices)), text(reason)]
        };
        body.push(element("h2", "Not looked at, or not in need of it"));
        body.push(table(&["", "devices", "why"], others.map(row).collect()));
    }
    if let (Ok(prediction), false) = (around.prediction, assessment.forecast.devices.is_empty()) {
        body.push(element("h2", "When, if all goes well"));
        body.push(picture(&assessment.forecast, prediction));
    }
    body.push(element("h2", "Every device"));
    body.push(every_device(assessment));
    body.push(element("h2", "What to do next"));
    body.push(element("p", around.hint));
    body.push(classed("p", "pale", UNTOUCHED));
    page("Assessment", body)
}

fn tiles(assessment: &Assessment) -> Html {
    let looks = [
        ("ready", "ready", "good"),
        ("fixable", "can be fixed from here", "wait"),
        ("visit", "need a visit, or stay", "bad"),
        ("unreachable", "unreachable", "wait"),
        ("held", "held", "plain"),
        ("done", "on balenaOS", "plain"),
    ];
    let tiles = looks.iter().filter_map(|(state, words, look)| {
        let count = assessment.those(|standing| word(standing) == *state).len();
        (count > 0 || *state == "ready").then(|| tile(count, words, look))
    });
    classed("div", "tiles", tiles.collect::<Vec<_>>())
}

/// What is still to be got and decided.
fn still(assessment: &Assessment) -> Vec<Html> {
    let mut parts = Vec::new();
    let wanted = to_get(assessment).into_iter();
    let rows: Vec<_> = wanted
        .map(|it| {
            let devices = text(fold(&it.need.devices));
            let (count, how) = (text(it.need.devices.len()), prose(it.how()));
            vec![text(it.what), count, devices, text(it.boards), how]
        })
        .collect();
    if !rows.is_empty() {
        parts.push(element("h2", TO_GET));
        parts.push(table(&["what", "for", "devices", "boards", "from"], rows));
        parts.push(classed("p", "pale", prose(format!("{HOW_TO_GET}."))));
    }
    let undecided = assessment.undecided.iter();
    let rows: Vec<_> = undecided
        .map(|it| {
            let (devices, count) = (text(fold(&it.devices)), text(it.devices.len()));
            vec![text(it.what), count, devices, prose(it.remedy)]
        })
        .collect();
    if !rows.is_empty() {
        parts.push(element("h2", TO_DECIDE));
        parts.push(table(&["what", "for", "devices", "how"], rows));
    }
    parts
}

fn every_device(assessment: &Assessment) -> Html {
    let row = |(id, standing): (&DeviceId, &Standing)| {
        let why = match standing {
            Standing::Ready(found) | Standing::Fixable(found) | Standing::Visit(found) => {
                let reasons: Vec<String> = found.iter().map(|it| plain(&it.reason)).collect();
                reasons.join("; ")
            }
            Standing::Unreachable(why) | Standing::Held(why) | Standing::Done(why) => plain(why),
        };
        let planned = assessment.forecast.devices.get(id);
        let class = planned.map(|device| plain(&device.class.to_string())).unwrap_or_default();
        vec![text(id), text(word(standing)), text(class), text(why)]
    };
    let rows = assessment.devices.iter().map(row).collect();
    table(&["device", "is", "class", "why"], rows)
}
