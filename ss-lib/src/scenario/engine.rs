//! What the driver asks of a store: its public face, nothing more.

use super::Restart;
use crate::{
    AppendError, BatchToken, ConsumeError, Levels, Loss, Record, RegisterError, Sensor,
    SensorConfig, SensorKey, SensorStats, StaleBatch, Timestamp,
    ram::{Backing, Fault, LedgerStats, PoolStats, Store},
};

/// How a batch was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The cloud has it.
    Ack,
    /// Not now.
    Nack,
    /// Never.
    Reject,
}

/// What a store has on its disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct DiskUse {
    /// Bytes of its files.
    pub bytes: u64,
    /// The most that they were since the store was created.
    pub bytes_peak: u64,
    /// Bytes ever written since it was opened.
    pub bytes_written: u64,
    /// Disk sectors.
    pub sectors: u64,
    /// Segment files.
    pub segments: u64,
    /// Segment files ever created, those that a squeeze made included.
    pub segments_created: u64,
    /// Syncs since it was opened.
    pub fsyncs: u64,
    /// Records that are on disk only.
    pub records: u64,
    /// The part of `bytes` that is kept for acks on a full disk.
    pub reserve_bytes: u64,
}

/// A store that was opened again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restarted {
    /// The number of this opening.
    pub epoch: u32,
    /// Records that the shutdown left unwritten, its deadline having passed.
    pub left: u64,
}

/// Why a store is not open again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestartError {
    /// It keeps nothing over a restart.
    Unsupported,
    /// It does not open. The engine knows why.
    Open,
    /// It does not take one of its sensors back.
    Register(RegisterError),
}

impl core::fmt::Display for RestartError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Unsupported => f.write_str("this store keeps nothing over a restart"),
            Self::Open => f.write_str("the store does not open again"),
            Self::Register(error) => write!(f, "a sensor was not taken back: {error}"),
        }
    }
}

impl core::error::Error for RestartError {}

/// A store as a scenario uses it. See [`Store`] for what each method does. What only a store with a
/// disk has is left out by the others.
pub trait Engine {
    /// What [`check`](Self::check) can find wrong.
    type Fault: core::fmt::Display;

    /// Registers a sensor.
    fn register(&mut self, config: SensorConfig) -> Result<Sensor, RegisterError>;
    /// Adds a time-series reading.
    fn append(&mut self, sensor: Sensor, value: u32, at: Timestamp) -> Result<u64, AppendError>;
    /// Adds an event.
    fn append_event(&mut self, sensor: Sensor, value: u32, ts_ms: u64) -> Result<u64, AppendError>;
    /// Copies what `consume` would hand out; 0 for an unknown sensor.
    fn peek_batch(&self, sensor: Sensor, out: &mut [Record]) -> usize;
    /// Hands out a batch.
    fn consume(
        &mut self,
        sensor: Sensor,
        out: &mut [Record],
    ) -> Result<Option<BatchToken>, ConsumeError>;
    /// Answers a batch.
    fn answer(&mut self, token: BatchToken, answer: Answer) -> Result<(), StaleBatch>;
    /// The sensor's counts; zeros for an unknown sensor.
    fn stats(&self, sensor: Sensor) -> SensorStats;
    /// Whether a batch could be consumed now: something is unsent and nothing pending.
    fn is_ready(&self, sensor: Sensor) -> bool;
    /// The newest entries of the loss ledger.
    fn losses(&self, out: &mut [Loss]) -> usize;
    /// The ledger's entry that was last made or extended.
    fn last_loss(&self) -> Option<Loss>;
    /// Records ever entered into the loss ledger. Cheap: asked after every operation.
    fn losses_recorded(&self) -> u64;
    /// What the loss ledger has seen.
    fn ledger(&self) -> LedgerStats;
    /// Tells the time.
    fn tick(&mut self, now_ms: u64);
    /// Limits the pool.
    fn limit_sectors(&mut self, sectors: u32);
    /// How the pool is used.
    fn pool(&self) -> PoolStats;
    /// Walks everything.
    fn check(&mut self) -> Result<(), Self::Fault>;

    /// The sensor of this name, if the store knows it. Asked for sensors that left the configuration.
    fn find(&self, _: SensorKey) -> Option<Sensor> {
        None
    }
    /// How far the sensor's records have come; `None` without a disk.
    fn levels(&self, _: Sensor) -> Option<Levels> {
        None
    }
    /// What is on disk; `None` without one.
    fn disk(&self) -> Option<DiskUse> {
        None
    }
    /// Limits the bytes that the disk still takes; `u64::MAX` lifts the limit.
    fn limit_disk(&mut self, _: u64) {}
    /// Stops the store and opens it again in its next epoch. Every handle and token of before is void.
    fn restart(&mut self, _: &Restart) -> Result<Restarted, RestartError> {
        Err(RestartError::Unsupported)
    }
}

impl<B: Backing> Engine for Store<B> {
    type Fault = Fault;

    fn register(&mut self, config: SensorConfig) -> Result<Sensor, RegisterError> {
        Store::register(self, config)
    }

    #[inline]
    fn append(&mut self, sensor: Sensor, value: u32, at: Timestamp) -> Result<u64, AppendError> {
        Store::append(self, sensor, value, at)
    }

    #[inline]
    fn append_event(&mut self, sensor: Sensor, value: u32, ts_ms: u64) -> Result<u64, AppendError> {
        Store::append_event(self, sensor, value, ts_ms)
    }

    fn peek_batch(&self, sensor: Sensor, out: &mut [Record]) -> usize {
        Store::peek_batch(self, sensor, out).unwrap_or(0)
    }

    fn consume(
        &mut self,
        sensor: Sensor,
        out: &mut [Record],
    ) -> Result<Option<BatchToken>, ConsumeError> {
        Store::consume(self, sensor, out)
    }

    fn answer(&mut self, token: BatchToken, answer: Answer) -> Result<(), StaleBatch> {
        match answer {
            Answer::Ack => self.ack(token),
            Answer::Nack => self.nack(token),
            Answer::Reject => self.reject(token),
        }
    }

    fn stats(&self, sensor: Sensor) -> SensorStats {
        Store::stats(self, sensor).unwrap_or_default()
    }

    fn is_ready(&self, sensor: Sensor) -> bool {
        Store::is_ready(self, sensor).unwrap_or(false)
    }

    fn losses(&self, out: &mut [Loss]) -> usize {
        Store::losses(self, out)
    }

    fn last_loss(&self) -> Option<Loss> {
        Store::last_loss(self)
    }

    fn losses_recorded(&self) -> u64 {
        Store::losses_recorded(self)
    }

    fn ledger(&self) -> LedgerStats {
        Store::ledger(self)
    }

    fn tick(&mut self, now_ms: u64) {
        Store::tick(self, now_ms);
    }

    fn limit_sectors(&mut self, sectors: u32) {
        Store::limit_sectors(self, sectors);
    }

    fn pool(&self) -> PoolStats {
        Store::pool(self)
    }

    fn check(&mut self) -> Result<(), Fault> {
        Store::check(self)
    }
}
