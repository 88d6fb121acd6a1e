//! Power cuts at chosen writes of chosen steps.

use super::controller::{Saga, Way};
use super::refusing::Refusal;
use migos_events::{DeviceEvent, DeviceState, Event, Record};
use migos_inventory::DeviceId;
use migos_lab::{Loss, VirtualPi};
use migos_playbooks::step::Action;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// So many devices in a row are all of another kind; those after them repeat it.
const KINDS: usize = 30;

/// So many devices at once are in flight.
pub(crate) const CROWD: usize = 60;

/// A part of a device's way. All that follows the commit belongs to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Moment {
    /// A step is performed.
    Doing(Action),
    /// A step is taken back.
    Undoing(Action),
}

impl Moment {
    /// The moment that begins with a record.
    fn begun(record: &Record) -> Option<(&DeviceId, Moment)> {
        let Event::Device { device, what } = &record.event else { return None };
        match what {
            DeviceEvent::StepStarted { step } if step.action <= Action::Commit => {
                Some((device, Moment::Doing(step.action)))
            }
            DeviceEvent::UndoStarted { step } => Some((device, Moment::Undoing(step.action))),
            _ => None,
        }
    }

    /// The step.
    pub(crate) fn action(self) -> Action {
        match self {
            Moment::Doing(action) | Moment::Undoing(action) => action,
        }
    }

    /// True if a reboot is waited for: how often the device is spoken to meanwhile, and so its lock renewed, is a matter
    /// of milliseconds.
    pub(crate) fn waits(self) -> bool {
        match self {
            Moment::Doing(action) => {
                matches!(action, Action::ProveSeen | Action::ProveGone | Action::AwaitMigos)
            }
            Moment::Undoing(action) => action.reboots(),
        }
    }
}

/// A power cut: with this write, counted from the first of the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cut {
    pub(crate) moment: Moment,
    write: u64,
    loss: Loss,
}

/// What a lab is taken through, and where the power goes on the way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scene {
    pub(crate) way: Way,
    pub(crate) course: Course,
    /// Whether the power is cut at this moment.
    pub(crate) tries: fn(Moment) -> bool,
}

/// What befalls all devices, but for the power cuts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Course {
    /// They are migrated.
    Migrated,
    /// Each fails at this verb, and is taken back.
    FailsAt(&'static str),
    /// The run is interrupted at this verb, and a person has everything taken back.
    TakenBackFrom(&'static str),
}

impl Scene {
    /// Takes a lab through; tells what begins where, before it does.
    fn play(
        &self,
        saga: &Saga,
        begins: impl Fn(&DeviceId, Moment) + Send + Sync + 'static,
    ) -> BTreeMap<DeviceId, DeviceState> {
        let hear = move |record: &Record| {
            if let Some((device, moment)) = Moment::begun(record) {
                begins(device, moment);
            }
        };
        let everyone = |refusal| {
            saga.devices().for_each(|(id, _)| saga.refusals.refuse(id, refusal));
        };
        match self.course {
            Course::Migrated => saga.carry_out(hear),
            Course::FailsAt(verb) => {
                everyone(Refusal::Verb(verb));
                saga.carry_out(hear)
            }
            Course::TakenBackFrom(verb) => {
                everyone(Refusal::Hold(verb));
                saga.interrupt_when_held();
                saga.take_back(saga.devices().map(|(id, _)| id.clone()).collect(), hear)
            }
        }
    }

    /// Counts the writes of a lab that nothing disturbs.
    pub(crate) fn profile(&self) -> Profile {
        let saga = Saga::start(KINDS, self.way);
        let pis: BTreeMap<DeviceId, Arc<VirtualPi>> =
            saga.devices().map(|(id, pi)| (id.clone(), pi.clone())).collect();
        let begun: Arc<Mutex<BTreeMap<DeviceId, Begun>>> = Arc::default();
        let heard = begun.clone();
        let states = self.play(&saga, move |device, moment| {
            let at = (moment, pis[device].writes());
            heard.lock().unwrap().entry(device.clone()).or_default().push(at);
        });
        let mut begun = begun.lock().unwrap();
        let mut of_device = |(id, pi): (&DeviceId, &Arc<VirtualPi>)| {
            assert!(self.ends_in(&states[id]), "{id}: {:?}", states[id]);
            let moments = begun.remove(id).unwrap_or_default();
            let ends = moments.iter().skip(1).map(|(_, at)| *at).chain([pi.writes()]);
            let counts = moments.iter().zip(ends).filter(|((moment, _), _)| (self.tries)(*moment));
            counts.map(|((moment, from), to)| (*moment, to - from)).collect()
        };
        Profile(saga.devices().map(&mut of_device).collect())
    }

    /// True for the state in which a device ends that nothing else befalls.
    pub(crate) fn ends_in(&self, state: &DeviceState) -> bool {
        match self.course {
            Course::Migrated => *state == DeviceState::Migrated,
            Course::FailsAt(_) => matches!(state, DeviceState::Failed(_)),
            Course::TakenBackFrom(_) => *state == DeviceState::Undone,
        }
    }

    /// Cuts the power at every write of a profile, each time on a device of its own, and tells of each how it ended.
    pub(crate) fn cut_everywhere(
        &self,
        profile: &Profile,
        mut tell: impl FnMut(&Saga, &DeviceId, Cut, &DeviceState),
    ) {
        let mut waiting = profile.cuts();
        while !waiting.is_empty() {
            // Few cuts may yet need many devices: until there is one of their kind.
            let saga = Saga::start(CROWD.min(waiting.len().max(KINDS)), self.way);
            let mut chosen: BTreeMap<DeviceId, Chosen> = BTreeMap::new();
            for (place, (id, pi)) in saga.devices().enumerate() {
                let fits = waiting.iter().position(|cut| profile.has(place, cut));
                if let Some(cut) = fits.map(|index| waiting.remove(index)) {
                    let is_set = Mutex::new(None);
                    chosen.insert(id.clone(), Chosen { cut, pi: pi.clone(), is_set });
                }
            }
            let chosen = Arc::new(chosen);
            let told = chosen.clone();
            let states = self.play(&saga, move |device, moment| {
                if let Some(chosen) = told.get(device) {
                    chosen.begins(moment);
                }
            });
            for (id, Chosen { cut, .. }) in chosen.iter() {
                tell(&saga, id, *cut, &states[id]);
            }
        }
    }
}

/// The moments that were begun, and how many writes there had been.
type Begun = Vec<(Moment, u64)>;

/// How many writes each moment is, by the kind of device.
pub(crate) struct Profile(Vec<BTreeMap<Moment, u64>>);

impl Profile {
    /// Every cut, on whatever kind of device has it: after each write, with nothing lost, or with all that was not
    /// synced.
    fn cuts(&self) -> Vec<Cut> {
        let mut most: BTreeMap<Moment, u64> = BTreeMap::new();
        for (moment, count) in self.0.iter().flatten() {
            let found = most.entry(*moment).or_default();
            *found = (*found).max(*count);
        }
        let writes =
            most.into_iter().flat_map(|(moment, count)| (1..=count).map(move |n| (moment, n)));
        let losses = [Loss::Nothing, Loss::Unsynced];
        writes.flat_map(|(moment, write)| losses.map(|loss| Cut { moment, write, loss })).collect()
    }

    /// True if the device at this place of a lab has this write.
    fn has(&self, place: usize, cut: &Cut) -> bool {
        let counts = &self.0[place % KINDS];
        counts.get(&cut.moment).is_some_and(|count| cut.write <= *count)
    }
}

/// The cut of one device.
struct Chosen {
    cut: Cut,
    pi: Arc<VirtualPi>,
    /// Once the moment has begun: whether it still goes on.
    is_set: Mutex<Option<bool>>,
}

impl Chosen {
    /// The first time counts.
    fn begins(&self, moment: Moment) {
        let Chosen { cut, pi, is_set } = self;
        let mut is_set = is_set.lock().unwrap();
        match *is_set {
            None if moment == cut.moment => {
                *is_set = Some(true);
                pi.cut_power_at_write(pi.writes() + cut.write, cut.loss);
            }
            // What was written less than last time is not made up for later.
            Some(true) if moment != cut.moment => {
                *is_set = Some(false);
                pi.cut_power_at_write(0, cut.loss);
            }
            _ => {}
        }
    }
}
