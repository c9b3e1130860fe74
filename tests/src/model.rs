//! What a store of readings is: for each sensor a queue, oldest reading in front, with the pending
//! ones before the unsent ones. Nothing here knows a sector's layout; which readings share a sector
//! is what the store's count of used sectors tells, and the model only keeps it.

use ss_lib::{BatchToken, ClockKind, Kind, Record, SensorStats};
use std::{collections::VecDeque, ops::Range};

/// One reading that the store holds.
#[derive(Clone, Debug)]
pub struct Reading {
    /// Its number.
    pub seq: u64,
    /// What was measured.
    pub value: u32,
    /// The time that was given to the store.
    pub given_ms: u64,
    /// How far the reported time may be from the given one: half a period, or 0 for an event.
    pub tolerance_ms: u64,
    /// The clock that was given.
    pub clock: ClockKind,
    /// What the sensor was then.
    pub kind: Kind,
    /// Names the sector: readings with the same name lie in the same one.
    pub sector: u64,
    /// Its place in the sector, from 0.
    pub place: u32,
    /// The time that was reported when it was first read: every later reading must agree.
    pub reported_ms: Option<u64>,
}

/// One sensor.
#[derive(Clone, Debug)]
pub struct SensorModel {
    /// What it takes now.
    pub kind: Kind,
    /// Its sampling period now, in ms.
    pub period_ms: u32,
    /// Whether it takes anything.
    pub active: bool,
    /// The number that its next reading gets.
    pub next_seq: u64,
    /// Its readings: the first `pending` ones are handed out.
    pub held: VecDeque<Reading>,
    /// How many are handed out.
    pub pending: usize,
    /// The token of the batch that is handed out.
    pub token: Option<BatchToken>,
    /// Adds that found the store full.
    pub refused: u64,
    /// Readings that were answered. The numbers before its first one count as answered.
    pub erased: u64,
    /// The part of `erased` that was rejected.
    pub rejected: u64,
    /// Readings that were dropped to make room.
    pub recycled: u64,
    /// Readings that rotted.
    pub corrupt: u64,
}

impl SensorModel {
    /// A sensor without readings.
    pub fn new(kind: Kind, period_ms: u32, first_seq: u64) -> Self {
        Self {
            kind,
            period_ms,
            active: true,
            next_seq: first_seq,
            held: VecDeque::new(),
            pending: 0,
            token: None,
            refused: 0,
            erased: first_seq,
            rejected: 0,
            recycled: 0,
            corrupt: 0,
        }
    }

    /// How many readings wait.
    pub fn unsent(&self) -> usize {
        self.held.len() - self.pending
    }

    /// How many sectors its readings lie in.
    pub fn sectors(&self) -> u32 {
        count_sectors(self.held.iter())
    }

    /// The sector that holds its newest pending reading.
    fn last_pending_sector(&self) -> Option<u64> {
        self.pending.checked_sub(1).map(|last| self.held[last].sector)
    }

    /// How many of its sectors hold no pending reading.
    pub fn droppable_sectors(&self) -> u32 {
        let shared = self.last_pending_sector();
        let free = self.held.range(self.pending..).filter(|reading| Some(reading.sector) != shared);
        count_sectors(free)
    }

    /// The readings of its oldest sector without a pending one, as places in `held`.
    pub fn oldest_droppable(&self) -> Option<Range<usize>> {
        let shared = self.last_pending_sector();
        let mut places = self.pending..self.held.len();
        let start = places.find(|&place| Some(self.held[place].sector) != shared)?;
        let sector = self.held[start].sector;
        let len = self.held.range(start..).take_while(|reading| reading.sector == sector).count();
        Some(start..start + len)
    }

    /// Takes readings out of the queue.
    pub fn remove(&mut self, places: Range<usize>) -> Vec<Reading> {
        self.held.drain(places).collect()
    }

    /// The readings that the next batch of at most `limit` holds, as places in `held`: it begins at
    /// the oldest unsent one that did not rot and ends before a gap in the numbers or a rotten one.
    pub fn next_batch(&self, limit: usize, is_rotten: impl Fn(u64) -> bool) -> Range<usize> {
        let mut unsent = self.pending..self.held.len();
        let Some(start) = unsent.find(|&place| !is_rotten(self.held[place].sector)) else {
            return self.held.len()..self.held.len();
        };
        let mut end = start;
        while end < self.held.len()
            && end - start < limit
            && self.held[end].seq == self.held[start].seq + (end - start) as u64
            && !is_rotten(self.held[end].sector)
        {
            end += 1;
        }
        start..end
    }

    /// The batch was answered: its readings are gone.
    pub fn erase_pending(&mut self) -> Vec<Reading> {
        let pending = std::mem::take(&mut self.pending);
        self.token = None;
        self.erased += pending as u64;
        self.remove(0..pending)
    }

    /// The batch was not delivered: its readings wait again.
    pub fn return_pending(&mut self) {
        self.pending = 0;
        self.token = None;
    }

    /// What the store must say of the sensor.
    pub fn stats(&self) -> SensorStats {
        SensorStats {
            added: self.next_seq,
            refused: self.refused,
            erased: self.erased,
            rejected: self.rejected,
            pending: self.pending as u64,
            unsent: self.unsent() as u64,
            dropped_recycled: self.recycled,
            dropped_corrupt: self.corrupt,
            ..SensorStats::default()
        }
    }
}

fn count_sectors<'a>(readings: impl Iterator<Item = &'a Reading>) -> u32 {
    let mut last = None;
    let mut sectors = 0;
    for reading in readings {
        if last != Some(reading.sector) {
            sectors += 1;
            last = Some(reading.sector);
        }
    }
    sectors
}

impl Reading {
    /// Holds a record that the store handed out against this reading.
    ///
    /// # Panics
    /// If they differ.
    pub fn assert_is(&mut self, record: &Record, epoch: u32) {
        assert_eq!(record.seq, self.seq, "another number than {self:?}");
        assert_eq!(record.value, self.value, "another value than {self:?}");
        assert_eq!(record.kind, self.kind, "another kind than {self:?}");
        assert_eq!(record.clock, self.clock, "another clock than {self:?}");
        assert_eq!(record.epoch, epoch, "another epoch for {self:?}");
        let off_ms = record.time_ms.abs_diff(self.given_ms);
        assert!(off_ms <= self.tolerance_ms, "{} ms is too far from {self:?}", record.time_ms);
        let reported_ms = *self.reported_ms.get_or_insert(record.time_ms);
        assert_eq!(record.time_ms, reported_ms, "another time at another reading of {self:?}");
    }
}
