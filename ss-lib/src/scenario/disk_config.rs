//! How a scenario's store uses its disk.

/// The disk of the `linux` profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskConfig {
    /// When a write becomes durable.
    pub durability: Durability,
    /// What an add does when the pool is full.
    pub when_full: WhenFull,
    /// A record is written at the latest when it is so old, in ms.
    pub spill_after_ms: u64,
    /// What a sensor may hold on disk, in bytes.
    pub quota_bytes: u64,
    /// What the store may hold on disk, in bytes.
    pub disk_max_bytes: u64,
    /// Bytes of a segment file.
    pub segment_bytes: u64,
    /// Bytes kept for acks on a full disk.
    pub reserve_bytes: u64,
    /// The first segment's id.
    pub first_segment: u64,
    /// The first log sequence number.
    pub first_lsn: u64,
    /// The first opening's number.
    pub first_epoch: u32,
    /// Bytes of the pool.
    pub pool_bytes: u64,
    /// Bytes of a sector; `None`: the largest that gives every sensor two, else one.
    pub sector_bytes: Option<u32>,
}

/// When a write becomes durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// At the latest after so many ms.
    Interval {
        /// The time.
        ms: u32,
    },
    /// Before the next one.
    EverySpill,
    /// When the operating system likes.
    Os,
}

/// What an add does when the pool is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenFull {
    /// Waits for the disk, and is refused when that took so many ms.
    Wait {
        /// The time.
        ms: u32,
    },
    /// Drops the oldest that is in RAM only.
    RecycleOldest,
    /// Is refused.
    Refuse,
}
