//! A file system in memory: names, contents, and the room they take.

use std::collections::BTreeMap;
use std::ops::Bound;

use migos_firmware::BootPartition;

use super::content::{Content, Pool};

/// How a file system treats names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `vfat`: names differ by more than case.
    Fat,
    /// `ext4`, or `tmpfs`.
    Unix,
}

/// Why a file system did not do what was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FsError {
    /// ENOSPC.
    #[error("no space left on device")]
    NoSpace,
    /// EROFS.
    #[error("read-only file system")]
    ReadOnly,
    /// ENOENT.
    #[error("no such file or folder")]
    NotFound,
    /// ENOTDIR.
    #[error("not a folder")]
    NotAFolder,
    /// EISDIR.
    #[error("a folder")]
    IsAFolder,
    /// The power is gone, and whoever asked with it.
    #[error("no power")]
    NoPower,
}

/// The room on a file system, in the numbers of `stat -f`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Space {
    /// Bytes of a cluster.
    pub(crate) cluster: u64,
    /// Free clusters.
    pub(crate) free: u64,
    /// Clusters in all.
    pub(crate) total: u64,
}

/// A file system; paths are relative to its root, without a leading slash.
#[derive(Clone)]
pub(crate) struct FileSystem {
    kind: Kind,
    cluster: u64,
    total: u64,
    /// Clusters taken by files that nobody reads and that are therefore not kept.
    ballast: u64,
    read_only: bool,
    /// How often it has been changed.
    changes: u64,
    nodes: BTreeMap<String, Node>,
}

#[derive(Clone)]
struct Node {
    /// The path as it was first written; the key may be in another case.
    path: String,
    body: Body,
}

#[derive(Clone)]
enum Body {
    Folder,
    Whole(Content),
    /// A file that is being written to its end; a content of its own when it is complete.
    Growing(Vec<u8>),
}

impl FileSystem {
    /// An empty file system of so many clusters of so many bytes.
    pub(crate) fn new(kind: Kind, cluster: u64, total: u64) -> Self {
        Self {
            kind,
            cluster,
            total,
            ballast: 0,
            read_only: false,
            changes: 0,
            nodes: BTreeMap::new(),
        }
    }

    /// Fills it with files that nobody reads, so that only so many bytes stay free.
    pub(crate) fn leave_free(&mut self, bytes: u64) {
        let used: u64 = self.nodes.values().map(|node| self.clusters(node.body.len())).sum();
        self.ballast = self.total.saturating_sub(used).saturating_sub(bytes / self.cluster);
    }

    /// Mounts it read-only, or read-write again.
    pub(crate) fn set_read_only(&mut self, read_only: bool) {
        self.read_only = read_only;
    }

    /// True if it is mounted read-only.
    pub(crate) fn is_read_only(&self) -> bool {
        self.read_only
    }

    /// How often it has been changed: twice the same number, and nothing was written in between.
    pub(crate) fn changes(&self) -> u64 {
        self.changes
    }

    /// The room on it.
    pub(crate) fn space(&self) -> Space {
        Space { cluster: self.cluster, free: self.free(), total: self.total }
    }

    /// The bytes of a file.
    pub(crate) fn bytes(&self, path: &str) -> Option<&[u8]> {
        match &self.node(path)?.body {
            Body::Folder => None,
            Body::Whole(content) => Some(content.bytes()),
            Body::Growing(bytes) => Some(bytes),
        }
    }

    /// The content of a file; one that is still being written is taken as it is now.
    pub(crate) fn content(&self, path: &str, pool: &Pool) -> Option<Content> {
        match &self.node(path)?.body {
            Body::Folder => None,
            Body::Whole(content) => Some(content.clone()),
            Body::Growing(bytes) => Some(pool.keep(bytes)),
        }
    }

    /// A file as text; nothing if there is none.
    pub(crate) fn text(&self, path: &str) -> Option<String> {
        self.bytes(path).map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }

    /// True if there is a folder of this name.
    pub(crate) fn is_folder(&self, path: &str) -> bool {
        path.is_empty() || self.node(path).is_some_and(|node| matches!(node.body, Body::Folder))
    }

    /// Every file, by its path as it was first written, sorted.
    pub(crate) fn files(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.nodes.values().filter_map(|node| match &node.body {
            Body::Folder => None,
            Body::Whole(content) => Some((node.path.as_str(), content.bytes())),
            Body::Growing(bytes) => Some((node.path.as_str(), bytes.as_slice())),
        })
    }

    /// All that is below a folder, by its path relative to it, sorted; folders have no content.
    pub(crate) fn below(&self, folder: &str, pool: &Pool) -> Vec<(String, Option<Content>)> {
        let inside = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let key = self.key(&inside);
        let mut entries = Vec::new();
        for (_, node) in
            self.nodes.range(key.clone()..).take_while(|(path, _)| path.starts_with(&key))
        {
            let content = match &node.body {
                Body::Folder => None,
                Body::Whole(content) => Some(content.clone()),
                Body::Growing(bytes) => Some(pool.keep(bytes)),
            };
            entries.push((node.path.get(inside.len()..).unwrap_or_default().to_owned(), content));
        }
        entries.sort_by(|one, other| one.0.cmp(&other.0));
        entries
    }

    /// Makes a folder and those above it.
    ///
    /// # Errors
    /// [`FsError`], e.g. where a file has the name of one of them.
    pub(crate) fn make_folders(&mut self, path: &str) -> Result<(), FsError> {
        let ends = path.match_indices('/').map(|(end, _)| end).chain([path.len()]);
        for folder in ends.map(|end| &path[..end]) {
            match self.node(folder).map(|node| &node.body) {
                _ if folder.is_empty() => {}
                Some(Body::Folder) => {}
                Some(Body::Whole(_) | Body::Growing(_)) => return Err(FsError::NotAFolder),
                None => self.put(folder, Body::Folder)?,
            }
        }
        Ok(())
    }

    /// Writes a file whole, in place of any that is there.
    ///
    /// # Errors
    /// [`FsError`]; nothing is changed then.
    pub(crate) fn write(&mut self, path: &str, content: Content) -> Result<(), FsError> {
        self.put(path, Body::Whole(content))
    }

    /// Cuts a file to this length, or makes an empty one, and opens it for
    /// [`write_at`](Self::write_at).
    ///
    /// # Errors
    /// [`FsError`].
    pub(crate) fn open(&mut self, path: &str, length: usize) -> Result<(), FsError> {
        let mut bytes = self.bytes(path).unwrap_or_default().to_vec();
        bytes.truncate(length);
        self.put(path, Body::Growing(bytes))
    }

    /// Writes into a file that was opened for it; a gap before the position is filled with zeros.
    ///
    /// # Errors
    /// [`FsError`]; nothing is written then.
    pub(crate) fn write_at(
        &mut self,
        path: &str,
        position: usize,
        more: &[u8],
    ) -> Result<(), FsError> {
        let free = self.free();
        let cluster = self.cluster;
        let key = self.key(path);
        match self.nodes.get_mut(&key).map(|node| &mut node.body) {
            Some(Body::Growing(bytes)) => {
                let end = position + more.len();
                let (before, after) = (bytes.len() as u64, bytes.len().max(end) as u64);
                if after.div_ceil(cluster) - before.div_ceil(cluster) > free {
                    return Err(FsError::NoSpace);
                }
                bytes.resize(bytes.len().max(end), 0);
                bytes[position..end].copy_from_slice(more);
                self.changes += u64::from(!more.is_empty());
                Ok(())
            }
            Some(Body::Folder) => Err(FsError::IsAFolder),
            Some(Body::Whole(_)) | None => Err(FsError::NotFound),
        }
    }

    /// Gives a file another name, in place of any file of that name: there is no instant without one
    /// of the two. A folder may have another name too, if nothing has it yet.
    ///
    /// # Errors
    /// [`FsError`].
    pub(crate) fn rename(&mut self, from: &str, to: &str) -> Result<(), FsError> {
        self.check_writable()?;
        if self.is_folder(to) {
            return Err(FsError::IsAFolder);
        }
        let node = self.nodes.remove(&self.key(from)).ok_or(FsError::NotFound)?;
        let inside = self.key(&format!("{from}/"));
        let moved: Vec<String> =
            self.nodes.keys().filter(|key| key.starts_with(&inside)).cloned().collect();
        for key in moved {
            if let Some(Node { path, body }) = self.nodes.remove(&key) {
                let path = format!("{to}{}", &path[from.len()..]);
                self.nodes.insert(self.key(&path), Node { path, body });
            }
        }
        self.nodes.insert(self.key(to), Node { path: to.to_owned(), body: node.body });
        self.changes += 1;
        Ok(())
    }

    /// Removes a file, or a folder with all it holds; what is not there is fine. Of the file system's own
    /// root only what it holds.
    ///
    /// # Errors
    /// [`FsError::ReadOnly`].
    pub(crate) fn remove(&mut self, path: &str) -> Result<(), FsError> {
        let key = self.key(path);
        let inside = if key.is_empty() { String::new() } else { format!("{key}/") };
        let after = (Bound::Excluded(inside.clone()), Bound::Unbounded);
        let is_inside =
            self.nodes.range(after).next().is_some_and(|(key, _)| key.starts_with(&inside));
        if !is_inside && !self.nodes.contains_key(&key) {
            return Ok(());
        }
        self.check_writable()?;
        self.nodes.retain(|known, _| *known != key && !known.starts_with(&inside));
        self.changes += 1;
        Ok(())
    }

    /// Removes all files and folders.
    pub(crate) fn clear(&mut self) {
        self.nodes.clear();
    }

    fn put(&mut self, path: &str, body: Body) -> Result<(), FsError> {
        self.check_writable()?;
        if self.is_folder(path) {
            return Err(FsError::IsAFolder);
        }
        if let Some((folder, _)) = path.rsplit_once('/')
            && !self.is_folder(folder)
        {
            return Err(if self.node(folder).is_some() {
                FsError::NotAFolder
            } else {
                FsError::NotFound
            });
        }
        let freed = self.node(path).map_or(0, |node| self.clusters(node.body.len()));
        if self.clusters(body.len()) > self.free() + freed {
            return Err(FsError::NoSpace);
        }
        let key = self.key(path);
        let path = self.nodes.get(&key).map_or(path, |node| &node.path).to_owned();
        self.nodes.insert(key, Node { path, body });
        self.changes += 1;
        Ok(())
    }

    fn check_writable(&self) -> Result<(), FsError> {
        if self.read_only { Err(FsError::ReadOnly) } else { Ok(()) }
    }

    fn node(&self, path: &str) -> Option<&Node> {
        self.nodes.get(&self.key(path))
    }

    fn key(&self, path: &str) -> String {
        match self.kind {
            Kind::Fat => path.to_ascii_lowercase(),
            Kind::Unix => path.to_owned(),
        }
    }

    fn clusters(&self, length: u64) -> u64 {
        length.div_ceil(self.cluster)
    }

    fn free(&self) -> u64 {
        let used: u64 = self.nodes.values().map(|node| self.clusters(node.body.len())).sum();
        self.total.saturating_sub(self.ballast).saturating_sub(used)
    }
}

impl Body {
    /// What it takes of the disk; a folder takes a cluster.
    fn len(&self) -> u64 {
        match self {
            Body::Folder => 1,
            Body::Whole(content) => content.bytes().len() as u64,
            Body::Growing(bytes) => bytes.len() as u64,
        }
    }
}

impl BootPartition for FileSystem {
    fn read(&self, path: &str) -> Option<&[u8]> {
        self.bytes(path)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn fat() -> FileSystem {
        FileSystem::new(Kind::Fat, 512, 8)
    }

    #[test]
    fn fat_finds_names_in_any_case_and_keeps_the_first_spelling() {
        let (pool, mut fat) = (Pool::default(), fat());
        fat.write("Config.TXT", pool.keep(b"old")).unwrap();
        fat.write("config.txt", pool.keep(b"new")).unwrap();
        assert_eq!(fat.files().collect::<Vec<_>>(), [("Config.TXT", &b"new"[..])]);
        assert_eq!(fat.bytes("CONFIG.txt"), Some(&b"new"[..]));

        let mut unix = FileSystem::new(Kind::Unix, 512, 8);
        unix.write("a", pool.keep(b"")).unwrap();
        assert_eq!((unix.bytes("A"), unix.bytes("a")), (None, Some(&b""[..])));
    }

    #[test]
    fn files_take_whole_clusters_and_folders_one() {
        let (pool, mut fat) = (Pool::default(), fat());
        fat.make_folders("migos/job").unwrap();
        fat.write("migos/job/a", pool.keep(&[0; 513])).unwrap();
        assert_eq!(fat.space(), Space { cluster: 512, free: 4, total: 8 });
        assert_eq!(fat.write("b", pool.keep(&[0; 2049])), Err(FsError::NoSpace));
        fat.write("b", pool.keep(&[0; 2048])).unwrap();
        assert_eq!(fat.write("b", pool.keep(&[1; 2048])), Ok(()), "its own room is free again");
        fat.open("c", 0).unwrap();
        assert_eq!(fat.write_at("c", 0, b"x"), Err(FsError::NoSpace));
        fat.remove("MIGOS").unwrap();
        assert_eq!((fat.space().free, fat.write_at("c", 0, b"x")), (4, Ok(())));
        fat.leave_free(1024);
        assert_eq!(fat.space().free, 2);
    }

    #[test]
    fn folders_must_be_there_and_be_folders() {
        let (pool, mut fat) = (Pool::default(), fat());
        assert_eq!(fat.write("a/b", pool.keep(b"")), Err(FsError::NotFound));
        fat.write("a", pool.keep(b"")).unwrap();
        assert_eq!(fat.write("a/b", pool.keep(b"")), Err(FsError::NotAFolder));
        assert_eq!(fat.make_folders("a/b"), Err(FsError::NotAFolder));
        fat.make_folders("c").unwrap();
        assert_eq!(fat.rename("a", "c"), Err(FsError::IsAFolder));
    }

    #[test]
    fn a_folder_is_renamed_with_all_it_holds() {
        let (pool, mut fat) = (Pool::default(), fat());
        fat.make_folders("a/B").unwrap();
        fat.write("a/B/c", pool.keep(b"c")).unwrap();
        fat.write("ab", pool.keep(b"")).unwrap();
        let before = fat.changes();
        fat.rename("A", "d").unwrap();
        let below = vec![("B".to_owned(), None), ("B/c".to_owned(), Some(pool.keep(b"c")))];
        assert!(fat.below("d", &pool) == below && fat.changes() == before + 1);
        assert!(fat.below("a", &pool).is_empty() && fat.bytes("ab").is_some());
    }

    #[test]
    fn a_read_only_file_system_takes_nothing() {
        let (pool, mut fat) = (Pool::default(), fat());
        fat.write("a", pool.keep(b"")).unwrap();
        fat.set_read_only(true);
        assert_eq!(fat.write("a", pool.keep(b"x")), Err(FsError::ReadOnly));
        assert_eq!(fat.remove("a"), Err(FsError::ReadOnly));
        assert_eq!(fat.remove("b"), Ok(()), "there is nothing to remove");
    }

    #[test]
    fn a_file_grows_from_where_it_is_cut() {
        let (pool, mut fat) = (Pool::default(), fat());
        fat.write("a.part", pool.keep(b"012345")).unwrap();
        fat.open("a.part", 4).unwrap();
        fat.write_at("a.part", 6, b"z").unwrap();
        fat.write_at("a.part", 4, b"xy").unwrap();
        fat.rename("a.part", "a").unwrap();
        assert_eq!(fat.bytes("a"), Some(&b"0123xyz"[..]));
        assert_eq!(fat.content("a", &pool).unwrap().sha256(), pool.keep(b"0123xyz").sha256());
    }
}
