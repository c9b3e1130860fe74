//! Where the log ends in a newest segment that was never sealed: in front of the first bad page that was
//! never durable. A power cut may have taken it, and what lies behind it was no more promised than it was.

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

    /// `page`, with the number `lsn`, is the next good one: the page that the log ends in front of, if one of
    /// the run was not durable. Numbers count on from page to page, and where some were skipped the page
    /// behind the gap says that everything before it was durable.
    pub(super) fn end_before(&mut self, page: u32, lsn: u64, durable_lsn: u64) -> Option<u32> {
        let first = self.first.take()?;
        let not_durable = u32::try_from(lsn.checked_sub(durable_lsn)?).unwrap_or(u32::MAX);
        let end = page.saturating_sub(not_durable).max(first);
        (end < page).then_some(end)
    }

    /// No good page follows. `last_lsn` is of the good page in front.
    pub(super) fn end_at_last(self, last_lsn: u64, durable_lsn: u64) -> Option<u32> {
        self.first.filter(|_| last_lsn.saturating_add(1) >= durable_lsn)
    }
}

#[cfg(test)]
mod tests {
    use super::BadRun;

    fn run(first: u32) -> BadRun {
        let mut run = BadRun::default();
        run.note(first);
        run.note(first + 1);
        run
    }

    #[test]
    fn the_log_ends_in_front_of_the_first_page_that_was_not_durable() {
        // Pages 5 and 6 have the numbers 105 and 106.
        for (durable_lsn, end) in
            [(0, Some(5)), (105, Some(5)), (106, Some(6)), (107, None), (200, None)]
        {
            assert_eq!(run(5).end_before(7, 107, durable_lsn), end, "{durable_lsn}");
        }
        assert_eq!(BadRun::default().end_before(7, 107, 0), None);
        assert_eq!(run(5).end_at_last(104, 105), Some(5));
        assert_eq!(run(5).end_at_last(104, 106), None);
    }
}
