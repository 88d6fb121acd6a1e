//! What a policy has made of a plan: gates, limits, and what is waited for, in words.

use crate::words::{counts, paragraph, plain, short};
use crate::{Style, strategy};
use migos_inventory::DeviceId;
use migos_playbooks::plan::{Gate, Plan, Tolerance};
use migos_playbooks::policy::{Budget, ClassRule, OnTrip, Require, Stragglers, Unsited};
use std::collections::BTreeMap;

/// A gate in words: `at most 2 failed, soak 30m, then a person: "..."`.
pub(crate) fn gate(gate: &Gate) -> String {
    let Tolerance { failed, unreachable, refused, stuck, lost } = gate.tolerate;
    let tolerated = counts([
        (failed, "failed"),
        (unreachable, "unreachable"),
        (refused, "refused"),
        (stuck, "stuck"),
        (lost, "lost"),
    ]);
    match gate.tolerate == Tolerance::default() {
        true => conditions("no failure", gate),
        false => conditions(&format!("at most {tolerated}"), gate),
    }
}

/// The same, with what is tolerated already in words.
pub(crate) fn conditions(tolerated: &str, gate: &Gate) -> String {
    let mut words = vec![tolerated.to_owned()];
    if gate.on_trip == OnTrip::Stop {
        words.push("or the run stops".to_owned());
    }
    if !gate.soak.0.is_zero() {
        let vpn = if gate.require == Require::Vpn { " with VPN" } else { "" };
        words.push(format!("soak {}{vpn}", gate.soak));
    }
    words.extend(gate.check.iter().map(|command| format!("then `{}`", plain(command))));
    words.extend(gate.pause.iter().map(|words| format!("then a person: \"{}\"", plain(words))));
    words.join(", ")
}

/// What holds for all stages together.
pub(crate) fn whole_run(plan: &Plan, style: Style) -> String {
    let mut lines = vec![budget(plan)];
    lines.extend(sites(plan));
    lines.push(classes(plan));
    lines.extend(waiting(plan));
    lines.extend(windows(plan));
    let text: String = lines.iter().map(|line| paragraph(style, 2, line)).collect();
    let told = plan
        .on_event
        .as_ref()
        .map(|command| paragraph(style, 2, &format!("Told what happens: `{}`", plain(command))));
    text + &strategy::strategy(plan, style) + &told.unwrap_or_default()
}

fn budget(plan: &Plan) -> String {
    let Budget { failed, stuck, lost } = plan.budget;
    // The budget may be spent; one device more stops the run.
    let stops = |allowed: u32, word: &str| format!("{} {word}", allowed.saturating_add(1));
    let failed = failed.map(|failed| stops(failed, "failed") + ", ").unwrap_or_default();
    let (stuck, lost) = (stops(stuck, "stuck"), stops(lost, "lost"));
    format!(
        "Everything stops at {failed}{stuck} or {lost}. At most {} in flight, {} of one site.",
        plan.parallel, plan.per_site,
    )
}

fn sites(plan: &Plan) -> Option<String> {
    let homeless = plan.devices.iter().filter(|(_, device)| device.site.is_none());
    let homeless: Vec<&DeviceId> = homeless.map(|(id, _)| id).collect();
    let what = match plan.unsited {
        Unsited::OneSite => "so of one site together",
        Unsited::None => "and so without a limit of their site",
    };
    (homeless.len() > 1).then(|| format!("Without a site, {what}: {}", short(homeless, 60)))
}

fn classes(plan: &Plan) -> String {
    let ClassRule { soak, failures } = plan.class;
    let soak = match soak.0.is_zero() {
        true => "until it is migrated".to_owned(),
        false => format!("and must stay well for {soak}"),
    };
    format!("Of each class one device goes alone {soak}; {failures} failures set the class aside.")
}

fn waiting(plan: &Plan) -> Vec<String> {
    let Stragglers { wait, retry } = plan.stragglers;
    let mut lines = vec![format!(
        "Well: it answers balena and runs the OS of its image; late after {}, lost after {}. A reboot that hangs for \
         {} is forced.",
        plan.arrival.late, plan.arrival.lost, plan.dead_man.hung
    )];
    if !wait.0.is_zero() {
        lines.push(format!(
            "Whoever is away when its turn comes is tried again in the last stage, every {retry} for {wait}."
        ));
    }
    lines
}

/// One line for each window.
fn windows(plan: &Plan) -> Vec<String> {
    let mut windows: BTreeMap<String, Vec<&DeviceId>> = BTreeMap::new();
    for (id, device) in &plan.devices {
        if let Some(window) = &device.window {
            windows.entry(window.to_string()).or_default().push(id);
        }
    }
    let line = |(window, devices): (String, Vec<&DeviceId>)| {
        let who = match devices.len() == plan.devices.len() {
            true => "all devices".to_owned(),
            false => short(devices, 60),
        };
        format!("Start, and cross the point of no return, only {window}: {who}")
    };
    windows.into_iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::sample;
    use migos_playbooks::policy::Bandwidth;
    use migos_playbooks::rate::Rate;
    use migos_playbooks::span::Span;
    use migos_playbooks::window::Window;

    #[test]
    fn all_that_a_policy_asks_for_is_said() {
        let mut plan = sample::plan();
        plan.unsited = Unsited::None;
        plan.stragglers = Stragglers { wait: Span::seconds(86_400), retry: Span::seconds(1800) };
        plan.bandwidth = Bandwidth {
            total: Some(Rate(40_000_000)),
            per_site: None,
            per_device: Some(Rate(500_000)),
        };
        plan.on_event = Some("./tell.sh".into());
        let night = Window::new("mon-fri", "22:00", "05:00", "Europe/Berlin").unwrap();
        for (number, device) in plan.devices.values_mut().enumerate() {
            device.site = device.site.take().filter(|_| number > 1);
            device.window = (number < 3).then(|| night.clone());
        }
        let stage = &mut plan.stages[1].gate;
        stage.soak = Span::seconds(600);
        stage.require = Require::Vpn;
        stage.on_trip = OnTrip::Stop;
        stage.check = Some("./verify.sh".into());
        let style = Style { color: false, width: 110 };
        let text = gate(&plan.stages[1].gate) + "\n" + &whole_run(&plan, style);
        insta::assert_snapshot!(text, @r###"
        at most 1 failed, 2 unreachable, or the run stops, soak 10m with VPN, then `./verify.sh`
          Everything stops at 6 failed, 1 stuck or 1 lost. At most 8 in flight, 2 of one site.
          Without a site, and so without a limit of their site: kiosk-[001-002]
          Of each class one device goes alone and must stay well for 20m; 2 failures set the class aside.
          Well: it answers balena and runs the OS of its image; late after 20m, lost after 2h. A reboot that hangs
            for 3m is forced.
          Whoever is away when its turn comes is tried again in the last stage, every 30m for 1day.
          Start, and cross the point of no return, only mon-fri 22:00-05:00 Europe/Berlin: kiosk-[001-003]
          Strategy one-shot: config.txt and cmdline.txt stay untouched; not proven first: the firmware's files are
            trusted.
          Needs a power cycle, should the kernel of MIGOS hang before its watchdog runs: kiosk-[001-003]
          Told what happens: `./tell.sh`
        "###);
    }
}
