//! Opening a log that was left, in whatever way: its end is found, what is torn behind it is cut, and
//! where every sensor's cursors stand is read from the newest checkpoint and what follows it. So the
//! time is bounded by one segment and what failed syncs have left near it, not by the backlog.

mod doubt;
mod error;
mod roll;

pub use error::OpenError;
pub(crate) use roll::{CLOCKS_MAX, RecoveredSensor};

use super::{
    FILE_PAGES_MAX, Superblock,
    cache::ReadFault,
    chunk::{Chunk, ClockChunk, LossChunk},
    io::{Disk, DiskError, FileName, Operation, read_exact_at, write_all_at},
    log::{Log, LogSizes, write_superblock},
    page::{PAGE_BYTES, PageBuilder, PageFault, PageInfo, StoreId},
    real::LOCK_FILE,
    segment::{Segment, SegmentState},
    superblock::{SUPERBLOCK_BYTES, SUPERBLOCK_FILE, Slot},
};
use doubt::Doubt;
use roll::{EndOf, Roll};
use std::sync::Arc;

/// Where the numbers of a store begin that is created; for tests of their ends, mostly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The first segment's number: at least 1.
    pub segment: u64,
    /// The first page's number: at least 1.
    pub lsn: u64,
    /// The first opening's number: at least 1.
    pub epoch: u32,
    /// The store's identity; drawn at random if there is none.
    pub store_id: Option<StoreId>,
}

impl Default for Origin {
    fn default() -> Self {
        Self { segment: 1, lsn: 1, epoch: 1, store_id: None }
    }
}

/// What opening found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Recovery {
    /// The opening before ended by an orderly shutdown, or there was none.
    pub was_clean: bool,
    /// The store was created.
    pub is_new: bool,
    /// Pages behind the last good one, which were cut.
    pub torn_pages: u32,
    /// Pages with good ones behind them that cannot be read.
    pub corrupt_pages: u32,
    /// Pages read.
    pub pages_read: u64,
    /// Segments that hold something.
    pub segments: u32,
    /// Records held.
    pub records: u64,
    /// How long it took, in µs of the machine's clock.
    pub wall_us: u64,
}

/// What a log holds, for whoever opens it.
#[derive(Default)]
pub(crate) struct State {
    /// In order of registration.
    pub(crate) sensors: Vec<RecoveredSensor>,
    /// Oldest first.
    pub(crate) losses: Vec<LossChunk>,
    pub(crate) clocks: Vec<ClockChunk>,
    /// Files of squeezes that were cut, or of segments that a complete squeeze has replaced.
    pub(crate) leftovers: Vec<FileName>,
    pub(crate) recovery: Recovery,
    /// Numbers stand in segments in front of the newest checkpoint that it may not tell of.
    pub(crate) is_untold: bool,
    /// Segments in doubt that end in front of pages which are still there.
    cut: Vec<u64>,
}

impl<D: Disk> Log<D> {
    /// Opens the log, or creates it where there is none. The new opening is durable when this returns.
    pub(crate) fn recover(
        disk: Arc<D>,
        sizes: LogSizes,
        origin: &Origin,
        now_ms: u64,
    ) -> Result<(Self, State), OpenError> {
        let mut files = Vec::new();
        let mut has_superblock = false;
        disk.list(&mut |name, bytes| {
            has_superblock |= name == SUPERBLOCK_FILE;
            if let Some((segment, generation)) = FileName::segment(name) {
                files.push(SegmentFile { segment, generation, bytes });
            }
        })
        .map_err(|error| DiskError::new(Operation::List, LOCK_FILE, error))?;
        files.sort_unstable();
        let found = if has_superblock { read_superblock(&*disk, !files.is_empty())? } else { None };
        let Some(found) = found else {
            if !files.is_empty() {
                return Err(OpenError::NoSuperblock);
            }
            return create(disk, sizes, origin, now_ms);
        };
        let mut log = Self::new(disk, found, sizes, (origin.segment, origin.lsn));
        log.now_ms = now_ms;
        let mut state = State::default();
        log.choose_generations(&files, &mut state)?;
        let mut roll = Roll::new(sizes.sensors_max);
        let doubt = log.roll_forward(&mut roll, &mut state)?;
        let epoch = found.epoch.max(roll.epoch).checked_add(1).ok_or(OpenError::EpochsUsedUp)?;
        state.recovery.was_clean = found.is_clean;
        if found.is_clean {
            let missing = found.last_lsn.saturating_sub(roll.last_lsn);
            state.recovery.corrupt_pages += u32::try_from(missing).unwrap_or(u32::MAX);
        }
        roll.finish(&mut state);
        log.settle(&doubt, &state)?;
        // A kill may have come between the sync of a file and that of its directory.
        log.disk
            .sync_dir()
            .map_err(|error| DiskError::new(Operation::SyncDir, LOCK_FILE, error))?;
        log.counts.fsyncs += 1;
        // A sync of the newest slot may have failed, and its page may be the kernel's alone: it is made
        // durable before the other slot, the last one that surely is, is written over.
        write_superblock(&*log.disk, &found)?;
        log.counts.fsyncs += 1;
        log.write_superblock(Superblock {
            epoch,
            opened_ms: now_ms,
            last_lsn: 0,
            is_clean: false,
            ..found
        })?;
        log.go_on(&roll, &mut state)?;
        state.recovery.pages_read = log.cache.pages_read;
        state.recovery.segments = log.segments.len() as u32;
        log.counts.bytes_peak = log.segments.bytes();
        Ok((log, state))
    }

    /// Fills the table: of each segment the highest generation with head and footer, else the lowest.
    fn choose_generations(
        &mut self,
        files: &[SegmentFile],
        state: &mut State,
    ) -> Result<(), OpenError> {
        let ids = files.chunk_by(|a, b| a.segment == b.segment);
        let count = ids.clone().count();
        if count + 16 > self.segments.capacity() {
            self.segments.grow(count + 16);
        }
        for generations in ids {
            let mut chosen = generations[0];
            if generations.len() > 1 {
                for &file in generations.iter().rev() {
                    let segment = file.entry(SegmentState::Sealed);
                    if self.is_complete(&segment)? && self.has_head(&segment)? {
                        chosen = file;
                        break;
                    }
                }
            }
            for file in generations {
                if *file != chosen {
                    self.cache.forget(&file.entry(SegmentState::Sealed));
                    state.leftovers.push(FileName::of_segment(file.segment, file.generation));
                }
            }
            self.segments.push(chosen.entry(SegmentState::Sealed));
        }
        Ok(())
    }

    /// Whether the segment's first page can be read and says which segment it is.
    fn has_head(&mut self, segment: &Segment) -> Result<bool, OpenError> {
        let store_id = self.superblock.store_id;
        let view = self.page_or_future(segment, 0)?;
        Ok(matches!(view.and_then(|view| view.first_chunk()), Some(Chunk::Head(head))
            if (head.store_id, head.segment, head.generation)
                == (store_id, segment.id, segment.generation)))
    }

    /// Whether the segment ends with its footer.
    fn is_complete(&mut self, segment: &Segment) -> Result<bool, OpenError> {
        let Some(last) = segment.pages.checked_sub(1) else { return Ok(false) };
        match self.cache.page(&self.disk, segment, last) {
            Ok(view) => Ok(matches!(view.first_chunk(), Some(Chunk::Footer(footer))
                if footer.fields.index_page + footer.fields.index_pages == last)),
            Err(ReadFault::Disk(error)) => Err(error.into()),
            Err(ReadFault::Page(PageFault::FutureVersion(version))) => {
                Err(OpenError::FutureVersion { file: segment.name(), version })
            }
            Err(ReadFault::Page(_)) => Ok(false),
        }
    }

    /// Reads the newest complete checkpoint and what follows it.
    fn roll_forward(&mut self, roll: &mut Roll, state: &mut State) -> Result<Doubt, OpenError> {
        let mut base = self.segments.len();
        let mut is_open = false;
        while let Some(index) = base.checked_sub(1) {
            base = index;
            let Some(segment) = self.segments.get(index) else { break };
            let is_newest = index + 1 == self.segments.len();
            if is_newest {
                is_open = !self.is_complete(&segment)?;
            }
            if self.has_checkpoint(&segment)? {
                break;
            }
            // Without a checkpoint a newest segment is one that was just begun, or its checkpoint rotted.
            if is_newest && is_open && self.is_just_begun(&segment)? {
                self.next_segment = segment.id;
                self.segments.remove(index);
                is_open = false;
                continue;
            }
            if index == 0 {
                return Err(OpenError::NoCheckpoint);
            }
        }
        let segments = self.segments.len();
        self.lacks_checkpoint = base + 1 < segments;
        let doubt = self.find_doubt(base, segments - usize::from(is_open))?;
        for index in doubt.untold_before(base).chain(base..segments) {
            let Some(segment) = self.segments.get(index) else { break };
            state.is_untold |= index < base;
            let is_newest = is_open && index + 1 == segments;
            let end_of = if is_newest { EndOf::Log } else { doubt.end_of(index) };
            self.roll_segment(index, &segment, end_of, roll, state)?;
        }
        if let Some(last) = self.segments.last() {
            self.next_segment = last.id.saturating_add(1);
        }
        if is_open {
            let last = self.segments.last_mut().filter(|last| last.pages > 0);
            if let Some(last) = last {
                last.state = SegmentState::Open;
            }
        }
        Ok(doubt)
    }

    /// Goes on behind what was found: cuts what is torn, and makes the rest durable.
    fn go_on(&mut self, roll: &Roll, state: &mut State) -> Result<(), OpenError> {
        let torn = u64::from(state.recovery.torn_pages);
        if roll.last_lsn > 0 {
            self.last_lsn = roll.last_lsn;
            self.next_lsn = roll.last_lsn.saturating_add(1 + torn);
        }
        self.durable_lsn = self.next_lsn;
        let Some(mut open) = self.segments.last().copied() else { return Ok(()) };
        if open.state != SegmentState::Open {
            return Ok(());
        }
        let lacks_checkpoint = self.lacks_checkpoint;
        if lacks_checkpoint && let Some(last) = self.segments.last_mut() {
            // The next append begins a segment that has one.
            last.state = SegmentState::Sealed;
        }
        let name = open.name();
        let fail = |operation| move |error| DiskError::new(operation, name, error);
        let file = self.disk.open_writable(name.as_str()).map_err(fail(Operation::Open))?;
        let len = self.disk.len(&file).map_err(fail(Operation::Read))?;
        if state.recovery.torn_pages > 0 && state.recovery.corrupt_pages > 0 {
            open = self.say_it_was_durable(open, &file, state.recovery.torn_pages)?;
        }
        if len != open.bytes() {
            self.disk.set_len(&file, open.bytes()).map_err(fail(Operation::SetLen))?;
        }
        self.make_durable(&open, &file)?;
        self.cache.forget(&open);
        if !lacks_checkpoint {
            self.set_open(open.id, file);
            self.begin_appending();
        }
        Ok(())
    }
}

impl<D: Disk> Log<D> {
    /// Puts an empty page in the place of the first torn one, before these are cut off.
    ///
    /// One of them may be the only page that says that a bad one in front was durable. Without it the next
    /// opening would take that bad page for the log's end, and cut off all that is kept behind it.
    fn say_it_was_durable(
        &mut self,
        open: Segment,
        file: &D::File,
        torn_pages: u32,
    ) -> Result<Segment, OpenError> {
        let uncut = Segment { pages: open.pages.saturating_add(torn_pages), ..open };
        // Until they are cut, pages behind this one must be stale.
        let mut lsn = self.next_lsn;
        for page in open.pages..uncut.pages {
            if let Some(view) = self.page_or_future(&uncut, page)? {
                lsn = lsn.max(view.info.lsn.saturating_add(1));
            }
        }
        self.make_durable(&open, file)?;
        let mut bytes = [0; PAGE_BYTES];
        let (base_ms, epoch) = (self.now_ms, self.superblock.epoch);
        let info = PageInfo { lsn, durable_lsn: lsn, base_ms, epoch };
        let seed = open.seed(&self.superblock.store_id);
        PageBuilder::begin(&mut bytes, info).seal(seed, open.pages);
        let fail = |operation| move |error| DiskError::new(operation, open.name(), error);
        write_all_at(&*self.disk, file, &bytes, open.bytes())
            .map_err(|(_, error)| fail(Operation::Write)(error))?;
        self.disk.sync(file).map_err(fail(Operation::Sync))?;
        self.counts.fsyncs += 1;
        self.cache.forget(&uncut);
        self.fences.push(None);
        self.last_lsn = lsn;
        self.next_lsn = lsn.saturating_add(1);
        self.durable_lsn = self.next_lsn;
        let told = Segment { pages: open.pages + 1, ..open };
        if let Some(last) = self.segments.last_mut() {
            last.pages = told.pages;
        }
        Ok(told)
    }
}

/// One file of a segment, as the directory lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct SegmentFile {
    segment: u64,
    generation: u8,
    bytes: u64,
}

impl SegmentFile {
    fn entry(&self, state: SegmentState) -> Segment {
        // Whatever a file's size says: the time of an opening is bounded by a segment.
        let pages = (self.bytes / PAGE_BYTES as u64).min(u64::from(FILE_PAGES_MAX)) as u32;
        Segment { pages, ..Segment::new(self.segment, self.generation, state) }
    }
}

/// The newest superblock. `None`: the file was created and never written whole, so that nothing can be
/// in the store: what stands in it is what a cut creation left, or what the disk had there before.
fn read_superblock<D: Disk>(disk: &D, has_segments: bool) -> Result<Option<Superblock>, OpenError> {
    let fail = |operation| move |error| DiskError::new(operation, SUPERBLOCK_FILE, error);
    let file = disk.open(SUPERBLOCK_FILE).map_err(fail(Operation::Open))?;
    let len = disk.len(&file).map_err(fail(Operation::Read))?;
    let mut bytes = [0; SUPERBLOCK_BYTES];
    let is_of_this_size = len <= SUPERBLOCK_BYTES as u64;
    let len = usize::try_from(len).unwrap_or(usize::MAX).min(SUPERBLOCK_BYTES);
    read_exact_at(disk, &file, &mut bytes[..len], 0).map_err(fail(Operation::Read))?;
    let slots = [Slot::decode(&bytes[..PAGE_BYTES]), Slot::decode(&bytes[PAGE_BYTES..])];
    for slot in slots {
        if let Slot::Future(version) = slot {
            return Err(OpenError::FutureVersion { file: SUPERBLOCK_FILE.into(), version });
        }
    }
    match Slot::newest(&bytes) {
        Some(superblock) => Ok(Some(superblock)),
        None if !has_segments && is_of_this_size => Ok(None),
        None => Err(OpenError::NoSuperblock),
    }
}

/// Creates a store's superblock.
fn create<D: Disk>(
    disk: Arc<D>,
    sizes: LogSizes,
    origin: &Origin,
    now_ms: u64,
) -> Result<(Log<D>, State), OpenError> {
    let fail = |operation| move |error| DiskError::new(operation, SUPERBLOCK_FILE, error);
    let mut store_id = [0; 16];
    match origin.store_id {
        Some(id) => store_id = id,
        None => {
            rustix::rand::getrandom(&mut store_id, rustix::rand::GetRandomFlags::empty())
                .map_err(|error| fail(Operation::Create)(error.into()))?;
        }
    }
    let superblock = Superblock {
        store_id,
        segment_pages: sizes.segment_pages,
        epoch: origin.epoch,
        sequence: 0,
        created_ms: now_ms,
        opened_ms: now_ms,
        last_lsn: 0,
        is_clean: false,
    };
    let file = match disk.create(SUPERBLOCK_FILE) {
        Ok(file) => file,
        // Left by a creation that was cut.
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            disk.open_writable(SUPERBLOCK_FILE).map_err(fail(Operation::Open))?
        }
        Err(error) => return Err(fail(Operation::Create)(error).into()),
    };
    // Both slots take their space now: the next opening may find the disk full.
    write_all_at(&*disk, &file, &[0; SUPERBLOCK_BYTES], 0)
        .map_err(|(_, error)| fail(Operation::Write)(error))?;
    write_superblock(&*disk, &superblock)?;
    disk.sync_dir().map_err(fail(Operation::SyncDir))?;
    let mut log = Log::new(disk, superblock, sizes, (origin.segment, origin.lsn));
    log.now_ms = now_ms;
    let recovery = Recovery { is_new: true, was_clean: true, ..Recovery::default() };
    Ok((log, State { recovery, ..State::default() }))
}
