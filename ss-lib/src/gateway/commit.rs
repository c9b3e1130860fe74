//! Commits: cursors, losses and clocks into the log, and the sync that makes everything durable.

use super::{Core, Durability, Gateway, HealthCause, Untold};
use crate::{
    Sensor, SensorKey,
    disk::{Control, Disk, DiskError, SensorChunk, pack_key},
    planted::{self, Bug},
    ram::{Chain, Env, Owner, Slots},
    sync::MutexGuard,
};
use std::sync::atomic::Ordering::Relaxed;

use super::tier::Tier;

/// While the reserve is in use, cursors are told to the log this often, in ms.
const RESERVE_SAVE_MS: u64 = 10_000;

/// A sensor as the log is told of it. Without a chain: one that has nothing in the log yet.
pub(super) fn sensor_chunk(
    key: SensorKey,
    tier: &Tier,
    chain: Option<(&Chain, Slots<'_>, Owner)>,
) -> SensorChunk {
    let mut chunk = SensorChunk {
        key: pack_key(key),
        kind: crate::Kind::Event,
        is_active: tier.is_configured(),
        period_ms: 1,
        head_seq: tier.written,
        end_seq: tier.written,
        held: 0,
        hole: (tier.written, tier.written),
        first_segment: 0,
        counts: crate::disk::LifeCounts::default(),
    };
    let Some((chain, slots, owner)) = chain else { return chunk };
    let config = chain.config();
    chunk.kind = config.kind;
    chunk.period_ms = config.period_ms.max(1);
    chunk.counts = tier.life(chain);
    chunk.head_seq = tier.head_now(chain, slots, owner);
    chunk.end_seq = tier.written.max(chunk.head_seq);
    // What was recycled in RAM behind the last written number is not among the numbers that the log is
    // told of: it counts when that is passed.
    let held = u64::from(chain.pending()) + u64::from(chain.unsent());
    let above = held - chain.held_below(slots, owner, chunk.end_seq);
    let gone = (chain.next_seq() - chunk.end_seq).saturating_sub(above);
    chunk.counts.recycled = chunk.counts.recycled.saturating_sub(gone);
    chunk.held = u64::from(tier.disk_held) + chain.held_below(slots, owner, tier.written);
    chunk.held = chunk.held.min(chunk.end_seq - chunk.head_seq);
    chunk.hole = tier.hole();
    if chunk.hole.0 < chunk.head_seq || tier.disk_held == 0 {
        chunk.hole = (chunk.head_seq, chunk.head_seq);
    }
    chunk
}

/// Whether the log should be told where the sensor is.
const fn is_save_due(tier: &Tier, head: u64) -> bool {
    tier.is_dirty() || is_answer_untold(tier, head)
}

/// Whether the sensor was answered for records that the log has, and the log was not told: only those can
/// come back from there.
pub(super) const fn is_answer_untold(tier: &Tier, head: u64) -> bool {
    head > tier.saved_head && tier.saved_head < tier.written
}

impl<D: Disk> Gateway<D> {
    /// The sensor as the log should be told of it, if that is due or `always`; it counts as told.
    pub(super) fn save_sensor(
        &self,
        core: &Core<D>,
        sensor: Sensor,
        always: bool,
    ) -> Option<SensorChunk> {
        let owner = self.ram.owner(sensor);
        let first_segment = core.places[sensor.index()].head.segment;
        self.ram.with_tenant(sensor, |chain, tier, env| {
            let slots = env.slots();
            let head = tier.head_now(chain, slots, owner);
            if !(always || is_save_due(tier, head)) {
                return None;
            }
            let chunk = sensor_chunk(chain.key(), tier, Some((chain, slots, owner)));
            tier.saved_head = head;
            tier.set_dirty(false);
            tier.set_known();
            let first_segment = if chunk.held > 0 { first_segment } else { 0 };
            Some(SensorChunk { first_segment, ..chunk })
        })?
    }

    /// Writes what the log has not been told of cursors, losses and clocks.
    pub(super) fn save(&self, core: &mut Core<D>) -> Result<(), DiskError> {
        let saved = self.try_save(core);
        let saved = match saved {
            Err(error) if error.is_full() => {
                self.mark_all_unsaved();
                // A full disk still takes acknowledgements: space was kept for them. A loss alone waits.
                let is_urgent = core.is_ending || self.has_answers();
                if is_urgent && self.open_reserve(core) { self.try_save(core) } else { Err(error) }
            }
            saved => saved,
        };
        if saved.is_err() {
            self.mark_all_unsaved();
        }
        saved
    }

    /// Whether a sensor was answered for records that the log has, and the log was not told.
    fn has_answers(&self) -> bool {
        self.sensors().any(|sensor| {
            let owner = self.ram.owner(sensor);
            let has_moved = self.ram.with_tenant(sensor, |chain, tier, env| {
                is_answer_untold(tier, tier.head_now(chain, env.slots(), owner))
            });
            has_moved == Some(true)
        })
    }

    /// Whether what the log was not told of is saved now. While the reserve is in use it is only for
    /// answers, and now and then, so that it lasts until they free a segment.
    pub(super) fn saves_now(&self, core: &mut Core<D>) -> bool {
        if !self.is_reserve_open(core) {
            return true;
        }
        if core.steady_ms < core.reserve_due_ms || !self.has_answers() {
            return false;
        }
        core.reserve_due_ms = core.steady_ms + RESERVE_SAVE_MS;
        true
    }

    fn try_save(&self, core: &mut Core<D>) -> Result<(), DiskError> {
        let mut is_begun = false;
        // A loss goes before the cursor that passes it: a gap that the ledger does not name must not be
        // seen. The counts that it is part of follow with it.
        self.for_losses(false, |sensor, chunk| {
            self.ram.with_tenant(sensor, |_, tier, _| tier.set_dirty(true));
            self.put_saved(core, &mut is_begun, &Control::Loss(chunk))
        })?;
        for sensor in self.sensors() {
            // What begins a segment makes durable what counts as saved by then.
            if !is_begun && self.is_sensor_due(sensor) {
                self.begin_saving(core)?;
                is_begun = true;
            }
            if let Some(chunk) = self.save_sensor(core, sensor, false) {
                self.put_saved(core, &mut is_begun, &Control::Sensor(chunk))?;
            }
        }
        if core.is_clock_dirty {
            for index in 0..core.clocks.len() {
                let clock = core.clocks[index];
                self.put_saved(core, &mut is_begun, &Control::Clock(clock))?;
            }
            core.is_clock_dirty = false;
        }
        if is_begun { core.log.flush().map(|_| ()) } else { Ok(()) }
    }

    fn put_saved(
        &self,
        core: &mut Core<D>,
        is_begun: &mut bool,
        chunk: &Control,
    ) -> Result<(), DiskError> {
        if !*is_begun {
            *is_begun = true;
            self.begin_saving(core)?;
        }
        core.log.put_control(chunk)
    }

    fn begin_saving(&self, core: &mut Core<D>) -> Result<(), DiskError> {
        // A store that cannot begin another segment still tells the one it has.
        if let Err(error) = self.ensure_segment(core)
            && !core.log.is_open()
        {
            return Err(error);
        }
        core.log.begin_sector();
        Ok(())
    }

    fn is_sensor_due(&self, sensor: Sensor) -> bool {
        let owner = self.ram.owner(sensor);
        let is_due = self.ram.with_tenant(sensor, |chain, tier, env| {
            is_save_due(tier, tier.head_now(chain, env.slots(), owner))
        });
        is_due == Some(true)
    }

    /// Saves, and makes everything that was written durable. The lock is given up while the disk syncs.
    pub(super) fn commit<'a>(
        &'a self,
        mut core: MutexGuard<'a, Core<D>>,
    ) -> (MutexGuard<'a, Core<D>>, Result<(), DiskError>) {
        let saves = self.saves_now(&mut core);
        let saved = if saves { self.save(&mut core) } else { Ok(()) };
        if self.inner.config.durability == Durability::Os {
            // Nothing is promised of a power cut, so what is written will do.
            if saves && saved.is_ok() {
                core.told();
            }
            return (core, saved);
        }
        let Some(ticket) = core.log.sync_ticket() else { return (core, saved) };
        if planted::is(Bug::DurableTooEarly) {
            self.mark_durable(&mut core);
        }
        drop(core);
        let result = ticket.sync(&*self.inner.disk);
        let mut core = self.core();
        let synced = core.log.synced(&ticket, result);
        // Somebody may have written more while it went on, records or cursors.
        let covers_all = !core.log.has_unsynced() || planted::is(Bug::SyncCoversLater);
        if synced.is_ok() && covers_all && saved.is_ok() {
            self.mark_durable(&mut core);
            if saves {
                core.told();
            }
        }
        // A failed sync is told first: what is done about it no write's error may hide.
        (core, synced.and(saved))
    }

    /// Everything written is durable.
    pub(super) fn mark_durable(&self, core: &mut Core<D>) {
        if let Some(since_ms) = core.undurable_since_ms.take() {
            let lag_ms = core.steady_ms.saturating_sub(since_ms);
            self.inner.durable_lag_ms.fetch_max(lag_ms, Relaxed);
        }
        for sensor in self.sensors() {
            let owner = self.ram.owner(sensor);
            self.ram.with_tenant(sensor, |chain, tier, env| {
                tier.durable_head = tier.saved_head;
                if tier.suspect_end > 0
                    && tier.head_now(chain, env.slots(), owner) >= tier.suspect_end
                {
                    tier.suspect_end = 0;
                }
                if tier.suspect_end == 0 {
                    tier.durable = tier.written;
                }
            });
        }
        if core.suspects == 0 && self.inner.health.get().has(HealthCause::SyncFailed) {
            self.inner.health.set(HealthCause::SyncFailed, self.is_in_doubt());
        }
    }

    /// Makes everything added and answered so far durable before it returns.
    pub fn sync(&mut self) -> Result<(), DiskError> {
        let mut core = self.core();
        let spilled = self.spill(&mut core, super::spill::Spill::All);
        self.after_write(&mut core, &spilled);
        spilled?;
        self.save_and_sync(&mut core)
    }

    /// Saves every sensor whose numbers or counts the log does not have, and syncs, all under the lock.
    pub(super) fn save_and_sync(&self, core: &mut Core<D>) -> Result<(), DiskError> {
        self.mark_changed();
        let saved = self.save(core);
        self.after_write(core, &saved);
        saved?;
        let synced = core.log.sync_now();
        self.after_write(core, &synced);
        synced?;
        self.mark_durable(core);
        core.told();
        Ok(())
    }
}

impl<D: Disk> Core<D> {
    /// Every cursor was saved, and a sync went well since.
    fn told(&mut self) {
        if self.untold == Untold::Unsynced {
            self.untold = Untold::Nothing;
        }
    }
}
