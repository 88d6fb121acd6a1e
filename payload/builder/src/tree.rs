//! The files of the ramdisk, and the archive that the kernel unpacks them from.
//!
//! The form is cpio's "newc" (Linux documentation: early-userspace/buffer-format). It is written the same
//! from the same tree: sorted, all of root, no times, numbered in order.

use std::collections::BTreeMap;

const FOLDER: u32 = 0o040_000;
const FILE: u32 = 0o100_000;
const LINK: u32 = 0o120_000;
const DEVICE: u32 = 0o020_000;
const TRAILER: &str = "TRAILER!!!";

/// One entry of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Entry {
    Folder {
        mode: u32,
    },
    File {
        mode: u32,
        content: Vec<u8>,
    },
    Link {
        target: String,
    },
    /// A character device.
    Device {
        mode: u32,
        major: u32,
        minor: u32,
    },
}

/// A tree of files by path, without a slash in front.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tree {
    entries: BTreeMap<String, Entry>,
}

impl Tree {
    pub(crate) fn folder(&mut self, path: &str, mode: u32) {
        self.add(path, Entry::Folder { mode });
    }

    pub(crate) fn text(&mut self, path: &str, text: impl Into<String>) {
        self.add(path, Entry::File { mode: 0o644, content: text.into().into_bytes() });
    }

    pub(crate) fn file(&mut self, path: &str, content: Vec<u8>) {
        self.add(path, Entry::File { mode: 0o644, content });
    }

    pub(crate) fn program(&mut self, path: &str, content: Vec<u8>) {
        self.add(path, Entry::File { mode: 0o755, content });
    }

    pub(crate) fn link(&mut self, path: &str, target: &str) {
        self.add(path, Entry::Link { target: target.to_owned() });
    }

    pub(crate) fn device(&mut self, path: &str, mode: u32, (major, minor): (u32, u32)) {
        self.add(path, Entry::Device { mode, major, minor });
    }

    /// Folders on the way come of themselves; what is there already stays.
    fn add(&mut self, path: &str, entry: Entry) {
        for (end, _) in path.match_indices('/') {
            let folder = path[..end].to_owned();
            self.entries.entry(folder).or_insert(Entry::Folder { mode: 0o755 });
        }
        self.entries.entry(path.to_owned()).or_insert(entry);
    }

    /// The paths of everything that is no folder.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        let files = self.entries.iter().filter(|(_, it)| !matches!(it, Entry::Folder { .. }));
        files.map(|(path, _)| path.as_str())
    }

    /// The bytes of all files whose paths begin so.
    pub(crate) fn bytes_under(&self, beginning: &str) -> u64 {
        let under = self.entries.iter().filter(|(path, _)| path.starts_with(beginning));
        under.map(|(_, entry)| entry.content().len() as u64).sum()
    }

    /// The archive.
    pub(crate) fn cpio(&self) -> Vec<u8> {
        let mut archive = Vec::new();
        for (number, (path, entry)) in (1..).zip(&self.entries) {
            append(&mut archive, number, path, entry);
        }
        append(&mut archive, 0, TRAILER, &Entry::File { mode: 0, content: Vec::new() });
        // The firmware loads files one behind the other: each must end at a multiple of four.
        pad(&mut archive, 512);
        archive
    }
}

impl Entry {
    fn content(&self) -> &[u8] {
        match self {
            Entry::Folder { .. } | Entry::Device { .. } => &[],
            Entry::File { content, .. } => content,
            Entry::Link { target } => target.as_bytes(),
        }
    }

    fn mode(&self) -> u32 {
        match self {
            Entry::Folder { mode } => FOLDER | mode,
            Entry::File { mode, .. } => FILE | mode,
            Entry::Link { .. } => LINK | 0o777,
            Entry::Device { mode, .. } => DEVICE | mode,
        }
    }
}

fn append(archive: &mut Vec<u8>, number: u32, path: &str, entry: &Entry) {
    let (major, minor) = match entry {
        Entry::Device { major, minor, .. } => (*major, *minor),
        Entry::Folder { .. } | Entry::File { .. } | Entry::Link { .. } => (0, 0),
    };
    let mode = if number == 0 { 0 } else { entry.mode() };
    let links = if matches!(entry, Entry::Folder { .. }) { 2 } else { 1 };
    // Files larger than 4 GiB do not fit into the form; a ramdisk has none.
    let size = u32::try_from(entry.content().len()).unwrap_or(u32::MAX);
    let name = u32::try_from(path.len() + 1).unwrap_or(u32::MAX);
    let (owner, group, time, check) = (0, 0, 0, 0);
    archive.extend_from_slice(b"070701");
    for field in [number, mode, owner, group, links, time, size, 0, 0, major, minor, name, check] {
        archive.extend_from_slice(format!("{field:08X}").as_bytes());
    }
    archive.extend_from_slice(path.as_bytes());
    archive.push(0);
    pad(archive, 4);
    archive.extend_from_slice(entry.content());
    pad(archive, 4);
}

fn pad(archive: &mut Vec<u8>, multiple: usize) {
    archive.resize(archive.len().next_multiple_of(multiple), 0);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::io::Write;
    use std::process::{Command, Stdio};

    fn sample() -> Tree {
        let mut tree = Tree::default();
        tree.program("bin/busybox", b"an odd number of bytes!".to_vec());
        tree.link("bin/sh", "busybox");
        tree.folder("root", 0o700);
        tree.text("etc/shells", "/bin/sh\n");
        tree.device("dev/console", 0o600, (5, 1));
        tree
    }

    #[test]
    fn cpio_reads_what_was_written() {
        // busybox has a cpio of its own, and it is the one whose archives kernels are tested with.
        let list = ["cpio", "-t", "-v"];
        let mut child = Command::new("busybox")
            .args(list)
            .env("TZ", "UTC")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(&sample().cpio()).unwrap();
        let output = child.wait_with_output().unwrap();
        insta::assert_snapshot!(String::from_utf8(output.stdout).unwrap(), @r"
        drwxr-xr-x 0/0         0 1970-01-01 00:00:00 bin
        -rwxr-xr-x 0/0        23 1970-01-01 00:00:00 bin/busybox
        lrwxrwxrwx 0/0         0 1970-01-01 00:00:00 bin/sh -> busybox
        drwxr-xr-x 0/0         0 1970-01-01 00:00:00 dev
        crw------- 0/0         0 1970-01-01 00:00:00 dev/console
        drwxr-xr-x 0/0         0 1970-01-01 00:00:00 etc
        -rw-r--r-- 0/0         8 1970-01-01 00:00:00 etc/shells
        drwx------ 0/0         0 1970-01-01 00:00:00 root
        ");
    }

    #[test]
    fn it_is_the_same_in_whatever_order_it_was_made() {
        let mut other = Tree::default();
        other.device("dev/console", 0o600, (5, 1));
        other.text("etc/shells", "/bin/sh\n");
        other.folder("root", 0o700);
        other.link("bin/sh", "busybox");
        other.program("bin/busybox", b"an odd number of bytes!".to_vec());
        assert_eq!(other.cpio(), sample().cpio());
        assert_eq!(other.cpio().len() % 512, 0);
        assert_eq!(other.bytes_under("bin/b"), 23);
    }
}
