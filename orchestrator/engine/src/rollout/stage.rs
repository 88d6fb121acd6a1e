//! How a run moves on: starts devices within the limits, judges after every input, goes from stage to
//! stage, and ends.

use super::{Effect, Mode, Soak, Turn, Verdict, judge, judge_budget};
use migos_events::{DeviceEvent, DeviceState, Event, Outcome, StageProgress, Tally};
use migos_inventory::{DeviceId, SiteName};
use migos_playbooks::plan::{CheckedPlan, Stage};

impl Turn<'_> {
    /// Does all that can be done now.
    pub(super) fn advance(&mut self) {
        while self.one_more() {}
    }

    /// Does one thing that can be done now; false if there is none.
    fn one_more(&mut self) -> bool {
        match self.rollout.mode {
            Mode::NotBegun | Mode::Ended => false,
            Mode::Closing(Outcome::TakenBack) if !self.rollout.take_back.is_empty() => {
                self.take_one_back()
            }
            Mode::Closing(outcome) => {
                if !self.all_at_rest() {
                    return false;
                }
                self.end(outcome);
                true
            }
            Mode::Going if self.rollout.look_first => false,
            Mode::Going => {
                let tally = self.rollout.history.tally();
                match judge_budget(&self.rollout.plan.budget, &tally) {
                    Some(reason) => {
                        self.close(Outcome::Stopped, Event::Stopped { reason });
                        true
                    }
                    None => self.work_on_stage(),
                }
            }
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
            self.end(Outcome::Finished);
            return true;
        };
        match self.rollout.history.stage_progress {
            StageProgress::Waiting => return self.say(Event::StageStarted { stage: index }),
            StageProgress::AtInstructions => return self.say(Event::StagePassed { stage: index }),
            StageProgress::Started | StageProgress::Soaking(_) | StageProgress::SoakBroken(_) => {}
        }

        let states = stage.devices.iter().map(|id| self.rollout.state(id)).collect::<Vec<_>>();
        let tally = Tally::of(&states);
        match judge(&stage.gate, &tally, self.soak()) {
            Verdict::Pause(reason) => {
                let reason = format!("gate {}: {reason}", stage.name);
                self.close(Outcome::Paused, Event::Paused { reason, gate: None });
                true
            }
            Verdict::Pass => match &stage.gate.pause {
                Some(instructions) => {
                    let event = Event::Paused { reason: instructions.clone(), gate: Some(index) };
                    self.close(Outcome::Paused, event);
                    true
                }
                None => self.say(Event::StagePassed { stage: index }),
            },
            Verdict::Wait if tally.open() > 0 => self.start_one(index),
            Verdict::Wait => self.keep_soaking(index),
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
        let flying = self.flying(&plan);
        if flying.len() >= plan.parallel as usize || !has_room_in(stage, &flying) {
            return false;
        }
        // Until MIGOS has answered on one device of a class, no two of it are risked at once.
        let class = |id: &DeviceId| plan.devices.get(id).map(|device| &device.class);
        let class_is_open = |id: &DeviceId| {
            self.rollout.class_has(id, |other| other.was_in_migos)
                || !flying.iter().any(|other| class(other) == class(id))
        };
        let next = stage.devices.iter().find(|id| {
            self.rollout.state(id) == DeviceState::Pending
                && !self.rollout.in_flight(id)
                && has_room_at_site(&plan, &flying, id)
                && class_is_open(id)
        });
        let Some(id) = next.cloned() else { return false };
        let progress = self.rollout.history.devices.get(&id).cloned().unwrap_or_default();
        self.launch(id, progress);
        true
    }

    /// Begins with the first of the devices to be given back that the limits allow.
    fn take_one_back(&mut self) -> bool {
        let plan = self.rollout.plan.clone();
        let flying = self.flying(&plan);
        if flying.len() >= plan.parallel as usize {
            return false;
        }
        let waiting = &self.rollout.take_back;
        let has_room = |id: &DeviceId| {
            let stage = plan.stages.iter().find(|stage| stage.devices.contains(id));
            stage.is_some_and(|stage| has_room_in(stage, &flying))
                && has_room_at_site(&plan, &flying, id)
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

    fn flying<'p>(&self, plan: &'p CheckedPlan) -> Vec<&'p DeviceId> {
        plan.devices.keys().filter(|id| self.rollout.in_flight(id)).collect()
    }
}

fn has_room_in(stage: &Stage, flying: &[&DeviceId]) -> bool {
    let there = flying.iter().filter(|id| stage.devices.contains(id)).count();
    there < stage.parallel as usize
}

fn has_room_at_site(plan: &CheckedPlan, flying: &[&DeviceId], device: &DeviceId) -> bool {
    let site = |id: &DeviceId| -> Option<&SiteName> { plan.devices.get(id)?.site.as_ref() };
    let there = flying.iter().filter(|other| site(other) == site(device)).count();
    there < plan.per_site as usize
}
