//! The roster: where each device stands, counted and sorted as decisions go by it.
//!
//! All of it follows from the history and from who has a task. It is kept up to date record by record, so no
//! decision looks at all devices, and what a device costs does not grow with the fleet.

mod class;
mod queue;
#[cfg(test)]
mod recount;
mod standing;
mod turn;

pub(super) use class::ClassRoll;
use migos_events::{Event, History, Progress, Record, Tally};
use migos_inventory::{DeviceId, SiteName};
use migos_playbooks::plan::{CheckedPlan, Class, DevicePlan, Stage};
use migos_playbooks::policy::Unsited;
use migos_playbooks::window::Window;
use queue::Queue;
use standing::Standing;
use std::collections::{BTreeMap, BTreeSet};
use std::slice;
use std::time::Duration;
pub(super) use turn::Hours;

/// All devices of a plan. They are numbered by their names, and so are classes.
#[derive(Debug)]
pub(super) struct Roster {
    numbers: BTreeMap<DeviceId, usize>,
    seats: Vec<Seat>,
    /// The devices as they stand in the stages.
    in_order: Vec<usize>,
    classes: Vec<ClassRoll>,
    stages: Vec<StageRoll>,
    sites: Vec<SiteRoll>,
    kinds: Vec<Kind>,
    windows: Vec<Window>,
    /// Most devices in flight.
    parallel: u32,
    /// So many failures set a class aside.
    most_failures: usize,
    in_flight: u32,
    /// Those on their way to balena.
    arriving: BTreeSet<usize>,
    /// Classes to be opened or set aside, perhaps.
    to_judge: BTreeSet<usize>,
    /// Those that were away, by when they were so for the first time.
    away: BTreeSet<(Duration, usize)>,
    /// Those of them that do not wait for another try yet, by when they were tried last.
    resting: BTreeSet<(Duration, usize)>,
    /// Those of them that do.
    due: Queue,
    /// Arrived devices for which something is left to do, by stage.
    to_settle: Queue,
    /// Devices to be given back, by stage, and in the order in which they are named.
    to_give_back: Queue,
    given_back_in: Vec<usize>,
}

/// What never changes of a device, and where it stands.
#[derive(Debug)]
struct Seat {
    id: DeviceId,
    class: usize,
    site: usize,
    stage: usize,
    /// Its place in the order of the stages.
    place: usize,
    kind: usize,
    /// The plan leaves something to do for it once it has arrived.
    settles: bool,
    standing: Standing,
}

/// What devices have in common that may start at the same moments, but for their sites.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Kind {
    class: usize,
    /// The window, and what the whole way takes by the plan.
    hours: Option<(usize, Duration)>,
}

#[derive(Debug)]
struct StageRoll {
    parallel: u32,
    in_flight: u32,
    /// Without whom a person has forgiven.
    tally: Tally,
    waiting: Queue,
}

#[derive(Debug)]
struct SiteRoll {
    most: u32,
    in_flight: u32,
}

impl Roster {
    /// The plan's devices, as they stand by this history while nobody has a task.
    pub(super) fn new(plan: &CheckedPlan, history: &History) -> Roster {
        let numbers: BTreeMap<DeviceId, usize> = plan.devices.keys().cloned().zip(0..).collect();
        let staged = |id| numbers.get(id).copied();
        let stage = |stage: &Stage| StageRoll {
            parallel: stage.parallel,
            in_flight: 0,
            tally: Tally::default(),
            waiting: Queue::default(),
        };
        let mut roster = Roster {
            in_order: plan.stages.iter().flat_map(|it| &it.devices).filter_map(staged).collect(),
            numbers,
            seats: Vec::new(),
            classes: Vec::new(),
            stages: plan.stages.iter().map(stage).collect(),
            sites: Vec::new(),
            kinds: Vec::new(),
            windows: Vec::new(),
            parallel: plan.parallel,
            most_failures: plan.class.failures as usize,
            in_flight: 0,
            arriving: BTreeSet::new(),
            to_judge: BTreeSet::new(),
            away: BTreeSet::new(),
            resting: BTreeSet::new(),
            due: Queue::default(),
            to_settle: Queue::default(),
            to_give_back: Queue::default(),
            given_back_in: Vec::new(),
        };
        roster.seat(plan);
        (0..roster.sites.len()).for_each(|site| roster.mind_site(site));
        for class in &history.open_classes {
            roster.open(class);
        }
        for number in 0..roster.seats.len() {
            roster.enter(number, Standing::default());
            roster.look_at(number, history);
        }
        roster
    }

    fn seat(&mut self, plan: &CheckedPlan) {
        let mut classes: BTreeMap<&Class, usize> =
            plan.devices.values().map(|device| (&device.class, 0)).collect();
        for (number, (class, place)) in classes.iter_mut().enumerate() {
            *place = number;
            self.classes.push(ClassRoll::new(class));
        }
        let mut sites: BTreeMap<Option<&SiteName>, usize> = BTreeMap::new();
        let mut kinds = BTreeMap::new();
        let settle_step = plan.settle_step();
        let mut places = vec![(0, 0); self.in_order.len()];
        let staged = plan.stages.iter().enumerate();
        let staged = staged.flat_map(|(stage, it)| it.devices.iter().map(move |_| stage));
        for (place, (number, stage)) in self.in_order.iter().zip(staged).enumerate() {
            if let Some(of_device) = places.get_mut(*number) {
                *of_device = (stage, place);
            }
        }
        for ((number, (id, device)), (stage, place)) in plan.devices.iter().enumerate().zip(places)
        {
            let class = classes.get(&device.class).copied().unwrap_or_default();
            let site = *sites.entry(device.site.as_ref()).or_insert(self.sites.len());
            if site == self.sites.len() {
                let unbounded = device.site.is_none() && plan.unsited == Unsited::None;
                let most = if unbounded { u32::MAX } else { plan.per_site };
                self.sites.push(SiteRoll { most, in_flight: 0 });
            }
            if let Some(roll) = self.classes.get_mut(class) {
                roll.members.push(number);
            }
            let kind = self.kind(&mut kinds, class, device);
            let settles = plan.next_step(id, settle_step) == Some(settle_step);
            let standing = Standing::default();
            let id = id.clone();
            self.seats.push(Seat { id, class, site, stage, place, kind, settles, standing });
        }
    }

    fn kind(
        &mut self,
        known: &mut BTreeMap<Kind, usize>,
        class: usize,
        device: &DevicePlan,
    ) -> usize {
        let hours = device.window.as_ref().map(|window| {
            let number = self.windows.iter().position(|other| other == window);
            let number = number.unwrap_or(self.windows.len());
            if number == self.windows.len() {
                self.windows.push(window.clone());
            }
            (number, device.estimate.whole())
        });
        let kind = Kind { class, hours };
        *known.entry(kind).or_insert_with(|| {
            self.kinds.push(kind);
            self.kinds.len() - 1
        })
    }

    pub(super) fn number(&self, device: &DeviceId) -> Option<usize> {
        self.numbers.get(device).copied()
    }

    pub(super) fn name(&self, number: usize) -> Option<&DeviceId> {
        self.seats.get(number).map(|seat| &seat.id)
    }

    /// These devices by their names.
    pub(super) fn names(&self, numbers: impl IntoIterator<Item = usize>) -> Vec<DeviceId> {
        numbers.into_iter().filter_map(|number| self.name(number).cloned()).collect()
    }

    fn seat_of(&self, device: &DeviceId) -> Option<&Seat> {
        self.seats.get(self.number(device)?)
    }

    /// Takes down what a record of this history has changed.
    pub(super) fn note(&mut self, record: &Record, history: &History) {
        let devices = match &record.event {
            Event::Device { device, .. } => slice::from_ref(device),
            Event::ClassSetAside { devices, .. } | Event::Forgiven { devices, .. } => devices,
            Event::ClassOpened { class } => return self.open(class),
            _ => return,
        };
        for number in devices.iter().filter_map(|id| self.number(id)).collect::<Vec<_>>() {
            self.look_at(number, history);
        }
    }

    fn look_at(&mut self, number: usize, history: &History) {
        let Some(seat) = self.seats.get(number) else { return };
        let progress = history.devices.get(&seat.id);
        let forgiven = || history.forgiven.contains(&seat.id);
        let standing = seat.standing.after(progress, forgiven, seat.settles);
        let class = seat.class;
        if standing == seat.standing {
            return;
        }
        if let Some(took) = progress.and_then(Progress::took)
            && let Some(roll) = self.classes.get_mut(class)
        {
            roll.add(took);
        }
        self.place(number, standing);
    }

    /// A device has a task now, or has none any more.
    pub(super) fn set_task(&mut self, device: &DeviceId, has_task: bool) {
        let Some(number) = self.number(device) else { return };
        let Some(seat) = self.seats.get(number) else { return };
        self.place(number, seat.standing.with_task(has_task));
    }

    pub(super) fn has_task(&self, device: &DeviceId) -> bool {
        self.seat_of(device).is_some_and(|seat| seat.standing.has_task)
    }

    /// This controller has tried to settle it.
    pub(super) fn set_tried(&mut self, device: &DeviceId) {
        let Some(number) = self.number(device) else { return };
        let Some(seat) = self.seats.get(number) else { return };
        self.place(number, seat.standing.tried());
    }

    fn open(&mut self, class: &Class) {
        let Ok(number) = self.classes.binary_search_by(|roll| roll.class.cmp(class)) else {
            return;
        };
        if let Some(roll) = self.classes.get_mut(number) {
            roll.is_open = true;
        }
        self.watch_class(number);
    }

    pub(super) fn nobody_is_in_flight(&self) -> bool {
        self.in_flight == 0
    }

    pub(super) fn arriving(&self) -> Vec<usize> {
        self.arriving.iter().copied().collect()
    }

    /// All that have arrived, class by class.
    pub(super) fn migrated(&self) -> impl Iterator<Item = usize> {
        self.classes.iter().flat_map(|class| class.migrated.iter().copied())
    }

    /// The counts of the stage's devices, without those that a person has forgiven.
    pub(super) fn tally(&self, stage: usize) -> Tally {
        self.stages.get(stage).map(|stage| stage.tally).unwrap_or_default()
    }

    /// True if devices of the stages before this one are still to start: their class was set aside then, and is not
    /// any more; or they were recalled as stragglers.
    pub(super) fn has_left_over(&self, stage: usize) -> bool {
        self.stages.iter().take(stage).any(|stage| stage.tally.pending > 0)
    }
}
