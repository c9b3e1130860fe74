//! When each sensor reads, and what.

use super::{Description, Engine, Group, heap::Heap};
use crate::{Kind, Sensor, SensorConfig, SensorKey, SensorStats};
use rand::RngExt;
use rand_pcg::Pcg32;

/// Bits of a due time's word that name the sensor.
const INDEX_BITS: u32 = 20;

/// One sensor's state in a run.
#[derive(Clone, Copy, Debug, Default)]
pub struct SensorRun {
    pub(super) sensor: Option<Sensor>,
    /// When the reading is due that is not early or late, in ms of virtual time.
    nominal_ms: u64,
    period_ms: u32,
    value: u32,
    group: u32,
    /// Readings of the present burst that are still to come.
    burst_left: u32,
}

impl SensorRun {
    /// A place without a sensor.
    pub const VACANT: Self =
        Self { sensor: None, nominal_ms: 0, period_ms: 0, value: 0, group: 0, burst_left: 0 };

    pub(super) fn new(sensor: Sensor) -> Self {
        Self { sensor: Some(sensor), ..Self::default() }
    }
}

/// A reading that is due.
pub(super) struct Reading {
    pub(super) sensor: Sensor,
    pub(super) kind: Kind,
    pub(super) value: u32,
}

/// All sensors, by due time.
pub(super) struct Sensors<'a> {
    groups: &'a [Group],
    runs: &'a mut [SensorRun],
    due: Heap<'a, u64>,
    rng: Pcg32,
}

/// The groups' sensors in order of registration: each with its group's index and its number in it.
pub(super) fn members(groups: &[Group]) -> impl Iterator<Item = (u32, u32)> {
    (0_u32..).zip(groups).flat_map(|(at, group)| (0..group.count).map(move |index| (at, index)))
}

/// The configuration of a group's sensor number `index`.
pub(super) fn sensor_config(group: &Group, index: u32) -> SensorConfig {
    let key = SensorKey { source: group.source, id: group.first_id.wrapping_add(index) };
    let config = match group.kind {
        Kind::TimeSeries => SensorConfig::time_series(key, group.period_ms(index)),
        Kind::Event => SensorConfig::event(key),
    };
    config.starting_at(group.first_seq)
}

/// A sensor's counts without the records before its first number, which no run has seen.
pub(super) fn of_run(mut stats: SensorStats, group: &Group) -> SensorStats {
    stats.added = stats.added.saturating_sub(group.first_seq);
    stats.erased = stats.erased.saturating_sub(group.first_seq);
    stats
}

/// The sum of a group's counts. `runs` are those of the run over `groups` that has just ended.
pub fn group_stats<E: Engine>(
    engine: &E,
    groups: &[Group],
    runs: &[SensorRun],
    group: u32,
) -> SensorStats {
    let mut sum = SensorStats::default();
    for ((of, _), run) in members(groups).zip(runs) {
        if of == group {
            let stats = run.sensor.map(|sensor| engine.stats(sensor)).unwrap_or_default();
            sum += of_run(stats, &groups[of as usize]);
        }
    }
    sum
}

impl<'a> Sensors<'a> {
    /// Plans every sensor's first reading, at a random place in its first period.
    pub(super) fn new(
        description: &Description<'a>,
        runs: &'a mut [SensorRun],
        due: &'a mut [u64],
    ) -> Self {
        let mut sensors = Self {
            groups: description.groups,
            runs,
            due: Heap::new(due),
            rng: Pcg32::new(description.seed, 1),
        };
        for (at, (group_at, index)) in members(description.groups).enumerate() {
            let group = &sensors.groups[group_at as usize];
            let period_ms = group.period_ms(index);
            let run = &mut sensors.runs[at];
            run.nominal_ms = u64::from(sensors.rng.random_range(0..period_ms));
            run.period_ms = period_ms;
            run.value = group.shape.initial();
            run.group = group_at;
            run.burst_left = group.burst_records;
            let due_ms = run.nominal_ms;
            let leaves = due_ms >= group.leaves_ms;
            sensors.due.push(if leaves { u64::MAX } else { due_ms << INDEX_BITS | at as u64 });
        }
        sensors
    }

    /// Where the store has sensor number `at`.
    pub(super) fn handle(&self, at: u32) -> Option<Sensor> {
        self.runs[at as usize].sensor
    }

    pub(super) fn set_handle(&mut self, at: u32, sensor: Option<Sensor>) {
        self.runs[at as usize].sensor = sensor;
    }

    /// When the next reading is due, in ms of virtual time.
    #[inline]
    pub(super) fn next_due_ms(&self) -> u64 {
        self.due.peek().map_or(u64::MAX, |word| word >> INDEX_BITS)
    }

    /// Takes the reading that is due and plans the sensor's next one.
    #[inline]
    pub(super) fn take(&mut self) -> Option<Reading> {
        let word = self.due.peek()?;
        let now_ms = word >> INDEX_BITS;
        let at = word & ((1 << INDEX_BITS) - 1);
        let run = &mut self.runs[at as usize];
        let group = &self.groups[run.group as usize];
        run.value = group.shape.next(run.value, now_ms, &mut self.rng);
        let reading = Reading { sensor: run.sensor?, kind: group.kind, value: run.value };

        run.burst_left -= 1;
        let due_ms = if run.burst_left > 0 {
            now_ms + u64::from(group.burst_spacing_ms)
        } else {
            run.burst_left = group.burst_records;
            run.nominal_ms += u64::from(run.period_ms);
            let mut due_ms = run.nominal_ms;
            if group.jitter_ms > 0 {
                due_ms += u64::from(self.rng.random_range(0..=group.jitter_ms * 2));
                due_ms = due_ms.saturating_sub(u64::from(group.jitter_ms));
            }
            due_ms
        };
        // Readings of one sensor never overtake each other. One that has left reads no more.
        let due_ms = due_ms.max(now_ms);
        let due = if due_ms < group.leaves_ms { due_ms << INDEX_BITS | at } else { u64::MAX };
        self.due.replace_least(due);
        Some(reading)
    }
}
