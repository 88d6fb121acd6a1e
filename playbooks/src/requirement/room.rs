//! Room for the image: on the card until MIGOS takes it, then in memory. Where there is none, the image can be sent
//! while the card is written.

use super::{Candidate, Verdict, pass, refuse};
use crate::plan::Class;
use migos_inventory::Handover;
use migos_payload::size::ByteCount;

/// What the ramdisk needs besides the image in memory: its own unpacked tree and some air. The payload's
/// own minimum comes on top.
const MEMORY_MARGIN: ByteCount = ByteCount(64 << 20);

/// What must stay free on the root file system, so that Raspbian goes on working.
const CARD_MARGIN: ByteCount = ByteCount(64 << 20);

/// Why the image is sent to a device while its card is written: it has no room for it beforehand, and may be.
pub(crate) fn streamed(case: &Candidate<'_>) -> Option<String> {
    memory(case).or_else(|| card(case)).filter(|_| may_be_streamed(case))
}

pub(super) fn has_memory(case: &Candidate<'_>) -> Option<Verdict> {
    let (payload, has) = (case.payload?, case.facts.memory);
    let least = payload.minimum_memory + MEMORY_MARGIN;
    if has < least {
        return refuse(
            format!("it has {has} of memory, MIGOS needs {least} even without an image"),
            "leave it out, or migrate it by hand",
        );
    }
    match memory(case) {
        Some(reason) if may_be_streamed(case) => {
            pass(format!("{reason}; so it is sent while the card is written"))
        }
        Some(reason) => refuse_unstreamed(case, reason, "use a smaller or better compressed image"),
        None => {
            let (image, own) = (case.image?.size, payload.minimum_memory);
            let needed = least + image;
            pass(format!(
                "{has}, {needed} needed: {own} for MIGOS, {image} for the image, {MEMORY_MARGIN} to spare"
            ))
        }
    }
}

pub(super) fn has_room_on_the_card(case: &Candidate<'_>) -> Option<Verdict> {
    let free = case.facts.root.free;
    let Some(reason) = card(case) else {
        return pass(format!("{free} free, {} needed", room_on_the_card(case)?));
    };
    let remedy = "free space, for example with apt-get clean";
    // Backups go there in any case.
    match (free < CARD_MARGIN, may_be_streamed(case)) {
        (true, _) => refuse(reason, remedy),
        (false, true) => pass(format!("{reason}; so the image is sent while the card is written")),
        (false, false) => refuse_unstreamed(case, reason, remedy),
    }
}

fn memory(case: &Candidate<'_>) -> Option<String> {
    let needed = case.payload?.minimum_memory + case.image?.size + MEMORY_MARGIN;
    let has = case.facts.memory;
    (has < needed).then(|| format!("it has {has} of memory, {needed} are needed to hold the image"))
}

fn card(case: &Candidate<'_>) -> Option<String> {
    let (needed, free) = (room_on_the_card(case)?, case.facts.root.free);
    (free < needed).then(|| format!("the root file system has {free} free, {needed} are needed"))
}

fn room_on_the_card(case: &Candidate<'_>) -> Option<ByteCount> {
    Some(match case.device.mirror {
        // What is fetched goes into memory at once.
        Some(_) => CARD_MARGIN,
        None => case.image?.size + CARD_MARGIN,
    })
}

fn refuse_unstreamed(case: &Candidate<'_>, reason: String, remedy: &str) -> Option<Verdict> {
    if case.device.handover == Handover::Unattended {
        return refuse(
            reason,
            format!("{remedy}; it cannot be sent later to a device with `handover: unattended`"),
        );
    }
    let class = Class::of(case.facts);
    let stream = match (case.image?.chunks.is_some(), case.switch.may_stream(&class)) {
        (true, _) => format!("name its class under `allow_streaming`: {class}"),
        (false, true) => "make chunks of the image: migos-fleet image prepare".to_owned(),
        (false, false) => format!(
            "make chunks of the image (migos-fleet image prepare) and name its class under `allow_streaming`: {class}"
        ),
    };
    refuse(reason, format!("{remedy}; or {stream}"))
}

/// Without anybody at the other end there is nobody to send it.
fn may_be_streamed(case: &Candidate<'_>) -> bool {
    let in_chunks = case.image.is_some_and(|image| image.chunks.is_some());
    let is_attended = case.device.handover != Handover::Unattended;
    in_chunks && is_attended && case.switch.may_stream(&Class::of(case.facts))
}

#[cfg(test)]
mod tests {
    use super::super::sample::{Sample, evidence, reasons};
    use migos_contract::Chunks;

    fn small() -> Sample {
        Sample::buster().probe("memory 948280", "memory 189000")
    }

    fn full() -> Sample {
        Sample::buster().probe("root.space 4096 5000000", "root.space 4096 100")
    }

    fn may_stream(mut sample: Sample) -> Sample {
        sample.allow_streaming = vec!["Pi 3B+".into()];
        sample
    }

    fn in_chunks(mut sample: Sample) -> Sample {
        if let Some(image) = &mut sample.image {
            image.chunks = Some(Chunks { raw_size: 4 << 20, chunks: Vec::new() });
        }
        sample
    }

    #[test]
    fn too_little_room_is_refused_with_both_numbers() {
        let memory = "it has 193 MB of memory, 271 MB are needed to hold the image";
        assert_eq!(reasons(&small()), [memory]);
        let card = "the root file system has 409 kB free, 167 MB are needed";
        assert_eq!(reasons(&full()), [card]);
        assert_eq!(reasons(&may_stream(small())), [memory], "the image is in one piece");
        assert_eq!(reasons(&in_chunks(full())), [card], "nobody has allowed it");
    }

    #[test]
    fn the_evidence_of_room_is_the_whole_sum() {
        let stock = Sample::buster();
        assert_eq!(
            evidence(&stock, "memory"),
            "971 MB, 271 MB needed: 104 MB for MIGOS, 100 MB for the image, 67 MB to spare"
        );
        assert_eq!(evidence(&stock, "root-space"), "20 GB free, 167 MB needed");
        assert_eq!(
            evidence(&in_chunks(may_stream(small())), "memory"),
            "it has 193 MB of memory, 271 MB are needed to hold the image; so it is sent while the card is written"
        );
    }

    #[test]
    fn what_may_be_streamed_needs_no_room() {
        assert!(reasons(&in_chunks(may_stream(small()))).is_empty());
        let half_full = full().probe("root.space 4096 100", "root.space 4096 20000");
        assert_eq!(reasons(&half_full).len(), 1);
        assert!(reasons(&in_chunks(may_stream(half_full))).is_empty());
    }

    #[test]
    fn nobody_streams_to_an_unattended_device() {
        let unattended = in_chunks(may_stream(small())).inventory("handover: unattended");
        let memory = "it has 193 MB of memory, 271 MB are needed to hold the image";
        assert_eq!(reasons(&unattended), [memory]);
    }

    #[test]
    fn backups_need_room_in_any_case() {
        assert_eq!(
            reasons(&in_chunks(may_stream(full()))),
            ["the root file system has 409 kB free, 167 MB are needed"]
        );
    }

    #[test]
    fn migos_itself_needs_memory_in_any_case() {
        let tiny = Sample::buster().probe("memory 948280", "memory 100000");
        assert_eq!(
            reasons(&in_chunks(may_stream(tiny))),
            ["it has 102 MB of memory, MIGOS needs 171 MB even without an image"]
        );
    }
}
