//! The hours of a device: the inventory's, else the policy's; and whether a migration fits into them at all.

use crate::estimate::{Estimate, with_margin};
use crate::plan::Finding;
use crate::span::Span;
use crate::window::Window;
use migos_inventory::{Device, WindowChoice};
use std::time::Duration;

/// The check that a migration fits into the hours of its device.
pub(super) const CHECK: &str = "window";

/// When a device may start and cross the point of no return; `None`: always.
pub(super) fn window(
    device: &Device,
    policy: Option<&Window>,
) -> Result<Option<Window>, Box<Finding>> {
    match &device.window {
        None => Ok(policy.cloned()),
        Some(WindowChoice::None) => Ok(None),
        Some(WindowChoice::Hours(hours)) => Window::try_from(hours).map(Some).map_err(|error| {
            let remedy = format!("mend `window.{}` in the inventory", error.key());
            Box::new(Finding {
                check: CHECK.into(),
                reason: format!("its window cannot be read: {error}"),
                remedy,
            })
        }),
    }
}

/// A device whose migration, as predicted and with the margin, is longer than its window ever is would wait for ever.
pub(super) fn too_short(window: &Window, estimate: &Estimate) -> Option<Finding> {
    let needed = with_margin(estimate.whole());
    let longest = window.longest().filter(|longest| *longest < needed)?;
    Some(Finding {
        check: CHECK.into(),
        reason: format!(
            "its window is open for {} at a time ({window}), and {} are predicted with the margin",
            Span(longest),
            whole_minutes(needed)
        ),
        remedy: "widen `window`, raise `bandwidth` if it is bounded, or leave the device out"
            .into(),
    })
}

fn whole_minutes(span: Duration) -> Span {
    Span::seconds(span.as_secs().div_ceil(60) * 60)
}
