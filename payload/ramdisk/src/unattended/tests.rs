#![allow(clippy::unwrap_used)]
use super::*;
use crate::control::Supply;
use crate::control::tests::{CONFIGURATION, Card, image, job};
use crate::web::Web;
use std::time::Duration;

/// A server's answers to `/ping`, the last at 784111777 seconds.
const ANSWER: &str = "HTTP/1.1 401 Unauthorized\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n";
const NOW: u64 = 784_111_777;

fn sight(api: Result<(), &str>, time: Result<u64, &str>) -> Sight {
    Sight { api: api.map_err(str::to_owned), time: time.map_err(str::to_owned) }
}

#[test]
fn it_commits_only_with_the_api_reached_and_the_permit_known_to_hold() {
    let not_yet = |reason| Verdict::NotYet(reason);
    assert_eq!(sight(Ok(()), Ok(99)).verdict(100), Verdict::Commit);
    assert_eq!(sight(Ok(()), Ok(100)).verdict(100), Verdict::Never(Reason::Expired));
    assert_eq!(sight(Err("gone"), Ok(100)).verdict(100), Verdict::Never(Reason::Expired));
    let not_reached = not_yet(Reason::NotReached("gone".to_owned()));
    assert_eq!(sight(Err("gone"), Ok(99)).verdict(100), not_reached);
    assert_eq!(sight(Err("gone"), Err("no date")).verdict(100), not_reached);
    let no_time = not_yet(Reason::NoTime("no date".to_owned()));
    assert_eq!(sight(Ok(()), Err("no date")).verdict(u64::MAX), no_time);
}

fn lookout(web: &Web, expires: u64) -> Lookout {
    let api = web.url("").to_string();
    Lookout::new(&Unattended { api, expires }, Limits::default()).unwrap()
}

fn ready() -> Mutex<Control> {
    let mut control =
        Control::ready(job(), job().serial, Supply::Memory(image()), Box::new(Card(Ok(()))));
    control.handle(&Command::Configure, CONFIGURATION.as_bytes()).unwrap();
    Mutex::new(control)
}

/// The last words, should the dead-man come now.
fn last_words(control: &Mutex<Control>) -> String {
    let mut control = control.lock().unwrap();
    control.tick(Duration::from_secs(100_000));
    control.status().error.unwrap()
}

#[test]
fn it_looks_until_all_is_well_and_then_commits() {
    let no_date = "HTTP/1.1 200 OK\r\n\r\n";
    let web = Web::answering(&["", no_date, ANSWER]);
    let (lookout, control) = (lookout(&web, NOW + 1), ready());
    for _ in 0..2 {
        assert!(lookout.attempt(&control, &job().nonce));
        assert_eq!(control.lock().unwrap().status().state, State::Ready);
    }
    assert!(!lookout.attempt(&control, &job().nonce));
    assert_eq!(control.lock().unwrap().status().state, State::Committed);
    assert!(web.requests().iter().all(|asked| asked.starts_with("GET /ping ")));
    assert!(!lookout.attempt(&control, &job().nonce), "once is enough");
}

#[test]
fn why_it_did_not_commit_are_its_last_words() {
    let web = Web::answering(&[ANSWER]);
    let control = ready();
    assert!(!lookout(&web, NOW).attempt(&control, &job().nonce), "it is over");
    assert_eq!(last_words(&control), "the permit has expired");

    let web = Web::answering(&["HTTP/1.1 200 OK\r\n\r\n"]);
    let control = ready();
    assert!(lookout(&web, NOW).attempt(&control, &job().nonce));
    let clock = web.url("/ping");
    assert_eq!(last_words(&control), format!("the time is not known: {clock} does not tell it"));

    let web = Web::answering(&[]);
    let (lookout, host) = (lookout(&web, NOW), web.url("/").authority());
    drop(web);
    let control = ready();
    assert!(lookout.attempt(&control, &job().nonce));
    let words = last_words(&control);
    let why = format!("balena's API was not reached: failed to connect to {host}: ");
    assert!(words.starts_with(&why), "{words}");
}

#[test]
fn a_commit_that_fails_is_tried_again_and_an_abort_is_heard() {
    let web = Web::answering(&[ANSWER, ANSWER]);
    let lookout = lookout(&web, NOW + 1);
    let card = Card(Err("bad block".to_owned()));
    let mut control = Control::ready(job(), job().serial, Supply::Memory(image()), Box::new(card));
    control.handle(&Command::Configure, CONFIGURATION.as_bytes()).unwrap();
    let control = Mutex::new(control);
    assert!(lookout.attempt(&control, &job().nonce));
    assert_eq!(last_words(&control), "bad block");
    let control = ready();
    control.lock().unwrap().handle(&Command::Abort, b"").unwrap();
    assert!(!lookout.attempt(&control, &job().nonce));
    assert_eq!(web.requests().len(), 1);
}

#[test]
fn an_encrypted_api_is_greeted_and_the_time_asked_of_its_plain_side() {
    let greeting = vec![22, 3, 3, 0, 58, 2, 0, 0, 54, 3, 3];
    let refusal = vec![21, 3, 3, 0, 2, 2, 70];
    let (tls, clock) = (Web::saying(vec![refusal, greeting]), Web::answering(&[ANSWER, ANSWER]));
    let api = format!("https://{}", tls.url("/").authority());
    let permit = Unattended { api, expires: NOW + 1 };
    let lookout = Lookout::new(&permit, Limits::default()).unwrap();
    assert_eq!(lookout.clock.to_string(), "http://127.0.0.1:80/");
    let lookout = lookout.with_clock(clock.url("/"));
    let (sight, verdict) = lookout.look();
    assert_eq!(sight.time, Ok(NOW));
    assert!(matches!(verdict, Verdict::NotYet(Reason::NotReached(_))), "{verdict:?}");
    assert_eq!(lookout.look().1, Verdict::Commit);
}

#[test]
fn a_job_whose_api_is_no_url_is_told() {
    let permit = Unattended { api: "api.example.com".to_owned(), expires: 0 };
    let reason = Lookout::new(&permit, Limits::default()).unwrap_err();
    let text = "the job's API cannot be reached: not a URL of http or https: api.example.com/ping";
    assert_eq!(reason.to_string(), text);
}
