//! Reads a store's records in the order of the log, whatever its state: bad pages are passed over and
//! counted. Memory: one read buffer, one page's records, one number a sensor.

use super::{
    chunk::{Chunk, RecordsChunk, unpack_key},
    io::{Disk, DiskError},
    page::{PAGE_BYTES, SegmentSeed},
    scan::{PageReader, Role, Scan, SegmentScan, SegmentWalk, live_part},
};
use crate::{ClockKind, Record, SensorKey};
use std::{collections::BTreeMap, io};

/// Records that a page holds at most, of 4 B each.
const PAGE_RECORDS_MAX: usize = PAGE_BYTES / 4;

/// Which records to read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordFilter {
    /// Of these sensors. Empty: of all.
    pub keys: Vec<SensorKey>,
    /// Not before this time, in ms since 1970.
    pub from_ms: Option<u64>,
    /// Before this time, in ms since 1970.
    pub until_ms: Option<u64>,
    /// Also what was uploaded or dropped and is still on disk.
    pub is_everything: bool,
}

impl RecordFilter {
    /// Times of callers' own are taken as ms since 1970, as they usually are; a monotonic time that
    /// nobody related to UTC lies in no range.
    fn has_time(&self, exported: &Exported) -> bool {
        if self.from_ms.is_none() && self.until_ms.is_none() {
            return true;
        }
        let time_ms = match (exported.utc_ms, exported.record.clock) {
            (Some(ms), _) => ms,
            (None, ClockKind::Caller) => exported.record.time_ms,
            (None, _) => return false,
        };
        self.from_ms.is_none_or(|from| time_ms >= from)
            && self.until_ms.is_none_or(|until| time_ms < until)
    }
}

/// A record as it is exported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// Whose.
    pub key: SensorKey,
    /// The record.
    pub record: Record,
    /// When it was taken in ms since 1970, if its clock is UTC or was related to it later.
    pub utc_ms: Option<u64>,
}

/// Reads the records of a store that was scanned.
pub struct Records<'a, D: Disk> {
    scan: &'a Scan,
    filter: RecordFilter,
    reader: PageReader<'a, D>,
    /// The segment that is read, as an index in the scan's, and how far.
    index: usize,
    walk: Option<SegmentWalk<D>>,
    sift: Sift<'a>,
}

/// Takes from chunks what is asked for.
struct Sift<'a> {
    scan: &'a Scan,
    next: BTreeMap<u64, u64>,
    ready: Vec<Exported>,
    taken: usize,
    pages_skipped: u64,
}

impl<'a, D: Disk> Records<'a, D> {
    /// Begins with the oldest record.
    pub fn new(disk: &'a D, scan: &'a Scan, filter: RecordFilter) -> Self {
        let ready = Vec::with_capacity(PAGE_RECORDS_MAX);
        Self {
            scan,
            filter,
            reader: PageReader::new(disk),
            index: 0,
            walk: None,
            sift: Sift { scan, next: BTreeMap::new(), ready, taken: 0, pages_skipped: 0 },
        }
    }

    /// Fills `out` with the next records and says how many they are: 0 at the end. A sensor's records
    /// come in strictly increasing order of their numbers.
    pub fn next_records(&mut self, out: &mut [Exported]) -> Result<usize, DiskError> {
        let mut filled = 0;
        while filled < out.len() {
            let ready = &self.sift.ready[self.sift.taken..];
            if !ready.is_empty() {
                let count = ready.len().min(out.len() - filled);
                out[filled..filled + count].copy_from_slice(&ready[..count]);
                self.sift.taken += count;
                filled += count;
            } else if !self.next_page()? {
                break;
            }
        }
        Ok(filled)
    }

    /// Pages that were passed over because they are bad.
    pub fn pages_skipped(&self) -> u64 {
        self.sift.pages_skipped
    }

    /// Reads one more page. `false`: there is none.
    fn next_page(&mut self) -> Result<bool, DiskError> {
        self.sift.ready.clear();
        self.sift.taken = 0;
        let (scan, filter) = (self.scan, &self.filter);
        loop {
            let Some(walk) = &mut self.walk else {
                let Some(segment) = scan.segments.get(self.index) else { return Ok(false) };
                self.walk = open(&self.reader, scan, segment)?;
                if self.walk.is_none() {
                    self.index += 1;
                }
                continue;
            };
            match walk.next_page(&mut self.reader) {
                Some((_, Ok(page))) => {
                    for chunk in page.chunks().flatten() {
                        if let Chunk::Records(records) = chunk {
                            self.sift.records(filter, &records);
                        }
                    }
                    return Ok(true);
                }
                Some((_, Err(_))) => self.sift.pages_skipped += 1,
                None => {
                    self.walk = None;
                    self.index += 1;
                }
            }
        }
    }
}

/// Opens a segment of the log. `None`: it is none, or its owner erased it since.
fn open<D: Disk>(
    reader: &PageReader<'_, D>,
    scan: &Scan,
    segment: &SegmentScan,
) -> Result<Option<SegmentWalk<D>>, DiskError> {
    let (Some(identity), Role::Log) = (scan.identity, segment.role) else { return Ok(None) };
    let seed = SegmentSeed::new(&identity.store_id, segment.segment, segment.generation);
    match SegmentWalk::open(reader, segment, seed) {
        Err(error) if error.error.kind() == io::ErrorKind::NotFound => Ok(None),
        opened => opened.map(Some),
    }
}

impl Sift<'_> {
    fn records(&mut self, filter: &RecordFilter, chunk: &RecordsChunk<'_>) {
        let Some(key) = unpack_key(chunk.header.key) else { return };
        if !filter.keys.is_empty() && !filter.keys.contains(&key) {
            return;
        }
        let cursors = match self.scan.sensor(key) {
            _ if filter.is_everything => (0, u64::MAX, (0, 0)),
            Some(sensor) => (sensor.head_seq, sensor.end_seq, sensor.hole),
            None => return,
        };
        let next = self.next.entry(chunk.header.key).or_insert(0);
        let live = live_part(cursors, *next, chunk.header.first_seq..chunk.end_seq());
        *next = (*next).max(chunk.end_seq());
        let mut record = [Record::default(); 64];
        for range in live {
            let mut seq = range.start;
            while seq < range.end {
                let wanted = (range.end - seq).min(64) as usize;
                let count = chunk.copy_records(seq, &mut record[..wanted]);
                if count == 0 {
                    break;
                }
                for &record in &record[..count] {
                    let exported = Exported { key, record, utc_ms: self.utc_ms(&record) };
                    if filter.has_time(&exported) {
                        self.ready.push(exported);
                    }
                }
                seq += count as u64;
            }
        }
    }

    fn utc_ms(&self, record: &Record) -> Option<u64> {
        match record.clock {
            ClockKind::Utc => Some(record.time_ms),
            ClockKind::Caller => None,
            ClockKind::Monotonic => {
                let clocks = &self.scan.clocks;
                let place = clocks.binary_search_by_key(&record.epoch, |clock| clock.epoch).ok()?;
                record.time_ms.checked_add_signed(clocks[place].offset_ms)
            }
        }
    }
}
