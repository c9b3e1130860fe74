//! Batches: handed out, and answered once.

use super::{
    super::{Env, slots::Slots},
    BATCH_RECORDS_MAX, Chain, Owner,
    loss::record_loss,
};
use crate::{BatchToken, ConsumeError, DropCause, Record, StaleBatch};

impl Chain {
    /// Hands out up to `out.len()` unsent records as one batch. Corrupt sectors in front of them
    /// are dropped into the ledger. `None`: nothing is unsent, or `out` is empty.
    pub(crate) fn consume<'m>(
        &mut self,
        env: &mut impl Env<'m>,
        owner: Owner,
        out: &mut [Record],
    ) -> Result<Option<BatchToken>, ConsumeError> {
        if self.pending != 0 {
            return Err(ConsumeError::BatchPending);
        }
        let slots = env.slots();
        let limit = out.len().min(BATCH_RECORDS_MAX);
        let out = &mut out[..limit];
        if out.is_empty() {
            return Ok(None);
        }
        while let Some(start) = self.unsent_start(slots) {
            let gathered = self.gather(slots, owner, start, out);
            if gathered.records == 0 {
                self.drop_corrupt_front(env, owner);
                continue;
            }
            env.pool(|mut pool| pool.holders.sub(owner.sensor.0, gathered.sectors));
            self.pending = gathered.records as u16;
            self.unsent -= u32::from(self.pending);
            self.batch_end = gathered.end;
            self.attempt = self.attempt.wrapping_add(1);
            return Ok(Some(self.token(owner, out[0].seq)));
        }
        Ok(None)
    }

    pub(crate) fn token(&self, owner: Owner, first_seq: u64) -> BatchToken {
        BatchToken {
            first_seq,
            sensor: owner.sensor,
            epoch: owner.epoch,
            count: self.pending,
            attempt: self.attempt,
        }
    }

    /// The token of the batch that is pending, for an uploader that lost it.
    pub(crate) fn pending_token(&self, slots: Slots<'_>, owner: Owner) -> Option<BatchToken> {
        if self.pending == 0 {
            return None;
        }
        let first_seq = self
            .first_seq_of(slots, self.first_slot()?, owner)
            .saturating_add(u64::from(self.head_record()));
        Some(self.token(owner, first_seq))
    }

    /// Whether `token` names the pending batch. Its first number stands only in the front sector:
    /// if that rotted since, the attempt alone decides, so that a flipped bit cannot make a batch
    /// unanswerable.
    fn validate(
        &self,
        slots: Slots<'_>,
        owner: Owner,
        token: BatchToken,
    ) -> Result<(), StaleBatch> {
        let expected = self.pending_token(slots, owner).ok_or(StaleBatch)?;
        if token == expected {
            return Ok(());
        }
        let is_rotten =
            self.first_slot().is_some_and(|slot| !self.view(slots, slot, owner).is_sound());
        if is_rotten && token == (BatchToken { first_seq: token.first_seq, ..expected }) {
            return Ok(());
        }
        Err(StaleBatch)
    }

    /// Erases the pending batch if `token` is its token.
    pub(crate) fn ack<'m>(
        &mut self,
        env: &mut impl Env<'m>,
        owner: Owner,
        token: BatchToken,
    ) -> Result<(), StaleBatch> {
        self.validate(env.slots(), owner, token)?;
        self.erase_pending(env, owner);
        Ok(())
    }

    /// Erases the pending batch if `token` is its token, and enters it into the ledger: the cloud
    /// will never take it.
    pub(crate) fn reject<'m>(
        &mut self,
        env: &mut impl Env<'m>,
        owner: Owner,
        token: BatchToken,
    ) -> Result<(), StaleBatch> {
        self.validate(env.slots(), owner, token)?;
        self.rejected = self.rejected.saturating_add(u32::from(token.count));
        record_loss(env, owner, token.first_seq, token.count(), DropCause::Rejected);
        self.erase_pending(env, owner);
        Ok(())
    }

    /// Returns the pending batch to unsent if `token` is its token.
    pub(crate) fn nack<'m>(
        &mut self,
        env: &mut impl Env<'m>,
        owner: Owner,
        token: BatchToken,
    ) -> Result<(), StaleBatch> {
        self.validate(env.slots(), owner, token)?;
        self.return_pending(env, owner);
        Ok(())
    }

    /// Makes the pending records unsent.
    pub(crate) fn return_pending<'m>(&mut self, env: &mut impl Env<'m>, owner: Owner) {
        if self.pending == 0 {
            return;
        }
        let end = self.batch_end.slot();
        let before_end = self.walk(env.slots()).take_while(|&slot| slot != end).count();
        env.pool(|mut pool| pool.holders.add(owner.sensor.0, before_end as u32 + 1));
        self.unsent += u32::from(self.pending);
        self.pending = 0;
    }

    /// Gives back every sector in front of `batch_end`, and its own if nothing is left in it.
    pub(crate) fn erase_pending<'m>(&mut self, env: &mut impl Env<'m>, owner: Owner) {
        if self.pending == 0 {
            return;
        }
        let slots = env.slots();
        let end = self.batch_end;
        while self.first_slot().is_some_and(|slot| slot != end.slot()) {
            self.give_back_first(env);
        }
        if end.record() >= slots.count(end.slot()) {
            self.give_back_first(env);
        } else {
            self.set_head_record(end.record());
            // The sector holds no pending record any more.
            env.pool(|mut pool| pool.holders.add_one(owner.sensor.0));
        }
        self.pending = 0;
    }
}

#[cfg(test)]
mod tests;
