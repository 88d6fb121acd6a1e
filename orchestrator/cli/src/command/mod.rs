//! The commands, one file each.

mod assess;
mod campaign;
mod cleanup;
mod control;
mod doctor;
mod export;
mod image;
mod init;
mod inventory;
mod lab;
mod migrate;
mod payload;
mod plan;
mod playbook;
mod policy;
mod probe;
mod report;
mod resume;
mod rollout;
mod schema;
mod status;
mod stock;
mod undo;
mod watch;

use crate::args::{Args, Command, Inventory, LabCommand, RunCommand};
use crate::failure::Failure;
use crate::input;
use crate::printer::Printer;

/// Runs what was typed; gives the exit code.
pub(crate) async fn run(args: Args, printer: &Printer) -> Result<u8, Failure> {
    let (printer, global) = (*printer, args.global);
    match args.command {
        Command::Lab { command: LabCommand::Up { lab } } => lab::up(&lab, &global, printer).await,
        Command::Lab { command: LabCommand::Run { lab } } => lab::run(&lab, &global, printer).await,
        Command::Lab { command: LabCommand::Twin(twin) } => {
            lab::twin(&twin, &global, printer).await
        }
        Command::Init(wanted) => init::run(&wanted, printer),
        Command::Inventory(wanted) => inventory::run(&wanted, &global, printer),
        Command::Probe { inventory, parallel, output, format } => {
            probe::run(&inventory, parallel, output.as_deref(), format, &global, printer).await
        }
        Command::Assess(mut wanted) => {
            wanted.policy = wanted.policy.or_else(input::preset_policy);
            assess::run(&wanted, &global, printer).await
        }
        Command::Plan { planning, output, html, detail, strict, format } => {
            let (output, html) = (output.as_deref(), html.as_deref());
            let detail = detail.as_deref();
            let planning = input::with_presets(planning)?;
            let wanted = plan::Wanted { output, html, detail, strict, format };
            plan::run(&planning, &wanted, &global, printer).await
        }
        Command::Migrate(mut migrate) => {
            migrate.planning = input::with_presets(migrate.planning)?;
            migrate::run(&migrate, &global, printer).await
        }
        Command::Status { run, watch: true, .. } => {
            watch::run(run.as_deref(), &global, printer).await
        }
        Command::Status { run: Some(name), limit, format, .. } if campaign::is_inventory(&name) => {
            let inventory = Inventory { inventory: vec![name.into()], limit, ssh_config: None };
            campaign::run(&inventory, format, &global, printer).await
        }
        Command::Status { run, limit, format, .. } => {
            status::run(run.as_deref(), limit.as_deref(), format, &global, printer)
        }
        Command::Report { run, format, output } => {
            report::run(run.as_deref(), format, output.as_deref(), &global, printer)
        }
        Command::Undo { run, limit } => undo::run(&run, limit.as_deref(), &global, printer).await,
        Command::Cleanup(wanted) => cleanup::run(&wanted, &global, printer).await,
        Command::Image { command } => image::run(command, printer).await,
        Command::Policy { command } => policy::run(command, &global, printer),
        Command::Playbook { command } => playbook::run(command, printer),
        Command::Payload { command } => payload::run(command, printer),
        Command::Run { command: RunCommand::Export { run, output } } => {
            export::run(&run, output.as_deref(), &global, printer)
        }
        Command::Schema { name } => schema::run(name, printer),
        Command::Doctor => Ok(doctor::run(printer)),
        Command::Resume(resume) => resume::run(&resume, &global, printer).await,
        Command::Pause { run } => control::pause(&run, &global, printer).await,
        Command::Stop { run, undo } => control::stop(&run, undo, &global, printer).await,
    }
}
