//! The referee: holds a journal against the plan, by other means than the core that wrote it.

use jiff::Timestamp;
use migos_events::{DeviceEvent, DeviceState, Event, History, Record};
use migos_inventory::{DeviceId, SiteName};
use migos_playbooks::plan::{CheckedPlan, Class};
use migos_playbooks::policy::Unsited;
use migos_playbooks::step::Reversal;
use std::collections::{BTreeMap, BTreeSet};

/// Everything in this journal that the plan forbids, in words; nothing for a good one.
///
/// Watched are: the limits of run, stage and site; that nothing starts and nobody crosses the point of no return
/// after a pause, a stop or an interruption, or outside its window; that one device of a class goes alone until the
/// class is opened; that nothing follows a run's end but another controller; that every record can be replayed.
pub fn breaches(plan: &CheckedPlan, journal: &[Record]) -> Vec<String> {
    let mut referee = Referee {
        plan,
        stages: stages(plan),
        history: History::default(),
        flying: BTreeSet::new(),
        closed: true,
        ended: false,
        crossed: BTreeSet::new(),
        found: Vec::new(),
    };
    for record in journal {
        referee.watch(record);
    }
    referee.found
}

fn stages(plan: &CheckedPlan) -> BTreeMap<&DeviceId, usize> {
    let numbered = plan.stages.iter().enumerate();
    numbered.flat_map(|(n, stage)| stage.devices.iter().map(move |id| (id, n))).collect()
}

struct Referee<'a> {
    plan: &'a CheckedPlan,
    /// The stage of each device.
    stages: BTreeMap<&'a DeviceId, usize>,
    history: History,
    flying: BTreeSet<DeviceId>,
    closed: bool,
    ended: bool,
    /// Those that have had a permit to cross since they were last on Raspbian for good.
    crossed: BTreeSet<DeviceId>,
    found: Vec<String>,
}

impl Referee<'_> {
    fn watch(&mut self, record: &Record) {
        let before = match &record.event {
            Event::Device { device, .. } => self.state(device),
            _ => DeviceState::Pending,
        };
        if let Err(error) = self.history.take(record) {
            self.found.push(format!("record {}: {error}", record.seq));
            return;
        }
        let begins = matches!(record.event, Event::RunStarted { .. } | Event::RunResumed { .. });
        if self.ended && !begins {
            self.blame(record, "it follows the end of the run");
        }
        match &record.event {
            Event::RunStarted { .. } | Event::RunResumed { .. } => {
                (self.closed, self.ended) = (false, false);
            }
            Event::Paused { .. } | Event::Stopped { .. } | Event::Interrupted => self.closed = true,
            Event::RunEnded { .. } => (self.closed, self.ended) = (true, true),
            Event::Device { device, what } => self.watch_device(record, device, what, &before),
            _ => {}
        }
    }

    fn watch_device(
        &mut self,
        record: &Record,
        device: &DeviceId,
        what: &DeviceEvent,
        before: &DeviceState,
    ) {
        if let DeviceEvent::StepStarted { step } = what {
            if *before == DeviceState::Pending || before.is_away() {
                self.judge_start(record, device);
            }
            let crosses = step.action.reversal() == Reversal::PointOfNoReturn;
            if crosses && self.crossed.insert(device.clone()) {
                self.judge_crossing(record, device);
            }
        }
        if matches!(what, DeviceEvent::CameBack { .. }) {
            self.crossed.remove(device);
        }
        let flies = matches!(
            self.state(device),
            DeviceState::Running { .. }
                | DeviceState::InMigos
                | DeviceState::Undoing { .. }
                | DeviceState::Arriving
                | DeviceState::Late
        );
        if !flies {
            self.flying.remove(device);
        } else if self.flying.insert(device.clone()) {
            self.judge_limits(record, device);
        }
    }

    fn judge_start(&mut self, record: &Record, device: &DeviceId) {
        if self.closed {
            self.blame(record, "it starts after the close");
        }
        if !self.window_is_open(device, record.at) {
            self.blame(record, "it starts outside its window");
        }
        let class = self.class(device);
        let opened = class.is_some_and(|class| self.history.open_classes.contains(class));
        let mut others = self.flying.iter().filter(|other| self.class(other) == class);
        if !opened && others.next().is_some() {
            self.blame(record, "another of its class is in flight, and the class is not open");
        }
    }

    fn judge_crossing(&mut self, record: &Record, device: &DeviceId) {
        if self.closed {
            self.blame(record, "it crosses after the close");
        }
        if !self.window_is_open(device, record.at) {
            self.blame(record, "it crosses outside its window");
        }
    }

    fn judge_limits(&mut self, record: &Record, device: &DeviceId) {
        let count = |counts: &dyn Fn(&DeviceId) -> bool| {
            self.flying.iter().filter(|other| counts(other)).count()
        };
        let stage = self.stages.get(device);
        let of_stage = stage.and_then(|n| self.plan.stages.get(*n)).map_or(0, |it| it.parallel);
        let site = self.site(device);
        let of_site = match (site, self.plan.unsited) {
            (None, Unsited::None) => u32::MAX,
            _ => self.plan.per_site,
        };
        let limits = [
            (count(&|_| true), self.plan.parallel, "run"),
            (count(&|other| self.stages.get(other) == stage), of_stage, "stage"),
            (count(&|other| self.site(other) == site), of_site, "site"),
        ];
        for (found, most, of) in limits {
            if found > most as usize {
                self.blame(record, &format!("{found} in flight, the {of} has room for {most}"));
            }
        }
    }

    fn window_is_open(&self, device: &DeviceId, at: Timestamp) -> bool {
        let window = self.plan.devices.get(device).and_then(|device| device.window.as_ref());
        window.is_none_or(|window| window.is_open(at))
    }

    fn state(&self, device: &DeviceId) -> DeviceState {
        self.history.devices.get(device).map_or(DeviceState::Pending, |it| it.state.clone())
    }

    fn class(&self, device: &DeviceId) -> Option<&Class> {
        self.plan.devices.get(device).map(|device| &device.class)
    }

    fn site(&self, device: &DeviceId) -> Option<&SiteName> {
        self.plan.devices.get(device)?.site.as_ref()
    }

    fn blame(&mut self, record: &Record, why: &str) {
        self.found.push(format!("record {}: {:?}: {why}", record.seq, record.event));
    }
}
