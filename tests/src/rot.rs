//! Flipped bits in the sectors of a store under test.
//!
//! Nothing of the store tells which sector holds which record, so it is found out by flipping a bit
//! that every sector uses, asking which records turned unreadable, and flipping it back.

use crate::bench::Bench;
use ss_lib::{Kind, ReadError, ram::Backing};

/// The first bit behind the header: in the first record, or in what stands before it.
const FIRST_PAYLOAD_BIT: u32 = 16 * 8;
const SEQ_WORD: u32 = 1;
/// The record count inside the header: an append writes it again.
const COUNT_BITS: std::ops::Range<u32> = 3 * 32 + 16..3 * 32 + 26;

impl<B: Backing> Bench<B> {
    /// The sensor and the name of the sector at `index` of the pool, if it is in use.
    fn sector_at(&mut self, index: u32) -> Option<(usize, u64)> {
        self.store.flip_bit(index, FIRST_PAYLOAD_BIT);
        let found = (0..self.models.len()).find_map(|place| {
            let mut last = None;
            self.models[place].held.iter().find_map(|reading| {
                let is_new = last.replace(reading.sector) != Some(reading.sector);
                let is_hit = is_new
                    && !self.is_rotten(reading.sector)
                    && self.store.read_at(self.handles[place], reading.seq)
                        == Err(ReadError::Corrupt);
                is_hit.then_some((place, reading.sector))
            })
        });
        self.store.flip_bit(index, FIRST_PAYLOAD_BIT);
        found
    }

    /// Flips a bit for good. A sector that was hit before is left alone: two flips could undo each
    /// other. Says whether a sector in use was damaged.
    ///
    /// # Panics
    /// If the damage stays unseen, or is seen where there is none.
    pub fn flip(&mut self, index: u32, bit: u32) -> bool {
        let index = index % self.sectors_total;
        let bit = bit % ((self.payload_words + 4) * 32);
        let Some((place, sector)) = self.sector_at(index) else { return false };
        let hits_seq = |bit: u32| bit / 32 == SEQ_WORD;
        if hits_seq(bit) && self.rotten.values().any(|&other| hits_seq(other)) {
            return false;
        }
        let model = &self.models[place];
        let mut held = model.held.iter().filter(|reading| reading.sector == sector);
        let Some(first) = held.next().cloned() else { return false };
        let records = held.next_back().map_or(first.place, |last| last.place) + 1;
        self.store.flip_bit(index, bit);
        let read = self.store.read_at(self.handles[place], first.seq);
        let words = if first.kind == Kind::Event { 2 } else { 1 };
        let is_in_use = bit / 32 < 4 + records * words;
        if is_in_use {
            assert_eq!(read, Err(ReadError::Corrupt), "bit {bit} flipped and nobody sees it");
        }
        if read == Err(ReadError::Corrupt) {
            self.rotten.insert(sector, bit);
            return true;
        }
        // A place that no record took yet: whatever stands there, everything is delivered.
        assert!(read.is_ok(), "record {} cannot be read: {read:?}", first.seq);
        false
    }

    /// An append wrote the sector's record count again. If it was the damaged part, it is whole.
    pub(crate) fn see_whether_it_healed(&mut self, place: usize, sector: u64) {
        let Some(first) = self.models[place].held.iter().find(|r| r.sector == sector) else {
            return;
        };
        if self.store.read_at(self.handles[place], first.seq).is_ok() {
            let bit = self.rotten.remove(&sector);
            assert!(bit.is_some_and(|bit| COUNT_BITS.contains(&bit)), "{bit:?} cannot heal");
        }
    }
}
