//! Squeezing: a sealed segment's live records, sorted by sensor over the whole segment, in a file that
//! takes its place.
//!
//! A fresh spill holds few records of each sensor, so a sensor's records lie all over the segment and
//! every few of them pay for a chunk's head. Squeezed, a sensor's records lie in one place behind one
//! head. The new file has the same number and the next generation; it is complete and durable before
//! the old one goes, and until then nobody takes it for the segment.
//!
//! Memory is bounded: a group of sensors at a time is gathered from the pages that hold them, into
//! the log's buffer; [`Squeeze::step`] does one group, so that nobody waits long for the log.

mod gather;
mod join;

use super::{
    append::{Appender, Control, Place},
    cache::ReadFault,
    chunk::{Chunk, Head, RecordsChunk, RunHeader},
    io::{Disk, DiskError, Operation, write_all_at},
    log::Log,
    page::{PAGE_BYTES, PageInfo, PageView},
    seal::Fences,
    segment::{Segment, SegmentState},
};
use crate::planted::{self, Bug};
use gather::{GATHERED_MAX, Gathered, Group, Next};
use join::Joined;

/// Pages of the buffer in front of the new file.
pub(crate) const SQUEEZE_PAGES: usize = 4;
/// No key is as large.
const KEY_END: u64 = 1 << 40;

/// A squeeze under way, in memory taken once.
pub(crate) struct Squeeze<D: Disk> {
    appender: Appender,
    gathered: Vec<Gathered>,
    work: Option<Work<D>>,
}

struct Work<D: Disk> {
    old: Segment,
    new: Segment,
    file: D::File,
    next: Next,
    /// How far the last group reached: the next one is guessed to reach as far.
    span: u64,
    stage: Stage,
    fences: Fences,
    /// The index entry that grows while a sensor's pages go by.
    entry: Option<Entry>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Checkpoint,
    Data,
    Index { page: u32, index_page: u32 },
}

#[derive(Clone, Copy)]
struct Entry {
    key: u64,
    first_seq: u64,
    end_seq: u64,
    first_page: u32,
    last_page: u32,
}

/// What a step came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Squeezed {
    /// There is more to do.
    Working,
    /// The segment with this number was replaced; positions in it begin anew.
    Replaced {
        segment: u64,
        /// What it held is durable now.
        was_suspect: bool,
    },
    /// It was not worth it; the old file stays.
    Kept(u64),
}

impl<D: Disk> Squeeze<D> {
    pub(crate) fn new() -> Self {
        Self {
            appender: Appender::new(SQUEEZE_PAGES),
            gathered: Vec::with_capacity(GATHERED_MAX),
            work: None,
        }
    }

    /// Bytes on the heap.
    pub(crate) const fn footprint_bytes() -> u64 {
        Appender::footprint_bytes(SQUEEZE_PAGES) + (GATHERED_MAX * size_of::<Gathered>()) as u64
    }

    pub(crate) const fn is_working(&self) -> bool {
        self.work.is_some()
    }

    /// Bytes of the file that is being written.
    pub(crate) fn bytes(&self) -> u64 {
        self.work.as_ref().map_or(0, |work| work.new.bytes())
    }

    /// Whether this segment is being squeezed.
    pub(crate) fn is_of(&self, segment: u64) -> bool {
        self.work.as_ref().is_some_and(|work| work.old.id == segment)
    }

    /// Begins to squeeze the segment at `index`; the caller puts the checkpoint's chunks by
    /// [`put_control`](Self::put_control) and then calls [`step`](Self::step).
    pub(crate) fn begin(&mut self, log: &mut Log<D>, index: usize) -> Result<bool, DiskError> {
        let Some(old) = log.segments.get(index) else { return Ok(false) };
        let Some(generation) = old.generation.checked_add(1) else { return Ok(false) };
        let new = Segment::new(old.id, generation, SegmentState::Sealed);
        let first_lsn = match log.cache.page(&log.disk, &old, 0) {
            Ok(view) => view.info.lsn,
            Err(ReadFault::Disk(error)) => return Err(error),
            Err(ReadFault::Page(_)) => return Ok(false),
        };
        let name = new.name();
        // Left over from a squeeze that was cut.
        let _ = log.disk.unlink(name.as_str());
        log.cache.forget(&new);
        let file = log
            .disk
            .create(name.as_str())
            .map_err(|error| DiskError::new(Operation::Create, name, error))?;
        self.appender.begin(Place {
            seed: new.seed(&log.superblock.store_id),
            page: 0,
            // A squeezed page is durable before anybody sees it.
            info: PageInfo {
                lsn: first_lsn,
                durable_lsn: first_lsn,
                base_ms: log.now_ms,
                epoch: log.superblock.epoch,
            },
        });
        let head = Head {
            store_id: log.superblock.store_id,
            segment: new.id,
            generation,
            segment_pages: log.superblock.segment_pages,
        };
        self.appender.put_chunk(|page| page.push_head(&head));
        self.work = Some(Work {
            old,
            new,
            file,
            next: Next::default(),
            span: KEY_END,
            stage: Stage::Checkpoint,
            fences: Fences::new(0),
            entry: None,
        });
        Ok(true)
    }

    /// Puts one chunk of the checkpoint.
    pub(crate) fn put_control(
        &mut self,
        log: &mut Log<D>,
        chunk: &Control,
    ) -> Result<(), DiskError> {
        if !self.appender.put_control(chunk) {
            self.flush(log)?;
            self.appender.put_control(chunk);
        }
        Ok(())
    }

    /// Ends the checkpoint of `sensors` sensors.
    pub(crate) fn end_checkpoint(
        &mut self,
        log: &mut Log<D>,
        sensors: u64,
    ) -> Result<(), DiskError> {
        if !self.appender.put_chunk(|page| page.push_checkpoint_end(sensors)) {
            self.flush(log)?;
            self.appender.put_chunk(|page| page.push_checkpoint_end(sensors));
        }
        self.flush(log)?;
        if let Some(work) = &mut self.work {
            work.new.data_page = work.new.pages;
            work.stage = Stage::Data;
        }
        Ok(())
    }

    /// Writes what the buffer holds. Too many pages: the new file would be no smaller.
    fn flush(&mut self, log: &mut Log<D>) -> Result<(), DiskError> {
        self.appender.seal_page();
        let Some(work) = &mut self.work else { return Ok(()) };
        let bytes = self.appender.bytes();
        let name = work.new.name();
        write_all_at(&*log.disk, &work.file, bytes, work.new.bytes())
            .map_err(|(_, error)| DiskError::new(Operation::Write, name, error))?;
        log.counts.bytes_written += bytes.len() as u64;
        work.new.pages += self.appender.built() as u32;
        self.appender.advance();
        log.counts.bytes_peak = log.counts.bytes_peak.max(log.segments.bytes() + work.new.bytes());
        Ok(())
    }

    /// Gives up; the old file stays.
    pub(crate) fn abandon(&mut self, log: &Log<D>) {
        if let Some(work) = self.work.take() {
            let _ = log.disk.unlink(work.new.name().as_str());
        }
    }

    /// Does a bounded part of the work. `head_of` says where a sensor's held records begin: those
    /// before it stay out.
    pub(crate) fn step(
        &mut self,
        log: &mut Log<D>,
        head_of: &dyn Fn(u64) -> u64,
    ) -> Result<Squeezed, DiskError> {
        let Some(work) = &self.work else { return Ok(Squeezed::Kept(0)) };
        let segment = work.old.id;
        // The numbers of its pages must stay below the next segment's, and it should be smaller.
        if work.new.pages >= work.old.pages {
            self.abandon(log);
            return Ok(Squeezed::Kept(segment));
        }
        match work.stage {
            Stage::Checkpoint => Ok(Squeezed::Working),
            Stage::Data if work.next.key < KEY_END => {
                self.squeeze_group(log, head_of)?;
                Ok(Squeezed::Working)
            }
            Stage::Data => {
                self.flush(log)?;
                if let Some(work) = &mut self.work {
                    let data_end = work.new.pages;
                    work.fences = Fences::new(data_end);
                    work.stage = Stage::Index { page: work.new.data_page, index_page: data_end };
                }
                Ok(Squeezed::Working)
            }
            Stage::Index { page, index_page } => self.index_pages(log, page, index_page),
        }
    }

    /// Gathers the runs of the next sensors and writes them, sensor by sensor.
    fn squeeze_group(
        &mut self,
        log: &mut Log<D>,
        head_of: &dyn Fn(u64) -> u64,
    ) -> Result<(), DiskError> {
        let Some(work) = &mut self.work else { return Ok(()) };
        // The pages before the one where a sensor is gone on with hold others' records.
        let is_rest = work.next.seq > 0 || work.next.page > 0;
        let span = if is_rest { 1 } else { work.span };
        let mut group = Group {
            from: work.next,
            limit: work.next.key.saturating_add(span).min(KEY_END),
            buffer: log.appender.take_scratch(),
            used: 0,
            rest: None,
        };
        let wanted = group.limit;
        self.gathered.clear();
        let mut result = group.gather(log, &work.old, &mut self.gathered, head_of);
        if result.is_ok() {
            let has_room =
                2 * group.used < group.buffer.len() && 2 * self.gathered.len() < GATHERED_MAX;
            work.span = match group.limit == wanted {
                // A guess that is too large costs the pages that were read for what had no room.
                true if has_room => work.span.saturating_mul(2),
                true => work.span,
                false => (group.limit - work.next.key).max(1),
            };
            work.next = group.rest.unwrap_or(Next { key: group.limit, seq: 0, page: 0 });
            result = self.write_group(log, &group.buffer);
        }
        log.appender.give_back_scratch(group.buffer);
        result
    }

    /// Writes what was gathered, joined to as few chunks as possible.
    fn write_group(&mut self, log: &mut Log<D>, buffer: &[u8]) -> Result<(), DiskError> {
        self.gathered.sort_unstable_by_key(|run| (run.header.key, run.header.first_seq, run.at));
        let mut joined = Joined::new();
        for index in 0..self.gathered.len() {
            let run = self.gathered[index];
            let payload = &buffer[run.at as usize..][..run.len as usize];
            if !joined.join(&run.header, payload, self.appender.room()) {
                self.put_joined(log, &mut joined)?;
                if !joined.join(&run.header, payload, self.appender.room()) {
                    // Longer than what is joined: it is a chunk, or several, of its own.
                    self.put_run(log, &run.header, payload)?;
                }
            }
        }
        self.put_joined(log, &mut joined)
    }

    fn put_joined(&mut self, log: &mut Log<D>, joined: &mut Joined) -> Result<(), DiskError> {
        let Some((header, runs, payload)) = joined.take() else { return Ok(()) };
        if runs.is_empty() {
            return self.put_run(log, &header, payload);
        }
        if self.appender.put_runs(&header, runs, payload) == 0 {
            self.flush(log)?;
            self.appender.put_runs(&header, runs, payload);
        }
        Ok(())
    }

    fn put_run(
        &mut self,
        log: &mut Log<D>,
        header: &RunHeader,
        payload: &[u8],
    ) -> Result<(), DiskError> {
        let (mut header, mut rest) = (*header, payload);
        while !rest.is_empty() {
            let put = self.appender.put_records(&header, rest);
            if put == 0 {
                self.flush(log)?;
            }
            rest = &rest[put * header.form.record_bytes()..];
            header = header.starting_at(put as u32);
        }
        Ok(())
    }

    /// Reads the new file's data pages, which are sorted by sensor, and writes the index.
    fn index_pages(
        &mut self,
        log: &mut Log<D>,
        from_page: u32,
        index_page: u32,
    ) -> Result<Squeezed, DiskError> {
        let mut page = from_page;
        let until = (from_page + 256).min(index_page);
        while page < until {
            self.index_page(log, page)?;
            page += 1;
        }
        if page < index_page {
            if let Some(work) = &mut self.work {
                work.stage = Stage::Index { page, index_page };
            }
            return Ok(Squeezed::Working);
        }
        self.put_entry(log)?;
        self.finish(log)
    }

    fn index_page(&mut self, log: &mut Log<D>, page: u32) -> Result<(), DiskError> {
        let Some(work) = &self.work else { return Ok(()) };
        let mut bytes = [0; PAGE_BYTES];
        let (name, offset) = (work.new.name(), u64::from(page) * PAGE_BYTES as u64);
        super::io::read_exact_at(&*log.disk, &work.file, &mut bytes, offset)
            .map_err(|error| DiskError::new(Operation::Read, name, error))?;
        let seed = work.new.seed(&log.superblock.store_id);
        let Ok(view) = PageView::check(&bytes, seed, page) else {
            let error = std::io::Error::from(std::io::ErrorKind::InvalidData);
            return Err(DiskError::new(Operation::Read, name, error));
        };
        for chunk in view.chunks() {
            let Ok(Chunk::Records(chunk)) = chunk else { continue };
            self.note(log, &chunk, page)?;
        }
        Ok(())
    }

    fn note(
        &mut self,
        log: &mut Log<D>,
        chunk: &RecordsChunk<'_>,
        page: u32,
    ) -> Result<(), DiskError> {
        let key = chunk.header.key;
        let Some(work) = &mut self.work else { return Ok(()) };
        if let Some(entry) = &mut work.entry
            && entry.key == key
        {
            entry.end_seq = entry.end_seq.max(chunk.end_seq());
            entry.last_page = page;
            // A list of pages must fit into an entry; a page each in a row takes a byte.
            if entry.last_page - entry.first_page < 2_048 {
                return Ok(());
            }
            return self.put_entry(log);
        }
        self.put_entry(log)?;
        if let Some(work) = &mut self.work {
            work.entry = Some(Entry {
                key,
                first_seq: chunk.header.first_seq,
                end_seq: chunk.end_seq(),
                first_page: page,
                last_page: page,
            });
        }
        Ok(())
    }

    /// Writes the entry of the sensor that went by.
    fn put_entry(&mut self, log: &mut Log<D>) -> Result<(), DiskError> {
        let Some(work) = &mut self.work else { return Ok(()) };
        let Some(entry) = work.entry.take() else { return Ok(()) };
        let mut list = [1; 2_048 + 10];
        let mut out = super::varint::Encoder::new(&mut list);
        out.varint(u64::from(entry.first_page));
        let len = out.len() + (entry.last_page - entry.first_page) as usize;
        let Entry { key, first_seq, end_seq, .. } = entry;
        let records = end_seq - first_seq;
        let put = |appender: &mut Appender| {
            appender
                .put_chunk(|page| page.push_index(key, first_seq, end_seq, records, &list[..len]))
        };
        if !put(&mut self.appender) {
            self.flush(log)?;
            put(&mut self.appender);
        }
        if let Some(work) = &mut self.work {
            work.fences.note(self.appender.page_number(), key);
            work.fences.records += records;
        }
        Ok(())
    }

    /// Writes the footer, makes the file durable, and lets it take the old one's place.
    fn finish(&mut self, log: &mut Log<D>) -> Result<Squeezed, DiskError> {
        self.flush(log)?;
        let Some(work) = &self.work else { return Ok(Squeezed::Kept(0)) };
        // Before the footer, which makes it stand for the old one: its pages have the numbers in the log of
        // that one's, and there must not be more of them.
        if work.new.pages + 1 >= work.old.pages {
            let segment = work.old.id;
            self.abandon(log);
            return Ok(Squeezed::Kept(segment));
        }
        let name = work.new.name();
        // A footer alone would let a file that a power cut left with holes stand for the old one.
        if !planted::is(Bug::SqueezeUnsynced) {
            log.disk
                .sync(&work.file)
                .map_err(|error| DiskError::new(Operation::Sync, name, error))?;
            log.counts.fsyncs += 1;
        }
        let mut keys = [0; PAGE_BYTES];
        let (fields, len) = work.fences.coded(&mut keys);
        self.appender.put_chunk(|page| page.push_footer(&fields, &keys[..len]));
        self.flush(log)?;
        let Some(work) = self.work.take() else { return Ok(Squeezed::Kept(0)) };
        let sync = || {
            if planted::is(Bug::SqueezeUnsynced) { Ok(()) } else { log.disk.sync(&work.file) }
        };
        let synced = sync().and_then(|()| log.disk.sync_dir());
        log.counts.fsyncs += 2;
        if let Err(error) = synced {
            let _ = log.disk.unlink(name.as_str());
            return Err(DiskError::new(Operation::Sync, name, error));
        }
        log.counts.segments_squeezed += 1;
        log.replace(&work.old, work.new)?;
        let was_suspect = work.old.state == SegmentState::Suspect;
        Ok(Squeezed::Replaced { segment: work.old.id, was_suspect })
    }
}
