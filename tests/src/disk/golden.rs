//! The golden stores of ss-lib/testdata/format-v1: how each was made. They are written once, by
//! `cargo run -p ss-tests --bin golden-stores -- DIR`, and never by a test: what an engine of this format
//! version once wrote must be readable for ever.

use super::{memory::MemoryDisk, page::PAGE_BYTES, store::StoreWriter};
use ss_lib::{DropCause, SensorKey};
use std::{collections::BTreeMap, fs, path::PathBuf};

/// A store and what must be found in it.
pub struct Golden {
    pub name: &'static str,
    pub writer: StoreWriter,
    /// Pages (segment, page) that were damaged.
    pub gone: Vec<(u64, u32)>,
}

/// A store as it lies in `ss-lib/testdata`.
pub struct Kept {
    pub name: String,
    pub disk: MemoryDisk,
    /// What it was made with.
    pub expect: String,
}

/// All of them, by name.
///
/// # Panics
/// If one cannot be read, or they are too few.
pub fn kept() -> Vec<Kept> {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../ss-lib/testdata/format-v1");
    let mut stores = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if !path.is_dir() {
            continue;
        }
        let files = fs::read_dir(&path).unwrap().map(|file| {
            let file = file.unwrap().path();
            let name = file.file_name().unwrap().to_str().unwrap().to_owned();
            (name, fs::read(file).unwrap())
        });
        let disk = MemoryDisk::new(files.collect::<BTreeMap<_, _>>());
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let expect = fs::read_to_string(path.with_extension("expect")).unwrap();
        stores.push(Kept { name, disk, expect });
    }
    assert!(stores.len() >= 12, "the golden stores are not there");
    stores.sort_by(|a, b| a.name.cmp(&b.name));
    stores
}

pub const SERIES: SensorKey = SensorKey { source: 0, id: 7 };
pub const SAME_ID: SensorKey = SensorKey { source: 2, id: 7 };
pub const EVENTS: SensorKey = SensorKey { source: 1, id: u32::MAX };
pub const QUIET: SensorKey = SensorKey { source: 255, id: 0 };

fn sensors(writer: &mut StoreWriter, first_seq: u64) {
    writer.register(SERIES, Some(1_000), first_seq);
    writer.register(SAME_ID, Some(60_000), first_seq);
    writer.register(EVENTS, None, first_seq);
    writer.register(QUIET, None, first_seq);
    writer.begin();
}

fn store(number: u8) -> StoreWriter {
    let mut writer = StoreWriter::new([number; 16], 0, 1, 1);
    sensors(&mut writer, 0);
    writer
}

fn spill(writer: &mut StoreWriter, records: u64) {
    writer.add(SERIES, records);
    writer.add(SAME_ID, records / 3);
    writer.add(EVENTS, records / 2);
    writer.spill();
}

/// Three segments, two of them sealed, closed in order.
pub fn clean() -> StoreWriter {
    let mut writer = store(1);
    for round in 0..6 {
        spill(&mut writer, 40 + round * 7);
        writer.ack(SERIES, 11);
        if round % 2 == 1 {
            writer.commit();
        }
        if round % 3 == 2 {
            writer.roll();
        }
    }
    writer.add(QUIET, 1);
    writer.set_clock(1_699_999_999_000);
    writer.shut_down();
    writer
}

/// Three openings, each killed with records in RAM that never were in the log.
pub fn killed() -> StoreWriter {
    let mut writer = store(2);
    for _ in 0..3 {
        spill(&mut writer, 60);
        writer.ack(EVENTS, 5);
        spill(&mut writer, 15);
        writer.commit();
        writer.add(SERIES, 30);
        writer.reopen();
    }
    spill(&mut writer, 9);
    writer
}

/// A squeezed segment, with the gaps that acks and drops left.
pub fn squeezed() -> StoreWriter {
    let mut writer = store(3);
    for _ in 0..5 {
        spill(&mut writer, 50);
    }
    writer.ack(SERIES, 60);
    writer.roll();
    writer.squeeze(0, false);
    spill(&mut writer, 20);
    writer
}

/// Losses of every cause, one of them behind records that are held.
pub fn losses() -> StoreWriter {
    let mut writer = store(4);
    spill(&mut writer, 90);
    writer.drop_oldest(SERIES, 10, DropCause::Quota);
    writer.drop_oldest(SAME_ID, 3, DropCause::DiskMax);
    writer.drop_oldest(EVENTS, 4, DropCause::Rejected);
    spill(&mut writer, 30);
    writer.drop_oldest(EVENTS, 2, DropCause::Corrupt);
    writer.drop_hole(SERIES, 30, 20, DropCause::Recycled);
    writer.roll();
    spill(&mut writer, 10);
    writer
}

/// Two sensors that left the configuration and still hold records.
pub fn removed() -> StoreWriter {
    let mut writer = store(5);
    spill(&mut writer, 45);
    writer.reopen();
    writer.remove_from_configuration(SAME_ID);
    writer.remove_from_configuration(EVENTS);
    writer.add(SERIES, 10);
    writer.spill();
    writer.roll();
    writer
}

/// Every number near its end.
pub fn numbers_end() -> StoreWriter {
    let mut writer = StoreWriter::new([0xFF; 16], u64::MAX - 6, u64::MAX - 4_000, u32::MAX - 3);
    sensors(&mut writer, u64::MAX - 2_000);
    spill(&mut writer, 70);
    writer.ack(SERIES, 20);
    writer.roll();
    writer.reopen();
    spill(&mut writer, 30);
    writer
}

/// Every golden store, the sound ones first.
pub fn all() -> Vec<Golden> {
    let sound = [
        ("clean", clean()),
        ("killed", killed()),
        ("squeezed", squeezed()),
        ("losses", losses()),
        ("removed", removed()),
        ("numbers-end", numbers_end()),
    ];
    let mut all: Vec<Golden> =
        sound.into_iter().map(|(name, writer)| Golden { name, writer, gone: Vec::new() }).collect();
    // A torn end: the last write's second half never arrived.
    let writer = killed();
    let gone = vec![(writer.segment, writer.pages() - 1)];
    let len = writer.pages() as usize * PAGE_BYTES;
    writer.disk.edit(&writer.newest_file(), |file| file[len - 3_584..].fill(0xEE));
    all.push(Golden { name: "damaged-torn-end", writer, gone });
    // One flipped bit in the midst of records.
    let writer = clean();
    writer.disk.edit("0000000000000001-00.seg", |file| file[PAGE_BYTES + 700] ^= 0x10);
    all.push(Golden { name: "damaged-bit", writer, gone: vec![(1, 1)] });
    // A segment that somebody deleted.
    let writer = clean();
    writer.disk.remove("0000000000000001-00.seg");
    let gone = (0..16).map(|page| (1, page)).collect();
    all.push(Golden { name: "damaged-missing", writer, gone });
    // A squeeze that was cut before its source was unlinked, and one that was cut before its end.
    let mut writer = clean();
    writer.squeeze(0, true);
    writer.squeeze(1, true);
    writer.disk.edit("0000000000000001-01.seg", |file| file.truncate(2 * PAGE_BYTES + 512));
    all.push(Golden { name: "cut-squeezes", writer, gone: Vec::new() });
    all
}
