//! Batches out of both tiers: handed out from disk first, then from RAM, and answered once.

use super::{Core, Gateway};
use crate::{
    BatchToken, ConsumeError, DropCause, ReadError, Record, Sensor, StaleBatch, UnknownSensor,
    disk::{Disk, DiskError, Position, pack_key},
    planted::{self, Bug},
    ram::{BATCH_RECORDS_MAX, Env, record_loss},
};
use core::ops::ControlFlow;

/// What a look at a sensor's records on disk found.
struct Look {
    /// Records copied, one number after the other.
    records: usize,
    /// Numbers in front of them that the disk lost.
    missing: (u64, u64),
    first_at: Position,
    last_at: Position,
    /// The number after the last record.
    end_seq: u64,
}

impl<D: Disk> Gateway<D> {
    /// Hands out the sensor's oldest unsent records as one batch, from disk, from RAM, or from both;
    /// see [`Store::consume`](crate::ram::Store::consume). Touches the disk only if the sensor has
    /// records that are nowhere else.
    pub fn consume(
        &mut self,
        sensor: Sensor,
        out: &mut [Record],
    ) -> Result<Option<BatchToken>, ConsumeError> {
        let limit = out.len().min(BATCH_RECORDS_MAX);
        let out = &mut out[..limit];
        let owner = self.ram.owner(sensor);
        let in_ram = self.ram.with_tenant(sensor, |chain, tier, env| {
            if tier.pending(chain) > 0 {
                return Err(ConsumeError::BatchPending);
            }
            if out.is_empty() {
                return Ok(Some(None));
            }
            if tier.disk_unsent() > 0 {
                return Ok(None);
            }
            chain.consume(env, owner, out).map(Some)
        });
        match in_ram.unwrap_or(Err(ConsumeError::UnknownSensor))? {
            Some(token) => Ok(token),
            None => self.consume_from_disk(&mut self.core(), sensor, out),
        }
    }

    /// The same under the log's lock, for a sensor with unsent records on disk.
    pub(super) fn consume_from_disk(
        &self,
        core: &mut Core<D>,
        sensor: Sensor,
        out: &mut [Record],
    ) -> Result<Option<BatchToken>, ConsumeError> {
        let owner = self.ram.owner(sensor);
        loop {
            let Some((is_free, unsent)) = self.ram.with_tenant(sensor, |chain, tier, _| {
                (tier.pending(chain) == 0, tier.disk_unsent())
            }) else {
                return Err(ConsumeError::UnknownSensor);
            };
            if !is_free {
                return Err(ConsumeError::BatchPending);
            }
            if unsent == 0 {
                // What was on disk turned out lost.
                return self
                    .ram
                    .with_tenant(sensor, |chain, _, env| chain.consume(env, owner, out))
                    .unwrap_or(Err(ConsumeError::UnknownSensor));
            }
            let look = self.look(core, sensor, out).map_err(|_| ConsumeError::Unreadable)?;
            let next = match look.records {
                0 => look.missing.1,
                records => look.end_seq - records as u64,
            };
            self.forget_missing(sensor, look.missing, next);
            // A log whose cursors say that fewer records are held than lie there: the cursors count.
            let unsent = self.ram.with_tenant(sensor, |_, tier, _| tier.disk_unsent() as usize);
            let records = look.records.min(unsent.unwrap_or(0));
            if records == 0 {
                if look.records == 0 && look.missing.0 >= look.missing.1 {
                    self.forget_rest(sensor);
                }
                continue;
            }
            let places = &mut core.places[sensor.index()];
            places.head = look.first_at;
            places.batch_end = look.last_at;
            places.batch_end_seq = look.end_seq;
            return Ok(self.hand_out(sensor, records, out));
        }
    }

    /// Makes the first `records` records of `out` pending, which are the oldest unsent ones on disk, and
    /// fills the batch up from RAM.
    pub(super) fn hand_out(
        &self,
        sensor: Sensor,
        records: usize,
        out: &mut [Record],
    ) -> Option<BatchToken> {
        let owner = self.ram.owner(sensor);
        self.ram.with_tenant(sensor, |chain, tier, env| {
            // Numbers in front of the first record were answered before they came to the disk.
            tier.head = out[0].seq;
            tier.disk_pending = records as u16;
            let end_seq = out[records - 1].seq + 1;
            let goes_on = tier.disk_unsent() == 0
                && records < out.len()
                && chain.first_held_seq(env.slots(), owner) == end_seq;
            if goes_on && let Ok(Some(token)) = chain.consume(env, owner, &mut out[records..]) {
                if token.first_seq() != end_seq {
                    chain.return_pending(env, owner);
                }
            } else {
                chain.count_attempt();
            }
            tier.token(chain, owner)
        })
    }

    /// Copies the sensor's oldest unsent records on disk into `out`, up to the first gap.
    fn look(
        &self,
        core: &mut Core<D>,
        sensor: Sensor,
        out: &mut [Record],
    ) -> Result<Look, DiskError> {
        let places = core.places[sensor.index()];
        let asked = self.ram.with_tenant(sensor, |chain, tier, _| {
            let from = tier.unsent_from();
            (pack_key(chain.key()), from, tier.limit_from(from), tier.disk_unsent() as usize)
        });
        let Some((key, from, limit, unsent)) = asked else {
            return Ok(Look::nothing(0));
        };
        let at = if places.batch_end_seq > 0 && from >= places.batch_end_seq {
            places.batch_end
        } else {
            places.head
        };
        let room = out.len().min(unsent);
        let mut look = Look::nothing(from);
        core.log.visit_sensor(key, from, at, &mut |position, chunk| {
            let first = chunk.header.first_seq;
            if first > look.end_seq {
                if look.records > 0 {
                    return ControlFlow::Break(());
                }
                let accounted = first - chunk.header.skip;
                look.missing = (from, accounted.clamp(from, limit));
                look.end_seq = first;
            }
            if look.end_seq >= limit {
                return ControlFlow::Break(());
            }
            if look.records == 0 {
                look.first_at = position;
            }
            let most = room.min(look.records + (limit - look.end_seq) as usize);
            let copied = chunk.copy_records(look.end_seq, &mut out[look.records..most]);
            look.records += copied;
            look.end_seq += copied as u64;
            look.last_at = position;
            if look.records == room || look.end_seq >= limit {
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        })?;
        if look.records == 0 {
            // Nothing of what should be there is.
            look.missing = (from, limit);
        }
        Ok(look)
    }

    /// The disk has none of these numbers, the oldest unsent ones: those of them that counted as held are
    /// in the ledger from now on. `next` is the number of the first record behind them.
    ///
    /// What a repair has listed counts as held no more, and leaves the same gap: to take it off once more
    /// would leave as many whole records behind for ever.
    pub(super) fn forget_missing(&self, sensor: Sensor, missing: (u64, u64), next: u64) {
        let (first, end) = missing;
        if first >= end {
            return;
        }
        let (unlisted, has_forgotten) = self.ram.with_ledger(|ledger| {
            let ranges = ledger.unlisted(sensor, first, end);
            (
                ranges.map(|(from, to)| to - from).sum::<u64>(),
                ledger.state.stats(ledger.ring).forgotten > 0,
            )
        });
        let lost = self.ram.with_tenant(sensor, |_, tier, _| {
            // So many at least were held: there are no more numbers that are not, and some of those are
            // known to lie in front of the next record.
            let gone = tier.gone().saturating_sub(next.saturating_sub(end));
            let least = (end - first).saturating_sub(gone);
            // A ledger that forgot entries may have forgotten these. What is counted too low here comes
            // out in the end, when the last number is passed and records should still be there.
            let lost = if has_forgotten { least } else { unlisted.max(least) };
            let unsent = u64::from(tier.disk_unsent());
            let lost = if end >= tier.disk_end { unsent } else { lost.min(unsent) };
            tier.drop_range(first, end, lost as u32);
            tier.count_corrupt(lost);
            lost
        });
        self.inner.health.set(super::HealthCause::Damaged, true);
        let mut left = lost.unwrap_or(0);
        let mut from = first;
        while left > 0 {
            let range = self.ram.with_ledger(|ledger| ledger.unlisted(sensor, from, end).next());
            let (first, to) = range.unwrap_or((from, u64::MAX));
            let count = left.min(to - first);
            self.record_loss(sensor, first, count, DropCause::Corrupt);
            left -= count;
            from = first + count;
        }
    }

    /// More records counted as held on disk than there are numbers for: whoever wrote that down erred, and
    /// nobody may look for them for ever. No range can be named for them.
    fn forget_rest(&self, sensor: Sensor) {
        let lost = self.ram.with_tenant(sensor, |_, tier, _| {
            let lost = tier.disk_unsent();
            tier.drop_range(tier.disk_end, tier.disk_end, lost);
            tier.count_corrupt(u64::from(lost));
            u64::from(lost)
        });
        self.inner.health.set(super::HealthCause::Damaged, true);
        self.ram.with_ledger(|mut ledger| ledger.count_forgotten(lost.unwrap_or(0)));
    }

    /// Copies into `out` what `consume` would hand out next, without any effect on the store.
    pub fn peek_batch(&self, sensor: Sensor, out: &mut [Record]) -> Result<usize, UnknownSensor> {
        let owner = self.ram.owner(sensor);
        let in_ram = self.ram.with_tenant(sensor, |chain, tier, env| {
            if tier.disk_unsent() > 0 { None } else { Some(chain.peek(env.slots(), owner, out)) }
        });
        if let Some(count) = in_ram.ok_or(UnknownSensor)? {
            return Ok(count);
        }
        let mut core = self.core();
        let Ok(look) = self.look(&mut core, sensor, out) else { return Ok(0) };
        if look.records == out.len() {
            return Ok(look.records);
        }
        let more = self.ram.with_tenant(sensor, |chain, tier, env| {
            let is_all = look.records == 0 || tier.disk_unsent() as usize == look.records;
            let rest = &mut out[look.records..];
            let count = if is_all { chain.peek(env.slots(), owner, rest) } else { 0 };
            let goes_on = look.records == 0 || rest.first().is_some_and(|r| r.seq == look.end_seq);
            if goes_on { count } else { 0 }
        });
        Ok(look.records + more.unwrap_or(0))
    }

    /// The oldest unsent record, without any effect on the store.
    pub fn peek(&self, sensor: Sensor) -> Result<Option<Record>, UnknownSensor> {
        let mut out = [Record::default()];
        Ok((self.peek_batch(sensor, &mut out)? == 1).then_some(out[0]))
    }

    pub(super) fn read_on_disk(&self, sensor: Sensor, seq: u64) -> Result<Record, ReadError> {
        let mut core = self.core();
        let asked = self.ram.with_tenant(sensor, |chain, tier, _| {
            let is_held = tier.disk_held > 0
                && (tier.head..tier.disk_end).contains(&seq)
                && tier.past_hole(seq) == seq;
            (pack_key(chain.key()), is_held)
        });
        let (key, is_held) = asked.ok_or(ReadError::UnknownSensor)?;
        if !is_held {
            return Err(ReadError::NotRetained);
        }
        let at = core.places[sensor.index()].head;
        let mut found = None;
        let visited = core.log.visit_sensor(key, seq, at, &mut |_, chunk| {
            let mut out = [Record::default()];
            if chunk.copy_records(seq, &mut out) == 1 && out[0].seq == seq {
                found = Some(out[0]);
            }
            ControlFlow::Break(())
        });
        match (visited, found) {
            (Ok(()), Some(record)) => Ok(record),
            (Ok(()), None) => Err(ReadError::NotRetained),
            (Err(_), _) => Err(ReadError::Corrupt),
        }
    }

    /// The token of the sensor's pending batch, for an uploader that lost it.
    pub fn pending_batch(&self, sensor: Sensor) -> Result<Option<BatchToken>, UnknownSensor> {
        let owner = self.ram.owner(sensor);
        self.ram
            .with_tenant(sensor, |chain, tier, env| {
                if tier.disk_pending > 0 {
                    Some(tier.token(chain, owner))
                } else {
                    chain.pending_token(env.slots(), owner)
                }
            })
            .ok_or(UnknownSensor)
    }

    /// Erases exactly the batch's records: the cloud has them. Durable with the next commit.
    pub fn ack(&mut self, token: BatchToken) -> Result<(), StaleBatch> {
        let owner = self.ram.owner(token.sensor());
        self.ram
            .with_tenant(token.sensor(), |chain, tier, env| {
                if tier.disk_pending == 0 {
                    return chain.ack(env, owner, token);
                }
                if token != tier.token(chain, owner) {
                    return Err(StaleBatch);
                }
                tier.erase_pending();
                chain.erase_pending(env, owner);
                Ok(())
            })
            .unwrap_or(Err(StaleBatch))
    }

    /// Returns exactly the batch's records to unsent: they are the next to be consumed.
    pub fn nack(&mut self, token: BatchToken) -> Result<(), StaleBatch> {
        let owner = self.ram.owner(token.sensor());
        let was_on_disk = self
            .ram
            .with_tenant(token.sensor(), |chain, tier, env| {
                if tier.disk_pending == 0 {
                    return chain.nack(env, owner, token).map(|()| false);
                }
                if token != tier.token(chain, owner) {
                    return Err(StaleBatch);
                }
                tier.disk_pending = 0;
                chain.return_pending(env, owner);
                if planted::is(Bug::LocksCrossed) {
                    drop(self.core());
                }
                Ok(true)
            })
            .unwrap_or(Err(StaleBatch))?;
        if was_on_disk {
            let mut core = self.core();
            let at = core.places[token.sensor().index()].head;
            core.drain_at.go_back_to(at);
        }
        Ok(())
    }

    /// Erases exactly the batch's records and enters them into the ledger: the cloud will never take
    /// them, and they must not block what follows.
    pub fn reject(&mut self, token: BatchToken) -> Result<(), StaleBatch> {
        let owner = self.ram.owner(token.sensor());
        self.ram
            .with_tenant(token.sensor(), |chain, tier, env| {
                if tier.disk_pending == 0 {
                    return chain.reject(env, owner, token);
                }
                if token != tier.token(chain, owner) {
                    return Err(StaleBatch);
                }
                chain.count_rejected(token.count());
                record_loss(env, owner, token.first_seq(), token.count(), DropCause::Rejected);
                tier.erase_pending();
                tier.set_dirty(true);
                chain.erase_pending(env, owner);
                Ok(())
            })
            .unwrap_or(Err(StaleBatch))
    }
}

impl Look {
    fn nothing(from: u64) -> Self {
        let at = Position::default();
        Self { records: 0, missing: (from, from), first_at: at, last_at: at, end_seq: from }
    }
}
