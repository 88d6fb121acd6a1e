//! Cases of the verb that runs commands of the user's own.

use super::{Case, case};
use migos_ssh::verb::Verb;

const TRUE: [&str; 5] = ["run-1.a.do", "60", "kiosk-1", "run-1", "true"];

pub(super) fn cases() -> Vec<Case> {
    let run = |name, key, command| case(name, Verb::Run, &[key, "60", "kiosk-1", "run-1", command]);
    let mut cases = vec![
        run("run does a command", "run-1.a.do", "true").stdout("code 0\n"),
        run("run tells of a failure", "run-1.a.do", "false").stdout("code 1\n"),
        // By the same key it has been done; the command does not count.
        run("run does nothing twice", "run-1.a.do", "false")
            .first(Verb::Run, &TRUE)
            .stdout("code 0\n"),
        run("run does another one", "run-1.b.do", "false")
            .first(Verb::Run, &TRUE)
            .stdout("code 1\n"),
        run("run tries again what failed", "run-1.a.do", "true")
            .first(Verb::Run, &["run-1.a.do", "60", "kiosk-1", "run-1", "false"])
            .stdout("code 0\n"),
        run("run does anew what was taken back", "run-1.a.do", "false")
            .first(Verb::Run, &TRUE)
            .first(Verb::Run, &["run-1.a.undo", "60", "kiosk-1", "run-1", "true"])
            .stdout("code 1\n"),
        case("run needs a command", Verb::Run, &TRUE[..4]).exit(64),
        case("run needs a number", Verb::Run, &["a.do", "soon", "d", "r", "true"]).exit(64),
    ];
    for key in ["", "a", ".do", "a/b.do", "../a.undo", "a b.do"] {
        cases.push(run("run refuses a key that is none", key, "true").exit(64));
    }
    cases
}
