//! The drain in log order: a backlog of all sensors is read once, front to back.

use super::{Core, Gateway};
use crate::{
    BatchToken, ConsumeError, Record, Sensor,
    disk::{
        Chunk, Disk, DiskError, Operation, PageView, Position, ReadFault, RecordsChunk,
        SECTOR_PAGES, pack_key,
    },
    ram::{BATCH_RECORDS_MAX, Env},
};

/// How much of the log one drain takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DrainLimits {
    /// Records of one batch at most.
    pub batch_records: usize,
}

impl Default for DrainLimits {
    fn default() -> Self {
        Self { batch_records: BATCH_RECORDS_MAX }
    }
}

/// What a drain handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Drained {
    /// Batches, one token each.
    pub batches: usize,
    /// Records in all of them.
    pub records: usize,
}

/// Where the next drain goes on.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cursor {
    at: Position,
    /// Chunks of the page that are done.
    chunks: u32,
    /// The sensor that the drain of RAM begins with.
    turn: u32,
}

impl Cursor {
    /// Something before is unsent again.
    pub(super) fn go_back_to(&mut self, at: Position) {
        if at <= self.at {
            self.at = at;
            self.chunks = 0;
        }
    }

    /// The segment was replaced: its pages are others.
    pub(super) fn replaced(&mut self, segment: u64) {
        if self.at.segment == segment {
            self.at.page = 0;
            self.chunks = 0;
        }
    }
}

/// What a drain has filled.
struct Filling<'a> {
    out: &'a mut [Record],
    batches: &'a mut [BatchToken],
    drained: Drained,
    batch_records: usize,
    /// The sensor of the last batch and the number after its last record.
    last: Option<(Sensor, u64)>,
}

/// What became of a chunk.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Taken {
    /// Done, whether anything of it was needed or not.
    Done,
    /// The drain ends here, and goes on here.
    Stop,
    /// Records in front of it are not where the drain came by.
    Elsewhere(Sensor),
}

impl<D: Disk> Gateway<D> {
    /// Hands out batches across all sensors in the order of the log, then what is in RAM: as many as
    /// `out` and `batches` have room for. Each batch's records lie in `out` behind those of the batch
    /// before. A sensor has one batch at most; the drain ends where a second one would begin, and goes
    /// on there when it is called again after the first was answered.
    pub fn drain(
        &mut self,
        limits: DrainLimits,
        out: &mut [Record],
        batches: &mut [BatchToken],
    ) -> Result<Drained, DiskError> {
        let batch_records = limits.batch_records.clamp(1, BATCH_RECORDS_MAX);
        let mut filling =
            Filling { out, batches, drained: Drained::default(), batch_records, last: None };
        let is_disk_done = self.drain_disk(&mut self.core(), &mut filling)?;
        if is_disk_done {
            self.drain_ram(&mut filling);
        }
        Ok(filling.drained)
    }

    fn drain_disk(&self, core: &mut Core<D>, filling: &mut Filling<'_>) -> Result<bool, DiskError> {
        let mut near = 0;
        loop {
            let index = core.log.segments.at_or_after(core.drain_at.at.segment);
            let Some(segment) = core.log.segments.get(index) else { return Ok(true) };
            if segment.id != core.drain_at.at.segment {
                core.drain_at.at = Position { segment: segment.id, page: 0 };
                core.drain_at.chunks = 0;
            }
            let page = core.drain_at.at.page.max(segment.data_page);
            if page >= segment.pages {
                if index + 1 == core.log.segments.len() {
                    return Ok(true);
                }
                core.drain_at.at = Position { segment: segment.id + 1, page: 0 };
                core.drain_at.chunks = 0;
                continue;
            }
            let done = if page == core.drain_at.at.page { core.drain_at.chunks } else { 0 };
            let log = &mut core.log;
            let view = match log.cache.page_ahead(&log.disk, &segment, page, SECTOR_PAGES) {
                Ok(view) => Some(view),
                Err(ReadFault::Disk(error)) => return Err(error),
                Err(ReadFault::Page(_)) => None,
            };
            let (mut chunks, mut taken) = (0, Taken::Done);
            for chunk in view.iter().flat_map(PageView::chunks) {
                if let Ok(Chunk::Records(chunk)) = chunk
                    && chunks >= done
                {
                    let at = Position { segment: segment.id, page };
                    taken = self.take_chunk(&chunk, &mut core.places, at, &mut near, filling);
                    if taken != Taken::Done {
                        break;
                    }
                }
                chunks += 1;
            }
            core.drain_at.at = Position { segment: segment.id, page };
            core.drain_at.chunks = chunks;
            match taken {
                Taken::Done => {
                    core.drain_at.at.page += 1;
                    core.drain_at.chunks = 0;
                }
                Taken::Stop => return Ok(false),
                Taken::Elsewhere(sensor) => {
                    // From where the sensor's records begin; the chunk is looked at again after that.
                    if !self.take_elsewhere(core, sensor, filling)? {
                        return Ok(false);
                    }
                }
            }
        }
    }

    fn take_chunk(
        &self,
        chunk: &RecordsChunk<'_>,
        places: &mut [super::Places],
        at: Position,
        near: &mut usize,
        filling: &mut Filling<'_>,
    ) -> Taken {
        let Some(sensor) = self.find_near(chunk.header.key, near) else { return Taken::Done };
        let owner = self.ram.owner(sensor);
        let taken = self.ram.with_tenant(sensor, |chain, tier, env| {
            let from = tier.unsent_from();
            if tier.disk_held == 0 || chunk.end_seq() <= from || from >= tier.disk_end {
                return Taken::Done;
            }
            let continues = filling.last == Some((sensor, from)) && chunk.header.first_seq <= from;
            if tier.pending(chain) > 0 && !continues {
                return Taken::Stop;
            }
            if chunk.header.first_seq > from {
                return Taken::Elsewhere(sensor);
            }
            let limit = tier.limit_from(from);
            let begun = usize::from(tier.disk_pending);
            let room = (filling.batch_records - begun.min(filling.batch_records))
                .min(filling.out.len() - filling.drained.records)
                .min((limit - from) as usize)
                .min(tier.disk_unsent() as usize);
            if room == 0 || (!continues && filling.drained.batches == filling.batches.len()) {
                return Taken::Stop;
            }
            let records = filling.drained.records;
            let copied = chunk.copy_records(from, &mut filling.out[records..records + room]);
            if !continues {
                places[sensor.index()].head = at;
                chain.count_attempt();
                filling.drained.batches += 1;
            }
            places[sensor.index()].batch_end = at;
            places[sensor.index()].batch_end_seq = from + copied as u64;
            filling.drained.records += copied;
            tier.head = if continues { tier.head } else { filling.out[records].seq };
            tier.disk_pending += copied as u16;
            filling.batches[filling.drained.batches - 1] = tier.token(chain, owner);
            filling.last = Some((sensor, from + copied as u64));
            let _ = env.slots();
            if copied == room && from + (copied as u64) < chunk.end_seq().min(limit) {
                Taken::Stop
            } else {
                Taken::Done
            }
        });
        taken.unwrap_or(Taken::Done)
    }

    /// A batch of a sensor whose oldest records lie before where the drain is, or are gone.
    fn take_elsewhere(
        &self,
        core: &mut Core<D>,
        sensor: Sensor,
        filling: &mut Filling<'_>,
    ) -> Result<bool, DiskError> {
        let from = filling.drained.records;
        let room = filling.batch_records.min(filling.out.len() - from);
        if room == 0 || filling.drained.batches == filling.batches.len() {
            return Ok(false);
        }
        let out = &mut filling.out[from..from + room];
        match self.consume_from_disk(core, sensor, out) {
            Ok(Some(token)) => {
                filling.batches[filling.drained.batches] = token;
                filling.drained.batches += 1;
                filling.drained.records += token.count() as usize;
                filling.last = None;
                Ok(true)
            }
            // What should have been there is listed as lost by now.
            Ok(None) => Ok(true),
            Err(ConsumeError::Unreadable) => {
                let error = std::io::Error::other("a page of the log could not be read");
                Err(DiskError::new(Operation::Read, "the log", error))
            }
            Err(_) => Ok(false),
        }
    }

    /// The sensor of this key; chunks of a spill are sorted, so the next one is near the last.
    fn find_near(&self, key: u64, near: &mut usize) -> Option<Sensor> {
        for index in *near..*near + 3 {
            match self.ram.nth_by_key(index) {
                Some((known, sensor)) if pack_key(known) == key => {
                    *near = index;
                    return Some(sensor);
                }
                _ => {}
            }
        }
        let (index, sensor) = self.ram.find_by_key(crate::disk::unpack_key(key)?)?;
        *near = index;
        Some(sensor)
    }

    fn drain_ram(&mut self, filling: &mut Filling<'_>) {
        let sensors = self.sensors().len() as u32;
        let first = self.core().drain_at.turn;
        for step in 0..sensors {
            let sensor = Sensor((first + step) % sensors);
            let from = filling.drained.records;
            let room = filling.batch_records.min(filling.out.len() - from);
            if room == 0 || filling.drained.batches == filling.batches.len() {
                self.core().drain_at.turn = sensor.0;
                return;
            }
            let out = &mut filling.out[from..from + room];
            if let Ok(Some(token)) = self.consume(sensor, out) {
                filling.batches[filling.drained.batches] = token;
                filling.drained.batches += 1;
                filling.drained.records += token.count() as usize;
            }
        }
    }
}
