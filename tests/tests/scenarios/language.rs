//! The language of the scripts refuses what it does not know, and says where and what to do.

use migos_tests::scenario::Scenario;

const FLEET: &str = "fleet\n  k-[1:4] site north\npolicy careful\n";

fn refusal(script: &str) -> String {
    Scenario::parse(&format!("{FLEET}{script}")).unwrap_err().to_string()
}

#[test]
fn what_is_wrong_is_said_with_its_line_and_a_remedy() {
    insta::assert_snapshot!(refusal("fualt k-1 never arrives\n"), @"");
    insta::assert_snapshot!(refusal("fault k-7 never arrives\n"), @"");
    insta::assert_snapshot!(refusal("fault k-1 sneezes\n"), @"");
    insta::assert_snapshot!(refusal("fault k-1 fails at send-imge\n"), @"");
    insta::assert_snapshot!(refusal("fault k-1 away from 2h to 1h\n"), @"");
    insta::assert_snapshot!(refusal("fault k-1 no vpn today\n"), @"");
    insta::assert_snapshot!(refusal("fault site south dark from 1h\n"), @"");
    insta::assert_snapshot!(refusal("check canry answers pass\n"), @"");
    insta::assert_snapshot!(refusal("at noon pause\n"), @"");
    insta::assert_snapshot!(refusal("resume\n"), @"");
    insta::assert_snapshot!(refusal("run\nresume forgive because\n"), @"");
    insta::assert_snapshot!(refusal("run\nexpect finnished exit 0\n"), @"");
    insta::assert_snapshot!(refusal("run\nexpect finished\n"), @"");
    insta::assert_snapshot!(refusal("run\n"), @"");
    insta::assert_snapshot!(refusal("run\n  until canary\n"), @"");
}

#[test]
fn a_missed_expectation_is_told_with_what_was_printed() {
    let play = |expectation: &str| {
        let script = format!("{FLEET}run\n{expectation}\n");
        let missed = Scenario::parse(&script).unwrap().play().unwrap_err().to_string();
        assert!(missed.contains("$ run\n"), "{missed}");
        missed.lines().next().unwrap().to_owned()
    };
    insta::assert_snapshot!(play("expect finished exit 0"), @"");
    insta::assert_snapshot!(play("expect failed k-1"), @"");
    insta::assert_snapshot!(play("expect migrated others"), @"");
    insta::assert_snapshot!(play("expect migrated k-3"), @"");
}
