//! How long operations take, on a machine without floats or heap: buckets whose width is 1/32 of
//! their value at most, and beside them the exact sum, least and greatest.

use super::message::Cost;
use serde::{Deserialize, Serialize};

/// An operation whose cost is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operation {
    /// Adding a time-series reading.
    AddSeries,
    /// Adding an event.
    AddEvent,
    /// Consuming a batch.
    Consume,
    /// Answering one.
    Answer,
}

impl Operation {
    /// All of them, in the order of reports.
    pub const ALL: [Self; OPERATIONS] =
        [Self::AddSeries, Self::AddEvent, Self::Consume, Self::Answer];

    /// Its place in reports.
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// How many operations there are.
pub const OPERATIONS: usize = 4;

/// Buckets of one operation: exact below 64 ticks, up to 2^24 ticks in the last one.
pub const BUCKETS: usize = ((TICKS_BITS - SUB_BITS) as usize + 1) << SUB_BITS;

/// Buckets in one message.
pub const BLOCK_BUCKETS: usize = 32;

const SUB_BITS: u32 = 5;
const TICKS_BITS: u32 = 24;

/// The bucket of a duration.
pub const fn bucket_of(ticks: u32) -> usize {
    let ticks = if ticks >> TICKS_BITS == 0 { ticks } else { (1 << TICKS_BITS) - 1 };
    if ticks >> SUB_BITS == 0 {
        return ticks as usize;
    }
    let shift = ticks.ilog2() - SUB_BITS;
    (((shift as usize) + 1) << SUB_BITS) + ((ticks >> shift) as usize & ((1 << SUB_BITS) - 1))
}

/// The durations of a bucket: the least, and the greatest.
pub const fn bucket_range(bucket: usize) -> (u32, u32) {
    let (row, column) = (bucket as u32 >> SUB_BITS, bucket as u32 & ((1 << SUB_BITS) - 1));
    if row == 0 {
        return (column, column);
    }
    let least = (column | 1 << SUB_BITS) << (row - 1);
    (least, least + (1 << (row - 1)) - 1)
}

/// One operation's durations.
#[derive(Debug)]
pub struct Meter {
    cost: Cost,
    buckets: [u32; BUCKETS],
}

impl Default for Meter {
    fn default() -> Self {
        Self::new()
    }
}

impl Meter {
    /// A meter that has measured nothing.
    pub const fn new() -> Self {
        Self { cost: Cost { count: 0, sum: 0, min: 0, max: 0 }, buckets: [0; BUCKETS] }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.cost = Cost::default();
        self.buckets.fill(0);
    }

    /// Takes one duration.
    pub fn record(&mut self, ticks: u32) {
        let cost = &mut self.cost;
        cost.min = if cost.count == 0 { ticks } else { cost.min.min(ticks) };
        cost.max = cost.max.max(ticks);
        cost.count += 1;
        cost.sum += u64::from(ticks);
        let bucket = &mut self.buckets[bucket_of(ticks)];
        *bucket = bucket.saturating_add(1);
    }

    /// The exact figures.
    pub const fn cost(&self) -> Cost {
        self.cost
    }

    /// A part of the buckets, if there is such a part.
    pub fn block(&self, block: usize) -> Option<[u32; BLOCK_BUCKETS]> {
        self.buckets.as_chunks().0.get(block).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::{BUCKETS, Meter, bucket_of, bucket_range};

    #[test]
    fn every_duration_lies_in_the_range_of_its_bucket() {
        let mut expected = 0;
        for bucket in 0..BUCKETS {
            let (least, greatest) = bucket_range(bucket);
            assert_eq!(least, expected, "bucket {bucket} begins where the one before ended");
            assert_eq!((bucket_of(least), bucket_of(greatest)), (bucket, bucket));
            assert!(greatest - least <= least / 32);
            expected = greatest + 1;
        }
        assert_eq!(expected, 1 << 24);
        assert_eq!(bucket_of(u32::MAX), BUCKETS - 1);
    }

    #[test]
    fn sum_least_and_greatest_are_exact() {
        let mut meter = Meter::new();
        for ticks in [700, 3, 1_000_003] {
            meter.record(ticks);
        }
        let cost = meter.cost();
        assert_eq!((cost.count, cost.sum, cost.min, cost.max), (3, 1_000_706, 3, 1_000_003));
        assert_eq!(meter.block(0).map(|block| block[3]), Some(1));
        assert_eq!(meter.block(BUCKETS / 32), None);
    }
}
