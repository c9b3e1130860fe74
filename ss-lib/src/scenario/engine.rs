//! What the driver asks of a store: its public face, nothing more.

use crate::{
    AppendError, BatchToken, ConsumeError, Loss, Record, RegisterError, Sensor, SensorConfig,
    SensorStats, StaleBatch, Timestamp,
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

/// A store as a scenario uses it. See [`Store`] for what each method does.
pub trait Engine {
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
    fn check(&mut self) -> Result<(), Fault>;
}

impl<B: Backing> Engine for Store<B> {
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
