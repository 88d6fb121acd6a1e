//! Overlays and parameters of the device tree, in the form that balena's supervisor gives back unchanged.
//!
//! The supervisor (since v16, config-txt.ts) writes all parameters of the board first, then each overlay with a line
//! for each of its parameters, and compares what it reads from that file with what it was told. Whatever it reads
//! otherwise, it writes again, with a reboot each time.

use super::table::OVERCLOCKED;
use crate::boot_text::overlay_name;

/// The parameters that the supervisor takes for the board's wherever they stand.
const OF_THE_BOARD: &[&str] = &[
    "audio",
    "spi",
    "i2c",
    "i2c_arm",
    "i2c_vc",
    "i2c_baudrate",
    "i2c_arm_baudrate",
    "i2c_vc_baudrate",
];

/// Parameters that drive the card faster than it is made for.
const CARD_CLOCKS: &[&str] = &["sd_overclock", "overclock_50"];

/// What is collected of the device tree.
#[derive(Default)]
pub(super) struct Tree {
    /// The board's parameters.
    pub(super) parameters: Vec<String>,
    /// Overlays, each with its parameters.
    pub(super) overlays: Vec<String>,
    scope: Scope,
    begun: bool,
}

/// What a parameter is for that stands here: the firmware gives it to the overlay above it, and to the board if that
/// has none of its name (Raspberry Pi documentation: device trees, overlays and parameters).
#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Scope {
    #[default]
    Board,
    /// The last of the overlays, or the board.
    Overlay,
    /// An overlay that is not carried over, or may not be there.
    Lost,
}

impl Tree {
    /// Takes in the value of a `dtoverlay`; gives why not all of it can be kept.
    pub(super) fn overlay(&mut self, value: &str) -> Vec<String> {
        let begun = std::mem::replace(&mut self.begun, true);
        if overlay_name(value).is_empty() {
            self.scope = Scope::Board;
            // At the beginning it keeps the overlay of a HAT away; later it only ends the one above.
            return match begun {
                true => Vec::new(),
                false => {
                    vec!["balena has no word for it, so the overlay of a HAT will be loaded".into()]
                }
            };
        }
        let mut parts = value.split(',').map(str::trim).filter(|part| !part.is_empty());
        let mut entry = parts.next().unwrap_or_default().to_owned();
        let mut lost = Vec::new();
        for parameter in parts {
            match of_an_overlay(parameter) {
                Ok(()) => entry = format!("{entry},{parameter}"),
                Err(why) => lost.push(why),
            }
        }
        self.overlays.push(entry);
        self.scope = Scope::Overlay;
        lost
    }

    /// Takes note of a `dtoverlay` that is not carried over.
    pub(super) fn lose_overlay(&mut self) {
        (self.begun, self.scope) = (true, Scope::Lost);
    }

    /// Takes in the value of a `dtparam`; gives why not all of it can be kept.
    pub(super) fn parameters(&mut self, value: &str) -> Vec<String> {
        self.begun = true;
        let mut lost = Vec::new();
        for parameter in value.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let is_the_boards = OF_THE_BOARD.contains(&name(parameter));
            match (self.scope, self.overlays.last_mut()) {
                _ if CARD_CLOCKS.contains(&name(parameter)) => lost.push(OVERCLOCKED.to_owned()),
                (Scope::Overlay, Some(overlay)) if !is_the_boards => {
                    *overlay = format!("{overlay},{parameter}");
                }
                (Scope::Lost, _) if !is_the_boards => {
                    lost.push("it may be meant for an overlay that is not kept".to_owned());
                }
                _ => self.parameters.push(parameter.to_owned()),
            }
        }
        lost
    }
}

/// Can it be kept as a parameter of an overlay?
fn of_an_overlay(parameter: &str) -> Result<(), String> {
    let name = name(parameter);
    if CARD_CLOCKS.contains(&name) {
        return Err(format!("without {parameter}, since {OVERCLOCKED}"));
    }
    if OF_THE_BOARD.contains(&name) {
        return Err(format!(
            "without {parameter}, since balena takes every parameter of this name for the board's"
        ));
    }
    Ok(())
}

fn name(parameter: &str) -> &str {
    parameter.split('=').next().unwrap_or(parameter).trim()
}
