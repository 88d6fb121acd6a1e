//! Moves fleets of live Raspberry Pis from Raspbian to balenaOS.
//!
//! - [`args`]: what can be typed. [`failure`]: what went wrong, in words and as an exit code.
//! - [`input`]: reads inventory, policy, payloads, images and saved files.
//! - [`command`]: one file for each command.
//! - [`wire`]: the only place that reads the clock, the environment and randomness, and that connects the
//!   engine with SSH and balena.
//! - [`hooks`]: commands of the policy; [`announce`]: tells one of them what happens. [`awake`]: no sleep meanwhile.
//! - [`capacity`]: what this computer can take at a time.
//! - [`screen`]: what a run says while it goes on. [`prompt`]: what a person is asked.

mod announce;
mod args;
mod awake;
mod capacity;
mod command;
mod failure;
mod hooks;
mod input;
mod log;
mod printer;
mod prompt;
mod screen;
mod signals;
mod wire;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args = match args::Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            // clap writes help to stdout and mistakes to stderr; nobody may be reading either.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let printer = printer::Printer::new(args.global.color);
    log::start(args.global.verbose);
    capacity::raise();
    let runtime = match args.command {
        // Virtual devices work as real ones would: beside each other.
        args::Command::Lab { .. } => tokio::runtime::Runtime::new(),
        _ => migos_ssh::runtime(),
    };
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            printer.failure(&failure::Failure::internal("failed to start", &error));
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(async {
        command::run(args, &printer).await.unwrap_or_else(|failure| {
            printer.failure(&failure);
            failure.exit_code()
        })
    });
    // A resolver or a disk that hangs must not hold up the end.
    runtime.shutdown_background();
    ExitCode::from(code)
}
