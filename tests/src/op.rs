//! The operations of the model test, and how they are drawn.

use proptest::prelude::*;
use ss_lib::{ClockKind, Kind, ram::FullPolicy};
use std::fmt;

/// When a reading is taken, seen from the sensor's grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// One period after the last.
    OnGrid,
    /// One period after the last, and so many 256ths of a period beside it: within half a period.
    Jittered(i8),
    /// So many ms behind where the grid would be.
    Late(u32),
    /// The clock was set back by so many ms.
    SetBack(u32),
    /// The clock was set to this time.
    SetTo(u64),
    /// From now on the time is read from this clock.
    OnClock(ClockKind),
    /// Far from every other: it needs a sector of its own.
    Elsewhere,
}

/// What the uploader says of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The cloud has it.
    Ack,
    /// It was not delivered.
    Nack,
    /// The cloud will never take it.
    Reject,
}

/// One step of a case. Sensors are given modulo their number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are named like what they are")]
pub enum Op {
    /// Adds one reading of the kind that the sensor takes.
    Add { sensor: u8, when: When, value: u32 },
    /// Adds many.
    AddRun { sensor: u8, when: When, count: u32 },
    /// Adds a reading of the other kind.
    AddWrongKind { sensor: u8 },
    /// Looks at the next record.
    Peek { sensor: u8 },
    /// Looks at the next records.
    PeekBatch { sensor: u8, limit: u16 },
    /// Reads the record that lies so far behind the sensor's oldest.
    ReadAt { sensor: u8, ahead: u16 },
    /// Hands out a batch.
    Consume { sensor: u8, limit: u16 },
    /// Answers the batch that is pending, or the sensor's last one again.
    Answer { sensor: u8, reply: Reply },
    /// Answers with a token that was handed out so many batches ago, by any sensor.
    Replay { back: u16, reply: Reply },
    /// Answers with a token of another store's epoch, and adds to a sensor that only it has.
    Foreign { sensor: u8, reply: Reply },
    /// Refuses the sensor's adds.
    Deactivate { sensor: u8 },
    /// Takes them again.
    Activate { sensor: u8 },
    /// Changes what the sensor is.
    Reconfigure { sensor: u8, kind: Kind, period_ms: u32 },
    /// Limits the sectors in use to this part of the pool, in 255ths.
    Limit { part: u8 },
    /// Tells the time.
    Tick { ms: u32 },
}

/// A sensor at the start of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// What it takes.
    pub kind: Kind,
    /// Its period in ms.
    pub period_ms: u32,
    /// The number of its first record.
    pub first_seq: u64,
}

/// One case: a store is opened, sensors are registered, operations run.
#[derive(Clone)]
pub struct Case {
    /// What an add does when no sector is free.
    pub policy: FullPolicy,
    /// The sensors.
    pub starts: Vec<Start>,
    /// The steps.
    pub ops: Vec<Op>,
}

/// A line a step, and one a sensor that is not a time series of 1 ms from number 0.
impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.policy)?;
        let simplest = Start { kind: Kind::TimeSeries, period_ms: 1, first_seq: 0 };
        for (sensor, start) in self.starts.iter().enumerate().filter(|(_, s)| **s != simplest) {
            write!(f, "\n  sensor {sensor}: {start:?}")?;
        }
        for (step, op) in self.ops.iter().enumerate() {
            write!(f, "\n  step {step}: {op:?}")?;
        }
        Ok(())
    }
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![Just(Kind::TimeSeries), Just(Kind::Event)]
}

fn clock() -> impl Strategy<Value = ClockKind> {
    prop_oneof![Just(ClockKind::Monotonic), Just(ClockKind::Utc), Just(ClockKind::Caller)]
}

fn period_ms() -> impl Strategy<Value = u32> {
    prop_oneof![
        4 => prop_oneof![Just(1), Just(10), Just(600), Just(999), Just(1_000)],
        1 => 1_u32..100_000,
        1 => Just(u32::MAX),
    ]
}

/// Numbers begin at 0, or so that they cross 2^32, or so that they run out.
fn first_seq() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => Just(0),
        1 => 0_u64..1 << 20,
        2 => (1_u64 << 32) - 40..(1 << 32) + 4,
        1 => (1_u64 << 63) - 3..(1 << 63) + 3,
        2 => u64::MAX - 60..=u64::MAX,
    ]
}

fn time_ms() -> impl Strategy<Value = u64> {
    prop_oneof![
        Just(0),
        Just(u64::MAX),
        Just(1_u64 << 48),
        (1_u64 << 48) - 5_000..(1 << 48) + 5_000,
        u64::MAX - 5_000..=u64::MAX,
        0_u64..10_000,
        1_700_000_000_000_u64..1_700_000_100_000,
        any::<u64>(),
    ]
}

fn when() -> impl Strategy<Value = When> {
    prop_oneof![
        10 => Just(When::OnGrid),
        5 => any::<i8>().prop_map(When::Jittered),
        2 => (0_u32..5_000).prop_map(When::Late),
        1 => any::<u32>().prop_map(When::Late),
        1 => (0_u32..10_000).prop_map(When::SetBack),
        2 => time_ms().prop_map(When::SetTo),
        1 => clock().prop_map(When::OnClock),
        2 => Just(When::Elsewhere),
    ]
}

fn reply() -> impl Strategy<Value = Reply> {
    prop_oneof![4 => Just(Reply::Ack), 3 => Just(Reply::Nack), 1 => Just(Reply::Reject)]
}

fn limit(run_max: u32) -> impl Strategy<Value = u16> {
    let most = run_max.clamp(8, u32::from(u16::MAX)) as u16;
    prop_oneof![4 => 0_u16..8, 2 => 0..=most, 1 => Just(u16::MAX)]
}

/// One operation; a run of adds has at most `run_max`.
fn op(sensors: u8, run_max: u32) -> impl Strategy<Value = Op> {
    let sensor = || 0..sensors;
    prop_oneof![
        24 => (sensor(), when(), any::<u32>())
            .prop_map(|(sensor, when, value)| Op::Add { sensor, when, value }),
        6 => (sensor(), when(), 1..=run_max)
            .prop_map(|(sensor, when, count)| Op::AddRun { sensor, when, count }),
        1 => sensor().prop_map(|sensor| Op::AddWrongKind { sensor }),
        1 => sensor().prop_map(|sensor| Op::Peek { sensor }),
        2 => (sensor(), limit(run_max)).prop_map(|(sensor, limit)| Op::PeekBatch { sensor, limit }),
        2 => (sensor(), 0_u16..200).prop_map(|(sensor, ahead)| Op::ReadAt { sensor, ahead }),
        14 => (sensor(), limit(run_max)).prop_map(|(sensor, limit)| Op::Consume { sensor, limit }),
        12 => (sensor(), reply()).prop_map(|(sensor, reply)| Op::Answer { sensor, reply }),
        3 => (0_u16..40, reply()).prop_map(|(back, reply)| Op::Replay { back, reply }),
        1 => (sensor(), reply()).prop_map(|(sensor, reply)| Op::Foreign { sensor, reply }),
        1 => sensor().prop_map(|sensor| Op::Deactivate { sensor }),
        2 => sensor().prop_map(|sensor| Op::Activate { sensor }),
        2 => (sensor(), kind(), period_ms())
            .prop_map(|(sensor, kind, period_ms)| Op::Reconfigure { sensor, kind, period_ms }),
        1 => any::<u8>().prop_map(|part| Op::Limit { part }),
        1 => Just(Op::Limit { part: u8::MAX }),
        2 => any::<u32>().prop_map(|ms| Op::Tick { ms }),
    ]
}

/// Cases for a store of `sensors` sensors: 1 to `ops_max` steps, runs of at most `run_max` adds.
pub fn case(sensors: u8, ops_max: usize, run_max: u32) -> impl Strategy<Value = Case> {
    let policy =
        prop_oneof![3 => Just(FullPolicy::RecycleOldest), 1 => Just(FullPolicy::RefuseNew)];
    let start = (kind(), period_ms(), first_seq()).prop_map(|(kind, period_ms, first_seq)| Start {
        kind,
        period_ms,
        first_seq,
    });
    let starts = proptest::collection::vec(start, usize::from(sensors));
    let ops = proptest::collection::vec(op(sensors, run_max), 1..=ops_max);
    (policy, starts, ops).prop_map(|(policy, starts, ops)| Case { policy, starts, ops })
}
