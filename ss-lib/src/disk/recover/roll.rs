//! Rolling a log forward: what its pages say, applied in order.

use super::super::log_end::BadRun;
use super::{
    super::{
        append::KeyRange,
        cache::ReadFault,
        chunk::{Chunk, ClockChunk, Extent, InDoubt, LifeCounts, LossChunk, Part, SensorChunk},
        io::Disk,
        log::Log,
        page::{PageFault, PageInfo, PageView},
        scan::LEDGER_MAX,
        segment::{Position, Segment},
    },
    OpenError, State,
};
use crate::planted::{self, Bug};
use std::collections::BTreeMap;

/// A sensor as the log left it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RecoveredSensor {
    pub(crate) chunk: SensorChunk,
    /// Where its head lies, or before.
    pub(crate) position: Position,
}

/// What was read so far.
pub(super) struct Roll {
    sensors: Vec<RecoveredSensor>,
    /// Sensors in order of their keys, with what every chunk of records changes: chunks of a spill are
    /// sorted, so that applying one walks along here.
    by_key: Vec<Known>,
    /// Where the last one was found: chunks of a spill are sorted, so the next one is near.
    near: usize,
    losses: Vec<LossChunk>,
    /// Where a loss stands among them, by sensor, cause and first number.
    loss_places: BTreeMap<(u64, u8, u64), usize>,
    /// The newest [`CLOCKS_MAX`].
    clocks: Vec<ClockChunk>,
    sensors_max: usize,
    losses_max: usize,
    pub(super) epoch: u32,
    pub(super) last_lsn: u64,
}

/// The part of a sensor's state that records change. It counts, not the sensor's chunk.
#[derive(Clone, Copy)]
struct Known {
    key: u64,
    end_seq: u64,
    held: u64,
    in_doubt: InDoubt,
    index: u32,
}

/// What the end of a segment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EndOf {
    /// Its last page.
    Segment,
    /// The log's: what is torn there is cut.
    Log,
    /// That of what a failed sync left. A power cut may have taken some of its pages and not others behind
    /// them. Of these the next segment has what was made durable, and they would stand in front of it.
    Doubt,
}

/// Places that are looked at one after the other before the search leaps.
const NEAR: usize = 12;

/// Openings whose clock is known at most; the oldest are forgotten.
pub(crate) const CLOCKS_MAX: usize = 64;

/// Sensors that an opening tells apart at least: bytes on disk decide how many there seem to be.
const SENSORS_READ_MIN: u32 = 1 << 16;

impl Roll {
    /// For a store that has so many places for sensors.
    pub(super) fn new(sensors_max: u32) -> Self {
        Self {
            sensors: Vec::new(),
            by_key: Vec::new(),
            near: 0,
            losses: Vec::new(),
            loss_places: BTreeMap::new(),
            clocks: Vec::new(),
            sensors_max: sensors_max.max(SENSORS_READ_MIN) as usize,
            losses_max: LEDGER_MAX.max(sensors_max as usize),
            epoch: 0,
            last_lsn: 0,
        }
    }

    /// Refuses a log with more sensors than can be told apart: what was read of it says too little.
    pub(super) fn check(&self) -> Result<(), OpenError> {
        if self.sensors.len() <= self.sensors_max {
            return Ok(());
        }
        let (holding, sensors_max) = (self.sensors.len() as u32, self.sensors_max as u32);
        Err(OpenError::TooManySensors { holding, sensors_max })
    }

    pub(super) fn finish(&mut self, state: &mut State) {
        for known in &self.by_key {
            let chunk = &mut self.sensors[known.index as usize].chunk;
            (chunk.end_seq, chunk.held) = (known.end_seq, known.held);
        }
        // Forged cursors may say more than there are numbers.
        let held = self.sensors.iter().map(|sensor| sensor.chunk.held);
        state.recovery.records = held.fold(0, u64::saturating_add);
        state.sensors = core::mem::take(&mut self.sensors);
        state.losses = core::mem::take(&mut self.losses);
        state.clocks = core::mem::take(&mut self.clocks);
    }

    /// The sensor's place in the order of keys, or where it would be.
    #[inline]
    fn find(&mut self, key: u64) -> Result<usize, usize> {
        if self.by_key.get(self.near).is_none_or(|near| near.key > key) {
            self.near = 0;
        }
        let near = &self.by_key[self.near..];
        let steps = near.iter().take(NEAR).take_while(|known| known.key < key).count();
        let at = if steps < NEAR {
            self.near + steps
        } else {
            self.near + near.partition_point(|known| known.key < key)
        };
        self.near = at;
        if self.by_key.get(at).is_some_and(|known| known.key == key) { Ok(at) } else { Err(at) }
    }

    fn add(&mut self, at: usize, sensor: RecoveredSensor) {
        let SensorChunk { key, end_seq, held, .. } = sensor.chunk;
        self.by_key.insert(
            at,
            Known { key, end_seq, held, in_doubt: InDoubt::NONE, index: self.sensors.len() as u32 },
        );
        self.sensors.push(sensor);
    }

    fn apply_sensor(&mut self, mut chunk: SensorChunk) {
        let position = Position { segment: chunk.first_segment, page: 0 };
        match self.find(chunk.key) {
            Ok(at) => {
                let known = &mut self.by_key[at];
                known.in_doubt.told(&mut chunk, known.end_seq);
                let sensor = &mut self.sensors[known.index as usize];
                // The position that is known may be the nearer one, but not of a head in front of it.
                let is_behind = chunk.head_seq >= sensor.chunk.head_seq;
                let position = if chunk.held > 0 && known.held > 0 && is_behind {
                    sensor.position.max(position)
                } else {
                    position
                };
                (known.end_seq, known.held) = (chunk.end_seq, chunk.held);
                *sensor = RecoveredSensor { chunk, position };
            }
            Err(at) => self.add(at, RecoveredSensor { chunk, position }),
        }
    }

    fn apply_records(&mut self, extent: &Extent, position: Position) {
        let at = match self.find(extent.key) {
            Ok(at) => at,
            // Its definition was in a page that cannot be read.
            Err(at) => {
                let first_seq = extent.first_seq - extent.skip;
                let chunk = SensorChunk {
                    key: extent.key,
                    kind: extent.kind,
                    is_active: false,
                    period_ms: 1,
                    head_seq: first_seq,
                    end_seq: first_seq,
                    held: 0,
                    hole: (first_seq, first_seq),
                    first_segment: position.segment,
                    counts: LifeCounts::default(),
                };
                self.add(at, RecoveredSensor { chunk, position });
                at
            }
        };
        let known = &mut self.by_key[at];
        let records = extent.first_seq..extent.end_seq;
        let chunk = &mut self.sensors[known.index as usize].chunk;
        let gone = known.in_doubt.skipped(chunk, &records, extent.skip, known.end_seq);
        known.held = known.held.saturating_sub(gone);
        if extent.end_seq <= known.end_seq {
            return;
        }
        // Numbers that this chunk does not account for were in pages that cannot be read. They count
        // as held until whoever reads there finds that they are lost.
        let missing = (extent.first_seq - extent.skip).saturating_sub(known.end_seq);
        if known.held == 0 {
            let sensor = &mut self.sensors[known.index as usize];
            let head_seq =
                if missing > 0 { known.end_seq } else { extent.first_seq.max(known.end_seq) };
            sensor.chunk.head_seq = head_seq;
            sensor.chunk.hole = (head_seq, head_seq);
            sensor.position = position;
        }
        // Forged cursors may say more than there are numbers.
        let found = extent.end_seq - extent.first_seq.max(known.end_seq);
        known.held = known.held.saturating_add(missing).saturating_add(found);
        known.end_seq = extent.end_seq;
    }

    /// A later chunk of the same loss is the longer one. Beyond what a reader keeps, the counts of the
    /// sensors have it.
    fn apply_loss(&mut self, loss: &LossChunk) {
        let place = (loss.key, loss.cause as u8, loss.first_seq);
        match self.loss_places.get(&place) {
            Some(&at) => {
                let known = &mut self.losses[at];
                if loss.count >= known.count {
                    *known = *loss;
                }
            }
            None if self.losses.len() < self.losses_max => {
                self.loss_places.insert(place, self.losses.len());
                self.losses.push(*loss);
            }
            None => {}
        }
    }

    fn apply(&mut self, view: &PageView<'_>, position: Position) -> KeyRange {
        let mut keys: KeyRange = None;
        // What follows a chunk that cannot be decoded cannot be told apart.
        let mut chunks = view.chunks();
        while let Ok(Some(part)) = chunks.next_part() {
            let chunk = match part {
                Part::Records(extent) => {
                    let key = extent.key;
                    keys = Some((keys.map_or(key, |(first, _)| first), key));
                    self.apply_records(&extent, position);
                    continue;
                }
                Part::Other(chunk) => chunk,
            };
            match chunk {
                Chunk::Sensor(chunk) => self.apply_sensor(chunk),
                Chunk::Loss(loss) => self.apply_loss(&loss),
                Chunk::Clock(clock) => {
                    self.clocks.retain(|known| known.epoch != clock.epoch);
                    if self.clocks.len() == CLOCKS_MAX {
                        self.clocks.remove(0);
                    }
                    self.clocks.push(clock);
                }
                _ => {}
            }
        }
        keys
    }
}

impl<D: Disk> Log<D> {
    /// Whether the segment begins with a complete checkpoint.
    pub(super) fn has_checkpoint(&mut self, segment: &Segment) -> Result<bool, OpenError> {
        for page in 0..segment.pages {
            let Some(view) = self.page_or_future(segment, page)? else { return Ok(false) };
            for chunk in view.chunks() {
                match chunk {
                    Ok(Chunk::CheckpointEnd { .. }) => return Ok(true),
                    Ok(Chunk::Head(_) | Chunk::Sensor(_) | Chunk::Loss(_) | Chunk::Clock(_)) => {}
                    _ => return Ok(false),
                }
            }
        }
        Ok(false)
    }

    /// Whether nothing can be in a segment whose checkpoint is not complete: no page of it holds records,
    /// and none was written when its first page was durable.
    pub(super) fn is_just_begun(&mut self, segment: &Segment) -> Result<bool, OpenError> {
        for page in 0..segment.pages {
            let Some(view) = self.page_or_future(segment, page)? else { continue };
            let follows_checkpoint = view.info.lsn - view.info.durable_lsn < u64::from(page);
            let holds_records =
                || view.chunks().any(|chunk| matches!(chunk, Ok(Chunk::Records(_))));
            if follows_checkpoint || holds_records() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Applies every page of a segment. Of one that is still open or in doubt, `pages` becomes where it ends.
    pub(super) fn roll_segment(
        &mut self,
        index: usize,
        segment: &Segment,
        end_of: EndOf,
        roll: &mut Roll,
        state: &mut State,
    ) -> Result<(), OpenError> {
        let is_open = end_of == EndOf::Log;
        if is_open {
            self.fences.clear();
        }
        let (mut end, mut bad, mut data_page) = (0, 0, 0);
        let (mut log_end, mut is_end_known) = (segment.pages, end_of == EndOf::Segment);
        let (mut page, mut last_epoch) = (0, 0);
        while page < log_end {
            let position = Position { segment: segment.id, page };
            let last_lsn = roll.last_lsn;
            let mut keys = None;
            if let Some(view) = self.page_or_future(segment, page)?
                // A page that is not newer than the one before it was left from before a cut.
                && view.info.lsn > last_lsn
            {
                roll.last_lsn = view.info.lsn;
                last_epoch = view.info.epoch;
                roll.epoch = roll.epoch.max(view.info.epoch);
                keys = roll.apply(&view, position);
                roll.check()?;
                if is_open && matches!(view.first_chunk(), Some(Chunk::Index(_) | Chunk::Footer(_)))
                {
                    // A sealing that was cut: its index is made again.
                    continue;
                }
                let ends_checkpoint = |chunk| matches!(chunk, Ok(Chunk::CheckpointEnd { .. }));
                if data_page == 0 && view.chunks().any(ends_checkpoint) {
                    data_page = page + 1;
                }
                state.recovery.corrupt_pages += core::mem::take(&mut bad);
                end = page + 1;
            } else {
                if !is_end_known {
                    is_end_known = true;
                    let durable_lsn = self.durable_before_end(index, end_of)?;
                    log_end = self.log_end(segment, page, (last_lsn, last_epoch), durable_lsn)?;
                    if page >= log_end {
                        break;
                    }
                }
                bad += 1;
            }
            if is_open {
                self.fences.push(keys);
            }
            page += 1;
        }
        if end_of == EndOf::Segment {
            state.recovery.corrupt_pages += bad;
            return Ok(());
        }
        if end_of == EndOf::Doubt {
            // Bad pages that were durable stay where they are: only what lies behind them goes.
            state.recovery.corrupt_pages += bad;
            if let Some(segment) = self.segments.get_mut(index).filter(|it| it.pages > page) {
                segment.pages = page;
                state.cut.push(segment.id);
            }
            return Ok(());
        }
        state.recovery.torn_pages = segment.pages - end;
        if planted::is(Bug::TornIsCorrupt) {
            state.recovery.corrupt_pages += state.recovery.torn_pages;
        }
        self.fences.truncate(end);
        if let Some(open) = self.segments.get_mut(index) {
            open.pages = end;
            open.data_page = data_page;
        }
        Ok(())
    }

    /// Where the log ends in a segment that was never sealed, whose page `from` cannot be read: in front of
    /// the first such page that neither a page behind it nor `durable_lsn` says was durable. A power cut may
    /// have taken it, and what lies behind it was no more promised than it was. Number and opening are of
    /// the page in front.
    fn log_end(
        &mut self,
        segment: &Segment,
        from: u32,
        (last_lsn, last_epoch): (u64, u32),
        mut durable_lsn: u64,
    ) -> Result<u32, OpenError> {
        if planted::is(Bug::CorruptIsTorn) {
            return Ok(from);
        }
        for page in from..segment.pages {
            if let Some(view) = self.page_or_future(segment, page)? {
                durable_lsn = durable_lsn.max(view.info.durable_lsn);
            }
        }
        let mut run = BadRun::default();
        let mut last = PageInfo { lsn: last_lsn, epoch: last_epoch, ..PageInfo::default() };
        for page in from..segment.pages {
            match self.page_or_future(segment, page)? {
                Some(view) if view.info.lsn > last.lsn => {
                    let next = (page, view.info.lsn);
                    if let Some(end) = run.end_before(last, next, durable_lsn) {
                        return Ok(end);
                    }
                    last = view.info;
                }
                Some(_) => run.note(page, None, last, durable_lsn),
                None => {
                    let claimed_lsn = self.cache.claimed_lsn(&self.disk, segment, page);
                    run.note(page, claimed_lsn, last, durable_lsn);
                }
            }
        }
        Ok(run.end_at_last(last.lsn, durable_lsn).unwrap_or(segment.pages))
    }

    /// The page, or `None` if what stands there is not it. A newer version is an error.
    pub(super) fn page_or_future(
        &mut self,
        segment: &Segment,
        page: u32,
    ) -> Result<Option<PageView<'_>>, OpenError> {
        match self.cache.page_ahead(&self.disk, segment, page, super::super::SECTOR_PAGES) {
            Ok(view) => Ok(Some(view)),
            Err(ReadFault::Disk(error)) => Err(error.into()),
            Err(ReadFault::Page(PageFault::FutureVersion(version))) => {
                Err(OpenError::FutureVersion { file: segment.name(), version })
            }
            Err(ReadFault::Page(_)) => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests;
