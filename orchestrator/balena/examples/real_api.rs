//! Says to a real balena API all that the client ever says, with a device of its own that is deleted afterwards.
//!
//! ```sh
//! export MIGOS_BALENA_API=https://api.balena-cloud.com MIGOS_BALENA_FLEET=acme/tests
//! read -rs MIGOS_BALENA_TOKEN && export MIGOS_BALENA_TOKEN
//! cargo run --release -p migos-balena --example real_api
//! ```
//!
//! It exits with 0 if all is answered as the lab answers it, with 1 if not, and with 2 if a variable is missing.

#[path = "../tests/conversation/mod.rs"]
mod conversation;

use jiff::Timestamp;
use migos_balena::{Authority, Balena, Images, Timeouts, Token, Wanted};
use migos_engine::port::Clock;
use migos_inventory::FleetSlug;
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

/// What has to be in the environment.
const VARIABLES: [(&str, &str); 3] = [
    ("MIGOS_BALENA_API", "the address of the API, such as https://api.balena-cloud.com"),
    ("MIGOS_BALENA_TOKEN", "a user's API key"),
    ("MIGOS_BALENA_FLEET", "a fleet in which a device may be made and deleted, such as acme/tests"),
];
/// A device type that every server with images has images for.
const DEVICE_TYPE: &str = "raspberrypi4-64";

struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "an example is a program of its own")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

#[expect(clippy::disallowed_methods, reason = "an example is a program of its own")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn say(text: &str) {
    // Who does not want to hear it, does not.
    let _ = writeln!(std::io::stdout(), "{text}");
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let values = VARIABLES.map(|(name, _)| variable(name));
    let [Some(api), Some(token), Some(fleet)] = values else {
        say("a real balena API is asked for with three variables:");
        for (name, meaning) in VARIABLES {
            let state = if variable(name).is_some() { "set" } else { "missing" };
            say(&format!("  {name:<20}{state:<9}{meaning}"));
        }
        return ExitCode::from(2);
    };
    match ask(&api, &token, &fleet).await {
        Ok(()) => {
            say("all is answered as the lab answers it");
            ExitCode::SUCCESS
        }
        Err(wrong) => {
            say(&format!("WRONG   {wrong}"));
            ExitCode::FAILURE
        }
    }
}

async fn ask(api: &str, token: &str, fleet: &str) -> Result<(), String> {
    let words = |error: &dyn std::error::Error| error.to_string();
    let token = Token::new(token).map_err(|error| words(&error))?;
    let fleet = FleetSlug::new(fleet).map_err(|error| words(&error))?;
    let (timeouts, version) = (Timeouts::default(), env!("CARGO_PKG_VERSION"));
    let (authority, clock) = (Authority::Public, Arc::new(SystemClock));
    let balena = Balena::new(api, authority, token.clone(), version, timeouts, clock);
    let balena = balena.map_err(|error| words(&error))?;
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|error| words(&error))?;
    let random: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut told = |what: &str, answer: &str| say(&format!("ok      {what}: {answer}"));
    conversation::hold(&balena, &fleet, &random, &mut told).await?;

    let images = Images::new(api, authority, Some(token), version, timeouts);
    let images = images.map_err(|error| words(&error))?;
    let versions = images.versions(DEVICE_TYPE).await.map_err(|error| words(&error))?;
    let latest = Wanted::Latest.choose(&versions).map_or("none", |version| &version.raw);
    told(
        "balenaOS",
        &format!("{} versions for {DEVICE_TYPE}, the latest {latest}", versions.len()),
    );
    Ok(())
}
