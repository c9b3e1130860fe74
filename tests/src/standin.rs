//! A stand-in for a store with a disk: the RAM engine, and beside it a log that survives stops. It keeps
//! the promises by the simplest means, so that it can be made to break each one of them.
#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "helpers are tests too")]

use ss_lib::{
    AppendError, BatchToken, ClockKind, ConsumeError, DropCause, Kind, Loss, Record, RegisterError,
    Sensor, SensorConfig, SensorKey, SensorStats, StaleBatch, Timestamp,
    ram::{Config, Fault, Geometry, LedgerStats, PoolStats, Shared, SharedConfig, Store},
    scenario::{Answer, DiskUse, Engine, Levels, Restart, RestartError, Restarted, Stop},
};

/// Bytes that a record takes on the disk that is not there.
pub const RECORD_BYTES: u64 = 16;

/// How often what was added is written, and what was written made durable, in ticks.
const TICKS: (u64, u64) = (100, 170);

/// A way to break a promise of the disk's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breach {
    /// Keeps them all.
    None,
    /// A written record is gone after a stop.
    LosesWritten,
    /// Records are there after a stop that nobody added.
    InventsRecords,
    /// A record whose answer was durable is there again.
    Resurrects,
    /// The oldest record that was held is passed over.
    SkipsHeld,
    /// What is handed out again carries the new epoch.
    AltersEpoch,
    /// Numbers are given again in the same epoch.
    ReusesEpoch,
    /// A record of an earlier epoch comes out with another value.
    AltersValue,
    /// An answer to a batch of before the stop is taken.
    TakesOldTokens,
    /// An orderly shutdown writes nothing.
    ShutdownForgets,
    /// What is in RAM only is called durable.
    CallsUnwrittenDurable,
    /// A sensor is new after a stop.
    ForgetsSensor,
    /// A rejected record more is counted after a stop.
    MiscountsAfterStop,
    /// The ledger names the newest record as over the quota.
    QuotaNamesNewest,
    /// Records are dropped under the quota.
    QuotaTooEarly,
    /// The ledger names a pending record as over the quota.
    QuotaNamesPending,
    /// The files are larger than they may be.
    OutgrowsDisk,
}

/// How far a sensor has come at one level.
#[derive(Clone, Copy, Default)]
struct Reached {
    head: u64,
    tail: u64,
    rejected: u64,
    refused: u64,
    quota: u64,
}

/// What survives of one sensor.
struct Log {
    config: SensorConfig,
    sensor: Sensor,
    records: Vec<Record>,
    written: Reached,
    durable: Reached,
    rejected: u64,
    refused_before: u64,
    quota: u64,
}

/// The stand-in.
pub struct Standin {
    store: Store<Shared>,
    config: SharedConfig,
    breach: Breach,
    /// By handle.
    logs: Vec<Log>,
    ledger: Vec<Loss>,
    losses_recorded: u64,
    ledger_written: usize,
    quota_bytes: u64,
    ticks: u64,
    now_ms: u64,
}

impl Standin {
    /// An empty one.
    pub fn new(sensors: u32, config: Config, quota_bytes: u64, breach: Breach) -> Self {
        let config = SharedConfig {
            geometry: Geometry::auto(16 << 20, sensors).unwrap(),
            sensors_max: sensors,
            losses_max: 16,
            config,
        };
        Self {
            store: Store::open_shared(config),
            config,
            breach,
            logs: Vec::new(),
            ledger: Vec::new(),
            losses_recorded: 0,
            ledger_written: 0,
            quota_bytes,
            ticks: 0,
            now_ms: 0,
        }
    }

    fn log(&self, sensor: Sensor) -> &Log {
        &self.logs[sensor.index()]
    }

    fn log_mut(&mut self, sensor: Sensor) -> &mut Log {
        &mut self.logs[sensor.index()]
    }

    fn reached(&self, log: &Log) -> Reached {
        let stats = self.store.stats(log.sensor).unwrap();
        Reached {
            head: stats.added - stats.retained(),
            tail: stats.added,
            rejected: log.rejected,
            refused: log.refused_before + stats.refused,
            quota: log.quota,
        }
    }

    /// Gives the records the words that they had when they were added.
    fn restore(&self, sensor: Sensor, records: &mut [Record]) {
        let log = self.log(sensor);
        for record in records {
            let mut kept = log.records[(record.seq - log.config.first_seq) as usize];
            if self.breach == Breach::AltersEpoch {
                kept.epoch = record.epoch;
            }
            if self.breach == Breach::AltersValue && kept.epoch != record.epoch {
                kept.value ^= 1;
            }
            *record = kept;
        }
    }

    fn note(&mut self, sensor: Sensor, seq: u64, value: u32, at: Timestamp, kind: Kind) {
        let epoch = self.config.config.epoch;
        let record = Record { seq, time_ms: at.ms, epoch, value, clock: at.clock, kind };
        self.log_mut(sensor).records.push(record);
    }

    fn lose(&mut self, sensor: Sensor, first_seq: u64, count: u32, cause: DropCause) {
        let at_ms = self.now_ms;
        self.losses_recorded += u64::from(count);
        self.ledger.push(Loss { first_seq, at_ms, count, sensor, cause });
    }

    fn keep_quota(&mut self) {
        let too_early = self.breach == Breach::QuotaTooEarly && self.ticks > 500;
        let records_max = if too_early { 8 } else { (self.quota_bytes / RECORD_BYTES) as u32 };
        for at in 0..self.logs.len() {
            let sensor = self.logs[at].sensor;
            let unsent = self.store.unsent(sensor).unwrap();
            let pending = self.store.pending(sensor).unwrap();
            let names_pending = self.breach == Breach::QuotaNamesPending && pending > 0;
            if names_pending && unsent > 0 {
                let first = self.store.pending_batch(sensor).unwrap().unwrap().first_seq();
                self.lose(sensor, first, 1, DropCause::Quota);
            }
            if pending > 0 || unsent <= records_max {
                continue;
            }
            let mut out = vec![Record::default(); (unsent - records_max) as usize];
            let token = self.store.consume(sensor, &mut out).unwrap().unwrap();
            self.store.ack(token).unwrap();
            let first = match self.breach {
                Breach::QuotaNamesNewest => self.store.stats(sensor).unwrap().added - 1,
                _ => token.first_seq(),
            };
            self.lose(sensor, first, token.count(), DropCause::Quota);
            self.log_mut(sensor).quota += u64::from(token.count());
        }
    }

    fn write(&mut self) {
        for at in 0..self.logs.len() {
            self.logs[at].written = self.reached(&self.logs[at]);
        }
        self.ledger_written = self.ledger.len();
    }

    /// What a sensor comes back with.
    fn recovered(&self, log: &Log) -> Reached {
        let mut reached = log.written;
        match self.breach {
            Breach::LosesWritten => reached.tail = reached.head.max(reached.tail.saturating_sub(1)),
            Breach::Resurrects if log.durable.head > log.config.first_seq => {
                reached.head = log.durable.head - 1;
            }
            Breach::SkipsHeld if reached.head < reached.tail => reached.head += 1,
            Breach::MiscountsAfterStop => reached.rejected += 1,
            _ => {}
        }
        reached
    }
}

impl Engine for Standin {
    type Fault = Fault;

    fn register(&mut self, config: SensorConfig) -> Result<Sensor, RegisterError> {
        if let Some(sensor) = Engine::find(self, config.key) {
            return Ok(sensor);
        }
        let sensor = self.store.register(config)?;
        let first = config.first_seq;
        let nothing = Reached { head: first, tail: first, ..Reached::default() };
        self.logs.push(Log {
            config,
            sensor,
            records: Vec::new(),
            written: nothing,
            durable: nothing,
            rejected: 0,
            refused_before: 0,
            quota: 0,
        });
        Ok(sensor)
    }

    fn append(&mut self, sensor: Sensor, value: u32, at: Timestamp) -> Result<u64, AppendError> {
        let seq = self.store.append(sensor, value, at)?;
        self.note(sensor, seq, value, at, Kind::TimeSeries);
        Ok(seq)
    }

    fn append_event(&mut self, sensor: Sensor, value: u32, ts_ms: u64) -> Result<u64, AppendError> {
        let seq = self.store.append_event(sensor, value, ts_ms)?;
        let at = Timestamp { ms: ts_ms, clock: ClockKind::Caller };
        self.note(sensor, seq, value, at, Kind::Event);
        Ok(seq)
    }

    fn peek_batch(&self, sensor: Sensor, out: &mut [Record]) -> usize {
        let count = self.store.peek_batch(sensor, out).unwrap();
        self.restore(sensor, &mut out[..count]);
        count
    }

    fn consume(
        &mut self,
        sensor: Sensor,
        out: &mut [Record],
    ) -> Result<Option<BatchToken>, ConsumeError> {
        let token = self.store.consume(sensor, out)?;
        if let Some(token) = token {
            self.restore(sensor, &mut out[..token.count() as usize]);
        }
        Ok(token)
    }

    fn answer(&mut self, token: BatchToken, answer: Answer) -> Result<(), StaleBatch> {
        let result = match answer {
            // Rejections stand in the ledger here: the RAM engine's own does not survive.
            Answer::Ack | Answer::Reject => self.store.ack(token),
            Answer::Nack => self.store.nack(token),
        };
        if result.is_ok() && answer == Answer::Reject {
            self.log_mut(token.sensor()).rejected += u64::from(token.count());
            self.lose(token.sensor(), token.first_seq(), token.count(), DropCause::Rejected);
        }
        let is_old = token.epoch() != self.config.config.epoch;
        if is_old && self.breach == Breach::TakesOldTokens { Ok(()) } else { result }
    }

    fn stats(&self, sensor: Sensor) -> SensorStats {
        let (stats, log) = (self.store.stats(sensor).unwrap(), self.log(sensor));
        SensorStats {
            erased: stats.erased - log.quota,
            rejected: log.rejected,
            refused: log.refused_before + stats.refused,
            dropped_quota: log.quota,
            ..stats
        }
    }

    fn is_ready(&self, sensor: Sensor) -> bool {
        self.store.is_ready(sensor).unwrap()
    }

    fn losses(&self, out: &mut [Loss]) -> usize {
        let newest = &self.ledger[self.ledger.len().saturating_sub(out.len())..];
        out[..newest.len()].copy_from_slice(newest);
        newest.len()
    }

    fn last_loss(&self) -> Option<Loss> {
        self.ledger.last().copied()
    }

    fn losses_recorded(&self) -> u64 {
        self.losses_recorded
    }

    fn ledger(&self) -> LedgerStats {
        let (entries, records) = (self.ledger.len() as u64, self.losses_recorded());
        LedgerStats { entries, records, forgotten: 0 }
    }

    fn tick(&mut self, now_ms: u64) {
        self.now_ms = now_ms;
        self.store.tick(now_ms);
        self.ticks += 1;
        self.keep_quota();
        if self.ticks.is_multiple_of(TICKS.0) {
            self.write();
        }
        if self.ticks.is_multiple_of(TICKS.1) {
            self.logs.iter_mut().for_each(|log| log.durable = log.written);
        }
    }

    fn limit_sectors(&mut self, sectors: u32) {
        self.store.limit_sectors(sectors);
    }

    fn pool(&self) -> PoolStats {
        self.store.pool()
    }

    fn check(&mut self) -> Result<(), Fault> {
        self.store.check()
    }

    fn find(&self, key: SensorKey) -> Option<Sensor> {
        self.logs.iter().find(|log| log.config.key == key).map(|log| log.sensor)
    }

    fn levels(&self, sensor: Sensor) -> Option<Levels> {
        let log = self.log(sensor);
        let reached = self.reached(log);
        let unwritten = self.breach == Breach::CallsUnwrittenDurable;
        Some(Levels {
            added_seq: reached.tail,
            written_seq: log.written.tail,
            durable_seq: if unwritten { reached.tail } else { log.durable.tail },
            acked_seq: reached.head,
            acked_durable_seq: log.durable.head,
        })
    }

    fn disk(&self) -> Option<DiskUse> {
        let held = self.logs.iter().map(|log| log.written.tail - log.written.head);
        let records = held.sum::<u64>();
        let outgrown = u64::from(self.breach == Breach::OutgrowsDisk) << 50;
        let bytes = records * RECORD_BYTES + outgrown;
        Some(DiskUse { bytes, bytes_peak: bytes, records, ..DiskUse::default() })
    }

    fn restart(&mut self, restart: &Restart) -> Result<Restarted, RestartError> {
        let mut left = 0;
        match restart.stop {
            Stop::ShutDown { deadline_ms: Some(0) } => {
                for log in &self.logs {
                    left += self.reached(log).tail - log.written.tail;
                }
            }
            Stop::ShutDown { .. } if self.breach != Breach::ShutdownForgets => self.write(),
            _ => {}
        }
        if self.breach != Breach::ReusesEpoch {
            self.config.config.epoch += 1;
        }
        self.quota_bytes = restart.quota_bytes.unwrap_or(self.quota_bytes);
        self.store = Store::open_shared(self.config);
        self.ledger.truncate(self.ledger_written);
        self.losses_recorded = self.ledger.iter().map(|loss| u64::from(loss.count)).sum();
        let mut logs = std::mem::take(&mut self.logs);
        if self.breach == Breach::ForgetsSensor {
            logs.pop();
        }
        // Every sensor gets another handle than it had.
        logs.reverse();
        let mut moved = Vec::new();
        for mut log in logs {
            let reached = self.recovered(&log);
            let first = log.config.first_seq;
            let old = log.sensor;
            log.sensor = self.store.register(log.config.starting_at(reached.head)).unwrap();
            moved.push((old, log.sensor));
            log.records.truncate((reached.tail - first) as usize);
            for record in &log.records[(reached.head - first) as usize..] {
                let at = Timestamp { ms: record.time_ms, clock: record.clock };
                match record.kind {
                    Kind::TimeSeries => self.store.append(log.sensor, record.value, at),
                    Kind::Event => self.store.append_event(log.sensor, record.value, at.ms),
                }
                .unwrap();
            }
            if self.breach == Breach::InventsRecords {
                for _ in 0..10_000 {
                    match log.config.kind {
                        Kind::TimeSeries => self.store.append(log.sensor, 0, Timestamp::utc(0)),
                        Kind::Event => self.store.append_event(log.sensor, 0, 0),
                    }
                    .unwrap();
                }
            }
            log.written = reached;
            log.rejected = reached.rejected;
            log.refused_before = reached.refused;
            log.quota = reached.quota;
            self.logs.push(log);
        }
        for loss in &mut self.ledger {
            if let Some(&(_, new)) = moved.iter().find(|(old, _)| *old == loss.sensor) {
                loss.sensor = new;
            }
        }
        Ok(Restarted { epoch: self.config.config.epoch, left })
    }
}
