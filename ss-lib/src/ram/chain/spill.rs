//! What another tier takes out of a chain, oldest first. The chain knows nothing of where it goes.

use super::{
    super::{
        Env,
        sector::SectorView,
        slots::{Slot, Slots},
    },
    Chain, Owner, TAIL_SEALED,
};
use crate::{ClockKind, Kind};

/// The held records of one sector: one base time, one form.
pub(crate) struct Run<'m> {
    pub(crate) first_seq: u64,
    pub(crate) count: u32,
    /// The time that the records' are relative to, in ms.
    pub(crate) base_ms: u64,
    /// The grid's period; of a run that keeps a time with each record it means nothing.
    pub(crate) period_ms: u32,
    pub(crate) kind: Kind,
    pub(crate) clock: ClockKind,
    pub(crate) is_stamped: bool,
    view: SectorView<'m>,
    from: u32,
}

impl Run<'_> {
    /// Bytes of one record: a value, and its distance to the base time if it keeps one.
    pub(crate) const fn record_bytes(&self) -> usize {
        if self.is_stamped { 8 } else { 4 }
    }

    /// Copies the records from number `from` of the run on into `out`, as many as fit: little-endian
    /// words, distance before value. Returns how many.
    pub(crate) fn copy_bytes(&self, from: u32, out: &mut [u8]) -> u32 {
        let count = (self.count - from).min((out.len() / self.record_bytes()) as u32);
        self.view.copy_words(self.from + from, count, out);
        count
    }
}

/// What a visitor of runs wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Visit {
    Next,
    Stop,
}

/// The records that left the chain with a sector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Retired {
    pub(crate) first_seq: u64,
    pub(crate) end_seq: u64,
    /// How many of them, the first ones, are pending.
    pub(crate) pending: u32,
}

impl Chain {
    /// The number that the next record gets.
    pub(crate) const fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// The attempt of the batch that was handed out last.
    pub(crate) const fn attempt(&self) -> u16 {
        self.attempt
    }

    /// A batch without any of this chain's records is handed out.
    pub(crate) fn count_attempt(&mut self) {
        self.attempt = self.attempt.wrapping_add(1);
    }

    /// Counts records that were rejected.
    pub(crate) fn count_rejected(&mut self, records: u32) {
        self.rejected = self.rejected.saturating_add(records);
    }

    /// The number of the oldest record that the chain holds; the next one's if it holds none.
    pub(crate) fn first_held_seq(&self, slots: Slots<'_>, owner: Owner) -> u64 {
        self.first_slot().map_or(self.next_seq, |slot| {
            self.first_seq_of(slots, slot, owner).saturating_add(u64::from(self.head_record()))
        })
    }

    /// Shows the runs that end behind `from_seq`, oldest first, until `visit` says to stop. Sectors that
    /// are complete only, unless `takes_open`: then the one that is appended to is closed and shown too.
    /// Ends in front of a sector that is corrupt; `true` if there was one.
    pub(crate) fn visit_runs<'m>(
        &mut self,
        slots: Slots<'m>,
        owner: Owner,
        from_seq: u64,
        takes_open: bool,
        mut visit: impl FnMut(&Run<'m>) -> Visit,
    ) -> bool {
        let mut from = self.head_record();
        let mut place = self.first_slot();
        while let Some(slot) = place {
            let view = self.view(slots, slot, owner);
            if !self.is_complete(slots, slot, view) {
                if !takes_open {
                    return false;
                }
                self.flags |= TAIL_SEALED;
            }
            if !view.is_sound() {
                return true;
            }
            let run = self.run(view, from);
            if run.first_seq + u64::from(run.count) > from_seq && visit(&run) == Visit::Stop {
                return false;
            }
            from = 0;
            place = slots.next(slot);
        }
        false
    }

    /// Whether nothing more will be appended to the sector.
    fn is_complete(&self, slots: Slots<'_>, slot: Slot, view: SectorView<'_>) -> bool {
        slots.next(slot).is_some() || self.flags & TAIL_SEALED != 0 || view.is_full()
    }

    fn run<'m>(&self, view: SectorView<'m>, from: u32) -> Run<'m> {
        let shape = view.shape();
        let skipped_ms =
            if shape.is_stamped { 0 } else { u64::from(from) * u64::from(shape.period_ms) };
        Run {
            first_seq: view.first_seq(self.next_seq) + u64::from(from),
            count: view.count() - from,
            base_ms: shape.base_ms.wrapping_add(skipped_ms),
            period_ms: shape.period_ms,
            kind: shape.kind,
            clock: shape.clock,
            is_stamped: shape.is_stamped,
            view,
            from,
        }
    }

    /// How many held records are below `seq`. The first sectors are looked at until one is not.
    pub(crate) fn held_below(&self, slots: Slots<'_>, owner: Owner, seq: u64) -> u64 {
        let mut from = self.head_record();
        let mut held = 0;
        for slot in self.walk(slots) {
            let first = self.first_seq_of(slots, slot, owner);
            if first >= seq {
                break;
            }
            let count = u64::from(slots.count(slot)).min(seq - first);
            held += count.saturating_sub(u64::from(core::mem::take(&mut from)));
        }
        held
    }

    /// Sectors that are complete, so that a spill would take them, beginning with `from_seq`; looks at
    /// `most` of them at most.
    pub(crate) fn complete_sectors(&self, slots: Slots<'_>, owner: Owner, most: u32) -> u32 {
        let complete = self
            .walk(slots)
            .take_while(|&slot| self.is_complete(slots, slot, self.view(slots, slot, owner)));
        complete.take(most as usize).count() as u32
    }

    /// Gives the first sector back if every record in it is below `below_seq`: they are held elsewhere
    /// from now on. Pending records stay pending there.
    pub(crate) fn retire_first<'m>(
        &mut self,
        env: &mut impl Env<'m>,
        owner: Owner,
        below_seq: u64,
    ) -> Option<Retired> {
        let slots = env.slots();
        let slot = self.first_slot()?;
        let first = self.first_seq_of(slots, slot, owner);
        let (from, count) = (self.head_record(), slots.count(slot));
        let end_seq = first.saturating_add(u64::from(count));
        let is_open = !self.is_complete(slots, slot, self.view(slots, slot, owner));
        if end_seq > below_seq || is_open {
            return None;
        }
        let held = count - from;
        let pending = if self.pending == 0 {
            0
        } else if self.batch_end.slot() == slot {
            self.batch_end.record() - from
        } else {
            held
        };
        self.pending -= pending as u16;
        self.unsent -= held - pending;
        if pending == 0 {
            env.pool(|mut pool| pool.holders.sub(owner.sensor.0, 1));
        }
        self.give_back_first(env);
        if self.first.is_none() {
            self.flags &= !TAIL_SEALED;
        }
        Some(Retired { first_seq: first + u64::from(from), end_seq, pending })
    }
}

#[cfg(test)]
mod tests;
