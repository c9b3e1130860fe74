//! The microcontroller's end: takes a scenario in pieces, runs it, and says what came of it.

use super::{
    MAGIC, PROTOCOL,
    message::{
        Answer, Begin, Buckets, Command, DeviceClock, Fault, Footprint, Geometry, Hello, Progress,
        Refusal, Report, Request, VERSION_BYTES,
    },
    meter::{Meter, OPERATIONS, Operation},
    port::{Link, Port},
};
use crate::{
    AppendError, BatchToken, Kind, Record, StaleBatch,
    ram::{PoolStats, STM32_SECTOR_BYTES, STM32_SECTORS, STM32_SENSORS, Stm32Store},
    scenario::{
        Answer as Reply, ClockStep, DURATION_MS_MAX, Description, Driver, DriverMemory, Given,
        Group, Observer, Op, Outage, Pressure, REPLIES_PER_SENSOR, Reply as ReplyDue, SensorRun,
        Shape, group_stats,
    },
};
use core::sync::atomic::{Ordering, compiler_fence};

/// The machine below: its clock, its memory, and its ways to break.
pub trait Board {
    /// The clock's count now: 24 or 32 bits that go up and wrap.
    fn ticks(&self) -> u32;
    /// Ticks from `began` to `ended`, two counts of the clock.
    fn elapsed(&self, began: u32, ended: u32) -> u32;
    /// What the image takes of memory.
    fn footprint(&self) -> Footprint;
    /// Breaks as asked. Returns only where that is not possible.
    fn provoke(&mut self, fault: Fault);
}

/// Who the device says that it is.
#[derive(Clone, Copy, Debug)]
pub struct Identity {
    /// The firmware's version with its commit.
    pub version: [u8; VERSION_BYTES],
    /// What the board's clock is.
    pub clock: DeviceClock,
}

const GROUPS_MAX: usize = STM32_SENSORS;
const OUTAGES_MAX: usize = 256;
const CLOCK_STEPS_MAX: usize = 64;
const PRESSURES_MAX: usize = 64;
const BATCH_RECORDS_MAX: usize = 256;

/// A place without a group: nothing but zeros, so that a static of many is no bytes in flash.
const NO_GROUP: Group = Group {
    kind: Kind::TimeSeries,
    source: 0,
    first_id: 0,
    count: 0,
    period_first_ms: 0,
    period_last_ms: 0,
    jitter_ms: 0,
    burst_records: 0,
    burst_spacing_ms: 0,
    shape: Shape::Constant { value: 0 },
    first_seq: 0,
    leaves_ms: 0,
};

/// A scenario as it came over the line.
#[derive(Debug)]
struct Parts {
    groups: List<Group, GROUPS_MAX>,
    outages: List<Outage, OUTAGES_MAX>,
    clock_steps: List<ClockStep, CLOCK_STEPS_MAX>,
    pressures: List<Pressure, PRESSURES_MAX>,
}

/// Items up to a number that is known when the program is built.
#[derive(Debug)]
struct List<T, const MAX: usize> {
    items: [T; MAX],
    len: usize,
}

impl<T: Copy, const MAX: usize> List<T, MAX> {
    const fn new(blank: T) -> Self {
        Self { items: [blank; MAX], len: 0 }
    }

    fn push(&mut self, item: T) -> Option<()> {
        *self.items.get_mut(self.len)? = item;
        self.len += 1;
        Some(())
    }

    fn as_slice(&self) -> &[T] {
        &self.items[..self.len]
    }
}

/// Everything that a device needs beside its line: for a static. The store is `Stm32Store`.
#[derive(Debug)]
pub struct DeviceMemory {
    parts: Parts,
    runs: [SensorRun; STM32_SENSORS],
    due: [u64; STM32_SENSORS],
    replies: [ReplyDue; STM32_SENSORS * REPLIES_PER_SENSOR],
    batch: [Record; BATCH_RECORDS_MAX],
    peeked: [Record; BATCH_RECORDS_MAX],
    meters: [Meter; OPERATIONS],
}

impl DeviceMemory {
    /// Memory in which no scenario is.
    pub const fn new() -> Self {
        const OUTAGE: Outage = Outage { from_ms: 0, until_ms: 0 };
        const STEP: ClockStep = ClockStep { at_ms: 0, by_ms: 0, to_utc: false };
        const PRESSURE: Pressure = Pressure { at_ms: 0, sectors_max: 0 };
        Self {
            parts: Parts {
                groups: List::new(NO_GROUP),
                outages: List::new(OUTAGE),
                clock_steps: List::new(STEP),
                pressures: List::new(PRESSURE),
            },
            runs: [SensorRun::VACANT; STM32_SENSORS],
            due: [0; STM32_SENSORS],
            replies: [ReplyDue::VACANT; STM32_SENSORS * REPLIES_PER_SENSOR],
            batch: [Record::NONE; BATCH_RECORDS_MAX],
            peeked: [Record::NONE; BATCH_RECORDS_MAX],
            meters: [const { Meter::new() }; OPERATIONS],
        }
    }
}

impl Default for DeviceMemory {
    fn default() -> Self {
        Self::new()
    }
}

/// A device on its line.
#[derive(Debug)]
pub struct Device<'m, L, B> {
    port: Port<L>,
    board: B,
    identity: Identity,
    store: &'m mut Stm32Store,
    memory: &'m mut DeviceMemory,
    begin: Option<Begin>,
    provoke: Option<(Fault, u64)>,
    /// What the end of the last run is answered with.
    outcome: Option<Answer>,
}

impl<'m, L: Link, B: Board> Device<'m, L, B> {
    /// A device that has not been spoken to since its reset.
    pub fn new(
        port: Port<L>,
        board: B,
        identity: Identity,
        store: &'m mut Stm32Store,
        memory: &'m mut DeviceMemory,
    ) -> Self {
        Self { port, board, identity, store, memory, begin: None, provoke: None, outcome: None }
    }

    /// Looks at the line, and does what is asked there. Takes as long as a scenario does, if one is
    /// to be run. Says whether anything was asked.
    pub fn serve(&mut self) -> bool {
        let Some(Request { number, command }) = self.port.next_request() else { return false };
        if command == Command::Run {
            self.run(number);
        } else {
            let answer = self.carry_out(command);
            self.port.answer(number, answer);
        }
        true
    }

    fn carry_out(&mut self, command: Command) -> Answer {
        let done = |refusal: Option<Refusal>| refusal.map_or(Answer::Done, Answer::Refused);
        match command {
            Command::Hello { .. } => Answer::Hello(self.hello()),
            Command::Begin(begin) => {
                (self.begin, self.provoke, self.outcome) = (None, None, None);
                self.memory.parts.clear();
                let refusal = refusal_of(&begin);
                self.begin = refusal.is_none().then_some(begin);
                done(refusal)
            }
            Command::Group(group) => done(self.memory.parts.add_group(group)),
            Command::Outage(outage) => {
                let max = OUTAGES_MAX as u32;
                let pushed = self.memory.parts.outages.push(outage);
                pushed.map_or(Answer::Refused(Refusal::Outages { max }), |()| Answer::Done)
            }
            Command::ClockStep(step) => {
                let max = CLOCK_STEPS_MAX as u32;
                let pushed = self.memory.parts.clock_steps.push(step);
                pushed.map_or(Answer::Refused(Refusal::ClockSteps { max }), |()| Answer::Done)
            }
            Command::Pressure(pressure) => {
                let max = PRESSURES_MAX as u32;
                let pushed = self.memory.parts.pressures.push(pressure);
                pushed.map_or(Answer::Refused(Refusal::Pressures { max }), |()| Answer::Done)
            }
            Command::Provoke { fault, at_ms } => {
                self.provoke = Some((fault, at_ms));
                Answer::Done
            }
            Command::Poll => self.outcome.unwrap_or(Answer::Refused(Refusal::NoRun)),
            // `Run` is not carried out here, and there is nothing left to stop.
            Command::Run | Command::Stop => Answer::Done,
            Command::GroupStats { group } => self.group_stats(group),
            Command::Buckets { operation, block } => {
                let counts = self.memory.meters[operation.index()].block(block.into());
                let buckets = counts.map(|counts| Answer::Buckets(Buckets { counts }));
                buckets.unwrap_or(Answer::Refused(Refusal::Invalid))
            }
        }
    }

    fn hello(&self) -> Hello {
        Hello {
            magic: MAGIC,
            protocol: PROTOCOL,
            version: self.identity.version,
            clock: self.identity.clock,
            geometry: Geometry {
                store_bytes: size_of::<Stm32Store>() as u32,
                sensors: STM32_SENSORS as u32,
                sectors: STM32_SECTORS as u32,
                sector_bytes: STM32_SECTOR_BYTES,
            },
        }
    }

    fn group_stats(&self, group: u32) -> Answer {
        let groups = self.memory.parts.groups.as_slice();
        if self.outcome.is_none() {
            return Answer::Refused(Refusal::NoRun);
        }
        if group as usize >= groups.len() {
            return Answer::Refused(Refusal::Invalid);
        }
        Answer::GroupStats(group_stats(&*self.store, groups, &self.memory.runs, group))
    }

    fn run(&mut self, number: u32) {
        let DeviceMemory { parts, runs, due, replies, batch, peeked, meters } = &mut *self.memory;
        let Some(begin) = self.begin else {
            return self.port.answer(number, Answer::Refused(Refusal::NoRun));
        };
        self.port.answer(number, Answer::Done);
        for meter in &mut *meters {
            meter.clear();
        }
        self.store.reopen(begin.config);
        let sensors = parts.sensors() as usize;
        let mut observer = Observing {
            port: &mut self.port,
            board: &mut self.board,
            meters,
            provoke: self.provoke,
            began: 0,
            taken: 0,
            progress: Progress::default(),
            is_stopped: false,
        };
        let empty_ticks = observer.empty_ticks();
        let memory = DriverMemory {
            sensors: &mut runs[..sensors],
            due: &mut due[..sensors],
            replies: &mut replies[..sensors * REPLIES_PER_SENSOR],
            batch,
            peeked,
        };
        let description = parts.description(&begin);
        self.outcome = match Driver::new(&description, &mut *self.store, &mut observer, memory) {
            Err(_) => Some(Answer::Refused(Refusal::Register)),
            Ok(driver) => {
                let summary = driver.run();
                let footprint = self.board.footprint();
                let costs = core::array::from_fn(|index| meters[index].cost());
                let is_sound = self.store.check().is_ok();
                Some(Answer::Report(Report {
                    digest: summary.digest,
                    virtual_ms: summary.virtual_ms,
                    totals: summary.totals,
                    records_delivered: summary.records_delivered,
                    batches: summary.batches,
                    stale_answers: summary.stale_answers,
                    pool: self.store.pool(),
                    ledger: self.store.ledger(),
                    costs,
                    empty_ticks,
                    footprint,
                    is_sound,
                }))
            }
        };
    }
}

/// Why a scenario cannot be run here, as far as its beginning says.
fn refusal_of(begin: &Begin) -> Option<Refusal> {
    if begin.duration_ms == 0 || begin.duration_ms > DURATION_MS_MAX {
        return Some(Refusal::Invalid);
    }
    let uploader = begin.uploader?;
    if uploader.batch_records as usize > BATCH_RECORDS_MAX {
        return Some(Refusal::Batch { max: BATCH_RECORDS_MAX as u32 });
    }
    (uploader.every_ms == 0 || uploader.batch_records == 0).then_some(Refusal::Invalid)
}

impl Parts {
    fn clear(&mut self) {
        (self.groups.len, self.outages.len) = (0, 0);
        (self.clock_steps.len, self.pressures.len) = (0, 0);
    }

    /// Takes a group if it is one that the driver can run: it came over a line.
    fn add_group(&mut self, group: Group) -> Option<Refusal> {
        let cycle_ms = match group.shape {
            Shape::Sine { cycle_ms, .. } => cycle_ms,
            Shape::Burst { every_ms, .. } => every_ms,
            _ => 1,
        };
        let least = [
            group.count,
            group.period_first_ms,
            group.period_last_ms,
            group.burst_records,
            cycle_ms,
        ];
        if least.contains(&0) || group.jitter_ms > u32::MAX / 2 {
            return Some(Refusal::Invalid);
        }
        let sensors_max = STM32_SENSORS as u32;
        if group.count > sensors_max - self.sensors() {
            return Some(Refusal::Sensors { max: sensors_max });
        }
        self.groups.push(group).is_none().then_some(Refusal::Groups { max: GROUPS_MAX as u32 })
    }

    fn sensors(&self) -> u32 {
        self.groups.as_slice().iter().map(|group| group.count).sum()
    }

    fn description(&self, begin: &Begin) -> Description<'_> {
        Description {
            seed: begin.seed,
            duration_ms: begin.duration_ms,
            start: begin.start,
            groups: self.groups.as_slice(),
            uploader: begin.uploader,
            outages: self.outages.as_slice(),
            clock_steps: self.clock_steps.as_slice(),
            pressures: self.pressures.as_slice(),
            disk_limits: &[],
            restarts: &[],
        }
    }
}

/// Measures a run, and answers the host meanwhile.
struct Observing<'a, L, B> {
    port: &'a mut Port<L>,
    board: &'a mut B,
    meters: &'a mut [Meter; OPERATIONS],
    provoke: Option<(Fault, u64)>,
    began: u32,
    /// Ticks of the operation that ended last, until its kind is known.
    taken: u32,
    progress: Progress,
    is_stopped: bool,
}

impl<L: Link, B: Board> Observing<'_, L, B> {
    /// What a measurement of nothing costs: the least of several.
    fn empty_ticks(&mut self) -> u32 {
        let mut least = u32::MAX;
        for _ in 0..16 {
            self.begin_ticks();
            self.end_ticks();
            least = least.min(self.taken);
        }
        least
    }

    #[inline]
    fn begin_ticks(&mut self) {
        // The operation's memory accesses stay between the two looks at the clock.
        compiler_fence(Ordering::SeqCst);
        self.began = self.board.ticks();
        compiler_fence(Ordering::SeqCst);
    }

    #[inline]
    fn end_ticks(&mut self) {
        compiler_fence(Ordering::SeqCst);
        let ended = self.board.ticks();
        compiler_fence(Ordering::SeqCst);
        self.taken = self.board.elapsed(self.began, ended);
    }

    fn count(&mut self, operation: Operation) {
        self.progress.operations += 1;
        self.meters[operation.index()].record(self.taken);
    }

    fn count_add(&mut self, kind: Kind) {
        self.count(match kind {
            Kind::TimeSeries => Operation::AddSeries,
            Kind::Event => Operation::AddEvent,
        });
    }

    fn answer_host(&mut self) {
        while let Some(request) = self.port.next_request() {
            let answer = match request.command {
                Command::Poll => Answer::Progress(self.progress),
                Command::Stop => {
                    self.is_stopped = true;
                    Answer::Done
                }
                _ => Answer::Refused(Refusal::Busy),
            };
            self.port.answer(request.number, answer);
        }
    }
}

impl<L: Link, B: Board> Observer<Stm32Store> for Observing<'_, L, B> {
    #[inline]
    fn begin(&mut self, _: Op) {
        self.begin_ticks();
    }

    #[inline]
    fn end(&mut self, op: Op) {
        self.end_ticks();
        match op {
            // Its kind is told in a moment.
            Op::Add => {}
            Op::Consume => self.count(Operation::Consume),
            Op::Answer => self.count(Operation::Answer),
        }
    }

    fn added(&mut self, _: u64, given: Given, _: u64) {
        self.count_add(given.kind);
        self.progress.held += 1;
    }

    fn refused(&mut self, _: u64, given: Given, _: AppendError, _: PoolStats) {
        self.count_add(given.kind);
    }

    fn answered(
        &mut self,
        _: u64,
        token: BatchToken,
        answer: Reply,
        result: Result<(), StaleBatch>,
    ) {
        if result.is_ok() && answer != Reply::Nack {
            self.progress.held = self.progress.held.saturating_sub(token.count().into());
        }
    }

    fn wants_end(&mut self, now_ms: u64) -> bool {
        self.progress.virtual_ms = now_ms;
        self.answer_host();
        if let Some((fault, at_ms)) = self.provoke
            && at_ms <= now_ms
        {
            self.provoke = None;
            self.board.provoke(fault);
        }
        self.is_stopped
    }
}
