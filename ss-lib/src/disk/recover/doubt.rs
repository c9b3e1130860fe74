//! Segments in doubt: those that were given up because a sync failed. What stands in them is read, ends where a
//! power cut may have taken a page, and is made durable before anything relies on it.

use super::{
    super::{
        SECTOR_PAGES,
        io::{Disk, DiskError, Operation, read_exact_at, write_all_at},
        log::Log,
        page::PAGE_BYTES,
        segment::{Segment, SegmentState},
    },
    OpenError, State,
    roll::{EndOf, Roll},
};

/// A sync's failure is mended within so many segments: it is squeezed as soon as what stands behind it is
/// durable. So far back an opening looks for one that was not.
const DOUBT_REACH: usize = 16;

impl<D: Disk> Log<D> {
    /// Whether the segment was given up before it was sealed, or is the newest one. A squeezed one was complete
    /// and durable before it counted: without its footer it is damaged.
    fn was_never_sealed(&mut self, segment: &Segment) -> Result<bool, OpenError> {
        Ok(segment.generation == 0 && !self.is_complete(segment)?)
    }

    /// What the end of a segment is that is not the log's last. A page of a later opening says that everything
    /// was made durable, or cut, before it.
    pub(super) fn end_of(&mut self, segment: &Segment) -> Result<EndOf, OpenError> {
        if !self.was_never_sealed(segment)? {
            return Ok(EndOf::Segment);
        }
        let newest_epoch = self.newest_epoch()?;
        for page in (0..segment.pages).rev() {
            if let Some(view) = self.page_or_future(segment, page)? {
                let is_settled = view.info.epoch < newest_epoch;
                return Ok(if is_settled { EndOf::Segment } else { EndOf::Doubt });
            }
        }
        Ok(EndOf::Segment)
    }

    /// The opening of the newest page in the log.
    fn newest_epoch(&mut self) -> Result<u32, OpenError> {
        for index in (0..self.segments.len()).rev() {
            let Some(segment) = self.segments.get(index) else { break };
            for page in (0..segment.pages).rev() {
                if let Some(view) = self.page_or_future(&segment, page)? {
                    return Ok(view.info.epoch);
                }
            }
        }
        Ok(0)
    }

    /// Finds the ends of segments in doubt that stand farther in front of the newest checkpoint than what
    /// `base` begins: it tells of all their numbers, and a reader that went past a hole in one would miss the
    /// copies behind it.
    pub(super) fn find_ends_in_doubt(
        &mut self,
        base: usize,
        roll: &Roll,
        state: &mut State,
    ) -> Result<(), OpenError> {
        for index in state.base.saturating_sub(DOUBT_REACH)..base {
            let Some(segment) = self.segments.get(index) else { break };
            if self.end_of(&segment)? == EndOf::Doubt {
                // What it tells of sensors is known already.
                let mut unused = roll.like();
                self.roll_segment(index, &segment, EndOf::Doubt, &mut unused, state)?;
            }
        }
        Ok(())
    }

    /// The first of the segments right in front of `base` that were never sealed: a sync failed in them,
    /// and numbers may stand there that the checkpoints behind them do not tell of.
    pub(super) fn in_front_in_doubt(&mut self, mut base: usize) -> Result<usize, OpenError> {
        while let Some(index) = base.checked_sub(1) {
            let Some(segment) = self.segments.get(index) else { break };
            // Its own checkpoint does not matter: those behind it tell of every sensor that it told of.
            if !self.was_never_sealed(&segment)? {
                break;
            }
            base = index;
        }
        Ok(base)
    }

    /// The number below which everything in a segment was durable, by what stands outside of it.
    pub(super) fn durable_before_end(
        &mut self,
        index: usize,
        end_of: EndOf,
    ) -> Result<u64, OpenError> {
        if end_of == EndOf::Log {
            // After an orderly shutdown everything was.
            let found = &self.superblock;
            return Ok(if found.is_clean { found.last_lsn.saturating_add(1) } else { 0 });
        }
        // The next segment was begun when the sync had failed, and its first page says what was durable
        // then. Its other pages do not: they count what was written again as durable.
        let segment = self.segments.get(index);
        let next = segment.zip(self.segments.get(index + 1)).filter(|(segment, next)| {
            // A squeezed one, or one farther behind, was begun when more was durable.
            next.generation == 0 && next.id == segment.id.saturating_add(1)
        });
        let Some((_, next)) = next else { return Ok(0) };
        let first = self.page_or_future(&next, 0)?;
        Ok(first.map_or(0, |view| view.info.durable_lsn))
    }

    /// A newer version is refused before anything is changed.
    pub(super) fn refuse_future_in_doubt(&mut self, state: &State) -> Result<(), OpenError> {
        for index in state.base.saturating_sub(DOUBT_REACH)..state.base {
            if let Some(segment) = self.segments.get(index) {
                self.is_complete(&segment)?;
            }
        }
        Ok(())
    }

    /// Makes durable what no page says was so. A sync may have failed before a kill: the kernel's cache has
    /// the pages then, calls them clean, and says yes to this sync whatever the disk has. So the cache is
    /// told to let go of them, and what the disk does not have is written again. Nothing that is durable is
    /// written over.
    pub(super) fn make_durable(
        &mut self,
        segment: &Segment,
        file: &D::File,
    ) -> Result<(), DiskError> {
        let name = segment.name();
        let fail = |operation| move |error| DiskError::new(operation, name, error);
        self.disk.sync(file).map_err(fail(Operation::Sync))?;
        self.counts.fsyncs += 1;
        let first = self.first_in_doubt(segment)?;
        let group = SECTOR_PAGES as u32;
        let mut has_written = false;
        // The kernel may keep neighbouring pages as one, of which it lets go as a whole or not at all.
        for from in (first / group * group..segment.pages).step_by(group as usize) {
            let until = segment.pages.min(from + group);
            self.cache.hold(&self.disk, segment, from..until)?;
            let offset = u64::from(from) * PAGE_BYTES as u64;
            let bytes = u64::from(group) * PAGE_BYTES as u64;
            self.disk.forget_cached(file, offset, bytes).map_err(fail(Operation::Read))?;
            for page in from.max(first)..until {
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
    pub(super) fn make_doubtful_durable(&mut self, state: &State) -> Result<(), OpenError> {
        // The newest checkpoint that can be read may stand in one, or in front of one.
        for index in state.base.saturating_sub(DOUBT_REACH)..self.segments.len() {
            let Some(segment) = self.segments.get(index) else { break };
            if segment.state == SegmentState::Open || !self.was_never_sealed(&segment)? {
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
}
