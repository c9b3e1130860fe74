//! The disk tier: one append-only log of pages in segment files, and how it is read, recovered and
//! mended. It knows records, sensors' names and numbers; no chain, no pool.
//!
//! FORMAT.md has every byte; the code of each structure opens with its diagram.

#![allow(dead_code)]

mod append;
mod cache;
mod chunk;
mod fences;
mod io;
mod log;
mod page;
mod reader;
mod real;
mod recover;
mod seal;
mod segment;
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
pub(crate) use recover::State;
pub(crate) use segment::{Position, SegmentState};
pub(crate) use squeeze::{Squeeze, Squeezed};

pub use io::{Disk, DiskError, FileName, Operation, Space};
pub use page::{FORMAT_VERSION, PAGE_BYTES, PageFault, StoreId};
pub use real::RealDisk;
pub use recover::{OpenError, Origin, Recovery};
pub use superblock::Superblock;

/// The fewest pages of a segment: one for its head, and some for data.
pub const SEGMENT_PAGES_MIN: u32 = 16;
/// The most pages of a segment: 1 GiB.
pub const SEGMENT_PAGES_MAX: u32 = 1 << 18;
/// Pages of a full disk sector: what one spill writes at once at most.
pub const SECTOR_PAGES: usize = 16;
/// Bytes of a full disk sector.
pub const SECTOR_BYTES: usize = SECTOR_PAGES * PAGE_BYTES;
