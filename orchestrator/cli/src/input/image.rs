//! Images: hashed once, held against their manifests, and sent from their files.

use super::read_text;
use crate::failure::{Failure, Kind};
use crate::wire;
use migos_engine::port::{Content, Source};
use migos_payload::digest::{Hasher, Sha256};
use migos_payload::image::{IMAGE_MANIFEST_SUFFIX, ImageManifest};
use migos_payload::size::ByteCount;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What the images of an inventory are.
pub(crate) struct Images {
    /// Manifests by the path as it is written in the inventory.
    pub(crate) manifests: BTreeMap<String, ImageManifest>,
    /// Files by digest.
    pub(crate) contents: BTreeMap<Sha256, Content>,
}

/// Reads these images; their paths start at `base`.
pub(crate) fn images(base: &Path, written: &BTreeSet<&str>) -> Result<Images, Failure> {
    let mut images = Images { manifests: BTreeMap::new(), contents: BTreeMap::new() };
    for name in written {
        let path = wire::resolve(base, name);
        let (manifest, content) = image(&path)?;
        images.contents.insert(manifest.sha256, content);
        images.manifests.insert((*name).to_owned(), manifest);
    }
    Ok(images)
}

/// An image and its manifest, held against each other.
pub(crate) fn image(path: &Path) -> Result<(ImageManifest, Content), Failure> {
    let manifest = image_manifest(path)?;
    let (size, sha256) = hash(path).map_err(|error| unusable(path, &error))?;
    manifest.check(ByteCount(size), sha256).map_err(|error| unusable(path, &error))?;
    let source = Source::File(Arc::new(PathBuf::from(path)));
    Ok((manifest, Content { source, size, sha256 }))
}

/// The manifest beside an image.
pub(crate) fn image_manifest(path: &Path) -> Result<ImageManifest, Failure> {
    let beside = format!("{}{IMAGE_MANIFEST_SUFFIX}", path.display());
    let text = read_text(Path::new(&beside), "the image manifest").map_err(|failure| {
        failure
            .hint("every image needs its manifest beside it: migos-fleet image prepare makes both")
    })?;
    serde_json::from_str(&text).map_err(|error| unusable(path, &error))
}

fn unusable(path: &Path, error: &dyn std::error::Error) -> Failure {
    Failure::at(Kind::Input, format!("the image {} cannot be used", path.display()), error)
}

fn hash(path: &Path) -> io::Result<(u64, Sha256)> {
    let mut file = File::open(path)?;
    let (mut hasher, mut size, mut buffer) = (Hasher::default(), 0, vec![0; 1 << 20]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok((size, hasher.finish())),
            read => {
                hasher.update(buffer.get(..read).unwrap_or_default());
                size += read as u64;
            }
        }
    }
}
