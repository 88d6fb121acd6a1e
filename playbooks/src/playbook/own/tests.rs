#![allow(clippy::unwrap_used)]
use super::*;

const OWN: &str = r#"
playbook: 1
extends: migrate
insert:
  - { before: arm, steps: [{ id: stop-app, run: "systemctl stop kiosk", undo: "systemctl start kiosk", limit: 2m, retry: { times: 9 } }] }
  - { after: backup, steps: [{ id: say, run: "logger moving", output: hidden }, { id: say-more, run: "logger soon" }] }
  - { after: backup, steps: [{ id: say-last, run: "true" }] }
change:
  send-image: { limit: 20h, retry: { times: 12 } }
"#;

fn told(text: &str) -> String {
    match Playbook::parse("own.yaml", text) {
        Ok(playbook) => {
            playbook.steps().iter().map(|step| step.id.0.as_str()).collect::<Vec<_>>().join(" ")
        }
        Err(problems) => problems.to_string(),
    }
}

#[test]
fn own_steps_stand_among_the_built_in_ones() {
    let playbook = Playbook::parse("own.yaml", OWN).unwrap();
    let ids: Vec<&str> = playbook.steps().iter().map(|step| step.id.0.as_str()).collect();
    let after = |name: &str| ids[ids.iter().position(|id| *id == name).unwrap() + 1];
    assert_eq!(after("backup"), "say");
    assert_eq!(after("say"), "say-more");
    assert_eq!(after("say-more"), "say-last");
    // An unattended device is not to have its permit before.
    assert_eq!((after("write-tryboot"), after("stop-app")), ("stop-app", "release"));
    let step = |name: &str| playbook.steps().iter().find(|step| step.id.0 == name).unwrap();
    assert_eq!(step("send-image").limit, Span::seconds(20 * 3600));
    assert_eq!(step("send-image").retry, Retry { times: 12, pause: Span::seconds(5) });
    assert_eq!(step("stop-app").retry, Retry { times: 9, pause: Span::seconds(5) });
    assert_eq!(step("say").retry, Retry { times: 4, pause: Span::seconds(5) });
    assert_eq!(step("stop-app").reversal, Reversal::Undo);
    assert_eq!(step("say").reversal, Reversal::Stays);
    // It is read back from a plan.
    assert_eq!(Playbook::new(playbook.steps().to_vec()).unwrap(), playbook);
}

#[test]
fn what_is_wrong_with_a_playbook_is_told_in_its_place() {
    let own = |insert: &str| format!("playbook: 1\nextends: migrate\ninsert:\n  - {insert}\n");
    let at = |place: &str| own(&format!("{{ {place}, steps: [{{ id: a, run: b }}] }}"));
    let wrong = [
        "- hosts: all\n  tasks: []\n".to_owned(),
        "name: mine\n".to_owned(),
        "playbook: 2\nextends: nothing\n".to_owned(),
        "playbook: 1\nsteps: []\n".to_owned(),
        at("before: ready"),
        at("before: arm, after: backup"),
        at("before: lock"),
        at("after: prove-arm"),
        at("after: release"),
        at("after: rewrite-config"),
        at("after: commit"),
        at("before: await-balena"),
        own("{ after: backup, steps: [{ id: backup, run: b }, { id: B, run: '' }, { run: c }] }"),
        own("{ after: backup, steps: [{ id: a, run: b, limit: soon }, { id: c, undo: d }] }"),
        own("{ after: backup, step: [] }"),
        own("{ after: backup, steps: [{ id: a, run: b, retry: { times: 1001, pause: 0s } }, { id: c, run: d, retry: 5 }] }"),
        own("{ after: backup, steps: [{ id: a, run: b, limit: 99y, retry: { tries: 2, pause: 2h } }] }"),
        "playbook: 1\nextends: migrate\nchange: { ready: {}, await-flash: { limit: 1m }, commit: { retry: { times: 1 } } }\n"
            .to_owned(),
    ];
    insta::assert_snapshot!(wrong.map(|text| told(&text)).join("\n"), @r###"
    own.yaml:1:1: this is an Ansible playbook, not one of migos-fleet
      hint: write what it does on the devices as commands under `insert:`, see docs/playbooks.md; or run it with ansible-playbook before the migration
    own.yaml:1:1: this is not a playbook
      hint: begin it with `playbook: 1`
    own.yaml:1:1: the key `extends` is missing
      hint: write `extends: migrate`
    own.yaml:1:11: playbook: expected a number between 1 and 1, found number 2
    own.yaml:2:10: extends: expected `migrate`, found text "nothing"
    own.yaml:2:1: steps: the built-in steps keep a device from becoming a brick, so they are not written anew
      hint: write `extends: migrate`, and your own steps under `insert:`
    own.yaml:4:15: insert[0].before: there is no step ready
      hint: see all of them with: migos-fleet playbook show
    own.yaml:4:5: insert[0]: one place is needed: `before` or `after` a step
      hint: write `before: arm`, or `after: backup`
    own.yaml:4:15: insert[0].before: nothing can be put before lock
      hint: the device is not locked for this run yet; put it after `lock`
    own.yaml:4:14: insert[0].after: nothing can be put after prove-arm
      hint: the proof of one-shot boot is not over; put it before `prove-write` or after `prove-gone`
    own.yaml:4:14: insert[0].after: nothing can be put after release
      hint: an unattended device has its permit there: what fails could not be taken back; put it before `release`
    own.yaml:4:14: insert[0].after: nothing can be put after rewrite-config
      hint: config.txt is not Raspbian's own there, and a power cut would need hands
    own.yaml:4:14: insert[0].after: nothing can be put after commit
      hint: between the point of no return and the end of the flash nothing else may act on the device: what fails there could not be taken back
    own.yaml:4:15: insert[0].before: nothing can be put before await-balena
      hint: there is no Raspbian any more; put it before `arm`
    own.yaml:4:30: insert[0].steps[0]: there are two steps backup
    own.yaml:4:60: insert[0].steps[1].id: "B" is not a name of a step
      hint: write small letters, digits and -, such as stop-app
    own.yaml:4:68: insert[0].steps[1].run: expected a command, found an empty text
    own.yaml:4:74: insert[0].steps[2]: the key `id` is missing
      hint: give it a name, such as `id: stop-app`
    own.yaml:4:54: insert[0].steps[0].limit: expected a length of time such as 30m, found text "soon"
    own.yaml:4:62: insert[0].steps[1]: the key `run` is missing
      hint: write the command, such as `run: "systemctl stop kiosk"`
    own.yaml:4:22: insert[0].step: unknown key
      hint: did you mean `steps`?
    own.yaml:4:63: insert[0].steps[0].retry.times: expected a number between 1 and 1000, found number 1001
    own.yaml:4:76: insert[0].steps[0].retry.pause: expected a length of time, found none at all
    own.yaml:4:108: insert[0].steps[1].retry: expected a mapping, found number 5
    own.yaml:4:54: insert[0].steps[0].limit: expected a length of time such as 30m, found text "99y"
    own.yaml:4:68: insert[0].steps[0].retry.tries: unknown key
      hint: the keys allowed here are times, pause
    own.yaml:4:85: insert[0].steps[0].retry.pause: 2h is too long: a pause has at most 1h
      hint: it is only the first pause: each further one is twice as long
    own.yaml:3:11: change.ready: there is no step ready
      hint: see all of them with: migos-fleet playbook show
    own.yaml:3:44: change.await-flash.limit: 1m is too short: the step takes up to 3h
      hint: so late a device that is still at work must not be given up; make it longer only
    own.yaml:3:67: change.commit.retry: 1 is too few: the step is tried 4 times
      hint: so late a device that is still at work must not be given up; make it longer only
    "###);
}
