//! A simulated device itself: what becomes of it whether or not a controller is there.

use super::circumstances::{Behaviour, Circumstances, Period, first_within};
use crate::rollout::Sight;
use migos_events::DeviceEvent;
use migos_inventory::DeviceId;
use migos_payload::digest::Sha256;
use migos_playbooks::balena::DeviceUuid;
use migos_playbooks::plan::{CheckedPlan, DevicePlan, Handover};
use migos_playbooks::step::Action;
use std::time::Duration;

/// The next moment after another one.
const MOMENT: Duration = Duration::from_nanos(1);

/// A simulated device.
#[derive(Debug, Clone)]
pub(super) struct Body {
    pub(super) uuid: DeviceUuid,
    /// How it will behave from now on.
    pub(super) behaviour: Behaviour,
    /// When it has no network, whether by itself or with its site.
    pub(super) dark: Vec<Period>,
    /// When it has crossed the point of no return.
    pub(super) crossed: Option<Duration>,
    /// From that moment until its card is written.
    pub(super) flash: Duration,
    /// From its release until it commits by itself.
    own_commit: Duration,
    /// From the end of its flash until it answers balena.
    first_start: Duration,
    os_version: String,
}

impl Body {
    pub(super) fn new(
        plan: &CheckedPlan,
        id: &DeviceId,
        device: &DevicePlan,
        circumstances: &Circumstances,
    ) -> Body {
        let behaviour = circumstances.devices.get(id).cloned().unwrap_or_default();
        let with_site = circumstances.dark_sites.iter();
        let with_site = with_site.filter(|(site, _)| device.site.as_ref() == Some(site));
        let dark = behaviour.away.iter().copied().chain(with_site.map(|(_, period)| *period));
        let pace = circumstances.pace;
        let takes = |action: Action| {
            let step = plan.steps.iter().find(|step| step.action == action);
            step.map(|step| pace.of(plan, device, step)).unwrap_or_default()
        };
        let mut uuid = Sha256::of(id.as_str().as_bytes()).to_string();
        uuid.truncate(32);
        Body {
            uuid: DeviceUuid(uuid),
            dark: dark.collect(),
            behaviour,
            crossed: None,
            flash: takes(Action::AwaitFlash),
            own_commit: takes(Action::AwaitCommit),
            first_start: pace.first_start(plan, device),
            os_version: plan.images.get(&device.image).map_or("", |it| &it.os_version).to_owned(),
        }
    }

    /// Changes as an event says, when that happens or is read from a journal.
    pub(super) fn live_through(
        &mut self,
        plan: &CheckedPlan,
        id: &DeviceId,
        what: &DeviceEvent,
        at: Duration,
    ) {
        let by_itself =
            || plan.devices.get(id).is_some_and(|it| it.handover == Handover::Unattended);
        match what {
            DeviceEvent::StepDone { step, .. } => match step.action {
                Action::Commit => _ = self.crossed.get_or_insert(at),
                Action::Arm | Action::Reboot if by_itself() => {
                    self.crossed.get_or_insert(at + self.own_commit);
                }
                _ => {}
            },
            DeviceEvent::StepFailed { step, .. } | DeviceEvent::CameBack { step, .. } => {
                self.crossed = None;
                let mut failing = self.behaviour.fails.iter_mut().filter(|it| it.times != Some(0));
                if let Some(failing) = failing.find(|it| it.at == step.action) {
                    failing.times = failing.times.map(|times| times - 1);
                }
            }
            DeviceEvent::Contradicted { .. } => {
                self.behaviour.contradicts = self.behaviour.contradicts.saturating_sub(1);
            }
            _ => {}
        }
    }

    /// When balenaOS first runs on it; `None` if it never will.
    fn arrives(&self) -> Option<Duration> {
        let behaviour = &self.behaviour;
        let never = behaviour.never_arrives || behaviour.silent_in_flash;
        let crossed = self.crossed?;
        match behaviour.turns_up {
            Some(at) => Some(at),
            None if never => None,
            None => Some(crossed + self.flash + self.first_start + behaviour.late),
        }
    }

    /// When next after this moment balena may see it otherwise, if nothing is done to it before.
    pub(super) fn next_change(&self, now: Duration, heartbeat: Duration) -> Option<Duration> {
        let silent = |dark: &Period| dark.from.checked_add(heartbeat * 3 / 2 + MOMENT);
        let of_dark = |dark: &Period| [Some(dark.from), Some(dark.to), silent(dark)];
        let moments = self.dark.iter().flat_map(of_dark).chain([self.arrives()]);
        moments.flatten().filter(|moment| *moment > now).min()
    }

    /// The time without network that touches this stretch of time.
    pub(super) fn dark_within(&self, from: Duration, to: Duration) -> Option<Period> {
        first_within(&self.dark, from, to)
    }

    /// What balena sees of it. A device that has gone dark loses its VPN at once, but not its heartbeat: balena calls
    /// it silent only some time after its last word.
    pub(super) fn sight(&self, at: Duration, heartbeat: Duration) -> Sight {
        let arrived = self.arrives().filter(|arrives| *arrives <= at);
        let Some(arrived) = arrived else { return Sight::Silent };
        let dark = self.dark_within(at, at);
        let spoke_before = |dark: &Period| dark.from > arrived;
        match dark {
            Some(dark) if !spoke_before(&dark) => Sight::Silent,
            Some(dark) if at - dark.from > heartbeat * 3 / 2 => Sight::Silent,
            _ if self.behaviour.arrives_as_another => {
                let wanted = &self.os_version;
                Sight::Unwell(format!(
                    "it answers balena, but runs balenaOS 2.58.3 instead of {wanted}"
                ))
            }
            dark => Sight::Well {
                os_version: self.os_version.clone(),
                vpn: dark.is_none() && !self.behaviour.no_vpn,
            },
        }
    }
}
