//! That the simulated disk does what the fault model at the head of its module says: what is found with it
//! is worth as much.

use super::{Call, Disk, Due, Image, Outcome, SimDisk, SimFault, SimFile};
use crate::disk::PAGE_BYTES;
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

/// The numbers that Linux has for errors.
const EINTR: i32 = 4;
const EIO: i32 = 5;
const EMFILE: i32 = 24;
const ENOSPC: i32 = 28;
const EROFS: i32 = 30;
const EDQUOT: i32 = 122;

fn disk() -> SimDisk {
    SimDisk::crashable_from(&Image::default())
}

fn file_with(disk: &SimDisk, name: &str, bytes: &[u8]) -> SimFile {
    let file = disk.create(name).unwrap();
    assert_eq!(disk.write_at(&file, bytes, 0).unwrap(), bytes.len());
    file
}

fn content(disk: &SimDisk, file: SimFile) -> Vec<u8> {
    let mut bytes = vec![0; disk.len(&file).unwrap() as usize];
    assert_eq!(disk.read_at(&file, &mut bytes, 0).unwrap(), bytes.len());
    bytes
}

fn next(disk: &SimDisk, call: Call, fault: SimFault) {
    disk.fail(Due { call, fault, nth: 0, times: 1 });
}

fn code<T>(result: io::Result<T>) -> Option<i32> {
    result.err().and_then(|error| error.raw_os_error())
}

/// Different bytes in every page.
fn pages(count: usize) -> Vec<u8> {
    (0..count * PAGE_BYTES).map(|at| (at / PAGE_BYTES * 31 + at % 251 + 1) as u8).collect()
}

#[test]
fn a_write_that_fails_takes_half_of_its_bytes_or_none() {
    let faults = [
        (SimFault::Io, Some(EIO), 500),
        (SimFault::Full, Some(ENOSPC), 500),
        (SimFault::Quota, Some(EDQUOT), 500),
        (SimFault::Short, None, 333),
        (SimFault::ReadOnly, Some(EROFS), 0),
        (SimFault::TooManyFiles, Some(EMFILE), 0),
        (SimFault::Interrupted, Some(EINTR), 0),
    ];
    for (fault, error, taken) in faults {
        let disk = disk();
        let file = disk.create("a").unwrap();
        next(&disk, Call::Write, fault);
        let written = disk.write_at(&file, &[7; 1_000], 0);
        assert_eq!(written.as_ref().ok(), error.is_none().then_some(&taken), "{fault:?}");
        assert_eq!((code(written), disk.failed()), (error, 1), "{fault:?}");
        assert_eq!(content(&disk, file), vec![7; taken], "{fault:?}");
        // A fault that has come is over.
        assert_eq!(disk.write_at(&file, &[8; 1_000], 0).unwrap(), 1_000);
        assert_eq!(content(&disk, file), [8; 1_000]);
    }
    // A call that takes less than it was given takes something, if there is something.
    let disk = disk();
    let file = disk.create("a").unwrap();
    for (given, taken) in [(2, 1), (1, 1), (0, 0)] {
        next(&disk, Call::Write, SimFault::Short);
        assert_eq!(disk.write_at(&file, &vec![1; given], 0).unwrap(), taken);
    }
}

#[test]
fn a_read_that_fails_returns_less_another_sector_or_a_flipped_bit() {
    let (disk, bytes) = (disk(), pages(3));
    let file = file_with(&disk, "a", &bytes);
    let read = |fault, at: usize, len: usize| {
        next(&disk, Call::Read, fault);
        let mut out = vec![0; len];
        disk.read_at(&file, &mut out, at as u64).map(|count| out[..count].to_vec())
    };
    assert_eq!(read(SimFault::Short, 100, 999).unwrap(), bytes[100..433]);
    assert_eq!(read(SimFault::Short, 100, 1).unwrap(), bytes[100..101]);
    assert_eq!(code(read(SimFault::Io, 0, 9)), Some(EIO));
    // The sector behind it; behind the last one there is none, and it is the first.
    for (page, other) in [(0, 1), (1, 2), (2, 0)] {
        let found = read(SimFault::Misdirected, page * PAGE_BYTES, PAGE_BYTES).unwrap();
        assert!(found == bytes[other * PAGE_BYTES..][..PAGE_BYTES], "{page}");
    }
    let mut flipped_bits = Vec::new();
    for _ in 0..64 {
        let found = read(SimFault::Rotten, 10, 8).unwrap();
        let differing = found.iter().zip(&bytes[10..18]).map(|(a, b)| a ^ b);
        let bits: Vec<_> = differing.enumerate().filter(|(_, bits)| *bits != 0).collect();
        assert!(bits.len() == 1 && bits[0].1.is_power_of_two(), "{bits:?}");
        flipped_bits.push(bits[0].0 * 8 + bits[0].1.trailing_zeros() as usize);
    }
    // Any bit of what was read, and what is on the disk stays as it was.
    flipped_bits.sort_unstable();
    flipped_bits.dedup();
    assert!(flipped_bits.len() > 20, "{flipped_bits:?}");
    assert!(content(&disk, file) == bytes);
    // Behind the end there is nothing that could rot.
    next(&disk, Call::Read, SimFault::Rotten);
    assert_eq!(disk.read_at(&file, &mut [0; 8], 3 * PAGE_BYTES as u64).unwrap(), 0);
}

#[test]
fn a_fault_comes_at_its_call_and_so_often() {
    let disk = disk();
    let file = file_with(&disk, "a", b"12345678");
    disk.fail(Due { call: Call::Read, fault: SimFault::Io, nth: 2, times: 3 });
    disk.fail(Due { call: Call::Length, fault: SimFault::TooManyFiles, nth: 1, times: 1 });
    let read = || code(disk.read_at(&file, &mut [0; 8], 0));
    let len = || code(disk.len(&file));
    let found = [read(), len(), read(), read(), len(), read(), read(), read(), len()];
    let io = Some(EIO);
    assert_eq!(found, [None, None, None, io, Some(EMFILE), io, io, None, None]);
    assert_eq!(disk.failed(), 4);
}

#[test]
fn a_fault_that_is_due_is_told_until_it_came() {
    let disk = disk();
    disk.fail(Due { call: Call::List, fault: SimFault::Io, nth: 0, times: 2 });
    for _ in 0..2 {
        assert!(disk.has_due(Call::List) && !disk.has_due(Call::Open));
        assert_eq!(code(disk.list(&mut |_, _| ())), Some(EIO));
    }
    assert!(!disk.has_due(Call::List));
    disk.list(&mut |_, _| ()).unwrap();
    // Healed, a disk has nothing due.
    next(&disk, Call::List, SimFault::Io);
    disk.heal();
    assert!(!disk.has_due(Call::List));
    disk.list(&mut |_, _| ()).unwrap();
}

#[test]
fn every_call_can_be_told_to_fail() {
    let disk = disk();
    let file = file_with(&disk, "a", b"1");
    let calls: [(Call, &dyn Fn() -> Option<i32>); 11] = [
        (Call::List, &|| code(disk.list(&mut |_, _| ()))),
        (Call::Open, &|| code(disk.open("a"))),
        (Call::Open, &|| code(disk.open_writable("a"))),
        (Call::Create, &|| code(disk.create("b"))),
        (Call::Length, &|| code(disk.len(&file))),
        (Call::Read, &|| code(disk.read_at(&file, &mut [0], 0))),
        (Call::Write, &|| code(disk.write_at(&file, b"2", 0))),
        (Call::SetLen, &|| code(disk.set_len(&file, 9))),
        (Call::Sync, &|| code(disk.sync(&file))),
        (Call::SyncDir, &|| code(disk.sync_dir())),
        (Call::Unlink, &|| code(disk.unlink("a"))),
    ];
    for (call, run) in calls {
        next(&disk, call, SimFault::TooManyFiles);
        assert_eq!(run(), Some(EMFILE), "{call:?}");
    }
    next(&disk, Call::SyncDir, SimFault::Io);
    assert_eq!(code(disk.sync_subdir("lost+found")), Some(EIO));
    next(&disk, Call::Rename, SimFault::Io);
    assert_eq!(code(disk.rename("a", "c")), Some(EIO));
    // None of them did anything.
    assert_eq!(disk.image().list().collect::<Vec<_>>(), [("a", 1)]);
    assert_eq!(content(&disk, file), b"1");
}

#[test]
fn faults_by_chance_come_as_often_as_they_are_told_and_by_their_seed() {
    let failing = |ppm, seed| {
        let disk = disk();
        let file = file_with(&disk, "a", b"1");
        disk.fail_by_chance(Call::Read, SimFault::Io, ppm, seed);
        disk.len(&file).unwrap();
        (0..2_000).map(|_| disk.read_at(&file, &mut [0], 0).is_err()).collect::<Vec<_>>()
    };
    let often = |failing: &[bool]| failing.iter().filter(|fails| **fails).count();
    assert_eq!((often(&failing(0, 5)), often(&failing(1_000_000, 5))), (0, 2_000));
    let by_seed = [1, 2, 1].map(|seed| failing(300_000, seed));
    assert!(by_seed.iter().all(|failing| (500..700).contains(&often(failing))));
    assert!(by_seed[0] == by_seed[2] && by_seed[0] != by_seed[1]);
}

/// A seed that a report names is the same run on every machine and in every version.
#[test]
fn what_is_drawn_from_a_seed_is_a_constant() {
    let drawn = [(0, 1), (0, 2), (1, 1), (7, 1 << 40)].map(|(seed, at)| super::draw(seed, at));
    // From seed 0 they are SplitMix64's numbers, as published with it.
    let splitmix = [0xE220_A839_7B1D_CDAF, 0x6E78_9E6A_A1B9_65F4];
    assert_eq!(drawn[..2], splitmix);
    assert_eq!(drawn[2..], [0xE4D9_7177_1B65_2C20, 0xFBC6_F9E4_B07B_181B]);
}

#[test]
fn a_disk_with_a_limit_takes_what_it_has_room_for() {
    let disk = disk();
    assert_eq!(disk.space().unwrap().free_bytes, 1 << 50);
    let file = file_with(&disk, "a", &[1; 100]);
    disk.limit(50);
    assert_eq!(disk.space().unwrap().free_bytes, 50);
    // What is there already is written over in its place.
    assert_eq!(disk.write_at(&file, &[2; 100], 0).unwrap(), 100);
    assert_eq!(disk.write_at(&file, &[3; 60], 80).unwrap(), 60);
    assert_eq!(disk.space().unwrap().free_bytes, 10);
    assert_eq!(disk.write_at(&file, &[4; 60], 140).unwrap(), 10);
    assert_eq!(code(disk.write_at(&file, &[5; 60], 150)), Some(ENOSPC));
    assert_eq!(disk.write_at(&file, &[], 150).unwrap(), 0);
    let other = disk.create("b").unwrap();
    assert_eq!(code(disk.write_at(&other, &[6], 0)), Some(ENOSPC));
    disk.unlink("a").unwrap();
    assert_eq!(disk.write_at(&other, &[6; 151], 0).unwrap(), 150);
    disk.limit(u64::MAX);
    assert_eq!(disk.write_at(&other, &[6; 151], 150).unwrap(), 151);
    assert_eq!((disk.len(&other).unwrap(), disk.space().unwrap().free_bytes), (301, 1 << 50));
}

#[test]
fn a_disk_that_is_read_only_is_read_and_changes_nothing() {
    let disk = disk();
    let file = file_with(&disk, "a", b"12");
    let steps = disk.steps();
    disk.set_read_only(true);
    assert_eq!((content(&disk, file), disk.open("a").is_ok()), (b"12".to_vec(), true));
    disk.list(&mut |_, _| ()).unwrap();
    let refused = [
        code(disk.open_writable("a")),
        code(disk.create("b")),
        code(disk.write_at(&file, b"3", 0)),
        code(disk.set_len(&file, 0)),
        code(disk.sync(&file)),
        code(disk.sync_dir()),
        code(disk.unlink("a")),
        code(disk.rename("a", "c")),
    ];
    assert_eq!(refused, [Some(EROFS); 8]);
    disk.set_read_only(false);
    assert_eq!(content(&disk, disk.open_writable("a").unwrap()), b"12");
    assert_eq!(disk.steps(), steps);
}

#[test]
fn names_are_those_of_a_directory() {
    let disk = disk();
    let kind = |result: io::Result<SimFile>| result.map(|_| ()).map_err(|error| error.kind());
    file_with(&disk, "b", b"22");
    let a = file_with(&disk, "a", b"1");
    assert_eq!(kind(disk.create("a")), Err(io::ErrorKind::AlreadyExists));
    assert_eq!(kind(disk.open("c")), Err(io::ErrorKind::NotFound));
    assert_eq!(kind(disk.open_writable("c")), Err(io::ErrorKind::NotFound));
    assert_eq!(kind(disk.create("sub/c")), Err(io::ErrorKind::NotFound));
    assert_eq!(disk.unlink("c").unwrap_err().kind(), io::ErrorKind::NotFound);
    assert_eq!(disk.rename("c", "d").unwrap_err().kind(), io::ErrorKind::NotFound);
    disk.make_dir("sub").unwrap();
    disk.make_dir("sub").unwrap();
    file_with(&disk, "sub/c", b"333");
    let list = || {
        let mut all = Vec::new();
        disk.list(&mut |name, bytes| all.push((name.to_owned(), bytes))).unwrap();
        all
    };
    // A list is of the directory alone.
    assert_eq!(list(), [("a".to_owned(), 1), ("b".to_owned(), 2)]);
    // A name that is taken is taken over; who has the file open keeps it.
    disk.rename("a", "b").unwrap();
    assert_eq!((list(), content(&disk, a)), (vec![("b".to_owned(), 1)], b"1".to_vec()));
    disk.unlink("b").unwrap();
    assert_eq!((list(), content(&disk, a)), (vec![], b"1".to_vec()));
}

#[test]
fn operations_are_counted_and_told_before_they_are_done() {
    let disk = SimDisk::journaled(&Image::default());
    let told = Arc::new(AtomicU64::new(0));
    let seen = Arc::clone(&told);
    disk.set_hook(Some(Box::new(move |steps| {
        // The number of those before.
        assert_eq!(seen.fetch_add(1, Relaxed), steps);
    })));
    let file = file_with(&disk, "a", &pages(2));
    disk.set_len(&file, 10).unwrap();
    disk.sync(&file).unwrap();
    disk.rename("a", "b").unwrap();
    disk.sync_dir().unwrap();
    disk.unlink("b").unwrap();
    assert_eq!((disk.steps(), told.load(Relaxed), disk.calls()), (7, 7, 7));
    // Reading is a call, and changes nothing.
    content(&disk, file);
    disk.list(&mut |_, _| ()).unwrap();
    assert_eq!((disk.steps(), told.load(Relaxed), disk.calls()), (7, 7, 10));
    disk.set_hook(None);
    disk.sync_dir().unwrap();
    assert_eq!((disk.steps(), told.load(Relaxed)), (8, 7));
    let names: Vec<_> = disk.take_journal().iter().map(super::Step::name).collect();
    let sync_dir = "sync of the directory";
    let wanted = ["create", "write", "set-len", "sync", "rename", sync_dir, "unlink", sync_dir];
    assert_eq!(names, wanted);
    assert!(disk.take_journal().is_empty());
}

#[test]
fn a_journal_does_again_what_was_done() {
    let disk = SimDisk::journaled(&Image::default());
    let file = file_with(&disk, "a", &pages(3));
    disk.write_at(&file, &[9; 700], 4_000).unwrap();
    disk.set_len(&file, 9_000).unwrap();
    disk.write_at(&file, &pages(2), 2 * PAGE_BYTES as u64).unwrap();
    file_with(&disk, "b", b"22");
    disk.rename("b", "c").unwrap();
    file_with(&disk, "d", b"4");
    disk.unlink("d").unwrap();
    let mut again = Image::default();
    let mut crash = super::Crashable::default();
    for step in disk.take_journal() {
        step.apply(&mut again);
        crash.push(&step);
    }
    assert_eq!(again.hash(), disk.image().hash());
    // A kill leaves what the kernel's cache has.
    assert_eq!(crash.whole().hash(), again.hash());
    assert_eq!(crash.after(Outcome::Everything, 1).hash(), again.hash());
}

#[test]
fn what_a_file_was_cut_by_is_zeros_when_it_grows_again() {
    let disk = disk();
    let file = file_with(&disk, "a", &pages(3));
    for len in [5_000, 4_096, 10, 0] {
        disk.write_at(&file, &pages(3), 0).unwrap();
        disk.set_len(&file, len).unwrap();
        assert_eq!(disk.len(&file).unwrap(), len);
        disk.set_len(&file, 3 * PAGE_BYTES as u64).unwrap();
        let (found, len) = (content(&disk, file), len as usize);
        assert!(found[..len] == pages(3)[..len] && found[len..].iter().all(|byte| *byte == 0));
    }
    // The same for what is written behind the end.
    disk.set_len(&file, 1).unwrap();
    disk.write_at(&file, b"9", 6_000).unwrap();
    let mut wanted = vec![0; 6_001];
    wanted[6_000] = b'9';
    assert!(content(&disk, file) == wanted);
}

/// What rots behind the store's back is durable: a power cut does not mend it.
#[test]
fn damage_is_where_it_is_said_and_stays() {
    let disk = disk();
    let file = file_with(&disk, "a", &pages(3));
    file_with(&disk, "b", &[0xBB; 2 * PAGE_BYTES]);
    disk.sync(&file).unwrap();
    disk.sync(&disk.open("b").unwrap()).unwrap();
    disk.sync_dir().unwrap();
    disk.edit(|image| {
        image.flip("a", 4_100, 3);
        image.flip("a", 3 * PAGE_BYTES as u64, 0);
        image.misdirect(("a", 2), ("b", 1));
        image.flip("c", 0, 0);
        image.misdirect(("a", 0), ("c", 0));
    });
    let mut wanted = pages(3);
    wanted[4_100] ^= 1 << 3;
    for is_cut in [false, true] {
        if is_cut {
            disk.cut_power(Outcome::Nothing, 1);
        }
        let open = |name| content(&disk, disk.open(name).unwrap());
        assert!(open("a") == wanted);
        assert!(open("b")[..PAGE_BYTES] == [0xBB; PAGE_BYTES]);
        assert!(open("b")[PAGE_BYTES..] == pages(3)[2 * PAGE_BYTES..]);
    }
}

#[test]
fn a_clock_is_what_it_was_set_to() {
    let disk = disk();
    assert_eq!(disk.now_ms(), 0);
    disk.set_now_ms(1_700_000_000_000);
    assert_eq!(disk.now_ms(), 1_700_000_000_000);
}
