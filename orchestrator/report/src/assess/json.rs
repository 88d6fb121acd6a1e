//! An assessment for programs.

use super::word;
use crate::plan::Around;
use migos_inventory::SiteName;
use migos_playbooks::assess::{Assessment, IMAGE_RAW_SIZE, IMAGE_SIZE, Sent};
use migos_playbooks::estimate::StagePrediction;
use serde_json::{Map, Value, json};

/// The version of the form: minor versions add keys, major ones change or remove some.
const FORMAT: &str = "1.0";

/// An assessment as one JSON object.
pub fn assess_json(assessment: &Assessment, around: &Around<'_>) -> Value {
    let site = |(site, data): (&Option<SiteName>, &Sent)| {
        let mut row = json!({ "site": site });
        if let (Some(row), Value::Object(data)) = (row.as_object_mut(), json!(data)) {
            row.extend(data);
        }
        row
    };
    let count = |state: &str| {
        assessment.devices.values().filter(|standing| word(standing) == state).count()
    };
    let states = ["ready", "fixable", "visit", "unreachable", "held", "done"];
    let counts: Map<String, Value> =
        states.iter().map(|state| ((*state).to_owned(), count(state).into())).collect();
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
            "all": assessment.all_data(),
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
