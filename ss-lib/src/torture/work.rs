//! What the process does that is ended: adds, an uploader that answers, a manager that writes, and a line
//! before everything that could be missed and after everything that was promised.

use super::{
    load::{Load, SENSORS, add, register},
    receipt,
};
use crate::{
    AppendError, BatchToken, ConsumeError, Record, Sensor,
    disk::Disk,
    gateway::{Gateway, OpenError, ShutdownReport},
};
use std::{
    fmt,
    io::{self, Write},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

/// An orderly end may take so long.
const DEADLINE: Duration = Duration::from_secs(20);
/// A sensor adds so many records at most before it is said how far it may go on.
const ADDS_AHEAD: u64 = 4_096;
/// The most that a sensor holds before its producer waits.
const BACKLOG_MAX: u64 = 20_000;
const BATCH_RECORDS: usize = 40;
/// Virtual time from one step to the next.
const STEP_MS: u64 = 100;

/// How a process works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Work {
    /// Chooses settings and loads.
    pub seed: u64,
    /// In so many steps on one thread, which do the same system calls each time; `None`: on four threads
    /// until it is asked to end.
    pub steps: Option<u32>,
}

/// How it ended by itself.
#[derive(Debug)]
pub enum Outcome {
    /// The store could not be opened.
    NotOpened(OpenError),
    /// What it had to say could not be written.
    NotSaid(io::Error),
    /// A sensor could not be registered, or an answer was refused: that must never be.
    Impossible(&'static str),
    /// The store was shut down.
    ShutDown(ShutdownReport),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOpened(error) => error.fmt(f),
            Self::NotSaid(error) => write!(f, "the receipts could not be written: {error}"),
            Self::Impossible(what) => f.write_str(what),
            Self::ShutDown(ShutdownReport { left, error: Some(error), .. }) => {
                write!(f, "{left} records were left in RAM: {error}")
            }
            Self::ShutDown(report) => write!(f, "{} records were left in RAM", report.left),
        }
    }
}

/// Works on the store until `stop` (or for its steps), then shuts it down. Lines go to `out`, each at once.
pub fn work<D: Disk>(disk: D, work: Work, stop: &AtomicBool, out: &mut dyn Write) -> Outcome {
    match try_work(disk, work, stop, out) {
        Ok(report) => Outcome::ShutDown(report),
        Err(outcome) => outcome,
    }
}

struct Worker<'a, D: Disk> {
    gateway: Gateway<D>,
    sensors: [Sensor; SENSORS],
    /// How far each sensor may add: it was said.
    limits: Arc<[AtomicU64; SENSORS]>,
    load: Load,
    out: &'a mut dyn Write,
}

fn try_work<D: Disk>(
    disk: D,
    work: Work,
    stop: &AtomicBool,
    out: &mut dyn Write,
) -> Result<ShutdownReport, Outcome> {
    let load = Load::new(work.seed);
    let mut gateway = Gateway::open(disk, &load.config()).map_err(Outcome::NotOpened)?;
    let registered = register(&mut gateway);
    let sensors = registered.map_err(|_| Outcome::Impossible("a sensor was not registered"))?;
    let mut worker = Worker { gateway, sensors, limits: Default::default(), load, out };
    let epoch = worker.gateway.epoch();
    worker.say(&receipt::opened(epoch))?;
    worker.tell()?;
    match work.steps {
        Some(steps) => worker.run_steps(steps)?,
        None => worker.run_threads(stop)?,
    }
    let deadline = work.steps.is_none().then_some(DEADLINE);
    let report = worker.gateway.shut_down(deadline, &mut |_| ());
    worker.tell()?;
    if report.is_complete() {
        worker.say(receipt::ENDED)?;
    }
    Ok(report)
}

impl<D: Disk> Worker<'_, D> {
    fn say(&mut self, text: &str) -> Result<(), Outcome> {
        self.out
            .write_all(text.as_bytes())
            .and_then(|()| self.out.flush())
            .map_err(Outcome::NotSaid)
    }

    /// Says where every sensor stands, and lets it add further.
    fn tell(&mut self) -> Result<(), Outcome> {
        let mut text = String::new();
        let mut limits = [0; SENSORS];
        for (place, &sensor) in self.sensors.iter().enumerate() {
            let Ok(levels) = self.gateway.levels(sensor) else { continue };
            limits[place] = levels.added_seq + ADDS_AHEAD;
            text += &receipt::levels(place, limits[place], &levels);
        }
        self.say(&text)?;
        for (limit, said) in self.limits.iter().zip(limits) {
            limit.store(said, Relaxed);
        }
        Ok(())
    }

    /// One batch of one sensor is consumed and answered.
    fn upload(&mut self, round: u64) -> Result<(), Outcome> {
        let place = (round % SENSORS as u64) as usize;
        let mut out = [Record::default(); BATCH_RECORDS];
        let size = 1 + self.load.choose(round, BATCH_RECORDS as u64) as usize;
        match self.gateway.consume(self.sensors[place], &mut out[..size]) {
            Ok(Some(token)) => self.answer(place, token, round),
            Ok(None) | Err(ConsumeError::Unreadable) => Ok(()),
            Err(_) => Err(Outcome::Impossible("a batch was pending that nobody was handed")),
        }
    }

    fn answer(&mut self, place: usize, token: BatchToken, round: u64) -> Result<(), Outcome> {
        let answered = match round % 11 {
            3 => self.gateway.nack(token),
            kind => {
                self.say(&receipt::answers(place, token.first_seq() + u64::from(token.count())))?;
                if kind == 7 { self.gateway.reject(token) } else { self.gateway.ack(token) }
            }
        };
        answered.map_err(|_| Outcome::Impossible("an answer was refused"))
    }

    fn run_threads(&mut self, stop: &AtomicBool) -> Result<(), Outcome> {
        let manager = self.gateway.start_manager();
        let (gateway, sensors) = (self.gateway.clone(), self.sensors);
        let limits = Arc::clone(&self.limits);
        let is_over = AtomicBool::new(false);
        let pauses = [0, 1].map(|turn| Duration::from_micros(20 << self.load.choose(20 + turn, 5)));
        let uploads_us = 200 << self.load.choose(30, 4);
        let result = thread::scope(|scope| {
            for (turn, pause) in pauses.into_iter().enumerate() {
                let (gateway, limits, is_over) = (gateway.clone(), &limits, &is_over);
                scope.spawn(move || produce(gateway, &sensors, limits, turn, pause, is_over));
            }
            let mut round = 0;
            let mut work = || {
                while !stop.load(Relaxed) {
                    round += 1;
                    self.upload(round)?;
                    self.tell()?;
                    thread::sleep(Duration::from_micros(uploads_us));
                }
                Ok(())
            };
            let result = work();
            is_over.store(true, Relaxed);
            result
        });
        drop(manager);
        result
    }

    fn run_steps(&mut self, steps: u32) -> Result<(), Outcome> {
        for step in 0..u64::from(steps) {
            for place in 0..SENSORS {
                for _ in 0..1 + self.load.choose(100 + place as u64, 40) {
                    add_next(&mut self.gateway, self.sensors[place], place);
                }
            }
            self.gateway.tick(step * STEP_MS);
            self.tell()?;
            self.upload(3 * step)?;
            self.upload(3 * step + 1)?;
        }
        Ok(())
    }
}

/// Adds a sensor's next record, for its single producer. Says whether it was taken.
fn add_next<D: Disk>(gateway: &mut Gateway<D>, sensor: Sensor, place: usize) -> bool {
    let Ok(config) = gateway.sensor_config(sensor) else { return false };
    match add(gateway, sensor, place, config.first_seq) {
        Ok(seq) => {
            assert_eq!(seq, config.first_seq, "a sensor's numbers go on one by one");
            true
        }
        Err(error) => {
            let is_known = matches!(error, AppendError::Full | AppendError::ShuttingDown);
            assert!(is_known, "{error}");
            false
        }
    }
}

fn produce<D: Disk>(
    mut gateway: Gateway<D>,
    sensors: &[Sensor; SENSORS],
    limits: &[AtomicU64; SENSORS],
    turn: usize,
    pause: Duration,
    is_over: &AtomicBool,
) {
    while !is_over.load(Relaxed) {
        for place in (turn..SENSORS).step_by(2) {
            let sensor = sensors[place];
            let is_due = gateway.sensor_config(sensor).is_ok_and(|config| {
                config.first_seq < limits[place].load(Relaxed)
                    && gateway.retained(sensor).is_ok_and(|held| held < BACKLOG_MAX)
            });
            if is_due {
                add_next(&mut gateway, sensor, place);
            }
        }
        thread::sleep(pause);
    }
}
