//! `image inspect` and `image verify`: what is in an image, and whether it may be sent.

use super::told_of;
use crate::args::Format;
use crate::failure::{Failure, Kind, OrFail};
use crate::input;
use crate::printer::Printer;
use migos_payload::image::{IMAGE_MANIFEST_SUFFIX, ImageManifest};
use migos_payload_builder::{Content, LayoutError, Look, Partition, look_into_image};
use serde_json::json;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Tells what an image is, also one that was not prepared yet.
pub(super) fn inspect(file: &Path, format: Format, printer: Printer) -> Result<u8, Failure> {
    let beside = PathBuf::from(format!("{}{IMAGE_MANIFEST_SUFFIX}", file.display()));
    let manifest = if beside.exists() { Some(input::image_manifest(file)?) } else { None };
    let look = look(file, manifest.as_ref())?;
    printer.out(&match format {
        Format::Table => table(file, manifest.as_ref(), &look),
        Format::Json => document(manifest.as_ref(), &look)?,
    });
    verdict(file, manifest.as_ref(), &look)?;
    if manifest.is_none() {
        let file = file.display();
        printer.say(&format!(
            "hint: make of it what is sent: migos-fleet image prepare {file} -o IMAGE"
        ));
    }
    Ok(0)
}

/// Checks images against their manifests; the first that is damaged is an error.
pub(super) fn verify(files: &[PathBuf], printer: Printer) -> Result<u8, Failure> {
    for file in files {
        let (manifest, _) = input::image(file)?;
        let look = look(file, Some(&manifest))?;
        verdict(file, Some(&manifest), &look)?;
        let digest = manifest.sha256;
        printer.out(&format!("{}: {} verified, sha256 {digest}\n", file.display(), manifest.size));
    }
    Ok(0)
}

fn look(file: &Path, manifest: Option<&ImageManifest>) -> Result<Look, Failure> {
    look_into_image(file, manifest).map_err(|error| {
        Failure::at(Kind::Input, format!("the image {} cannot be used", file.display()), &error)
    })
}

/// Refuses what must not be written onto a card. For an image with other partitions than balenaOS has, its manifest
/// vouches.
fn verdict(file: &Path, manifest: Option<&ImageManifest>, look: &Look) -> Result<(), Failure> {
    match &look.layout {
        Ok(()) => Ok(()),
        Err(LayoutError::Foreign { .. }) if manifest.is_some() => Ok(()),
        Err(error) => {
            let what = format!("the image {} cannot be used", file.display());
            Err(Failure::at(Kind::Input, what, error))
        }
    }
}

fn table(file: &Path, manifest: Option<&ImageManifest>, look: &Look) -> String {
    let mut text = match manifest {
        Some(manifest) => told_of(manifest, file),
        None => {
            let said = |said: &Option<String>| said.clone().unwrap_or_else(|| "unknown".to_owned());
            format!(
                "image {}\n  version   {}\n  for       {} ({})\n  form      not prepared\n  on card   {}\n",
                file.display(),
                said(&look.says.os_version),
                said(&look.says.device_type),
                said(&look.says.architecture),
                look.needed,
            )
        }
    };
    for (nth, Partition { number, start, size, content, label }) in
        look.partitions.iter().enumerate()
    {
        let word = if nth == 0 { "partitions" } else { "" };
        let label = match content {
            Content::Extended => "",
            _ if label.is_empty() => "without a name",
            _ => label,
        };
        let (start, size, content) = (start.to_string(), size.to_string(), content.to_string());
        let row = format!("  {word:<12}{number}  at {start:<9}{size:<9}{content:<10}{label}");
        // Writing to a string does not fail.
        let _ = writeln!(text, "{}", row.trim_end());
    }
    text
}

fn document(manifest: Option<&ImageManifest>, look: &Look) -> Result<String, Failure> {
    let mut document = match manifest {
        Some(manifest) => serde_json::to_value(manifest).or_fail(Kind::Internal)?,
        None => serde_json::to_value(&look.says).or_fail(Kind::Internal)?,
    };
    document["partitions"] = json!(look.partitions);
    document["card"] = json!(look.needed);
    Ok(serde_json::to_string_pretty(&document).or_fail(Kind::Internal)? + "\n")
}
