//! What can be typed.

mod assess;
mod cipher;
mod format;
mod inventory;
mod stock;

pub(crate) use assess::Assess;
pub(crate) use cipher::CipherChoice;
pub(crate) use format::{Format, ReportFormat, SchemaName};
pub(crate) use inventory::{Init, Show};
pub(crate) use stock::{
    Cache, ImageCommand, ImageFetch, ImagePrepare, PayloadBuild, PayloadCommand,
};

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use migos_playbooks::policy::Allow;
use std::path::PathBuf;

const EXIT_CODES: &str = "\
Exit codes:
  0    done: everything in scope is migrated, or there was nothing to do
  1    internal error
  2    wrong usage
  3    inventory, policy, payload or image is wrong; no device was contacted
  4    not started: stale plan, another controller at work, or a needed service is away
  5    paused, waiting for a person
  6    finished, some devices not migrated, within tolerance
  7    stopped: a budget was exceeded, or a person stopped the run
  8    a device needs hands: stuck or lost
  130  interrupted; state is consistent, `resume` works";

/// Move fleets of live Raspberry Pis from Raspbian to balenaOS, remotely.
#[derive(Debug, Parser)]
#[command(name = "migos-fleet", version, after_help = EXIT_CODES, arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Global {
    /// Folder that holds all runs and the fleet ledger
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        default_value = "runs",
        env = "MIGOS_RUNS",
        hide_env_values = true
    )]
    pub(crate) runs: PathBuf,
    /// Ask for the password of logins, where the inventory has none [env: MIGOS_SSH_PASSWORD]
    #[arg(short = 'k', long, global = true)]
    pub(crate) ask_pass: bool,
    /// Ask for the password of sudo, where the inventory has none [env: MIGOS_SUDO_PASSWORD]
    #[arg(short = 'K', long, global = true)]
    pub(crate) ask_become_pass: bool,
    /// Cipher that devices are asked for first; auto: AES where the board has instructions for it, from the Pi 5 on
    #[arg(long, global = true, value_enum, default_value_t = CipherChoice::Auto)]
    pub(crate) cipher: CipherChoice,
    /// When to use colours
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto)]
    pub(crate) color: Color,
    /// Draw no live area, even on a terminal
    #[arg(long, global = true)]
    pub(crate) no_progress: bool,
    /// Tell more on stderr: -v steps, -vv what is done, -vvv everything
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// A simulated fleet of virtual Pis and a balena API, on this computer
    Lab {
        #[command(subcommand)]
        command: LabCommand,
    },
    /// Begin: a folder with an inventory, a policy, and the next steps; also from a table of devices
    Init(Init),
    /// Read inventories and show their fleet, explain a device, or check for what is likely not meant; no network
    Inventory(Show),
    /// Read facts of devices over SSH; changes nothing
    Probe {
        #[command(flatten)]
        inventory: Inventory,
        /// Devices at a time
        #[arg(short, long, visible_alias = "forks", short_alias = 'f', value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        parallel: u32,
        /// Save the facts, for `plan --facts`
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
        #[arg(long, value_enum, default_value_t = Format::Table)]
        format: Format,
    },
    /// Day one: who is ready, what stands against the others, what is still to get, what it costs; needs only SSH
    Assess(Assess),
    /// Dry run: probe, plan, and show what would happen; changes nothing
    Plan {
        #[command(flatten)]
        planning: Planning,
        /// Save the plan, for `migrate --plan`
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
        /// Write the report as one HTML file, too
        #[arg(long, value_name = "FILE")]
        html: Option<PathBuf>,
        /// Show one device alone, with what every check says of it and by which evidence
        #[arg(long, value_name = "DEVICE")]
        detail: Option<String>,
        /// Exit with 6 if any device is refused or unreachable
        #[arg(long)]
        strict: bool,
        #[arg(long, value_enum, default_value_t = Format::Table)]
        format: Format,
    },
    /// The job: probe, plan, show, ask, and migrate
    Migrate(Migrate),
    /// How a run is doing, or the whole fleet over all runs
    Status {
        /// The run, the newest if left out; or an inventory, for the whole fleet
        #[arg(value_name = "RUN|INVENTORY")]
        run: Option<String>,
        /// Only these devices: names, ranges and states such as state=failed, separated by commas
        #[arg(short, long, value_name = "PATTERN")]
        limit: Option<String>,
        /// Follow the run until it ends, and exit as it does
        #[arg(long, conflicts_with_all = ["limit", "format"])]
        watch: bool,
        #[arg(long, value_enum, default_value_t = Format::Table)]
        format: Format,
    },
    /// What a run has come to: as a table, as JSON, as its records, or as one HTML file to mail
    Report {
        /// The run, the newest if left out
        run: Option<String>,
        #[arg(long, value_enum, default_value_t = ReportFormat::Table)]
        format: ReportFormat,
        /// The file to write, instead of standard output
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Give devices before the point of no return back exactly as they were
    Undo {
        /// The run
        run: String,
        /// Only these devices: names, ranges and states such as state=failed, separated by commas
        #[arg(short, long, value_name = "PATTERN")]
        limit: Option<String>,
    },
    /// Delete records on balena of devices that earlier runs registered and that never arrived
    Cleanup(Cleanup),
    /// Begin no new work in a run that goes on in another terminal, until somebody resumes it
    Pause {
        /// The run
        run: String,
    },
    /// End a run that goes on in another terminal: no new work any more
    Stop {
        /// The run
        run: String,
        /// Take back whatever can be taken back, also when no controller is at work
        #[arg(long)]
        undo: bool,
    },
    /// Go on with a run that is paused, or whose controller was interrupted or killed
    Resume(Resume),
    /// The records of a run
    Run {
        #[command(subcommand)]
        command: RunCommand,
    },
    /// What a policy asks for, and whether it can be read; no network
    Policy {
        #[command(subcommand)]
        command: PolicyCommand,
    },
    /// Playbooks: the steps of a migration, with your own among them
    Playbook {
        #[command(subcommand)]
        command: PlaybookCommand,
    },
    /// MIGOS itself: build, pack and look at what is sent to devices
    Payload {
        #[command(subcommand)]
        command: PayloadCommand,
    },
    /// Get and prepare the operating system image that is sent to devices, inspect and verify it
    Image {
        #[command(subcommand)]
        command: ImageCommand,
    },
    /// JSON Schemas of the files that you write, for your editor, and of saved plans
    Schema {
        /// What it describes; left out: which there are
        #[arg(value_enum, value_name = "NAME")]
        name: Option<SchemaName>,
    },
    /// What this computer needs for what, with the command that installs it
    Doctor,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Cleanup {
    #[command(flatten)]
    pub(crate) inventory: Inventory,
    /// Show the records; delete nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not ask
    #[arg(short, long)]
    pub(crate) yes: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RunCommand {
    /// Pack a run into one file, without its secrets and without what was on devices
    Export {
        /// The run
        run: String,
        /// The file to write [default: RUN.tar.gz]
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// The shipped policies, and for whom each is
    List,
    /// Every number of a policy with the defaults filled in; of a number of devices also the sizes of its stages
    Show(PolicyShow),
    /// Read a policy strictly: exit with 0 if it can be carried out, with 3 and the places if not
    Check {
        /// Policy file, or shipped policy
        policy: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum PlaybookCommand {
    /// Every step with its limits and what takes it back, and where the point of no return is
    Show {
        /// Playbook file [default: the built-in one]
        playbook: Option<PathBuf>,
    },
    /// Read a playbook strictly: exit with 0 if it can be carried out, with 3 and the places if not
    Check {
        /// Playbook file
        playbook: PathBuf,
    },
}

#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct PolicyShow {
    /// Policy file or shipped policy [default: the inventory's, else `careful`]
    pub(crate) policy: Option<String>,
    /// Cut the stages for so many devices
    #[arg(long, value_name = "N", conflicts_with = "inventory", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) devices: Option<u32>,
    /// Cut the stages for the devices of this inventory that are not held
    #[arg(short, long, value_name = "FILE")]
    pub(crate) inventory: Option<PathBuf>,
    /// Of the inventory only these devices: names, ranges, groups and states, separated by commas
    #[arg(short, long, value_name = "PATTERN", requires = "inventory")]
    pub(crate) limit: Option<String>,
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,
}

#[derive(Debug, Subcommand)]
pub(crate) enum LabCommand {
    /// Keep a fleet running, for `plan`, `migrate` and `status` from a second terminal
    Up {
        #[command(flatten)]
        lab: Lab,
    },
    /// Start a fleet and migrate it
    Run {
        #[command(flatten)]
        lab: Lab,
    },
    /// Rehearse a rollout: start a fleet with the names and the facts of a real one, as `probe -o` saved them
    Twin(Twin),
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Twin {
    /// Facts saved by `probe -o`
    pub(crate) facts: PathBuf,
    /// Take sites, groups, windows, holds, data, handovers and the policy from this inventory
    #[arg(short, long, value_name = "FILE")]
    pub(crate) inventory: Option<PathBuf>,
    /// Policy file or shipped policy, instead of the inventory's or the lab's own
    #[arg(long, value_name = "POLICY")]
    pub(crate) policy: Option<String>,
    /// Migrate the fleet, and exit as `migrate` does, instead of keeping it running
    #[arg(long)]
    pub(crate) run: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Lab {
    /// Number of virtual Pis
    #[arg(long, value_name = "N", default_value_t = 24)]
    pub(crate) devices: usize,
    /// Give the devices twelve kinds of network, by turns, instead of a cable and DHCP for all
    #[arg(long)]
    pub(crate) networks: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Place {
    /// Folder to write inventory, policy, payloads and images into
    #[arg(long, value_name = "DIR", default_value = "lab")]
    pub(crate) dir: PathBuf,
    /// What goes wrong: a YAML file such as `kiosk-003: [unreachable]`
    #[arg(long, value_name = "FILE")]
    pub(crate) faults: Option<PathBuf>,
    /// Decides models, releases, keys and serial numbers
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}

#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct Inventory {
    /// The inventory; of several the later ones count more. `-` reads standard input, `a,b,` are two devices [default: what
    /// `ansible.cfg` names]
    #[arg(value_name = "INVENTORY")]
    pub(crate) inventory: Vec<PathBuf>,
    /// Only these devices: names, ranges, groups, and states in the newest run such as state=failed, separated by commas
    #[arg(short, long, value_name = "PATTERN")]
    pub(crate) limit: Option<String>,
    /// What ssh itself reads, for what the inventory leaves open; `none` reads nothing [default: ~/.ssh/config]
    #[arg(long, value_name = "FILE")]
    pub(crate) ssh_config: Option<PathBuf>,
}

#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct Planning {
    #[command(flatten)]
    pub(crate) inventory: Inventory,
    /// Policy file or shipped policy, instead of the inventory's [env: MIGOS_POLICY]
    #[arg(long, value_name = "POLICY")]
    pub(crate) policy: Option<String>,
    /// Playbook file, instead of the inventory's or the built-in one [env: MIGOS_PLAYBOOK]
    #[arg(long, value_name = "FILE")]
    pub(crate) playbook: Option<PathBuf>,
    /// Payload file or folder, instead of the inventory's [env: MIGOS_PAYLOAD]
    #[arg(long, value_name = "PATH")]
    pub(crate) payload: Option<PathBuf>,
    /// Facts saved by `probe -o`, instead of probing now
    #[arg(long, value_name = "FILE")]
    pub(crate) facts: Option<PathBuf>,
    /// How devices boot MIGOS, instead of the policy's
    #[arg(long, value_enum, value_name = "STRATEGY")]
    pub(crate) boot_strategy: Option<BootStrategy>,
    /// Overrule a refusal by its name; can be given several times. docs/preflight.md tells them
    #[arg(long, value_name = "NAME", value_parser = refusals())]
    pub(crate) allow: Vec<Allow>,
    /// At most so many devices at a time, whatever the policy allows [env: MIGOS_PARALLEL]
    #[arg(short, long, visible_alias = "forks", short_alias = 'f', value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) parallel: Option<u32>,
    /// The whole run stops at one more failed device than so many, instead of the policy's `budget.failed`
    /// [env: MIGOS_MAX_FAILURES]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=10_000))]
    pub(crate) max_failures: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum BootStrategy {
    /// By the firmware's one-shot flag, or not at all
    OneShot,
    /// By a rewritten config.txt, for classes that the policy's `allow_rewrite` names
    Rewrite,
    /// By the flag where the firmware has it, else by a rewritten config.txt
    Auto,
}

/// The names of all refusals that can be overruled, each with what its check asks for.
fn refusals() -> impl TypedValueParser<Value = Allow> {
    let names = Allow::all().map(|allow| {
        let what = allow.check().map(|check| format!("Do not insist that {}", check.what));
        PossibleValue::new(allow.name()).help(what.unwrap_or_default())
    });
    PossibleValuesParser::new(names).try_map(|name| name.parse::<Allow>())
}

#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct Migrate {
    #[command(flatten)]
    pub(crate) planning: Planning,
    /// Carry out this saved plan, as it is
    #[arg(long, value_name = "FILE", conflicts_with_all = ["limit", "policy", "playbook", "facts", "parallel", "max_failures", "boot_strategy", "allow"])]
    pub(crate) plan: Option<PathBuf>,
    /// Only show what would happen
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not ask
    #[arg(short, long)]
    pub(crate) yes: bool,
    /// Pause after this stage
    #[arg(long, value_name = "STAGE")]
    pub(crate) until: Option<String>,
    /// The change request that this run belongs to; written into its records
    #[arg(long, value_name = "ID", value_parser = words)]
    pub(crate) change: Option<String>,
    /// Who approved the change request
    #[arg(long, value_name = "NAME", requires = "change", value_parser = words)]
    pub(crate) approved_by: Option<String>,
}

#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct Resume {
    /// The run
    pub(crate) run: String,
    /// What went wrong so far is not counted by gates any more, and why; your name is written down with it
    #[arg(long, value_name = "REASON", value_parser = words)]
    pub(crate) forgive: Option<String>,
    /// Pause after this stage
    #[arg(long, value_name = "STAGE")]
    pub(crate) until: Option<String>,
    /// Take the run from a controller on another computer, which is gone for good or ends within seconds
    #[arg(long)]
    pub(crate) take_over: bool,
}

/// Words that say something.
fn words(text: &str) -> Result<String, &'static str> {
    match text.trim() {
        "" => Err("it says nothing"),
        words => Ok(words.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    const REFERENCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/cli.md");

    /// The reference in `docs/`, made of what `--help` says.
    fn reference() -> String {
        let mut text = "# The command line\n\nMade of what `--help` says.\n".to_owned();
        let mut root = Args::command().term_width(100);
        root.build();
        let mut left = vec![root];
        while let Some(mut command) = left.pop() {
            let name = command.get_bin_name().unwrap_or("migos-fleet").to_owned();
            let help = command.render_long_help().to_string();
            let help: Vec<&str> = help.lines().map(str::trim_end).collect();
            text += &format!("\n## {name}\n\n```\n{}\n```\n", help.join("\n").trim());
            let below = command.get_subcommands().filter(|below| below.get_name() != "help");
            let mut below: Vec<_> = below.cloned().collect();
            below.reverse();
            left.extend(below);
        }
        text
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the way to make the reference anew")]
    fn the_reference_is_what_help_says() {
        if std::env::var("UPDATE_DOCS").is_ok() {
            std::fs::write(REFERENCE, reference()).unwrap();
        }
        let written = std::fs::read_to_string(REFERENCE).unwrap_or_default();
        assert!(
            written == reference(),
            "docs/cli.md is not current; make it anew with: \
             UPDATE_DOCS=1 cargo test --release -p migos-fleet reference"
        );
    }

    #[test]
    fn the_arguments_make_sense() {
        Args::command().debug_assert();
    }
}
