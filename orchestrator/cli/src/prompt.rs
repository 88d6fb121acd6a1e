//! What a person is asked.

use crate::args::Global;
use crate::failure::{Failure, Kind};
use crate::input::Asks;
use crate::signals::Signals;
use crate::wire::{self, Passwords};
use migos_playbooks::plan::Plan;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use std::collections::BTreeMap;
use std::io::{self, BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Names the stakes and asks for the number of devices.
pub(crate) fn confirm(plan: &Plan) -> Result<(), Failure> {
    let devices = plan.devices.len();
    let stakes = format!(
        "{devices} cards will be erased and get balenaOS. Past the point of no return there is no way \
         back but a new card.\nType the number of devices to go on, anything else to leave: "
    );
    ask(devices, &format!("{devices} devices are erased"), &stakes)
}

/// Names what is deleted on balena and asks for the number of records.
pub(crate) fn confirm_deletion(records: usize) -> Result<(), Failure> {
    let stakes = format!(
        "{records} records of devices that never arrived will be deleted on balena.\n\
         Type the number of records to go on, anything else to leave: "
    );
    ask(records, &format!("{records} records are deleted"), &stakes)
}

/// The passwords that this command was told to ask for, by its flags or by `ansible.cfg`: each is asked for once, and never
/// shown.
pub(crate) fn passwords(global: &Global, asks: Asks) -> Result<Passwords, Failure> {
    static LOGIN: OnceLock<Arc<str>> = OnceLock::new();
    static SUDO: OnceLock<Arc<str>> = OnceLock::new();
    let ask = |wanted: bool, name: &str, what: &str, known: &OnceLock<Arc<str>>| {
        if !wanted {
            return Ok(None);
        }
        if let Some(password) = known.get().cloned().or_else(|| wire::password_variable(name)) {
            return Ok(Some(password));
        }
        let Some(password) = hidden(&format!("{what} on the devices: "))? else {
            let what = format!("nobody is there to be asked for the {what}");
            let hint = format!("run it in a terminal, or set {name}");
            return Err(Failure::new(Kind::Usage, what).hint(hint));
        };
        Ok(Some(known.get_or_init(|| password).clone()))
    };
    Ok(Passwords {
        login: ask(global.ask_pass || asks.login, "MIGOS_SSH_PASSWORD", "password", &LOGIN)?,
        sudo: ask(
            global.ask_become_pass || asks.sudo,
            "MIGOS_SUDO_PASSWORD",
            "sudo password",
            &SUDO,
        )?,
        ..Passwords::default()
    })
}

/// Asks for the passphrase of a key, once; nothing if nobody is there.
pub(crate) fn passphrase(path: &Path) -> Result<Option<Arc<str>>, Failure> {
    static KNOWN: Mutex<BTreeMap<PathBuf, Arc<str>>> = Mutex::new(BTreeMap::new());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(passphrase) = known.get(path) {
        return Ok(Some(passphrase.clone()));
    }
    let answer = hidden(&format!("Passphrase of the key {}: ", path.display()))?;
    let answer = answer.filter(|answer| !answer.is_empty());
    if let Some(answer) = &answer {
        known.insert(path.to_owned(), answer.clone());
    }
    Ok(answer)
}

/// The terminal as it was, while it shows nothing of what is typed.
static SILENCED: Mutex<Option<Termios>> = Mutex::new(None);

/// A terminal that shows what is typed again once this is gone.
struct Silenced;

impl Silenced {
    fn terminal() -> io::Result<Self> {
        // First of all: whoever interrupts the program gets back a terminal that shows what they type.
        Signals::before_end(leave);
        let mut before = SILENCED.lock().unwrap_or_else(PoisonError::into_inner);
        let found = tcgetattr(io::stdin())?;
        let mut silent = found.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        *before = Some(found);
        tcsetattr(io::stdin(), OptionalActions::Flush, &silent)?;
        Ok(Silenced)
    }
}

impl Drop for Silenced {
    fn drop(&mut self) {
        show_again();
    }
}

/// Shows what is typed again; true if it was not shown.
fn show_again() -> bool {
    let before = SILENCED.lock().unwrap_or_else(PoisonError::into_inner).take();
    before.is_some_and(|before| tcsetattr(io::stdin(), OptionalActions::Now, &before).is_ok())
}

/// Leaves the terminal as it was, on a line of its own.
fn leave() {
    if show_again() {
        let _ = writeln!(io::stderr());
    }
}

/// Asks in the terminal for what must not be seen; nothing if nobody is there.
fn hidden(question: &str) -> Result<Option<Arc<str>>, Failure> {
    if !io::stdin().is_terminal() {
        return Ok(None);
    }
    let failed = |error: io::Error| Failure::internal("failed to ask in the terminal", &error);
    let silenced = Silenced::terminal().map_err(failed)?;
    let _ = write!(io::stderr(), "{question}");
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).map_err(failed)?;
    let _ = writeln!(io::stderr());
    drop(silenced);
    Ok(Some(answer.trim_end_matches(['\r', '\n']).into()))
}

/// Asks for a number, which nobody types by accident.
fn ask(number: usize, what: &str, stakes: &str) -> Result<(), Failure> {
    if !io::stdin().is_terminal() {
        let what = format!("nobody is there to confirm that {what}");
        return Err(Failure::new(Kind::Usage, what).hint("run it in a terminal, or add --yes"));
    }
    let mut err = io::stderr().lock();
    let _ = write!(err, "\n{stakes}");
    let _ = err.flush();
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    if read.is_ok() && answer.trim() == number.to_string() {
        return Ok(());
    }
    Err(Failure::new(Kind::NotStarted, "not confirmed; nothing was changed"))
}
