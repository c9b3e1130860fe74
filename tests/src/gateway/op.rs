//! The operations of the gateway's model test, and how they are drawn.

use crate::op::Reply;
use proptest::prelude::*;
use ss_lib::{
    Kind,
    gateway::{Durability, GatewayConfig, WhenFull},
};
use std::fmt;

/// How far a reading is from the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// One period.
    OnGrid,
    /// A little less or more, within half a period.
    Jittered(i8),
    /// Later by so many ms.
    Late(u32),
    /// The clock was set back by so many ms.
    Back(u32),
}

/// One step of a case. Sensors are given modulo their number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are named like what they are")]
pub enum Op {
    /// Adds so many readings of the kind that the sensor takes.
    Add { sensor: u8, step: Step, count: u16 },
    /// Adds one reading to every sensor, so many times.
    AddAll { rounds: u8 },
    /// A longer outage: every sensor adds so many, and a second goes by, so many times.
    Fill { count: u8, seconds: u8 },
    /// Adds a reading of the other kind.
    AddWrongKind { sensor: u8 },
    /// Reads the record that lies so far behind the sensor's oldest.
    ReadAt { sensor: u8, ahead: u16 },
    /// Looks at the next batch, and hands it out.
    Consume { sensor: u8, limit: u16 },
    /// Answers the batch that is pending, or the sensor's last one again.
    Answer { sensor: u8, reply: Reply },
    /// Answers with a token that was handed out so many batches ago, in whatever opening.
    Replay { back: u8, reply: Reply },
    /// Hands out batches of all sensors.
    Drain { batch: u16, room: u16, batches: u8, reply: Option<Reply> },
    /// The time goes on, and what is due is done.
    Tick { ms: u32 },
    /// Makes everything durable.
    Sync,
    /// Limits the sectors in use to this part of the pool, in 255ths.
    Limit { part: u8 },
    /// Tells what the clock is worth.
    ClockSynced { offset_ms: i64 },
    /// Refuses the sensor's adds.
    Deactivate { sensor: u8 },
    /// Takes them again.
    Activate { sensor: u8 },
    /// Changes what the sensor is.
    Reconfigure { sensor: u8, kind: Kind, period_ms: u32 },
    /// The process dies, and the store is opened with these settings.
    Kill(Settings),
    /// The store is shut down and opened with these settings.
    Restart(Settings),
}

/// What the store is opened with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Sectors of the pool.
    pub sectors: u16,
    /// Bytes of each.
    pub sector_bytes: u32,
    /// What an add does when the pool is exhausted.
    pub full: WhenFull,
    /// When what is written becomes durable.
    pub durability: Durability,
    /// After how many ms a record is written.
    pub spill_after_ms: u64,
    /// What a sensor may hold on disk.
    pub quota_bytes: u64,
    /// What the store's files may take.
    pub disk_max_bytes: u64,
    /// The size of a segment, for a new store.
    pub segment_bytes: u64,
    /// Whether it squeezes.
    pub squeezes: bool,
    /// A bit for each sensor that the configuration has.
    pub sensors: u8,
}

/// Entries of the ledger: more than one step makes.
pub const LOSSES: u32 = 2_048;

impl Settings {
    /// The gateway's configuration.
    pub fn config(&self, sensors_max: u32) -> GatewayConfig {
        GatewayConfig {
            pool_bytes: u64::from(self.sectors) * u64::from(self.sector_bytes),
            sector_bytes: Some(self.sector_bytes),
            losses_max: LOSSES,
            full: self.full,
            durability: self.durability,
            spill_after_ms: self.spill_after_ms,
            quota_bytes: self.quota_bytes,
            disk_max_bytes: self.disk_max_bytes,
            segment_bytes: self.segment_bytes,
            reserve_bytes: 16 << 10,
            squeezes: self.squeezes,
            ..GatewayConfig::new(sensors_max)
        }
    }
}

/// One case: a store is created, sensors are registered, operations run.
#[derive(Clone)]
pub struct Case {
    /// How it is opened first.
    pub settings: Settings,
    /// The sensors' kinds, periods and first numbers.
    pub starts: Vec<(Kind, u32, u64)>,
    /// The steps.
    pub ops: Vec<Op>,
}

/// A line a step.
impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}\n  sensors: {:?}", self.settings, self.starts)?;
        for (step, op) in self.ops.iter().enumerate() {
            write!(f, "\n  step {step}: {op:?}")?;
        }
        Ok(())
    }
}

fn settings() -> impl Strategy<Value = Settings> {
    let full = prop_oneof![
        3 => Just(WhenFull::Wait { ms: 0 }),
        2 => Just(WhenFull::RecycleOldest),
        1 => Just(WhenFull::Refuse),
    ];
    let durability = prop_oneof![
        3 => Just(Durability::Interval { ms: 1_000 }),
        1 => Just(Durability::Interval { ms: 0 }),
        2 => Just(Durability::EverySpill),
        1 => Just(Durability::Os),
    ];
    let pool = (8_u16..60, prop_oneof![Just(32_u32), Just(64), Just(256)]);
    let segment_bytes = prop_oneof![4 => Just(64_u64 << 10), 1 => Just(128 << 10)];
    let disk_max = prop_oneof![
        3 => Just(16_u64 << 20),
        2 => 16_u64 << 10..200 << 10,
    ];
    let quota = prop_oneof![3 => Just(1_u64 << 30), 1 => 200_u64..20_000];
    let spill_after_ms = prop_oneof![Just(60_000_u64), Just(2_000), Just(1)];
    let sensors = prop_oneof![2 => Just(u8::MAX), 1 => any::<u8>()];
    let small = (spill_after_ms, quota, disk_max, segment_bytes, any::<bool>(), sensors);
    (pool, full, durability, small).prop_map(|((sectors, sector_bytes), full, durability, rest)| {
        let (spill_after_ms, quota_bytes, disk_max_bytes, segment_bytes, squeezes, sensors) = rest;
        Settings {
            sectors,
            sector_bytes,
            full,
            durability,
            spill_after_ms,
            quota_bytes,
            disk_max_bytes: disk_max_bytes + 4 * segment_bytes,
            segment_bytes,
            squeezes,
            sensors,
        }
    })
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![Just(Kind::TimeSeries), Just(Kind::Event)]
}

fn period_ms() -> impl Strategy<Value = u32> {
    prop_oneof![Just(1), Just(10), Just(999), Just(1_000), 1_u32..100_000]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => Just(Step::OnGrid),
        3 => any::<i8>().prop_map(Step::Jittered),
        1 => any::<u32>().prop_map(Step::Late),
        1 => (0_u32..10_000).prop_map(Step::Back),
    ]
}

fn reply() -> impl Strategy<Value = Reply> {
    prop_oneof![5 => Just(Reply::Ack), 3 => Just(Reply::Nack), 1 => Just(Reply::Reject)]
}

fn limit() -> impl Strategy<Value = u16> {
    prop_oneof![2 => 0_u16..8, 3 => 8_u16..200, 1 => Just(2_000)]
}

fn op(sensors: u8) -> impl Strategy<Value = Op> {
    let sensor = || 0..sensors;
    prop_oneof![
        16 => (sensor(), step(), prop_oneof![1_u16..20, 20_u16..400])
            .prop_map(|(sensor, step, count)| Op::Add { sensor, step, count }),
        10 => (1_u8..120).prop_map(|rounds| Op::AddAll { rounds }),
        3 => (1_u8..60, 1_u8..120).prop_map(|(count, seconds)| Op::Fill { count, seconds }),
        1 => sensor().prop_map(|sensor| Op::AddWrongKind { sensor }),
        3 => (sensor(), 0_u16..400).prop_map(|(sensor, ahead)| Op::ReadAt { sensor, ahead }),
        14 => (sensor(), limit()).prop_map(|(sensor, limit)| Op::Consume { sensor, limit }),
        14 => (sensor(), reply()).prop_map(|(sensor, reply)| Op::Answer { sensor, reply }),
        3 => (any::<u8>(), reply()).prop_map(|(back, reply)| Op::Replay { back, reply }),
        6 => (1_u16..300, 1_u16..1_000, 1_u8..12, proptest::option::weighted(0.8, reply()))
            .prop_map(|(batch, room, batches, reply)| Op::Drain { batch, room, batches, reply }),
        16 => prop_oneof![Just(100_u32), Just(1_000), 0_u32..5_000, Just(70_000)]
            .prop_map(|ms| Op::Tick { ms }),
        4 => Just(Op::Sync),
        1 => any::<u8>().prop_map(|part| Op::Limit { part }),
        1 => Just(Op::Limit { part: u8::MAX }),
        1 => any::<i64>().prop_map(|offset_ms| Op::ClockSynced { offset_ms }),
        1 => sensor().prop_map(|sensor| Op::Deactivate { sensor }),
        2 => sensor().prop_map(|sensor| Op::Activate { sensor }),
        2 => (sensor(), kind(), period_ms())
            .prop_map(|(sensor, kind, period_ms)| Op::Reconfigure { sensor, kind, period_ms }),
        2 => settings().prop_map(Op::Kill),
        1 => settings().prop_map(Op::Restart),
    ]
}

/// Cases of one to `sensors_max` sensors, with 1 to `ops_max` steps.
pub fn case(sensors_max: u8, ops_max: usize) -> impl Strategy<Value = Case> {
    // Numbers begin at 0, or so that they cross 2^32, or near where they run out.
    let first_seq = prop_oneof![
        6 => Just(0_u64),
        2 => (1_u64 << 32) - 400..(1 << 32) + 4,
        1 => u64::MAX - 900..u64::MAX - 20,
    ];
    let start = (kind(), period_ms(), first_seq);
    let starts = proptest::collection::vec(start, 1..=usize::from(sensors_max));
    let ops = proptest::collection::vec(op(sensors_max), 1..=ops_max);
    (settings(), starts, ops).prop_map(|(settings, starts, ops)| {
        // The first opening has every sensor.
        Case { settings: Settings { sensors: u8::MAX, ..settings }, starts, ops }
    })
}
