//! What MIGOS does to the boot files: it puts back what was replaced for it, and makes itself permanent.

use migos_contract::{Configuration, Job, Strategy, boot_path, job_path};
use migos_payload::digest::Sha256;

use super::job::Folder;
use crate::card::{Card, FileSystem, FsError, Pool};
use crate::mounts::Hands;

/// The boot files in MIGOS's hands.
pub(super) struct Switch<'a> {
    pub(super) folder: &'a Folder,
    pub(super) hands: &'a Hands,
    pub(super) pool: &'a Pool,
}

impl Folder {
    /// What was configured before the commit, if the commit was given and MIGOS is permanent.
    ///
    /// The file of the commit holds it: a power cut while flashing takes everything that is only in
    /// memory. Where MIGOS was booted for one time only, or by a `config.txt` without the commit's line,
    /// the file is left over from a commit that a power cut has undone.
    pub(super) fn committed(
        &self,
        card: &Card,
        job: &Result<Job, String>,
    ) -> Option<Result<Configuration, String>> {
        let rewrites = job.as_ref().is_ok_and(|job| job.strategy == Strategy::Rewrite);
        let has_line = || {
            let text = card.partitions().and_then(|found| found.boot.text(boot_path::CONFIG));
            text.is_some_and(|text| text.lines().next_back() == Some(boot_path::COMMITTED_LINE))
        };
        if self.one_shot || (rewrites && !has_line()) {
            return None;
        }
        let text = self.text(card, job_path::COMMITTED).ok()?;
        Some(
            serde_json::from_str(&text)
                .map_err(|error| format!("the commit is not understood: {error}")),
        )
    }
}

impl Switch<'_> {
    /// Puts the original `config.txt` back where it was replaced to boot MIGOS, and gives the text that
    /// had replaced it, to be kept in memory until the commit: to save it first would take time in which
    /// the power may go.
    pub(super) fn restore(&self, job: &Job) -> Result<Option<Vec<u8>>, String> {
        let restore = match (job.strategy, &job.restore) {
            (Strategy::OneShot, _) => return Ok(None),
            // The firmware has not even read the file that was replaced.
            (Strategy::Rewrite, _) if self.folder.one_shot => return Ok(None),
            (Strategy::Rewrite, None) => {
                return Err("the job does not say what to put back".to_owned());
            }
            (Strategy::Rewrite, Some(restore)) => restore,
        };
        let path = self.folder.path(&restore.config);
        let original = self.read(&path).ok_or_else(|| format!("{path} is missing"))?;
        if Sha256::of(&original).to_string() != restore.sha256 {
            return Err(format!("{path} is damaged"));
        }
        let replaced = self.read(boot_path::CONFIG).unwrap_or_default();
        self.put(boot_path::CONFIG, &original)?;
        Ok(Some(replaced))
    }

    /// Writes down the commit, then makes MIGOS permanent: from here every reset ends in MIGOS.
    ///
    /// `replaced` is what [`restore`](Self::restore) has given.
    pub(super) fn commit(
        &self,
        configuration: &Configuration,
        replaced: Option<&[u8]>,
    ) -> Result<(), String> {
        if replaced.is_none() && self.read(boot_path::TRYBOOT).is_none() {
            return Err(format!(
                "{} is missing: this boot cannot be made permanent",
                boot_path::TRYBOOT
            ));
        }
        let unwritten = |error| format!("the commit could not be written: {error}");
        let committed = serde_json::to_vec(configuration).map_err(|error| error.to_string())?;
        let original = self.folder.path(job_path::ORIGINAL_CONFIG);
        if self.read(&original).is_none()
            && let Some(config) = self.read(boot_path::CONFIG)
        {
            self.put(&original, &config).map_err(unwritten)?;
        }
        self.put(&self.folder.path(job_path::COMMITTED), &committed).map_err(unwritten)?;
        match replaced {
            None => self
                .change(|boot| boot.rename(boot_path::TRYBOOT, boot_path::CONFIG))
                .map_err(unwritten)?,
            Some(text) => {
                let text = [text, b"\n", boot_path::COMMITTED_LINE.as_bytes(), b"\n"].concat();
                self.put(boot_path::CONFIG, &text).map_err(unwritten)?;
            }
        }
        self.hands.sync();
        Ok(())
    }

    fn read(&self, path: &str) -> Option<Vec<u8>> {
        self.hands.look(|card| Some(card.partitions()?.boot.bytes(path)?.to_vec()))
    }

    /// Writes a file beside the one of that name, and renames it when it is on the card.
    fn put(&self, path: &str, bytes: &[u8]) -> Result<(), String> {
        let new = format!("{path}.new");
        let is_there = |folder: &str| {
            let found = |card: &Card| Some(card.partitions()?.boot.is_folder(folder));
            self.hands.look(found) == Some(true)
        };
        if let Some((folder, _)) = path.rsplit_once('/')
            && !is_there(folder)
        {
            self.change(|boot| boot.make_folders(folder))?;
        }
        self.change(|boot| boot.write(&new, self.pool.keep(b"")))?;
        self.change(|boot| boot.write(&new, self.pool.keep(bytes)))?;
        self.hands.sync();
        self.change(|boot| boot.rename(&new, path))?;
        self.hands.sync();
        Ok(())
    }

    fn change(
        &self,
        act: impl FnOnce(&mut FileSystem) -> Result<(), FsError>,
    ) -> Result<(), String> {
        self.hands.write(|card| {
            let boot =
                &mut card.partitions_mut().ok_or("the card has no boot partition any more")?.boot;
            act(boot).map_err(|error| error.to_string())
        })
    }
}
