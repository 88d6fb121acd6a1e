//! A command of the user's own: run on Raspbian as root, with its own undo.
//!
//! It goes on when the connection is lost, and is waited for by whoever asks again. In one run and one boot it is done
//! once, however often it is asked for; after a reboot it may be done again.

use super::Failure;
use crate::executor::Device;
use crate::port::{BalenaApi, OwnOrder, Ran, Session, Transport};
use migos_events::Learned;
use migos_playbooks::step::{Output, OwnCommand, Step};

/// The exit codes by which programs say that a command was ended at its limit: of coreutils, and of a signal.
const ENDED: [u32; 3] = [124, 137, 143];

pub(super) async fn perform<T: Transport, B: BalenaApi>(
    step: &Step,
    device: &mut Device<T, B>,
) -> Result<Learned, Failure> {
    let Some(own) = &step.run else { return Ok(Learned::default()) };
    order(step, own, "do", &own.run, device).await?;
    Ok(Learned::default())
}

pub(super) async fn undo<T: Transport, B: BalenaApi>(
    step: &Step,
    device: &mut Device<T, B>,
) -> Result<(), Failure> {
    match &step.run {
        Some(own @ OwnCommand { undo: Some(undo), .. }) => {
            order(step, own, "undo", undo, device).await
        }
        Some(_) | None => Ok(()),
    }
}

async fn order<T: Transport, B: BalenaApi>(
    step: &Step,
    own: &OwnCommand,
    what: &str,
    command: &str,
    device: &mut Device<T, B>,
) -> Result<(), Failure> {
    let run = device.world.run.to_string();
    let order = OwnOrder {
        key: format!("{run}.{}.{what}", step.id),
        limit: own.limit.0,
        device: device.id.to_string(),
        run,
        command: command.to_owned(),
    };
    let Ran { code, output } = device.raspbian().await?.run(&order).await?;
    let said = match own.output {
        Output::Shown => output.trim().lines().collect::<Vec<_>>().join(" | "),
        Output::Hidden => String::new(),
    };
    if code == Some(0) {
        if !said.is_empty() {
            device.note(format!("{}: {said}", step.id)).await;
        }
        return Ok(());
    }
    let how = match code {
        Some(code) if ENDED.contains(&code) => {
            format!(
                "the command of {} was ended, exit code {code}; its limit is {}",
                step.id, own.limit
            )
        }
        Some(code) => format!("the command of {} ended with exit code {code}", step.id),
        None => format!("the command of {} was killed", step.id),
    };
    Err(Failure::Failed(if said.is_empty() { how } else { format!("{how}: {said}") }))
}
