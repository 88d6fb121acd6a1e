//! A processor for each Pi: as many run at a time, in all processes, as there are.

use super::cache;
use anyhow::{Context, Result};
use std::fs::{self, File, TryLockError};
use std::thread;
use std::time::Duration;

/// Pause between two looks at places that others have.
const LOOK: Duration = Duration::from_millis(100);

/// The processor that a Pi has for itself until this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    /// Its number. A Pi that moves between processors is a third slower.
    pub(super) processor: usize,
    _alone: File,
}

/// Waits until there are so many places. Who comes later waits behind: nobody is overtaken for ever.
pub(super) fn take(count: usize) -> Result<Vec<Place>> {
    let _queue = cache::lock("queue")?;
    let processors = processors()?;
    loop {
        let mut places = Vec::new();
        // Where there is one processor, it has to do for all that are wanted at once.
        for number in 0..processors.len().max(count) {
            let file = cache::lock_file(&format!("place-{number}"))?;
            match file.try_lock() {
                Ok(()) => places
                    .push(Place { processor: processors[number % processors.len()], _alone: file }),
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(error.into()),
            }
            if places.len() == count {
                return Ok(places);
            }
        }
        drop(places);
        thread::sleep(LOOK);
    }
}

/// The processors that this process may use.
fn processors() -> Result<Vec<usize>> {
    let own = fs::read_to_string("/proc/self/status")?;
    let list = own.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    numbers(list.context("/proc/self/status names no processors")?.trim())
}

/// Reads a list such as `0-2,5`.
fn numbers(list: &str) -> Result<Vec<usize>> {
    let mut numbers = Vec::new();
    for part in list.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let parse =
            |word: &str| word.parse::<usize>().with_context(|| format!("not a list: {list}"));
        numbers.extend(parse(first)?..=parse(last)?);
    }
    Ok(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_processors_are_read() {
        assert_eq!(numbers("0").unwrap(), [0]);
        assert_eq!(numbers("0-2,5").unwrap(), [0, 1, 2, 5]);
        assert!(numbers("").is_err() && numbers("a-b").is_err());
    }
}
