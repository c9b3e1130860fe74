//! Segments in doubt: those that were given up because a sync failed. What stands in them is read, ends where a
//! power cut may have taken a page, and is made durable before anything relies on it.

use super::{
    super::{
        SECTOR_PAGES,
        io::{Disk, DiskError, Operation, read_exact_at, write_all_at},
        log::Log,
        log_end::{DOUBT_REACH, Openings},
        page::PAGE_BYTES,
        segment::{Segment, SegmentState},
    },
    OpenError, State,
    roll::EndOf,
};

/// A segment that was given up before it was sealed, and is not the newest.
#[derive(Clone, Copy, Debug)]
struct Suspect {
    /// Its place among the segments.
    index: usize,
    /// The opening of its newest page.
    epoch: u32,
}

/// The segments in which a sync failed, as far as an opening must see to them.
pub(super) struct Doubt {
    /// From the oldest one on that an opening looks back for.
    suspects: Vec<Suspect>,
    openings: Openings,
}

impl Doubt {
    /// Those in front of `base`, which has the newest checkpoint, that it may not tell of all numbers of. They
    /// are read before it, whatever their own checkpoints are: it tells of every sensor that they told of.
    pub(super) fn untold_before(&self, base: usize) -> impl Iterator<Item = usize> {
        let is_untold = move |it: &&Suspect| it.index < base && self.openings.is_untold(it.epoch);
        self.suspects.iter().filter(is_untold).map(|it| it.index)
    }

    /// What the end of a segment is that is not the log's last.
    pub(super) fn end_of(&self, index: usize) -> EndOf {
        let is_doubtful = |it: &Suspect| it.index == index && self.openings.is_in_doubt(it.epoch);
        if self.suspects.iter().any(is_doubtful) { EndOf::Doubt } else { EndOf::Segment }
    }
}

impl<D: Disk> Log<D> {
    /// Finds the segments up to `until` in which a sync failed. The one at `base` has the newest checkpoint. A
    /// newer version is refused here, before anything is changed.
    pub(super) fn find_doubt(&mut self, base: usize, until: usize) -> Result<Doubt, OpenError> {
        let checkpoint = match self.segments.get(base) {
            Some(segment) => self.page_or_future(&segment, 0)?.map_or(0, |view| view.info.epoch),
            None => 0,
        };
        let newest = Openings::newest(self.newest_epoch()?, &self.superblock);
        let mut suspects = Vec::new();
        for index in base.saturating_sub(DOUBT_REACH)..until {
            let Some(segment) = self.segments.get(index) else { break };
            // A squeezed one was complete and durable before it counted: without its footer it is damaged.
            if !self.is_complete(&segment)?
                && segment.generation == 0
                && let Some(epoch) = self.last_epoch(&segment)?
            {
                suspects.push(Suspect { index, epoch });
            }
        }
        Ok(Doubt { suspects, openings: Openings { newest, checkpoint } })
    }

    /// The opening of the segment's newest page.
    fn last_epoch(&mut self, segment: &Segment) -> Result<Option<u32>, OpenError> {
        for page in (0..segment.pages).rev() {
            if let Some(view) = self.page_or_future(segment, page)? {
                return Ok(Some(view.info.epoch));
            }
        }
        Ok(None)
    }

    /// The opening of the newest page in the log.
    fn newest_epoch(&mut self) -> Result<u32, OpenError> {
        for index in (0..self.segments.len()).rev() {
            let Some(segment) = self.segments.get(index) else { break };
            if let Some(epoch) = self.last_epoch(&segment)? {
                return Ok(epoch);
            }
        }
        Ok(0)
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

    /// How many of the oldest segments are so far behind that they must not be in doubt. An opening finds them
    /// in as many again, for a disk that refuses to have them mended.
    pub(crate) fn far_behind(&self) -> usize {
        self.segments.len().saturating_sub(DOUBT_REACH / 2)
    }

    /// Makes durable what a failed sync has left in a segment, as the next opening would: it is in doubt no more
    /// then. Says whether all of it could be read.
    pub(crate) fn settle_suspect(&mut self, index: usize) -> Result<bool, DiskError> {
        let Some(segment) = self.segments.get(index) else { return Ok(true) };
        let name = segment.name();
        let file = self.disk.open_writable(name.as_str());
        let file = file.map_err(|error| DiskError::new(Operation::Open, name, error))?;
        let is_whole = self.make_durable(&segment, &file)?;
        if let Some(segment) = self.segments.get_mut(index) {
            segment.state = SegmentState::Sealed;
        }
        Ok(is_whole)
    }

    /// Makes durable what no page says was so. A sync may have failed before a kill: the kernel's cache has
    /// the pages then, calls them clean, and says yes to this sync whatever the disk has. So the cache is
    /// told to let go of them, and what the disk does not have is written again. Nothing that is durable is
    /// written over. Says whether every page could be read.
    pub(super) fn make_durable(
        &mut self,
        segment: &Segment,
        file: &D::File,
    ) -> Result<bool, DiskError> {
        let name = segment.name();
        let fail = |operation| move |error| DiskError::new(operation, name, error);
        self.disk.sync(file).map_err(fail(Operation::Sync))?;
        self.counts.fsyncs += 1;
        let first = self.first_in_doubt(segment)?;
        let group = SECTOR_PAGES as u32;
        let (mut has_written, mut is_whole, mut failed) = (false, true, None);
        // The kernel may keep neighbouring pages as one, of which it lets go as a whole or not at all.
        for from in (first / group * group..segment.pages).step_by(group as usize) {
            let until = segment.pages.min(from + group);
            self.cache.hold(&self.disk, segment, from..until)?;
            let offset = u64::from(from) * PAGE_BYTES as u64;
            let bytes = u64::from(group) * PAGE_BYTES as u64;
            self.disk.forget_cached(file, offset, bytes).map_err(fail(Operation::Read))?;
            for page in from.max(first)..until {
                let whole = self.cache.whole_page_ahead(&self.disk, segment, page, 1)?;
                let Some((_, bytes)) = whole else {
                    is_whole = false;
                    continue;
                };
                let offset = u64::from(page) * PAGE_BYTES as u64;
                let mut on_disk = [0; PAGE_BYTES];
                let read = read_exact_at(&*self.disk, file, &mut on_disk, offset);
                if read.is_ok() && on_disk == *bytes {
                    continue;
                }
                // The kernel has let go of the others, too: that one cannot be written is no reason to lose them.
                match write_all_at(&*self.disk, file, bytes, offset) {
                    Ok(()) => self.counts.bytes_written += PAGE_BYTES as u64,
                    Err((_, error)) => failed = Some(fail(Operation::Write)(error)),
                }
                has_written = true;
            }
            if let Some(error) = failed {
                return Err(error);
            }
        }
        if has_written {
            self.disk.sync(file).map_err(fail(Operation::Sync))?;
            self.counts.fsyncs += 1;
        }
        Ok(is_whole)
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

    /// Cuts what is in doubt where it ends, and makes it durable. The superblock names this opening only then,
    /// so that the next one knows.
    pub(super) fn settle(&mut self, doubt: &Doubt, state: &State) -> Result<(), OpenError> {
        for suspect in &doubt.suspects {
            let Some(segment) = self.segments.get(suspect.index) else { break };
            if doubt.end_of(suspect.index) != EndOf::Doubt {
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
