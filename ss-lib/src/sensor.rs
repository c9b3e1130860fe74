//! Sensors: how they are named, configured and counted.

use crate::Kind;
use core::fmt;

/// A sensor's name: an id in a source's namespace. The same id may exist in several sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct SensorKey {
    /// The namespace: 0 host, 1 application, 2 CAN, others free.
    pub source: u8,
    /// Any number.
    pub id: u32,
}

impl fmt::Display for SensorKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.source, self.id)
    }
}

/// A registered sensor's place in one store: what every operation takes. Ask the store for it once
/// (`register` or `find`) and keep it. It stays valid for the life of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(transparent)]
pub struct Sensor(pub(crate) u32);

impl Sensor {
    /// The sensor in the `index`th place, for whoever had to keep the number instead of the handle. If
    /// the store has no such place, every operation says `UnknownSensor`.
    pub const fn from_index(index: u32) -> Self {
        Self(index)
    }

    /// The place in order of registration, from 0.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// What a sensor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SensorConfig {
    /// Its name.
    pub key: SensorKey,
    /// What its readings are.
    pub kind: Kind,
    /// The sampling period in ms: at least 1 for a time series, ignored for events.
    pub period_ms: u32,
    /// The number of its first record: 0, or where an earlier epoch ended.
    pub first_seq: u64,
}

impl SensorConfig {
    /// A time series with a reading every `period_ms` ms, numbered from 0.
    pub const fn time_series(key: SensorKey, period_ms: u32) -> Self {
        Self { key, kind: Kind::TimeSeries, period_ms, first_seq: 0 }
    }

    /// A sensor of events, numbered from 0.
    pub const fn event(key: SensorKey) -> Self {
        Self { key, kind: Kind::Event, period_ms: 0, first_seq: 0 }
    }

    /// The same sensor with its records numbered from `first_seq`. Its counts are those of its whole
    /// life: the records before that number count as added and erased.
    pub const fn starting_at(self, first_seq: u64) -> Self {
        Self { first_seq, ..self }
    }
}

/// One sensor's counts, in records, over its whole life: those before its `first_seq` count as added
/// and erased. A sensor's counts always satisfy
/// `added = erased + pending + unsent + dropped()`, the sum over every cause.
///
/// A chain keeps them in few bytes: `refused` and `dropped_recycled` count to 2^40 (34 years at 1 kHz),
/// `rejected` and `dropped_corrupt` to 2^32, and then stand still. Sums of sensors saturate at 2^64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[cfg_attr(feature = "wire", derive(serde::Serialize, serde::Deserialize))]
pub struct SensorStats {
    /// Accepted by `append` or `append_event`: each got a `seq`.
    pub added: u64,
    /// Adds that the full pool refused: they never got a `seq`.
    pub refused: u64,
    /// Acknowledged or rejected.
    pub erased: u64,
    /// The part of `erased` that was rejected.
    pub rejected: u64,
    /// Handed out and not yet answered.
    pub pending: u64,
    /// Waiting to be consumed.
    pub unsent: u64,
    /// Dropped to make room (`recycle-oldest`).
    pub dropped_recycled: u64,
    /// Dropped because the checksum of the sector or page that held them did not match.
    pub dropped_corrupt: u64,
    /// Dropped because the sensor held more on disk than its quota (gateways only).
    pub dropped_quota: u64,
    /// Dropped because the store reached its limit on disk (gateways only).
    pub dropped_disk_max: u64,
}

impl SensorStats {
    /// Records that the store holds: pending and unsent.
    pub const fn retained(&self) -> u64 {
        self.pending + self.unsent
    }

    /// Records dropped for any cause.
    pub const fn dropped(&self) -> u64 {
        self.dropped_recycled
            .saturating_add(self.dropped_corrupt)
            .saturating_add(self.dropped_quota)
            .saturating_add(self.dropped_disk_max)
    }

    /// Whether the equation of conservation holds.
    pub const fn is_conserved(&self) -> bool {
        // Sums of sensors that are numbered from near 2^64 do not fit into 64 bits.
        let accounted = self.erased as u128
            + self.pending as u128
            + self.unsent as u128
            + self.dropped_recycled as u128
            + self.dropped_corrupt as u128
            + self.dropped_quota as u128
            + self.dropped_disk_max as u128;
        self.added as u128 == accounted
    }
}

impl core::ops::AddAssign for SensorStats {
    fn add_assign(&mut self, other: Self) {
        // Sensors that begin near 2^64 have counts whose sum is beyond it.
        let add = |count: &mut u64, more: u64| *count = count.saturating_add(more);
        add(&mut self.added, other.added);
        add(&mut self.refused, other.refused);
        add(&mut self.erased, other.erased);
        add(&mut self.rejected, other.rejected);
        add(&mut self.pending, other.pending);
        add(&mut self.unsent, other.unsent);
        add(&mut self.dropped_recycled, other.dropped_recycled);
        add(&mut self.dropped_corrupt, other.dropped_corrupt);
        add(&mut self.dropped_quota, other.dropped_quota);
        add(&mut self.dropped_disk_max, other.dropped_disk_max);
    }
}

/// How far a sensor's records have come in a store with a disk, as numbers of records: each is the end
/// (exclusive) of what has come so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Levels {
    /// Added: in RAM at least. The number that the next record gets.
    pub added_seq: u64,
    /// The kernel has them: they survive `kill -9`.
    pub written_seq: u64,
    /// Synced: they survive a power cut.
    pub durable_seq: u64,
    /// Answered for good, or gone: the oldest number that is still held.
    pub acked_seq: u64,
    /// The same as a power cut would leave it: records below never come back.
    pub acked_durable_seq: u64,
}
