//! Keeps this computer awake while a run is carried out, where systemd is there to be asked.

use migos_events::RunId;
use std::process::Stdio;
use tokio::process::{Child, Command};

/// While this is there, the computer does not fall asleep by itself.
pub(crate) struct Awake {
    _inhibitor: Option<Child>,
}

impl Awake {
    /// Asks for it; a computer that cannot be asked is left as it is.
    pub(crate) fn during(run: &RunId) -> Self {
        // `cat` ends with the pipe that it reads, and so with this program, however that ends.
        let inhibitor = Command::new("systemd-inhibit")
            .args(["--what=sleep:idle", "--mode=block", "--who=migos-fleet"])
            .arg(format!("--why=run {run} migrates devices"))
            .arg("cat")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn();
        if let Err(error) = &inhibitor {
            tracing::debug!(%error, "this computer may fall asleep: no systemd-inhibit");
        }
        Awake { _inhibitor: inhibitor.ok() }
    }
}
