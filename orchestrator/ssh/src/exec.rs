//! Runs one command and never hangs.
//!
//! The rules, each learnt from a hang: nothing is written to a command without listening to it at the
//! same time, since a dead command takes nothing any more; all output is read, since one full channel
//! stops the connection; the end is not the end of the output but the closed channel, since the exit
//! code comes later.

use crate::archive::Archive;
use crate::connect::Connection;
use crate::content::Pieces;
use crate::pace::Pace;
use crate::send::offset;
use crate::timeouts::Timeouts;
use bytes::Bytes;
use migos_contract::Part;
use migos_engine::bandwidth::Meter;
use migos_engine::port::{Content, TransportError};
use russh::client::Msg;
use russh::{ChannelMsg, ChannelOpenFailure, ChannelReadHalf, ChannelWriteHalf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// sshd frees the place of a command a little after it told of its end, so that a server with few places
/// may have none for the next one yet. Milliseconds.
const PLACE_WAITS: [u64; 7] = [10, 20, 50, 100, 200, 500, 1000];

/// The largest packet that every server takes (RFC 4253, section 6.1).
const PACKET: usize = 32 << 10;

/// How much of the end of standard error is kept; the rest is read and forgotten.
const KEPT_ERRORS: usize = 64 << 10;

/// A command and what goes with it.
pub(crate) struct Command<'a> {
    /// What it is called in messages.
    pub(crate) name: &'static str,
    /// The command line.
    pub(crate) line: &'a str,
    /// The first line of standard input, for sudo.
    pub(crate) password: Option<&'a str>,
    /// The rest of standard input.
    pub(crate) input: Input<'a>,
    /// Where standard output goes.
    pub(crate) output: Output<'a>,
}

/// Where standard output goes.
pub(crate) enum Output<'a> {
    /// Into the answer; more bytes than these are an error.
    Kept(usize),
    /// Into a file on this computer.
    Archive {
        archive: &'a mut Archive,
        /// Told the bytes that have come so far.
        progress: &'a (dyn Fn(u64) + Send + Sync),
    },
}

/// Standard input.
pub(crate) enum Input<'a> {
    Nothing,
    Bytes(Bytes),
    /// A part of a content.
    Part {
        content: &'a Content,
        part: Part,
        /// Told the bytes of the content that are sent.
        progress: &'a (dyn Fn(u64) + Send + Sync),
        /// Counts the bytes that crossed the network.
        sent: &'a AtomicU64,
    },
    /// What a command lacks of a content: the first line of its output says what is there of it, and it is told where
    /// to go on.
    Rest {
        content: &'a Content,
        /// Told the bytes of the content that are there.
        progress: &'a (dyn Fn(u64) + Send + Sync),
        /// Counts the bytes that crossed the network.
        sent: &'a AtomicU64,
    },
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The exit code, or the signal that killed it.
    pub(crate) end: Result<u32, String>,
    pub(crate) stdout: Vec<u8>,
    /// The last line on standard error that is not blank: what comes before it are sudo's lecture and
    /// complaints about locales.
    pub(crate) said: String,
}

/// Runs a command.
pub(crate) async fn run(
    connection: &Connection,
    timeouts: &Timeouts,
    meter: &Meter,
    command: Command<'_>,
) -> Result<Answer, TransportError> {
    let name = command.name;
    if crate::quote::has_nul(command.line) {
        let message = "an argument holds a NUL".to_owned();
        return Err(TransportError::Refused { verb: name, message });
    }
    let opening = open(connection, name, command.line);
    let (reader, writer) =
        timeout(timeouts.open, opening).await.map_err(|_| stalled(name, timeouts.open))??;
    let pace = Pace::within(meter.clone(), connection.round_trip.shortest());
    let result = converse(timeouts, meter, command, &pace, reader, &writer).await;
    if result.is_err() {
        // Else the command would live on for as long as the connection does.
        let _ = timeout(timeouts.close, writer.close()).await;
    }
    result
}

async fn open(
    connection: &Connection,
    name: &'static str,
    line: &str,
) -> Result<(ChannelReadHalf, ChannelWriteHalf<Msg>), TransportError> {
    let lost = |_| TransportError::Lost { verb: name };
    let mut waits = PLACE_WAITS.into_iter();
    let channel = loop {
        let start = Instant::now();
        match connection.handle.channel_open_session().await {
            Ok(channel) => {
                connection.round_trip.took(start.elapsed());
                break channel;
            }
            Err(russh::Error::ChannelOpenFailure(why)) => match (why, waits.next()) {
                (ChannelOpenFailure::ConnectFailed, Some(wait)) => {
                    sleep(Duration::from_millis(wait)).await;
                }
                (why, _) => {
                    let message = format!("the device opens no channel: {why:?}");
                    return Err(TransportError::Refused { verb: name, message });
                }
            },
            Err(_) => return Err(TransportError::Lost { verb: name }),
        }
    };
    channel.exec(true, line).await.map_err(lost)?;
    Ok(channel.split())
}

/// Feeds the command and listens to it until its channel is closed.
async fn converse(
    timeouts: &Timeouts,
    meter: &Meter,
    command: Command<'_>,
    pace: &Pace,
    mut reader: ChannelReadHalf,
    writer: &ChannelWriteHalf<Msg>,
) -> Result<Answer, TransportError> {
    let Command { name, mut output, .. } = command;
    // An archive comes in a steady stream; any other answer may take its time.
    let answer = match output {
        Output::Kept(_) => timeouts.answer,
        Output::Archive { .. } => timeouts.progress,
    };
    let waits_for_answer = matches!(command.input, Input::Rest { .. });
    let (first_line, line) = oneshot::channel();
    let (mut first_line, goes_on) = (Some(first_line), Notify::new());
    let feeding = feed(command.password, command.input, writer, pace, line, &goes_on);
    tokio::pin!(feeding);
    let (mut started, mut fed) = (false, false);
    let mut end = None;
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let mut too_long = false;
    let mut patience = timeouts.progress;
    let mut deadline = Instant::now() + patience;
    loop {
        let message = tokio::select! {
            result = &mut feeding, if started && !fed => {
                result?;
                fed = true;
                patience = answer;
                deadline = Instant::now() + patience;
                continue;
            }
            () = goes_on.notified() => {
                patience = timeouts.progress;
                deadline = Instant::now() + patience;
                continue;
            }
            message = reader.wait() => message,
            () = sleep_until(deadline) => {
                // Whoever was held back by a limit has not stalled.
                let until = pace.held_back_until().map(|until| until + patience);
                match until.filter(|until| *until > Instant::now()) {
                    Some(until) => deadline = until,
                    None => return Err(stalled(name, patience)),
                }
                continue;
            }
        };
        match message {
            None => break,
            Some(ChannelMsg::Data { data }) => match &mut output {
                Output::Kept(limit) => {
                    let room = limit.saturating_sub(stdout.len());
                    too_long |= data.len() > room;
                    stdout.extend(&data[..data.len().min(room)]);
                    if let Some(end) = stdout.iter().position(|byte| *byte == b'\n')
                        && let Some(first_line) = first_line.take()
                    {
                        // Nobody but an upload listens.
                        let line = String::from_utf8_lossy(&stdout[..=end]).into_owned();
                        let _ = first_line.send(line);
                    }
                }
                Output::Archive { archive, progress } => {
                    // What is not taken off the channel is not sent by the device.
                    meter.take(data.len()).await;
                    archive.write(&data).await?;
                    progress(archive.size());
                }
            },
            Some(ChannelMsg::ExtendedData { data, .. }) => {
                stderr.extend(&data[..]);
                stderr.drain(..stderr.len().saturating_sub(KEPT_ERRORS));
            }
            Some(ChannelMsg::WindowAdjusted { new_size }) => pace.window_is(new_size),
            Some(ChannelMsg::ExitStatus { exit_status }) => end = Some(Ok(exit_status)),
            Some(ChannelMsg::ExitSignal { signal_name, .. }) => {
                end = Some(Err(format!("killed by signal {signal_name:?}")));
            }
            Some(ChannelMsg::Success) => {
                started = true;
                if waits_for_answer {
                    patience = answer;
                }
            }
            Some(ChannelMsg::Failure) => {
                let message = "the device runs no commands for this login".to_owned();
                return Err(TransportError::Refused { verb: name, message });
            }
            Some(_) => {}
        }
        deadline = Instant::now() + patience;
    }
    let end = end.ok_or(TransportError::Lost { verb: name })?;
    if too_long {
        let message = format!("more than {} bytes", stdout.len());
        return Err(TransportError::Garbled { verb: name, message });
    }
    Ok(Answer { end, stdout, said: last_line(&stderr) })
}

/// Writes standard input. A channel that takes no more is no error here: the listener hears why.
async fn feed(
    password: Option<&str>,
    input: Input<'_>,
    writer: &ChannelWriteHalf<Msg>,
    pace: &Pace,
    line: oneshot::Receiver<String>,
    goes_on: &Notify,
) -> Result<(), TransportError> {
    if let Some(password) = password {
        let _ = writer.data_bytes(format!("{password}\n").into_bytes()).await;
    }
    let (content, part, progress, sent) = match input {
        Input::Nothing => {
            let _ = writer.eof().await;
            return Ok(());
        }
        Input::Bytes(bytes) => {
            pace.start();
            if send(bytes, writer, pace, |_| ()).await {
                let _ = writer.eof().await;
            }
            return Ok(());
        }
        Input::Part { content, part, progress, sent } => (content, part, progress, sent),
        Input::Rest { content, progress, sent } => {
            // A command that ends without a line says by its end why.
            let Ok(line) = line.await else { return Ok(()) };
            let offset = offset(content, &line).await?;
            progress(offset.unwrap_or(content.size));
            let Some(offset) = offset else { return Ok(()) };
            let _ = writer.data_bytes(format!("{offset}\n").into_bytes()).await;
            goes_on.notify_one();
            let part = Part { offset, length: content.size - offset };
            (content, part, progress, sent)
        }
    };
    pace.start();
    let mut pieces = Pieces::of(content, part).await?;
    let mut there = part.offset;
    while let Some(piece) = pieces.next().await? {
        let went = send(piece, writer, pace, |bytes| {
            there += bytes;
            sent.fetch_add(bytes, Ordering::Relaxed);
            progress(there);
        });
        if !went.await {
            return Ok(());
        }
    }
    let _ = writer.eof().await;
    Ok(())
}

/// True if all of it went.
async fn send(
    mut bytes: Bytes,
    writer: &ChannelWriteHalf<Msg>,
    pace: &Pace,
    mut told: impl FnMut(u64),
) -> bool {
    while !bytes.is_empty() {
        let packet = bytes.split_to(bytes.len().min(PACKET));
        let size = packet.len();
        pace.take(size).await;
        if writer.data_bytes(packet).await.is_err() {
            return false;
        }
        told(size as u64);
    }
    true
}

fn stalled(name: &'static str, waited: Duration) -> TransportError {
    TransportError::Stalled { verb: name, seconds: waited.as_secs() }
}

fn last_line(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let line = text.lines().map(str::trim).rfind(|line| !line.is_empty());
    line.unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_command_said_last_counts() {
        let text = b"bash: warning: setlocale\n\nwrite error: No space left on device\r\n \n";
        assert_eq!(last_line(text), "write error: No space left on device");
        assert_eq!(last_line(b""), "");
    }
}
