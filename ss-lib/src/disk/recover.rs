//! Opening a log that was left, in whatever way: its end is found, what is torn behind it is cut, and
//! where every sensor's cursors stand is read from the newest checkpoint and what follows it. So the
//! time is bounded by one segment, not by the backlog.

mod roll;

pub(crate) use roll::{CLOCKS_MAX, RecoveredSensor};

use super::{
    FILE_PAGES_MAX, FORMAT_VERSION, Superblock,
    cache::ReadFault,
    chunk::{Chunk, ClockChunk, LossChunk},
    io::{Disk, DiskError, FileName, Operation, read_exact_at, write_all_at},
    log::{Log, LogSizes, write_superblock},
    page::{PAGE_BYTES, PageBuilder, PageFault, PageInfo, StoreId},
    real::LOCK_FILE,
    segment::{Segment, SegmentState},
    superblock::{SUPERBLOCK_BYTES, SUPERBLOCK_FILE, Slot},
};
use roll::{EndOf, Roll};
use std::{error::Error, fmt, sync::Arc};

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

/// Why a store was not opened. Nothing in it was changed.
#[derive(Debug)]
pub enum OpenError {
    /// The disk failed.
    Disk(DiskError),
    /// There are segments and no readable superblock.
    NoSuperblock,
    /// A newer library wrote this.
    FutureVersion {
        /// Where.
        file: FileName,
        /// Its version of the format.
        version: u8,
    },
    /// No checkpoint of any segment can be read.
    NoCheckpoint,
    /// The store was opened 2^32 - 1 times.
    EpochsUsedUp,
    /// The pool cannot be cut for so many sensors.
    Geometry(crate::ram::GeometryError),
    /// More sensors hold records on disk than the configuration has places for.
    TooManySensors {
        /// Sensors with records.
        holding: u32,
        /// Places.
        sensors_max: u32,
    },
    /// A setting that cannot be.
    Setting(&'static str),
}

impl From<DiskError> for OpenError {
    fn from(error: DiskError) -> Self {
        Self::Disk(error)
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disk(error) if error.operation == Operation::Lock => {
                write!(f, "the store cannot be owned ({error}): stop its owner, or look at it with `ss inspect`")
            }
            Self::Disk(error) => write!(f, "{error}: check the disk, then open it again"),
            Self::NoSuperblock => f.write_str(
                "there are segments, and no readable superblock beside them: `ss inspect` shows what \
                 can be read, `ss repair` restores it",
            ),
            Self::FutureVersion { file, version } => write!(
                f,
                "{file} has version {version} of the format, this program knows {FORMAT_VERSION}: use a \
                 newer one; nothing was touched"
            ),
            Self::NoCheckpoint => f.write_str(
                "no segment has a readable checkpoint: `ss inspect` shows what can be read, `ss repair` \
                 mends it",
            ),
            Self::EpochsUsedUp => f.write_str(
                "the store was opened so often that openings cannot be told apart any more: salvage it \
                 into a new one with `ss repair --into`",
            ),
            Self::Geometry(error) => error.fmt(f),
            Self::TooManySensors { holding, sensors_max } => write!(
                f,
                "{holding} sensors hold records in this store, the configuration has {sensors_max} \
                 places: give it {holding} or more until they are drained"
            ),
            Self::Setting(text) => f.write_str(text),
        }
    }
}

impl Error for OpenError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Disk(error) => Some(error),
            Self::Geometry(error) => Some(error),
            _ => None,
        }
    }
}

/// A sync's failure is mended within so many segments: it is squeezed as soon as what stands behind it is
/// durable. So far back an opening looks for one that was not.
const DOUBT_REACH: usize = 16;

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
    /// Numbers stand in segments in front of the newest checkpoint that it does not tell of.
    pub(crate) is_untold: bool,
    /// The index of the segment with the newest checkpoint.
    base: usize,
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
        log.roll_forward(&mut roll, &mut state)?;
        let epoch = found.epoch.max(roll.epoch).checked_add(1).ok_or(OpenError::EpochsUsedUp)?;
        state.recovery.was_clean = found.is_clean;
        if found.is_clean {
            let missing = found.last_lsn.saturating_sub(roll.last_lsn);
            state.recovery.corrupt_pages += u32::try_from(missing).unwrap_or(u32::MAX);
        }
        roll.finish(&mut state);
        // A newer version is refused before anything is changed.
        for index in state.base.saturating_sub(DOUBT_REACH)..state.base {
            if let Some(segment) = log.segments.get(index) {
                log.is_complete(&segment)?;
            }
        }
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
    fn roll_forward(&mut self, roll: &mut Roll, state: &mut State) -> Result<(), OpenError> {
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
        self.lacks_checkpoint = base + 1 < self.segments.len();
        state.base = base;
        base = self.in_front_in_doubt(base)?;
        state.is_untold = base < state.base;
        self.find_ends_in_doubt(base, roll, state)?;
        for index in base..self.segments.len() {
            let Some(segment) = self.segments.get(index) else { break };
            let end_of = if is_open && index + 1 == self.segments.len() {
                EndOf::Log
            } else if index < state.base
                || (index == state.base
                    && segment.generation == 0
                    && !self.is_complete(&segment)?)
            {
                self.end_of_doubtful(&segment)?
            } else {
                EndOf::Segment
            };
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
        Ok(())
    }

    /// Finds the ends of segments in doubt that stand farther in front of the newest checkpoint than what
    /// `base` begins: it tells of all their numbers, and a reader that went past a hole in one would miss the
    /// copies behind it.
    fn find_ends_in_doubt(
        &mut self,
        base: usize,
        roll: &Roll,
        state: &mut State,
    ) -> Result<(), OpenError> {
        for index in state.base.saturating_sub(DOUBT_REACH)..base {
            let Some(segment) = self.segments.get(index) else { break };
            let is_settled = segment.generation > 0 || self.is_complete(&segment)?;
            if !is_settled && self.end_of_doubtful(&segment)? == EndOf::Doubt {
                // What it tells of sensors is known already.
                let mut unused = roll.like();
                self.roll_segment(index, &segment, EndOf::Doubt, &mut unused, state)?;
            }
        }
        Ok(())
    }

    /// The first of the segments right in front of `base` that were never sealed: a sync failed in them,
    /// and numbers may stand there that the checkpoints behind them do not tell of.
    fn in_front_in_doubt(&mut self, mut base: usize) -> Result<usize, OpenError> {
        while let Some(index) = base.checked_sub(1) {
            let Some(segment) = self.segments.get(index) else { break };
            // A squeezed one was complete and durable before it counted: without its footer it is damaged.
            // Its own checkpoint does not matter: those behind it tell of every sensor that it told of.
            if segment.generation > 0 || self.is_complete(&segment)? {
                break;
            }
            base = index;
        }
        Ok(base)
    }

    /// Makes durable what no page says was so. A sync may have failed before a kill: the kernel's cache has
    /// the pages then, calls them clean, and says yes to this sync whatever the disk has. So the cache is
    /// told to let go of them, and what the disk does not have is written again. Nothing that is durable is
    /// written over.
    fn make_durable(&mut self, segment: &Segment, file: &D::File) -> Result<(), DiskError> {
        let name = segment.name();
        let fail = |operation| move |error| DiskError::new(operation, name, error);
        self.disk.sync(file).map_err(fail(Operation::Sync))?;
        self.counts.fsyncs += 1;
        let first = self.first_in_doubt(segment)?;
        let group = super::SECTOR_PAGES as u32;
        let mut has_written = false;
        // The kernel may keep neighbouring pages as one, of which it lets go as a whole or not at all.
        for from in (first / group * group..segment.pages).step_by(group as usize) {
            // The cache holds a group, and so whatever the disk has of it.
            self.cache.whole_page_ahead(&self.disk, segment, from, group as usize)?;
            let offset = u64::from(from) * PAGE_BYTES as u64;
            let bytes = u64::from(group) * PAGE_BYTES as u64;
            self.disk.forget_cached(file, offset, bytes).map_err(fail(Operation::Read))?;
            for page in from.max(first)..segment.pages.min(from + group) {
                let whole = self.cache.whole_page_ahead(&self.disk, segment, page, 1)?;
                let Some((_, bytes)) = whole else { continue };
                let offset = u64::from(page) * PAGE_BYTES as u64;
                let mut on_disk = [0; PAGE_BYTES];
                let read = read_exact_at(&*self.disk, file, &mut on_disk, offset);
                if read.is_ok() && on_disk == *bytes {
                    continue;
                }
                let written = write_all_at(&*self.disk, file, bytes, offset);
                written.map_err(|(_, error)| fail(Operation::Write)(error))?;
                self.counts.bytes_written += PAGE_BYTES as u64;
                has_written = true;
            }
        }
        if has_written {
            self.disk.sync(file).map_err(fail(Operation::Sync))?;
            self.counts.fsyncs += 1;
        }
        Ok(())
    }

    /// The first page that may not be durable. In the open segment a page says what was so before it; in one
    /// whose sync failed the first pages may be as much in doubt as the last.
    fn first_in_doubt(&mut self, segment: &Segment) -> Result<u32, DiskError> {
        let (mut durable_lsn, mut first) = (None, 0);
        if segment.state != SegmentState::Open {
            return Ok(first);
        }
        for page in (0..segment.pages).rev() {
            let whole = self.cache.whole_page_ahead(&self.disk, segment, page, 1)?;
            let Some((info, _)) = whole else { continue };
            if info.lsn < *durable_lsn.get_or_insert(info.durable_lsn) {
                first = page + 1;
                break;
            }
        }
        Ok(first)
    }

    /// Makes durable what stands in segments that were never sealed and are not the log's end: a sync failed
    /// in them.
    fn make_doubtful_durable(&mut self, state: &State) -> Result<(), OpenError> {
        // The newest checkpoint itself may stand in one, if that of the segment behind it cannot be read.
        for index in state.base.saturating_sub(DOUBT_REACH)..=state.base {
            let Some(segment) = self.segments.get(index) else { break };
            let is_settled = segment.state == SegmentState::Open || segment.generation > 0;
            if is_settled || self.is_complete(&segment)? {
                continue;
            }
            let name = segment.name();
            let file = self.disk.open_writable(name.as_str());
            let fail = |operation| move |error| DiskError::new(operation, name, error);
            let file = file.map_err(fail(Operation::Open))?;
            if state.cut.contains(&segment.id) {
                self.disk.set_len(&file, segment.bytes()).map_err(fail(Operation::SetLen))?;
            }
            self.make_durable(&segment, &file)?;
        }
        Ok(())
    }

    /// Goes on behind what was found: cuts what is torn, and makes the rest durable.
    fn go_on(&mut self, roll: &Roll, state: &mut State) -> Result<(), OpenError> {
        self.make_doubtful_durable(state)?;
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
        None if slots.iter().all(|slot| *slot == Slot::Empty) => Ok(None),
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
