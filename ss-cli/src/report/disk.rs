//! What only a store with a disk has to report.

use serde::Serialize;
use ss_lib::scenario::run::DiskFigures;

/// The disk.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Disk {
    /// Of all files, at the end and at the peak.
    pub(crate) bytes: u64,
    pub(crate) bytes_peak: u64,
    /// In all.
    pub(crate) bytes_written: u64,
    pub(crate) sectors: u64,
    pub(crate) segments: u64,
    pub(crate) segments_created: u64,
    /// For a record that was on disk only, when most of them were; with two decimal places.
    pub(crate) bytes_per_record: f64,
    pub(crate) fsyncs: u64,
    /// Records that are on disk only, at the end.
    pub(crate) records: u64,
    /// The part of `bytes` that is kept for acks on a full disk.
    pub(crate) reserve_bytes: u64,
}

/// Stops, and what they cost.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Restarts {
    pub(crate) recoveries: u64,
    pub(crate) lost_in_kills: u64,
    pub(crate) shutdown_left: u64,
    /// Wall time of each opening after a stop, and of the slowest one.
    pub(crate) recoveries_ms: Vec<f64>,
    pub(crate) slowest_ms: Option<f64>,
}

impl From<DiskFigures> for Disk {
    fn from(figures: DiskFigures) -> Self {
        let used = figures.used;
        #[expect(clippy::cast_precision_loss, reason = "some bytes a record")]
        let bytes_per_record = figures.centibytes_per_record as f64 / 100.0;
        Self {
            bytes: used.bytes,
            bytes_peak: used.bytes_peak,
            bytes_written: used.bytes_written,
            sectors: used.sectors,
            segments: used.segments,
            segments_created: used.segments_created,
            bytes_per_record,
            fsyncs: used.fsyncs,
            records: used.records,
            reserve_bytes: used.reserve_bytes,
        }
    }
}

impl Restarts {
    pub(crate) fn new(figures: &DiskFigures, recoveries_ns: &[u64]) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "times are rounded")]
        let ms = |ns: &u64| (*ns as f64 / 1e3).round() / 1e3;
        Self {
            recoveries: figures.recoveries,
            lost_in_kills: figures.lost_in_kills,
            shutdown_left: figures.shutdown_left,
            recoveries_ms: recoveries_ns.iter().map(ms).collect(),
            slowest_ms: recoveries_ns.iter().max().map(ms),
        }
    }
}
