//! How the devices of a plan boot MIGOS: what is proven, what is changed, and where a hang needs hands.

use crate::Style;
use crate::words::{Tone, many, paint, paragraph, plain, short};
use migos_inventory::DeviceId;
use migos_playbooks::plan::{Boot, DevicePlan, Handover, Plan};
use migos_playbooks::policy::{Allow, Prove};
use migos_playbooks::requirement::overruled_by;
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
            let (devices, class) = (short(devices, 60), plain(&class));
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
    let commits_by_itself = |device: &DevicePlan| device.handover == Handover::Unattended;
    if let Some(unattended) = names(plan, commits_by_itself) {
        loud.push(format!(
            "Handover unattended: {unattended} cross the point of no return by themselves, and their config.json \
             with its key rests on the card from before the reboot on."
        ));
    }
    loud.extend(plan.allow.iter().map(|allow| allowed(plan, *allow)));
    let painted = |line: &str| {
        let text = line.trim_start();
        let indent = line.len() - text.len();
        format!("{:indent$}{}\n", "", paint(style, Tone::Bad, text))
    };
    let loud: String = loud.iter().map(|line| paragraph(style, 2, line)).collect();
    let mut text: String = loud.lines().map(painted).collect();
    let mut quiet = Vec::new();
    if names(plan, |device| !is_rewritten(device)).is_some() {
        let proof = match plan.prove {
            Prove::PerDevice => "proven on every device first",
            Prove::PerClass => "proven on the first device of each class",
            Prove::Never => "not proven first: the firmware's files are trusted",
        };
        quiet.push(format!(
            "Strategy one-shot{whom}: config.txt and cmdline.txt stay untouched; {proof}."
        ));
    }
    let calls_home = |device: &DevicePlan| matches!(device.handover, Handover::CallHome { .. });
    if let Some(callers) = names(plan, calls_home) {
        quiet.push(format!("Handover call-home: MIGOS is reached through a bastion on {callers}."));
    }
    if let Some(unknown) = names(plan, |device| device.may_be_tunnelled) {
        quiet.push(format!(
            "Not known on which address they are reached; a tunnel of Raspbian's own would not lead to MIGOS: {unknown}"
        ));
    }
    if let Some(unguarded) = names(plan, |device| !device.resets_a_hung_kernel) {
        quiet.push(format!(
            "Needs a power cycle, should the kernel of MIGOS hang before its watchdog runs: {unguarded}"
        ));
    }
    text.extend(quiet.iter().map(|line| paragraph(style, 2, line)));
    text
}

/// A refusal that a person has overruled, and for whom.
fn allowed(plan: &Plan, allow: Allow) -> String {
    let is_let_through = |device: &DevicePlan| {
        device.overruled.iter().any(|finding| overruled_by(&finding.check) == Some(allow))
    };
    let count = plan.devices.values().filter(|device| is_let_through(device)).count();
    let whom = match names(plan, is_let_through) {
        Some(devices) => format!("It lets through {}: {devices}.", many(count, "device")),
        None => "No device needs it.".to_owned(),
    };
    let means = match allow {
        Allow::UNGUARDED_KERNEL => {
            " A kernel that panics early hangs until somebody cuts the power."
        }
        Allow::NO_LIFEBOAT => {
            " A power cut while their boot partitions are overwritten leaves a card that does not boot."
        }
        _ => "",
    };
    format!("Allowed: {allow}. {whom}{means}")
}

/// The names of these devices, folded; `None` if there are none.
fn names(plan: &Plan, is_one: impl Fn(&DevicePlan) -> bool) -> Option<String> {
    let devices: Vec<_> =
        plan.devices.iter().filter(|(_, device)| is_one(device)).map(|(id, _)| id).collect();
    (!devices.is_empty()).then(|| short(devices, 60))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::sample;
    use crate::steps;
    use migos_playbooks::plan::{Finding, FirmwareKind, Update};

    #[test]
    fn where_nobody_knows_of_a_tunnel_that_is_said() {
        let mut plan = sample::plan();
        for device in plan.devices.values_mut() {
            device.may_be_tunnelled = device.boot_path == "/boot";
        }
        let text = strategy(&plan, Style { color: false, width: 120 });
        let line = text.lines().find(|line| line.contains("tunnel")).unwrap();
        assert!(line.ends_with("would not lead to MIGOS: kiosk-[001-003]"), "{line}");
    }

    #[test]
    fn an_update_of_the_firmware_is_said_loudly() {
        let mut plan = sample::plan_with_proof();
        for device in plan.devices.values_mut() {
            if let Boot::OneShot { update, .. } = &mut device.boot {
                let reason = "its firmware is too old for one-shot boot".into();
                *update = Some(Update { of: FirmwareKind::Card, reason });
            }
        }
        plan.allow = [Allow::NO_LIFEBOAT, Allow::UNGUARDED_KERNEL].into();
        for device in plan.devices.values_mut().filter(|device| device.boot_path == "/boot") {
            device.overruled.push(Finding {
                check: "kernel-restart".into(),
                reason: "the payload's kernel cannot restart the board".into(),
                remedy: "use another payload".into(),
            });
        }
        let style = Style { color: false, width: 120 };
        insta::assert_snapshot!(strategy(&plan, style), @r###"
        Strategy rewrite: config.txt is replaced for a while on kiosk-[061-062] (Pi 4B, debian 12, kernel 6.6.20-v8).
        The vendor's firmware update is installed first on kiosk-[001-003]: it has no undo, and is proven.
        Allowed: no-lifeboat. No device needs it. A power cut while their boot partitions are overwritten leaves a card that
          does not boot.
        Allowed: unguarded-kernel. It lets through 3 devices: kiosk-[001-003]. A kernel that panics early hangs until
          somebody cuts the power.
        Strategy one-shot on the others: config.txt and cmdline.txt stay untouched; proven on the first device of each
          class.
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
         5  · update-seen      look whether the new firmware can boot once, and whether there still is room
        "###);
    }

    #[test]
    fn who_gives_the_commit_is_said_and_secrets_on_the_card_loudly() {
        let mut plan = sample::plan();
        for device in plan.devices.values_mut() {
            device.handover = match device.boot_path.as_str() {
                "/boot" => Handover::Unattended,
                _ => Handover::CallHome { bastion: sample::bastion(), listen: 20_000 },
            };
        }
        let style = Style { color: false, width: 120 };
        insta::assert_snapshot!(strategy(&plan, style), @r###"
        Handover unattended: kiosk-[001-003] cross the point of no return by themselves, and their config.json with its key
          rests on the card from before the reboot on.
        Strategy one-shot: config.txt and cmdline.txt stay untouched; not proven first: the firmware's files are trusted.
        Handover call-home: MIGOS is reached through a bastion on kiosk-[061-062].
        Needs a power cycle, should the kernel of MIGOS hang before its watchdog runs: kiosk-[001-003]
        "###);
        let text = steps::text(&plan, style);
        insta::assert_snapshot!(text, @r###"
        What happens to kiosk-[001-003] (3 devices: Pi 3B+, raspbian 10, kernel 5.10.103-v7+, firmware May 14 2025)
          · changes nothing   + can be undone   ! reboots, or keeps Raspbian from booting   ‼ for good
           1  · check            compare identity and boot files with the plan
           2  + lock             take the device for this run: other controllers are turned away      undo: release
           3  + backup           back up the boot partition, to the device and to the run's folder:   undo: compare, then delete
                                 all of /boot
           4  + send-payload     send the MIGOS boot files, verified from the card: 17 MB to /boot    undo: delete
                                 (sha256 8ec5a17a)
           5  + send-image       send the balenaOS image, verified from the card: 164 MB (6a9d88ba)   undo: delete
           6  + preregister      register with balena: fleet acme/kiosks at api.balena-cloud.com      undo: delete the record
           7  + write-job        write the job for MIGOS: with its config.json and key for balena,    undo: delete
                                 which rest on the card
                 +kernel command line: console=tty1 panic=10 rdinit=/init
           8  + write-tryboot    write tryboot.txt: /boot/tryboot.txt                                 undo: delete
                 +[all]  +os_prefix=migos/  +initramfs initrd.migos followkernel  +arm_64bit=0  +[all]
               an undo goes back from here, the last step first; at its end the boot partition is compared with what it was
          ───────────── point of no return ─────────────
               from here on nobody can call it back: it commits by itself, or goes back to Raspbian by itself
           9  ‼ release          permit MIGOS to make itself permanent: it does so once it has verified the image and reached
                                 https://api.balena-cloud.com; Raspbian returns by itself if it has not within 30m
          10  ! arm              reboot once into MIGOS: Raspbian returns by itself if MIGOS has not  undo: falls back by itself
                                 committed within 30m
          11  · await-commit     wait until MIGOS has made itself permanent
          12  ‼ await-flash      write balenaOS to the card: balenaOS 6.0.24 for raspberrypi3, 1.9 GB unpacked
          13  · await-balena     wait until balena sees it well: in fleet acme/kiosks, on the image's balenaOS and the fleet's
                                 release; late after 20m, lost after 2h

        What happens to kiosk-[061-062] (2 devices: Pi 4B, debian 12, kernel 6.6.20-v8)
           1  · check            compare identity and boot files with the plan
           2  + lock             take the device for this run: other controllers are turned away      undo: release
           3  + backup           back up the boot partition, to the device and to the run's folder:   undo: compare, then delete
                                 all of /boot/firmware
           4  + send-payload     send the MIGOS boot files, verified from the card: 17 MB to          undo: delete
                                 /boot/firmware (sha256 8ec5a17a)
           5  + send-image       send the balenaOS image, verified from the card: 180 MB (1797b8a2)   undo: delete
           6  + admit            let MIGOS call the bastion: callers@bastion.example.org, port 22; a  undo: delete the key
                                 key of its own may offer one port there, for a day
           7  + write-job        write the job for MIGOS                                              undo: delete
                 +kernel command line: console=tty1 panic=10 rdinit=/init
           8  + write-tryboot    write tryboot.txt: /boot/firmware/tryboot.txt                        undo: delete
                 +[all]  +os_prefix=migos/  +initramfs initrd.migos followkernel  +arm_64bit=1  +enable_uart=1  +[all]
           9  ! arm              reboot once into MIGOS: Raspbian returns by itself if nobody speaks  undo: falls back by itself
                                 to MIGOS within 10m
          10  ! await-migos      wait for MIGOS: without a commit Raspbian returns after 30m          undo: reboot
          11  + register         register with balena: fleet acme/kiosks at api.balena-cloud.com      undo: delete the record
          12  · configure        hand over the device's configuration
               an undo goes back from here, the last step first; at its end the boot partition is compared with what it was
          ───────────── point of no return ─────────────
               no way back but a new card: Raspbian and all data on the card are lost from here on
          13  ‼ commit           make MIGOS permanent
          14  ‼ await-flash      write balenaOS to the card: balenaOS 6.0.24 for raspberrypi4-64, 1.9 GB unpacked
          15  · dismiss          close the bastion to it again: bastion.example.org
          16  · await-balena     wait until balena sees it well: in fleet acme/kiosks, on the image's balenaOS and the fleet's
                                 release; late after 20m, lost after 2h
        "###);
    }
}
