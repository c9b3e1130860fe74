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

    /// Whether they hold all of `first .. end` together: one entry of the ledger may continue another of an
    /// opening before. The newest are asked first: it is they that are shown again.
    pub(super) fn hold(&self, mut first: u64, end: u64) -> bool {
        while first < end {
            let holds = |range: &&(u64, u64)| range.0 <= first && first < range.1;
            let Some(range) = self.0.iter().rev().find(holds) else { return false };
            first = range.1;
        }
        true
    }

    /// Whether one of them holds `seq` or a number behind it.
    pub(super) fn reach(&self, seq: u64) -> bool {
        self.0.iter().any(|range| range.1 > seq)
    }

    /// Takes back the numbers from `end` on: they are given again.
    pub(super) fn truncate(&mut self, end: u64) {
        self.0.retain_mut(|range| {
            range.1 = range.1.min(end);
            range.0 < range.1
        });
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
    use super::{Gaps, Ranges};

    #[test]
    fn ranges_hold_what_several_of_them_cover_and_forget_what_is_taken_back() {
        let mut ranges = Ranges::default();
        for (first, end) in [(52, 53), (55, 56), (53, 57), (70, 80)] {
            ranges.add(first, end);
        }
        assert!(ranges.hold(52, 57) && ranges.hold(55, 57) && ranges.hold(71, 80));
        assert!(!ranges.hold(51, 53) && !ranges.hold(52, 58) && !ranges.hold(69, 75));
        ranges.truncate(54);
        assert!(ranges.hold(52, 54) && !ranges.hold(52, 55) && !ranges.hold(70, 71));
    }

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
