//! Where a segment ends that was never sealed, the newest one or one whose sync failed: in front of the first
//! bad page that was never durable. A power cut may have taken it, and what lies behind it was no more promised
//! than it was. And which of those whose sync failed are in doubt: an opening and a look go by the same rule.

use super::{Superblock, page::PageInfo};

/// So far in front of the newest checkpoint an opening looks for segments whose sync failed: at a page of each.
/// What stands half as far is made durable before another segment is begun. (What RAM holds must fit into so many
/// segments, or its numbers are not told of by then.)
pub(crate) const DOUBT_REACH: usize = 64;

/// What is known of openings, so that a segment that was never sealed and is not the newest can be judged by the
/// opening of its newest page.
#[derive(Clone, Copy, Debug)]
pub(super) struct Openings {
    /// The newest one that wrote a page, or the superblock: it does so when nothing is in doubt any more.
    pub(super) newest: u32,
    /// The one that wrote the newest checkpoint.
    pub(super) checkpoint: u32,
}

impl Openings {
    /// The newest opening, where the newest page is of this one. An orderly end leaves nothing in doubt either.
    pub(super) fn newest(of_page: u32, superblock: &Superblock) -> u32 {
        let settled = superblock.epoch.saturating_add(u32::from(superblock.is_clean));
        of_page.max(settled)
    }

    /// Whether a power cut may have taken pages of the segment, or the kernel alone may have them. A later
    /// opening has made it durable, or cut it.
    pub(super) const fn is_in_doubt(self, epoch: u32) -> bool {
        epoch >= self.newest
    }

    /// Whether the segment may have numbers that the newest checkpoint does not tell of. One of a later opening
    /// tells of all: that opening has read the segment, and what it forgot since must not come back.
    pub(super) const fn is_untold(self, epoch: u32) -> bool {
        epoch >= self.checkpoint
    }
}

/// Bad pages one behind the other.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct BadRun {
    first: Option<u32>,
    /// The page behind the last one that says of itself that it was durable.
    durable_end: u32,
}

impl BadRun {
    /// This page is bad. `before` is the last good one in front of it. A number that it says it has is
    /// believed if it makes the page a durable one: a write that was torn has its own number or none. If it
    /// does not it is no proof, for the number may be what rotted.
    pub(super) fn note(
        &mut self,
        page: u32,
        claimed_lsn: Option<u64>,
        before: PageInfo,
        durable_lsn: u64,
    ) {
        self.first.get_or_insert(page);
        if claimed_lsn.is_some_and(|lsn| before.lsn < lsn && lsn < durable_lsn) {
            self.durable_end = page + 1;
        }
    }

    /// `page` is the next good page, of number `lsn`, and `before` the one in front of the run: the page that
    /// the log ends in front of, if one of the run was not durable.
    ///
    /// An opening that cut pages skips their numbers, before the run or behind it. Everything is durable up
    /// to where it goes on, so what was durable reaches the run's numbers as they are counted back from the
    /// page behind, if the skip is before the run, and passes all of them if it is behind. Where it reaches
    /// none of these it was written before any skip: then they are counted on from the page in front.
    pub(super) fn end_before(
        &mut self,
        before: PageInfo,
        (page, lsn): (u32, u64),
        durable_lsn: u64,
    ) -> Option<u32> {
        let Self { first, durable_end } = core::mem::take(self);
        let first = first?;
        let on = before.lsn.saturating_add(1);
        let back = lsn.saturating_sub(u64::from(page - first)).max(on);
        let durable = durable_lsn.saturating_sub(if durable_lsn >= back { back } else { on });
        let counted = first.saturating_add(u32::try_from(durable).unwrap_or(u32::MAX));
        let end = counted.max(durable_end);
        (end < page).then_some(end)
    }

    /// No good page follows. `last_lsn` is of the good page in front.
    pub(super) fn end_at_last(self, last_lsn: u64, durable_lsn: u64) -> Option<u32> {
        self.first.filter(|_| last_lsn.saturating_add(1) >= durable_lsn)
    }
}

#[cfg(test)]
mod tests {
    use super::{BadRun, PageInfo};

    fn run(first: u32) -> BadRun {
        claiming(first, [None, None], 0)
    }

    fn claiming(first: u32, lsns: [Option<u64>; 2], durable_lsn: u64) -> BadRun {
        let mut run = BadRun::default();
        for (page, lsn) in (first..).zip(lsns) {
            run.note(page, lsn, page_info(104, 1), durable_lsn);
        }
        run
    }

    const fn page_info(lsn: u64, epoch: u32) -> PageInfo {
        PageInfo { lsn, epoch, durable_lsn: 0, base_ms: 0 }
    }

    #[test]
    fn the_log_ends_in_front_of_the_first_page_that_was_not_durable() {
        // Pages 5 and 6 have the numbers 105 and 106.
        let cases = [(0, Some(5)), (105, Some(5)), (106, Some(6)), (107, None), (200, None)];
        for (durable_lsn, end) in cases {
            let found = run(5).end_before(page_info(104, 1), (7, 107), durable_lsn);
            assert_eq!(found, end, "{durable_lsn}");
        }
        assert_eq!(BadRun::default().end_before(page_info(104, 1), (7, 107), 0), None);
        // An opening skipped 105 to 109: before the run, which has 110 and 111, or behind it.
        let cases = [(110, Some(5)), (111, Some(6)), (112, None)];
        for (durable_lsn, end) in cases {
            let found = run(5).end_before(page_info(104, 1), (7, 112), durable_lsn);
            assert_eq!(found, end, "{durable_lsn}");
        }
        assert_eq!(run(5).end_at_last(104, 105), Some(5));
        assert_eq!(run(5).end_at_last(104, 106), None);
    }

    /// Openings skipped numbers on both sides of the run, so that counting cannot tell its own.
    #[test]
    fn what_a_bad_page_says_of_itself_counts_where_it_is_possible() {
        let end = |lsns, durable_lsn| {
            claiming(5, lsns, durable_lsn).end_before(page_info(104, 1), (7, 120), durable_lsn)
        };
        assert_eq!(end([Some(108), Some(109)], 110), None);
        assert_eq!(end([None, Some(109)], 110), None);
        // Not durable, says one that counting takes for durable.
        assert_eq!(end([Some(112), Some(113)], 120), None);
        // What it says cannot be: it is older than the page in front, or newer than the one behind.
        assert_eq!(end([Some(90), Some(500)], 0), Some(5));
        assert_eq!(end([Some(90), Some(500)], 120), None);
    }
}
