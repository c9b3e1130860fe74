//! What a run gave: the JSON report, which the human summary is printed from as well.
//!
//! Keys are added over time, never renamed and never given another meaning without a new `schema`.

pub(crate) mod disk;
pub(crate) mod summary;

use crate::{
    histogram::{CLOCK_NAME, Latency},
    meter::Measured,
};
use disk::{Disk, Restarts};
use serde::Serialize;
use ss_lib::{
    SensorStats,
    ram::LedgerStats,
    scenario::{expect::Judged, oracle::Violation, run::Outcome, text::Scenario},
};

/// The version of the report's keys.
pub(crate) const SCHEMA: u32 = 1;

/// One `ss simulate`. Counters are whole 64-bit numbers.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) schema: u32,
    /// The program that ran it, with its commit.
    pub(crate) program: &'static str,
    pub(crate) scenario: String,
    pub(crate) profile: &'static str,
    /// `pass`, `fail` or `interrupted`.
    pub(crate) verdict: &'static str,
    pub(crate) seed: u64,
    /// 16 hexadecimal digits.
    pub(crate) digest: String,
    /// The virtual time that passed, and that the scenario lasts.
    pub(crate) virtual_ms: u64,
    pub(crate) duration_ms: u64,
    /// Of several runs the median.
    pub(crate) wall_ms: f64,
    pub(crate) records: Counts,
    pub(crate) groups: Vec<Group>,
    pub(crate) latency_ns: Latencies,
    pub(crate) latency_clock: Clock,
    pub(crate) ram: Ram,
    pub(crate) deliveries: Deliveries,
    pub(crate) ledger: Ledger,
    pub(crate) oldest_age_ms: u64,
    /// These four only where the profile has a disk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) disk: Option<Disk>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) durable_lag_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) restarts: Option<Restarts>,
    /// The directory in which the store was left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) store: Option<String>,
    pub(crate) expect: Vec<Expected>,
    pub(crate) violation: Option<Broken>,
    pub(crate) repeat: Repeat,
    /// The shortest command that repeats this run.
    pub(crate) command: String,
    /// Options that took the place of what the file says, as they were given; empty if none did.
    #[serde(skip)]
    pub(crate) overridden: String,
}

/// added = erased + pending + unsent + the sum of dropped; erased = acked + rejected.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Counts {
    pub(crate) added: u64,
    pub(crate) refused: u64,
    pub(crate) erased: u64,
    pub(crate) acked: u64,
    pub(crate) rejected: u64,
    pub(crate) pending: u64,
    pub(crate) unsent: u64,
    pub(crate) dropped: Dropped,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Dropped {
    pub(crate) recycled: u64,
    pub(crate) corrupt: u64,
    /// These two only where the profile has a disk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) quota: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) disk_max: Option<u64>,
}

impl Dropped {
    pub(crate) fn total(self) -> u64 {
        [self.corrupt, self.quota.unwrap_or(0), self.disk_max.unwrap_or(0)]
            .into_iter()
            .fold(self.recycled, u64::saturating_add)
    }
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Group {
    pub(crate) name: String,
    pub(crate) sensors: u32,
    #[serde(flatten)]
    pub(crate) counts: Counts,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Latencies {
    pub(crate) add: Latency,
    pub(crate) consume: Latency,
    pub(crate) answer: Latency,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Clock {
    pub(crate) name: &'static str,
    /// What one reading costs. It is part of each figure, not subtracted.
    pub(crate) cost_ns: u64,
    /// Each this many-th operation of a kind was measured.
    pub(crate) sampled_every: u32,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Ram {
    pub(crate) bytes_total: u64,
    pub(crate) bytes_peak: u64,
    pub(crate) sectors_total: u32,
    pub(crate) sectors_peak: u32,
    /// At the end.
    pub(crate) sectors_used: u32,
    pub(crate) sector_bytes: u32,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Deliveries {
    pub(crate) records: u64,
    pub(crate) redelivered: u64,
    pub(crate) batches: u64,
    pub(crate) stale_answers: u64,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Ledger {
    pub(crate) entries: u64,
    pub(crate) records: u64,
    pub(crate) forgotten: u64,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Expected {
    pub(crate) name: String,
    pub(crate) wanted: String,
    pub(crate) got: String,
    pub(crate) ok: bool,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Broken {
    pub(crate) promise: String,
    /// `source/id`.
    pub(crate) sensor: Option<String>,
    pub(crate) seq: Option<u64>,
    pub(crate) virtual_ms: u64,
    pub(crate) seen: String,
}

/// The runs of `--repeat`. One that was interrupted is not among them.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Repeat {
    pub(crate) runs: u32,
    pub(crate) digests_equal: bool,
    pub(crate) digests: Vec<String>,
    pub(crate) wall_ms: Vec<f64>,
}

impl From<LedgerStats> for Ledger {
    fn from(LedgerStats { entries, records, forgotten }: LedgerStats) -> Self {
        Self { entries, records, forgotten }
    }
}

impl Counts {
    pub(crate) fn new(stats: SensorStats, has_disk: bool) -> Self {
        Self {
            added: stats.added,
            refused: stats.refused,
            erased: stats.erased,
            acked: stats.erased.saturating_sub(stats.rejected),
            rejected: stats.rejected,
            pending: stats.pending,
            unsent: stats.unsent,
            dropped: Dropped {
                recycled: stats.dropped_recycled,
                corrupt: stats.dropped_corrupt,
                quota: has_disk.then_some(stats.dropped_quota),
                disk_max: has_disk.then_some(stats.dropped_disk_max),
            },
        }
    }
}

impl From<Judged> for Expected {
    fn from(Judged { name, wanted, got, ok }: Judged) -> Self {
        Self { name, wanted, got, ok }
    }
}

impl From<Violation> for Broken {
    fn from(violation: Violation) -> Self {
        Self {
            promise: violation.promise.to_string(),
            sensor: violation.sensor.map(|sensor| sensor.to_string()),
            seq: violation.seq,
            virtual_ms: violation.virtual_ms,
            seen: violation.seen,
        }
    }
}

/// A digest as it is written everywhere.
pub(crate) fn digest(digest: u64) -> String {
    format!("{digest:016x}")
}

impl Report {
    /// The report of the last run. Verdict and wall time become those of all runs in `repeated`.
    pub(crate) fn new(
        scenario: &Scenario,
        outcome: Outcome,
        measured: &Measured,
        wall_ms: f64,
        command: String,
    ) -> Self {
        let Outcome { verdict, seed, figures, expectations, violation, recoveries_ns } = outcome;
        let (ram, ledger, disk) = (figures.ram, figures.ledger, figures.disk);
        let counts = |stats| Counts::new(stats, disk.is_some());
        Self {
            schema: SCHEMA,
            program: concat!("ss ", env!("SS_VERSION")),
            scenario: scenario.name.clone(),
            profile: scenario.profile.name(),
            verdict: verdict.name(),
            seed,
            digest: digest(figures.digest),
            virtual_ms: figures.virtual_ms,
            duration_ms: scenario.description().duration_ms,
            wall_ms,
            records: counts(figures.totals),
            groups: figures
                .groups
                .into_iter()
                .map(|group| Group {
                    name: group.name,
                    sensors: group.sensors,
                    counts: counts(group.stats),
                })
                .collect(),
            latency_ns: Latencies {
                add: measured.add,
                consume: measured.consume,
                answer: measured.answer,
            },
            latency_clock: Clock {
                name: CLOCK_NAME,
                cost_ns: measured.clock_cost_ns,
                sampled_every: measured.sampled_every,
            },
            ram: Ram {
                bytes_total: ram.bytes_total,
                bytes_peak: ram.bytes_peak,
                sectors_total: ram.pool.sectors_total,
                sectors_peak: ram.pool.sectors_peak,
                sectors_used: ram.pool.sectors_used,
                sector_bytes: ram.sector_bytes,
            },
            deliveries: Deliveries {
                records: figures.records_delivered,
                redelivered: figures.redelivered,
                batches: figures.batches,
                stale_answers: figures.stale_answers,
            },
            ledger: Ledger::from(ledger),
            oldest_age_ms: figures.oldest_age_ms,
            disk: disk.map(Disk::from),
            durable_lag_ms: disk.map(|disk| disk.durable_lag_ms),
            restarts: disk.map(|disk| Restarts::new(&disk, &recoveries_ns)),
            store: None,
            expect: expectations.into_iter().map(Expected::from).collect(),
            violation: violation.map(Broken::from),
            repeat: Repeat::default(),
            command,
            overridden: String::new(),
        }
    }

    /// Enters the runs that went to their end. Runs of one seed that differ are a failure.
    pub(crate) fn repeated(&mut self, mut repeat: Repeat) {
        repeat.digests_equal = repeat.first_differing().is_none();
        if !repeat.digests_equal {
            self.verdict = "fail";
        }
        if let Some(median_ms) = median(&repeat.wall_ms)
            && self.verdict != "interrupted"
        {
            self.wall_ms = median_ms;
        }
        self.repeat = repeat;
    }
}

impl Repeat {
    /// The first run, from 1, whose digest is not the first one's.
    pub(crate) fn first_differing(&self) -> Option<usize> {
        let first = self.digests.first()?;
        self.digests.iter().position(|digest| digest != first).map(|at| at + 1)
    }
}

/// The middle one, or the mean of the middle two.
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let (low, high) = (values.len().checked_sub(1)? / 2, values.len() / 2);
    Some(f64::midpoint(values[low], values[high]))
}

#[cfg(test)]
mod tests;
