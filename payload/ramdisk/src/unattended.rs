//! The commit that MIGOS gives by itself: only where nothing is left to see to. The image is verified by then; what
//! remains is that the network leads to balena, and that the permit has not expired.

use crate::control::Control;
use crate::http::{HttpError, Limits, Url, get};
use crate::tls::greet;
use migos_contract::{Command, State, Unattended};
use std::sync::{Mutex, PoisonError};
use thiserror::Error;

/// Why MIGOS does not commit, or not yet.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum Reason {
    /// The API is not a URL: it never will be.
    #[error("the job's API cannot be reached: {0}")]
    NoUrl(String),
    /// The API did not answer.
    #[error("balena's API was not reached: {0}")]
    NotReached(String),
    /// Nobody told the time, without which no permit is known to hold.
    #[error("the time is not known: {0}")]
    NoTime(String),
    /// It is too late.
    #[error("the permit has expired")]
    Expired,
}

/// What comes of one look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// All is well.
    Commit,
    /// Look again.
    NotYet(Reason),
    /// Time does not run backwards.
    Never(Reason),
}

/// What one look has seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sight {
    /// Whether the API answered.
    pub api: Result<(), String>,
    /// The time, in seconds since 1970 in UTC.
    pub time: Result<u64, String>,
}

impl Sight {
    /// What is to be done, for a permit that ends at that time.
    pub fn verdict(&self, expires: u64) -> Verdict {
        match (&self.api, &self.time) {
            (_, Ok(time)) if *time >= expires => Verdict::Never(Reason::Expired),
            (Err(why), _) => Verdict::NotYet(Reason::NotReached(why.clone())),
            (Ok(()), Err(why)) => Verdict::NotYet(Reason::NoTime(why.clone())),
            (Ok(()), Ok(_)) => Verdict::Commit,
        }
    }
}

/// The API, and the clock of its host.
#[derive(Debug, Clone)]
pub struct Lookout {
    api: Url,
    clock: Url,
    expires: u64,
    limits: Limits,
}

impl Lookout {
    /// Of a job.
    ///
    /// # Errors
    /// The API is not a URL.
    pub fn new(job: &Unattended, limits: Limits) -> Result<Self, Reason> {
        let api = Url::parse(&format!("{}/ping", job.api.trim_end_matches('/')))
            .map_err(|error| Reason::NoUrl(error.to_string()))?;
        let clock = match api.is_encrypted {
            // What is encrypted cannot be read here; on its host a plain server at least sends elsewhere, and says when.
            true => Url { is_encrypted: false, port: 80, path: "/".to_owned(), ..api.clone() },
            false => api.clone(),
        };
        Ok(Self { api, clock, expires: job.expires, limits })
    }

    /// The same, with another clock.
    #[cfg(test)]
    fn with_clock(self, clock: Url) -> Self {
        Self { clock, ..self }
    }

    /// Looks once. It takes as long as the network does.
    pub fn look(&self) -> (Sight, Verdict) {
        let date = || {
            let answer = get(&self.clock, None, self.limits)?;
            Ok(answer.date().ok_or_else(|| format!("{} does not tell it", self.clock)))
        };
        let date: Result<Result<u64, String>, HttpError> = date();
        let api = match (self.api.is_encrypted, &date) {
            (true, _) => greet(&self.api, self.limits).map_err(|error| error.to_string()),
            (false, Ok(_)) => Ok(()),
            (false, Err(error)) => Err(error.to_string()),
        };
        let time = date.unwrap_or_else(|error| Err(error.to_string()));
        let sight = Sight { api, time };
        let verdict = sight.verdict(self.expires);
        (sight, verdict)
    }

    /// Looks once, and commits if all is well; else the control is told why not, and says so should it come to
    /// nothing. Gives whether to look again.
    pub fn attempt(&self, control: &Mutex<Control>, nonce: &str) -> bool {
        let control = || control.lock().unwrap_or_else(PoisonError::into_inner);
        if control().status().state != State::Ready {
            return false;
        }
        let (sight, verdict) = self.look();
        let mut control = control();
        if sight.api.is_ok() {
            // Whom it came for has been met: from now on it may wait for the rest.
            let _ = control.handle(&Command::Status, b"");
        }
        match verdict {
            Verdict::Commit => {
                let commit = Command::Commit { nonce: nonce.to_owned() };
                match control.handle(&commit, b"") {
                    Ok(()) => return false,
                    Err(why) => control.excuse(why),
                }
            }
            Verdict::NotYet(reason) => control.excuse(reason.to_string()),
            Verdict::Never(reason) => {
                control.excuse(reason.to_string());
                return false;
            }
        }
        true
    }
}

#[cfg(test)]
mod tests;
