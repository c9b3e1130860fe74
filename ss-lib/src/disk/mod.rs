//! The disk tier: one append-only log of pages in segment files, and how it is read, recovered and
//! mended. It knows records, sensors' names and numbers; no chain, no pool.
//!
//! FORMAT.md has every byte; the code of each structure opens with its diagram.

mod append;
mod cache;
mod chunk;
mod export;
mod fences;
mod inspect;
mod io;
mod log;
mod log_end;
mod page;
mod plan;
mod reader;
mod real;
mod recover;
mod repair;
mod salvage;
mod scan;
mod seal;
mod segment;
#[cfg(feature = "scenario")]
pub mod sim;
mod squeeze;
mod superblock;
mod varint;

pub(crate) use append::Control;
pub(crate) use cache::ReadFault;
pub(crate) use chunk::{
    Chunk, ClockChunk, Form, LifeCounts, LossChunk, RecordsChunk, RunHeader, SensorChunk, pack_key,
    unpack_key,
};
pub(crate) use io::write_all_at;
pub(crate) use log::{Log, LogSizes};
pub(crate) use page::PageView;
#[cfg(feature = "scenario")]
pub(crate) use page::SegmentSeed;
pub(crate) use recover::{CLOCKS_MAX, State};
pub(crate) use segment::{Position, SegmentState};
pub(crate) use squeeze::{Squeeze, Squeezed};

pub use export::{Exported, RecordFilter, Records};
pub use inspect::{ChunkDump, PageDump, decode_page};
pub use io::{Disk, DiskError, FileName, Operation, Space};
pub use page::{FORMAT_VERSION, PAGE_BYTES, PageFault, PageInfo, StoreId};
pub use plan::{
    Action, Finding, MissingSegments, Plan, SetAside, Severity, Unusable, Verdict, plan,
};
pub use real::RealDisk;
pub use recover::{OpenError, Origin, Recovery};
pub use repair::{RepairError, RepairOptions, Repaired, repair};
pub use salvage::{SalvageError, SalvageOptions, Salvaged, salvage};
pub use scan::{
    BadPages, ClockOffset, Cut, CutReason, Durable, ForeignFile, FuturePage, Identity,
    IdentitySource, LEDGER_MAX, LOST_RANGES_MAX, LedgerLoss, LostPlace, LostRange, PageClass, Role,
    SENSORS_MAX, Scan, ScanError, ScanProgress, SegmentScan, SensorScan, SensorTime, SlotScan,
    Totals, scan, scan_with,
};
pub use superblock::Superblock;

/// The fewest pages of a segment: one for its head, and some for data.
pub const SEGMENT_PAGES_MIN: u32 = 16;
/// The most pages of a segment: 1 GiB.
pub const SEGMENT_PAGES_MAX: u32 = 1 << 18;
/// A segment's file has its index behind these, and never so many pages.
pub(crate) const FILE_PAGES_MAX: u32 = 2 * SEGMENT_PAGES_MAX;
/// Pages of a full disk sector: what one spill writes at once at most.
pub const SECTOR_PAGES: usize = 16;
/// Bytes of a full disk sector.
pub const SECTOR_BYTES: usize = SECTOR_PAGES * PAGE_BYTES;
