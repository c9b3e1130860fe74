//! What the damage tests ask of every store, whatever was done to it.

use super::memory::MemoryDisk;
use ss_lib::{
    SensorKey,
    disk::{
        Exported, Plan, RecordFilter, Records, RepairOptions, Repaired, Scan, Severity, Verdict,
        plan, repair, scan,
    },
};
use std::collections::BTreeMap;

/// A record's (epoch, time, value) by sensor and number.
pub type Found = BTreeMap<(SensorKey, u64), (u32, u64, u32)>;

/// Reads every held record, and holds the reader to its promises.
pub fn export(disk: &MemoryDisk, scan: &Scan) -> Found {
    export_filtered(disk, scan, RecordFilter::default())
}

/// The same for the records that a filter lets through.
pub fn export_filtered(disk: &MemoryDisk, scan: &Scan, filter: RecordFilter) -> Found {
    let mut found = Found::new();
    let mut last: BTreeMap<SensorKey, u64> = BTreeMap::new();
    let mut records = Records::new(disk, scan, filter);
    let mut out = [Exported::default(); 37];
    loop {
        let count = records.next_records(&mut out).unwrap();
        for Exported { key, record, .. } in &out[..count] {
            let before = last.insert(*key, record.seq);
            assert!(before.is_none_or(|before| before < record.seq), "{key}: order");
            found.insert((*key, record.seq), (record.epoch, record.time_ms, record.value));
        }
        if count == 0 {
            return found;
        }
    }
}

/// Looks at a store in every way and holds the answers against each other.
pub fn look(disk: &MemoryDisk) -> (Scan, Plan, Found) {
    let before = disk.files();
    let scan = scan(disk).unwrap();
    let plan = plan(&scan);
    let found = export(disk, &scan);
    assert_eq!(before, disk.files(), "looking changed something");
    let held: u64 = scan.sensors.iter().map(|sensor| sensor.held).sum();
    assert_eq!(held, found.len() as u64, "scan and export disagree on what is held");
    let lost: u64 = scan.sensors.iter().map(|sensor| sensor.lost).sum();
    assert_eq!(lost, plan.records_lost, "scan and plan disagree on the loss");
    let listed: u64 = plan.losses.iter().map(|loss| loss.count).sum();
    assert_eq!(lost, listed + scan.lost_unlisted);
    for loss in &plan.losses {
        assert!(!(loss.first_seq..loss.end_seq()).any(|seq| found.contains_key(&(loss.key, seq))));
    }
    let is_damaged = plan.findings.iter().any(|finding| finding.severity == Severity::Damage);
    assert_eq!(is_damaged, plan.verdict != Verdict::Sound);
    (scan, plan, found)
}

/// Mends a store and holds the repair to its promises: nothing that could be read is lost, what was
/// lost stands in the ledger, the store is sound, and a second repair has nothing to do.
pub fn mend(disk: &MemoryDisk) -> Repaired {
    let (before, planned, found) = look(disk);
    let repaired = repair(disk, &RepairOptions { now_ms: 1 }).unwrap();
    assert_eq!(repaired.verdict, Verdict::Sound, "{planned:?}");
    let (after, plan, still_found) = look(disk);
    assert_eq!(plan.verdict, Verdict::Sound);
    assert_eq!(plan.actions, [], "something is left to do");
    assert_eq!(found, still_found, "a repair changed what can be read");
    assert_eq!(repaired.records_lost, planned.records_lost, "more or less is lost than was said");
    for loss in &planned.losses {
        let in_ledger = after.ledger.iter().any(|entry| {
            entry.key == loss.key
                && entry.first_seq == loss.first_seq
                && u64::from(entry.count) == loss.count
        });
        assert!(in_ledger, "{loss:?} is not in the ledger");
    }
    for sensor in &after.sensors {
        assert!(sensor.is_conserved, "{sensor:?}");
        let corrupt = before.sensor(sensor.key).map_or(0, |s| s.lost + s.stats.dropped_corrupt);
        assert_eq!(sensor.stats.dropped_corrupt, corrupt, "{sensor:?}");
    }
    let files = disk.files();
    let again = repair(disk, &RepairOptions { now_ms: 2 }).unwrap();
    assert_eq!((again.actions.len(), again.records_lost), (0, 0));
    assert_eq!(files, disk.files(), "a second repair changed something");
    repaired
}
