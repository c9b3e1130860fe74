//! The runs of a group of sensors, out of the pages that hold them.

use super::super::{
    cache::ReadFault,
    chunk::{Chunk, RunHeader},
    io::{Disk, DiskError},
    log::Log,
    segment::{Segment, SegmentState},
};

/// Runs of a group at most.
pub(super) const GATHERED_MAX: usize = 1_024;

/// A run that was gathered: its head, and where its records lie in the buffer.
#[derive(Clone, Copy)]
pub(super) struct Gathered {
    pub(super) header: RunHeader,
    pub(super) at: u32,
    pub(super) len: u32,
}

/// Where the next group begins: a key, and of a sensor with very many records how far it came.
#[derive(Clone, Copy, Default)]
pub(super) struct Next {
    pub(super) key: u64,
    pub(super) seq: u64,
    pub(super) page: u32,
}

/// A group of sensors: keys from `from` to below `limit`, which is lowered when there is no room for
/// all of them.
pub(super) struct Group {
    pub(super) from: Next,
    pub(super) limit: u64,
    pub(super) buffer: Box<[u8]>,
    pub(super) used: usize,
    /// One sensor alone was too much: where to go on.
    pub(super) rest: Option<Next>,
}

impl Group {
    /// Copies the group's runs that end behind their sensor's head.
    pub(super) fn gather<D: Disk>(
        &mut self,
        log: &mut Log<D>,
        segment: &Segment,
        gathered: &mut Vec<Gathered>,
        head_of: &dyn Fn(u64) -> u64,
    ) -> Result<(), DiskError> {
        log.list_pages_between(segment, self.from.key, self.limit)?;
        let mut head = (u64::MAX, 0);
        for listed in 0..log.page_list.len() {
            let page = log.page_list[listed];
            if page < self.from.page {
                continue;
            }
            let view = match log.cache.page(&log.disk, segment, page) {
                Ok(view) => view,
                Err(ReadFault::Disk(error)) => return Err(error),
                // Its records are gone; the gap is found when they are read.
                Err(ReadFault::Page(_)) => {
                    log.counts.damaged_pages += 1;
                    continue;
                }
            };
            let mut chunks = view.chunks();
            while let Ok(Some(chunk)) = chunks.next_records_in(self.from.key..self.limit) {
                let key = chunk.header.key;
                if head.0 != key {
                    let done = if key == self.from.key { self.from.seq } else { 0 };
                    head = (key, head_of(key).max(done));
                }
                if chunk.end_seq() <= head.1 {
                    continue;
                }
                for (header, payload) in chunk.runs() {
                    let records = (payload.len() / header.form.record_bytes()) as u64;
                    if header.first_seq + records <= head.1 {
                        continue;
                    }
                    if key < self.limit && !self.push(gathered, header, payload) {
                        // `push` has made room by giving up larger keys, perhaps this one.
                        if self.rest.is_some() {
                            self.rest = self.rest.map(|rest| Next { page, ..rest });
                            return Ok(());
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Copies one run. `false`: the group was made smaller by it, and it may not be in it any more.
    fn push(&mut self, gathered: &mut Vec<Gathered>, header: RunHeader, payload: &[u8]) -> bool {
        let mut was_enough = true;
        while self.used + payload.len() > self.buffer.len() || gathered.len() == GATHERED_MAX {
            was_enough = false;
            if !self.shrink(gathered, header.key) {
                // This sensor alone fills the buffer: it is written as far as it came.
                let end = gathered.iter().map(|run| {
                    run.header.first_seq
                        + u64::from(run.len) / run.header.form.record_bytes() as u64
                });
                let seq = end.max().unwrap_or(0);
                self.rest = Some(Next { key: header.key, seq, page: 0 });
                return false;
            }
            if header.key >= self.limit {
                return false;
            }
        }
        self.buffer[self.used..self.used + payload.len()].copy_from_slice(payload);
        gathered.push(Gathered { header, at: self.used as u32, len: payload.len() as u32 });
        self.used += payload.len();
        was_enough
    }

    /// Gives up the larger half of the keys, `coming` among them. `false`: there is only one.
    fn shrink(&mut self, gathered: &mut Vec<Gathered>, coming: u64) -> bool {
        let keys = gathered.iter().map(|run| run.header.key);
        let (least, most) =
            keys.fold((coming, coming), |(least, most), key| (least.min(key), most.max(key)));
        if least == most {
            // Larger keys may still come; they are not in this group any more.
            self.limit = least + 1;
            return false;
        }
        self.limit = least + (most - least).div_ceil(2);
        let limit = self.limit;
        gathered.retain(|run| run.header.key < limit);
        self.used = 0;
        for run in gathered.iter_mut() {
            let from = run.at as usize;
            self.buffer.copy_within(from..from + run.len as usize, self.used);
            run.at = self.used as u32;
            self.used += run.len as usize;
        }
        true
    }
}

impl<D: Disk> Log<D> {
    /// Lists the pages of a segment that can hold records with a key from `from` to below `limit`.
    fn list_pages_between(
        &mut self,
        segment: &Segment,
        from: u64,
        limit: u64,
    ) -> Result<(), DiskError> {
        self.page_list.clear();
        let is_listed = segment.state == SegmentState::Sealed
            && match self.list_index_between(segment, from, limit) {
                Ok(is_listed) => is_listed,
                Err(ReadFault::Disk(error)) => return Err(error),
                Err(ReadFault::Page(_)) => false,
            };
        if is_listed {
            self.page_list.sort_unstable();
            self.page_list.dedup();
        } else {
            self.page_list.clear();
            self.list_all(segment, 0);
        }
        Ok(())
    }

    /// `false`: they are so many that looking into every page is no more work.
    fn list_index_between(
        &mut self,
        segment: &Segment,
        from: u64,
        limit: u64,
    ) -> Result<bool, ReadFault> {
        let index = self.index_pages(segment)?;
        let first = self.index_pages_of(segment, from)?.start.max(index.start);
        for page in first..index.end {
            let view = self.cache.page(&self.disk, segment, page)?;
            for chunk in view.chunks() {
                let Ok(Chunk::Index(entry)) = chunk else { continue };
                if entry.key >= limit {
                    return Ok(true);
                }
                if entry.key < from {
                    continue;
                }
                for page in entry.pages().filter(|&page| page < segment.pages) {
                    if self.page_list.len() == self.page_list.capacity() {
                        self.page_list.sort_unstable();
                        self.page_list.dedup();
                        if 2 * self.page_list.len() > self.page_list.capacity() {
                            return Ok(false);
                        }
                    }
                    self.page_list.push(page);
                }
            }
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests;
