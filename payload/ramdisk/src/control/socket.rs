//! The way from `migos-ctl` to `/init`: one line of words in, then what comes with them; one line out.

use super::{Control, Intake};
use crate::disk::BlockDisk;
use crate::flash::{Flash, PIECE};
use crate::image::{ChunkTable, VerifiedImage};
use crate::log::Log;
use migos_contract::{Command, Configuration, Image as Promise, PROGRAM, Status};
use serde_json::{Value, json};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// Where `/init` listens.
pub const SOCKET: &str = "/run/migos.sock";

/// More than any configuration is.
const LARGEST_INPUT: u64 = 1 << 20;

/// A sender from whom nothing comes for so long is gone: another may send.
const SILENCE: Duration = Duration::from_secs(120);

/// Answers the callers, each on a thread of its own: an image takes minutes to come.
#[derive(Clone)]
pub struct Server {
    control: Arc<Mutex<Control>>,
    /// A folder in memory.
    memory: PathBuf,
    log: Log,
}

impl Server {
    /// Answers for this control; an image that is sent is kept in that folder.
    pub fn new(control: Arc<Mutex<Control>>, memory: PathBuf, log: Log) -> Self {
        Self { control, memory, log }
    }

    /// Listens at that path, from now until the end of the process.
    ///
    /// # Errors
    /// The socket cannot be made.
    pub fn listen(self, path: &Path) -> io::Result<()> {
        let listener = UnixListener::bind(path)?;
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let server = self.clone();
                // Whoever hangs up hears no answer.
                thread::spawn(move || server.serve(&stream));
            }
        });
        Ok(())
    }

    fn serve(&self, stream: &UnixStream) -> io::Result<()> {
        stream.set_read_timeout(Some(SILENCE))?;
        let mut input = BufReader::new(stream);
        let mut line = Vec::new();
        input.by_ref().take(LARGEST_INPUT).read_until(b'\n', &mut line)?;
        let done = self.carry_out(&line, &mut input);
        let answer = match done {
            Ok(Command::Log) => json!({ "log": self.log.text() }),
            Ok(_) => json!({ "status": self.control().status() }),
            Err(refusal) => json!({ "refused": refusal }),
        };
        writeln!(&mut &*stream, "{answer}")
    }

    fn carry_out(&self, line: &[u8], input: &mut impl Read) -> Result<Command, String> {
        let words: Vec<String> = serde_json::from_slice(line).map_err(|error| error.to_string())?;
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let command = Command::parse(&words).map_err(|error| error.to_string())?;
        let done = self.obey(&command, input);
        // What an input is refused for may repeat what is in it, and a configuration holds secrets.
        match (&command, &done) {
            (Command::Status | Command::Log, _) => {}
            (Command::Configure, Err(_)) => self.log.add("configure: refused"),
            (_, Ok(())) => self.log.add(&format!("{}: done", name(&command))),
            (_, Err(why)) => self.log.add(&format!("{}: refused: {why}", name(&command))),
        }
        done.map(|()| command)
    }

    fn obey(&self, command: &Command, input: &mut impl Read) -> Result<(), String> {
        let mut text = Vec::new();
        match command {
            Command::Stream => {
                self.control().meet();
                return self.take(input);
            }
            Command::Configure => {
                let read = input.take(LARGEST_INPUT).read_to_end(&mut text);
                read.map_err(|error| format!("failed to read the configuration: {error}"))?;
                return self.configure(&text);
            }
            Command::Status | Command::Log | Command::Commit { .. } | Command::Abort => {}
        }
        self.control().handle(command, &text)
    }

    /// Takes a configuration, after it has been tried.
    ///
    /// # Errors
    /// It is not understood, or cannot be written into the image; or it comes too late.
    pub fn configure(&self, text: &[u8]) -> Result<(), String> {
        self.try_configuration(text)?;
        self.control().handle(&Command::Configure, text)
    }

    /// What is told of MIGOS.
    pub fn status(&self) -> Status {
        self.control().status()
    }

    /// Tries on a copy in memory what the flash will do past the commit. It takes some seconds, in which
    /// others are answered.
    fn try_configuration(&self, text: &[u8]) -> Result<(), String> {
        let image = self.control().image();
        // Who is past the commit without an image, or sends something else, is told so by the control.
        let (Some(image), Ok(configuration)) =
            (image, serde_json::from_slice::<Configuration>(text))
        else {
            return Ok(());
        };
        self.try_files(&image, &configuration)
    }

    fn try_files(&self, image: &VerifiedImage, wanted: &Configuration) -> Result<(), String> {
        let flash = Flash { image, files: &wanted.files, no_lifeboat: false, piece: PIECE };
        let size = flash.scratch_size().map_err(|error| error.to_string())?;
        let mut scratch = nameless(&self.memory)
            .and_then(|file| {
                file.set_len(size)?;
                BlockDisk::new(file)
            })
            .map_err(|error| format!("no memory to try the configuration: {error}"))?;
        flash.try_files(&mut scratch).map_err(|error| error.to_string())
    }

    /// Takes what is wanted of the image.
    ///
    /// # Errors
    /// Nothing is, or something else came.
    pub fn take(&self, input: &mut dyn Read) -> Result<(), String> {
        let intake = self.control().begin_image()?;
        match intake {
            Intake::Part(image) => {
                let taken = image.take(input).map_err(|error| error.to_string());
                let ended = self.control().end_part();
                ended.and(taken)
            }
            Intake::Whole(promise, chunks) => {
                let image = match self.receive(&promise, chunks, input) {
                    Ok(image) => image,
                    Err(error) => return self.control().end_image(None).and(Err(error)),
                };
                // Left on the card, a configuration has come before the image.
                let untried = self.control().untried();
                if let Some(Err(why)) = untried.map(|files| self.try_files(&image, &files)) {
                    let mut control = self.control();
                    control.end_image(None)?;
                    control.fail(why.clone());
                    return Err(why);
                }
                self.control().end_image(Some(image))
            }
        }
    }

    /// The image was not to be had from where the job says.
    pub fn not_fetched(&self, why: String) {
        self.control().not_fetched(why);
    }

    fn receive(
        &self,
        promise: &Promise,
        chunks: Option<Arc<ChunkTable>>,
        input: &mut dyn Read,
    ) -> Result<VerifiedImage, String> {
        let file = nameless(&self.memory)
            .and_then(|mut file| {
                io::copy(&mut input.take(promise.size.saturating_add(1)), &mut file)?;
                Ok(file)
            })
            .map_err(|error| format!("the image does not go into memory: {error}"))?;
        VerifiedImage::verify(file, promise, chunks).map_err(|error| error.to_string())
    }

    fn control(&self) -> MutexGuard<'_, Control> {
        self.control.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A command as it stands in the log.
fn name(command: &Command) -> &str {
    command.words().get(1).copied().unwrap_or_default()
}

/// A file without a name: its memory is free again as soon as nobody holds it.
pub(crate) fn nameless(folder: &Path) -> io::Result<File> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let path = folder.join(format!("unnamed-{number}"));
    let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path)?;
    fs::remove_file(&path)?;
    Ok(file)
}

/// `migos-ctl` itself: passes the words on with what comes on standard input, and prints the answer. Gives
/// the exit code: 1 for a refusal, which goes to `err`; 2 where nobody answers.
pub fn call(
    socket: &Path,
    words: &[String],
    input: &mut dyn Read,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> u8 {
    // Without a reader there is nobody left to tell.
    match ask(socket, words, input) {
        Ok(answer) => {
            let text = |key| answer.get(key).and_then(Value::as_str);
            match (answer.get("status"), text("log"), text("refused")) {
                (Some(status), _, _) => u8::from(writeln!(out, "{status}").is_err()),
                (None, Some(log), _) => u8::from(write!(out, "{log}").is_err()),
                (None, None, refusal) => {
                    let refusal = refusal.unwrap_or("MIGOS answers what is no answer");
                    let _ = writeln!(err, "{refusal}");
                    1
                }
            }
        }
        Err(error) => {
            let _ = writeln!(err, "{PROGRAM}: MIGOS does not answer: {error}");
            2
        }
    }
}

fn ask(socket: &Path, words: &[String], input: &mut dyn Read) -> io::Result<Value> {
    let mut stream = UnixStream::connect(socket)?;
    writeln!(stream, "{}", json!(words))?;
    if matches!(words.get(1).map(String::as_str), Some("configure" | "stream")) {
        // Refused, it is not read to its end: the answer says why.
        let _ = io::copy(input, &mut stream);
    }
    let _ = stream.shutdown(Shutdown::Write);
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer)?;
    Ok(serde_json::from_str(&answer)?)
}
