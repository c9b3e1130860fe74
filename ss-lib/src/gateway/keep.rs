//! Keeping the disk within its limits: quotas, segments that nobody needs, squeezing.

use super::{Core, Durability, Gateway, HealthCause, Untold};
use crate::{
    DropCause, Kind, Sensor,
    disk::{
        Chunk, Control, Disk, DiskError, PAGE_BYTES, Position, ReadFault, SegmentState, Squeezed,
        pack_key, unpack_key,
    },
    planted::{self, Bug},
    ram::Env,
};
use core::ops::ControlFlow;

/// The newest sealed segments that are not squeezed: a short backlog is drained before it is worth it.
const UNSQUEEZED: usize = 2;
/// Steps of a squeeze in one tick.
const STEPS: u32 = 2;
/// How often room is looked for before a write is refused.
const SHRINK_ROUNDS: u32 = 4;

/// What a record counts towards its sensor's quota, in bytes.
const fn record_bytes(kind: Kind) -> u64 {
    match kind {
        Kind::Event => 8,
        Kind::TimeSeries => 4,
    }
}

impl<D: Disk> Core<D> {
    /// Bytes of the file that a squeeze is writing.
    pub(super) fn squeeze_bytes(&self) -> u64 {
        self.squeeze.bytes()
    }
}

impl<D: Disk> Gateway<D> {
    /// Drops the oldest unsent records of every sensor that holds more on disk than its quota.
    pub(super) fn keep_quotas(&self, core: &mut Core<D>) {
        let quota_bytes = self.inner.config.quota_bytes;
        let mut is_reached = false;
        for sensor in self.sensors() {
            let over = self.ram.with_tenant(sensor, |chain, tier, _| {
                let each = record_bytes(chain.config().kind);
                let bytes = u64::from(tier.disk_held) * each;
                let quota_bytes =
                    if planted::is(Bug::QuotaOffByOne) { quota_bytes + each } else { quota_bytes };
                (bytes.saturating_sub(quota_bytes).div_ceil(each), bytes + 64 * each > quota_bytes)
            });
            let Some((over, is_near)) = over else { continue };
            is_reached |= is_near;
            if over > 0 {
                self.drop_oldest(core, sensor, over, DropCause::Quota);
            }
        }
        self.inner.health.set(HealthCause::QuotaReached, is_reached);
    }

    /// Drops up to `wanted` of the sensor's oldest unsent records on disk. Returns how many.
    fn drop_oldest(
        &self,
        core: &mut Core<D>,
        sensor: Sensor,
        wanted: u64,
        cause: DropCause,
    ) -> u64 {
        let mut dropped = 0;
        while dropped < wanted {
            let asked = self.ram.with_tenant(sensor, |chain, tier, _| {
                let from = tier.unsent_from();
                let limit = tier.limit_from(from);
                let has_hole_behind = limit < tier.disk_end;
                let is_exact = tier.is_without_gaps();
                (pack_key(chain.key()), from, limit, has_hole_behind, is_exact, tier.disk_unsent())
            });
            let Some((key, from, limit, has_hole_behind, is_exact, unsent)) = asked else { break };
            if unsent == 0 || from >= limit {
                break;
            }
            let mut range = (from, limit.min(from.saturating_add(wanted - dropped)));
            if !is_exact {
                // Which numbers are held stands in the chunks.
                let at = core.places[sensor.index()].head;
                let mut chunk_range = None;
                let visited = core.log.visit_sensor(key, from, at, &mut |_, chunk| {
                    let header = &chunk.header;
                    chunk_range = Some((header.first_seq, header.skip, chunk.end_seq()));
                    ControlFlow::Break(())
                });
                if visited.is_err() {
                    break;
                }
                let (first, skip, end) = chunk_range.unwrap_or((limit, 0, limit));
                let accounted = first.saturating_sub(skip).clamp(from, limit);
                if accounted > from {
                    self.forget_missing(sensor, (from, accounted), first);
                    continue;
                }
                let first = first.max(from).min(limit);
                if first >= limit {
                    self.ram.with_tenant(sensor, |_, tier, _| tier.drop_range(from, limit, 0));
                    break;
                }
                range = (first, end.min(limit).min(first.saturating_add(wanted - dropped)));
            }
            // One hole is all that there can be, so what is dropped in front of one reaches it.
            let is_pending = self.ram.with_tenant(sensor, |_, tier, _| tier.disk_pending > 0);
            if has_hole_behind && is_pending == Some(true) && is_exact {
                range.1 = limit;
            }
            let count = range.1 - range.0;
            self.ram.with_tenant(sensor, |_, tier, _| {
                tier.drop_range(from, range.1, count as u32);
                match cause {
                    DropCause::DiskMax => tier.count_disk_max(count),
                    _ => tier.count_quota(count),
                }
            });
            self.record_loss(sensor, range.0, count, cause);
            dropped += count;
        }
        dropped
    }

    /// Where the sensor's records begin that a power cut would leave held.
    fn durable_head_of(&self, key: u64) -> u64 {
        let Some(sensor) = unpack_key(key).and_then(|key| self.ram.find(key)) else {
            // A sensor that the store has forgotten held nothing any more.
            return u64::MAX;
        };
        let is_os = self.inner.config.durability == Durability::Os;
        let owner = self.ram.owner(sensor);
        self.ram
            .with_tenant(sensor, |chain, tier, env| {
                if planted::is(Bug::UnlinkTooEarly) {
                    return tier.head_now(chain, env.slots(), owner);
                }
                if is_os { tier.saved_head } else { tier.durable_head }
            })
            .unwrap_or(u64::MAX)
    }

    /// Removes the segments in which no sensor has a record any more. The cursors that say so are
    /// durable: a segment that is gone while its cursor comes back would be a loss.
    pub(super) fn reclaim(&self, core: &mut Core<D>) -> Result<(), DiskError> {
        if core.log.lacks_checkpoint {
            return Ok(());
        }
        let mut index = 0;
        while let Some(segment) = core.log.segments.get(index) {
            // The newest one says where every sensor is, whatever it holds.
            let is_newest = index + 1 == core.log.segments.len();
            let is_busy = is_newest || core.squeeze.is_of(segment.id);
            if !is_busy && self.is_dead(core, index)? {
                if segment.state == SegmentState::Suspect {
                    self.suspect_gone(core);
                }
                core.log.unlink(index)?;
            } else {
                index += 1;
            }
        }
        Ok(())
    }

    fn is_dead(&self, core: &mut Core<D>, index: usize) -> Result<bool, DiskError> {
        let Some(segment) = core.log.segments.get(index) else { return Ok(false) };
        if let Some((key, end_seq)) = segment.witness
            && self.durable_head_of(key) < end_seq
        {
            return Ok(false);
        }
        let pages = core.log.extents_of(&segment)?;
        for page in pages.start.max(segment.witness_page)..pages.end {
            let log = &mut core.log;
            let view = match log.cache.page(&log.disk, &segment, page) {
                Ok(view) => view,
                Err(ReadFault::Disk(error)) => return Err(error),
                Err(ReadFault::Page(_))
                    if segment.state == SegmentState::Suspect && self.is_in_doubt() =>
                {
                    // Whose records were in there nobody knows.
                    return Ok(false);
                }
                Err(ReadFault::Page(_)) => continue,
            };
            let extents = view.chunks().filter_map(|chunk| match chunk {
                Ok(Chunk::Index(entry)) => Some((entry.key, entry.end_seq)),
                Ok(Chunk::Records(chunk)) => Some((chunk.header.key, chunk.end_seq())),
                _ => None,
            });
            let mut witness = None;
            for (key, end_seq) in extents {
                if self.durable_head_of(key) < end_seq {
                    witness = Some((key, end_seq));
                    break;
                }
            }
            if witness.is_some() {
                if let Some(segment) = core.log.segments.get_mut(index) {
                    segment.witness = witness;
                    segment.witness_page = page;
                }
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether a sensor waits for records that a failed sync may have lost.
    pub(super) fn is_in_doubt(&self) -> bool {
        self.sensors().any(|sensor| {
            self.ram.with_tenant(sensor, |_, tier, _| tier.suspect_end > 0) == Some(true)
        })
    }

    /// A suspect segment is gone, or its records stand in a durable one.
    fn suspect_gone(&self, core: &mut Core<D>) {
        core.suspects = core.suspects.saturating_sub(1);
        if core.suspects > 0 {
            return;
        }
        self.inner.health.set(HealthCause::SyncFailed, false);
        if core.has_lost_doubt {
            return;
        }
        for sensor in self.sensors() {
            self.ram.with_tenant(sensor, |_, tier, _| tier.suspect_end = 0);
        }
    }

    /// Makes durable what a failed sync has left far behind, before it is where an opening would not look for it:
    /// such a segment was too small to be squeezed, or its turn has not come. A disk that refuses that is no
    /// reason to keep records in RAM: it is asked again with the next segment.
    pub(super) fn settle_old_doubt(&self, core: &mut Core<D>) {
        // What comes of it the segments say.
        let _ = self.settle_doubt(core, core.log.far_behind());
    }

    /// Makes durable what failed syncs have left in the first so many segments. The error is the last one; the
    /// segments that it stands for stay in doubt.
    pub(super) fn settle_doubt(&self, core: &mut Core<D>, until: usize) -> Result<(), DiskError> {
        let mut result = Ok(());
        for index in 0..until {
            let Some(segment) = core.log.segments.get(index) else { break };
            if segment.state != SegmentState::Suspect {
                continue;
            }
            if core.squeeze.is_of(segment.id) {
                core.squeeze.abandon(&core.log);
            }
            match core.log.settle_suspect(index) {
                Ok(true) => self.suspect_gone(core),
                Ok(false) => self.suspect_damaged(core),
                Err(error) => result = Err(error),
            }
        }
        result
    }

    /// What could not be read of a suspect segment is not durable until whoever is due finds it lost.
    fn suspect_damaged(&self, core: &mut Core<D>) {
        core.has_lost_doubt = true;
        core.suspects = core.log.suspects();
        self.inner.health.set(HealthCause::Damaged, true);
    }

    /// Does a bounded part of squeezing: the segments behind the newest ones, and suspect ones.
    pub(super) fn squeeze_some(&self, core: &mut Core<D>) -> Result<(), DiskError> {
        if !self.inner.config.squeezes && core.suspects == 0 {
            return Ok(());
        }
        if !core.squeeze.is_working() {
            let Some(index) = self.squeezable(core) else { return Ok(()) };
            self.begin_squeeze(core, index)?;
        }
        for _ in 0..STEPS {
            if !self.squeeze_step(core)? {
                break;
            }
        }
        Ok(())
    }

    fn squeezable(&self, core: &Core<D>) -> Option<usize> {
        if core.untold != Untold::Nothing {
            return None;
        }
        // What its checkpoint says is durable at once, and must not run ahead of what the log says.
        if core.log.has_unsynced() && self.inner.config.durability != Durability::Os {
            return None;
        }
        let segments = core.log.segments.len();
        (0..segments).find(|&index| {
            core.log.segments.get(index).is_some_and(|segment| match segment.state {
                SegmentState::Open => false,
                SegmentState::Suspect => !segment.is_kept,
                SegmentState::Sealed => {
                    self.inner.config.squeezes
                        && segment.generation == 0
                        && !segment.is_kept
                        && index + UNSQUEEZED + 1 < segments
                }
            })
        })
    }

    fn begin_squeeze(&self, core: &mut Core<D>, index: usize) -> Result<(), DiskError> {
        core.log.reset_buffer();
        core.squeeze_damaged = core.log.counts.damaged_pages;
        if !core.squeeze.begin(&mut core.log, index)? {
            core.log.keep_as_is(index);
            return Ok(());
        }
        let result = self.put_squeezed_checkpoint(core);
        if result.is_err() {
            core.squeeze.abandon(&core.log);
        }
        result
    }

    /// A squeezed segment begins with a checkpoint like any other.
    fn put_squeezed_checkpoint(&self, core: &mut Core<D>) -> Result<(), DiskError> {
        let mut sensors = 0;
        for sensor in self.sensors() {
            if let Some(chunk) = self.describe_sensor(core, sensor) {
                let Core { squeeze, log, .. } = core;
                squeeze.put_control(log, &Control::Sensor(chunk))?;
                sensors += 1;
            }
        }
        let Core { squeeze, log, .. } = core;
        squeeze.end_checkpoint(log, sensors)
    }

    /// One step. `false`: there is nothing more to do.
    fn squeeze_step(&self, core: &mut Core<D>) -> Result<bool, DiskError> {
        let Core { squeeze, log, .. } = core;
        if !squeeze.is_working() {
            return Ok(false);
        }
        log.reset_buffer();
        match squeeze.step(log, &|key| self.durable_head_of(key)) {
            Ok(Squeezed::Working) => Ok(true),
            Ok(Squeezed::Replaced { segment, was_suspect }) => {
                for places in &mut core.places {
                    for place in [&mut places.head, &mut places.batch_end] {
                        if place.segment == segment {
                            *place = Position { segment, page: 0 };
                        }
                    }
                }
                core.drain_at.replaced(segment);
                if was_suspect && core.log.counts.damaged_pages == core.squeeze_damaged {
                    self.suspect_gone(core);
                } else if was_suspect {
                    self.suspect_damaged(core);
                }
                Ok(false)
            }
            Ok(Squeezed::Kept(segment)) => {
                if let Some(index) = log.segments.index_of(segment) {
                    log.keep_as_is(index);
                }
                Ok(false)
            }
            Err(error) => {
                squeeze.abandon(log);
                Err(error)
            }
        }
    }

    /// Brings the store's bytes down to `limit`: by what is dead, by squeezing, and then by dropping the
    /// oldest unsent records of whoever holds most.
    pub(super) fn shrink_to(&self, core: &mut Core<D>, limit: u64) -> Result<(), DiskError> {
        if core.is_shrinking {
            return Ok(());
        }
        core.is_shrinking = true;
        let result = self.try_shrink_to(core, limit);
        core.is_shrinking = false;
        result
    }

    fn try_shrink_to(&self, core: &mut Core<D>, limit: u64) -> Result<(), DiskError> {
        for round in 0..SHRINK_ROUNDS {
            self.reclaim(core)?;
            let mut index = 0;
            while core.log.bytes() + core.squeeze_bytes() > limit && index < core.log.segments.len()
            {
                if core.untold == Untold::Nothing && self.is_worth_squeezing(core, index)? {
                    if core.squeeze.is_working() {
                        core.squeeze.abandon(&core.log);
                    }
                    self.begin_squeeze(core, index)?;
                    while self.squeeze_step(core)? {}
                }
                index += 1;
            }
            let bytes = core.log.bytes() + core.squeeze_bytes();
            if bytes <= limit || round + 1 == SHRINK_ROUNDS {
                return Ok(());
            }
            let segment_bytes = u64::from(core.log.superblock.segment_pages) * PAGE_BYTES as u64;
            if !self.drop_from_richest(core, bytes - limit + segment_bytes / 2) {
                return Ok(());
            }
            // What is dropped is durably so before its segment goes.
            self.save(core)?;
            self.sync_log(core)?;
        }
        Ok(())
    }

    /// Makes durable what was written.
    fn sync_log(&self, core: &mut Core<D>) -> Result<(), DiskError> {
        let synced = core.log.sync_now();
        self.after_write(core, &synced);
        synced?;
        self.mark_durable(core);
        Ok(())
    }

    /// Whether a quarter or more of a sealed segment is dead, or it was never squeezed.
    fn is_worth_squeezing(&self, core: &mut Core<D>, index: usize) -> Result<bool, DiskError> {
        let Some(segment) = core.log.segments.get(index) else { return Ok(false) };
        if segment.state == SegmentState::Open {
            return Ok(false);
        }
        let pages = core.log.extents_of(&segment)?;
        let (mut live, mut all) = (0, 0);
        for page in pages {
            let log = &mut core.log;
            let Ok(view) = log.cache.page(&log.disk, &segment, page) else { continue };
            let extents = view.chunks().filter_map(|chunk| match chunk {
                Ok(Chunk::Index(entry)) => Some((entry.key, entry.first_seq, entry.end_seq)),
                Ok(Chunk::Records(chunk)) => {
                    Some((chunk.header.key, chunk.header.first_seq, chunk.end_seq()))
                }
                _ => None,
            });
            for (key, first_seq, end_seq) in extents {
                all += end_seq - first_seq;
                live += end_seq.saturating_sub(self.durable_head_of(key).max(first_seq));
            }
        }
        let is_fresh = segment.generation == 0 && !segment.is_kept;
        Ok(is_fresh || live.saturating_mul(4) < all.saturating_mul(3))
    }

    /// Drops about `wanted_bytes` from whoever holds most, again and again. `false`: nobody has any.
    fn drop_from_richest(&self, core: &mut Core<D>, wanted_bytes: u64) -> bool {
        let mut dropped_bytes = 0;
        while dropped_bytes < wanted_bytes {
            let held = |sensor: Sensor| {
                let unsent = self.ram.with_tenant(sensor, |chain, tier, _| {
                    (u64::from(tier.disk_unsent()), record_bytes(chain.config().kind))
                });
                unsent.unwrap_or((0, 1))
            };
            let richest = self.sensors().max_by_key(|&sensor| {
                let (unsent, bytes) = held(sensor);
                unsent * bytes
            });
            let Some(sensor) = richest else { break };
            let (unsent, bytes) = held(sensor);
            if unsent == 0 {
                break;
            }
            let wanted = (unsent / 8).max(1);
            let dropped = self.drop_oldest(core, sensor, wanted, DropCause::DiskMax);
            if dropped == 0 {
                break;
            }
            dropped_bytes += dropped * bytes;
        }
        dropped_bytes > 0
    }

    /// A sensor as the log would be told of it, without telling it.
    fn describe_sensor(&self, core: &Core<D>, sensor: Sensor) -> Option<crate::disk::SensorChunk> {
        let owner = self.ram.owner(sensor);
        let first_segment = core.places[sensor.index()].head.segment;
        self.ram.with_tenant(sensor, |chain, tier, env| {
            let mut chunk =
                super::commit::sensor_chunk(chain.key(), tier, Some((chain, env.slots(), owner)));
            if chunk.end_seq > tier.written {
                // What was answered in RAM is undone by a kill, and its numbers are given again.
                chunk.head_seq = tier.written;
                chunk.end_seq = tier.written;
                chunk.hole = (tier.written, tier.written);
            }
            let first_segment = if chunk.held > 0 { first_segment } else { 0 };
            crate::disk::SensorChunk { first_segment, ..chunk }
        })
    }
}
