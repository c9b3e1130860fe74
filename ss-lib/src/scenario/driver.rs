//! The one driver: runs a scenario over virtual time against a store.
//!
//! Virtual time jumps from one thing that happens to the next. What is due at the same millisecond
//! happens in a fixed order: clock, pool, disk, restart, tick, checkpoint, replies, upload, sensors.
//! Every choice is drawn from generators seeded by the scenario: one for the sensors, one for network
//! and cloud, so that what the sensors do never depends on what the store did.

use super::{
    Answer, Description, Engine, Given, Observer, Op, Restart, RestartError,
    replies::{Replies, Reply},
    sensors::{SensorRun, Sensors, members, of_run, sensor_config},
};
use crate::{
    BatchToken, ClockKind, Kind, Loss, Record, RegisterError, Sensor, SensorStats, Timestamp,
};
use xxhash_rust::xxh64::Xxh64;

/// How often the store is told the time, in ms.
const TICK_MS: u64 = 100;

/// How often an observer may look at the whole store, in ms of virtual time.
const CHECKPOINT_MS: u64 = 60_000;

/// Each this many-th batch is looked at before it is consumed.
const PEEK_EVERY: u64 = 16;

/// How many readings are taken before the observer is asked again whether the run should end: a tick
/// of virtual time can hold any number of them.
const READINGS_UNASKED: u32 = 4_096;

/// Newest ledger entries shown after an operation: more than one operation can change.
const LOSSES_SHOWN: usize = 16;

/// Memory for a run, from the caller.
#[derive(Debug)]
pub struct DriverMemory<'a> {
    /// One for each sensor.
    pub sensors: &'a mut [SensorRun],
    /// One for each sensor.
    pub due: &'a mut [u64],
    /// Batches in flight take one or two each; the uploader waits while there is no room.
    pub replies: &'a mut [Reply],
    /// One batch: at least one record.
    pub batch: &'a mut [Record],
    /// A second one of the same size, for what `peek_batch` shows.
    pub peeked: &'a mut [Record],
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Over every consumed record and, at the end, every counter of every sensor.
    pub digest: u64,
    /// Virtual time that passed, in ms: the scenario's duration unless the observer ended the run.
    pub virtual_ms: u64,
    /// The sum of the sensors' counts. Records before a sensor's first number are not among them.
    pub totals: SensorStats,
    /// Records handed out, repeated deliveries included.
    pub records_delivered: u64,
    /// Batches handed out.
    pub batches: u64,
    /// Answers that the store called stale.
    pub stale_answers: u64,
    /// Why the store could not be opened again, which ended the run.
    pub restart_error: Option<RestartError>,
}

/// A scenario that runs against a store.
pub struct Driver<'a, E, O> {
    engine: &'a mut E,
    observer: &'a mut O,
    description: Description<'a>,
    sensors: Sensors<'a>,
    replies: Replies<'a>,
    batch: &'a mut [Record],
    peeked: &'a mut [Record],
    digest: Xxh64,
    /// The device's clock at virtual time 0, by its present setting: a step can put it before 0.
    clock_zero_ms: i64,
    clock: ClockKind,
    sensors_count: u32,
    /// The sensor that the next round begins with.
    turn: u32,
    losses_seen: u64,
    records_delivered: u64,
    batches: u64,
    stale_answers: u64,
    restart_error: Option<RestartError>,
}

impl<'a, E: Engine, O: Observer<E>> Driver<'a, E, O> {
    /// Registers the scenario's sensors in `engine`, an empty store.
    ///
    /// # Panics
    /// If `memory` has fewer places than the scenario has sensors.
    pub fn new(
        description: &Description<'a>,
        engine: &'a mut E,
        observer: &'a mut O,
        memory: DriverMemory<'a>,
    ) -> Result<Self, RegisterError> {
        let DriverMemory { sensors, due, replies, batch, peeked } = memory;
        let mut sensors_count = 0;
        for (group, index) in members(description.groups) {
            let config = sensor_config(&description.groups[group as usize], index);
            let sensor = engine.register(config)?;
            observer.registered(sensor, config);
            sensors[sensors_count as usize] = SensorRun::new(sensor);
            sensors_count += 1;
        }
        let wanted = description.uploader.map_or(1, |up| up.batch_records as usize);
        let batch_records = wanted.min(batch.len()).min(peeked.len());
        Ok(Self {
            sensors: Sensors::new(description, sensors, due),
            replies: Replies::new(description, replies),
            batch: &mut batch[..batch_records],
            peeked: &mut peeked[..batch_records],
            digest: Xxh64::new(description.seed),
            clock_zero_ms: i64::try_from(description.start.ms).unwrap_or(i64::MAX),
            clock: description.start.clock,
            description: *description,
            engine,
            observer,
            sensors_count,
            turn: 0,
            losses_seen: 0,
            records_delivered: 0,
            batches: 0,
            stale_answers: 0,
            restart_error: None,
        })
    }

    /// Runs to the scenario's end, or until the observer wants it to end.
    pub fn run(mut self) -> Summary {
        let duration_ms = self.description.duration_ms;
        let every_ms = self.description.uploader.map_or(u64::MAX, |up| u64::from(up.every_ms));
        let (mut tick_ms, mut upload_ms, mut checkpoint_ms) = (0, every_ms, CHECKPOINT_MS);
        let mut clock_steps = self.description.clock_steps.iter().peekable();
        let mut pressures = self.description.pressures.iter().peekable();
        let mut disk_limits = self.description.disk_limits.iter().peekable();
        let mut restarts = self.description.restarts.iter().peekable();
        let mut ended_ms = duration_ms;
        loop {
            let reply_ms = self.replies.next_due_ms();
            let step_ms = clock_steps.peek().map_or(u64::MAX, |step| step.at_ms);
            let pressure_ms = pressures.peek().map_or(u64::MAX, |pressure| pressure.at_ms);
            let disk_ms = disk_limits.peek().map_or(u64::MAX, |limit| limit.at_ms);
            let restart_ms = restarts.peek().map_or(u64::MAX, |restart| restart.at_ms);
            let now_ms = [step_ms, pressure_ms, disk_ms, restart_ms, tick_ms, upload_ms]
                .into_iter()
                .fold(reply_ms, u64::min);
            if let Some(stopped_ms) = self.take_readings(now_ms.min(duration_ms)) {
                ended_ms = stopped_ms;
                break;
            }
            if now_ms >= duration_ms {
                break;
            }
            if self.observer.wants_end(now_ms) {
                ended_ms = now_ms;
                break;
            }
            while let Some(step) = clock_steps.next_if(|step| step.at_ms <= now_ms) {
                self.clock_zero_ms = self.clock_zero_ms.saturating_add(step.by_ms);
                if step.to_utc {
                    self.clock = ClockKind::Utc;
                }
            }
            while let Some(pressure) = pressures.next_if(|pressure| pressure.at_ms <= now_ms) {
                self.engine.limit_sectors(pressure.sectors_max);
            }
            while let Some(limit) = disk_limits.next_if(|limit| limit.at_ms <= now_ms) {
                self.engine.limit_disk(limit.free_bytes);
            }
            while let Some(restart) = restarts.next_if(|restart| restart.at_ms <= now_ms) {
                self.restart_error = self.restart(now_ms, restart).err();
                if self.restart_error.is_some() {
                    break;
                }
            }
            if self.restart_error.is_some() {
                ended_ms = now_ms;
                break;
            }
            if tick_ms <= now_ms {
                self.tick(now_ms);
                tick_ms += TICK_MS;
            }
            if checkpoint_ms <= now_ms {
                self.observer.checkpoint(now_ms, self.engine);
                checkpoint_ms += CHECKPOINT_MS;
            }
            while let Some((token, answer)) = self.replies.receive(now_ms) {
                self.answer(now_ms, token, answer);
            }
            if upload_ms <= now_ms {
                self.upload(now_ms);
                upload_ms += every_ms;
            }
        }
        self.finish(ended_ms)
    }

    fn tick(&mut self, now_ms: u64) {
        self.engine.tick(self.device_time(now_ms).ms);
        self.show_losses(now_ms);
        self.observer.ticked(now_ms, self.engine);
    }

    /// Stops the store and opens it again. The uploader knows nothing of it: what is on its way stays
    /// there, and its answers to batches of before find them gone.
    fn restart(&mut self, now_ms: u64, restart: &Restart) -> Result<(), RestartError> {
        self.observer.stopping(now_ms, restart, self.engine);
        let restarted = self.engine.restart(restart)?;
        for (number, (group, index)) in (0..).zip(members(self.description.groups)) {
            let group = &self.description.groups[group as usize];
            let config = sensor_config(group, index);
            let sensor = if group.leaves_ms <= now_ms {
                self.engine.find(config.key)
            } else {
                Some(self.engine.register(config).map_err(RestartError::Register)?)
            };
            self.sensors.set_handle(number, sensor);
            self.observer.found_again(number, sensor);
        }
        self.observer.restarted(now_ms, restart, restarted, self.engine);
        self.losses_seen = 0;
        self.tick(now_ms);
        Ok(())
    }

    /// What the device's clock shows; one that was set before its own zero shows 0.
    fn device_time(&self, now_ms: u64) -> Timestamp {
        let ms = self.clock_zero_ms.saturating_add_unsigned(now_ms);
        Timestamp { ms: u64::try_from(ms).unwrap_or(0), clock: self.clock }
    }

    /// Takes every reading that is due before `until_ms`. Returns when it was stopped before, if the
    /// observer wanted that.
    fn take_readings(&mut self, until_ms: u64) -> Option<u64> {
        let mut unasked = 0;
        loop {
            let now_ms = self.sensors.next_due_ms();
            if now_ms >= until_ms {
                return None;
            }
            unasked += 1;
            if unasked == READINGS_UNASKED {
                unasked = 0;
                if self.observer.wants_end(now_ms) {
                    return Some(now_ms);
                }
            }
            let reading = self.sensors.take()?;
            // What is measured is the store's work: the clock was read before.
            let (reading, mut at) = core::hint::black_box((reading, self.device_time(now_ms)));
            self.observer.begin(Op::Add);
            let result = match reading.kind {
                Kind::TimeSeries => self.engine.append(reading.sensor, reading.value, at),
                Kind::Event => self.engine.append_event(reading.sensor, reading.value, at.ms),
            };
            self.observer.end(Op::Add);
            if reading.kind == Kind::Event {
                at.clock = ClockKind::Caller;
            }
            let given =
                Given { sensor: reading.sensor, kind: reading.kind, value: reading.value, at };
            // A loss made room for this reading, so it is told first.
            self.show_losses(now_ms);
            match result {
                Ok(seq) => self.observer.added(now_ms, given, seq),
                Err(error) => self.observer.refused(now_ms, given, error, self.engine.pool()),
            }
        }
    }

    fn show_losses(&mut self, now_ms: u64) {
        let recorded = self.engine.losses_recorded();
        if recorded != self.losses_seen {
            self.losses_seen = recorded;
            let mut losses = [Loss::NONE; LOSSES_SHOWN + 1];
            let mut shown = self.engine.losses(&mut losses[..LOSSES_SHOWN]);
            // An entry that was extended need not be among the newest.
            if let Some(last) = self.engine.last_loss() {
                losses[shown] = last;
                shown += 1;
            }
            self.observer.lost(now_ms, &losses[..shown], self.engine);
        }
    }

    fn answer(&mut self, now_ms: u64, token: BatchToken, answer: Answer) {
        self.observer.begin(Op::Answer);
        let result = self.engine.answer(token, answer);
        self.observer.end(Op::Answer);
        self.stale_answers += u64::from(result.is_err());
        self.observer.answered(now_ms, token, answer, result);
        self.show_losses(now_ms);
    }

    /// One round: visits each sensor once, by turns, until the round's batches are sent.
    fn upload(&mut self, now_ms: u64) {
        let mut left = match self.description.uploader.map(|up| up.batches_per_round) {
            Some(0) | None => u32::MAX,
            Some(batches) => batches,
        };
        for _ in 0..self.sensors_count {
            if left == 0 || !self.replies.may_send(now_ms) {
                return;
            }
            let number = self.turn;
            self.turn = if self.turn + 1 == self.sensors_count { 0 } else { self.turn + 1 };
            let Some(sensor) = self.sensors.handle(number) else { continue };
            let is_ready = self.engine.is_ready(sensor);
            self.observer.asked(now_ms, sensor, is_ready);
            if is_ready {
                left -= 1;
                self.send(now_ms, number, sensor);
            }
        }
    }

    fn send(&mut self, now_ms: u64, number: u32, sensor: Sensor) {
        if self.batches.is_multiple_of(PEEK_EVERY) {
            let count = self.engine.peek_batch(sensor, self.peeked);
            self.observer.peeked(now_ms, sensor, &self.peeked[..count]);
        }
        self.observer.begin(Op::Consume);
        let consumed = self.engine.consume(sensor, self.batch);
        self.observer.end(Op::Consume);
        self.show_losses(now_ms);
        let Ok(Some(token)) = consumed else {
            self.observer.nothing_delivered(now_ms, sensor);
            return;
        };
        let count = (token.count() as usize).min(self.batch.len());
        let records = &self.batch[..count];
        for record in records {
            self.digest.update(&record_bytes(number, record));
        }
        self.batches += 1;
        self.records_delivered += count as u64;
        self.observer.delivered(now_ms, token, records);
        self.replies.send(now_ms, token);
    }

    fn finish(mut self, virtual_ms: u64) -> Summary {
        // A store that did not open again can be asked nothing.
        let is_gone = self.restart_error.is_some();
        if !is_gone {
            self.observer.checkpoint(virtual_ms, self.engine);
        }
        let mut totals = SensorStats::default();
        for (number, (group, _)) in (0..).zip(members(self.description.groups)) {
            let sensor = self.sensors.handle(number).filter(|_| !is_gone);
            let stats = sensor.map_or(SensorStats::default(), |sensor| self.engine.stats(sensor));
            for counter in [
                stats.added,
                stats.refused,
                stats.erased,
                stats.rejected,
                stats.pending,
                stats.unsent,
                stats.dropped_recycled,
                stats.dropped_corrupt,
            ] {
                self.digest.update(&counter.to_le_bytes());
            }
            // Stores without a disk never have these, and keep the digests that they had before.
            if stats.dropped_quota != 0 || stats.dropped_disk_max != 0 {
                self.digest.update(&stats.dropped_quota.to_le_bytes());
                self.digest.update(&stats.dropped_disk_max.to_le_bytes());
            }
            totals += of_run(stats, &self.description.groups[group as usize]);
        }
        for counter in [self.batches, self.stale_answers, self.losses_seen] {
            self.digest.update(&counter.to_le_bytes());
        }
        Summary {
            digest: self.digest.digest(),
            virtual_ms,
            totals,
            records_delivered: self.records_delivered,
            batches: self.batches,
            stale_answers: self.stale_answers,
            restart_error: self.restart_error,
        }
    }
}

/// A delivered record as the digest sees it: 32 B, little-endian: the sensor's number in the scenario
/// u32, epoch u32, seq u64, `time_ms` u64, value u32, clock u8, kind u8, two zeros.
fn record_bytes(number: u32, record: &Record) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[0..4].copy_from_slice(&number.to_le_bytes());
    bytes[4..8].copy_from_slice(&record.epoch.to_le_bytes());
    bytes[8..16].copy_from_slice(&record.seq.to_le_bytes());
    bytes[16..24].copy_from_slice(&record.time_ms.to_le_bytes());
    bytes[24..28].copy_from_slice(&record.value.to_le_bytes());
    bytes[28] = match record.clock {
        ClockKind::Monotonic => 0,
        ClockKind::Utc => 1,
        ClockKind::Caller => 2,
    };
    bytes[29] = u8::from(record.kind == Kind::Event);
    bytes
}
