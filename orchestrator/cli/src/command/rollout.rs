//! Carries out a run: what `migrate` and `resume` have in common.

use super::report;
use super::stock::Stock;
use crate::announce::Announcer;
use crate::args::Global;
use crate::awake::Awake;
use crate::failure::{Failure, Kind, OrFail};
use crate::hooks::Checks;
use crate::input::Sources;
use crate::printer::Printer;
use crate::screen::{Screen, TICK};
use crate::signals::Signals;
use crate::wire::{self, Passwords};
use crate::{log, prompt};
use migos_balena::Balena;
use migos_engine::bandwidth::Meters;
use migos_engine::control::Control;
use migos_engine::dispatcher::{Dispatch, dispatch};
use migos_engine::executor::{Observer, Provisions, SeenOnBalena, World};
use migos_engine::journal::Journal;
use migos_engine::ledger::Ledger;
use migos_engine::port::{Target, Transport};
use migos_engine::rollout::{Order, Rollout, Wishes};
use migos_engine::run::{Holder, RunDir, RunLock, write_whole};
use migos_events::{History, Outcome, Record, exit_code};
use migos_inventory::DeviceId;
use migos_payload::board::BoardType;
use migos_playbooks::plan::{CheckedPlan, Handover};
use migos_report::{Live, RunLines, summary, summary_json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

/// How often orders and the lock are looked at.
const LOOK: Duration = Duration::from_millis(500);

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
    pub(super) wishes: Wishes,
}

/// Carries a run to its end; gives the exit code.
pub(super) async fn carry_out(
    ready: Ready,
    global: &Global,
    printer: Printer,
) -> Result<u8, Failure> {
    let Ready { run, lock, plan, sources, stock, balena, take_back, wishes } = ready;
    // Nothing is left to pause in a run that only gives devices back.
    let control = take_back.is_empty().then(|| Control::from_now(&run));
    let path = run.path().join("controller.log");
    log::into_file(&path).map_err(|error| {
        Failure::internal(format!("failed to write {}", path.display()), &error)
    })?;
    let (journal, past) = Journal::open(&run.journal()).or_fail(Kind::Internal)?;
    let plan = Arc::new(plan);
    let rollout = Rollout::new(plan.clone(), run.id().clone(), wire::VERSION, &past)
        .map_err(|error| Failure::at(Kind::Internal, "the journal contradicts itself", &error))?;

    let before = rollout.history().clone();
    let change = before.change.as_ref().or(wishes.change.as_ref()).map(|change| change.id.clone());
    let rollout = rollout.taking_back(take_back).wishing(wishes);

    let style = printer.err_style();
    let lines = RunLines::new(&plan, style, global.verbose > 0);
    let live = Live::new(&plan, style, !global.no_progress);
    let screen = Arc::new(Screen::new(lines, live, &past));
    let (announcer, teller) = match plan.on_event.clone() {
        Some(command) => {
            let base = sources.base.clone();
            let (announcer, teller) = Announcer::new(command, base, plan.clone(), before);
            (Some(announcer), Some(teller))
        }
        None => (None, None),
    };
    let observer = Arc::new(Told { screen: screen.clone(), announcer });
    let meters = Meters::of(&plan);
    let asked = prompt::passwords(global, sources.asks)?;
    let passwords = Passwords { own: sources.secrets.clone(), ..asked };
    let (mut targets, mut bastions) = (BTreeMap::new(), BTreeMap::new());
    for (id, device) in &plan.devices {
        if let Handover::CallHome { bastion, .. } = &device.handover {
            bastions.insert(id.clone(), wire::bastion(&sources.base, id, bastion)?);
        }
        let target = wire::target(&sources.base, id, &device.login, &passwords)?;
        let cipher = global.cipher.of(BoardType::named(&device.class.board));
        targets.insert(id.clone(), Target { cipher, meter: meters.meter(id), ..target });
    }
    let own = run.clone();
    let transcript = wire::transcripts(move |device| own.transcript(device));
    let transport = wire::ssh(&global.runs, Some(transcript))?;
    wire::unlock(&transport, targets.values()).await?;
    let secrets = run.secrets().or_fail(Kind::Internal)?;
    let entropy = wire::SystemEntropy::open()?;
    let run_key = secrets.run_key(&entropy).or_fail(Kind::Internal)?;
    let keyfiles = stock.keyfiles_of(&plan);
    // Who gives devices back hands nothing out.
    let provisions = match control {
        Some(_) => wire::provisions(&plan, &sources, change)?,
        None => Provisions::default(),
    };
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
        keyfiles,
        secrets,
        clock: Arc::new(wire::SystemClock),
        entropy: Arc::new(entropy),
        observer,
        seen: SeenOnBalena::default(),
        provisions,
    };
    let (orders_to, orders) = mpsc::channel(64);
    let work = dispatch(Dispatch {
        world: Arc::new(world),
        rollout,
        journal,
        ledger: Ledger::of(&global.runs),
        run: run.id().clone(),
        orders,
        checks: Arc::new(Checks { plan: plan.clone(), base: sources.base.clone() }),
    });
    let awake = Awake::during(run.id());
    let desk = Desk { orders: orders_to, control, lock: &lock, screen: &screen, printer };
    let ended = desk.attend(work).await;
    drop(awake);
    screen.finish();
    let (outcome, history) = match ended {
        Ended::ByItself(ended) => {
            (*ended).map_err(|error| Failure::of(Kind::Internal, &error).hint(resume_hint(&run)))?
        }
        Ended::Left => {
            printer.say(&format!("left at once; {}", resume_hint(&run)));
            return Ok(130);
        }
        Ended::TakenOver(by) => {
            let what = format!("another controller has taken over run {}: {by}", run.id());
            let hint = format!("watch it with: migos-fleet status {}", run.id());
            return Err(Failure::new(Kind::NotStarted, what).hint(hint));
        }
    };
    let code = finish(&run, &plan, &history, outcome, printer)?;
    report::leave(&run, &plan, printer);
    drop(lock);
    if let Some(teller) = teller {
        teller.finish().await;
    }
    Ok(code)
}

fn resume_hint(run: &RunDir) -> String {
    format!("go on with: migos-fleet resume {}", run.id())
}

/// Who is told what happens: the screen, and the policy's command if it names one.
struct Told {
    screen: Arc<Screen>,
    announcer: Option<Announcer>,
}

impl Observer for Told {
    fn record(&self, record: &Record) {
        self.screen.record(record);
        if let Some(announcer) = &self.announcer {
            announcer.record(record);
        }
    }

    fn progress(&self, device: &DeviceId, done: u64, total: u64) {
        self.screen.progress(device, done, total);
    }
}

/// How the work of this controller ended.
enum Ended<E> {
    /// The run came to an end, or could not be written down any more.
    ByItself(Box<Result<(Outcome, History), E>>),
    /// A person would not wait.
    Left,
    /// Another controller has the run now.
    TakenOver(Holder),
}

/// What stands around the work: people, the screen, other controllers.
struct Desk<'a> {
    orders: mpsc::Sender<Order>,
    /// What is ordered from other terminals.
    control: Option<Control>,
    lock: &'a RunLock,
    screen: &'a Screen,
    printer: Printer,
}

impl Desk<'_> {
    /// Lets the work go on, draws the screen, hears Ctrl-C (once interrupts, twice leaves) and orders from other
    /// terminals.
    async fn attend<E>(
        mut self,
        work: impl Future<Output = Result<(Outcome, History), E>>,
    ) -> Ended<E> {
        let mut signals = Signals::watch();
        let started = Instant::now();
        let (mut ticks, mut looks) = (interval(TICK), interval(LOOK));
        for times in [&mut ticks, &mut looks] {
            times.set_missed_tick_behavior(MissedTickBehavior::Delay);
        }
        let mut interrupted = false;
        tokio::pin!(work);
        loop {
            tokio::select! {
                // What was taken over is not worked on for another moment.
                biased;
                _ = looks.tick() => {
                    if let Some(other) = self.lock.other() {
                        return Ended::TakenOver(other);
                    }
                    self.hear();
                }
                ended = &mut work => return match self.lock.other() {
                    Some(other) => Ended::TakenOver(other),
                    None => Ended::ByItself(Box::new(ended)),
                },
                _ = ticks.tick() => self.screen.tick(started.elapsed()),
                () = signals.next() => {
                    if interrupted {
                        return Ended::Left;
                    }
                    interrupted = true;
                    self.printer.say(
                        "interrupted: no new work; devices in MIGOS go back to Raspbian, those past the point \
                         of no return are awaited (again to leave at once)",
                    );
                    // Full only of orders that end new work as well.
                    let _ = self.orders.try_send(Order::Interrupt);
                }
            }
        }
    }

    /// Hands on what is ordered from other terminals.
    fn hear(&mut self) {
        for order in self.control.iter_mut().flat_map(Control::poll) {
            if let Err(error) = self.orders.try_send(order) {
                tracing::warn!(%error, "too many orders at once");
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
