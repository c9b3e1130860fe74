//! Mends a store with permission. It may be killed at any moment and started again: each step leaves a
//! store that a scan understands, and what is taken out lies in `lost+found/` before it goes.

mod aside;
mod checkpoint;
mod pages;

use super::{
    io::{Disk, DiskError, FileName, Operation, write_all_at},
    plan::{Action, Plan, Unusable, Verdict, plan},
    scan::{Identity, LostRange, Scan, ScanError, SlotScan, scan},
    superblock::{SUPERBLOCK_BYTES, SUPERBLOCK_FILE, Superblock},
};
pub(crate) use checkpoint::{Checkpoint, balance, ledger, mended};
use std::{error::Error, fmt, io};

/// The directory that takes what a repair takes out.
pub(crate) const LOST_AND_FOUND: &str = "lost+found";
/// How often a store is looked at again while it is mended. A sound plan needs two rounds; only files
/// that were made to confuse need more.
const ROUNDS_MAX: u32 = 16;

/// How to repair.
#[derive(Clone, Copy, Debug, Default)]
pub struct RepairOptions {
    /// The time that the ledger's new entries get, in ms since 1970.
    pub now_ms: u64,
}

/// What a repair did.
#[derive(Debug)]
pub struct Repaired {
    /// What was done, in order.
    pub actions: Vec<Action>,
    /// What was lost and stands in the ledger now.
    pub losses: Vec<LostRange>,
    /// Records in them, and in ranges too many to list.
    pub records_lost: u64,
    /// What `verify` says now.
    pub verdict: Verdict,
    /// The store as it is now.
    pub scan: Scan,
}

/// Why a store was not repaired. What had been done by then stays, and a repair can be started again.
#[derive(Debug)]
pub enum RepairError {
    /// It could not be looked at.
    Scan(ScanError),
    /// Nothing may be done with it: it was not touched.
    Unusable(Unusable),
    /// The disk failed.
    Disk(DiskError),
    /// Segment or page numbers are used up: `ss repair --into` makes a fresh store.
    NumbersExhausted,
    /// The sensors do not fit into one segment: `ss repair --into` makes a fresh store.
    CheckpointTooLarge {
        /// Pages that it needs at least.
        pages: u32,
        /// Pages of a segment.
        segment_pages: u32,
    },
    /// After many rounds there is still something to do.
    NotSettled,
}

impl fmt::Display for RepairError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let into = "a fresh store can be made of what is readable: ss repair --into DIR";
        match self {
            Self::Scan(error) => error.fmt(f),
            Self::Unusable(unusable) => unusable.fmt(f),
            Self::Disk(error) => write!(f, "{error}; start the repair again when the disk works"),
            Self::NumbersExhausted => {
                write!(f, "the numbers of segments or pages are used up; {into}")
            }
            Self::CheckpointTooLarge { pages, segment_pages } => write!(
                f,
                "the sensors need a checkpoint of {pages} pages, and a segment has {segment_pages}; \
                 {into}"
            ),
            Self::NotSettled => {
                write!(f, "the store looks different after each of {ROUNDS_MAX} rounds; {into}")
            }
        }
    }
}

impl Error for RepairError {}

impl From<DiskError> for RepairError {
    fn from(error: DiskError) -> Self {
        Self::Disk(error)
    }
}

impl From<ScanError> for RepairError {
    fn from(error: ScanError) -> Self {
        Self::Scan(error)
    }
}

pub(crate) fn fail(operation: Operation, file: &str) -> impl Fn(io::Error) -> DiskError {
    move |error| DiskError::new(operation, file, error)
}

/// Looks at the store, does what the plan says, and looks again, until there is nothing left to do.
pub fn repair<D: Disk>(disk: &D, options: &RepairOptions) -> Result<Repaired, RepairError> {
    let mut done = Vec::new();
    let mut losses = Vec::new();
    let mut records_lost = 0_u64;
    for _ in 0..ROUNDS_MAX {
        let found = scan(disk)?;
        let Plan { actions, verdict, losses: lost, records_lost: count, .. } = plan(&found);
        if let Verdict::Unusable(unusable) = verdict {
            return Err(RepairError::Unusable(unusable));
        }
        let (Some(identity), false) = (found.identity, actions.is_empty()) else {
            return Ok(Repaired { actions: done, losses, records_lost, verdict, scan: found });
        };
        let mut wrote_checkpoint = false;
        for action in actions {
            apply(disk, &found, &identity, &action, *options)?;
            wrote_checkpoint |= matches!(action, Action::WriteCheckpoint { .. });
            done.push(action);
        }
        if wrote_checkpoint {
            losses.extend(lost);
            records_lost = records_lost.saturating_add(count);
        }
    }
    Err(RepairError::NotSettled)
}

fn apply<D: Disk>(
    disk: &D,
    scan: &Scan,
    identity: &Identity,
    action: &Action,
    options: RepairOptions,
) -> Result<(), RepairError> {
    match *action {
        Action::SetAside { file, why } => {
            aside::set_aside(disk, file, &format!("{file} {}", why.text()), options.now_ms)?;
        }
        Action::GiveName { from, to } => {
            disk.rename(from.as_str(), to.as_str())
                .map_err(fail(Operation::Rename, from.as_str()))?;
            sync_dir(disk)?;
        }
        Action::WriteCheckpoint { segment, .. } => {
            checkpoint::append_segment(disk, scan, identity, segment, options.now_ms)?;
        }
        Action::ReplacePages { file, segment, generation, first_page, pages, first_lsn, class } => {
            aside::copy_pages(disk, file, first_page, pages, class.name(), options.now_ms)?;
            let place = pages::Place { file, segment, generation, first_page, pages, first_lsn };
            pages::replace(disk, scan, identity, &place)?;
        }
        Action::Cut { file, from_page, pages, why } => {
            if why == super::CutReason::IndexBad {
                aside::copy_pages(disk, file, from_page, pages, why.text(), options.now_ms)?;
            }
            pages::cut(disk, file, from_page)?;
        }
        Action::WriteSuperblock { slot } => write_superblock(disk, scan, identity, slot)?,
    }
    Ok(())
}

pub(super) fn sync_dir<D: Disk>(disk: &D) -> Result<(), DiskError> {
    disk.sync_dir().map_err(fail(Operation::SyncDir, "."))
}

/// Writes a slot so that it is the newest, and names the newest opening that any page is of.
fn write_superblock<D: Disk>(
    disk: &D,
    scan: &Scan,
    identity: &Identity,
    slot: u8,
) -> Result<(), RepairError> {
    let before = scan.superblock.unwrap_or(Superblock {
        store_id: identity.store_id,
        segment_pages: identity.segment_pages,
        epoch: 0,
        // Slot 0 is written with 2 and slot 1 with 3.
        sequence: 1 + u64::from(slot),
        created_ms: 0,
        opened_ms: 0,
        last_lsn: 0,
        is_clean: false,
    });
    // An end that is missing was told of once; from now on the log ends where it does.
    let is_whole = scan.pages_missing_at_end() == 0 && before.epoch >= scan.epoch;
    let before = Superblock {
        last_lsn: if is_whole { before.last_lsn } else { 0 },
        is_clean: before.is_clean && is_whole,
        ..before
    };
    let sequence = before.sequence.checked_add(1).ok_or(RepairError::NumbersExhausted)?;
    let superblock = Superblock { sequence, epoch: before.epoch.max(scan.epoch), ..before };
    debug_assert_eq!(superblock.offset(), u64::from(slot) * super::PAGE_BYTES as u64);
    let mut bytes = vec![0; SUPERBLOCK_BYTES / 2];
    superblock.encode(&mut bytes);
    let name = SUPERBLOCK_FILE;
    let mut is_new = false;
    let file = match disk.open_writable(name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            is_new = true;
            disk.create(name).map_err(fail(Operation::Create, name))?
        }
        opened => opened.map_err(fail(Operation::Open, name))?,
    };
    write_all_at(disk, &file, &bytes, superblock.offset())
        .map_err(|(_, error)| fail(Operation::Write, name)(error))?;
    disk.sync(&file).map_err(fail(Operation::Sync, name))?;
    // One that was there may be a repair's that was killed before this.
    if is_new || matches!(scan.slots, [SlotScan::Missing, SlotScan::Missing]) {
        sync_dir(disk)?;
    }
    Ok(())
}

/// Removes a file if it is there.
pub(super) fn unlink_if_there<D: Disk>(disk: &D, file: FileName) -> Result<(), DiskError> {
    match disk.unlink(file.as_str()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done.map_err(fail(Operation::Unlink, file.as_str())),
    }
}
