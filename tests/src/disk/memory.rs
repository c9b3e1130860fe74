//! A disk in memory. It can be told to fail from its nth operation on, as if the process were killed
//! there: the write that it fails in is done in half.

use ss_lib::disk::{Disk, Space};
use std::{
    collections::BTreeMap,
    io,
    sync::{Mutex, MutexGuard},
};

type Files = BTreeMap<String, Vec<u8>>;

/// Files by name; those of a directory below have its name in front.
#[derive(Debug, Default)]
pub struct MemoryDisk {
    files: Mutex<Files>,
    directories: Mutex<Vec<String>>,
    changes: Mutex<u64>,
    /// A file and an offset in it that cannot be read until it is written again.
    bad_block: Mutex<Option<(String, u64)>>,
    /// Changes that are done before everything fails.
    changes_max: Option<u64>,
}

impl Clone for MemoryDisk {
    fn clone(&self) -> Self {
        let bad_block = self.bad_block.lock().unwrap().clone();
        Self {
            files: Mutex::new(self.files()),
            bad_block: Mutex::new(bad_block),
            ..Self::default()
        }
    }
}

impl MemoryDisk {
    /// A disk with these files.
    pub fn new(files: Files) -> Self {
        Self { files: Mutex::new(files), ..Self::default() }
    }

    /// The same files on a disk that fails after so many changes.
    pub fn failing_after(&self, changes: u64) -> Self {
        Self { changes_max: Some(changes), ..self.clone() }
    }

    /// All files.
    pub fn files(&self) -> Files {
        self.lock().clone()
    }

    /// Changes that were asked for.
    pub fn changes(&self) -> u64 {
        *self.changes.lock().unwrap()
    }

    /// Makes the 512 B at this offset unreadable until they are written again.
    pub fn spoil_block(&self, name: &str, offset: u64) {
        *self.bad_block.lock().unwrap() = Some((name.to_owned(), offset));
    }

    fn has_bad_block(&self, file: &str, offset: u64, len: usize) -> bool {
        let bad = self.bad_block.lock().unwrap();
        bad.as_ref().is_some_and(|(name, at)| {
            name == file && *at < offset + len as u64 && offset < at + 512
        })
    }

    /// Changes a file by hand.
    pub fn edit(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        change(self.lock().entry(name.to_owned()).or_default());
    }

    /// Takes a file away by hand.
    pub fn remove(&self, name: &str) -> Vec<u8> {
        self.lock().remove(name).unwrap()
    }

    fn lock(&self) -> MutexGuard<'_, Files> {
        self.files.lock().unwrap()
    }

    /// Counts a change. `Err`: this one and all later ones fail; `Ok(false)` would be a change that is
    /// done.
    fn change(&self) -> io::Result<()> {
        let mut changes = self.changes.lock().unwrap();
        *changes += 1;
        match self.changes_max {
            Some(max) if *changes > max => Err(io::Error::other("killed here")),
            _ => Ok(()),
        }
    }
}

fn missing() -> io::Error {
    io::ErrorKind::NotFound.into()
}

impl Disk for MemoryDisk {
    type File = String;

    fn list(&self, each: &mut dyn FnMut(&str, u64)) -> io::Result<()> {
        for (name, bytes) in self.files().iter().filter(|(name, _)| !name.contains('/')) {
            each(name, bytes.len() as u64);
        }
        Ok(())
    }

    fn open(&self, name: &str) -> io::Result<String> {
        self.lock().contains_key(name).then(|| name.to_owned()).ok_or_else(missing)
    }

    fn open_writable(&self, name: &str) -> io::Result<String> {
        self.open(name)
    }

    fn create(&self, name: &str) -> io::Result<String> {
        self.change()?;
        let directory = name.split_once('/').map(|(directory, _)| directory);
        let known = self.directories.lock().unwrap();
        if directory.is_some_and(|directory| !known.iter().any(|other| other == directory)) {
            return Err(missing());
        }
        let mut files = self.lock();
        if files.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        files.insert(name.to_owned(), Vec::new());
        Ok(name.to_owned())
    }

    fn len(&self, file: &String) -> io::Result<u64> {
        self.lock().get(file).map(|bytes| bytes.len() as u64).ok_or_else(missing)
    }

    fn read_at(&self, file: &String, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        if self.has_bad_block(file, offset, bytes.len()) {
            return Err(io::Error::other("the block cannot be read"));
        }
        let files = self.lock();
        let content = files.get(file).ok_or_else(missing)?;
        let rest = content.get(offset as usize..).unwrap_or_default();
        let count = rest.len().min(bytes.len());
        bytes[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn write_at(&self, file: &String, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let killed = self.change();
        if self.has_bad_block(file, offset, bytes.len()) {
            *self.bad_block.lock().unwrap() = None;
        }
        // What was being written when the process died is there in part.
        let last = self.changes_max.is_some_and(|max| self.changes() == max + 1);
        let count = match (&killed, last) {
            (Ok(()), _) => bytes.len(),
            (Err(_), true) => bytes.len() / 2,
            (Err(_), false) => 0,
        };
        let mut files = self.lock();
        let content = files.get_mut(file).ok_or_else(missing)?;
        let end = offset as usize + count;
        if count > 0 {
            content.resize(content.len().max(end), 0);
            content[offset as usize..end].copy_from_slice(&bytes[..count]);
        }
        killed.map(|()| count)
    }

    fn set_len(&self, file: &String, len: u64) -> io::Result<()> {
        self.change()?;
        self.lock().get_mut(file).ok_or_else(missing)?.resize(len as usize, 0);
        Ok(())
    }

    fn sync(&self, _file: &String) -> io::Result<()> {
        self.change()
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.change()
    }

    fn sync_subdir(&self, _name: &str) -> io::Result<()> {
        self.change()
    }

    fn unlink(&self, name: &str) -> io::Result<()> {
        self.change()?;
        self.lock().remove(name).map(drop).ok_or_else(missing)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.change()?;
        let mut files = self.lock();
        let bytes = files.remove(from).ok_or_else(missing)?;
        files.insert(to.to_owned(), bytes);
        Ok(())
    }

    fn make_dir(&self, name: &str) -> io::Result<()> {
        self.change()?;
        self.directories.lock().unwrap().push(name.to_owned());
        Ok(())
    }

    fn space(&self) -> io::Result<Space> {
        Ok(Space { free_bytes: 1 << 30, is_volatile: true })
    }
}
