//! `image`: the operating system that is sent to devices.

mod fetch;
mod look;

use crate::args::{ImageCommand, ImagePrepare};
use crate::failure::{Failure, Kind, OrFail};
use crate::printer::Printer;
use migos_contract::Compression;
use migos_engine::run::write_whole;
use migos_payload::image::{IMAGE_MANIFEST_SUFFIX, ImageManifest};
use migos_payload::size::ByteCount;
use migos_payload_builder::{PrepareError, Told, prepare_image};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// How often it is said how far it is, in unpacked bytes.
const SAY_EVERY: u64 = 256 << 20;

pub(super) async fn run(command: ImageCommand, printer: Printer) -> Result<u8, Failure> {
    match command {
        ImageCommand::Fetch(args) => fetch::run(&args, printer).await,
        ImageCommand::Prepare(args) => prepare(args, printer),
        ImageCommand::Inspect { file, format } => look::inspect(&file, format, printer),
        ImageCommand::Verify { files } => look::verify(&files, printer),
    }
}

fn prepare(args: ImagePrepare, printer: Printer) -> Result<u8, Failure> {
    let ImagePrepare { source, output, device_type, architecture, os_version } = args;
    let what = || format!("failed to prepare {}", source.display());
    let input: Box<dyn Read> = match source.as_os_str() == "-" {
        true => Box::new(io::stdin()),
        false => {
            let file = File::open(&source);
            Box::new(file.map_err(|error| Failure::at(Kind::Input, what(), &error))?)
        }
    };
    if let Some(folder) = output.parent() {
        fs::create_dir_all(folder).map_err(|error| Failure::at(Kind::Input, what(), &error))?;
    }
    let told = Told { device_type, architecture, os_version, asked: None };
    let mut next = SAY_EVERY;
    let prepared = prepare_image(input, &output, &told, &mut |bytes| {
        if bytes >= next {
            printer.say(&format!("  {} of the image", ByteCount(bytes)));
            next = bytes + SAY_EVERY;
        }
    });
    let manifest = prepared.map_err(|error| {
        let kind = match error {
            PrepareError::Unknown { .. } => Kind::Usage,
            _ => Kind::Input,
        };
        Failure::at(kind, what(), &error)
    })?;
    written_beside(&manifest, &output)?;
    finish(&manifest, &output, printer)
}

/// Writes an image's manifest beside it.
fn written_beside(manifest: &ImageManifest, image: &Path) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(manifest).or_fail(Kind::Internal)? + "\n";
    let beside = PathBuf::from(format!("{}{IMAGE_MANIFEST_SUFFIX}", image.display()));
    write_whole(&beside, text.as_bytes(), 0o644).or_fail(Kind::Input)
}

/// Says what there is now, and where it belongs.
fn finish(manifest: &ImageManifest, image: &Path, printer: Printer) -> Result<u8, Failure> {
    printer.out(&told_of(manifest, image));
    printer.say(&format!(
        "hint: in the inventory: images: {{ {}: {} }}",
        manifest.device_type,
        image.display()
    ));
    Ok(0)
}

fn told_of(manifest: &ImageManifest, file: &Path) -> String {
    let form = match (manifest.compression, &manifest.chunks) {
        (Compression::None, _) => "not compressed".to_owned(),
        (Compression::Gzip, None) => {
            "gzip, in one piece: `image prepare` makes chunks of it, which small boards need"
                .to_owned()
        }
        (Compression::Gzip, Some(chunks)) => {
            format!("gzip, {} chunks of {}", chunks.chunks.len(), ByteCount(chunks.raw_size))
        }
    };
    format!(
        "image {}\n  version   {}\n  for       {} ({})\n  file      {}, sha256 {}\n  form      {form}\n  \
         on card   {}\n",
        file.display(),
        manifest.os_version,
        manifest.device_type,
        manifest.architecture,
        manifest.size,
        manifest.sha256,
        manifest.raw_size,
    )
}
