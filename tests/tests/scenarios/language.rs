//! The language of the scripts refuses what it does not know, and says where and what to do.

use migos_tests::scenario::Scenario;

const FLEET: &str = "fleet\n  k-[1:4] site north\npolicy careful\n";

fn refusal(script: &str) -> String {
    Scenario::parse(&format!("{FLEET}{script}")).unwrap_err().to_string()
}

#[test]
fn what_is_wrong_is_said_with_its_line_and_a_remedy() {
    insta::assert_snapshot!(refusal("fualt k-1 never arrives\n"), @r###"
    line 4: `fualt` is not a word of the language
      remedy: begin a line with fleet, policy, start, fault, check, at, when, run, resume, undo, wait or expect
    "###);
    insta::assert_snapshot!(refusal("fault k-7 never arrives\n"), @r###"
    line 4: `k-7` matches no device and no group
      remedy: did you mean `k-1`?
    "###);
    insta::assert_snapshot!(refusal("fault k-1 sneezes\n"), @r###"
    line 4: `sneezes` is not a fault of a device
      remedy: write fails at, cannot be undone, silent in flash, never arrives, late by, turns up at, arrives as another, contradicts, no vpn, away from or relapses at
    "###);
    insta::assert_snapshot!(refusal("fault k-1 fails at send-imge\n"), @r###"
    line 4: `send-imge` is not an action
      remedy: did you mean `send-image`?
    "###);
    insta::assert_snapshot!(refusal("fault k-1 away from 2h to 1h\n"), @r###"
    line 4: it ends before it begins
      remedy: write the earlier moment first
    "###);
    insta::assert_snapshot!(refusal("fault k-1 no vpn today\n"), @r###"
    line 4: nothing is known of "today" here
      remedy: take it away, or see README.md beside the scripts for the line's form
    "###);
    insta::assert_snapshot!(refusal("fault site south dark from 1h\n"), @r###"
    line 4: no device stands at `south`
      remedy: name a site of the fleet
    "###);
    insta::assert_snapshot!(refusal("check canry answers pass\n"), @r###"
    line 4: `canry` is not a stage of the plan
      remedy: did you mean `canary`?
    "###);
    insta::assert_snapshot!(refusal("at noon pause\n"), @r###"
    line 4: not a length of time: "noon"
      remedy: write it without blanks, such as 90s or 1h30m
    "###);
    insta::assert_snapshot!(refusal("resume\n"), @r###"
    line 4: `resume` does not fit here
      remedy: begin with `run`
    "###);
    insta::assert_snapshot!(refusal("run\nresume forgive because\n"), @r###"
    line 5: it is not said why
      remedy: write forgive "the reason"
    "###);
    insta::assert_snapshot!(refusal("run\nexpect finnished exit 0\n"), @r###"
    line 5: `finnished` is not a state or an end
      remedy: did you mean `finished`?
    "###);
    insta::assert_snapshot!(refusal("run\nexpect finished\n"), @r###"
    line 5: the end of the line stands where `exit` must
      remedy: write `exit` there
    "###);
    insta::assert_snapshot!(refusal("run\n"), @r###"
    line 4: nothing is expected
      remedy: write `expect` lines below `run`
    "###);
    insta::assert_snapshot!(refusal("run\n  until canary\n"), @r###"
    line 5: `run` has no lines under it
      remedy: begin the line at the margin
    "###);
}

#[test]
fn a_missed_expectation_is_told_with_what_was_printed() {
    let play = |expectation: &str| {
        let script = format!("{FLEET}run\n{expectation}\n");
        let missed = Scenario::parse(&script).unwrap().play().unwrap_err().to_string();
        assert!(missed.contains("$ run\n"), "{missed}");
        missed.lines().next().unwrap().to_owned()
    };
    insta::assert_snapshot!(play("expect finished exit 0"), @r###"
    line 5: it is otherwise: ended Some(Outcome(Paused)) with exit code Some(5)
    "###);
    insta::assert_snapshot!(play("expect failed k-1"), @r###"
    line 5: it is otherwise: none is failed
    "###);
    insta::assert_snapshot!(play("expect migrated others"), @r###"
    line 5: it is otherwise: k-1 is pending, k-2 is pending, k-3 is pending
    "###);
    insta::assert_snapshot!(play("expect migrated k-3"), @r###"
    line 5: it is otherwise: migrated are k-4
    "###);
}
