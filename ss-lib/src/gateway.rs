//! The Linux store: the RAM engine in front, one log on disk behind it.
//!
//! Adds go to RAM alone. The manager (a thread, or a caller's [`tick`](Gateway::tick)) writes what the
//! pool has no room for into the log, makes it durable, and keeps the disk within its limits. Whoever
//! consumes gets a sensor's records from disk first, then from RAM, in order.
//!
//! Locks: the log's, then one sensor's, then the pool's or the ledger's. An add takes the log's only
//! when the pool is exhausted. A sync is waited for without any lock.

mod adding;
mod bell;
mod commit;
mod config;
mod drain;
mod health;
mod keep;
mod manager;
mod open;
mod shutdown;
mod space;
mod spill;
mod tier;
mod upload;

// An interpreter has no files.
#[cfg(test)]
#[cfg(not(miri))]
mod tests;

pub use crate::disk::{OpenError, Origin, Recovery};
pub use config::{Durability, GatewayConfig, WhenFull};
pub use drain::{DrainLimits, Drained};
pub use health::{Health, HealthCause};
pub use manager::Manager;
pub use open::footprint_bytes;
pub use shutdown::{Progress, ShutdownReport};

use crate::{
    Kind, Levels, Loss, ReadError, ReconfigureError, Record, RegisterError, Sensor, SensorConfig,
    SensorKey, SensorStats, UnknownSensor,
    disk::{ClockChunk, Disk, FileName, LifeCounts, Log, Position, RealDisk, Squeeze},
    ram::{Backing, Fault, LedgerStats, PoolStats, Shared, Store},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU64},
        enter,
    },
};
use bell::Bell;
use health::HealthState;
use std::sync::atomic::Ordering::Relaxed;
use tier::Tier;

/// A store with a disk. Clones are handles to the same store.
///
/// Dropping the last handle without [`shut_down`](Self::shut_down) is what a kill is: what is in RAM
/// only is gone, nothing else is.
pub struct Gateway<D: Disk = RealDisk> {
    ram: Store<Shared<Tier>>,
    inner: Arc<Inner<D>>,
}

impl<D: Disk> Clone for Gateway<D> {
    fn clone(&self) -> Self {
        Self { ram: self.ram.clone(), inner: Arc::clone(&self.inner) }
    }
}

struct Inner<D: Disk> {
    config: GatewayConfig,
    disk: Arc<D>,
    core: Mutex<Core<D>>,
    health: HealthState,
    epoch: u32,
    recovery: Recovery,
    /// Wakes the manager before its time.
    bell: Bell,
    /// An add has woken the manager since it looked last.
    is_rung: AtomicBool,
    /// Somebody ticks while an add waits.
    has_manager: AtomicBool,
    durable_lag_ms: AtomicU64,
}

/// Whether numbers stand in segments whose sync failed that nothing durable behind them tells of. Such a
/// segment is not squeezed: sealed, it would not be read for what it says of them, and they would be given
/// again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Untold {
    Nothing,
    /// What RAM holds of them is due to be written again.
    InRam,
    /// They are written, or their cursors are due: the next sync that goes well tells of them.
    Unsynced,
}

/// What is behind the log's lock.
#[expect(clippy::struct_excessive_bools, reason = "each is a state of its own")]
struct Core<D: Disk> {
    log: Log<D>,
    squeeze: Squeeze<D>,
    /// For each sensor where its records on disk begin.
    places: Box<[Places]>,
    /// Copies into the page that is being filled, so that they can be taken back: a sensor, and how far
    /// ahead it was copied before.
    partial: Vec<(Sensor, u32)>,
    partial_page: u32,
    clocks: Vec<ClockChunk>,
    /// Clocks were told since they were last saved.
    is_clock_dirty: bool,
    leftovers: Vec<FileName>,
    /// The store's own clock, which only goes forward, and the caller's at the last tick, in ms.
    steady_ms: u64,
    last_tick_ms: Option<u64>,
    /// When the next commit is due, and the next look at records' ages.
    commit_due_ms: u64,
    age_due_ms: u64,
    /// After a failure nothing is written until then.
    retry_ms: u64,
    backoff_ms: u64,
    /// Damaged pages that had been met when the squeeze began.
    squeeze_damaged: u64,
    /// Bytes that had been written when the last write failed.
    failed_at_bytes: u64,
    reserve_bytes: u64,
    /// While the reserve is in use, when cursors are told to the log next.
    reserve_due_ms: u64,
    /// Segments whose sync failed and that still stand.
    suspects: u32,
    /// Part of what a failed sync left could not be read: which records that were is not known before they are
    /// due, and until then those up to them are not called durable.
    has_lost_doubt: bool,
    untold: Untold,
    /// Where the drain in log order goes on.
    drain_at: drain::Cursor,
    /// Since when something written waits to become durable.
    undurable_since_ms: Option<u64>,
    /// Room is being made: what that writes needs no more of it.
    is_shrinking: bool,
    /// A shutdown writes what it can, wherever.
    is_ending: bool,
    is_down: bool,
}

/// Where a sensor's records lie in the log.
#[derive(Clone, Copy, Default)]
struct Places {
    /// The oldest ones, or before.
    head: Position,
    /// The end of the batch that was handed out last, and the number it ends at.
    batch_end: Position,
    batch_end_seq: u64,
}

/// The disk tier's figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct DiskStats {
    /// Bytes of all segments now.
    pub bytes: u64,
    /// The most that they were in this opening.
    pub bytes_peak: u64,
    /// Bytes written in this opening.
    pub bytes_written: u64,
    /// Disk sectors written.
    pub sectors: u64,
    /// Segments now.
    pub segments: u32,
    /// Segments squeezed.
    pub segments_squeezed: u64,
    /// Syncs of files and of the directory.
    pub fsyncs: u64,
    /// Pages read.
    pub pages_read: u64,
    /// Pages that could not be read.
    pub damaged_pages: u64,
    /// Records that are on disk only.
    pub records: u64,
    /// Bytes that are reserved for acknowledgements.
    pub reserve_bytes: u64,
    /// The longest that something written waited to become durable, in ms of the store's clock.
    pub durable_lag_ms: u64,
}

/// What a walk over the whole store found wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GatewayFault {
    /// The RAM tier contradicts itself.
    Ram(Fault),
    /// A sensor's cursors contradict each other.
    Cursors(Sensor),
}

impl core::fmt::Display for GatewayFault {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Ram(fault) => fault.fmt(f),
            Self::Cursors(sensor) => {
                write!(f, "the cursors of sensor #{} contradict each other", sensor.index())
            }
        }
    }
}

impl std::error::Error for GatewayFault {}

impl<D: Disk> Gateway<D> {
    fn core(&self) -> MutexGuard<'_, Core<D>> {
        enter(&self.inner.core)
    }

    /// Registers a sensor, or takes over one that the store knows from before: it keeps its handle, its
    /// records and its numbers, and gets this kind and period.
    pub fn register(&mut self, config: SensorConfig) -> Result<Sensor, RegisterError> {
        if config.kind == Kind::TimeSeries && config.period_ms == 0 {
            return Err(RegisterError::ZeroPeriod);
        }
        if let Some(sensor) = self.ram.find(config.key) {
            let taken = self.ram.with_tenant(sensor, |chain, tier, _| {
                if tier.is_configured() {
                    return Err(RegisterError::Duplicate);
                }
                tier.set_configured();
                chain.reconfigure(config.kind, config.period_ms);
                chain.set_active(true);
                Ok(sensor)
            });
            return taken.unwrap_or(Err(RegisterError::TooManySensors));
        }
        let start = config.first_seq;
        let mut tier = Tier::restored(start, start, 0, (start, start), &LifeCounts::default());
        tier.set_configured();
        self.ram.register_beside(config, tier)
    }

    /// The sensor of this name, also if it left the configuration and still holds records.
    pub fn find(&self, key: SensorKey) -> Option<Sensor> {
        self.ram.find(key)
    }

    /// All sensors, those that left the configuration included.
    pub fn sensors(&self) -> impl ExactSizeIterator<Item = Sensor> + use<D> {
        self.ram.sensors()
    }

    /// The sensor's configuration. Its `first_seq` is the number that the next record gets.
    pub fn sensor_config(&self, sensor: Sensor) -> Result<SensorConfig, UnknownSensor> {
        self.ram.sensor_config(sensor)
    }

    /// Changes a sensor's kind or period; see [`Store::reconfigure`].
    pub fn reconfigure(
        &mut self,
        sensor: Sensor,
        kind: Kind,
        period_ms: u32,
    ) -> Result<(), ReconfigureError> {
        self.ram.reconfigure(sensor, kind, period_ms)
    }

    /// Lets the sensor add again.
    pub fn activate(&mut self, sensor: Sensor) -> Result<(), UnknownSensor> {
        self.ram.activate(sensor)
    }

    /// Refuses the sensor's adds from now on.
    pub fn deactivate(&mut self, sensor: Sensor) -> Result<(), UnknownSensor> {
        self.ram.deactivate(sensor)
    }

    /// Whether the sensor may add.
    pub fn is_active(&self, sensor: Sensor) -> Result<bool, UnknownSensor> {
        self.ram.is_active(sensor)
    }

    /// The sensor's counts over its whole life, as far as the disk kept them.
    pub fn stats(&self, sensor: Sensor) -> Result<SensorStats, UnknownSensor> {
        self.ram.with_tenant(sensor, |chain, tier, _| tier.stats(chain)).ok_or(UnknownSensor)
    }

    /// The sum of all sensors' counts.
    pub fn totals(&self) -> SensorStats {
        let mut totals = SensorStats::default();
        for sensor in self.sensors() {
            totals += self.stats(sensor).unwrap_or_default();
        }
        totals
    }

    /// How many of the sensor's records wait to be consumed.
    pub fn unsent(&self, sensor: Sensor) -> Result<u64, UnknownSensor> {
        Ok(self.stats(sensor)?.unsent)
    }

    /// How many of the sensor's records are handed out and not yet answered.
    pub fn pending(&self, sensor: Sensor) -> Result<u64, UnknownSensor> {
        Ok(self.stats(sensor)?.pending)
    }

    /// How many of the sensor's records the store holds.
    pub fn retained(&self, sensor: Sensor) -> Result<u64, UnknownSensor> {
        Ok(self.stats(sensor)?.retained())
    }

    /// Whether `consume` would look for a batch: something is unsent and nothing pending.
    #[inline]
    pub fn is_ready(&self, sensor: Sensor) -> Result<bool, UnknownSensor> {
        self.ram
            .with_tenant(sensor, |chain, tier, _| {
                tier.pending(chain) == 0 && (tier.disk_unsent() > 0 || chain.unsent() > 0)
            })
            .ok_or(UnknownSensor)
    }

    /// How far the sensor's records have come.
    pub fn levels(&self, sensor: Sensor) -> Result<Levels, UnknownSensor> {
        let owner = self.ram.owner(sensor);
        self.ram
            .with_tenant(sensor, |chain, tier, env| {
                use crate::ram::Env;
                let head = tier.head_now(chain, env.slots(), owner);
                Levels {
                    added_seq: chain.next_seq(),
                    // An answer that the log was not told of is as good as none after a kill.
                    written_seq: tier.written.max(tier.saved_head),
                    durable_seq: tier.durable.max(tier.durable_head),
                    acked_seq: head,
                    acked_durable_seq: tier.durable_head,
                }
            })
            .ok_or(UnknownSensor)
    }

    /// How the pool's sectors are used.
    pub fn pool(&self) -> PoolStats {
        self.ram.pool()
    }

    /// Limits the sectors that may be in use at once; see [`Store::limit_sectors`].
    pub fn limit_sectors(&mut self, sectors: u32) {
        self.ram.limit_sectors(sectors);
    }

    /// Copies the newest losses into `out`, oldest of them first. Returns their number.
    pub fn losses(&self, out: &mut [Loss]) -> usize {
        self.ram.losses(out)
    }

    /// The ledger's entry that was last made or extended.
    pub fn last_loss(&self) -> Option<Loss> {
        self.ram.last_loss()
    }

    /// Records ever entered into the ledger, those of openings before included.
    pub fn losses_recorded(&self) -> u64 {
        self.ram.losses_recorded()
    }

    /// What the ledger has seen.
    pub fn ledger(&self) -> LedgerStats {
        self.ram.ledger()
    }

    /// This opening's number.
    pub fn epoch(&self) -> u32 {
        self.inner.epoch
    }

    /// What opening found.
    pub fn recovery(&self) -> Recovery {
        self.inner.recovery
    }

    /// The store's health now.
    pub fn health(&self) -> Health {
        self.inner.health.get()
    }

    /// The disk tier's figures now.
    pub fn disk(&self) -> DiskStats {
        let (counts, bytes, segments, pages_read, reserve_bytes) = {
            let core = self.core();
            let log = &core.log;
            let segments = log.segments.len() as u32;
            (log.counts, log.bytes(), segments, log.cache.pages_read, core.reserve_bytes)
        };
        let on_disk = |sensor| self.ram.with_tenant(sensor, |_, tier, _| u64::from(tier.disk_held));
        DiskStats {
            bytes,
            bytes_peak: counts.bytes_peak,
            bytes_written: counts.bytes_written,
            sectors: counts.sectors,
            segments,
            segments_squeezed: counts.segments_squeezed,
            fsyncs: counts.fsyncs,
            pages_read,
            damaged_pages: counts.damaged_pages,
            records: self.sensors().filter_map(on_disk).sum(),
            reserve_bytes,
            durable_lag_ms: self.inner.durable_lag_ms.load(Relaxed),
        }
    }

    /// Records that a monotonic time of this opening plus `offset_ms` is UTC, for whoever reads its
    /// records later. Saved with the next commit.
    pub fn clock_synced(&mut self, offset_ms: i64) {
        let epoch = self.inner.epoch;
        let mut core = self.core();
        core.clocks.retain(|clock| clock.epoch != epoch);
        if core.clocks.len() == crate::disk::CLOCKS_MAX {
            core.clocks.remove(0);
        }
        core.clocks.push(ClockChunk { epoch, offset_ms });
        core.is_clock_dirty = true;
    }

    /// The offset from an opening's monotonic clock to UTC, in ms, if it was ever told.
    pub fn clock_offset_ms(&self, epoch: u32) -> Option<i64> {
        let core = self.core();
        core.clocks.iter().find(|clock| clock.epoch == epoch).map(|clock| clock.offset_ms)
    }

    /// Reads one record that is held in RAM by its number; see [`Store::read_at`].
    pub fn read_at(&self, sensor: Sensor, seq: u64) -> Result<Record, ReadError> {
        match self.ram.read_at(sensor, seq) {
            Err(ReadError::NotRetained) => self.read_on_disk(sensor, seq),
            read => read,
        }
    }

    /// Holds every chain, every cursor and the pool against what is there. Stops all other use while
    /// it runs.
    pub fn check(&mut self) -> Result<(), GatewayFault> {
        self.ram.check().map_err(GatewayFault::Ram)?;
        for sensor in self.sensors() {
            let owner = self.ram.owner(sensor);
            let is_sound = self.ram.with_tenant(sensor, |chain, tier, env| {
                use crate::ram::Env;
                let (first, end) = tier.hole();
                let in_ram = chain.first_held_seq(env.slots(), owner);
                let span = tier.disk_end.saturating_sub(tier.head);
                tier.head <= tier.disk_end
                    && u64::from(tier.disk_held) <= span
                    && u32::from(tier.disk_pending) <= tier.disk_held
                    && (first == end || (tier.head <= first && end <= tier.disk_end))
                    && (tier.disk_held == 0 || tier.disk_end <= in_ram)
                    && tier.durable <= tier.written
                    && tier.stats(chain).is_conserved()
            });
            if is_sound != Some(true) {
                return Err(GatewayFault::Cursors(sensor));
            }
        }
        Ok(())
    }
}

impl<D: Disk> core::fmt::Debug for Gateway<D> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Gateway")
            .field("epoch", &self.inner.epoch)
            .field("pool", &self.pool())
            .finish_non_exhaustive()
    }
}

/// Both the engine and its backing are sealed; the gateway needs them by name.
const _: fn() = || {
    const fn is_backing<B: Backing>() {}
    is_backing::<Shared<Tier>>();
};
