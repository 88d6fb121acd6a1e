//! The whole fleet over all runs: what the ledger remembers, and what balena sees now.

use crate::Style;
use crate::grid::columns;
use crate::words::{Tone, many, paint, plain};
use migos_events::{LedgerEntry, LedgerState};
use migos_inventory::{DeviceId, Fleet, fold};
use migos_playbooks::balena::{DeviceUuid, Heartbeat, Sighting};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// How one device of a fleet stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    kind: Kind,
    /// Why, or since when; nothing where the kind says all.
    detail: String,
    entry: Option<LedgerEntry>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    NeedsHands,
    Dark,
    Late,
    Failed,
    UnderWay,
    Done,
    NotStarted,
    Held,
}

impl Kind {
    fn words(self) -> &'static str {
        match self {
            Kind::NeedsHands => "needs hands",
            Kind::Dark => "dark",
            Kind::Late => "late",
            Kind::Failed => "failed",
            Kind::UnderWay => "under way",
            Kind::Done => "done",
            Kind::NotStarted => "not started",
            Kind::Held => "held",
        }
    }

    fn tone(self) -> Tone {
        match self {
            Kind::NeedsHands | Kind::Dark | Kind::Failed => Tone::Bad,
            Kind::Late => Tone::Wait,
            Kind::Done => Tone::Good,
            Kind::UnderWay | Kind::NotStarted | Kind::Held => Tone::Plain,
        }
    }
}

/// How each of these devices stands. `ledger` is what is remembered, by serial number; `seen` is what balena sees of
/// the whole fleet, or `None` if it could not be asked.
pub fn campaign(
    fleet: &Fleet,
    devices: &[DeviceId],
    ledger: &BTreeMap<String, LedgerEntry>,
    seen: Option<&[Sighting]>,
) -> BTreeMap<DeviceId, Standing> {
    let mut latest: BTreeMap<&DeviceId, &LedgerEntry> = BTreeMap::new();
    for entry in ledger.values() {
        let known = latest.entry(&entry.device).or_insert(entry);
        if entry.at > known.at {
            *known = entry;
        }
    }
    let seen: Option<BTreeMap<&DeviceUuid, &Sighting>> =
        seen.map(|seen| seen.iter().map(|sighting| (&sighting.uuid, sighting)).collect());
    let stands = |id: &DeviceId| {
        let device = fleet.devices.get(id)?;
        let by_serial = device.serial.as_ref().and_then(|serial| ledger.get(&serial.to_string()));
        let entry = by_serial.or_else(|| latest.get(id).copied());
        let held = device.hold.as_ref().map(|hold| hold.0.clone());
        let sighting = |entry: &LedgerEntry| {
            seen.as_ref().map(|seen| seen.get(&entry.uuid).map(|sighting| sighting.heartbeat))
        };
        let (kind, detail) = match (entry, held) {
            (Some(entry), _) => standing(entry, sighting(entry)),
            (None, Some(reason)) => (Kind::Held, reason),
            (None, None) => (Kind::NotStarted, String::new()),
        };
        Some((id.clone(), Standing { kind, detail, entry: entry.cloned() }))
    };
    devices.iter().filter_map(stands).collect()
}

/// `seen`: `None` if balena could not be asked, `Some(None)` if it knows no such device.
fn standing(entry: &LedgerEntry, seen: Option<Option<Heartbeat>>) -> (Kind, String) {
    let cause = entry.cause.clone().unwrap_or_default();
    let in_run = format!("run {}", entry.run);
    let is_online = seen == Some(Some(Heartbeat::Online));
    match entry.state {
        LedgerState::Stuck => (Kind::NeedsHands, cause),
        LedgerState::Migrated | LedgerState::Lost | LedgerState::Late | LedgerState::Committed
            if is_online =>
        {
            (Kind::Done, String::new())
        }
        LedgerState::Migrated => match seen {
            None => (Kind::Done, "not asked: balena is away".into()),
            Some(None) => (Kind::Dark, "balena does not know it any more".into()),
            Some(Some(_)) => (Kind::Dark, "migrated, and silent now".into()),
        },
        LedgerState::Lost => (Kind::NeedsHands, format!("lost: {cause}")),
        LedgerState::Late => (Kind::Late, in_run),
        LedgerState::Started | LedgerState::Committed => (Kind::UnderWay, in_run),
        LedgerState::Failed => (Kind::Failed, format!("{cause} (undone)")),
        LedgerState::Undone => (Kind::NotStarted, "taken back by order".into()),
    }
}

/// The fleet as people read it: one row for all that stand alike. `away` is why balena could not be asked.
pub fn campaign_text(
    name: &str,
    standings: &BTreeMap<DeviceId, Standing>,
    away: Option<&str>,
    style: Style,
) -> String {
    let done = standings.values().filter(|it| it.kind == Kind::Done).count();
    let all = many(standings.len(), "device");
    let mut text = format!(
        "{}  {all}  {done} done\n",
        paint(style, Tone::Plain, &format!("Fleet {}", plain(name)))
    );
    if let Some(reason) = away {
        text += &format!(
            "  balena could not be asked, this is what runs remember: {}\n",
            plain(reason)
        );
    }
    text += "\n";
    let mut rows: BTreeMap<(Kind, &str), Vec<&DeviceId>> = BTreeMap::new();
    for (id, standing) in standings {
        rows.entry((standing.kind, &standing.detail)).or_default().push(id);
    }
    let row = |((kind, detail), devices): ((Kind, &str), Vec<&DeviceId>)| {
        let word = paint(style, kind.tone(), kind.words());
        vec![word, format!("{:>4}", devices.len()), fold(devices), plain(detail)]
    };
    text + &columns(style, rows.into_iter().map(row).collect())
}

/// The same for programs.
pub fn campaign_json(
    name: &str,
    standings: &BTreeMap<DeviceId, Standing>,
    away: Option<&str>,
) -> Value {
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    for standing in standings.values() {
        *counts.entry(standing.kind.words()).or_default() += 1;
    }
    let device = |(id, standing): (&DeviceId, &Standing)| {
        let entry = standing.entry.as_ref();
        let value = json!({
            "standing": standing.kind.words(),
            "detail": standing.detail,
            "run": entry.map(|entry| &entry.run),
            "uuid": entry.filter(|entry| entry.crossed).map(|entry| &entry.uuid),
            "at": entry.map(|entry| entry.at),
        });
        (id.to_string(), value)
    };
    let devices: serde_json::Map<String, Value> = standings.iter().map(device).collect();
    json!({ "inventory": name, "balena_away": away, "counts": counts, "devices": devices })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use jiff::Timestamp;
    use migos_events::RunId;

    const STYLE: Style = Style { color: false, width: 110 };
    const INVENTORY: &str = r#"
migos: 1
balena: { fleet: acme/kiosks }
groups: { north: { devices: ["kiosk-[001:010]"] } }
devices:
  kiosk-011: { hold: "screen being replaced" }
"#;

    fn entry(device: &str, state: LedgerState, cause: &str) -> (String, LedgerEntry) {
        let entry = LedgerEntry {
            measured: None,
            device: device.parse().unwrap(),
            uuid: DeviceUuid(device.into()),
            run: RunId("7f3a2c-01".into()),
            state,
            crossed: !matches!(state, LedgerState::Started | LedgerState::Failed),
            at: Timestamp::UNIX_EPOCH,
            cause: (!cause.is_empty()).then(|| cause.into()),
        };
        (format!("serial of {device}"), entry)
    }

    fn sighting(device: &str, heartbeat: Heartbeat) -> Sighting {
        Sighting {
            uuid: DeviceUuid(device.into()),
            name: device.into(),
            heartbeat,
            vpn: true,
            os_version: Some("balenaOS 6.0.24".into()),
            supervisor: Some("17.4.0".into()),
            runs: None,
            should_run: None,
        }
    }

    fn ledger() -> BTreeMap<String, LedgerEntry> {
        BTreeMap::from([
            entry("kiosk-001", LedgerState::Migrated, ""),
            entry("kiosk-002", LedgerState::Migrated, ""),
            entry("kiosk-003", LedgerState::Lost, "silent since it was flashed"),
            entry("kiosk-004", LedgerState::Lost, "silent since it was flashed"),
            entry("kiosk-005", LedgerState::Stuck, "the card is read-only"),
            entry("kiosk-006", LedgerState::Late, ""),
            entry("kiosk-007", LedgerState::Failed, "no space left on device"),
            entry("kiosk-008", LedgerState::Started, ""),
            entry("kiosk-009", LedgerState::Undone, ""),
        ])
    }

    #[test]
    fn balena_corrects_what_is_remembered() {
        let fleet = migos_inventory::parse("kiosks.yaml", INVENTORY).unwrap();
        let seen = [
            sighting("kiosk-001", Heartbeat::Online),
            sighting("kiosk-002", Heartbeat::Offline),
            sighting("kiosk-003", Heartbeat::Online),
        ];
        let standings = campaign(&fleet, &fleet.order, &ledger(), Some(&seen));
        insta::assert_snapshot!(campaign_text("kiosks.yaml", &standings, None, STYLE), @r###"
        Fleet kiosks.yaml  11 devices  2 done

          needs hands     1  kiosk-004        lost: silent since it was flashed
          needs hands     1  kiosk-005        the card is read-only
          dark            1  kiosk-002        migrated, and silent now
          late            1  kiosk-006        run 7f3a2c-01
          failed          1  kiosk-007        no space left on device (undone)
          under way       1  kiosk-008        run 7f3a2c-01
          done            2  kiosk-[001,003]
          not started     1  kiosk-010
          not started     1  kiosk-009        taken back by order
          held            1  kiosk-011        screen being replaced
        "###);
        let json = campaign_json("kiosks.yaml", &standings, None);
        assert_eq!(json["devices"]["kiosk-003"]["standing"], "done");
        assert_eq!(json["counts"]["needs hands"], 2);
    }

    #[test]
    fn without_balena_the_ledger_speaks_and_says_so() {
        let fleet = migos_inventory::parse("kiosks.yaml", INVENTORY).unwrap();
        let standings = campaign(&fleet, &fleet.order[..3], &ledger(), None);
        let text = campaign_text("kiosks.yaml", &standings, Some("503"), STYLE);
        insta::assert_snapshot!(text, @r###"
        Fleet kiosks.yaml  3 devices  2 done
          balena could not be asked, this is what runs remember: 503

          needs hands     1  kiosk-003        lost: silent since it was flashed
          done            2  kiosk-[001-002]  not asked: balena is away
        "###);
    }
}
