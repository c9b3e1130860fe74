//! What a scenario says, in integers: the form that both machines run.

use crate::{Kind, Timestamp};

/// Parts in a million: the unit of every chance.
pub const PPM: u32 = 1_000_000;

/// The longest virtual time of a run, in ms (139 years): due times share a word with an index.
pub const DURATION_MS_MAX: u64 = 1 << 42;

/// The most sensors of a run: what is kept for each of them then takes some 100 MB.
pub const SENSORS_MAX: u32 = 1 << 18;

/// A whole scenario. Slices, so that a machine without a heap can hold it.
#[derive(Clone, Copy, Debug)]
pub struct Description<'a> {
    /// Seeds every random choice.
    pub seed: u64,
    /// Virtual time to run, in ms: 1 to [`DURATION_MS_MAX`].
    pub duration_ms: u64,
    /// The device's clock at virtual time 0.
    pub start: Timestamp,
    /// The sensors, in order of registration.
    pub groups: &'a [Group],
    /// Who takes the records away, if anybody does.
    pub uploader: Option<Uploader>,
    /// When the network is down: by time, without overlap.
    pub outages: &'a [Outage],
    /// When the device's clock is set, by time.
    pub clock_steps: &'a [ClockStep],
    /// When the pool is smaller, by time.
    pub pressures: &'a [Pressure],
    /// When the disk takes less, by time. Stores without a disk have none.
    pub disk_limits: &'a [DiskLimit],
    /// When the store is stopped and opened again, by time. Stores without a disk have none.
    pub restarts: &'a [Restart],
}

/// Sensors that are alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "wire", derive(serde::Serialize, serde::Deserialize))]
pub struct Group {
    /// What their readings are.
    pub kind: Kind,
    /// Their namespace.
    pub source: u8,
    /// The first one's id; the others follow.
    pub first_id: u32,
    /// How many: at least 1.
    pub count: u32,
    /// The first one's period in ms: at least 1.
    pub period_first_ms: u32,
    /// The last one's period in ms; those between are spread evenly.
    pub period_last_ms: u32,
    /// A reading is early or late by at most this, in ms.
    pub jitter_ms: u32,
    /// Readings that come together each period: at least 1.
    pub burst_records: u32,
    /// The time between the readings of a burst, in ms.
    pub burst_spacing_ms: u32,
    /// What the values do.
    pub shape: Shape,
    /// The number of each one's first record.
    pub first_seq: u64,
    /// They leave the configuration at the restart at this time, in ms of virtual time: nothing is
    /// read from then on, and what the store holds of them is still taken. `u64::MAX`: never.
    pub leaves_ms: u64,
}

/// What a sensor's values do. Values are 32 bits; negative ones are two's complement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "wire", derive(serde::Serialize, serde::Deserialize))]
pub enum Shape {
    /// Always the same.
    Constant {
        /// The value.
        value: u32,
    },
    /// Each value is the last one plus `step`, wrapping.
    Ramp {
        /// The first value.
        from: u32,
        /// The step.
        step: u32,
    },
    /// Each value is the last one plus a random step from −`step` to +`step`, wrapping.
    RandomWalk {
        /// The first value.
        from: u32,
        /// The largest step.
        step: u32,
    },
    /// A sine of the virtual time.
    Sine {
        /// The middle.
        mean: u32,
        /// The distance from the middle to the peaks.
        amplitude: u32,
        /// The time of one cycle, in ms: at least 1.
        cycle_ms: u32,
    },
    /// `high` for `length_ms` at the beginning of every `every_ms`, else `low`.
    Burst {
        /// The value at rest.
        low: u32,
        /// The value in the burst.
        high: u32,
        /// From one burst to the next, in ms: at least 1.
        every_ms: u32,
        /// The length of a burst, in ms.
        length_ms: u32,
    },
}

/// Who takes the records away, and how its network and cloud treat it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "wire", derive(serde::Serialize, serde::Deserialize))]
pub struct Uploader {
    /// From one round to the next, in ms: at least 1. A round visits the sensors by turns.
    pub every_ms: u32,
    /// Records a batch at most: at least 1.
    pub batch_records: u32,
    /// Batches a round at most; 0: as many as there are sensors with unsent records.
    pub batches_per_round: u32,
    /// From a batch to its reply, in ms.
    pub latency_ms: u32,
    /// A reply is later than that by up to this, in ms.
    pub latency_jitter_ms: u32,
    /// How long the uploader waits for a reply before it nacks by itself, in ms.
    pub timeout_ms: u32,
    /// How long the uploader sends nothing after a timeout, unless a reply comes, in ms.
    pub backoff_ms: u32,
    /// The chance that the cloud answers "not now".
    pub nack_ppm: u32,
    /// The chance that the cloud takes the batch and its reply is lost.
    pub lost_ppm: u32,
    /// The chance that the cloud takes the batch and its reply comes after the timeout.
    pub late_ppm: u32,
    /// The chance that the reply comes twice.
    pub duplicate_ppm: u32,
    /// The chance that the cloud will never take the batch.
    pub reject_ppm: u32,
}

/// A time without a network: what is sent in it, and replies due in it, are lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "wire", derive(serde::Serialize, serde::Deserialize))]
pub struct Outage {
    /// When it begins, in ms of virtual time.
    pub from_ms: u64,
    /// When it is over.
    pub until_ms: u64,
}

/// The device's clock is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "wire", derive(serde::Serialize, serde::Deserialize))]
pub struct ClockStep {
    /// When, in ms of virtual time.
    pub at_ms: u64,
    /// By how much, in ms.
    pub by_ms: i64,
    /// Whether the clock tells UTC from now on.
    pub to_utc: bool,
}

/// The number of sectors that may be in use changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "wire", derive(serde::Serialize, serde::Deserialize))]
pub struct Pressure {
    /// When, in ms of virtual time.
    pub at_ms: u64,
    /// How many may be in use from now on; `u32::MAX`: all.
    pub sectors_max: u32,
}

/// What the disk still takes changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskLimit {
    /// When, in ms of virtual time.
    pub at_ms: u64,
    /// How many more bytes it takes from now on; `u64::MAX`: as many as it has.
    pub free_bytes: u64,
}

/// The store is stopped and opened again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restart {
    /// When, in ms of virtual time.
    pub at_ms: u64,
    /// How it is stopped.
    pub stop: Stop,
    /// The pool that it is opened with, in bytes; `None`: the one that it had.
    pub pool_bytes: Option<u64>,
    /// A sensor's quota from then on, in bytes; `None`: the one that it had.
    pub quota_bytes: Option<u64>,
}

/// How a store is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The process is killed: nothing more is written.
    Kill,
    /// The power is cut: what no sync covered may be gone. Only a simulated disk does it.
    PowerCut,
    /// It is shut down, which writes everything.
    ShutDown {
        /// How long it may take, in ms of the machine's own time; `None`: as long as it takes.
        deadline_ms: Option<u32>,
    },
}

impl Group {
    /// The period of the group's sensor number `index`, in ms.
    pub const fn period_ms(&self, index: u32) -> u32 {
        if self.count < 2 {
            return self.period_first_ms;
        }
        let first = self.period_first_ms as i64;
        let span = self.period_last_ms as i64 - first;
        // Between two u32, so a u32.
        #[expect(clippy::cast_sign_loss)]
        let period = (first + span * index as i64 / (self.count as i64 - 1)) as u32;
        period
    }
}

#[cfg(test)]
mod tests {
    use super::{Group, Shape};
    use crate::Kind;

    #[test]
    fn periods_are_spread_evenly_from_first_to_last() {
        let mut group = Group {
            kind: Kind::TimeSeries,
            source: 0,
            first_id: 0,
            count: 5,
            period_first_ms: 1_000,
            period_last_ms: 5_000,
            jitter_ms: 0,
            burst_records: 1,
            burst_spacing_ms: 0,
            shape: Shape::Constant { value: 0 },
            first_seq: 0,
            leaves_ms: u64::MAX,
        };
        let periods =
            |group: &Group| core::array::from_fn::<u32, 5, _>(|i| group.period_ms(i as u32));
        assert_eq!(periods(&group), [1_000, 2_000, 3_000, 4_000, 5_000]);
        (group.period_first_ms, group.period_last_ms) = (u32::MAX, 1);
        assert_eq!(periods(&group)[4], 1);
        assert_eq!(periods(&group)[0], u32::MAX);
    }
}
