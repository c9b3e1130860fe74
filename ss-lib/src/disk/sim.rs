//! A disk in memory that does what disks do at their worst.
//!
//! # The fault model
//!
//! What the store must live with, and what guards against it (FORMAT.md names the fields).
//!
//! **While there is power** a reader sees every write at once, in the order in which they were made,
//! whatever became durable: that is the kernel's page cache, and it is what a killed process leaves.
//! A write that a kill comes into leaves a part of itself from its beginning on.
//!
//! **A power cut** takes what no sync covered, in any way:
//!
//! - a write may be lost, be there whole, or in part, by grains of 512 B or of 4 KiB: the first ones, the
//!   last ones, any. In the place of the others stand the bytes that were there, zeros, noise, or what the
//!   block held when it belonged to another file. *Guard: the page's CRC, and its seed.*
//! - writes land in any order, also over several files: a later one may be there and an earlier one not.
//!   *Guard: nothing is believed that a sync did not cover; a page says what was durable before it.*
//! - a size may change without its data, and data may land without their size. *Guard: as above.*
//! - a file that was created, renamed or removed may be so or not, each by itself, until its directory was
//!   synced, whatever was synced of the file. *Guard: the directory is synced before a new file is relied on;
//!   nothing is unlinked before the cursors that make it dead are durable.*
//!
//! **A sync may fail**, and then it lies: the kernel drops the pages, calls them clean, and the next sync
//! goes well without them. Readers still see them until there is a power cut, also after a kill, as long as the
//! cache is not told to let go of them. *Guard: a failed sync is never tried again; the segment is closed, and
//! what RAM holds is written into a new one; an opening asks the disk for what no page says was durable.*
//!
//! **Calls fail**: a write or a create finds no space (`ENOSPC`, `EDQUOT`), perhaps after a part of it was
//! written; a disk turns read-only (`EROFS`); there are no descriptors left (`EMFILE`); a call is interrupted
//! (`EINTR`) or takes less than it was given; anything may give `EIO`. *Guard: the next append starts at the
//! last good offset; records stay in RAM; the tick tries again.*
//!
//! **A disk rots**: bits flip, a read returns another sector, a write goes to the wrong place and leaves its
//! own place as it was. *Guard: the CRC, seeded with the page's place; each page stands alone.*
//!
//! What is not in it: a disk that loses what a sync covered without an error, and that does so in every
//! copy. No store on one disk can know.
//!
//! Every choice is drawn from a seed or told, so that a run can be repeated to the byte. [`Crashable`]
//! lists what a power cut may leave ([`Crashable::outcomes`]) and makes it ([`Crashable::after`]); images
//! share what they have in common, so that a state costs little.

mod fault;
mod image;
mod journal;
mod outcome;
#[cfg(test)]
mod tests;

pub use fault::{Call, Due, SimFault};
pub use image::Image;
pub use journal::{Crashable, Step};
pub use outcome::{Outcome, Rest, SUBSETS_DRAWN};

use super::io::{Disk, FileName, Space};
use fault::Faults;
use std::{
    fmt, io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Handles to one simulated disk. See the module.
#[derive(Clone, Default)]
pub struct SimDisk(Arc<Shared>);

/// Who is told before each operation that changes something: how many there were.
type Hook = Box<dyn FnMut(u64) + Send>;

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    hook: Mutex<Option<Hook>>,
}

#[derive(Default)]
struct State {
    live: Image,
    next_file: u32,
    journal: Option<Vec<Step>>,
    crash: Option<Crashable>,
    steps: u64,
    calls: u64,
    faults: Faults,
    now_ms: u64,
    next_cut: Option<Outcome>,
}

/// An open file of a [`SimDisk`].
#[derive(Clone, Copy, Debug)]
pub struct SimFile(u32);

fn enter<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl SimDisk {
    /// A disk with these files, all of them durable. Nothing of what is done to it is written down.
    pub fn new(image: &Image) -> Self {
        let live = image.settled();
        let next_file = live.files.len() as u32;
        Self(Arc::new(Shared {
            state: Mutex::new(State { live, next_file, ..State::default() }),
            hook: Mutex::default(),
        }))
    }

    /// The same, and its power can be cut.
    pub fn crashable_from(image: &Image) -> Self {
        let disk = Self::new(image);
        let mut state = disk.state();
        state.crash = Some(Crashable::new(state.live.clone()));
        drop(state);
        disk
    }

    /// The same, and it writes down what is done to it.
    pub fn journaled(image: &Image) -> Self {
        let disk = Self::crashable_from(image);
        disk.state().journal = Some(Vec::new());
        disk
    }

    fn state(&self) -> MutexGuard<'_, State> {
        enter(&self.0.state)
    }

    /// `hook` is called before every operation that changes something, with the number of those before.
    pub fn set_hook(&self, hook: Option<Hook>) {
        *enter(&self.0.hook) = hook;
    }

    /// What was done since the disk was made or last asked.
    pub fn take_journal(&self) -> Vec<Step> {
        self.state().journal.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// The files now, as a reader sees them.
    pub fn image(&self) -> Image {
        self.state().live.clone()
    }

    /// Operations that changed something.
    pub fn steps(&self) -> u64 {
        self.state().steps
    }

    /// Calls of every kind, reads included.
    pub fn calls(&self) -> u64 {
        self.state().calls
    }

    /// The machine's clock as the disk tells it.
    pub fn set_now_ms(&self, now_ms: u64) {
        self.state().now_ms = now_ms;
    }

    /// Whether a fault is set for such a call and did not come yet.
    pub fn has_due(&self, call: Call) -> bool {
        self.state().faults.has_due(call)
    }

    /// Sets a fault.
    pub fn fail(&self, due: Due) {
        self.state().faults.push(due);
    }

    /// From now on each such call fails so with this chance, in millionths.
    pub fn fail_by_chance(&self, call: Call, fault: SimFault, ppm: u32, seed: u64) {
        self.state().faults.push_chance(call, fault, ppm, seed);
    }

    /// The disk takes so many bytes more; `u64::MAX`: no limit.
    pub fn limit(&self, free_bytes: u64) {
        let mut state = self.state();
        let used = state.live.bytes();
        state.faults.capacity =
            if free_bytes == u64::MAX { u64::MAX } else { used.saturating_add(free_bytes) };
    }

    /// Whether everything that changes something is refused.
    pub fn set_read_only(&self, is_read_only: bool) {
        self.state().faults.is_read_only = is_read_only;
    }

    /// From now on everything goes well.
    pub fn heal(&self) {
        self.state().faults = Faults::default();
    }

    /// Faults that have happened.
    pub fn failed(&self) -> u64 {
        self.state().faults.failed
    }

    /// What a power cut might leave now; `None` if nothing was written down.
    pub fn crashable(&self) -> Option<Crashable> {
        self.state().crash.clone()
    }

    /// The next power cut has this outcome.
    pub fn set_next_cut(&self, outcome: Outcome) {
        self.state().next_cut = Some(outcome);
    }

    /// The power is cut with this outcome, unless another was set. Files that are open are so no more. Without a journal nothing
    /// was ever waiting, and nothing happens.
    pub fn cut_power(&self, outcome: Outcome, seed: u64) {
        let mut state = self.state();
        let outcome = state.next_cut.take().unwrap_or(outcome);
        if let Some(crash) = &state.crash {
            let left = Arc::new(crash.after(outcome, seed));
            state.done(Step::PowerCut(left));
        }
    }

    /// Changes the files behind the store's back, durably.
    pub fn edit(&self, edit: impl Fn(&mut Image)) {
        let mut state = self.state();
        edit(&mut state.live);
        if let Some(crash) = &mut state.crash {
            edit(&mut crash.durable);
        }
    }

    /// Tells whoever watches that something is about to change.
    fn announce(&self) {
        let mut hook = enter(&self.0.hook);
        if let Some(hook) = hook.as_mut() {
            let steps = self.steps();
            hook(steps);
        }
    }

    /// Begins a call: an error if it is due to fail at once.
    fn begin(&self, call: Call) -> io::Result<(MutexGuard<'_, State>, Option<SimFault>)> {
        let mut state = self.state();
        state.calls += 1;
        match state.faults.due(call) {
            Some(due) if !due.is_partial => Err(due.fault.error()),
            due => Ok((state, due.map(|due| due.fault))),
        }
    }
}

impl State {
    fn done(&mut self, step: Step) {
        step.apply(&mut self.live);
        self.steps += 1;
        if let Some(crash) = &mut self.crash {
            crash.push(&step);
        }
        if let Some(journal) = &mut self.journal {
            journal.push(step);
        }
    }

    fn file(&self, file: SimFile) -> io::Result<&image::Content> {
        self.live.file(file.0).ok_or_else(missing)
    }
}

/// A number drawn from a seed and a place.
pub const fn draw(seed: u64, place: u64) -> u64 {
    image::mix(seed, place)
}

fn missing() -> io::Error {
    io::ErrorKind::NotFound.into()
}

impl fmt::Debug for SimDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        f.debug_struct("SimDisk")
            .field("files", &state.live.names)
            .field("steps", &state.steps)
            .finish_non_exhaustive()
    }
}

impl Disk for SimDisk {
    type File = SimFile;

    fn list(&self, each: &mut dyn FnMut(&str, u64)) -> io::Result<()> {
        let (state, _) = self.begin(Call::List)?;
        for (name, bytes) in state.live.list().filter(|(name, _)| !name.contains('/')) {
            each(name, bytes);
        }
        Ok(())
    }

    fn open(&self, name: &str) -> io::Result<SimFile> {
        let (state, _) = self.begin(Call::Open)?;
        state.live.find(name).map(SimFile).ok_or_else(missing)
    }

    fn open_writable(&self, name: &str) -> io::Result<SimFile> {
        let (state, _) = self.begin(Call::Open)?;
        if state.faults.is_read_only {
            return Err(SimFault::ReadOnly.error());
        }
        state.live.find(name).map(SimFile).ok_or_else(missing)
    }

    fn create(&self, name: &str) -> io::Result<SimFile> {
        self.announce();
        let (mut state, _) = self.begin(Call::Create)?;
        let directory = name.split_once('/').map(|(directory, _)| FileName::new(directory));
        if directory.is_some_and(|directory| !state.live.directories.contains(&directory)) {
            return Err(missing());
        }
        if state.live.find(name).is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let file = state.next_file;
        state.next_file += 1;
        state.done(Step::Create { name: FileName::new(name), file });
        Ok(SimFile(file))
    }

    fn len(&self, file: &SimFile) -> io::Result<u64> {
        let (state, _) = self.begin(Call::Length)?;
        state.file(*file).map(image::Content::len)
    }

    fn read_at(&self, file: &SimFile, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        let (mut state, fault) = self.begin(Call::Read)?;
        let wanted = match fault {
            Some(SimFault::Short) => (bytes.len() / 3).max(1).min(bytes.len()),
            _ => bytes.len(),
        };
        let offset = match fault {
            // The sector behind it, or the first one if there is none.
            Some(SimFault::Misdirected) => {
                let behind = offset + image::BLOCK_BYTES as u64;
                if behind < state.file(*file)?.len() { behind } else { 0 }
            }
            _ => offset,
        };
        let count = state.file(*file)?.read(&mut bytes[..wanted], offset);
        if fault == Some(SimFault::Rotten) && count > 0 {
            let bit = state.faults.draw() as usize % (8 * count);
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        Ok(count)
    }

    fn write_at(&self, file: &SimFile, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.announce();
        let (mut state, fault) = self.begin(Call::Write)?;
        let before = state.file(*file)?.len();
        let room = match state.faults.capacity {
            u64::MAX => u64::MAX,
            capacity => {
                (capacity.saturating_sub(state.live.bytes()) + before).saturating_sub(offset)
            }
        };
        let room = bytes.len().min(usize::try_from(room).unwrap_or(usize::MAX));
        let count = match fault {
            None => room,
            Some(SimFault::Short) => (room / 3).max(1).min(room),
            // Half of it, and not to the end of a sector.
            Some(_) => room / 2,
        };
        if count > 0 {
            let bytes = Arc::from(&bytes[..count]);
            state.done(Step::Write { file: file.0, offset, bytes });
        }
        match fault {
            Some(SimFault::Short) | None if count > 0 || bytes.is_empty() => Ok(count),
            Some(SimFault::Short) | None => Err(SimFault::Full.error()),
            Some(fault) => Err(fault.error()),
        }
    }

    fn set_len(&self, file: &SimFile, len: u64) -> io::Result<()> {
        self.announce();
        let (mut state, _) = self.begin(Call::SetLen)?;
        state.done(Step::SetLen { file: file.0, len });
        Ok(())
    }

    fn sync(&self, file: &SimFile) -> io::Result<()> {
        self.announce();
        let (mut state, fault) = self.begin(Call::Sync)?;
        if let Some(fault) = fault {
            state.done(Step::SyncFailed { file: file.0 });
            return Err(fault.error());
        }
        state.done(Step::Sync { file: file.0 });
        Ok(())
    }

    fn forget_cached(&self, file: &SimFile, offset: u64, bytes: u64) -> io::Result<()> {
        let mut state = self.state();
        let Some(crash) = &state.crash else { return Ok(()) };
        let kept = crash.without_doomed(file.0);
        let mut own = vec![0; usize::try_from(bytes).unwrap_or(usize::MAX)];
        let count = kept.read(&mut own, offset);
        // A file's size is not the cache's.
        let len = usize::try_from(state.file(*file)?.len().saturating_sub(offset)).unwrap_or(0);
        own[count..].fill(0);
        own.truncate(len);
        state.live.file_mut(file.0).put(&own, offset);
        Ok(())
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.announce();
        let (mut state, _) = self.begin(Call::SyncDir)?;
        state.done(Step::SyncDir);
        Ok(())
    }

    fn sync_subdir(&self, _name: &str) -> io::Result<()> {
        self.sync_dir()
    }

    fn unlink(&self, name: &str) -> io::Result<()> {
        // A file that is not there is no work for the disk.
        if self.state().live.find(name).is_none() {
            return Err(missing());
        }
        self.announce();
        let (mut state, _) = self.begin(Call::Unlink)?;
        state.done(Step::Unlink { name: FileName::new(name) });
        Ok(())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.announce();
        let (mut state, _) = self.begin(Call::Rename)?;
        let file = state.live.find(from).ok_or_else(missing)?;
        let (from, to) = (FileName::new(from), FileName::new(to));
        state.done(Step::Rename { from, to, file });
        Ok(())
    }

    fn make_dir(&self, name: &str) -> io::Result<()> {
        let mut state = self.state();
        let name = FileName::new(name);
        if !state.live.directories.contains(&name) {
            state.live.directories.push(name);
            if let Some(crash) = &mut state.crash {
                crash.durable.directories.push(name);
            }
        }
        Ok(())
    }

    fn space(&self) -> io::Result<Space> {
        let state = self.state();
        let free_bytes = match state.faults.capacity {
            u64::MAX => 1 << 50,
            capacity => capacity.saturating_sub(state.live.bytes()),
        };
        Ok(Space { free_bytes, is_volatile: false })
    }

    fn now_ms(&self) -> u64 {
        self.state().now_ms
    }
}
