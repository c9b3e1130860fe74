//! The messages. Their bytes are pinned by `tests/wire.rs`; to change one is a new
//! [`PROTOCOL`](super::PROTOCOL), except for the first exchange, which never changes.

use super::meter::{BLOCK_BUCKETS, OPERATIONS, Operation};
use crate::{
    SensorStats, Timestamp,
    ram::{Config, LedgerStats, PoolStats},
    scenario::{ClockStep, Group, Outage, Pressure, Uploader},
};
use serde::{Deserialize, Serialize};

/// What the host asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Tells requests apart: each is one more than the one before. Frozen.
    pub number: u32,
    /// What is to be done.
    pub command: Command,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Who are you? Frozen, the first variant for ever. It may come with any number.
    Hello {
        /// The version that the host speaks.
        protocol: u16,
    },
    /// A scenario begins: forget the one before.
    Begin(Begin),
    /// The scenario's next group of sensors.
    Group(Group),
    /// Its next outage.
    Outage(Outage),
    /// Its next step of the clock.
    ClockStep(ClockStep),
    /// Its next change of the pool's limit.
    Pressure(Pressure),
    /// The run is to break so at this virtual time: for trying out what the host says then.
    Provoke {
        /// How.
        fault: Fault,
        /// When, in ms of virtual time.
        at_ms: u64,
    },
    /// Run it.
    Run,
    /// How far is it? Answered with `Progress` or, after the end, with `Report`.
    Poll,
    /// End the run now.
    Stop,
    /// A group's counts at the end.
    GroupStats {
        /// Its number in the scenario.
        group: u32,
    },
    /// A part of an operation's histogram.
    Buckets {
        /// Of what.
        operation: Operation,
        /// Which part: buckets `block × BLOCK_BUCKETS` and on.
        block: u16,
    },
}

/// A scenario beside its lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begin {
    /// How the store is opened.
    pub config: Config,
    /// Seeds every random choice.
    pub seed: u64,
    /// Virtual time to run, in ms.
    pub duration_ms: u64,
    /// The device's clock at virtual time 0.
    pub start: Timestamp,
    /// Who takes the records away.
    pub uploader: Option<Uploader>,
}

/// How a run can be made to break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fault {
    /// A panic with a message.
    Panic,
    /// An access to where nothing is.
    HardFault,
    /// A fault within the handler of a fault.
    LockUp,
    /// The program goes round in a circle.
    Hang,
    /// The chip is reset.
    Reset,
}

/// What the device answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Response {
    /// The device's present run since reset: another number means that it was reset. Frozen.
    pub boot: u32,
    /// The request's number. Frozen.
    pub number: u32,
    /// The answer.
    pub answer: Answer,
}

/// The answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::large_enum_variant, reason = "there is no heap to put the large one on")]
pub enum Answer {
    /// To `Hello`. Frozen, the first variant for ever.
    Hello(Hello),
    /// Done; there is nothing to say of it.
    Done,
    /// The scenario runs.
    Progress(Progress),
    /// It has ended.
    Report(Report),
    /// A group's counts.
    GroupStats(SensorStats),
    /// A part of a histogram.
    Buckets(Buckets),
    /// It was not done.
    Refused(Refusal),
}

/// Bytes of a version's text.
pub const VERSION_BYTES: usize = 32;

/// Who the device is. Frozen: every version sends exactly this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// [`MAGIC`](super::MAGIC).
    pub magic: u32,
    /// The version of everything behind this.
    pub protocol: u16,
    /// The firmware's version with its commit: ASCII, zeros behind it.
    pub version: [u8; VERSION_BYTES],
    /// What operations are measured in.
    pub clock: DeviceClock,
    /// The store.
    pub geometry: Geometry,
}

/// What operations are measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeviceClock {
    /// The core's cycle counter (DWT CYCCNT).
    Cycles {
        /// Its rate, in Hz.
        hz: u32,
    },
    /// The core's system timer at the core's clock: the cycle counter does not count here.
    SysTick {
        /// Its rate, in Hz.
        hz: u32,
    },
}

/// The store's size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Geometry {
    /// Bytes that it owns.
    pub store_bytes: u32,
    /// The most sensors.
    pub sensors: u32,
    /// Sectors.
    pub sectors: u32,
    /// Bytes of a sector.
    pub sector_bytes: u32,
}

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Progress {
    /// Virtual time that has passed, in ms.
    pub virtual_ms: u64,
    /// Adds, consumes and answers so far.
    pub operations: u64,
    /// Records that were taken and not yet answered for good.
    pub held: u64,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Over every delivered record and every counter.
    pub digest: u64,
    /// Virtual time that passed, in ms.
    pub virtual_ms: u64,
    /// The sum of all counts.
    pub totals: SensorStats,
    /// Records handed out.
    pub records_delivered: u64,
    /// Batches handed out.
    pub batches: u64,
    /// Answers that the store called stale.
    pub stale_answers: u64,
    /// The pool at the end.
    pub pool: PoolStats,
    /// The loss ledger.
    pub ledger: LedgerStats,
    /// What the operations cost, in the order of [`Operation::ALL`].
    pub costs: [Cost; OPERATIONS],
    /// What a measurement of nothing costs, in ticks: part of every figure.
    pub empty_ticks: u32,
    /// Memory.
    pub footprint: Footprint,
    /// Whether the walk over the whole store found it sound.
    pub is_sound: bool,
}

/// What an operation cost, in ticks of the device's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Cost {
    /// How many were measured: all.
    pub count: u64,
    /// All of them together.
    pub sum: u64,
    /// The cheapest; 0 without any.
    pub min: u32,
    /// The dearest.
    pub max: u32,
}

/// Memory of the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Footprint {
    /// Static memory: data, bss, and what outlives a reset.
    pub static_bytes: u32,
    /// The stack's room.
    pub stack_bytes: u32,
    /// The most of it that was ever used.
    pub stack_peak_bytes: u32,
    /// Flash.
    pub flash_bytes: u32,
}

/// A part of a histogram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Buckets {
    /// Operations in each bucket.
    pub counts: [u32; BLOCK_BUCKETS],
}

/// Why something was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// The first request after a reset must be `Hello`.
    NoHello,
    /// A scenario runs.
    Busy,
    /// None has run.
    NoRun,
    /// More sensors than the store has places.
    Sensors {
        /// How many there may be.
        max: u32,
    },
    /// More groups than there is memory for.
    Groups {
        /// How many there may be.
        max: u32,
    },
    /// More outages than there is memory for.
    Outages {
        /// How many there may be.
        max: u32,
    },
    /// More steps of the clock than there is memory for.
    ClockSteps {
        /// How many there may be.
        max: u32,
    },
    /// More changes of the pool's limit than there is memory for.
    Pressures {
        /// How many there may be.
        max: u32,
    },
    /// Batches have more records than there is memory for.
    Batch {
        /// How many they may have.
        max: u32,
    },
    /// A number is out of its range, or no such thing is there.
    Invalid,
    /// The store did not take a sensor.
    Register,
}

impl core::fmt::Display for Refusal {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::NoHello => f.write_str("it was not greeted since its reset"),
            Self::Busy => f.write_str("a scenario is running on it"),
            Self::NoRun => f.write_str("no scenario has run on it"),
            Self::Sensors { max } => write!(f, "its store takes at most {max} sensors"),
            Self::Groups { max } => write!(f, "it has memory for {max} groups of sensors"),
            Self::Outages { max } => write!(f, "it has memory for {max} outages"),
            Self::ClockSteps { max } => write!(f, "it has memory for {max} steps of the clock"),
            Self::Pressures { max } => write!(f, "it has memory for {max} pool pressures"),
            Self::Batch { max } => write!(f, "it has memory for batches of {max} records"),
            Self::Invalid => f.write_str("a figure of the scenario is out of its range"),
            Self::Register => f.write_str("its store did not take a sensor"),
        }
    }
}

/// A version's text in its fixed bytes, cut if it is longer.
pub const fn version_bytes(text: &str) -> [u8; VERSION_BYTES] {
    let (text, mut bytes, mut at) = (text.as_bytes(), [0; VERSION_BYTES], 0);
    while at < text.len() && at < VERSION_BYTES {
        bytes[at] = text[at];
        at += 1;
    }
    bytes
}

/// The text in a version's bytes; what is no text is left out.
pub fn text_of(version: &[u8; VERSION_BYTES]) -> &str {
    let len = version.iter().position(|&byte| byte == 0).unwrap_or(VERSION_BYTES);
    core::str::from_utf8(&version[..len]).unwrap_or("")
}
