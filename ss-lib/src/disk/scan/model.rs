//! What a scan found, as plain data.

use super::super::{
    io::FileName,
    page::{PageFault, StoreId},
    superblock::Superblock,
};
use super::{ClockOffset, LedgerLoss, LostRange, SensorScan};
use crate::{SensorKey, SensorStats};

/// The most sensors that a scan tells apart. Those beyond are counted, and their records ignored: bytes
/// on disk decide how many there seem to be, and they may be hostile.
pub const SENSORS_MAX: usize = 1 << 20;
/// The most entries of the loss ledger that are kept in memory.
pub const LEDGER_MAX: usize = 1 << 14;
/// The most lost ranges that are listed one by one.
pub const LOST_RANGES_MAX: usize = 1 << 14;

/// Everything that can be said about a store without changing it.
#[derive(Clone, Debug, Default)]
pub struct Scan {
    /// Which store it is. `None`: not one page of its segments can be read, nor its superblock.
    pub identity: Option<Identity>,
    /// Both slots of the superblock.
    pub slots: [SlotScan; 2],
    /// The newest valid slot.
    pub superblock: Option<Superblock>,
    /// A valid one that no segment is of, though some can be read: it is another store's, and neither
    /// `slots` nor `superblock` tells of it.
    pub foreign_superblock: Option<Superblock>,
    /// Every file that is a segment by its name or its content, by segment and generation.
    pub segments: Vec<SegmentScan>,
    /// Runs of pages that are not part of the log, in log order.
    pub bad_pages: Vec<BadPages>,
    /// Every sensor by key, also those that left the configuration.
    pub sensors: Vec<SensorScan>,
    /// What the store says was lost, oldest first.
    pub ledger: Vec<LedgerLoss>,
    /// What is lost and not in the ledger yet.
    pub lost: Vec<LostRange>,
    /// Records of further lost ranges, beyond [`LOST_RANGES_MAX`].
    pub lost_unlisted: u64,
    /// How epochs' monotonic clocks relate to UTC.
    pub clocks: Vec<ClockOffset>,
    /// Files that are none of a store's.
    pub foreign: Vec<ForeignFile>,
    /// A page or slot that a newer library wrote.
    pub future: Option<FuturePage>,
    /// The newest checkpoint cannot be read in full: cursors were rolled forward from one before it.
    pub is_checkpoint_damaged: bool,
    /// The newest page's number.
    pub newest_lsn: u64,
    /// Every page below this number was durable at some time.
    pub durable_lsn: u64,
    /// The newest opening that any page or the superblock names.
    pub epoch: u32,
    /// Chunks of sensors beyond [`SENSORS_MAX`].
    pub sensors_beyond_limit: u64,
    /// The first segment of the log that is read for cursors: the newest with a complete checkpoint.
    pub(crate) state_segment: Option<u64>,
}

impl Scan {
    /// Pages that an orderly shutdown left behind the newest one that is there: the log's end is gone,
    /// and what was in it cannot be known.
    pub fn pages_missing_at_end(&self) -> u64 {
        match &self.superblock {
            Some(superblock) if superblock.is_clean && superblock.epoch >= self.epoch => {
                superblock.last_lsn.saturating_sub(self.newest_lsn)
            }
            _ => 0,
        }
    }

    /// The sensor with this key.
    pub fn sensor(&self, key: SensorKey) -> Option<&SensorScan> {
        let place = self.sensors.binary_search_by_key(&key, |sensor| sensor.key);
        place.ok().map(|place| &self.sensors[place])
    }

    /// Bytes of all segments.
    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }

    /// Sums over all sensors and segments.
    pub fn totals(&self) -> Totals {
        let mut totals = Totals { bytes: self.bytes(), ..Totals::default() };
        for sensor in &self.sensors {
            totals.sensors += 1;
            totals.sensors_active += u64::from(sensor.is_active);
            totals.sensors_with_backlog += u64::from(sensor.held > 0);
            totals.counts += sensor.stats;
            totals.lost = totals.lost.saturating_add(sensor.lost);
        }
        for segment in &self.segments {
            totals.segments += u64::from(segment.role == Role::Log);
            totals.pages += u64::from(segment.pages);
            totals.pages_torn += u64::from(segment.pages_torn);
            totals.pages_bad += u64::from(segment.pages_corrupt);
        }
        totals
    }

    /// The segments of the log in their order.
    pub(crate) fn log(&self) -> impl DoubleEndedIterator<Item = &SegmentScan> {
        self.segments.iter().filter(|segment| segment.role == Role::Log)
    }
}

/// Sums over a store.
#[derive(Clone, Copy, Debug, Default)]
pub struct Totals {
    /// Sensors.
    pub sensors: u64,
    /// Those that the configuration named at the last opening.
    pub sensors_active: u64,
    /// Those that records are held of.
    pub sensors_with_backlog: u64,
    /// The sum of their counts.
    pub counts: SensorStats,
    /// Records that are lost and not in the ledger yet. `counts` still has them as unsent.
    pub lost: u64,
    /// Segments of the log.
    pub segments: u64,
    /// Pages of all files.
    pub pages: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Pages that are corrupt, stale or cannot be read.
    pub pages_bad: u64,
    /// Pages that were cut while they were written.
    pub pages_torn: u64,
}

/// Which store it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Drawn at random when it was created.
    pub store_id: StoreId,
    /// Pages after which a segment is sealed.
    pub segment_pages: u32,
    /// What says so.
    pub from: IdentitySource,
}

/// What a store's identity was read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentitySource {
    /// The superblock.
    Superblock,
    /// The first pages of its segments: the superblock is lost.
    Head,
}

/// A slot of the superblock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum SlotScan {
    /// The file is not there, or ends before it.
    #[default]
    Missing,
    /// Never written.
    Empty,
    /// Sound.
    Valid(Superblock),
    /// No superblock, or with a wrong checksum.
    Bad,
    /// Written by a newer library.
    Future(u8),
}

/// Where a newer library wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FuturePage {
    /// The file.
    pub file: FileName,
    /// The page, or the slot of the superblock.
    pub page: u32,
    /// Its version of the format.
    pub version: u8,
}

/// A file that is none of a store's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignFile {
    /// Its name.
    pub name: String,
    /// Its size.
    pub bytes: u64,
}

/// What a segment's file is to the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Role {
    /// Part of the log.
    #[default]
    Log,
    /// A squeeze that was cut before its last page.
    SqueezeCut,
    /// What a squeeze replaced, and was cut before it was unlinked.
    SqueezeSource,
    /// A second copy under another name.
    Duplicate,
    /// The newest segment, cut before its checkpoint was complete: it holds nothing.
    CreationCut,
    /// Not one page of it can be read.
    Unreadable,
    /// It belongs to another store.
    OtherStore(StoreId),
}

impl Role {
    /// The role in a word or two.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::SqueezeCut => "cut squeeze",
            Self::SqueezeSource => "squeezed source",
            Self::Duplicate => "duplicate",
            Self::CreationCut => "cut creation",
            Self::Unreadable => "unreadable",
            Self::OtherStore(_) => "another store's",
        }
    }

    /// Whether its records are part of the store.
    pub const fn is_log(self) -> bool {
        matches!(self, Self::Log)
    }
}

/// One segment's file.
#[derive(Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own about a file")]
pub struct SegmentScan {
    /// The file's name.
    pub file: FileName,
    /// The segment's number: by its content, else by its name.
    pub segment: u64,
    /// How often it was squeezed.
    pub generation: u8,
    /// The file's size.
    pub bytes: u64,
    /// Its pages, a cut one included.
    pub pages: u32,
    /// What it is to the store.
    pub role: Role,
    /// The name that it should have: it is whole and lies under another one. It is read in its place.
    pub misplaced: Option<FileName>,
    /// Its last page is a footer, and the index before it is whole.
    pub is_sealed: bool,
    /// Its checkpoint can be read in full.
    pub has_checkpoint: bool,
    /// Pages of the checkpoint; 0 if it is not complete.
    pub checkpoint_pages: u32,
    /// Pages between checkpoint and index.
    pub data_pages: u32,
    /// Pages of the index, the footer's included.
    pub index_pages: u32,
    /// Pages that are part of the log.
    pub pages_valid: u32,
    /// Pages at the end that were never written.
    pub pages_empty: u32,
    /// Pages at the end that were cut while they were written.
    pub pages_torn: u32,
    /// Pages that changed or vanished after they were written, and stale ones among them.
    pub pages_corrupt: u32,
    /// Pages left from before a cut.
    pub pages_stale: u32,
    /// The number of its first page in the log.
    pub first_lsn: u64,
    /// And of its last one.
    pub last_lsn: u64,
    /// Records in it.
    pub records: u64,
    /// Those of them that are still held.
    pub records_live: u64,
    /// What an opening or a repair cuts off its end.
    pub tail_cut: Option<Cut>,
    pub(crate) has_head: bool,
    pub(crate) has_footer: bool,
    /// The page that the log ends in front of, if pages stand behind it that were never durable.
    pub(crate) log_end: Option<u32>,
    /// What its first page says was durable before it.
    pub(crate) durable_lsn_before: u64,
}

impl SegmentScan {
    /// Whether the file goes on behind the pages that are read: no segment is that long.
    pub fn is_longer_than_read(&self) -> bool {
        self.bytes.div_ceil(super::super::page::PAGE_BYTES as u64) > u64::from(self.pages)
    }
}

/// An end of a segment that goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The first page that goes.
    pub from_page: u32,
    /// Why.
    pub why: CutReason,
}

/// Why an end of a segment goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CutReason {
    /// Pages whose writing was cut: nobody was told that they were written for good.
    Torn,
    /// Pages left from before an earlier cut.
    Stale,
    /// An index that was being written when the store was killed.
    SealCut,
    /// An index with bad pages. The records stay, and are found by walking over the pages.
    IndexBad,
}

/// A run of pages in one state, none of them part of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadPages {
    /// The file.
    pub file: FileName,
    /// The segment that it holds.
    pub segment: u64,
    /// And its generation.
    pub generation: u8,
    /// The first bad page.
    pub first_page: u32,
    /// How many.
    pub pages: u32,
    /// Their state.
    pub class: PageClass,
    /// Whether they were ever durable.
    pub durable: Durable,
    /// The number that the first of them can be given when an empty page takes its place.
    pub fits_lsn: Option<u64>,
    /// Some page behind them is part of the log, or the segment is sealed: not just a cut end.
    pub is_damage: bool,
    pub(crate) lsn_after: u64,
    pub(crate) lsn_until: Option<u64>,
}

/// A page's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageClass {
    /// Part of the log.
    Valid,
    /// Never written.
    Empty,
    /// The end of a write that was cut.
    Torn,
    /// It changed after it was written, or was never written though later ones were.
    Corrupt(PageFault),
    /// From before an earlier cut: its number is not above the one before.
    Stale,
    /// A newer library wrote it.
    FutureVersion(u8),
    /// The disk does not read it.
    Unreadable,
}

impl PageClass {
    /// The state in a word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Empty => "empty",
            Self::Torn => "torn",
            Self::Corrupt(_) => "corrupt",
            Self::Stale => "stale",
            Self::FutureVersion(_) => "future version",
            Self::Unreadable => "unreadable",
        }
    }
}

/// Whether a page was ever durable: a power cut may take one that was not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durable {
    /// A later page says that it was.
    Yes,
    /// No page says so, and its number is not below any that was.
    No,
    /// Its number is not known well enough.
    Unknown,
}

impl Durable {
    /// The answer in words.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Yes => "was durable",
            Self::No => "was never durable",
            Self::Unknown => "not known whether it was durable",
        }
    }
}

#[cfg(test)]
mod tests;
