//! The segments that make up the log, oldest first, in memory taken once.

use super::{
    io::FileName,
    page::{PAGE_BYTES, SegmentSeed, StoreId},
};

/// What a segment is to the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SegmentState {
    /// The one that is appended to.
    Open,
    /// Complete, with an index.
    Sealed,
    /// Its sync failed: what it holds may be gone after a power cut, and nothing more is appended. It
    /// has no index.
    Suspect,
}

/// One segment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Segment {
    pub(crate) id: u64,
    pub(crate) pages: u32,
    /// The first page behind the checkpoint.
    pub(crate) data_page: u32,
    /// A sensor that still has records here, so that the whole index need not be asked: its key, and
    /// where its records here end.
    pub(crate) witness: Option<(u64, u64)>,
    /// The index page that the last witness was found in: those before it have none any more.
    pub(crate) witness_page: u32,
    pub(crate) generation: u8,
    /// Squeezing it was found not to be worth it.
    pub(crate) is_kept: bool,
    pub(crate) state: SegmentState,
}

impl Segment {
    pub(crate) fn new(id: u64, generation: u8, state: SegmentState) -> Self {
        Self {
            id,
            pages: 0,
            data_page: 0,
            witness: None,
            witness_page: 0,
            generation,
            is_kept: false,
            state,
        }
    }

    pub(crate) fn name(&self) -> FileName {
        FileName::of_segment(self.id, self.generation)
    }

    pub(crate) fn seed(&self, store_id: &StoreId) -> SegmentSeed {
        SegmentSeed::new(store_id, self.id, self.generation)
    }

    pub(crate) fn bytes(&self) -> u64 {
        u64::from(self.pages) * PAGE_BYTES as u64
    }
}

/// Where a chunk lies: a segment and a page of it. Ordered as the log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Position {
    pub(crate) segment: u64,
    pub(crate) page: u32,
}

/// The segments in order of their ids.
#[derive(Debug)]
pub(crate) struct Segments {
    list: Vec<Segment>,
}

impl Segments {
    pub(crate) fn with_room_for(segments: usize) -> Self {
        Self { list: Vec::with_capacity(segments) }
    }

    /// Whether another one can be added without an allocation.
    pub(crate) fn has_room(&self) -> bool {
        self.list.len() < self.list.capacity()
    }

    pub(crate) fn capacity(&self) -> usize {
        self.list.capacity()
    }

    /// Makes room for segments that were there before this opening.
    pub(crate) fn grow(&mut self, segments: usize) {
        self.list.reserve_exact(segments.saturating_sub(self.list.len()));
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &Segment> + ExactSizeIterator {
        self.list.iter()
    }

    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    pub(crate) fn get(&self, index: usize) -> Option<Segment> {
        self.list.get(index).copied()
    }

    pub(crate) fn get_mut(&mut self, index: usize) -> Option<&mut Segment> {
        self.list.get_mut(index)
    }

    pub(crate) fn last_mut(&mut self) -> Option<&mut Segment> {
        self.list.last_mut()
    }

    pub(crate) fn last(&self) -> Option<&Segment> {
        self.list.last()
    }

    /// The index of the first segment that is `id` or a later one.
    pub(crate) fn at_or_after(&self, id: u64) -> usize {
        self.list.partition_point(|segment| segment.id < id)
    }

    pub(crate) fn index_of(&self, id: u64) -> Option<usize> {
        self.list.binary_search_by_key(&id, |segment| segment.id).ok()
    }

    /// Adds the newest segment.
    pub(crate) fn push(&mut self, segment: Segment) {
        debug_assert!(self.list.last().is_none_or(|last| last.id < segment.id));
        self.list.push(segment);
    }

    pub(crate) fn remove(&mut self, index: usize) {
        self.list.remove(index);
    }

    /// Bytes of all segments' files.
    pub(crate) fn bytes(&self) -> u64 {
        self.list.iter().map(Segment::bytes).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::{Segment, SegmentState, Segments};

    /// The log takes its memory when it is opened and none later.
    #[test]
    fn the_list_is_full_when_its_memory_is() {
        let mut segments = Segments::with_room_for(3);
        let room = segments.capacity();
        for id in 1..=room as u64 {
            assert!(segments.has_room());
            segments.push(Segment::new(id, 0, SegmentState::Sealed));
        }
        assert!(!segments.has_room());
        assert_eq!((segments.len(), segments.capacity()), (room, room));
    }
}
