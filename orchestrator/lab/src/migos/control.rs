//! `migos-ctl`: what the controller asks of MIGOS, and what MIGOS says of itself.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use migos_contract::{
    Bastion, Chunks, Command, Configuration, DeadMan, Handover, Job, Part, State, Status,
    Unattended, Unfetched, job_path,
};
use russh::keys::{PrivateKey, PublicKey};
use tokio::sync::watch;
use tokio::time::Instant;

use super::job::{self, Folder};
use super::switch::Switch;
use crate::card::Content;
use crate::device::VirtualPi;
use crate::mounts::Hands;
use crate::server::{Answer, Program, Run, Shell};
use crate::site::Way;
use crate::words;

/// How long MIGOS stays when it does not even know how long it should.
const NO_JOB: DeadMan = DeadMan { contact_seconds: 0, commit_seconds: 0 };

/// What the ramdisk is doing.
#[derive(Debug, Clone)]
pub(super) struct Progress {
    pub(super) state: State,
    /// A command has come in.
    pub(super) contacted: bool,
    written: u64,
    unfetched: Option<Unfetched>,
    error: Option<String>,
}

/// The part of MIGOS that talks.
pub(super) struct Control {
    pi: Arc<VirtualPi>,
    folder: Folder,
    pub(super) hands: Hands,
    /// The text of the `config.txt` that MIGOS has put the original in place of.
    replaced: Option<Vec<u8>>,
    /// The job, if it is to be trusted.
    trusted: Option<Job>,
    /// The unpacked image, in memory.
    image: Mutex<Option<Content>>,
    /// The chunks of an image that is sent while the card is written.
    chunks: Option<Chunks>,
    /// Whether enough of the image is there to see that it fits the card.
    beginning: Mutex<bool>,
    host_key: Option<PrivateKey>,
    authorized: Vec<PublicKey>,
    call_home_key: Option<PrivateKey>,
    /// How far the network leads that the job describes.
    way: Way,
    configuration: Mutex<Option<Configuration>>,
    progress: watch::Sender<Progress>,
}

impl Control {
    /// Puts back what was replaced, then reads everything from the card, as `/init` does first of all.
    pub(super) fn start(pi: &Arc<VirtualPi>, folder: Folder, hands: Hands) -> Self {
        if let Some(partitions) = pi.card().partitions_mut() {
            partitions.boot.set_read_only(false);
        }
        let job = hands.look(|card| folder.job(card));
        let committed = hands.look(|card| folder.committed(card, &job));
        let switch = Switch { folder: &folder, hands: &hands, pool: &pi.pool };
        let replaced = match &job {
            Ok(job) if committed.is_none() => switch.restore(job),
            Ok(_) | Err(_) => Ok(None),
        };
        let card = pi.card();
        let network = job.as_ref().map(|job| job.network.clone()).unwrap_or_default();
        let wifi = folder.text(&card, job_path::WIFI).ok();
        let (replaced, trusted) = match (replaced, job) {
            (Ok(replaced), Ok(job)) => (replaced, job::check(&job, pi, &card).map(|()| job)),
            (Err(error), _) | (_, Err(error)) => (None, Err(error)),
        };
        let (image, chunks) = match &trusted {
            Ok(job) if job.image.into_memory => (Ok(None), None),
            Ok(job) if job.image.path.is_none() => match folder.chunks(&card, job) {
                Ok(chunks) => (Ok(None), Some(chunks)),
                Err(error) => (Err(error), None),
            },
            Ok(job) => (job::image(job, &card, &pi.pool).map(Some), None),
            Err(error) => (Err(error.clone()), None),
        };
        let (configuration, problem) = match &committed {
            Some(Ok(configuration)) => (Some(configuration.clone()), None),
            Some(Err(error)) => (None, Some(error.clone())),
            None => (folder.configuration(&card), None),
        };
        // Past the commit the image may be half overwritten: it is asked for.
        let missing = if committed.is_none() { image.as_ref().err() } else { None };
        let error = trusted.as_ref().err().or(missing).cloned().or(problem);
        let state = match (&error, &committed, &image) {
            (None, None, _) => State::Ready,
            (None, Some(_), Ok(Some(_))) => State::Committed,
            (None, Some(_), Ok(None) | Err(_)) => State::NeedsImage,
            (Some(_), None, _) => State::Leaving,
            (Some(_), Some(_), _) => State::Failed,
        };
        if let Some(error) = &error {
            tracing::info!(device = pi.name, error, "MIGOS cannot do its job");
        }
        Self {
            pi: Arc::clone(pi),
            trusted: trusted.ok(),
            beginning: Mutex::new(chunks.is_none()),
            image: Mutex::new(image.ok().flatten()),
            chunks,
            host_key: folder.host_key(&card),
            authorized: folder.authorized_keys(&card),
            call_home_key: folder.call_home_key(&card),
            way: pi.site.for_migos(&network, wifi.as_deref()),
            folder,
            replaced,
            hands: hands.clone(),
            configuration: Mutex::new(configuration),
            progress: watch::Sender::new(Progress {
                state,
                contacted: false,
                written: 0,
                unfetched: None,
                error,
            }),
        }
    }

    pub(super) fn host_key(&self) -> Option<PrivateKey> {
        self.host_key.clone()
    }

    /// How far MIGOS gets by its network.
    pub(super) fn way(&self) -> Way {
        self.way
    }

    /// The host to call, and the key for it, where nobody can call MIGOS.
    pub(super) fn way_home(&self) -> Option<(Bastion, PrivateKey)> {
        match &self.trusted.as_ref()?.handover {
            Handover::CallHome(bastion) => Some((bastion.clone(), self.call_home_key.clone()?)),
            Handover::Attended | Handover::Unattended(_) => None,
        }
    }

    /// The permit to commit without an order.
    pub(super) fn permit(&self) -> Option<Unattended> {
        match &self.trusted.as_ref()?.handover {
            Handover::Unattended(permit) => Some(permit.clone()),
            Handover::Attended | Handover::CallHome(_) => None,
        }
    }

    /// Commits without an order; what keeps it from that sends it back.
    pub(super) fn commit_by_itself(&self) {
        let nonce = self.trusted.as_ref().map(|job| job.nonce.clone()).unwrap_or_default();
        if let Err(error) = self.commit(&nonce) {
            self.decline(&error);
        }
    }

    /// Goes back to Raspbian, and leaves word why.
    pub(super) fn decline(&self, reason: &str) {
        tracing::info!(device = self.pi.name, reason, "MIGOS does not commit by itself");
        let said = self.pi.pool.keep(format!("{reason}\n").as_bytes());
        let left = self.hands.write(|card| match card.partitions_mut() {
            Some(found) => found.boot.write(&self.folder.result, said).map_err(|e| e.to_string()),
            None => Ok(()),
        });
        if let Err(error) = left {
            tracing::debug!(device = self.pi.name, error, "no last words");
        }
        self.hands.sync();
        self.progress.send_modify(|progress| {
            progress.state = State::Leaving;
            progress.error = Some(reason.to_owned());
        });
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    pub(super) fn is_committed(&self) -> bool {
        self.progress.borrow().state.is_committed()
    }

    /// When the dead-man's patience ends: earlier as long as nobody has made contact.
    pub(super) fn deadline(&self, started: Instant, contacted: bool) -> Instant {
        let dead_man = self.trusted.as_ref().map_or(NO_JOB, |job| job.dead_man);
        // Nobody is to make contact with a MIGOS that commits by itself.
        let seconds = match contacted || self.permit().is_some() {
            true => dead_man.commit_seconds,
            false => dead_man.contact_seconds.min(dead_man.commit_seconds),
        };
        started + Duration::from_secs(seconds)
    }

    /// What is to be written: the image, and the files for its boot partition.
    pub(super) fn material(&self) -> Option<(Job, Content, Configuration)> {
        Some((self.trusted.clone()?, self.image().clone()?, self.configuration().clone()?))
    }

    pub(super) fn enter(&self, state: State, written: u64) {
        self.progress.send_modify(|progress| {
            progress.state = state;
            progress.written = written;
        });
    }

    pub(super) fn fail(&self, error: String) {
        tracing::warn!(device = self.pi.name, error, "MIGOS cannot go on");
        self.progress.send_modify(|progress| {
            progress.state = State::Failed;
            progress.error = Some(error);
        });
    }

    fn configuration(&self) -> MutexGuard<'_, Option<Configuration>> {
        self.configuration.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn beginning(&self) -> MutexGuard<'_, bool> {
        self.beginning.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn image(&self) -> MutexGuard<'_, Option<Content>> {
        self.image.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn status(&self) -> Status {
        let progress = self.progress.borrow();
        Status {
            state: progress.state,
            nonce: self.trusted.as_ref().map(|job| job.nonce.clone()).unwrap_or_default(),
            serial: format!("{:016x}", self.pi.present_serial()),
            written: progress.written,
            total: self.trusted.as_ref().map_or(0, |job| job.image.raw_size),
            wants: self.wants(progress.state),
            receiving: false,
            unfetched: progress.unfetched.clone(),
            configured: self.configuration().is_some(),
            error: progress.error.clone(),
        }
    }

    fn wants(&self, state: State) -> Option<Part> {
        let job = self.trusted.as_ref()?;
        let length = match state {
            State::NeedsImage => job.image.size,
            State::Ready if self.awaits_image() => job.image.size,
            State::Ready if !*self.beginning() => self.chunks.as_ref()?.chunks.first()?.size,
            _ => return None,
        };
        Some(Part { offset: 0, length })
    }

    /// The commit is refused until the image has come into memory.
    pub(super) fn awaits_image(&self) -> bool {
        let into_memory = self.trusted.as_ref().is_some_and(|job| job.image.into_memory);
        into_memory && self.image().is_none()
    }

    /// What is wanted now.
    pub(super) fn wanted(&self) -> Option<Part> {
        let state = self.progress.borrow().state;
        self.wants(state)
    }

    /// Where the image can be fetched.
    pub(super) fn url(&self) -> Option<String> {
        self.trusted.as_ref()?.image.url.clone()
    }

    /// The image was not to be had there.
    pub(super) fn not_fetched(&self, why: String) {
        self.progress.send_modify(|progress| {
            let tries = progress.unfetched.as_ref().map_or(0, |unfetched| unfetched.tries);
            progress.unfetched = Some(Unfetched { tries: tries + 1, why });
        });
    }

    fn configure(&self, input: &[u8]) -> Result<(), String> {
        let configuration: Configuration = serde_json::from_slice(input)
            .map_err(|error| format!("the configuration is not understood: {error}"))?;
        match self.progress.borrow().state {
            State::Ready => {}
            State::Leaving => return Err("on the way back to Raspbian".to_owned()),
            State::Committed
            | State::NeedsImage
            | State::Flashing
            | State::Flashed
            | State::Failed
            | State::Unknown => {
                return Err("the commit has been given".to_owned());
            }
        }
        *self.configuration() = Some(configuration);
        Ok(())
    }

    fn commit(&self, nonce: &str) -> Result<(), String> {
        let Some(job) = &self.trusted else { return Err("there is no sound job".to_owned()) };
        if nonce != job.nonce {
            return Err("the nonce is another job's".to_owned());
        }
        match self.progress.borrow().state {
            State::Ready => {}
            State::Leaving => return Err("on the way back to Raspbian".to_owned()),
            // Given once is given.
            State::Committed
            | State::NeedsImage
            | State::Flashing
            | State::Flashed
            | State::Failed
            | State::Unknown => return Ok(()),
        }
        if !*self.beginning() {
            return Err("the beginning of the image is still missing".to_owned());
        }
        if self.awaits_image() {
            return Err("the image has not come yet".to_owned());
        }
        let configuration = self.configuration().clone().ok_or("there is no configuration")?;
        let switch = Switch { folder: &self.folder, hands: &self.hands, pool: &self.pi.pool };
        switch.commit(&configuration, self.replaced.as_deref())?;
        let state = match self.image().is_some() {
            true => State::Committed,
            false => State::NeedsImage,
        };
        self.enter(state, 0);
        Ok(())
    }

    /// Takes the image, or before the commit the beginning of it.
    pub(super) fn take_image(&self, input: &[u8]) -> Result<(), String> {
        let job = self.trusted.as_ref().ok_or("there is no sound job")?;
        let state = self.progress.borrow().state;
        let part = self.wants(state).ok_or("the image is at hand")?;
        if input.len() as u64 != part.length {
            return Err("that is not what was asked for".to_owned());
        }
        if state == State::Ready && !self.awaits_image() {
            *self.beginning() = true;
            return Ok(());
        }
        let image = job::unpack(job, self.pi.pool.keep(input), &self.pi.pool)?;
        *self.image() = Some(image);
        if state == State::Ready {
            return Ok(());
        }
        self.enter(State::Committed, 0);
        Ok(())
    }

    fn abort(&self) -> Result<(), String> {
        if self.is_committed() {
            return Err("the commit has been given: there is no way back".to_owned());
        }
        self.enter(State::Leaving, 0);
        Ok(())
    }

    /// Every command is answered with the status, or refused.
    fn answer(&self, done: Result<(), String>) -> Answer {
        match done
            .and_then(|()| serde_json::to_vec(&self.status()).map_err(|error| error.to_string()))
        {
            Ok(mut json) => {
                json.push(b'\n');
                Answer::print(json)
            }
            Err(refusal) => Answer::fail(1, refusal),
        }
    }
}

impl Shell for Control {
    fn accepts(&self, user: &str, key: &PublicKey) -> bool {
        user == "root" && self.authorized.iter().any(|known| known.key_data() == key.key_data())
    }

    fn session(self: Arc<Self>) -> Arc<dyn Shell> {
        self.pi.count_connection();
        self
    }

    fn run(self: Arc<Self>, line: &str) -> Run {
        let words = match words::split(line, "") {
            Ok(words) => words,
            Err(error) => return Run::Ended(Answer::fail(2, format!("sh: {error}"))),
        };
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let command = match Command::parse(&words) {
            Ok(command) => command,
            Err(error) => return Run::Ended(Answer::fail(1, error)),
        };
        self.progress.send_modify(|progress| progress.contacted = true);
        Run::Ended(match command {
            Command::Status => self.answer(Ok(())),
            Command::Log => Answer::print(""),
            Command::Commit { nonce } => self.answer(self.commit(&nonce)),
            Command::Abort => self.answer(self.abort()),
            Command::Configure => {
                let take = Control::configure;
                return Run::Reading(Box::new(Reading { control: self, input: Vec::new(), take }));
            }
            Command::Stream => {
                let take = Control::take_image;
                return Run::Reading(Box::new(Reading { control: self, input: Vec::new(), take }));
            }
        })
    }
}

/// A command that reads its input to the end.
struct Reading {
    control: Arc<Control>,
    input: Vec<u8>,
    take: fn(&Control, &[u8]) -> Result<(), String>,
}

impl Program for Reading {
    fn take(&mut self, input: &[u8]) -> Option<Answer> {
        self.input.extend_from_slice(input);
        None
    }

    fn end(self: Box<Self>) -> Answer {
        self.control.answer((self.take)(&self.control, &self.input))
    }
}
