//! The vocabulary of a reading: what it is, when it was taken, how it is handed out and lost.

use crate::Sensor;

/// What a sensor's readings are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[repr(u8)]
#[cfg_attr(feature = "wire", derive(serde::Serialize, serde::Deserialize))]
pub enum Kind {
    /// One value on a sampling grid: 4 B in the store, its time is the sector's base + n × period.
    #[default]
    TimeSeries,
    /// One value with a timestamp of the caller's, kept exactly: 8 B in the store.
    Event,
}

impl Kind {
    /// The kind in a word, as tables, CSV and JSON have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TimeSeries => "time-series",
            Self::Event => "event",
        }
    }
}

/// Which clock a record's `time_ms` was read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[repr(u8)]
#[cfg_attr(feature = "wire", derive(serde::Serialize, serde::Deserialize))]
pub enum ClockKind {
    /// Milliseconds since this epoch (opening of the store) began; no wall clock was known yet.
    #[default]
    Monotonic,
    /// Milliseconds since 1970-01-01T00:00:00Z.
    Utc,
    /// The caller's own timestamp, as events carry it: the store gives it no meaning.
    Caller,
}

impl ClockKind {
    /// The clock in a word, as tables, CSV and JSON have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Monotonic => "monotonic",
            Self::Utc => "utc",
            Self::Caller => "caller",
        }
    }
}

/// A reading of the machine's clock, in ms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[cfg_attr(feature = "wire", derive(serde::Serialize, serde::Deserialize))]
pub struct Timestamp {
    /// Milliseconds on the clock that `clock` names.
    pub ms: u64,
    /// The clock that was read.
    pub clock: ClockKind,
}

impl Timestamp {
    /// A time of day: ms since 1970-01-01T00:00:00Z.
    pub const fn utc(ms: u64) -> Self {
        Self { ms, clock: ClockKind::Utc }
    }

    /// A time since start, for as long as no wall clock is known.
    pub const fn monotonic(ms: u64) -> Self {
        Self { ms, clock: ClockKind::Monotonic }
    }
}

/// One reading as it is handed out. (epoch, seq) of a sensor never names two records.
///
/// The layout is C's, so that the C interface hands a caller's buffer to the engine as it is. Bytes
/// that are all zero are a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[repr(C)]
pub struct Record {
    /// The sensor's record number.
    pub seq: u64,
    /// When it was taken, on the clock that `clock` names. A time-series reading is reported on its
    /// grid: at most half a period from the time that was given to `append`.
    pub time_ms: u64,
    /// The opening of the store in which it was added.
    pub epoch: u32,
    /// The value, bit for bit.
    pub value: u32,
    /// The clock behind `time_ms`.
    pub clock: ClockKind,
    /// What the sensor was when it added this record.
    pub kind: Kind,
}

impl Record {
    /// No record: what a buffer is filled with before a batch is copied into it.
    pub const NONE: Self = Self {
        seq: 0,
        time_ms: 0,
        epoch: 0,
        value: 0,
        clock: ClockKind::Monotonic,
        kind: Kind::TimeSeries,
    };
}

/// Names one batch that `consume` handed out: the records `first_seq .. first_seq + count` of one
/// sensor, in one attempt to deliver them. Only the token of the attempt that is still pending can
/// ack, nack or reject; any other is stale and changes nothing. Attempts are told apart by 16 bits:
/// a token would have to be kept over 65,536 attempts at the same records to be taken for another.
///
/// The layout is C's, with the fields in the order of [`from_parts`](Self::from_parts).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct BatchToken {
    pub(crate) first_seq: u64,
    pub(crate) sensor: Sensor,
    pub(crate) epoch: u32,
    pub(crate) count: u16,
    pub(crate) attempt: u16,
}

impl BatchToken {
    /// A token out of what its accessors told of it, for whoever had to keep it elsewhere. One that
    /// the store never gave is as stale as any other that is not pending.
    pub const fn from_parts(
        first_seq: u64,
        sensor: Sensor,
        epoch: u32,
        count: u16,
        attempt: u16,
    ) -> Self {
        Self { first_seq, sensor, epoch, count, attempt }
    }

    /// Which of the attempts to deliver the sensor's records this is, modulo 2^16.
    pub const fn attempt(&self) -> u16 {
        self.attempt
    }

    /// The sensor whose records these are.
    pub const fn sensor(&self) -> Sensor {
        self.sensor
    }

    /// The store's opening in which the batch was consumed.
    pub const fn epoch(&self) -> u32 {
        self.epoch
    }

    /// The first record's number.
    pub const fn first_seq(&self) -> u64 {
        self.first_seq
    }

    /// How many records the batch holds: at least 1.
    pub const fn count(&self) -> u32 {
        self.count as u32
    }
}

/// Why records left the store without having been delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum DropCause {
    /// The pool was exhausted and the policy is `recycle-oldest`.
    Recycled,
    /// A sector's checksum did not match when it was read.
    Corrupt,
    /// The uploader rejected the batch: the cloud will never take it. These records also count as
    /// erased (they were handed out and answered), not as dropped.
    Rejected,
    /// The sensor held more on disk than its quota allows.
    Quota,
    /// The store reached its limit on disk, and this sensor held most there.
    DiskMax,
}

impl DropCause {
    /// Every cause, in the order of reports.
    pub const ALL: [Self; 5] =
        [Self::Recycled, Self::Corrupt, Self::Rejected, Self::Quota, Self::DiskMax];

    /// The cause's word in reports and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Recycled => "recycled",
            Self::Corrupt => "corrupt",
            Self::Rejected => "rejected",
            Self::Quota => "quota",
            Self::DiskMax => "disk-max",
        }
    }
}

/// A range of one sensor's records that were lost, and why: an entry of the loss ledger. The layout
/// is C's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Loss {
    /// The first lost record's number.
    pub first_seq: u64,
    /// When the last of them was lost, in ms of the clock that the store was last told.
    pub at_ms: u64,
    /// How many consecutive records were lost.
    pub count: u32,
    /// Whose records they were.
    pub sensor: Sensor,
    /// Why they were lost.
    pub cause: DropCause,
}

impl Loss {
    /// A loss of nothing: what an array for losses begins with.
    pub const NONE: Self =
        Self { first_seq: 0, at_ms: 0, count: 0, sensor: Sensor(0), cause: DropCause::Recycled };

    /// The number after the last lost record's.
    pub const fn end_seq(&self) -> u64 {
        self.first_seq + self.count as u64
    }
}
