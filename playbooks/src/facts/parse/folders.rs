//! The largest folders, of what `du` tells of all.

use super::Lines;
use crate::plan::Folder;
use migos_payload::size::ByteCount;
use std::collections::BTreeMap;

/// So many are told.
const MOST: usize = 5;

/// Smaller ones are not worth a line.
const LEAST: ByteCount = ByteCount(1_000_000);

/// Folders that always stand for what is in them.
const SHELVES: [&str; 4] = ["/", "/home", "/var", "/var/lib"];

/// Folders of the system itself, which nobody misses.
const SYSTEM: [&str; 16] = [
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/lib",
    "/lost+found",
    "/proc",
    "/run",
    "/sbin",
    "/sys",
    "/tmp",
    "/usr",
    "/var/cache",
    "/var/lib/apt",
    "/var/lib/dpkg",
    "/var/tmp",
];

/// The largest folders with data of people, none of them in another: where most of a folder is in one below it, that
/// one is told instead.
pub(super) fn largest(lines: &Lines<'_>) -> Vec<Folder> {
    let mut sizes = BTreeMap::new();
    for line in lines.all("folder") {
        let Some((size, path)) = line.split_once(' ') else { continue };
        if let (Ok(size), true) = (size.parse::<u64>(), path.starts_with('/')) {
            sizes.insert(path, ByteCount(size.saturating_mul(1024)));
        }
    }
    let is_top = |path: &str| parent(path).is_none_or(|above| !sizes.contains_key(above));
    let mut found = Vec::new();
    for (path, size) in &sizes {
        if is_top(path) {
            pick(&sizes, path, *size, &mut found);
        }
    }
    found.retain(|folder| folder.size >= LEAST);
    found.sort_by(|one, other| other.size.cmp(&one.size).then_with(|| one.path.cmp(&other.path)));
    found.truncate(MOST);
    found
}

fn pick(sizes: &BTreeMap<&str, ByteCount>, path: &str, size: ByteCount, found: &mut Vec<Folder>) {
    if SYSTEM.contains(&path) {
        return;
    }
    let below: Vec<_> = sizes.iter().filter(|(other, _)| parent(other) == Some(path)).collect();
    let has_most = |part: &ByteCount| part.0 > size.0 / 2;
    if SHELVES.contains(&path) || below.iter().any(|(_, part)| has_most(part)) {
        for (path, size) in below {
            pick(sizes, path, *size, found);
        }
    } else {
        found.push(Folder { size, path: path.to_owned() });
    }
}

/// The folder that a path is in; none of `/`.
fn parent(path: &str) -> Option<&str> {
    match path.rsplit_once('/')? {
        (_, "") => None,
        ("", _) => Some("/"),
        (above, _) => Some(above),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn told(folders: &[(u64, &str)]) -> Vec<(u64, String)> {
        let lines: String =
            folders.iter().map(|(mb, path)| format!("folder {} {path}\n", mb * 1024)).collect();
        let text = format!("migos-probe 1\n{lines}end ok\n");
        let found = largest(&Lines::read(&text, "migos-probe 1").unwrap());
        found.into_iter().map(|folder| (folder.size.0 >> 20, folder.path)).collect()
    }

    #[test]
    fn the_folder_that_holds_most_of_others_is_told_and_not_those() {
        let found = told(&[
            (900, "/home"),
            (890, "/home/pi"),
            (700, "/home/pi/media"),
            (150, "/home/pi/my notes"),
            (5, "/home/guest"),
            (60, "/opt"),
            (20, "/opt/a"),
            (20, "/opt/b"),
        ]);
        let expected =
            [(700, "/home/pi/media"), (150, "/home/pi/my notes"), (60, "/opt"), (5, "/home/guest")];
        assert_eq!(found, expected.map(|(size, path)| (size, path.to_owned())));
    }

    #[test]
    fn the_systems_own_folders_are_not_told_and_five_are_enough() {
        let found = told(&[
            (500, "/var"),
            (400, "/var/lib"),
            (300, "/var/lib/dpkg"),
            (90, "/var/lib/mysql"),
            (80, "/var/cache"),
            (20, "/var/log"),
            (900, "/usr"),
            (0, "/srv"),
        ]);
        assert_eq!(found, [(90, "/var/lib/mysql".to_owned()), (20, "/var/log".to_owned())]);
        let many: Vec<(u64, String)> = (1..9).map(|n| (n * 10, format!("/data-{n}"))).collect();
        let many: Vec<(u64, &str)> = many.iter().map(|(n, path)| (*n, path.as_str())).collect();
        assert_eq!(told(&many).len(), MOST);
    }

    #[test]
    fn what_is_no_folder_is_passed_over() {
        assert_eq!(told(&[]), []);
        let text =
            "migos-probe 1\nfolder\nfolder 12\nfolder x /home\nfolder 99999 next-line\nend ok\n";
        assert_eq!(largest(&Lines::read(text, "migos-probe 1").unwrap()), []);
    }
}
