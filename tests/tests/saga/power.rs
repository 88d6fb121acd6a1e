//! Power cuts at chosen writes of chosen steps.

use super::controller::Saga;
use migos_events::{DeviceEvent, Event};
use migos_inventory::DeviceId;
use migos_lab::{Loss, VirtualPi};
use migos_playbooks::step::Action;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

/// So many devices in a row are all of another kind; those after them repeat it.
const KINDS: usize = 30;

/// Of the pieces of an upload, which are all alike, only one in so many is tried.
const STRIDE: u64 = 23;

/// The steps that were begun, and how many writes there had been.
type Begun = Vec<(Action, u64)>;

/// A power cut: with this write, counted from the first of the step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cut {
    pub(crate) action: Action,
    write: u64,
    loss: Loss,
}

/// How many writes each step is, by the kind of device. All that follows the commit belongs to it.
pub(crate) struct Profile(Vec<BTreeMap<Action, u64>>);

impl Profile {
    /// Counts the writes of migrations that nothing disturbs.
    pub(crate) fn take() -> Profile {
        let saga = Saga::start(KINDS);
        let pis: BTreeMap<DeviceId, Arc<VirtualPi>> =
            saga.devices().map(|(id, pi)| (id.clone(), pi.clone())).collect();
        let begun: Arc<Mutex<BTreeMap<DeviceId, Begun>>> = Arc::default();
        let heard = begun.clone();
        saga.carry_out(move |record| {
            let Event::Device { device, what: DeviceEvent::StepStarted { step } } = &record.event
            else {
                return;
            };
            if step.action <= Action::Commit {
                let mut heard = heard.lock().unwrap();
                let at = (step.action, pis[device].writes());
                heard.entry(device.clone()).or_default().push(at);
            }
        });
        let mut begun = begun.lock().unwrap();
        let of_device = |(id, pi): (&DeviceId, &Arc<VirtualPi>)| {
            let steps = begun.remove(id).unwrap();
            let ends = steps.iter().skip(1).map(|(_, at)| *at).chain([pi.writes()]);
            let counts = steps.iter().zip(ends);
            counts.map(|((action, from), to)| (*action, to - from)).collect()
        };
        Profile(saga.devices().map(of_device).collect())
    }

    pub(crate) fn kinds(&self) -> usize {
        self.0.len()
    }

    /// Every cut that is worth trying, on whatever kind of device has it.
    pub(crate) fn cuts(&self) -> Vec<Cut> {
        let mut cuts = Vec::new();
        for (action, most) in self.most() {
            let stride = match action {
                Action::SendPayload | Action::SendImage | Action::Backup => STRIDE,
                _ => 1,
            };
            // The last ones settle what was sent.
            let last = most.saturating_sub(3);
            let tried = |write: &u64| write % stride == 1 % stride || *write > last;
            for write in (1..=most).filter(tried) {
                let losses = [Loss::Nothing, Loss::Unsynced];
                cuts.extend(losses.map(|loss| Cut { action, write, loss }));
            }
        }
        cuts
    }

    fn most(&self) -> BTreeMap<Action, u64> {
        let mut most = BTreeMap::new();
        for (action, count) in self.0.iter().flatten() {
            let found: &mut u64 = most.entry(*action).or_default();
            *found = (*found).max(*count);
        }
        most
    }

    /// True if the device at this place of a lab has this write.
    pub(crate) fn has(&self, place: usize, cut: &Cut) -> bool {
        let counts = &self.0[place % KINDS];
        counts.get(&cut.action).is_some_and(|count| cut.write <= *count)
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "writes of a migration, at most, by step:")?;
        self.most().iter().try_for_each(|(action, most)| write!(f, " {action:?} {most}"))
    }
}

/// The cuts of one lab.
#[derive(Clone)]
pub(crate) struct Cuts(Arc<BTreeMap<DeviceId, Chosen>>);

struct Chosen {
    cut: Cut,
    pi: Arc<VirtualPi>,
    /// True once the step has begun.
    is_set: Mutex<bool>,
}

impl Cuts {
    pub(crate) fn new(saga: &Saga, chosen: BTreeMap<DeviceId, Cut>) -> Cuts {
        let with_pi = |(id, cut): (DeviceId, Cut)| {
            let pi = saga.bench.device(id.as_str()).unwrap().clone();
            (id, Chosen { cut, pi, is_set: Mutex::new(false) })
        };
        Cuts(Arc::new(chosen.into_iter().map(with_pi).collect()))
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = (&DeviceId, &Cut)> {
        self.0.iter().map(|(id, chosen)| (id, &chosen.cut))
    }

    /// A step has been permitted and not begun yet; the first time counts.
    pub(crate) fn begins(&self, device: &DeviceId, action: Action) {
        let Some(Chosen { cut, pi, is_set }) = self.0.get(device) else { return };
        let mut is_set = is_set.lock().unwrap();
        if action == cut.action && !*is_set {
            *is_set = true;
            pi.cut_power_at_write(pi.writes() + cut.write, cut.loss);
        }
    }
}
