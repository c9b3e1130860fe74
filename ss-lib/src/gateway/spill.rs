//! From RAM to the log: copying under one sensor's lock at a time, writing without any.

use super::{Core, Gateway, Untold};
use crate::{
    DropCause, Kind, Sensor, SensorKey,
    disk::{Control, Disk, DiskError, Form, Position, RunHeader, pack_key},
    ram::{Env, Run, SECTOR_BYTES_MAX, Visit},
};

/// What a spill takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spill {
    /// Complete sectors, in whole pages: the pool runs short, and what little is left over goes next
    /// time.
    Complete,
    /// Complete sectors, the last page as full as it is: an add waits for a sector.
    CompleteNow,
    /// Everything.
    All,
}

/// How one sensor's copying ended.
enum Copied {
    Done,
    BufferFull,
    /// The log is not told yet why numbers in front of the sensor's next record are not in it.
    UntoldGap,
}

impl<D: Disk> Gateway<D> {
    /// Writes what is in RAM into the log. Says whether anything was written.
    pub(super) fn spill(&self, core: &mut Core<D>, spill: Spill) -> Result<bool, DiskError> {
        let mut index = 0;
        let mut has_written = false;
        self.leave_reserve(core)?;
        self.begin_sector(core)?;
        while let Some((key, sensor)) = self.ram.nth_by_key(index) {
            match self.copy_out(core, key, sensor, spill == Spill::All) {
                Copied::Done => index += 1,
                Copied::BufferFull => {
                    self.flush_copied(core)?;
                    has_written = true;
                    self.begin_sector(core)?;
                }
                Copied::UntoldGap => {
                    if has_built(core) {
                        self.flush_copied(core)?;
                        has_written = true;
                    }
                    self.save(core)?;
                    self.begin_sector(core)?;
                }
            }
        }
        if spill == Spill::Complete && core.log.has_partial_page() {
            self.drop_partial(core);
        }
        if has_built(core) {
            self.flush_copied(core)?;
            has_written = true;
        }
        if spill == Spill::All && core.untold == Untold::InRam {
            core.untold = Untold::Unsynced;
        }
        Ok(has_written)
    }

    fn begin_sector(&self, core: &mut Core<D>) -> Result<(), DiskError> {
        self.leave_reserve(core)?;
        self.ensure_segment(core)?;
        core.log.begin_sector();
        core.partial.clear();
        core.partial_page = core.log.page_number();
        Ok(())
    }

    /// Copies one sensor's runs that the log does not have yet into the log's buffer.
    fn copy_out(
        &self,
        core: &mut Core<D>,
        key: SensorKey,
        sensor: Sensor,
        takes_open: bool,
    ) -> Copied {
        let owner = self.ram.owner(sensor);
        let Core { log, partial, partial_page, .. } = core;
        let copied = self.ram.with_tenant(sensor, |chain, tier, env| {
            let slots = env.slots();
            // How far it was copied before the page that is being filled.
            let mut ahead_before = tier.copied_ahead;
            let mut from = tier.copied().max(chain.first_held_seq(slots, owner));
            if from >= chain.next_seq() {
                return Copied::Done;
            }
            // After a kill a gap must be seen by nobody whom the log does not tell why: the cursor behind
            // it, or the loss, goes before the record.
            if from > tier.copied() {
                let is_told =
                    !super::commit::is_answer_untold(tier, tier.head_now(chain, slots, owner))
                        && !env.ledger(|mut ledger| ledger.is_newest_unsaved(sensor));
                if !is_told {
                    return Copied::UntoldGap;
                }
            }
            let mut outcome = Copied::Done;
            let mut is_first = true;
            let is_corrupt = chain.visit_runs(slots, owner, from, takes_open, |run| {
                if is_first && !tier.is_known() {
                    let chunk = super::commit::sensor_chunk(key, tier, None);
                    if !log.put_control_if_room(&Control::Sensor(chunk)) {
                        outcome = Copied::BufferFull;
                        return Visit::Stop;
                    }
                }
                is_first = false;
                while from < run.first_seq + u64::from(run.count) {
                    let at = from.max(run.first_seq);
                    let put = put_run(run, (at - run.first_seq) as u32, |header, bytes| {
                        let header = RunHeader {
                            key: pack_key(key),
                            skip: at.saturating_sub(tier.copied()),
                            epoch: owner.epoch,
                            ..header
                        };
                        log.put_records(&header, bytes)
                    });
                    if put == 0 {
                        outcome = Copied::BufferFull;
                        return Visit::Stop;
                    }
                    if *partial_page != log.page_number() {
                        *partial_page = log.page_number();
                        partial.clear();
                        ahead_before = tier.copied_ahead;
                    }
                    from = at + put as u64;
                    tier.copied_ahead = (from - tier.written) as u32;
                }
                Visit::Next
            });
            // A corrupt sector in front is listed as lost; one behind others becomes the front when
            // those are gone.
            if is_corrupt && from <= chain.first_held_seq(slots, owner) && tier.pending(chain) == 0
            {
                chain.drop_corrupt_front(env, owner);
            }
            if tier.copied_ahead != ahead_before && partial.len() < partial.capacity() {
                partial.push((sensor, ahead_before));
            }
            outcome
        });
        copied.unwrap_or(Copied::Done)
    }

    /// Forgets the partly filled page, and that what is in it was copied. A sensor whose run began in
    /// the page before keeps what is in there: that page is written. A number that stands in the log and
    /// is not counted as written would be given to another record after a kill.
    fn drop_partial(&self, core: &mut Core<D>) {
        if core.partial.len() == core.partial.capacity() {
            // Not every copy could be noted: the page stays.
            return;
        }
        core.log.drop_partial_page();
        for &(sensor, ahead) in &core.partial {
            self.ram.with_tenant(sensor, |_, tier, _| tier.copied_ahead = ahead);
        }
        core.partial.clear();
    }

    /// Writes the buffer. What was copied is written then, or nothing of it is.
    pub(super) fn flush_copied(&self, core: &mut Core<D>) -> Result<(), DiskError> {
        let segment = core.log.open_segment_id();
        let first_page = core.log.page_number() - core.log.built_pages() as u32;
        let result = core.log.flush();
        core.flushes += 1;
        for sensor in self.sensors() {
            let owner = self.ram.owner(sensor);
            self.ram.with_tenant(sensor, |chain, tier, env| {
                if tier.copied_ahead == 0 {
                    return;
                }
                if result.is_ok() {
                    let held_before = tier.disk_held > 0
                        || chain.first_held_seq(env.slots(), owner) < tier.written;
                    if !held_before {
                        core.places[sensor.index()].head = Position { segment, page: first_page };
                    }
                    tier.written = tier.copied();
                    tier.set_known();
                }
                tier.copied_ahead = 0;
            });
        }
        result.map(|_| ())
    }

    /// Gives back RAM sectors whose records the log has.
    pub(super) fn retire(&self) {
        for sensor in self.sensors() {
            let owner = self.ram.owner(sensor);
            self.ram.with_tenant(sensor, |chain, tier, env| {
                while let Some(retired) = chain.retire_first(env, owner, tier.written) {
                    tier.retired(&retired);
                }
            });
        }
    }

    /// Makes free sectors for an add that found none: from the records that the log has, else by
    /// writing what is complete, else everything. A page with few complete sectors in it is better than
    /// many with the first records of open ones, which pack badly for good.
    pub(super) fn make_sectors(&self, core: &mut Core<D>) -> Result<(), DiskError> {
        let free = |gateway: &Self| {
            let pool = gateway.pool();
            pool.sectors_used < pool.sectors_limit
        };
        self.retire();
        if free(self) {
            return Ok(());
        }
        if core.is_backing_off() || core.is_down {
            return Ok(());
        }
        let has_some = self.has_complete((self.sectors_a_page() / 32).max(1));
        let complete = if has_some { Spill::CompleteNow } else { Spill::Complete };
        for spill in [complete, Spill::All] {
            let spilled = self.spill(core, spill);
            self.after_write(core, &spilled);
            spilled?;
            self.retire();
            if free(self) {
                break;
            }
        }
        Ok(())
    }

    /// Enters a loss on disk into the ledger.
    pub(super) fn record_loss(&self, sensor: Sensor, first_seq: u64, count: u64, cause: DropCause) {
        let at_ms = self.ram.now_ms();
        let (mut first_seq, mut left) = (first_seq, count);
        while left > 0 {
            let count = u32::try_from(left).unwrap_or(u32::MAX);
            self.ram.with_ledger(|mut ledger| {
                ledger.record(crate::Loss { first_seq, at_ms, count, sensor, cause });
            });
            first_seq += u64::from(count);
            left -= u64::from(count);
        }
    }
}

/// Whether the log's buffer holds anything to write.
fn has_built<D: Disk>(core: &Core<D>) -> bool {
    core.log.built_pages() > 0 || core.log.has_partial_page()
}

/// Puts the records of a run from its number `from` on, as many as the buffer takes in one page.
fn put_run(run: &Run<'_>, from: u32, put: impl FnOnce(RunHeader, &[u8]) -> usize) -> usize {
    let mut bytes = [0; SECTOR_BYTES_MAX as usize];
    let count = run.copy_bytes(from, &mut bytes);
    let form = match (run.kind, run.is_stamped) {
        (Kind::Event, _) => Form::Event,
        (Kind::TimeSeries, true) => Form::Stamped,
        (Kind::TimeSeries, false) => Form::Grid,
    };
    let period_ms = if form == Form::Grid { run.period_ms } else { 0 };
    let header = RunHeader {
        key: 0,
        first_seq: run.first_seq + u64::from(from),
        base_ms: run.base_ms.wrapping_add(u64::from(from) * u64::from(period_ms)),
        skip: 0,
        epoch: 0,
        period_ms,
        form,
        clock: run.clock,
    };
    put(header, &bytes[..count as usize * run.record_bytes()])
}
