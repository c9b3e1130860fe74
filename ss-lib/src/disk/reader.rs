//! Finding one sensor's records in the log: by the index of a sealed segment, by the pages' first
//! keys in the open one.

use super::{
    cache::ReadFault,
    chunk::{Chunk, RecordsChunk},
    io::{Disk, DiskError},
    log::Log,
    segment::{Position, Segment, SegmentState},
};
use core::ops::ControlFlow;

impl<D: Disk> Log<D> {
    /// Shows `visit` every chunk of `key` that ends behind `from_seq`, in log order from `at` on, until
    /// it breaks. Pages that cannot be read as such are passed over: their records show as a gap.
    pub(crate) fn visit_sensor(
        &mut self,
        key: u64,
        from_seq: u64,
        at: Position,
        visit: &mut dyn FnMut(Position, &RecordsChunk<'_>) -> ControlFlow<()>,
    ) -> Result<(), DiskError> {
        let mut index = self.segments.at_or_after(at.segment);
        while let Some(segment) = self.segments.get(index) {
            let first_page = if segment.id == at.segment { at.page } else { 0 };
            self.list_pages(index, &segment, key, from_seq, first_page)?;
            let is_open = segment.state == SegmentState::Open;
            for listed in 0..self.page_list.len() {
                let page = self.page_list[listed];
                self.pages_searched += u64::from(is_open);
                let view = match self.cache.page(&self.disk, &segment, page) {
                    Ok(view) => view,
                    Err(ReadFault::Disk(error)) => return Err(error),
                    Err(ReadFault::Page(_)) => {
                        self.counts.damaged_pages += 1;
                        continue;
                    }
                };
                let mut chunks = view.chunks();
                while let Ok(Some(chunk)) = chunks.next_records_of(key) {
                    let position = Position { segment: segment.id, page };
                    if chunk.end_seq() > from_seq && visit(position, &chunk).is_break() {
                        return Ok(());
                    }
                }
            }
            index += 1;
        }
        Ok(())
    }

    /// Lists the pages of a segment, from `first_page` on, that can hold records of `key` behind
    /// `from_seq`.
    fn list_pages(
        &mut self,
        index: usize,
        segment: &Segment,
        key: u64,
        from_seq: u64,
        first_page: u32,
    ) -> Result<(), DiskError> {
        self.page_list.clear();
        match segment.state {
            SegmentState::Sealed => match self.list_by_index(segment, key, from_seq, first_page) {
                Ok(()) => Ok(()),
                Err(ReadFault::Disk(error)) => Err(error),
                // A damaged index costs time, no record: every page is looked into.
                Err(ReadFault::Page(_)) => {
                    self.counts.damaged_pages += 1;
                    self.page_list.clear();
                    self.list_all(segment, first_page);
                    Ok(())
                }
            },
            SegmentState::Open if index + 1 == self.segments.len() => {
                self.list_by_fences(segment, key, first_page);
                Ok(())
            }
            SegmentState::Open | SegmentState::Suspect => {
                self.list_all(segment, first_page);
                Ok(())
            }
        }
    }

    pub(super) fn list_all(&mut self, segment: &Segment, first_page: u32) {
        let room = self.page_list.capacity();
        self.page_list.extend((first_page.max(segment.data_page)..segment.pages).take(room));
    }

    fn list_by_fences(&mut self, segment: &Segment, key: u64, first_page: u32) {
        let from = first_page.max(segment.data_page);
        for page in from..segment.pages {
            let may_hold = self.fences.may_hold(page, key, key + 1);
            if may_hold && self.page_list.len() < self.page_list.capacity() {
                self.page_list.push(page);
            }
        }
    }

    fn list_by_index(
        &mut self,
        segment: &Segment,
        key: u64,
        from_seq: u64,
        first_page: u32,
    ) -> Result<(), ReadFault> {
        for page in self.index_pages_of(segment, key)? {
            let view = self.cache.page(&self.disk, segment, page)?;
            let mut chunks = view.chunks();
            loop {
                let entry = match chunks.next_index_of(key) {
                    Ok(Some(entry)) => entry,
                    Ok(None) => break,
                    Err(_) => return Err(ReadFault::Page(super::PageFault::Content)),
                };
                if entry.end_seq <= from_seq {
                    continue;
                }
                let room = self.page_list.capacity() - self.page_list.len();
                let pages = entry.pages().filter(|&page| page >= first_page);
                // An index that names pages beyond the segment's is a forgery: there is nothing there.
                let pages = pages.filter(|&page| page < segment.pages);
                self.page_list.extend(pages.take(room));
            }
        }
        Ok(())
    }

    /// The index pages of a sealed segment that can hold entries of `key`.
    pub(super) fn index_pages_of(
        &mut self,
        segment: &Segment,
        key: u64,
    ) -> Result<core::ops::Range<u32>, ReadFault> {
        let last = segment.pages.saturating_sub(1);
        let view = self.cache.page(&self.disk, segment, last)?;
        match view.first_chunk() {
            Some(Chunk::Footer(footer)) => {
                let pages = footer.pages_of(key);
                Ok(pages.start.min(last)..pages.end.min(last))
            }
            _ => Err(ReadFault::Page(super::PageFault::Content)),
        }
    }

    /// The pages that say which sensors a segment holds and where each ends: its index, or where it has
    /// none its data.
    pub(crate) fn extents_of(
        &mut self,
        segment: &Segment,
    ) -> Result<core::ops::Range<u32>, DiskError> {
        if segment.state == SegmentState::Sealed {
            match self.index_pages(segment) {
                Ok(pages) => return Ok(pages),
                Err(ReadFault::Disk(error)) => return Err(error),
                Err(ReadFault::Page(_)) => {}
            }
        }
        Ok(segment.data_page..segment.pages)
    }

    /// All index pages of a sealed segment.
    pub(super) fn index_pages(
        &mut self,
        segment: &Segment,
    ) -> Result<core::ops::Range<u32>, ReadFault> {
        let last = segment.pages.saturating_sub(1);
        let view = self.cache.page(&self.disk, segment, last)?;
        match view.first_chunk() {
            Some(Chunk::Footer(footer)) => Ok(footer.fields.index_page.min(last)..last),
            _ => Err(ReadFault::Page(super::PageFault::Content)),
        }
    }
}
