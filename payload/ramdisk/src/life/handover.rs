//! Who gives the commit, and who brings the image if it is gone: what MIGOS does for that besides waiting.

use super::boot_partition::Secrets;
use super::kernel::log;
use crate::call_home::CallHome;
use crate::control::{Control, Server};
use crate::fetch::Source;
use crate::http::Limits;
use crate::pauses::Pauses;
use crate::programs::Programs;
use crate::unattended::Lookout;
use migos_contract::{Bastion, Handover, Job, Unattended};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// Where the way home is kept in memory.
const CALL_HOME: &str = "/run/migos/call-home";
/// MIGOS's own SSH server.
const SSH_PORT: u16 = 22;
/// How often it is looked whether the image is missing.
const LOOK: Duration = Duration::from_secs(1);
/// How often an unattended MIGOS looks whether it may commit.
const LOOKOUT: Duration = Duration::from_secs(10);
/// A call that has lasted so long was a good one.
const GOOD_CALL: Duration = Duration::from_secs(60);

/// Begins what the job asks for. It goes on by itself.
///
/// # Errors
/// The job cannot be carried out. Past the commit that is only said: whatever else there is goes on.
pub(super) fn start(
    job: &Job,
    secrets: Secrets,
    server: Server,
    control: &Arc<Mutex<Control>>,
) -> Result<(), String> {
    let is_committed = server.status().state.is_committed();
    let begun = match &job.handover {
        Handover::Attended => Ok(()),
        Handover::CallHome(bastion) => call_home(bastion, secrets.call_home_key),
        Handover::Unattended(_) if is_committed => Ok(()),
        Handover::Unattended(permit) => {
            commit_alone(permit, secrets.configuration, &server, job.nonce.clone(), control)
        }
    };
    match Source::of_job(&job.image, Limits::default()) {
        Ok(Some(source)) => fetch(source, server),
        Ok(None) => {}
        Err(error) if is_committed => log(&error.to_string()),
        Err(error) => return Err(error.to_string()),
    }
    match begun {
        Err(why) if is_committed => {
            log(&why);
            Ok(())
        }
        other => other,
    }
}

/// Calls home, and again whenever the call ends.
fn call_home(bastion: &Bastion, key: Option<Vec<u8>>) -> Result<(), String> {
    let key = key.ok_or("there is no key for the way home")?;
    let call = CallHome::new(bastion, SSH_PORT, Path::new(CALL_HOME), &key)?;
    thread::spawn(move || {
        let programs = Programs::of_this_system();
        let (mut pauses, mut said) = (Pauses::new(2, 30), String::new());
        loop {
            let begun = Instant::now();
            let why = call.call(&programs);
            if begun.elapsed() > GOOD_CALL {
                pauses.reset();
                said.clear();
            }
            if why != said {
                log(&why);
                said = why;
            }
            thread::sleep(pauses.after_failure());
        }
    });
    Ok(())
}

/// Configures what was left on the card, and commits as soon as it may.
fn commit_alone(
    permit: &Unattended,
    configuration: Option<Vec<u8>>,
    server: &Server,
    nonce: String,
    control: &Arc<Mutex<Control>>,
) -> Result<(), String> {
    let lookout = Lookout::new(permit, Limits::default()).map_err(|reason| reason.to_string())?;
    let configuration = configuration.ok_or("there is no configuration on the card")?;
    server.configure(&configuration)?;
    let control = Arc::clone(control);
    thread::spawn(move || {
        while lookout.attempt(&control, &nonce) {
            thread::sleep(LOOKOUT);
        }
    });
    Ok(())
}

/// Fetches the image whenever it is missing and nobody else sends it.
fn fetch(source: Source, server: Server) {
    thread::spawn(move || {
        // Short enough for a controller that would send it otherwise.
        let mut pauses = Pauses::new(5, 30);
        loop {
            match source.serve(&server) {
                Ok(true) => pauses.reset(),
                Ok(false) => thread::sleep(LOOK),
                Err(error) => {
                    log(&format!("the image was not fetched: {error}"));
                    server.not_fetched(error.to_string());
                    thread::sleep(pauses.after_failure());
                }
            }
        }
    });
}
