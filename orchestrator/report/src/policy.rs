//! What a policy asks for, with every default filled in.

use crate::Style;
use crate::grid::columns;
use crate::limits::{conditions, gate};
use crate::words::{Tone, many, paint, plain};
use migos_playbooks::plan::Gate;
use migos_playbooks::planner::{self, cut};
use migos_playbooks::policy::{
    Order, Policy, Prove, SHIPPED, Share, StagePolicy, Strategy, ToleratePolicy, Unsited,
};
use serde::Serialize;
use std::fmt::Display;

/// The shipped policies, and for whom each is.
pub fn policy_list(style: Style) -> String {
    let row = |(name, text): &(&str, &str)| vec![(*name).to_owned(), Policy::purpose(text)];
    columns(style, SHIPPED.iter().map(row).collect())
}

/// Every key of a policy and its stages; the stages of so many devices, where a number is given.
pub fn policy_text(name: &str, policy: &Policy, devices: Option<usize>, style: Style) -> String {
    let mut text = format!("{}\n\n", paint(style, Tone::Plain, &format!("Policy {}", plain(name))));
    text += &columns(style, keys(policy));
    let heading = match devices {
        Some(count) => format!("Stages of {}", many(count, "device")),
        None => "Stages".to_owned(),
    };
    text += &format!("\n{}\n", paint(style, Tone::Plain, &heading));
    let rows = match devices {
        Some(count) => sized(policy, count).iter().map(Sized::row).collect(),
        None => policy.stages.iter().map(|stage| unsized_row(policy, stage)).collect(),
    };
    text + &columns(style, rows)
}

/// The same as one JSON document.
///
/// # Errors
/// None in practice: a policy is plain data.
pub fn policy_json(
    name: &str,
    policy: &Policy,
    devices: Option<usize>,
) -> Result<String, serde_json::Error> {
    #[derive(Serialize)]
    struct Document<'a> {
        name: &'a str,
        policy: &'a Policy,
        #[serde(skip_serializing_if = "Option::is_none")]
        devices: Option<usize>,
        /// Cut for the devices.
        #[serde(skip_serializing_if = "Option::is_none")]
        stages: Option<Vec<Sized<'a>>>,
    }
    let stages = devices.map(|count| sized(policy, count));
    let document = Document { name, policy, devices, stages };
    serde_json::to_string_pretty(&document).map(|text| text + "\n")
}

/// A stage of a known number of devices.
#[derive(Serialize)]
struct Sized<'a> {
    name: &'a str,
    devices: usize,
    parallel: u32,
    gate: Gate,
}

impl Sized<'_> {
    fn row(&self) -> Vec<String> {
        let at_once = self.devices.min(self.parallel as usize);
        let at_once = if self.devices > 1 { format!("{at_once} at a time") } else { String::new() };
        vec![self.name.to_owned(), format!("{:>4}", self.devices), at_once, gate(&self.gate)]
    }
}

fn sized(policy: &Policy, devices: usize) -> Vec<Sized<'_>> {
    let stages = cut(policy, devices).into_iter().map(|(stage, places)| Sized {
        name: &stage.name,
        devices: places.len(),
        parallel: stage.parallel.unwrap_or(policy.parallel),
        gate: planner::gate(stage, places.len()),
    });
    stages.collect()
}

fn unsized_row(policy: &Policy, stage: &StagePolicy) -> Vec<String> {
    let parallel = stage.parallel.unwrap_or(policy.parallel);
    vec![
        stage.name.clone(),
        format!("to {}", share(stage.to)),
        format!("{parallel} at a time"),
        conditions(&tolerated(&stage.tolerate), &planner::gate(stage, 0)),
    ]
}

fn tolerated(tolerate: &ToleratePolicy) -> String {
    let ToleratePolicy { failed, unreachable, refused, stuck, lost } = *tolerate;
    let kinds = [
        (failed, "failed"),
        (unreachable, "unreachable"),
        (refused, "refused"),
        (stuck, "stuck"),
        (lost, "lost"),
    ];
    let some = kinds
        .into_iter()
        .filter(|(share, _)| !matches!(share, Share::Count(0) | Share::Percent(0)));
    let words: Vec<_> = some.map(|(part, kind)| format!("{} {kind}", share(part))).collect();
    if words.is_empty() { "no failure".to_owned() } else { format!("at most {}", words.join(", ")) }
}

fn share(share: Share) -> String {
    match share {
        Share::Count(count) => count.to_string(),
        Share::Percent(percent) => format!("{percent}%"),
    }
}

/// One row a key, in the order of the documentation.
fn keys(policy: &Policy) -> Vec<Vec<String>> {
    let Policy { class, budget, stragglers, bandwidth, arrival, dead_man, .. } = policy;
    let bounds = [
        ("total", bandwidth.total),
        ("per site", bandwidth.per_site),
        ("per device", bandwidth.per_device),
    ];
    let bounds: Vec<_> =
        bounds.iter().filter_map(|(of, rate)| Some(format!("{of} {}", (*rate)?))).collect();
    let failed = budget.failed.map_or("as the gates say".to_owned(), |failed| failed.to_string());
    let waited = match stragglers.wait.0.is_zero() {
        true => "not waited for".to_owned(),
        false => format!("wait {}, retry {}", stragglers.wait, stragglers.retry),
    };
    let rows: [(&str, String); 19] = [
        ("order", format!("{}, seed {}", order(policy.order), policy.seed)),
        ("parallel", policy.parallel.to_string()),
        ("per_site", policy.per_site.to_string()),
        ("sites", sites(policy.unsited).to_owned()),
        ("class", format!("soak {}, failures {}", class.soak, class.failures)),
        ("prove", prove(policy.prove).to_owned()),
        ("strategy", strategy(policy.strategy).to_owned()),
        ("allow_rewrite", classes(&policy.allow_rewrite)),
        ("allow_update", classes(&policy.allow_update)),
        ("allow_streaming", classes(&policy.allow_streaming)),
        ("budget", format!("failed {failed}, stuck {}, lost {}", budget.stuck, budget.lost)),
        ("stragglers", waited),
        ("bandwidth", or(Some(bounds.join(", ")).filter(|words| !words.is_empty()), "unbounded")),
        ("window", or(policy.window.as_ref(), "always open")),
        (
            "arrival",
            format!(
                "late {}, lost {}, poll {}, heartbeat {}",
                arrival.late, arrival.lost, arrival.poll, arrival.heartbeat
            ),
        ),
        ("", format!("a dead device looks alive by its heartbeat for {}", blind(policy))),
        (
            "dead_man",
            format!(
                "contact {}, commit {}, hung {}",
                dead_man.contact, dead_man.commit, dead_man.hung
            ),
        ),
        ("on_event", or(policy.on_event.as_deref().map(plain), "nobody is told")),
        ("most in flight", policy.most_in_flight().to_string()),
    ];
    rows.map(|(key, value)| vec![key.to_owned(), value]).into()
}

fn blind(policy: &Policy) -> impl Display {
    migos_playbooks::span::Span(policy.arrival.blind_time())
}

fn or(value: Option<impl Display>, otherwise: &str) -> String {
    value.map_or(otherwise.to_owned(), |value| value.to_string())
}

fn classes(names: &[String]) -> String {
    match names {
        [] => "no class".to_owned(),
        names => names.iter().map(|name| plain(name)).collect::<Vec<_>>().join("; "),
    }
}

fn order(order: Order) -> &'static str {
    match order {
        Order::Spread => "spread",
        Order::Inventory => "inventory",
        Order::Random => "random",
    }
}

fn sites(unsited: Unsited) -> &'static str {
    match unsited {
        Unsited::OneSite => "one: devices without a site are one site together",
        Unsited::None => "none: devices without a site have no such limit",
    }
}

fn prove(prove: Prove) -> &'static str {
    match prove {
        Prove::PerDevice => "per-device",
        Prove::PerClass => "per-class",
        Prove::Never => "never",
    }
}

fn strategy(strategy: Strategy) -> &'static str {
    match strategy {
        Strategy::OneShot => "one-shot",
        Strategy::Rewrite => "rewrite",
        Strategy::Auto => "auto",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const STYLE: Style = Style { color: false, width: 110 };

    const NIGHTS: &str = r#"
policy: 1
parallel: 40
bandwidth: { per_site: 500kB/s, per_device: 250kB/s }
window: { days: mon-fri, from: "22:00", to: "05:00", zone: Europe/Berlin }
stragglers: { wait: 7d, retry: 1h }
sites: none
allow_rewrite: ["Pi 3B, raspbian 9"]
on_event: ./tell.sh
stages:
  - { name: canary, to: 1,    gate: { soak: 1h, pause: "Is the screen right?" } }
  - { name: early,  to: 10%,  gate: { soak: 5m, require: vpn, on_trip: stop, check: ./verify.sh } }
  - { name: rest,   to: 100%, parallel: 60, gate: { tolerate: { failed: 2%, unreachable: 10% } } }
"#;

    #[test]
    fn the_default_is_shown_with_every_number() {
        let (name, text) = SHIPPED[0];
        let policy = Policy::parse(name, text).unwrap();
        insta::assert_snapshot!(policy_text(name, &policy, Some(200), STYLE), @r###"
        Policy careful

          order            spread, seed 7
          parallel         8
          per_site         1
          sites            one: devices without a site are one site together
          class            soak 20m, failures 2
          prove            per-class
          strategy         one-shot
          allow_rewrite    no class
          allow_update     no class
          allow_streaming  no class
          budget           failed 5, stuck 0, lost 0
          stragglers       wait 1day, retry 30m
          bandwidth        unbounded
          window           always open
          arrival          late 20m, lost 2h, poll 15s, heartbeat 10m
                           a dead device looks alive by its heartbeat for 16m
          dead_man         contact 10m, commit 30m, hung 3m
          on_event         nobody is told
          most in flight   24

        Stages of 200 devices
          canary     1                no failure, soak 30m, then a person: "Check the canary, then resume."
          early      9  8 at a time   no failure, soak 1h
          half      90  8 at a time   at most 2 failed, 9 unreachable, soak 30m
          rest     100  24 at a time  at most 5 failed, 5 unreachable, 5 refused
        "###);
    }

    #[test]
    fn without_a_number_of_devices_shares_stay_shares() {
        let policy = Policy::parse("nights.yaml", NIGHTS).unwrap();
        insta::assert_snapshot!(policy_text("nights.yaml", &policy, None, STYLE), @r###"
        Policy nights.yaml

          order            spread, seed 0
          parallel         40
          per_site         1
          sites            none: devices without a site have no such limit
          class            soak 16m, failures 2
          prove            per-class
          strategy         one-shot
          allow_rewrite    Pi 3B, raspbian 9
          allow_update     no class
          allow_streaming  no class
          budget           failed as the gates say, stuck 0, lost 0
          stragglers       wait 7days, retry 1h
          bandwidth        per site 500kB/s, per device 250kB/s
          window           mon-fri 22:00-05:00 Europe/Berlin
          arrival          late 20m, lost 2h, poll 15s, heartbeat 10m
                           a dead device looks alive by its heartbeat for 16m
          dead_man         contact 10m, commit 30m, hung 3m
          on_event         ./tell.sh
          most in flight   60

        Stages
          canary  to 1     40 at a time  no failure, soak 1h, then a person: "Is the screen right?"
          early   to 10%   40 at a time  no failure, or the run stops, soak 5m with VPN, then `./verify.sh`
          rest    to 100%  60 at a time  at most 2% failed, 10% unreachable
        "###);
        insta::assert_snapshot!(policy_text("nights.yaml", &policy, Some(2), STYLE), @r###"
        Policy nights.yaml

          order            spread, seed 0
          parallel         40
          per_site         1
          sites            none: devices without a site have no such limit
          class            soak 16m, failures 2
          prove            per-class
          strategy         one-shot
          allow_rewrite    Pi 3B, raspbian 9
          allow_update     no class
          allow_streaming  no class
          budget           failed as the gates say, stuck 0, lost 0
          stragglers       wait 7days, retry 1h
          bandwidth        per site 500kB/s, per device 250kB/s
          window           mon-fri 22:00-05:00 Europe/Berlin
          arrival          late 20m, lost 2h, poll 15s, heartbeat 10m
                           a dead device looks alive by its heartbeat for 16m
          dead_man         contact 10m, commit 30m, hung 3m
          on_event         ./tell.sh
          most in flight   60

        Stages of 2 devices
          canary     1     no failure, soak 1h, then a person: "Is the screen right?"
          early      1     no failure, or the run stops, soak 5m with VPN, then `./verify.sh`
        "###);
    }

    #[test]
    fn programs_get_the_same_numbers() {
        let policy = Policy::parse("nights.yaml", NIGHTS).unwrap();
        let text = policy_json("nights.yaml", &policy, Some(45)).unwrap();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        let stage = &value["stages"][2];
        assert_eq!((&stage["devices"], &stage["parallel"]), (&40.into(), &60.into()));
        assert_eq!(stage["gate"]["tolerate"]["unreachable"], 4);
        assert_eq!(value["policy"]["window"]["days"], "mon-fri");
        let without = policy_json("nights.yaml", &policy, None).unwrap();
        assert!(!without.contains("\"devices\""));
    }

    #[test]
    fn every_shipped_policy_says_for_whom_it_is() {
        insta::assert_snapshot!(policy_list(STYLE), @r###"
        careful     The default: one device first, a person looks at it, then slowly more.
        steady      For fleets whose kinds of devices have been tried on a bench: nobody is waited for, but
                    nothing goes on before what is migrated has stayed well.
        swift       For devices within reach of somebody's hands: one first, then all.
        one-by-one  For few and precious devices: never two at once, and the first failure calls a person.
        "###);
    }
}
