//! Saves every record that can be read into a fresh store, and leaves the old one as it is: for a store
//! that a repair cannot or should not touch.
//!
//! Records are sorted by sensor, epoch and number, and duplicates dropped. There may be any number of
//! them, so each pass over the old store takes the next [`PASS_RECORDS`] in that order.

mod writer;

use super::{
    chunk::{Chunk, RecordsChunk, unpack_key},
    io::{Disk, DiskError, Operation},
    page::{SegmentSeed, StoreId},
    plan::{Unusable, Verdict, plan},
    repair::RepairError,
    scan::{PageReader, Role, Scan, ScanError, scan, walk_segment},
};
use crate::Record;
use std::{collections::BTreeMap, error::Error, fmt};
use writer::{Series, Writer};

/// Records that one pass holds in memory.
const PASS_RECORDS: usize = 1 << 16;

/// How to salvage.
#[derive(Clone, Copy, Debug)]
pub struct SalvageOptions {
    /// Also what was answered or dropped and is still on disk.
    pub is_everything: bool,
    /// The fresh store's identity: to be drawn at random.
    pub store_id: StoreId,
    /// The time now, in ms since 1970.
    pub now_ms: u64,
}

/// What was saved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Salvaged {
    /// Records in the fresh store.
    pub records: u64,
    /// Records of a number that one of an earlier opening has: that one is saved. A second copy of a record is
    /// not counted.
    pub duplicates: u64,
    /// Sensors in the fresh store.
    pub sensors: u64,
    /// Pages that could not be read.
    pub pages_bad: u64,
    /// Records that the old store should have held and that no copy was found of.
    pub lost: u64,
}

/// Why nothing, or not everything, was saved.
#[derive(Debug)]
pub enum SalvageError {
    /// The old store could not be looked at.
    Scan(ScanError),
    /// Nothing of it can be read.
    Unusable(Unusable),
    /// The old store's disk failed.
    From(DiskError),
    /// The fresh store's disk failed: remove what it holds and start again.
    Into(DiskError),
    /// The directory for the fresh store holds something.
    NotEmpty,
    /// The fresh store could not be written in another way.
    Write(RepairError),
}

impl fmt::Display for SalvageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scan(error) => error.fmt(f),
            Self::Unusable(unusable) => unusable.fmt(f),
            Self::From(error) => error.fmt(f),
            Self::Into(error) => write!(f, "{error}; empty the directory and start again"),
            Self::NotEmpty => f.write_str("the directory for the fresh store is not empty"),
            Self::Write(error) => error.fmt(f),
        }
    }
}

impl Error for SalvageError {}

impl From<RepairError> for SalvageError {
    fn from(error: RepairError) -> Self {
        match error {
            RepairError::Disk(error) => Self::Into(error),
            error => Self::Write(error),
        }
    }
}

/// A record's place in the fresh store's order: sensor, epoch, number.
type Order = (u64, u32, u64);

/// The period in ms that a grid's record was taken with, beside the record.
type Saved = (Record, u32);

/// Saves what can be read on `from` into a fresh store on `into`.
pub fn salvage<D: Disk, T: Disk>(
    from: &D,
    into: &T,
    options: &SalvageOptions,
) -> Result<Salvaged, SalvageError> {
    let mut is_empty = true;
    into.list(&mut |name, _| is_empty &= name == super::real::LOCK_FILE)
        .map_err(|error| SalvageError::Into(DiskError::new(Operation::List, ".", error)))?;
    if !is_empty {
        return Err(SalvageError::NotEmpty);
    }
    let found = scan(from).map_err(SalvageError::Scan)?;
    if let Verdict::Unusable(unusable) = plan(&found).verdict {
        return Err(SalvageError::Unusable(unusable));
    }
    let mut salvaged = Salvaged {
        pages_bad: found.bad_pages.iter().map(|run| u64::from(run.pages)).sum(),
        ..Salvaged::default()
    };
    let mut writer = Writer::create(into, &found, options)?;
    let mut last: Option<Order> = None;
    let mut series: Option<Series> = None;
    loop {
        let pass = next_records(from, &found, options, last).map_err(SalvageError::From)?;
        let Some((&newest, _)) = pass.last_key_value() else { break };
        for ((key, _, seq), (record, period_ms)) in pass {
            let of_other = series.as_ref().is_none_or(|series| series.key() != key);
            if of_other {
                if let Some(series) = series.take() {
                    series.end(&mut writer)?;
                }
                series = Some(writer.begin_sensor(key, period_ms, &record));
            }
            let Some(series) = &mut series else { continue };
            if seq < series.next_seq() {
                salvaged.duplicates += 1;
                continue;
            }
            series.push(&mut writer, &record, period_ms)?;
            salvaged.records += 1;
        }
        last = Some(newest);
    }
    if let Some(series) = series.take() {
        series.end(&mut writer)?;
    }
    let expected = found
        .sensors
        .iter()
        .fold(0_u64, |sum, sensor| sum.saturating_add(sensor.held).saturating_add(sensor.lost));
    salvaged.lost = expected.saturating_sub(salvaged.records);
    salvaged.sensors = writer.finish()?;
    Ok(salvaged)
}

/// The next records behind `last`, from every generation of every segment of the store.
fn next_records<D: Disk>(
    disk: &D,
    scan: &Scan,
    options: &SalvageOptions,
    last: Option<Order>,
) -> Result<BTreeMap<Order, Saved>, DiskError> {
    let mut pass = BTreeMap::new();
    let Some(identity) = scan.identity else { return Ok(pass) };
    let mut reader = PageReader::new(disk);
    for segment in &scan.segments {
        if matches!(segment.role, Role::OtherStore(_)) {
            continue;
        }
        let seed = SegmentSeed::new(&identity.store_id, segment.segment, segment.generation);
        walk_segment(&mut reader, segment, seed, &mut |_, page| {
            if let Ok(page) = page {
                for chunk in page.chunks().flatten() {
                    if let Chunk::Records(records) = chunk {
                        take(&mut pass, scan, options, last, &records);
                    }
                }
            }
            true
        })?;
    }
    Ok(pass)
}

fn take(
    pass: &mut BTreeMap<Order, Saved>,
    scan: &Scan,
    options: &SalvageOptions,
    last: Option<Order>,
    chunk: &RecordsChunk<'_>,
) {
    let header = &chunk.header;
    let place = (header.key, header.epoch);
    let end = (place.0, place.1, chunk.end_seq());
    let is_behind = pass.len() >= PASS_RECORDS
        && pass.last_key_value().is_some_and(|(&order, _)| order < (place.0, place.1, 0));
    if is_behind || last.is_some_and(|last| end <= last) {
        return;
    }
    let sensor = unpack_key(header.key).and_then(|key| scan.sensor(key));
    for (run, payload) in chunk.runs() {
        let count = payload.len() / run.form.record_bytes();
        let mut records = [Record::default(); 64];
        let mut done = 0;
        while done < count {
            let wanted = (count - done).min(64);
            let from = run.first_seq + done as u64;
            let copied = chunk.copy_records(from, &mut records[..wanted]);
            if copied == 0 {
                return;
            }
            done += copied;
            for &record in &records[..copied] {
                let is_held = sensor.is_some_and(|sensor| {
                    record.seq >= sensor.head_seq
                        && !(sensor.hole.0..sensor.hole.1).contains(&record.seq)
                });
                let order = (place.0, place.1, record.seq);
                if !(is_held || options.is_everything) || last.is_some_and(|last| order <= last) {
                    continue;
                }
                pass.entry(order).or_insert((record, run.period_ms));
                if pass.len() > PASS_RECORDS {
                    pass.pop_last();
                }
            }
        }
    }
}
