//! What a scan found of sensors: their cursors, their losses, their clocks.

use super::super::chunk::LifeCounts;
use crate::{ClockKind, DropCause, Kind, SensorKey, SensorStats};

/// A point in time of a sensor's records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SensorTime {
    /// Milliseconds on that clock.
    pub ms: u64,
    /// The clock.
    pub clock: ClockKind,
    /// The opening, which a monotonic clock is of.
    pub epoch: u32,
}

/// One sensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SensorScan {
    /// Its name.
    pub key: SensorKey,
    /// What its readings are.
    pub kind: Kind,
    /// Its period in ms; 0 for events.
    pub period_ms: u32,
    /// The configuration named it at the last opening.
    pub is_active: bool,
    /// Its definition was read. If not, only its records name it.
    pub is_defined: bool,
    /// The oldest record that is held lies here or behind.
    pub head_seq: u64,
    /// The number after the newest record's.
    pub end_seq: u64,
    /// Records that can be read.
    pub held: u64,
    /// Records that the log should hold and does not, and that the ledger does not know.
    pub lost: u64,
    /// Its counts as they stand before a repair: what is lost still counts as unsent.
    pub stats: SensorStats,
    /// Whether they add up.
    pub is_conserved: bool,
    /// The first segment that holds a record of it; if none does, the one its cursors name.
    pub first_segment: u64,
    /// The time of the oldest record that can be read.
    pub oldest_ms: Option<SensorTime>,
    /// The time of the newest one.
    pub newest_ms: Option<SensorTime>,
    pub(crate) hole: (u64, u64),
    pub(crate) counts: LifeCounts,
    pub(crate) order: u32,
}

/// An entry of the loss ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LedgerLoss {
    /// Whose records.
    pub key: SensorKey,
    /// The first of them.
    pub first_seq: u64,
    /// How many.
    pub count: u32,
    /// Why.
    pub cause: DropCause,
    /// When, in ms of the store's clock.
    pub at_ms: u64,
}

/// Records that are lost and that the ledger does not know yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LostRange {
    /// Whose.
    pub key: SensorKey,
    /// The first of them.
    pub first_seq: u64,
    /// How many.
    pub count: u64,
    /// Where they were.
    pub place: LostPlace,
}

impl LostRange {
    /// The number after the last lost one.
    pub const fn end_seq(&self) -> u64 {
        self.first_seq + self.count
    }
}

/// Where lost records were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LostPlace {
    /// In these bad pages, the first that lie between the records before and behind.
    Pages {
        /// The segment.
        segment: u64,
        /// Its generation.
        generation: u8,
        /// The first bad page.
        first_page: u32,
        /// How many.
        pages: u32,
    },
    /// In segments that are missing.
    Segments {
        /// The first missing segment.
        first: u64,
        /// How many.
        count: u64,
    },
    /// No bad page and no missing segment explains it: an end that was cut off.
    Unknown,
}

/// How an epoch's monotonic clock relates to UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockOffset {
    /// The opening of the store.
    pub epoch: u32,
    /// To be added to its monotonic times, in ms.
    pub offset_ms: i64,
}
