//! The wire: its bytes, and what a bad line does to it.

use rand::{RngExt, SeedableRng, rngs::SmallRng};
use ss_lib::{
    Kind, SensorStats, Timestamp,
    ram::{Config, FullPolicy, LedgerStats, PoolStats, Stm32Store},
    scenario::{
        ClockStep, Group, Outage, Pressure, Shape, Uploader,
        run::{Unwatched, run},
        text::{Overrides, Scenario},
    },
    wire::{
        Answer, BLOCK_BUCKETS, Begin, Board, Buckets, CallError, Client, Command, Cost, Device,
        DeviceClock, DeviceMemory, Fault, Footprint, Geometry, Hello, HostLink, Identity, Link,
        MAGIC, Operation, PROTOCOL, Port, Progress, Refusal, Report, Request, Response,
        frame::{Decoder, FRAME_BYTES_MAX, FrameError, encode},
        version_bytes,
    },
};
use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

// ---- bytes ---------------------------------------------------------------------------------------

const HELLO: Hello = Hello {
    magic: MAGIC,
    protocol: 1,
    version: version_bytes("0.1.0 0123456789ab"),
    clock: DeviceClock::SysTick { hz: 16_000_000 },
    geometry: Geometry { store_bytes: 32_760, sensors: 100, sectors: 100, sector_bytes: 256 },
};

const STATS: SensorStats = SensorStats {
    added: 1,
    refused: 2,
    erased: 3,
    rejected: 4,
    pending: 5,
    unsent: 6,
    dropped_recycled: 7,
    dropped_corrupt: 8,
    dropped_quota: 0,
    dropped_disk_max: u64::MAX,
};

fn requests() -> Vec<Command> {
    let uploader = Uploader {
        every_ms: 1_000,
        batch_records: 60,
        batches_per_round: 20,
        latency_ms: 150,
        latency_jitter_ms: 100,
        timeout_ms: 2_000,
        backoff_ms: 0,
        nack_ppm: 10_000,
        lost_ppm: 5_000,
        late_ppm: 5_001,
        duplicate_ppm: 5_002,
        reject_ppm: 5_003,
    };
    let group = Group {
        kind: Kind::Event,
        source: 2,
        first_id: 1_000,
        count: 20,
        period_first_ms: 5_000,
        period_last_ms: 60_000,
        jitter_ms: 2_000,
        burst_records: 1,
        burst_spacing_ms: 0,
        shape: Shape::Burst { low: 0, high: 1, every_ms: 3_600_000, length_ms: 300_000 },
        first_seq: 0,
        leaves_ms: u64::MAX,
    };
    let shapes = [
        Shape::Constant { value: 5 },
        Shape::Ramp { from: 6, step: 7 },
        Shape::RandomWalk { from: 8, step: 9 },
        Shape::Sine { mean: 10, amplitude: 11, cycle_ms: 12 },
    ];
    let begin = Begin {
        config: Config { policy: FullPolicy::RecycleOldest, epoch: 1 },
        seed: 100,
        duration_ms: 86_400_000,
        start: Timestamp::utc(1_767_225_600_000),
        uploader: Some(uploader),
    };
    let mut commands = vec![Command::Hello { protocol: 1 }, Command::Begin(begin)];
    commands.push(Command::Begin(Begin {
        config: Config { policy: FullPolicy::RefuseNew, epoch: 0 },
        start: Timestamp::monotonic(0),
        uploader: None,
        ..begin
    }));
    commands.push(Command::Group(group));
    for shape in shapes {
        commands.push(Command::Group(Group { kind: Kind::TimeSeries, shape, ..group }));
    }
    commands.push(Command::Outage(Outage { from_ms: 1, until_ms: 2 }));
    commands.push(Command::ClockStep(ClockStep { at_ms: 3, by_ms: -4, to_utc: true }));
    commands.push(Command::Pressure(Pressure { at_ms: 5, sectors_max: 6 }));
    for fault in [Fault::Panic, Fault::HardFault, Fault::LockUp, Fault::Hang, Fault::Reset] {
        commands.push(Command::Provoke { fault, at_ms: 300 });
    }
    commands.extend([Command::Run, Command::Poll, Command::Stop]);
    commands.push(Command::GroupStats { group: 3 });
    for operation in Operation::ALL {
        commands.push(Command::Buckets { operation, block: 19 });
    }
    commands
}

fn answers() -> Vec<Answer> {
    let cost = |count| Cost { count, sum: count * 200, min: 190, max: 399 };
    let report = Report {
        digest: 0x0123_4567_89AB_CDEF,
        virtual_ms: 86_400_000,
        totals: STATS,
        records_delivered: 9,
        batches: 10,
        stale_answers: 11,
        pool: PoolStats {
            sectors_total: 100,
            sectors_used: 1,
            sectors_peak: 2,
            sectors_limit: 100,
        },
        ledger: LedgerStats { entries: 1, records: 2, forgotten: 3 },
        costs: [cost(1), cost(2), cost(3), cost(4)],
        empty_ticks: 8,
        footprint: Footprint {
            static_bytes: 106_400,
            stack_bytes: 24_672,
            stack_peak_bytes: 4_340,
            flash_bytes: 60_000,
        },
        is_sound: true,
    };
    let cycles = Hello { clock: DeviceClock::Cycles { hz: 168_000_000 }, ..HELLO };
    let mut answers = vec![Answer::Hello(HELLO), Answer::Hello(cycles), Answer::Done];
    answers.push(Answer::Progress(Progress { virtual_ms: 100, operations: 200, held: 300 }));
    answers.push(Answer::Report(report));
    answers.push(Answer::GroupStats(STATS));
    let counts = core::array::from_fn::<u32, BLOCK_BUCKETS, _>(|at| at as u32 * 1_000);
    answers.push(Answer::Buckets(Buckets { counts }));
    let refusals = [
        Refusal::NoHello,
        Refusal::Busy,
        Refusal::NoRun,
        Refusal::Sensors { max: 100 },
        Refusal::Groups { max: 100 },
        Refusal::Outages { max: 256 },
        Refusal::ClockSteps { max: 64 },
        Refusal::Pressures { max: 64 },
        Refusal::Batch { max: 256 },
        Refusal::Invalid,
        Refusal::Register,
    ];
    answers.extend(refusals.map(Answer::Refused));
    answers
}

fn frame_of(message: &impl serde::Serialize) -> String {
    use std::fmt::Write;
    let mut frame = [0; FRAME_BYTES_MAX];
    let len = encode(message, &mut frame).expect("it fits");
    frame[..len].iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Every message's frame, a line each.
fn frames() -> String {
    let mut text = String::new();
    for (number, command) in (1..).zip(requests()) {
        text += &format!("{}\n", frame_of(&Request { number, command }));
    }
    for (number, answer) in (1..).zip(answers()) {
        text += &format!("{}\n", frame_of(&Response { boot: 0xDEAD_BEEF, number, answer }));
    }
    text
}

#[test]
#[test]
fn every_message_has_the_bytes_that_it_always_had() {
    let golden = include_str!("wire.golden");
    for (at, (now, then)) in frames().lines().zip(golden.lines()).enumerate() {
        assert_eq!(
            now, then,
            "message {at}: a new layout is a new wire::PROTOCOL (now {PROTOCOL})"
        );
    }
    assert_eq!(frames().lines().count(), golden.lines().count());
}

/// These bytes are for ever: whatever else changes, program and firmware of any two versions tell each
/// other which they are.
#[test]
fn the_first_exchange_is_frozen() {
    let hello = Request { number: 1, command: Command::Hello { protocol: 1 } };
    assert_eq!(frame_of(&hello), include_str!("wire.golden").lines().next().unwrap());
}

#[test]
fn every_message_comes_back_as_it_was_sent() {
    let mut frame = [0; FRAME_BYTES_MAX];
    let mut decoder = Decoder::new();
    for (number, command) in (1..).zip(requests()) {
        let request = Request { number, command };
        let len = encode(&request, &mut frame).unwrap();
        let ended = frame[..len].iter().filter_map(|&byte| decoder.push(byte)).last();
        assert_eq!((ended, decoder.message()), (Some(Ok(())), Ok(request)));
    }
    for (number, answer) in (1..).zip(answers()) {
        let response = Response { boot: 1, number, answer };
        let len = encode(&response, &mut frame).unwrap();
        let ended = frame[..len].iter().filter_map(|&byte| decoder.push(byte)).last();
        assert_eq!((ended, decoder.message()), (Some(Ok(())), Ok(response)));
    }
}

#[test]
fn a_flipped_bit_anywhere_in_a_frame_is_noticed() {
    let request =
        Request { number: 7, command: Command::Outage(Outage { from_ms: 1, until_ms: 2 }) };
    let mut frame = [0; FRAME_BYTES_MAX];
    let len = encode(&request, &mut frame).unwrap();
    for bit in 0..len * 8 {
        let mut garbled = frame;
        garbled[bit / 8] ^= 1 << (bit % 8);
        let mut decoder = Decoder::new();
        let ended: Vec<_> = garbled[..len].iter().filter_map(|&byte| decoder.push(byte)).collect();
        // Bits of the zeros at the ends may leave the frame as it was, or without an end.
        let is_at_an_end = bit < 8 || bit >= (len - 1) * 8;
        assert!(is_at_an_end || ended.iter().all(Result::is_err), "bit {bit}: {ended:?}");
    }
}

#[test]
fn endless_bytes_are_no_frame_and_the_next_one_is() {
    let mut decoder = Decoder::new();
    for _ in 0..10 * FRAME_BYTES_MAX {
        assert_eq!(decoder.push(1), None);
    }
    assert_eq!(decoder.push(0), Some(Err(FrameError::TooLong)));
    let request = Request { number: 7, command: Command::Run };
    let mut frame = [0; FRAME_BYTES_MAX];
    let len = encode(&request, &mut frame).unwrap();
    let ended = frame[..len].iter().filter_map(|&byte| decoder.push(byte)).last();
    assert_eq!((ended, decoder.message()), (Some(Ok(())), Ok(request)));
}

// ---- a bad line ----------------------------------------------------------------------------------

/// What a line does to what it carries, in percent of the frames.
#[derive(Clone, Copy)]
struct Faults {
    dropped: u32,
    doubled: u32,
    cut: u32,
    garbled: u32,
}

const NONE: Faults = Faults { dropped: 0, doubled: 0, cut: 0, garbled: 0 };

/// One direction of a line.
#[derive(Clone)]
struct Wire(Arc<Mutex<(VecDeque<u8>, SmallRng, Faults)>>);

impl Wire {
    fn new(seed: u64, faults: Faults) -> Self {
        Self(Arc::new(Mutex::new((VecDeque::new(), SmallRng::seed_from_u64(seed), faults))))
    }

    fn take(&self, out: &mut [u8]) -> usize {
        let bytes = &mut self.0.lock().unwrap().0;
        let count = out.len().min(bytes.len());
        for (place, byte) in out.iter_mut().zip(bytes.drain(..count)) {
            *place = byte;
        }
        count
    }

    fn put(&self, frame: &[u8]) {
        let (bytes, rng, faults) = &mut *self.0.lock().unwrap();
        let mut frame = frame.to_vec();
        let mut hits = |percent| rng.random_range(0..100) < percent;
        let (dropped, doubled) = (hits(faults.dropped), hits(faults.doubled));
        let (cut, garbled) = (hits(faults.cut), hits(faults.garbled));
        if dropped {
            return;
        }
        if cut {
            frame.truncate(rng.random_range(0..frame.len()));
        }
        if garbled && !frame.is_empty() {
            let at = rng.random_range(0..frame.len());
            frame[at] ^= 1 << rng.random_range(0..8);
        }
        bytes.extend(&frame);
        if doubled {
            bytes.extend(&frame);
        }
    }
}

struct DeviceEnd(Wire, Wire);

impl Link for DeviceEnd {
    fn read(&mut self, out: &mut [u8]) -> usize {
        self.0.take(out)
    }

    fn write(&mut self, bytes: &[u8]) -> usize {
        self.1.put(bytes);
        bytes.len()
    }
}

struct HostEnd(Wire, Wire);

impl HostLink for HostEnd {
    type Error = ();

    fn read(&mut self, out: &mut [u8]) -> Result<usize, ()> {
        Ok(self.1.take(out))
    }

    fn write(&mut self, bytes: &[u8]) -> Result<usize, ()> {
        self.0.put(bytes);
        Ok(bytes.len())
    }

    fn idle(&mut self) -> Result<(), ()> {
        thread::sleep(Duration::from_micros(50));
        Ok(())
    }
}

/// A machine whose clock stands still.
struct Still;

impl Board for Still {
    fn ticks(&self) -> u32 {
        0
    }

    fn elapsed(&self, _: u32, _: u32) -> u32 {
        1
    }

    fn footprint(&self) -> Footprint {
        Footprint::default()
    }

    fn provoke(&mut self, _: Fault) {}
}

/// A device on a thread of its own, until this is dropped.
struct DeviceThread {
    is_over: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl DeviceThread {
    fn start(boot: u32, link: DeviceEnd) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let thread = thread::spawn({
            let is_over = Arc::clone(&is_over);
            move || {
                let mut store = Box::new(Stm32Store::open(Config::default()));
                let mut memory = Box::new(DeviceMemory::new());
                let clock = DeviceClock::SysTick { hz: 1 };
                let identity = Identity { version: version_bytes("test"), clock };
                let port = Port::new(link, boot);
                let mut device = Device::new(port, Still, identity, &mut store, &mut memory);
                while !is_over.load(Ordering::Relaxed) {
                    if !device.serve() {
                        thread::sleep(Duration::from_micros(50));
                    }
                }
            }
        });
        Self { is_over, thread: Some(thread) }
    }
}

impl Drop for DeviceThread {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(thread::JoinHandle::join);
    }
}

fn line(seed: u64, faults: Faults) -> (DeviceEnd, Client<HostEnd>) {
    let (down, up) = (Wire::new(seed, faults), Wire::new(!seed, faults));
    let mut client = Client::new(HostEnd(down.clone(), up.clone()), Duration::from_secs(30), 77);
    client.set_retry_every(Duration::from_millis(4));
    (DeviceEnd(down, up), client)
}

const SCENARIO: &str = r#"profile = "stm32"
duration = "30m"
seed = 5
[[sensors]]
name = "series"
count = 40
kind = "time-series"
source = 1
period = { from = "1s", to = "9s" }
jitter = "20ms"
value.sine = { mean = 500, amplitude = 200, cycle = "1h" }
[[sensors]]
name = "events"
count = 20
kind = "event"
source = 2
period = "3s"
[uploader]
every = "2s"
batch = 30
latency = "150ms"
nack = "2%"
late = "2%"
duplicate = "2%"
[[outage]]
at = "5m"
for = "3m"
[[clock_step]]
at = "10m"
by = "-5m"
[[pool_pressure]]
at = "12m"
for = "2m"
sectors = 50
"#;

fn scenario(seed: u64) -> Scenario {
    let overrides = Overrides { seed: Some(seed), ..Overrides::default() };
    Scenario::parse(SCENARIO, "wire.toml", "wire", &overrides).unwrap()
}

/// Runs the scenario over the line to its end.
fn run_over(client: &mut Client<HostEnd>, scenario: &Scenario) -> Result<Report, CallError<()>> {
    client.greet()?;
    let description = scenario.description();
    let begin = Begin {
        config: scenario.store_config(),
        seed: description.seed,
        duration_ms: description.duration_ms,
        start: description.start,
        uploader: description.uploader,
    };
    client.load(begin, &description)?;
    client.tell(Command::Run)?;
    loop {
        match client.call(Command::Poll)? {
            Answer::Report(report) => return Ok(report),
            Answer::Progress(_) => thread::sleep(Duration::from_millis(1)),
            answer => panic!("{answer:?}"),
        }
    }
}

#[test]
fn whatever_the_line_drops_doubles_cuts_or_garbles_every_run_ends_right() {
    let heavy = Faults { dropped: 15, doubled: 25, cut: 10, garbled: 10 };
    let lines = [
        NONE,
        Faults { dropped: 40, ..NONE },
        Faults { doubled: 100, ..NONE },
        Faults { cut: 40, ..NONE },
        Faults { garbled: 40, ..NONE },
        heavy,
        heavy,
        heavy,
    ];
    let mut retries = 0;
    for (seed, faults) in (1..).zip(lines) {
        let scenario = scenario(seed);
        let (end, mut client) = line(seed, faults);
        let _device = DeviceThread::start(1, end);
        let report = run_over(&mut client, &scenario).expect("the run ends");
        let host = run(&scenario, &mut Unwatched).unwrap().figures;
        assert_eq!((report.digest, report.totals), (host.digest, host.totals), "line {seed}");
        assert_eq!((report.pool, report.ledger), (host.ram.pool, host.ledger), "line {seed}");
        for (group, figures) in (0..).zip(&host.groups) {
            assert_eq!(client.group_stats(group), Ok(figures.stats), "line {seed}, group {group}");
        }
        let adds = client.buckets(Operation::AddSeries, 0).unwrap().counts;
        assert_eq!(u64::from(adds[1]), report.costs[0].count, "line {seed}");
        assert!(report.is_sound);
        retries += client.retries();
    }
    assert!(retries > 20, "the lines were not bad: {retries} retries");
}

#[test]
fn a_dead_line_is_given_up() {
    let (end, mut client) = line(1, Faults { dropped: 100, ..NONE });
    let _device = DeviceThread::start(1, end);
    let mut client = {
        let HostEnd(down, up) = client.link();
        let (down, up) = (down.clone(), up.clone());
        Client::new(HostEnd(down, up), Duration::from_millis(50), 1)
    };
    assert_eq!(client.greet(), Err(CallError::Silent(Duration::from_millis(50))));
}

#[test]
fn a_device_that_was_reset_is_noticed_at_the_next_question() {
    let (DeviceEnd(down, up), mut client) = line(1, NONE);
    let device = DeviceThread::start(1, DeviceEnd(down.clone(), up.clone()));
    client.greet().unwrap();
    drop(device);
    let _device = DeviceThread::start(2, DeviceEnd(down, up));
    assert_eq!(client.call(Command::Poll), Err(CallError::Reset));
    client.greet().unwrap();
    assert_eq!(client.call(Command::Poll), Err(CallError::Refused(Refusal::NoRun)));
}

/// Answers the first question with this, whoever asks.
fn answer_once(hello: Hello) -> Result<Hello, CallError<()>> {
    let (DeviceEnd(down, up), mut client) = line(1, NONE);
    let device = thread::spawn(move || {
        let mut port = Port::new(DeviceEnd(down, up), 1);
        loop {
            if let Some(request) = port.next_request() {
                return port.answer(request.number, Answer::Hello(hello));
            }
            thread::sleep(Duration::from_micros(50));
        }
    });
    let greeted = client.greet();
    device.join().unwrap();
    greeted
}

#[test]
fn another_version_and_another_program_are_told_apart() {
    assert_eq!(answer_once(HELLO), Ok(HELLO));
    let newer = Hello { protocol: PROTOCOL + 1, ..HELLO };
    assert_eq!(answer_once(newer), Err(CallError::Protocol(PROTOCOL + 1)));
    assert_eq!(answer_once(Hello { magic: 1, ..HELLO }), Err(CallError::Foreign));
}

#[test]
fn what_the_device_has_no_memory_for_is_refused_with_the_limit() {
    let (end, mut client) = line(1, NONE);
    let _device = DeviceThread::start(1, end);
    client.greet().unwrap();
    let [_, Command::Begin(begin), _, Command::Group(group), ..] = requests()[..] else {
        panic!("the list begins otherwise")
    };
    let uploader = begin.uploader.map(|up| Uploader { batch_records: 257, ..up });
    let refused = client.tell(Command::Begin(Begin { uploader, ..begin }));
    assert_eq!(refused, Err(CallError::Refused(Refusal::Batch { max: 256 })));
    assert_eq!(client.tell(Command::Run), Err(CallError::Refused(Refusal::NoRun)));
    client.tell(Command::Begin(begin)).unwrap();
    let refused = client.tell(Command::Group(Group { count: 101, ..group }));
    assert_eq!(refused, Err(CallError::Refused(Refusal::Sensors { max: 100 })));
    for zero in [
        Group { count: 0, ..group },
        Group { period_last_ms: 0, ..group },
        Group { shape: Shape::Sine { mean: 0, amplitude: 0, cycle_ms: 0 }, ..group },
    ] {
        assert_eq!(client.tell(Command::Group(zero)), Err(CallError::Refused(Refusal::Invalid)));
    }
    // A second group of the same names: the store does not take it, and the device says so at the end.
    client.tell(Command::Group(group)).unwrap();
    client.tell(Command::Group(group)).unwrap();
    client.tell(Command::Run).unwrap();
    assert_eq!(client.call(Command::Poll), Err(CallError::Refused(Refusal::Register)));
}
