//! `migos-ctl`: what the controller asks of MIGOS, and what MIGOS says of itself.

mod socket;

pub(crate) use socket::nameless;
pub use socket::{SOCKET, Server, call};

use crate::dead_man::DeadMan;
use crate::flash::{Progress, check_names};
use crate::image::{ChunkTable, Image, StreamError, StreamedImage, VerifiedImage};
use migos_contract::{
    Command, Configuration, Image as Promise, Job, Part, State, Status, Unfetched,
};
use std::sync::Arc;
use std::time::Duration;

/// Whoever knows the card before it is rewritten.
pub trait MakePermanent {
    /// Asks what the flash would refuse, before the commit.
    ///
    /// # Errors
    /// Why the image does not go onto this card.
    fn fits(&self, image: &dyn Image) -> Result<(), String>;

    /// Makes MIGOS what every reset boots.
    ///
    /// # Errors
    /// Why the commit did not reach the card.
    fn make_permanent(&mut self, configuration: &Configuration) -> Result<(), String>;
}

/// Where the image comes from.
pub enum Supply {
    /// It is in memory.
    Memory(VerifiedImage),
    /// It is sent while the card is written.
    Streamed(StreamedImage),
    /// It is to come into memory: it has never been there, or a reset has taken it; as chunks, where they are known.
    Missing(Option<Arc<ChunkTable>>),
}

/// What the controller is to send now.
#[derive(Debug)]
pub enum Intake {
    /// The whole file, into memory.
    Whole(Promise, Option<Arc<ChunkTable>>),
    /// A part of it.
    Part(StreamedImage),
}

/// All that is to be written.
pub struct Work {
    /// The image.
    pub image: Arc<dyn Image + Send + Sync>,
    /// The device's own files.
    pub configuration: Configuration,
    /// The job allows to go without a lifeboat.
    pub no_lifeboat: bool,
}

/// What MIGOS is doing, and what it has been given.
pub struct Control {
    job: Job,
    serial: String,
    state: State,
    progress: Progress,
    error: Option<String>,
    /// Why nothing may be written, whatever is sent: the card is in another board.
    obstacle: Option<String>,
    configuration: Option<Configuration>,
    image: Supply,
    is_receiving: bool,
    unfetched: Option<Unfetched>,
    dead_man: DeadMan,
    /// Why MIGOS has not committed by itself, where it should.
    excuse: Option<String>,
    switch: Box<dyn MakePermanent + Send>,
}

const COMMITTED: &str = "the commit has been given";
const NO_FIRST: &str =
    "the first part of the image has not been sent: whether it goes onto this card is not known";
const NO_IMAGE: &str = "the image has not come yet";
const LEAVING: &str = "on the way back to Raspbian";

impl Control {
    /// Before the commit; an image that is not at hand comes before it, or begins to.
    pub fn ready(
        job: Job,
        serial: String,
        image: Supply,
        switch: Box<dyn MakePermanent + Send>,
    ) -> Self {
        let dead_man = DeadMan::new(job.dead_man);
        Self {
            progress: nothing_of(&job),
            job,
            serial,
            state: State::Ready,
            error: None,
            obstacle: None,
            configuration: None,
            image,
            is_receiving: false,
            unfetched: None,
            dead_man,
            excuse: None,
            switch,
        }
    }

    /// After a reset past the commit. What is missing, the controller is asked for; an obstacle it cannot
    /// help with.
    pub fn resumed(
        job: Job,
        serial: String,
        configuration: Result<Configuration, String>,
        image: Supply,
        obstacle: Option<String>,
    ) -> Self {
        let mut dead_man = DeadMan::new(job.dead_man);
        dead_man.commit();
        let (configuration, error) = match configuration {
            Ok(configuration) => (Some(configuration), None),
            Err(error) => (None, Some(error)),
        };
        let mut control = Self {
            progress: nothing_of(&job),
            job,
            serial,
            state: State::Failed,
            error,
            obstacle,
            configuration,
            image,
            is_receiving: false,
            unfetched: None,
            dead_man,
            excuse: None,
            switch: Box::new(Already),
        };
        control.resume();
        control
    }

    /// What is told of it.
    pub fn status(&self) -> Status {
        Status {
            state: self.shown_state(),
            nonce: self.job.nonce.clone(),
            serial: self.serial.clone(),
            written: self.progress.written,
            total: self.progress.total,
            wants: self.wants(),
            receiving: self.is_receiving,
            unfetched: self.unfetched.clone(),
            configured: self.configuration.is_some(),
            error: self.error.clone(),
        }
    }

    fn wants(&self) -> Option<Part> {
        match (self.state, &self.image) {
            _ if self.is_receiving => None,
            (State::Ready | State::NeedsImage, Supply::Missing(_)) => {
                Some(Part { offset: 0, length: self.job.image.size })
            }
            (State::Ready | State::Committed | State::Flashing, Supply::Streamed(image)) => {
                image.wants()
            }
            _ => None,
        }
    }

    /// A flash that waits for the controller needs its image.
    fn shown_state(&self) -> State {
        match self.state {
            State::Flashing if self.wants().is_some() => State::NeedsImage,
            state => state,
        }
    }

    /// Carries out a command; `input` is what came with it. [`Command::Stream`] is not carried out here:
    /// its input is no text (see [`begin_image`](Self::begin_image)).
    ///
    /// # Errors
    /// Why it is refused, in the controller's operator's words.
    pub fn handle(&mut self, command: &Command, input: &[u8]) -> Result<(), String> {
        self.dead_man.contact();
        match command {
            Command::Status | Command::Log => Ok(()),
            Command::Configure => self.configure(input),
            Command::Commit { nonce } => self.commit(nonce),
            Command::Abort => self.abort(),
            Command::Stream => Err("an image comes by itself".to_owned()),
        }
    }

    fn configure(&mut self, input: &[u8]) -> Result<(), String> {
        match (self.state, &self.configuration) {
            // On what is just coming it could not be tried any more.
            (State::Ready, _) if self.is_receiving => return Err(NO_IMAGE.to_owned()),
            (State::Ready, _) => {}
            // Lost from the card since the commit: nothing can go on without.
            (State::Failed | State::NeedsImage, None) => {}
            // Files that there is no place for can be changed: no boot partition of an image that is sent has
            // been there to try them.
            (State::Failed, Some(_)) if matches!(self.image, Supply::Streamed(_)) => {}
            (State::Leaving, _) => return Err(LEAVING.to_owned()),
            _ => return Err(COMMITTED.to_owned()),
        }
        let configuration: Configuration = serde_json::from_slice(input)
            .map_err(|error| format!("the configuration is not understood: {error}"))?;
        check_names(configuration.files.keys()).map_err(|error| error.to_string())?;
        self.configuration = Some(configuration);
        if self.state != State::Ready {
            self.resume();
        }
        Ok(())
    }

    fn commit(&mut self, nonce: &str) -> Result<(), String> {
        if nonce != self.job.nonce {
            return Err("the nonce is another job's".to_owned());
        }
        match self.state {
            State::Ready => {}
            State::Leaving => return Err(LEAVING.to_owned()),
            // Given once is given.
            _ => return Ok(()),
        }
        let configuration = self.configuration.as_ref().ok_or("there is no configuration")?;
        if matches!(&self.image, Supply::Streamed(image) if !image.has_first()) {
            return Err(NO_FIRST.to_owned());
        }
        if matches!(self.image, Supply::Missing(_)) {
            return Err(NO_IMAGE.to_owned());
        }
        self.switch.make_permanent(configuration)?;
        self.dead_man.commit();
        self.state = State::Committed;
        Ok(())
    }

    fn abort(&mut self) -> Result<(), String> {
        if self.state.is_committed() {
            return Err(format!("{COMMITTED}: there is no way back"));
        }
        self.state = State::Leaving;
        Ok(())
    }

    /// The image, to try a configuration on; none where it is not in memory.
    pub fn image(&self) -> Option<VerifiedImage> {
        match &self.image {
            Supply::Memory(image) => Some(image.clone()),
            Supply::Streamed(_) | Supply::Missing(_) => None,
        }
    }

    /// What is to be sent now; nobody else may send it until [`end_image`](Self::end_image) or
    /// [`end_part`](Self::end_part).
    ///
    /// # Errors
    /// Nothing is wanted.
    pub fn begin_image(&mut self) -> Result<Intake, String> {
        if self.state == State::Leaving {
            return Err(LEAVING.to_owned());
        }
        if self.is_receiving {
            return Err("the image is being sent already".to_owned());
        }
        let intake = match &self.image {
            Supply::Memory(_) => return Err("the image is in memory already".to_owned()),
            Supply::Missing(chunks) => Intake::Whole(self.job.image.clone(), chunks.clone()),
            Supply::Streamed(_) if self.wants().is_none() => {
                return Err(StreamError::NotWanted.to_string());
            }
            Supply::Streamed(image) => Intake::Part(image.clone()),
        };
        self.is_receiving = true;
        Ok(intake)
    }

    /// The controller has come: it need not say more.
    pub fn meet(&mut self) {
        self.dead_man.contact();
    }

    /// What nobody could try yet on the image that is coming.
    pub fn untried(&self) -> Option<Configuration> {
        self.configuration.clone().filter(|_| self.state == State::Ready)
    }

    /// Takes the image that was asked for, or notes that it was not to be had.
    ///
    /// # Errors
    /// It comes too late, or does not go onto the card: then there is nothing to wait for any more.
    pub fn end_image(&mut self, image: Option<VerifiedImage>) -> Result<(), String> {
        self.is_receiving = false;
        let Some(image) = image else { return Ok(()) };
        match self.state {
            State::Leaving => return Err(LEAVING.to_owned()),
            State::Ready => {
                self.switch.fits(&image).inspect_err(|why| self.fail(why.clone()))?;
                self.image = Supply::Memory(image);
            }
            _ => {
                self.image = Supply::Memory(image);
                self.resume();
            }
        }
        Ok(())
    }

    /// The image was not to be had from where the job says.
    pub fn not_fetched(&mut self, why: String) {
        let tries = self.unfetched.take().map_or(0, |unfetched| unfetched.tries);
        self.unfetched = Some(Unfetched { tries: tries.saturating_add(1), why });
    }

    /// A part has come, or what came of it. Before the commit that was the first, by which it shows whether
    /// the image goes onto the card.
    ///
    /// # Errors
    /// It does not.
    pub fn end_part(&mut self) -> Result<(), String> {
        self.is_receiving = false;
        match (self.state, &self.image) {
            (State::Ready, Supply::Streamed(image)) if image.has_first() => {
                self.switch.fits(image).inspect_err(|_| image.forget_first())
            }
            _ => Ok(()),
        }
    }

    /// Gives the work and begins it, if it can begin.
    pub fn begin_work(&mut self) -> Option<Work> {
        let work = match self.state {
            State::Committed => Work {
                image: match &self.image {
                    Supply::Memory(image) => Arc::new(image.clone()),
                    Supply::Streamed(image) => Arc::new(image.clone()),
                    Supply::Missing(_) => return None,
                },
                configuration: self.configuration.clone()?,
                no_lifeboat: self.job.no_lifeboat,
            },
            _ => return None,
        };
        (self.state, self.progress) = (State::Flashing, nothing_of(&self.job));
        Some(work)
    }

    /// It is so far.
    pub fn has_written(&mut self, progress: Progress) {
        self.progress = progress;
    }

    /// The card is the image's.
    pub fn has_flashed(&mut self) {
        (self.state, self.error) = (State::Flashed, None);
        self.progress.written = self.progress.total;
    }

    /// It cannot go on. Before the commit it leaves.
    pub fn fail(&mut self, error: String) {
        self.error = Some(error);
        self.state = if self.state.is_committed() { State::Failed } else { State::Leaving };
    }

    /// Past the commit: to be begun again, with what there is.
    pub fn resume(&mut self) {
        if let Some(obstacle) = &self.obstacle {
            (self.state, self.error) = (State::Failed, Some(obstacle.clone()));
            return;
        }
        self.state = match (&self.configuration, &self.image) {
            (None, _) => State::Failed,
            (Some(_), Supply::Missing(_)) => State::NeedsImage,
            (Some(_), Supply::Memory(_) | Supply::Streamed(_)) => State::Committed,
        };
        if self.state != State::Failed {
            self.error = None;
        }
    }

    /// Lets the dead-man look at the time since the start: when nobody came, it leaves.
    pub fn tick(&mut self, now: Duration) {
        if self.state == State::Ready {
            if let Some(why) = self.dead_man.is_over(now) {
                let why = self.excuse.take().unwrap_or_else(|| why.to_owned());
                self.fail(why);
            }
        }
    }

    /// Says why there is no commit yet, where nobody else would know: the dead-man's last words.
    pub fn excuse(&mut self, why: String) {
        self.excuse = Some(why);
    }

    /// Whole minutes until the dead-man leaves; nothing after the commit.
    pub fn minutes_left(&self, now: Duration) -> Option<u64> {
        self.dead_man.minutes_left(now)
    }
}

fn nothing_of(job: &Job) -> Progress {
    Progress { total: job.image.raw_size, written: 0 }
}

/// Past the commit nothing more has to be made permanent.
struct Already;

impl MakePermanent for Already {
    fn fits(&self, _: &dyn Image) -> Result<(), String> {
        Ok(())
    }

    fn make_permanent(&mut self, _: &Configuration) -> Result<(), String> {
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests;
