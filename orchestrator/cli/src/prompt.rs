//! What a person is asked.

use crate::failure::{Failure, Kind};
use migos_playbooks::plan::Plan;
use std::io::{self, BufRead, IsTerminal, Write};

/// Names the stakes and asks for the number of devices.
pub(crate) fn confirm(plan: &Plan) -> Result<(), Failure> {
    let devices = plan.devices.len();
    if !io::stdin().is_terminal() {
        let what = format!("nobody is there to confirm that {devices} devices are erased");
        return Err(Failure::new(Kind::Usage, what).hint("run it in a terminal, or add --yes"));
    }
    let mut err = io::stderr().lock();
    let _ = write!(
        err,
        "\n{devices} cards will be erased and get balenaOS. Past the point of no return there is no way \
         back but a new card.\nType the number of devices to go on, anything else to leave: "
    );
    let _ = err.flush();
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    if read.is_ok() && answer.trim() == devices.to_string() {
        return Ok(());
    }
    Err(Failure::new(Kind::NotStarted, "not confirmed; nothing was changed"))
}
