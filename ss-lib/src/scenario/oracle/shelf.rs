//! The records of one sensor as they were given: 8 B each, so that a day of a gateway fits.
//!
//! A sensor's numbers follow each other without a gap, so a record's place is its number. What its
//! neighbours share (epoch, clock, kind, where the clock's zero lies) is written once a block.

use crate::{ClockKind, Kind};
use std::collections::VecDeque;

/// Records of a block at most.
const BLOCK_RECORDS: usize = 512;

/// A record that was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Given {
    pub(super) seq: u64,
    /// The time that was given.
    pub(super) time_ms: u64,
    /// When it was given, in ms of virtual time.
    pub(super) added_ms: u64,
    pub(super) value: u32,
    pub(super) epoch: u32,
    pub(super) clock: ClockKind,
    pub(super) kind: Kind,
}

struct Block {
    first_seq: u64,
    base_ms: u64,
    /// The given times less the virtual ones.
    clock_zero_ms: i64,
    epoch: u32,
    clock: ClockKind,
    kind: Kind,
    /// Value, and time after `base_ms`.
    records: Vec<(u32, u32)>,
}

impl Block {
    fn get(&self, at: usize) -> Given {
        let (value, after_ms) = self.records[at];
        let time_ms = self.base_ms + u64::from(after_ms);
        Given {
            seq: self.first_seq + at as u64,
            time_ms,
            added_ms: time_ms.wrapping_sub(self.clock_zero_ms.cast_unsigned()),
            value,
            epoch: self.epoch,
            clock: self.clock,
            kind: self.kind,
        }
    }
}

/// Records by number, from the first that is kept.
pub(super) struct Shelf {
    blocks: VecDeque<Block>,
    end_seq: u64,
}

impl Shelf {
    pub(super) fn new(first_seq: u64) -> Self {
        Self { blocks: VecDeque::new(), end_seq: first_seq }
    }

    /// The number that the next record gets.
    #[inline]
    pub(super) fn end_seq(&self) -> u64 {
        self.end_seq
    }

    /// Puts down the next record: its number must be the end.
    #[inline]
    pub(super) fn push(&mut self, given: Given) {
        debug_assert_eq!(given.seq, self.end_seq);
        self.end_seq += 1;
        let clock_zero_ms = given.time_ms.wrapping_sub(given.added_ms).cast_signed();
        if let Some(block) = self.blocks.back_mut()
            && block.records.len() < BLOCK_RECORDS
            && (block.clock_zero_ms, block.epoch, block.clock, block.kind)
                == (clock_zero_ms, given.epoch, given.clock, given.kind)
            && let Some(after_ms) = given.time_ms.checked_sub(block.base_ms)
            && let Ok(after_ms) = u32::try_from(after_ms)
        {
            block.records.push((given.value, after_ms));
            return;
        }
        self.blocks.push_back(Block {
            first_seq: given.seq,
            base_ms: given.time_ms,
            clock_zero_ms,
            epoch: given.epoch,
            clock: given.clock,
            kind: given.kind,
            records: vec![(given.value, 0)],
        });
    }

    /// The block that holds `seq`, or the first one behind it.
    fn block_of(&self, seq: u64) -> usize {
        self.blocks.partition_point(|block| block.first_seq + block.records.len() as u64 <= seq)
    }

    pub(super) fn get(&self, seq: u64) -> Option<Given> {
        let block = self.blocks.get(self.block_of(seq))?;
        let at = seq.checked_sub(block.first_seq)?;
        Some(block.get(at as usize))
    }

    /// The records from `seq` on, as far back as they are kept.
    pub(super) fn from(&self, seq: u64) -> impl Iterator<Item = Given> {
        let first = self.block_of(seq);
        self.blocks.range(first..).flat_map(move |block| {
            let skipped = seq.saturating_sub(block.first_seq) as usize;
            (skipped..block.records.len()).map(|at| block.get(at))
        })
    }

    /// Lets go of what lies before `seq`, as far as whole blocks do.
    pub(super) fn forget_before(&mut self, seq: u64) {
        while self
            .blocks
            .front()
            .is_some_and(|block| block.first_seq + block.records.len() as u64 <= seq)
        {
            self.blocks.pop_front();
        }
    }

    /// Takes back the records from `end_seq` on: their numbers are given again.
    pub(super) fn truncate(&mut self, end_seq: u64) {
        while let Some(block) = self.blocks.back_mut() {
            if block.first_seq < end_seq {
                block.records.truncate((end_seq - block.first_seq) as usize);
                break;
            }
            self.blocks.pop_back();
        }
        self.end_seq = end_seq;
    }
}

#[cfg(test)]
mod tests {
    use super::{Given, Shelf};
    use crate::{ClockKind, Kind};

    fn given(seq: u64, epoch: u32) -> Given {
        // The clock is put back by a day in between.
        let time_ms = if seq < 3_000 { 100_000_000 + seq * 1_000 } else { seq };
        Given {
            seq,
            time_ms,
            added_ms: seq * 1_000,
            value: seq as u32 ^ 0xABCD,
            epoch,
            clock: ClockKind::Utc,
            kind: Kind::TimeSeries,
        }
    }

    #[test]
    fn gives_back_what_was_put_down_and_lets_go_at_both_ends() {
        let mut shelf = Shelf::new(7);
        (7..5_000).for_each(|seq| shelf.push(given(seq, 1)));
        assert_eq!(
            shelf.from(7).collect::<Vec<_>>(),
            (7..5_000).map(|n| given(n, 1)).collect::<Vec<_>>()
        );
        assert_eq!(shelf.get(2_999), Some(given(2_999, 1)));
        shelf.forget_before(2_000);
        assert!(shelf.get(1_000).is_none());
        assert_eq!(shelf.from(2_000).next(), Some(given(2_000, 1)));
        shelf.truncate(4_000);
        (4_000..4_100).for_each(|seq| shelf.push(given(seq, 2)));
        assert_eq!(shelf.end_seq(), 4_100);
        assert_eq!([3_999, 4_000].map(|seq| shelf.get(seq).unwrap().epoch), [1, 2]);
        shelf.forget_before(4_100);
        assert_eq!(shelf.get(4_099), None);
    }
}
