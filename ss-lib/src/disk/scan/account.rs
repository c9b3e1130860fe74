//! Counts what can be read against what must be there, segment by segment in the order of the log.

use super::{
    super::{
        chunk::{RecordsChunk, unpack_key},
        io::{Disk, DiskError},
        page::SegmentSeed,
    },
    BadPages, ClockOffset, Identity, LOST_RANGES_MAX, LedgerLoss, LostPlace, LostRange, PageReader,
    Role, Scan, SegmentScan, SensorScan, SensorTime,
    pass::{Pass, finish_bad_pages, finish_failed_seals, finish_newest},
    state::{SensorState, State, cause_number},
    walk_segment,
};
use crate::{
    DropCause, Kind, SensorKey, SensorStats,
    planted::{self, Bug},
};
use std::{collections::BTreeMap, ops::Range};

/// A place in the log: which of the scan's segments, and which page.
type Place = (usize, u32);

struct Tally {
    state: SensorState,
    next: u64,
    found: u64,
    gaps: u64,
    last: Option<Place>,
    first_segment: Option<u64>,
    oldest: Option<SensorTime>,
    newest: Option<SensorTime>,
}

pub(super) struct Account {
    tallies: BTreeMap<u64, Tally>,
    ledger: BTreeMap<(u64, u64, u8), (u32, u64, u64)>,
    clocks: BTreeMap<u32, i64>,
    pub(super) state_index: usize,
    /// Each bad run's place, beside the scan's list of them.
    pub(super) bad_places: Vec<Place>,
    /// The segments' numbers, those of the log.
    log_ids: Vec<Option<u64>>,
    lost: Vec<LostRange>,
    lost_beyond: BTreeMap<u64, u64>,
}

/// The numbers of a chunk that are still held, given the sensor's cursors and the number up to which
/// other chunks have delivered: at most two ranges, around the hole.
pub(crate) fn live_part(
    (head, end, hole): (u64, u64, (u64, u64)),
    next: u64,
    records: Range<u64>,
) -> [Range<u64>; 2] {
    let first = records.start.max(head).max(next);
    let end = records.end.min(end);
    if first >= end {
        return [0..0, 0..0];
    }
    if hole.0 >= hole.1 || hole.1 <= first || hole.0 >= end {
        return [first..end, 0..0];
    }
    [first..hole.0.max(first), hole.1.min(end)..end]
}

fn len(range: &Range<u64>) -> u64 {
    range.end.saturating_sub(range.start)
}

impl Account {
    pub(super) fn new(state: State, state_index: usize, scan: &Scan) -> Self {
        let State { sensors, ledger, clocks, .. } = state;
        let tallies = sensors.into_iter().map(|(key, state)| {
            let tally = Tally {
                next: if planted::is(Bug::GapsBeforeCursors) { 0 } else { state.chunk.head_seq },
                state,
                found: 0,
                gaps: 0,
                last: None,
                first_segment: None,
                oldest: None,
                newest: None,
            };
            (key, tally)
        });
        Self {
            tallies: tallies.collect(),
            ledger,
            clocks,
            state_index,
            bad_places: Vec::new(),
            log_ids: scan.segments.iter().map(|s| s.role.is_log().then_some(s.segment)).collect(),
            lost: Vec::new(),
            lost_beyond: BTreeMap::new(),
        }
    }

    /// Reads one segment.
    pub(super) fn segment<D: Disk>(
        &mut self,
        reader: &mut PageReader<'_, D>,
        scan: &mut Scan,
        identity: &Identity,
        index: usize,
    ) -> Result<(), DiskError> {
        let mut segment = std::mem::take(&mut scan.segments[index]);
        if matches!(segment.role, Role::OtherStore(_)) {
            scan.segments[index] = segment;
            return Ok(());
        }
        let seed = SegmentSeed::new(&identity.store_id, segment.segment, segment.generation);
        let mut pass = Pass::new(self, scan, index);
        let walked = {
            let described = segment.clone();
            walk_segment(reader, &described, seed, &mut |number, page| {
                match page {
                    Ok(page) => pass.page(&mut segment, number, &page),
                    Err(fault) => pass.fault(&segment, number, fault),
                }
                true
            })
        };
        walked?;
        pass.end(&mut segment);
        scan.segments[index] = segment;
        Ok(())
    }

    pub(super) fn records(
        &mut self,
        segment: &mut SegmentScan,
        bad: &[BadPages],
        at: Place,
        chunk: &RecordsChunk<'_>,
    ) {
        segment.records += u64::from(chunk.count);
        let key = chunk.header.key;
        let Some(tally) = self.tallies.get_mut(&key) else { return };
        let cursors = &tally.state.chunk;
        let (first, end) = (chunk.header.first_seq, chunk.end_seq().min(cursors.end_seq));
        if end <= tally.next {
            return;
        }
        let cursors = (cursors.head_seq, cursors.end_seq, cursors.hole);
        let live = live_part(cursors, tally.next, first..end);
        let found = len(&live[0]) + len(&live[1]);
        let skipped_from = first.saturating_sub(chunk.header.skip);
        let gap = tally.next..skipped_from.min(end).max(tally.next);
        let last = tally.last;
        tally.found += found;
        segment.records_live += found;
        tally.next = end;
        tally.last = Some(at);
        if found > 0 {
            tally.first_segment.get_or_insert(segment.segment);
            tally.see_times(chunk);
        }
        if gap.start < gap.end {
            self.gap(key, gap, bad, last, Some(at));
        }
    }

    /// Numbers that no chunk holds: lost, but for the hole and what the ledger knows.
    fn gap(
        &mut self,
        key: u64,
        gap: Range<u64>,
        bad: &[BadPages],
        after: Option<Place>,
        before: Option<Place>,
    ) {
        let Some(tally) = self.tallies.get(&key) else { return };
        let hole = tally.state.chunk.hole;
        let mut at = gap.start;
        let mut explained: Vec<Range<u64>> = Vec::new();
        let entries = self.ledger.range((key, 0, 0)..(key, gap.end, 0));
        // The ledger is sorted by first number; ranges of several causes may overlap.
        for (&(_, first, _), &(count, _, _)) in entries {
            let end = first.saturating_add(u64::from(count));
            if end > gap.start {
                explained.push(first..end);
            }
        }
        if hole.0 < hole.1 {
            explained.push(hole.0..hole.1);
        }
        explained.sort_unstable_by_key(|range| range.start);
        let floor = tally.state.chunk.first_segment;
        let place = self.place_of(bad, floor, after, before);
        let last = gap.end..gap.end;
        for range in explained.into_iter().chain(std::iter::once(last)) {
            let end = range.start.min(gap.end);
            if end > at {
                self.lose(key, at..end, place);
            }
            at = at.max(range.end);
        }
    }

    fn lose(&mut self, key: u64, range: Range<u64>, place: LostPlace) {
        let count = len(&range);
        if let Some(tally) = self.tallies.get_mut(&key) {
            tally.gaps += count;
        }
        match unpack_key(key) {
            Some(key) if self.lost.len() < LOST_RANGES_MAX => {
                self.lost.push(LostRange { key, first_seq: range.start, count, place });
            }
            _ => *self.lost_beyond.entry(key).or_default() += count,
        }
    }

    /// The first bad run behind the records before a gap and in front of those after it; else the first
    /// segments that are missing there.
    fn place_of(
        &self,
        bad: &[BadPages],
        floor: u64,
        after: Option<Place>,
        before: Option<Place>,
    ) -> LostPlace {
        let from =
            self.bad_places.partition_point(|&place| after.is_some_and(|after| place < after));
        match bad.get(from) {
            // Pages are seen in their order: what is known of lies in front of what ends the gap.
            Some(run) => LostPlace::Pages {
                segment: run.segment,
                generation: run.generation,
                first_page: run.first_page,
                pages: run.pages,
            },
            None => self.missing_segments(floor, after, before),
        }
    }

    fn missing_segments(
        &self,
        floor: u64,
        after: Option<Place>,
        before: Option<Place>,
    ) -> LostPlace {
        let from = after.map_or(0, |(index, _)| index);
        let until = before.map_or(self.log_ids.len(), |(index, _)| index + 1);
        // What lies before the sensor's first segment is gone by rights.
        let mut first = after.is_none().then_some(floor);
        for id in self.log_ids[from..until.max(from)].iter().flatten() {
            match first {
                Some(first) if *id > first => {
                    return LostPlace::Segments { first, count: id - first };
                }
                _ => first = Some(id.saturating_add(1).max(floor)),
            }
        }
        LostPlace::Unknown
    }

    /// Ends the account: what is missing behind each sensor's last record, and the totals.
    pub(super) fn finish(mut self, scan: &mut Scan) {
        let tails: Vec<(u64, Range<u64>, Option<Place>)> = self
            .tallies
            .iter()
            .filter(|(_, tally)| tally.next < tally.state.chunk.end_seq)
            .map(|(&key, tally)| (key, tally.next..tally.state.chunk.end_seq, tally.last))
            .collect();
        for (key, gap, last) in tails {
            self.gap(key, gap, &scan.bad_pages, last, None);
        }
        finish_newest(scan);
        finish_failed_seals(scan);
        finish_bad_pages(scan);
        let newest = scan.log().map(|segment| segment.segment).next_back();
        scan.is_checkpoint_damaged = newest.is_some() && scan.state_segment != newest;
        for (&key, tally) in &self.tallies {
            if let Some(sensor) = tally.finish(key) {
                scan.sensors.push(sensor);
            }
        }
        // Numbers that nobody should hold: their gap was written off when the ledger was longer.
        for range in std::mem::take(&mut self.lost) {
            if scan.sensor(range.key).is_some_and(|sensor| sensor.lost > 0) {
                scan.lost.push(range);
            }
        }
        for (key, count) in self.lost_beyond {
            let sensor = unpack_key(key).and_then(|key| scan.sensor(key));
            if sensor.is_some_and(|sensor| sensor.lost > 0) {
                scan.lost_unlisted = scan.lost_unlisted.saturating_add(count);
            }
        }
        let mut ledger: Vec<_> = self.ledger.into_iter().collect();
        ledger.sort_unstable_by_key(|&(_, (_, _, order))| order);
        for ((key, first_seq, cause), (count, at_ms, _)) in ledger {
            let cause = DropCause::ALL.into_iter().find(|&c| cause_number(c) == cause);
            if let (Some(key), Some(cause)) = (unpack_key(key), cause) {
                scan.ledger.push(LedgerLoss { key, first_seq, count, cause, at_ms });
            }
        }
        let clocks = self.clocks.into_iter();
        scan.clocks.extend(clocks.map(|(epoch, offset_ms)| ClockOffset { epoch, offset_ms }));
    }
}

impl Tally {
    fn see_times(&mut self, chunk: &RecordsChunk<'_>) {
        let mut first = [crate::Record::default()];
        if chunk.copy_records(chunk.header.first_seq.max(self.state.chunk.head_seq), &mut first)
            == 1
        {
            let time = time_of(&first[0]);
            self.oldest.get_or_insert(time);
        }
        if chunk.copy_records(chunk.end_seq() - 1, &mut first) == 1 {
            self.newest = Some(time_of(&first[0]));
        }
    }

    fn finish(&self, key: u64) -> Option<SensorScan> {
        let key: SensorKey = unpack_key(key)?;
        let chunk = &self.state.chunk;
        let missing = chunk.held.saturating_sub(self.found);
        let is_short = missing > 0 || planted::is(Bug::GapsBeforeCursors);
        let lost = if is_short { self.gaps } else { 0 };
        let counts = &chunk.counts;
        let dropped = u128::from(counts.recycled)
            + u128::from(counts.corrupt)
            + u128::from(counts.quota)
            + u128::from(counts.disk_max);
        let unsent = self.found.saturating_add(lost);
        let left = u128::from(chunk.end_seq).checked_sub(u128::from(unsent) + dropped);
        let stats = SensorStats {
            added: chunk.end_seq,
            refused: counts.refused,
            erased: left.unwrap_or(0) as u64,
            rejected: counts.rejected,
            pending: 0,
            unsent,
            dropped_recycled: counts.recycled,
            dropped_corrupt: counts.corrupt,
            dropped_quota: counts.quota,
            dropped_disk_max: counts.disk_max,
        };
        Some(SensorScan {
            key,
            kind: chunk.kind,
            period_ms: if chunk.kind == Kind::Event { 0 } else { chunk.period_ms },
            is_active: chunk.is_active,
            is_defined: self.state.is_defined,
            head_seq: chunk.head_seq,
            end_seq: chunk.end_seq,
            held: self.found,
            lost,
            stats,
            is_conserved: stats.is_conserved() && stats.rejected <= stats.erased,
            first_segment: self.first_segment.unwrap_or(chunk.first_segment),
            oldest_ms: self.oldest,
            newest_ms: self.newest,
            hole: chunk.hole,
            counts: chunk.counts,
            order: self.state.order,
        })
    }
}

fn time_of(record: &crate::Record) -> SensorTime {
    SensorTime { ms: record.time_ms, clock: record.clock, epoch: record.epoch }
}
