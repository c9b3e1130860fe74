//! Rolling a log forward: what its pages say, applied in order.

use super::{
    super::{
        append::KeyRange,
        cache::ReadFault,
        chunk::{Chunk, ClockChunk, LifeCounts, LossChunk, RecordsChunk, SensorChunk},
        io::Disk,
        log::Log,
        page::{PageFault, PageView},
        segment::{Position, Segment},
    },
    OpenError, State,
};

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
    /// Sensors in order of their keys.
    by_key: Vec<(u64, u32)>,
    /// Where the last one was found: chunks of a spill are sorted, so the next one is near.
    near: usize,
    losses: Vec<LossChunk>,
    clocks: Vec<ClockChunk>,
    pub(super) epoch: u32,
    pub(super) last_lsn: u64,
}

impl Roll {
    pub(super) fn new() -> Self {
        Self {
            sensors: Vec::new(),
            by_key: Vec::new(),
            near: 0,
            losses: Vec::new(),
            clocks: Vec::new(),
            epoch: 0,
            last_lsn: 0,
        }
    }

    pub(super) fn finish(&mut self, state: &mut State) {
        state.recovery.records = self.sensors.iter().map(|sensor| sensor.chunk.held).sum();
        state.sensors = core::mem::take(&mut self.sensors);
        state.losses = core::mem::take(&mut self.losses);
        state.clocks = core::mem::take(&mut self.clocks);
    }

    fn find(&mut self, key: u64) -> Result<usize, usize> {
        for at in self.near..(self.near + 4).min(self.by_key.len()) {
            if self.by_key[at].0 == key {
                self.near = at;
                return Ok(self.by_key[at].1 as usize);
            }
        }
        match self.by_key.binary_search_by_key(&key, |&(key, _)| key) {
            Ok(at) => {
                self.near = at;
                Ok(self.by_key[at].1 as usize)
            }
            Err(at) => Err(at),
        }
    }

    fn add(&mut self, at: usize, sensor: RecoveredSensor) -> usize {
        let index = self.sensors.len();
        self.by_key.insert(at, (sensor.chunk.key, index as u32));
        self.sensors.push(sensor);
        index
    }

    fn apply_sensor(&mut self, chunk: SensorChunk) {
        let position = Position { segment: chunk.first_segment, page: 0 };
        match self.find(chunk.key) {
            Ok(index) => {
                let sensor = &mut self.sensors[index];
                // The position that is known may be the nearer one.
                let position = if chunk.held > 0 && sensor.chunk.held > 0 {
                    sensor.position.max(position)
                } else {
                    position
                };
                *sensor = RecoveredSensor { chunk, position };
            }
            Err(at) => {
                self.add(at, RecoveredSensor { chunk, position });
            }
        }
    }

    fn apply_records(&mut self, chunk: &RecordsChunk<'_>, position: Position) {
        let header = &chunk.header;
        let index = match self.find(header.key) {
            Ok(index) => index,
            // Its definition was in a page that cannot be read.
            Err(at) => {
                let first_seq = header.first_seq - header.skip;
                let chunk = SensorChunk {
                    key: header.key,
                    kind: header.form.kind(),
                    is_active: false,
                    period_ms: header.period_ms.max(1),
                    head_seq: first_seq,
                    end_seq: first_seq,
                    held: 0,
                    hole: (first_seq, first_seq),
                    first_segment: position.segment,
                    counts: LifeCounts::default(),
                };
                self.add(at, RecoveredSensor { chunk, position })
            }
        };
        let sensor = &mut self.sensors[index];
        let known = &mut sensor.chunk;
        if chunk.end_seq() <= known.end_seq {
            return;
        }
        // Numbers that this chunk does not account for were in pages that cannot be read. They count
        // as held until whoever reads there finds that they are lost.
        let missing = (header.first_seq - header.skip).saturating_sub(known.end_seq);
        if known.held == 0 {
            known.head_seq =
                if missing > 0 { known.end_seq } else { header.first_seq.max(known.end_seq) };
            known.hole = (known.head_seq, known.head_seq);
            sensor.position = position;
        }
        known.held += missing + chunk.end_seq() - header.first_seq.max(known.end_seq);
        known.end_seq = chunk.end_seq();
    }

    fn apply(&mut self, view: &PageView<'_>, position: Position) -> KeyRange {
        let mut keys: KeyRange = None;
        for chunk in view.chunks() {
            // What follows a chunk that cannot be decoded cannot be told apart.
            let Ok(chunk) = chunk else { break };
            match chunk {
                Chunk::Records(chunk) => {
                    let key = chunk.header.key;
                    keys = Some((keys.map_or(key, |(first, _)| first), key));
                    self.apply_records(&chunk, position);
                }
                Chunk::Sensor(chunk) => self.apply_sensor(chunk),
                Chunk::Loss(loss) => {
                    let same = |known: &&mut LossChunk| {
                        (known.key, known.cause, known.first_seq)
                            == (loss.key, loss.cause, loss.first_seq)
                    };
                    match self.losses.iter_mut().rev().find(same) {
                        Some(known) => *known = loss,
                        None => self.losses.push(loss),
                    }
                }
                Chunk::Clock(clock) => {
                    self.clocks.retain(|known| known.epoch != clock.epoch);
                    self.clocks.push(clock);
                }
                Chunk::Head(_)
                | Chunk::CheckpointEnd { .. }
                | Chunk::Index(_)
                | Chunk::Footer(_) => {}
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

    /// Whether any page of the segment holds records.
    pub(super) fn holds_data(&mut self, segment: &Segment) -> Result<bool, OpenError> {
        for page in 0..segment.pages {
            let Some(view) = self.page_or_future(segment, page)? else { continue };
            if view.chunks().any(|chunk| matches!(chunk, Ok(Chunk::Records(_)))) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Applies every page of a segment. Of one that is still open, `pages` becomes where it ends.
    pub(super) fn roll_segment(
        &mut self,
        index: usize,
        segment: &Segment,
        is_open: bool,
        roll: &mut Roll,
        state: &mut State,
    ) -> Result<(), OpenError> {
        if is_open {
            self.fences.clear();
        }
        let (mut end, mut bad, mut data_page) = (0, 0, 0);
        for page in 0..segment.pages {
            let position = Position { segment: segment.id, page };
            let last_lsn = roll.last_lsn;
            let mut keys = None;
            if let Some(view) = self.page_or_future(segment, page)?
                // A page that is not newer than the one before it was left from before a cut.
                && view.info.lsn > last_lsn
            {
                roll.last_lsn = view.info.lsn;
                roll.epoch = roll.epoch.max(view.info.epoch);
                keys = roll.apply(&view, position);
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
                bad += 1;
            }
            if is_open {
                self.fences.push(keys);
            }
        }
        if !is_open {
            state.recovery.corrupt_pages += bad;
            return Ok(());
        }
        state.recovery.torn_pages = bad;
        self.fences.truncate(end);
        if let Some(open) = self.segments.get_mut(index) {
            open.pages = end;
            open.data_page = data_page;
        }
        Ok(())
    }

    /// The page, or `None` if what stands there is not it. A newer version is an error.
    fn page_or_future(
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
