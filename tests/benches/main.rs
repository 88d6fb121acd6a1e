//! The comparison: what a fleet's owner would use else, against the program, on one computer, in turns.
//!
//! `make bench` runs all of it and writes `docs/performance.md`; `make bench-quick` only shows that it works. The sides are
//! counted apart: a client with all it starts (`account`), and real OpenSSH servers (`endpoints`). Who takes part is in
//! `peers`, how turns are taken in `contest`; each contest is a file of its own, and what comes out is a `finding`.

mod account;
mod alone;
mod contest;
mod endpoints;
mod far;
mod figures;
mod finding;
mod journey;
mod lab;
mod link;
mod login;
mod machine;
mod page;
mod papers;
mod parcel;
mod peers;
mod profile;
mod scale;
mod send;
mod svg;
mod table;
mod upload;

use anyhow::{Context, Result, bail, ensure};
use endpoints::Endpoints;
use finding::Finding;
use migos_engine::port::Cipher;
use peers::Peers;
use scale::Scale;

/// The contests, in the page's order.
const CONTESTS: [&str; 8] = ["login", "upload", "alone", "image", "far", "again", "lab", "profile"];

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.split_first() {
        Some((word, rest)) if word == send::WORD => send::run(rest),
        _ => compare(&args),
    }
}

/// `[--quick] [CONTEST...]`
fn compare(args: &[String]) -> Result<()> {
    let (options, only): (Vec<_>, Vec<_>) = args.iter().partition(|arg| arg.starts_with('-'));
    let quick = options.iter().any(|option| *option == "--quick");
    ensure!(options.iter().all(|option| *option == "--quick"), "usage: [--quick] [CONTEST...]");
    for name in &only {
        ensure!(CONTESTS.contains(&name.as_str()), "there is no contest {name}: {CONTESTS:?}");
    }
    let scale = if quick { Scale::quick() } else { Scale::whole() };
    let wanted = |name: &str| only.is_empty() || only.iter().any(|one| *one == name);
    let program = std::env::current_exe()?;
    let target = program.ancestors().nth(2).context("this program is not in a target folder")?;
    let peers = Peers::install(target)?;
    if !quick {
        page::put_text("machine", &machine::about(&peers, &scale)?)?;
    }
    for name in CONTESTS.into_iter().filter(|name| wanted(name)) {
        page::say(&format!("{name}:"));
        for mut finding in one(name, &scale, &peers).context(name)? {
            if quick {
                // Goals are for the whole.
                finding.goals.clear();
            }
            page::say(&format!("\n{}\n\n{}", finding.title, finding.markdown("docs/pictures")));
            if !quick {
                page::put(&finding)?;
            }
        }
    }
    Ok(())
}

fn one(name: &str, scale: &Scale, peers: &Peers) -> Result<Vec<Finding>> {
    if name == "lab" {
        return lab::migrate(scale, peers);
    }
    let endpoints = Endpoints::start(scale.endpoints, Cipher::Aes)?;
    let finding = match name {
        "login" => login::compare(scale, &endpoints, peers),
        "upload" => upload::to_all(scale, &endpoints, peers),
        "alone" => alone::compare(scale, &endpoints, peers),
        "image" => upload::to_one(scale, &endpoints, peers),
        "far" => far::compare(scale, &endpoints, peers),
        "again" => upload::again(scale, &endpoints, peers),
        "profile" => profile::look(scale, &endpoints, peers),
        _ => bail!("there is no such contest"),
    };
    Ok(vec![finding?])
}
