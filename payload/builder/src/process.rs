//! Other programs: run to their end, with what they said kept for the error.

use crate::host::Tool;
use std::ffi::OsStr;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Lines of a program's complaint that are worth repeating.
const COMPLAINT: usize = 6;

/// Why another program did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// It is not on this computer.
    #[error("{program} is not installed; install it with: apt-get install {package}")]
    Missing {
        /// The program.
        program: &'static str,
        /// The package that has it.
        package: &'static str,
    },
    /// It could not be started, or its input or output broke.
    #[error("failed to run {program}")]
    Run {
        /// The program.
        program: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It ended with an error.
    #[error("{program} failed: {complaint}")]
    Failed {
        /// The program.
        program: &'static str,
        /// The last lines it wrote to stderr.
        complaint: String,
    },
}

/// A program with its arguments.
pub(crate) struct Process {
    tool: &'static Tool,
    command: Command,
}

/// What a program wrote.
pub(crate) struct Said {
    pub(crate) out: Vec<u8>,
    pub(crate) complaint: String,
    pub(crate) succeeded: bool,
}

impl Process {
    /// Messages are in English whoever runs it: some are read.
    pub(crate) fn new(tool: &'static Tool) -> Self {
        let mut command = match find(tool.program, &[]) {
            Some(path) => Command::new(path),
            None => Command::new(tool.program),
        };
        command.env("LC_ALL", "C").env("TZ", "UTC");
        Process { tool, command }
    }

    pub(crate) fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    pub(crate) fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.command.args(args);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    pub(crate) fn folder(mut self, folder: &Path) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// Runs it; an end with an error is an error.
    pub(crate) fn run(self) -> Result<Said, ProcessError> {
        self.run_with(Vec::new())
    }

    /// Runs it with this input; an end with an error is an error.
    pub(crate) fn run_with(self, input: Vec<u8>) -> Result<Said, ProcessError> {
        let program = self.tool.program;
        let said = self.attempt(input)?;
        match said.succeeded {
            true => Ok(said),
            false if said.complaint.is_empty() => {
                Err(ProcessError::Failed { program, complaint: "it did not say why".to_owned() })
            }
            false => Err(ProcessError::Failed { program, complaint: said.complaint }),
        }
    }

    /// Runs it, however it ends.
    pub(crate) fn attempt(mut self, input: Vec<u8>) -> Result<Said, ProcessError> {
        let Tool { program, package, .. } = *self.tool;
        let failed = |source| ProcessError::Run { program, source };
        self.command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.command.spawn().map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => ProcessError::Missing { program, package },
            _ => failed(source),
        })?;
        // The input goes in beside the output coming out: neither pipe may fill up and stop both sides.
        let stdin = child.stdin.take();
        let output = std::thread::scope(|scope| {
            scope.spawn(move || stdin.map(|mut stdin| stdin.write_all(&input)));
            child.wait_with_output()
        });
        let output = output.map_err(failed)?;
        Ok(Said {
            complaint: last_lines(&String::from_utf8_lossy(&output.stderr)),
            out: output.stdout,
            succeeded: output.status.success(),
        })
    }
}

impl Said {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.out).into_owned()
    }
}

fn last_lines(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let last = &lines[lines.len().saturating_sub(COMPLAINT)..];
    last.join("; ")
}

/// Looks for a program where a shell would, and then where Debian keeps those for administrators: they are not on the
/// path of other users, who may run them all the same.
pub(crate) fn find(program: &str, search: &[PathBuf]) -> Option<PathBuf> {
    let folders = search.iter().map(PathBuf::as_path);
    let folders = folders.chain(["/usr/sbin", "/sbin"].map(Path::new));
    folders.map(|folder| folder.join(program)).find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::host::Purpose;

    static CAT: Tool = Tool { program: "cat", package: "coreutils", purpose: Purpose::Build };
    static NONE: Tool =
        Tool { program: "no-such-program", package: "nothing", purpose: Purpose::Build };

    #[test]
    fn much_input_and_output_pass_at_once() {
        let input = vec![b'x'; 4 << 20];
        assert_eq!(Process::new(&CAT).run_with(input.clone()).unwrap().out, input);
    }

    #[test]
    fn failures_say_what_to_do_or_what_was_said() {
        let missing = Process::new(&NONE).run().err().unwrap().to_string();
        assert_eq!(
            missing,
            "no-such-program is not installed; install it with: apt-get install nothing"
        );
        let failed = Process::new(&CAT).arg("/no/such/file").run().err().unwrap().to_string();
        assert_eq!(failed, "cat failed: cat: /no/such/file: No such file or directory");
    }
}
