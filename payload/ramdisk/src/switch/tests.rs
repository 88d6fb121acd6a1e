#![allow(clippy::unwrap_used, clippy::panic)]
use super::*;
use migos_contract::{Compression, DeadMan, Handover, Image, Network, Restore};
use std::collections::BTreeMap;
use tempfile::TempDir;

const RASPBIAN: &[u8] = b"dtparam=audio=on\n";
const MIGOS: &[u8] = b"[all]\nos_prefix=migos/\n[all]\n";

/// A boot partition that loses power at its n-th change. A write that it interrupts is written by half.
struct Cut {
    mounted: Mounted,
    changes_left: usize,
}

impl Cut {
    fn change(&mut self, half: impl FnOnce(&mut Mounted)) -> io::Result<&mut Mounted> {
        match self.changes_left.checked_sub(1) {
            Some(left) => {
                self.changes_left = left;
                Ok(&mut self.mounted)
            }
            None => {
                half(&mut self.mounted);
                Err(io::Error::other("no power"))
            }
        }
    }
}

impl BootFiles for Cut {
    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        self.mounted.read(path)
    }
    fn make_folders(&mut self, path: &str) -> io::Result<()> {
        self.change(|_| {})?.make_folders(path)
    }
    fn write(&mut self, path: &str, content: &[u8]) -> io::Result<()> {
        let half = |mounted: &mut Mounted| {
            mounted.write(path, &content[..content.len() / 2]).unwrap();
        };
        self.change(half)?.write(path, content)
    }
    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        self.change(|_| {})?.rename(from, to)
    }
    fn sync(&mut self) -> io::Result<()> {
        self.change(|_| {})?.sync()
    }
}

struct Scene {
    folder: TempDir,
    job: Job,
}

impl Scene {
    fn new(strategy: Strategy) -> Self {
        let rewrite = strategy == Strategy::Rewrite;
        let restore =
            Restore { config: job_path::ORIGINAL_CONFIG.into(), sha256: sha256(RASPBIAN) };
        let job = Job {
            schema: JOB_SCHEMA,
            nonce: "0".repeat(32),
            strategy,
            handover: Handover::Attended,
            serial: String::new(),
            disk_id: String::new(),
            image: Image {
                path: None,
                url: None,
                into_memory: false,
                size: 0,
                sha256: String::new(),
                compression: Compression::None,
                raw_size: 0,
                raw_sha256: String::new(),
                chunks_sha256: None,
            },
            dead_man: DeadMan { contact_seconds: 600, commit_seconds: 1800 },
            host_name: String::new(),
            network: Network::default(),
            no_lifeboat: false,
            restore: rewrite.then_some(restore),
        };
        let scene = Self { folder: tempfile::tempdir().unwrap(), job };
        let mut switch = scene.switch();
        let job = serde_json::to_vec(&scene.job).unwrap();
        switch.files.put(&job_file(job_path::JOB), &job).unwrap();
        if rewrite {
            switch.files.put(&job_file(job_path::ORIGINAL_CONFIG), RASPBIAN).unwrap();
            switch.files.put(boot_path::CONFIG, MIGOS).unwrap();
        } else {
            switch.files.put(boot_path::TRYBOOT, MIGOS).unwrap();
            switch.files.put(boot_path::CONFIG, RASPBIAN).unwrap();
        }
        scene
    }

    fn mounted(&self) -> Mounted {
        Mounted(self.folder.path().to_owned())
    }

    fn switch(&self) -> Switch<Mounted> {
        Switch { files: self.mounted() }
    }

    fn cut_after(&self, changes_left: usize) -> Switch<Cut> {
        Switch { files: Cut { mounted: self.mounted(), changes_left } }
    }

    fn config(&self) -> Vec<u8> {
        self.mounted().read(boot_path::CONFIG).unwrap().unwrap()
    }
}

fn configuration() -> Configuration {
    Configuration { files: BTreeMap::from([("config.json".into(), "{\"key\":\"s3cret\"}".into())]) }
}

/// Does something with the power going at every change, until it goes through.
fn at_every_cut(
    strategy: Strategy,
    act: impl Fn(&mut Switch<Cut>, &Job) -> Result<(), SwitchError>,
    check: impl Fn(&Scene, &Result<(), SwitchError>),
) -> usize {
    for changes in 0..100 {
        let scene = Scene::new(strategy);
        let done = act(&mut scene.cut_after(changes), &scene.job);
        check(&scene, &done);
        if done.is_ok() {
            return changes;
        }
    }
    panic!("it never goes through");
}

/// What holds of the boot files whenever the power went: Raspbian, or MIGOS with all it needs.
fn is_one_or_the_other(scene: &Scene, done: &Result<(), SwitchError>) {
    let switch = scene.switch();
    if switch.is_permanent(&scene.job).unwrap() {
        assert!(scene.config().starts_with(MIGOS));
        assert_eq!(switch.committed().unwrap(), configuration());
        let original = switch.files.read(&job_file(job_path::ORIGINAL_CONFIG)).unwrap();
        assert_eq!(original.as_deref(), Some(RASPBIAN));
    } else {
        assert_eq!(scene.config(), RASPBIAN);
        assert!(done.is_err());
    }
}

#[test]
fn a_one_shot_commit_is_one_rename() {
    let changes = at_every_cut(
        Strategy::OneShot,
        |switch, job| {
            assert_eq!(switch.restore(job)?, None);
            switch.commit(&configuration(), None)
        },
        is_one_or_the_other,
    );
    assert_eq!(changes, 10, "two files of four changes each, the rename, a sync");
}

#[test]
fn a_rewrite_commit_writes_the_replaced_text_again() {
    at_every_cut(
        Strategy::Rewrite,
        |switch, job| {
            let replaced = switch.restore(job).unwrap_or_else(|_| Some(MIGOS.to_vec()));
            switch.commit(&configuration(), replaced.as_deref())
        },
        |scene, done| {
            // Cut before the original was back, MIGOS boots once more and puts it back.
            if scene.config() == MIGOS {
                assert_eq!(scene.switch().restore(&scene.job).unwrap().as_deref(), Some(MIGOS));
            }
            is_one_or_the_other(scene, done);
        },
    );
}

#[test]
fn a_commit_that_fails_at_the_last_sync_is_taken_back() {
    /// Fails the third sync, and goes on.
    struct Flaky(Mounted, usize);
    impl BootFiles for Flaky {
        fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
            self.0.read(path)
        }
        fn make_folders(&mut self, path: &str) -> io::Result<()> {
            self.0.make_folders(path)
        }
        fn write(&mut self, path: &str, content: &[u8]) -> io::Result<()> {
            self.0.write(path, content)
        }
        fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
            self.0.rename(from, to)
        }
        fn sync(&mut self) -> io::Result<()> {
            self.1 += 1;
            if self.1 == 3 { Err(io::Error::other("bad block")) } else { self.0.sync() }
        }
    }
    let scene = Scene::new(Strategy::OneShot);
    let mut switch = Switch { files: Flaky(scene.mounted(), 0) };
    let error = switch.commit(&configuration(), None).unwrap_err();
    assert_eq!(error.to_string(), "the commit could not be written: bad block");
    assert_eq!(scene.config(), RASPBIAN);
    switch.commit(&configuration(), None).unwrap();
    assert!(scene.switch().is_permanent(&scene.job).unwrap());
}

#[test]
fn a_damaged_or_missing_original_is_not_put_back() {
    let scene = Scene::new(Strategy::Rewrite);
    let mut switch = scene.switch();
    switch.files.put(&job_file(job_path::ORIGINAL_CONFIG), b"half").unwrap();
    let error = switch.restore(&scene.job).unwrap_err();
    assert_eq!(error.to_string(), "migos/job/original/config.txt is damaged");
    assert_eq!(scene.config(), MIGOS);
    let silent = Job { restore: None, ..scene.job.clone() };
    assert!(matches!(switch.restore(&silent), Err(SwitchError::NothingToRestore)));
}

#[test]
fn without_tryboot_there_is_nothing_to_make_permanent() {
    let scene = Scene::new(Strategy::OneShot);
    std::fs::remove_file(scene.folder.path().join(boot_path::TRYBOOT)).unwrap();
    let error = scene.switch().commit(&configuration(), None).unwrap_err();
    assert_eq!(error.to_string(), "tryboot.txt is missing");
    assert_eq!(scene.config(), RASPBIAN);
}

#[test]
fn a_job_of_another_schema_is_refused() {
    let scene = Scene::new(Strategy::OneShot);
    assert_eq!(scene.switch().job().unwrap(), scene.job);
    let other = Job { schema: 2, ..scene.job.clone() };
    let text = serde_json::to_vec(&other).unwrap();
    scene.switch().files.put(&job_file(job_path::JOB), &text).unwrap();
    assert!(matches!(scene.switch().job(), Err(SwitchError::Schema(2))));
}
