//! How far an exploration goes, how its states are named, and what it came to.

use super::super::oracle::Violation;
use core::fmt;
use std::str::FromStr;

/// How far to explore.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Operations that are cut at most; more are sampled evenly. 0: all.
    pub cuts_max: u64,
    /// States at most; 0: as many as there are. What is left out then lies at the end of the run.
    pub states_max: u64,
    /// Of each so many states one has its recovery cut at every operation; 0: none.
    pub second_every: u64,
    /// Of each so many states one is also asked what `ss verify` says.
    pub scan_every: u64,
    /// Of each so many cuts one is also looked at with rot: each of its pages is damaged once. 0: none.
    pub rot_every: u64,
    /// States that break a promise after which a thread ends.
    pub bad_max: usize,
    /// Threads; 0: as many as the machine has.
    pub threads: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            cuts_max: 0,
            states_max: 0,
            second_every: 8,
            scan_every: 16,
            rot_every: 16,
            bad_max: 16,
            threads: 0,
        }
    }
}

/// One state of a disk, by the operation that was cut and by the outcome; and, if its recovery was cut
/// as well, the same of that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StateId {
    /// Operations before the cut; the one behind them was under way.
    pub step: u32,
    /// Which outcome.
    pub outcome: u32,
    /// The same of the recovery.
    pub second: Option<(u32, u32)>,
}

impl fmt::Display for StateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.step, self.outcome)?;
        match self.second {
            Some((step, outcome)) => write!(f, "+{step}.{outcome}"),
            None => Ok(()),
        }
    }
}

impl FromStr for StateId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let pair = |text: &str| {
            let (step, outcome) = text.split_once('.')?;
            Some((step.parse().ok()?, outcome.parse().ok()?))
        };
        let (first, second) = match text.split_once('+') {
            Some((first, second)) => (first, Some(second)),
            None => (text, None),
        };
        let parsed = pair(first).and_then(|(step, outcome)| {
            let second = match second {
                Some(second) => Some(pair(second)?),
                None => None,
            };
            Some(Self { step, outcome, second })
        });
        parsed.ok_or_else(|| {
            format!(
                "`{text}` is no state: one is written OPERATION.OUTCOME, as 412.17 or 412.17+3.5"
            )
        })
    }
}

/// A state that breaks a promise.
#[derive(Clone, Debug)]
pub struct BadState {
    /// Which.
    pub id: StateId,
    /// The operation that was under way, in a word, and what became of what waited.
    pub what: String,
    /// The promise.
    pub violation: Violation,
}

/// What an exploration came to.
#[derive(Clone, Debug, Default)]
pub struct Explored {
    /// Records that the scenario added.
    pub records: u64,
    /// Operations on the disk.
    pub steps: u64,
    /// Those of them that were cut.
    pub cuts: u64,
    /// States that were made.
    pub states: u64,
    /// States that differ, in their bytes or in what had been promised; each was judged once.
    pub distinct: u64,
    /// States of both kinds whose recovery had been cut.
    pub second_states: u64,
    /// States in which a page was damaged.
    pub rotten_states: u64,
    /// The most records that a state had lost, none of which was promised.
    pub lost_max: u64,
    /// The most calls of the disk that an opening made.
    pub open_calls_max: u64,
    /// The longest opening, in ns of this machine's time, and all together.
    pub open_ns_max: u64,
    /// All openings that were measured together, in ns: one of each state that differs.
    pub open_ns: u64,
    /// Whether `states_max` ended it.
    pub is_cut_short: bool,
    /// The first states that break a promise.
    pub bad: Vec<BadState>,
    /// How long it took, in ns of this machine's time.
    pub wall_ns: u64,
}

impl Explored {
    /// Adds what another run came to.
    pub fn add(&mut self, other: Self) {
        self.records += other.records;
        self.steps += other.steps;
        self.cuts += other.cuts;
        self.states += other.states;
        self.distinct += other.distinct;
        self.second_states += other.second_states;
        self.rotten_states += other.rotten_states;
        self.lost_max = self.lost_max.max(other.lost_max);
        self.open_calls_max = self.open_calls_max.max(other.open_calls_max);
        self.open_ns_max = self.open_ns_max.max(other.open_ns_max);
        self.open_ns += other.open_ns;
        self.is_cut_short |= other.is_cut_short;
        self.bad.extend(other.bad);
        self.wall_ns += other.wall_ns;
    }
}

/// Who is told how far an exploration is, and may end it.
pub trait Progress: Sync {
    /// So many of so many cuts are done.
    fn cuts(&self, _done: u64, _all: u64) {}
    /// Whether to end now.
    fn is_cancelled(&self) -> bool {
        false
    }
}

/// Nobody is told.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unseen;

impl Progress for Unseen {}
