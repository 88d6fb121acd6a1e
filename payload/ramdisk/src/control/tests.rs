#![allow(clippy::unwrap_used, clippy::panic)]
use super::*;
use crate::image::sample::{Sample, sample};
use crate::log::Log;
use migos_contract::{
    Compression, DeadMan as Limits, Handover, Image as Promise, JOB_SCHEMA, Network, PROGRAM,
    Strategy,
};
use sha2::{Digest, Sha256};
use std::io::{Read, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use tempfile::TempDir;

pub(crate) const IMAGE: &[u8] = b"the image";
pub(crate) const CONFIGURATION: &str = r#"{"files":{"config.json":"{}"}}"#;

pub(crate) fn job() -> Job {
    let sha256: String = Sha256::digest(IMAGE).iter().map(|byte| format!("{byte:02x}")).collect();
    Job {
        schema: JOB_SCHEMA,
        nonce: "a".repeat(32),
        strategy: Strategy::OneShot,
        handover: Handover::Attended,
        serial: "00000000765fc593".to_owned(),
        disk_id: String::new(),
        image: Promise {
            path: None,
            url: None,
            into_memory: false,
            size: 9,
            sha256: sha256.clone(),
            compression: Compression::None,
            raw_size: 9,
            raw_sha256: sha256,
            chunks_sha256: None,
        },
        dead_man: Limits { contact_seconds: 600, commit_seconds: 1800 },
        host_name: String::new(),
        network: Network::default(),
        no_lifeboat: false,
        restore: None,
    }
}

pub(crate) fn image() -> VerifiedImage {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(IMAGE).unwrap();
    VerifiedImage::verify(file, &job().image, None).unwrap()
}

/// A card that takes the commit, or does not.
pub(crate) struct Card(pub(crate) Result<(), String>);

impl MakePermanent for Card {
    fn fits(&self, _: &dyn Image) -> Result<(), String> {
        self.0.clone()
    }

    fn make_permanent(&mut self, _: &Configuration) -> Result<(), String> {
        self.0.clone()
    }
}

fn ready() -> Control {
    Control::ready(job(), job().serial, Supply::Memory(image()), Box::new(Card(Ok(()))))
}

fn commit() -> Command {
    Command::Commit { nonce: job().nonce }
}

fn refusal(control: &mut Control, command: &Command, input: &str) -> String {
    control.handle(command, input.as_bytes()).unwrap_err()
}

#[test]
fn the_commit_wants_the_nonce_and_a_configuration_and_is_given_once() {
    let mut control = ready();
    let stranger = Command::Commit { nonce: "b".repeat(32) };
    assert_eq!(refusal(&mut control, &stranger, ""), "the nonce is another job's");
    assert_eq!(refusal(&mut control, &commit(), ""), "there is no configuration");
    assert_eq!(control.begin_work().map(drop), None);
    control.handle(&Command::Configure, CONFIGURATION.as_bytes()).unwrap();
    assert!(control.status().configured);
    control.handle(&commit(), b"").unwrap();
    assert_eq!(control.status().state, State::Committed);
    let work = control.begin_work().unwrap();
    assert_eq!(work.configuration.files.len(), 1);
    assert!(control.begin_work().is_none(), "it is begun already");
    control.handle(&commit(), b"").unwrap();
    assert_eq!(control.status().state, State::Flashing);
    assert_eq!(refusal(&mut control, &Command::Configure, CONFIGURATION), COMMITTED);
    let no_way = "the commit has been given: there is no way back";
    assert_eq!(refusal(&mut control, &Command::Abort, ""), no_way);
    control.has_written(Progress { total: 12, written: 4 });
    assert_eq!((control.status().written, control.status().total), (4, 12));
    control.has_flashed();
    assert_eq!((control.status().state, control.status().written), (State::Flashed, 12));
}

#[test]
fn a_commit_that_does_not_reach_the_card_changes_nothing() {
    let card = Card(Err("the commit could not be written: bad block".to_owned()));
    let mut control = Control::ready(job(), job().serial, Supply::Memory(image()), Box::new(card));
    control.handle(&Command::Configure, CONFIGURATION.as_bytes()).unwrap();
    assert!(refusal(&mut control, &commit(), "").ends_with("bad block"));
    assert_eq!(control.status().state, State::Ready);
    assert!(control.minutes_left(Duration::ZERO).is_some(), "the dead-man still watches");
}

#[test]
fn what_is_no_configuration_is_refused() {
    let mut control = ready();
    let bad = refusal(&mut control, &Command::Configure, "{}");
    assert!(bad.starts_with("the configuration is not understood"), "{bad}");
    let bad = refusal(&mut control, &Command::Configure, r#"{"files":{"../x":""}}"#);
    assert_eq!(bad, "not a name for a file in the boot partition: ../x");
    assert!(!control.status().configured);
}

#[test]
fn aborted_it_leaves_and_takes_nothing_more() {
    let mut control = ready();
    control.handle(&Command::Abort, b"").unwrap();
    assert_eq!(control.status().state, State::Leaving);
    for command in [commit(), Command::Configure] {
        assert_eq!(refusal(&mut control, &command, CONFIGURATION), LEAVING);
    }
    assert_eq!(control.begin_image().unwrap_err(), LEAVING);
}

#[test]
fn the_dead_man_leaves_before_the_commit_only() {
    let late = Duration::from_secs(1800);
    let mut control = ready();
    control.tick(Duration::from_secs(599));
    assert_eq!(control.status().state, State::Ready);
    control.handle(&Command::Configure, CONFIGURATION.as_bytes()).unwrap();
    control.tick(Duration::from_secs(1799));
    control.handle(&commit(), b"").unwrap();
    control.tick(late);
    assert_eq!(control.status().state, State::Committed);
    let mut control = ready();
    control.tick(late);
    assert_eq!(control.status().state, State::Leaving);
    assert_eq!(control.status().error.as_deref(), Some("the controller did not come in time"));
}

#[test]
fn after_a_power_cut_it_goes_on_or_asks_for_what_is_missing() {
    let configuration = || serde_json::from_str::<Configuration>(CONFIGURATION).unwrap();
    let resumed =
        |configured, image| Control::resumed(job(), job().serial, configured, image, None);
    let mut control = resumed(Ok(configuration()), Supply::Memory(image()));
    assert_eq!(control.status().state, State::Committed);
    assert_eq!(control.begin_image().unwrap_err(), "the image is in memory already");

    let mut control = resumed(Ok(configuration()), Supply::Missing(None));
    assert_eq!(control.status().state, State::NeedsImage);
    let wanted = control.begin_image().unwrap();
    assert!(matches!(wanted, Intake::Whole(promise, None) if promise == job().image));
    assert_eq!(control.begin_image().unwrap_err(), "the image is being sent already");
    control.end_image(None).unwrap();
    control.begin_image().unwrap();
    control.end_image(Some(image())).unwrap();
    assert!(control.begin_work().is_some());

    let mut control =
        resumed(Err("the commit is not understood".to_owned()), Supply::Memory(image()));
    assert_eq!(control.status().state, State::Failed);
    control.handle(&Command::Configure, CONFIGURATION.as_bytes()).unwrap();
    assert_eq!((control.status().state, control.status().error), (State::Committed, None));
}

#[test]
fn an_image_that_is_fetched_is_there_before_the_commit_or_there_is_none() {
    let waiting = |card| {
        let mut control =
            Control::ready(job(), job().serial, Supply::Missing(None), Box::new(Card(card)));
        control.handle(&Command::Configure, CONFIGURATION.as_bytes()).unwrap();
        assert_eq!(control.status().wants, Some(Part { offset: 0, length: 9 }));
        assert_eq!(refusal(&mut control, &commit(), ""), NO_IMAGE);
        control.begin_image().unwrap();
        assert_eq!((control.status().wants, control.status().receiving), (None, true));
        assert_eq!(refusal(&mut control, &commit(), ""), NO_IMAGE);
        assert_eq!(refusal(&mut control, &Command::Configure, CONFIGURATION), NO_IMAGE);
        control
    };
    let mut control = waiting(Ok(()));
    control.end_image(None).unwrap();
    assert!(control.status().wants.is_some(), "it is wanted again");
    control.begin_image().unwrap();
    control.end_image(Some(image())).unwrap();
    let status = control.status();
    assert_eq!((status.state, status.wants, status.receiving), (State::Ready, None, false));
    control.handle(&commit(), b"").unwrap();
    assert!(control.begin_work().is_some());

    let mut control = waiting(Err("no room".to_owned()));
    assert_eq!(control.end_image(Some(image())).unwrap_err(), "no room");
    let status = control.status();
    assert_eq!((status.state, status.error.as_deref()), (State::Leaving, Some("no room")));

    let mut control = waiting(Ok(()));
    control.handle(&Command::Abort, b"").unwrap();
    assert_eq!(control.end_image(Some(image())).unwrap_err(), LEAVING);
    assert_eq!(control.status().state, State::Leaving);
}

#[test]
fn a_configuration_that_was_left_on_the_card_is_tried_as_soon_as_the_image_is_there() {
    let card = Box::new(Card(Ok(())));
    let mut control = Control::ready(job(), job().serial, Supply::Missing(None), card);
    control.handle(&Command::Configure, CONFIGURATION.as_bytes()).unwrap();
    let listening = Listening::new(control);
    let (code, _, err) = listening.call(&[PROGRAM, "stream"], IMAGE);
    assert_eq!((code, err.starts_with("failed to unpack the image at byte 0")), (1, true), "{err}");
    assert_eq!(listening.control.lock().unwrap().status().state, State::Leaving);
}

#[test]
fn in_another_board_nothing_is_written_whatever_is_sent() {
    let configuration = serde_json::from_str(CONFIGURATION).map_err(|_| String::new());
    let other = Some("the job is for board 1, this is 2".to_owned());
    let mut control =
        Control::resumed(job(), job().serial, configuration, Supply::Missing(None), other.clone());
    control.begin_image().unwrap();
    control.end_image(Some(image())).unwrap();
    assert_eq!((control.status().state, control.status().error), (State::Failed, other));
    assert!(control.begin_work().is_none());
}

#[test]
fn a_flash_that_fails_says_why_and_can_be_begun_again() {
    let mut control = ready();
    control.handle(&Command::Configure, CONFIGURATION.as_bytes()).unwrap();
    control.handle(&commit(), b"").unwrap();
    control.begin_work().unwrap();
    control.fail("bad block".to_owned());
    assert_eq!(control.status().state, State::Failed);
    assert_eq!(control.status().error.as_deref(), Some("bad block"));
    control.resume();
    assert!(control.begin_work().is_some());
}

/// A control that listens, and what `migos-ctl` says of it.
struct Listening {
    folder: TempDir,
    control: Arc<Mutex<Control>>,
}

impl Listening {
    fn new(control: Control) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let control = Arc::new(Mutex::new(control));
        let server = Server::new(
            Arc::clone(&control),
            folder.path().to_owned(),
            Log::new(|| Duration::ZERO),
        );
        server.listen(&folder.path().join("socket")).unwrap();
        Self { folder, control }
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    fn call(&self, words: &[&str], mut input: &[u8]) -> (u8, String, String) {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let code = call(&self.socket(), &words, &mut input, &mut out, &mut err);
        (code, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
    }
}

#[test]
fn the_program_prints_the_status_or_the_refusal() {
    let listening = Listening::new(ready());
    let (code, out, err) = listening.call(&[PROGRAM, "status"], b"");
    let status: Status = serde_json::from_str(&out).unwrap();
    assert_eq!((code, status.state, err.as_str()), (0, State::Ready, ""));
    let refused = listening.call(&[PROGRAM, "dance"], b"");
    assert_eq!(refused, (1, String::new(), "not a migos-ctl command: migos-ctl dance\n".into()));
}

#[test]
fn a_configuration_is_tried_on_the_image_before_it_is_taken() {
    let listening = Listening::new(ready());
    let (code, _, err) = listening.call(&[PROGRAM, "configure"], CONFIGURATION.as_bytes());
    assert_eq!((code, err.starts_with("failed to unpack the image at byte 0")), (1, true), "{err}");
    assert!(!listening.control.lock().unwrap().status().configured);
}

#[test]
fn an_image_comes_over_the_socket_and_a_wrong_one_is_refused() {
    let configuration = serde_json::from_str(CONFIGURATION).map_err(|_| String::new());
    let listening = Listening::new(Control::resumed(
        job(),
        job().serial,
        configuration,
        Supply::Missing(None),
        None,
    ));
    let (code, _, err) = listening.call(&[PROGRAM, "stream"], b"an image?");
    let damaged = "the image is damaged: its size or digest is not the job's\n";
    assert_eq!((code, err.as_str()), (1, damaged));
    let (code, out, _) = listening.call(&[PROGRAM, "stream"], IMAGE);
    let status: Status = serde_json::from_str(&out).unwrap();
    assert_eq!((code, status.state), (0, State::Committed));
    let much = vec![0; 4 << 20];
    let (code, _, err) = listening.call(&[PROGRAM, "stream"], &much);
    assert_eq!((code, err.as_str()), (1, "the image is in memory already\n"));
    assert!(listening.control.lock().unwrap().begin_work().is_some());
}

#[test]
fn without_anybody_listening_it_says_so() {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let words = [PROGRAM.to_owned(), "status".to_owned()];
    let nowhere = tempfile::tempdir().unwrap().path().join("socket");
    assert_eq!(call(&nowhere, &words, &mut &b""[..], &mut out, &mut err), 2);
    let err = String::from_utf8(err).unwrap();
    assert!(err.starts_with("migos-ctl: MIGOS does not answer: "), "{err}");
}

/// A job whose image is sent, on a card that it fits or not.
fn streamed(card: Result<(), String>) -> (Control, Sample) {
    let raw: Vec<u8> = (0..4096_u32).map(|at| (at % 251) as u8).collect();
    let sample = sample(&raw, 1024);
    let table = ChunkTable::read(&sample.list, &sample.promise).unwrap();
    let image = StreamedImage::new(Arc::new(table));
    let job = Job { image: sample.promise.clone(), ..job() };
    let serial = job.serial.clone();
    (Control::ready(job, serial, Supply::Streamed(image), Box::new(Card(card))), sample)
}

fn of(sample: &Sample, part: Part) -> &[u8] {
    &sample.file[part.offset as usize..(part.offset + part.length) as usize]
}

#[test]
fn an_image_that_is_sent_begins_to_come_before_the_commit_and_goes_on_when_it_is_wanted() {
    let (control, sample) = streamed(Ok(()));
    let listening = Listening::new(control);
    let status = || listening.control.lock().unwrap().status();
    let (code, _, err) = listening.call(&[PROGRAM, "configure"], CONFIGURATION.as_bytes());
    assert_eq!((code, err.as_str()), (0, ""));
    let nonce = job().nonce;
    let (code, _, err) = listening.call(&[PROGRAM, "commit", &nonce], b"");
    assert_eq!((code, err), (1, format!("{NO_FIRST}\n")));
    let first = status().wants.unwrap();
    let (code, _, err) = listening.call(&[PROGRAM, "stream"], &sample.file[50..]);
    assert!(code == 1 && err.contains("wanted again"), "{err}");
    assert_eq!((status().state, status().wants), (State::Ready, Some(first)));
    assert_eq!(listening.call(&[PROGRAM, "stream"], of(&sample, first)).0, 0);
    assert_eq!(status().wants, None);
    let (code, _, err) = listening.call(&[PROGRAM, "stream"], &sample.file);
    assert_eq!((code, err.as_str()), (1, "no part of the image is wanted now\n"));
    assert_eq!(listening.call(&[PROGRAM, "commit", &nonce], b"").0, 0);
    assert_eq!(status().state, State::Committed);

    let work = listening.control.lock().unwrap().begin_work().unwrap();
    assert_eq!((status().state, status().wants), (State::Flashing, None));
    let mut raw = work.image.open(1024..4096).unwrap();
    let rest = status().wants.unwrap();
    assert_eq!((status().state, rest.offset), (State::NeedsImage, first.length));
    assert_eq!(rest.offset + rest.length, sample.promise.size);
    let mut found = vec![0; 3072];
    std::thread::scope(|scope| {
        let sender = scope.spawn(|| listening.call(&[PROGRAM, "stream"], of(&sample, rest)));
        raw.read_exact(&mut found).unwrap();
        assert_eq!(sender.join().unwrap().0, 0);
    });
    assert!(found.iter().enumerate().all(|(at, byte)| *byte == ((1024 + at) % 251) as u8));
    assert_eq!((status().state, status().wants), (State::Flashing, None));
}

#[test]
fn an_image_that_does_not_go_onto_the_card_is_refused_with_its_first_part() {
    let (mut control, sample) = streamed(Err("no room".to_owned()));
    control.handle(&Command::Configure, CONFIGURATION.as_bytes()).unwrap();
    let wanted = control.status().wants.unwrap();
    let Ok(Intake::Part(image)) = control.begin_image() else { panic!("a part is wanted") };
    assert_eq!(control.status().wants, None);
    assert_eq!(control.begin_image().unwrap_err(), "the image is being sent already");
    image.take(&mut of(&sample, wanted)).unwrap();
    assert_eq!(control.end_part().unwrap_err(), "no room");
    assert_eq!(refusal(&mut control, &commit(), ""), NO_FIRST);
    assert_eq!(control.status().wants, Some(wanted));
}

#[test]
fn the_log_tells_what_was_asked_and_no_secret() {
    let listening = Listening::new(ready());
    let leaky = r#"{"files":"s3cret"}"#;
    assert_eq!(listening.call(&[PROGRAM, "configure"], leaky.as_bytes()).0, 1);
    assert_eq!(listening.call(&[PROGRAM, "commit", &"b".repeat(32)], b"").0, 1);
    assert_eq!(listening.call(&[PROGRAM, "status"], b"").0, 0);
    let (code, log, err) = listening.call(&[PROGRAM, "log"], b"");
    assert_eq!((code, err.as_str()), (0, ""));
    let lines = ["configure: refused", "commit: refused: the nonce is another job's"];
    assert_eq!(log, lines.map(|line| format!("     0.0 {line}\n")).concat());
}
