//! The writer: appends pages to the open segment, and begins the next one.
//!
//! Order is the rule. A segment's checkpoint is durable before data follow it; data are durable
//! before they may be called so; a segment is unlinked only by a caller who knows that the cursors
//! which make it dead are durable. A failed sync is never tried again: the kernel may have dropped
//! the pages, and would say yes the next time. The segment becomes suspect, and the next append
//! begins another.

use super::{
    SECTOR_PAGES, Superblock,
    append::{Appender, Control, Place},
    cache::PageCache,
    chunk::{Head, RunHeader},
    fences::PageFences,
    io::{Disk, DiskError, Operation, write_all_at},
    page::{PAGE_BYTES, PageInfo},
    segment::{Segment, SegmentState, Segments},
    superblock::SUPERBLOCK_FILE,
};
use crate::{
    planted::{self, Bug},
    sync::{Arc, Mutex, RwLock, enter},
};
use std::{io, sync::PoisonError};

/// Numbers of pages that records leave to acknowledgements, and to the index of the last segment.
const LSN_KEPT: u64 = 1 << 20;

/// The log of one store.
pub(crate) struct Log<D: Disk> {
    pub(crate) disk: Arc<D>,
    pub(crate) superblock: Superblock,
    pub(crate) segments: Segments,
    pub(crate) cache: PageCache<D>,
    /// The open segment's file, with the segment's number. Its place is taken once; a sync that is under
    /// way reads it, and whoever puts another file there waits for that sync.
    file: Arc<OpenFile<D::File>>,
    is_open: bool,
    /// The newest segment's checkpoint cannot be read: what an older one says is all that there is, and no
    /// segment goes until another was begun.
    pub(crate) lacks_checkpoint: bool,
    pub(super) appender: Appender,
    /// Which keys each page of the open segment can hold.
    pub(super) fences: PageFences,
    /// Where one sensor's records lie in a segment; work space of a search.
    pub(super) page_list: Vec<u32>,
    /// Work space of building an index: key and page of each chunk.
    pub(super) arena: Vec<u64>,
    pub(super) next_segment: u64,
    pub(super) next_lsn: u64,
    /// The number of the last page that was written; 0 if none was.
    pub(super) last_lsn: u64,
    pub(super) durable_lsn: u64,
    /// `durable_lsn` when the open segment was begun.
    durable_before_create: u64,
    /// Something was written to the open segment since its last sync.
    is_dirty: bool,
    gate: Arc<SyncGate>,
    /// Pages of the open segment that searches for one sensor's records have read.
    pub(super) pages_searched: u64,
    pub(crate) now_ms: u64,
    pub(crate) counts: LogCounts,
}

/// What the log has done since it was opened.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LogCounts {
    pub(crate) bytes_peak: u64,
    pub(crate) bytes_written: u64,
    pub(crate) sectors: u64,
    pub(crate) segments_squeezed: u64,
    pub(crate) fsyncs: u64,
    pub(crate) damaged_pages: u64,
}

/// A sync that is due: done without any lock, then told to [`Log::synced`].
pub(crate) struct SyncTicket<F> {
    file: Arc<OpenFile<F>>,
    segment: u64,
    lsn: u64,
    gate: Arc<SyncGate>,
}

/// A file and the number of the segment that it is of.
type OpenFile<F> = RwLock<Option<(u64, F)>>;

/// One sync at a time, and the newest segment of which one failed: the error is told to one caller only, and
/// another's sync would go well. Also one that comes when other segments were begun meanwhile: those up to this
/// one failed, too, or were sealed, and have nothing left to sync.
type SyncGate = Mutex<Option<u64>>;

/// How a store is cut and where its numbers begin.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LogSizes {
    pub(crate) segment_pages: u32,
    pub(crate) segments_max: usize,
    pub(crate) sensors_max: u32,
}

impl LogSizes {
    /// Entries of the work space in which an index is built.
    pub(super) fn arena_entries(self) -> usize {
        // More than twice the pages of one sensor, so that every pass completes one.
        (2 * self.segment_pages as usize + 64).max(8_192)
    }

    /// Pages of a segment's work spaces: beyond its data it has a checkpoint.
    pub(super) fn page_entries(self) -> usize {
        self.segment_pages as usize + 512
    }

    /// Bytes that a log takes on the heap.
    pub(crate) fn footprint_bytes<D: Disk>(self) -> u64 {
        let pages = self.page_entries() * (size_of::<u64>() + size_of::<u32>());
        PageCache::<D>::footprint_bytes()
            + Appender::footprint_bytes(SECTOR_PAGES)
            + (pages + self.arena_entries() * size_of::<u64>()) as u64
            + (self.segments_max * size_of::<Segment>()) as u64
            + (size_of::<SyncGate>() + size_of::<OpenFile<D::File>>() + 4 * size_of::<usize>())
                as u64
    }
}

impl<D: Disk> Log<D> {
    pub(super) fn new(
        disk: Arc<D>,
        superblock: Superblock,
        sizes: LogSizes,
        next: (u64, u64),
    ) -> Self {
        Self {
            cache: PageCache::new(superblock.store_id),
            disk,
            superblock,
            segments: Segments::with_room_for(sizes.segments_max),
            file: Arc::default(),
            is_open: false,
            lacks_checkpoint: false,
            appender: Appender::new(SECTOR_PAGES),
            fences: PageFences::with_room_for(sizes.page_entries()),
            page_list: Vec::with_capacity(sizes.page_entries()),
            arena: Vec::with_capacity(sizes.arena_entries()),
            next_segment: next.0,
            next_lsn: next.1,
            last_lsn: 0,
            durable_lsn: next.1,
            durable_before_create: next.1,
            is_dirty: false,
            gate: Arc::default(),
            pages_searched: 0,
            now_ms: 0,
            counts: LogCounts::default(),
        }
    }

    /// Appends to this file from now on.
    pub(super) fn set_open(&mut self, segment: u64, file: D::File) {
        *self.file.write().unwrap_or_else(PoisonError::into_inner) = Some((segment, file));
        self.is_open = true;
    }

    /// Appends to no file from now on.
    pub(super) fn close(&mut self) {
        *self.file.write().unwrap_or_else(PoisonError::into_inner) = None;
        self.is_open = false;
    }

    /// The number of the log's last page; 0 if it has none.
    pub(crate) const fn last_lsn(&self) -> u64 {
        self.last_lsn
    }

    /// Whether there is a segment to append to.
    pub(crate) fn is_open(&self) -> bool {
        self.is_open
    }

    /// The segment that is appended to, or will be.
    pub(crate) fn open_segment_id(&self) -> u64 {
        match self.segments.last() {
            Some(last) if self.is_open => last.id,
            _ => self.next_segment,
        }
    }

    /// Whether the open segment has its pages: it should be sealed before more is appended.
    pub(crate) fn is_segment_full(&self) -> bool {
        self.is_open
            && self.segments.last().is_some_and(|open| {
                // However large the checkpoint, something must be able to follow it.
                open.pages + SECTOR_PAGES as u32
                    > self.superblock.segment_pages.max(open.data_page + 2 * SECTOR_PAGES as u32)
            })
    }

    /// Whether the open segment should be sealed before it is full: so much is looked for in it that an
    /// index pays for itself. Not while it is small, because each segment begins with a checkpoint.
    pub(crate) fn wants_index(&self) -> bool {
        let pages = self.open_data_pages();
        pages >= self.superblock.segment_pages / 4 && self.pages_searched > 4 * u64::from(pages)
    }

    /// Pages of the open segment behind its checkpoint.
    fn open_data_pages(&self) -> u32 {
        match self.segments.last() {
            Some(open) if self.is_open => open.pages - open.data_page,
            _ => 0,
        }
    }

    /// Bytes of all segments, and of what waits to be written.
    pub(crate) fn bytes(&self) -> u64 {
        self.segments.bytes()
    }

    /// Creates the next segment's file and begins its checkpoint: chunks of every sensor, loss and
    /// clock follow by [`put_control`](Self::put_control), then [`end_checkpoint`](Self::end_checkpoint).
    pub(crate) fn create_segment(&mut self) -> Result<(), DiskError> {
        let fail = |operation, name: super::io::FileName| {
            move |error| DiskError::new(operation, name, error)
        };
        let segment = Segment::new(self.next_segment, 0, SegmentState::Open);
        let name = segment.name();
        if self.next_segment == u64::MAX {
            return Err(used_up("segments", name));
        }
        if !self.segments.has_room() {
            let error = io::Error::from(io::ErrorKind::QuotaExceeded);
            return Err(DiskError::new(Operation::Create, name, error));
        }
        // A file of this name holds a checkpoint that was never completed, or nothing.
        match self.disk.unlink(name.as_str()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(fail(Operation::Unlink, name)(error));
            }
            _ => {}
        }
        let file = self.disk.create(name.as_str()).map_err(fail(Operation::Create, name))?;
        self.cache.forget(&segment);
        self.set_open(segment.id, file);
        self.segments.push(segment);
        self.fences.clear();
        // This file was never synced, whatever became of one with its name.
        let mut failed = enter(&self.gate);
        if *failed >= Some(segment.id) {
            *failed = segment.id.checked_sub(1);
        }
        drop(failed);
        self.durable_before_create = self.durable_lsn;
        self.pages_searched = 0;
        self.begin_appending();
        let head = Head {
            store_id: self.superblock.store_id,
            segment: segment.id,
            generation: 0,
            segment_pages: self.superblock.segment_pages,
        };
        self.appender.put_chunk(|page| page.push_head(&head));
        Ok(())
    }

    /// Completes the checkpoint and makes it durable; data may follow.
    pub(crate) fn end_checkpoint(&mut self, sensors: u64) -> Result<(), DiskError> {
        if !self.appender.put_chunk(|page| page.push_checkpoint_end(sensors)) {
            self.flush()?;
            self.appender.put_chunk(|page| page.push_checkpoint_end(sensors));
        }
        self.flush()?;
        if !planted::is(Bug::CheckpointUnsynced) {
            self.sync_now()?;
        }
        let name = self.open_name();
        if !planted::is(Bug::NoDirectorySync) {
            self.disk
                .sync_dir()
                .map_err(|error| DiskError::new(Operation::SyncDir, name, error))?;
        }
        self.counts.fsyncs += 1;
        self.lacks_checkpoint = false;
        let data_page = self.segments.last().map_or(0, |open| open.pages);
        if let Some(open) = self.segments.last_mut() {
            open.data_page = data_page;
            self.next_segment = open.id + 1;
        }
        Ok(())
    }

    /// Gives up a segment whose checkpoint could not be completed. Nothing but it was in there.
    pub(crate) fn abandon_segment(&mut self) {
        let Some(segment) = self.segments.last().copied() else { return };
        // Its sync may have gone well: that says nothing of a segment in front whose sync failed.
        self.durable_lsn = self.durable_before_create;
        self.close();
        self.segments.remove(self.segments.len() - 1);
        self.cache.forget(&segment);
        // If it stays, it is a file without a complete checkpoint, which nobody takes for one.
        let _ = self.disk.unlink(segment.name().as_str());
        self.is_dirty = false;
    }

    pub(super) fn open_name(&self) -> super::io::FileName {
        self.segments.last().map_or_else(|| SUPERBLOCK_FILE.into(), Segment::name)
    }

    /// Makes the appender go on at the open segment's end.
    pub(super) fn begin_appending(&mut self) {
        let Some(open) = self.segments.last() else { return };
        self.appender.begin(Place {
            seed: open.seed(&self.superblock.store_id),
            page: open.pages,
            info: PageInfo {
                lsn: self.next_lsn,
                durable_lsn: self.durable_lsn,
                base_ms: self.now_ms,
                epoch: self.superblock.epoch,
            },
        });
    }

    /// Begins a disk sector: pages that are built from now on say what is durable now.
    pub(crate) fn begin_sector(&mut self) {
        debug_assert!(self.appender.is_empty(), "pages wait to be written");
        self.begin_appending();
    }

    /// Forgets what waits in the buffer.
    pub(crate) fn reset_buffer(&mut self) {
        self.begin_appending();
    }

    /// Whether something was written since the last sync.
    pub(crate) const fn has_unsynced(&self) -> bool {
        self.is_dirty
    }

    /// The segment is not squeezed again.
    pub(crate) fn keep_as_is(&mut self, index: usize) {
        if let Some(segment) = self.segments.get_mut(index) {
            segment.is_kept = true;
        }
    }

    /// Appends a chunk of the log itself if the buffer has room. Does no I/O.
    pub(crate) fn put_control_if_room(&mut self, chunk: &Control) -> bool {
        self.appender.put_control(chunk)
    }

    /// Puts records into the buffer; see [`Appender::put_records`]. Does no I/O.
    pub(crate) fn put_records(&mut self, header: &RunHeader, payload: &[u8]) -> usize {
        self.appender.put_records(header, payload)
    }

    /// The number of the page that the next chunk goes to.
    pub(crate) fn page_number(&self) -> u32 {
        self.appender.page_number()
    }

    /// Whether the last page of the buffer is only partly filled.
    pub(crate) fn has_partial_page(&self) -> bool {
        self.appender.has_open_page()
    }

    /// Complete pages in the buffer.
    pub(crate) fn built_pages(&self) -> usize {
        self.appender.built()
    }

    /// Forgets the partly filled page.
    pub(crate) fn drop_partial_page(&mut self) {
        self.appender.drop_page();
    }

    /// Appends a chunk of the log itself; writes the buffer when it is full.
    pub(crate) fn put_control(&mut self, chunk: &Control) -> Result<(), DiskError> {
        if !self.appender.put_control(chunk) {
            self.flush()?;
            if !self.appender.put_control(chunk) {
                return Err(used_up("pages", self.open_name()));
            }
        }
        Ok(())
    }

    /// An error if no more than the last acknowledgements can be numbered.
    pub(crate) fn check_numbers(&self) -> Result<(), DiskError> {
        if self.next_lsn > u64::MAX - LSN_KEPT {
            return Err(used_up("pages", self.open_name()));
        }
        Ok(())
    }

    /// Writes what the buffer holds. After an error none of it counts as written, and the next append
    /// begins at the last good offset.
    pub(crate) fn flush(&mut self) -> Result<u32, DiskError> {
        self.appender.seal_page();
        let (built, name) = (self.appender.built(), self.open_name());
        let place = self.file.read().unwrap_or_else(PoisonError::into_inner);
        let (Some((_, file)), Some(open)) = (&*place, self.segments.last_mut()) else {
            return Ok(0);
        };
        if built == 0 || !self.is_open {
            return Ok(0);
        }
        self.is_dirty = true;
        let offset = open.bytes();
        let bytes = self.appender.bytes();
        if let Err((written, error)) = write_all_at(&*self.disk, file, bytes, offset) {
            self.counts.bytes_written += written as u64;
            if planted::is(Bug::ShortWriteKept) {
                let bytes = self.disk.len(file).unwrap_or(offset);
                open.pages = bytes.div_ceil(PAGE_BYTES as u64) as u32;
            }
            let offset = open.bytes();
            // Cut what was written of it. Where that fails too the pages are stale ones: their numbers
            // in the log are skipped, so that they are never taken for what comes in their place.
            let _ = self.disk.set_len(file, offset);
            drop(place);
            self.next_lsn += built as u64;
            self.begin_appending();
            return Err(DiskError::new(Operation::Write, name, error));
        }
        open.pages += built as u32;
        for &keys in self.appender.keys() {
            self.fences.push(keys);
        }
        self.appender.advance();
        self.next_lsn += built as u64;
        self.last_lsn = self.next_lsn - 1;
        self.counts.bytes_written += bytes_of(built);
        self.counts.sectors += 1;
        self.counts.bytes_peak = self.counts.bytes_peak.max(self.segments.bytes());
        Ok(built as u32)
    }

    /// The sync that makes everything written durable, if something was written since the last.
    pub(crate) fn sync_ticket(&mut self) -> Option<SyncTicket<D::File>> {
        let segment = self.segments.last()?.id;
        if !self.is_dirty || !self.is_open {
            return None;
        }
        let (file, gate) = (Arc::clone(&self.file), Arc::clone(&self.gate));
        Some(SyncTicket { file, segment, lsn: self.next_lsn, gate })
    }

    /// What came of a sync. After a failed one the segment is suspect and closed.
    pub(crate) fn synced(
        &mut self,
        ticket: &SyncTicket<D::File>,
        result: io::Result<()>,
    ) -> Result<(), DiskError> {
        self.counts.fsyncs += 1;
        let result = if planted::is(Bug::SyncErrorSwallowed) { Ok(()) } else { result };
        match result {
            Ok(()) => {
                self.durable_lsn = self.durable_lsn.max(ticket.lsn);
                if self.open_segment_id() == ticket.segment && self.next_lsn == ticket.lsn {
                    self.is_dirty = false;
                }
                Ok(())
            }
            Err(error) => {
                let mut name = self.open_name();
                if let Some(index) = self.segments.index_of(ticket.segment)
                    && let Some(segment) = self.segments.get_mut(index)
                {
                    name = segment.name();
                    // Else another sync has told it already, and what became of the segment since stays.
                    if segment.state == SegmentState::Open {
                        segment.state = SegmentState::Suspect;
                        self.close();
                    }
                }
                Err(DiskError::new(Operation::Sync, name, error))
            }
        }
    }

    /// Syncs at once, under the caller's lock: for what happens once a segment.
    pub(crate) fn sync_now(&mut self) -> Result<(), DiskError> {
        let Some(ticket) = self.sync_ticket() else { return Ok(()) };
        let result = ticket.sync(&*self.disk);
        self.synced(&ticket, result)
    }

    /// Segments whose sync failed.
    pub(crate) fn suspects(&self) -> u32 {
        self.segments.iter().filter(|segment| segment.state == SegmentState::Suspect).count() as u32
    }

    /// Removes a segment that nobody needs: the cursors that say so are durable.
    pub(crate) fn unlink(&mut self, index: usize) -> Result<(), DiskError> {
        let Some(segment) = self.segments.get(index) else { return Ok(()) };
        let name = segment.name();
        self.disk
            .unlink(name.as_str())
            .map_err(|error| DiskError::new(Operation::Unlink, name, error))?;
        self.cache.forget(&segment);
        self.segments.remove(index);
        Ok(())
    }

    /// A squeezed file, durable by now, takes its segment's place.
    pub(super) fn replace(&mut self, old: &Segment, new: Segment) -> Result<(), DiskError> {
        self.cache.forget(old);
        if let Some(index) = self.segments.index_of(old.id)
            && let Some(place) = self.segments.get_mut(index)
        {
            *place = new;
        }
        let name = old.name();
        self.disk
            .unlink(name.as_str())
            .map_err(|error| DiskError::new(Operation::Unlink, name, error))
    }

    /// Writes the superblock into the slot that does not hold the newest one.
    pub(crate) fn write_superblock(&mut self, superblock: Superblock) -> Result<(), DiskError> {
        let superblock =
            Superblock { sequence: self.superblock.sequence.wrapping_add(1), ..superblock };
        write_superblock(&*self.disk, &superblock)?;
        self.counts.fsyncs += 1;
        self.superblock = superblock;
        Ok(())
    }
}

impl<F> SyncTicket<F> {
    /// Syncs. Of a segment whose sync failed before, also while this one waited, none is tried again.
    pub(crate) fn sync<D: Disk<File = F>>(&self, disk: &D) -> io::Result<()> {
        let mut failed = enter(&self.gate);
        if *failed >= Some(self.segment) {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let place = self.file.read().unwrap_or_else(PoisonError::into_inner);
        let sync = |file| match disk.sync(file) {
            Err(_) if planted::is(Bug::SyncRetried) => disk.sync(file),
            result => result,
        };
        let result = match &*place {
            _ if planted::is(Bug::NoDataSync) => Ok(()),
            Some((segment, file)) if *segment == self.segment => sync(file),
            // It was sealed meanwhile, which syncs it, or given up with nothing in it.
            _ => Ok(()),
        };
        if result.is_err() {
            *failed = Some(self.segment);
        }
        result
    }
}

/// There is no number for another one: nothing wraps, and nothing more is written.
fn used_up(what: &str, file: super::io::FileName) -> DiskError {
    let text = format!("the numbers of {what} are used up: salvage the store into a new one");
    DiskError::new(Operation::Write, file, io::Error::new(io::ErrorKind::QuotaExceeded, text))
}

fn bytes_of(pages: usize) -> u64 {
    (pages * PAGE_BYTES) as u64
}

/// Writes one slot of the superblock and makes it durable.
pub(super) fn write_superblock<D: Disk>(
    disk: &D,
    superblock: &Superblock,
) -> Result<(), DiskError> {
    let fail = |operation| move |error| DiskError::new(operation, SUPERBLOCK_FILE, error);
    let mut slot = [0; PAGE_BYTES];
    superblock.encode(&mut slot);
    let file = disk.open_writable(SUPERBLOCK_FILE).map_err(fail(Operation::Open))?;
    write_all_at(disk, &file, &slot, superblock.offset())
        .map_err(|(_, error)| fail(Operation::Write)(error))?;
    if planted::is(Bug::SuperblockUnsynced) {
        return Ok(());
    }
    disk.sync(&file).map_err(fail(Operation::Sync))
}

#[cfg(all(test, feature = "scenario"))]
mod tests;
