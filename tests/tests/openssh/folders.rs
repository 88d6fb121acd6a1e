//! Whole folders: listed, copied on the device, and packed up.

use crate::{Client, replace};
use migos_engine::port::{Session as _, TransportError};
use migos_payload::digest::Sha256;
use migos_payload::size::ByteCount;
use migos_playbooks::facts::{Leaf, Tree};
use migos_ssh::Timeouts;
use migos_tests::sshd::{Sshd, Userland};
use migos_tests::verb_runner::unpack;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::time::Duration;

const COPY: &str = "/var/lib/migos/backup";

/// In order: the `/` that ends a folder's line does not count.
const ODD: [(&str, Option<&str>); 14] = [
    (" leading", Some("1")),
    ("$(reboot) `x`", Some("2")),
    ("'", Some("")),
    ("-rf", Some("3")),
    ("1 2  3", Some("4")),
    ("back\\slash", Some("5")),
    ("d", None),
    ("d-", Some("6")),
    ("d/end ok", None),
    ("d/z", Some("two\nlines")),
    ("e", None),
    ("tab\t\u{1}", Some("7")),
    ("trailing ", Some("8")),
    ("ü*?", Some("9")),
];

/// Makes these folders and files.
fn put(server: &Sshd, folder: &str, leaves: &[(&str, Option<&str>)]) {
    fs::create_dir_all(server.path(folder)).unwrap();
    for (path, content) in leaves {
        let path = server.path(&format!("{folder}/{path}"));
        match content {
            Some(content) => fs::write(path, content).unwrap(),
            None => fs::create_dir_all(path).unwrap(),
        }
    }
}

fn tree(leaves: &[(&str, Option<&str>)]) -> Tree {
    let leaf = |content: &Option<&str>| match content {
        Some(content) => {
            let (size, sha256) = (content.len() as u64, Sha256::of(content.as_bytes()));
            Leaf::File { size: ByteCount(size), sha256 }
        }
        None => Leaf::Folder,
    };
    Tree(leaves.iter().map(|(path, content)| ((*path).to_owned(), leaf(content))).collect())
}

async fn odd_folders(userland: Userland) {
    let server = Sshd::start(userland).unwrap();
    let session = Client::new().session(&server).await;
    put(&server, "/home/odd", &ODD);
    assert_eq!(session.tree("/home/odd").await.unwrap(), tree(&ODD));
    assert_eq!(session.backup("/home/odd", COPY).await.unwrap(), tree(&ODD));
    assert_eq!(session.tree(COPY).await.unwrap(), tree(&ODD));

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("boot.tar");
    let packed = session.pack("/home/odd", &file).await.unwrap();
    let archive = fs::read(&file).unwrap();
    assert_eq!((packed.size, packed.sha256), (archive.len() as u64, Sha256::of(&archive)));
    let wanted = ODD.map(|(path, content)| (path.to_owned(), content.map(Into::into)));
    assert_eq!(unpack(&archive).unwrap(), wanted.into());
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);

    // Lines cannot tell this one, so nothing is told.
    put(&server, "/home/odd", &[("a\nb", Some(""))]);
    let error = session.tree("/home/odd").await.unwrap_err().to_string();
    assert_eq!(error, "tree failed: a name in /home/odd holds a line's end");
}

#[tokio::test]
async fn folders_are_listed_copied_and_packed_whatever_their_names() {
    odd_folders(Userland::Debian).await;
}

#[tokio::test]
async fn folders_are_listed_copied_and_packed_by_busybox() {
    odd_folders(Userland::Busybox).await;
}

#[tokio::test]
async fn a_copy_that_is_equal_stays_and_any_other_is_replaced() {
    let server = Sshd::start(Userland::Debian).unwrap();
    let session = Client::new().session(&server).await;
    let inode = || fs::metadata(server.path(COPY)).unwrap().ino();
    let whole = session.backup("/boot", COPY).await.unwrap();
    let first = inode();
    assert_eq!(session.backup("/boot", COPY).await.unwrap(), whole);
    assert_eq!(inode(), first);

    let changes: [&dyn Fn(); 3] = [
        &|| {
            fs::write(server.path("/var/lib/migos/backup/config.txt"), "[all]\ngpu_mem=17\n")
                .unwrap()
        },
        &|| fs::create_dir(server.path("/var/lib/migos/backup/more")).unwrap(),
        &|| fs::remove_file(server.path("/var/lib/migos/backup/overlays/a b.dtbo")).unwrap(),
    ];
    for change in changes {
        change();
        assert_ne!(session.tree(COPY).await.unwrap(), whole);
        assert_eq!(session.backup("/boot", COPY).await.unwrap(), whole);
        assert_eq!(session.tree(COPY).await.unwrap(), whole);
        assert!(!server.path("/var/lib/migos/backup.new").exists());
    }
    let mode = fs::metadata(server.path("/var/lib/migos")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

async fn full_disk(userland: Userland) {
    let server = Sshd::start(userland).unwrap();
    let session = Client::new().session(&server).await;
    let there = || fs::read_dir(server.path("/small")).unwrap().count();
    session.backup("/boot", "/small/backup").await.unwrap();
    fs::write(server.path("/boot/kernel.img"), vec![7; 2 << 20]).unwrap();
    // The old copy is worth more than none.
    for left in [1, 0] {
        let error = session.backup("/boot", "/small/backup").await.unwrap_err();
        assert_eq!(error, TransportError::NoSpace { path: "/small/backup".to_owned() });
        assert_eq!(there(), left);
        session.remove(&["/small/backup".to_owned()]).await.unwrap();
    }
}

#[tokio::test]
async fn a_full_disk_is_left_without_half_a_copy() {
    full_disk(Userland::Debian).await;
}

#[tokio::test]
async fn a_full_disk_is_left_without_half_a_copy_by_busybox() {
    full_disk(Userland::Busybox).await;
}

#[tokio::test]
async fn a_copy_that_differs_from_its_original_is_thrown_away() {
    let server = Sshd::start(Userland::Debian).unwrap();
    let session = Client::new().session(&server).await;
    replace(&server, "/usr/local/bin/cp", "/usr/bin/cp \"$@\"; echo >>\"$3\"/config.txt");
    let error = session.backup("/boot", COPY).await.unwrap_err();
    assert_eq!(error, TransportError::Damaged { path: COPY.to_owned() });
    assert_eq!(fs::read_dir(server.path("/var/lib/migos")).unwrap().count(), 0);
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_not_left_out() {
    let server = Sshd::start(Userland::Debian).unwrap();
    let session = Client::new().session(&server).await;
    replace(&server, "/usr/local/bin/sha256sum", "echo 'read error: I/O error' >&2; exit 1");
    let error = session.tree("/boot").await.unwrap_err();
    assert_eq!(error.to_string(), "tree failed: read error: I/O error");
    session.backup("/boot", COPY).await.unwrap_err();
    assert!(!server.path(COPY).exists());
}

#[tokio::test]
async fn an_archive_that_is_not_whole_is_not_kept() {
    let server = Sshd::start(Userland::Busybox).unwrap();
    let timeouts = Timeouts { progress: Duration::from_secs(1), ..Timeouts::default() };
    let session = Client::with(timeouts).session(&server).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("boot.tar");
    fs::write(&file, "old").unwrap();
    let error = session.pack("/none", &file).await.unwrap_err();
    assert_eq!(error.to_string(), "pack failed: there is no folder /none");

    // This computer's disk is full.
    fs::write(server.path("/boot/kernel.img"), vec![7; 2 << 20]).unwrap();
    let small = server.path("/small/boot.tar");
    let error = session.pack("/boot", &small).await.unwrap_err();
    let TransportError::Local { path, message } = &error else { panic!("{error:?}") };
    assert_eq!(*path, small.display().to_string());
    assert!(message.contains("No space left on device"), "{message}");
    assert_eq!(fs::read_dir(server.path("/small")).unwrap().count(), 0);
    // The session is as good as before.
    assert!(session.read("/boot/config.txt", 99).await.unwrap().is_some());

    replace(&server, "/usr/bin/tar", "head -c 1000000 /dev/zero; exit 2");
    let error = session.pack("/boot", &file).await.unwrap_err();
    assert_eq!(error.to_string(), "pack failed: exit code 1");
    replace(&server, "/usr/bin/tar", "head -c 1000000 /dev/zero; tail -f /dev/null");
    let error = session.pack("/boot", &file).await.unwrap_err();
    assert_eq!(error, TransportError::Stalled { verb: "pack", seconds: 1 });
    assert_eq!(fs::read(&file).unwrap(), b"old");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}
