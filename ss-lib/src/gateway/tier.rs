//! What the gateway keeps beside a chain, under the chain's lock: the cursors of the sensor's records
//! that are on disk only.
//!
//! ```text
//!        on disk only                      in RAM (the chain)
//!  head          disk_end           first held    written          next_seq
//!   v               v                   v            v                v
//!  [pending | unsent ] ( gone numbers ) [ also on disk | not yet written ]
//! ```
//!
//! Records reach the disk-only part when their RAM sector is given back. A batch may span both parts.
//! All cursors are record numbers (field bug B10); which of the numbers between them are gone is told
//! by `disk_held`, the one hole, and what the log says beside each chunk.

use crate::{
    BatchToken, SensorStats,
    disk::LifeCounts,
    ram::{Chain, Count40, Owner, Retired, Slots},
};

/// See the module. 120 B, so that with the chain and the lock it takes three cache lines.
#[derive(Default)]
pub(crate) struct Tier {
    /// The oldest record on disk only; `disk_end` if there is none.
    pub(crate) head: u64,
    /// The number after the last one on disk only.
    pub(crate) disk_end: u64,
    /// The number after the last one that was given to the kernel.
    pub(crate) written: u64,
    /// The number after the last one that is durable.
    pub(crate) durable: u64,
    /// The head as the log was last told.
    pub(crate) saved_head: u64,
    /// The head as the log is durably told.
    pub(crate) durable_head: u64,
    /// The first number of the hole: dropped records with older ones in front of them.
    hole_first: u64,
    /// Records above this number were there when the clock of `spill_after` was last looked at.
    pub(crate) aged: u64,
    /// Where what a failed sync left in doubt ends: `durable` stands still until the head is there.
    pub(crate) suspect_end: u64,
    hole_len: u32,
    /// Records on disk only, pending ones included.
    pub(crate) disk_held: u32,
    /// How far behind `written` records were copied into pages that are not written yet.
    pub(crate) copied_ahead: u32,
    /// Pending records on disk only: the first ones.
    pub(crate) disk_pending: u16,
    flags: u8,
    refused: Count40,
    rejected: Count40,
    recycled: Count40,
    corrupt: Count40,
    quota: Count40,
    disk_max: Count40,
}

const CONFIGURED: u8 = 1;
const DIRTY: u8 = 2;
/// The log knows of the sensor.
const KNOWN: u8 = 4;

impl Tier {
    /// A sensor that the log knows, or a new one whose numbers begin at `counts`' end.
    pub(crate) fn restored(
        head: u64,
        end: u64,
        held: u64,
        hole: (u64, u64),
        counts: &LifeCounts,
    ) -> Self {
        // What forged or rotten bytes say may not be possible: then it is taken as near as can be.
        let head = head.min(end);
        let held = held.min(end - head);
        let is_hole = held > 0 && hole.0 < hole.1 && head <= hole.0 && hole.1 <= end;
        let hole = if is_hole { hole } else { (head, head) };
        let mut refused = Count40::default();
        refused.add(counts.refused);
        let mut room = end - held;
        let mut count = |n: u64| {
            let n = n.min(room);
            let mut count = Count40::default();
            count.add(n);
            room -= n;
            count
        };
        let mut tier = Self {
            head: if held > 0 { head } else { end },
            disk_end: end,
            written: end,
            durable: end,
            saved_head: if held > 0 { head } else { end },
            durable_head: if held > 0 { head } else { end },
            disk_held: u32::try_from(held).unwrap_or(u32::MAX),
            recycled: count(counts.recycled),
            corrupt: count(counts.corrupt),
            quota: count(counts.quota),
            disk_max: count(counts.disk_max),
            // The rest of the numbers was erased, the rejected ones with it.
            rejected: count(counts.rejected),
            refused,
            ..Self::default()
        };
        tier.set_hole(hole.0, hole.1);
        tier
    }

    pub(crate) const fn is_configured(&self) -> bool {
        self.flags & CONFIGURED != 0
    }

    pub(crate) fn set_configured(&mut self) {
        self.flags |= CONFIGURED;
    }

    /// Whether the log should be told of the sensor though no cursor moved.
    pub(crate) const fn is_dirty(&self) -> bool {
        self.flags & DIRTY != 0
    }

    pub(crate) fn set_dirty(&mut self, dirty: bool) {
        self.flags = if dirty { self.flags | DIRTY } else { self.flags & !DIRTY };
    }

    pub(crate) const fn is_known(&self) -> bool {
        self.flags & KNOWN != 0
    }

    pub(crate) fn set_known(&mut self) {
        self.flags |= KNOWN;
    }

    pub(crate) const fn copied(&self) -> u64 {
        self.written + self.copied_ahead as u64
    }

    pub(crate) const fn hole(&self) -> (u64, u64) {
        (self.hole_first, self.hole_first + self.hole_len as u64)
    }

    fn set_hole(&mut self, first: u64, end: u64) {
        self.hole_first = first;
        self.hole_len = u32::try_from(end - first).unwrap_or(u32::MAX);
    }

    /// Unsent records on disk only.
    pub(crate) const fn disk_unsent(&self) -> u32 {
        self.disk_held - self.disk_pending as u32
    }

    /// The number from which the oldest unsent record on disk is looked for.
    pub(crate) const fn unsent_from(&self) -> u64 {
        self.past_hole(self.head + self.disk_pending as u64)
    }

    /// The number, or the hole's end if it is the hole's beginning.
    pub(crate) const fn past_hole(&self, seq: u64) -> u64 {
        let (first, end) = self.hole();
        if seq >= first && seq < end { end } else { seq }
    }

    /// The number before which a chunk's records must be cut because the hole begins there.
    pub(crate) const fn limit_from(&self, seq: u64) -> u64 {
        let (first, end) = self.hole();
        if first < end && seq < first { first } else { self.disk_end }
    }

    /// The oldest record that is held anywhere; the next number if none is.
    pub(crate) fn head_now(&self, chain: &Chain, slots: Slots<'_>, owner: Owner) -> u64 {
        if self.disk_held > 0 { self.head } else { chain.first_held_seq(slots, owner) }
    }

    /// Pending records in both parts.
    pub(crate) fn pending(&self, chain: &Chain) -> u32 {
        u32::from(self.disk_pending) + chain.pending()
    }

    /// A sector's records are on disk only from now on.
    pub(crate) fn retired(&mut self, retired: &Retired) {
        let count = (retired.end_seq - retired.first_seq) as u32;
        if self.disk_held == 0 {
            self.head = retired.first_seq;
        }
        self.disk_end = retired.end_seq;
        self.disk_held += count;
        // What is pending in the chain's front continues what is pending here.
        self.disk_pending += retired.pending as u16;
    }

    /// The token of the pending batch, whose first records are on disk only.
    pub(crate) fn token(&self, chain: &Chain, owner: Owner) -> BatchToken {
        BatchToken {
            first_seq: self.head,
            sensor: owner.sensor,
            epoch: owner.epoch,
            count: self.disk_pending + chain.pending() as u16,
            attempt: chain.attempt(),
        }
    }

    /// The pending records on disk are answered for good.
    pub(crate) fn erase_pending(&mut self) {
        let end = self.head + u64::from(self.disk_pending);
        self.disk_held -= u32::from(self.disk_pending);
        self.disk_pending = 0;
        self.move_head(end);
    }

    /// The head moves to `seq`, or behind the hole that begins there.
    pub(crate) fn move_head(&mut self, seq: u64) {
        self.head = if self.disk_held == 0 { self.disk_end } else { self.past_hole(seq) };
        if self.head >= self.hole().1 {
            self.set_hole(self.head, self.head);
        }
    }

    /// `records` records of the numbers `first..end` are gone: the oldest unsent ones.
    pub(crate) fn drop_range(&mut self, first: u64, end: u64, records: u32) {
        self.disk_held = self.disk_held.saturating_sub(records).max(u32::from(self.disk_pending));
        self.flags |= DIRTY;
        if self.disk_pending == 0 {
            return self.move_head(end);
        }
        let (hole_first, hole_end) = self.hole();
        if hole_first < hole_end {
            self.set_hole(hole_first.min(first), hole_end.max(end));
        } else {
            self.set_hole(first, end);
        }
    }

    /// Whether every number from the head to the end but the hole's is held.
    pub(crate) const fn is_without_gaps(&self) -> bool {
        let (first, end) = self.hole();
        self.disk_end - self.head == self.disk_held as u64 + (end - first)
    }

    /// How many numbers from the head to the end are neither held nor the hole's.
    pub(crate) const fn gone(&self) -> u64 {
        let (first, end) = self.hole();
        let span = self.disk_end.saturating_sub(self.head);
        span.saturating_sub(self.disk_held as u64 + (end - first))
    }

    pub(crate) fn count_corrupt(&mut self, records: u64) {
        self.corrupt.add(records);
    }

    pub(crate) fn count_quota(&mut self, records: u64) {
        self.quota.add(records);
    }

    pub(crate) fn count_disk_max(&mut self, records: u64) {
        self.disk_max.add(records);
    }

    /// The counts of the sensor's whole life that no cursor says.
    pub(crate) fn life(&self, chain: &Chain) -> LifeCounts {
        let now = chain.stats();
        LifeCounts {
            refused: self.refused.get() + now.refused,
            rejected: self.rejected.get() + now.rejected,
            recycled: self.recycled.get() + now.dropped_recycled,
            corrupt: self.corrupt.get() + now.dropped_corrupt,
            quota: self.quota.get(),
            disk_max: self.disk_max.get(),
        }
    }

    /// Every figure from the cursors and what is in the ledger's causes (field bugs B26, B36).
    pub(crate) fn stats(&self, chain: &Chain) -> SensorStats {
        let now = chain.stats();
        let life = self.life(chain);
        let stats = SensorStats {
            added: now.added,
            refused: life.refused,
            erased: 0,
            rejected: life.rejected,
            pending: now.pending + u64::from(self.disk_pending),
            unsent: now.unsent + u64::from(self.disk_unsent()),
            dropped_recycled: life.recycled,
            dropped_corrupt: life.corrupt,
            dropped_quota: life.quota,
            dropped_disk_max: life.disk_max,
        };
        let erased = stats.added.saturating_sub(stats.retained().saturating_add(stats.dropped()));
        SensorStats { erased, ..stats }
    }
}

#[cfg(test)]
mod tests {
    use super::Tier;

    #[test]
    fn a_tier_takes_120_bytes() {
        assert_eq!(size_of::<Tier>(), 120);
    }

    #[test]
    fn a_hole_is_jumped_over_when_the_head_comes_to_it() {
        let mut tier = Tier::restored(10, 110, 100, (10, 10), &super::LifeCounts::default());
        tier.disk_pending = 20;
        tier.drop_range(30, 50, 20);
        assert_eq!((tier.disk_held, tier.unsent_from(), tier.hole()), (80, 50, (30, 50)));
        tier.drop_range(50, 60, 10);
        assert_eq!((tier.disk_held, tier.unsent_from(), tier.hole()), (70, 60, (30, 60)));
        assert!(tier.is_without_gaps());
        tier.erase_pending();
        assert_eq!((tier.disk_held, tier.head, tier.hole()), (50, 60, (60, 60)));
    }
}
