//! What the checks say of one device, each with its evidence.

use crate::Style;
use crate::grid::columns;
use crate::words::{Tone, paint, plain};
use migos_inventory::DeviceId;
use migos_playbooks::plan::Finding;
use migos_playbooks::requirement::Verdict;

/// One row a check, those that matter first; `verdicts` is `None` if the device told no facts.
pub fn checks_text(
    device: &DeviceId,
    verdicts: Option<&[(&'static str, Verdict)]>,
    style: Style,
) -> String {
    let title = paint(style, Tone::Plain, &format!("Checks of {device}"));
    let Some(verdicts) = verdicts else {
        return format!("{title}\n  none: nothing is known of it\n");
    };
    let mut rows: Vec<(usize, Vec<String>)> = verdicts
        .iter()
        .map(|(name, verdict)| {
            let told = |finding: &Finding| (plain(&finding.reason), plain(&finding.remedy));
            let (rank, word, (evidence, remedy)) = match verdict {
                Verdict::Refuse(finding) => (0, "refuse", told(finding)),
                Verdict::Overruled(finding) => (1, "overruled", told(finding)),
                Verdict::Warn(finding) => (2, "warn", told(finding)),
                Verdict::Pass(evidence) => (3, "pass", (plain(evidence), String::new())),
            };
            (rank, vec![word.to_owned(), (*name).to_owned(), evidence, remedy])
        })
        .collect();
    rows.sort_by_key(|(rank, _)| *rank);
    format!("{title}\n{}", columns(style, rows.into_iter().map(|(_, row)| row).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn what_stands_against_a_device_comes_first() {
        let finding = |check: &str, reason: &str| Finding {
            check: check.into(),
            reason: reason.into(),
            remedy: "look".into(),
        };
        let verdicts = [
            ("memory", Verdict::Pass("971 MB, 271 MB needed".into())),
            ("clock", Verdict::Warn(finding("clock", "it is 10 min slow"))),
            ("power", Verdict::Refuse(finding("power", "under-voltage seen now"))),
        ];
        let style = Style { color: false, width: 100 };
        insta::assert_snapshot!(checks_text(&sample::id("kiosk-002"), Some(&verdicts), style), @r"
        Checks of kiosk-002
          refuse  power   under-voltage seen now  look
          warn    clock   it is 10 min slow       look
          pass    memory  971 MB, 271 MB needed
        ");
    }
}
