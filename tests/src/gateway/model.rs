//! What a gateway's sensor is: one queue, whatever lies on disk and whatever in RAM, and beside it the
//! readings that left it so lately that a kill may bring them back.

use crate::model::Reading;
use ss_lib::{BatchToken, DropCause, Kind, Levels, Sensor, SensorKey, SensorStats};
use std::{collections::VecDeque, ops::Range};

/// A reading, and the opening in which it was added.
#[derive(Clone, Debug)]
pub struct Held {
    /// The reading.
    pub reading: Reading,
    /// The opening.
    pub epoch: u32,
}

impl Held {
    /// Its number.
    pub const fn seq(&self) -> u64 {
        self.reading.seq
    }
}

/// One sensor.
#[derive(Clone, Debug)]
pub struct SensorModel {
    /// Its name.
    pub key: SensorKey,
    /// Its handle in this opening. A sensor that left the configuration and held nothing may have none.
    pub handle: Option<Sensor>,
    /// What it takes now.
    pub kind: Kind,
    /// Its sampling period now, in ms.
    pub period_ms: u32,
    /// Whether it takes anything.
    pub active: bool,
    /// The number that its next reading gets.
    pub next_seq: u64,
    /// The time of the newest reading.
    pub last_ms: u64,
    /// Its readings: the first `pending` ones are handed out.
    pub held: VecDeque<Held>,
    /// How many are handed out.
    pub pending: usize,
    /// The token of the batch that is handed out.
    pub token: Option<BatchToken>,
    /// The last token, answered or not.
    pub last_token: Option<BatchToken>,
    /// Readings that left, and that a kill may bring back.
    pub gone: Vec<Held>,
    /// Adds that found the store full.
    pub refused: u64,
    /// Readings that were rejected.
    pub rejected: u64,
    /// Readings that were dropped: recycled, by the quota, by the store's limit.
    pub dropped: [u64; 3],
    /// What the store last said of it.
    pub levels: Levels,
    /// The highest number below which everything was on disk.
    pub known_written: u64,
}

impl SensorModel {
    /// A sensor without readings.
    pub fn new(key: SensorKey, kind: Kind, period_ms: u32, first_seq: u64) -> Self {
        Self {
            key,
            handle: None,
            kind,
            period_ms,
            active: true,
            next_seq: first_seq,
            last_ms: 1_000_000_000_000,
            held: VecDeque::new(),
            pending: 0,
            token: None,
            last_token: None,
            gone: Vec::new(),
            refused: 0,
            rejected: 0,
            dropped: [0; 3],
            levels: Levels::default(),
            known_written: first_seq,
        }
    }

    /// How many readings wait.
    pub fn unsent(&self) -> usize {
        self.held.len() - self.pending
    }

    /// The readings of the next batch of at most `limit`: it ends before a gap in the numbers.
    pub fn next_batch(&self, limit: usize) -> Range<usize> {
        let start = self.pending;
        let mut end = start;
        while end < self.held.len()
            && end - start < limit
            && self.held[end].seq() - self.held[start].seq() == (end - start) as u64
        {
            end += 1;
        }
        start..end
    }

    /// The batch was answered for good.
    pub fn erase_pending(&mut self) {
        let pending = std::mem::take(&mut self.pending);
        self.token = None;
        self.gone.extend(self.held.drain(..pending));
    }

    /// The batch was not delivered.
    pub fn return_pending(&mut self) {
        self.pending = 0;
        self.token = None;
    }

    /// The ledger says that these readings were dropped.
    ///
    /// # Panics
    /// If one of them was pending, or is not there.
    pub fn drop_range(&mut self, first_seq: u64, count: u32, cause: DropCause) {
        let start = self.held.partition_point(|held| held.seq() < first_seq);
        let end = start + count as usize;
        assert!(start >= self.pending, "{:?}: pending records were dropped", self.key);
        assert!(end <= self.held.len(), "{:?}: {first_seq}+{count} is not held", self.key);
        for (place, seq) in (start..end).zip(first_seq..) {
            assert_eq!(
                self.held[place].seq(),
                seq,
                "{:?}: what was dropped was not held",
                self.key
            );
        }
        self.gone.extend(self.held.drain(start..end));
        let counter = match cause {
            DropCause::Recycled => 0,
            DropCause::Quota => 1,
            DropCause::DiskMax => 2,
            DropCause::Corrupt | DropCause::Rejected => panic!("{cause:?} of a sound store"),
        };
        self.dropped[counter] += u64::from(count);
    }

    /// What the store must say of the sensor.
    pub fn stats(&self) -> SensorStats {
        let dropped: u64 = self.dropped.iter().sum();
        SensorStats {
            added: self.next_seq,
            refused: self.refused,
            erased: self.next_seq - self.held.len() as u64 - dropped,
            rejected: self.rejected,
            pending: self.pending as u64,
            unsent: self.unsent() as u64,
            dropped_recycled: self.dropped[0],
            dropped_corrupt: 0,
            dropped_quota: self.dropped[1],
            dropped_disk_max: self.dropped[2],
        }
    }

    /// Holds the levels against each other and against what they were.
    ///
    /// # Panics
    /// If one went back, or they are out of order.
    pub fn see_levels(&mut self, levels: Levels) {
        let before = self.levels;
        let at = format!("{:?}: {before:?} became {levels:?}", self.key);
        assert_eq!(levels.added_seq, self.next_seq, "{at}");
        assert!(levels.written_seq <= levels.added_seq, "{at}");
        assert!(levels.durable_seq <= levels.written_seq, "{at}");
        assert!(levels.acked_seq <= levels.added_seq, "{at}");
        assert!(levels.acked_durable_seq <= levels.acked_seq, "{at}");
        assert!(levels.written_seq >= before.written_seq, "{at}");
        assert!(levels.durable_seq >= before.durable_seq, "{at}");
        assert!(levels.acked_seq >= before.acked_seq, "{at}");
        assert!(levels.acked_durable_seq >= before.acked_durable_seq, "{at}");
        let first = self.held.front().map_or(self.next_seq, Held::seq);
        assert!(levels.acked_seq <= first, "{at}: {first} is held");
        assert!(self.held.is_empty() == (levels.acked_seq == levels.added_seq), "{at}");
        self.levels = levels;
        if levels.written_seq > levels.acked_seq {
            self.known_written = self.known_written.max(levels.written_seq);
        }
        self.gone.retain(|gone| gone.seq() >= levels.acked_durable_seq);
    }
}
