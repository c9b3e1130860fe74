//! Which sensors the pages of the open segment can hold, so that one sensor's records are found without
//! reading all of them.

use super::append::KeyRange;

const HAS_RECORDS: u64 = 1;
/// The page begins with a smaller key than the page before it ended with: another spill.
const BEGINS: u64 = 2;
const KEY_SHIFT: u32 = 2;

/// The first key of each page; within a spill pages are sorted, so the next page's tells where one
/// ends.
pub(super) struct PageFences {
    pages: Vec<u64>,
    last_key: u64,
}

impl PageFences {
    pub(super) fn with_room_for(pages: usize) -> Self {
        Self { pages: Vec::with_capacity(pages), last_key: 0 }
    }

    pub(super) fn clear(&mut self) {
        self.pages.clear();
        self.last_key = 0;
    }

    /// Forgets the pages from number `page` on.
    pub(super) fn truncate(&mut self, page: u32) {
        self.pages.truncate(page as usize);
    }

    /// The next page has these keys. Without room for it, it will be looked into: that happens to an
    /// index, and to a segment that grew beyond its pages because no other one could be begun.
    pub(super) fn push(&mut self, keys: KeyRange) {
        let fence = keys.map_or(0, |(first, last)| {
            let begins = if first < self.last_key { BEGINS } else { 0 };
            self.last_key = last;
            first << KEY_SHIFT | begins | HAS_RECORDS
        });
        if self.pages.len() < self.pages.capacity() {
            self.pages.push(fence);
        }
    }

    /// Whether a page can hold a key from `from` to below `limit`.
    pub(super) fn may_hold(&self, page: u32, from: u64, limit: u64) -> bool {
        let page = page as usize;
        let Some(&fence) = self.pages.get(page) else { return true };
        if fence & HAS_RECORDS == 0 || fence >> KEY_SHIFT >= limit {
            return false;
        }
        match self.pages.get(page + 1) {
            Some(&next) if next & HAS_RECORDS != 0 && next & BEGINS == 0 => {
                from <= next >> KEY_SHIFT
            }
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::PageFences;

    #[test]
    fn a_page_that_can_hold_a_key_is_never_passed_over() {
        // Field of a bug: a spill that begins with the key that the one before it began with was taken
        // for its continuation, and everything behind that key was passed over.
        let pages = [
            Some((1, 9)),
            Some((1, 4)),
            Some((4, 7)),
            None,
            Some((8, 9)),
            Some((2, 2)),
            Some((2, 5)),
        ];
        let mut fences = PageFences::with_room_for(6);
        for keys in pages {
            fences.push(keys);
        }
        for (page, keys) in (0..).zip(pages) {
            for from in 0..12 {
                for limit in from + 1..13 {
                    let holds = keys.is_some_and(|(first, last)| first < limit && from <= last);
                    assert!(!holds || fences.may_hold(page, from, limit), "{page} {from} {limit}");
                }
            }
        }
        assert!(!fences.may_hold(1, 5, 6) && !fences.may_hold(3, 0, 12));
        // Of pages that were cut nothing is known.
        fences.truncate(1);
        assert!(!fences.may_hold(0, 0, 1) && fences.may_hold(1, 5, 6) && fences.may_hold(3, 0, 12));
        fences.push(Some((3, 4)));
        assert!(!fences.may_hold(1, 0, 3) && fences.may_hold(1, 3, 4));
    }
}
