//! A disk in memory that lets other threads run before and after everything that it does, as a slow
//! disk would, and whose clock goes on whenever somebody looks at it.

use crate::threads::may_switch;
use ss_lib::disk::{
    Disk, Space,
    sim::{Image, SimDisk, SimFile},
};
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

/// What a look at the clock takes, in ms: a manager that runs short of room ticks between two looks.
const LOOK_MS: u64 = 40;

/// Handles to one disk.
#[derive(Clone, Debug)]
pub struct InterleavedDisk {
    /// What does the work.
    pub sim: SimDisk,
    now_ms: Arc<AtomicU64>,
}

impl InterleavedDisk {
    /// A disk with these files, whose power can be cut.
    pub fn new(image: &Image) -> Self {
        Self { sim: SimDisk::crashable_from(image), now_ms: Arc::new(AtomicU64::new(1)) }
    }

    /// What a power cut would leave now if it took everything that no sync covered.
    pub fn durable(&self) -> Image {
        self.sim.crashable().map(|cut| cut.durable().clone()).unwrap_or_default()
    }
}

/// Others run before the call comes to the disk, and between that and its return.
fn interleaved<R>(call: impl FnOnce() -> R) -> R {
    may_switch();
    let result = call();
    may_switch();
    result
}

impl Disk for InterleavedDisk {
    type File = SimFile;

    fn list(&self, each: &mut dyn FnMut(&str, u64)) -> io::Result<()> {
        self.sim.list(each)
    }

    fn open(&self, name: &str) -> io::Result<SimFile> {
        interleaved(|| self.sim.open(name))
    }

    fn open_writable(&self, name: &str) -> io::Result<SimFile> {
        interleaved(|| self.sim.open_writable(name))
    }

    fn create(&self, name: &str) -> io::Result<SimFile> {
        interleaved(|| self.sim.create(name))
    }

    fn len(&self, file: &SimFile) -> io::Result<u64> {
        self.sim.len(file)
    }

    fn read_at(&self, file: &SimFile, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        interleaved(|| self.sim.read_at(file, bytes, offset))
    }

    fn write_at(&self, file: &SimFile, bytes: &[u8], offset: u64) -> io::Result<usize> {
        interleaved(|| self.sim.write_at(file, bytes, offset))
    }

    fn set_len(&self, file: &SimFile, len: u64) -> io::Result<()> {
        interleaved(|| self.sim.set_len(file, len))
    }

    fn sync(&self, file: &SimFile) -> io::Result<()> {
        interleaved(|| self.sim.sync(file))
    }

    fn sync_dir(&self) -> io::Result<()> {
        interleaved(|| self.sim.sync_dir())
    }

    fn sync_subdir(&self, name: &str) -> io::Result<()> {
        interleaved(|| self.sim.sync_subdir(name))
    }

    fn unlink(&self, name: &str) -> io::Result<()> {
        interleaved(|| self.sim.unlink(name))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        interleaved(|| self.sim.rename(from, to))
    }

    fn make_dir(&self, name: &str) -> io::Result<()> {
        self.sim.make_dir(name)
    }

    fn space(&self) -> io::Result<Space> {
        self.sim.space()
    }

    fn now_ms(&self) -> u64 {
        self.now_ms.fetch_add(LOOK_MS, Relaxed)
    }
}
