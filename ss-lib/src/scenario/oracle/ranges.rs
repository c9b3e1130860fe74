//! Ranges of numbers.

/// Ranges of numbers that the ledger named, in the order in which they were lost.
#[derive(Default)]
pub(super) struct Ranges(Vec<(u64, u64)>);

impl Ranges {
    pub(super) fn add(&mut self, first: u64, end: u64) {
        match self.0.last_mut() {
            Some(last) if last.1 == first => last.1 = end,
            _ => self.0.push((first, end)),
        }
    }

    /// Whether one of them holds all of `first .. end`. The newest are asked first: it is they that
    /// are shown again.
    pub(super) fn hold(&self, first: u64, end: u64) -> bool {
        self.0.iter().rev().any(|range| range.0 <= first && end <= range.1)
    }
}

/// Ranges without overlap, in ascending order: what is missing between records that are held.
#[derive(Default)]
pub(super) struct Gaps(Vec<(u64, u64)>);

impl Gaps {
    /// Enters a range that overlaps none.
    pub(super) fn add(&mut self, first: u64, end: u64) {
        let at = self.0.partition_point(|gap| gap.1 <= first);
        self.0.insert(at, (first, end));
        if self.0.get(at + 1).is_some_and(|next| next.0 == end) {
            self.0[at].1 = self.0.remove(at + 1).1;
        }
        if at > 0 && self.0[at - 1].1 == first {
            self.0[at - 1].1 = self.0.remove(at).1;
        }
    }

    /// How many numbers of `from .. to` are missing.
    pub(super) fn count(&self, from: u64, to: u64) -> u64 {
        let within = |gap: &(u64, u64)| gap.1.min(to).saturating_sub(gap.0.max(from));
        self.0.iter().map(within).sum()
    }

    /// The first number from `seq` on that is not missing.
    pub(super) fn skip(&self, mut seq: u64) -> u64 {
        for gap in &self.0 {
            if gap.0 <= seq && seq < gap.1 {
                seq = gap.1;
            }
        }
        seq
    }

    pub(super) fn forget_before(&mut self, seq: u64) {
        self.0.retain(|gap| gap.1 > seq);
    }

    pub(super) fn truncate(&mut self, end: u64) {
        self.0.retain(|gap| gap.0 < end);
        if let Some(last) = self.0.last_mut() {
            last.1 = last.1.min(end);
        }
    }

    /// Takes the highest `count` numbers from `from` on out again: what was dropped last, the oldest
    /// of a sensor being dropped first.
    pub(super) fn undo(&mut self, from: u64, mut count: u64) {
        while let Some(last) = self.0.last_mut() {
            let undone = count.min(last.1.saturating_sub(last.0.max(from)));
            if undone == 0 {
                return;
            }
            last.1 -= undone;
            count -= undone;
            if last.0 < last.1 {
                return;
            }
            self.0.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Gaps;

    #[test]
    fn gaps_merge_count_skip_and_are_undone_from_the_end() {
        let mut gaps = Gaps::default();
        for (first, end) in [(10, 20), (40, 50), (20, 25), (30, 40)] {
            gaps.add(first, end);
        }
        assert_eq!(gaps.0, [(10, 25), (30, 50)]);
        assert_eq!((gaps.count(0, 100), gaps.count(20, 35)), (35, 10));
        assert_eq!((gaps.skip(9), gaps.skip(10), gaps.skip(49)), (9, 25, 50));
        gaps.undo(0, 22);
        assert_eq!(gaps.0, [(10, 23)]);
        gaps.truncate(20);
        assert_eq!(gaps.0, [(10, 20)]);
        gaps.forget_before(20);
        assert!(gaps.0.is_empty());
    }
}
