//! The plain data that crosses the boundary. Integers only, so that no bytes of a caller's are invalid.

use crate::status::ss_status;
use ss_lib::{
    BatchToken, ClockKind, DropCause, Kind, Levels, Loss, Record, Sensor, SensorConfig, SensorKey,
    SensorStats, Timestamp,
};

/// The number of the interface that this header describes. It grows with each change that an old caller
/// would notice; `ss_abi_version` tells the library's.
pub const SS_ABI_VERSION: u32 = 1;

/// No sensor.
pub const SS_SENSOR_NONE: u32 = u32::MAX;

/// The most records that one batch holds.
pub const SS_BATCH_RECORDS_MAX: usize = 65535;

/// An open store. Opaque: a handle on Linux, the caller's memory on a microcontroller.
#[derive(Debug)]
pub struct ss_store {
    _opaque: [u8; 0],
}

/// What a sensor's readings are: `kind` of `ss_sensor_config` and `ss_record`.
#[repr(u32)]
#[derive(Clone, Copy, Debug)]
pub enum ss_kind {
    /// One value on a sampling grid: 4 B in the store.
    SS_KIND_TIME_SERIES = 0,
    /// One value with a timestamp of the caller's, kept exactly: 8 B in the store.
    SS_KIND_EVENT = 1,
}

/// The clock that a time is of.
#[repr(u32)]
#[derive(Clone, Copy, Debug)]
pub enum ss_clock {
    /// ms since this opening of the store began; no wall clock was known yet.
    SS_CLOCK_MONOTONIC = 0,
    /// ms since 1970-01-01T00:00:00Z.
    SS_CLOCK_UTC = 1,
    /// The caller's own timestamp, as events carry it: the store gives it no meaning.
    SS_CLOCK_CALLER = 2,
}

/// Why records were lost: `cause` of `ss_loss`.
#[repr(u32)]
#[derive(Clone, Copy, Debug)]
pub enum ss_drop_cause {
    /// The pool was exhausted and the policy is to recycle the oldest.
    SS_DROP_RECYCLED = 0,
    /// A checksum did not match.
    SS_DROP_CORRUPT = 1,
    /// The uploader rejected the batch. These records count as erased, not as dropped.
    SS_DROP_REJECTED = 2,
    /// The sensor held more on disk than its quota.
    SS_DROP_QUOTA = 3,
    /// The store reached its limit on disk.
    SS_DROP_DISK_MAX = 4,
}

/// What is wrong with a store now: bits of `ss_health`.
#[repr(u32)]
#[derive(Clone, Copy, Debug)]
pub enum ss_health_cause {
    /// The disk has no space for records; they stay in RAM, and the store tries again by itself.
    SS_HEALTH_DISK_FULL = 1,
    /// The disk fails; the store tries again by itself.
    SS_HEALTH_IO_ERROR = 2,
    /// A sync failed: what was written before it may be gone after a power cut.
    SS_HEALTH_SYNC_FAILED = 4,
    /// The store's directory is in RAM: nothing in it survives a power cut.
    SS_HEALTH_VOLATILE = 8,
    /// Pages could not be read: their records are listed as lost when they are due.
    SS_HEALTH_DAMAGED = 16,
    /// A sensor reached its quota: its oldest records are dropped.
    SS_HEALTH_QUOTA_REACHED = 32,
    /// The store reached its limit on disk: the oldest records of whoever holds most are dropped.
    SS_HEALTH_DISK_MAX_REACHED = 64,
    /// The space that was reserved for acknowledgements is in use.
    SS_HEALTH_RESERVE_IN_USE = 128,
}

/// What a sensor is. 24 B.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct ss_sensor_config {
    /// The number of its first record: 0, or where an earlier opening ended. As an answer: the number
    /// that the next record gets.
    pub first_seq: u64,
    /// Any number; unique within its source.
    pub id: u32,
    /// The sampling period in ms: at least 1 for a time series, ignored for events.
    pub period_ms: u32,
    /// The namespace of the id: 0 host, 1 application, 2 CAN, others free.
    pub source: u8,
    /// One of `ss_kind`.
    pub kind: u8,
    /// 0.
    pub reserved: [u8; 6],
}

/// One reading that is to be added, in a batch. 16 B.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct ss_sample {
    /// When it was taken, in ms: for a time series on the clock that `ss_ts_add_batch` is told, for an
    /// event the caller's own timestamp.
    pub time_ms: u64,
    /// The value, bit for bit.
    pub value: u32,
    /// 0.
    pub reserved: u32,
}

/// One reading as it is handed out. (epoch, seq) of a sensor never names two records. 32 B.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct ss_record {
    /// The sensor's record number.
    pub seq: u64,
    /// When it was taken, in ms of `clock`. A time series' reading is reported on its grid: at most half
    /// a period from the time that it was added with.
    pub time_ms: u64,
    /// The opening of the store in which it was added.
    pub epoch: u32,
    /// The value, bit for bit.
    pub value: u32,
    /// One of `ss_clock`.
    pub clock: u8,
    /// One of `ss_kind`: what the sensor was when it added this record.
    pub kind: u8,
    /// 0.
    pub reserved: [u8; 6],
}

/// Names one batch that was handed out: records `first_seq` to `first_seq + count - 1` of one sensor.
/// Copy it freely; any change to it makes it stale. 24 B.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct ss_token {
    /// The first record's number.
    pub first_seq: u64,
    /// Whose records they are.
    pub sensor: u32,
    /// The store's opening in which the batch was handed out.
    pub epoch: u32,
    /// How many records the batch holds; 0: this is no token.
    pub count: u16,
    /// The library's.
    pub attempt: u16,
    /// The library's: which of the process's stores gave it.
    pub store: u32,
}

/// A range of a sensor's records that were lost, and why. 32 B.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct ss_loss {
    /// The first lost record's number.
    pub first_seq: u64,
    /// When the last of them was lost, in ms of the clock that `ss_tick` was last told.
    pub at_ms: u64,
    /// How many consecutive records were lost.
    pub count: u32,
    /// Whose records they were.
    pub sensor: u32,
    /// One of `ss_drop_cause`.
    pub cause: u8,
    /// 0.
    pub reserved: [u8; 7],
}

/// A sensor's counts, in records, over its whole life; those before its `first_seq` count as added and
/// erased. added = erased + pending + unsent + the four dropped ones. 96 B.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ss_sensor_stats {
    /// Taken: each got a number.
    pub added: u64,
    /// Refused by a full pool: they never got a number.
    pub refused: u64,
    /// Acknowledged or rejected.
    pub erased: u64,
    /// The part of `erased` that was rejected.
    pub rejected: u64,
    /// Handed out and not yet answered.
    pub pending: u64,
    /// Waiting to be consumed.
    pub unsent: u64,
    /// Dropped to make room.
    pub dropped_recycled: u64,
    /// Dropped because a checksum did not match.
    pub dropped_corrupt: u64,
    /// Dropped because of the sensor's quota on disk.
    pub dropped_quota: u64,
    /// Dropped because of the store's limit on disk.
    pub dropped_disk_max: u64,
    /// 0.
    pub reserved: [u64; 2],
}

/// A store's figures. A store without a disk has 0 for all that concerns one. 256 B.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct ss_store_stats {
    /// The sum of all sensors' counts.
    pub totals: ss_sensor_stats,
    /// Entries that the loss ledger ever made.
    pub ledger_entries: u64,
    /// Records that were ever entered into it.
    pub ledger_records: u64,
    /// Records whose range it had to forget; the sensors' counts still count them.
    pub ledger_forgotten: u64,
    /// Bytes of all files now.
    pub disk_bytes: u64,
    /// The most that they were in this opening.
    pub disk_bytes_peak: u64,
    /// Bytes written in this opening.
    pub disk_bytes_written: u64,
    /// Records that are on disk only.
    pub disk_records: u64,
    /// Syncs of files and of the directory.
    pub disk_syncs: u64,
    /// Pages read.
    pub disk_pages_read: u64,
    /// Pages that could not be read.
    pub disk_damaged_pages: u64,
    /// Bytes that are reserved for acknowledgements.
    pub disk_reserve_bytes: u64,
    /// The longest that something written waited to become durable, in ms.
    pub disk_durable_lag_ms: u64,
    /// Segments that were squeezed.
    pub disk_segments_squeezed: u64,
    /// Segments now.
    pub disk_segments: u32,
    /// This opening's number.
    pub epoch: u32,
    /// Registered sensors.
    pub sensors: u32,
    /// RAM sectors in all.
    pub sectors_total: u32,
    /// RAM sectors in use now.
    pub sectors_used: u32,
    /// The most that were in use at once since opening.
    pub sectors_peak: u32,
    /// RAM sectors that may be in use at once.
    pub sectors_limit: u32,
    /// 0.
    pub reserved: [u32; 7],
}

/// How far a sensor's records have come, as numbers of records: each is the end (exclusive) of what has
/// come so far. In a store without a disk nothing is ever written. 40 B.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct ss_levels {
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

/// How a shutdown ended. 16 B.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct ss_shutdown_report {
    /// Records that were in RAM only when it began.
    pub records: u64,
    /// Those of them that the disk did not take before the deadline: they go with the process.
    pub left: u64,
}

/// What opening a store on disk found. 48 B.
#[cfg(feature = "std")]
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct ss_recovery {
    /// Records held.
    pub records: u64,
    /// Pages read.
    pub pages_read: u64,
    /// How long it took, in us.
    pub wall_us: u64,
    /// Segments that hold something.
    pub segments: u32,
    /// Pages behind the last good one, which were cut: what a kill or a power cut leaves.
    pub torn_pages: u32,
    /// Pages with good ones behind them that cannot be read.
    pub corrupt_pages: u32,
    /// 1: the opening before ended by an orderly shutdown, or there was none.
    pub was_clean: u32,
    /// 1: the store was created.
    pub is_new: u32,
    /// 0.
    pub reserved: u32,
}

/// Told while a shutdown runs: how many records were in RAM only when it began, and how many of them
/// still are. It may not call a function that takes a store: that is `SS_EBUSY`. It may not throw or jump.
pub type ss_progress_fn =
    Option<unsafe extern "C" fn(user: *mut core::ffi::c_void, records: u64, left: u64)>;

/// Given pieces of text: `bytes` bytes at `text`, not terminated. It may not throw or jump.
pub type ss_print_fn = Option<
    unsafe extern "C" fn(
        user: *mut core::ffi::c_void,
        text: *const core::ffi::c_char,
        bytes: usize,
    ),
>;

// ---- sizes and layouts, as the header says them and as the engine has them ------------------------

macro_rules! same_layout {
    ($c:ident, $rust:ident, [$($field:ident),*]) => {
        const _: () = {
            assert!(size_of::<$c>() == size_of::<$rust>() && align_of::<$c>() == align_of::<$rust>());
            $(assert!(core::mem::offset_of!($c, $field) == core::mem::offset_of!($rust, $field));)*
        };
    };
}

same_layout!(ss_record, Record, [seq, time_ms, epoch, value, clock, kind]);
same_layout!(ss_loss, Loss, [first_seq, at_ms, count, sensor, cause]);
same_layout!(ss_token, BatchToken, []);
const _: () = {
    assert!(size_of::<ss_sensor_config>() == 24 && size_of::<ss_sample>() == 16);
    assert!(size_of::<ss_record>() == 32 && size_of::<ss_token>() == 24);
    assert!(size_of::<ss_loss>() == 32 && size_of::<ss_sensor_stats>() == 96);
    assert!(size_of::<ss_store_stats>() == 256 && size_of::<ss_levels>() == 40);
    assert!(
        size_of::<ss_shutdown_report>() == 16
            && SS_BATCH_RECORDS_MAX == ss_lib::ram::BATCH_RECORDS_MAX
    );
};
#[cfg(feature = "std")]
const _: () = assert!(size_of::<ss_recovery>() == 48);

/// A type of C's whose memory is the engine's `Native` once it is zeroed.
///
/// # Safety
/// Both have one size and alignment, `Native` has no invalid bytes that the engine would not overwrite
/// (zeros are valid), and every valid `Native` is a valid `Self`.
pub(crate) unsafe trait Mirrors<Native> {
    /// Writes what `Native` has no field for, which the engine leaves undefined. `place` has been written by
    /// the engine.
    ///
    /// # Safety
    /// `place` may be written to.
    unsafe fn settle(place: *mut Self);
}

// SAFETY: `same_layout` holds them against each other; the enums' first variants are 0; every field of
// the C types is an integer.
unsafe impl Mirrors<Record> for ss_record {
    unsafe fn settle(place: *mut Self) {
        // SAFETY: the caller's promise. A field of a place, without a reference to the rest of it.
        unsafe { (&raw mut (*place).reserved).write([0; 6]) };
    }
}
// SAFETY: as above.
unsafe impl Mirrors<Loss> for ss_loss {
    unsafe fn settle(place: *mut Self) {
        // SAFETY: as above.
        unsafe { (&raw mut (*place).reserved).write([0; 7]) };
    }
}
// SAFETY: as above; a token is integers on both sides, and a unit test holds the fields' places.
unsafe impl Mirrors<BatchToken> for ss_token {
    unsafe fn settle(place: *mut Self) {
        // SAFETY: as above.
        unsafe { (&raw mut (*place).store).write(0) };
    }
}

// ---- conversions ----------------------------------------------------------------------------------

pub(crate) fn kind_of(kind: u32) -> Result<Kind, ss_status> {
    match kind {
        0 => Ok(Kind::TimeSeries),
        1 => Ok(Kind::Event),
        _ => Err(ss_status::SS_EINVAL),
    }
}

/// A reading's time: the caller's own timestamps are for events.
pub(crate) fn timestamp(ms: u64, clock: u32) -> Result<Timestamp, ss_status> {
    match clock {
        0 => Ok(Timestamp::monotonic(ms)),
        1 => Ok(Timestamp::utc(ms)),
        _ => Err(ss_status::SS_EINVAL),
    }
}

impl ss_sensor_config {
    pub(crate) fn native(&self) -> Result<SensorConfig, ss_status> {
        if self.reserved != [0; 6] {
            return Err(ss_status::SS_EINVAL);
        }
        Ok(SensorConfig {
            key: SensorKey { source: self.source, id: self.id },
            kind: kind_of(u32::from(self.kind))?,
            period_ms: self.period_ms,
            first_seq: self.first_seq,
        })
    }
}

impl From<SensorConfig> for ss_sensor_config {
    fn from(config: SensorConfig) -> Self {
        Self {
            first_seq: config.first_seq,
            id: config.key.id,
            period_ms: config.period_ms,
            source: config.key.source,
            kind: config.kind as u8,
            reserved: [0; 6],
        }
    }
}

impl From<Record> for ss_record {
    fn from(record: Record) -> Self {
        Self {
            seq: record.seq,
            time_ms: record.time_ms,
            epoch: record.epoch,
            value: record.value,
            clock: record.clock as u8,
            kind: record.kind as u8,
            reserved: [0; 6],
        }
    }
}

impl ss_token {
    /// `store` tells the process's stores apart.
    pub(crate) fn new(token: BatchToken, store: u32) -> Self {
        Self {
            first_seq: token.first_seq(),
            sensor: token.sensor().index() as u32,
            epoch: token.epoch(),
            count: token.count() as u16,
            attempt: token.attempt(),
            store,
        }
    }

    /// The engine's token, if this one is of the store that is asked.
    pub(crate) fn native(&self, store: u32) -> Result<BatchToken, ss_status> {
        let Self { first_seq, sensor, epoch, count, attempt, .. } = *self;
        if self.store != store || count == 0 {
            return Err(ss_status::SS_ESTALE);
        }
        Ok(BatchToken::from_parts(first_seq, Sensor::from_index(sensor), epoch, count, attempt))
    }
}

impl From<Loss> for ss_loss {
    fn from(loss: Loss) -> Self {
        Self {
            first_seq: loss.first_seq,
            at_ms: loss.at_ms,
            count: loss.count,
            sensor: loss.sensor.index() as u32,
            cause: loss.cause as u8,
            reserved: [0; 7],
        }
    }
}

impl From<SensorStats> for ss_sensor_stats {
    fn from(stats: SensorStats) -> Self {
        Self {
            added: stats.added,
            refused: stats.refused,
            erased: stats.erased,
            rejected: stats.rejected,
            pending: stats.pending,
            unsent: stats.unsent,
            dropped_recycled: stats.dropped_recycled,
            dropped_corrupt: stats.dropped_corrupt,
            dropped_quota: stats.dropped_quota,
            dropped_disk_max: stats.dropped_disk_max,
            reserved: [0; 2],
        }
    }
}

impl From<Levels> for ss_levels {
    fn from(levels: Levels) -> Self {
        Self {
            added_seq: levels.added_seq,
            written_seq: levels.written_seq,
            durable_seq: levels.durable_seq,
            acked_seq: levels.acked_seq,
            acked_durable_seq: levels.acked_durable_seq,
        }
    }
}

const _: () = {
    assert!(ClockKind::Monotonic as u32 == ss_clock::SS_CLOCK_MONOTONIC as u32);
    assert!(ClockKind::Utc as u32 == ss_clock::SS_CLOCK_UTC as u32);
    assert!(ClockKind::Caller as u32 == ss_clock::SS_CLOCK_CALLER as u32);
    assert!(Kind::TimeSeries as u32 == ss_kind::SS_KIND_TIME_SERIES as u32);
    assert!(Kind::Event as u32 == ss_kind::SS_KIND_EVENT as u32);
    assert!(DropCause::Recycled as u32 == ss_drop_cause::SS_DROP_RECYCLED as u32);
    assert!(DropCause::Corrupt as u32 == ss_drop_cause::SS_DROP_CORRUPT as u32);
    assert!(DropCause::Rejected as u32 == ss_drop_cause::SS_DROP_REJECTED as u32);
    assert!(DropCause::Quota as u32 == ss_drop_cause::SS_DROP_QUOTA as u32);
    assert!(DropCause::DiskMax as u32 == ss_drop_cause::SS_DROP_DISK_MAX as u32);
};

#[cfg(test)]
mod tests {
    use super::ss_token;
    use ss_lib::{BatchToken, Sensor};

    #[test]
    fn a_token_has_its_fields_where_the_engine_has_them() {
        let native =
            BatchToken::from_parts(0x0102_0304_0506_0708, Sensor::from_index(9), 10, 11, 12);
        // SAFETY: both are 24 B, and the first 20 of them are integers on both sides.
        let told: [u8; 20] = unsafe { core::mem::transmute_copy(&native) };
        let token = ss_token::new(native, 13);
        // SAFETY: as above.
        let written: [u8; 20] = unsafe { core::mem::transmute_copy(&token) };
        assert_eq!(told, written);
        assert_eq!(token.native(13), Ok(native));
        assert!(token.native(14).is_err());
    }
}
