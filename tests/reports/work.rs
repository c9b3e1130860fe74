//! A gateway at work, and every operation on its disk.

use super::{draw::Draw, report::hold};
use ss_lib::{
    BatchToken, ClockKind, Record, Sensor, SensorConfig, SensorKey, Timestamp, crc32c_append,
    disk::Origin,
    disk::sim::{Call, Due, Image, Outcome, SimDisk, SimFault, Step},
    gateway::{Durability, Gateway, GatewayConfig, WhenFull},
};
use std::fmt::Write;

/// Small enough that a few hundred rounds seal, squeeze and erase segments, and reach the quota.
pub(crate) fn config() -> GatewayConfig {
    GatewayConfig {
        pool_bytes: 8 << 10,
        sector_bytes: Some(64),
        segment_bytes: 64 << 10,
        reserve_bytes: 16 << 10,
        disk_max_bytes: 400 << 10,
        quota_bytes: 3 << 10,
        spill_after_ms: 2_000,
        durability: Durability::Interval { ms: 5_000 },
        full: WhenFull::RecycleOldest,
        origin: Origin { store_id: Some([7; 16]), ..Origin::default() },
        ..GatewayConfig::new(8)
    }
}

/// Many sensors with few records each, and segments that a squeeze has several groups of.
fn config_of_many() -> GatewayConfig {
    GatewayConfig {
        pool_bytes: 32 << 10,
        segment_bytes: 128 << 10,
        disk_max_bytes: 1 << 20,
        quota_bytes: 64 << 10,
        sensors_max: 90,
        losses_max: 90,
        ..config()
    }
}

/// A gateway and who uses it, all drawn from a seed.
pub(crate) struct Work {
    pub(crate) disk: SimDisk,
    gateway: Option<Gateway<SimDisk>>,
    config: GatewayConfig,
    sensors: Vec<Sensor>,
    open: Vec<BatchToken>,
    now_ms: u64,
    draw: Draw,
    /// The files by their numbers.
    names: Vec<String>,
    /// All that was done to the disk.
    pub(crate) steps: Vec<Step>,
    /// Faults that have come.
    failed: u64,
    lines: String,
}

impl Work {
    pub(crate) fn new(config: GatewayConfig, seed: u64) -> Self {
        let disk = SimDisk::journaled(&Image::default());
        disk.set_now_ms(1_800_000_000_000);
        let mut work = Self {
            disk,
            gateway: None,
            config,
            sensors: Vec::new(),
            open: Vec::new(),
            now_ms: 0,
            draw: Draw::new(seed),
            names: Vec::new(),
            steps: Vec::new(),
            failed: 0,
            lines: String::new(),
        };
        work.reopen(config);
        work
    }

    pub(crate) fn gateway(&mut self) -> &mut Gateway<SimDisk> {
        self.gateway.as_mut().unwrap()
    }

    /// Whoever had it open is gone without a word. It is opened so.
    fn reopen(&mut self, config: GatewayConfig) {
        self.gateway = None;
        self.open.clear();
        let mut gateway = Gateway::open(self.disk.clone(), &config).unwrap();
        let mut recovery = gateway.recovery();
        recovery.wall_us = 0;
        writeln!(self.lines, "opened: {recovery:?}").unwrap();
        // Half of them take readings in a fixed grid; one fewer in every second opening.
        let count = config.sensors_max - 1 - gateway.epoch() % 2;
        let register = |id| {
            let key = SensorKey { source: 1, id };
            let config = if id % 2 == 0 {
                SensorConfig::time_series(key, 1_000)
            } else {
                SensorConfig::event(key)
            };
            gateway.register(config).unwrap()
        };
        self.sensors = (0..count).map(register).collect();
        self.gateway = Some(gateway);
        self.config = config;
        self.note();
    }

    /// Adds to every sensor, looks after the store, and some uploader takes and answers.
    pub(crate) fn round(&mut self) {
        self.round_of(3);
    }

    /// The same, with an upload in `uploads` of four rounds.
    fn round_of(&mut self, uploads: u64) {
        self.now_ms += 500 + self.draw.below(400);
        for place in 0..self.sensors.len() {
            let (count, sensor) = (self.draw.below(9) * self.draw.below(3), self.sensors[place]);
            for number in 0..count {
                let (value, now_ms) = (self.draw.below(1 << 32) as u32, self.now_ms);
                let added = if place % 2 == 0 {
                    let late_ms = if self.draw.below(20) == 0 { 77 } else { 0 };
                    let at = Timestamp {
                        ms: now_ms / 1_000 * 1_000 + number * 1_000 + late_ms,
                        clock: ClockKind::Monotonic,
                    };
                    self.gateway().append(sensor, value, at)
                } else {
                    self.gateway().append_event(sensor, value, now_ms + number)
                };
                if let Err(error) = added {
                    writeln!(self.lines, "add refused: {error}").unwrap();
                }
            }
        }
        let now_ms = self.now_ms;
        self.gateway().tick(now_ms);
        if self.draw.below(4) < uploads {
            self.upload();
        }
        self.note();
    }

    fn upload(&mut self) {
        let place = self.draw.below(self.sensors.len() as u64) as usize;
        let sensor = self.sensors[place];
        let mut out = [Record::default(); 90];
        let most = 10 + self.draw.below(80) as usize;
        match self.gateway().consume(sensor, &mut out[..most]) {
            Ok(Some(token)) => {
                let crc =
                    crc32c_append(0, format!("{:?}", &out[..token.count() as usize]).as_bytes());
                writeln!(self.lines, "sensor {place}: {} records {crc:08x}", token.count())
                    .unwrap();
                self.open.push(token);
            }
            Ok(None) => {}
            Err(error) => writeln!(self.lines, "sensor {place}: {error}").unwrap(),
        }
        for token in std::mem::take(&mut self.open) {
            match self.draw.below(8) {
                0 => self.gateway().nack(token).unwrap(),
                1 => self.gateway().reject(token).unwrap(),
                2 => self.open.push(token),
                _ => self.gateway().ack(token).unwrap(),
            }
        }
    }

    /// Writes down what was done to the disk.
    fn note(&mut self) {
        for step in self.disk.take_journal() {
            let name = |file: u32| self.names[file as usize].as_str();
            let line = match &step {
                Step::Write { file, offset, bytes } => {
                    let crc = crc32c_append(0, bytes);
                    format!("{} {offset} {} B {crc:08x}", name(*file), bytes.len())
                }
                Step::SetLen { file, len } => format!("{} {len} B", name(*file)),
                Step::Sync { file } | Step::SyncFailed { file } => name(*file).to_owned(),
                Step::Create { name, file } => {
                    self.names.resize(self.names.len().max(*file as usize + 1), String::new());
                    name.as_str().clone_into(&mut self.names[*file as usize]);
                    name.as_str().to_owned()
                }
                Step::Unlink { name } => name.as_str().to_owned(),
                Step::Rename { from, to, .. } => format!("{} {}", from.as_str(), to.as_str()),
                Step::SyncDir | Step::PowerCut(_) => String::new(),
            };
            writeln!(self.lines, "    {} {line}", step.name()).unwrap();
            self.steps.push(step);
        }
    }

    /// Writes down how the store stands.
    fn books(&mut self, when: &str) {
        let calls = self.disk.calls();
        let Some(gateway) = &self.gateway else { return };
        let mut text = format!("{:?}{:?}{:?}", gateway.disk(), gateway.ledger(), gateway.pool());
        for &sensor in &self.sensors {
            write!(text, "{:?}{:?}", gateway.stats(sensor), gateway.levels(sensor)).unwrap();
        }
        let crc = crc32c_append(0, text.as_bytes());
        let causes: Vec<_> = gateway.health().causes().collect();
        let totals = gateway.totals();
        writeln!(self.lines, "{when}: {calls} calls, {causes:?}, {totals:?}, the rest {crc:08x}")
            .unwrap();
    }

    /// The power goes now.
    fn cut(&mut self, outcome: Outcome) {
        self.gateway = None;
        self.disk.cut_power(outcome, 1);
        self.note();
    }
}

/// Runs that others look at as well.
impl Work {
    pub(crate) fn at_work() -> Self {
        let mut work = Self::new(config(), 1);
        for round in 0..240 {
            // Nobody uploads for a while: quotas are reached, and the disk's bound.
            work.round_of(if (90..180).contains(&round) { 0 } else { 3 });
            if round % 30 == 29 {
                work.books(&format!("round {round}"));
            }
        }
        work
    }

    pub(crate) fn of_many() -> Self {
        let mut work = Self::new(config_of_many(), 6);
        for round in 0..110 {
            work.round_of(4);
            for _ in 0..5 {
                work.upload();
            }
            if round % 10 == 9 {
                work.books(&format!("round {round}"));
            }
        }
        work
    }

    pub(crate) fn failing() -> Self {
        let faults = [
            (Call::Sync, SimFault::Io, 1),
            (Call::Write, SimFault::Io, 2),
            (Call::Write, SimFault::Full, 3),
            (Call::Write, SimFault::Short, 2),
            (Call::Create, SimFault::TooManyFiles, 1),
            (Call::SyncDir, SimFault::Io, 1),
            (Call::Unlink, SimFault::Io, 2),
            (Call::SetLen, SimFault::Io, 1),
            (Call::Read, SimFault::Io, 2),
            (Call::Read, SimFault::Rotten, 1),
            (Call::Write, SimFault::Interrupted, 2),
            (Call::Sync, SimFault::Quota, 2),
        ];
        let mut work = Self::new(config(), 3);
        for (number, (call, fault, times)) in faults.into_iter().cycle().take(36).enumerate() {
            for _ in 0..5 {
                work.round();
            }
            let nth = number as u64 % 4;
            work.disk.fail(Due { call, fault, nth, times });
            if number % 9 == 8 {
                work.disk.limit(number as u64 * 500);
            }
            for _ in 0..4 {
                work.round();
            }
            let synced = work.gateway().sync().map_err(|error| error.to_string());
            writeln!(work.lines, "{call:?} {fault:?}: {synced:?}").unwrap();
            work.failed += work.disk.failed();
            work.disk.heal();
            work.note();
            work.books("then");
        }
        work
    }
}

#[test]
fn a_gateway_at_work() {
    let mut work = Work::at_work();
    let squeezed = work.gateway().disk().segments_squeezed;
    let erased = work.lines.matches("unlink").count();
    assert!(squeezed > 2 && erased > 4, "{squeezed} squeezed and {erased} erased is too little");
    let totals = work.gateway().totals();
    assert!(totals.dropped_quota > 0, "{totals:?}");
    let end = work.gateway().shut_down(None, &mut |_| ());
    assert!(end.is_complete(), "{end:?}");
    work.note();
    work.books("at the end");
    hold("work", &work.lines);
}

#[test]
fn a_gateway_of_many_sensors_at_work() {
    let mut work = Work::of_many();
    assert!(work.gateway().disk().segments_squeezed > 2, "{:?}", work.gateway().disk());
    hold("work-of-many", &work.lines);
}

#[test]
fn a_gateway_at_work_on_a_disk_that_fails() {
    let work = Work::failing();
    assert!(work.failed > 20, "only {} faults came", work.failed);
    hold("failing", &work.lines);
}

#[test]
fn a_gateway_at_work_is_opened_again_and_again() {
    let outcomes = [
        None,
        Some(Outcome::Nothing),
        Some(Outcome::Everything),
        Some(Outcome::Lost(0)),
        Some(Outcome::Only(0)),
        Some(Outcome::DataOnly),
    ];
    let mut work = Work::new(config(), 2);
    for (number, outcome) in (0..).zip(outcomes.into_iter().cycle().take(18)) {
        for _ in 0..4 + number % 7 {
            work.round();
        }
        work.books("before");
        match outcome {
            Some(outcome) => work.cut(outcome),
            None if number % 4 == 0 => {
                work.gateway().clock_synced(1_700_000_000_000 + number);
                work.gateway().shut_down(None, &mut |_| ());
            }
            None => {}
        }
        let durability = match number % 3 {
            0 => Durability::EverySpill,
            1 => Durability::Interval { ms: 3_000 },
            _ => Durability::Os,
        };
        let squeezes = number % 5 != 0;
        let pool_bytes = if number % 2 == 0 { 8 << 10 } else { 16 << 10 };
        work.reopen(GatewayConfig { durability, squeezes, pool_bytes, ..config() });
        work.books("behind");
    }
    hold("openings", &work.lines);
}
