//! Room on disk: the segment to write to, the store's limit, the reserve for acknowledgements, and
//! what is done after a failure.

use super::{Core, Gateway, HealthCause, Untold};
use crate::{
    Loss, Sensor,
    disk::{Control, Disk, DiskError, LossChunk, Operation, PAGE_BYTES, SECTOR_BYTES, pack_key},
    ram::Env,
};
use std::io;

/// The first pause after a failure, and the longest, in ms of the store's clock.
const BACKOFF_MS: u64 = 200;
const BACKOFF_MS_MAX: u64 = 10_000;
/// The file that keeps space for acknowledgements.
const RESERVE_FILE: &str = "reserve";

impl<D: Disk> Core<D> {
    /// Whether the last failure is so recent that another try waits.
    pub(super) const fn is_backing_off(&self) -> bool {
        self.steady_ms < self.retry_ms
    }
}

impl<D: Disk> Gateway<D> {
    /// Makes sure that there is a segment with room for a sector.
    pub(super) fn ensure_segment(&self, core: &mut Core<D>) -> Result<(), DiskError> {
        self.make_disk_room(core)?;
        core.log.check_numbers()?;
        if core.log.is_open() && !core.log.is_segment_full() {
            return Ok(());
        }
        if core.log.is_open() {
            let sealed = core.log.seal();
            if sealed.as_ref().is_err_and(|error| error.operation == Operation::Sync) {
                // Before another segment is begun: its sync says nothing of what is gone here.
                self.sync_failed(core);
            }
            sealed?;
            self.mark_durable(core);
        }
        self.settle_old_doubt(core);
        core.log.create_segment()?;
        let written = self.write_checkpoint(core);
        if written.is_err() {
            core.log.abandon_segment();
            self.mark_all_unsaved();
        } else {
            self.mark_durable(core);
        }
        written
    }

    fn write_checkpoint(&self, core: &mut Core<D>) -> Result<(), DiskError> {
        let mut sensors = 0;
        for sensor in self.sensors() {
            let chunk = self.save_sensor(core, sensor, true);
            if let Some(chunk) = chunk {
                core.log.put_control(&Control::Sensor(chunk))?;
                sensors += 1;
            }
        }
        self.for_losses(true, |_, chunk| core.log.put_control(&Control::Loss(chunk)))?;
        for index in 0..core.clocks.len() {
            let clock = core.clocks[index];
            core.log.put_control(&Control::Clock(clock))?;
        }
        core.is_clock_dirty = false;
        core.log.end_checkpoint(sensors)
    }

    /// Hands the ledger's entries to `f`: all of them, or those that were not saved yet.
    pub(super) fn for_losses(
        &self,
        all: bool,
        mut f: impl FnMut(Sensor, LossChunk) -> Result<(), DiskError>,
    ) -> Result<(), DiskError> {
        let mut at = 0;
        let mut batch = [Loss::NONE; 32];
        loop {
            let (count, next) = self.ram.with_ledger(|mut ledger| {
                if all {
                    ledger.copy_from(at, &mut batch)
                } else {
                    ledger.take_unsaved(at, &mut batch)
                }
            });
            for loss in &batch[..count] {
                let Ok(config) = self.ram.sensor_config(loss.sensor) else { continue };
                let chunk = LossChunk {
                    key: pack_key(config.key),
                    first_seq: loss.first_seq,
                    at_ms: loss.at_ms,
                    count: loss.count,
                    cause: loss.cause,
                };
                f(loss.sensor, chunk)?;
            }
            if count < batch.len() {
                break;
            }
            at = next;
        }
        if all {
            self.ram.with_ledger(|mut ledger| ledger.mark_all_saved());
        }
        Ok(())
    }

    /// What was saved may not have reached the log: all of it is saved again.
    pub(super) fn mark_all_unsaved(&self) {
        for sensor in self.sensors() {
            self.ram.with_tenant(sensor, |_, tier, _| {
                tier.saved_head = tier.durable_head;
                tier.set_dirty(tier.is_known());
            });
        }
        self.ram.with_ledger(|mut ledger| ledger.mark_all_unsaved());
    }

    /// Keeps the store below its limit on disk before a sector is written.
    fn make_disk_room(&self, core: &mut Core<D>) -> Result<(), DiskError> {
        let config = &self.inner.config;
        // A sector, a squeezed segment beside the one that it replaces, the index that sealing adds (an
        // eighth is more than it takes).
        let segment_bytes = u64::from(core.log.superblock.segment_pages) * PAGE_BYTES as u64;
        let margin = SECTOR_BYTES as u64 * 2 + segment_bytes + segment_bytes / 8;
        let limit = config.disk_max_bytes.saturating_sub(core.reserve_bytes + margin);
        let is_over = |core: &Core<D>| core.log.bytes() + core.squeeze_bytes() > limit;
        if !is_over(core) {
            self.inner.health.set(HealthCause::DiskMaxReached, false);
            return Ok(());
        }
        self.inner.health.set(HealthCause::DiskMaxReached, true);
        self.shrink_to(core, limit)?;
        if is_over(core) {
            let error = io::Error::from(io::ErrorKind::QuotaExceeded);
            return Err(DiskError::new(Operation::Write, "disk_max", error));
        }
        Ok(())
    }

    /// Notes how a write went: health, and when the next one is tried.
    pub(super) fn after_write<T>(&self, core: &mut Core<D>, result: &Result<T, DiskError>) {
        match result {
            // That there was nothing to write says nothing of the disk.
            Ok(_)
                if core.log.counts.bytes_written == core.failed_at_bytes
                    && !self.has_space(SECTOR_BYTES as u64) => {}
            Ok(_) => {
                core.failed_at_bytes = u64::MAX;
                self.inner.health.set(HealthCause::DiskFull, false);
                self.inner.health.set(HealthCause::IoError, false);
                core.backoff_ms = 0;
                core.retry_ms = 0;
            }
            Err(error) => {
                if error.operation == Operation::Sync {
                    self.sync_failed(core);
                }
                let cause =
                    if error.is_full() { HealthCause::DiskFull } else { HealthCause::IoError };
                self.inner.health.set(cause, true);
                core.failed_at_bytes = core.log.counts.bytes_written;
                core.backoff_ms = (core.backoff_ms * 2).clamp(BACKOFF_MS, BACKOFF_MS_MAX);
                core.retry_ms = core.steady_ms + core.backoff_ms;
            }
        }
    }

    /// A sync failed: its segment is closed and suspect. What RAM still holds of what was written since
    /// the last good sync is written again; what it does not hold is not durable until it is answered.
    pub(super) fn sync_failed(&self, core: &mut Core<D>) {
        let suspects = core.log.suspects();
        let is_in_doubt = suspects > core.suspects;
        core.suspects = suspects;
        self.mark_all_unsaved();
        if !is_in_doubt {
            // A checkpoint's or a squeezed file's: nothing but that was in there, and it is given up.
            return;
        }
        core.undurable_since_ms = None;
        core.untold = Untold::InRam;
        self.inner.health.set(HealthCause::SyncFailed, true);
        for sensor in self.sensors() {
            let owner = self.ram.owner(sensor);
            self.ram.with_tenant(sensor, |chain, tier, env| {
                if tier.written > tier.durable {
                    let in_ram = chain.first_held_seq(env.slots(), owner);
                    let gone = in_ram.clamp(tier.durable, tier.written);
                    if gone > tier.durable {
                        tier.suspect_end = gone;
                    }
                    tier.written = gone;
                    tier.copied_ahead = 0;
                }
            });
        }
    }

    /// Frees the space that is reserved for acknowledgements. `false`: there is none.
    pub(super) fn open_reserve(&self, core: &mut Core<D>) -> bool {
        if core.reserve_bytes == 0 || self.inner.disk.unlink(RESERVE_FILE).is_err() {
            return false;
        }
        core.reserve_bytes = 0;
        self.inner.health.set(HealthCause::ReserveInUse, true);
        true
    }

    /// Whether the reserve is in use and there is still no space for it.
    pub(super) fn is_reserve_open(&self, core: &mut Core<D>) -> bool {
        if !self.inner.health.get().has(HealthCause::ReserveInUse) {
            return false;
        }
        self.keep_reserve(core);
        self.inner.health.get().has(HealthCause::ReserveInUse)
    }

    /// Whether the disk has so many bytes, and a sector more.
    fn has_space(&self, bytes: u64) -> bool {
        let wanted = bytes + SECTOR_BYTES as u64;
        self.inner.disk.space().is_ok_and(|space| space.free_bytes >= wanted)
    }

    /// Records stay out of the space that was reserved, also while it is free for acknowledgements.
    pub(super) fn leave_reserve(&self, core: &Core<D>) -> Result<(), DiskError> {
        let wanted = self.inner.config.reserve_bytes;
        if core.reserve_bytes >= wanted || !self.inner.health.get().has(HealthCause::ReserveInUse) {
            return Ok(());
        }
        if self.has_space(wanted + SECTOR_BYTES as u64) {
            return Ok(());
        }
        let error = io::Error::from(io::ErrorKind::StorageFull);
        Err(DiskError::new(Operation::Write, RESERVE_FILE, error))
    }

    /// Reserves space for acknowledgements, if it is not and there is some.
    pub(super) fn keep_reserve(&self, core: &mut Core<D>) {
        let wanted = self.inner.config.reserve_bytes;
        if core.reserve_bytes >= wanted || wanted == 0 {
            return;
        }
        let disk = &*self.inner.disk;
        // Beside the reserve there must be something left, or it would be opened again at once.
        if !self.has_space(wanted + 7 * SECTOR_BYTES as u64) {
            return;
        }
        let _ = disk.unlink(RESERVE_FILE);
        let Ok(file) = disk.create(RESERVE_FILE) else { return };
        // Written, not only extended: an extension takes no space.
        let zeros = [0; PAGE_BYTES];
        let mut at = 0;
        while at < wanted {
            let len = zeros.len().min((wanted - at) as usize);
            if crate::disk::write_all_at(disk, &file, &zeros[..len], at).is_err() {
                let _ = disk.unlink(RESERVE_FILE);
                return;
            }
            at += len as u64;
        }
        core.reserve_bytes = wanted;
        self.inner.health.set(HealthCause::ReserveInUse, false);
    }
}

/// Bytes of a reserve that an opening before has left.
pub(super) fn reserve_found<D: Disk>(disk: &D) -> u64 {
    disk.open(RESERVE_FILE).and_then(|file| disk.len(&file)).unwrap_or(0)
}
