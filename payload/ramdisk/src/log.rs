//! The log: what MIGOS has done and why, for as long as it runs. Secrets are never told to it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The log of a night of failing networks; a boot partition has room for it.
const LARGEST: usize = 32 << 10;
/// Whoever has more to say says it in more lines.
const LARGEST_LINE: usize = 512;

/// Lines with the time since the start; the oldest give way. Its clones are one.
#[derive(Clone)]
pub struct Log {
    clock: fn() -> Duration,
    lines: Arc<Mutex<Lines>>,
}

#[derive(Default)]
struct Lines {
    lines: VecDeque<String>,
    bytes: usize,
    forgotten: u64,
}

impl Log {
    /// Begins a log; the clock tells the time since the start.
    pub fn new(clock: fn() -> Duration) -> Self {
        Self { clock, lines: Arc::default() }
    }

    /// Adds a line. What would not be text in a terminal is left out.
    pub fn add(&self, line: &str) {
        let now = (self.clock)();
        let line: String =
            line.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LARGEST_LINE).collect();
        let line = format!("{:>6}.{} {line}\n", now.as_secs(), now.subsec_millis() / 100);
        let mut lines = self.lines();
        lines.bytes += line.len();
        lines.lines.push_back(line);
        while lines.bytes > LARGEST {
            let Some(oldest) = lines.lines.pop_front() else { break };
            lines.bytes -= oldest.len();
            lines.forgotten += 1;
        }
    }

    /// All of it: seconds since the start, then what happened.
    pub fn text(&self) -> String {
        let lines = self.lines();
        let head = match lines.forgotten {
            0 => String::new(),
            forgotten => format!("({forgotten} earlier lines are not kept)\n"),
        };
        std::iter::once(head.as_str()).chain(lines.lines.iter().map(String::as_str)).collect()
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_their_time_and_stay_lines() {
        let log = Log::new(|| Duration::from_millis(12_345));
        log.add("MIGOS has come up");
        log.clone().add("two\nlines\x1b[1m");
        assert_eq!(log.text(), "    12.3 MIGOS has come up\n    12.3 two lines [1m\n");
    }

    #[test]
    fn the_oldest_lines_give_way() {
        let log = Log::new(|| Duration::ZERO);
        (0..2000).for_each(|number| log.add(&format!("line {number}")));
        log.add(&"x".repeat(10_000));
        let text = log.text();
        assert!(text.len() <= LARGEST + 64, "{}", text.len());
        assert!(text.starts_with("(") && text.contains(" earlier lines are not kept)\n"));
        assert!(text.contains("line 1999\n") && !text.contains("line 0\n"));
        assert!(text.lines().all(|line| line.len() <= LARGEST_LINE + 16));
    }
}
