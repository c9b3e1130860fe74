//! What is done about every 100 ms: by a thread, or by whoever has the clock.

use super::{Core, Durability, Gateway, HealthCause, Untold, spill::Spill};
use crate::{
    disk::{Disk, DiskError, PAGE_BYTES},
    ram::{Env, PoolStats},
};
use std::{
    sync::{
        Arc, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::JoinHandle,
    time::{Duration, Instant, SystemTime},
};

/// How often the manager's thread does everything that is due.
const TICK: Duration = Duration::from_millis(100);
/// Where the pool fills quickly it looks in between whether records must be written, this often at most.
const LOOK_MIN: Duration = Duration::from_millis(2);
/// An add wakes a manager that would sleep for so long. A wake costs the add some 10 µs, and each
/// thousandth add would bear them if a manager that looks soon anyway were woken.
const RING_WORTH: Duration = Duration::from_millis(20);
/// From this share of the pool's sectors on, in percent, records go to disk.
const PRESSURE_PERCENT: u64 = 80;
/// From this share on an add wakes the manager.
const RING_PERCENT: u64 = 90;
/// A disk with so much space is not called full.
const ROOM_BYTES: u64 = 2 * crate::disk::SECTOR_BYTES as u64;
/// Without an interval of its own, cursors are told to the log this often, in ms.
const SAVE_MS: u64 = 1_000;

impl<D: Disk> Gateway<D> {
    /// Does what is due; call it about every 100 ms unless a [`Manager`] does. `now_ms` is the clock that
    /// the ledger's times are of; it may jump.
    pub fn tick(&mut self, now_ms: u64) {
        self.ram.tick(now_ms);
        let mut core = self.core();
        core.advance(now_ms);
        if core.is_down {
            return;
        }
        self.remove_leftovers(&mut core);
        if core.is_backing_off() {
            return;
        }
        let written_before = core.log.counts.bytes_written;
        let written = self.write_due(&mut core);
        self.after_try(&mut core, &written, written_before);
        if written.is_err() && !core.log.is_open() {
            return;
        }
        // Also if records found no room: what was acknowledged has some, and makes more.
        self.keep_quotas(&mut core);
        let (mut core, committed) = self.commit_due(core);
        if written.is_ok() || committed.is_err() {
            self.after_try(&mut core, &committed, written_before);
        }
        if committed.is_err() {
            return;
        }
        if written.is_err() {
            let _ = self.reclaim(&mut core);
            return;
        }
        if core.log.wants_index() {
            let sealed = core.log.seal();
            self.after_write(&mut core, &sealed);
            if sealed.is_err() {
                return;
            }
            self.mark_durable(&mut core);
        }
        // That a segment cannot be read or squeezed is no reason to keep records in RAM.
        let kept = self.reclaim(&mut core).and_then(|()| self.squeeze_some(&mut core));
        self.inner.health.set(HealthCause::IoError, kept.is_err());
    }

    /// Does what of a [`tick`](Self::tick) cannot wait for the next one: writes records if the pool runs
    /// short.
    fn relieve(&mut self, now_ms: u64) {
        self.ram.tick(now_ms);
        let mut core = self.core();
        core.advance(now_ms);
        if core.is_down || core.is_backing_off() {
            return;
        }
        let written_before = core.log.counts.bytes_written;
        let written = self.write_due(&mut core);
        self.after_try(&mut core, &written, written_before);
    }

    /// Notes how a try went, if it was one: where nothing was to be written, nothing is known of the disk
    /// but the space that it says it has.
    fn after_try(&self, core: &mut Core<D>, result: &Result<(), DiskError>, written_before: u64) {
        if result.is_err() || core.log.counts.bytes_written != written_before {
            self.after_write(core, result);
        } else if self.inner.health.get().has(HealthCause::DiskFull)
            && self.inner.disk.space().is_ok_and(|space| space.free_bytes > ROOM_BYTES)
        {
            self.inner.health.set(HealthCause::DiskFull, false);
        }
    }

    /// Writes records if the pool runs short or some wait for too long.
    fn write_due(&self, core: &mut Core<D>) -> Result<(), DiskError> {
        if self.is_under_pressure() {
            self.retire();
        }
        if self.is_under_pressure() {
            if core.log.is_open() || self.has_complete(self.sectors_a_page()) {
                self.spill(core, Spill::Complete)?;
            }
            self.retire();
        }
        if core.steady_ms >= core.age_due_ms {
            let half_ms = self.inner.config.spill_after_ms / 2;
            core.age_due_ms = core.steady_ms + half_ms.max(1);
            if self.has_aged() {
                self.spill(core, Spill::All)?;
            }
        }
        if core.untold == Untold::InRam {
            self.spill(core, Spill::All)?;
        }
        Ok(())
    }

    fn is_under_pressure(&self) -> bool {
        self.uses_percent(PRESSURE_PERCENT)
    }

    /// Whether the next regular look would come too late.
    pub(super) fn is_nearly_full(&self) -> bool {
        self.uses_percent(RING_PERCENT)
    }

    fn uses_percent(&self, percent: u64) -> bool {
        let pool = self.pool();
        u64::from(pool.sectors_used) * 100 >= u64::from(pool.sectors_limit) * percent
    }

    /// Whether so many sectors are complete. Below a page of them a pool that is merely in use would write.
    pub(super) fn has_complete(&self, wanted: u32) -> bool {
        let mut complete = 0;
        self.sensors().any(|sensor| {
            let owner = self.ram.owner(sensor);
            let found = self.ram.with_tenant(sensor, |chain, _, env| {
                chain.complete_sectors(env.slots(), owner, wanted)
            });
            complete += found.unwrap_or(0);
            complete >= wanted
        })
    }

    /// Sectors that fill a page if their records take in the log what they take in RAM.
    pub(super) fn sectors_a_page(&self) -> u32 {
        (PAGE_BYTES as u64).div_ceil(self.ram_sector_bytes()) as u32
    }

    /// Whether a record that was there half of `spill_after` ago is still in RAM only. Takes a new look
    /// at what is there for the next time.
    fn has_aged(&self) -> bool {
        let mut has_aged = false;
        for sensor in self.sensors() {
            let owner = self.ram.owner(sensor);
            self.ram.with_tenant(sensor, |chain, tier, env| {
                let oldest = tier.written.max(chain.first_held_seq(env.slots(), owner));
                has_aged |= oldest < tier.aged;
                tier.aged = chain.next_seq();
            });
        }
        has_aged
    }

    fn commit_due<'a>(
        &'a self,
        mut core: MutexGuard<'a, Core<D>>,
    ) -> (MutexGuard<'a, Core<D>>, Result<(), DiskError>) {
        let every_ms = match self.inner.config.durability {
            Durability::Interval { ms } => u64::from(ms),
            Durability::EverySpill => 0,
            Durability::Os => SAVE_MS,
        };
        if core.undurable_since_ms.is_none() && core.log.has_unsynced() {
            core.undurable_since_ms = Some(core.steady_ms);
        }
        if core.steady_ms < core.commit_due_ms {
            return (core, Ok(()));
        }
        core.commit_due_ms = core.steady_ms + every_ms;
        self.keep_reserve(&mut core);
        self.commit(core)
    }

    /// Removes files that a squeeze left behind: a complete one stands for each.
    fn remove_leftovers(&self, core: &mut Core<D>) {
        while let Some(name) = core.leftovers.pop() {
            let _ = self.inner.disk.unlink(name.as_str());
        }
    }

    /// Wakes the manager's thread.
    pub(super) fn ring(&self) {
        let mut rings = super::enter(&self.inner.bell.rings);
        *rings = true;
        self.inner.bell.changed.notify_one();
    }

    /// Starts a thread that ticks every 100 ms, and writes in between as fast as the pool fills.
    pub fn start_manager(&self) -> Manager {
        let mut gateway = self.clone();
        let stop = Arc::new(AtomicBool::new(false));
        let stopping = Arc::clone(&stop);
        self.inner.has_manager.store(true, Relaxed);
        let bell = self.clone();
        let thread = std::thread::spawn(move || {
            let mut pace = Pace::new();
            while !stopping.load(Relaxed) {
                let now =
                    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
                let now_ms = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
                pace.woke(gateway.pool().sectors_used);
                if pace.is_tick_due() {
                    gateway.tick(now_ms);
                } else {
                    gateway.relieve(now_ms);
                }
                let sleep = pace.sleep(&gateway.pool(), gateway.sectors_a_page());
                gateway.inner.is_rung.store(sleep < RING_WORTH, Relaxed);
                gateway.wait_for_bell(sleep);
            }
        });
        Manager { stop, thread: Some(thread), ring: Box::new(move || bell.ring()) }
    }

    fn wait_for_bell(&self, at_most: Duration) {
        let until = Instant::now() + at_most;
        let mut rings = super::enter(&self.inner.bell.rings);
        while !*rings {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            (rings, _) = self
                .inner
                .bell
                .changed
                .wait_timeout(rings, left)
                .unwrap_or_else(PoisonError::into_inner);
        }
        *rings = false;
    }

    fn ram_sector_bytes(&self) -> u64 {
        let sectors = u64::from(self.pool().sectors_total).max(1);
        (self.inner.config.pool_bytes / sectors).max(32)
    }
}

/// How long the manager's thread sleeps: as long as the pool's sectors last at the pace at which they
/// went since it looked before, and a half of that in case it quickens.
struct Pace {
    ticked: Option<Instant>,
    /// When it fell asleep, and the sectors in use then.
    slept: Instant,
    used: u32,
    sectors_per_s: f64,
}

impl Pace {
    fn new() -> Self {
        Self { ticked: None, slept: Instant::now(), used: 0, sectors_per_s: 0.0 }
    }

    fn woke(&mut self, used: u32) {
        let taken = f64::from(used.saturating_sub(self.used));
        let elapsed_s = self.slept.elapsed().as_secs_f64().max(1e-4);
        self.sectors_per_s = (taken / elapsed_s).max(self.sectors_per_s / 2.0);
    }

    /// Whether everything is due, not only room in the pool.
    fn is_tick_due(&mut self) -> bool {
        // A wake that comes a little early is the tick's.
        let is_due = self.ticked.is_none_or(|ticked| ticked.elapsed() + LOOK_MIN >= TICK);
        if is_due {
            self.ticked = Some(Instant::now());
        }
        is_due
    }

    /// Where every sensor holds an open sector nothing may be free and nothing complete: then it looks
    /// again when a page may have been completed.
    fn sleep(&mut self, pool: &PoolStats, sectors_a_page: u32) -> Duration {
        self.slept = Instant::now();
        self.used = pool.sectors_used;
        let free = pool.sectors_limit.saturating_sub(pool.sectors_used);
        let until_tick = self.ticked.map_or(TICK, |ticked| TICK.saturating_sub(ticked.elapsed()));
        let sectors = f64::from(free.max(sectors_a_page)) / 2.0;
        let lasts_s = (sectors / self.sectors_per_s.max(1.0)).min(1.0);
        Duration::from_secs_f64(lasts_s).min(until_tick).max(LOOK_MIN)
    }
}

impl<D: Disk> Core<D> {
    /// The store's own clock goes on: forward only, however the caller's jumps.
    fn advance(&mut self, now_ms: u64) {
        let step_ms = match self.last_tick_ms {
            Some(last_ms) if now_ms >= last_ms => now_ms - last_ms,
            // A clock that was put back says nothing of how long it was.
            Some(_) => TICK.as_millis() as u64,
            None => 0,
        };
        self.last_tick_ms = Some(now_ms);
        self.steady_ms += step_ms;
        self.log.now_ms = now_ms;
    }
}

/// The thread that drives a gateway. Dropping it stops the thread; the store stays open.
pub struct Manager {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    ring: Box<dyn Fn() + Send + Sync>,
}

impl core::fmt::Debug for Manager {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Manager").finish_non_exhaustive()
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        (self.ring)();
        if let Some(thread) = self.thread.take() {
            // A manager that panicked has said so.
            let _ = thread.join();
        }
    }
}
