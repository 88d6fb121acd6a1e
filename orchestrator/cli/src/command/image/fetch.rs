//! `image fetch`: an image of balenaOS from balena, prepared while it comes.
//!
//! Nothing is kept of what is downloaded but the chunks, and those only when all is there and right.

use super::{finish, written_beside};
use crate::args::ImageFetch;
use crate::failure::{Failure, Kind, OrFail};
use crate::printer::Printer;
use crate::signals::Signals;
use crate::wire::{self, VERSION};
use bytes::Bytes;
use migos_balena::{
    Authority, Download, Images, ImagesError, OsVersion, Timeouts, Token, Wanted, order_of_versions,
};
use migos_inventory::SecretSource;
use migos_payload::image::ImageManifest;
use migos_payload::size::ByteCount;
use migos_payload_builder::{PrepareError, Told, prepare_image};
use std::fs;
use std::io::{self, Read};
use std::path::{MAIN_SEPARATOR_STR, Path, PathBuf};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::spawn_blocking;

/// Exit code of what was interrupted.
const INTERRUPTED: u8 = 130;
/// So many pieces wait for being packed, at most.
const WAITING: usize = 16;
/// How often it is said how far it is.
const PERCENT: u64 = 10;
/// How many versions are named when the wanted one is not there.
const NAMED: usize = 5;

pub(super) async fn run(args: &ImageFetch, printer: Printer) -> Result<u8, Failure> {
    let mut signals = Signals::watch();
    let images = images(args)?;
    let device_type = args.device_type.as_str();
    let versions = images.versions(device_type).await.map_err(|error| failure(args, &error))?;
    let version = choose(args, &images, &versions)?.raw.clone();
    let output = output(args, &version);
    let what = || format!("failed to fetch balenaOS {version} for {device_type}");
    if let Some(folder) = output.parent() {
        fs::create_dir_all(folder).map_err(|error| Failure::at(Kind::Input, what(), &error))?;
    }
    let download = images.download(device_type, &version).await;
    let mut download = download.map_err(|error| failure(args, &error))?;
    let size = download.total().map(|size| format!(", {}", ByteCount(size))).unwrap_or_default();
    printer.say(&format!("balenaOS {version} for {device_type} from {}{size}", images.host()));

    let (sender, receiver) = channel(WAITING);
    let told = Told {
        device_type: Some(device_type.to_owned()),
        asked: Some(version.clone()),
        ..Told::default()
    };
    let target = output.clone();
    let prepare = spawn_blocking(move || {
        let pieces = Pieces { receiver, piece: Bytes::new() };
        prepare_image(pieces, &target, &told, &mut |_| {})
    });
    let ended = tokio::select! {
        ended = pass_on(&mut download, &sender, printer) => ended,
        () = signals.next() => Ended::Interrupted,
    };
    if !matches!(ended, Ended::Whole) {
        // Whoever reads is not to take what came for all. That he is gone already is all the same.
        let _ = sender.send(Err(io::ErrorKind::ConnectionAborted.into())).await;
    }
    drop(sender);
    let prepared = prepare.await.or_fail(Kind::Internal)?;
    match ended {
        Ended::Interrupted => {
            printer.say("interrupted: nothing was written");
            Ok(INTERRUPTED)
        }
        Ended::Broken(error) => Err(failure(args, &error)),
        Ended::Whole | Ended::NotWanted => {
            let manifest = prepared.map_err(|error| unprepared(what(), &error))?;
            written(&manifest, &output, printer)
        }
    }
}

/// How passing on ended.
enum Ended {
    /// All was passed on.
    Whole,
    /// Nobody takes any more: whoever took it says why.
    NotWanted,
    /// A person ended it.
    Interrupted,
    /// No more came.
    Broken(ImagesError),
}

/// Hands what is downloaded to who prepares it.
async fn pass_on(
    download: &mut Download<'_>,
    sender: &Sender<io::Result<Bytes>>,
    printer: Printer,
) -> Ended {
    let (total, mut got, mut next) = (download.total(), 0, PERCENT);
    loop {
        let piece = match download.next().await {
            Ok(Some(piece)) => piece,
            Ok(None) => return Ended::Whole,
            Err(error) => return Ended::Broken(error),
        };
        got += piece.len() as u64;
        if let Some(total) = total
            && got * 100 >= total * next
            && got < total
        {
            printer.say(&format!("  {} of {}", ByteCount(got), ByteCount(total)));
            next = got * 100 / total / PERCENT * PERCENT + PERCENT;
        }
        if sender.send(Ok(piece)).await.is_err() {
            return Ended::NotWanted;
        }
    }
}

/// What comes in pieces, as something to read.
struct Pieces {
    receiver: Receiver<io::Result<Bytes>>,
    piece: Bytes,
}

impl Read for Pieces {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.receiver.blocking_recv() {
                Some(piece) => self.piece = piece?,
                None => return Ok(0),
            }
        }
        let read = into.len().min(self.piece.len());
        let piece = self.piece.split_to(read);
        into.iter_mut().zip(piece).for_each(|(into, byte)| *into = byte);
        Ok(read)
    }
}

fn images(args: &ImageFetch) -> Result<Images, Failure> {
    let token = match &args.token_env {
        None => None,
        Some(name) => {
            let source = SecretSource::Env(name.clone());
            let text = wire::secret(Path::new("."), &source, "the balena token")?;
            Some(Token::new(&text).map_err(|error| {
                Failure::at(Kind::Input, "the balena token cannot be used", &error)
            })?)
        }
    };
    let read = |path: &PathBuf| {
        let what =
            || format!("failed to read the certificates of balena's API from {}", path.display());
        fs::read_to_string(path).map_err(|error| Failure::at(Kind::Input, what(), &error))
    };
    let pem = args.ca.as_ref().map(read).transpose()?;
    let authority = pem.as_deref().map_or(Authority::Public, Authority::Own);
    Images::new(&args.api, authority, token, VERSION, Timeouts::default())
        .map_err(|error| Failure::of(Kind::Input, &error))
}

fn choose<'a>(
    args: &ImageFetch,
    images: &Images,
    versions: &'a [OsVersion],
) -> Result<&'a OsVersion, Failure> {
    let (device_type, version) = (&args.device_type, &args.version);
    if let Some(chosen) = Wanted::parse(version).choose(versions) {
        return Ok(chosen);
    }
    let host = images.host();
    if versions.is_empty() {
        let what = format!("{host} has no balenaOS for {device_type}");
        let hint = "device types of Pis: raspberry-pi, raspberry-pi2, raspberrypi3, raspberrypi3-64, \
                    raspberrypi0-2w-64, raspberrypi4-64, raspberrypi400-64, raspberrypi5";
        return Err(elsewhere(args, Failure::new(Kind::Input, what).hint(hint)));
    }
    let mut known: Vec<&str> = versions.iter().map(|version| version.raw.as_str()).collect();
    known.sort_by(|left, right| order_of_versions(right, left));
    known.truncate(NAMED);
    let what = format!("{host} has no balenaOS {version} for {device_type}");
    let hint = format!("the newest are {}; leave out --version for the latest", known.join(", "));
    Err(Failure::new(Kind::Input, what).hint(hint))
}

/// Where the image goes: the file that was named, or one with a telling name in the folder that was.
fn output(args: &ImageFetch, version: &str) -> PathBuf {
    let named = &args.output;
    let is_folder = named.is_dir() || named.to_string_lossy().ends_with(MAIN_SEPARATOR_STR);
    match is_folder {
        true => named.join(format!("{}-{version}.img.gz", args.device_type)),
        false => named.clone(),
    }
}

fn written(manifest: &ImageManifest, output: &Path, printer: Printer) -> Result<u8, Failure> {
    written_beside(manifest, output)?;
    finish(manifest, output, printer)
}

fn unprepared(what: String, error: &PrepareError) -> Failure {
    let failure = Failure::at(Kind::Input, what, error);
    match error {
        PrepareError::Write { .. } => failure.hint(
            "an image takes some 200 MB: free room, or write it elsewhere with --output; nothing was left behind",
        ),
        _ => failure.hint("nothing was written; try again, or give another --version"),
    }
}

fn failure(args: &ImageFetch, error: &ImagesError) -> Failure {
    match error {
        ImagesError::NoSuchImage { .. } => elsewhere(args, Failure::of(Kind::Input, error)),
        ImagesError::Refused(_) if args.token_env.is_none() => {
            let hint = "versions that are not public need a token: --token-env BALENA_TOKEN";
            Failure::of(Kind::Input, error).hint(hint)
        }
        ImagesError::Refused(_) | ImagesError::Garbled(_) | ImagesError::Astray(_) => {
            Failure::of(Kind::Input, error)
        }
        ImagesError::Away(_) | ImagesError::Changed | ImagesError::BrokenOff { .. } => {
            Failure::of(Kind::NotStarted, error).hint("nothing was written; try again")
        }
    }
}

/// What to do at an API that has no images, which is every openBalena.
fn elsewhere(args: &ImageFetch, failure: Failure) -> Failure {
    if args.api == migos_inventory::Settings::BALENA_CLOUD {
        return failure;
    }
    failure.hint(
        "openBalena gives out no images: take them from balenaCloud by leaving out --api, or prepare a file that \
         you have: migos-fleet image prepare FILE -o IMAGE",
    )
}
