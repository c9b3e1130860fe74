//! Hostile stores out of bytes: a golden store, and changes to it that the bytes name. Checksums are set
//! right again unless a change says otherwise, so that what is wrong is met behind them.

use super::{
    golden,
    memory::MemoryDisk,
    page::{PAGE_BYTES, Place},
};
use ss_lib::disk::{
    Exported, RecordFilter, Records, RepairError, RepairOptions, SalvageError, SalvageOptions,
    Verdict, decode_page, plan, repair, salvage, scan,
};
use std::sync::OnceLock;

/// Changes that are made at most.
const EDITS_MAX: usize = 24;
/// Bytes that a file grows to at most.
const FILE_BYTES_MAX: usize = 40 * PAGE_BYTES;

struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn byte(&mut self) -> usize {
        let Some((&first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        usize::from(first)
    }

    fn word(&mut self) -> usize {
        self.byte() | self.byte() << 8
    }

    fn take(&mut self, len: usize) -> Vec<u8> {
        let (taken, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        taken.to_vec()
    }
}

fn bases() -> &'static [(MemoryDisk, [u8; 16])] {
    static BASES: OnceLock<Vec<(MemoryDisk, [u8; 16])>> = OnceLock::new();
    BASES.get_or_init(|| {
        let all = golden::all().into_iter();
        all.map(|golden| (golden.writer.disk.clone(), golden.writer.store_id)).collect()
    })
}

/// The store that the bytes name.
pub fn hostile_store(bytes: &[u8]) -> MemoryDisk {
    hostile_or_rotten(bytes).0
}

/// The same, and whether a checksum was set right over changed bytes, as no disk ever does.
pub fn hostile_or_rotten(bytes: &[u8]) -> (MemoryDisk, bool) {
    let mut is_forged = false;
    let mut input = Input(bytes);
    let bases = bases();
    let (disk, store_id) = &bases[input.byte() % bases.len()];
    let disk = disk.clone();
    for _ in 0..EDITS_MAX {
        if input.0.is_empty() {
            break;
        }
        is_forged |= edit(&disk, *store_id, &mut input);
    }
    (disk, is_forged)
}

/// Says whether it set a checksum right.
fn edit(disk: &MemoryDisk, store_id: [u8; 16], input: &mut Input<'_>) -> bool {
    let files = disk.files();
    let names: Vec<&String> = files.keys().filter(|name| name.ends_with(".seg")).collect();
    let operation = input.byte();
    let Some(&name) = names.get(input.byte() % names.len().max(1)) else { return false };
    let len = files[name].len();
    let pages = len.div_ceil(PAGE_BYTES).max(1);
    let number = input.byte() % pages;
    let begin = number * PAGE_BYTES;
    let other = names[input.byte() % names.len()];
    match operation % 10 {
        // Bytes somewhere in a page, with and without its checksum.
        0..=2 => {
            let (at, len) = (4 + input.word() % (PAGE_BYTES - 4), input.byte() % 12 + 1);
            change_page(disk, name, begin, |page| {
                for (place, byte) in page[at..].iter_mut().zip(input.take(len)) {
                    *place ^= byte;
                }
            });
        }
        // Chunks of the bytes' own.
        3 | 4 => {
            let chunks = input.byte() + input.byte();
            let chunks = input.take(chunks);
            change_page(disk, name, begin, |page| {
                let used = usize::from(page[6]) | usize::from(page[7]) << 8;
                let at = used.clamp(19, PAGE_BYTES - chunks.len());
                page[at..at + chunks.len()].copy_from_slice(&chunks);
                let used = (at + chunks.len()) as u16;
                page[6..8].copy_from_slice(&used.to_le_bytes());
            });
        }
        5 => {
            let source = files[other].clone();
            let from = input.byte() % (source.len() / PAGE_BYTES).max(1) * PAGE_BYTES;
            if let Some(source) = source.get(from..from + PAGE_BYTES) {
                change_page(disk, name, begin, |page| page.copy_from_slice(source));
            }
        }
        6 => {
            let len = input.word() % (len + 2 * PAGE_BYTES);
            disk.edit(name, |file| file.resize(len.min(FILE_BYTES_MAX), 0));
        }
        7 => drop(disk.remove(name)),
        8 => {
            let generation = input.byte();
            let copy = format!("{}-{generation:02x}.seg", &name[..16]);
            let bytes = files[other].clone();
            disk.edit(&copy, |file| *file = bytes);
        }
        _ => disk.edit("superblock", |file| {
            let at = input.word() % file.len().max(1);
            if let Some(byte) = file.get_mut(at) {
                *byte ^= input.byte() as u8;
            }
        }),
    }
    if operation < 128 {
        let place = |text: &str| u64::from_str_radix(text, 16).unwrap_or(0);
        let (segment, generation) = (place(&name[..16]), place(&name[17..19]) as u8);
        change_page(disk, name, begin, |page| {
            Place { store_id, segment, generation, page: number as u32 }.fix_crc(page);
        });
    }
    operation < 128
}

fn change_page(disk: &MemoryDisk, name: &str, begin: usize, change: impl FnOnce(&mut [u8])) {
    if disk.files().get(name).is_some_and(|file| file.len() >= begin + PAGE_BYTES) {
        disk.edit(name, |file| change(&mut file[begin..begin + PAGE_BYTES]));
    }
}

/// Looks at a hostile store in every way, mends it, and salvages it: nothing panics, looking changes
/// nothing, and what a repair leaves is sound and needs no other.
pub fn survive(disk: &MemoryDisk) {
    let before = disk.files();
    let Ok(found) = scan(disk) else { return };
    let planned = plan(&found);
    for segment in &found.segments {
        for page in 0..segment.pages.min(4) {
            drop(decode_page(disk, &found, &segment.file, page));
        }
    }
    let held = count_records(disk, false);
    assert_eq!(held, found.sensors.iter().map(|sensor| sensor.held).sum::<u64>());
    let fresh = MemoryDisk::default();
    let options = SalvageOptions { is_everything: false, store_id: [9; 16], now_ms: 1 };
    match salvage(disk, &fresh, &options) {
        Ok(_) => {
            let scan = scan(&fresh).expect("what was salvaged is a store");
            assert_eq!(plan(&scan).verdict, Verdict::Sound, "{:?}", plan(&scan).findings);
        }
        Err(SalvageError::Unusable(_) | SalvageError::Write(_)) => {}
        Err(error) => panic!("{error}"),
    }
    assert_eq!(before, disk.files(), "looking changed something");
    match repair(disk, &RepairOptions { now_ms: 1 }) {
        Ok(repaired) => {
            assert_eq!(repaired.verdict, Verdict::Sound, "{planned:?} {:?}", repaired.actions);
            let files = disk.files();
            let again = repair(disk, &RepairOptions { now_ms: 2 }).expect("it was just repaired");
            assert_eq!(again.actions, [], "a second repair had something to do");
            assert_eq!(files, disk.files());
        }
        Err(RepairError::Unusable(_)) => assert_eq!(before, disk.files(), "it was touched"),
        Err(RepairError::NumbersExhausted | RepairError::CheckpointTooLarge { .. }) => {}
        Err(error) => panic!("{error}"),
    }
}

/// Records that an export finds.
pub fn count_records(disk: &MemoryDisk, is_everything: bool) -> u64 {
    let found = scan(disk).expect("it was looked at before");
    let filter = RecordFilter { is_everything, ..RecordFilter::default() };
    let mut records = Records::new(disk, &found, filter);
    let mut out = [Exported::default(); 100];
    let mut sum = 0;
    loop {
        match records.next_records(&mut out).expect("memory does not fail") {
            0 => return sum,
            count => sum += count as u64,
        }
    }
}
