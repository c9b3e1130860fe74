//! Bytes become operations on two small stores, one in one value, one behind locks. After each
//! operation both gave the same answer, both pass their own walk, every sensor conserves, and every
//! record that is handed out is one that was added, in order, bit for bit.
//!
//! An input is a byte of settings (see [`Settings`]), then operations: a byte for the operation, one
//! for the sensor, and the operands that the operation reads. Bytes that are missing are 0.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ss_lib::ram::{Config, FullPolicy, Geometry, Inline, Shared, SharedConfig, Store};
use ss_lib::{
    AppendError, BatchToken, ClockKind, Kind, Loss, Record, Sensor, SensorConfig, SensorKey,
    Timestamp,
};

const SENSORS: usize = 3;
const SECTORS: usize = 6;
const LOSSES: usize = 4;
/// Tokens kept for later misuse, and the largest batch.
const TOKENS_MAX: usize = 64;
const BATCH_MAX: usize = 24;

/// Operations of one input: beyond this an input tells nothing new.
const OPERATIONS_MAX: usize = 400;

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input(bytes);
    let settings = Settings::read(input.byte());
    if settings.has_large_sectors {
        run(&mut Pair::<16>::open(&settings), input);
    } else {
        run(&mut Pair::<8>::open(&settings), input);
    }
});

fn run<const WORDS: usize>(pair: &mut Pair<WORDS>, mut input: Input<'_>) {
    for _ in 0..OPERATIONS_MAX {
        if input.0.is_empty() {
            break;
        }
        pair.operation(&mut input);
        pair.hold_against_each_other();
    }
    pair.drain();
}

/// The first byte: bit 0 the policy, bit 1 the size of a sector, bit 2 numbers close to their end.
struct Settings {
    policy: FullPolicy,
    has_large_sectors: bool,
    first_seq: u64,
}

impl Settings {
    fn read(byte: u8) -> Self {
        Self {
            policy: if byte & 1 == 0 { FullPolicy::RecycleOldest } else { FullPolicy::RefuseNew },
            has_large_sectors: byte & 2 != 0,
            first_seq: if byte & 4 == 0 { 0 } else { u64::MAX - 40 },
        }
    }
}

struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        first
    }

    fn u64(&mut self) -> u64 {
        u64::from_le_bytes(std::array::from_fn(|_| self.byte()))
    }

    /// A time: small steps around the last one, the extremes, and anything.
    fn time_ms(&mut self, last_ms: u64) -> u64 {
        match self.byte() {
            0 => self.u64(),
            1 => 0,
            2 => u64::MAX,
            3 => last_ms.wrapping_add(u64::from(u32::MAX)),
            step @ 4..128 => last_ms.wrapping_add(u64::from(step - 4) * 5),
            step => last_ms.wrapping_sub(u64::from(step - 128) * 5),
        }
    }
}

/// A record as it was given to the stores.
struct Added {
    time_ms: u64,
    clock: ClockKind,
    kind: Kind,
    period_ms: u32,
}

/// What is known of one sensor from the outside.
struct Model {
    first_seq: u64,
    added: Vec<Added>,
    pending: Option<BatchToken>,
    /// Answered by ack or reject, and what an earlier epoch numbered.
    erased: u64,
    last_ms: u64,
}

/// Two stores that must be told apart by nothing.
struct Pair<const WORDS: usize> {
    inline: Store<Inline<SENSORS, SECTORS, WORDS, LOSSES>>,
    shared: Store<Shared>,
    first_seq: u64,
    sensors: Vec<(Sensor, Model)>,
    /// A handle that no sensor of these stores has.
    foreign: Sensor,
    tokens: Vec<BatchToken>,
}

/// The same call on both stores; its one answer. Arguments are evaluated for each.
macro_rules! both {
    ($pair:ident, $method:ident ( $($argument:expr),* )) => {{
        let answer = $pair.inline.$method($($argument),*);
        let of_shared = $pair.shared.$method($($argument),*);
        assert_eq!(answer, of_shared, "the stores differ in {}", stringify!($method));
        answer
    }};
}

impl<const WORDS: usize> Pair<WORDS> {
    fn open(settings: &Settings) -> Self {
        let config = Config { policy: settings.policy, epoch: 7 };
        let sector_bytes = WORDS as u32 * 4;
        let pool_bytes = u64::from(sector_bytes) * SECTORS as u64;
        let shared = Store::open_shared(SharedConfig {
            geometry: Geometry::new(pool_bytes, sector_bytes, SENSORS as u32).unwrap(),
            sensors_max: SENSORS as u32,
            losses_max: LOSSES as u32,
            config,
        });
        let mut pair = Self {
            inline: Store::open(config),
            shared,
            first_seq: settings.first_seq,
            sensors: Vec::new(),
            foreign: foreign_sensor(),
            tokens: Vec::new(),
        };
        pair.register(0, 10);
        pair.register(1, 0);
        pair
    }

    fn register(&mut self, id: u8, period_ms: u8) {
        let key = SensorKey { source: 1, id: u32::from(id) };
        let config = if period_ms == 0 {
            SensorConfig::event(key)
        } else {
            SensorConfig::time_series(key, u32::from(period_ms))
        };
        if let Ok(sensor) = both!(self, register(config.starting_at(self.first_seq))) {
            let first_seq = self.first_seq;
            let model = Model {
                first_seq,
                added: Vec::new(),
                pending: None,
                erased: first_seq,
                last_ms: 1_000,
            };
            self.sensors.push((sensor, model));
        }
    }

    fn operation(&mut self, input: &mut Input<'_>) {
        let operation = input.byte() % 16;
        let index = usize::from(input.byte()) % (SENSORS + 1);
        let sensor = self.sensors.get(index).map_or(self.foreign, |(sensor, _)| *sensor);
        match operation {
            0..=2 => self.append(index, sensor, input),
            3 | 4 => self.append_event(index, sensor, input),
            5 | 6 => self.consume(index, sensor, usize::from(input.byte()) % (BATCH_MAX + 1)),
            7..=9 => self.answer(operation, input.byte()),
            10 => self.reconfigure(sensor, input.byte()),
            11 => self.limit_sectors(input.byte()),
            12 => self.look(index, sensor, input.byte()),
            13 => self.register(input.byte() % 5, input.byte()),
            14 if input.byte() % 2 == 0 => drop(both!(self, activate(sensor))),
            14 => drop(both!(self, deactivate(sensor))),
            _ => self.tick(input.u64()),
        }
    }

    fn append(&mut self, index: usize, sensor: Sensor, input: &mut Input<'_>) {
        let last_ms = self.sensors.get(index).map_or(0, |(_, model)| model.last_ms);
        let time_ms = input.time_ms(last_ms);
        let at =
            if time_ms & 1 == 0 { Timestamp::monotonic(time_ms) } else { Timestamp::utc(time_ms) };
        let answer = both!(self, append(sensor, self.next_value(index), at));
        self.enter(index, answer, at, Kind::TimeSeries);
    }

    fn append_event(&mut self, index: usize, sensor: Sensor, input: &mut Input<'_>) {
        let last_ms = self.sensors.get(index).map_or(0, |(_, model)| model.last_ms);
        let ts_ms = input.time_ms(last_ms);
        let answer = both!(self, append_event(sensor, self.next_value(index), ts_ms));
        let at = Timestamp { ms: ts_ms, clock: ClockKind::Caller };
        self.enter(index, answer, at, Kind::Event);
    }

    fn next_value(&self, index: usize) -> u32 {
        self.sensors.get(index).map_or(0, |(_, model)| value_of(model, model.added.len()))
    }

    /// Notes an add that was taken: it got the next number.
    fn enter(&mut self, index: usize, answer: Result<u64, AppendError>, at: Timestamp, kind: Kind) {
        let Ok(seq) = answer else { return };
        let (sensor, model) = &mut self.sensors[index];
        assert_eq!(seq - model.first_seq, model.added.len() as u64, "numbers are given in order");
        let period_ms = self.inline.sensor_config(*sensor).unwrap().period_ms;
        model.added.push(Added { time_ms: at.ms, clock: at.clock, kind, period_ms });
        model.last_ms = at.ms;
    }

    fn consume(&mut self, index: usize, sensor: Sensor, records: usize) {
        let (mut ours, mut theirs) =
            ([Record::default(); BATCH_MAX], [Record::default(); BATCH_MAX]);
        let unsent = self.inline.unsent(sensor);
        let answer = self.inline.consume(sensor, &mut ours[..records]);
        assert_eq!(answer, self.shared.consume(sensor, &mut theirs[..records]));
        assert_eq!(ours, theirs, "the stores hand out different records");
        let Ok(token) = answer else { return };
        let model = &mut self.sensors[index].1;
        assert_eq!(model.pending, None, "a second batch while one is pending");
        let Some(token) = token else {
            assert!(records == 0 || unsent == Ok(0), "unsent records are not handed out");
            return;
        };
        assert!(token.count() as usize <= records && token.count() >= 1);
        hold_against(model, &ours[..token.count() as usize], token.first_seq());
        model.pending = Some(token);
        if self.tokens.len() < TOKENS_MAX {
            self.tokens.push(token);
        } else {
            self.tokens[TOKENS_MAX - 1] = token;
        }
    }

    /// Answers with any token ever handed out. Only the pending one may have an effect.
    fn answer(&mut self, operation: u8, choice: u8) {
        // Counted from the newest, so that small bytes find the pending ones.
        let Some(&token) = self.tokens.iter().nth_back(usize::from(choice)) else { return };
        let before = self.inline.stats(token.sensor()).unwrap();
        let answer = match operation {
            7 => both!(self, ack(token)),
            8 => both!(self, nack(token)),
            _ => both!(self, reject(token)),
        };
        let after = self.inline.stats(token.sensor()).unwrap();
        let count = u64::from(token.count());
        let model = &mut self.sensors[token.sensor().index()].1;
        assert_eq!(answer.is_ok(), model.pending == Some(token), "a token had the wrong effect");
        if answer.is_err() {
            assert_eq!(before, after, "a stale token changed something");
            return;
        }
        model.pending = None;
        model.erased += after.erased - before.erased;
        assert_eq!(after.pending, 0);
        let returned = if operation == 8 { count } else { 0 };
        assert_eq!(after.unsent - before.unsent, returned);
        assert_eq!(after.erased - before.erased, count - returned);
        assert_eq!(after.rejected - before.rejected, if operation == 9 { count } else { 0 });
    }

    fn reconfigure(&mut self, sensor: Sensor, choice: u8) {
        let kind = if choice & 1 == 0 { Kind::TimeSeries } else { Kind::Event };
        let period_ms = match choice >> 1 {
            127 => u32::MAX,
            small => u32::from(small),
        };
        let _ = both!(self, reconfigure(sensor, kind, period_ms));
    }

    /// Makes the pool smaller, or whole again.
    fn limit_sectors(&mut self, choice: u8) {
        let sectors = if choice < 16 { u32::from(choice) } else { u32::MAX };
        both!(self, limit_sectors(sectors));
    }

    fn tick(&mut self, now_ms: u64) {
        both!(self, tick(now_ms));
    }

    /// Reads without an effect: the next batch, and one record by its number.
    fn look(&mut self, index: usize, sensor: Sensor, back: u8) {
        let (mut ours, mut theirs) =
            ([Record::default(); BATCH_MAX], [Record::default(); BATCH_MAX]);
        let answer = self.inline.peek_batch(sensor, &mut ours);
        assert_eq!(answer, self.shared.peek_batch(sensor, &mut theirs));
        assert_eq!(ours, theirs, "the stores show different records");
        let Some((_, model)) = self.sensors.get(index) else { return };
        let records = answer.unwrap();
        hold_against(model, &ours[..records], ours[0].seq);
        let seq = (model.first_seq + model.added.len() as u64).wrapping_sub(u64::from(back));
        if let Ok(record) = both!(self, read_at(sensor, seq)) {
            hold_against(&self.sensors[index].1, &[record], seq);
        }
    }

    fn hold_against_each_other(&mut self) {
        both!(self, check()).unwrap();
        both!(self, pool());
        let (mut ours, mut theirs) = ([Loss::NONE; LOSSES], [Loss::NONE; LOSSES]);
        let losses = self.inline.losses(&mut ours);
        assert_eq!(losses, self.shared.losses(&mut theirs));
        assert_eq!(ours[..losses], theirs[..losses], "the ledgers differ");
        let mut lost = 0;
        for (sensor, model) in &self.sensors {
            let stats = both!(self, stats(*sensor)).unwrap();
            assert!(stats.is_conserved(), "{stats:?}");
            assert_eq!(stats.added, model.first_seq + model.added.len() as u64);
            assert_eq!(stats.erased, model.erased, "what left was neither erased nor dropped");
            assert_eq!(stats.pending, model.pending.map_or(0, |token| u64::from(token.count())));
            assert_eq!(both!(self, pending_batch(*sensor)), Ok(model.pending));
            lost += stats.dropped() + stats.rejected;
        }
        assert_eq!(both!(self, ledger()).records, lost, "a loss is not in the ledger");
    }

    /// Everything that is held can be handed out and erased, and gives every sector back.
    fn drain(&mut self) {
        both!(self, shut_down());
        for index in 0..self.sensors.len() {
            let sensor = self.sensors[index].0;
            assert!(both!(self, append_event(sensor, 0, 0)).is_err(), "an add after the shutdown");
            loop {
                if let Some(token) = self.sensors[index].1.pending.take() {
                    both!(self, ack(token)).unwrap();
                    self.sensors[index].1.erased += u64::from(token.count());
                }
                if self.inline.unsent(sensor) == Ok(0) {
                    break;
                }
                self.consume(index, sensor, BATCH_MAX);
            }
        }
        self.hold_against_each_other();
        for (sensor, _) in &self.sensors {
            assert_eq!(both!(self, retained(*sensor)), Ok(0));
        }
        assert_eq!(self.inline.pool().sectors_used, 0, "an empty store holds a sector");
    }
}

/// What the sensor's `index`th record carries.
fn value_of(model: &Model, index: usize) -> u32 {
    (index as u32).wrapping_mul(0x9E37_79B9) ^ model.first_seq as u32
}

/// Holds records that a store handed out against what it was given.
fn hold_against(model: &Model, records: &[Record], first_seq: u64) {
    for (record, seq) in records.iter().zip(first_seq..) {
        assert_eq!(record.seq, seq, "the numbers of a batch have no gap");
        let index = (seq - model.first_seq) as usize;
        let added = &model.added[index];
        assert_eq!((record.epoch, record.value), (7, value_of(model, index)));
        assert_eq!((record.kind, record.clock), (added.kind, added.clock));
        let off_ms = record.time_ms.abs_diff(added.time_ms);
        let allowed_ms = match added.kind {
            Kind::Event => 0,
            Kind::TimeSeries => u64::from(added.period_ms / 2),
        };
        assert!(off_ms <= allowed_ms, "seq {seq} is {off_ms} ms off its time");
    }
}

/// A handle to the last sensor of a larger store.
fn foreign_sensor() -> Sensor {
    let mut larger = Store::<Inline<4, 4, 8, 0>>::open(Config::default());
    for id in 0..3 {
        larger.register(SensorConfig::event(SensorKey { source: 0, id })).unwrap();
    }
    larger.register(SensorConfig::event(SensorKey { source: 0, id: 3 })).unwrap()
}
