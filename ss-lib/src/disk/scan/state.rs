//! The newest state of every sensor: the newest complete checkpoint, and what the log says after it.

use super::{
    super::{
        chunk::{Chunk, InDoubt, LossChunk, RecordsChunk, SensorChunk},
        io::{Disk, DiskError},
        log_end::BadRun,
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
    let in_doubt = in_front_in_doubt(scan, first);
    let newest = scan.segments.iter().rposition(|segment| segment.role == Role::Log);
    find_ends_in_doubt(reader, scan, identity, newest.unwrap_or(0))?;
    for index in in_doubt..scan.segments.len() {
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
    let newest = scan.segments.iter_mut().rev().find(|segment| segment.role == Role::Log);
    let Some(segment) = newest.filter(|segment| !segment.has_footer) else { return Ok(()) };
    // After an orderly shutdown everything was durable.
    let closed = scan.superblock.filter(|superblock| superblock.is_clean);
    let durable_lsn = closed.map_or(0, |superblock| superblock.last_lsn.saturating_add(1));
    segment.log_end = end_of_undurable(reader, segment, identity, durable_lsn)?;
    Ok(())
}

/// Finds the ends of the segments in front of `until` whose syncs failed. Where some of their pages are
/// missing, what stands behind these is no more to be relied on, and the next segment has what was made
/// durable of it. A page of a later opening says that they were made durable, or cut, before it.
fn find_ends_in_doubt<D: Disk>(
    reader: &mut PageReader<'_, D>,
    scan: &mut Scan,
    identity: &Identity,
    until: usize,
) -> Result<(), DiskError> {
    // A squeezed one was complete and durable before it counted.
    let is_doubtful = |segment: &SegmentScan| {
        segment.role == Role::Log && !segment.has_footer && segment.generation == 0
    };
    if !scan.segments[..until].iter().any(is_doubtful) {
        return Ok(());
    }
    let newest = scan.segments.iter().rev().filter(|segment| segment.role == Role::Log);
    let mut newest_epoch = 0;
    for segment in newest {
        newest_epoch = last_epoch(reader, segment, identity)?;
        if newest_epoch > 0 {
            break;
        }
    }
    for index in 0..until {
        let segment = &scan.segments[index];
        if !is_doubtful(segment) || last_epoch(reader, segment, identity)? < newest_epoch {
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
            let seed = SegmentSeed::new(&identity.store_id, next.segment, next.generation);
            walk_segment(reader, next, seed, &mut |_, page| {
                durable_lsn = page.map_or(0, |page| page.info.durable_lsn);
                false
            })?;
        }
        let end = end_of_undurable(reader, segment, identity, durable_lsn)?;
        scan.segments[index].log_end = end;
    }
    Ok(())
}

/// The opening of the segment's newest page; 0 if it has none.
fn last_epoch<D: Disk>(
    reader: &mut PageReader<'_, D>,
    segment: &SegmentScan,
    identity: &Identity,
) -> Result<u32, DiskError> {
    let seed = SegmentSeed::new(&identity.store_id, segment.segment, segment.generation);
    let mut epoch = 0;
    walk_segment(reader, segment, seed, &mut |_, page| {
        epoch = page.map_or(epoch, |page| page.info.epoch);
        true
    })?;
    Ok(epoch)
}

/// Where the segment ends in front of a bad page that was never durable, if it has one. `durable_lsn` is what
/// else is known to have been.
fn end_of_undurable<D: Disk>(
    reader: &mut PageReader<'_, D>,
    segment: &SegmentScan,
    identity: &Identity,
    mut durable_lsn: u64,
) -> Result<Option<u32>, DiskError> {
    let seed = SegmentSeed::new(&identity.store_id, segment.segment, segment.generation);
    let (mut last, mut has_bad) = (PageInfo::default(), false);
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
            // Before the first good page there is no log; a disk that does not read may another time.
            Err(Fault::Unreadable) => {}
            Err(_) if last.lsn == 0 => {}
            Err(fault) => run.note(number, fault.claimed_lsn(), last, durable_lsn),
        }
        end.is_none()
    })?;
    Ok(end.or_else(|| run.end_at_last(last.lsn, durable_lsn)))
}

/// The first of the log's segments right in front of `first` that were never sealed: a sync failed in
/// them, and numbers may stand there that the checkpoints behind them do not tell of.
fn in_front_in_doubt(scan: &Scan, mut first: usize) -> usize {
    for index in (0..first).rev() {
        let segment = &scan.segments[index];
        if segment.role != Role::Log {
            continue;
        }
        // A squeezed one was complete and durable before it counted: without its footer it is damaged.
        // Its own checkpoint does not matter: those behind it tell of every sensor that it told of.
        if segment.has_footer || segment.generation > 0 {
            break;
        }
        first = index;
    }
    first
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
