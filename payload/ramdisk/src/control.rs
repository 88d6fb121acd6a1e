//! `migos-ctl`: what the controller asks of MIGOS, and what MIGOS says of itself.

mod socket;

pub(crate) use socket::nameless;
pub use socket::{SOCKET, Server, call};

use crate::dead_man::DeadMan;
use crate::flash::{Progress, check_names};
use crate::image::VerifiedImage;
use migos_contract::{Command, Configuration, Image as Promise, Job, Part, State, Status};
use std::time::Duration;

/// Whoever writes the commit to the card.
pub trait MakePermanent {
    /// Makes MIGOS what every reset boots.
    ///
    /// # Errors
    /// Why the commit did not reach the card.
    fn make_permanent(&mut self, configuration: &Configuration) -> Result<(), String>;
}

/// All that is to be written.
pub struct Work {
    /// The image, verified.
    pub image: VerifiedImage,
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
    image: Option<VerifiedImage>,
    is_receiving: bool,
    dead_man: DeadMan,
    switch: Box<dyn MakePermanent + Send>,
}

const COMMITTED: &str = "the commit has been given";
const LEAVING: &str = "on the way back to Raspbian";

impl Control {
    /// Before the commit, with everything at hand.
    pub fn ready(
        job: Job,
        serial: String,
        image: VerifiedImage,
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
            image: Some(image),
            is_receiving: false,
            dead_man,
            switch,
        }
    }

    /// After a reset past the commit. What is missing, the controller is asked for; an obstacle it cannot
    /// help with.
    pub fn resumed(
        job: Job,
        serial: String,
        configuration: Result<Configuration, String>,
        image: Option<VerifiedImage>,
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
            dead_man,
            switch: Box::new(Already),
        };
        control.resume();
        control
    }

    /// What is told of it.
    pub fn status(&self) -> Status {
        Status {
            state: self.state,
            nonce: self.job.nonce.clone(),
            serial: self.serial.clone(),
            written: self.progress.written,
            total: self.progress.total,
            wants: self.wants(),
            configured: self.configuration.is_some(),
            error: self.error.clone(),
        }
    }

    fn wants(&self) -> Option<Part> {
        (self.state == State::NeedsImage).then_some(Part { offset: 0, length: self.job.image.size })
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
            (State::Ready, _) => {}
            // Lost from the card since the commit: nothing can go on without.
            (State::Failed | State::NeedsImage, None) => {}
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

    /// The image, to try a configuration on.
    pub fn image(&self) -> Option<VerifiedImage> {
        self.image.clone()
    }

    /// The image that is asked for; nobody else may send it until [`end_image`](Self::end_image).
    ///
    /// # Errors
    /// None is asked for.
    pub fn begin_image(&mut self) -> Result<Promise, String> {
        self.dead_man.contact();
        if self.state == State::Leaving {
            return Err(LEAVING.to_owned());
        }
        if self.image.is_some() {
            return Err("the image is in memory already".to_owned());
        }
        if std::mem::replace(&mut self.is_receiving, true) {
            return Err("the image is being sent already".to_owned());
        }
        Ok(self.job.image.clone())
    }

    /// Takes the image that was asked for, or notes that it was not to be had.
    pub fn end_image(&mut self, image: Option<VerifiedImage>) {
        self.is_receiving = false;
        if image.is_some() {
            self.image = image;
            self.resume();
        }
    }

    /// Gives the work and begins it, if it can begin.
    pub fn begin_work(&mut self) -> Option<Work> {
        let work = match self.state {
            State::Committed => Work {
                image: self.image.clone()?,
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
            (Some(_), None) => State::NeedsImage,
            (Some(_), Some(_)) => State::Committed,
        };
        if self.state != State::Failed {
            self.error = None;
        }
    }

    /// Lets the dead-man look at the time since the start: when nobody came, it leaves.
    pub fn tick(&mut self, now: Duration) {
        if self.state == State::Ready {
            if let Some(why) = self.dead_man.is_over(now) {
                self.fail(why.to_owned());
            }
        }
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
    fn make_permanent(&mut self, _: &Configuration) -> Result<(), String> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
