//! Real files.

use super::io::{Disk, DiskError, Operation, Space};
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};
use std::{
    fs::{File, TryLockError},
    io,
    os::{fd::OwnedFd, unix::fs::FileExt},
    path::Path,
};

/// The file whose lock says that a process owns the store.
pub(crate) const LOCK_FILE: &str = "lock";

/// A directory of real files. Names are resolved against the open directory, so that no path is built
/// and no allocation made.
#[derive(Debug)]
pub struct RealDisk {
    directory: OwnedFd,
    /// Held while the store is owned; closing it gives the lock back, also when the process dies.
    lock: Option<File>,
}

impl RealDisk {
    /// Opens the directory as the store's one owner; creates it if it is not there.
    pub fn open_owned(path: &Path) -> Result<Self, DiskError> {
        let fail = |operation| {
            move |error| DiskError::new(operation, path.to_string_lossy().as_ref(), error)
        };
        if !path.is_dir() {
            std::fs::create_dir_all(path).map_err(fail(Operation::Create))?;
            // The store would be gone after a power cut if its directory's own entry were.
            let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
            File::open(parent.unwrap_or(Path::new(".")))
                .and_then(|parent| parent.sync_all())
                .map_err(fail(Operation::SyncDir))?;
        }
        let mut disk = Self::open_shared(path)?;
        let lock = disk.at(LOCK_FILE, OFlags::RDWR | OFlags::CREATE);
        let lock = lock.map_err(|error| DiskError::new(Operation::Lock, LOCK_FILE, error))?;
        lock.try_lock().map_err(|error| {
            let error = match error {
                TryLockError::WouldBlock => {
                    io::Error::new(io::ErrorKind::WouldBlock, "another process has the store open")
                }
                TryLockError::Error(error) => error,
            };
            DiskError::new(Operation::Lock, LOCK_FILE, error)
        })?;
        disk.lock = Some(lock);
        Ok(disk)
    }

    /// Opens the directory for looking only: also beside the owner, and on a file system that is
    /// read-only.
    pub fn open_shared(path: &Path) -> Result<Self, DiskError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = rustix::fs::open(path, flags, Mode::empty()).map_err(|error| {
            DiskError::new(Operation::Open, path.to_string_lossy().as_ref(), error.into())
        })?;
        Ok(Self { directory, lock: None })
    }

    fn at(&self, name: &str, flags: OFlags) -> io::Result<File> {
        // A store that a stranger could write to must not make us open what is elsewhere.
        let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let file = rustix::fs::openat(&self.directory, name, flags, Mode::from_raw_mode(0o640))?;
        Ok(File::from(file))
    }
}

impl Disk for RealDisk {
    type File = File;

    fn list(&self, each: &mut dyn FnMut(&str, u64)) -> io::Result<()> {
        for entry in Dir::read_from(&self.directory)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().to_str() else { continue };
            let stat = match rustix::fs::statat(&self.directory, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => stat,
                // Beside an owner a file can go away while we look.
                Err(rustix::io::Errno::NOENT) => continue,
                Err(error) => return Err(error.into()),
            };
            if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile {
                each(name, u64::try_from(stat.st_size).unwrap_or(0));
            }
        }
        Ok(())
    }

    fn open(&self, name: &str) -> io::Result<File> {
        // A read that is noted in the inode costs a tenth more; whoever does not own the file may not
        // leave it out.
        match self.at(name, OFlags::RDONLY | OFlags::NOATIME) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                self.at(name, OFlags::RDONLY)
            }
            opened => opened,
        }
    }

    fn open_writable(&self, name: &str) -> io::Result<File> {
        self.at(name, OFlags::RDWR)
    }

    fn create(&self, name: &str) -> io::Result<File> {
        self.at(name, OFlags::RDWR | OFlags::CREATE | OFlags::EXCL)
    }

    fn len(&self, file: &File) -> io::Result<u64> {
        Ok(file.metadata()?.len())
    }

    fn read_at(&self, file: &File, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        file.read_at(bytes, offset)
    }

    fn write_at(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<usize> {
        file.write_at(bytes, offset)
    }

    fn set_len(&self, file: &File, len: u64) -> io::Result<()> {
        file.set_len(len)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }

    fn forget_cached(&self, file: &File, offset: u64, bytes: u64) -> io::Result<()> {
        let bytes = core::num::NonZeroU64::new(bytes);
        Ok(rustix::fs::fadvise(file, offset, bytes, rustix::fs::Advice::DontNeed)?)
    }

    fn sync_dir(&self) -> io::Result<()> {
        Ok(rustix::fs::fsync(&self.directory)?)
    }

    fn sync_subdir(&self, name: &str) -> io::Result<()> {
        self.at(name, OFlags::RDONLY | OFlags::DIRECTORY)?.sync_all()
    }

    fn unlink(&self, name: &str) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.directory, name, AtFlags::empty())?)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        Ok(rustix::fs::renameat(&self.directory, from, &self.directory, to)?)
    }

    fn make_dir(&self, name: &str) -> io::Result<()> {
        match rustix::fs::mkdirat(&self.directory, name, Mode::from_raw_mode(0o750)) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn space(&self) -> io::Result<Space> {
        // statfs(2): the types of tmpfs and ramfs.
        const TMPFS_MAGIC: u64 = 0x0102_1994;
        const RAMFS_MAGIC: u64 = 0x8584_58F6;
        let stat = rustix::fs::fstatfs(&self.directory)?;
        let free = stat.f_bavail;
        let block = u64::try_from(stat.f_bsize).unwrap_or(0);
        let kind = u64::try_from(stat.f_type).unwrap_or(0);
        Ok(Space {
            free_bytes: free.saturating_mul(block),
            is_volatile: kind == TMPFS_MAGIC || kind == RAMFS_MAGIC,
        })
    }
}
