//! Where inventories come from: files, folders of files, standard input, and Ansible itself for what only it can read.

use super::variables::{Variables, beside};
use super::{read_text, settings};
use crate::failure::{Failure, Kind};
use crate::wire;
use migos_inventory::{Form, form};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The name of an inventory that is read from standard input.
const STDIN: &str = "-";

/// Ansible's own program, which writes any of its inventories out as JSON.
const ANSIBLE_INVENTORY: &str = "ansible-inventory";

/// What a folder of inventories holds that is none (ansible-core: `IGNORED_ALWAYS` and `INVENTORY_IGNORE_EXTS`), and our
/// own settings.
const OTHERS: [&str; 4] = ["group_vars", "host_vars", "vars_plugins", settings::BESIDE];
const OTHER_ENDS: [&str; 13] = [
    "~", ".bak", ".cfg", ".ini", ".md", ".orig", ".pyc", ".pyo", ".retry", ".rpm", ".rst", ".swp",
    ".txt",
];

/// An inventory that was read.
#[derive(Debug)]
pub(super) struct Text {
    pub(super) path: PathBuf,
    pub(super) text: String,
    /// The files of variables beside it, if it is Ansible's.
    pub(super) variables: Vec<Variables>,
    /// True if it is no file: hosts with commas between.
    pub(super) is_list: bool,
}

impl Text {
    /// True if it is Ansible's.
    pub(super) fn is_of_ansible(&self) -> bool {
        self.is_list || form(&self.text) == Form::Ansible
    }

    /// True if Ansible has read the files of variables already.
    fn is_written_out(&self) -> bool {
        self.text.contains("\"_meta\"")
    }
}

/// The hosts with commas between that this path is, if there is no file of this name.
fn host_list(path: &Path) -> Option<&str> {
    path.to_str().filter(|text| text.contains(',') && !path.exists())
}

/// The folder that an inventory's paths start at, as the user named it.
pub(super) fn folder(path: &Path) -> PathBuf {
    match path.parent() {
        _ if host_list(path).is_some() => PathBuf::from("."),
        _ if path.is_dir() => path.to_owned(),
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// What the user named, read.
pub(super) struct Texts {
    pub(super) texts: Vec<Text>,
    /// The files of variables in the current folder, which Ansible hears after all those beside inventories.
    pub(super) variables_here: Vec<Variables>,
}

/// Reads what the user named, folders as Ansible reads them: file by file, in lexical order.
pub(super) fn read_all(named: &[PathBuf]) -> Result<Texts, Failure> {
    let here = PathBuf::from(".");
    let mut texts = Vec::new();
    // Where variables were looked for last, and whether those of the current folder are wanted at all.
    let (mut last, mut is_wanted) = (None, false);
    for path in named {
        if let Some(hosts) = host_list(path) {
            let (path, text) = (path.clone(), hosts.to_owned());
            texts.push(Text { path, text, variables: Vec::new(), is_list: true });
            is_wanted = true;
            continue;
        }
        let mut files = Vec::new();
        list(path, &mut files)?;
        if files.is_empty() {
            let what = format!("the folder {} holds no inventory", path.display());
            return Err(Failure::new(Kind::Input, what)
                .hint("write one into it: `migos-fleet init DIR` makes a first one"));
        }
        let first = texts.len();
        for file in files {
            texts.push(read(file)?);
        }
        // Ansible looks once for each source, beside a file and within a folder.
        let of_ansible = texts.iter().skip(first).any(Text::is_of_ansible);
        let is_written_out = texts.iter().skip(first).all(Text::is_written_out);
        if of_ansible
            && !is_written_out
            && path.as_os_str() != STDIN
            && let Some(text) = texts.last_mut()
        {
            let folder = folder(path);
            text.variables = beside(&folder)?;
            is_wanted = true;
            last = Some(folder);
        }
    }
    let is_here = last.is_some_and(|last| last.canonicalize().ok() == here.canonicalize().ok());
    let variables_here = if is_wanted && !is_here { beside(&here)? } else { Vec::new() };
    Ok(Texts { texts, variables_here })
}

/// The files of a folder and the folders in it, or the file itself.
fn list(path: &Path, files: &mut Vec<PathBuf>) -> Result<(), Failure> {
    if !path.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    for (name, inner) in super::variables::entries(path)? {
        let is_other = name.starts_with('.')
            || OTHERS.contains(&name.as_str())
            || OTHER_ENDS.iter().any(|end| name.ends_with(end));
        if !is_other {
            list(&inner, files)?;
        }
    }
    Ok(())
}

fn read(path: PathBuf) -> Result<Text, Failure> {
    let text = match path.as_os_str() == STDIN {
        true => from_stdin()?,
        false => read_text(&path, "the inventory")?,
    };
    let for_ansible = match form(&text) {
        Form::Native | Form::Ansible => false,
        Form::Plugin | Form::Other => path.as_os_str() != STDIN && !text.trim().is_empty(),
    };
    let written_out = if for_ansible { written_out(&path)? } else { None };
    let text = written_out.unwrap_or(text);
    Ok(Text { text, path, variables: Vec::new(), is_list: false })
}

fn from_stdin() -> Result<String, Failure> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).map_err(|error| {
        Failure::at(Kind::Input, "failed to read the inventory from standard input", &error)
    })?;
    Ok(text)
}

/// What Ansible says of an inventory that only it can read; nothing if there is no Ansible on this computer.
fn written_out(path: &Path) -> Result<Option<String>, Failure> {
    let Some(program) = wire::search_path()
        .into_iter()
        .map(|folder| folder.join(ANSIBLE_INVENTORY))
        .find(|it| it.is_file())
    else {
        return Ok(None);
    };
    let asked = format!("{ANSIBLE_INVENTORY} -i {} --list", path.display());
    let failed = |error: &std::io::Error| {
        Failure::at(Kind::Input, format!("failed to run `{asked}`"), error)
    };
    let told = Command::new(program)
        .arg("-i")
        .arg(path)
        .arg("--list")
        .output()
        .map_err(|error| failed(&error))?;
    if !told.status.success() {
        let said = String::from_utf8_lossy(&told.stderr);
        let said: Vec<String> = said.lines().map(migos_report::plain).collect();
        let what = format!("`{asked}` ended with {}\n{}", told.status, said.join("\n"));
        return Err(Failure::new(Kind::Input, what.trim_end().to_owned()).hint(
            "an inventory that Ansible reads is read here, too; run the command to see more",
        ));
    }
    let text = String::from_utf8(told.stdout).map_err(|error| {
        Failure::at(Kind::Input, format!("`{asked}` did not print text"), &error)
    })?;
    Ok(Some(text))
}
