//! What a chain loses, and says so.

use super::{
    super::{
        Env,
        slots::{Count, Sector, Slot},
    },
    Chain, Owner, TAIL_SEALED,
};
use crate::DropCause;

impl Chain {
    /// Drops the oldest sector that holds no pending record, and hands it to the caller, who tells
    /// the pool where it goes. `None` if every sector holds some.
    #[expect(
        clippy::inline_always,
        reason = "a call costs an add on a microcontroller 20 instructions"
    )]
    #[inline(always)]
    pub(crate) fn recycle<'m>(&mut self, env: &mut impl Env<'m>, owner: Owner) -> Option<Sector> {
        let slots = env.slots();
        let (sector, (first_seq, count));
        if self.pending == 0 {
            let first = self.first_slot()?;
            let held = slots.counted(first);
            (first_seq, count) = self.range(env, owner, first, held, self.head_record());
            sector = self.unlink_first(slots, held)?;
        } else {
            let end = self.batch_end.slot();
            let before = slots.counted(end);
            let first = before.next()?;
            let held = slots.counted(first);
            (first_seq, count) = self.range(env, owner, first, held, 0);
            sector = slots.unlink_next(end, before, held)?;
            if held.next().is_none() {
                self.tail_and_head_record = self.tail_and_head_record.in_sector(end);
                self.flags |= TAIL_SEALED;
            }
        }
        self.dropped_recycled.add(u64::from(count));
        self.unsent -= count;
        // Last, when nothing else is left to do: it takes a microcontroller's every register.
        record_loss(env, owner, first_seq, count, DropCause::Recycled);
        Some(sector)
    }

    /// The numbers of a sector's records from number `from` of it on: the first, and how many.
    #[expect(clippy::inline_always, reason = "as above")]
    #[inline(always)]
    fn range<'m>(
        &self,
        env: &impl Env<'m>,
        owner: Owner,
        slot: Slot,
        held: Count,
        from: u32,
    ) -> (u64, u32) {
        let view = self.view(env.slots(), slot, owner);
        let said = match view.plausible_first_seq(self.next_seq) {
            Some(said) => said,
            None => self.proven_first_seq(env, slot, owner),
        };
        (said.wrapping_add(u64::from(from)), held.records() - from)
    }

    /// `first_seq_by_checksum`, which almost no drop needs: none spends an instruction on it.
    #[cold]
    #[inline(never)]
    fn proven_first_seq<'m>(&self, env: &impl Env<'m>, slot: Slot, owner: Owner) -> u64 {
        self.first_seq_by_checksum(env.slots(), slot, owner)
    }

    /// Drops the first sector, whose checksum does not match. How many records it held is known
    /// from outside of it; which, see `damage`.
    pub(crate) fn drop_corrupt_front<'m>(&mut self, env: &mut impl Env<'m>, owner: Owner) {
        let slots = env.slots();
        let Some(slot) = self.first_slot() else { return };
        let first_seq = self.first_seq_by_checksum(slots, slot, owner);
        let from = self.head_record();
        let count = slots.count(slot).saturating_sub(from).min(self.unsent);
        if count > 0 {
            let first_seq = first_seq.saturating_add(u64::from(from));
            record_loss(env, owner, first_seq, count, DropCause::Corrupt);
        }
        self.dropped_corrupt = self.dropped_corrupt.saturating_add(count);
        self.unsent -= count;
        env.pool(|mut pool| pool.holders.sub(owner.sensor.0, 1));
        self.give_back_first(env);
    }
}

/// Enters a loss, not of nothing, into the ledger.
#[inline]
pub(crate) fn record_loss<'m>(
    env: &mut impl Env<'m>,
    owner: Owner,
    first_seq: u64,
    count: u32,
    cause: DropCause,
) {
    env.record_loss(first_seq, count, owner.sensor, cause);
}
