//! What the program tells of itself: to stderr as much as `-v` asks for, into the run's folder everything.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

static RUN_LOG: OnceLock<Mutex<File>> = OnceLock::new();

/// Begins to tell on stderr.
pub(crate) fn start(verbose: u8) {
    let level = match verbose {
        0 => LevelFilter::ERROR,
        1 => LevelFilter::INFO,
        2 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    let stderr = fmt::layer().with_writer(io::stderr).with_target(false).with_filter(level);
    let file = fmt::layer().with_writer(RunLog).with_ansi(false).with_filter(LevelFilter::DEBUG);
    // What the libraries tell of themselves is theirs, and might hold what we would not tell.
    let ours = filter_fn(|metadata| metadata.target().starts_with("migos"));
    let registry = tracing_subscriber::registry().with(stderr.with_filter(ours.clone()));
    let registry = registry.with(file.with_filter(ours));
    // A second subscriber in one process can only be a test's.
    let _ = registry.try_init();
}

/// From now on everything is told in this file too.
pub(crate) fn into_file(path: &Path) -> io::Result<()> {
    let file = File::options().create(true).append(true).open(path)?;
    // One process works on one run.
    let _ = RUN_LOG.set(Mutex::new(file));
    Ok(())
}

struct RunLog;

impl<'a> MakeWriter<'a> for RunLog {
    type Writer = RunLogWriter;

    fn make_writer(&'a self) -> RunLogWriter {
        RunLogWriter
    }
}

struct RunLogWriter;

impl Write for RunLogWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match RUN_LOG.get() {
            Some(file) => file.lock().unwrap_or_else(PoisonError::into_inner).write(bytes),
            None => Ok(bytes.len()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
