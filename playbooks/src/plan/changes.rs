//! What has changed since a plan was made.

use super::{Class, DevicePlan, Finding, Plan, SetAside};
use crate::facts::{Facts, FactsByDevice, Probed};
use migos_inventory::{DeviceId, fold};
use std::collections::BTreeMap;

/// Why a saved plan is not carried out any more.
#[derive(Debug, thiserror::Error)]
pub enum StalePlan {
    /// Without those that have changed, nobody would go before the others.
    #[error("all devices of the stage {stage} have changed since the plan was made:\n{changes}")]
    EmptyStage {
        /// The stage.
        stage: String,
        /// What has changed, a line for each device.
        changes: String,
    },
    /// A part of the plan could not be written as JSON.
    #[error("failed to compute a digest")]
    Digest(#[from] serde_json::Error),
}

/// What is not any more as the plan has it, in words.
pub fn changes(device: &DevicePlan, facts: &Facts) -> Vec<String> {
    let mut changes = Vec::new();
    let mut compare = |what: &str, then: &str, now: &str| {
        if then != now {
            changes.push(format!("{what} was {then:?} and is {now:?}"));
        }
    };
    let class = Class::of(facts);
    compare("serial number", &device.serial, &facts.serial);
    compare("machine id", &device.machine_id, &facts.machine_id);
    compare("board", &device.class.board, &class.board);
    compare("system", &device.class.os, &class.os);
    compare("kernel", &device.class.kernel, &class.kernel);
    compare("firmware", &device.class.firmware, &class.firmware);
    let disk = facts.disk.as_ref().map_or("", |disk| &disk.id);
    compare("disk identifier", &device.disk_id, disk);
    let Some(boot) = &facts.boot else {
        changes.push("no boot partition is mounted any more".to_owned());
        return changes;
    };
    compare("boot partition", &device.boot_path, &boot.path);
    let access = |read_only: bool| if read_only { "read-only" } else { "writable" };
    let now = access(!boot.file_system.writable);
    compare("boot partition", access(device.boot_read_only), now);
    for (name, then) in &device.boot_sums {
        if boot.sums.get(name) != Some(then) {
            let was = device.boot_files.get(name).map(String::as_str).unwrap_or_default();
            let is = if name == "config.txt" { &boot.config_txt } else { &boot.cmdline_txt };
            changes.push(format!("{name}: {}", line_changes(was, is)));
        }
    }
    changes.extend(device.network.changes(&facts.network.configuration));
    changes
}

/// `+new line  -old line`.
fn line_changes(was: &str, is: &str) -> String {
    let (was, is): (Vec<&str>, Vec<&str>) = (was.lines().collect(), is.lines().collect());
    let more = is.iter().filter(|line| !was.contains(line)).map(|line| format!("+{line}"));
    let less = was.iter().filter(|line| !is.contains(line)).map(|line| format!("-{line}"));
    let lines: Vec<String> = more.chain(less).collect();
    match lines.is_empty() {
        true => "its lines stand in another order, or end otherwise".to_owned(),
        false => lines.join("  "),
    }
}

impl Plan {
    /// The plan without the devices that are not as it has them any more; they are set aside, each with the difference.
    /// Who does not answer now stays in the plan: a run waits for it.
    ///
    /// # Errors
    /// [`StalePlan`], if a stage would have nobody left.
    pub fn without_changed(mut self, now: &FactsByDevice) -> Result<Plan, StalePlan> {
        let mut changed: BTreeMap<DeviceId, String> = BTreeMap::new();
        for (id, device) in &self.devices {
            let changes = match now.get(id) {
                Some(Probed::Facts(facts)) => changes(device, facts),
                Some(Probed::Unusable { reason, .. }) => vec![reason.clone()],
                Some(Probed::Unreachable(_)) | None => Vec::new(),
            };
            if !changes.is_empty() {
                changed.insert(id.clone(), changes.join("; "));
            }
        }
        if changed.is_empty() {
            return Ok(self);
        }
        let is_changed = |id: &DeviceId| changed.contains_key(id);
        if let Some(stage) = self.stages.iter().find(|stage| stage.devices.iter().all(is_changed)) {
            let line = |id: &DeviceId| Some(format!("{id}: {}", changed.get(id)?));
            let lines: Vec<String> = stage.devices.iter().filter_map(line).collect();
            let (stage, changes) = (stage.name.clone(), lines.join("\n"));
            return Err(StalePlan::EmptyStage { stage, changes });
        }
        self.stages.iter_mut().for_each(|stage| stage.devices.retain(|id| !is_changed(id)));
        self.devices.retain(|id, _| !is_changed(id));
        let approved = self.id;
        let whom = fold(changed.keys());
        for (id, what) in changed {
            let finding = Finding {
                check: "unchanged".into(),
                reason: format!("changed since plan {} was made: {what}", approved.short()),
                remedy: format!("look why; then plan again for {whom}"),
            };
            self.set_aside.insert(id, SetAside::Refused(vec![finding]));
        }
        self.reduced_from.get_or_insert(approved);
        let used: Vec<_> = self.devices.values().map(|it| (it.payload, it.image)).collect();
        self.payloads.retain(|digest, _| used.iter().any(|(payload, _)| payload == digest));
        self.images.retain(|digest, _| used.iter().any(|(_, image)| image == digest));
        self.id = self.digest()?;
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::line_changes;

    #[test]
    fn lines_that_came_and_went_are_told() {
        let was = "dtparam=audio=on\ngpu_mem=16\n";
        assert_eq!(
            line_changes(was, "dtparam=audio=on\ndtoverlay=disable-wifi\n"),
            "+dtoverlay=disable-wifi  -gpu_mem=16"
        );
        let same = "its lines stand in another order, or end otherwise";
        assert_eq!(line_changes(was, "gpu_mem=16\ndtparam=audio=on\n"), same);
    }
}
