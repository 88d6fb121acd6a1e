//! `doctor`: what this computer needs for what.

use crate::printer::Printer;
use crate::wire;
use migos_payload_builder::host::{self, Purpose};

/// Exits with 0 if nothing is missing, else with 4.
pub(super) fn run(printer: Printer) -> u8 {
    let findings = host::examine(&wire::search_path());
    let mut text = String::new();
    for purpose in [Purpose::Build, Purpose::Ramdisk, Purpose::Card] {
        text += &format!("{}\n", title(purpose));
        for finding in findings.iter().filter(|it| it.tool.purpose == purpose) {
            let state = match &finding.found {
                Some(path) => path.display().to_string(),
                None => format!("missing: package {}", finding.tool.package),
            };
            text += &format!("  {:<24}{state}\n", finding.tool.program);
        }
    }
    text +=
        "migrate, probe and everything else over SSH and to balena: nothing besides this program\n";
    printer.out(&text);
    match host::remedy(&findings) {
        None => 0,
        Some(command) => {
            printer.say(&format!("hint: install what is missing with: {command}"));
            4
        }
    }
}

fn title(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Build => "payload build",
        Purpose::Ramdisk => "payload build without --ramdisk-program",
        Purpose::Card => "payload write-card",
    }
}
