//! What a process and everything it starts cost: processor time and memory.
//!
//! A control group counts exactly, whoever ends when. Where none can be made, the kernel's own sums of ended
//! children are read, to ten milliseconds.

use anyhow::{Context, Result, bail, ensure};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// The kernel's unit in `/proc/PID/stat`: a hundredth of a second, on all Linux systems.
const TICK: Duration = Duration::from_millis(10);

/// Nothing that is measured takes longer: what does is ended.
pub(crate) const LIMIT: Duration = Duration::from_secs(480);

/// How long processes that stay behind, such as kept connections, may end by themselves.
const AFTERMATH: Duration = Duration::from_millis(500);

/// The shortest pause between two looks at memory; looking takes a twentieth of the time at most.
const LOOK: Duration = Duration::from_millis(10);

/// How many groups this process has made.
static MADE: AtomicU64 = AtomicU64::new(0);

/// Processor time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Cpu {
    /// All of it.
    pub(crate) total: Duration,
    /// What of it was used by the kernel, as exactly as that counts it: to a few milliseconds.
    pub(crate) system: Duration,
}

impl Cpu {
    fn of(user: Duration, system: Duration) -> Self {
        Cpu { total: user + system, system }
    }

    /// What was used since then.
    pub(crate) fn since(self, then: Cpu) -> Cpu {
        Cpu {
            total: self.total.saturating_sub(then.total),
            system: self.system.saturating_sub(then.system),
        }
    }
}

/// What one command cost.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cost {
    /// From its start to its end.
    pub(crate) wall: Duration,
    /// Of its whole process tree.
    pub(crate) cpu: Cpu,
    /// The most memory of its own (not of files) that the tree had at a time, in bytes.
    pub(crate) peak: u64,
    /// The most files, sockets among them, that it had open at a time.
    pub(crate) files: u64,
}

/// Processes that are counted together.
#[derive(Debug)]
pub(crate) struct Group {
    kind: Kind,
    /// Processes that were taken in.
    roots: Mutex<Vec<u32>>,
}

#[derive(Debug)]
enum Kind {
    /// A folder of the controller `cpuacct`.
    One(PathBuf),
    /// A folder of the unified hierarchy.
    Two(PathBuf),
    /// None can be made.
    Proc,
}

impl Group {
    /// An empty group. The name tells it from the others of this process.
    pub(crate) fn new(name: &str) -> Self {
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("migos-compare-{}-{number}-{name}", std::process::id());
        let made = |root: &str, file: &str| {
            let folder = Path::new(root).join(&name);
            let usable = fs::create_dir(&folder).is_ok() && folder.join(file).exists();
            usable.then_some(folder)
        };
        let kind = made("/sys/fs/cgroup/cpuacct", "cpuacct.usage_sys")
            .map(Kind::One)
            .or_else(|| made("/sys/fs/cgroup", "cpu.stat").map(Kind::Two))
            .unwrap_or(Kind::Proc);
        Group { kind, roots: Mutex::default() }
    }

    /// How this group counts, in words.
    pub(crate) fn how(&self) -> &'static str {
        match self.kind {
            Kind::One(_) | Kind::Two(_) => "a control group for each side",
            Kind::Proc => "the kernel's sums of ended children, to 10 ms",
        }
    }

    fn folder(&self) -> Option<&Path> {
        match &self.kind {
            Kind::One(folder) | Kind::Two(folder) => Some(folder),
            Kind::Proc => None,
        }
    }

    /// Takes in a running process with all it has started.
    ///
    /// # Errors
    /// If the group's file cannot be written.
    pub(crate) fn adopt(&self, process: u32) -> Result<()> {
        self.roots.lock().map_err(|_| anyhow::anyhow!("a thread panicked"))?.push(process);
        if let Some(folder) = self.folder() {
            for pid in tree(process) {
                // One that has ended meanwhile cannot be moved.
                let moved = put(&folder.join("cgroup.procs"), &pid.to_string());
                ensure!(moved.is_ok() || !Path::new(&format!("/proc/{pid}")).exists(), "{pid}");
            }
        }
        Ok(())
    }

    /// The command, to be started within the group.
    pub(crate) fn within(&self, command: &Command) -> Command {
        let mut inner = match self.folder() {
            None => Command::new(command.get_program()),
            Some(folder) => {
                let mut shell = Command::new("sh");
                shell.args(["-c", "echo $$ >\"$0\" && exec \"$@\""]);
                shell.arg(folder.join("cgroup.procs")).arg(command.get_program());
                shell
            }
        };
        inner.args(command.get_args()).stdin(Stdio::null());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => inner.env(name, value),
                None => inner.env_remove(name),
            };
        }
        if let Some(folder) = command.get_current_dir() {
            inner.current_dir(folder);
        }
        inner
    }

    /// The processor time that the group has used so far.
    ///
    /// # Errors
    /// If it cannot be read.
    pub(crate) fn cpu(&self) -> Result<Cpu> {
        match &self.kind {
            Kind::One(folder) => {
                let nanos = |file: &str| -> Result<Duration> {
                    let text = fs::read_to_string(folder.join(file))?;
                    Ok(Duration::from_nanos(text.trim().parse()?))
                };
                Ok(Cpu { total: nanos("cpuacct.usage")?, system: nanos("cpuacct.usage_sys")? })
            }
            Kind::Two(folder) => {
                let text = fs::read_to_string(folder.join("cpu.stat"))?;
                let micros = |key: &str| -> Result<Duration> {
                    let line = text.lines().find_map(|line| line.strip_prefix(key));
                    let value = line.with_context(|| format!("cpu.stat has no {key}"))?;
                    Ok(Duration::from_micros(value.trim().parse()?))
                };
                Ok(Cpu { total: micros("usage_usec ")?, system: micros("system_usec ")? })
            }
            Kind::Proc => self.cpu_of_proc(),
        }
    }

    fn cpu_of_proc(&self) -> Result<Cpu> {
        let roots = self.roots.lock().map_err(|_| anyhow::anyhow!("a thread panicked"))?.clone();
        if roots.is_empty() {
            return Ok(ticks("self").context("/proc/self/stat")?.1);
        }
        let mut sum = Cpu::default();
        for (own, ended) in
            roots.into_iter().flat_map(tree).filter_map(|pid| ticks(&pid.to_string()))
        {
            sum.total += own.total + ended.total;
            sum.system += own.system + ended.system;
        }
        Ok(sum)
    }

    /// The processes that are in the group now, or descend from this one.
    pub(crate) fn processes(&self, started: Option<u32>) -> Vec<u32> {
        match self.folder() {
            Some(folder) => {
                let text = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
                text.lines().filter_map(|line| line.parse().ok()).collect()
            }
            None => {
                let roots = self.roots.lock().map(|roots| roots.clone()).unwrap_or_default();
                roots.into_iter().chain(started).flat_map(tree).collect()
            }
        }
    }

    /// Runs a command to its end within the group. What it says goes into the file.
    ///
    /// # Errors
    /// If it fails: the message has the end of what it said.
    pub(crate) fn measure(&self, command: &Command, said: &Path) -> Result<Cost> {
        let cost = self.measure_within(LIMIT, command, said)?;
        cost.with_context(|| format!("{command:?} was ended after {LIMIT:?}"))
    }

    /// The same; nothing if it was ended since it took longer than this.
    ///
    /// # Errors
    /// If it fails: the message has the end of what it said.
    pub(crate) fn measure_within(
        &self,
        limit: Duration,
        command: &Command,
        said: &Path,
    ) -> Result<Option<Cost>> {
        let mut command = self.within(command);
        let output = File::create(said)?;
        command.stdout(output.try_clone()?).stderr(output);
        let (before, start) = (self.cpu()?, Instant::now());
        let mut child = command.spawn().with_context(|| format!("failed to run {command:?}"))?;
        let ended = AtomicBool::new(false);
        let (peak, files) = (AtomicU64::new(0), AtomicU64::new(0));
        let pid = child.id();
        let status = thread::scope(|scope| {
            scope.spawn(|| {
                while !ended.load(Ordering::Relaxed) {
                    let look = Instant::now();
                    let processes = self.processes(Some(pid));
                    let memory = processes.iter().map(|pid| memory(*pid)).sum();
                    peak.fetch_max(memory, Ordering::Relaxed);
                    files
                        .fetch_max(processes.iter().map(|pid| open(*pid)).sum(), Ordering::Relaxed);
                    if start.elapsed() > limit {
                        kill(&processes);
                    }
                    thread::park_timeout(LOOK.max(look.elapsed() * 20));
                }
            });
            let status = child.wait();
            ended.store(true, Ordering::Relaxed);
            (status, start.elapsed())
        });
        let (status, wall) = (status.0?, status.1);
        let left = Instant::now();
        while self.folder().is_some() && !self.processes(None).is_empty() {
            if left.elapsed() > AFTERMATH {
                kill(&self.processes(None));
            }
            thread::park_timeout(LOOK);
        }
        if wall > limit {
            return Ok(None);
        }
        if !status.success() {
            let text = String::from_utf8_lossy(&fs::read(said)?).into_owned();
            let tail: Vec<&str> = text.lines().rev().take(30).collect();
            let tail: Vec<&str> = tail.into_iter().rev().collect();
            bail!("{command:?} ended with {status}:\n{}", tail.join("\n"));
        }
        let cpu = self.cpu()?.since(before);
        Ok(Some(Cost { wall, cpu, peak: peak.into_inner(), files: files.into_inner() }))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Only empty ones go; what is left in it ends with this process.
        if let Some(folder) = self.folder() {
            let _ = fs::remove_dir(folder);
        }
    }
}

/// Writes into a file of the kernel.
#[expect(clippy::disallowed_methods, reason = "files of the kernel cannot be replaced")]
fn put(path: &Path, text: &str) -> std::io::Result<()> {
    fs::write(path, text)
}

fn kill(processes: &[u32]) {
    let pids = processes.iter().map(u32::to_string);
    let _ = Command::new("kill").arg("-KILL").args(pids).stderr(Stdio::null()).status();
}

/// A process and all that descend from it.
pub(crate) fn tree(process: u32) -> Vec<u32> {
    let mut found = vec![process];
    let mut at = 0;
    while let Some(pid) = found.get(at).copied() {
        at += 1;
        for task in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
            let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
            found.extend(
                children.split_ascii_whitespace().filter_map(|pid| pid.parse::<u32>().ok()),
            );
        }
    }
    found
}

/// The memory of a process's own, in bytes.
fn memory(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kibibytes.unwrap_or_default() << 10
}

/// How many files a process has open.
fn open(process: u32) -> u64 {
    fs::read_dir(format!("/proc/{process}/fd")).map_or(0, |files| files.count() as u64)
}

/// What a process has used, and its children that have ended.
fn ticks(process: &str) -> Option<(Cpu, Cpu)> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name before may hold blanks and brackets.
    let (_, numbers) = stat.rsplit_once(") ")?;
    let mut times = numbers.split(' ').skip(11).map_while(|word| word.parse::<u32>().ok());
    let mut next = || times.next().map(|ticks| TICK * ticks);
    let own = Cpu::of(next()?, next()?);
    Some((own, Cpu::of(next()?, next()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_tree_is_counted() {
        let group = Group::new("test");
        let folder = tempfile::tempdir().unwrap();
        let said = folder.path().join("said");
        let mut command = Command::new("sh");
        // The inner shell works; the outer one waits.
        command
            .args(["-c", "sh -c 'i=0; while [ $i -lt 100000 ]; do i=$((i + 1)); done'; echo end"]);
        let cost = group.measure(&command, &said).unwrap();
        assert!(cost.cpu.total > Duration::from_millis(10), "{cost:?}");
        assert!(cost.cpu.total < cost.wall + Duration::from_millis(50), "{cost:?}");
        assert_eq!(fs::read_to_string(&said).unwrap(), "end\n");
        let mut fails = Command::new("sh");
        fails.args(["-c", "echo why; exit 3"]);
        let error = group.measure(&fails, &said).unwrap_err().to_string();
        assert!(error.contains("exit status: 3") && error.ends_with("why"), "{error}");
    }

    #[test]
    fn the_kernels_sums_are_read() {
        let (own, _) = ticks("self").unwrap();
        assert!(own.total < Duration::from_secs(60), "{own:?}");
        assert!(tree(std::process::id()).contains(&std::process::id()));
        assert!(memory(std::process::id()) > 0);
    }
}
