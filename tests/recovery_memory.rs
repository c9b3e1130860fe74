//! What opening, looking at and mending a store take of memory is bounded: by the sensors, the files and the
//! bad pages, never by the records or by what a page claims.
#![cfg(not(feature = "shuttle"))]
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "helpers are tests too")]

use allocation_counter::measure;
use ss_lib::{
    Sensor, SensorConfig, SensorKey,
    disk::{LEDGER_MAX, RealDisk, RepairOptions, plan, repair, scan},
    gateway::{self, Durability, Gateway, GatewayConfig, OpenError, WhenFull},
};
use ss_tests::disk::page::{PAGE_BYTES, Page, Place, signed, varint};
use std::{fs, path::Path};

/// What an opening holds for a moment beyond what it keeps: for each sensor on disk its state, in lists that
/// double; for each entry of the ledger itself and its place; and the names of files.
const OPENING_A_SENSOR: u64 = 640;
const OPENING_A_LOSS: u64 = 192;
const OPENING_CONSTANT: u64 = 16 << 10;
/// What a look takes: for each sensor its cursors, its tally and what is shown of it; for each file; for each
/// run of bad pages; for each entry of the ledger and each lost range; for each opening whose clock is known;
/// and a read buffer.
const LOOKING_A_SENSOR: u64 = 1_024;
const LOOKING_A_SEGMENT: u64 = 1_024;
const LOOKING_A_RUN: u64 = 512;
const LOOKING_A_LOSS: u64 = 384;
const LOOKING_A_CLOCK: u64 = 96;
const LOOKING_CONSTANT: u64 = 192 << 10;

const SENSORS: u32 = 256;

fn config() -> GatewayConfig {
    GatewayConfig {
        segment_bytes: 256 << 10,
        reserve_bytes: 0,
        full: WhenFull::Wait { ms: 0 },
        durability: Durability::EverySpill,
        squeezes: false,
        ..GatewayConfig::new(SENSORS)
    }
}

/// Leaves a store as a kill does, with so many records of every sensor.
fn leave_backlog(path: &Path, records: u32) {
    let mut store = Gateway::open_dir(path, &config()).unwrap();
    let key = |id| SensorKey { source: 2, id };
    let sensors: Vec<Sensor> =
        (0..SENSORS).map(|id| store.register(SensorConfig::event(key(id))).unwrap()).collect();
    for round in 0..records {
        for &sensor in &sensors {
            store.append_event(sensor, round, u64::from(round) * 1_000).unwrap();
        }
        store.tick(u64::from(round) * 1_000);
    }
    store.sync().unwrap();
}

/// Bytes at the highest.
fn peak(work: impl FnOnce()) -> u64 {
    measure(work).bytes_max
}

fn opening_peak(path: &Path) -> u64 {
    peak(|| drop(Gateway::open_dir(path, &config()).unwrap()))
}

fn looking_bound(path: &Path) -> u64 {
    let disk = RealDisk::open_shared(path).unwrap();
    let found = scan(&disk).unwrap();
    LOOKING_CONSTANT
        + found.sensors.len() as u64 * LOOKING_A_SENSOR
        + found.segments.len() as u64 * LOOKING_A_SEGMENT
        + found.bad_pages.len() as u64 * LOOKING_A_RUN
        + found.clocks.len() as u64 * LOOKING_A_CLOCK
        + (found.ledger.len() + found.lost.len()) as u64 * LOOKING_A_LOSS
}

fn assert_looks_within_bound(path: &Path) {
    let bound = looking_bound(path);
    let disk = RealDisk::open_shared(path).unwrap();
    let bytes = peak(|| drop(plan(&scan(&disk).unwrap())));
    eprintln!("a look: {bytes} B of {bound} B");
    assert!(bytes <= bound, "a look takes {bytes} B of {bound} B");
}

fn assert_mends_within_bound(path: &Path) {
    // The next look goes on beside what the one before found, and a checkpoint is made of it.
    let bound = 3 * looking_bound(path);
    let disk = RealDisk::open_shared(path).unwrap();
    let bytes = peak(|| drop(repair(&disk, &RepairOptions { now_ms: 1 }).unwrap()));
    eprintln!("a repair: {bytes} B of {bound} B");
    assert!(bytes <= bound, "a repair takes {bytes} B of {bound} B");
}

fn store_bytes(path: &Path) -> u64 {
    fs::read_dir(path).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum()
}

#[test]
fn opening_looking_and_mending_take_no_more_for_a_longer_backlog() {
    let fresh = tempfile::tempdir().unwrap();
    let new_store = opening_peak(fresh.path());
    assert!(new_store >= gateway::footprint_bytes(&config()).unwrap());
    let mut peaks = Vec::new();
    let mut bytes = Vec::new();
    for records in [200, 2_000] {
        let dir = tempfile::tempdir().unwrap();
        leave_backlog(dir.path(), records);
        let bound = new_store + u64::from(SENSORS) * OPENING_A_SENSOR + OPENING_CONSTANT;
        let opening = opening_peak(dir.path());
        eprintln!("{records} records each: {opening} B of {bound} B, a new store {new_store} B");
        assert!(opening <= bound, "an opening takes {opening} B of {bound} B");
        assert_looks_within_bound(dir.path());
        let newest = fs::read_dir(dir.path()).unwrap().map(|file| file.unwrap().path());
        let newest = newest.filter(|path| path.extension().is_some_and(|it| it == "seg")).min();
        let mut rotten = fs::read(newest.as_ref().unwrap()).unwrap();
        for page in rotten.chunks_mut(PAGE_BYTES).skip(1).step_by(2) {
            page[700] ^= 1;
        }
        fs::write(newest.unwrap(), rotten).unwrap();
        assert_looks_within_bound(dir.path());
        assert_mends_within_bound(dir.path());
        peaks.push(opening);
        bytes.push(store_bytes(dir.path()));
    }
    assert!(bytes[1] > 6 * bytes[0], "{bytes:?}");
    assert!(peaks[1] <= peaks[0] + (4 << 10), "the backlog counts: {peaks:?}");
}

const STORE_ID: [u8; 16] = [7; 16];
const FORGED_PAGES: u32 = 1_000;

/// A store of one segment, full of whatever `fill` puts into each page behind the checkpoint.
fn forge(path: &Path, mut fill: impl FnMut(&mut Page)) {
    let mut slot = vec![0; PAGE_BYTES];
    slot[..8].copy_from_slice(b"SSTORE\r\n");
    slot[8] = 1;
    slot[12..16].copy_from_slice(&1_u32.to_le_bytes());
    slot[16..32].copy_from_slice(&STORE_ID);
    slot[32..36].copy_from_slice(&2_048_u32.to_le_bytes());
    slot[36..40].copy_from_slice(&4_096_u32.to_le_bytes());
    slot[40..48].copy_from_slice(&1_u64.to_le_bytes());
    let crc = ss_lib::crc32c_append(0, &slot[..PAGE_BYTES - 4]);
    slot[PAGE_BYTES - 4..].copy_from_slice(&crc.to_le_bytes());
    let superblock = [vec![0; PAGE_BYTES], slot].concat();
    fs::write(path.join("superblock"), superblock).unwrap();
    let mut bytes = Vec::new();
    for number in 0..FORGED_PAGES {
        let lsn = u64::from(number) + 1;
        let mut page = Page::new(lsn, lsn, 0, 1);
        if number == 0 {
            let mut head = vec![6];
            head.extend(STORE_ID);
            head.extend(1_u64.to_le_bytes());
            head.push(0);
            varint(&mut head, 2_048);
            page.framed(&head);
            page.framed(&[7, 0]);
        } else {
            fill(&mut page);
        }
        let place = Place { store_id: STORE_ID, segment: 1, generation: 0, page: number };
        bytes.extend(page.seal(place));
    }
    fs::write(path.join("0000000000000001-00.seg"), bytes).unwrap();
}

fn fields(numbers: &[u64]) -> Vec<u8> {
    let mut out = Vec::new();
    for &number in numbers {
        varint(&mut out, number);
    }
    out
}

#[test]
fn nothing_is_allocated_by_what_a_page_claims() {
    let dir = tempfile::tempdir().unwrap();
    let key = SensorKey { source: 1, id: 1 };
    let end = u64::MAX;
    forge(dir.path(), |page| {
        // A sensor that holds every number there is, a loss of as many as fit, a checkpoint of as many
        // sensors, an index of everything everywhere, a footer of as many pages, records that are not there.
        page.keyed(3, key, &fields(&[1_000, 0, end, 0, 0]));
        page.keyed(4, key, &fields(&[0, u64::from(u32::MAX), 0]));
        page.framed(&[&[7][..], &fields(&[end])].concat());
        page.keyed(8, key, &fields(&[0, end, end, u64::from(u32::MAX)]));
        page.framed(
            &[&[9][..], &fields(&[1, u64::from(u32::MAX) - 2, end, u64::from(u32::MAX)]), &[0]]
                .concat(),
        );
        page.keyed(1, key, &fields(&[0, u64::from(u32::MAX), 0, 1_000]));
    });
    let fresh = tempfile::tempdir().unwrap();
    let bound = opening_peak(fresh.path()) + OPENING_A_SENSOR + OPENING_A_LOSS + OPENING_CONSTANT;
    let opening = opening_peak(dir.path());
    assert!(opening <= bound, "an opening takes {opening} B of {bound} B");
    assert_looks_within_bound(dir.path());
}

/// A ledger of a quarter of a million losses, each of them new, and as many openings with a clock: an opening
/// kept all of them, and looked through all for each.
#[test]
fn an_opening_keeps_no_more_losses_and_clocks_than_a_reader_does() {
    let dir = tempfile::tempdir().unwrap();
    let key = SensorKey { source: 1, id: 1 };
    let (mut loss, mut clock) = (0_u64, 0_u64);
    forge(dir.path(), |page| {
        while page.room() > 64 {
            loss += 1;
            clock += 1;
            page.keyed(4, key, &fields(&[2 * loss, 1, 0]));
            let mut body = fields(&[5, clock]);
            signed(&mut body, -1);
            page.framed(&body);
        }
    });
    assert!(loss > 100_000, "{loss}");
    let fresh = tempfile::tempdir().unwrap();
    let losses = LEDGER_MAX as u64 * OPENING_A_LOSS;
    let bound = opening_peak(fresh.path()) + losses + OPENING_CONSTANT;
    let opening = opening_peak(dir.path());
    eprintln!("{opening} B of {bound} B");
    assert!(opening <= bound, "an opening takes {opening} B of {bound} B");
    assert_looks_within_bound(dir.path());
}

/// More sensors than a reader tells apart: to hold all of them, in order, took memory by the file's size and
/// time by its square.
#[test]
fn an_opening_refuses_more_sensors_than_it_tells_apart() {
    const READ_MAX: u64 = 1 << 16;
    let dir = tempfile::tempdir().unwrap();
    let mut id = u32::MAX;
    forge(dir.path(), |page| {
        while page.room() > 64 {
            // From the last on down: each goes in front of all others.
            id -= 1;
            page.keyed(0x13, SensorKey { source: 1, id }, &fields(&[0, 0, 0, 0, 0]));
        }
    });
    assert!(u64::from(u32::MAX - id) > 2 * READ_MAX, "{id}");
    let fresh = tempfile::tempdir().unwrap();
    let bound =
        opening_peak(fresh.path()) + (READ_MAX + 1_024) * OPENING_A_SENSOR + OPENING_CONSTANT;
    let before = fs::read(dir.path().join("superblock")).unwrap();
    let opening = peak(|| {
        let error = Gateway::open_dir(dir.path(), &config()).map(drop).unwrap_err();
        assert!(matches!(error, OpenError::TooManySensors { .. }), "{error}");
    });
    eprintln!("{opening} B of {bound} B");
    assert!(opening <= bound, "an opening takes {opening} B of {bound} B");
    assert_eq!(before, fs::read(dir.path().join("superblock")).unwrap());
    assert_looks_within_bound(dir.path());
}
