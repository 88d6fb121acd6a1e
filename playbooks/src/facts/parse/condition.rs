//! What tells the condition of a device. All of it may be missing; what is not understood counts as not known, since
//! nothing is planned by it alone.

use super::Lines;
use crate::facts::{CardErrors, Clock, Extent, Watchdog, Watchdogs};
use std::collections::BTreeMap;

pub(super) fn clock(lines: &Lines<'_>) -> Option<Clock> {
    let seconds = lines.first("clock")?.parse().ok()?;
    let synced = match lines.first("clock.synced") {
        Some("yes") => Some(true),
        Some("no") => Some(false),
        _ => None,
    };
    Some(Clock { seconds, synced })
}

pub(super) fn card_errors(lines: &Lines<'_>) -> CardErrors {
    CardErrors {
        count: lines.first("card.errors").and_then(|count| count.parse().ok()),
        last: lines.all("card.error").iter().map(|line| (*line).to_owned()).collect(),
        file_systems: pairs(lines, "ext4.errors", |count| count.parse().ok().filter(|n| *n > 0)),
    }
}

pub(super) fn watchdogs(lines: &Lines<'_>) -> Watchdogs {
    let device = |value: &&str| {
        let mut words = value.splitn(4, ' ');
        let (name, state, timeout) = (words.next()?, words.next()?, words.next()?);
        Some(Watchdog {
            name: name.to_owned(),
            identity: words.next().unwrap_or_default().trim().to_owned(),
            armed: state == "active",
            timeout: timeout.parse().ok(),
        })
    };
    let is_set = |value: &&str| !matches!(*value, "" | "0" | "off" | "infinity");
    Watchdogs {
        devices: lines.all("watchdog").iter().filter_map(device).collect(),
        // The last assignment is the one that counts.
        systemd: lines
            .all("watchdog.systemd")
            .last()
            .map(|value| value.trim())
            .filter(is_set)
            .map(str::to_owned),
        daemon: lines.first("watchdog.daemon").filter(|name| !name.is_empty()).map(str::to_owned),
    }
}

pub(super) fn reach(lines: &Lines<'_>) -> BTreeMap<String, bool> {
    pairs(lines, "reach", |answer| match answer {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    })
}

/// Offset and length in sectors of 512 bytes, as the kernel counts them whatever the disk.
pub(super) fn extent(lines: &Lines<'_>) -> Option<Extent> {
    let (start, size) = lines.first("boot.extent")?.split_once(' ')?;
    let bytes = |sectors: &str| sectors.parse::<u64>().ok()?.checked_mul(512);
    Some(Extent { start: bytes(start)?, size: bytes(size)? })
}

/// Lines of a name and a value.
fn pairs<T>(lines: &Lines<'_>, key: &str, read: impl Fn(&str) -> Option<T>) -> BTreeMap<String, T> {
    let pair = |line: &&str| {
        let (name, value) = line.rsplit_once(' ')?;
        Some((name.to_owned(), read(value)?))
    };
    lines.all(key).iter().filter_map(pair).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn of<T>(text: &str, read: impl Fn(&Lines<'_>) -> T) -> T {
        let text = format!("migos-probe 1\n{text}\nend ok\n");
        read(&Lines::read(&text, "migos-probe 1").unwrap())
    }

    #[test]
    fn what_is_not_told_or_not_understood_is_not_known() {
        assert_eq!(of("kernel x", clock), None);
        assert_eq!(of("clock soon", clock), None);
        let unknown = Clock { seconds: 5, synced: None };
        assert_eq!(of("clock 5\nclock.synced perhaps", clock), Some(unknown));
        assert!(of("kernel x", card_errors).is_empty());
        assert!(of("ext4.errors mmcblk0p2 0", card_errors).is_empty());
        assert!(of("watchdog x\nwatchdog.systemd 0", watchdogs).is_empty());
        assert_eq!(of("reach a:443 perhaps\nreach yes", reach), BTreeMap::new());
        assert_eq!(of("boot.extent 8192", extent), None);
        assert_eq!(of("boot.extent 8192 -1", extent), None);
    }

    #[test]
    fn what_is_told_is_known() {
        let synced = of("clock 1700000000\nclock.synced yes", clock);
        assert_eq!(synced, Some(Clock { seconds: 1_700_000_000, synced: Some(true) }));
        let errors =
            of("card.errors 7\ncard.error mmc0: timeout\next4.errors mmcblk0p2 3", card_errors);
        assert_eq!((errors.count, errors.last.len()), (Some(7), 1));
        assert_eq!(errors.file_systems["mmcblk0p2"], 3);
        let dogs = of(
            "watchdog watchdog0 active 15 Broadcom BCM2835 Watchdog timer\n\
             watchdog watchdog1 inactive - x\nwatchdog.systemd 10\nwatchdog.systemd 20s\n\
             watchdog.daemon watchdog",
            watchdogs,
        );
        let [first, second] = &dogs.devices[..] else { unreachable!("{dogs:?}") };
        assert_eq!(first.identity, "Broadcom BCM2835 Watchdog timer");
        assert_eq!((first.armed, first.timeout), (true, Some(15)));
        assert_eq!((second.armed, second.timeout), (false, None));
        assert_eq!(
            (dogs.systemd.as_deref(), dogs.daemon.as_deref()),
            (Some("20s"), Some("watchdog"))
        );
        let reached = of("reach [::1]:443 yes\nreach b:1 no", reach);
        assert_eq!(reached, [("[::1]:443".to_owned(), true), ("b:1".to_owned(), false)].into());
        let place = of("boot.extent 8192 524288", extent).unwrap();
        assert_eq!((place.start, place.end()), (4 << 20, 260 << 20));
    }
}
