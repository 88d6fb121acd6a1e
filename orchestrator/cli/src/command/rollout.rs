//! Carries out a run: what `migrate` and `resume` have in common.

use super::stock::Stock;
use crate::args::Global;
use crate::awake::stay_awake;
use crate::failure::{Failure, Kind, OrFail};
use crate::hooks::Checks;
use crate::input::Sources;
use crate::printer::Printer;
use crate::screen::{Screen, TICK};
use crate::signals::Signals;
use crate::{log, wire};
use migos_balena::Balena;
use migos_engine::bandwidth::Meters;
use migos_engine::dispatcher::{Dispatch, dispatch};
use migos_engine::executor::{SeenOnBalena, World};
use migos_engine::journal::Journal;
use migos_engine::ledger::Ledger;
use migos_engine::port::{Target, Transport};
use migos_engine::rollout::{Order, Rollout};
use migos_engine::run::{RunDir, RunLock, write_whole};
use migos_events::{History, Outcome, exit_code};
use migos_inventory::DeviceId;
use migos_playbooks::plan::{CheckedPlan, Handover};
use migos_report::{Live, RunLines, summary, summary_json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::mpsc;

/// A run that is about to be carried out, or carried on.
pub(super) struct Ready {
    pub(super) run: RunDir,
    pub(super) lock: RunLock,
    pub(super) plan: CheckedPlan,
    pub(super) sources: Sources,
    pub(super) stock: Stock,
    pub(super) balena: Balena,
    /// The devices that a person wants back as they were; empty: the run is carried out.
    pub(super) take_back: Vec<DeviceId>,
}

/// Carries a run to its end; gives the exit code.
pub(super) async fn carry_out(
    ready: Ready,
    global: &Global,
    printer: Printer,
) -> Result<u8, Failure> {
    let Ready { run, lock, plan, sources, stock, balena, take_back } = ready;
    let path = run.path().join("controller.log");
    log::into_file(&path).map_err(|error| {
        Failure::internal(format!("failed to write {}", path.display()), &error)
    })?;
    let (journal, past) = Journal::open(&run.journal()).or_fail(Kind::Internal)?;
    let plan = Arc::new(plan);
    let rollout = Rollout::new(plan.clone(), run.id().clone(), wire::VERSION, &past)
        .map_err(|error| Failure::at(Kind::Internal, "the journal contradicts itself", &error))?;

    let rollout = rollout.taking_back(take_back);

    let style = printer.err_style();
    let lines = RunLines::new(&plan, style, global.verbose > 0);
    let live = Live::new(&plan, style, !global.no_progress);
    let screen = Arc::new(Screen::new(lines, live, &past));
    let meters = Meters::of(&plan);
    let (mut targets, mut bastions) = (BTreeMap::new(), BTreeMap::new());
    for (id, device) in &plan.devices {
        if let Handover::CallHome { bastion, .. } = &device.handover {
            bastions.insert(id.clone(), wire::bastion(&sources.base, id, bastion)?);
        }
        let target = wire::target(&sources.base, id, &device.login)?;
        targets.insert(id.clone(), Target { meter: meters.meter(id), ..target });
    }
    let own = run.clone();
    let transcript = wire::transcripts(move |device| own.transcript(device));
    let transport = wire::ssh(&global.runs, Some(transcript))?;
    let secrets = run.secrets().or_fail(Kind::Internal)?;
    let entropy = wire::SystemEntropy::open()?;
    let run_key = secrets.run_key(&entropy).or_fail(Kind::Internal)?;
    let world = World {
        run: run.id().clone(),
        backups: run.backups().or_fail(Kind::Internal)?,
        run_key: Arc::new(transport.key_pair(&run_key)),
        plan: plan.clone(),
        transport,
        balena,
        targets,
        bastions,
        payloads: stock.payloads,
        images: stock.images,
        secrets,
        clock: Arc::new(wire::SystemClock),
        entropy: Arc::new(entropy),
        observer: screen.clone(),
        seen: SeenOnBalena::default(),
    };
    let (orders_to, orders) = mpsc::channel(4);
    let work = dispatch(Dispatch {
        world: Arc::new(world),
        rollout,
        journal,
        ledger: Ledger::of(&global.runs),
        run: run.id().clone(),
        orders,
        checks: Arc::new(Checks { plan: plan.clone(), base: sources.base.clone() }),
    });
    let awake = stay_awake();
    let ended = attend(work, &orders_to, &screen, printer).await;
    screen.finish();
    drop((lock, awake));
    let (outcome, history) = match ended {
        Some(ended) => {
            ended.map_err(|error| Failure::of(Kind::Internal, &error).hint(resume_hint(&run)))?
        }
        None => {
            printer.say(&format!("left at once; {}", resume_hint(&run)));
            return Ok(130);
        }
    };
    finish(&run, &plan, &history, outcome, printer)
}

fn resume_hint(run: &RunDir) -> String {
    format!("go on with: migos-fleet resume {}", run.id())
}

/// Lets the work go on, draws the screen, and hears Ctrl-C: once interrupts, twice gives `None`.
async fn attend<E>(
    work: impl Future<Output = Result<(Outcome, History), E>>,
    orders: &mpsc::Sender<Order>,
    screen: &Screen,
    printer: Printer,
) -> Option<Result<(Outcome, History), E>> {
    let mut signals = Signals::watch();
    let started = Instant::now();
    let mut ticks = tokio::time::interval(TICK);
    let mut interrupted = false;
    tokio::pin!(work);
    loop {
        tokio::select! {
            ended = &mut work => return Some(ended),
            _ = ticks.tick() => screen.tick(started.elapsed()),
            () = signals.next() => {
                if interrupted {
                    return None;
                }
                interrupted = true;
                printer.say(
                    "interrupted: no new work; devices in MIGOS go back to Raspbian, those past the point \
                     of no return are awaited (again to leave at once)",
                );
                // The queue is empty: this is the first order.
                let _ = orders.try_send(Order::Interrupt);
            }
        }
    }
}

/// Says how a run has ended, and writes it down.
pub(super) fn finish(
    run: &RunDir,
    plan: &CheckedPlan,
    history: &History,
    outcome: Outcome,
    printer: Printer,
) -> Result<u8, Failure> {
    let json = summary_json(plan, history, Some(outcome));
    let text = serde_json::to_vec_pretty(&json).or_fail(Kind::Internal)?;
    write_whole(&run.path().join("summary.json"), &text, 0o644).or_fail(Kind::Internal)?;
    printer.out(&summary(plan, history, Some(outcome), printer.out_style()));
    Ok(exit_code(outcome, &history.tally()))
}
