//! The orderly end: no more adds, everything written, what remained is told.

use super::{Core, Gateway, spill::Spill};
use crate::{
    disk::{Disk, DiskError, Superblock},
    ram::Env,
    sync::{self, Instant},
};
use std::time::Duration;

/// The pause between two tries of a disk that fails.
const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// How far a shutdown is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Records that were in RAM only when it began.
    pub records: u64,
    /// Those of them that still are.
    pub left: u64,
}

/// How a shutdown ended.
#[derive(Debug)]
pub struct ShutdownReport {
    /// Records that were in RAM only when it began.
    pub records: u64,
    /// Records that the disk did not take before the deadline: they are gone with the process.
    pub left: u64,
    /// The last error, if the disk did not take everything.
    pub error: Option<DiskError>,
}

impl ShutdownReport {
    /// Whether nothing remained.
    pub const fn is_complete(&self) -> bool {
        self.left == 0 && self.error.is_none()
    }
}

impl<D: Disk> Gateway<D> {
    /// Refuses every add from now on, writes everything that is in RAM, makes it durable, and marks the
    /// store as closed in order. A disk that fails is tried again until `deadline` has passed; without
    /// one, once. `progress` is told while it runs. The store can still be read; it takes nothing more.
    pub fn shut_down(
        &mut self,
        deadline: Option<Duration>,
        progress: &mut dyn FnMut(Progress),
    ) -> ShutdownReport {
        let started = Instant::now();
        self.ram.shut_down();
        let records = self.unwritten();
        progress(Progress { records, left: records });
        let mut is_durable = false;
        let error = loop {
            if deadline.is_some_and(|deadline| started.elapsed() >= deadline) {
                break None;
            }
            match self.write_all(records, progress) {
                Ok(()) => {
                    is_durable = true;
                    break None;
                }
                Err(error) => {
                    let has_time =
                        deadline.is_some_and(|deadline| started.elapsed() + RETRY_PAUSE < deadline);
                    if !has_time {
                        break Some(error);
                    }
                    sync::sleep(RETRY_PAUSE);
                }
            }
        };
        let left = self.unwritten();
        let mut core = self.core();
        let mut error = error;
        if is_durable && left == 0 {
            let last_lsn = core.log.last_lsn();
            let superblock = Superblock { is_clean: true, last_lsn, ..core.log.superblock };
            error = core.log.write_superblock(superblock).err();
        }
        core.is_down = true;
        drop(core);
        progress(Progress { records, left });
        ShutdownReport { records, left, error }
    }

    fn write_all(
        &mut self,
        records: u64,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(), DiskError> {
        let mut core = self.core();
        if core.is_down {
            return Ok(());
        }
        let Core { squeeze, log, .. } = &mut *core;
        squeeze.abandon(log);
        if self.unwritten() > 0 {
            let spilled = self.spill(&mut core, Spill::All);
            self.after_write(&mut core, &spilled);
            spilled?;
            progress(Progress { records, left: self.unwritten() });
        }
        core.is_ending = true;
        // The log ends with what every sensor holds, so that a page that rots before is missed exactly.
        if core.log.counts.bytes_written > 0 {
            for sensor in self.sensors() {
                self.ram.with_tenant(sensor, |_, tier, _| tier.set_dirty(tier.is_known()));
            }
        }
        self.save_and_sync(&mut core)?;
        // An orderly end says of everything that it is durable.
        let segments = core.log.segments.len();
        self.settle_doubt(&mut core, segments)?;
        self.mark_durable(&mut core);
        Ok(())
    }

    /// Records that are in RAM only.
    fn unwritten(&self) -> u64 {
        let unwritten = |sensor| {
            let owner = self.ram.owner(sensor);
            self.ram.with_tenant(sensor, |chain, tier, env| {
                let slots = env.slots();
                let all = u64::from(chain.pending()) + u64::from(chain.unsent());
                all - chain.held_below(slots, owner, tier.written)
            })
        };
        self.sensors().filter_map(unwritten).sum()
    }

    /// The log is told of every sensor whose numbers or counts it does not have, so that the next
    /// opening goes on with them.
    pub(super) fn mark_changed(&self) {
        for sensor in self.sensors() {
            let owner = self.ram.owner(sensor);
            self.ram.with_tenant(sensor, |chain, tier, env| {
                let head = tier.head_now(chain, env.slots(), owner);
                let has_counts = chain.stats().refused > 0 || chain.stats().rejected > 0;
                if head > tier.saved_head || has_counts {
                    tier.set_dirty(true);
                }
            });
        }
    }
}
