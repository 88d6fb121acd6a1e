//! `playbook`: the steps of a playbook, and whether it can be read.

use crate::args::PlaybookCommand;
use crate::failure::{Failure, Kind, OrFail};
use crate::input;
use crate::printer::Printer;
use migos_playbooks::playbook::Playbook;
use migos_report::playbook_text;

pub(super) fn run(command: PlaybookCommand, printer: Printer) -> Result<u8, Failure> {
    match command {
        PlaybookCommand::Show { playbook } => {
            let playbook = match playbook {
                Some(path) => input::playbook_file(&path)?,
                None => Playbook::migrate().or_fail(Kind::Internal)?,
            };
            printer.out(&playbook_text(&playbook, printer.out_style()));
        }
        PlaybookCommand::Check { playbook } => {
            input::playbook_file(&playbook)?;
            printer.out(&format!("{}: nothing is wrong with it\n", playbook.display()));
        }
    }
    Ok(0)
}
