//! `/init` and, by another name, `migos-ctl`.

use migos_contract::PROGRAM;
use migos_ramdisk::control::{SOCKET, call};
use migos_ramdisk::life;
use std::io;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().collect();
    let name = words.first().and_then(|word| word.rsplit('/').next()).unwrap_or_default();
    match (name, words.get(1).map(String::as_str)) {
        (PROGRAM, _) => ask(&words[1..]),
        (_, Some(PROGRAM)) => ask(&words[2..]),
        (_, None) if std::process::id() == 1 => life::init(),
        (_, Some(life::LIFE)) => life::live(),
        (_, Some(event @ ("bound" | "renew" | "deconfig" | "leasefail" | "nak"))) => {
            // This is how udhcpc speaks to its script.
            #[allow(clippy::disallowed_methods)]
            life::dhcp_event(event, |name| std::env::var(name).ok());
            ExitCode::SUCCESS
        }
        _ => {
            ask(&words[1..]);
            ExitCode::from(2)
        }
    }
}

fn ask(words: &[String]) -> ExitCode {
    let words: Vec<String> = [&[PROGRAM.to_owned()], words].concat();
    let socket = Path::new(SOCKET);
    ExitCode::from(call(socket, &words, &mut io::stdin(), &mut io::stdout(), &mut io::stderr()))
}
