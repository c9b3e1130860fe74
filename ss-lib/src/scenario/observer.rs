//! Who sees what happens in a run: the oracle, a meter, nobody.

use super::{Answer, Engine, Restart, Restarted};
use crate::{
    AppendError, BatchToken, Kind, Loss, Record, Sensor, SensorConfig, StaleBatch, Timestamp,
    ram::PoolStats,
};

/// An operation whose cost can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// `append` or `append_event`.
    Add,
    /// `consume`.
    Consume,
    /// `ack`, `nack` or `reject`.
    Answer,
}

/// Sees what happens in a run. Times are virtual, in ms.
#[expect(unused_variables, reason = "an observer looks at what it wants to")]
pub trait Observer<E: Engine> {
    /// An operation begins.
    fn begin(&mut self, op: Op) {}
    /// It ended.
    fn end(&mut self, op: Op) {}
    /// A sensor was registered when the run began.
    fn registered(&mut self, sensor: Sensor, config: SensorConfig) {}
    /// A reading was given to the store, which took it under this number.
    fn added(&mut self, now_ms: u64, given: Given, seq: u64) {}
    /// A reading was given to the store, which refused it, its pool being so used.
    fn refused(&mut self, now_ms: u64, given: Given, error: AppendError, pool: PoolStats) {}
    /// The uploader asked whether the sensor has a batch for it.
    fn asked(&mut self, now_ms: u64, sensor: Sensor, is_ready: bool) {}
    /// What `peek_batch` showed just before a batch was consumed.
    fn peeked(&mut self, now_ms: u64, sensor: Sensor, records: &[Record]) {}
    /// A batch was handed out.
    fn delivered(&mut self, now_ms: u64, token: BatchToken, records: &[Record]) {}
    /// A ready sensor handed out nothing.
    fn nothing_delivered(&mut self, now_ms: u64, sensor: Sensor) {}
    /// A batch was answered.
    fn answered(
        &mut self,
        now_ms: u64,
        token: BatchToken,
        answer: Answer,
        result: Result<(), StaleBatch>,
    ) {
    }
    /// The ledger changed: its newest entries, oldest of them first, and the one that changed last.
    fn lost(&mut self, now_ms: u64, losses: &[Loss], engine: &E) {}
    /// The store was told the time.
    fn ticked(&mut self, now_ms: u64, engine: &E) {}
    /// The store is about to be stopped: the last look at it as it is.
    fn stopping(&mut self, now_ms: u64, restart: &Restart, engine: &E) {}
    /// After a stop: where the reopened store has the sensor that was registered as number `index`;
    /// `None`: it does not know it any more.
    fn found_again(&mut self, index: u32, sensor: Option<Sensor>) {}
    /// The store is open again and every sensor was told of.
    fn restarted(&mut self, now_ms: u64, restart: &Restart, restarted: Restarted, engine: &E) {}
    /// A moment to look at the whole store: each virtual minute and at the end.
    fn checkpoint(&mut self, now_ms: u64, engine: &mut E) {}
    /// Whether the run should end now.
    fn wants_end(&mut self, now_ms: u64) -> bool {
        false
    }
}

/// A reading as it was given to the store.
#[derive(Clone, Copy, Debug)]
pub struct Given {
    /// Whose reading.
    pub sensor: Sensor,
    /// What it is.
    pub kind: Kind,
    /// The value.
    pub value: u32,
    /// The device's time, on the clock that the record must name.
    pub at: Timestamp,
}

/// Nobody looks: what a microcontroller runs with when it measures nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unobserved;

impl<E: Engine> Observer<E> for Unobserved {}
