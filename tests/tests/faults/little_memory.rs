//! A board whose memory does not hold the image: refused, or sent it while its card is written.

use crate::Trial;
use flate2::Compression;
use flate2::write::GzEncoder;
use migos_contract::{Chunk, Chunks};
use migos_payload::digest::Sha256;
use migos_payload::image::{IMAGE_MANIFEST_SUFFIX, ImageManifest};
use migos_payload::size::ByteCount;
use migos_tests::fleet::{Home, STRAIGHT};
use serde_json::Value;
use std::fs;
use std::io::Write;

const CHUNK: usize = 1 << 20;

/// Makes chunks of every image of the lab.
fn make_chunks(home: &Home) {
    for entry in fs::read_dir(home.path().join("lab/images")).unwrap() {
        let path = entry.unwrap().path();
        let beside = format!("{}{IMAGE_MANIFEST_SUFFIX}", path.display());
        let Ok(text) = fs::read(&beside) else { continue };
        let raw = fs::read(&path).unwrap();
        let (mut file, mut chunks) = (Vec::new(), Vec::new());
        for piece in raw.chunks(CHUNK) {
            let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
            packed.write_all(piece).unwrap();
            let packed = packed.finish().unwrap();
            let raw_sha256 = Sha256::of(piece).to_string();
            chunks.push(Chunk { size: packed.len() as u64, raw_sha256 });
            file.extend(packed);
        }
        let manifest = ImageManifest {
            compression: migos_contract::Compression::Gzip,
            size: ByteCount(file.len() as u64),
            sha256: Sha256::of(&file),
            chunks: Some(Chunks { raw_size: CHUNK as u64, chunks }),
            ..serde_json::from_slice(&text).unwrap()
        };
        let name = format!("lab/images/{}", path.file_name().unwrap().display());
        home.write(&name, file).unwrap();
        let beside = format!("{name}{IMAGE_MANIFEST_SUFFIX}");
        home.write(&beside, serde_json::to_vec(&manifest).unwrap()).unwrap();
    }
}

#[test]
fn without_memory_for_the_image_it_is_sent_while_the_card_is_written() {
    let trial = Trial::start(2, "kiosk-001: [little-memory]\n");
    let home = &trial.bench.home;
    let plan = || -> Value {
        let ended = home
            .run(&["plan", "lab/inventory.yaml", "--policy", "quick.yaml", "--format", "json"])
            .unwrap();
        serde_json::from_str(&ended.stdout).expect(&ended.stderr)
    };
    let refused = plan()["set_aside"]["kiosk-001"].to_string();
    assert!(refused.contains("343 MB are needed to hold the image"), "{refused}");
    assert!(refused.contains("migos-fleet image prepare"), "{refused}");

    make_chunks(home);
    trial.policy(&[("parallel: 8", "allow_streaming: [\"Pi \"]\nparallel: 8")]);
    let planned = plan();
    let streamed = |name: &str| planned["devices"][name]["streamed"].as_str();
    assert_eq!(streamed("kiosk-002"), None);
    assert!(
        streamed("kiosk-001").is_some_and(|why| why.contains("of memory")),
        "{}",
        planned["set_aside"]
    );
    let met = trial.meet();
    assert_eq!(met.ended.code, Some(0), "{}", met.ended.stderr);
    for pi in trial.bench.lab().devices() {
        assert_eq!(met.state(pi.name()), "migrated");
        assert_eq!(pi.life().states, STRAIGHT, "{}", pi.name());
    }
}
