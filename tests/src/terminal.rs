//! A real terminal for the program: tmux draws it, and tells what stands on the screen.

use crate::fleet::{Home, wait};
use anyhow::{Context, Result, ensure};
use std::process::Command;

/// Rows on the screen.
pub const HEIGHT: usize = 40;

/// A terminal with a command in it; it ends with the test.
pub struct Terminal<'a> {
    home: &'a Home,
}

impl<'a> Terminal<'a> {
    /// Runs a command of the shell in a terminal that is so wide, in the folder.
    ///
    /// # Errors
    /// If tmux does not start (package tmux).
    pub fn running(home: &'a Home, width: usize, command: &str) -> Result<Self> {
        // Nothing is drawn but what the command says, and it can be read after its end.
        let conf = "set -g status off\nset -g remain-on-exit on\nset -g history-limit 9999\n\
                    set -g remain-on-exit-format ''\n";
        home.write("tmux.conf", conf)?;
        let terminal = Terminal { home };
        let (x, y) = (width.to_string(), HEIGHT.to_string());
        let start = ["-f", "tmux.conf", "new-session", "-d", "-x", &x, "-y", &y, command];
        terminal.tmux(&start)?;
        Ok(terminal)
    }

    fn tmux(&self, args: &[&str]) -> Result<String> {
        let mut tmux = Command::new("tmux");
        tmux.current_dir(self.home.path()).env("LC_ALL", "C.UTF-8").env_remove("TMUX");
        let told = tmux.args(["-S", "tmux"]).args(args).output().context("package tmux")?;
        let said = String::from_utf8_lossy(&told.stderr);
        ensure!(told.status.success(), "tmux {args:?}: {said}");
        Ok(String::from_utf8(told.stdout)?)
    }

    /// All lines so far, each as wide as it is on the screen.
    ///
    /// # Errors
    /// If tmux does not tell.
    pub fn rows(&self) -> Result<Vec<String>> {
        let text = self.tmux(&["capture-pane", "-p", "-S", "-"])?;
        Ok(text.trim_end().lines().map(|line| line.trim_end().to_owned()).collect())
    }

    /// All lines with the codes of their colours.
    ///
    /// # Errors
    /// If tmux does not tell.
    pub fn raw(&self) -> Result<String> {
        self.tmux(&["capture-pane", "-p", "-e", "-S", "-"])
    }

    /// Whether the command has ended.
    ///
    /// # Errors
    /// If tmux does not tell.
    pub fn has_ended(&self) -> Result<bool> {
        Ok(self.tmux(&["display-message", "-p", "#{pane_dead}"])?.trim() == "1")
    }

    /// Makes it wider or narrower.
    ///
    /// # Errors
    /// If tmux does not do so.
    pub fn resize(&self, width: usize) -> Result<()> {
        let (x, y) = (width.to_string(), HEIGHT.to_string());
        self.tmux(&["resize-window", "-x", &x, "-y", &y]).map(drop)
    }

    /// Types a text, or a key by its name, such as `Enter` or `C-c`.
    ///
    /// # Errors
    /// If tmux does not do so.
    pub fn types(&self, keys: &[&str]) -> Result<()> {
        self.tmux(&[&["send-keys"], keys].concat()).map(drop)
    }

    /// Waits until this stands on the screen, and returns all lines.
    ///
    /// # Errors
    /// If the command ends before.
    pub fn until(&self, words: &str) -> Result<Vec<String>> {
        let shows = |rows: &[String]| rows.iter().any(|row| row.contains(words));
        wait(|| {
            // What was said last may be the very thing.
            let ended = self.has_ended()?;
            let rows = self.rows()?;
            ensure!(shows(&rows) || !ended, "it ended without {words:?}: {rows:#?}");
            Ok(shows(&rows))
        })
        .with_context(|| format!("waited for {words:?}"))?;
        self.rows()
    }
}

impl Drop for Terminal<'_> {
    fn drop(&mut self) {
        // Fails only if it is gone.
        let _ = self.tmux(&["kill-server"]);
    }
}
