//! A store beside its model: runs operations on both and holds them against each other after each.

mod adding;
mod uploading;

use crate::{
    foreign::Foreign,
    losses::LossReader,
    model::SensorModel,
    op::{Case, Op, When},
};
use ss_lib::{
    AppendError, BatchToken, ClockKind, ConsumeError, DropCause, Kind, ReadError, ReconfigureError,
    Record, Sensor, SensorConfig, SensorKey, SensorStats, StaleBatch, Timestamp, UnknownSensor,
    ram::{Backing, Config, FullPolicy, Store},
};
use std::collections::HashMap;

/// What the store said to one operation. Two stores that ran the same case said the same.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is named like its operation")]
pub enum Outcome {
    Added(Result<u64, AppendError>),
    AddedRun { accepted: u32, refused: u32 },
    Peeked(Vec<Record>),
    ReadAt(Result<Record, ReadError>),
    Consumed(Result<Option<BatchToken>, ConsumeError>, Vec<Record>),
    Answered(Result<(), StaleBatch>),
    Done,
}

/// Which part of a run of numbers went where: `first..end`, and the cause if it was lost.
type Departed = (u64, u64, Option<DropCause>);

/// A store, the model of each of its sensors, and everything that was ever said about them.
#[derive(Debug)]
pub struct Bench<B> {
    pub(crate) store: Store<B>,
    config: Config,
    pub(crate) sectors_total: u32,
    /// Words of a sector behind its header.
    pub(crate) payload_words: u32,
    pub(crate) handles: Vec<Sensor>,
    pub(crate) models: Vec<SensorModel>,
    /// Where each sensor's grid and clock are.
    clocks: Vec<Timestamp>,
    /// Every token that was ever handed out.
    tokens: Vec<BatchToken>,
    /// Each sensor's last token.
    last_tokens: Vec<Option<BatchToken>>,
    losses: LossReader,
    departed: Vec<Vec<Departed>>,
    first_seqs: Vec<u64>,
    foreign: Option<Foreign>,
    sector_names: u64,
    /// Sectors whose bytes were damaged, and the damaged bit.
    pub(crate) rotten: HashMap<u64, u32>,
    limit: u32,
    now_ms: u64,
}

/// The shape of the store that a bench tests.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Sectors in the pool.
    pub sectors: u32,
    /// Bytes of a sector.
    pub sector_bytes: u32,
    /// Places of the loss ledger.
    pub losses: usize,
}

impl<B: Backing> Bench<B> {
    /// Registers the case's sensors in an empty store.
    ///
    /// # Panics
    /// If the store refuses one.
    pub fn new(mut store: Store<B>, config: Config, shape: Shape, case: &Case) -> Self {
        let mut handles = Vec::new();
        for (place, start) in case.starts.iter().enumerate() {
            let key = SensorKey { source: (place % 3) as u8, id: place as u32 / 3 };
            let sensor = match start.kind {
                Kind::TimeSeries => SensorConfig::time_series(key, start.period_ms),
                Kind::Event => {
                    SensorConfig { period_ms: start.period_ms, ..SensorConfig::event(key) }
                }
            };
            let sensor = sensor.starting_at(start.first_seq);
            match store.register(sensor) {
                Ok(handle) => handles.push(handle),
                Err(error) => panic!("sensor {place} of the case: {error}"),
            }
            assert_eq!(store.find(key), handles.last().copied());
        }
        let models: Vec<_> = case
            .starts
            .iter()
            .map(|start| SensorModel::new(start.kind, start.period_ms, start.first_seq))
            .collect();
        let sensors = models.len();
        Self {
            store,
            config,
            sectors_total: shape.sectors,
            payload_words: (shape.sector_bytes - 16) / 4,
            handles,
            models,
            clocks: vec![Timestamp::monotonic(1_000_000); sensors],
            tokens: Vec::new(),
            last_tokens: vec![None; sensors],
            losses: LossReader::new(shape.losses),
            departed: vec![Vec::new(); sensors],
            first_seqs: case.starts.iter().map(|start| start.first_seq).collect(),
            foreign: None,
            sector_names: 0,
            rotten: HashMap::new(),
            limit: shape.sectors,
            now_ms: 0,
        }
    }

    /// Runs one operation and checks everything.
    ///
    /// # Panics
    /// If the store breaks a promise.
    pub fn step(&mut self, op: &Op) -> Outcome {
        let sensors = self.models.len();
        let place = |sensor: u8| usize::from(sensor) % sensors;
        let outcome = match *op {
            Op::Add { sensor, when, value } => Outcome::Added(self.add(place(sensor), when, value)),
            Op::AddRun { sensor, when, count } => self.add_run(place(sensor), when, count),
            Op::AddWrongKind { sensor } => self.add_wrong_kind(place(sensor)),
            Op::Peek { sensor } => self.peek(place(sensor)),
            Op::PeekBatch { sensor, limit } => self.peek_batch(place(sensor), limit),
            Op::ReadAt { sensor, ahead } => self.read_ahead(place(sensor), ahead),
            Op::Consume { sensor, limit } => self.consume(place(sensor), limit),
            Op::Answer { sensor, reply } => match self.last_tokens[place(sensor)] {
                Some(token) => self.answer(token, reply),
                None => Outcome::Done,
            },
            Op::Replay { back, reply } => {
                let number = self.tokens.len().checked_sub(1 + usize::from(back));
                match number.map(|number| self.tokens[number]) {
                    Some(token) => self.answer(token, reply),
                    None => Outcome::Done,
                }
            }
            Op::Foreign { sensor, reply } => {
                let mut foreign =
                    self.foreign.take().unwrap_or_else(|| Foreign::open(self.config.epoch + 1));
                let token = foreign.token(place(sensor));
                self.use_foreign_handle(foreign.sensor(sensors));
                self.foreign = Some(foreign);
                self.answer(token, reply)
            }
            Op::Deactivate { sensor } => self.set_active(place(sensor), false),
            Op::Activate { sensor } => self.set_active(place(sensor), true),
            Op::Reconfigure { sensor, kind, period_ms } => {
                self.reconfigure(place(sensor), kind, period_ms)
            }
            Op::Limit { part } => self.limit(part),
            Op::Tick { ms } => {
                self.now_ms += u64::from(ms);
                self.store.tick(self.now_ms);
                Outcome::Done
            }
        };
        self.verify();
        outcome
    }

    fn set_active(&mut self, place: usize, active: bool) -> Outcome {
        let handle = self.handles[place];
        let done = if active { self.store.activate(handle) } else { self.store.deactivate(handle) };
        assert_eq!(done, Ok(()));
        self.models[place].active = active;
        assert_eq!(self.store.is_active(handle), Ok(active));
        Outcome::Done
    }

    fn reconfigure(&mut self, place: usize, kind: Kind, period_ms: u32) -> Outcome {
        let handle = self.handles[place];
        assert_eq!(
            self.store.reconfigure(handle, Kind::TimeSeries, 0),
            Err(ReconfigureError::ZeroPeriod)
        );
        assert_eq!(self.store.reconfigure(handle, kind, period_ms), Ok(()));
        let model = &mut self.models[place];
        model.kind = kind;
        model.period_ms = period_ms;
        Outcome::Done
    }

    fn limit(&mut self, part: u8) -> Outcome {
        let sectors = if part == u8::MAX {
            u32::MAX
        } else {
            (u64::from(self.sectors_total) * u64::from(part) / 255) as u32
        };
        self.store.limit_sectors(sectors);
        self.limit = sectors.min(self.sectors_total);
        Outcome::Done
    }

    /// A sensor that only another store has is unknown to every operation.
    fn use_foreign_handle(&mut self, handle: Sensor) {
        let store = &mut self.store;
        let at = Timestamp::monotonic(0);
        assert_eq!(store.append(handle, 0, at), Err(AppendError::UnknownSensor));
        assert_eq!(store.append_event(handle, 0, 0), Err(AppendError::UnknownSensor));
        assert_eq!(store.activate(handle), Err(UnknownSensor));
        assert_eq!(store.deactivate(handle), Err(UnknownSensor));
        assert_eq!(store.reconfigure(handle, Kind::Event, 0), Err(ReconfigureError::UnknownSensor));
        assert_eq!(store.append_event(handle, 0, 0), Err(AppendError::UnknownSensor));
        assert_eq!(store.peek(handle), Err(UnknownSensor));
        assert_eq!(store.read_at(handle, 0), Err(ReadError::UnknownSensor));
        assert_eq!(store.stats(handle), Err(UnknownSensor));
        assert_eq!(store.sensor_config(handle), Err(UnknownSensor));
        assert_eq!(store.pending_batch(handle), Err(UnknownSensor));
        let consumed = store.consume(handle, &mut [Record::default()]);
        assert_eq!(consumed, Err(ConsumeError::UnknownSensor));
    }

    /// Holds every count of the store against the model, and lets the store check itself.
    fn verify(&mut self) {
        assert_eq!(self.losses.read(&self.store), [], "a loss without a reason");
        let mut used = 0;
        let mut lost = 0;
        let mut totals = Some(SensorStats::default());
        for (model, &handle) in self.models.iter().zip(&self.handles) {
            let expected = model.stats();
            assert_eq!(self.store.stats(handle), Ok(expected), "sensor {handle:?}");
            assert!(expected.is_conserved(), "sensor {handle:?}: {expected:?}");
            assert_eq!(self.store.pending_batch(handle), Ok(model.token), "sensor {handle:?}");
            assert_eq!(self.store.retained(handle), Ok(model.held.len() as u64));
            let config = self
                .store
                .sensor_config(handle)
                .map(|now| (now.kind, now.period_ms, now.first_seq));
            assert_eq!(config, Ok((model.kind, model.period_ms, model.next_seq)));
            used += model.sectors();
            lost += expected.dropped() + expected.rejected;
            totals = totals.and_then(|sum| checked_sum(sum, expected));
        }
        if let Some(totals) = totals {
            assert_eq!(self.store.totals(), totals);
        }
        let pool = self.store.pool();
        assert_eq!(pool.sectors_used, used, "sectors in use");
        assert_eq!((pool.sectors_total, pool.sectors_limit), (self.sectors_total, self.limit));
        assert!(pool.sectors_peak >= used && pool.sectors_peak <= self.sectors_total);
        assert_eq!(self.losses.records(), lost, "records in the ledger");
        assert_eq!(self.store.losses_recorded(), lost);
        assert_eq!(self.store.check(), Ok(()));
    }

    /// Ends the case: answers and drains every sensor and accounts for every number ever given.
    ///
    /// # Panics
    /// If one is missing, came twice, or differs from what was added.
    pub fn finish(&mut self) {
        let limits = [1, 7, u16::MAX];
        for place in 0..self.models.len() {
            if let Some(token) = self.models[place].token {
                self.answer(token, crate::op::Reply::Ack);
            }
            for limit in limits.iter().cycle() {
                let Outcome::Consumed(Ok(Some(token)), _) = self.consume(place, *limit) else {
                    break;
                };
                self.answer(token, crate::op::Reply::Ack);
            }
            assert_eq!(self.models[place].held.len(), 0, "sensor {place} was not drained");
        }
        self.verify();
        assert_eq!(self.store.pool().sectors_used, 0, "an empty store keeps sectors");
        for (place, departed) in self.departed.iter_mut().enumerate() {
            departed.sort_unstable_by_key(|&(first, end, _)| (first, end));
            let mut next = self.first_seqs[place];
            for &(first, end, _) in departed.iter() {
                assert_eq!(first, next, "sensor {place}: numbers are missing or came twice");
                next = end;
            }
            assert_eq!(next, self.models[place].next_seq, "sensor {place}: numbers are missing");
        }
    }

    pub(crate) fn is_rotten(&self, sector: u64) -> bool {
        self.rotten.contains_key(&sector)
    }

    /// The time of the sensor's next reading.
    fn time_of_next(&mut self, place: usize, when: When) -> Timestamp {
        let period_ms = u64::from(self.models[place].period_ms.max(1));
        let clock = &mut self.clocks[place];
        clock.ms = match when {
            When::OnGrid | When::Jittered(_) => clock.ms.wrapping_add(period_ms),
            When::Late(ms) => clock.ms.wrapping_add(period_ms + u64::from(ms)),
            When::SetBack(ms) => clock.ms.wrapping_sub(u64::from(ms)),
            When::SetTo(ms) => ms,
            When::OnClock(kind) => {
                clock.clock = kind;
                clock.ms.wrapping_add(period_ms)
            }
            When::Elsewhere => clock.ms ^ 1 << 46,
        };
        let jitter_ms = match when {
            When::Jittered(parts) => period_ms.cast_signed() * i64::from(parts) / 256,
            _ => 0,
        };
        Timestamp { ms: clock.ms.wrapping_add_signed(jitter_ms), clock: clock.clock }
    }

    fn recycles(&self) -> bool {
        self.config.policy == FullPolicy::RecycleOldest
    }
}

fn checked_sum(a: SensorStats, b: SensorStats) -> Option<SensorStats> {
    a.added.checked_add(b.added)?;
    let mut sum = a;
    sum += b;
    Some(sum)
}

/// The clock of an event is the caller's.
fn clock_of(kind: Kind, at: Timestamp) -> ClockKind {
    match kind {
        Kind::TimeSeries => at.clock,
        Kind::Event => ClockKind::Caller,
    }
}
