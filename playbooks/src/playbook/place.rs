//! Where a command of the user's own may stand among the built-in steps.

use crate::step::Action;

/// Why no command may stand after this built-in action and before the next one; `None` if one may.
///
/// Commands run on Raspbian only, on a device that is ours, and where a failure is taken back like any other.
pub fn why_not_after(action: Option<Action>) -> Option<&'static str> {
    match action {
        None | Some(Action::Check) => {
            Some("the device is not locked for this run yet; put it after `lock`")
        }
        Some(Action::UpdateFirmware | Action::UpdateReboot) => {
            Some("between an update and the look whether it has worked the device reboots")
        }
        Some(Action::ProveWrite | Action::ProveArm | Action::ProveSeen | Action::ProveReturn) => {
            Some(
                "the proof of one-shot boot is not over; put it before `prove-write` or after `prove-gone`",
            )
        }
        Some(Action::Release) => Some(PERMITTED),
        Some(Action::RewriteConfig) => {
            Some("config.txt is not Raspbian's own there, and a power cut would need hands")
        }
        Some(
            Action::Arm
            | Action::Reboot
            | Action::AwaitMigos
            | Action::Register
            | Action::Configure,
        ) => Some("the device has left Raspbian; put it before `arm`"),
        Some(Action::Commit | Action::AwaitCommit) => Some(
            "between the point of no return and the end of the flash nothing else may act on the device: what fails there could not be taken back",
        ),
        Some(Action::AwaitFlash | Action::Dismiss | Action::AwaitBalena | Action::Settle) => {
            Some("there is no Raspbian any more; put it before `arm`")
        }
        Some(
            Action::Lock
            | Action::Run
            | Action::UpdateSeen
            | Action::Backup
            | Action::SaveData
            | Action::ProveGone
            | Action::SendPayload
            | Action::SendImage
            | Action::Admit
            | Action::Preregister
            | Action::WriteJob
            | Action::WriteTryboot,
        ) => None,
    }
}

const PERMITTED: &str = "an unattended device has its permit there: what fails could not be taken back; put it before `release`";
