//! `ansible.cfg`, found where Ansible finds it (ansible-core: `find_ini_config_file`), and the variables that say the same.

use super::read_text;
use crate::failure::{Failure, Kind};
use crate::wire;
use migos_inventory::{AnsibleCfg, NamedInventories, Problem};
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

const NAME: &str = "ansible.cfg";

/// Its name in a person's home.
const OF_PERSON: &str = "~/.ansible.cfg";

/// The one for everybody on this computer.
const OF_SYSTEM: &str = "/etc/ansible/ansible.cfg";

/// The variable that names another file, or its folder.
const VARIABLE: &str = "ANSIBLE_CONFIG";

/// Everybody may write.
const WORLD_WRITABLE: u32 = 0o002;

/// The passwords that are to be asked for without a flag.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Asks {
    /// That of logins.
    pub(crate) login: bool,
    /// That of sudo.
    pub(crate) sudo: bool,
}

/// What was found.
pub(super) struct FoundCfg {
    /// The file, if there is one.
    path: Option<PathBuf>,
    pub(super) cfg: AnsibleCfg,
}

impl FoundCfg {
    /// Finds and reads it.
    pub(super) fn read() -> Result<Self, Failure> {
        let (path, remark) = find();
        let text = path.as_deref().map(|path| read_text(path, "Ansible's configuration"));
        let text = text.transpose()?.unwrap_or_default();
        let name = path.as_ref().map(|path| path.display().to_string());
        let file = name.as_deref().map(|name| (name, text.as_str()));
        let mut cfg = AnsibleCfg::read(file, &wire::ansible_variable);
        cfg.remarks.extend(remark);
        Ok(FoundCfg { path, cfg })
    }

    /// The folder of the file.
    pub(super) fn folder(&self) -> Option<PathBuf> {
        let folder = self.path.as_deref()?.parent()?;
        let is_here = folder == Path::new("");
        Some(if is_here { PathBuf::from(".") } else { folder.to_owned() })
    }

    /// The passwords that it wants to be asked for.
    pub(super) fn asks(&self) -> Asks {
        Asks { login: self.cfg.ask_pass, sudo: self.cfg.become_ask_pass }
    }

    /// The inventories that it names.
    pub(super) fn inventories(&self) -> Result<Vec<PathBuf>, Failure> {
        let Some(NamedInventories { paths, is_of_file }) = &self.cfg.inventory else {
            return Err(Failure::new(Kind::Usage, "no inventory is named")
                .hint("name one behind the command: migos-fleet COMMAND inventory.yaml")
                .hint("what `inventory = …` in ansible.cfg names is taken where none is"));
        };
        let folder = self.path.as_deref().and_then(Path::parent).filter(|_| *is_of_file);
        let folder = folder.unwrap_or(Path::new(""));
        Ok(paths.iter().map(|path| wire::resolve(folder, path)).collect())
    }
}

/// The first file of those that Ansible looks for, and what is to be said about one that is passed over.
fn find() -> (Option<PathBuf>, Option<Problem>) {
    let home = wire::resolve(Path::new("/"), OF_PERSON);
    let can_be_read = |path: &PathBuf| File::open(path).is_ok();
    if let Some(named) = named().filter(can_be_read) {
        return (Some(named), None);
    }
    let here = PathBuf::from(NAME);
    let is_open = fs::metadata(".").is_ok_and(|folder| folder.mode() & WORLD_WRITABLE != 0);
    let remark = (is_open && here.exists()).then(passed_over);
    let mut paths = vec![home, PathBuf::from(OF_SYSTEM)];
    if !is_open {
        paths.insert(0, here);
    }
    (paths.into_iter().find(can_be_read), remark)
}

fn named() -> Option<PathBuf> {
    let path = wire::resolve(Path::new(""), &wire::ansible_variable(VARIABLE)?);
    Some(if path.is_dir() { path.join(NAME) } else { path })
}

fn passed_over() -> Problem {
    Problem {
        file: NAME.to_owned(),
        line: 1,
        column: 1,
        path: String::new(),
        message: "not read, as Ansible does not: everybody may write in this folder".to_owned(),
        hint: Some(format!("chmod o-w . or set {VARIABLE}=./{NAME}")),
    }
}
