//! The JSON of every view. Keys are added over time, never renamed and never given another meaning
//! without a new `schema`.

use crate::{
    store::{Store, verdict_name},
    time,
};
use serde::Serialize;
use ss_lib::{
    SensorStats,
    disk::{
        ClockOffset, LedgerLoss, LostPlace, LostRange, MissingSegments, Plan, SensorScan,
        SensorTime, Severity,
    },
};

/// The version of the keys.
const SCHEMA: u32 = 1;

/// What every view begins with.
#[derive(Debug, Serialize)]
pub(super) struct Envelope<T> {
    schema: u32,
    view: &'static str,
    store: String,
    verdict: &'static str,
    #[serde(flatten)]
    body: T,
}

impl<T> Envelope<T> {
    pub(super) fn new(store: &Store, view: &'static str, body: T) -> Self {
        let verdict = verdict_name(store.plan.verdict);
        Self { schema: SCHEMA, view, store: store.name(), verdict, body }
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct Finding {
    severity: &'static str,
    text: String,
}

impl Finding {
    pub(crate) fn all(plan: &Plan) -> Vec<Self> {
        let severity = |severity| match severity {
            Severity::Note => "note",
            Severity::Damage => "damage",
        };
        let findings = plan.findings.iter();
        findings.map(|it| Self { severity: severity(it.severity), text: it.text.clone() }).collect()
    }
}

#[derive(Debug, Serialize)]
pub(super) struct Dropped {
    recycled: u64,
    corrupt: u64,
    quota: u64,
    disk_max: u64,
}

impl From<SensorStats> for Dropped {
    fn from(stats: SensorStats) -> Self {
        Self {
            recycled: stats.dropped_recycled,
            corrupt: stats.dropped_corrupt,
            quota: stats.dropped_quota,
            disk_max: stats.dropped_disk_max,
        }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct Moment {
    time: Option<String>,
    clock: &'static str,
    time_ms: u64,
    epoch: u32,
}

impl Moment {
    fn new(time: SensorTime, clocks: &[ClockOffset]) -> Self {
        Self {
            time: time::utc_ms(time, clocks).and_then(time::rfc3339),
            clock: time.clock.name(),
            time_ms: time.ms,
            epoch: time.epoch,
        }
    }
}

#[derive(Debug, Serialize)]
/// What is known of one sensor.
#[expect(clippy::struct_field_names, reason = "a key of the JSON")]
pub(super) struct Sensor {
    sensor: String,
    kind: &'static str,
    period_ms: u32,
    active: bool,
    defined: bool,
    head_seq: u64,
    end_seq: u64,
    held: u64,
    lost: u64,
    added: u64,
    erased: u64,
    rejected: u64,
    refused: u64,
    dropped: Dropped,
    conserved: bool,
    first_segment: u64,
    oldest: Option<Moment>,
    newest: Option<Moment>,
}

impl Sensor {
    pub(super) fn new(sensor: &SensorScan, clocks: &[ClockOffset]) -> Self {
        Self {
            sensor: sensor.key.to_string(),
            kind: sensor.kind.name(),
            period_ms: sensor.period_ms,
            active: sensor.is_active,
            defined: sensor.is_defined,
            head_seq: sensor.head_seq,
            end_seq: sensor.end_seq,
            held: sensor.held,
            lost: sensor.lost,
            added: sensor.stats.added,
            erased: sensor.stats.erased,
            rejected: sensor.stats.rejected,
            refused: sensor.stats.refused,
            dropped: sensor.stats.into(),
            conserved: sensor.is_conserved,
            first_segment: sensor.first_segment,
            oldest: sensor.oldest_ms.map(|time| Moment::new(time, clocks)),
            newest: sensor.newest_ms.map(|time| Moment::new(time, clocks)),
        }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct LedgerEntry {
    sensor: String,
    first_seq: u64,
    last_seq: u64,
    records: u32,
    cause: &'static str,
    at_ms: u64,
}

impl From<&LedgerLoss> for LedgerEntry {
    fn from(loss: &LedgerLoss) -> Self {
        Self {
            sensor: loss.key.to_string(),
            first_seq: loss.first_seq,
            last_seq: last_seq(loss.first_seq, loss.count.into()),
            records: loss.count,
            cause: loss.cause.name(),
            at_ms: loss.at_ms,
        }
    }
}

/// A range that is lost and not in the ledger yet.
#[derive(Debug, Serialize)]
pub(crate) struct Lost {
    sensor: String,
    first_seq: u64,
    last_seq: u64,
    records: u64,
    place: String,
}

impl Lost {
    pub(crate) fn all(lost: &[LostRange]) -> Vec<Self> {
        let one = |lost: &LostRange| Self {
            sensor: lost.key.to_string(),
            first_seq: lost.first_seq,
            last_seq: last_seq(lost.first_seq, lost.count),
            records: lost.count,
            place: place(lost.place),
        };
        lost.iter().map(one).collect()
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct Missing {
    first: u64,
    count: u64,
    records_lost: u64,
}

impl Missing {
    pub(crate) fn all(missing: &[MissingSegments]) -> Vec<Self> {
        let one = |it: &MissingSegments| Self {
            first: it.first,
            count: it.count,
            records_lost: it.records_lost,
        };
        missing.iter().map(one).collect()
    }
}

/// What a repair would do.
#[derive(Debug, Serialize)]
pub(super) struct Planned {
    actions: Vec<String>,
    lost: Vec<Lost>,
    missing_segments: Vec<Missing>,
    records_lost: u64,
}

impl From<&Plan> for Planned {
    fn from(plan: &Plan) -> Self {
        Self {
            actions: plan.actions.iter().map(ToString::to_string).collect(),
            lost: Lost::all(&plan.losses),
            missing_segments: Missing::all(&plan.missing),
            records_lost: plan.records_lost,
        }
    }
}

/// The last record of a range: lost ranges have at least one.
pub(crate) const fn last_seq(first_seq: u64, records: u64) -> u64 {
    first_seq.saturating_add(records.saturating_sub(1))
}

/// Where lost records were, in words.
pub(crate) fn place(place: LostPlace) -> String {
    match place {
        LostPlace::Pages { segment, first_page, pages: 1, .. } => {
            format!("page {segment}:{first_page}")
        }
        LostPlace::Pages { segment, first_page, pages, .. } => {
            format!(
                "pages {segment}:{first_page} to {}",
                first_page.saturating_add(pages.saturating_sub(1))
            )
        }
        LostPlace::Segments { first, count: 1 } => format!("segment {first} is missing"),
        LostPlace::Segments { first, count } => {
            format!("segments {first} to {} are missing", last_seq(first, count))
        }
        LostPlace::Unknown => "an end that was cut off".to_owned(),
    }
}
