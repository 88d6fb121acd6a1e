//! Reads a policy from YAML, strictly.

use super::{
    Arrival, Bandwidth, Budget, ClassRule, DeadMan, OnTrip, Order, Policy, Prove, ReleaseRule,
    Require, Share, StagePolicy, Stragglers, Strategy, ToleratePolicy, Unsited,
};
use crate::rate::Rate;
use crate::span::Span;
use crate::window::Window;
use migos_inventory::yaml::{self, Field, Keys, Kind, Mapping, Node};
use migos_inventory::{Problems, Report};
use std::collections::BTreeSet;

pub(crate) const POLICY: Keys = Keys {
    known: &[
        "policy",
        "order",
        "seed",
        "parallel",
        "per_site",
        "strategy",
        "prove",
        "allow_rewrite",
        "allow_update",
        "allow_streaming",
        "sites",
        "class",
        "stages",
        "budget",
        "stragglers",
        "bandwidth",
        "window",
        "on_event",
        "arrival",
        "dead_man",
    ],
    refused: &[],
};
pub(crate) const STAGE: Keys = Keys { known: &["name", "to", "parallel", "gate"], refused: &[] };
pub(crate) const GATE: Keys =
    Keys { known: &["tolerate", "soak", "pause", "check", "require", "on_trip"], refused: &[] };
pub(crate) const CLASS: Keys = Keys { known: &["soak", "failures"], refused: &[] };
pub(crate) const STRAGGLERS: Keys = Keys { known: &["wait", "retry"], refused: &[] };
pub(crate) const BANDWIDTH: Keys =
    Keys { known: &["total", "per_site", "per_device"], refused: &[] };
pub(crate) const WINDOW: Keys = Keys { known: &["days", "from", "to", "zone"], refused: &[] };
pub(crate) const TOLERATE: Keys =
    Keys { known: &["failed", "unreachable", "refused", "stuck", "lost"], refused: &[] };
pub(crate) const BUDGET: Keys = Keys { known: &["failed", "stuck", "lost"], refused: &[] };
pub(crate) const ARRIVAL: Keys =
    Keys { known: &["late", "lost", "poll", "heartbeat", "release", "stable"], refused: &[] };
pub(crate) const DEAD_MAN: Keys = Keys { known: &["contact", "commit", "hung"], refused: &[] };

/// From the reboot into balenaOS: expected after 2 to 5 minutes (balena's getting-started pages).
const ARRIVAL_DEFAULT: Arrival = Arrival {
    late: Span::seconds(20 * 60),
    lost: Span::seconds(2 * 3600),
    poll: Span::seconds(15),
    heartbeat: Arrival::heartbeat_default(),
    release: ReleaseRule::Required,
    stable: Span::seconds(0),
};
const RELEASE: [(&str, ReleaseRule); 2] =
    [("required", ReleaseRule::Required), ("ignored", ReleaseRule::Ignored)];
const CLASS_DEFAULT: ClassRule = ClassRule { soak: Span::seconds(16 * 60), failures: 2 };
const DEAD_MAN_DEFAULT: DeadMan = DeadMan {
    contact: Span::seconds(10 * 60),
    commit: Span::seconds(30 * 60),
    hung: Span::seconds(3 * 60),
};

const STRATEGIES: [(&str, Strategy); 3] =
    [("one-shot", Strategy::OneShot), ("rewrite", Strategy::Rewrite), ("auto", Strategy::Auto)];

const UNSITED: [(&str, Unsited); 2] = [("one", Unsited::OneSite), ("none", Unsited::None)];

const MOST_DEVICES: u64 = 10_000;

pub(super) fn text(file: &str, text: &str) -> Result<Policy, Problems> {
    let mut report = Report::new(file);
    match yaml::load(text, &mut report) {
        Some(root) => read(Field::root(&root, ""), report),
        None => Err(report.into_problems()),
    }
}

pub(super) fn inline(file: &str, node: &Node) -> Result<Policy, Problems> {
    read(Field::root(node, "policy"), Report::new(file))
}

fn read(root: Field<'_>, mut report: Report) -> Result<Policy, Problems> {
    let report_to = &mut report;
    let keys = root.mapping(&POLICY, report_to);
    match keys.get("policy") {
        Some(version) => _ = version.number(1..=1, report_to),
        None => {
            root.refuse_with_hint(report_to, "this is not a policy", "begin it with `policy: 1`")
        }
    }
    let orders =
        [("spread", Order::Spread), ("inventory", Order::Inventory), ("random", Order::Random)];
    let proofs =
        [("per-device", Prove::PerDevice), ("per-class", Prove::PerClass), ("never", Prove::Never)];
    let arrival = arrival(&keys, report_to);
    let policy = Policy {
        order: or(&keys, "order", Order::Spread, |field| field.one_of(&orders, report_to)),
        seed: or(&keys, "seed", 0, |field| field.number(0..=u64::MAX >> 1, report_to)),
        parallel: or(&keys, "parallel", 8, |field| devices(field, report_to)),
        per_site: or(&keys, "per_site", 1, |field| devices(field, report_to)),
        strategy: or(&keys, "strategy", Strategy::OneShot, |field| {
            field.one_of(&STRATEGIES, report_to)
        }),
        allow_rewrite: or(&keys, "allow_rewrite", Vec::new(), |field| {
            Some(classes(field, report_to))
        }),
        allow_update: or(&keys, "allow_update", Vec::new(), |field| {
            Some(classes(field, report_to))
        }),
        allow_streaming: or(&keys, "allow_streaming", Vec::new(), |field| {
            Some(classes(field, report_to))
        }),
        allow: BTreeSet::new(),
        prove: or(&keys, "prove", Prove::PerClass, |field| field.one_of(&proofs, report_to)),
        stages: stages(&root, &keys, &arrival, report_to),
        unsited: or(&keys, "sites", Unsited::OneSite, |field| field.one_of(&UNSITED, report_to)),
        class: class(&keys, report_to),
        stragglers: stragglers(&keys, report_to),
        bandwidth: bandwidth(&keys, report_to),
        window: keys.get("window").and_then(|field| window(field, report_to)),
        on_event: keys.get("on_event").and_then(|field| command(field, report_to)),
        budget: budget(&keys, report_to),
        arrival,
        dead_man: dead_man(&keys, report_to),
    };
    report.into_result(policy)
}

/// The value under a key, or a default where the key is missing or its value was refused.
fn or<T>(
    keys: &Mapping<'_>,
    key: &str,
    default: T,
    read: impl FnOnce(&Field<'_>) -> Option<T>,
) -> T {
    keys.get(key).and_then(read).unwrap_or(default)
}

fn devices(field: &Field<'_>, report: &mut Report) -> Option<u32> {
    field.number(1..=MOST_DEVICES, report).and_then(|count| u32::try_from(count).ok())
}

fn classes(field: &Field<'_>, report: &mut Report) -> Vec<String> {
    let what =
        "a class, or a part of its name as the plan prints it, such as \"Pi 3B, raspbian 9\"";
    let items = field.list("a list of classes", report);
    items.iter().filter_map(|item| item.text(what, report).map(str::to_owned)).collect()
}

fn count(field: &Field<'_>, report: &mut Report) -> Option<u32> {
    field.number(0..=MOST_DEVICES, report).and_then(|count| u32::try_from(count).ok())
}

fn span(field: &Field<'_>, report: &mut Report) -> Option<Span> {
    Span::read(field, report)
}

fn share(field: &Field<'_>, report: &mut Report) -> Option<Share> {
    if let Kind::Text(text) = &field.node.kind {
        let percent = text.strip_suffix('%').and_then(|number| number.parse::<u8>().ok());
        if let Some(percent) = percent.filter(|percent| *percent <= 100) {
            return Some(Share::Percent(percent));
        }
        field.expected("a number of devices or a percentage such as 5%", report);
        return None;
    }
    count(field, report).map(Share::Count)
}

fn stages(
    root: &Field<'_>,
    keys: &Mapping<'_>,
    arrival: &Arrival,
    report: &mut Report,
) -> Vec<StagePolicy> {
    let Some(field) = keys.get("stages") else {
        let hint = "for all at once write `stages: [{ name: all, to: 100% }]`";
        root.refuse_with_hint(report, "a policy needs `stages`", hint);
        return Vec::new();
    };
    let items = field.list("a list of stages", report);
    let stages: Vec<StagePolicy> = items.iter().filter_map(|item| stage(item, report)).collect();
    if stages.len() < items.len() {
        return stages; // what is wrong with a stage has been said
    }
    match stages.last() {
        Some(last) if last.to == Share::Percent(100) => {}
        _ => {
            let hint = "give the last stage `to: 100%`";
            field.refuse_with_hint(report, "the stages do not end at 100 %", hint);
        }
    }
    for (n, (stage, item)) in stages.iter().zip(&items).enumerate() {
        check_stage(stage, stages.get(..n).unwrap_or_default(), item, arrival, report);
    }
    for (pair, item) in stages.windows(2).zip(items.iter().skip(1)) {
        let falls = match (pair[0].to, pair[1].to) {
            (Share::Count(before), Share::Count(after)) => after <= before,
            (Share::Percent(before), Share::Percent(after)) => after <= before,
            _ => false,
        };
        if falls {
            let hint = "`to` counts the devices of this stage and of all before it";
            item.refuse_with_hint(report, "a stage must be larger than the one before", hint);
        }
    }
    stages
}

fn check_stage(
    stage: &StagePolicy,
    before: &[StagePolicy],
    item: &Field<'_>,
    arrival: &Arrival,
    report: &mut Report,
) {
    if before.iter().any(|other| other.name == stage.name) {
        item.refuse(report, format!("there are two stages {}", stage.name));
    }
    let blind = Span(arrival.blind_time());
    let sees = stage.require == Require::Vpn || stage.soak.0.is_zero() || stage.soak >= blind;
    if !sees {
        let message =
            format!("in a soak of {} a dead device still looks alive by its heartbeat", stage.soak);
        let hint = format!(
            "soak for {blind} or longer, or say `require: vpn` if your sites let balena's VPN through"
        );
        item.refuse_with_hint(report, message, hint);
    }
}

fn stage(item: &Field<'_>, report: &mut Report) -> Option<StagePolicy> {
    let keys = item.mapping(&STAGE, report);
    let name = match keys.get("name") {
        Some(name) => name.text("a name", report).map(str::to_owned),
        None => missing(item, "name", report),
    };
    let to = match keys.get("to") {
        Some(to) => share(to, report),
        None => missing(item, "to", report),
    };
    if to.is_some_and(|to| matches!(to, Share::Count(0) | Share::Percent(0))) {
        item.refuse(report, "a stage has at least one device");
    }
    let parallel = keys.get("parallel").and_then(|field| devices(field, report));
    let gate = keys.get("gate").map(|field| field.mapping(&GATE, report));
    let in_gate = |key: &str| gate.as_ref().and_then(|gate| gate.get(key));
    let tolerate = in_gate("tolerate").map(|field| tolerate(field, report));
    let soak = in_gate("soak").and_then(|field| span(field, report));
    let pause = in_gate("pause")
        .and_then(|field| field.text("instructions for the person who decides", report))
        .map(str::to_owned);
    Some(StagePolicy {
        name: name?,
        to: to?,
        parallel,
        tolerate: tolerate.unwrap_or(ToleratePolicy::alike(Share::Count(0))),
        soak: soak.unwrap_or_default(),
        pause,
        check: in_gate("check").and_then(|field| command(field, report)),
        require: in_gate("require")
            .and_then(|field| field.one_of(&REQUIRE, report))
            .unwrap_or_default(),
        on_trip: in_gate("on_trip")
            .and_then(|field| field.one_of(&ON_TRIP, report))
            .unwrap_or_default(),
    })
}

const REQUIRE: [(&str, Require); 2] = [("heartbeat", Require::Heartbeat), ("vpn", Require::Vpn)];
const ON_TRIP: [(&str, OnTrip); 2] = [("pause", OnTrip::Pause), ("stop", OnTrip::Stop)];

fn command(field: &Field<'_>, report: &mut Report) -> Option<String> {
    field.text("a command", report).map(str::to_owned)
}

fn class(keys: &Mapping<'_>, report: &mut Report) -> ClassRule {
    let Some(field) = keys.get("class") else { return CLASS_DEFAULT };
    let keys = field.mapping(&CLASS, report);
    ClassRule {
        soak: or(&keys, "soak", CLASS_DEFAULT.soak, |field| span(field, report)),
        failures: or(&keys, "failures", CLASS_DEFAULT.failures, |field| devices(field, report)),
    }
}

fn stragglers(keys: &Mapping<'_>, report: &mut Report) -> Stragglers {
    let none = Stragglers { wait: Span::default(), retry: RETRY_DEFAULT };
    let Some(field) = keys.get("stragglers") else { return none };
    let keys = field.mapping(&STRAGGLERS, report);
    let stragglers = Stragglers {
        wait: or(&keys, "wait", none.wait, |field| span(field, report)),
        retry: or(&keys, "retry", none.retry, |field| span(field, report)),
    };
    if stragglers.retry.0.is_zero() {
        field.refuse(report, "a straggler cannot be tried again without a pause");
    }
    if !stragglers.wait.0.is_zero() && stragglers.retry > stragglers.wait {
        let hint = "make `wait` longer than `retry`";
        field.refuse_with_hint(report, "a straggler would never be tried again", hint);
    }
    stragglers
}

const RETRY_DEFAULT: Span = Span::seconds(30 * 60);

fn bandwidth(keys: &Mapping<'_>, report: &mut Report) -> Bandwidth {
    let Some(field) = keys.get("bandwidth") else { return Bandwidth::default() };
    let keys = field.mapping(&BANDWIDTH, report);
    let mut of = |key: &str| keys.get(key).and_then(|field| rate(field, report));
    let limits =
        Bandwidth { total: of("total"), per_site: of("per_site"), per_device: of("per_device") };
    let narrowing = [limits.total, limits.per_site, limits.per_device];
    if !narrowing.into_iter().flatten().is_sorted_by(|wider, narrower| wider >= narrower) {
        let hint = "a device's limit is within its site's, and that within the whole run's";
        field.refuse_with_hint(report, "a limit here can never be reached", hint);
    }
    limits
}

fn rate(field: &Field<'_>, report: &mut Report) -> Option<Rate> {
    let what = "a rate such as 500kB/s or 4MB/s";
    let rate = field.text(what, report)?.parse().ok();
    if rate.is_none() {
        field.expected(what, report);
    }
    rate
}

fn window(field: &Field<'_>, report: &mut Report) -> Option<Window> {
    let keys = field.mapping(&WINDOW, report);
    let mut of = |key: &str| match keys.get(key) {
        Some(field) => field.text("text", report).map(str::to_owned),
        None => {
            field.refuse(report, format!("a window needs `{key}`"));
            None
        }
    };
    let (days, from, to, zone) = (of("days"), of("from"), of("to"), of("zone"));
    match Window::new(&days?, &from?, &to?, &zone?) {
        Ok(window) => Some(window),
        Err(error) => {
            keys.get(error.key()).unwrap_or(field).refuse(report, error.to_string());
            None
        }
    }
}

fn missing<T>(item: &Field<'_>, key: &str, report: &mut Report) -> Option<T> {
    item.refuse(report, format!("a stage needs `{key}`"));
    None
}

fn tolerate(field: &Field<'_>, report: &mut Report) -> ToleratePolicy {
    let none = Share::Count(0);
    if !matches!(field.node.kind, Kind::Mapping(_)) {
        return ToleratePolicy::alike(share(field, report).unwrap_or(none));
    }
    let keys = field.mapping(&TOLERATE, report);
    let mut of = |key: &str| or(&keys, key, none, |field| share(field, report));
    ToleratePolicy {
        failed: of("failed"),
        unreachable: of("unreachable"),
        refused: of("refused"),
        stuck: of("stuck"),
        lost: of("lost"),
    }
}

fn budget(keys: &Mapping<'_>, report: &mut Report) -> Budget {
    let keys = keys.get("budget").map(|field| field.mapping(&BUDGET, report));
    let mut of = |key: &str| {
        keys.as_ref().and_then(|keys| keys.get(key)).and_then(|field| count(field, report))
    };
    Budget { failed: of("failed"), stuck: of("stuck").unwrap_or(0), lost: of("lost").unwrap_or(0) }
}

fn arrival(keys: &Mapping<'_>, report: &mut Report) -> Arrival {
    let Some(field) = keys.get("arrival") else { return ARRIVAL_DEFAULT };
    let keys = field.mapping(&ARRIVAL, report);
    let arrival = Arrival {
        late: or(&keys, "late", ARRIVAL_DEFAULT.late, |field| span(field, report)),
        lost: or(&keys, "lost", ARRIVAL_DEFAULT.lost, |field| span(field, report)),
        poll: or(&keys, "poll", ARRIVAL_DEFAULT.poll, |field| span(field, report)),
        heartbeat: or(&keys, "heartbeat", ARRIVAL_DEFAULT.heartbeat, |field| span(field, report)),
        release: or(&keys, "release", ARRIVAL_DEFAULT.release, |field| {
            field.one_of(&RELEASE, report)
        }),
        stable: or(&keys, "stable", ARRIVAL_DEFAULT.stable, |field| span(field, report)),
    };
    if arrival.heartbeat.0.is_zero() {
        field.refuse(report, "a device cannot tell all the time that it is alive");
    }
    if arrival.stable >= arrival.lost {
        field.refuse(report, "a device would be lost before it has been well for long enough");
    }
    if arrival.lost <= arrival.late {
        field.refuse(report, "a device must be late before it is lost");
    }
    arrival
}

fn dead_man(keys: &Mapping<'_>, report: &mut Report) -> DeadMan {
    let Some(field) = keys.get("dead_man") else { return DEAD_MAN_DEFAULT };
    let keys = field.mapping(&DEAD_MAN, report);
    DeadMan {
        contact: or(&keys, "contact", DEAD_MAN_DEFAULT.contact, |field| span(field, report)),
        commit: or(&keys, "commit", DEAD_MAN_DEFAULT.commit, |field| span(field, report)),
        hung: or(&keys, "hung", DEAD_MAN_DEFAULT.hung, |field| span(field, report)),
    }
}

#[cfg(test)]
mod tests;
