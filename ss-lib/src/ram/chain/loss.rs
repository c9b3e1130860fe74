//! What a chain loses, and says so.

use super::{
    super::{
        Env,
        slots::{Position, Sector},
    },
    Chain, Owner, TAIL_SEALED,
};
use crate::{DropCause, Loss};

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
        let behind = if self.pending == 0 { None } else { Some(self.batch_end.slot()) };
        let victim = match behind {
            None => self.first_slot()?,
            Some(end) => slots.next(end)?,
        };
        let from = if behind.is_none() { self.head_record() } else { 0 };
        let view = self.view(slots, victim, owner);
        let said = if view.has_plausible_seq() {
            view.first_seq(self.next_seq)
        } else {
            self.first_seq_by_checksum(env.slots(), victim, owner)
        };
        let first_seq = said.wrapping_add(u64::from(from));
        let count = slots.count(victim) - from;
        record_loss(env, owner, first_seq, count, DropCause::Recycled);
        self.dropped_recycled.add(u64::from(count));
        self.unsent -= count;

        let Some(end) = behind else { return self.unlink_first(slots) };
        let (sector, has_next) = slots.unlink_next(end)?;
        if !has_next {
            self.tail_and_head_record = Position::new(end, self.head_record());
            self.flags |= TAIL_SEALED;
        }
        Some(sector)
    }

    /// Drops the first sector, whose checksum does not match. How many records it held is known
    /// from outside of it; which, see `damage`.
    pub(crate) fn drop_corrupt_front<'m>(&mut self, env: &mut impl Env<'m>, owner: Owner) {
        let slots = env.slots();
        let Some(slot) = self.first_slot() else { return };
        let first_seq = self.first_seq_by_checksum(slots, slot, owner);
        let from = self.head_record();
        let count = slots.count(slot).saturating_sub(from).min(self.unsent);
        record_loss(
            env,
            owner,
            first_seq.saturating_add(u64::from(from)),
            count,
            DropCause::Corrupt,
        );
        self.dropped_corrupt = self.dropped_corrupt.saturating_add(count);
        self.unsent -= count;
        env.pool(|mut pool| pool.holders.sub(owner.sensor.0, 1));
        self.give_back_first(env);
    }
}

/// Enters a loss into the ledger.
#[inline]
pub(crate) fn record_loss<'m>(
    env: &mut impl Env<'m>,
    owner: Owner,
    first_seq: u64,
    count: u32,
    cause: DropCause,
) {
    let Owner { sensor, now_ms, .. } = owner;
    env.record_loss(Loss { first_seq, at_ms: now_ms, count, sensor, cause });
}
