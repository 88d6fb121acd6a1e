//! Stages: how many devices each has, and what its gate tolerates of them.

use crate::plan::{Gate, Stage, Tolerance};
use crate::policy::{Policy, StagePolicy};
use migos_inventory::DeviceId;
use std::ops::Range;

/// Cuts the order into stages and resolves their numbers; a stage that would be empty is left out.
pub fn stages(policy: &Policy, order: &[DeviceId]) -> Vec<Stage> {
    let stage = |(stage, devices): (&StagePolicy, Range<usize>)| Stage {
        name: stage.name.clone(),
        gate: gate(stage, devices.len()),
        devices: order.get(devices).unwrap_or_default().to_vec(),
        parallel: stage.parallel.unwrap_or(policy.parallel),
    };
    cut(policy, order.len()).into_iter().map(stage).collect()
}

/// The stages for so many devices, each with its places in their order; a stage that would be empty is left out.
pub fn cut(policy: &Policy, all: usize) -> Vec<(&StagePolicy, Range<usize>)> {
    let mut from = 0;
    let mut stages = Vec::new();
    for stage in &policy.stages {
        let to = stage.to.rounded_up(all).max((from + 1).min(all));
        if to > from {
            stages.push((stage, from..to));
            from = to;
        }
    }
    stages
}

/// The gate of a stage of so many devices.
pub fn gate(stage: &StagePolicy, size: usize) -> Gate {
    let tolerate = Tolerance {
        failed: stage.tolerate.failed.rounded_down(size),
        unreachable: stage.tolerate.unreachable.rounded_down(size),
        refused: stage.tolerate.refused.rounded_down(size),
        stuck: stage.tolerate.stuck.rounded_down(size),
        lost: stage.tolerate.lost.rounded_down(size),
    };
    Gate {
        tolerate,
        soak: stage.soak,
        pause: stage.pause.clone(),
        check: stage.check.clone(),
        require: stage.require,
        on_trip: stage.on_trip,
    }
}
