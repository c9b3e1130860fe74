//! The loss ledger: which records were lost, exactly, and why. A bounded ring that merges
//! neighbouring ranges; what it has to forget it counts.

use super::holders::Small;
use crate::{Loss, Sensor};

#[derive(Debug)]
pub(crate) struct LedgerState {
    /// Records ever entered.
    records: u64,
    /// How often the ring was filled to its end. With `next` it says how many entries were ever made:
    /// a count of 64 bits would cost every loss an addition of two words and a division.
    rounds: u32,
    /// The place of the next entry.
    next: u32,
    /// The place of the entry that was last made or extended.
    last: u32,
}

impl LedgerState {
    pub(crate) const EMPTY: Self = Self { records: 0, rounds: 0, next: 0, last: 0 };

    /// Records ever entered.
    pub(crate) const fn records(&self) -> u64 {
        self.records
    }

    /// Copies the newest entries into `out`, oldest of them first. Says how many.
    pub(crate) fn copy_newest(&self, ring: &[Loss], out: &mut [Loss]) -> usize {
        let copied = self.kept(ring).min(out.len());
        let mut at = self.next as usize;
        for place in out[..copied].iter_mut().rev() {
            at = before(at, ring.len());
            *place = ring[at];
        }
        copied
    }

    /// The entry that was last made or extended.
    pub(crate) fn last(&self, ring: &[Loss]) -> Option<Loss> {
        ring.get(self.last as usize).copied().filter(|entry| entry.count > 0)
    }

    /// Entries that are still in the ring.
    fn kept(&self, ring: &[Loss]) -> usize {
        if self.rounds == 0 { self.next as usize } else { ring.len() }
    }

    /// What was forgotten is what was entered and stands in no entry any more, so that no loss has to
    /// count it.
    pub(crate) fn stats(&self, ring: &[Loss]) -> LedgerStats {
        let named: u64 = ring.iter().map(|entry| u64::from(entry.count)).sum();
        LedgerStats {
            entries: u64::from(self.rounds) * ring.len() as u64 + u64::from(self.next),
            records: self.records,
            forgotten: self.records - named,
        }
    }
}

/// The ledger, under its lock.
pub struct Ledger<'a, P> {
    pub(crate) ring: &'a mut [Loss],
    /// For each sensor the place of its newest entry, or of none, so that however many sensors lose by
    /// turns, each continues its own.
    pub(crate) newest: &'a mut [P],
    /// For each entry whether it was made or extended since it was last saved elsewhere. Empty where
    /// there is nowhere to save it.
    pub(crate) unsaved: &'a mut [bool],
    pub(crate) state: &'a mut LedgerState,
}

/// What the ledger has seen since the store was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[cfg_attr(feature = "wire", derive(serde::Serialize, serde::Deserialize))]
pub struct LedgerStats {
    /// Entries ever made; the newest of them are still in the ring.
    pub entries: u64,
    /// Records ever entered: the counters' sum of dropped and rejected.
    pub records: u64,
    /// Records whose range the ring no longer names. The sensors' counters still count them.
    pub forgotten: u64,
}

impl<P: Small> Ledger<'_, P> {
    pub(crate) fn clear(&mut self) {
        *self.state = LedgerState::EMPTY;
        self.ring.fill(Loss::NONE);
        self.newest.fill(P::NONE);
        self.unsaved.fill(false);
    }

    /// Enters a loss: into the entry that it continues if that is among the newest, else into a
    /// new one.
    pub(crate) fn record(&mut self, loss: Loss) {
        self.record_at(loss, || loss.at_ms);
    }

    /// The same for a loss at the time that `at_ms` gives.
    #[expect(clippy::inline_always, reason = "where every length is known, little of it is left")]
    #[inline(always)]
    pub(crate) fn record_at(&mut self, loss: Loss, at_ms: impl Fn() -> u64) {
        debug_assert!(loss.count > 0, "a loss of nothing");
        self.state.records += u64::from(loss.count);
        if let Some((at, entry)) = self.newest_of(loss.sensor)
            && entry.cause == loss.cause
            && loss.first_seq.wrapping_sub(entry.first_seq) == u64::from(entry.count)
            && let Some(count) = entry.count.checked_add(loss.count)
        {
            entry.count = count;
            entry.at_ms = at_ms();
            self.state.last = at;
            self.mark_unsaved(at);
            return;
        }
        if let Some(newest) = self.newest.get_mut(loss.sensor.index()) {
            *newest = P::new(self.state.next);
        }
        let Some(entry) = self.ring.get_mut(self.state.next as usize) else { return };
        *entry = Loss { at_ms: at_ms(), ..loss };
        self.mark_unsaved(self.state.next);
        self.state.last = self.state.next;
        self.state.next += 1;
        if self.state.next as usize == self.ring.len() {
            self.state.next = 0;
            self.state.rounds = self.state.rounds.saturating_add(1);
        }
    }

    fn mark_unsaved(&mut self, at: u32) {
        if let Some(unsaved) = self.unsaved.get_mut(at as usize) {
            *unsaved = true;
        }
    }

    /// Copies entries from place `at` on that were not saved yet into `out`, and takes them for saved.
    /// Returns how many, and the place to go on from.
    #[cfg(feature = "std")]
    pub(crate) fn take_unsaved(&mut self, mut at: usize, out: &mut [Loss]) -> (usize, usize) {
        let mut taken = 0;
        while at < self.ring.len() && taken < out.len() {
            if core::mem::take(&mut self.unsaved[at]) {
                out[taken] = self.ring[at];
                taken += 1;
            }
            at += 1;
        }
        (taken, at)
    }

    /// Copies entries from place `at` on, whether saved or not, into `out`. Returns how many, and the
    /// place to go on from.
    #[cfg(feature = "std")]
    pub(crate) fn copy_from(&self, mut at: usize, out: &mut [Loss]) -> (usize, usize) {
        let mut copied = 0;
        while at < self.ring.len() && copied < out.len() {
            if self.ring[at].count > 0 {
                out[copied] = self.ring[at];
                copied += 1;
            }
            at += 1;
        }
        (copied, at)
    }

    /// The parts of the sensor's numbers `first..end` that no entry names, in order.
    #[cfg(feature = "std")]
    pub(crate) fn unlisted(
        &self,
        sensor: Sensor,
        mut first: u64,
        end: u64,
    ) -> impl Iterator<Item = (u64, u64)> {
        let entries =
            move || self.ring.iter().filter(move |it| it.sensor == sensor && it.count > 0);
        core::iter::from_fn(move || {
            let end_seq = |entry: &Loss| entry.first_seq.saturating_add(u64::from(entry.count));
            while let Some(entry) =
                entries().find(|it| it.first_seq <= first && first < end_seq(it))
            {
                first = end_seq(entry);
            }
            if first >= end {
                return None;
            }
            let next = entries().map(|it| it.first_seq).filter(|it| *it > first).min();
            let range = (first, next.map_or(end, |next| next.min(end)));
            first = range.1;
            Some(range)
        })
    }

    /// Whether the sensor's newest loss was not saved yet. Older ones are saved with it.
    #[cfg(feature = "std")]
    pub(crate) fn is_newest_unsaved(&mut self, sensor: Sensor) -> bool {
        let newest = self.newest_of(sensor).map(|(at, _)| at as usize);
        newest.is_some_and(|at| self.unsaved.get(at) == Some(&true))
    }

    /// Saving failed: every entry is unsaved.
    #[cfg(feature = "std")]
    pub(crate) fn mark_all_unsaved(&mut self) {
        for (unsaved, entry) in self.unsaved.iter_mut().zip(&*self.ring) {
            *unsaved = entry.count > 0;
        }
    }

    /// Records that were lost in an opening before, and that no entry names any more.
    #[cfg(feature = "std")]
    pub(crate) fn count_forgotten(&mut self, records: u64) {
        self.state.records += records;
    }

    /// Every entry is saved.
    #[cfg(feature = "std")]
    pub(crate) fn mark_all_saved(&mut self) {
        self.unsaved.fill(false);
    }

    /// The sensor's newest entry, if it is still in the ring.
    #[inline]
    fn newest_of(&mut self, sensor: Sensor) -> Option<(u32, &mut Loss)> {
        let at = (*self.newest.get(sensor.index())?).into();
        // A place that was given to another sensor since names another one.
        let entry = self.ring.get_mut(at as usize)?;
        (entry.sensor == sensor).then_some((at, entry))
    }
}

/// The place before `at` in a ring of `places`.
fn before(at: usize, places: usize) -> usize {
    if at == 0 { places - 1 } else { at - 1 }
}

#[cfg(test)]
mod tests {
    use super::{Ledger, LedgerState};
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
        let (mut ring, mut newest) = ([Loss::NONE; 4], [u8::MAX; 3]);
        let mut state = LedgerState::EMPTY;
        let mut ledger =
            Ledger { ring: &mut ring, newest: &mut newest, unsaved: &mut [], state: &mut state };
        for turn in 0..10 {
            ledger.record(loss(1, turn * 60, 60));
            ledger.record(loss(2, turn * 30, 30));
        }
        let mut out = [Loss::NONE; 8];
        assert_eq!(ledger.state.copy_newest(ledger.ring, &mut out), 2);
        assert_eq!((out[0].first_seq, out[0].count, out[0].at_ms), (0, 600, 540));
        assert_eq!((out[1].first_seq, out[1].count), (0, 300));
        assert_eq!(ledger.state.stats(ledger.ring).forgotten, 0);
    }

    #[test]
    fn with_a_place_a_sensor_any_number_of_sensors_lose_by_turns_in_an_entry_each() {
        let mut ring = [Loss::NONE; 50];
        let mut newest = [u8::MAX; 50];
        let mut state = LedgerState::EMPTY;
        let mut ledger =
            Ledger { ring: &mut ring, newest: &mut newest, unsaved: &mut [], state: &mut state };
        for turn in 0..20 {
            for sensor in 0..50 {
                ledger.record(loss(sensor, turn * 4, 4));
            }
        }
        let mut out = [Loss::NONE; 50];
        assert_eq!(ledger.state.copy_newest(ledger.ring, &mut out), 50);
        assert!(out.iter().all(|entry| (entry.first_seq, entry.count) == (0, 80)));
        assert_eq!(ledger.state.stats(ledger.ring).forgotten, 0);
    }

    #[test]
    fn a_full_ring_forgets_the_oldest_and_counts_it() {
        let (mut ring, mut newest) = ([Loss::NONE; 2], [u8::MAX; 3]);
        let mut state = LedgerState::EMPTY;
        let mut ledger =
            Ledger { ring: &mut ring, newest: &mut newest, unsaved: &mut [], state: &mut state };
        for sensor in 0..3 {
            ledger.record(loss(sensor, 0, 10 + sensor));
        }
        let mut out = [Loss::NONE; 2];
        assert_eq!(ledger.state.copy_newest(ledger.ring, &mut out), 2);
        assert_eq!((out[0].count, out[1].count), (11, 12));
        assert_eq!(
            (ledger.state.stats(ledger.ring).records, ledger.state.stats(ledger.ring).forgotten),
            (33, 10)
        );
    }

    #[test]
    #[cfg(feature = "std")]
    fn what_no_entry_names_is_told_in_order() {
        let (mut ring, mut newest) = ([Loss::NONE; 6], [u8::MAX; 3]);
        let mut state = LedgerState::EMPTY;
        let mut ledger =
            Ledger { ring: &mut ring, newest: &mut newest, unsaved: &mut [], state: &mut state };
        for (sensor, first, count) in [(1, 20, 10), (2, 0, 100), (1, 5, 5), (1, 28, 12)] {
            ledger.record(loss(sensor, first, count));
        }
        let unlisted = |first, end| ledger.unlisted(Sensor(1), first, end).collect::<Vec<_>>();
        assert_eq!(unlisted(0, 50), [(0, 5), (10, 20), (40, 50)]);
        assert_eq!(unlisted(7, 15), [(10, 15)]);
        assert_eq!(unlisted(20, 40), []);
        assert_eq!(ledger.unlisted(Sensor(3), 3, 9).collect::<Vec<_>>(), [(3, 9)]);
    }

    /// Whoever writes the ledger elsewhere does so in parts, and gets every entry once.
    #[test]
    #[cfg(feature = "std")]
    fn entries_are_handed_out_in_parts_until_the_last() {
        let (mut ring, mut newest, mut unsaved) = ([Loss::NONE; 9], [u8::MAX; 8], [false; 9]);
        let mut state = LedgerState::EMPTY;
        let mut ledger = Ledger {
            ring: &mut ring,
            newest: &mut newest,
            unsaved: &mut unsaved,
            state: &mut state,
        };
        for sensor in 0..7 {
            ledger.record(loss(sensor, 0, 10 + sensor));
        }
        let counts = |part: &[Loss]| part.iter().map(|entry| entry.count).collect::<Vec<_>>();
        for room in 1..12 {
            let (mut at, mut copied) = (0, Vec::new());
            let mut out = [Loss::NONE; 12];
            while at < ledger.ring.len() {
                let (count, next) = ledger.copy_from(at, &mut out[..room]);
                assert!(next > at && count <= room, "{room}: {at}, {next}");
                copied.extend(counts(&out[..count]));
                at = next;
            }
            assert_eq!(copied, [10, 11, 12, 13, 14, 15, 16], "{room}");
            assert_eq!(ledger.copy_from(at, &mut out[..room]), (0, at));
        }
        // The same of those that were not saved, each of them once until it grows.
        let mut out = [Loss::NONE; 4];
        let (count, at) = ledger.take_unsaved(0, &mut out);
        assert_eq!((counts(&out[..count]), at), (vec![10, 11, 12, 13], 4));
        assert!(!ledger.is_newest_unsaved(Sensor(3)) && ledger.is_newest_unsaved(Sensor(4)));
        let (count, at) = ledger.take_unsaved(at, &mut out);
        assert_eq!((counts(&out[..count]), at), (vec![14, 15, 16], 9));
        ledger.record(loss(2, 12, 8));
        let (count, at) = ledger.take_unsaved(0, &mut out);
        assert_eq!((counts(&out[..count]), at), (vec![20], 9));
        ledger.mark_all_unsaved();
        let (count, at) = ledger.take_unsaved(0, &mut out);
        assert_eq!((counts(&out[..count]), at), (vec![10, 11, 20, 13], 4));
        ledger.mark_all_saved();
        assert_eq!(ledger.take_unsaved(0, &mut out), (0, 9));
    }

    #[test]
    fn a_range_that_would_overflow_its_count_starts_a_new_entry() {
        let (mut ring, mut newest) = ([Loss::NONE; 2], [u8::MAX; 3]);
        let mut state = LedgerState::EMPTY;
        let mut ledger =
            Ledger { ring: &mut ring, newest: &mut newest, unsaved: &mut [], state: &mut state };
        ledger.record(loss(1, 0, u32::MAX));
        ledger.record(loss(1, u64::from(u32::MAX), 5));
        assert_eq!(ledger.state.stats(ledger.ring).entries, 2);
        assert_eq!(ledger.state.stats(ledger.ring).records, u64::from(u32::MAX) + 5);
    }
}
