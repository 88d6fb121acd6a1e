//! The plan as a person reads it: who, when, what, and what cannot be taken back.

use crate::grid::columns;
use crate::outlook::{age, names, outlook};
use crate::words::{Tone, many, paint, paragraph, plain};
use crate::{Style, limits, network, steps};
use jiff::Timestamp;
use migos_inventory::DeviceId;
use migos_playbooks::estimate::Prediction;
use migos_playbooks::plan::{DevicePlan, Finding, Plan, SetAside, Stage};
use std::collections::BTreeMap;

/// What is said of a plan besides what it says itself.
#[derive(Debug, Clone, Copy)]
pub struct Around<'a> {
    /// The moment at which it is read.
    pub now: Timestamp,
    /// How long it takes, or why that cannot be told.
    pub prediction: Result<&'a Prediction, &'a str>,
    /// The inventory's name.
    pub source: &'a str,
    /// How to run it.
    pub hint: &'a str,
}

/// The text of a plan.
pub fn plan_text(plan: &Plan, style: Style, around: &Around<'_>) -> String {
    let mut text = header(plan, style, around);
    text += "\n";
    text += &results(plan, style);
    if !plan.devices.is_empty() {
        text += &format!("\n{}\n", paint(style, Tone::Plain, "In short"));
        text += &outlook(plan, style, around.prediction);
        text += &format!("\n{}\n", paint(style, Tone::Plain, "Stages"));
        text += &columns(style, plan.stages.iter().map(|stage| stage_row(plan, stage)).collect());
        text += &limits::whole_run(plan, style);
        text += &steps::text(plan, style);
        if let (1, Some((id, device))) = (plan.devices.len(), plan.devices.first_key_value()) {
            text += &network::text(id, &device.network, style);
        }
    }
    text += &refused(plan, style);
    text += &remarks(plan, style);
    let unchanged = "Nothing was changed to make this plan; devices that are not in it, or set aside, stay as they are.";
    text += &format!("\n{}", paragraph(style, 0, unchanged));
    if text.contains(",…") {
        text += "Where names are cut (…), --format json has them all, and -l NAME shows one device alone.\n";
    }
    text += &format!("{}\n", around.hint);
    text
}

fn header(plan: &Plan, style: Style, around: &Around<'_>) -> String {
    let title = format!("Plan {}", plan.id.short());
    let mut parts = vec![
        title.clone(),
        around.source.to_owned(),
        many(plan.devices.len() + plan.set_aside.len(), "device"),
    ];
    parts.extend(payloads(plan));
    parts.push(age(plan, around.now));
    if let Some(approved) = &plan.reduced_from {
        parts.push(format!("plan {} without what has changed since", approved.short()));
    }
    let text = paragraph(style, 0, &parts.join("  "));
    text.replacen(&title, &paint(style, Tone::Plain, &title), 1)
}

/// `payloads MIGOS 1.4.2 (sha256 20566f5c, b4e7cbe3)`, by version.
fn payloads(plan: &Plan) -> Option<String> {
    let mut versions: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (digest, payload) in &plan.payloads {
        versions.entry(&payload.version).or_default().push(digest.short());
    }
    let told: Vec<String> = versions
        .iter()
        .map(|(version, digests)| {
            format!("MIGOS {} (sha256 {})", plain(version), digests.join(", "))
        })
        .collect();
    let word = if plan.payloads.len() == 1 { "payload" } else { "payloads" };
    (!told.is_empty()).then(|| format!("{word} {}", told.join(", ")))
}

/// One row per result and reason.
fn results(plan: &Plan, style: Style) -> String {
    let row = |result: &str, devices: Vec<&DeviceId>, reason: &str| {
        vec![result.into(), format!("{:>4}", devices.len()), names(devices), reason.into()]
    };
    let mut rows = vec![row("migrate", plan.devices.keys().collect(), "")];
    rows.extend(set_aside(plan).into_iter().map(|(result, reason, devices)| {
        let reason = if result == "refused" { "see below" } else { &reason };
        row(result, devices, reason)
    }));
    columns(style, rows)
}

/// Who is not migrated: the result, the reason, and the devices.
pub(crate) fn set_aside(plan: &Plan) -> Vec<(&'static str, String, Vec<&DeviceId>)> {
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
            SetAside::Refused(_) => (3, "refused", String::new()),
            SetAside::Unreachable(reason) => (4, "unreachable", plain(reason)),
        };
        groups.entry((rank, result, reason)).or_default().push(device);
    }
    groups.into_iter().map(|((_, result, reason), devices)| (result, reason, devices)).collect()
}

fn stage_row(plan: &Plan, stage: &Stage) -> Vec<String> {
    vec![
        stage.name.clone(),
        format!("{:>4}", stage.devices.len()),
        names(&stage.devices),
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

/// Devices that the same checks refuse for the same remedies in one row; where their evidence differs, that of one.
fn refused(plan: &Plan, style: Style) -> String {
    let found = plan.set_aside.iter().filter_map(|(id, why)| match why {
        SetAside::Refused(findings) => Some((id, findings.as_slice())),
        _ => None,
    });
    section(style, "Refused", found)
}

/// What the checks warn of, and what a person has overruled.
fn remarks(plan: &Plan, style: Style) -> String {
    let of = |part: fn(&DevicePlan) -> &[Finding]| {
        plan.devices.iter().map(move |(id, device)| (id, part(device)))
    };
    let overruled = section(style, "Refused, but overruled by --allow", of(|it| &it.overruled));
    overruled + &section(style, "Migrated, with a warning", of(|it| &it.warnings))
}

/// The findings of devices, and those devices.
pub(crate) type Group<'a> = (Vec<&'a [Finding]>, Vec<&'a DeviceId>);

/// Devices that the same checks have found, with the same remedies.
pub(crate) fn groups<'a>(
    found: impl Iterator<Item = (&'a DeviceId, &'a [Finding])>,
) -> Vec<Group<'a>> {
    let key = |findings: &'a [Finding]| -> Vec<(&'a str, &'a str)> {
        findings.iter().map(|it| (it.check.as_str(), it.remedy.as_str())).collect()
    };
    let mut keys = Vec::new();
    let mut groups: Vec<Group<'a>> = Vec::new();
    for (device, findings) in found.filter(|(_, findings)| !findings.is_empty()) {
        let own = key(findings);
        let place = keys.iter().position(|known| *known == own).unwrap_or_else(|| {
            keys.push(own);
            groups.push(Group::default());
            groups.len() - 1
        });
        if let Some((all, devices)) = groups.get_mut(place) {
            all.push(findings);
            devices.push(device);
        }
    }
    groups
}

/// Findings under a title, each with its remedy behind an arrow; devices with like ones in one row.
pub(crate) fn section<'a>(
    style: Style,
    title: &str,
    found: impl Iterator<Item = (&'a DeviceId, &'a [Finding])>,
) -> String {
    let mut rows = Vec::new();
    let mut groups = groups(found);
    // What concerns most of them comes first.
    groups.sort_by_key(|(_, devices)| std::cmp::Reverse(devices.len()));
    for (all, devices) in groups {
        let first = devices.first().map(ToString::to_string).unwrap_or_default();
        let who = std::iter::once(names(devices)).chain(std::iter::repeat(String::new()));
        let findings = all.first().copied().unwrap_or_default();
        for ((index, finding), name) in findings.iter().enumerate().zip(who) {
            let mut reason = plain(&finding.reason);
            if differs(&all, index) {
                reason = format!("{reason} ({first}; the others alike)");
            }
            rows.push(vec![name, format!("{reason} → {}", plain(&finding.remedy))]);
        }
    }
    match rows.is_empty() {
        true => String::new(),
        false => format!("\n{}\n{}", paint(style, Tone::Plain, title), columns(style, rows)),
    }
}

/// True if the evidence of this finding is not the same for all of a group.
pub(crate) fn differs(all: &[&[Finding]], index: usize) -> bool {
    let reason = |findings: &&[Finding]| findings.get(index).map(|it| it.reason.clone());
    all.iter().any(|findings| reason(findings) != all.first().and_then(reason))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::sample;
    use migos_playbooks::estimate::StagePrediction;
    use std::time::Duration;

    const STYLE: Style = Style { color: false, width: 120 };
    const HINT: &str = "Run it with: migos-fleet migrate kiosks.yaml --plan plan.json";

    fn text_of(plan: &Plan) -> String {
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        let stage = |name: &str, takes| StagePrediction { name: name.into(), takes };
        let prediction = Prediction {
            stages: vec![stage("canary", minutes(60)), stage("rest", minutes(95))],
            whole: minutes(155),
            pauses: 1,
            begun: Timestamp::UNIX_EPOCH,
            devices: BTreeMap::new(),
        };
        let now = Timestamp::from_second(250).unwrap();
        let around = Around { now, prediction: Ok(&prediction), source: "kiosks.yaml", hint: HINT };
        plan_text(plan, STYLE, &around)
    }

    #[test]
    fn a_plan_says_all_a_person_must_know() {
        let text = text_of(&sample::plan());
        insta::assert_snapshot!(text, @r###"
        Plan 64879f  kiosks.yaml  13 devices  payload MIGOS 1.4.2 (sha256 8ec5a17a)  facts 4m 10s old

          migrate         5  kiosk-[001-003,061-062]
          done            2  bench-[1-2]              already on balenaOS 6.0.24
          held            2  kiosk-[053-054]          "screens being replaced, ask the site"
          refused         3  kiosk-[057-058,109]      see below
          unreachable     1  kiosk-114                connect timeout after 15 s, 3 tries

        In short
          done      2h 35m after its start, so 1970-01-01 02:35 UTC if begun now and all goes well, and what a person takes at
                    1 gate: canary 1h 00m, rest 1h 35m
          dark      each device is out of service for 16m 00s, at any hour, since no `window` is set
          exposed   0 s without a bootable card: while it is written, for 10m 00s, a power cut ends in MIGOS, which goes on
          erased    the whole card of each device, with 1.9 GB to 6.1 GB in use; the largest folder is /home/pi/media with 1.2
                    GB, on kiosk-062
          kept      a copy of each boot partition, in the run's folder; copy off first what else you need
          data      938 MB sent in all: north 543 MB to 3, south 394 MB to 2; then the app, which each device downloads once
                    it is there
          based on  1 MB/s to a device and 5 MB/s to its card, both assumed until one of its class has shown it

        Stages
          canary     1  kiosk-002                             no failure, soak 30m, then a person: "Check the canary, then
                                                              resume."
          rest       4  kiosk-[001,003,061-062]  4 at a time  at most 1 failed, 2 unreachable
          Everything stops at 6 failed, 1 stuck or 1 lost. At most 8 in flight, 2 of one site.
          Of each class one device goes alone and must stay well for 20m; 2 failures set the class aside.
          Well: it answers balena and runs the OS of its image; late after 20m, lost after 2h. A reboot that hangs for 3m is
            forced.
          Strategy one-shot: config.txt and cmdline.txt stay untouched; not proven first: the firmware's files are trusted.
          Needs a power cycle, should the kernel of MIGOS hang before its watchdog runs: kiosk-[001-003]

        What happens to kiosk-[001-003] (3 devices: Pi 3B+, raspbian 10, kernel 5.10.103-v7+, firmware May 14 2025)
          · changes nothing   + can be undone   ! reboots, or keeps Raspbian from booting   ‼ for good
           1  · check            compare identity and boot files with the plan
           2  + lock             take the device for this run: other controllers are turned away      undo: release
           3  + backup           back up the boot partition, to the device and to the run's folder:   undo: compare, then delete
                                 all of /boot
           4  + send-payload     send the MIGOS boot files, verified from the card: 17 MB to /boot    undo: delete
                                 (sha256 8ec5a17a)
           5  + send-image       send the balenaOS image, verified from the card: 164 MB (6a9d88ba)   undo: delete
           6  + write-job        write the job for MIGOS                                              undo: delete
                 +kernel command line: console=tty1 panic=10 rdinit=/init
           7  + write-tryboot    write tryboot.txt: /boot/tryboot.txt                                 undo: delete
                 +[all]  +os_prefix=migos/  +initramfs initrd.migos followkernel  +arm_64bit=0  +[all]
           8  ! arm              reboot once into MIGOS: Raspbian returns by itself if nobody speaks  undo: falls back by itself
                                 to MIGOS within 10m
           9  ! await-migos      wait for MIGOS: without a commit Raspbian returns after 30m          undo: reboot
          10  + register         register with balena: fleet acme/kiosks at api.balena-cloud.com      undo: delete the record
          11  · configure        hand over the device's configuration
               an undo goes back from here, the last step first; at its end the boot partition is compared with what it was
          ───────────── point of no return ─────────────
               no way back but a new card: Raspbian and all data on the card are lost from here on
          12  ‼ commit           make MIGOS permanent
          13  ‼ await-flash      write balenaOS to the card: balenaOS 6.0.24 for raspberrypi3, 1.9 GB unpacked
          14  · await-balena     wait until balena sees it well: in fleet acme/kiosks, on the image's balenaOS and the fleet's
                                 release; late after 20m, lost after 2h
             The same happens to these, except
             2  kiosk-[061-062]  Pi 4B; debian 12  /boot/firmware  +arm_64bit=1  +enable_uart=1  -arm_64bit=0  image
                                                   raspberrypi4-64 180 MB

        Refused
          kiosk-[057-058]  the boot partition has 8 MB free, 17 MB are needed → remove old kernels from /boot
                           under-voltage seen since boot (throttled=0x50000) → check the power supply
          kiosk-109        it reaches the network through wlan0, not Ethernet → plug in a cable

        Nothing was changed to make this plan; devices that are not in it, or set aside, stay as they are.
        Run it with: migos-fleet migrate kiosks.yaml --plan plan.json
        "###);
    }

    #[test]
    fn a_plan_says_who_proves_and_whose_config_is_replaced() {
        let mut plan = sample::plan_with_proof();
        plan.set_aside.clear();
        insta::assert_snapshot!(text_of(&plan), @r###"
        Plan 64879f  kiosks.yaml  5 devices  payload MIGOS 1.4.2 (sha256 8ec5a17a)  facts 4m 10s old

          migrate     5  kiosk-[001-003,061-062]

        In short
          done      2h 35m after its start, so 1970-01-01 02:35 UTC if begun now and all goes well, and what a person takes at
                    1 gate: canary 1h 00m, rest 1h 35m
          dark      each device is out of service for 16m 00s, at any hour, since no `window` is set
          exposed   0 s without a bootable card: while it is written, for 10m 00s, a power cut ends in MIGOS, which goes on
          erased    the whole card of each device, with 1.9 GB to 6.1 GB in use; the largest folder is /home/pi/media with 1.2
                    GB, on kiosk-062
          kept      a copy of each boot partition, in the run's folder; copy off first what else you need
          data      938 MB sent in all: north 543 MB to 3, south 394 MB to 2; then the app, which each device downloads once
                    it is there
          based on  1 MB/s to a device and 5 MB/s to its card, both assumed until one of its class has shown it

        Stages
          canary     1  kiosk-002                             no failure, soak 30m, then a person: "Check the canary, then
                                                              resume."
          rest       4  kiosk-[001,003,061-062]  4 at a time  at most 1 failed, 2 unreachable
          Everything stops at 6 failed, 1 stuck or 1 lost. At most 8 in flight, 2 of one site.
          Of each class one device goes alone and must stay well for 20m; 2 failures set the class aside.
          Well: it answers balena and runs the OS of its image; late after 20m, lost after 2h. A reboot that hangs for 3m is
            forced.
          Strategy rewrite: config.txt is replaced for a while on kiosk-[061-062] (Pi 4B, debian 12, kernel 6.6.20-v8).
          Strategy one-shot on the others: config.txt and cmdline.txt stay untouched; proven on the first device of each
            class.
          Needs a power cycle, should the kernel of MIGOS hang before its watchdog runs: kiosk-[001-003]

        What happens to kiosk-[001-003] (3 devices: Pi 3B+, raspbian 10, kernel 5.10.103-v7+, firmware May 14 2025)
          · changes nothing   + can be undone   ! reboots, or keeps Raspbian from booting   ‼ for good
           1  · check            compare identity and boot files with the plan
           2  + lock             take the device for this run: other controllers are turned away      undo: release
           3  + backup           back up the boot partition, to the device and to the run's folder:   undo: compare, then delete
                                 all of /boot
               2 proof reboots on the first of its class; the others skip the proof
           4  + prove-write      write the files that prove one-shot boot: /boot/tryboot.txt is       undo: delete
                                 config.txt with these lines added, /boot/migos/probe.txt the kernel
                                 command line with one more word
                 +[all]  +cmdline=/migos/probe.txt  +kernel command line: migos.probe= and a number of this run
           5  ! prove-arm        reboot once, into the same Raspbian: boot files stay as they are     undo: wait for Raspbian
           6  · prove-seen       look whether the one-shot file was read
           7  ! prove-return     reboot without the one-shot flag                                     undo: wait for Raspbian
           8  · prove-gone       look whether it is not read any more, and delete the files
           9  + send-payload     send the MIGOS boot files, verified from the card: 17 MB to /boot    undo: delete
                                 (sha256 8ec5a17a)
          10  + send-image       send the balenaOS image, verified from the card: 164 MB (6a9d88ba)   undo: delete
          11  + write-job        write the job for MIGOS                                              undo: delete
                 +kernel command line: console=tty1 panic=10 rdinit=/init
          12  + write-tryboot    write tryboot.txt: /boot/tryboot.txt                                 undo: delete
                 +[all]  +os_prefix=migos/  +initramfs initrd.migos followkernel  +arm_64bit=0  +[all]
          13  ! arm              reboot once into MIGOS: Raspbian returns by itself if nobody speaks  undo: falls back by itself
                                 to MIGOS within 10m
          14  ! await-migos      wait for MIGOS: without a commit Raspbian returns after 30m          undo: reboot
          15  + register         register with balena: fleet acme/kiosks at api.balena-cloud.com      undo: delete the record
          16  · configure        hand over the device's configuration
               an undo goes back from here, the last step first; at its end the boot partition is compared with what it was
          ───────────── point of no return ─────────────
               no way back but a new card: Raspbian and all data on the card are lost from here on
          17  ‼ commit           make MIGOS permanent
          18  ‼ await-flash      write balenaOS to the card: balenaOS 6.0.24 for raspberrypi3, 1.9 GB unpacked
          19  · await-balena     wait until balena sees it well: in fleet acme/kiosks, on the image's balenaOS and the fleet's
                                 release; late after 20m, lost after 2h

        What happens to kiosk-[061-062] (2 devices: Pi 4B, debian 12, kernel 6.6.20-v8)
               /boot/firmware is mounted read-only: remounted only while writing
           1  · check            compare identity and boot files with the plan
           2  + lock             take the device for this run: other controllers are turned away      undo: release
           3  + backup           back up the boot partition, to the device and to the run's folder:   undo: compare, then delete
                                 all of /boot/firmware
           4  + send-payload     send the MIGOS boot files, verified from the card: 17 MB to          undo: delete
                                 /boot/firmware (sha256 8ec5a17a)
           5  + send-image       send the balenaOS image, verified from the card: 180 MB (1797b8a2)   undo: delete
           6  + write-job        write the job for MIGOS                                              undo: delete
                 +kernel command line: console=tty1 panic=10 rdinit=/init
          ───────────── config.txt is replaced until MIGOS has put Raspbian's back ─────────────
               a power cut in that window needs hands: the device may come back as neither of them
               because its firmware has no one-shot boot
           7  ! rewrite-config   replace config.txt until MIGOS has put it back:                      undo: restore the original
                                 /boot/firmware/config.txt, its whole text meanwhile
                 +[all]  +os_prefix=migos/  +initramfs initrd.migos followkernel  +arm_64bit=1  +enable_uart=1  +[all]
           8  ! reboot           reboot into MIGOS: MIGOS puts config.txt back first; Raspbian        undo: reboot
                                 returns by itself if nobody speaks to MIGOS within 10m
           9  ! await-migos      wait for MIGOS: without a commit Raspbian returns after 30m          undo: reboot
          10  + register         register with balena: fleet acme/kiosks at api.balena-cloud.com      undo: delete the record
          11  · configure        hand over the device's configuration
               an undo goes back from here, the last step first; at its end the boot partition is compared with what it was
          ───────────── point of no return ─────────────
               no way back but a new card: Raspbian and all data on the card are lost from here on
          12  ‼ commit           make MIGOS permanent
          13  ‼ await-flash      write balenaOS to the card: balenaOS 6.0.24 for raspberrypi4-64, 1.9 GB unpacked
          14  · await-balena     wait until balena sees it well: in fleet acme/kiosks, on the image's balenaOS and the fleet's
                                 release; late after 20m, lost after 2h

        Nothing was changed to make this plan; devices that are not in it, or set aside, stay as they are.
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
        insta::assert_snapshot!(text_of(&plan), @r###"
        Plan 64879f  kiosks.yaml  2 devices  facts 4m 10s old

          migrate     0
          done        2  bench-[1-2]  already on balenaOS 6.0.24

        Nothing was changed to make this plan; devices that are not in it, or set aside, stay as they are.
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
        let text = text_of(&sample::plan());
        assert!(!text.contains(sample::IDENTITY));
    }
}
