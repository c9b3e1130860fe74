//! What can be read is saved into a fresh store, and the old one stays as it is.
#![cfg(not(feature = "shuttle"))]
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "helpers are tests too, and test data are small"
)]

use ss_lib::{
    DropCause, Kind, Record, SensorConfig, SensorKey,
    disk::{PAGE_BYTES, SalvageError, SalvageOptions, Scan, Verdict, plan, salvage, scan},
    gateway::{Gateway, GatewayConfig},
};
use ss_tests::disk::{
    damage::{export, look},
    edits::count_records,
    faulty::{Call, Due, Fault, FaultyDisk},
    golden,
    memory::MemoryDisk,
    store::StoreWriter,
};

const OPTIONS: SalvageOptions =
    SalvageOptions { is_everything: false, store_id: [0xAB; 16], now_ms: 5 };

fn pages(disk: &MemoryDisk) -> usize {
    disk.files().values().map(|bytes| bytes.len() / PAGE_BYTES).sum()
}

#[test]
fn everything_that_can_be_read_is_saved() {
    for golden in golden::all() {
        let old = &golden.writer.disk;
        let (_, planned, found) = look(old);
        let fresh = MemoryDisk::default();
        let salvaged = salvage(old, &fresh, &OPTIONS).unwrap();
        let (scan, plan, saved) = look(&fresh);
        assert_eq!(plan.verdict, Verdict::Sound, "{}: {:?}", golden.name, plan.findings);
        assert!(saved.keys().all(|place| !golden.gone.is_empty() || found.contains_key(place)));
        for (place, record) in &found {
            assert_eq!(saved.get(place), Some(record), "{}", golden.name);
        }
        assert_eq!(salvaged.records, saved.len() as u64);
        assert_eq!(salvaged.lost, planned.records_lost, "{}", golden.name);
        assert_eq!(scan.identity.unwrap().store_id, OPTIONS.store_id);
        let before = scan_of(old);
        for sensor in &scan.sensors {
            let old = before.sensor(sensor.key).unwrap();
            assert_eq!((sensor.kind, sensor.period_ms), (old.kind, old.period_ms), "{sensor:?}");
            assert_eq!((sensor.end_seq, sensor.held), (old.end_seq, old.held), "{sensor:?}");
            // Whoever holds nothing is looked for in the last segment.
            let last = scan.segments.last().unwrap().segment;
            assert!(sensor.held > 0 || sensor.first_segment == last, "{sensor:?}");
        }
        assert_eq!(drained(&fresh), saved.len() as u64, "{}", golden.name);
        // It takes no more room than the records did.
        assert!(pages(&fresh) <= pages(old), "{}: {} pages", golden.name, pages(&fresh));
        for loss in &planned.losses {
            assert!(scan.ledger.iter().any(|entry| entry.first_seq == loss.first_seq));
        }
    }
}

fn scan_of(disk: &MemoryDisk) -> Scan {
    scan(disk).unwrap()
}

/// Records that come out of the store when it is opened, each sensor's from where its cursors say it begins.
fn drained(disk: &MemoryDisk) -> u64 {
    let disk = FaultyDisk::over(disk.clone());
    let sensors = scan_of(disk.memory()).sensors;
    let mut gateway = Gateway::open(disk, &GatewayConfig::new(sensors.len() as u32)).unwrap();
    let mut out = vec![Record::default(); 4_096];
    let mut records = 0;
    for sensor in sensors {
        let config = match sensor.kind {
            Kind::Event => SensorConfig::event(sensor.key),
            Kind::TimeSeries => SensorConfig::time_series(sensor.key, sensor.period_ms),
        };
        let place = gateway.register(config).unwrap();
        while let Some(token) = gateway.consume(place, &mut out).unwrap() {
            records += u64::from(token.count());
            gateway.ack(token).unwrap();
        }
    }
    records
}

/// Chunks that do not fit into what is left of a page are cut, pages fill segments, and no record goes by it.
#[test]
fn a_store_of_many_pages_is_saved_to_the_last_record() {
    let mut writer = StoreWriter::new([1; 16], 0, 1, 1);
    let keys = [1, 2, 3].map(|id| SensorKey { source: 1, id });
    for (key, period_ms) in keys.into_iter().zip([Some(1_000), None, Some(60_000)]) {
        writer.register(key, period_ms, 0);
    }
    writer.begin();
    for round in 0..40 {
        for (key, records) in keys.into_iter().zip([200, 130, 7]) {
            writer.add(key, records + round);
        }
        writer.spill();
    }
    let fresh = MemoryDisk::default();
    let salvaged = salvage(&writer.disk, &fresh, &OPTIONS).unwrap();
    let (_, plan, saved) = look(&fresh);
    assert_eq!(plan.verdict, Verdict::Sound, "{:?}", plan.findings);
    assert_eq!((salvaged.records, salvaged.lost), (saved.len() as u64, 0));
    assert!(
        saved == look(&writer.disk).2,
        "{} of {}",
        saved.len(),
        count_records(&writer.disk, true)
    );
    assert!(fresh.files().len() > 3 && pages(&fresh) <= pages(&writer.disk));
    // Every segment but the last one of data, and the one that ends all, is filled.
    let segments = scan_of(&fresh).segments;
    let [full @ .., _, _] = &segments[..] else { panic!("two segments") };
    let identity = scan_of(&fresh).identity.unwrap();
    assert!(full.iter().all(|it| it.pages + 2 >= identity.segment_pages), "{full:?}");
    assert!(segments.iter().all(|it| it.pages <= identity.segment_pages), "{segments:?}");
}

/// A pass holds 65,536 records in memory. Of sensors that are spread over the whole store each pass finds its
/// part wherever it lies, and nothing between two passes is lost or saved twice.
#[test]
fn a_store_of_more_records_than_a_pass_holds_is_saved_to_the_last_record() {
    let mut writer = StoreWriter::new([1; 16], 0, 1, 1);
    let keys = [3, 1, 2].map(|id| SensorKey { source: 1, id });
    for key in keys {
        writer.register(key, None, 0);
    }
    writer.begin();
    for round in 0..50 {
        for (key, records) in keys.into_iter().zip([901, 530, 70]) {
            writer.add(key, records);
        }
        writer.spill();
        if round == 20 {
            writer.reopen();
        }
    }
    let fresh = MemoryDisk::default();
    let salvaged = salvage(&writer.disk, &fresh, &OPTIONS).unwrap();
    assert_eq!((salvaged.records, salvaged.duplicates, salvaged.lost), (75_050, 0, 0));
    let saved = look(&fresh).2;
    assert!(saved == look(&writer.disk).2, "{} of 75050", saved.len());
}

/// A restored image gave numbers a second time: what has the number first is saved.
#[test]
fn of_a_number_that_was_given_twice_the_first_record_is_saved() {
    let key = SensorKey { source: 1, id: 1 };
    let mut writer = StoreWriter::new([1; 16], 0, 1, 1);
    writer.register(key, None, 0);
    writer.begin();
    writer.add(key, 50);
    writer.spill();
    let first = look(&writer.disk).2;
    writer.reopen_without_last(key, 20);
    writer.add(key, 40);
    writer.spill();
    let fresh = MemoryDisk::default();
    let salvaged = salvage(&writer.disk, &fresh, &OPTIONS).unwrap();
    assert_eq!((salvaged.records, salvaged.duplicates), (70, 20));
    let saved = look(&fresh).2;
    assert_eq!(saved.len(), 70);
    assert!(first.iter().all(|(place, record)| saved[place] == *record));
}

/// Nothing is called saved that the fresh store's disk did not make durable.
#[test]
fn a_fresh_store_that_cannot_be_synced_is_no_salvage() {
    let old = golden::clean().disk;
    let syncs = {
        let fresh = FaultyDisk::default();
        salvage(&old, &fresh, &OPTIONS).unwrap();
        (fresh.calls(Call::Sync), fresh.calls(Call::SyncDir))
    };
    assert!(syncs.0 >= 2 && syncs.1 >= 2, "segments and superblock, {syncs:?}");
    for (call, times) in [(Call::Sync, syncs.0), (Call::SyncDir, syncs.1)] {
        for nth in 0..times as u32 {
            let fresh = FaultyDisk::default();
            fresh.fail(Due { call, fault: Fault::Io, nth, times: 1 });
            let salvaged = salvage(&old, &fresh, &OPTIONS);
            assert!(matches!(salvaged, Err(SalvageError::Into(_))), "{call:?} {nth}");
        }
    }
}

#[test]
fn what_was_uploaded_and_is_still_there_is_saved_when_asked_for() {
    let old = golden::clean().disk;
    let options = SalvageOptions { is_everything: true, ..OPTIONS };
    let fresh = MemoryDisk::default();
    let salvaged = salvage(&old, &fresh, &options).unwrap();
    assert_eq!(salvaged.records, count_records(&old, true));
    assert!(salvaged.records > count_records(&old, false));
    assert_eq!(count_records(&fresh, false), salvaged.records);
}

/// A bad page of a squeezed segment whose source is still there: the source has the records.
#[test]
fn a_copy_in_another_generation_fills_a_hole() {
    let mut writer = golden::clean();
    writer.squeeze(0, true);
    writer.disk.edit("0000000000000000-01.seg", |file| file[PAGE_BYTES + 99] ^= 4);
    let (_, planned, found) = look(&writer.disk);
    assert!(planned.records_lost > 0);
    let fresh = MemoryDisk::default();
    let salvaged = salvage(&writer.disk, &fresh, &OPTIONS).unwrap();
    assert_eq!(salvaged.lost, 0);
    let saved = export(&fresh, &scan(&fresh).unwrap());
    assert_eq!(saved.len() as u64, found.len() as u64 + planned.records_lost);
    assert_eq!(plan(&scan(&fresh).unwrap()).verdict, Verdict::Sound);
}

#[test]
fn a_directory_with_something_in_it_is_refused() {
    let old = golden::clean().disk;
    let fresh = MemoryDisk::default();
    fresh.edit("notes.txt", |file| file.push(1));
    let refused = salvage(&old, &fresh, &OPTIONS);
    assert!(matches!(refused, Err(SalvageError::NotEmpty)));
    assert_eq!(fresh.changes(), 0);
}

/// A checkpoint may take more than a third of a segment, and takes the ledger along.
#[test]
fn a_store_of_many_sensors_and_losses_is_saved_with_them() {
    let mut writer = StoreWriter::new([1; 16], 0, 1, 1);
    let keys: Vec<_> = (0..2_600).map(|id| SensorKey { source: 1, id }).collect();
    for &key in &keys {
        writer.register(key, None, 0);
    }
    writer.begin();
    for &key in &keys[..300] {
        writer.add(key, 3);
    }
    writer.spill();
    for &key in &keys[..150] {
        writer.drop_oldest(key, 1, DropCause::Quota);
        writer.spill();
    }
    let before = scan_of(&writer.disk);
    assert_eq!(before.ledger.len(), 150);
    let fresh = MemoryDisk::default();
    let salvaged = salvage(&writer.disk, &fresh, &OPTIONS).unwrap();
    assert_eq!((salvaged.records, salvaged.sensors, salvaged.lost), (750, 2_600, 0));
    let scan = scan_of(&fresh);
    let checkpoint_pages = scan.segments[0].checkpoint_pages;
    let segment_pages = scan.identity.unwrap().segment_pages;
    assert!(3 * checkpoint_pages > segment_pages, "{checkpoint_pages} of {segment_pages} pages");
    assert_eq!(scan.ledger, before.ledger);
    assert_eq!(plan(&scan).verdict, Verdict::Sound);
}
