//! How a run moves on: starts devices within the limits, judges after every input, goes from stage to
//! stage, and ends.

use super::gate::tripped;
use super::{Effect, Mode, Soak, Turn, Verdict, judge};
use migos_events::{
    CheckVerdict, DeviceEvent, DeviceState, Event, Outcome, Progress, StageProgress, Tally,
};
use migos_inventory::{DeviceId, SiteName};
use migos_playbooks::plan::{CheckedPlan, Class, Stage};
use migos_playbooks::policy::Unsited;
use std::collections::{BTreeMap, BTreeSet};

impl Turn<'_> {
    /// Does all that can be done now.
    pub(super) fn advance(&mut self) {
        while self.one_more() {}
    }

    /// Does one thing that can be done now; false if there is none.
    fn one_more(&mut self) -> bool {
        match self.rollout.mode {
            Mode::NotBegun | Mode::Ended => false,
            Mode::Closing(_) if !self.rollout.take_back.is_empty() => self.take_one_back(),
            Mode::Closing(outcome) => {
                if !self.all_at_rest() {
                    return false;
                }
                self.rollout.take_back = self.still_to_be_taken_back();
                if self.rollout.take_back.is_empty() {
                    self.end(outcome);
                }
                true
            }
            Mode::Going if self.rollout.look_first => false,
            Mode::Going => {
                let tally = self.rollout.history.tally();
                match tally.beyond_budget(&self.rollout.plan.budget) {
                    Some(reason) => {
                        self.close(Outcome::Stopped, Event::Stopped { reason, undo: false });
                        true
                    }
                    None => self.settle_one() || self.judge_one_class() || self.work_on_stage(),
                }
            }
        }
    }

    /// After an order to stop and undo: the devices with something on them that can be taken back.
    fn still_to_be_taken_back(&self) -> Vec<DeviceId> {
        let history = &self.rollout.history;
        let is_left = |progress: &Progress| {
            let state = &progress.state;
            let settled = state.may_be_past_return() || matches!(state, DeviceState::Stuck(_));
            !progress.touched.is_empty() && !settled
        };
        let left = history.devices.iter().filter(|(_, progress)| is_left(progress));
        match history.undo_ordered {
            true => left.map(|(id, _)| id.clone()).collect(),
            false => Vec::new(),
        }
    }

    fn all_at_rest(&self) -> bool {
        let devices = &self.rollout.history.devices;
        self.rollout.tasks.is_empty() && !devices.keys().any(|id| self.rollout.in_flight(id))
    }

    fn end(&mut self, outcome: Outcome) {
        self.say(Event::RunEnded { outcome });
        self.rollout.mode = Mode::Ended;
        self.effects.push(Effect::End(outcome));
    }

    fn work_on_stage(&mut self) -> bool {
        let plan = self.rollout.plan.clone();
        let index = self.rollout.history.stage;
        let Some(stage) = plan.stages.get(index) else {
            let last = plan.stages.len().saturating_sub(1);
            if self.left_over(&plan, index).next().is_some() {
                return self.start_one(last) || self.tell_why_not(last);
            }
            // balena may see the last device before its task has hung up.
            let is_over = self.all_at_rest();
            if is_over {
                self.end(Outcome::Finished);
            }
            return is_over;
        };
        match self.rollout.history.stage_progress {
            StageProgress::Waiting => return self.begin_stage(&plan, index),
            StageProgress::Checked => return self.ask_or_pass(stage, index),
            StageProgress::AtInstructions => return self.say(Event::StagePassed { stage: index }),
            StageProgress::Started | StageProgress::Soaking(_) | StageProgress::SoakBroken(_) => {}
        }
        let tally = self.stage_tally(&plan, index);
        match judge(&stage.gate, &tally, self.soak()) {
            Verdict::Pass if stage.gate.check.is_some() => self.ask_for_check(index),
            Verdict::Pass => self.ask_or_pass(stage, index),
            Verdict::Wait if tally.open() > 0 => self.start_one(index) || self.tell_why_not(index),
            Verdict::Wait => self.keep_soaking(index),
            verdict => self.trip(stage, verdict),
        }
    }

    fn begin_stage(&mut self, plan: &CheckedPlan, index: usize) -> bool {
        let last = self.rollout.wishes.until.filter(|last| index > *last);
        let Some(last) = last.and_then(|last| plan.stages.get(last)) else {
            return self.say(Event::StageStarted { stage: index });
        };
        let reason = format!("stage {} was the last that was asked for", last.name);
        self.close(Outcome::Paused, Event::Paused { reason, gate: None });
        true
    }

    /// Devices of the stages before this one that are still to start: their class was set aside then, and is not any
    /// more; or they were recalled as stragglers.
    fn left_over<'p>(
        &self,
        plan: &'p CheckedPlan,
        index: usize,
    ) -> impl Iterator<Item = &'p DeviceId> {
        let earlier = plan.stages.iter().take(index).flat_map(|stage| &stage.devices);
        earlier.filter(|id| *self.rollout.state(id) == DeviceState::Pending)
    }

    /// The counts of the stage's devices by which its gate is judged: without those that a person has forgiven, and
    /// in the last stage with the stragglers of all stages and what is left over of earlier ones.
    fn stage_tally(&self, plan: &CheckedPlan, index: usize) -> Tally {
        let Some(stage) = plan.stages.get(index) else { return Tally::default() };
        let mut tally = self.rollout.history.judged(&stage.devices);
        if index + 1 == plan.stages.len() {
            let awaited = self.stragglers().count() + self.left_over(plan, index).count();
            tally.pending =
                tally.pending.saturating_add(u32::try_from(awaited).unwrap_or(u32::MAX));
        }
        tally
    }

    fn trip(&mut self, stage: &Stage, verdict: Verdict) -> bool {
        let named = |reason| format!("gate {}: {reason}", stage.name);
        match verdict {
            Verdict::Pause(reason) => {
                let event = Event::Paused { reason: named(reason), gate: None };
                self.close(Outcome::Paused, event);
            }
            Verdict::Stop(reason) => {
                let event = Event::Stopped { reason: named(reason), undo: false };
                self.close(Outcome::Stopped, event);
            }
            Verdict::Pass | Verdict::Wait => return false,
        }
        true
    }

    fn ask_or_pass(&mut self, stage: &Stage, index: usize) -> bool {
        match &stage.gate.pause {
            Some(instructions) => {
                let event = Event::Paused { reason: instructions.clone(), gate: Some(index) };
                self.close(Outcome::Paused, event);
                true
            }
            None => self.say(Event::StagePassed { stage: index }),
        }
    }

    fn ask_for_check(&mut self, index: usize) -> bool {
        if self.rollout.checking.replace(index) != Some(index) {
            self.effects.push(Effect::Check(index));
        }
        false
    }

    pub(super) fn checked(&mut self, index: usize, verdict: CheckVerdict, message: String) {
        let plan = self.rollout.plan.clone();
        let expected = self.rollout.checking.take() == Some(index);
        let (Some(stage), true) = (plan.stages.get(index), expected) else { return };
        let event = Event::GateChecked { stage: index, verdict, message: message.clone() };
        if self.rollout.mode != Mode::Going || !self.say(event) {
            return;
        }
        let and = |words: &str| match message.as_str() {
            "" => words.to_owned(),
            message => format!("{words}: {message}"),
        };
        match verdict {
            CheckVerdict::Pass => {}
            CheckVerdict::Unsure => {
                _ = self.trip(stage, Verdict::Pause(and("its check is unsure")));
            }
            CheckVerdict::Fail => {
                _ = self.trip(stage, tripped(&stage.gate, and("its check fails")));
            }
        }
    }

    fn soak(&self) -> Soak {
        let StageProgress::Soaking(since) = self.rollout.history.stage_progress else {
            return Soak::NotBegun;
        };
        match self.rollout.seen_at {
            _ if self.rollout.unwell.is_some() => Soak::Unwell,
            // Until balena has answered within the soak, nothing is known.
            Some(seen) if seen >= since => Soak::Well(seen.saturating_sub(since)),
            _ => Soak::Unwell,
        }
    }

    fn keep_soaking(&mut self, stage: usize) -> bool {
        let unwell = self.rollout.unwell.clone();
        match (self.rollout.history.stage_progress, unwell) {
            (StageProgress::Soaking(_), Some(reason)) => {
                self.say(Event::SoakBroken { stage, reason })
            }
            (StageProgress::Soaking(_), None) => false,
            (StageProgress::SoakBroken(since), Some(reason)) => {
                // What is not well for as long as a device may be on its way does not mend itself.
                let patience = self.rollout.plan.arrival.lost.0;
                if self.now.run.saturating_sub(since) < patience {
                    return false;
                }
                let reason = format!("the soak does not end: {reason}");
                self.close(Outcome::Paused, Event::Paused { reason, gate: None });
                true
            }
            (StageProgress::SoakBroken(since), None) => {
                self.rollout.seen_at.is_some_and(|seen| seen > since)
                    && self.say(Event::SoakStarted { stage })
            }
            _ => self.say(Event::SoakStarted { stage }),
        }
    }

    /// Starts the first waiting device of the stage that the limits allow.
    fn start_one(&mut self, index: usize) -> bool {
        let plan = self.rollout.plan.clone();
        let Some(stage) = plan.stages.get(index) else { return false };
        let flying = self.flying();
        if flying.len() >= plan.parallel as usize || !self.has_room_in(stage, index, &flying) {
            return false;
        }
        let sites = Sites::of(&plan, &flying);
        let mut classes: BTreeMap<&Class, bool> = BTreeMap::new();
        let mut class_has_room = |id: &DeviceId| match plan.devices.get(id) {
            Some(device) => {
                *classes.entry(&device.class).or_insert_with(|| self.class_has_room(&flying, id))
            }
            None => false,
        };
        let may_start = |id: &&DeviceId| {
            !self.rollout.in_flight(id)
                && sites.have_room(id)
                && class_has_room(id)
                && self.may_start_now(id)
        };
        let waiting = self.waiting(&plan, index);
        let Some(id) = waiting.into_iter().find(may_start).cloned() else { return false };
        if self.rollout.history.window_opens.is_some() {
            self.say(Event::WindowOpened);
        }
        let progress = self.rollout.history.devices.get(&id).cloned().unwrap_or_default();
        self.launch(id, progress);
        true
    }

    /// The devices that this stage may start, but for the limits: its own, then in the last what is left over of
    /// earlier ones, and those that were away.
    fn waiting<'p>(&self, plan: &'p CheckedPlan, index: usize) -> Vec<&'p DeviceId> {
        let Some(stage) = plan.stages.get(index) else { return Vec::new() };
        let is_pending = |id: &&DeviceId| *self.rollout.state(id) == DeviceState::Pending;
        let mut waiting: Vec<&DeviceId> = stage.devices.iter().filter(is_pending).collect();
        if index + 1 == plan.stages.len() {
            waiting.extend(self.left_over(plan, index));
            let due: BTreeSet<&DeviceId> = self.stragglers_that_are_due().collect();
            waiting.extend(
                plan.stages.iter().flat_map(|it| &it.devices).filter(|id| due.contains(id)),
            );
        }
        waiting
    }

    /// While nothing is in flight and nothing starts, people are told what is waited for.
    fn tell_why_not(&mut self, index: usize) -> bool {
        let plan = self.rollout.plan.clone();
        if !self.flying().is_empty() {
            return false;
        }
        let waiting = self.waiting(&plan, index);
        self.tell_of_unwell_class(&waiting)
            || self.tell_of_windows(&waiting)
            || (waiting.is_empty() && self.tell_of_stragglers())
    }

    /// Begins with the first of the devices to be given back that the limits allow.
    fn take_one_back(&mut self) -> bool {
        let plan = self.rollout.plan.clone();
        let flying = self.flying();
        if flying.len() >= plan.parallel as usize {
            return false;
        }
        let waiting = &self.rollout.take_back;
        let sites = Sites::of(&plan, &flying);
        let has_room = |id: &DeviceId| {
            let index = self.rollout.stages.get(id).copied();
            let stage = index.and_then(|index| Some((plan.stages.get(index)?, index)));
            stage.is_some_and(|(stage, index)| self.has_room_in(stage, index, &flying))
                && sites.have_room(id)
        };
        let next = waiting.iter().position(has_room);
        let Some(index) = next else { return false };
        let device = self.rollout.take_back.remove(index);
        // Past the point of no return the state machine refuses it.
        if self.say_of(&device, DeviceEvent::UndoOrdered) {
            let progress = self.rollout.history.devices.get(&device).cloned();
            self.launch(device, progress.unwrap_or_default());
        }
        true
    }

    /// True if the limits let another device of this one's stage and site fly.
    pub(super) fn may_fly(&self, id: &DeviceId) -> bool {
        let (plan, flying) = (&self.rollout.plan, self.flying());
        let index = self.rollout.stages.get(id).copied();
        let stage = index.and_then(|index| Some((plan.stages.get(index)?, index)));
        flying.len() < plan.parallel as usize
            && stage.is_some_and(|(stage, index)| self.has_room_in(stage, index, &flying))
            && Sites::of(plan, &flying).have_room(id)
    }

    fn flying(&self) -> Vec<&DeviceId> {
        let (tasks, devices) = (&self.rollout.tasks, &self.rollout.history.devices);
        let arriving = devices.iter().filter(|(id, progress)| {
            matches!(progress.state, DeviceState::Arriving | DeviceState::Late)
                && !tasks.contains(*id)
        });
        tasks.iter().chain(arriving.map(|(id, _)| id)).collect()
    }

    fn has_room_in(&self, stage: &Stage, index: usize, flying: &[&DeviceId]) -> bool {
        let is_there = |id: &&&DeviceId| self.rollout.stages.get(**id) == Some(&index);
        flying.iter().filter(is_there).count() < stage.parallel as usize
    }
}

/// How many devices are in flight at each site.
struct Sites<'p> {
    plan: &'p CheckedPlan,
    flying: BTreeMap<Option<&'p SiteName>, u32>,
}

impl<'p> Sites<'p> {
    fn of(plan: &'p CheckedPlan, flying: &[&DeviceId]) -> Sites<'p> {
        let mut sites = Sites { plan, flying: BTreeMap::new() };
        for id in flying {
            *sites.flying.entry(sites.site(id)).or_default() += 1;
        }
        sites
    }

    fn site(&self, device: &DeviceId) -> Option<&'p SiteName> {
        self.plan.devices.get(device)?.site.as_ref()
    }

    fn have_room(&self, device: &DeviceId) -> bool {
        let site = self.site(device);
        let there = self.flying.get(&site).copied().unwrap_or(0);
        there < self.plan.per_site || (site.is_none() && self.plan.unsited == Unsited::None)
    }
}
