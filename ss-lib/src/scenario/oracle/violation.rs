//! A broken promise, and how it is told.

use crate::SensorKey;
use core::fmt;

/// A promise, by its name in the design.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promise {
    /// added = erased + pending + unsent + dropped, and nothing else is counted.
    Conservation,
    /// Numbers increase; a gap is in the ledger; a record is what was given.
    Order,
    /// A token stands for its batch; a stale one changes nothing.
    Tokens,
    /// What is handed out again is identical.
    Redelivery,
    /// What was written survives a kill, and what was shut down in order survives whole.
    Levels,
    /// What was durably answered never comes again.
    Resurrection,
    /// RAM is bounded.
    BoundedRam,
    /// The disk is bounded.
    BoundedDisk,
    /// A sector belongs to one chain or to the free list.
    OneOwner,
}

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Conservation => "P1 conservation",
            Self::Order => "P2 order",
            Self::Tokens => "P3 tokens",
            Self::Redelivery => "P5 identical redelivery",
            Self::Levels => "P4 durability levels",
            Self::Resurrection => "P5 no resurrection",
            Self::BoundedRam => "P6 bounded RAM",
            Self::BoundedDisk => "P7 bounded disk",
            Self::OneOwner => "P9 one owner",
        })
    }
}

/// A broken promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which promise.
    pub promise: Promise,
    /// Whose records; `None`: the store as a whole.
    pub sensor: Option<SensorKey>,
    /// Which record.
    pub seq: Option<u64>,
    /// When, in ms of virtual time.
    pub virtual_ms: u64,
    /// What was seen.
    pub seen: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = std::time::Duration::from_millis(self.virtual_ms);
        write!(f, "{} broken at {}", self.promise, humantime::format_duration(at))?;
        if let Some(sensor) = self.sensor {
            write!(f, ", sensor {sensor}")?;
        }
        if let Some(seq) = self.seq {
            write!(f, ", seq {seq}")?;
        }
        write!(f, ": {}", self.seen)
    }
}
