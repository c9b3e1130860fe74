//! The tables of a scenario's file, as TOML has them.

use super::{
    Profile,
    expect_table::ExpectTable,
    units::{
        Bytes, Chance, ClockStart, DurabilitySpec, Instant, Millis, Number, PeriodSpec, SectorSize,
        SignedMillis, Value,
    },
};
use crate::scenario::faults::{CallName, FaultKind};
use serde::Deserialize;
use toml::Spanned;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    pub(super) name: Option<String>,
    pub(super) profile: Spanned<Profile>,
    pub(super) duration: Spanned<Millis>,
    #[serde(default)]
    pub(super) seed: u64,
    pub(super) clock: Option<ClockStart>,
    #[serde(default)]
    pub(super) store: StoreTable,
    pub(super) sensors: Spanned<Vec<GroupTable>>,
    pub(super) uploader: Option<UploaderTable>,
    #[serde(default)]
    pub(super) outage: Vec<OutageTable>,
    #[serde(default)]
    pub(super) clock_step: Vec<ClockStepTable>,
    #[serde(default)]
    pub(super) pool_pressure: Vec<PressureTable>,
    #[serde(default)]
    pub(super) disk_full: Vec<DiskFullTable>,
    #[serde(default)]
    pub(super) kill: Vec<KillTable>,
    #[serde(default)]
    pub(super) restart: Vec<RestartTable>,
    #[serde(default)]
    pub(super) fault: Vec<FaultTable>,
    #[serde(default)]
    pub(super) expect: ExpectTable,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoreTable {
    pub(super) pool: Option<Spanned<Bytes>>,
    pub(super) sector: Option<Spanned<SectorSize>>,
    pub(super) ledger: Option<Spanned<u32>>,
    pub(super) policy: Option<Spanned<Policy>>,
    // What only a disk has.
    pub(super) wait: Option<Spanned<Millis>>,
    pub(super) durability: Option<Spanned<DurabilitySpec>>,
    pub(super) spill_after: Option<Spanned<Millis>>,
    pub(super) quota: Option<Spanned<Bytes>>,
    pub(super) disk_max: Option<Spanned<Bytes>>,
    pub(super) segment: Option<Spanned<Bytes>>,
    pub(super) reserve: Option<Spanned<Bytes>>,
    pub(super) squeeze: Option<Spanned<bool>>,
    pub(super) first_segment: Option<Spanned<Number>>,
    pub(super) first_lsn: Option<Spanned<Number>>,
    pub(super) first_epoch: Option<Spanned<Number>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Policy {
    RecycleOldest,
    RefuseNew,
    Wait,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum KindName {
    TimeSeries,
    Event,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GroupTable {
    pub(super) name: Spanned<String>,
    #[serde(default = "one")]
    pub(super) count: Spanned<u32>,
    pub(super) kind: KindName,
    #[serde(default)]
    pub(super) source: u8,
    pub(super) first_id: Option<Spanned<u32>>,
    pub(super) first_seq: Option<Spanned<Number>>,
    pub(super) period: Spanned<PeriodSpec>,
    pub(super) jitter: Option<Spanned<Millis>>,
    pub(super) burst: Option<BurstTable>,
    pub(super) value: Option<ShapeTable>,
}

fn one() -> Spanned<u32> {
    Spanned::new(0..0, 1)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BurstTable {
    pub(super) records: Spanned<u32>,
    pub(super) spacing: Spanned<Millis>,
}

/// `value.ramp = { … }` and so on.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum ShapeTable {
    Constant(Value),
    Ramp { from: Value, step: Value },
    RandomWalk { from: Value, step: u32 },
    Sine { mean: Value, amplitude: u32, cycle: Spanned<Millis> },
    Burst { low: Value, high: Value, every: Spanned<Millis>, length: Spanned<Millis> },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UploaderTable {
    pub(super) every: Spanned<Millis>,
    pub(super) batch: Spanned<u32>,
    #[serde(default)]
    pub(super) batches: u32,
    pub(super) latency: Spanned<Millis>,
    pub(super) latency_jitter: Option<Spanned<Millis>>,
    pub(super) timeout: Option<Spanned<Millis>>,
    pub(super) backoff: Option<Spanned<Millis>>,
    pub(super) nack: Option<Spanned<Chance>>,
    pub(super) lost: Option<Spanned<Chance>>,
    pub(super) late: Option<Spanned<Chance>>,
    pub(super) duplicate: Option<Spanned<Chance>>,
    pub(super) reject: Option<Spanned<Chance>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OutageTable {
    pub(super) at: Spanned<Millis>,
    #[serde(rename = "for")]
    pub(super) length: Spanned<Millis>,
    pub(super) every: Option<Spanned<Millis>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClockStepTable {
    pub(super) at: Spanned<Millis>,
    pub(super) by: Option<Spanned<SignedMillis>>,
    pub(super) to: Option<Spanned<Instant>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PressureTable {
    pub(super) at: Spanned<Millis>,
    #[serde(rename = "for")]
    pub(super) length: Spanned<Millis>,
    pub(super) sectors: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DiskFullTable {
    pub(super) at: Spanned<Millis>,
    #[serde(rename = "for")]
    pub(super) length: Spanned<Millis>,
    pub(super) free: Option<Bytes>,
}

/// `[[fault]]`: what a disk, the power or a clock does.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FaultTable {
    pub(super) kind: Spanned<FaultKind>,
    pub(super) at: Option<Spanned<Millis>>,
    pub(super) every: Option<Spanned<Millis>>,
    pub(super) chance: Option<Spanned<Chance>>,
    pub(super) everywhere: Option<Spanned<bool>>,
    pub(super) call: Option<Spanned<CallName>>,
    #[serde(rename = "for")]
    pub(super) length: Option<Spanned<Millis>>,
    pub(super) free: Option<Spanned<Bytes>>,
    pub(super) by: Option<Spanned<SignedMillis>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KillTable {
    pub(super) at: Spanned<Millis>,
    pub(super) every: Option<Spanned<Millis>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RestartTable {
    pub(super) at: Spanned<Millis>,
    pub(super) every: Option<Spanned<Millis>>,
    pub(super) deadline: Option<Spanned<Millis>>,
    pub(super) pool: Option<Spanned<Bytes>>,
    pub(super) quota: Option<Spanned<Bytes>>,
    #[serde(default)]
    pub(super) drop: Vec<Spanned<String>>,
}
