//! Images that devices fetch from a web server near them, with the real program: they are not sent, unless the server
//! does not have them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::disallowed_methods, reason = "files for tests")]

use migos_events::{DeviceEvent, Event, Record};
use migos_lab::{Pace, State};
use migos_playbooks::step::Action;
use migos_tests::fleet::{Bench, Ended, STRAIGHT};
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// A web server with the files of a folder under `/images/`; under `/damaged/` they are others of the same size.
struct Web {
    port: u16,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Web {
    fn start(folder: PathBuf) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&requests);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // Who hangs up is served no more.
                let _ = serve(stream, &folder, &heard);
            }
        });
        Self { port, requests }
    }

    fn url(&self, folder: &str) -> String {
        format!("http://127.0.0.1:{}/{folder}", self.port)
    }

    /// How often something of a folder was asked for.
    fn asked(&self, folder: &str) -> usize {
        let begin = format!("GET /{folder}/");
        self.requests.lock().unwrap().iter().filter(|line| line.starts_with(&begin)).count()
    }
}

fn serve(stream: TcpStream, folder: &Path, heard: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut lines = BufReader::new(&stream).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
    heard.lock().unwrap().push(request.clone());
    let path = request.split(' ').nth(1).unwrap_or_default().trim_start_matches('/');
    let (kind, name) = path.split_once('/').unwrap_or_default();
    let mut body = match kind {
        "images" | "damaged" => fs::read(folder.join(name)).unwrap_or_default(),
        _ => Vec::new(),
    };
    if kind == "damaged" {
        body.reverse();
    }
    let status = if body.is_empty() { "404 Not Found" } else { "200 OK" };
    write!(&stream, "HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", body.len())?;
    (&stream).write_all(&body)
}

/// Gives these devices further settings in the lab's inventory.
fn settings(bench: &Bench, devices: &[(&str, &str)]) {
    let mut text = bench.home.read("lab/inventory.yaml").unwrap();
    for (device, settings) in devices {
        let line = format!("  {device}: {{ ");
        assert!(text.contains(&line), "{text}");
        text = text.replace(&line, &format!("{line}{settings}, "));
    }
    bench.home.write("lab/inventory.yaml", text).unwrap();
}

fn plan(bench: &Bench, format: &str) -> Ended {
    let words = ["plan", "lab/inventory.yaml", "--policy", "quick.yaml", "--format", format];
    bench.home.run(&words).unwrap()
}

/// What the records tell of a device.
fn told<'a>(records: &'a [Record], name: &'a str) -> impl Iterator<Item = &'a DeviceEvent> {
    records.iter().filter_map(move |record| match &record.event {
        Event::Device { device, what } if device.as_str() == name => Some(what),
        _ => None,
    })
}

/// Bytes that were sent with the image's own step, as the records tell it.
fn sent(records: &[Record], name: &str) -> Option<u64> {
    told(records, name).find_map(|what| match what {
        DeviceEvent::StepDone { step, learned } if step.action == Action::SendImage => {
            Some(learned.bytes_sent.unwrap_or_default())
        }
        _ => None,
    })
}

#[test]
fn an_image_is_fetched_from_the_mirror_and_sent_where_that_has_it_not() {
    let bench = Bench::start(5, "", Pace::test()).unwrap();
    let web = Web::start(bench.home.path().join("lab/images"));
    let nobody = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    let mirror = |url: String| format!("mirror: \"{url}\"");
    settings(
        &bench,
        &[
            ("kiosk-001", &mirror(web.url("images/"))),
            ("kiosk-002", &mirror(format!("http://{nobody}"))),
            ("kiosk-003", &format!("handover: unattended, {}", mirror(web.url("images")))),
            ("kiosk-004", &mirror(web.url("damaged"))),
        ],
    );
    let text = plan(&bench, "table").stdout;
    let fetches = format!("not sent: MIGOS fetches it from {}", web.url("images"));
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat.contains(&fetches), "{text}");
    assert!(flat.contains("fetched from mirrors, or sent where they fail"), "{text}");
    let planned: Value = serde_json::from_str(&plan(&bench, "json").stdout).unwrap();
    let mirrors = planned["devices"]["kiosk-001"]["mirror"].as_str().unwrap();
    assert!(mirrors.starts_with(&web.url("images")), "{mirrors}");

    let ended = bench.migrate(&[]).unwrap().end().unwrap();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    for pi in bench.lab().devices() {
        assert_eq!(pi.life().states, STRAIGHT, "{}", pi.name());
    }
    let records = bench.home.only_run().unwrap().records().unwrap();
    for name in ["kiosk-001", "kiosk-002", "kiosk-003", "kiosk-004"] {
        assert_eq!(sent(&records, name), Some(0), "{name}");
    }
    assert!(sent(&records, "kiosk-005").is_some_and(|bytes| bytes > 0));
    assert_eq!(web.asked("images"), 2);
    assert!(web.asked("damaged") >= 2);
    let notes = |name| -> Vec<String> {
        let all = told(&records, name);
        let texts = all.map(|what| serde_json::to_string(what).unwrap());
        texts.filter(|text| text.contains("does not give it the image")).collect()
    };
    assert_eq!(notes("kiosk-001").len() + notes("kiosk-003").len(), 0);
    let away = notes("kiosk-002");
    assert!(away.len() == 1 && away[0].contains("Connection refused"), "{away:?}");
    let damaged = notes("kiosk-004");
    assert!(damaged.len() == 1 && damaged[0].contains("the image is damaged"), "{damaged:?}");
    assert!(damaged[0].contains("it is sent from here"), "{damaged:?}");
}

#[test]
fn after_a_power_cut_past_the_commit_the_image_is_fetched_again() {
    let pace = Pace { flash: Duration::from_secs(2), ..Pace::test() };
    let bench = Bench::start(1, "", pace).unwrap();
    let web = Web::start(bench.home.path().join("lab/images"));
    settings(&bench, &[("kiosk-001", &format!("mirror: \"{}\"", web.url("images")))]);
    let pi = bench.device("kiosk-001").unwrap();
    let mut process = bench.migrate(&[]).unwrap();
    process.until("it flashes", || pi.life().flashed > 0).unwrap();
    pi.cut_power();
    let ended = process.end().unwrap();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(web.asked("images"), 2);
    use State::{BalenaOs, Booting, Migos, Off, Raspbian};
    let cut = [Off, Booting, Raspbian, Booting, Migos, Off, Booting, Migos, Booting, BalenaOs];
    assert_eq!(pi.life().states, cut);
}

#[test]
fn unattended_a_device_whose_mirror_is_away_goes_back() {
    let bench = Bench::start(1, "", Pace::test()).unwrap();
    let quick = migos_tests::fleet::QUICK;
    let quick = quick.replace("contact: 60s, commit: 120s", "contact: 5s, commit: 5s");
    bench.home.write("quick.yaml", quick).unwrap();
    settings(&bench, &[("kiosk-001", "handover: unattended, mirror: \"http://127.0.0.1:9\"")]);
    let before = bench.device("kiosk-001").unwrap().boot_tree();
    let ended = bench.migrate(&[]).unwrap().end().unwrap();
    assert_eq!(ended.code, Some(6), "{}", ended.stderr);
    let pi = bench.device("kiosk-001").unwrap();
    assert_eq!((pi.boot_tree(), pi.state()), (before, State::Raspbian));
}
