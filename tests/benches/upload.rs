//! Files to many, and one to one: the payload to a fleet, the image to a device.

use crate::account::Group;
use crate::contest::{Contestant, Entry, Metric, hold, ratio};
use crate::endpoints::{Endpoints, Uploads};
use crate::figures::binary;
use crate::finding::{Finding, Goal};
use crate::parcel::Parcel;
use crate::peers::{Crowd, Peers};
use crate::scale::Scale;
use anyhow::Result;
use std::process::Command;

/// What is said of our side wherever files are sent.
const OURS: &str = "Ours is the transport that `migrate` sends with. It has the device write the file to the medium, \
    compares its SHA-256 there and renames it into place; all that is in its figures, while scp, `ssh cat`, \
    parallel-ssh and asyncssh end when the last byte has gone.";

/// And of the others.
const SAME_WORK: &str = "So scp takes part a second time, followed by `sync` and `sha256sum` over ssh: that is the same \
    work. rsync compares digests as it goes.";

/// A small file to all.
///
/// # Errors
/// If a contestant fails.
pub(crate) fn to_all(scale: &Scale, endpoints: &Endpoints, peers: &Peers) -> Result<Finding> {
    let folder = tempfile::tempdir()?;
    let parcel = Parcel::new(folder.path(), scale.small)?;
    let crowd = Crowd::of(endpoints, &endpoints.all, scale.parallel);
    let (file, path) = (&parcel.path, parcel.path.display());
    let copy = format!("src={path} dest={{{{ path }}}}");
    let contestants = [
        Contestant::new("migos-fleet", || peers.ours(&crowd, file)),
        Contestant::new(SCP, || peers.xargs(&crowd, &format!("exec {}", crowd.scp(file)))),
        Contestant::new(SCP_SUM, || scp_and_sum(peers, &crowd, &parcel)),
        Contestant::new("rsync", || peers.xargs(&crowd, &format!("exec {}", crowd.rsync(file)))),
        Contestant::new("asyncssh", || peers.library("with_asyncssh.py", "copy", &crowd, file))
            .at_most(2),
        Contestant::new("parallel-ssh", || {
            peers.library("with_parallel_ssh.py", "copy", &crowd, file)
        })
        .at_most(2),
        Contestant::new("pyinfra", || peers.pyinfra_copy(&crowd, file)).at_most(1),
        Contestant::new("Ansible copy", || peers.ansible(&crowd, &["-m", "copy", "-a", &copy]))
            .at_most(1),
    ];
    let (to, sha256) = (&endpoints.all[..], parcel.sha256);
    let arena = Uploads { endpoints, to, sha256, again: false };
    let client = Group::new("upload");
    let entries = hold(&contestants, scale.rounds, &client, &arena, folder.path())?;
    let to_scp = |metric| ratio(&entries[0], &entries[1], metric);
    let to_scp_sum = |metric| ratio(&entries[0], &entries[2], metric);
    let goals = vec![
        Goal::ratio("wall, to the fastest other", to_best(&entries, Metric::Wall), 1.0),
        Goal::ratio("client CPU, to scp", to_scp(Metric::Client), 0.2),
        Goal::ratio("server CPU, to scp", to_scp(Metric::Servers), 0.25),
        Goal::ratio(
            "server CPU, to scp and a look at the digest",
            to_scp_sum(Metric::Servers),
            0.25,
        ),
    ];
    let title = format!(
        "A file of {} to {} devices, {} at a time",
        binary(scale.small),
        to.len(),
        scale.parallel
    );
    let text = format!("{OURS} {SAME_WORK}");
    Ok(Finding::of_contest("upload", &title, &text, &entries, goals))
}

/// A large file to one.
///
/// # Errors
/// If a contestant fails.
pub(crate) fn to_one(scale: &Scale, endpoints: &Endpoints, peers: &Peers) -> Result<Finding> {
    let folder = tempfile::tempdir()?;
    let parcel = Parcel::new(folder.path(), scale.big)?;
    let crowd = Crowd::of(endpoints, &endpoints.all[..1], 1);
    let entries = {
        let to = &endpoints.all[..1];
        let arena = Uploads { endpoints, to, sha256: parcel.sha256, again: false };
        let client = Group::new("image");
        let contestants = of_one_file(peers, &crowd, &parcel);
        hold(&contestants, scale.big_rounds, &client, &arena, folder.path())?
    };
    let to = |name: &str, metric| {
        let other = entries.iter().find(|entry| entry.name == name);
        other.map_or(f64::NAN, |other| ratio(&entries[0], other, metric))
    };
    let goals = vec![
        Goal::ratio("wall, to scp", to(SCP, Metric::Wall), 0.65),
        Goal::ratio("wall, to scp and a look at the digest", to(SCP_SUM, Metric::Wall), 0.65),
        Goal::ratio("client CPU, to scp", to(SCP, Metric::Client), 0.65),
    ];
    let title = format!("A file of {} to one device", binary(scale.big));
    let text = format!("{OURS} {SAME_WORK}");
    Ok(Finding::of_contest("image", &title, &text, &entries, goals))
}

const SCP: &str = "scp";
const SCP_SUM: &str = "scp, sha256sum";

/// All who send one file to one device.
pub(crate) fn of_one_file<'a>(
    peers: &'a Peers,
    crowd: &'a Crowd<'a>,
    parcel: &'a Parcel,
) -> Vec<Contestant<'a>> {
    let file = &parcel.path;
    let exec = move |line: String| peers.xargs(crowd, &format!("exec {line}"));
    vec![
        Contestant::new("migos-fleet", move || peers.ours(crowd, file)),
        Contestant::new(SCP, move || exec(crowd.scp(file))),
        Contestant::new(SCP_SUM, move || scp_and_sum(peers, crowd, parcel)),
        Contestant::new("ssh cat", move || {
            exec(format!("{} <{}", crowd.ssh("cat >$4"), file.display()))
        }),
        Contestant::new("rsync", move || exec(crowd.rsync(file))),
    ]
}

fn scp_and_sum(peers: &Peers, crowd: &Crowd<'_>, parcel: &Parcel) -> Result<Command> {
    let sum = format!("sync $4 && sha256sum $4 | grep -q {}", parcel.sha256);
    peers.xargs(crowd, &format!("{} && exec {}", crowd.scp(&parcel.path), crowd.ssh(&sum)))
}

/// What ours needs of what the best of the others needs.
pub(crate) fn to_best(entries: &[Entry], metric: Metric) -> f64 {
    let others = entries.iter().skip(1).map(|other| ratio(&entries[0], other, metric));
    others.fold(f64::NAN, f64::max)
}

/// What is there already is not sent again.
///
/// # Errors
/// If a byte is.
pub(crate) fn again(scale: &Scale, endpoints: &Endpoints, peers: &Peers) -> Result<Finding> {
    let folder = tempfile::tempdir()?;
    let parcel = Parcel::new(folder.path(), scale.small)?;
    let crowd = Crowd::of(endpoints, &endpoints.all, scale.parallel);
    let (to, sha256) = (&endpoints.all[..], parcel.sha256);
    let client = Group::new("again");
    let ours = || vec![Contestant::new("migos-fleet, again", || peers.ours(&crowd, &parcel.path))];
    let arena = Uploads { endpoints, to, sha256, again: false };
    hold(&ours(), 1, &client, &arena, folder.path())?;
    let arena = Uploads { again: true, ..arena };
    let before = crate::link::loopback_bytes()?;
    let entries = hold(&ours(), scale.repeats, &client, &arena, folder.path())?;
    let crossed = crate::link::loopback_bytes()?.saturating_sub(before) as f64;
    let devices = (scale.repeats * to.len()) as f64;
    let said = std::fs::read_to_string(folder.path().join("said"))?;
    let sent: f64 = said.trim_end().trim_end_matches(" bytes").parse()?;
    let spread = |metric| entries[0].spread(metric).median;
    let servers = spread(Metric::Servers) / scale.processors as f64;
    let hundred = to.len() as f64 / 100.0;
    let goals = vec![
        Goal::at_most("bytes of the file that are sent twice", sent, 0.0, "B"),
        Goal::at_most(
            "wall per 100 devices, beyond what the servers need of all processors",
            (spread(Metric::Wall) - servers).max(0.0) / hundred,
            2.0,
            "s",
        ),
    ];
    let text = format!(
        "The same file of {} is sent to the same {} devices, {} at a time, that have it already. Each is asked for \
         its digest. Logins, questions and answers together, as the kernel counts bytes on the loopback interface: \
         {:.1} kB per device.",
        binary(scale.small),
        to.len(),
        scale.parallel,
        crossed / devices / 1e3
    );
    Ok(Finding {
        bars: Vec::new(),
        ..Finding::of_contest("again", "Once more, when all is there", &text, &entries, goals)
    })
}
