//! What is counted in a run.

use crate::{
    SensorStats,
    ram::{LedgerStats, PoolStats},
    scenario::{DiskUse, expect::Figure},
};

/// A group's counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupFigures {
    /// The group's name.
    pub name: String,
    /// Its number of sensors.
    pub sensors: u32,
    /// The sum of their counts.
    pub stats: SensorStats,
}

/// RAM that a run took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RamFigures {
    /// Bytes that the store owns, all of them taken when it is opened.
    pub bytes_total: u64,
    /// The part of them that was in use at the peak: all but sectors that were never needed.
    pub bytes_peak: u64,
    /// Bytes of one sector.
    pub sector_bytes: u32,
    /// The pool.
    pub pool: PoolStats,
}

/// Every figure of a run but its timing: the same for every run of a seed, on every machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figures {
    /// Over every delivered record and every counter.
    pub digest: u64,
    /// Virtual time that passed, in ms.
    pub virtual_ms: u64,
    /// The sum of all counts.
    pub totals: SensorStats,
    /// The same for each group.
    pub groups: Vec<GroupFigures>,
    /// RAM.
    pub ram: RamFigures,
    /// The loss ledger.
    pub ledger: LedgerStats,
    /// Records handed out, repeated deliveries included.
    pub records_delivered: u64,
    /// Deliveries of records that had been delivered before.
    pub redelivered: u64,
    /// Batches handed out.
    pub batches: u64,
    /// Answers that the store called stale.
    pub stale_answers: u64,
    /// The greatest age that a record reached before it was answered for good, or until the end, in
    /// ms of virtual time.
    pub oldest_age_ms: u64,
    /// The disk, if the store has one.
    pub disk: Option<DiskFigures>,
}

/// What a run took of the disk, and what its restarts cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiskFigures {
    /// At the end.
    pub used: DiskUse,
    /// Bytes for a record that was on disk only, when most of them were, in hundredths.
    pub centibytes_per_record: u64,
    /// The longest that a record was held and not durable, in ms of virtual time. Each sensor is
    /// looked at once a second.
    pub durable_lag_ms: u64,
    /// How often the store was opened again.
    pub recoveries: u64,
    /// Records that were in RAM only when the store was killed. Their numbers are given again.
    pub lost_in_kills: u64,
    /// Records that shutdowns left unwritten at their deadline.
    pub shutdown_left: u64,
}

impl Figures {
    /// One figure, of the whole run or of one group.
    pub fn get(&self, group: Option<usize>, figure: Figure) -> u64 {
        let stats = match group.and_then(|index| self.groups.get(index)) {
            Some(group) => group.stats,
            None => self.totals,
        };
        let disk = self.disk.unwrap_or_default();
        match figure {
            Figure::Added => stats.added,
            Figure::Refused => stats.refused,
            Figure::Acked => stats.erased.saturating_sub(stats.rejected),
            Figure::Rejected => stats.rejected,
            Figure::Lost => stats.dropped(),
            Figure::Recycled => stats.dropped_recycled,
            Figure::Corrupt => stats.dropped_corrupt,
            Figure::Quota => stats.dropped_quota,
            Figure::DiskMax => stats.dropped_disk_max,
            Figure::Pending => stats.pending,
            Figure::Unsent => stats.unsent,
            Figure::Redelivered => self.redelivered,
            Figure::StaleAnswers => self.stale_answers,
            Figure::LedgerEntries => self.ledger.entries,
            Figure::OldestAge => self.oldest_age_ms,
            Figure::Ram => self.ram.bytes_peak,
            Figure::SectorsPeak => u64::from(self.ram.pool.sectors_peak),
            Figure::DiskBytes => disk.used.bytes,
            Figure::DiskBytesPeak => disk.used.bytes_peak,
            Figure::DiskBytesWritten => disk.used.bytes_written,
            Figure::DiskSegments => disk.used.segments,
            Figure::DiskSegmentsCreated => disk.used.segments_created,
            Figure::DiskFsyncs => disk.used.fsyncs,
            Figure::BytesPerRecord => disk.centibytes_per_record,
            Figure::DurableLag => disk.durable_lag_ms,
            Figure::Recoveries => disk.recoveries,
            Figure::LostInKills => disk.lost_in_kills,
            Figure::ShutdownLeft => disk.shutdown_left,
        }
    }
}
