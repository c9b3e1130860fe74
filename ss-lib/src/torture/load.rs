//! The sensors of a tortured store, its settings, and what its records must be.

use crate::{
    AppendError, ClockKind, Kind, Record, RegisterError, Sensor, SensorConfig, SensorKey,
    Timestamp,
    disk::Disk,
    gateway::{Durability, Gateway, GatewayConfig, WhenFull},
};

/// Sensors of the store.
pub const SENSORS: usize = 8;
/// The period of those that are time series, in ms.
const PERIOD_MS: u64 = 1_000;
/// When their readings begin, in ms since 1970.
const BEGIN_MS: u64 = 1_700_000_000_000;
/// One reading in so many is off its grid, by more than half a period.
const OFF_GRID_EVERY: u64 = 53;
const OFF_GRID_MS: u64 = 700;

/// What a seed asks of a process: its settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    seed: u64,
}

/// SplitMix64's output function (Steele, Lea, Flood 2014).
pub(super) const fn mix(seed: u64) -> u64 {
    let z = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

impl Load {
    /// The load of a seed.
    pub const fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// A number below `limit` that the seed and `what` choose.
    pub(super) const fn choose(self, what: u64, limit: u64) -> u64 {
        mix(self.seed ^ mix(what)) % limit
    }

    /// The store's settings. Segments are the smallest, so that they are sealed, squeezed and removed all
    /// the time; everything else is another one with each seed.
    pub fn config(self) -> GatewayConfig {
        let durability = match self.choose(1, 3) {
            0 => Durability::EverySpill,
            1 => Durability::Interval { ms: 5 },
            _ => Durability::Interval { ms: 50 },
        };
        GatewayConfig {
            pool_bytes: 8 << (10 + self.choose(2, 2)),
            sector_bytes: Some(32 << self.choose(3, 4)),
            segment_bytes: 64 << 10,
            disk_max_bytes: 1 << 30,
            reserve_bytes: 16 << 10,
            spill_after_ms: [5, 20, 60][self.choose(4, 3) as usize],
            full: WhenFull::Wait { ms: 10_000 },
            durability,
            ..GatewayConfig::new(SENSORS as u32)
        }
    }
}

/// The sensor at a place.
pub(super) fn sensor_config(place: usize) -> SensorConfig {
    // The same id in two sources.
    let key = SensorKey { source: (place % 3) as u8, id: u32::MAX - place as u32 / 2 };
    if is_event(place) {
        SensorConfig::event(key)
    } else {
        SensorConfig::time_series(key, PERIOD_MS as u32)
    }
}

const fn is_event(place: usize) -> bool {
    place.is_multiple_of(2)
}

/// Registers every sensor.
pub(super) fn register<D: Disk>(
    gateway: &mut Gateway<D>,
) -> Result<[Sensor; SENSORS], RegisterError> {
    let mut sensors = [Sensor(0); SENSORS];
    for (place, sensor) in sensors.iter_mut().enumerate() {
        *sensor = gateway.register(sensor_config(place))?;
    }
    Ok(sensors)
}

/// The record of a sensor that an opening gives a number.
pub(super) const fn record(place: usize, epoch: u32, seq: u64) -> Record {
    let random = mix(mix((place as u64) << 32 | epoch as u64) ^ seq);
    let off_grid = if random.is_multiple_of(OFF_GRID_EVERY) { OFF_GRID_MS } else { 0 };
    let (kind, clock, time_ms) = if is_event(place) {
        (Kind::Event, ClockKind::Caller, random % (4 * BEGIN_MS))
    } else {
        (Kind::TimeSeries, ClockKind::Utc, BEGIN_MS + seq * PERIOD_MS + off_grid)
    };
    Record { seq, time_ms, epoch, value: (random >> 32) as u32, clock, kind }
}

/// Adds a sensor's next record.
pub(super) fn add<D: Disk>(
    gateway: &mut Gateway<D>,
    sensor: Sensor,
    place: usize,
    seq: u64,
) -> Result<u64, AppendError> {
    let record = record(place, gateway.epoch(), seq);
    match record.kind {
        Kind::Event => gateway.append_event(sensor, record.value, record.time_ms),
        Kind::TimeSeries => gateway.append(sensor, record.value, Timestamp::utc(record.time_ms)),
    }
}
