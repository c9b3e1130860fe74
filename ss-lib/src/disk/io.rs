//! Everything that the disk tier asks of a disk: one small trait, implemented by real files
//! ([`RealDisk`](super::RealDisk)) and by whatever a test wants a disk to do.

use std::{error::Error, fmt, io, time::SystemTime};

/// Files of one directory. Names are plain names in it, or one level below (`lost+found/NAME`).
///
/// Nothing here allocates on real files after the directory was opened.
pub trait Disk: Send + Sync + 'static {
    /// An open file.
    type File: Send + Sync;

    /// Tells the names and sizes in bytes of the regular files in the directory, in any order.
    fn list(&self, each: &mut dyn FnMut(&str, u64)) -> io::Result<()>;
    /// Opens an existing file for reading.
    fn open(&self, name: &str) -> io::Result<Self::File>;
    /// Opens an existing file for reading and writing.
    fn open_writable(&self, name: &str) -> io::Result<Self::File>;
    /// Creates a file that does not exist, for reading and writing.
    fn create(&self, name: &str) -> io::Result<Self::File>;
    /// Bytes of the file.
    fn len(&self, file: &Self::File) -> io::Result<u64>;
    /// Reads at `offset`; less than asked for only at the end of the file.
    fn read_at(&self, file: &Self::File, bytes: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes at `offset`. May write less than asked for; says how much.
    fn write_at(&self, file: &Self::File, bytes: &[u8], offset: u64) -> io::Result<usize>;
    /// Cuts or extends the file.
    fn set_len(&self, file: &Self::File, len: u64) -> io::Result<()>;
    /// Makes what was written to the file durable.
    fn sync(&self, file: &Self::File) -> io::Result<()>;
    /// Lets go of what a cache in front of the disk has of these bytes, so that a read asks the disk itself.
    /// What waits to be written is not touched. A hint: a cache may keep what it likes.
    fn forget_cached(&self, _file: &Self::File, _offset: u64, _bytes: u64) -> io::Result<()> {
        Ok(())
    }
    /// Makes creations, renames and unlinks in the directory durable.
    fn sync_dir(&self) -> io::Result<()>;
    /// The same for a directory in the directory.
    fn sync_subdir(&self, name: &str) -> io::Result<()>;
    /// Removes a file.
    fn unlink(&self, name: &str) -> io::Result<()>;
    /// Gives a file another name.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Makes a directory in the directory; fine if it is there.
    fn make_dir(&self, name: &str) -> io::Result<()>;
    /// The space that is left, and of what kind it is.
    fn space(&self) -> io::Result<Space>;

    /// The machine's clock, in ms since 1970: what a store says of when it was created and opened.
    fn now_ms(&self) -> u64 {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
    }
}

/// A file system's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// Bytes that can still be written.
    pub free_bytes: u64,
    /// It lies in RAM: nothing in it survives a power cut or even a restart.
    pub is_volatile: bool,
}

/// What was being done when the disk failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Listing the directory.
    List,
    /// Opening a file.
    Open,
    /// Creating a file.
    Create,
    /// Reading.
    Read,
    /// Writing.
    Write,
    /// Cutting or extending a file.
    SetLen,
    /// Making written bytes durable.
    Sync,
    /// Making the directory durable.
    SyncDir,
    /// Removing a file.
    Unlink,
    /// Renaming a file.
    Rename,
    /// Locking the store.
    Lock,
}

impl Operation {
    /// The operation in words, as "… failed" continues.
    pub const fn name(self) -> &'static str {
        match self {
            Self::List => "listing the directory",
            Self::Open => "opening",
            Self::Create => "creating",
            Self::Read => "reading",
            Self::Write => "writing",
            Self::SetLen => "changing the size of",
            Self::Sync => "syncing",
            Self::SyncDir => "syncing the directory of",
            Self::Unlink => "removing",
            Self::Rename => "renaming",
            Self::Lock => "locking",
        }
    }
}

/// An I/O error with the file it was met in.
#[derive(Debug)]
pub struct DiskError {
    /// What was being done.
    pub operation: Operation,
    /// To which file of the store.
    pub file: FileName,
    /// What the system said.
    pub error: io::Error,
}

impl DiskError {
    pub(crate) fn new(operation: Operation, file: impl Into<FileName>, error: io::Error) -> Self {
        Self { operation, file: file.into(), error }
    }

    /// Whether there was no space, or a quota of the file system's was used up.
    pub fn is_full(&self) -> bool {
        matches!(
            self.error.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
        )
    }
}

impl fmt::Display for DiskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} failed: {}", self.operation.name(), self.file, self.error)
    }
}

impl Error for DiskError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.error)
    }
}

/// A file's name in a store directory, without an allocation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileName {
    bytes: [u8; Self::BYTES_MAX],
    len: u8,
}

impl FileName {
    const BYTES_MAX: usize = 63;

    /// A name; what is beyond its 63 bytes is cut.
    pub fn new(name: &str) -> Self {
        let mut end = name.len().min(Self::BYTES_MAX);
        while !name.is_char_boundary(end) {
            end -= 1;
        }
        let mut bytes = [0; Self::BYTES_MAX];
        bytes[..end].copy_from_slice(&name.as_bytes()[..end]);
        Self { bytes, len: end as u8 }
    }

    /// The name of a segment's file.
    pub(crate) fn of_segment(segment: u64, generation: u8) -> Self {
        use std::io::Write;
        let mut bytes = [0; Self::BYTES_MAX];
        let mut rest = &mut bytes[..];
        // 23 bytes of 63.
        let _ = write!(rest, "{segment:016x}-{generation:02x}.seg");
        let len = Self::BYTES_MAX - rest.len();
        Self { bytes, len: len as u8 }
    }

    /// The segment and generation that this is the file of.
    pub(crate) fn segment(name: &str) -> Option<(u64, u8)> {
        let stem = name.strip_suffix(".seg")?;
        let (segment, generation) = stem.split_once('-')?;
        let is_hex =
            |text: &str| text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if segment.len() != 16 || generation.len() != 2 || !is_hex(segment) || !is_hex(generation) {
            return None;
        }
        let number = u64::from_str_radix(segment, 16).ok()?;
        Some((number, u8::from_str_radix(generation, 16).ok()?))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.bytes[..usize::from(self.len)]).unwrap_or_default()
    }
}

impl Default for FileName {
    fn default() -> Self {
        Self::new("")
    }
}

impl From<&str> for FileName {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}

impl fmt::Debug for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Reads exactly `bytes` at `offset`; an interrupted call is repeated. A file that ends before is
/// `UnexpectedEof`.
pub(crate) fn read_exact_at<D: Disk>(
    disk: &D,
    file: &D::File,
    bytes: &mut [u8],
    offset: u64,
) -> io::Result<()> {
    let mut done = 0;
    while done < bytes.len() {
        match disk.read_at(file, &mut bytes[done..], offset + done as u64) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(n) => done += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Writes `bytes` at `offset`. On an error says how many bytes of them were taken before it.
pub(crate) fn write_all_at<D: Disk>(
    disk: &D,
    file: &D::File,
    bytes: &[u8],
    offset: u64,
) -> Result<(), (usize, io::Error)> {
    let mut done = 0;
    while done < bytes.len() {
        match disk.write_at(file, &bytes[done..], offset + done as u64) {
            // A disk that takes nothing and says nothing would be asked for ever.
            Ok(0) => return Err((done, io::ErrorKind::StorageFull.into())),
            Ok(n) => done += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err((done, error)),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{DiskError, Operation};
    use crate::disk::OpenError;
    use std::{
        error::Error as _,
        io::{Error, ErrorKind},
    };

    fn error(operation: Operation, kind: ErrorKind) -> DiskError {
        DiskError::new(operation, "lock", Error::from(kind))
    }

    /// A full disk is waited for; any other error is somebody's to look at.
    #[test]
    fn a_full_disk_is_told_from_a_broken_one() {
        for kind in [ErrorKind::StorageFull, ErrorKind::QuotaExceeded, ErrorKind::FileTooLarge] {
            assert!(error(Operation::Write, kind).is_full(), "{kind}");
        }
        for kind in [ErrorKind::Other, ErrorKind::NotFound, ErrorKind::ReadOnlyFilesystem] {
            assert!(!error(Operation::Write, kind).is_full(), "{kind}");
        }
    }

    #[test]
    fn a_store_that_has_an_owner_is_told_from_a_disk_that_fails() {
        let text = |operation| OpenError::Disk(error(operation, ErrorKind::WouldBlock)).to_string();
        assert!(text(Operation::Lock).contains("stop its owner"));
        assert!(text(Operation::Read).contains("check the disk"));
        let error = OpenError::Disk(error(Operation::Read, ErrorKind::Other));
        assert!(error.source().is_some() && OpenError::NoSuperblock.source().is_none());
    }
}
