//! Sealing: the index that goes behind a full segment's data, and its footer.
//!
//! The chunks of one sensor lie all over a segment, and memory is bounded, so the index is built in
//! passes: each takes as many sensors, in the order of their keys, as fit into the work space, and
//! reads only the pages that can hold them. What a pass has no room for, the next one takes.

use super::{
    cache::ReadFault,
    chunk::FooterFields,
    io::{Disk, DiskError},
    log::Log,
    page::{CHUNK_ROOM_MIN, PAGE_BYTES},
    segment::{Segment, SegmentState},
    varint::{Encoder, VARINT_BYTES_MAX},
};
use crate::planted::{self, Bug};

/// Bits of an arena entry that name the page; the rest is the key.
const PAGE_BITS: u32 = 20;
const _: () = assert!(super::SEGMENT_PAGES_MAX < 1 << PAGE_BITS);
const PAGE_MASK: u64 = (1 << PAGE_BITS) - 1;
/// No key is as large.
const KEY_END: u64 = 1 << 40;
/// A list of pages in one entry of the index: the rest of a page has room for the entry's head.
const LIST_BYTES_MAX: usize = CHUNK_ROOM_MIN - 64;
/// First keys that a footer names: an even number that fits into its page however far apart they are.
const FENCES_MAX: u32 = 640;
const _: () = assert!(FENCES_MAX as usize * 6 + 64 <= CHUNK_ROOM_MIN);

/// What the passes over a segment need to know of it.
#[derive(Clone, Copy)]
pub(super) struct IndexOf {
    pub(super) segment: Segment,
    pub(super) data_pages: (u32, u32),
}

impl<D: Disk> Log<D> {
    /// Completes the open segment: index, footer, sync. The next append begins another one.
    pub(crate) fn seal(&mut self) -> Result<(), DiskError> {
        self.flush()?;
        let Some(segment) = self.segments.last().copied() else { return Ok(()) };
        self.begin_appending();
        let data_pages = (segment.data_page, segment.pages);
        let mut fences = Fences::new(segment.pages);
        let mut from_key = 0;
        let mut span = KEY_END;
        while from_key < KEY_END {
            let limit = from_key.saturating_add(span).min(KEY_END);
            let until = self.collect(&IndexOf { segment, data_pages }, from_key, limit)?;
            self.write_entries(&segment, &mut fences)?;
            // The next pass guesses that keys go on as densely.
            span = if until == limit { span.saturating_mul(2) } else { until - from_key };
            from_key = until;
        }
        // A footer says that everything in front of it is there: it comes when that is durable, or a power
        // cut could leave it alone.
        self.flush()?;
        if !planted::is(Bug::FooterTooEarly) {
            self.sync_now()?;
        }
        self.write_footer(&fences)?;
        self.sync_now()?;
        self.close();
        self.fences.clear();
        if let Some(sealed) = self.segments.last_mut() {
            sealed.state = SegmentState::Sealed;
        }
        Ok(())
    }

    /// Collects key and page of every chunk of records with a key from `from_key` to below `limit`,
    /// sorted. Returns the key to which it came: below `limit` if there was no room for all.
    fn collect(&mut self, of: &IndexOf, from_key: u64, mut limit: u64) -> Result<u64, DiskError> {
        self.arena.clear();
        for page in of.data_pages.0..of.data_pages.1 {
            if !self.fences.may_hold(page, from_key, limit) {
                continue;
            }
            if self.arena.len() + 2_048 > self.arena.capacity() {
                limit = shrink(&mut self.arena, limit);
            }
            let view = match self.cache.page_ahead(&self.disk, &of.segment, page, 1) {
                Ok(view) => view,
                Err(ReadFault::Disk(error)) => return Err(error),
                Err(ReadFault::Page(_)) => {
                    self.counts.damaged_pages += 1;
                    continue;
                }
            };
            let mut last = KEY_END;
            let mut chunks = view.chunks();
            while let Ok(Some(extent)) = chunks.next_extent() {
                let key = extent.key;
                if (from_key..limit).contains(&key) && key != last {
                    self.arena.push(key << PAGE_BITS | u64::from(page));
                    last = key;
                }
            }
        }
        self.arena.sort_unstable();
        self.arena.dedup();
        Ok(limit)
    }

    /// Writes the entries of what was collected.
    fn write_entries(&mut self, segment: &Segment, fences: &mut Fences) -> Result<(), DiskError> {
        let mut list = [0; LIST_BYTES_MAX];
        let mut at = 0;
        while at < self.arena.len() {
            let key = self.arena[at] >> PAGE_BITS;
            let mut out = Encoder::new(&mut list);
            let (first_page, mut before) = (self.arena[at] & PAGE_MASK, 0);
            while let Some(&entry) = self.arena.get(at) {
                let page = entry & PAGE_MASK;
                if entry >> PAGE_BITS != key || out.len() + VARINT_BYTES_MAX > LIST_BYTES_MAX {
                    break;
                }
                out.varint(page - before);
                before = page;
                at += 1;
            }
            let len = out.len();
            let pages = (first_page, before);
            let Some((first_seq, end_seq)) = self.extent(segment, key, pages)? else { continue };
            let records = end_seq - first_seq;
            self.put_index(fences, key, |page| {
                page.push_index(key, first_seq, end_seq, records, &list[..len])
            })?;
            fences.records += records;
        }
        Ok(())
    }

    /// The first number and the end of a sensor's records in its first and last page.
    fn extent(
        &mut self,
        segment: &Segment,
        key: u64,
        pages: (u64, u64),
    ) -> Result<Option<(u64, u64)>, DiskError> {
        let mut extent: Option<(u64, u64)> = None;
        for page in [pages.0, pages.1] {
            let view = match self.cache.page(&self.disk, segment, page as u32) {
                Ok(view) => view,
                Err(ReadFault::Disk(error)) => return Err(error),
                Err(ReadFault::Page(_)) => continue,
            };
            let mut chunks = view.chunks();
            while let Ok(Some(chunk)) = chunks.next_records_of(key) {
                let (first, end) = extent.unwrap_or((chunk.header.first_seq, chunk.end_seq()));
                extent = Some((first.min(chunk.header.first_seq), end.max(chunk.end_seq())));
            }
            if pages.0 == pages.1 {
                break;
            }
        }
        Ok(extent)
    }

    fn put_index(
        &mut self,
        fences: &mut Fences,
        key: u64,
        put: impl Fn(&mut super::page::PageBuilder<'_>) -> bool,
    ) -> Result<(), DiskError> {
        if !self.appender.put_chunk(&put) {
            self.flush()?;
            self.appender.put_chunk(&put);
        }
        fences.note(self.appender.page_number(), key);
        Ok(())
    }

    fn write_footer(&mut self, fences: &Fences) -> Result<(), DiskError> {
        self.flush()?;
        self.begin_appending();
        let mut keys = [0; PAGE_BYTES];
        let (fields, len) = fences.coded(&mut keys);
        self.appender.put_chunk(|page| page.push_footer(&fields, &keys[..len]));
        self.flush().map(|_| ())
    }
}

/// Makes room: keeps the smaller keys, and returns the first of those that were dropped.
fn shrink(arena: &mut Vec<u64>, limit: u64) -> u64 {
    arena.sort_unstable();
    arena.dedup();
    let Some(&last) = arena.last() else { return limit };
    let mut cut = arena[arena.len() / 2] >> PAGE_BITS;
    if cut == arena[0] >> PAGE_BITS {
        // Half of it is of one key, so the cut is behind that one.
        cut += 1;
    }
    let cut = cut.min((last >> PAGE_BITS) + 1).min(limit);
    arena.truncate(arena.partition_point(|&entry| entry >> PAGE_BITS < cut));
    cut
}

/// The first key of each index page; of each second, fourth … one when they are many.
pub(super) struct Fences {
    pub(super) index_page: u32,
    pub(super) records: u64,
    step: u32,
    len: usize,
    /// Index pages that were noted, so that each is once.
    pages: u32,
    keys: [u64; FENCES_MAX as usize],
}

impl Fences {
    pub(super) const fn new(index_page: u32) -> Self {
        Self { index_page, records: 0, step: 1, len: 0, pages: 0, keys: [0; FENCES_MAX as usize] }
    }

    /// An entry of `key` stands in `page`.
    pub(super) fn note(&mut self, page: u32, key: u64) {
        if page - self.index_page < self.pages {
            return;
        }
        let index = self.pages;
        self.pages += 1;
        if !index.is_multiple_of(self.step) {
            return;
        }
        if self.len == self.keys.len() {
            for kept in 0..self.len / 2 {
                self.keys[kept] = self.keys[2 * kept];
            }
            self.len /= 2;
            self.step *= 2;
            if !index.is_multiple_of(self.step) {
                return;
            }
        }
        self.keys[self.len] = key;
        self.len += 1;
    }

    /// The footer's numbers, and its keys coded into `bytes`; says how many bytes.
    pub(super) fn coded(&self, bytes: &mut [u8; PAGE_BYTES]) -> (FooterFields, usize) {
        let mut out = Encoder::new(bytes);
        let mut before = 0_u64;
        for &key in &self.keys[..self.len] {
            out.signed(key.wrapping_sub(before).cast_signed());
            before = key;
        }
        let fields = FooterFields {
            index_page: self.index_page,
            index_pages: self.pages,
            records: self.records,
            fence_step: self.step,
        };
        (fields, out.len())
    }
}

#[cfg(test)]
mod tests;
