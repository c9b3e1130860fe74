//! A disk in memory that fails as it is told, and that writes down what was done to it.

use super::memory::MemoryDisk;
use crate::gateway::home::{Home, look};
use ss_lib::disk::{Disk, Plan, Scan, Space};
use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
};

/// What can be told to fail, and what is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the calls are named like the trait's")]
pub enum Call {
    Write,
    Sync,
    SyncDir,
    Create,
    Unlink,
    Read,
    SetLen,
    /// Not written down.
    Open,
}

/// How it fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// An input/output error; a write takes half of the bytes first.
    Io,
    /// No space; a write takes half of the bytes first.
    NoSpace,
    /// A write takes a third, and says so.
    Short,
    /// Interrupted before anything was done.
    Interrupted,
    /// A sync fails, and what was written since the last one is gone.
    Dropped,
    /// The same, and what it says is that there is no space: a disk that is smaller than its file system
    /// believes.
    DroppedFull,
    /// There is no such file any more.
    Missing,
}

/// A fault that is due at the `nth` call from when it was set, 0 the next one, and at so many more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// Which call.
    pub call: Call,
    /// How.
    pub fault: Fault,
    /// Calls that go well before.
    pub nth: u32,
    /// Calls that fail.
    pub times: u32,
}

#[derive(Debug, Default)]
struct Script {
    due: Vec<Due>,
    /// Bytes that the disk takes.
    capacity: Option<u64>,
    /// What was done, with the file's name.
    done: Vec<(Call, String)>,
    counts: BTreeMap<Call, u64>,
    /// Ranges written since the last sync.
    dirty: BTreeMap<String, Vec<(u64, u64)>>,
    /// Whether `done` is kept.
    is_recording: bool,
    /// The time, where it is not the machine's.
    now_ms: Option<u64>,
    failed: u64,
}

/// Handles to one disk.
#[derive(Clone, Debug, Default)]
pub struct FaultyDisk {
    memory: Arc<MemoryDisk>,
    script: Arc<Mutex<Script>>,
    /// Whether syncs wait.
    hold: Arc<(Mutex<bool>, Condvar)>,
}

impl FaultyDisk {
    /// A disk with these files.
    pub fn over(memory: MemoryDisk) -> Self {
        Self { memory: Arc::new(memory), ..Self::default() }
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets a fault.
    pub fn fail(&self, due: Due) {
        self.script().due.push(due);
    }

    /// From now on everything goes well.
    pub fn heal(&self) {
        let mut script = self.script();
        script.due.clear();
        script.capacity = None;
    }

    /// From now on the disk takes so many bytes more than there are.
    pub fn leave_bytes(&self, bytes: u64) {
        let used = self.used();
        self.script().capacity = Some(used + bytes);
    }

    /// From now on syncs are begun and do not end.
    pub fn hold_syncs(&self) {
        *self.hold.0.lock().unwrap() = true;
    }

    /// They end.
    pub fn release_syncs(&self) {
        *self.hold.0.lock().unwrap() = false;
        self.hold.1.notify_all();
    }

    /// Faults that have happened.
    pub fn failed(&self) -> u64 {
        self.script().failed
    }

    /// How often it was called.
    pub fn calls(&self, call: Call) -> u64 {
        self.script().counts.get(&call).copied().unwrap_or(0)
    }

    /// From now on it is this time, in ms since 1970.
    pub fn set_now_ms(&self, now_ms: u64) {
        self.script().now_ms = Some(now_ms);
    }

    /// Writes down what is done from now on.
    pub fn record(&self) {
        self.script().is_recording = true;
    }

    /// What was done since it was last asked.
    pub fn take_done(&self) -> Vec<(Call, String)> {
        std::mem::take(&mut self.script().done)
    }

    /// The files.
    pub fn memory(&self) -> &MemoryDisk {
        &self.memory
    }

    fn used(&self) -> u64 {
        self.memory.files().values().map(|file| file.len() as u64).sum()
    }

    fn enter(&self, call: Call, name: &str) -> Option<Fault> {
        let mut script = self.script();
        *script.counts.entry(call).or_default() += 1;
        if script.is_recording && call != Call::Open {
            script.done.push((call, name.to_owned()));
        }
        let at = script.due.iter_mut().position(|due| {
            let is_next = due.call == call && due.nth == 0;
            due.nth -= u32::from(due.call == call && due.nth > 0);
            is_next
        })?;
        let fault = script.due[at].fault;
        script.due[at].times -= 1;
        if script.due[at].times == 0 {
            script.due.remove(at);
        }
        script.failed += 1;
        Some(fault)
    }

    fn plain(&self, call: Call, name: &str) -> io::Result<()> {
        self.enter(call, name).map_or(Ok(()), |fault| Err(error(fault)))
    }
}

fn error(fault: Fault) -> io::Error {
    match fault {
        Fault::NoSpace | Fault::DroppedFull => io::ErrorKind::StorageFull.into(),
        Fault::Interrupted => io::ErrorKind::Interrupted.into(),
        Fault::Missing => io::ErrorKind::NotFound.into(),
        Fault::Io | Fault::Short | Fault::Dropped => io::Error::other("the disk failed"),
    }
}

impl Disk for FaultyDisk {
    type File = String;

    fn list(&self, each: &mut dyn FnMut(&str, u64)) -> io::Result<()> {
        self.memory.list(each)
    }

    fn open(&self, name: &str) -> io::Result<String> {
        self.plain(Call::Open, name)?;
        self.memory.open(name)
    }

    fn open_writable(&self, name: &str) -> io::Result<String> {
        self.plain(Call::Open, name)?;
        self.memory.open_writable(name)
    }

    fn create(&self, name: &str) -> io::Result<String> {
        self.plain(Call::Create, name)?;
        self.memory.create(name)
    }

    fn len(&self, file: &String) -> io::Result<u64> {
        self.memory.len(file)
    }

    fn read_at(&self, file: &String, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        self.plain(Call::Read, file)?;
        self.memory.read_at(file, bytes, offset)
    }

    fn write_at(&self, file: &String, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let fault = self.enter(Call::Write, file);
        let before = self.memory.len(file)?;
        let capacity = self.script().capacity;
        let room = capacity.map_or(u64::MAX, |capacity| {
            (capacity.saturating_sub(self.used()) + before).saturating_sub(offset)
        });
        let all = bytes.len().min(usize::try_from(room).unwrap_or(usize::MAX));
        let count = match fault {
            None => all,
            Some(Fault::Interrupted) => 0,
            Some(Fault::Short) => (all / 3).max(1).min(all),
            Some(_) => all / 2,
        };
        if count > 0 {
            self.memory.write_at(file, &bytes[..count], offset)?;
            let range = (offset, offset + count as u64);
            self.script().dirty.entry(file.clone()).or_default().push(range);
        }
        match fault {
            Some(Fault::Short) | None if count > 0 || bytes.is_empty() => Ok(count),
            Some(Fault::Short) | None => Err(io::ErrorKind::StorageFull.into()),
            Some(fault) => Err(error(fault)),
        }
    }

    fn set_len(&self, file: &String, len: u64) -> io::Result<()> {
        self.plain(Call::SetLen, file)?;
        self.memory.set_len(file, len)
    }

    fn sync(&self, file: &String) -> io::Result<()> {
        let fault = self.enter(Call::Sync, file);
        let held = self.hold.0.lock().unwrap();
        drop(self.hold.1.wait_while(held, |is_held| *is_held).unwrap());
        let dirty = self.script().dirty.remove(file).unwrap_or_default();
        let Some(fault) = fault else { return Ok(()) };
        if matches!(fault, Fault::Dropped | Fault::DroppedFull) {
            // The kernel gave up on the pages and forgot them.
            for (from, to) in dirty {
                self.memory.edit(file, |bytes| {
                    let len = bytes.len();
                    bytes[(from as usize).min(len)..(to as usize).min(len)].fill(0);
                });
            }
        }
        Err(error(fault))
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.plain(Call::SyncDir, "")
    }

    fn sync_subdir(&self, name: &str) -> io::Result<()> {
        self.plain(Call::SyncDir, name)
    }

    fn unlink(&self, name: &str) -> io::Result<()> {
        // A file that is not there is no work for the disk.
        self.memory.len(&name.to_owned())?;
        self.plain(Call::Unlink, name)?;
        self.memory.unlink(name)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.memory.rename(from, to)
    }

    fn make_dir(&self, name: &str) -> io::Result<()> {
        self.memory.make_dir(name)
    }

    fn now_ms(&self) -> u64 {
        let set = self.script().now_ms;
        set.unwrap_or_else(|| self.memory.now_ms())
    }

    fn space(&self) -> io::Result<Space> {
        let capacity = self.script().capacity.unwrap_or(1 << 40);
        Ok(Space { free_bytes: capacity.saturating_sub(self.used()), is_volatile: false })
    }
}

impl Home for FaultyDisk {
    type Disk = Self;

    fn open(&self) -> Self {
        self.clone()
    }

    fn look(&self) -> (Scan, Plan) {
        look(self.memory())
    }
}
