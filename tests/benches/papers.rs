//! Plans of large fleets from saved facts, and what is written about plans and runs.

use crate::account::{Cost, Group};
use crate::figures::{Spread, megabytes, seconds};
use crate::finding::{Finding, Goal};
use crate::lab::{Lab, inside};
use crate::scale::Scale;
use crate::table::Table;
use anyhow::{Context, Result};
use migos_engine::run::write_whole;
use serde_json::{Value, json};
use std::fmt::Write;
use std::fs;
use std::time::Duration;

/// What takes longer is ended, and has its goal missed by so much at least.
const PATIENCE: Duration = Duration::from_secs(60);

/// The facts and the inventory of a fleet that is as large as it is told.
const FACTS: &str = "many.json";
const INVENTORY: &str = "many.yaml";

/// The facts of the lab's own devices.
const OWN_FACTS: &str = "facts.json";

/// One paper, written a few times.
pub(crate) struct Paper {
    what: String,
    costs: Vec<Cost>,
    /// Seconds that are wanted at most.
    limit: f64,
    /// Bytes that are wanted at most.
    memory: Option<f64>,
}

impl Paper {
    fn write(
        scale: &Scale,
        lab: &Lab,
        client: &Group,
        what: String,
        args: &[&str],
        limit: f64,
    ) -> Result<Self> {
        let mut costs = Vec::new();
        for _ in 0..scale.repeats {
            let cost = lab.measure_within(PATIENCE, client, args).with_context(|| what.clone())?;
            let Some(cost) = cost else {
                let wall = PATIENCE;
                costs.push(Cost { wall, ..Cost::default() });
                break;
            };
            costs.push(cost);
        }
        let wall = costs.last().map_or(0.0, |cost| cost.wall.as_secs_f64());
        crate::page::say(&format!("  {what}: {wall:.2} s"));
        Ok(Paper { what, costs, limit, memory: None })
    }

    fn wall(&self) -> Spread {
        Spread::of(self.costs.iter().map(|cost| cost.wall.as_secs_f64()).collect())
    }

    fn peak(&self) -> f64 {
        Spread::of(self.costs.iter().map(|cost| cost.peak as f64).collect()).median
    }
}

/// Plans that are made before anything happens.
///
/// # Errors
/// If one cannot be made.
pub(crate) fn plans(scale: &Scale, lab: &Lab, client: &Group) -> Result<Vec<Paper>> {
    lab.measure(client, &["probe", "lab/inventory.yaml", "-o", OWN_FACTS])?;
    multiply(lab, scale.planned)?;
    let plan = ["plan", "--policy", "policy.yaml", "--parallel", "100", "--facts"];
    let many = [&plan[..], &[FACTS, INVENTORY, "-o", "many.plan.json"]].concat();
    let what = format!("plan of {} devices from saved facts", scale.planned);
    let many = Paper::write(scale, lab, client, what, &many, 2.0)?;
    let many = Paper { memory: Some(300e6), ..many };
    let own = [&plan[..], &[OWN_FACTS, "lab/inventory.yaml", "--html", "plan.html"]].concat();
    let what = format!("plan of {} devices, and its page", lab.devices);
    Ok(vec![many, Paper::write(scale, lab, client, what, &own, 1.0)?])
}

/// What is written about the run of a lab.
///
/// # Errors
/// If something cannot be written.
pub(crate) fn reports(
    scale: &Scale,
    lab: &Lab,
    client: &Group,
    mut papers: Vec<Paper>,
) -> Result<Finding> {
    let run = lab.run()?;
    let run = run.file_name().unwrap_or_default().to_string_lossy();
    for format in ["table", "json", "html"] {
        let args = ["report", &run, "--format", format, "-o", "paper"];
        let what = format!("report on a run with {} devices, as {format}", lab.devices);
        papers.push(Paper::write(scale, lab, client, what, &args, 1.0)?);
    }
    let mut table = Table::new(&["", "wall", "memory"]);
    let mut goals = Vec::new();
    for paper in &papers {
        let (wall, peak) = (paper.wall(), paper.peak());
        let shown = match wall.most < PATIENCE.as_secs_f64() {
            true => wall.text(seconds),
            false => format!("{}, then ended", seconds(wall.most)),
        };
        table.row(vec![paper.what.clone(), shown, megabytes(peak)]);
        goals.push(Goal::at_most(paper.what.clone(), wall.median, paper.limit, "s"));
        if let Some(memory) = paper.memory {
            let what = format!("{}: memory", paper.what);
            goals.push(Goal::at_most(what, peak / 1e6, memory / 1e6, "MB"));
        }
    }
    Ok(Finding {
        key: "papers",
        title: "Plans and reports".to_owned(),
        text: "Whole commands, from start to end: they read facts, inventory, payloads and images, ask the lab's balena API, \
               and write what is said. The facts of the large fleet are those of the lab's devices many times over, each \
               with a serial number and a machine id of its own."
            .to_owned(),
        tables: vec![table],
        goals,
        ..Finding::default()
    })
}

/// Makes a large fleet of the lab's devices.
fn multiply(lab: &Lab, devices: usize) -> Result<()> {
    let mut facts: Value = serde_json::from_slice(&fs::read(inside(lab, OWN_FACTS))?)?;
    let own = facts["devices"].as_object().context("there are no facts")?.clone();
    let own: Vec<&Value> = own.values().collect();
    let mut many = serde_json::Map::new();
    let inventory = fs::read_to_string(inside(lab, "lab/inventory.yaml"))?;
    let (head, _) = inventory.split_once("groups:").context("there are no groups")?;
    // Its paths start at the lab's folder.
    let folder = lab.folder.join("lab");
    let mut text = head
        .replace("file: token", &format!("file: {}/token", folder.display()))
        .replace("payloads: ", &format!("payloads: {}/", folder.display()))
        .replace(": images/", &format!(": {}/images/", folder.display()))
        .replace("policy: policy.yaml\n", "")
        .replace("identity: ", &format!("identity: {}/", folder.display()))
        .replace("known_hosts: ", &format!("known_hosts: {}/", folder.display()));
    text += "devices:\n";
    for number in 0..devices {
        let name = format!("device-{number:05}");
        let mut one = own[number % own.len()].clone();
        one["facts"]["serial"] = json!(format!("{:016x}", 0x1000_0000 + number));
        one["facts"]["machine_id"] = json!(format!("{number:032x}"));
        one["facts"]["hostname"] = json!(name);
        let _ = writeln!(
            text,
            "  {name}: {{ host: {name}.example.org, site: site-{:02} }}",
            number % 40
        );
        many.insert(name, one);
    }
    facts["devices"] = Value::Object(many);
    write_whole(&inside(lab, FACTS), &serde_json::to_vec(&facts)?, 0o644)?;
    Ok(write_whole(&inside(lab, INVENTORY), text.as_bytes(), 0o644)?)
}
