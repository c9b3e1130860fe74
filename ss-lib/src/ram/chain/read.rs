//! Looking along a chain: what `peek`, `read_at`, `consume` and `check` see. Nothing here changes
//! anything.

use super::{
    super::slots::{Position, Slots, fingerprint},
    Chain, Owner,
};
use crate::{ReadError, Record};

impl Chain {
    /// Where the unsent records begin, if there are any.
    pub(super) fn unsent_start(&self, slots: Slots<'_>) -> Option<Position> {
        if self.unsent == 0 {
            return None;
        }
        if self.pending == 0 {
            return self.first_slot().map(|slot| Position::new(slot, self.head_record()));
        }
        let end = self.batch_end;
        if end.record() < slots.count(end.slot()) {
            return Some(end);
        }
        slots.next(end.slot()).map(|slot| Position::new(slot, 0))
    }

    /// Copies unsent records from `start` on into `out`, up to the first gap or corrupt sector.
    /// Returns how many, where they end, and the sectors that they touch.
    pub(super) fn gather(
        &self,
        slots: Slots<'_>,
        owner: Owner,
        start: Position,
        out: &mut [Record],
    ) -> Gathered {
        let mut gathered = Gathered { records: 0, end: start, sectors: 0 };
        let mut position = start;
        loop {
            let view = self.view(slots, position.slot(), owner);
            if gathered.records == out.len() || !view.is_sound() {
                return gathered;
            }
            let mut records =
                view.records(position.record(), self.next_seq, owner.epoch).peekable();
            if let (Some(record), Some(last)) = (records.peek(), gathered.records.checked_sub(1))
                && record.seq != out[last].seq + 1
            {
                return gathered;
            }
            let mut copied = 0;
            for (place, record) in out[gathered.records..].iter_mut().zip(&mut records) {
                *place = record;
                copied += 1;
            }
            gathered.records += copied;
            gathered.end = Position::new(position.slot(), position.record() + copied as u32);
            gathered.sectors += 1;
            match slots.next(position.slot()) {
                Some(next) => position = Position::new(next, 0),
                None => return gathered,
            }
        }
    }

    /// Copies the next unsent records without consuming them. What `consume` would hand out: it
    /// steps over corrupt sectors, and leaves their dropping to `consume`.
    pub(crate) fn peek(&self, slots: Slots<'_>, owner: Owner, out: &mut [Record]) -> usize {
        let mut start = self.unsent_start(slots);
        while let Some(position) = start {
            let gathered = self.gather(slots, owner, position, out);
            if gathered.records > 0 || out.is_empty() {
                return gathered.records;
            }
            start = slots.next(position.slot()).map(|slot| Position::new(slot, 0));
        }
        0
    }

    /// Finds one retained record by its number.
    pub(crate) fn read_at(
        &self,
        slots: Slots<'_>,
        owner: Owner,
        seq: u64,
    ) -> Result<Record, ReadError> {
        let mut from = self.head_record();
        for slot in self.walk(slots) {
            let view = self.view(slots, slot, owner);
            let first = self.first_seq_of(slots, slot, owner);
            let held = first.saturating_add(u64::from(from))
                ..first.saturating_add(u64::from(view.count()));
            if held.contains(&seq) {
                if !view.is_sound() {
                    return Err(ReadError::Corrupt);
                }
                return view
                    .records((seq - first) as u32, self.next_seq, owner.epoch)
                    .next()
                    .ok_or(ReadError::NotRetained);
            }
            from = 0;
        }
        Err(ReadError::NotRetained)
    }

    /// Walks the chain and holds the counters against what is there. Returns the number of its
    /// sectors, and how many of them hold no pending record.
    pub(crate) fn check(&self, slots: Slots<'_>, owner: Owner) -> Result<Walked, ChainFault> {
        let mut walked = Walked { sectors: 0, droppable: 0, fingerprint: 0 };
        let mut held = 0;
        let mut pending = 0;
        let mut last = None;
        let mut next_allowed_seq = 0;
        let mut in_batch = self.pending != 0;
        for slot in self.walk(slots) {
            let view = self.view(slots, slot, owner);
            let count = view.count();
            let from = if walked.sectors == 0 { self.head_record() } else { 0 };
            if from >= count {
                return Err(ChainFault::EmptySector);
            }
            walked.sectors += 1;
            walked.fingerprint = walked.fingerprint.wrapping_add(fingerprint(slot));
            held += count - from;
            if in_batch {
                let is_end = slot == self.batch_end.slot();
                pending += if is_end { self.batch_end.record() - from } else { count - from };
                in_batch = !is_end;
            } else {
                walked.droppable += 1;
            }
            if view.is_sound() {
                let first_seq = view.first_seq(self.next_seq);
                if first_seq < next_allowed_seq || first_seq + u64::from(count) > self.next_seq {
                    return Err(ChainFault::Order);
                }
                next_allowed_seq = first_seq + u64::from(count);
            }
            last = Some(slot);
        }
        if last.is_some_and(|slot| slot != self.tail()) {
            return Err(ChainFault::Tail);
        }
        if in_batch || pending != self.pending() || held != self.pending() + self.unsent {
            return Err(ChainFault::Counters);
        }
        let stats = self.stats();
        if !stats.is_conserved() || stats.rejected > stats.erased {
            return Err(ChainFault::Conservation);
        }
        Ok(walked)
    }
}

/// What a look ahead found.
pub(super) struct Gathered {
    pub(super) records: usize,
    pub(super) end: Position,
    pub(super) sectors: u32,
}

/// What a walk along a chain found.
pub(crate) struct Walked {
    pub(crate) sectors: u32,
    pub(crate) droppable: u32,
    /// The sum of its sectors' fingerprints.
    pub(crate) fingerprint: u64,
}

/// Which of a chain's invariants does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChainFault {
    /// A sector without a record that is still held.
    EmptySector,
    /// Record numbers that do not increase along the chain.
    Order,
    /// The last sector is not the one that the chain appends to.
    Tail,
    /// The pending or unsent count is not what the sectors hold.
    Counters,
    /// added = erased + pending + unsent + dropped does not hold.
    Conservation,
}

#[cfg(test)]
mod tests;
