//! The lab's payloads: MIGOS for virtual Pis, packed as real ones are.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use migos_payload::archive::{self, ArchiveError};
use migos_payload::board::{Architecture, BoardType, Revision};
use migos_payload::digest::Sha256;
use migos_payload::manifest::{File, MANIFEST_SCHEMA, Manifest, Restart};
use migos_payload::size::ByteCount;

use crate::board::MODELS;
use crate::magic;
use crate::seed::noise;

/// The version of MIGOS that the lab's payloads claim.
const VERSION: &str = "1.0.0";
/// Sizes that make a payload of about a megabyte.
const KERNEL: usize = 200 << 10;
const RAMDISK: usize = 320 << 10;
const DEVICE_TREE: usize = 12 << 10;
/// The least memory MIGOS runs in, in bytes.
const MINIMUM_MEMORY: u64 = 256 << 20;

/// Packs the payload for one architecture: for the lab's models, and all others in this fleet.
///
/// # Errors
/// [`ArchiveError`], which would be a mistake in this file.
pub(crate) fn pack(
    architecture: Architecture,
    fleet: &BTreeSet<Revision>,
) -> Result<Vec<u8>, ArchiveError> {
    let boards = || MODELS.iter().filter(|model| runs(model.revision, architecture));
    let types: BTreeSet<BoardType> = boards().map(|model| model.revision.board_type()).collect();
    let others = || {
        let runs = fleet.iter().filter(|revision| runs(**revision, architecture));
        runs.filter(|revision| !types.contains(&revision.board_type()))
    };
    let mut contents: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for model in boards() {
        for kernel in model.revision.soc().map_or(&[][..], |soc| soc.kernel_names(architecture)) {
            let bytes = || magic::migos_kernel(architecture, &format!("migos {kernel}"), KERNEL);
            contents.entry((*kernel).to_owned()).or_insert_with(bytes);
        }
        contents.insert(model.dtb.to_owned(), noise(&format!("migos {}", model.dtb), DEVICE_TREE));
    }
    for revision in others() {
        for kernel in revision.soc().map_or(&[][..], |soc| soc.kernel_names(architecture)) {
            let bytes = || magic::migos_kernel(architecture, &format!("migos {kernel}"), KERNEL);
            contents.entry((*kernel).to_owned()).or_insert_with(bytes);
        }
        for dtb in revision.board_type().device_trees() {
            let bytes = || noise(&format!("migos {dtb}"), DEVICE_TREE);
            contents.entry((*dtb).to_owned()).or_insert_with(bytes);
        }
    }
    // The Zero 2 W's file had another name in 2021, and the firmware of that time asks for it.
    if let Some(dtb) = contents.get("bcm2710-rpi-zero-2-w.dtb").cloned() {
        contents.insert("bcm2710-rpi-zero-2.dtb".to_owned(), dtb);
    }
    contents.insert(
        "initrd.migos".to_owned(),
        magic::migos_ramdisk(&format!("migos {architecture}"), RAMDISK),
    );
    contents.insert("overlays/README".to_owned(), b"Overlays of MIGOS.\n".to_vec());
    contents.insert("overlays/dwc2.dtbo".to_owned(), noise("migos overlay dwc2", 700));

    let contents: BTreeMap<String, Arc<[u8]>> =
        contents.into_iter().map(|(path, bytes)| (path, Arc::from(bytes))).collect();
    let file = |(path, bytes): (&String, &Arc<[u8]>)| File {
        path: path.clone(),
        size: ByteCount(bytes.len() as u64),
        sha256: Sha256::of(bytes),
    };
    let manifest = Manifest {
        schema: MANIFEST_SCHEMA,
        version: VERSION.to_owned(),
        architecture,
        boards: types.iter().copied().chain(others().map(|board| board.board_type())).collect(),
        restart: Restart::Builtin,
        minimum_memory: ByteCount(MINIMUM_MEMORY),
        files: contents.iter().map(file).collect(),
    };
    archive::pack(&manifest, &contents)
}

fn runs(board: Revision, architecture: Architecture) -> bool {
    board.soc().is_some_and(|soc| soc.runs(architecture))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use migos_payload::archive::VerifiedPayload;

    #[test]
    fn every_model_finds_a_payload_that_fits() {
        let cm3 = Revision(0xa0_20a0);
        let fleet = BTreeSet::from([cm3]);
        let payloads = [Architecture::Armhf, Architecture::Arm64].map(|architecture| {
            VerifiedPayload::read(&pack(architecture, &fleet).unwrap()).unwrap()
        });
        let fits = |payload: &VerifiedPayload| payload.manifest().fits(cm3);
        assert_eq!(payloads.each_ref().map(fits), [true, true]);
        assert!(payloads[0].content("bcm2710-rpi-cm3.dtb").is_some());
        for model in &MODELS {
            let fits = |payload: &&VerifiedPayload| {
                payload.manifest().fits(model.revision) && payload.content(model.dtb).is_some()
            };
            assert!(payloads.iter().any(|payload| fits(&payload)), "{}", model.name);
        }
        assert!(payloads[0].content("kernel_2712.img").is_none());
        assert!(payloads[1].content("kernel_2712.img").is_some());
    }
}
