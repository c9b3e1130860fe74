//! The newest state of every sensor: the newest complete checkpoint, and what the log says after it.

use super::{
    super::{
        chunk::{Chunk, InDoubt, LossChunk, RecordsChunk, SensorChunk},
        io::{Disk, DiskError},
        log_end::{BadRun, DOUBT_REACH, Openings},
        page::{PageInfo, SegmentSeed},
    },
    Fault, Identity, LEDGER_MAX, PageReader, Role, SENSORS_MAX, Scan, SegmentScan, walk_segment,
};
use crate::{DropCause, Kind};
use std::collections::BTreeMap;

/// A sensor as the log left it.
#[derive(Clone, Copy, Debug)]
pub(super) struct SensorState {
    pub(super) chunk: SensorChunk,
    pub(super) in_doubt: InDoubt,
    /// Its definition was read; else only records name it.
    pub(super) is_defined: bool,
    /// Its place in the order in which sensors appeared.
    pub(super) order: u32,
}

/// What the log says at its end.
#[derive(Default)]
pub(super) struct State {
    pub(super) sensors: BTreeMap<u64, SensorState>,
    /// By sensor, first number and cause: count, time, place in order of appearance.
    pub(super) ledger: BTreeMap<(u64, u64, u8), (u32, u64, u64)>,
    pub(super) clocks: BTreeMap<u32, i64>,
    losses_seen: u64,
    sensors_beyond_limit: u64,
}

/// Reads the state. The second answer is the index of the segment that it begins with.
pub(super) fn read<D: Disk>(
    reader: &mut PageReader<'_, D>,
    scan: &mut Scan,
    identity: &Identity,
) -> Result<(State, usize), DiskError> {
    find_log_end(reader, scan, identity)?;
    let mut first = None;
    for index in (0..scan.segments.len()).rev() {
        if scan.segments[index].role != Role::Log {
            continue;
        }
        let pages = checkpoint_pages(reader, scan, identity, index)?;
        let segment = &mut scan.segments[index];
        segment.checkpoint_pages = pages.unwrap_or(0);
        segment.has_checkpoint = pages.is_some();
        if pages.is_some() {
            first = Some(index);
            break;
        }
    }
    scan.state_segment = first.map(|index| scan.segments[index].segment);
    let first = first.unwrap_or(0);
    let mut state = State::default();
    let untold = find_doubt(reader, scan, identity, first)?;
    for index in untold.into_iter().chain(first..scan.segments.len()) {
        let segment = &scan.segments[index];
        if segment.role != Role::Log {
            continue;
        }
        let seed = SegmentSeed::new(&identity.store_id, segment.segment, segment.generation);
        walk_segment(reader, segment, seed, &mut |_, page| {
            if let Ok(page) = page {
                page.chunks().flatten().for_each(|chunk| state.chunk(&chunk));
            }
            true
        })?;
    }
    scan.sensors_beyond_limit = state.sensors_beyond_limit;
    Ok((state, first))
}

/// Finds where the log ends in a newest segment that was never sealed: in front of the first bad page that
/// no page behind it says was durable.
fn find_log_end<D: Disk>(
    reader: &mut PageReader<'_, D>,
    scan: &mut Scan,
    identity: &Identity,
) -> Result<(), DiskError> {
    let newest = scan.segments.iter().rposition(|segment| segment.role == Role::Log);
    let Some(index) = newest.filter(|&index| !scan.segments[index].has_footer) else {
        return Ok(());
    };
    // After an orderly shutdown everything was durable.
    let closed = scan.superblock.filter(|superblock| superblock.is_clean);
    let durable_lsn = closed.map_or(0, |superblock| superblock.last_lsn.saturating_add(1));
    // Where no page is known in front of its first bad ones there is no log.
    let (segment, before) = (&scan.segments[index], PageInfo::default());
    scan.segments[index].log_end =
        end_of_undurable(reader, segment, identity, before, durable_lsn)?;
    Ok(())
}

/// Finds the ends of the segments whose syncs failed, as an opening does (see [`Openings`]): where some of their
/// pages are missing, what stands behind these is no more to be relied on, and the next segment has what was made
/// durable of it. Returns those in front of `first`, the newest checkpoint's, that it may not tell of.
fn find_doubt<D: Disk>(
    reader: &mut PageReader<'_, D>,
    scan: &mut Scan,
    identity: &Identity,
    first: usize,
) -> Result<Vec<usize>, DiskError> {
    let is_log = |&index: &usize| scan.segments[index].role == Role::Log;
    let newest = (0..scan.segments.len()).rfind(is_log).unwrap_or(0);
    let in_reach = (0..first).rev().filter(is_log).nth(DOUBT_REACH - 1).unwrap_or(0);
    // A squeezed one was complete and durable before it counted: without its footer it is damaged.
    let is_suspect = |index: &usize| {
        let segment = &scan.segments[*index];
        is_log(index) && !segment.has_footer && segment.generation == 0
    };
    let suspects: Vec<usize> = (in_reach..newest).filter(is_suspect).collect();
    let mut untold = Vec::new();
    if suspects.is_empty() {
        return Ok(untold);
    }
    let mut openings = Openings { newest: 0, checkpoint: 0 };
    for segment in scan.segments.iter().rev().filter(|segment| segment.role == Role::Log) {
        if let Some(page) = last_page(reader, segment, identity)? {
            openings.newest = page.epoch;
            break;
        }
    }
    if let Some(found) = &scan.superblock {
        openings.newest = Openings::newest(openings.newest, found);
    }
    openings.checkpoint = first_page(reader, &scan.segments[first], identity)?.epoch;
    for index in suspects {
        let segment = &scan.segments[index];
        let Some(page) = last_page(reader, segment, identity)? else { continue };
        if index < first && openings.is_untold(page.epoch) {
            untold.push(index);
        }
        if !openings.is_in_doubt(page.epoch) {
            continue;
        }
        // The next segment was begun when the sync had failed, and its first page says what was durable
        // then. Its other pages do not: they count what was written again as durable.
        let next = scan.segments[index + 1..].iter().find(|segment| segment.role == Role::Log);
        let mut durable_lsn = 0;
        // A squeezed one, or one farther behind, was begun when more was durable.
        let is_next = |next: &&SegmentScan| {
            next.generation == 0 && next.segment == segment.segment.saturating_add(1)
        };
        if let Some(next) = next.filter(is_next) {
            durable_lsn = first_page(reader, next, identity)?.durable_lsn;
        }
        let mut before = None;
        if let Some(segment) = scan.segments[..index].iter().rfind(|it| it.role == Role::Log) {
            before = last_page(reader, segment, identity)?;
        }
        let before = before.unwrap_or_default();
        let end = end_of_undurable(reader, segment, identity, before, durable_lsn)?;
        scan.segments[index].log_end = end;
    }
    Ok(untold)
}

/// What the segment's first page says of itself; all zeros if it cannot be read.
fn first_page<D: Disk>(
    reader: &mut PageReader<'_, D>,
    segment: &SegmentScan,
    identity: &Identity,
) -> Result<PageInfo, DiskError> {
    Ok(page_read_last(reader, segment, identity, false)?.unwrap_or_default())
}

/// What the segment's last page in the log says of itself.
fn last_page<D: Disk>(
    reader: &mut PageReader<'_, D>,
    segment: &SegmentScan,
    identity: &Identity,
) -> Result<Option<PageInfo>, DiskError> {
    page_read_last(reader, segment, identity, true)
}

fn page_read_last<D: Disk>(
    reader: &mut PageReader<'_, D>,
    segment: &SegmentScan,
    identity: &Identity,
    goes_on: bool,
) -> Result<Option<PageInfo>, DiskError> {
    let seed = SegmentSeed::new(&identity.store_id, segment.segment, segment.generation);
    let mut last = None;
    walk_segment(reader, segment, seed, &mut |_, page| {
        last = page.map_or(last, |page| Some(page.info));
        goes_on
    })?;
    Ok(last)
}

/// Where the segment ends in front of a bad page that was never durable, if it has one. `last` is the page in front
/// of its first one, and `durable_lsn` what else is known to have been durable.
fn end_of_undurable<D: Disk>(
    reader: &mut PageReader<'_, D>,
    segment: &SegmentScan,
    identity: &Identity,
    mut last: PageInfo,
    mut durable_lsn: u64,
) -> Result<Option<u32>, DiskError> {
    let seed = SegmentSeed::new(&identity.store_id, segment.segment, segment.generation);
    let mut has_bad = false;
    walk_segment(reader, segment, seed, &mut |_, page| {
        match page {
            Ok(page) => durable_lsn = page.info.durable_lsn.max(durable_lsn),
            Err(_) => has_bad = true,
        }
        true
    })?;
    if !has_bad {
        return Ok(None);
    }
    let (mut end, mut run) = (None, BadRun::default());
    walk_segment(reader, segment, seed, &mut |number, page| {
        match page {
            Ok(page) => {
                end = run.end_before(last, (number, page.info.lsn), durable_lsn);
                last = page.info;
            }
            // A disk that does not read may another time.
            Err(Fault::Unreadable) => {}
            Err(_) if last.lsn == 0 => {}
            Err(fault) => run.note(number, fault.claimed_lsn(), last, durable_lsn),
        }
        end.is_none()
    })?;
    Ok(end.or_else(|| run.end_at_last(last.lsn, durable_lsn)))
}

/// Pages of the segment's checkpoint, if every one of them can be read and no sensor is missing.
fn checkpoint_pages<D: Disk>(
    reader: &mut PageReader<'_, D>,
    scan: &Scan,
    identity: &Identity,
    index: usize,
) -> Result<Option<u32>, DiskError> {
    let segment = &scan.segments[index];
    let seed = SegmentSeed::new(&identity.store_id, segment.segment, segment.generation);
    let mut pages = None;
    let mut sensors_seen = 0_u64;
    walk_segment(reader, segment, seed, &mut |number, page| {
        let Ok(page) = page else { return false };
        let is_begun = number > 0 || matches!(page.first_chunk(), Some(Chunk::Head(_)));
        for chunk in page.chunks().flatten() {
            match chunk {
                Chunk::Sensor(_) => sensors_seen += 1,
                // A squeezed segment need not repeat the sensors; it cannot be what the state begins with.
                Chunk::CheckpointEnd { sensors }
                    if is_begun
                        && sensors == sensors_seen
                        && (sensors > 0 || segment.generation == 0) =>
                {
                    pages = Some(number + 1);
                    return false;
                }
                Chunk::Head(_) | Chunk::Loss(_) | Chunk::Clock(_) => {}
                // What cannot stand in a checkpoint: its end is lost.
                _ => return false,
            }
        }
        is_begun
    })?;
    Ok(pages)
}

impl State {
    fn chunk(&mut self, chunk: &Chunk<'_>) {
        match chunk {
            Chunk::Sensor(sensor) => {
                if let Some(state) = self.place(sensor.key, || *sensor) {
                    let end_seq = state.chunk.end_seq;
                    (state.chunk, state.is_defined) = (*sensor, true);
                    state.in_doubt.told(&mut state.chunk, end_seq);
                }
            }
            Chunk::Records(records) => self.records(records),
            Chunk::Loss(loss) => self.loss(loss),
            Chunk::Clock(clock) => {
                if self.clocks.len() < SENSORS_MAX || self.clocks.contains_key(&clock.epoch) {
                    self.clocks.insert(clock.epoch, clock.offset_ms);
                }
            }
            Chunk::Head(_) | Chunk::CheckpointEnd { .. } | Chunk::Index(_) | Chunk::Footer(_) => {}
        }
    }

    fn place(
        &mut self,
        key: u64,
        undefined: impl FnOnce() -> SensorChunk,
    ) -> Option<&mut SensorState> {
        if self.sensors.len() >= SENSORS_MAX && !self.sensors.contains_key(&key) {
            self.sensors_beyond_limit += 1;
            return None;
        }
        let order = self.sensors.len() as u32;
        let entry = self.sensors.entry(key);
        Some(entry.or_insert_with(|| SensorState {
            chunk: undefined(),
            in_doubt: InDoubt::NONE,
            is_defined: false,
            order,
        }))
    }

    /// Records move the end. What their numbers leap over and `skip` does not explain should be held.
    fn records(&mut self, records: &RecordsChunk<'_>) {
        let (first, end) = (records.header.first_seq, records.end_seq());
        let Some(state) = self.place(records.header.key, || undefined(records)) else { return };
        let sensor = &mut state.chunk;
        let known_end = sensor.end_seq;
        let skip = records.header.skip;
        let gone = state.in_doubt.skipped(sensor, &(first..end), skip, known_end);
        sensor.held = sensor.held.saturating_sub(gone);
        if end <= sensor.end_seq {
            return;
        }
        let leap = first.saturating_sub(sensor.end_seq);
        let skipped = leap.min(records.header.skip);
        let new = end - first.max(sensor.end_seq);
        if sensor.held == 0 && skipped == leap {
            // Nothing is held before these: they are the head.
            sensor.head_seq = sensor.head_seq.max(end - new);
        }
        sensor.held += leap - skipped + new;
        sensor.end_seq = end;
    }

    fn loss(&mut self, loss: &LossChunk) {
        let place = (loss.key, loss.first_seq, cause_number(loss.cause));
        if self.ledger.len() >= LEDGER_MAX && !self.ledger.contains_key(&place) {
            return;
        }
        let entry = self.ledger.entry(place).or_insert((0, 0, self.losses_seen));
        self.losses_seen += 1;
        if loss.count >= entry.0 {
            (entry.0, entry.1) = (loss.count, loss.at_ms);
        }
    }
}

pub(super) fn cause_number(cause: DropCause) -> u8 {
    DropCause::ALL.iter().position(|&other| other == cause).unwrap_or(0) as u8
}

/// A sensor that only its records name.
fn undefined(records: &RecordsChunk<'_>) -> SensorChunk {
    let header = &records.header;
    let kind = header.form.kind();
    let is_event = kind == Kind::Event;
    SensorChunk {
        key: header.key,
        kind,
        is_active: true,
        period_ms: if is_event { 0 } else { header.period_ms.max(1) },
        head_seq: header.first_seq,
        end_seq: header.first_seq,
        held: 0,
        hole: (header.first_seq, header.first_seq),
        first_segment: 0,
        counts: super::super::chunk::LifeCounts::default(),
    }
}

#[cfg(test)]
mod tests;
