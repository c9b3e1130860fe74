//! Rows of the list that concern a store which is looked at and mended.

use ss_lib::{
    SensorKey,
    disk::{Exported, PAGE_BYTES, RecordFilter, Records, ScanError, Severity, Verdict, plan, scan},
};
use ss_tests::disk::{
    damage::{look, mend},
    edits::{hostile_store, survive},
    golden,
    memory::MemoryDisk,
    store::StoreWriter,
};

/// After a power cut the recovery looked under another source's name, found nothing, and reported
/// success: a day's readings stayed where they were, and nobody looked again.
#[test]
fn field_b33_what_each_source_wrote_is_found_and_nothing_found_is_said() {
    let mut writer = StoreWriter::new([3; 16], 0, 1, 1);
    for source in 0..=255 {
        writer.register(SensorKey { source, id: 17 }, None, 0);
    }
    writer.begin();
    for source in 0..=255 {
        writer.add(SensorKey { source, id: 17 }, 1 + u64::from(source) % 3);
    }
    writer.spill();
    let (_, plan, found) = look(&writer.disk);
    assert_eq!(plan.verdict, Verdict::Sound);
    for source in 0..=255 {
        let key = SensorKey { source, id: 17 };
        let of_one: Vec<_> = found.keys().filter(|(other, _)| *other == key).collect();
        assert_eq!(of_one.len() as u64, 1 + u64::from(source) % 3, "{key}");
    }
    // The wrong place is an error, and a store without a sensor says so.
    let error = scan(&MemoryDisk::default()).unwrap_err();
    assert!(matches!(error, ScanError::NotAStore));
    assert!(error.to_string().contains("no store here"), "{error}");
    let mut empty = StoreWriter::new([4; 16], 0, 1, 1);
    empty.begin();
    let (_, plan, _) = look(&empty.disk);
    assert!(plan.findings.iter().any(|finding| finding.text.contains("no sensor")), "{plan:?}");
}

/// One torn sector formatted the whole partition; in another system one flipped bit lost 100,000
/// records, in a third a damaged tail lost the queue.
#[test]
fn field_b34_one_bad_page_costs_one_page() {
    let writer = golden::clean();
    let whole = look(&writer.disk).2;
    let pages = writer.disk.files()["0000000000000000-00.seg"].len() / PAGE_BYTES;
    for page in 0..pages {
        let disk = writer.disk.clone();
        disk.edit("0000000000000000-00.seg", |file| file[page * PAGE_BYTES + 1_000] ^= 1);
        let (_, plan, found) = look(&disk);
        let in_page = writer.records_in(&[(0, page as u32)]);
        let gone: Vec<_> = whole.keys().filter(|place| !found.contains_key(place)).collect();
        assert_eq!(gone.len(), in_page.len(), "page {page}");
        assert!(gone.iter().all(|place| in_page.contains(place)));
        assert!(plan.findings.iter().any(|finding| finding.severity == Severity::Damage));
        mend(&disk);
    }
}

/// An output was renamed in the configuration; its queue stayed on disk under the old name, and no tool
/// would read it.
#[test]
fn field_b40_a_sensor_that_left_the_configuration_is_still_read() {
    let writer = golden::removed();
    let scan = scan(&writer.disk).unwrap();
    assert_eq!(plan(&scan).verdict, Verdict::Sound);
    for key in [golden::SAME_ID, golden::EVENTS] {
        let sensor = scan.sensor(key).unwrap();
        assert!(!sensor.is_active && sensor.held > 0);
        let filter = RecordFilter { keys: vec![key], ..RecordFilter::default() };
        let mut records = Records::new(&writer.disk, &scan, filter);
        let mut out = vec![Exported::default(); sensor.held as usize + 1];
        assert_eq!(records.next_records(&mut out).unwrap() as u64, sensor.held);
    }
    mend(&writer.disk.clone());
}

/// The inspector crashed on exactly the files that it was opened for.
#[test]
fn field_b43_hostile_stores_are_looked_at_and_mended() {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    for _ in 0..2_500 {
        let bytes: Vec<u8> = (0..160)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                (state >> 24) as u8
            })
            .collect();
        survive(&hostile_store(&bytes));
    }
}
