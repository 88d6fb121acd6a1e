//! How the devices of a plan boot MIGOS: what is proven, what is changed, and where a hang needs hands.

use crate::Style;
use crate::words::{Tone, paint, plain};
use migos_inventory::{DeviceId, fold};
use migos_playbooks::plan::{Boot, DevicePlan, Plan};
use migos_playbooks::policy::{Allow, Prove};
use std::collections::BTreeMap;

/// The lines of a plan about it; what a person has to weigh comes first.
pub(crate) fn strategy(plan: &Plan, style: Style) -> String {
    let is_rewritten = |device: &DevicePlan| matches!(device.boot, Boot::Rewrite { .. });
    let mut classes: BTreeMap<String, Vec<&DeviceId>> = BTreeMap::new();
    for (id, device) in plan.devices.iter().filter(|(_, device)| is_rewritten(device)) {
        classes.entry(device.class.to_string()).or_default().push(id);
    }
    let whom = if classes.is_empty() { "" } else { " on the others" };
    let mut loud: Vec<String> = classes
        .into_iter()
        .map(|(class, devices)| {
            let (devices, class) = (fold(devices), plain(&class));
            format!("Strategy rewrite: config.txt is replaced for a while on {devices} ({class}).")
        })
        .collect();
    let is_updated =
        |device: &DevicePlan| matches!(device.boot, Boot::OneShot { update: Some(_), .. });
    if let Some(updated) = names(plan, is_updated) {
        loud.push(format!(
            "The vendor's firmware update is installed first on {updated}: it has no undo, and is proven."
        ));
    }
    if plan.allow.contains(&Allow::UnguardedKernel) {
        loud.push(
            "Allowed: unguarded-kernel. A kernel that panics early hangs until somebody cuts the power."
                .to_owned(),
        );
    }
    let mut text: String =
        loud.iter().map(|line| format!("  {}\n", paint(style, Tone::Bad, line))).collect();
    if names(plan, |device| !is_rewritten(device)).is_some() {
        let proof = match plan.prove {
            Prove::PerDevice => "proven on every device first",
            Prove::PerClass => "proven on the first device of each class",
            Prove::Never => "not proven first: the firmware's files are trusted",
        };
        text += &format!(
            "  Strategy one-shot{whom}: config.txt and cmdline.txt stay untouched; {proof}.\n"
        );
    }
    if let Some(unguarded) = names(plan, |device| !device.resets_a_hung_kernel) {
        text += &format!(
            "  Needs a power cycle, should the kernel of MIGOS hang before its watchdog runs: {unguarded}\n"
        );
    }
    text
}

/// The names of these devices, folded; `None` if there are none.
fn names(plan: &Plan, is_one: impl Fn(&DevicePlan) -> bool) -> Option<String> {
    let devices: Vec<_> =
        plan.devices.iter().filter(|(_, device)| is_one(device)).map(|(id, _)| id).collect();
    (!devices.is_empty()).then(|| fold(devices))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::sample;
    use crate::steps;
    use migos_playbooks::plan::{FirmwareKind, Update};

    #[test]
    fn an_update_of_the_firmware_is_said_loudly() {
        let mut plan = sample::plan_with_proof();
        for device in plan.devices.values_mut() {
            if let Boot::OneShot { update, .. } = &mut device.boot {
                let reason = "its firmware is too old for one-shot boot".into();
                *update = Some(Update { of: FirmwareKind::Card, reason });
            }
        }
        plan.allow.insert(Allow::UnguardedKernel);
        let style = Style { color: false, width: 120 };
        insta::assert_snapshot!(strategy(&plan, style), @r###"
        Strategy rewrite: config.txt is replaced for a while on kiosk-[061-062] (Pi 4B, debian 12, kernel 6.6.20-v8).
        The vendor's firmware update is installed first on kiosk-[001-003]: it has no undo, and is proven.
        Allowed: unguarded-kernel. A kernel that panics early hangs until somebody cuts the power.
        Strategy one-shot on the others: config.txt and cmdline.txt stay untouched; proven on the first device of each class.
        Needs a power cycle, should the kernel of MIGOS hang before its watchdog runs: kiosk-[001-003]
        "###);
        let text = steps::text(&plan, style);
        let from = text.find("  ───────────── the vendor's update").unwrap();
        let until = text.find("   6  ").unwrap();
        insta::assert_snapshot!(text[from..until], @r###"
        ───────────── the vendor's update of the firmware: it has no undo ─────────────
             a power cut while it is installed may need hands; the data on the card stay
             because its firmware is too old for one-shot boot
         3  ! update-firmware  install the vendor's newer firmware: the packages                    undo: none, it stays
                               raspberrypi-bootloader and raspberrypi-kernel, from the archives
                               that it knows
         4  ! update-reboot    reboot into the same Raspbian, on the new firmware                   undo: wait for Raspbian
         5  · update-seen      look whether the new firmware can boot once, and whether there
                               still is room
        "###);
    }
}
