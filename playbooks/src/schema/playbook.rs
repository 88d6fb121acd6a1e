//! The form of a playbook of a user's own.

#![expect(dead_code, reason = "the types are only looked at by the deriving of their schemas")]

use super::policy::SomeLength;
use crate::playbook::{Playbook, why_not_after};
use crate::step::{Action, Output, Step};
use migos_inventory::schema::Text;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};
use std::borrow::Cow;

/// The built-in playbook with commands of your own between its steps, and other limits.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, rename = "Playbook", title = "Playbook of migos-fleet")]
pub(super) struct PlaybookFile {
    /// The mark of the form, and its version.
    #[schemars(extend("const" = 1))]
    playbook: i64,
    /// What it is called; for people.
    name: Option<Value>,
    /// The playbook that it begins with: the built-in one.
    extends: Extends,
    /// Commands of your own, and where they stand.
    insert: Option<Vec<Insert>>,
    /// Other limits of built-in steps, by the names of the steps.
    change: Option<Changes>,
}

/// The playbooks that are built in.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
enum Extends {
    /// From Raspbian to balenaOS.
    Migrate,
}

/// A place among the steps, and commands that are put there: `before` or `after` a step.
#[derive(JsonSchema)]
#[schemars(
    deny_unknown_fields,
    extend("oneOf" = [{ "required": ["before"] }, { "required": ["after"] }])
)]
struct Insert {
    /// The step before which the commands run.
    before: Option<Before>,
    /// The step after which the commands run.
    after: Option<After>,
    /// The commands, in their order.
    steps: Vec<OwnStep>,
}

/// A command of your own.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct OwnStep {
    /// The step's name: small letters, digits and `-`.
    #[schemars(example = &"stop-app")]
    id: StepName,
    /// What it does, for people.
    #[schemars(extend("default" = "run your command"))]
    title: Option<Text>,
    /// The command: by `sh -c`, as root, on Raspbian. `MIGOS_DEVICE` and `MIGOS_RUN` are set. Write no secrets into it.
    #[schemars(example = &"systemctl stop kiosk")]
    run: Command,
    /// The command that takes it back, and does no harm where it has not run; left out: it stays.
    #[schemars(example = &"systemctl start kiosk")]
    undo: Option<Command>,
    /// How long each of the two may take.
    #[schemars(extend("default" = "5m"))]
    limit: Option<SomeLength>,
    /// How often it is tried when the connection fails. A command that has failed is not tried again.
    retry: Option<Retry>,
    /// What becomes of that which it prints.
    #[schemars(extend("default" = "shown"))]
    output: Option<Output>,
}

/// Other limits of a built-in step; past the point of no return only longer ones, and more tries.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, extend("type" = ["object", "null"]))]
struct Change {
    /// How long it may take.
    limit: Option<SomeLength>,
    /// How often it is tried.
    retry: Option<Retry>,
}

/// How often a step is tried when the connection fails.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, extend("type" = ["object", "null"]))]
struct Retry {
    /// So often in all.
    #[schemars(range(min = 1, max = 1000), extend("default" = 4))]
    times: Option<i64>,
    /// The first pause, at most `1h`; each further one is twice as long.
    #[schemars(extend("default" = "5s"))]
    pause: Option<SomeLength>,
}

/// The name of a step.
#[derive(JsonSchema)]
#[schemars(inline, extend("pattern" = STEP_NAME))]
struct StepName(String);

const STEP_NAME: &str = "^[a-z][a-z0-9-]{0,39}$";

/// A command on one line.
#[derive(JsonSchema)]
#[schemars(inline, extend(
    "pattern" = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$",
    "maxLength" = 8192,
))]
struct Command(String);

/// A step before which commands may stand, or one of your own.
struct Before;

/// A step after which commands may stand, or one of your own.
struct After;

/// Changes by the names of the built-in steps.
struct Changes;

impl JsonSchema for Before {
    fn schema_name() -> Cow<'static, str> {
        "Before".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let steps = built_in();
        let is_open = |step: &Step, before: Option<&Step>| {
            // The reader takes these for the last moment on Raspbian.
            matches!(step.action, Action::Arm | Action::RewriteConfig)
                || why_not_after(before.map(|before| before.action)).is_none()
        };
        let before = std::iter::once(None).chain(steps.iter().map(Some));
        place(
            steps.iter().zip(before).filter(|(step, before)| is_open(step, *before)).map(|it| it.0),
        )
    }
}

impl JsonSchema for After {
    fn schema_name() -> Cow<'static, str> {
        "After".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let steps = built_in();
        place(steps.iter().filter(|step| why_not_after(Some(step.action)).is_none()))
    }
}

impl JsonSchema for Changes {
    fn schema_name() -> Cow<'static, str> {
        "Changes".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut properties = Map::new();
        for Step { id, title, .. } in built_in() {
            let mut change = generator.subschema_for::<Change>();
            change.insert("description".to_owned(), Value::String(title));
            properties.insert(id.0, change.to_value());
        }
        json_schema!({
            "type": ["object", "null"],
            "properties": properties,
            "additionalProperties": false,
        })
    }
}

/// One of these steps by name, which an editor offers, or any other.
fn place<'a>(steps: impl Iterator<Item = &'a Step>) -> Schema {
    let known = steps.map(|step| json!({ "const": step.id.0, "description": step.title }));
    let own =
        json!({ "type": "string", "pattern": STEP_NAME, "description": "A step of your own." });
    json_schema!({ "anyOf": known.chain([own]).collect::<Vec<_>>() })
}

/// The steps of the built-in playbook; none in case it could not be read.
fn built_in() -> Vec<Step> {
    Playbook::migrate().map(|playbook| playbook.steps().to_vec()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::playbook::own;
    use crate::schema::assert_same_keys;
    use migos_inventory::schema::of;

    /// Every table of keys stands here: `tests/tests/schemas.rs` looks for those that do not.
    #[test]
    fn every_form_has_the_keys_of_its_reader() {
        assert_same_keys::<PlaybookFile>(&own::PLAYBOOK);
        assert_same_keys::<Insert>(&own::INSERT);
        assert_same_keys::<OwnStep>(&own::STEP);
        assert_same_keys::<Change>(&own::CHANGE);
        assert_same_keys::<Retry>(&own::RETRY);
    }

    fn offered(schema: &Schema) -> Vec<&str> {
        let forms = schema.get("anyOf").and_then(Value::as_array);
        forms.into_iter().flatten().filter_map(|form| form.get("const")?.as_str()).collect()
    }

    #[test]
    fn an_editor_offers_the_places_where_commands_may_stand() {
        let (before, after) = (of::<Before>(), of::<After>());
        insta::assert_snapshot!(offered(&before).join(" "), @"update-firmware backup save-data prove-write send-payload send-image admit preregister write-job write-tryboot release arm rewrite-config");
        insta::assert_snapshot!(offered(&after).join(" "), @"lock update-seen backup save-data prove-gone send-payload send-image admit preregister write-job write-tryboot");
        for (key, places) in [("before", offered(&before)), ("after", offered(&after))] {
            for step in built_in() {
                let steps = "[{ id: own, run: date }]";
                let insert = format!("[{{ {key}: {}, steps: {steps} }}]", step.id.0);
                let text = format!("playbook: 1\nextends: migrate\ninsert: {insert}\n");
                let is_taken = Playbook::parse("t", &text).is_ok();
                assert_eq!(is_taken, places.contains(&step.id.0.as_str()), "{text}");
            }
        }
    }
}
