//! `payload inspect` and `payload verify`.

use super::{boards, read};
use crate::args::Format;
use crate::failure::{Failure, Kind, OrFail};
use crate::printer::Printer;
use migos_payload::archive::VerifiedPayload;
use migos_payload::manifest::{Manifest, Restart};
use migos_payload::size::ByteCount;
use migos_payload_builder::{Generation, Inspected, Stock, inspect};
use serde::Serialize;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What is in a tarball, as one JSON document.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Document<'a> {
    Payload { sha256: String, manifest: &'a Manifest },
    Stock { stock: &'a Stock },
}

pub(super) fn run(file: &Path, format: Format, printer: Printer) -> Result<u8, Failure> {
    let inspected = inspect(&read(file)?).map_err(|error| {
        let what = format!("it cannot be told what {} is", file.display());
        Failure::at(Kind::Input, what, &error).hint("get it again, or build one: payload build")
    })?;
    let text = match format {
        Format::Table => match &inspected {
            Inspected::Payload(payload) => payload_text(payload),
            Inspected::Stock(stock) => stock_text(stock),
        },
        Format::Json => {
            let document = match &inspected {
                Inspected::Payload(payload) => Document::Payload {
                    sha256: payload.digest().to_string(),
                    manifest: payload.manifest(),
                },
                Inspected::Stock(stock) => Document::Stock { stock },
            };
            serde_json::to_string_pretty(&document).or_fail(Kind::Internal)? + "\n"
        }
    };
    printer.out(&text);
    Ok(0)
}

/// Checks payloads; the first that is damaged is an error.
pub(super) fn verify(files: &[PathBuf], printer: Printer) -> Result<u8, Failure> {
    for file in files {
        let payload = VerifiedPayload::read(&read(file)?).map_err(|error| {
            let what = format!("the payload {} cannot be used", file.display());
            Failure::at(Kind::Input, what, &error)
                .hint("get it again, or see what it is with: payload inspect")
        })?;
        let (digest, count) = (payload.digest(), payload.manifest().files.len());
        printer.out(&format!("{}: {count} files verified, sha256 {digest}\n", file.display()));
    }
    Ok(0)
}

fn payload_text(payload: &VerifiedPayload) -> String {
    let manifest = payload.manifest();
    let restart = match manifest.restart {
        Restart::Builtin => "built in: an early panic comes back",
        Restart::Module => {
            "a module: an early panic hangs; `migrate` wants --allow unguarded-kernel"
        }
    };
    let total: ByteCount = manifest.files.iter().map(|file| file.size).sum();
    let mut text = format!(
        "payload of MIGOS {} for {}\n  sha256    {}\n  boards    {}\n  memory    {} at least\n  \
         restart   {restart}\n  on card   {total}\n",
        manifest.version,
        manifest.architecture,
        payload.digest(),
        boards(manifest),
        manifest.minimum_memory,
    );
    for file in &manifest.files {
        text += &format!(
            "    {:<36}{:>8}  {}\n",
            file.path,
            file.size.to_string(),
            file.sha256.short()
        );
    }
    text
}

fn stock_text(stock: &Stock) -> String {
    let generation = match stock.generation {
        Generation::Migos => "first generation, MIGOS_… names",
        Generation::Uxmigos => "second generation, UXMIGOS_… names",
    };
    let initrd = stock.initrd.as_ref().map_or("none".to_owned(), |initrd| {
        let form = initrd.compression.unwrap_or("in an unknown form");
        format!("initrd, {}, {form}", ByteCount(initrd.size))
    });
    let list = |names: &BTreeSet<String>| match names.is_empty() {
        true => "none".to_owned(),
        false => names.iter().map(String::as_str).collect::<Vec<_>>().join(", "),
    };
    format!(
        "stock MIGOS of the original project ({generation})\n  version   {}\n  kernel    {}\n  \
         ramdisk   {initrd}\n  firmware  {}\n  boards    {}\n\
         `migrate` does not send it: it replaces the whole boot partition and cannot go back. Build a payload \
         with: migos-fleet payload build\n",
        stock.version.as_deref().unwrap_or("unknown"),
        list(&stock.kernels),
        list(&stock.firmware),
        list(&stock.device_trees),
    )
}
