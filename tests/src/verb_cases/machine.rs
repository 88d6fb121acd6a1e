//! Cases of the verbs that concern the device as a whole: who has it, and its reboots.

use super::{Case, State, case};
use migos_ssh::verb::Verb;

pub(super) fn cases() -> Vec<Case> {
    [lock(), unlock(), update(), arm(), reboot()].concat()
}

/// One line: owner, boot id, and the second of the uptime when it ends.
const LOCK: &str = "/var/lib/migos/lock";

fn lock() -> Vec<Case> {
    let mut cases = vec![
        case("lock takes a free device", Verb::Lock, &["run-1", "60"])
            .gone("/var/lib/migos/lock.new"),
        case("lock is refused while another has the device", Verb::Lock, &["run-2", "60"])
            .first(Verb::Lock, &["run-1", "60"])
            .exit(75)
            .says("run-1"),
        case("lock is not lost by the other's attempt", Verb::Lock, &["run-1", "60"])
            .first(Verb::Lock, &["run-1", "60"]),
        case("lock of the same owner is renewed", Verb::Lock, &["run-2", "60"])
            .first(Verb::Lock, &["run-1", "0"])
            .first(Verb::Lock, &["run-1", "60"])
            .exit(75)
            .says("run-1"),
        case("lock that has expired is taken over", Verb::Lock, &["run-2", "60"])
            .first(Verb::Lock, &["run-1", "0"]),
        case("lock of another boot is taken over", Verb::Lock, &["run-2", "60"])
            .before(LOCK, "run-1 00000000-0000-4000-8000-000000000000 99999999\n"),
        case("lock goes to one who did not come first", Verb::Lock, &["run-3", "60"])
            .first(Verb::Lock, &["run-1", "0"])
            .first(Verb::Lock, &["run-2", "60"])
            .exit(75)
            .says("run-2"),
        case("lock needs a lease", Verb::Lock, &["run-1"]).exit(64).gone(LOCK),
        case("lock needs a number", Verb::Lock, &["run-1", "1h"]).exit(64).gone(LOCK),
    ];
    for content in ["", "\n", "run-1\n", "run-1 x y\n", "half of a li"] {
        let torn = case("lock that was torn is taken over", Verb::Lock, &["run-2", "60"]);
        cases.push(torn.before(LOCK, content));
    }
    for owner in ["", "a b", "a/b", "it's", "a.b"] {
        cases
            .push(case("lock needs a plain owner", Verb::Lock, &[owner, "60"]).exit(64).gone(LOCK));
    }
    cases
}

fn unlock() -> Vec<Case> {
    vec![
        case("unlock gives the device back", Verb::Unlock, &["run-1"])
            .first(Verb::Lock, &["run-1", "60"])
            .gone(LOCK),
        case("unlock of a free device", Verb::Unlock, &["run-1"]).gone(LOCK),
        case("unlock frees the device for others", Verb::Lock, &["run-2", "60"])
            .first(Verb::Lock, &["run-1", "60"])
            .first(Verb::Unlock, &["run-1"]),
        case("unlock leaves another's lock alone", Verb::Lock, &["run-3", "60"])
            .first(Verb::Lock, &["run-1", "60"])
            .first(Verb::Unlock, &["run-2"])
            .exit(75)
            .says("run-1"),
        case("unlock needs an owner", Verb::Unlock, &[]).exit(64),
        case("unlock needs a plain owner", Verb::Unlock, &["a b"]).exit(64),
    ]
}

fn update() -> Vec<Case> {
    let usage = |args: &[&str]| case("update needs to know what", Verb::Update, args).exit(64);
    vec![
        usage(&[]),
        usage(&["all"]),
        usage(&["card", "eeprom"]),
        case("update waits for dpkg", Verb::Update, &["card"])
            .state(State::PackagesLocked)
            .exit(75)
            .says("packages are being installed"),
        case("update installs the firmware of the release", Verb::Update, &["card"])
            .first(Verb::Update, &["card"]),
    ]
}

const PARAMETER: &str = "/run/systemd/reboot-param";

fn arm() -> Vec<Case> {
    vec![
        case("arm sets the flag and reboots", Verb::Arm, &[]).reboot("0 tryboot"),
        case("arm replaces another flag", Verb::Arm, &[])
            .before(PARAMETER, "3\n")
            .reboot("0 tryboot"),
        case("arm waits for a scheduled shutdown", Verb::Arm, &[])
            .before("/run/systemd/shutdown/scheduled", "USEC=1\nMODE=reboot\n")
            .exit(75)
            .gone(PARAMETER),
        case("arm waits for dpkg", Verb::Arm, &[])
            .state(State::PackagesLocked)
            .exit(75)
            .gone(PARAMETER),
        case("arm takes the flag back if there is no reboot", Verb::Arm, &[])
            .state(State::RebootFails)
            .exit(1)
            .gone(PARAMETER),
        case("arm takes no arguments", Verb::Arm, &["now"]).exit(64).gone(PARAMETER),
    ]
}

fn reboot() -> Vec<Case> {
    let mut cases = vec![
        case("reboot that fails", Verb::Reboot, &["orderly"])
            .before(PARAMETER, "0 tryboot\n")
            .state(State::RebootFails)
            .exit(1)
            .gone(PARAMETER),
        case("reboot by force does without systemd", Verb::Reboot, &["forced"])
            .state(State::RebootFails)
            .reboot(""),
        case("reboot by the kernel does without systemd", Verb::Reboot, &["sysrq"])
            .state(State::RebootFails)
            .reboot(""),
        case("reboot needs a tier", Verb::Reboot, &[]).exit(64),
        case("reboot needs a tier that there is", Verb::Reboot, &["now"])
            .before(PARAMETER, "0 tryboot\n")
            .exit(64)
            .after(PARAMETER, "0 tryboot\n"),
        case("reboot takes one tier", Verb::Reboot, &["orderly", "forced"]).exit(64),
    ];
    for tier in ["orderly", "forced", "sysrq"] {
        let reboot = case("reboot reboots without the flag", Verb::Reboot, &[tier]);
        cases.push(reboot.before(PARAMETER, "0 tryboot\n").reboot(""));
    }
    cases
}
