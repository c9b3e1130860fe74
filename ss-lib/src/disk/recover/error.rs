//! Why a store does not open, in sentences that say what to do next.

use super::super::{
    FORMAT_VERSION,
    io::{DiskError, FileName, Operation},
};
use std::{error::Error, fmt};

/// Why a store was not opened. Nothing in it was changed.
#[derive(Debug)]
pub enum OpenError {
    /// The disk failed.
    Disk(DiskError),
    /// There are segments and no readable superblock.
    NoSuperblock,
    /// A newer library wrote this.
    FutureVersion {
        /// Where.
        file: FileName,
        /// Its version of the format.
        version: u8,
    },
    /// No checkpoint of any segment can be read.
    NoCheckpoint,
    /// The store was opened 2^32 - 1 times.
    EpochsUsedUp,
    /// The pool cannot be cut for so many sensors.
    Geometry(crate::ram::GeometryError),
    /// More sensors hold records on disk than the configuration has places for.
    TooManySensors {
        /// Sensors with records.
        holding: u32,
        /// Places.
        sensors_max: u32,
    },
    /// A setting that cannot be.
    Setting(&'static str),
}

impl From<DiskError> for OpenError {
    fn from(error: DiskError) -> Self {
        Self::Disk(error)
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disk(error) if error.operation == Operation::Lock => {
                write!(f, "the store cannot be owned ({error}): stop its owner, or look at it with `ss inspect`")
            }
            Self::Disk(error) => write!(f, "{error}: check the disk, then open it again"),
            Self::NoSuperblock => f.write_str(
                "there are segments, and no readable superblock beside them: `ss inspect` shows what \
                 can be read, `ss repair` restores it",
            ),
            Self::FutureVersion { file, version } => write!(
                f,
                "{file} has version {version} of the format, this program knows {FORMAT_VERSION}: use a \
                 newer one; nothing was touched"
            ),
            Self::NoCheckpoint => f.write_str(
                "no segment has a readable checkpoint: `ss inspect` shows what can be read, `ss repair` \
                 mends it",
            ),
            Self::EpochsUsedUp => f.write_str(
                "the store was opened so often that openings cannot be told apart any more: salvage it \
                 into a new one with `ss repair --into`",
            ),
            Self::Geometry(error) => error.fmt(f),
            Self::TooManySensors { holding, sensors_max } => write!(
                f,
                "{holding} sensors hold records in this store, the configuration has {sensors_max} \
                 places: give it {holding} or more until they are drained"
            ),
            Self::Setting(text) => f.write_str(text),
        }
    }
}

impl Error for OpenError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Disk(error) => Some(error),
            Self::Geometry(error) => Some(error),
            _ => None,
        }
    }
}
