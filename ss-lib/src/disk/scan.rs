//! Looks at a whole store and changes nothing: every page of every file is read and classified, and
//! every sensor's records are counted against what its cursors say there must be.
//!
//! Three steps, each bounded in memory by the sensors, the segments and the bad pages: `survey` asks
//! each file which segment of which store it is; `state` reads the newest complete checkpoint and what
//! follows it, so that the cursors are known before anything is said about gaps; `walk` reads the rest.

mod account;
mod model;
mod pass;
mod sensors;
mod state;
mod survey;
mod walk;

pub(crate) use account::live_part;
pub use model::{
    BadPages, Cut, CutReason, Durable, ForeignFile, FuturePage, Identity, IdentitySource,
    LEDGER_MAX, LOST_RANGES_MAX, PageClass, Role, SENSORS_MAX, Scan, SegmentScan, SlotScan, Totals,
};
pub use sensors::{ClockOffset, LedgerLoss, LostPlace, LostRange, SensorScan, SensorTime};
pub(crate) use survey::MISPLACED_SUFFIX;
pub(crate) use walk::{Fault, PageReader, SegmentWalk, walk_segment};

use super::io::{Disk, DiskError};
use account::Account;
use std::{error::Error, fmt, io};

/// How often a store is looked at again because a file went away while it was read: its owner erases
/// what was uploaded.
const TRIES: u32 = 8;

/// Why a store could not be looked at.
#[derive(Debug)]
pub enum ScanError {
    /// The directory has no superblock and no segment: it is no store, the wrong directory, or one in which
    /// the creation of a store was cut at once.
    NotAStore,
    /// The disk failed in another way than by not reading some page.
    Disk(DiskError),
}

impl fmt::Display for ScanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAStore => f.write_str(
                "no store here: the directory has no superblock and no segment; check the path",
            ),
            Self::Disk(error) => error.fmt(f),
        }
    }
}

impl Error for ScanError {}

impl From<DiskError> for ScanError {
    fn from(error: DiskError) -> Self {
        Self::Disk(error)
    }
}

/// How far a scan is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScanProgress {
    /// Pages that were read.
    pub pages_done: u64,
    /// Pages to read.
    pub pages_all: u64,
}

/// Looks at the store on `disk`.
pub fn scan<D: Disk>(disk: &D) -> Result<Scan, ScanError> {
    scan_with(disk, &mut |_| {})
}

/// Looks at the store on `disk` and tells after each segment how far it is.
pub fn scan_with<D: Disk>(
    disk: &D,
    progress: &mut dyn FnMut(ScanProgress),
) -> Result<Scan, ScanError> {
    let mut tries = 0;
    loop {
        match scan_once(disk, progress) {
            Err(ScanError::Disk(error))
                if error.error.kind() == io::ErrorKind::NotFound && tries < TRIES =>
            {
                tries += 1;
            }
            answer => return answer,
        }
    }
}

fn scan_once<D: Disk>(disk: &D, progress: &mut dyn FnMut(ScanProgress)) -> Result<Scan, ScanError> {
    let mut scan = survey::survey(disk)?;
    let Some(identity) = scan.identity else { return Ok(scan) };
    let pages_all = scan.segments.iter().map(|segment| u64::from(segment.pages)).sum();
    let mut reader = PageReader::new(disk);
    let (state, first) = state::read(&mut reader, &mut scan, &identity)?;
    let mut account = Account::new(state, first, &scan);
    let mut pages_done = 0;
    for index in 0..scan.segments.len() {
        account.segment(&mut reader, &mut scan, &identity, index)?;
        pages_done += u64::from(scan.segments[index].pages);
        progress(ScanProgress { pages_done, pages_all });
    }
    account.finish(&mut scan);
    Ok(scan)
}
