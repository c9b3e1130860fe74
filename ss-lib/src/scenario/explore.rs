//! The explorer: what a scenario did to its disk is cut at every operation, in every way that a power
//! cut or a kill may leave it, and each state is opened and held against what the store had promised by
//! then. See [`crate::disk::sim`] for the fault model.
//!
//! The scenario runs once, on a simulated disk that writes down every operation. Before each of them the
//! store is asked what it calls written and durable. Then each cut is made: for every outcome the
//! disk's image is built, states that were seen before are recognised by their hash, and a new one is
//! judged: recovered, read to the last record, recovered again, worked in, and recovered once more. The
//! recovery's own operations are cut in the same way.

mod judge;
#[cfg(feature = "planted")]
pub mod planted;
mod rot;
mod tape;

use super::{
    Driver, DriverMemory, Engine, Given, Observer, Reply, Restart, Restarted, SensorRun,
    faults::FaultClock,
    oracle::{Oracle, Violation},
    run::{LinuxStore, RunError, terms},
    text::Scenario,
};
use crate::{
    AppendError, Loss, Record, Sensor, SensorConfig, SensorKey,
    disk::sim::{Crashable, Image, Outcome, SimDisk, Step},
    gateway::GatewayConfig,
    ram::PoolStats,
};
use core::fmt;
use judge::{Breach, Judged, Question};
use std::{
    collections::HashSet,
    str::FromStr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Instant,
};
use tape::{Recording, SimHome, Tape, lock};

/// Room for replies: see the same in `run`.
const REPLIES_PER_SENSOR: usize = 4;
/// States that were seen are kept in so many parts, so that threads do not wait for each other.
const SHARDS: usize = 64;

/// Operations of a scenario at most: what is longer is shortened.
const STEPS_MAX: u64 = 50_000;

/// Outcomes from this number on are pages that are damaged.
const ROTTEN: u32 = 1 << 24;

/// How far to explore.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Operations that are cut at most; more are sampled evenly. 0: all.
    pub cuts_max: u64,
    /// States at most; 0: as many as there are. What is left out then lies at the end of the run.
    pub states_max: u64,
    /// Of each so many states one has its recovery cut at every operation; 0: none.
    pub second_every: u64,
    /// Of each so many states one is also asked what `ss verify` says.
    pub scan_every: u64,
    /// Of each so many cuts one is also looked at with rot: each of its pages is damaged once. 0: none.
    pub rot_every: u64,
    /// States that break a promise after which a thread ends.
    pub bad_max: usize,
    /// Threads; 0: as many as the machine has.
    pub threads: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            cuts_max: 0,
            states_max: 0,
            second_every: 8,
            scan_every: 16,
            rot_every: 16,
            bad_max: 16,
            threads: 0,
        }
    }
}

/// One state of a disk, by the operation that was cut and by the outcome; and, if its recovery was cut
/// as well, the same of that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StateId {
    /// Operations before the cut; the one behind them was under way.
    pub step: u32,
    /// Which outcome.
    pub outcome: u32,
    /// The same of the recovery.
    pub second: Option<(u32, u32)>,
}

impl fmt::Display for StateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.step, self.outcome)?;
        match self.second {
            Some((step, outcome)) => write!(f, "+{step}.{outcome}"),
            None => Ok(()),
        }
    }
}

impl FromStr for StateId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let pair = |text: &str| {
            let (step, outcome) = text.split_once('.')?;
            Some((step.parse().ok()?, outcome.parse().ok()?))
        };
        let (first, second) = match text.split_once('+') {
            Some((first, second)) => (first, Some(second)),
            None => (text, None),
        };
        let parsed = pair(first).and_then(|(step, outcome)| {
            let second = match second {
                Some(second) => Some(pair(second)?),
                None => None,
            };
            Some(Self { step, outcome, second })
        });
        parsed.ok_or_else(|| {
            format!(
                "`{text}` is no state: one is written OPERATION.OUTCOME, as 412.17 or 412.17+3.5"
            )
        })
    }
}

/// A state that breaks a promise.
#[derive(Clone, Debug)]
pub struct BadState {
    /// Which.
    pub id: StateId,
    /// The operation that was under way, in a word, and what became of what waited.
    pub what: String,
    /// The promise.
    pub violation: Violation,
}

/// What an exploration came to.
#[derive(Clone, Debug, Default)]
pub struct Explored {
    /// Records that the scenario added.
    pub records: u64,
    /// Operations on the disk.
    pub steps: u64,
    /// Those of them that were cut.
    pub cuts: u64,
    /// States that were made.
    pub states: u64,
    /// States that differ, in their bytes or in what had been promised; each was judged once.
    pub distinct: u64,
    /// States of both kinds whose recovery had been cut.
    pub second_states: u64,
    /// States in which a page was damaged.
    pub rotten_states: u64,
    /// The most records that a state had lost, none of which was promised.
    pub lost_max: u64,
    /// The most calls of the disk that an opening made.
    pub open_calls_max: u64,
    /// The longest opening, in ns of this machine's time, and all together.
    pub open_ns_max: u64,
    /// All openings that were measured together, in ns: one of each state that differs.
    pub open_ns: u64,
    /// Whether `states_max` ended it.
    pub is_cut_short: bool,
    /// The first states that break a promise.
    pub bad: Vec<BadState>,
    /// How long it took, in ns of this machine's time.
    pub wall_ns: u64,
}

impl Explored {
    /// Adds what another run came to.
    pub fn add(&mut self, other: Self) {
        self.records += other.records;
        self.steps += other.steps;
        self.cuts += other.cuts;
        self.states += other.states;
        self.distinct += other.distinct;
        self.second_states += other.second_states;
        self.rotten_states += other.rotten_states;
        self.lost_max = self.lost_max.max(other.lost_max);
        self.open_calls_max = self.open_calls_max.max(other.open_calls_max);
        self.open_ns_max = self.open_ns_max.max(other.open_ns_max);
        self.open_ns += other.open_ns;
        self.is_cut_short |= other.is_cut_short;
        self.bad.extend(other.bad);
        self.wall_ns += other.wall_ns;
    }
}

/// Who is told how far an exploration is, and may end it.
pub trait Progress: Sync {
    /// So many of so many cuts are done.
    fn cuts(&self, _done: u64, _all: u64) {}
    /// Whether to end now.
    fn is_cancelled(&self) -> bool {
        false
    }
}

/// Nobody is told.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unseen;

impl Progress for Unseen {}

/// A scenario that ran once on a simulated disk, ready to be cut anywhere.
pub struct Explorer {
    recording: Recording,
    seed: u64,
    /// What the scenario's own oracle found.
    violation: Option<Violation>,
    shortened_ms: Option<u64>,
}

impl fmt::Debug for Explorer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Explorer").field("steps", &self.steps()).finish_non_exhaustive()
    }
}

impl Explorer {
    /// Runs the scenario, which must have a disk, and writes down what it does to it.
    pub fn record(scenario: &Scenario) -> Result<Self, RunError> {
        let config = scenario.disk.ok_or_else(|| {
            RunError::Open(format!(
                "the {} profile has no disk that could be cut: use profile = \"linux\"",
                scenario.profile.name()
            ))
        })?;
        let mut config = config;
        // The same bytes in every run.
        config.origin.store_id.get_or_insert(*b"simulated disk\r\n");
        let (recording, violation, ended_ms) = record(scenario, config)?;
        let description = scenario.description();
        let is_whole = violation.is_some() || ended_ms >= description.duration_ms;
        let shortened_ms = (!is_whole).then_some(ended_ms);
        Ok(Self { recording, seed: description.seed, violation, shortened_ms })
    }

    /// Operations on the disk.
    pub fn steps(&self) -> u64 {
        self.recording.steps.len() as u64
    }

    /// Records that the scenario added.
    pub fn records(&self) -> u64 {
        self.recording.records
    }

    /// What the scenario's own oracle found, before anything was cut.
    pub fn violation(&self) -> Option<&Violation> {
        self.violation.as_ref()
    }

    /// When the scenario was ended early because it has too many operations, in ms of virtual time.
    pub fn shortened_ms(&self) -> Option<u64> {
        self.shortened_ms
    }

    /// The time of an operation, in ms of virtual time.
    pub fn time_ms(&self, step: u32) -> u64 {
        let times = &self.recording.times_ms;
        times.get(step as usize).or(times.last()).copied().unwrap_or(0)
    }

    /// Cuts everywhere. See the module.
    pub fn explore(&self, limits: &Limits, progress: &dyn Progress) -> Explored {
        let started = Instant::now();
        let steps = self.recording.steps.len();
        let every = match limits.cuts_max {
            0 => 1,
            most => (steps as u64 + 1).div_ceil(most).max(1) as usize,
        };
        let threads = match limits.threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            threads => threads,
        };
        let all = (steps / every + 1) as u64;
        let work = Work {
            explorer: self,
            limits,
            seen: (0..SHARDS).map(|_| Mutex::default()).collect(),
            total: Mutex::default(),
            states: AtomicU64::new(0),
            done: AtomicU64::new(0),
            is_over: AtomicBool::new(false),
        };
        std::thread::scope(|scope| {
            for thread in 0..threads {
                let work = &work;
                scope.spawn(move || work.cut_some(every, thread, threads, all, progress));
            }
        });
        let mut total = work.total.into_inner().unwrap_or_else(PoisonError::into_inner);
        total.records = self.recording.records;
        total.steps = steps as u64;
        total.wall_ns = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        total
    }

    /// One state, and what it comes to. `None`: there is no such state.
    pub fn replay(&self, id: StateId) -> Option<(Image, Result<(), BadState>)> {
        let step = id.step as usize;
        if let Some(number) = id.outcome.checked_sub(ROTTEN) {
            let mut cut = Crashable::default();
            self.recording.steps.iter().take(step).for_each(|done| cut.push(done));
            let image = cut.whole();
            let place = *rot::places(&image).get(number as usize)?;
            let (image, damage) = self.rotten(&image, id, place);
            let question =
                Question { damage: Some(&damage), ..self.question(step, true, false, false) };
            let what = format!("bit-rot in {} page {}", place.file, place.page);
            let judged = question.judge(&image).map(|_| ());
            return Some((image, judged.map_err(|breach| self.bad_of(id, what, breach))));
        }
        let cut = self.cut_at(step)?;
        let outcome = *cut.outcomes().get(id.outcome as usize)?;
        let image = cut.after(outcome, self.draw(id.step, id.outcome));
        let is_kill = outcome.is_kill(&cut);
        let question = self.question(step, is_kill, true, true);
        let Some((second_step, second_outcome)) = id.second else {
            let judged = question.judge(&image).map(|_| ());
            return Some((image, judged.map_err(|breach| self.bad(id, outcome, breach))));
        };
        let journal = self.recovery(&image, step);
        let mut second = Crashable::new(image.settled());
        for done in journal.get(..second_step as usize)? {
            second.push(done);
        }
        second.push_begun(journal.get(second_step as usize)?);
        let outcome = *second.outcomes().get(second_outcome as usize)?;
        let image = second.after(outcome, self.draw(second_step, second_outcome));
        let judged = question.judge(&image).map(|_| ());
        Some((image, judged.map_err(|breach| self.bad(id, outcome, breach))))
    }

    /// What an opening does to a state.
    fn recovery(&self, image: &Image, step: usize) -> Vec<Step> {
        let question = self.question(step, false, true, false);
        if let Ok(judged) = question.judge(image) {
            return judged.steps;
        }
        let disk = SimDisk::journaled(image);
        drop(crate::gateway::Gateway::open(disk.clone(), &self.recording.config));
        disk.take_journal()
    }

    /// The disk when `step` operations were done and the next one was under way.
    fn cut_at(&self, step: usize) -> Option<Crashable> {
        let mut cut = Crashable::default();
        if step > self.recording.steps.len() {
            return None;
        }
        for done in self.recording.steps.iter().take(step) {
            cut.push(done);
        }
        if let Some(next) = self.recording.steps.get(step) {
            cut.push_begun(next);
        }
        Some(cut)
    }

    fn question(
        &self,
        step: usize,
        is_kill: bool,
        is_journaled: bool,
        is_scanned: bool,
    ) -> Question<'_> {
        let (_, promised) = self.recording.promised(step);
        Question {
            recording: &self.recording,
            promised,
            step: step as u64,
            is_kill,
            damage: None,
            is_journaled,
            is_scanned,
        }
    }

    fn draw(&self, step: u32, outcome: u32) -> u64 {
        crate::disk::sim::draw(self.seed, u64::from(step) << 32 | u64::from(outcome))
    }

    /// The image with one bit of the page flipped, and what may be missing then.
    fn rotten(&self, image: &Image, id: StateId, place: rot::Place) -> (Image, judge::Damage) {
        let damage = rot::damage(&self.recording, image, place);
        let drawn = self.draw(id.step, id.outcome);
        let mut rotten = image.clone();
        let byte = place.page * crate::disk::PAGE_BYTES as u64 + drawn % 4096;
        rotten.flip(place.file.as_str(), byte, (drawn >> 32) as u8 % 8);
        (rotten, damage)
    }

    fn bad(&self, id: StateId, outcome: Outcome, breach: Breach) -> BadState {
        let next = self.recording.steps.get(id.step as usize);
        let what = match (next, id.second) {
            (_, Some((step, _))) => format!("operation {step} of the recovery was cut: {outcome}"),
            (Some(next), None) => {
                format!("operation {}, a {}, was cut: {outcome}", id.step, next.name())
            }
            (None, None) => format!("after the last operation: {outcome}"),
        };
        self.bad_of(id, what, breach)
    }

    fn bad_of(&self, id: StateId, what: String, breach: Breach) -> BadState {
        let Breach { promise, member, seq, seen } = breach;
        let sensor: Option<SensorKey> =
            member.map(|member| self.recording.members[member].config.key);
        let virtual_ms = self.time_ms(id.step);
        BadState { id, what, violation: Violation { promise, sensor, seq, virtual_ms, seen } }
    }
}

/// An exploration under way.
struct Work<'a> {
    explorer: &'a Explorer,
    limits: &'a Limits,
    seen: Vec<Mutex<HashSet<u64>>>,
    total: Mutex<Explored>,
    states: AtomicU64,
    done: AtomicU64,
    is_over: AtomicBool,
}

impl Work<'_> {
    /// Makes every `threads`-th cut.
    fn cut_some(
        &self,
        every: usize,
        thread: usize,
        threads: usize,
        all: u64,
        progress: &dyn Progress,
    ) {
        let explorer = self.explorer;
        let steps = &explorer.recording.steps;
        let mut cut = Crashable::default();
        let mut own = Explored::default();
        for step in 0..=steps.len() {
            if step.is_multiple_of(every) && (step / every) % threads == thread {
                if self.is_over.load(Relaxed) || progress.is_cancelled() {
                    own.is_cut_short = true;
                    break;
                }
                let mut here = cut.clone();
                if let Some(next) = steps.get(step) {
                    here.push_begun(next);
                }
                self.cut(step, &here, &mut own);
                let rot_every = self.limits.rot_every;
                if rot_every > 0 && (step / every) as u64 % rot_every == rot_every / 2 {
                    self.rot(step, &cut, &mut own);
                }
                own.cuts += 1;
                progress.cuts(self.done.fetch_add(1, Relaxed) + 1, all);
            }
            if let Some(next) = steps.get(step) {
                cut.push(next);
            }
        }
        self.add(own);
    }

    fn add(&self, own: Explored) {
        let mut total = self.total.lock().unwrap_or_else(PoisonError::into_inner);
        total.add(own);
        total.bad.sort_unstable_by_key(|bad| bad.id);
    }

    fn is_new(&self, image: &Image, promised: u32, is_kill: bool, is_second: bool) -> Option<u64> {
        let hash = image.hash();
        // Whether a recovery was cut before is told apart, or it would depend on which thread is faster
        // whose recovery is cut.
        let what = u64::from(promised) << 2 | u64::from(is_kill) << 1 | u64::from(is_second);
        let key = crate::disk::sim::draw(hash, what);
        let shard = &self.seen[key as usize % SHARDS];
        let is_new = shard.lock().unwrap_or_else(PoisonError::into_inner).insert(key);
        is_new.then_some(hash)
    }

    /// Makes every state of one cut.
    fn cut(&self, step: usize, cut: &Crashable, own: &mut Explored) {
        let explorer = self.explorer;
        let (promised, _) = explorer.recording.promised(step);
        for (number, outcome) in (0..).zip(cut.outcomes()) {
            if self.has_enough() {
                own.is_cut_short = true;
                return;
            }
            let id = StateId { step: step as u32, outcome: number, second: None };
            let is_kill = outcome.is_kill(cut);
            let image = cut.after(outcome, explorer.draw(id.step, number));
            own.states += 1;
            let Some(hash) = self.is_new(&image, promised, is_kill, false) else { continue };
            own.distinct += 1;
            let is_due = |every: u64| every > 0 && (hash >> 8).is_multiple_of(every);
            let goes_deep = is_due(self.limits.second_every);
            let question =
                explorer.question(step, is_kill, goes_deep, is_due(self.limits.scan_every));
            match question.judge(&image) {
                Ok(judged) => {
                    note(own, &judged);
                    if goes_deep {
                        self.cut_recovery(&image, id, &judged.steps, is_kill, own);
                    }
                }
                Err(breach) => self.found(explorer.bad(id, outcome, breach), own),
            }
        }
    }

    /// Damages each page once.
    fn rot(&self, step: usize, cut: &Crashable, own: &mut Explored) {
        let explorer = self.explorer;
        let image = cut.whole();
        for (number, place) in (0..).zip(rot::places(&image)) {
            if self.has_enough() {
                own.is_cut_short = true;
                return;
            }
            own.states += 1;
            own.distinct += 1;
            own.rotten_states += 1;
            let id = StateId { step: step as u32, outcome: ROTTEN + number, second: None };
            let (rotten, damage) = explorer.rotten(&image, id, place);
            let question =
                Question { damage: Some(&damage), ..explorer.question(step, true, false, false) };
            if let Err(breach) = question.judge(&rotten) {
                let what = format!("bit-rot in {} page {}", place.file, place.page);
                self.found(explorer.bad_of(id, what, breach), own);
            }
        }
    }

    /// Cuts a recovery at each of its operations.
    fn cut_recovery(
        &self,
        image: &Image,
        id: StateId,
        steps: &[Step],
        is_kill: bool,
        own: &mut Explored,
    ) {
        let explorer = self.explorer;
        let (promised, _) = explorer.recording.promised(id.step as usize);
        let mut cut = Crashable::new(image.settled());
        for (at, step) in (0..).zip(steps) {
            let mut here = cut.clone();
            here.push_begun(step);
            cut.push(step);
            for (number, outcome) in (0..).zip(here.outcomes()) {
                if self.has_enough() {
                    own.is_cut_short = true;
                    return;
                }
                let image = here.after(outcome, explorer.draw(at, number));
                own.states += 1;
                own.second_states += 1;
                if self.is_new(&image, promised, is_kill, true).is_none() {
                    continue;
                }
                own.distinct += 1;
                let question = explorer.question(id.step as usize, is_kill, false, false);
                match question.judge(&image) {
                    Ok(judged) => note(own, &judged),
                    Err(breach) => {
                        let id = StateId { second: Some((at, number)), ..id };
                        self.found(explorer.bad(id, outcome, breach), own);
                    }
                }
            }
        }
    }

    fn has_enough(&self) -> bool {
        let most = self.limits.states_max;
        most > 0 && self.states.fetch_add(1, Relaxed) >= most
    }

    fn found(&self, bad: BadState, own: &mut Explored) {
        own.bad.push(bad);
        // What comes later says the same, mostly.
        if own.bad.len() >= self.limits.bad_max.max(1) {
            self.is_over.store(true, Relaxed);
        }
    }
}

fn note(own: &mut Explored, judged: &Judged) {
    own.lost_max = own.lost_max.max(judged.lost);
    own.open_ns_max = own.open_ns_max.max(judged.open_ns);
    own.open_ns += judged.open_ns;
    own.open_calls_max = own.open_calls_max.max(judged.calls);
}

/// Runs a scenario on a simulated disk and writes down what it does.
fn record(
    scenario: &Scenario,
    config: GatewayConfig,
) -> Result<(Recording, Option<Violation>, u64), RunError> {
    let description = scenario.description();
    let disk = SimDisk::journaled(&Image::default());
    disk.set_now_ms(description.start.ms);
    let tape = Arc::new(Mutex::new(Tape::new(&config)));
    let hook = Arc::clone(&tape);
    disk.set_hook(Some(Box::new(move |steps| lock(&hook).note(steps))));
    let home = SimHome { disk: disk.clone(), tape: Arc::clone(&tape), seed: description.seed };
    let mut store = LinuxStore::open(home, config)
        .map_err(|error| RunError::Open(format!("the simulated store: {error}")))?;
    let oracle = Oracle::new(terms(scenario));
    // Rot comes to every page of some states, whatever time it has in the scenario.
    let faults: Vec<_> =
        scenario.faults.iter().filter(|fault| !fault.kind.is_rot()).copied().collect();
    let faults = FaultClock::new(disk.clone(), &faults, description.seed);
    let mut observer = Taped { oracle, tape: Arc::clone(&tape), faults };
    let sensors = scenario.sensors() as usize;
    let batch_records = description.uploader.map_or(1, |uploader| uploader.batch_records as usize);
    let (mut runs, mut due) = (vec![SensorRun::default(); sensors], vec![0; sensors]);
    let (mut batch, mut peeked) =
        (vec![Record::default(); batch_records], vec![Record::default(); batch_records]);
    let mut replies = vec![Reply::default(); sensors * REPLIES_PER_SENSOR];
    let memory = DriverMemory {
        sensors: &mut runs,
        due: &mut due,
        replies: &mut replies,
        batch: &mut batch,
        peeked: &mut peeked,
    };
    let driver = Driver::new(&description, &mut store, &mut observer, memory);
    let summary = driver.map_err(RunError::Register)?.run();
    if let Some(error) = summary.restart_error {
        let text = store.open_error.as_ref().map_or_else(|| error.to_string(), ToString::to_string);
        return Err(RunError::Open(format!("the simulated store does not open again: {text}")));
    }
    // An orderly end is a part of what is cut; a fault that is still due would be none of it.
    disk.heal();
    store.shut_down().map_err(RunError::Open)?;
    disk.set_hook(None);
    let steps = disk.take_journal();
    drop(disk);
    let Taped { oracle, .. } = observer;
    let tape = core::mem::replace(&mut *lock(&tape), Tape::new(&config));
    Ok((tape.finish(config, steps), oracle.into_violation(), summary.virtual_ms))
}

/// The oracle and the tape, side by side.
struct Taped {
    oracle: Oracle,
    tape: Arc<Mutex<Tape>>,
    faults: FaultClock,
}

impl<E: Engine> Observer<E> for Taped {
    fn wants_end(&mut self, now_ms: u64) -> bool {
        self.faults.advance(now_ms);
        self.faults.steps() > STEPS_MAX || Observer::<E>::wants_end(&mut self.oracle, now_ms)
    }

    fn registered(&mut self, sensor: Sensor, config: SensorConfig) {
        lock(&self.tape).registered(sensor, config);
        Observer::<E>::registered(&mut self.oracle, sensor, config);
    }

    fn added(&mut self, now_ms: u64, given: Given, seq: u64) {
        lock(&self.tape).added(&given);
        Observer::<E>::added(&mut self.oracle, now_ms, given, seq);
    }

    fn refused(&mut self, now_ms: u64, given: Given, error: AppendError, pool: PoolStats) {
        Observer::<E>::refused(&mut self.oracle, now_ms, given, error, pool);
    }

    fn asked(&mut self, now_ms: u64, sensor: Sensor, is_ready: bool) {
        Observer::<E>::asked(&mut self.oracle, now_ms, sensor, is_ready);
    }

    fn peeked(&mut self, now_ms: u64, sensor: Sensor, records: &[Record]) {
        Observer::<E>::peeked(&mut self.oracle, now_ms, sensor, records);
    }

    fn delivered(&mut self, now_ms: u64, token: crate::BatchToken, records: &[Record]) {
        Observer::<E>::delivered(&mut self.oracle, now_ms, token, records);
    }

    fn nothing_delivered(&mut self, now_ms: u64, sensor: Sensor) {
        Observer::<E>::nothing_delivered(&mut self.oracle, now_ms, sensor);
    }

    fn answered(
        &mut self,
        now_ms: u64,
        token: crate::BatchToken,
        answer: super::Answer,
        result: Result<(), crate::StaleBatch>,
    ) {
        Observer::<E>::answered(&mut self.oracle, now_ms, token, answer, result);
    }

    fn lost(&mut self, now_ms: u64, losses: &[Loss], engine: &E) {
        self.oracle.lost(now_ms, losses, engine);
    }

    fn ticked(&mut self, now_ms: u64, engine: &E) {
        lock(&self.tape).set_now_ms(now_ms);
        self.oracle.ticked(now_ms, engine);
    }

    fn stopping(&mut self, now_ms: u64, restart: &Restart, engine: &E) {
        self.oracle.stopping(now_ms, restart, engine);
    }

    fn found_again(&mut self, index: u32, sensor: Option<Sensor>) {
        lock(&self.tape).found_again(index, sensor);
        Observer::<E>::found_again(&mut self.oracle, index, sensor);
    }

    fn restarted(&mut self, now_ms: u64, restart: &Restart, restarted: Restarted, engine: &E) {
        lock(&self.tape).restarted(restarted.epoch, restart.quota_bytes, restart.pool_bytes);
        self.oracle.restarted(now_ms, restart, restarted, engine);
    }

    fn checkpoint(&mut self, now_ms: u64, engine: &mut E) {
        self.oracle.checkpoint(now_ms, engine);
    }
}
