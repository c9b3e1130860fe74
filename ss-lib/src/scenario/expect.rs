//! What a scenario expects of its run, and whether it got it.

use super::run::Figures;
use core::fmt;

/// A figure that can be expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Figure {
    /// Records that got a number.
    Added,
    /// Adds that the full pool refused.
    Refused,
    /// Records that the cloud acknowledged.
    Acked,
    /// Records that the cloud rejected.
    Rejected,
    /// Records dropped for any cause.
    Lost,
    /// Records dropped to make room.
    Recycled,
    /// Records dropped because their sector was corrupt.
    Corrupt,
    /// Records in flight at the end.
    Pending,
    /// Records waiting at the end.
    Unsent,
    /// Deliveries of records that had been delivered before.
    Redelivered,
    /// Answers that the store called stale.
    StaleAnswers,
    /// Entries made in the loss ledger.
    LedgerEntries,
    /// The greatest age that a record reached in the store.
    OldestAge,
    /// RAM at the peak.
    Ram,
    /// Sectors in use at the peak.
    SectorsPeak,
}

/// What a figure is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A number of things.
    Count,
    /// Milliseconds.
    Millis,
    /// Bytes.
    Bytes,
}

impl Figure {
    /// Every figure of a whole run.
    pub const ALL: [Self; 15] = [
        Self::Added,
        Self::Refused,
        Self::Acked,
        Self::Rejected,
        Self::Lost,
        Self::Recycled,
        Self::Corrupt,
        Self::Pending,
        Self::Unsent,
        Self::Redelivered,
        Self::StaleAnswers,
        Self::LedgerEntries,
        Self::OldestAge,
        Self::Ram,
        Self::SectorsPeak,
    ];

    /// The figures that exist for a group alone: those that its sensors' counts give.
    pub const OF_GROUP: [Self; 9] = [
        Self::Added,
        Self::Refused,
        Self::Acked,
        Self::Rejected,
        Self::Lost,
        Self::Recycled,
        Self::Corrupt,
        Self::Pending,
        Self::Unsent,
    ];

    /// The figure's key in a scenario.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Refused => "refused",
            Self::Acked => "acked",
            Self::Rejected => "rejected",
            Self::Lost => "lost",
            Self::Recycled => "recycled",
            Self::Corrupt => "corrupt",
            Self::Pending => "pending",
            Self::Unsent => "unsent",
            Self::Redelivered => "redelivered",
            Self::StaleAnswers => "stale_answers",
            Self::LedgerEntries => "ledger_entries",
            Self::OldestAge => "oldest_age",
            Self::Ram => "ram",
            Self::SectorsPeak => "sectors_peak",
        }
    }

    /// What it is counted in.
    pub const fn unit(self) -> Unit {
        match self {
            Self::OldestAge => Unit::Millis,
            Self::Ram => Unit::Bytes,
            _ => Unit::Count,
        }
    }
}

/// The values that are right, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// The least right value.
    pub min: u64,
    /// The greatest right value.
    pub max: u64,
}

/// One clause of `[expect]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expectation {
    /// A figure of the whole run, or of the group with this index.
    Figure {
        /// The group, if not the whole run.
        group: Option<usize>,
        /// The figure.
        figure: Figure,
        /// Its right values.
        bound: Bound,
    },
    /// The run's digest.
    Digest(u64),
}

/// An expectation and what the run gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// The clause's key: `lost`, or `groups.NAME.lost`.
    pub name: String,
    /// What was expected, in words.
    pub wanted: String,
    /// What was found, in words.
    pub got: String,
    /// Whether it is right.
    pub ok: bool,
}

/// A value in its unit, for a person.
struct InUnit(u64, Unit);

impl fmt::Display for InUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.1 {
            Unit::Count => write!(f, "{}", self.0),
            Unit::Millis => {
                write!(
                    f,
                    "{}",
                    humantime::format_duration(std::time::Duration::from_millis(self.0))
                )
            }
            Unit::Bytes => write!(f, "{} B", self.0),
        }
    }
}

impl Expectation {
    /// Holds the clause against a run's figures.
    pub fn judge(&self, figures: &Figures) -> Judged {
        match self {
            Self::Digest(wanted) => Judged {
                name: "digest".to_owned(),
                wanted: format!("{wanted:016x}"),
                got: format!("{:016x}", figures.digest),
                ok: *wanted == figures.digest,
            },
            Self::Figure { group, figure, bound } => {
                let got = figures.get(*group, *figure);
                let name = match group.and_then(|index| figures.groups.get(index)) {
                    Some(group) => format!("groups.{}.{}", group.name, figure.name()),
                    None => figure.name().to_owned(),
                };
                let unit = figure.unit();
                let wanted = match *bound {
                    Bound { min, max } if min == max => InUnit(min, unit).to_string(),
                    Bound { min: 0, max } => format!("at most {}", InUnit(max, unit)),
                    Bound { min, max: u64::MAX } => format!("at least {}", InUnit(min, unit)),
                    Bound { min, max } => format!("{} to {}", InUnit(min, unit), InUnit(max, unit)),
                };
                let ok = (bound.min..=bound.max).contains(&got);
                Judged { name, wanted, got: InUnit(got, unit).to_string(), ok }
            }
        }
    }
}
