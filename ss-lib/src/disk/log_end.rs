//! Where the log ends in a newest segment that was never sealed: in front of the first bad page that was
//! never durable. A power cut may have taken it, and what lies behind it was no more promised than it was.

use super::page::PageInfo;

/// Bad pages one behind the other.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct BadRun {
    first: Option<u32>,
}

impl BadRun {
    /// This page is bad.
    pub(super) fn note(&mut self, page: u32) {
        self.first.get_or_insert(page);
    }

    /// `page` is the next good page and `before` the one in front of the run: the page that the log ends in
    /// front of, if one of the run was not durable.
    ///
    /// The run's numbers are counted on from the page in front. Where an opening skipped some in between, a
    /// page that was never durable counts as one that was: nothing that was is ever cut off for it.
    pub(super) fn end_before(
        &mut self,
        before: PageInfo,
        page: u32,
        durable_lsn: u64,
    ) -> Option<u32> {
        let first = self.first.take()?;
        let durable = durable_lsn.saturating_sub(before.lsn.saturating_add(1));
        let end = first.saturating_add(u32::try_from(durable).unwrap_or(u32::MAX));
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
        let mut run = BadRun::default();
        run.note(first);
        run.note(first + 1);
        run
    }

    const fn page(lsn: u64, epoch: u32) -> PageInfo {
        PageInfo { lsn, epoch, durable_lsn: 0, base_ms: 0 }
    }

    #[test]
    fn the_log_ends_in_front_of_the_first_page_that_was_not_durable() {
        // Pages 5 and 6 have the numbers 105 and 106.
        let cases = [(0, Some(5)), (105, Some(5)), (106, Some(6)), (107, None), (200, None)];
        for (durable_lsn, end) in cases {
            let found = run(5).end_before(page(104, 1), 7, durable_lsn);
            assert_eq!(found, end, "{durable_lsn}");
        }
        assert_eq!(BadRun::default().end_before(page(104, 1), 7, 0), None);
        assert_eq!(run(5).end_at_last(104, 105), Some(5));
        assert_eq!(run(5).end_at_last(104, 106), None);
    }
}
