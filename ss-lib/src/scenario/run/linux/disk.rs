//! A disk whose use is counted, and that can be told to take no more.

use crate::disk::{Disk, FileName, Space};
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering::Relaxed},
    },
};

/// No limit.
const UNLIMITED: i64 = i64::MAX;

/// What is counted, over every opening of a run.
#[derive(Debug)]
pub(super) struct Meter {
    /// Bytes of all files of the store.
    pub(super) bytes: AtomicU64,
    pub(super) bytes_peak: AtomicU64,
    pub(super) bytes_written: AtomicU64,
    pub(super) fsyncs: AtomicU64,
    pub(super) segments_created: AtomicU64,
    /// Bytes that the files may still grow by; below zero: they are larger than a new limit allows.
    left: AtomicI64,
}

impl Default for Meter {
    fn default() -> Self {
        Self {
            bytes: AtomicU64::new(0),
            bytes_peak: AtomicU64::new(0),
            bytes_written: AtomicU64::new(0),
            fsyncs: AtomicU64::new(0),
            segments_created: AtomicU64::new(0),
            left: AtomicI64::new(UNLIMITED),
        }
    }
}

impl Meter {
    /// The files may grow by so much from now on.
    pub(super) fn limit(&self, free_bytes: u64) {
        self.left.store(i64::try_from(free_bytes).unwrap_or(UNLIMITED), Relaxed);
    }

    fn free_bytes(&self) -> u64 {
        match self.left.load(Relaxed) {
            UNLIMITED => u64::MAX,
            left => u64::try_from(left).unwrap_or(0),
        }
    }

    /// A file's size goes from one to another.
    fn resize(&self, from: u64, to: u64) {
        // A disk that fails may not say how large a file was.
        let bytes = self.bytes.load(Relaxed).saturating_sub(from) + to;
        self.bytes.store(bytes, Relaxed);
        self.bytes_peak.fetch_max(bytes, Relaxed);
        let left = self.left.load(Relaxed);
        if left != UNLIMITED {
            self.left.store(left + from.cast_signed() - to.cast_signed(), Relaxed);
        }
    }
}

/// A disk whose use is counted. One thread writes.
#[derive(Debug)]
pub(in super::super::super) struct MeteredDisk<D> {
    files: D,
    meter: Arc<Meter>,
}

impl<D: Disk> MeteredDisk<D> {
    pub(super) fn new(files: D, meter: Arc<Meter>) -> Self {
        let mut bytes = 0;
        // A power cut changes what is there. A disk that cannot be listed is not opened either.
        if files.list(&mut |_, of_file| bytes += of_file).is_ok() {
            meter.resize(meter.bytes.load(Relaxed), bytes);
        }
        Self { files, meter }
    }

    fn bytes_of(&self, name: &str) -> u64 {
        self.files.open(name).and_then(|file| self.files.len(&file)).unwrap_or(0)
    }
}

impl<D: Disk> Disk for MeteredDisk<D> {
    type File = D::File;

    fn list(&self, each: &mut dyn FnMut(&str, u64)) -> io::Result<()> {
        self.files.list(each)
    }

    fn open(&self, name: &str) -> io::Result<D::File> {
        self.files.open(name)
    }

    fn open_writable(&self, name: &str) -> io::Result<D::File> {
        self.files.open_writable(name)
    }

    fn create(&self, name: &str) -> io::Result<D::File> {
        let file = self.files.create(name)?;
        let is_segment = FileName::segment(name).is_some();
        self.meter.segments_created.fetch_add(is_segment.into(), Relaxed);
        Ok(file)
    }

    fn len(&self, file: &D::File) -> io::Result<u64> {
        self.files.len(file)
    }

    fn read_at(&self, file: &D::File, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        self.files.read_at(file, bytes, offset)
    }

    /// As a full disk does it: what has room is taken, and only what is asked after that is refused.
    fn write_at(&self, file: &D::File, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let before = self.files.len(file)?;
        let end_max = before.saturating_add(self.meter.free_bytes());
        let takes = end_max.saturating_sub(offset).min(bytes.len() as u64) as usize;
        if takes == 0 && !bytes.is_empty() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let result = self.files.write_at(file, &bytes[..takes], offset);
        let written = *result.as_ref().unwrap_or(&0) as u64;
        self.meter.bytes_written.fetch_add(written, Relaxed);
        // A write that fails may have left a part.
        let after = self.files.len(file).unwrap_or_else(|_| before.max(offset + written));
        self.meter.resize(before, after);
        result
    }

    fn set_len(&self, file: &D::File, len: u64) -> io::Result<()> {
        let before = self.files.len(file)?;
        self.files.set_len(file, len)?;
        self.meter.resize(before, len);
        Ok(())
    }

    fn sync(&self, file: &D::File) -> io::Result<()> {
        self.meter.fsyncs.fetch_add(1, Relaxed);
        self.files.sync(file)
    }

    fn forget_cached(&self, file: &D::File, offset: u64, bytes: u64) -> io::Result<()> {
        self.files.forget_cached(file, offset, bytes)
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.meter.fsyncs.fetch_add(1, Relaxed);
        self.files.sync_dir()
    }

    fn sync_subdir(&self, name: &str) -> io::Result<()> {
        self.meter.fsyncs.fetch_add(1, Relaxed);
        self.files.sync_subdir(name)
    }

    fn unlink(&self, name: &str) -> io::Result<()> {
        let before = self.bytes_of(name);
        self.files.unlink(name)?;
        self.meter.resize(before, 0);
        Ok(())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let replaced = self.bytes_of(to);
        self.files.rename(from, to)?;
        self.meter.resize(replaced, 0);
        Ok(())
    }

    fn make_dir(&self, name: &str) -> io::Result<()> {
        self.files.make_dir(name)
    }

    fn space(&self) -> io::Result<Space> {
        let space = self.files.space()?;
        Ok(Space { free_bytes: space.free_bytes.min(self.meter.free_bytes()), ..space })
    }

    fn now_ms(&self) -> u64 {
        self.files.now_ms()
    }
}

#[cfg(test)]
mod tests {
    use super::{Meter, MeteredDisk};
    use crate::disk::{Disk, RealDisk};
    use std::{
        io::ErrorKind,
        sync::{Arc, atomic::Ordering::Relaxed},
    };

    #[test]
    fn a_full_disk_takes_what_has_room_and_what_is_removed_makes_some() {
        let directory = tempfile::tempdir().unwrap();
        let meter = Arc::new(Meter::default());
        let disk =
            MeteredDisk::new(RealDisk::open_owned(directory.path()).unwrap(), Arc::clone(&meter));
        let file = disk.create("a").unwrap();
        assert_eq!(disk.write_at(&file, &[1; 100], 0).unwrap(), 100);
        meter.limit(50);
        assert_eq!(disk.space().unwrap().free_bytes, 50);
        assert_eq!(disk.write_at(&file, &[2; 100], 60).unwrap(), 90);
        assert_eq!(disk.write_at(&file, &[2; 10], 150).unwrap_err().kind(), ErrorKind::StorageFull);
        assert_eq!(disk.write_at(&file, &[3; 10], 140).unwrap(), 10);
        let other = disk.create("b").unwrap();
        assert_eq!(disk.write_at(&other, &[4], 0).unwrap_err().kind(), ErrorKind::StorageFull);
        disk.set_len(&file, 120).unwrap();
        assert_eq!(disk.write_at(&other, &[4; 100], 0).unwrap(), 30);
        disk.rename("b", "a").unwrap();
        assert_eq!((meter.bytes.load(Relaxed), meter.bytes_peak.load(Relaxed)), (30, 150));
        assert_eq!(
            (disk.space().unwrap().free_bytes, meter.bytes_written.load(Relaxed)),
            (120, 230)
        );
        disk.unlink("a").unwrap();
        assert_eq!((meter.bytes.load(Relaxed), disk.space().unwrap().free_bytes), (0, 150));
        meter.limit(u64::MAX);
        assert!(disk.space().unwrap().free_bytes > 150);
    }
}
