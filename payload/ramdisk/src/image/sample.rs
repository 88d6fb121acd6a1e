//! An image in chunks, for tests.

use flate2::write::GzEncoder;
use migos_contract::{Chunk, Chunks, Compression, Image as Promise};
use sha2::{Digest, Sha256};
use std::io::Write;

pub(crate) struct Sample {
    pub(crate) file: Vec<u8>,
    pub(crate) list: Vec<u8>,
    pub(crate) promise: Promise,
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Packs an image as the controller does.
pub(crate) fn sample(raw: &[u8], chunk: usize) -> Sample {
    let (mut file, mut chunks) = (Vec::new(), Vec::new());
    for raw in raw.chunks(chunk) {
        let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(raw).unwrap();
        let packed = encoder.finish().unwrap();
        chunks.push(Chunk { size: packed.len() as u64, raw_sha256: hex(raw) });
        file.extend(packed);
    }
    let list = serde_json::to_vec(&Chunks { raw_size: chunk as u64, chunks }).unwrap();
    let promise = Promise {
        path: None,
        url: None,
        into_memory: false,
        size: file.len() as u64,
        sha256: hex(&file),
        compression: Compression::Gzip,
        raw_size: raw.len() as u64,
        raw_sha256: hex(raw),
        chunks_sha256: Some(hex(&list)),
    };
    Sample { file, list, promise }
}
