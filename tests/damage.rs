//! What a store says and does after every damage that a disk, a person or a power cut can do to it:
//! never a panic, one bad page costs at most that page's records, everything that looks at the store
//! agrees on the loss, and a repair leaves a sound store in which the loss stands.
#![cfg(not(feature = "shuttle"))]
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::case_sensitive_file_extension_comparisons,
    reason = "helpers are tests too, and files' names are the engine's"
)]

use ss_lib::{
    SensorKey,
    disk::{
        LOST_RANGES_MAX, Operation, PAGE_BYTES, PageClass, RepairError, RepairOptions, Scan,
        ScanError, Verdict, decode_page, plan, repair, scan,
    },
};
use ss_tests::disk::{
    damage::{Found, look, mend},
    faulty::{Call, Due, Fault, FaultyDisk},
    golden::{self, clean},
    memory::MemoryDisk,
    page::Place,
    store::StoreWriter,
};
use std::collections::BTreeSet;

fn sound_stores() -> Vec<(&'static str, StoreWriter)> {
    let all = golden::all().into_iter().filter(|golden| golden.gone.is_empty());
    all.map(|golden| (golden.name, golden.writer)).collect()
}

fn segments(disk: &MemoryDisk) -> Vec<String> {
    disk.files().into_keys().filter(|name| name.ends_with(".seg")).collect()
}

fn place_of(name: &str) -> (u64, u8) {
    (u64::from_str_radix(&name[..16], 16).unwrap(), u8::from_str_radix(&name[17..19], 16).unwrap())
}

/// What the writer says is held.
fn expected(writer: &StoreWriter) -> Found {
    let mut found = Found::new();
    for (&key, sensor) in &writer.sensors {
        let held = sensor.held();
        found.extend(held.map(|r| ((key, r.seq), (r.epoch, r.time_ms, r.value))));
    }
    found
}

/// Damages one page of a store in one way, looks, and mends. Returns what is gone.
fn damage_page(
    writer: &StoreWriter,
    name: &str,
    page: usize,
    change: &dyn Fn(&mut [u8]),
) -> (Found, MemoryDisk) {
    let disk = writer.disk.clone();
    disk.edit(name, |file| change(&mut file[page * PAGE_BYTES..(page + 1) * PAGE_BYTES]));
    let (_, plan, found) = look(&disk);
    let whole = expected(writer);
    let missing = whole.keys().filter(|place| !found.contains_key(place)).count() as u64;
    // What is gone and not called lost was in a torn end, and never promised.
    assert!(plan.records_lost <= missing, "{name} page {page}: more is called lost than is gone");
    for (place, record) in &found {
        // A cursor that was lost with its page can bring back what was acked; never something else.
        if let Some(known) = whole.get(place) {
            assert_eq!(known, record, "{name} page {page}");
        }
    }
    let gone: Found = whole.into_iter().filter(|(place, _)| !found.contains_key(place)).collect();
    (gone, disk)
}

fn assert_cost(writer: &StoreWriter, name: &str, page: usize, gone: &Found) {
    let (segment, generation) = place_of(name);
    if generation > 0 {
        return;
    }
    let in_page = writer.records_in(&[(segment, page as u32)]);
    let gone: BTreeSet<_> = gone.keys().copied().collect();
    assert!(gone.is_subset(&in_page), "{name} page {page} cost more than its records: {gone:?}");
}

#[test]
fn every_page_zeroed_costs_at_most_its_records() {
    let mut cost = 0;
    for (_, writer) in sound_stores() {
        for name in segments(&writer.disk) {
            for page in 0..writer.disk.files()[&name].len() / PAGE_BYTES {
                let (gone, disk) = damage_page(&writer, &name, page, &|bytes| bytes.fill(0));
                assert_cost(&writer, &name, page, &gone);
                cost += gone.len();
                let mended = mend(&disk);
                for segment in &mended.scan.segments {
                    let head = decode_page(&disk, &mended.scan, &segment.file, 0).unwrap();
                    assert_eq!(head.chunks[0].kind, "head", "{name} page {page}");
                }
            }
        }
    }
    assert!(cost > 1_000, "the damaged pages held only {cost} records");
}

#[test]
fn every_page_torn_at_each_block_costs_at_most_its_records() {
    for (_, writer) in sound_stores() {
        for name in segments(&writer.disk) {
            for page in 0..writer.disk.files()[&name].len() / PAGE_BYTES {
                for block in 1..PAGE_BYTES / 512 {
                    // What was there before the write: other bytes.
                    let tear = |bytes: &mut [u8]| bytes[block * 512..].fill(0x5A);
                    let (gone, disk) = damage_page(&writer, &name, page, &tear);
                    assert_cost(&writer, &name, page, &gone);
                    if block == 3 {
                        mend(&disk);
                    }
                }
            }
        }
    }
}

#[test]
fn every_bit_of_every_header_is_missed_when_it_flips() {
    for (_, writer) in sound_stores() {
        for name in segments(&writer.disk) {
            for page in 0..writer.disk.files()[&name].len() / PAGE_BYTES {
                for bit in 0..16 * 8 {
                    let flip = |bytes: &mut [u8]| bytes[bit / 8] ^= 1 << (bit % 8);
                    let (gone, disk) = damage_page(&writer, &name, page, &flip);
                    assert_cost(&writer, &name, page, &gone);
                    let found = scan(&disk).unwrap();
                    let before = scan(&writer.disk).unwrap();
                    let pages = |scan: &ss_lib::disk::Scan| -> u32 {
                        scan.segments.iter().map(|segment| segment.pages_valid).sum()
                    };
                    assert!(pages(&found) < pages(&before), "{name} page {page} bit {bit}");
                }
            }
        }
    }
}

#[test]
fn bits_of_payloads_are_missed_when_they_flip() {
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    for (_, writer) in sound_stores() {
        for name in segments(&writer.disk) {
            for page in 0..writer.disk.files()[&name].len() / PAGE_BYTES {
                for round in 0..6 {
                    state ^= state << 13;
                    state ^= state >> 7;
                    state ^= state << 17;
                    let bit = 128 + (state as usize) % ((PAGE_BYTES - 16) * 8);
                    let flip = |bytes: &mut [u8]| bytes[bit / 8] ^= 1 << (bit % 8);
                    let (gone, disk) = damage_page(&writer, &name, page, &flip);
                    assert_cost(&writer, &name, page, &gone);
                    if round == 0 {
                        mend(&disk);
                    }
                }
            }
        }
    }
}

#[test]
fn every_cut_at_a_page_or_inside_of_one_is_survived() {
    for (store, writer) in sound_stores() {
        for name in segments(&writer.disk) {
            let len = writer.disk.files()[&name].len();
            for cut in (0..len).step_by(PAGE_BYTES).flat_map(|at| [at, at + 512]) {
                let disk = writer.disk.clone();
                disk.edit(&name, |file| file.truncate(cut));
                let (_, _, found) = look(&disk);
                let whole = expected(&writer);
                let (segment, generation) = place_of(&name);
                let pages = (cut / PAGE_BYTES) as u32..(len / PAGE_BYTES) as u32;
                let cut_off: Vec<_> = pages.map(|page| (segment, page)).collect();
                let cut_off = writer.records_in(&cut_off);
                for place in whole.keys().filter(|place| !found.contains_key(place)) {
                    assert!(cut_off.contains(place) || generation > 0, "{store} {name} at {cut}");
                }
                mend(&disk);
            }
        }
    }
}

#[test]
fn a_missing_segment_costs_its_records_and_is_named() {
    for (_, writer) in sound_stores() {
        for name in segments(&writer.disk) {
            let (segment, generation) = place_of(&name);
            if generation > 0 || segment == writer.segment {
                continue;
            }
            let disk = writer.disk.clone();
            disk.remove(&name);
            let (_, plan, found) = look(&disk);
            let pages: Vec<_> = (0..16).map(|page| (segment, page)).collect();
            let in_it = writer.records_in(&pages);
            let has_other = segments(&disk).iter().any(|other| place_of(other).0 == segment);
            if has_other {
                continue;
            }
            let gone: BTreeSet<_> =
                expected(&writer).into_keys().filter(|place| !found.contains_key(place)).collect();
            assert_eq!(gone, in_it);
            assert_eq!(plan.records_lost, in_it.len() as u64);
            if !in_it.is_empty() {
                assert_eq!(plan.verdict, Verdict::Damaged);
                assert!(plan.missing.iter().any(|missing| missing.first == segment), "{plan:?}");
            }
            mend(&disk);
        }
    }
}

#[test]
fn a_copy_under_another_name_changes_nothing() {
    let writer = clean();
    for name in segments(&writer.disk) {
        let disk = writer.disk.clone();
        let bytes = disk.files()[&name].clone();
        disk.edit("00000000000000aa-00.seg", |file| *file = bytes);
        let (_, plan, found) = look(&disk);
        assert_eq!(found, expected(&writer));
        assert_eq!(plan.verdict, Verdict::Damaged, "a second copy is said");
        mend(&disk);
    }
}

#[test]
fn swapped_files_are_read_in_their_places_and_get_their_names_back() {
    let writer = clean();
    let names = segments(&writer.disk);
    for (index, a) in names.iter().enumerate() {
        for b in &names[index + 1..] {
            let disk = writer.disk.clone();
            let (bytes_a, bytes_b) = (disk.files()[a].clone(), disk.files()[b].clone());
            disk.edit(a, |file| *file = bytes_b);
            disk.edit(b, |file| *file = bytes_a);
            let (_, plan, found) = look(&disk);
            assert_eq!(found, expected(&writer));
            assert_eq!(plan.verdict, Verdict::Damaged);
            mend(&disk);
            for name in [a, b] {
                assert_eq!(disk.files()[name], writer.disk.files()[name]);
            }
        }
    }
}

/// A write of one segment's first page went astray into another's: the look took that file for a copy of
/// the first segment and set all of it aside, said that nothing was lost, and the store was sound.
#[test]
fn a_first_page_that_went_astray_costs_that_page_and_not_its_file() {
    for (_, writer) in sound_stores() {
        let names = segments(&writer.disk);
        for (from, to) in names.iter().zip(names.iter().skip(1)) {
            let disk = writer.disk.clone();
            let page = disk.files()[from][..PAGE_BYTES].to_vec();
            let whole = look(&disk).2;
            disk.edit(to, |file| file[..PAGE_BYTES].copy_from_slice(&page));
            let found = look(&disk).2;
            // What was answered may come again: the newest first page has the cursors.
            let is_there = whole.iter().all(|(place, record)| found.get(place) == Some(record));
            assert!(is_there, "{from} in {to}: {} of {}", found.len(), whole.len());
            mend(&disk);
        }
    }
}

#[test]
fn another_stores_segment_is_named_and_set_aside() {
    let writer = clean();
    let other = golden::losses();
    let disk = writer.disk.clone();
    let bytes = other.disk.files()["0000000000000000-00.seg"].clone();
    disk.edit("0000000000000009-00.seg", |file| *file = bytes.clone());
    let (_, plan, found) = look(&disk);
    assert_eq!((found, plan.verdict), (expected(&writer), Verdict::Damaged));
    mend(&disk);
    assert_eq!(disk.files()["lost+found/0000000000000009-00.seg"], bytes);
}

/// A page passes nowhere but in its place: not in another page's, segment's, generation's or store's.
#[test]
fn a_page_passes_in_its_own_place_alone() {
    let writer = clean();
    let name = "0000000000000001-00.seg";
    let page = writer.disk.files()[name][PAGE_BYTES..2 * PAGE_BYTES].to_vec();
    for target in segments(&writer.disk) {
        for at in 0..writer.disk.files()[&target].len() / PAGE_BYTES {
            if (target.as_str(), at) == (name, 1) {
                continue;
            }
            let misdirect = |bytes: &mut [u8]| bytes.copy_from_slice(&page);
            let (gone, disk) = damage_page(&writer, &target, at, &misdirect);
            assert_cost(&writer, &target, at, &gone);
            mend(&disk);
        }
    }
    // The same file as another generation: its head says which one it is.
    let disk = writer.disk.clone();
    let bytes = disk.remove(name);
    disk.edit("0000000000000001-07.seg", |file| *file = bytes);
    assert_eq!(look(&disk).2, expected(&writer));
    mend(&disk);
}

#[test]
fn a_future_version_is_refused_untouched() {
    let writer = clean();
    let mut stores = Vec::new();
    for name in segments(&writer.disk) {
        let (segment, generation) = place_of(&name);
        for page in 0..writer.disk.files()[&name].len() / PAGE_BYTES {
            let disk = writer.disk.clone();
            disk.edit(&name, |file| {
                let bytes = &mut file[page * PAGE_BYTES..(page + 1) * PAGE_BYTES];
                bytes[5] = 2;
                let store_id = writer.store_id;
                Place { store_id, segment, generation, page: page as u32 }.fix_crc(bytes);
            });
            stores.push(disk);
        }
    }
    let disk = writer.disk.clone();
    disk.edit("superblock", |file| {
        file[8] = 2;
        let crc = ss_lib::crc32c_append(0, &file[..PAGE_BYTES - 4]);
        file[PAGE_BYTES - 4..PAGE_BYTES].copy_from_slice(&crc.to_le_bytes());
    });
    stores.push(disk);
    for disk in stores {
        let before = disk.files();
        let verdict = plan(&scan(&disk).unwrap()).verdict;
        assert!(matches!(verdict, Verdict::Unusable(_)), "{verdict:?}");
        let refused = repair(&disk, &RepairOptions::default());
        assert!(matches!(refused, Err(RepairError::Unusable(_))));
        assert_eq!((before, 0), (disk.files(), disk.changes()), "it was touched");
    }
}

#[test]
fn a_lost_superblock_costs_nothing() {
    for (_, writer) in sound_stores() {
        let disk = writer.disk.clone();
        disk.remove("superblock");
        let (_, plan, found) = look(&disk);
        assert_eq!((found, plan.verdict), (expected(&writer), Verdict::Damaged));
        let repaired = mend(&disk);
        assert_eq!(repaired.scan.superblock.unwrap().epoch, writer.epoch);
    }
}

/// A superblock that was copied over from another store. It once had every segment set aside as foreign,
/// with nothing said to be lost.
#[test]
fn another_stores_superblock_costs_nothing() {
    let foreign = golden::losses().disk.files()["superblock"].clone();
    for (name, writer) in sound_stores() {
        let disk = writer.disk.clone();
        if segments(&disk).is_empty() || disk.files()["superblock"] == foreign {
            continue;
        }
        disk.edit("superblock", |file| *file = foreign.clone());
        let (scan, plan, found) = look(&disk);
        assert_eq!((found, plan.verdict), (expected(&writer), Verdict::Damaged), "{name}");
        assert!(scan.foreign_superblock.is_some());
        let repaired = mend(&disk);
        assert_eq!(repaired.scan.superblock.unwrap().epoch, writer.epoch);
        assert_eq!(disk.files()["lost+found/superblock"], foreign);
    }
}

/// A slot in the other's place was not written there, however right its checksum is.
#[test]
fn exchanged_slots_are_no_superblock() {
    let writer = golden::killed();
    let disk = writer.disk.clone();
    disk.edit("superblock", |file| file.rotate_left(PAGE_BYTES));
    let (scan, plan, found) = look(&disk);
    assert_eq!((scan.superblock, plan.verdict), (None, Verdict::Damaged));
    assert_eq!(found, expected(&writer));
    assert_eq!(mend(&disk).scan.superblock.unwrap().epoch, writer.epoch);
}

/// The disk itself gives up on a block: its page is lost and no other, and writing to it heals it.
#[test]
fn a_block_that_the_disk_does_not_read_costs_one_page() {
    let writer = clean();
    let name = "0000000000000001-00.seg";
    let disk = writer.disk.clone();
    disk.spoil_block(name, PAGE_BYTES as u64 + 512);
    let (scan, _, found) = look(&disk);
    assert_eq!(scan.bad_pages[0].class, PageClass::Unreadable);
    let in_page = writer.records_in(&[(1, 1)]);
    let gone: BTreeSet<_> =
        expected(&writer).into_keys().filter(|place| !found.contains_key(place)).collect();
    assert_eq!(gone, in_page);
    mend(&disk);
    let copy = &disk.files()["lost+found/0000000000000001-00.seg.page-1"];
    assert_eq!(*copy, [0; PAGE_BYTES], "what cannot be read is zeros in the copy");
}

/// The newest slot is lost with its opening's number: without the pages' word for it, the next opening
/// would use that number again, and (epoch, seq) would name two records.
#[test]
fn a_lost_newest_slot_does_not_take_an_epoch_back() {
    let writer = golden::killed();
    let disk = writer.disk.clone();
    // The fourth write of the superblock, the third opening after the first, is in slot 0.
    disk.edit("superblock", |file| file[..PAGE_BYTES].fill(0));
    let repaired = mend(&disk);
    assert_eq!(repaired.scan.superblock.unwrap().epoch, writer.epoch);
}

/// Killed after each of its changes and started again, a repair ends in the same sound state.
#[test]
fn a_repair_can_be_killed_anywhere() {
    let mut damaged = Vec::new();
    for (_, writer) in sound_stores() {
        let disk = writer.disk.clone();
        let name = segments(&disk)[0].clone();
        disk.edit(&name, |file| file[PAGE_BYTES + 40] ^= 1);
        disk.edit(&writer.newest_file(), |file| file.extend([0xAB; 700]));
        disk.edit("superblock", |file| file[PAGE_BYTES + 100] ^= 1);
        damaged.push(disk);
        let disk = writer.disk.clone();
        disk.edit(&name, |file| file[..PAGE_BYTES].fill(0));
        // Without the superblock another segment's first page must say which store it is.
        if segments(&disk).len() > 1 {
            disk.remove("superblock");
        }
        damaged.push(disk);
    }
    let swapped = clean().disk;
    let (a, b) = (segments(&swapped)[0].clone(), segments(&swapped)[1].clone());
    let (bytes_a, bytes_b) = (swapped.remove(&a), swapped.remove(&b));
    swapped.edit(&a, |file| *file = bytes_b);
    swapped.edit(&b, |file| *file = bytes_a);
    damaged.push(swapped);
    for disk in damaged {
        let (_, before, found) = look(&disk);
        let whole = disk.clone();
        let repaired = mend(&whole);
        let changes = {
            let counted = disk.clone();
            repair(&counted, &RepairOptions { now_ms: 1 }).unwrap();
            counted.changes()
        };
        for changes in 0..changes {
            let killed = disk.failing_after(changes);
            let error = repair(&killed, &RepairOptions { now_ms: 1 });
            assert!(error.is_err(), "killed after {changes} changes and no word of it");
            let again = killed.clone();
            assert_eq!(look(&again).2, found, "killed after {changes} changes");
            repair(&again, &RepairOptions { now_ms: 1 }).unwrap();
            let (scan, plan, now_found) = look(&again);
            assert_eq!((plan.verdict, plan.actions.len()), (Verdict::Sound, 0));
            assert_eq!(now_found, found, "killed after {changes} changes");
            assert_eq!(scan.sensors.len(), repaired.scan.sensors.len());
            for (now, then) in scan.sensors.iter().zip(&repaired.scan.sensors) {
                assert_eq!((now.key, now.held, now.stats), (then.key, then.held, then.stats));
            }
            for loss in &before.losses {
                assert!(scan.ledger.iter().any(|entry| {
                    (entry.key, entry.first_seq) == (loss.key, loss.first_seq)
                        && u64::from(entry.count) == loss.count
                }));
            }
        }
    }
}

/// A repair that the disk refuses something says so, whatever it was, and can be made again.
#[test]
fn a_repair_that_the_disk_refuses_something_is_no_repair() {
    let damaged = || {
        let disk = clean().disk;
        let [first, second, _] = &segments(&disk)[..] else { panic!("three segments") };
        disk.edit(first, |file| file[PAGE_BYTES + 99] ^= 1);
        let bytes = disk.files()[second].clone();
        disk.edit("00000000000000aa-00.seg", |file| *file = bytes);
        disk.edit("superblock", |file| file[PAGE_BYTES + 40] ^= 1);
        // A repair was killed here before.
        disk.edit("lost+found/new-segment", |file| file.push(1));
        FaultyDisk::over(disk)
    };
    let whole = damaged();
    let repaired = repair(&whole, &RepairOptions { now_ms: 1 }).unwrap();
    let held = |scan: &Scan| scan.sensors.iter().map(|sensor| sensor.held).sum::<u64>();
    let calls = [Call::Write, Call::Sync, Call::SyncDir, Call::Create, Call::Unlink, Call::SetLen];
    for call in calls {
        for nth in 0..whole.calls(call) as u32 {
            let disk = damaged();
            disk.fail(Due { call, fault: Fault::Io, nth, times: 1 });
            let refused = repair(&disk, &RepairOptions { now_ms: 1 });
            let Err(RepairError::Disk(error)) = refused else { panic!("{call:?} {nth}") };
            if call == Call::Unlink {
                // It is not what comes of the file that stayed.
                assert_eq!(error.operation, Operation::Unlink, "{nth}: {error}");
            }
            let again = repair(&disk, &RepairOptions { now_ms: 1 }).unwrap();
            assert_eq!(again.verdict, Verdict::Sound, "{call:?} {nth}");
            assert_eq!(held(&again.scan), held(&repaired.scan), "{call:?} {nth}");
        }
    }
    assert!(calls.map(|call| whole.calls(call)).iter().sum::<u64>() > 12);
    // A file that is not opened is none that is not there: nothing is made in its place.
    let opens = whole.calls(Call::Open) as u32;
    for nth in 0..opens {
        let disk = damaged();
        disk.fail(Due { call: Call::Open, fault: Fault::Io, nth, times: 1 });
        let refused = repair(&disk, &RepairOptions { now_ms: 1 });
        let error = match refused {
            Err(RepairError::Disk(error) | RepairError::Scan(ScanError::Disk(error))) => error,
            other => panic!("{nth}: {other:?}"),
        };
        assert_eq!(error.operation, Operation::Open, "{nth}: {error}");
        let again = repair(&disk, &RepairOptions { now_ms: 1 }).unwrap();
        assert_eq!(again.verdict, Verdict::Sound, "{nth}");
        assert_eq!(held(&again.scan), held(&repaired.scan), "{nth}");
    }
    assert!(opens > 12, "{opens}");
}

/// So many ranges are lost that a look does not list all: it counts those beyond, and forgets none.
#[test]
fn lost_ranges_beyond_the_list_are_counted() {
    let mut writer = StoreWriter::new([1; 16], 0, 1, 1);
    let keys: Vec<_> = (0..150).map(|id| SensorKey { source: 1, id }).collect();
    for &key in &keys {
        writer.register(key, None, 0);
    }
    writer.begin();
    for _ in 0..240 {
        for &key in &keys {
            writer.add(key, 1);
        }
        writer.spill();
    }
    writer.roll();
    // Every second page of the records, so that no two gaps are one.
    let mut pages = Vec::new();
    for name in segments(&writer.disk) {
        let (segment, _) = place_of(&name);
        let with_records =
            (0..64_u32).filter(|&page| !writer.records_in(&[(segment, page)]).is_empty());
        pages.extend(with_records.map(|page| (segment, page)));
    }
    let gone: Vec<_> = pages.iter().copied().step_by(2).take(120).collect();
    for (segment, page) in &gone {
        let name = format!("{segment:016x}-00.seg");
        writer.disk.edit(&name, |file| file[*page as usize * PAGE_BYTES + 40] ^= 1);
    }
    let (scan, plan, found) = look(&writer.disk);
    let lost = writer.records_in(&gone).len() as u64;
    assert!(lost > LOST_RANGES_MAX as u64, "{lost} records in {} pages", gone.len());
    assert_eq!((scan.lost.len(), plan.records_lost), (LOST_RANGES_MAX, lost));
    assert_eq!(scan.lost_unlisted, lost - LOST_RANGES_MAX as u64);
    assert_eq!(found.len() as u64 + lost, 240 * 150);
    // A ledger has what fits into a checkpoint; the counts of every sensor have all.
    let repaired = repair(&writer.disk, &RepairOptions { now_ms: 1 }).unwrap();
    assert_eq!((repaired.verdict, repaired.records_lost), (Verdict::Sound, lost));
    let sensors = repaired.scan.sensors.iter();
    assert_eq!(sensors.map(|sensor| sensor.stats.dropped_corrupt).sum::<u64>(), lost);
    assert!(!repaired.scan.ledger.is_empty());
}
