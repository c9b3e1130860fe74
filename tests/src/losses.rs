//! A copy of everything that a store's loss ledger ever said: its ring is bounded and merges
//! neighbours, so it is read after every step and what is new is kept.

use ss_lib::{
    DropCause, Loss,
    ram::{Backing, LedgerStats, Store},
};

/// The ledger as it was last read.
#[derive(Debug, Default)]
pub struct LossReader {
    stats: LedgerStats,
    /// The ring's entries, the last of them is entry number `stats.entries - 1`.
    ring: Vec<Loss>,
    places: usize,
}

impl LossReader {
    /// A reader of a ledger with so many places.
    pub fn new(places: usize) -> Self {
        Self { places, ..Self::default() }
    }

    /// What the ledger says that it did not say before, oldest first. An entry that grew counts
    /// with the part by which it grew.
    ///
    /// # Panics
    /// If the ledger contradicts itself, or forgot what nobody could read yet.
    pub fn read<B: Backing>(&mut self, store: &Store<B>) -> Vec<Loss> {
        self.read_from(store.ledger(), |out| store.losses(out))
    }

    /// Takes the ledger as it is, without asking what came before: the store was opened.
    pub fn rebase(&mut self, stats: LedgerStats, losses: impl FnOnce(&mut [Loss]) -> usize) {
        self.ring = vec![Loss::NONE; self.places];
        let kept = losses(&mut self.ring);
        self.ring.truncate(kept);
        self.stats = stats;
    }

    /// The same as [`read`](Self::read) for any store.
    ///
    /// # Panics
    /// As it does.
    pub fn read_from(
        &mut self,
        stats: LedgerStats,
        losses: impl FnOnce(&mut [Loss]) -> usize,
    ) -> Vec<Loss> {
        if stats == self.stats {
            return Vec::new();
        }
        let mut ring = vec![Loss::NONE; self.places];
        let kept = losses(&mut ring);
        ring.truncate(kept);
        let known = |number: u64| {
            let behind = self.stats.entries.checked_sub(number)? as usize;
            self.ring.len().checked_sub(behind).and_then(|place| self.ring.get(place)).copied()
        };
        let mut fresh = Vec::new();
        for (number, entry) in (stats.entries - kept as u64..).zip(&ring) {
            match known(number) {
                Some(old) if old == *entry => {}
                Some(old) => {
                    assert_eq!(
                        (old.sensor, old.cause, old.first_seq),
                        (entry.sensor, entry.cause, entry.first_seq),
                        "an entry changed into another loss"
                    );
                    assert!(entry.count > old.count, "an entry shrank");
                    let count = entry.count - old.count;
                    fresh.push(Loss { first_seq: old.end_seq(), count, ..*entry });
                }
                None => fresh.push(*entry),
            }
        }
        let records: u64 = fresh.iter().map(|loss| u64::from(loss.count)).sum();
        assert_eq!(records, stats.records - self.stats.records, "losses are missing: {stats:?}");
        let named: u64 = ring.iter().map(|loss| u64::from(loss.count)).sum();
        assert_eq!(named + stats.forgotten, stats.records, "the ledger's sums differ");
        assert_eq!(kept as u64, stats.entries.min(self.places as u64));
        self.stats = stats;
        self.ring = ring;
        fresh
    }

    /// How many records the ledger has entered.
    pub fn records(&self) -> u64 {
        self.stats.records
    }
}

/// Neighbouring ranges of one cause, in order, as one.
pub fn merged(
    ranges: impl IntoIterator<Item = (u64, u64, DropCause)>,
) -> Vec<(u64, u64, DropCause)> {
    let mut merged: Vec<(u64, u64, DropCause)> = Vec::new();
    for (first, end, cause) in ranges {
        match merged.last_mut() {
            Some(last) if last.1 == first && last.2 == cause => last.1 = end,
            _ => merged.push((first, end, cause)),
        }
    }
    merged
}
