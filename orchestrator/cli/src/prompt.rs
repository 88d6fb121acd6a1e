//! What a person is asked.

use crate::failure::{Failure, Kind};
use migos_playbooks::plan::Plan;
use std::io::{self, BufRead, IsTerminal, Write};

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
