//! The same repair on real files: what the disk in memory stands for.
#![cfg(not(feature = "shuttle"))]
#![allow(clippy::unwrap_used, reason = "helpers are tests too")]

use ss_lib::disk::{
    Disk, Operation, PAGE_BYTES, RealDisk, RepairOptions, SalvageOptions, ScanError, Verdict, plan,
    repair, salvage, scan,
};
use ss_tests::disk::golden;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// A directory that goes with the test.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("ss-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn files(path: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(path).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            let below = files_below(&path).into_iter();
            files.extend(below.map(|(file, bytes)| (format!("{name}/{file}"), bytes)));
        } else {
            files.insert(name, fs::read(path).unwrap());
        }
    }
    files
}

fn files_below(path: &Path) -> BTreeMap<String, Vec<u8>> {
    fs::read_dir(path)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, fs::read(path).unwrap())
        })
        .collect()
}

#[test]
fn a_damaged_store_is_mended_on_real_files_as_in_memory() {
    let directory = Directory::new("mended");
    let memory = golden::clean().disk;
    memory.edit("0000000000000001-00.seg", |file| file[PAGE_BYTES + 700] ^= 0x10);
    memory.edit("0000000000000002-00.seg", |file| file.extend([0xAA; 900]));
    let bytes = golden::losses().disk.files()["0000000000000000-00.seg"].clone();
    memory.edit("0000000000000008-00.seg", |file| *file = bytes);
    for (name, bytes) in memory.files() {
        fs::write(directory.0.join(name), bytes).unwrap();
    }
    fs::write(directory.0.join("notes.txt"), "not ours").unwrap();
    fs::create_dir(directory.0.join("a-directory.seg")).unwrap();

    let looking = RealDisk::open_shared(&directory.0).unwrap();
    let before = files(&directory.0);
    let found = scan(&looking).unwrap();
    assert_eq!(plan(&found).verdict, Verdict::Damaged);
    assert_eq!(found.foreign.len(), 1);
    assert_eq!(before, files(&directory.0), "looking changed something");

    let fresh = Directory::new("salvaged");
    let into = RealDisk::open_owned(&fresh.0).unwrap();
    let options = SalvageOptions { is_everything: false, store_id: [1; 16], now_ms: 1 };
    let salvaged = salvage(&looking, &into, &options).unwrap();
    assert_eq!(plan(&scan(&into).unwrap()).verdict, Verdict::Sound);
    assert_eq!(before, files(&directory.0), "a salvage changed the old store");

    let owned = RealDisk::open_owned(&directory.0).unwrap();
    let repaired = repair(&owned, &RepairOptions { now_ms: 1 }).unwrap();
    assert_eq!(repaired.verdict, Verdict::Sound);
    let held: u64 = repaired.scan.sensors.iter().map(|sensor| sensor.held).sum();
    assert_eq!(held, salvaged.records);
    let in_memory = repair(&memory, &RepairOptions { now_ms: 1 }).unwrap();
    assert_eq!(repaired.actions, in_memory.actions);
    let mut real = files(&directory.0);
    assert_eq!(real.remove("notes.txt").unwrap(), b"not ours");
    real.remove("lock");
    assert_eq!(real, memory.files());
    assert_eq!(repair(&owned, &RepairOptions { now_ms: 2 }).unwrap().actions, []);
}

/// A gateway's first start, with nothing there yet.
#[test]
fn a_store_s_directory_is_made_with_those_above_it() {
    let directory = Directory::new("deep");
    let store = directory.0.join("var").join("store");
    let disk = RealDisk::open_owned(&store).unwrap();
    let file = disk.create("superblock").unwrap();
    assert_eq!(disk.write_at(&file, b"1234", 2).unwrap(), 4);
    disk.sync(&file).unwrap();
    disk.sync_dir().unwrap();
    assert_eq!(files(&store)["superblock"], b"\0\x001234");
    disk.unlink("superblock").unwrap();
    assert_eq!(files(&store).into_keys().collect::<Vec<_>>(), ["lock"]);
    let missing = disk.unlink("superblock").unwrap_err();
    assert_eq!(missing.kind(), std::io::ErrorKind::NotFound);
    // The machine's clock is one of this century.
    assert!((1_700_000_000_000..5_000_000_000_000).contains(&disk.now_ms()));
}

/// A store on a file system in memory is gone with the power, and its owner is told so.
#[test]
fn a_file_system_in_memory_is_called_volatile() {
    let directory = Directory::new("volatile");
    for path in [directory.0.as_path(), Path::new("/dev/shm"), Path::new("/proc")] {
        let Ok(disk) = RealDisk::open_shared(path) else { continue };
        let output = Command::new("stat").args(["-f", "-c", "%T"]).arg(path).output().unwrap();
        let kind = String::from_utf8(output.stdout).unwrap();
        let is_volatile = ["tmpfs", "ramfs"].contains(&kind.trim());
        assert_eq!(disk.space().unwrap().is_volatile, is_volatile, "{}: {kind}", path.display());
    }
}

#[test]
fn an_empty_directory_is_no_store_and_nothing_is_made_in_it() {
    let directory = Directory::new("empty");
    let looking = RealDisk::open_shared(&directory.0).unwrap();
    assert!(matches!(scan(&looking), Err(ScanError::NotAStore)));
    assert!(repair(&looking, &RepairOptions::default()).is_err());
    assert_eq!(fs::read_dir(&directory.0).unwrap().count(), 0);
}

/// A store that a stranger can write to must not make its owner write elsewhere, and what it has open is no
/// child's.
#[test]
fn a_store_is_a_directory_of_files_and_nothing_else_is_opened() {
    let directory = Directory::new("links");
    let elsewhere = directory.0.join("elsewhere");
    fs::write(&elsewhere, "12").unwrap();
    fs::create_dir(directory.0.join("store")).unwrap();
    let store = directory.0.join("store");
    std::os::unix::fs::symlink(&elsewhere, store.join("0000000000000000-00.seg")).unwrap();
    let error = RealDisk::open_shared(&elsewhere).map(drop).unwrap_err();
    assert_eq!(error.operation, Operation::Open);
    assert_eq!(error.error.kind(), std::io::ErrorKind::NotADirectory);

    let disk = RealDisk::open_owned(&store).unwrap();
    let link = "0000000000000000-00.seg";
    assert!(disk.open(link).is_err() && disk.open_writable(link).is_err());
    assert!(disk.create(link).is_err());
    let file = disk.create("0000000000000001-00.seg").unwrap();
    let mut names = Vec::new();
    disk.list(&mut |name, bytes| names.push((name.to_owned(), bytes))).unwrap();
    names.sort();
    let wanted = [("0000000000000001-00.seg".to_owned(), 0), ("lock".to_owned(), 0)];
    assert_eq!(names, wanted);
    // One owner, and whoever looks beside it.
    let other = RealDisk::open_owned(&store).map(drop).unwrap_err();
    assert_eq!(
        (other.operation, other.error.kind()),
        (Operation::Lock, std::io::ErrorKind::WouldBlock)
    );
    let looking = RealDisk::open_shared(&store).unwrap();
    let looked_at = looking.open("0000000000000001-00.seg").unwrap();

    let mut open = 0;
    for entry in fs::read_dir("/proc/self/fd").unwrap() {
        let entry = entry.unwrap();
        if !fs::read_link(entry.path()).is_ok_and(|path| path.starts_with(&store)) {
            continue;
        }
        let info = Path::new("/proc/self/fdinfo").join(entry.file_name());
        let info = fs::read_to_string(info).unwrap();
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap();
        // O_CLOEXEC, as Linux has it on x86 and ARM.
        assert_ne!(u32::from_str_radix(flags.trim(), 8).unwrap() & 0o2_000_000, 0, "{info}");
        open += 1;
    }
    // Two directories, the lock, two files.
    assert_eq!(open, 5);
    drop((file, looked_at));
    assert_eq!(fs::read(&elsewhere).unwrap(), b"12");
}
