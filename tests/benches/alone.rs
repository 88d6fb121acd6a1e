//! What an upload costs a device that serves nobody else, as a Pi does: one device after the other.

use crate::account::Group;
use crate::contest::{Contestant, Entry, Metric, hold};
use crate::endpoints::{Endpoints, Logins, Uploads};
use crate::figures::{Spread, binary, digits, milliseconds};
use crate::finding::{Finding, Goal};
use crate::parcel::Parcel;
use crate::peers::{Crowd, Peers};
use crate::scale::Scale;
use crate::table::Table;
use crate::upload::of_one_file;
use anyhow::Result;

/// So many devices, one after the other.
const DEVICES: usize = 8;

/// A small file to a few devices, and what of it is not the login.
///
/// # Errors
/// If a contestant fails.
pub(crate) fn compare(scale: &Scale, endpoints: &Endpoints, peers: &Peers) -> Result<Finding> {
    let folder = tempfile::tempdir()?;
    let parcel = Parcel::new(folder.path(), scale.small)?;
    let to = &endpoints.all[..DEVICES.min(endpoints.all.len())];
    let crowd = Crowd::of(endpoints, to, 1);
    let client = Group::new("alone");
    let login = [Contestant::new("a login and a command that does nothing", || {
        peers.xargs(&crowd, &format!("exec {}", crowd.ssh("true")))
    })];
    let arena = Logins { endpoints, said: &|_| Ok(()) };
    let login = hold(&login, scale.big_rounds, &client, &arena, folder.path())?;
    let arena = Uploads { endpoints, to, sha256: parcel.sha256, again: false };
    let contestants = of_one_file(peers, &crowd, &parcel);
    let entries = hold(&contestants, scale.big_rounds, &client, &arena, folder.path())?;

    let each = |entry: &Entry| {
        let spread = entry.spread(Metric::Servers);
        let of_one = |all: f64| all / to.len() as f64;
        Spread {
            least: of_one(spread.least),
            median: of_one(spread.median),
            most: of_one(spread.most),
        }
    };
    let floor = login.first().map_or(f64::NAN, |login| each(login).median);
    let beyond = |entry: &Entry| each(entry).median - floor;
    let ours = entries.first().map_or(f64::NAN, beyond);
    let mut table = Table::new(&["", "server CPU per device", "beyond the login", "ours = 1"]);
    for entry in login.iter().chain(&entries) {
        let more = beyond(entry);
        let is_login = entry.name == login[0].name;
        let nothing = || "–".to_owned();
        table.row(vec![
            entry.name.to_owned(),
            each(entry).text(milliseconds),
            if is_login { nothing() } else { milliseconds(more) },
            if is_login { nothing() } else { format!("{}×", digits(more / ours)) },
        ]);
    }
    let to_other = |name: &str| {
        let other = entries.iter().find(|entry| entry.name == name);
        other.map_or(f64::NAN, |other| ours / beyond(other))
    };
    Ok(Finding {
        key: "alone",
        title: format!("What a file of {} costs a device", binary(scale.small)),
        text: format!(
            "The same file goes to {} devices, one after the other, since a Pi is not one of fifty on its processor. What a \
             login costs is taken off, for everybody alike. What is left of ours is the file with what a device does to \
             write it down, to read it again and to compare its SHA-256.",
            to.len()
        ),
        tables: vec![table],
        goals: vec![
            Goal::ratio("server CPU beyond the login, to scp", to_other("scp"), 0.25),
            Goal::ratio(
                "the same, to scp and a look at the digest",
                to_other("scp, sha256sum"),
                0.25,
            ),
        ],
        ..Finding::default()
    })
}
