//! What the process that is killed and the test that kills it both know.

use ss_lib::{
    Levels, Sensor, SensorConfig, SensorKey,
    disk::Disk,
    gateway::{Durability, Gateway, GatewayConfig, WhenFull},
};

/// Sensors of the store.
pub const SENSORS: usize = 4;

/// The store's configuration.
pub fn config() -> GatewayConfig {
    GatewayConfig {
        pool_bytes: 8 << 10,
        sector_bytes: Some(64),
        segment_bytes: 64 << 10,
        reserve_bytes: 16 << 10,
        spill_after_ms: 20,
        full: WhenFull::Wait { ms: 10_000 },
        durability: Durability::Interval { ms: 5 },
        ..GatewayConfig::new(SENSORS as u32)
    }
}

/// Registers the sensors.
///
/// # Panics
/// If one is refused.
pub fn register<D: Disk>(gateway: &mut Gateway<D>) -> Vec<Sensor> {
    (0..SENSORS as u32)
        .map(|id| {
            let key = SensorKey { source: 1, id };
            let config = if id.is_multiple_of(2) {
                SensorConfig::event(key)
            } else {
                SensorConfig::time_series(key, 1_000)
            };
            match gateway.register(config) {
                Ok(sensor) => sensor,
                Err(error) => panic!("{error}"),
            }
        })
        .collect()
}

/// The value of a sensor's record.
pub fn value(sensor: usize, seq: u64) -> u32 {
    (sensor as u32) << 28 | seq as u32 & 0x0FFF_FFFF
}

/// What the process was told of a sensor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// Which one.
    pub sensor: usize,
    /// See [`Levels`].
    pub added_seq: u64,
    /// See [`Levels`].
    pub written_seq: u64,
    /// See [`Levels`].
    pub acked_seq: u64,
    /// See [`Levels`].
    pub acked_durable_seq: u64,
}

impl Receipt {
    /// The receipt of a sensor's levels.
    pub const fn new(sensor: usize, levels: Levels) -> Self {
        let Levels { added_seq, written_seq, acked_seq, acked_durable_seq, .. } = levels;
        Self { sensor, added_seq, written_seq, acked_seq, acked_durable_seq }
    }

    /// As a line.
    pub fn line(&self) -> String {
        let Self { sensor, added_seq, written_seq, acked_seq, acked_durable_seq } = self;
        format!("{sensor} {added_seq} {written_seq} {acked_seq} {acked_durable_seq}\n")
    }

    /// From a line; `None` of anything else.
    pub fn parse(line: &str) -> Option<Self> {
        let mut numbers = line.split(' ').map(str::parse::<u64>);
        let mut next = || numbers.next()?.ok();
        Some(Self {
            sensor: usize::try_from(next()?).ok().filter(|sensor| *sensor < SENSORS)?,
            added_seq: next()?,
            written_seq: next()?,
            acked_seq: next()?,
            acked_durable_seq: next()?,
        })
    }
}
