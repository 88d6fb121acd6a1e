#![allow(clippy::unwrap_used, clippy::panic)]
use super::*;

#[test]
fn the_shipped_policies_are_sound() {
    for (name, text) in crate::policy::SHIPPED {
        assert!(Policy::parse(name, text).is_ok(), "{name}");
    }
    let careful = Policy::parse("careful", Policy::shipped("careful").unwrap()).unwrap();
    assert_eq!(careful.stages.len(), 4);
    assert_eq!(careful.per_site, 1);
    assert_eq!(careful.budget, Budget { failed: Some(5), stuck: 0, lost: 0 });
}

#[test]
fn a_bare_number_tolerates_failures_but_nothing_stuck_or_lost() {
    let text = "policy: 1\nstages:\n  - { name: all, to: 100%, gate: { tolerate: 3 } }\n";
    let tolerate = Policy::parse("p", text).unwrap().stages[0].tolerate;
    assert_eq!((tolerate.failed, tolerate.lost), (Share::Count(3), Share::Count(0)));
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let text = "policy: 1\nparalel: 4\nper_site: 0\nwindow: {}\nstages:\n  - { name: a, to: 5 }\n  \
                - { name: b, to: 4, gate: { soak: soon, tolerate: 200% } }\narrival: { late: 3h }\n";
    let problems = Policy::parse("policy.yaml", text).unwrap_err();
    insta::assert_snapshot!(problems, @r###"
    policy.yaml:2:1: paralel: unknown key
      hint: did you mean `parallel`?
    policy.yaml:3:11: per_site: expected a number between 1 and 10000, found number 0
    policy.yaml:4:9: window: a window needs `days`
    policy.yaml:4:9: window: a window needs `from`
    policy.yaml:4:9: window: a window needs `to`
    policy.yaml:4:9: window: a window needs `zone`
    policy.yaml:6:3: stages: the stages do not end at 100 %
      hint: give the last stage `to: 100%`
    policy.yaml:7:5: stages[1]: a stage must be larger than the one before
      hint: `to` counts the devices of this stage and of all before it
    policy.yaml:7:37: stages[1].gate.soak: expected a length of time such as 30m, found text "soon"
    policy.yaml:7:53: stages[1].gate.tolerate: expected a number of devices or a percentage such as 5%, found text "200%"
    policy.yaml:8:10: arrival: a device must be late before it is lost
    "###);
}

#[test]
fn what_could_never_work_is_refused_with_a_way_out() {
    let text = "policy: 1\nstages:\n  - { name: a, to: 1, gate: { soak: 5m } }\n  \
                - { name: a, to: 100%, gate: { soak: 5m, require: vpn } }\n\
                stragglers: { wait: 10m, retry: 1h }\n\
                bandwidth: { total: 1MB/s, per_device: 4MB/s }\n\
                window: { days: mon-fry, from: \"22:00\", to: \"05:00\", zone: Europe/Berlin }\n";
    insta::assert_snapshot!(Policy::parse("policy.yaml", text).unwrap_err(), @r###"
    policy.yaml:3:5: stages[0]: in a soak of 5m a dead device still looks alive by its heartbeat
      hint: soak for 16m or longer, or say `require: vpn` if your sites let balena's VPN through
    policy.yaml:4:5: stages[1]: there are two stages a
    policy.yaml:5:13: stragglers: a straggler would never be tried again
      hint: make `wait` longer than `retry`
    policy.yaml:6:12: bandwidth: a limit here can never be reached
      hint: a device's limit is within its site's, and that within the whole run's
    policy.yaml:7:17: window.days: not days of the week: "mon-fry"; write them as `mon-fri` or `sat,sun`
    "###);
    let text = text.replace("soak: 5m }", "soak: 90s }");
    let text = text.replace("name: a, to: 100%", "name: b, to: 100%");
    let text = text.replace("10m, retry", "2h, retry").replace("4MB/s", "400kB/s");
    let text = text.replace("fry", "fri") + "arrival: { heartbeat: 20s }\n";
    assert!(Policy::parse("policy.yaml", &text).is_ok());
}

/// The first block of the page gives every default.
#[test]
fn the_policies_of_the_documentation_are_sound() {
    let page = include_str!("../../../../docs/policy.md");
    let blocks: Vec<&str> = page.split("```yaml\n").skip(1).collect();
    assert!(blocks.len() > 3);
    for block in &blocks {
        let (text, _) = block.split_once("```").unwrap();
        if let Err(problems) = Policy::parse("docs/policy.md", text) {
            panic!("{problems}\n{text}");
        }
    }
    let (written, _) = blocks[0].split_once("```").unwrap();
    let stages: String = written
        .lines()
        .filter(|line| line.starts_with("  - "))
        .map(|it| it.to_owned() + "\n")
        .collect();
    let bare = format!("policy: 1\nstages:\n{stages}");
    let parsed = |text: &str| Policy::parse("docs/policy.md", text).unwrap();
    assert_eq!(parsed(written), parsed(&bare));
}
