//! Verbs for the data that is kept: `sizes`, `save`.

use super::folders::{Entries, archive};
use super::{Outcome, absolute, code, fs_failure};
use crate::card::{Content, FsError};
use crate::raspbian::Raspbian;
use crate::server::Answer;
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};
use std::io::Write;

/// `sizes PATH...`
pub(super) fn sizes(system: &Raspbian, paths: &[&str]) -> Outcome {
    for path in paths {
        absolute(path)?;
    }
    let mut text = "migos-sizes 1\n".to_owned();
    for path in paths {
        // As `du` counts: whole blocks.
        let blocks = |content: &Content| (content.bytes().len() as u64).div_ceil(4096) * 4;
        let size = match entries(system, path) {
            Ok(found) => {
                let contents = found.iter().filter_map(|(_, content)| content.as_ref());
                contents.map(blocks).sum::<u64>().to_string()
            }
            Err(_) => "-".to_owned(),
        };
        text += &format!("size {size} {path}\n");
    }
    text += "end ok\n";
    Ok(text.into_bytes())
}

/// `save PATH [PATTERN...]`
pub(super) fn save(system: &Raspbian, path: &str, patterns: &[&str]) -> Result<Answer, Answer> {
    let mut found = entries(system, absolute(path)?).map_err(|error| fs_failure(path, error))?;
    found.retain(|(name, _)| !is_left_out(name, patterns));
    let failed = |error: std::io::Error| Answer::fail(code::FAILED, error);
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(&archive(&found).map_err(failed)?).map_err(failed)?;
    let stdout = packed.finish().map_err(failed)?;
    let digest = Sha256::digest(&stdout);
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Answer { stderr: format!("saved {digest} whole\n"), ..Answer::print(stdout) })
}

/// A file, or a folder with all below it, by their paths from the folder that it stands in.
fn entries(system: &Raspbian, path: &str) -> Result<Entries, FsError> {
    let name = path.rsplit('/').next().unwrap_or_default().to_owned();
    system.pi.on(path, |files, inner| {
        if let Some(content) = files.content(inner, system.pool()) {
            return Ok(vec![(name, Some(content))]);
        }
        if !files.is_folder(inner) {
            return Err(FsError::NotFound);
        }
        let below = files.below(inner, system.pool()).into_iter();
        let below = below.map(|(path, content)| (format!("{name}/{path}"), content));
        Ok(std::iter::once((name.clone(), None)).chain(below).collect())
    })
}

/// True if a part of the path is of one of these patterns.
fn is_left_out(path: &str, patterns: &[&str]) -> bool {
    let is_of =
        |part: &str| patterns.iter().any(|pattern| fits(pattern.as_bytes(), part.as_bytes()));
    path.split('/').any(is_of)
}

/// Whether a name is of a pattern with `*` and `?`.
fn fits(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern, name) {
        ([], []) => true,
        ([b'*', rest @ ..], _) => (0..=name.len()).any(|skipped| fits(rest, &name[skipped..])),
        ([b'?', pattern @ ..], [_, name @ ..]) => fits(pattern, name),
        ([p, pattern @ ..], [n, name @ ..]) => p == n && fits(pattern, name),
        _ => false,
    }
}
