//! The same file over long ways and bad ones.

use crate::account::Group;
use crate::contest::{Entry, Metric, hold};
use crate::endpoints::{Endpoints, Uploads};
use crate::figures::{binary, seconds};
use crate::finding::{Finding, Goal};
use crate::link::{Link, Way};
use crate::parcel::Parcel;
use crate::peers::{Crowd, Peers};
use crate::scale::Scale;
use crate::svg::Bars;
use crate::table::Table;
use crate::upload::{of_one_file, to_best};
use anyhow::Result;
use std::net::SocketAddr;
use std::time::Duration;

/// A way, the size of the file in MiB, and the rounds: slow ways get small files, or nobody would wait for the end.
const WAYS: [(u64, f64, u64, usize); 4] =
    [(20, 0.0, 128, 3), (200, 0.0, 64, 2), (20, 0.01, 8, 2), (200, 0.01, 1, 2)];

/// No slower than the best, but for what two runs of one contestant differ.
const NOISE: f64 = 1.05;

/// Compares over all ways.
///
/// # Errors
/// If a contestant fails.
pub(crate) fn compare(scale: &Scale, endpoints: &Endpoints, peers: &Peers) -> Result<Finding> {
    let mut finding = Finding {
        key: "far",
        title: "The same over long ways and bad ones".to_owned(),
        text: TEXT.to_owned(),
        ..Finding::default()
    };
    let mut table =
        Table::new(&["way", "file", "migos-fleet", "scp", "scp, sha256sum", "ssh cat", "rsync"]);
    for (millis, loss, mebibytes, rounds) in WAYS {
        let way = Way { round_trip: Duration::from_millis(millis), loss };
        let loses = if loss > 0.0 { format!(", {} % lost", loss * 100.0) } else { String::new() };
        let name = format!("{millis} ms{loses}");
        let (size, rounds) = match scale.quick {
            true if millis > 100 => continue,
            true => (256 << 10, 1),
            false => (mebibytes << 20, rounds),
        };
        crate::page::say(&format!(" {name}:"));
        let entries = over(way, size, rounds, endpoints, peers)?;
        let cells = entries.iter().map(|entry| entry.spread(Metric::Wall).text(seconds));
        let file = binary(size);
        table.row([name.clone(), file].into_iter().chain(cells).collect());
        let best = to_best(&entries, Metric::Wall);
        finding.goals.push(Goal::ratio(format!("{name}: wall, to the best other"), best, NOISE));
        finding.bars.push(Bars::of(&format!("{name}: wall time, seconds"), &entries, Metric::Wall));
    }
    finding.tables.push(table);
    Ok(finding)
}

fn over(
    way: Way,
    size: u64,
    rounds: usize,
    endpoints: &Endpoints,
    peers: &Peers,
) -> Result<Vec<Entry>> {
    let folder = tempfile::tempdir()?;
    let parcel = Parcel::new(folder.path(), size)?;
    let address = SocketAddr::from((endpoints.all[0].address, endpoints.port));
    let link = Link::open(address, way)?;
    let (first, known_hosts) = endpoints.first_behind(link.port(), folder.path())?;
    let to = [first];
    let crowd = Crowd { port: link.port(), known_hosts, ..Crowd::of(endpoints, &to, 1) };
    let arena = Uploads { endpoints, to: &to, sha256: parcel.sha256, again: false };
    let client = Group::new("far");
    let contestants = of_one_file(peers, &crowd, &parcel);
    hold(&contestants, rounds, &client, &arena, folder.path())
}

const TEXT: &str = "The way is a program between the client and the server, not the kernel: a connection with Reno's \
    congestion control, 4 MiB under way at most, and, where packets are lost, one in a hundred. Real systems use CUBIC or \
    BBR, which do better on bad ways, for everybody alike. The slower the way, the smaller the file.";
