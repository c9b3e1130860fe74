//! Reading pages: a few of them kept checked in one buffer, and a few files kept open.

use super::{
    io::{Disk, DiskError, Operation, read_exact_at},
    page::{PAGE_BYTES, PageFault, PageInfo, PageView, StoreId},
    segment::Segment,
};

/// Pages that are kept: a buffer of 64 KiB.
const CACHE_PAGES: usize = super::SECTOR_PAGES;
/// Files that are kept open for reading.
const OPEN_FILES: usize = 8;

/// Why a page cannot be read.
#[derive(Debug)]
pub(crate) enum ReadFault {
    /// The disk did not give it: it may another time.
    Disk(DiskError),
    /// What stands there is not the page, or nothing does: the file ends before it.
    Page(PageFault),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tag {
    segment: u64,
    generation: u8,
    page: u32,
}

impl Tag {
    const NONE: Self = Self { segment: 0, generation: 0, page: u32::MAX };
}

struct OpenFile<F> {
    segment: u64,
    generation: u8,
    file: F,
}

/// The file ends before what was asked for.
fn is_end(error: &DiskError) -> bool {
    error.error.kind() == std::io::ErrorKind::UnexpectedEof
}

/// The read buffer.
pub(crate) struct PageCache<D: Disk> {
    store_id: StoreId,
    buffer: Box<[[u8; PAGE_BYTES]]>,
    tags: [Tag; CACHE_PAGES],
    /// The slot that was filled last: slots are filled by turns.
    filled: usize,
    files: Vec<OpenFile<D::File>>,
    /// Pages read from the disk, for the tests that count I/O.
    pub(crate) pages_read: u64,
}

impl<D: Disk> PageCache<D> {
    pub(crate) fn new(store_id: StoreId) -> Self {
        Self {
            store_id,
            buffer: vec![[0; PAGE_BYTES]; CACHE_PAGES].into_boxed_slice(),
            tags: [Tag::NONE; CACHE_PAGES],
            filled: 0,
            files: Vec::with_capacity(OPEN_FILES),
            pages_read: 0,
        }
    }

    /// Bytes on the heap.
    pub(crate) fn footprint_bytes() -> u64 {
        (CACHE_PAGES * PAGE_BYTES + OPEN_FILES * size_of::<OpenFile<D::File>>()) as u64
    }

    /// The page, checked. One that was read a moment ago is not read again.
    pub(crate) fn page(
        &mut self,
        disk: &D,
        segment: &Segment,
        page: u32,
    ) -> Result<PageView<'_>, ReadFault> {
        self.page_ahead(disk, segment, page, 1)
    }

    /// The page; if it has to be read, so are up to `ahead - 1` pages behind it, with one call.
    pub(crate) fn page_ahead(
        &mut self,
        disk: &D,
        segment: &Segment,
        page: u32,
        ahead: usize,
    ) -> Result<PageView<'_>, ReadFault> {
        let tag = Tag { segment: segment.id, generation: segment.generation, page };
        let slot = match self.tags.iter().position(|&kept| kept == tag) {
            Some(slot) => slot,
            None => match self.fill(disk, segment, page, ahead) {
                // A file that lost its end has lost pages. To wait for them would be to wait for ever, with
                // all that lies behind them.
                Err(error) if is_end(&error) && ahead > 1 => {
                    return self.page_ahead(disk, segment, page, 1);
                }
                Err(error) if is_end(&error) => return Err(ReadFault::Page(PageFault::Empty)),
                filled => filled.map_err(ReadFault::Disk)?,
            },
        };
        let view = PageView::check(&self.buffer[slot], segment.seed(&self.store_id), page);
        if view.is_err() {
            self.tags[slot] = Tag::NONE;
        }
        view.map_err(ReadFault::Page)
    }

    /// The whole page as it stands there, and what its head says. `None`: what stands there is not it.
    pub(crate) fn whole_page_ahead(
        &mut self,
        disk: &D,
        segment: &Segment,
        page: u32,
        ahead: usize,
    ) -> Result<Option<(PageInfo, &[u8; PAGE_BYTES])>, DiskError> {
        let info = match self.page_ahead(disk, segment, page, ahead) {
            Ok(view) => view.info,
            Err(ReadFault::Disk(error)) => return Err(error),
            Err(ReadFault::Page(_)) => return Ok(None),
        };
        let tag = Tag { segment: segment.id, generation: segment.generation, page };
        let slot = self.tags.iter().position(|&kept| kept == tag);
        Ok(slot.map(|slot| (info, &self.buffer[slot])))
    }

    /// Reads pages anew, no more than are kept, so that all of them are kept that can be read.
    pub(crate) fn hold(
        &mut self,
        disk: &D,
        segment: &Segment,
        pages: core::ops::Range<u32>,
    ) -> Result<(), DiskError> {
        debug_assert!(pages.len() <= CACHE_PAGES, "some would take the place of others");
        self.tags.fill(Tag::NONE);
        match self.fill(disk, segment, pages.start, pages.len()) {
            // A file that lost its end.
            Err(error) if is_end(&error) => {
                pages.into_iter().try_for_each(|page| match self.fill(disk, segment, page, 1) {
                    Err(error) if !is_end(&error) => Err(error),
                    _ => Ok(()),
                })
            }
            filled => filled.map(|_| ()),
        }
    }

    /// The number in the log that a page with a wrong checksum says it has.
    pub(crate) fn claimed_lsn(&mut self, disk: &D, segment: &Segment, page: u32) -> Option<u64> {
        let slot = self.fill(disk, segment, page, 1).ok()?;
        let seed = segment.seed(&self.store_id);
        let fault = PageView::check(&self.buffer[slot], seed, page).err()?;
        self.tags[slot] = Tag::NONE;
        (fault == PageFault::Checksum).then(|| PageView::claimed_lsn(&self.buffer[slot]))
    }

    fn fill(
        &mut self,
        disk: &D,
        segment: &Segment,
        page: u32,
        ahead: usize,
    ) -> Result<usize, DiskError> {
        let left = segment.pages.saturating_sub(page).max(1) as usize;
        let count = ahead.clamp(1, CACHE_PAGES).min(left);
        let mut first = self.filled + 1;
        if first + count > CACHE_PAGES {
            first = 0;
        }
        let slots = first..first + count;
        self.tags[slots.clone()].fill(Tag::NONE);
        let file = self.file(disk, segment)?;
        let file = &self.files[file].file;
        let bytes = self.buffer[slots.clone()].as_flattened_mut();
        read_exact_at(disk, file, bytes, u64::from(page) * PAGE_BYTES as u64)
            .map_err(|error| DiskError::new(Operation::Read, segment.name(), error))?;
        self.pages_read += count as u64;
        for (offset, slot) in (0..).zip(slots) {
            self.tags[slot] =
                Tag { segment: segment.id, generation: segment.generation, page: page + offset };
            self.filled = slot;
        }
        Ok(first)
    }

    /// The place among the open files of the segment's, opened if it is not.
    fn file(&mut self, disk: &D, segment: &Segment) -> Result<usize, DiskError> {
        let is_it = |file: &OpenFile<_>| {
            (file.segment, file.generation) == (segment.id, segment.generation)
        };
        if let Some(at) = self.files.iter().position(is_it) {
            return Ok(at);
        }
        let name = segment.name();
        let file = disk
            .open(name.as_str())
            .map_err(|error| DiskError::new(Operation::Open, name, error))?;
        if self.files.len() == OPEN_FILES {
            self.files.remove(0);
        }
        self.files.push(OpenFile { segment: segment.id, generation: segment.generation, file });
        Ok(self.files.len() - 1)
    }

    /// Forgets everything of a segment's file: it goes away, or its end was cut.
    pub(crate) fn forget(&mut self, segment: &Segment) {
        for tag in &mut self.tags {
            if (tag.segment, tag.generation) == (segment.id, segment.generation) {
                *tag = Tag::NONE;
            }
        }
        self.files
            .retain(|file| (file.segment, file.generation) != (segment.id, segment.generation));
    }
}

#[cfg(all(test, feature = "scenario"))]
mod tests;
