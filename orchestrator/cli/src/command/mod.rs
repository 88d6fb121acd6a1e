//! The commands, one file each.

mod campaign;
mod doctor;
mod image;
mod inventory;
mod lab;
mod migrate;
mod payload;
mod plan;
mod probe;
mod resume;
mod rollout;
mod status;
mod stock;
mod undo;

use crate::args::{Args, Command, Inventory, LabCommand};
use crate::failure::Failure;
use crate::printer::Printer;

/// Runs what was typed; gives the exit code.
pub(crate) async fn run(args: Args, printer: &Printer) -> Result<u8, Failure> {
    let (printer, global) = (*printer, args.global);
    match args.command {
        Command::Lab { command: LabCommand::Up { lab } } => lab::up(&lab, &global, printer).await,
        Command::Lab { command: LabCommand::Run { lab } } => lab::run(&lab, &global, printer).await,
        Command::Inventory { inventory, format } => inventory::run(&inventory, format, printer),
        Command::Probe { inventory, parallel, output, format } => {
            probe::run(&inventory, parallel, output.as_deref(), format, &global, printer).await
        }
        Command::Plan { planning, output, strict, format } => {
            let wanted = plan::Wanted { output: output.as_deref(), strict, format };
            plan::run(&planning, &wanted, &global, printer).await
        }
        Command::Migrate(migrate) => migrate::run(&migrate, &global, printer).await,
        Command::Status { run: Some(name), limit, format } if campaign::is_inventory(&name) => {
            let inventory = Inventory { inventory: name.into(), limit };
            campaign::run(&inventory, format, &global, printer).await
        }
        Command::Status { run, format, .. } => {
            status::run(run.as_deref(), format, &global, printer)
        }
        Command::Undo { run, limit } => undo::run(&run, limit.as_deref(), &global, printer).await,
        Command::Image { command } => image::run(command, printer),
        Command::Payload { command } => payload::run(command, printer),
        Command::Doctor => Ok(doctor::run(printer)),
        Command::Resume { run } => resume::run(&run, &global, printer).await,
    }
}
