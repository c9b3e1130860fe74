//! Opening: the log is recovered, and its sensors take their places.

use super::{
    Core, Gateway, GatewayConfig, HealthCause, Inner, OpenError, Places, Untold, bell::Bell, drain,
    health::HealthState, tier::Tier,
};
use crate::{
    Kind, Loss, SensorConfig,
    disk::{
        CLOCKS_MAX, Disk, DiskError, Log, LogSizes, Operation, Position, RealDisk, Recovery,
        SensorChunk, Squeeze, State, unpack_key,
    },
    ram::{Store, footprint_bytes_beside},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64},
    },
};
use std::{path::Path, time::Instant};

/// Copies into one page that can be taken back.
const PARTIAL_MAX: usize = 512;

impl Gateway<RealDisk> {
    /// Opens the store in a directory, as its one owner; creates it if there is none.
    pub fn open_dir(path: &Path, config: &GatewayConfig) -> Result<Self, OpenError> {
        config.check()?;
        Self::open(RealDisk::open_owned(path)?, config)
    }
}

impl<D: Disk> Gateway<D> {
    /// Opens the store on a disk; creates it if there is none. All memory is taken here.
    pub fn open(disk: D, config: &GatewayConfig) -> Result<Self, OpenError> {
        let started = Instant::now();
        config.check()?;
        let disk = Arc::new(disk);
        let now_ms = disk.now_ms();
        let sizes = config.sizes(config.segment_pages());
        // Before anything is changed: a pool that cannot be cut opens nothing.
        config.ram(1)?;
        let (log, mut state) = Log::recover(Arc::clone(&disk), sizes, &config.origin, now_ms)?;
        let epoch = log.superblock.epoch;
        let mut ram = Store::open_beside(config.ram(epoch)?);
        let sensors_max = config.sensors_max as usize;
        let mut places = vec![Places::default(); sensors_max].into_boxed_slice();
        restore_sensors(&mut ram, &mut places, &mut state, config.sensors_max)?;
        restore_losses(&ram, &state);
        let oldest = log.segments.iter().next().map_or(0, |segment| segment.id);
        for place in &mut places {
            place.head.segment = place.head.segment.max(oldest);
        }
        let mut clocks = Vec::with_capacity(CLOCKS_MAX);
        clocks.extend(state.clocks.iter().rev().take(CLOCKS_MAX).rev());
        let health = HealthState::default();
        let space = disk
            .space()
            .map_err(|error| DiskError::new(Operation::List, "the file system", error))?;
        health.set(HealthCause::Volatile, space.is_volatile);
        health.set(HealthCause::Damaged, state.recovery.corrupt_pages > 0);
        let recovery = Recovery {
            wall_us: u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX),
            ..state.recovery
        };
        let reserve_bytes = super::space::reserve_found(&*disk);
        let core = Core {
            squeeze: Squeeze::new(),
            places,
            partial: Vec::with_capacity(PARTIAL_MAX),
            partial_page: 0,
            clocks,
            is_clock_dirty: false,
            leftovers: core::mem::take(&mut state.leftovers),
            steady_ms: 0,
            last_tick_ms: None,
            commit_due_ms: 0,
            age_due_ms: 0,
            retry_ms: 0,
            backoff_ms: 0,
            squeeze_damaged: 0,
            failed_at_bytes: u64::MAX,
            reserve_bytes,
            reserve_due_ms: 0,
            suspects: 0,
            has_lost_doubt: false,
            untold: if state.is_untold { Untold::Unsynced } else { Untold::Nothing },
            drain_at: drain::Cursor::default(),
            undurable_since_ms: None,
            is_shrinking: false,
            is_ending: false,
            is_down: false,
            log,
        };
        let inner = Inner {
            config: *config,
            disk,
            core: Mutex::new(core),
            health,
            epoch,
            recovery,
            bell: Bell::default(),
            is_rung: AtomicBool::new(false),
            has_manager: AtomicBool::new(false),
            durable_lag_ms: AtomicU64::new(0),
        };
        Ok(Self { ram, inner: Arc::new(inner) })
    }
}

/// The bytes that a gateway takes from the heap when it is opened, and never more: the RAM engine's with
/// 192 B a sensor for its place, and the disk tier's buffers and books.
pub fn footprint_bytes(config: &GatewayConfig) -> Result<u64, OpenError> {
    config.check()?;
    let sizes: LogSizes = config.sizes(config.segment_pages());
    let sensors = u64::from(config.sensors_max);
    let constant =
        (size_of::<Inner<RealDisk>>() + size_of::<RealDisk>() + 4 * size_of::<usize>()) as u64;
    Ok(constant
        + footprint_bytes_beside::<Tier>(&config.ram(1)?)
        + sizes.footprint_bytes::<RealDisk>()
        + Squeeze::<RealDisk>::footprint_bytes()
        + sensors * size_of::<Places>() as u64
        + (PARTIAL_MAX * size_of::<(crate::Sensor, u32)>()) as u64
        + (CLOCKS_MAX * size_of::<crate::disk::ClockChunk>()) as u64)
}

/// Gives every sensor that the log knows its place. One that holds nothing and has no place left is
/// forgotten: its numbers would begin anew, in this epoch.
fn restore_sensors(
    ram: &mut Store<crate::ram::Shared<Tier>>,
    places: &mut [Places],
    state: &mut State,
    sensors_max: u32,
) -> Result<(), OpenError> {
    let holding = state.sensors.iter().filter(|sensor| sensor.chunk.held > 0).count() as u32;
    if holding > sensors_max {
        return Err(OpenError::TooManySensors { holding, sensors_max });
    }
    let mut spare = sensors_max - holding;
    for recovered in &state.sensors {
        let chunk = &recovered.chunk;
        if chunk.held == 0 {
            if spare == 0 {
                continue;
            }
            spare -= 1;
        }
        let Some(key) = unpack_key(chunk.key) else { continue };
        let config = SensorConfig {
            key,
            kind: chunk.kind,
            period_ms: if chunk.kind == Kind::Event { 0 } else { chunk.period_ms.max(1) },
            first_seq: chunk.end_seq,
        };
        let Ok(sensor) = ram.register(config) else { continue };
        let SensorChunk { head_seq, end_seq, held, hole, counts, .. } = *chunk;
        ram.with_tenant(sensor, |chain, tier, _| {
            *tier = Tier::restored(head_seq, end_seq, held, hole, &counts);
            tier.set_known();
            tier.set_dirty(state.is_untold);
            chain.set_active(false);
        });
        let place = Places { head: recovered.position, ..Places::default() };
        places[sensor.index()] = Places { batch_end: Position::default(), ..place };
    }
    Ok(())
}

/// The ledger as the log kept it.
fn restore_losses(ram: &Store<crate::ram::Shared<Tier>>, state: &State) {
    for loss in state.losses.iter().filter(|loss| loss.count > 0) {
        let Some(sensor) = unpack_key(loss.key).and_then(|key| ram.find(key)) else { continue };
        ram.with_ledger(|mut ledger| {
            ledger.record(Loss {
                first_seq: loss.first_seq,
                at_ms: loss.at_ms,
                count: loss.count,
                sensor,
                cause: loss.cause,
            });
        });
    }
    // The sensors' counts go further back than the entries.
    let lost = |sensor| {
        ram.with_tenant(sensor, |chain, tier, _| {
            let counts = tier.stats(chain);
            counts.dropped() + counts.rejected
        })
    };
    let lost: u64 = ram.sensors().filter_map(lost).sum();
    let unnamed = lost.saturating_sub(ram.ledger().records);
    ram.with_ledger(|mut ledger| {
        ledger.count_forgotten(unnamed);
        ledger.mark_all_saved();
    });
}
