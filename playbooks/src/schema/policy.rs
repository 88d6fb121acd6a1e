//! The form of a policy.

#![expect(dead_code, reason = "the types are only looked at by the deriving of their schemas")]

use crate::policy::{OnTrip, Order, Prove, ReleaseRule, Require, Strategy};
use migos_inventory::schema::{Hours, Text};
use schemars::JsonSchema;

/// A policy by name or path, or itself.
#[derive(JsonSchema)]
#[schemars(untagged)]
pub(super) enum PolicyChoice {
    /// A shipped policy.
    Shipped(Shipped),
    /// The path of a file.
    File(Text),
    /// The policy itself.
    Inline(Box<PolicyFile>),
}

/// The policies that are shipped.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
pub(super) enum Shipped {
    /// A first device that a person looks at, then a few, then the rest.
    Careful,
    /// Some steps, without a person between.
    Steady,
    /// Few steps, many devices at once.
    Swift,
    /// One device after the other.
    OneByOne,
}

/// In which order devices come, how many at once, what may go wrong before the run stops, and when.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, rename = "Policy", title = "Policy of migos-fleet")]
pub(super) struct PolicyFile {
    /// The mark of the form, and its version.
    #[schemars(extend("const" = 1))]
    policy: i64,
    /// In which order devices come.
    #[schemars(extend("default" = "spread"))]
    order: Option<Order>,
    /// Decides between equals, and how `random` is shuffled.
    #[schemars(range(min = 0), extend("default" = 0))]
    seed: Option<i64>,
    /// Most devices in flight, in the whole run.
    #[schemars(extend("default" = 8))]
    parallel: Option<Devices>,
    /// Most devices in flight of one site.
    #[schemars(extend("default" = 1))]
    per_site: Option<Devices>,
    /// How devices boot MIGOS.
    #[schemars(extend("default" = "one-shot"))]
    strategy: Option<Strategy>,
    /// Whether one-shot boot is proven before anything else is sent, by two ordinary reboots of the same Raspbian.
    #[schemars(extend("default" = "per-class"))]
    prove: Option<Prove>,
    /// Classes that may boot MIGOS by a rewritten `config.txt`; each a part of its name as the plan prints it.
    #[schemars(example = ["Pi 3B, raspbian 9"])]
    allow_rewrite: Option<Vec<Text>>,
    /// Classes whose firmware may be updated where it is too old for one-shot boot.
    allow_update: Option<Vec<Text>>,
    /// Classes whose devices may be sent the image while their card is written.
    allow_streaming: Option<Vec<Text>>,
    /// What devices without a site mean for the limits of sites.
    #[schemars(extend("default" = "one"))]
    sites: Option<Unsited>,
    /// How the first device of a class opens it for the others.
    class: Option<Class>,
    /// The stages in their order; the last one ends at `100%`.
    #[schemars(length(min = 1), example = serde_json::json!([{ "name": "all", "to": "100%" }]))]
    stages: Vec<Stage>,
    /// What the whole run may lose; one more stops it.
    budget: Option<Budget>,
    /// Whether devices are waited for that were away when their turn came.
    stragglers: Option<Stragglers>,
    /// How much may be sent and fetched at a time.
    bandwidth: Option<Bandwidth>,
    /// The hours in which devices may start and cross the point of no return; left out: always.
    window: Option<Hours>,
    /// A command that is told what happens, as JSON on its standard input.
    #[schemars(example = &"./tell.sh")]
    on_event: Option<Text>,
    /// When a device has arrived, is late, and is lost.
    arrival: Option<Arrival>,
    /// When MIGOS gives up and Raspbian returns, and when a reboot is forced.
    dead_man: Option<DeadMan>,
}

/// What devices without a site mean for the limits of sites.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
enum Unsited {
    /// All of them are one site.
    One,
    /// Each is a site of its own.
    None,
}

/// How the first device of a class opens it for the others.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, extend("type" = ["object", "null"]))]
struct Class {
    /// How long it must stay well before another of its class starts.
    #[schemars(extend("default" = "16m"))]
    soak: Option<Length>,
    /// So many failures set the rest of the class aside.
    #[schemars(extend("default" = 2))]
    failures: Option<Devices>,
}

/// A part of the rollout.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Stage {
    /// Its name, which no other stage has.
    name: Text,
    /// How many devices are in this stage and all before it: a number, or a percentage.
    to: StageSize,
    /// Most devices in flight in this stage; left out: as in the whole run.
    parallel: Option<Devices>,
    /// What has to hold before the next stage begins.
    gate: Option<Gate>,
}

/// What has to hold before the next stage begins. It is judged after every device.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, extend("type" = ["object", "null"]))]
struct Gate {
    /// How many of the stage may fail, be unreachable and be refused; one more trips the gate. Percentages are rounded down.
    #[schemars(extend("default" = 0))]
    tolerate: Option<Tolerate>,
    /// For so long every device migrated so far must stay well.
    #[schemars(extend("default" = "0s"))]
    soak: Option<Length>,
    /// What a person has to do before `resume` lets the run go on; left out: nobody is waited for.
    #[schemars(example = &"Check the canary, then resume.")]
    pause: Option<Text>,
    /// A command that is asked after the soak: exit code 0 passes, 75 pauses the run, any other trips the gate.
    #[schemars(example = &"./verify.sh")]
    check: Option<Text>,
    /// What a device has to show to be well.
    #[schemars(extend("default" = "heartbeat"))]
    require: Option<Require>,
    /// What a tripped gate does.
    #[schemars(extend("default" = "pause"))]
    on_trip: Option<OnTrip>,
}

/// How many of a stage may end badly.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum Tolerate {
    /// So many may fail, so many be unreachable and so many be refused; nothing may be stuck or lost.
    Alike(Share),
    /// Each by itself.
    Each(Tolerances),
}

/// How many of a stage may end badly, by how; what is left out is not tolerated.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Tolerances {
    /// Failed at a step, and undone.
    failed: Option<Share>,
    /// Not reached any more when their turn came.
    unreachable: Option<Share>,
    /// Refused when their facts were read again.
    refused: Option<Share>,
    /// Undo failed.
    stuck: Option<Share>,
    /// Silent past the point of no return.
    lost: Option<Share>,
}

/// What the whole run may lose.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, extend("type" = ["object", "null"]))]
struct Budget {
    /// Failed devices; left out: the gates alone decide.
    failed: Option<Count>,
    /// Devices whose undo failed.
    #[schemars(extend("default" = 0))]
    stuck: Option<Count>,
    /// Devices that are silent past the point of no return.
    #[schemars(extend("default" = 0))]
    lost: Option<Count>,
}

/// How long devices are waited for that were away when their turn came.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, extend("type" = ["object", "null"]))]
struct Stragglers {
    /// From the first time that a device was away; `0s`: they are not waited for.
    #[schemars(extend("default" = "0s"))]
    wait: Option<Length>,
    /// How often each is tried again.
    #[schemars(extend("default" = "30m"))]
    retry: Option<SomeLength>,
}

/// How much may be sent and fetched at a time; left out: no bound.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, extend("type" = ["object", "null"]))]
struct Bandwidth {
    /// By the whole run.
    #[schemars(example = &"40MB/s")]
    total: Option<Rate>,
    /// To all devices of a site.
    #[schemars(example = &"1MB/s")]
    per_site: Option<Rate>,
    /// To one device.
    #[schemars(example = &"500kB/s")]
    per_device: Option<Rate>,
}

/// When a device has arrived, is late, and is lost.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, extend("type" = ["object", "null"]))]
struct Arrival {
    /// Late, so long after the reboot into balenaOS.
    #[schemars(extend("default" = "20m"))]
    late: Option<Length>,
    /// Lost, so long after it, or without a word from a device past the point of no return.
    #[schemars(extend("default" = "2h"))]
    lost: Option<Length>,
    /// How often balena is asked; one request serves the whole fleet.
    #[schemars(extend("default" = "15s"))]
    poll: Option<Length>,
    /// How often a migrated device tells balena that it is alive: the fleet's supervisor poll interval.
    #[schemars(extend("default" = "10m"))]
    heartbeat: Option<SomeLength>,
    /// Whether a device has to run its release to be well.
    #[schemars(extend("default" = "required"))]
    release: Option<ReleaseRule>,
    /// How long it must be well without a gap to have arrived.
    #[schemars(extend("default" = "0s"))]
    stable: Option<Length>,
}

/// When MIGOS gives up and Raspbian returns, and when a reboot is forced.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, extend("type" = ["object", "null"]))]
struct DeadMan {
    /// From its start to the controller's first word.
    #[schemars(extend("default" = "10m"))]
    contact: Option<Length>,
    /// From its start to the commit.
    #[schemars(extend("default" = "30m"))]
    commit: Option<Length>,
    /// Until a reboot that was asked for counts as hung, and is forced.
    #[schemars(extend("default" = "3m"))]
    hung: Option<Length>,
}

/// A number of devices, at least one.
#[derive(JsonSchema)]
#[schemars(inline, extend("minimum" = 1, "maximum" = 10_000))]
struct Devices(i64);

/// A number of devices.
#[derive(JsonSchema)]
#[schemars(inline, extend("minimum" = 0, "maximum" = 10_000))]
struct Count(i64);

/// A number of devices, or a percentage.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum Share {
    /// So many.
    Count(Count),
    /// So many of a hundred.
    Percent(Percent),
}

/// A number of devices, or a percentage; at least one device.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum StageSize {
    /// So many.
    Count(Devices),
    /// So many of a hundred.
    Percent(PercentFromOne),
}

/// A percentage: `5%`.
#[derive(JsonSchema)]
#[schemars(inline, extend("pattern" = r"^\+?0*(?:100|[0-9]{1,2})%$", "examples" = ["5%"]))]
struct Percent(String);

/// A percentage that is not zero: `5%`.
#[derive(JsonSchema)]
#[schemars(inline, extend("pattern" = r"^\+?0*(?:100|[1-9][0-9]?)%$", "examples" = ["100%"]))]
struct PercentFromOne(String);

/// Declares lengths of time by what their expressions begin with.
macro_rules! lengths {
    ($($(#[$doc:meta])* $visible:vis $name:ident = $start:literal;)+) => {$(
        #[derive(JsonSchema)]
        $(#[$doc])*
        #[schemars(inline, extend("pattern" = concat!(
            $start,
            r"\s*(?:[0-9][0-9\s]*(?:\.[0-9\s]+)?",
            r"(?:nanos|nsec|ns|usec|us|µs|millis|msec|ms|seconds?|secs?|s|minutes?|mins?|m|hours?|hrs?|h",
            r"|days?|d|weeks?|wks?|w|months?|M|years?|yrs?|y)\s*)+$",
        )))]
        $visible struct $name(String);
    )+};
}

lengths! {
    /// A length of time: `30s`, `30m`, `2h`, `14d`, or several of these after each other.
    Length = r"^0$|^";
    /// A length of time that is not zero: `30s`, `30m`, `2h`, `14d`, or several of these after each other.
    pub(super) SomeLength = r"^(?=.*[1-9])";
}

/// A rate in bytes: `500kB/s`, `4MB/s`.
#[derive(JsonSchema)]
#[schemars(inline, extend("pattern" = r"^\+?0*[1-9][0-9]*\s*[GMk]?B/s$"))]
struct Rate(String);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::SHIPPED;
    use crate::policy::read;
    use crate::schema::assert_same_keys;
    use migos_inventory::schema::of;

    /// Every table of keys stands here: `tests/tests/schemas.rs` looks for those that do not.
    #[test]
    fn every_form_has_the_keys_of_its_reader() {
        assert_same_keys::<PolicyFile>(&read::POLICY);
        assert_same_keys::<Stage>(&read::STAGE);
        assert_same_keys::<Gate>(&read::GATE);
        assert_same_keys::<Class>(&read::CLASS);
        assert_same_keys::<Stragglers>(&read::STRAGGLERS);
        assert_same_keys::<Bandwidth>(&read::BANDWIDTH);
        assert_same_keys::<Hours>(&read::WINDOW);
        assert_same_keys::<Tolerances>(&read::TOLERATE);
        assert_same_keys::<Budget>(&read::BUDGET);
        assert_same_keys::<Arrival>(&read::ARRIVAL);
        assert_same_keys::<DeadMan>(&read::DEAD_MAN);
    }

    #[test]
    fn the_shipped_policies_are_those_that_are_shipped() {
        let schema = of::<Shipped>();
        let words = schema.get("oneOf").and_then(|words| words.as_array());
        let words = words.into_iter().flatten().filter_map(|word| word.get("const")?.as_str());
        assert_eq!(words.collect::<Vec<_>>(), SHIPPED.map(|(name, _)| name));
    }
}
