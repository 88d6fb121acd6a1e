//! The engine's words, put as verbs.

use crate::archive::Archive;
use crate::connect::Connection;
use crate::exec::{self, Answer, Command, Input, Output};
use crate::root::Way;
use crate::timeouts::Timeouts;
use crate::transcript::Log;
use crate::verb::{Verb, command_line, exit, failure};
use crate::{quote, send};
use bytes::Bytes;
use migos_contract as contract;
use migos_engine::bandwidth::Meter;
use migos_engine::port::{
    self, Content, Guest, OwnOrder, Packed, Ran, Saved, Sent, Tier, TransportError,
};
use migos_payload::digest::Sha256;
use migos_payload::size::ByteCount;
use migos_playbooks::facts::{self, Identity, Tree};
use migos_playbooks::plan::FirmwareKind;
use russh::Disconnect;
use russh::keys::PublicKey;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

/// More than any answer but a file's: the probe of a Pi is some 30 KB.
const ANSWER_LIMIT: usize = 4 << 20;

/// A logged-in connection to one device.
#[derive(Debug)]
pub struct Session {
    pub(crate) connection: Connection,
    pub(crate) way: Way,
    pub(crate) timeouts: Timeouts,
    pub(crate) meter: Meter,
    pub(crate) log: Log,
    /// One command at a time: sshd may allow one only, and no verb is meant to run beside another.
    pub(crate) turn: Mutex<()>,
}

impl Session {
    /// Runs a verb; its answer is given for exit code 0 only.
    pub(crate) async fn verb(
        &self,
        verb: Verb,
        args: &[&str],
        input: Input<'_>,
    ) -> Result<Vec<u8>, TransportError> {
        let answer = self.answer(verb, args, input, Output::Kept(ANSWER_LIMIT)).await?;
        self.accept(verb, args, answer)
    }

    async fn answer(
        &self,
        verb: Verb,
        args: &[&str],
        input: Input<'_>,
        output: Output<'_>,
    ) -> Result<Answer, TransportError> {
        let line = command_line(self.way.rise, verb, args);
        let shown: Vec<String> = args.iter().map(|arg| quote::quote(arg)).collect();
        let shown = format!("{} {}", verb.name(), shown.join(" "));
        let password = self.way.password();
        let command = Command { name: verb.name(), line: &line, password, input, output };
        self.run(command, shown.trim_end()).await
    }

    fn accept(&self, verb: Verb, args: &[&str], answer: Answer) -> Result<Vec<u8>, TransportError> {
        match answer.end {
            Ok(exit::DONE) => Ok(answer.stdout),
            Ok(code) => Err(failure(verb, args, code, &answer.said)),
            Err(signal) => Err(TransportError::Refused { verb: verb.name(), message: signal }),
        }
    }

    async fn run(&self, command: Command<'_>, shown: &str) -> Result<Answer, TransportError> {
        let _turn = self.turn.lock().await;
        let start = Instant::now();
        let result = exec::run(&self.connection, &self.timeouts, &self.meter, command).await;
        let seconds = start.elapsed().as_secs_f64();
        let ended = match &result {
            Ok(Answer { end: Ok(exit::DONE), .. }) => "done".to_owned(),
            Ok(Answer { end: Ok(code), said, .. }) => format!("exit code {code}: {said}"),
            Ok(Answer { end: Err(signal), .. }) => signal.clone(),
            Err(error) => error.to_string(),
        };
        self.log.line(&format!("{shown}: {ended} ({seconds:.2} s)"));
        result
    }
}

impl Session {
    /// Runs `migos-ctl` in MIGOS.
    async fn migos_ctl(
        &self,
        name: &'static str,
        command: &contract::Command,
        input: Input<'_>,
    ) -> Result<contract::Status, TransportError> {
        let line = command.words().join(" ");
        let output = Output::Kept(ANSWER_LIMIT);
        let command = Command { name, line: &line, password: None, input, output };
        let answer = self.run(command, &line).await?;
        let refused = |message| Err(TransportError::Refused { verb: name, message });
        match answer.end {
            Ok(exit::DONE) => {
                serde_json::from_slice(&answer.stdout).map_err(|error| garbled(name, error))
            }
            Ok(code) if answer.said.is_empty() => refused(format!("exit code {code}")),
            Ok(_) => refused(answer.said),
            Err(signal) => refused(signal),
        }
    }
}

/// The text of an answer. What is not UTF-8 stands in comments of files at most.
fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|bad| String::from_utf8_lossy(bad.as_bytes()).into())
}

fn garbled(verb: &'static str, message: impl ToString) -> TransportError {
    TransportError::Garbled { verb, message: message.to_string() }
}

impl port::Session for Session {
    async fn probe(&self, hosts: &[String]) -> Result<String, TransportError> {
        let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
        self.verb(Verb::Probe, &hosts, Input::Nothing).await.map(text)
    }

    async fn identity(&self) -> Result<Identity, TransportError> {
        let answer = text(self.verb(Verb::Identity, &[], Input::Nothing).await?);
        facts::parse_identity(&answer).map_err(|error| garbled(Verb::Identity.name(), error))
    }

    async fn read(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, TransportError> {
        let args = [path, &limit.to_string()];
        let kept = Output::Kept(usize::try_from(limit).unwrap_or(usize::MAX));
        let answer = self.answer(Verb::Read, &args, Input::Nothing, kept).await?;
        match answer.end {
            Ok(exit::ABSENT) => Ok(None),
            _ => self.accept(Verb::Read, &args, answer).map(Some),
        }
    }

    async fn write(&self, path: &str, mode: u32, content: &[u8]) -> Result<(), TransportError> {
        let (mode, size) = (format!("{mode:o}"), content.len().to_string());
        let input = Input::Bytes(Bytes::copy_from_slice(content));
        self.verb(Verb::Write, &[path, &mode, &size], input).await.map(drop)
    }

    async fn sums(&self, paths: &[String]) -> Result<Vec<Option<Sha256>>, TransportError> {
        if paths.is_empty() {
            return Ok(Vec::new());
        }
        let args: Vec<&str> = paths.iter().map(String::as_str).collect();
        let answer = text(self.verb(Verb::Sums, &args, Input::Nothing).await?);
        parse_sums(&answer, &args)
    }

    async fn send(
        &self,
        content: &Content,
        path: &str,
        progress: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<Sent, TransportError> {
        send::send(self, content, path, progress).await
    }

    async fn remove(&self, paths: &[String]) -> Result<(), TransportError> {
        if paths.is_empty() {
            return Ok(());
        }
        let args: Vec<&str> = paths.iter().map(String::as_str).collect();
        self.verb(Verb::Remove, &args, Input::Nothing).await.map(drop)
    }

    async fn update(&self, firmware: FirmwareKind) -> Result<(), TransportError> {
        let what = match firmware {
            FirmwareKind::Card => "card",
            FirmwareKind::Eeprom => "eeprom",
        };
        self.verb(Verb::Update, &[what], Input::Nothing).await.map(drop)
    }

    async fn run(&self, order: &OwnOrder) -> Result<Ran, TransportError> {
        let seconds = order.limit.as_secs().max(1).to_string();
        let args = [&*order.key, &*seconds, &*order.device, &*order.run, &*order.command];
        parse_ran(&text(self.verb(Verb::Run, &args, Input::Nothing).await?))
    }

    async fn arm(&self) -> Result<(), TransportError> {
        self.verb(Verb::Arm, &[], Input::Nothing).await.map(drop)
    }

    async fn reboot(&self, tier: Tier) -> Result<(), TransportError> {
        let tier = match tier {
            Tier::Orderly => "orderly",
            Tier::Forced => "forced",
            Tier::Sysrq => "sysrq",
        };
        self.verb(Verb::Reboot, &[tier], Input::Nothing).await.map(drop)
    }

    async fn tree(&self, path: &str) -> Result<Tree, TransportError> {
        let answer = text(self.verb(Verb::Tree, &[path], Input::Nothing).await?);
        facts::parse_tree(&answer).map_err(|error| garbled(Verb::Tree.name(), error))
    }

    async fn backup(&self, from: &str, to: &str) -> Result<Tree, TransportError> {
        let answer = text(self.verb(Verb::Backup, &[from, to], Input::Nothing).await?);
        facts::parse_tree(&answer).map_err(|error| garbled(Verb::Backup.name(), error))
    }

    async fn pack(&self, path: &str, to: &Path) -> Result<Packed, TransportError> {
        let mut archive = Archive::create(to).await?;
        let output = Output::Archive { archive: &mut archive, progress: &|_| () };
        let packed = match self.answer(Verb::Pack, &[path], Input::Nothing, output).await {
            Ok(answer) => self.accept(Verb::Pack, &[path], answer).map(drop),
            Err(error) => Err(error),
        };
        match packed {
            Ok(()) => archive.finish().await,
            Err(error) => {
                archive.discard().await;
                Err(error)
            }
        }
    }

    async fn sizes(
        &self,
        paths: &[String],
    ) -> Result<BTreeMap<String, Option<ByteCount>>, TransportError> {
        let args: Vec<&str> = paths.iter().map(String::as_str).collect();
        let answer = text(self.verb(Verb::Sizes, &args, Input::Nothing).await?);
        facts::parse_sizes(&answer).map_err(|error| garbled(Verb::Sizes.name(), error))
    }

    async fn save(
        &self,
        path: &str,
        exclude: &[String],
        to: &Path,
        progress: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<Saved, TransportError> {
        let mut archive = Archive::create(to).await?;
        let args: Vec<&str> =
            std::iter::once(path).chain(exclude.iter().map(String::as_str)).collect();
        let output = Output::Archive { archive: &mut archive, progress };
        let told = match self.answer(Verb::Save, &args, Input::Nothing, output).await {
            Ok(answer) => {
                let said = answer.said.clone();
                let accepted = self.accept(Verb::Save, &args, answer);
                accepted.and_then(|_| parse_saved(&said))
            }
            Err(error) => Err(error),
        };
        let told = told.and_then(|(sha256, changed)| match archive.sha256() == sha256 {
            true => Ok(changed),
            false => Err(garbled(Verb::Save.name(), "what arrived is not what was sent")),
        });
        match told {
            Ok(changed) => Ok(Saved { packed: archive.finish().await?, changed }),
            Err(error) => {
                archive.discard().await;
                Err(error)
            }
        }
    }

    async fn lock(&self, owner: &str, lease: Duration) -> Result<(), TransportError> {
        let seconds = lease.as_secs().to_string();
        self.verb(Verb::Lock, &[owner, &seconds], Input::Nothing).await.map(drop)
    }

    async fn unlock(&self, owner: &str) -> Result<(), TransportError> {
        self.verb(Verb::Unlock, &[owner], Input::Nothing).await.map(drop)
    }

    async fn admit(&self, guest: &Guest) -> Result<String, TransportError> {
        let refused = |message: &str| TransportError::Refused {
            verb: Verb::Admit.name(),
            message: message.to_owned(),
        };
        let mut words = guest.key.split(' ');
        let (Some(kind), Some(key)) = (words.next(), words.next()) else {
            return Err(refused("not a key"));
        };
        let (port, seconds) = (guest.listen.to_string(), guest.lease.as_secs().to_string());
        let args = [&*guest.name, &*port, &*seconds, kind, key];
        self.verb(Verb::Admit, &args, Input::Nothing).await?;
        let shown = self.connection.shown.get().ok_or_else(|| refused("it showed no host key"))?;
        let shown = PublicKey::new(shown.key_data().clone(), "").to_openssh();
        shown.map_err(|error| refused(&error.to_string()))
    }

    async fn dismiss(&self, name: &str) -> Result<(), TransportError> {
        self.verb(Verb::Dismiss, &[name], Input::Nothing).await.map(drop)
    }

    async fn migos(
        &self,
        command: &contract::Command,
        input: Option<&contract::Configuration>,
    ) -> Result<contract::Status, TransportError> {
        let name = match command {
            contract::Command::Status => "status",
            contract::Command::Configure => "configure",
            contract::Command::Commit { .. } => "commit",
            contract::Command::Abort => "abort",
            contract::Command::Stream => "stream",
            contract::Command::Log => "log",
        };
        let input = match input {
            None => Input::Nothing,
            Some(input) => {
                let json = serde_json::to_vec(input).map_err(|error| garbled(name, error))?;
                Input::Bytes(json.into())
            }
        };
        self.migos_ctl(name, command, input).await
    }

    async fn stream(
        &self,
        image: &Content,
        part: contract::Part,
        progress: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<contract::Status, TransportError> {
        let sent = AtomicU64::new(0);
        let input = Input::Part { content: image, part, progress, sent: &sent };
        self.migos_ctl("stream", &contract::Command::Stream, input).await
    }

    async fn close(self) {
        let end = async {
            let mut next = Some(self.connection);
            while let Some(Connection { handle, via, .. }) = next {
                let _ = handle.disconnect(Disconnect::ByApplication, "", "").await;
                let _ = handle.await;
                next = via.map(|via| *via);
            }
        };
        let _ = timeout(self.timeouts.close, end).await;
        self.log.line("disconnected");
    }
}

/// The exit code of a command and what it printed; blank lines before tell only that it goes on.
fn parse_ran(answer: &str) -> Result<Ran, TransportError> {
    let bad = || garbled(Verb::Run.name(), "no exit code");
    let (first, output) = answer.trim_start().split_once('\n').ok_or_else(bad)?;
    let code = match first.strip_prefix("code ").ok_or_else(bad)? {
        "-" => None,
        code => Some(code.parse().map_err(|_| bad())?),
    };
    Ok(Ran { code, output: output.to_owned() })
}

/// The digest that the device has made of what it sent, and whether files changed meanwhile.
fn parse_saved(said: &str) -> Result<(Sha256, bool), TransportError> {
    let bad = || garbled(Verb::Save.name(), format!("no digest: {said}"));
    let (sha256, how) =
        said.strip_prefix("saved ").and_then(|rest| rest.split_once(' ')).ok_or_else(bad)?;
    let changed = match how {
        "whole" => false,
        "changed" => true,
        _ => return Err(bad()),
    };
    Ok((sha256.parse().map_err(|_| bad())?, changed))
}

/// One line for each path, in order.
fn parse_sums(answer: &str, paths: &[&str]) -> Result<Vec<Option<Sha256>>, TransportError> {
    let bad = |message: String| garbled(Verb::Sums.name(), message);
    let mut rest = answer;
    let mut sums = Vec::with_capacity(paths.len());
    for path in paths {
        // Cut by the path's own length: nothing says that it holds no line's end.
        let (sum, tail) = rest.split_once(' ').ok_or_else(|| bad(format!("no line for {path}")))?;
        let tail = tail.strip_prefix(path).and_then(|tail| tail.strip_prefix('\n'));
        rest = tail.ok_or_else(|| bad(format!("another line than that of {path}")))?;
        sums.push(match sum {
            "-" => None,
            sum => Some(sum.parse().map_err(|error| bad(format!("{path}: {error}")))?),
        });
    }
    match rest {
        "" => Ok(sums),
        _ => Err(bad("more lines than paths".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn sums_are_read_in_order_and_by_name() {
        let digest = Sha256::of(b"abc");
        let answer = format!("{digest} /a b\n- /c\n{digest} /d\ne\n");
        let paths = ["/a b", "/c", "/d\ne"];
        assert_eq!(parse_sums(&answer, &paths), Ok(vec![Some(digest), None, Some(digest)]));
    }

    #[test]
    fn sums_of_other_files_are_not_believed() {
        let digest = Sha256::of(b"abc");
        for answer in [
            String::new(),
            "- /b\n".to_owned(),
            "- /a".to_owned(),
            "x /a\n".to_owned(),
            format!("- /a\n{digest} /b\n"),
        ] {
            let error = parse_sums(&answer, &["/a"]).unwrap_err();
            assert!(matches!(error, TransportError::Garbled { verb: "sums", .. }), "{error:?}");
        }
    }

    #[test]
    fn what_was_saved_is_told_by_its_digest() {
        let digest = Sha256::of(b"abc");
        assert_eq!(parse_saved(&format!("saved {digest} whole")), Ok((digest, false)));
        assert_eq!(parse_saved(&format!("saved {digest} changed")), Ok((digest, true)));
        for said in ["", "saved", "saved x whole", &format!("saved {digest}"), "tar: killed"] {
            let error = parse_saved(said).unwrap_err();
            assert!(matches!(error, TransportError::Garbled { verb: "save", .. }), "{error:?}");
        }
    }

    #[test]
    fn the_exit_code_of_a_command_comes_before_what_it_printed() {
        let ran = |code, output: &str| Ok(Ran { code, output: output.to_owned() });
        assert_eq!(parse_ran("code 0\n"), ran(Some(0), ""));
        assert_eq!(parse_ran("\n\ncode 3\na\n\nb\n"), ran(Some(3), "a\n\nb\n"));
        assert_eq!(parse_ran("code -\nkilled\n"), ran(None, "killed\n"));
        for answer in ["", "\n", "code", "code x\n", "3\n"] {
            let error = parse_ran(answer).unwrap_err();
            assert!(matches!(error, TransportError::Garbled { verb: "run", .. }), "{error:?}");
        }
    }
}
