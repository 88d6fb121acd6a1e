//! How a run moves on: starts devices within the limits, judges after every input, goes from stage to
//! stage, and ends.

use super::gate::tripped;
use super::{Effect, Mode, Rollout, Soak, Turn, Verdict, judge};
use migos_events::{
    CheckVerdict, DeviceEvent, DeviceState, Event, Outcome, Progress, StageProgress, Tally,
};
use migos_inventory::DeviceId;
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
            Mode::Closing(_) if self.rollout.roster.has_to_give_back() => self.take_one_back(),
            Mode::Closing(outcome) => {
                if !self.all_at_rest() {
                    return false;
                }
                let left = self.still_to_be_taken_back();
                self.rollout.roster.give_back(&left);
                if !self.rollout.roster.has_to_give_back() {
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
        self.rollout.roster.nobody_is_in_flight()
    }

    fn end(&mut self, outcome: Outcome) {
        self.say(Event::RunEnded { outcome });
        self.rollout.mode = Mode::Ended;
        self.effects.push(Effect::End(outcome));
    }

    fn work_on_stage(&mut self) -> bool {
        let plan = self.rollout.plan.clone();
        let index = self.rollout.history.stage;
        self.call_stragglers();
        let Some(stage) = plan.stages.get(index) else {
            let last = plan.stages.len().saturating_sub(1);
            if self.rollout.roster.has_left_over(index) {
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
        let tally = self.stage_tally(index);
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

    /// The counts of the stage's devices by which its gate is judged: without those that a person has forgiven, and
    /// open in the last stage while anybody is still to start of earlier ones, or is a straggler.
    fn stage_tally(&self, index: usize) -> Tally {
        let roster = &self.rollout.roster;
        let mut tally = roster.tally(index);
        let is_last = index + 1 == self.rollout.plan.stages.len();
        if is_last && (roster.anybody_is_away() || roster.has_left_over(index)) {
            tally.pending = tally.pending.saturating_add(1);
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
        match self.rollout.sights.seen_at {
            _ if self.rollout.sights.unwell.is_some() => Soak::Unwell,
            // Until balena has answered within the soak, nothing is known.
            Some(seen) if seen >= since => Soak::Well(seen.saturating_sub(since)),
            _ => Soak::Unwell,
        }
    }

    fn keep_soaking(&mut self, stage: usize) -> bool {
        let unwell = self.rollout.sights.unwell.clone();
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
                self.rollout.sights.seen_at.is_some_and(|seen| seen > since)
                    && self.say(Event::SoakStarted { stage })
            }
            _ => self.say(Event::SoakStarted { stage }),
        }
    }

    /// Starts the first waiting device of the stage that the limits and the hours allow.
    fn start_one(&mut self, index: usize) -> bool {
        let now = self.now.wall;
        let Rollout { roster, calendar, .. } = &mut *self.rollout;
        let first = roster.first_to_start(index, |hours| calendar.fits(hours, now));
        let Some(id) = first.cloned() else { return false };
        if self.rollout.history.window_opens.is_some() {
            self.say(Event::WindowOpened);
        }
        let progress = self.rollout.history.devices.get(&id).cloned().unwrap_or_default();
        self.launch(id, progress);
        true
    }

    /// While nothing is in flight and nothing starts, people are told what is waited for.
    fn tell_why_not(&mut self, index: usize) -> bool {
        self.all_at_rest()
            && (self.tell_of_unwell_class(index)
                || self.tell_of_windows(index)
                || self.tell_of_stragglers(index))
    }

    /// Begins with the first of the devices to be given back that the limits allow.
    fn take_one_back(&mut self) -> bool {
        let Some(device) = self.rollout.roster.next_to_give_back() else { return false };
        // Past the point of no return the state machine refuses it.
        if self.say_of(&device, DeviceEvent::UndoOrdered) {
            let progress = self.rollout.history.devices.get(&device).cloned();
            self.launch(device, progress.unwrap_or_default());
        }
        true
    }
}
