//! What a scenario expects of its run, and whether it got it.

use super::run::Figures;
use core::fmt;

/// What a figure is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A number of things.
    Count,
    /// Milliseconds.
    Millis,
    /// Bytes.
    Bytes,
    /// Hundredths of a byte.
    Centibytes,
}

/// The one list of figures: meaning, name of the variant, key in a scenario, unit, and whether the
/// counts of a group give it too.
macro_rules! figures {
    ($($(#[$doc:meta])* $figure:ident = $name:literal, $unit:ident, $of_group:literal;)+) => {
        /// A figure that can be expected.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Figure {
            $($(#[$doc])* $figure,)+
        }

        impl Figure {
            /// Every figure of a whole run.
            pub const ALL: &'static [Self] = &[$(Self::$figure),+];

            /// The figure's key in a scenario.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$figure => $name,)+
                }
            }

            /// What it is counted in.
            pub const fn unit(self) -> Unit {
                match self {
                    $(Self::$figure => Unit::$unit,)+
                }
            }

            /// Whether it exists for a group alone: its sensors' counts give it.
            pub const fn is_of_group(self) -> bool {
                match self {
                    $(Self::$figure => $of_group,)+
                }
            }
        }
    };
}

figures! {
    /// Records that got a number.
    Added = "added", Count, true;
    /// Adds that the full pool refused.
    Refused = "refused", Count, true;
    /// Records that the cloud acknowledged.
    Acked = "acked", Count, true;
    /// Records that the cloud rejected.
    Rejected = "rejected", Count, true;
    /// Records dropped for any cause.
    Lost = "lost", Count, true;
    /// Records dropped to make room.
    Recycled = "recycled", Count, true;
    /// Records dropped because their sector was corrupt.
    Corrupt = "corrupt", Count, true;
    /// Records dropped because their sensor was over its quota.
    Quota = "quota", Count, true;
    /// Records dropped because the store was at its limit on disk.
    DiskMax = "disk_max", Count, true;
    /// Records in flight at the end.
    Pending = "pending", Count, true;
    /// Records waiting at the end.
    Unsent = "unsent", Count, true;
    /// Deliveries of records that had been delivered before.
    Redelivered = "redelivered", Count, false;
    /// Answers that the store called stale.
    StaleAnswers = "stale_answers", Count, false;
    /// Entries made in the loss ledger.
    LedgerEntries = "ledger_entries", Count, false;
    /// The greatest age that a record reached in the store.
    OldestAge = "oldest_age", Millis, false;
    /// RAM at the peak.
    Ram = "ram", Bytes, false;
    /// Sectors in use at the peak.
    SectorsPeak = "sectors_peak", Count, false;
    /// Bytes on disk at the end.
    DiskBytes = "disk_bytes", Bytes, false;
    /// Bytes on disk at the peak.
    DiskBytesPeak = "disk_bytes_peak", Bytes, false;
    /// Bytes written to disk in all.
    DiskBytesWritten = "disk_bytes_written", Bytes, false;
    /// Segment files at the end.
    DiskSegments = "disk_segments", Count, false;
    /// Segment files ever created, those that a squeeze made included.
    DiskSegmentsCreated = "disk_segments_created", Count, false;
    /// Syncs.
    DiskFsyncs = "disk_fsyncs", Count, false;
    /// Bytes on disk for a record that was on disk only, when most of them were.
    BytesPerRecord = "bytes_per_record", Centibytes, false;
    /// The longest that a record was held and not durable.
    DurableLag = "durable_lag", Millis, false;
    /// How often the store was opened again.
    Recoveries = "recoveries", Count, false;
    /// Records that were in RAM only when the store was killed.
    LostInKills = "lost_in_kills", Count, false;
    /// Records that shutdowns left unwritten at their deadline.
    ShutdownLeft = "shutdown_left", Count, false;
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
            Unit::Centibytes => write!(f, "{}.{:02} B", self.0 / 100, self.0 % 100),
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
