//! The loads of `ss bench`: adds to 2,048 sensors in a random order, in a store that never fills.
//!
//! A pass adds the same number of records to every sensor, in an order that is shuffled beforehand,
//! so that neither drawing it nor waiting for it is measured. The uploader's work lies outside of
//! the measured adds: with one thread between two passes, with several on a thread of its own.

use crate::{histogram::Durations, report::median};
use ss_lib::{
    BatchToken, Record, Sensor, SensorConfig, SensorKey, Timestamp,
    ram::{BATCH_RECORDS_MAX, Config, FullPolicy, Geometry, Shared, SharedConfig, Store},
};
use std::{
    hint::black_box,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{
            AtomicBool, AtomicU64,
            Ordering::{Acquire, Relaxed, Release},
        },
    },
    thread,
    time::{Duration, Instant},
};

/// Sensors of the store.
pub(super) const SENSORS: u32 = 2_048;
/// Threads that add, where there are several.
pub(super) const PRODUCERS: usize = 4;
/// With several threads each this many-th add is measured, so that the clock hardly slows them.
pub(super) const SAMPLED_EVERY: u32 = 17;

const PERIOD_MS: u32 = 1_000;
/// 2026-01-01T00:00:00Z: any time would do.
const START_MS: u64 = 1_767_225_600_000;
const SEED: u64 = 0x5EED;

/// A store's memory, and how much one pass adds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) pool_bytes: u64,
    pub(super) sector_bytes: u32,
    /// Records that one pass adds to each sensor: what one sector holds.
    pub(super) records_per_pass: u32,
}

/// 64 KiB: one sector of 32 B and four records for each sensor.
pub(super) const SMALL: Shape =
    Shape { pool_bytes: 64 << 10, sector_bytes: 32, records_per_pass: 4 };
/// 2 MiB: four sectors of 256 B for each sensor. Producers are at most a pass ahead of the uploader,
/// so two passes are held at most, in at most four sectors a sensor on average.
pub(super) const LARGE: Shape =
    Shape { pool_bytes: 2 << 20, sector_bytes: 256, records_per_pass: 60 };

/// What a load does with a store, whatever its locks.
pub(super) trait Face: Clone + Send {
    fn append(&mut self, sensor: Sensor, value: u32, at: Timestamp) -> bool;
    fn consume(&mut self, sensor: Sensor, out: &mut [Record]) -> Option<BatchToken>;
    fn ack(&mut self, token: BatchToken) -> bool;
}

impl Face for Store<Shared> {
    #[inline]
    fn append(&mut self, sensor: Sensor, value: u32, at: Timestamp) -> bool {
        Store::append(self, sensor, value, at).is_ok()
    }

    fn consume(&mut self, sensor: Sensor, out: &mut [Record]) -> Option<BatchToken> {
        Store::consume(self, sensor, out).ok().flatten()
    }

    fn ack(&mut self, token: BatchToken) -> bool {
        Store::ack(self, token).is_ok()
    }
}

/// The same store behind one lock more, which every operation takes: what the locks a sensor buy.
#[derive(Clone)]
pub(super) struct OneLock(pub(super) Arc<Mutex<Store<Shared>>>);

impl OneLock {
    #[inline]
    fn with<R>(&self, f: impl FnOnce(&mut Store<Shared>) -> R) -> R {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Face for OneLock {
    #[inline]
    fn append(&mut self, sensor: Sensor, value: u32, at: Timestamp) -> bool {
        self.with(|store| Face::append(store, sensor, value, at))
    }

    fn consume(&mut self, sensor: Sensor, out: &mut [Record]) -> Option<BatchToken> {
        self.with(|store| Face::consume(store, sensor, out))
    }

    fn ack(&mut self, token: BatchToken) -> bool {
        self.with(|store| Face::ack(store, token))
    }
}

/// Opens a store with its sensors. One that is full refuses, so that nothing is dropped unseen.
pub(super) fn open(shape: Shape) -> Result<(Store<Shared>, Vec<Sensor>), String> {
    let geometry = Geometry::new(shape.pool_bytes, shape.sector_bytes, SENSORS)
        .map_err(|error| error.to_string())?;
    let config = Config { policy: FullPolicy::RefuseNew, epoch: 1 };
    let mut store = Store::open_shared(SharedConfig {
        geometry,
        sensors_max: SENSORS,
        losses_max: 256,
        config,
    });
    let sensors = (0..SENSORS)
        .map(|id| {
            let key = SensorKey { source: 2, id };
            store.register(SensorConfig::time_series(key, PERIOD_MS))
        })
        .collect::<Result<_, _>>()
        .map_err(|error| error.to_string())?;
    Ok((store, sensors))
}

/// One add of a pass.
#[derive(Clone, Copy)]
struct Step {
    sensor: Sensor,
    after_ms: u32,
}

/// The adds of a pass, in their random order, and the time that the next pass begins.
struct Passes {
    steps: Vec<Step>,
    pass_ms: u64,
    base_ms: u64,
}

impl Passes {
    fn new(sensors: &[Sensor], shape: Shape) -> Self {
        // The order of sensors is random, each sensor's own records are in order of time.
        let mut order: Vec<Sensor> =
            sensors.iter().flat_map(|&s| vec![s; shape.records_per_pass as usize]).collect();
        shuffle(&mut order);
        let mut added = vec![0_u32; SENSORS as usize];
        let steps = order
            .into_iter()
            .map(|sensor| {
                let nth = &mut added[sensor.index()];
                *nth += 1;
                Step { sensor, after_ms: (*nth - 1) * PERIOD_MS }
            })
            .collect();
        let pass_ms = u64::from(shape.records_per_pass * PERIOD_MS);
        Self { steps, pass_ms, base_ms: START_MS }
    }

    fn begin(&mut self) -> u64 {
        self.base_ms += self.pass_ms;
        self.base_ms - self.pass_ms
    }
}

/// Fisher-Yates with splitmix64 (<https://prng.di.unimi.it/splitmix64.c>): the same order each time.
fn shuffle<T>(items: &mut [T]) {
    let mut state = SEED;
    let mut draw = |below: usize| {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        #[expect(clippy::cast_possible_truncation, reason = "below `below`, a usize")]
        let drawn = ((u128::from(z) * below as u128) >> 64) as usize;
        drawn
    };
    for last in (1..items.len()).rev() {
        items.swap(last, draw(last + 1));
    }
}

/// What one round of a load gave.
#[derive(Clone, Debug)]
pub(super) struct Round {
    /// The mean of an add, timed over a whole pass without a clock between; of the passes the
    /// median, as one in which another program ran tells nothing. Of one thread only.
    pub(super) mean_ns: Option<f64>,
    pub(super) durations: Durations,
    pub(super) adds_per_s: f64,
    /// Adds that failed: there should be none.
    pub(super) refused: u64,
}

/// A load on one thread.
pub(super) struct OneThread<F> {
    face: F,
    sensors: Vec<Sensor>,
    passes: Passes,
    batch: Vec<Record>,
}

impl<F: Face> OneThread<F> {
    pub(super) fn new(face: F, sensors: Vec<Sensor>, shape: Shape) -> Self {
        let passes = Passes::new(&sensors, shape);
        Self { face, sensors, passes, batch: vec![Record::default(); BATCH_RECORDS_MAX] }
    }

    /// Half of the time whole passes, half of it single adds: at least one pass of each.
    #[expect(clippy::cast_precision_loss, reason = "a mean is rounded")]
    pub(super) fn round(&mut self, budget: Duration) -> Round {
        let pass_adds = self.passes.steps.len() as f64;
        let (mut passes_ns, mut refused) = (Vec::new(), 0);
        let started = Instant::now();
        loop {
            let base_ms = self.passes.begin();
            let pass_started = Instant::now();
            for (value, step) in (0..).zip(&self.passes.steps) {
                let at = Timestamp::utc(base_ms + u64::from(step.after_ms));
                refused += u64::from(!self.face.append(step.sensor, value, at));
            }
            passes_ns.push(pass_started.elapsed().as_secs_f64() * 1e9 / pass_adds);
            self.drain();
            if started.elapsed() >= budget / 2 {
                break;
            }
        }
        let mut durations = Durations::new();
        loop {
            let base_ms = self.passes.begin();
            for (value, step) in (0..).zip(&self.passes.steps) {
                let at = Timestamp::utc(base_ms + u64::from(step.after_ms));
                let add_started = Instant::now();
                let added = self.face.append(step.sensor, value, at);
                durations.record(add_started.elapsed());
                refused += u64::from(!added);
            }
            self.drain();
            if started.elapsed() >= budget {
                break;
            }
        }
        let mean_ns = median(&passes_ns).unwrap_or(f64::NAN);
        Round { mean_ns: Some(mean_ns), durations, adds_per_s: 1e9 / mean_ns, refused }
    }

    fn drain(&mut self) {
        for &sensor in &self.sensors {
            while let Some(token) = self.face.consume(sensor, &mut self.batch) {
                black_box(&self.batch);
                self.face.ack(token);
            }
        }
    }
}

/// A load on several threads that add, each to its own sensors, and one that takes away.
pub(super) struct ManyThreads<F> {
    face: F,
    sensors: Vec<Sensor>,
    passes: Vec<Passes>,
}

/// What producers and uploader tell each other.
struct Signals {
    /// The round's time is over.
    is_over: AtomicBool,
    /// Every producer has ended.
    is_all_added: AtomicBool,
    /// Records of each producer that were taken away, in this round.
    drained: [AtomicU64; PRODUCERS],
}

impl<F: Face> ManyThreads<F> {
    pub(super) fn new(face: F, sensors: Vec<Sensor>, shape: Shape) -> Self {
        let own = |producer| {
            let own = sensors.iter().skip(producer).step_by(PRODUCERS);
            Passes::new(&own.copied().collect::<Vec<_>>(), shape)
        };
        let passes = (0..PRODUCERS).map(own).collect();
        Self { face, sensors, passes }
    }

    #[expect(clippy::cast_precision_loss, reason = "a rate is rounded")]
    pub(super) fn round(&mut self, budget: Duration) -> Round {
        let signals = Signals {
            is_over: AtomicBool::new(false),
            is_all_added: AtomicBool::new(false),
            drained: [const { AtomicU64::new(0) }; PRODUCERS],
        };
        let (signals, sensors, face) = (&signals, &self.sensors, &self.face);
        let started = Instant::now();
        thread::scope(|scope| {
            let mut uploader_face = face.clone();
            scope.spawn(move || upload(&mut uploader_face, sensors, signals));
            let producers: Vec<_> = self
                .passes
                .iter_mut()
                .enumerate()
                .map(|(number, passes)| {
                    let mut face = face.clone();
                    scope.spawn(move || produce(&mut face, passes, number, signals))
                })
                .collect();
            thread::sleep(budget);
            signals.is_over.store(true, Relaxed);
            let mut sum =
                Round { mean_ns: None, durations: Durations::new(), adds_per_s: 0.0, refused: 0 };
            let mut adds = 0;
            for producer in producers {
                // A producer cannot panic: what fails in it is counted.
                if let Ok(produced) = producer.join() {
                    sum.durations.add(&produced.durations);
                    adds += produced.adds;
                    sum.refused += produced.refused;
                }
            }
            sum.adds_per_s = adds as f64 / started.elapsed().as_secs_f64();
            signals.is_all_added.store(true, Release);
            sum
        })
    }
}

struct Produced {
    durations: Durations,
    adds: u64,
    refused: u64,
}

fn produce(
    face: &mut impl Face,
    passes: &mut Passes,
    number: usize,
    signals: &Signals,
) -> Produced {
    let Signals { is_over, drained, .. } = signals;
    let mut produced = Produced { durations: Durations::new(), adds: 0, refused: 0 };
    let mut left = SAMPLED_EVERY;
    let pass_adds = passes.steps.len() as u64;
    loop {
        let base_ms = passes.begin();
        for (value, step) in (0..).zip(&passes.steps) {
            let at = Timestamp::utc(base_ms + u64::from(step.after_ms));
            left -= 1;
            let added = if left == 0 {
                left = SAMPLED_EVERY;
                let started = Instant::now();
                let added = face.append(step.sensor, value, at);
                produced.durations.record(started.elapsed());
                added
            } else {
                face.append(step.sensor, value, at)
            };
            produced.refused += u64::from(!added);
        }
        produced.adds += pass_adds;
        let ahead = |drained: u64| (produced.adds - produced.refused).saturating_sub(drained);
        while ahead(drained[number].load(Acquire)) > pass_adds && !is_over.load(Relaxed) {
            thread::yield_now();
        }
        if is_over.load(Relaxed) {
            return produced;
        }
    }
}

/// Takes away until it is told that nothing more comes, and nothing is left.
fn upload(face: &mut impl Face, sensors: &[Sensor], signals: &Signals) {
    let mut batch = vec![Record::default(); BATCH_RECORDS_MAX];
    loop {
        let is_last = signals.is_all_added.load(Acquire);
        let mut found = false;
        for (at, &sensor) in sensors.iter().enumerate() {
            if let Some(token) = face.consume(sensor, &mut batch) {
                found = true;
                black_box(&batch);
                face.ack(token);
                signals.drained[at % PRODUCERS].fetch_add(u64::from(token.count()), Release);
            }
        }
        if !found {
            if is_last {
                return;
            }
            thread::yield_now();
        }
    }
}

#[cfg(test)]
mod tests;
