//! The loss ledger: which records were lost, exactly, and why. A bounded ring that merges
//! neighbouring ranges; what it has to forget it counts.

use crate::{DropCause, Loss, Sensor};

/// A place of the ring that was never used.
pub(crate) const NO_LOSS: Loss =
    Loss { first_seq: 0, at_ms: 0, count: 0, sensor: Sensor(0), cause: DropCause::Recycled };

/// How many of the newest entries are looked at for a neighbour to merge with. Bounds the cost of
/// an add that drops; with more sensors than this losing by turns, entries are merely more.
const MERGE_WINDOW: usize = 8;

#[derive(Debug)]
pub(crate) struct LedgerState {
    /// Entries ever made.
    entries: u64,
    /// Records ever entered.
    records: u64,
    /// Records whose entry was overwritten.
    forgotten: u64,
}

impl LedgerState {
    pub(crate) const EMPTY: Self = Self { entries: 0, records: 0, forgotten: 0 };

    /// Copies the newest entries into `out`, oldest of them first. Says how many.
    pub(crate) fn copy_newest(&self, ring: &[Loss], out: &mut [Loss]) -> usize {
        let kept = self.entries.min(ring.len() as u64);
        let copied = kept.min(out.len() as u64);
        let first = self.entries - copied;
        for (number, place) in (first..).zip(&mut out[..copied as usize]) {
            *place = ring[slot_of(number, ring.len())];
        }
        copied as usize
    }

    pub(crate) fn stats(&self) -> LedgerStats {
        let Self { entries, records, forgotten } = *self;
        LedgerStats { entries, records, forgotten }
    }
}

/// The ledger, under its lock.
pub struct Ledger<'a> {
    pub(crate) ring: &'a mut [Loss],
    pub(crate) state: &'a mut LedgerState,
}

/// What the ledger has seen since the store was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct LedgerStats {
    /// Entries ever made; the newest of them are still in the ring.
    pub entries: u64,
    /// Records ever entered: the counters' sum of dropped and rejected.
    pub records: u64,
    /// Records whose range the ring no longer names. The sensors' counters still count them.
    pub forgotten: u64,
}

impl Ledger<'_> {
    pub(crate) fn clear(&mut self) {
        *self.state = LedgerState::EMPTY;
        self.ring.fill(NO_LOSS);
    }

    /// Enters a loss: into the entry that it continues if that is among the newest, else into a
    /// new one.
    pub(crate) fn record(&mut self, loss: Loss) {
        if loss.count == 0 {
            return;
        }
        self.state.records += u64::from(loss.count);
        let kept = self.state.entries.min(self.ring.len() as u64) as usize;
        for back in 1..=kept.min(MERGE_WINDOW) {
            let entry = &mut self.ring[slot_of(self.state.entries - back as u64, self.ring.len())];
            if entry.sensor == loss.sensor && entry.cause == loss.cause {
                if entry.end_seq() == loss.first_seq
                    && let Some(count) = entry.count.checked_add(loss.count)
                {
                    entry.count = count;
                    entry.at_ms = loss.at_ms;
                    return;
                }
                // An older entry of this sensor cannot be the neighbour either.
                break;
            }
        }
        if self.ring.is_empty() {
            self.state.forgotten += u64::from(loss.count);
            return;
        }
        let places = self.ring.len();
        let is_full = kept == places;
        let entry = &mut self.ring[slot_of(self.state.entries, places)];
        if is_full {
            self.state.forgotten += u64::from(entry.count);
        }
        *entry = loss;
        self.state.entries += 1;
    }
}

fn slot_of(number: u64, ring: usize) -> usize {
    (number % ring as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::{Ledger, LedgerState, NO_LOSS};
    use crate::{DropCause, Loss, Sensor};

    fn loss(sensor: u32, first_seq: u64, count: u32) -> Loss {
        Loss {
            first_seq,
            at_ms: first_seq,
            count,
            sensor: Sensor(sensor),
            cause: DropCause::Recycled,
        }
    }

    #[test]
    fn neighbouring_ranges_become_one_entry_even_when_sensors_lose_by_turns() {
        let mut ring = [NO_LOSS; 4];
        let mut state = LedgerState::EMPTY;
        let mut ledger = Ledger { ring: &mut ring, state: &mut state };
        for turn in 0..10 {
            ledger.record(loss(1, turn * 60, 60));
            ledger.record(loss(2, turn * 30, 30));
        }
        let mut out = [NO_LOSS; 8];
        assert_eq!(ledger.state.copy_newest(ledger.ring, &mut out), 2);
        assert_eq!((out[0].first_seq, out[0].count, out[0].at_ms), (0, 600, 540));
        assert_eq!((out[1].first_seq, out[1].count), (0, 300));
        assert_eq!(ledger.state.stats().forgotten, 0);
    }

    #[test]
    fn a_full_ring_forgets_the_oldest_and_counts_it() {
        let mut ring = [NO_LOSS; 2];
        let mut state = LedgerState::EMPTY;
        let mut ledger = Ledger { ring: &mut ring, state: &mut state };
        for sensor in 0..3 {
            ledger.record(loss(sensor, 0, 10 + sensor));
        }
        let mut out = [NO_LOSS; 2];
        assert_eq!(ledger.state.copy_newest(ledger.ring, &mut out), 2);
        assert_eq!((out[0].count, out[1].count), (11, 12));
        assert_eq!((ledger.state.stats().records, ledger.state.stats().forgotten), (33, 10));
    }

    #[test]
    fn a_range_that_would_overflow_its_count_starts_a_new_entry() {
        let mut ring = [NO_LOSS; 2];
        let mut state = LedgerState::EMPTY;
        let mut ledger = Ledger { ring: &mut ring, state: &mut state };
        ledger.record(loss(1, 0, u32::MAX));
        ledger.record(loss(1, u64::from(u32::MAX), 5));
        assert_eq!(ledger.state.stats().entries, 2);
        assert_eq!(ledger.state.stats().records, u64::from(u32::MAX) + 5);
    }
}
