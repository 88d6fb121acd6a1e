//! The plan as a person reads it: who, when, what, and what cannot be taken back.

use crate::grid::columns;
use crate::words::{Tone, duration, many, paint, plain};
use crate::{Style, limits, steps};
use migos_inventory::{DeviceId, fold};
use migos_playbooks::estimate::{Prediction, StagePrediction};
use migos_playbooks::plan::{Finding, Plan, SetAside, Stage};
use std::collections::BTreeMap;

/// The text of a plan. `prediction` is how long it takes, or why that cannot be told; `facts_age` how old the facts are
/// (`4 min old`), `source` the inventory's name, `hint` the line that says how to run it.
pub fn plan_text(
    plan: &Plan,
    style: Style,
    prediction: Option<Result<&Prediction, &str>>,
    facts_age: Option<&str>,
    source: &str,
    hint: &str,
) -> String {
    let mut text = header(plan, style, facts_age, source);
    text += "\n";
    text += &results(plan, style);
    if !plan.devices.is_empty() {
        text += &format!("\n{}\n", paint(style, Tone::Plain, "Stages"));
        text += &columns(style, plan.stages.iter().map(|stage| stage_row(plan, stage)).collect());
        text += &prediction.map(takes).unwrap_or_default();
        text += &limits::whole_run(plan, style);
        text += &steps::text(plan, style);
    }
    text += &refused(plan, style);
    if !plan.devices.is_empty() {
        text += "\nErased: the whole card of each migrated device. Nothing on it is kept; copy off first what you need.\n";
        text += "Untouched: devices outside the selection, and those set aside.\n";
    }
    text += "\nNothing was changed to make this plan.\n";
    text += &format!("{hint}\n");
    text
}

/// How long the stages take, and the run.
fn takes(prediction: Result<&Prediction, &str>) -> String {
    let prediction = match prediction {
        Ok(prediction) => prediction,
        Err(why) => return format!("  How long it takes cannot be told: {}\n", plain(why)),
    };
    let stage = |stage: &StagePrediction| format!("{} {}", stage.name, duration(stage.takes));
    let stages: Vec<String> = prediction.stages.iter().map(stage).collect();
    let people = match prediction.pauses {
        0 => String::new(),
        pauses => format!(", and what a person takes at {}", many(pauses, "gate")),
    };
    format!(
        "  If all goes well: {}; {} in all{people}, begun now. Estimated until a device has shown it.\n",
        stages.join(", "),
        duration(prediction.whole)
    )
}

fn header(plan: &Plan, style: Style, facts_age: Option<&str>, source: &str) -> String {
    let mut parts = vec![
        paint(style, Tone::Plain, &format!("Plan {}", plan.id.short())),
        source.to_owned(),
        many(plan.devices.len() + plan.set_aside.len(), "device"),
    ];
    for (digest, payload) in &plan.payloads {
        parts.push(format!("payload MIGOS {} (sha256 {})", payload.version, digest.short()));
    }
    parts.extend(facts_age.map(|age| format!("facts {age}")));
    parts.join("  ") + "\n"
}

/// One row per result and reason.
fn results(plan: &Plan, style: Style) -> String {
    let mut groups: BTreeMap<(usize, &str, String), Vec<&DeviceId>> = BTreeMap::new();
    for (device, why) in &plan.set_aside {
        let (rank, result, reason) = match why {
            SetAside::AlreadyMigrated { os_version: Some(version) } => {
                (1, "done", format!("already on {}", plain(version)))
            }
            SetAside::AlreadyMigrated { os_version: None } => {
                (1, "done", "already on balena, OS version not known".into())
            }
            SetAside::Held(reason) => (2, "held", format!("\"{}\"", plain(reason))),
            SetAside::Refused(_) => (3, "refused", "see below".into()),
            SetAside::Unreachable(reason) => (4, "unreachable", plain(reason)),
        };
        groups.entry((rank, result, reason)).or_default().push(device);
    }
    let row = |result: &str, devices: Vec<&DeviceId>, reason: &str| {
        vec![result.into(), format!("{:>4}", devices.len()), fold(devices), reason.into()]
    };
    let mut rows = vec![row("migrate", plan.devices.keys().collect(), "")];
    rows.extend(
        groups.into_iter().map(|((_, result, reason), devices)| row(result, devices, &reason)),
    );
    columns(style, rows)
}

fn stage_row(plan: &Plan, stage: &Stage) -> Vec<String> {
    vec![
        stage.name.clone(),
        format!("{:>4}", stage.devices.len()),
        fold(&stage.devices),
        at_once(plan, stage),
        limits::gate(&stage.gate),
    ]
}

/// How many devices of a stage are in flight at once; empty for a single device.
pub(crate) fn at_once(plan: &Plan, stage: &Stage) -> String {
    let devices = u32::try_from(stage.devices.len()).unwrap_or(u32::MAX);
    match devices {
        0 | 1 => String::new(),
        _ => format!("{} at a time", stage.parallel.min(plan.parallel).min(devices)),
    }
}

/// Devices with equal findings in one row, each finding with its remedy.
fn refused(plan: &Plan, style: Style) -> String {
    let mut groups: Vec<(&[Finding], Vec<&DeviceId>)> = Vec::new();
    for (device, why) in &plan.set_aside {
        let SetAside::Refused(findings) = why else { continue };
        match groups.iter_mut().find(|(known, _)| known == findings) {
            Some((_, devices)) => devices.push(device),
            None => groups.push((findings, vec![device])),
        }
    }
    if groups.is_empty() {
        return String::new();
    }
    let mut rows = Vec::new();
    for (findings, devices) in groups {
        let names = std::iter::once(fold(devices)).chain(std::iter::repeat(String::new()));
        for (finding, name) in findings.iter().zip(names) {
            rows.push(vec![name, plain(&finding.reason), plain(&finding.remedy)]);
        }
    }
    format!("\n{}\n{}", paint(style, Tone::Plain, "Refused"), columns(style, rows))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::sample;

    const STYLE: Style = Style { color: false, width: 120 };
    const HINT: &str = "Run it with: migos-fleet migrate kiosks.yaml --plan plan.json";

    #[test]
    fn a_plan_says_all_a_person_must_know() {
        let text = plan_text(&sample::plan(), STYLE, None, Some("4 min old"), "kiosks.yaml", HINT);
        insta::assert_snapshot!(text, @r###"
        Plan 64879f  kiosks.yaml  13 devices  payload MIGOS 1.4.2 (sha256 8ec5a17a)  facts 4 min old

          migrate         5  kiosk-[001-003,061-062]
          done            2  bench-[1-2]              already on balenaOS 6.0.24
          held            2  kiosk-[053-054]          "screens being replaced, ask the site"
          refused         3  kiosk-[057-058,109]      see below
          unreachable     1  kiosk-114                connect timeout after 15 s, 3 tries

        Stages
          canary     1  kiosk-002                             no failure, soak 30m, then a person: "Check the canary, then
                                                              resume."
          rest       4  kiosk-[001,003,061-062]  4 at a time  at most 1 failed, 2 unreachable
          Everything stops at 6 failed, 1 stuck or 1 lost. At most 8 in flight, 2 of one site.
          Of each class one device goes alone and must stay well for 20m; 2 failures set the class aside.
          Well: it answers balena and runs the OS of its image; late after 20m, lost after 2h. A reboot that hangs for 3m is forced.
          Strategy one-shot: config.txt and cmdline.txt stay untouched; not proven first: the firmware's files are trusted.
          Needs a power cycle, should the kernel of MIGOS hang before its watchdog runs: kiosk-[001-003]
          Sent in all: 938 MB.

        What happens to kiosk-[001-003] (3 devices, Pi 3B+, raspbian 10, kernel 5.10.103-v7+, firmware May 14 2025)
          · changes nothing   + can be undone   ! reboots, or keeps Raspbian from booting   ‼ for good
           1  · check            compare identity and boot files with the plan
           2  + lock             take the device for this run: other controllers are turned away      undo: release
                                 meanwhile
           3  + backup           back up the boot partition, to the device and to the run's folder:   undo: compare, then delete
                                 all of /boot
           4  + send-payload     send the MIGOS boot files, verified from the card: 17 MB to /boot,   undo: delete
                                 MIGOS 1.4.2 (sha256 8ec5a17a)
           5  + send-image       send the balenaOS image, verified from the card: 164 MB (sha256      undo: delete
                                 6a9d88ba)
           6  + write-job        write the job for MIGOS                                              undo: delete
                 +kernel command line: console=tty1 panic=10 rdinit=/init
           7  + write-tryboot    write tryboot.txt: /boot/tryboot.txt                                 undo: delete
                 +[all]
                 +os_prefix=migos/
                 +initramfs initrd.migos followkernel
                 +arm_64bit=0
                 +[all]
           8  ! arm              reboot once into MIGOS: Raspbian returns by itself if nobody speaks  undo: falls back by itself
                                 to MIGOS within 10m
           9  ! await-migos      wait for MIGOS: Raspbian returns by itself without a commit within   undo: reboot
                                 30m
          10  + register         register with balena: fleet acme/kiosks at                           undo: delete the record
                                 https://api.balena-cloud.com
          11  · configure        hand over the device's configuration
               an undo goes back from here, the last step first; at its end the boot partition is compared with what it was
          ───────────── point of no return ─────────────
               no way back but a new card: Raspbian and all data on the card are lost from here on
          12  ‼ commit           make MIGOS permanent
          13  ‼ await-flash      write balenaOS to the card: balenaOS 6.0.24 for raspberrypi3, 1.9
                                 GB unpacked
          14  · await-balena     wait until balena sees it well: in fleet acme/kiosks; late after
                                 20m, lost after 2h

        What happens to kiosk-[061-062] (2 devices, Pi 4B, debian 12, kernel 6.6.20-v8): as kiosk-001 above, except
           3  + backup           back up the boot partition, to the device and to the run's folder:   undo: compare, then delete
                                 all of /boot/firmware
           4  + send-payload     send the MIGOS boot files, verified from the card: 17 MB to          undo: delete
                                 /boot/firmware, MIGOS 1.4.2 (sha256 8ec5a17a)
           5  + send-image       send the balenaOS image, verified from the card: 180 MB (sha256      undo: delete
                                 1797b8a2)
           7  + write-tryboot    write tryboot.txt: /boot/firmware/tryboot.txt                        undo: delete
                 +arm_64bit=1
                 +enable_uart=1
                 without arm_64bit=0
          13  ‼ await-flash      write balenaOS to the card: balenaOS 6.0.24 for raspberrypi4-64,
                                 1.9 GB unpacked

        Refused
          kiosk-[057-058]  the boot partition has 8 MB free, 17 MB are needed  remove old kernels from /boot
                           under-voltage seen since boot (throttled=0x50000)   check the power supply
          kiosk-109        it reaches the network through wlan0, not Ethernet  plug in a cable

        Erased: the whole card of each migrated device. Nothing on it is kept; copy off first what you need.
        Untouched: devices outside the selection, and those set aside.

        Nothing was changed to make this plan.
        Run it with: migos-fleet migrate kiosks.yaml --plan plan.json
        "###);
    }

    #[test]
    fn a_plan_says_who_proves_and_whose_config_is_replaced() {
        let mut plan = sample::plan_with_proof();
        plan.set_aside.clear();
        insta::assert_snapshot!(plan_text(&plan, STYLE, None, None, "kiosks.yaml", HINT), @r###"
        Plan 64879f  kiosks.yaml  5 devices  payload MIGOS 1.4.2 (sha256 8ec5a17a)

          migrate     5  kiosk-[001-003,061-062]

        Stages
          canary     1  kiosk-002                             no failure, soak 30m, then a person: "Check the canary, then
                                                              resume."
          rest       4  kiosk-[001,003,061-062]  4 at a time  at most 1 failed, 2 unreachable
          Everything stops at 6 failed, 1 stuck or 1 lost. At most 8 in flight, 2 of one site.
          Of each class one device goes alone and must stay well for 20m; 2 failures set the class aside.
          Well: it answers balena and runs the OS of its image; late after 20m, lost after 2h. A reboot that hangs for 3m is forced.
          Strategy rewrite: config.txt is replaced for a while on kiosk-[061-062] (Pi 4B, debian 12, kernel 6.6.20-v8).
          Strategy one-shot on the others: config.txt and cmdline.txt stay untouched; proven on the first device of each class.
          Needs a power cycle, should the kernel of MIGOS hang before its watchdog runs: kiosk-[001-003]
          Sent in all: 938 MB.

        What happens to kiosk-[001-003] (3 devices, Pi 3B+, raspbian 10, kernel 5.10.103-v7+, firmware May 14 2025)
          · changes nothing   + can be undone   ! reboots, or keeps Raspbian from booting   ‼ for good
           1  · check            compare identity and boot files with the plan
           2  + lock             take the device for this run: other controllers are turned away      undo: release
                                 meanwhile
           3  + backup           back up the boot partition, to the device and to the run's folder:   undo: compare, then delete
                                 all of /boot
               2 proof reboots on the first of its class; the others skip the proof
           4  + prove-write      write the files that prove one-shot boot: /boot/tryboot.txt is       undo: delete
                                 config.txt with these lines added, /boot/migos/probe.txt the kernel
                                 command line with one more word
                 +[all]
                 +cmdline=/migos/probe.txt
                 +kernel command line: migos.probe= and a number of this run
           5  ! prove-arm        reboot once, into the same Raspbian: config.txt and cmdline.txt      undo: wait for Raspbian
                                 stay as they are
           6  · prove-seen       look whether the one-shot file was read
           7  ! prove-return     reboot without the one-shot flag                                     undo: wait for Raspbian
           8  · prove-gone       look whether it is not read any more, and delete the files
           9  + send-payload     send the MIGOS boot files, verified from the card: 17 MB to /boot,   undo: delete
                                 MIGOS 1.4.2 (sha256 8ec5a17a)
          10  + send-image       send the balenaOS image, verified from the card: 164 MB (sha256      undo: delete
                                 6a9d88ba)
          11  + write-job        write the job for MIGOS                                              undo: delete
                 +kernel command line: console=tty1 panic=10 rdinit=/init
          12  + write-tryboot    write tryboot.txt: /boot/tryboot.txt                                 undo: delete
                 +[all]
                 +os_prefix=migos/
                 +initramfs initrd.migos followkernel
                 +arm_64bit=0
                 +[all]
          13  ! arm              reboot once into MIGOS: Raspbian returns by itself if nobody speaks  undo: falls back by itself
                                 to MIGOS within 10m
          14  ! await-migos      wait for MIGOS: Raspbian returns by itself without a commit within   undo: reboot
                                 30m
          15  + register         register with balena: fleet acme/kiosks at                           undo: delete the record
                                 https://api.balena-cloud.com
          16  · configure        hand over the device's configuration
               an undo goes back from here, the last step first; at its end the boot partition is compared with what it was
          ───────────── point of no return ─────────────
               no way back but a new card: Raspbian and all data on the card are lost from here on
          17  ‼ commit           make MIGOS permanent
          18  ‼ await-flash      write balenaOS to the card: balenaOS 6.0.24 for raspberrypi3, 1.9
                                 GB unpacked
          19  · await-balena     wait until balena sees it well: in fleet acme/kiosks; late after
                                 20m, lost after 2h

        What happens to kiosk-[061-062] (2 devices, Pi 4B, debian 12, kernel 6.6.20-v8)
               /boot/firmware is mounted read-only: remounted only while writing
           1  · check            compare identity and boot files with the plan
           2  + lock             take the device for this run: other controllers are turned away      undo: release
                                 meanwhile
           3  + backup           back up the boot partition, to the device and to the run's folder:   undo: compare, then delete
                                 all of /boot/firmware
           4  + send-payload     send the MIGOS boot files, verified from the card: 17 MB to          undo: delete
                                 /boot/firmware, MIGOS 1.4.2 (sha256 8ec5a17a)
           5  + send-image       send the balenaOS image, verified from the card: 180 MB (sha256      undo: delete
                                 1797b8a2)
           6  + write-job        write the job for MIGOS                                              undo: delete
                 +kernel command line: console=tty1 panic=10 rdinit=/init
          ───────────── config.txt is replaced until MIGOS has put Raspbian's back ─────────────
               a power cut in that window needs hands: the device may come back as neither of them
               because its firmware has no one-shot boot
           7  ! rewrite-config   replace config.txt until MIGOS has put it back:                      undo: restore the original
                                 /boot/firmware/config.txt, its whole text meanwhile
                 +[all]
                 +os_prefix=migos/
                 +initramfs initrd.migos followkernel
                 +arm_64bit=1
                 +enable_uart=1
                 +[all]
           8  ! reboot           reboot into MIGOS: MIGOS puts config.txt back first; Raspbian        undo: reboot
                                 returns by itself if nobody speaks to MIGOS within 10m
           9  ! await-migos      wait for MIGOS: Raspbian returns by itself without a commit within   undo: reboot
                                 30m
          10  + register         register with balena: fleet acme/kiosks at                           undo: delete the record
                                 https://api.balena-cloud.com
          11  · configure        hand over the device's configuration
               an undo goes back from here, the last step first; at its end the boot partition is compared with what it was
          ───────────── point of no return ─────────────
               no way back but a new card: Raspbian and all data on the card are lost from here on
          12  ‼ commit           make MIGOS permanent
          13  ‼ await-flash      write balenaOS to the card: balenaOS 6.0.24 for raspberrypi4-64,
                                 1.9 GB unpacked
          14  · await-balena     wait until balena sees it well: in fleet acme/kiosks; late after
                                 20m, lost after 2h

        Erased: the whole card of each migrated device. Nothing on it is kept; copy off first what you need.
        Untouched: devices outside the selection, and those set aside.

        Nothing was changed to make this plan.
        Run it with: migos-fleet migrate kiosks.yaml --plan plan.json
        "###);
    }

    #[test]
    fn a_plan_with_nothing_to_migrate_is_short() {
        let mut plan = sample::plan();
        plan.devices.clear();
        plan.stages.clear();
        plan.payloads.clear();
        plan.set_aside.retain(|_, why| matches!(why, SetAside::AlreadyMigrated { .. }));
        insta::assert_snapshot!(plan_text(&plan, STYLE, None, None, "kiosks.yaml", HINT), @r###"
        Plan 64879f  kiosks.yaml  2 devices

          migrate     0
          done        2  bench-[1-2]  already on balenaOS 6.0.24

        Nothing was changed to make this plan.
        Run it with: migos-fleet migrate kiosks.yaml --plan plan.json
        "###);
    }

    #[test]
    fn no_column_is_wider_than_the_terminal() {
        let narrow = Style { color: false, width: 60 };
        let plan = sample::plan();
        let text = results(&plan, narrow) + &refused(&plan, narrow);
        assert!(text.lines().all(|line| line.chars().count() <= 60), "{text}");
    }

    #[test]
    fn where_the_key_lies_is_not_told() {
        let text = plan_text(&sample::plan(), STYLE, None, None, "kiosks.yaml", HINT);
        assert!(!text.contains(sample::IDENTITY));
    }
}
