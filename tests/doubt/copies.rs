//! The durable copies behind pages in doubt: whatever a power cut leaves of these, those are found.

use super::support::{
    SENSORS, add, check_all, check_wherever_it_is_cut, drain, fail_next_sync, levels, open,
    with_pages_in_doubt,
};
use ss_lib::disk::{plan, scan, sim::SimDisk};

/// A sync fails over several pages, what RAM holds of them is written again into the next segment and made
/// durable there, and then a power cut leaves some of the pages in doubt and not others. What these are
/// missing stands in the next segment.
#[test]
fn pages_in_doubt_do_not_hide_the_durable_copies_behind_them() {
    for pages in 2..5 {
        let (disk, mut gateway, sensors) = with_pages_in_doubt(pages);
        gateway.sync().unwrap();
        let said = levels(&gateway, &sensors);
        let end = 20 + pages * 5 + 1;
        assert!(said.iter().all(|levels| levels.durable_seq == end), "{said:?}");
        drop(gateway);
        let crash = disk.crashable().unwrap();
        let outcomes = crash.outcomes();
        assert!(outcomes.len() > 50, "{outcomes:?}");
        for outcome in outcomes {
            let image = crash.after(outcome, 1);
            let scanned = scan(&SimDisk::new(&image)).unwrap();
            let found: u64 = scanned.sensors.iter().map(|sensor| sensor.held).sum();
            let lost = plan(&scanned).records_lost;
            let wanted = (u64::from(SENSORS) * end, 0);
            assert_eq!((found, lost), wanted, "{pages} pages in doubt, {outcome}: a look");
            let (mut gateway, sensors) = open(&SimDisk::new(&image));
            for records in drain(&mut gateway, &sensors) {
                let seqs: Vec<_> = records.iter().map(|record| record.seq).collect();
                let wanted: Vec<_> = (0..end).collect();
                assert_eq!(seqs, wanted, "{pages} pages in doubt, {outcome}");
            }
        }
    }
}

/// As above, once or twice, and then the first page of each segment behind rots: its records are still there.
#[test]
fn pages_in_doubt_behind_the_only_checkpoint_do_not_hide_copies() {
    for times in 1..3 {
        let mut wrong = Vec::new();
        let (disk, mut gateway, sensors) = with_pages_in_doubt(3);
        let mut end = 36;
        for _ in 1..times {
            for page in 1..=3 {
                gateway.tick(20_000 + page * 3_000 - 1_000);
                gateway.tick(20_000 + page * 3_000);
                add(&mut gateway, &sensors, 5);
            }
            fail_next_sync(&disk);
            assert!(gateway.sync().is_err());
            end += 15;
        }
        gateway.sync().unwrap();
        assert_eq!(u64::from(gateway.disk().segments), times + 1);
        drop(gateway);
        let crash = disk.crashable().unwrap();
        let outcomes = crash.outcomes();
        assert!(outcomes.len() > 50, "{outcomes:?}");
        for outcome in outcomes {
            // Whether a page that stands in another's place was durable, its own says, and that is rotten, too.
            if times > 1 && outcome.to_string().contains("changed places") {
                continue;
            }
            let mut image = crash.after(outcome, 1);
            for segment in 2..times + 2 {
                image.flip(&format!("{segment:016x}-00.seg"), 40, 0);
            }
            let scanned = scan(&SimDisk::new(&image)).unwrap();
            let lost = plan(&scanned).records_lost;
            let (mut gateway, sensors) = open(&SimDisk::new(&image));
            let found = check_all(&mut gateway, &sensors, end);
            if found.is_err() || lost > 0 {
                wrong.push(format!("{outcome}: {found:?}, a look: {lost} lost"));
            }
        }
        assert!(wrong.is_empty(), "{times}: {wrong:#?}");
    }
}

/// A segment whose sync failed is too small to be squeezed, and the store goes on for many more segments. An
/// opening looked for such ones only in the newest of them, because they had been squeezed by then.
#[test]
fn pages_in_doubt_far_behind_hide_no_copies() {
    let (disk, mut gateway, sensors) = with_pages_in_doubt(1);
    gateway.sync().unwrap();
    let (mut end, mut now_ms) = (26, 4_000);
    while gateway.disk().segments < 72 {
        add(&mut gateway, &sensors, 400);
        end += 400;
        gateway.sync().unwrap();
        now_ms += 1_000;
        gateway.tick(now_ms);
    }
    let said = levels(&gateway, &sensors);
    assert!(said.iter().all(|levels| levels.durable_seq == end), "{said:?}");
    drop(gateway);
    check_wherever_it_is_cut(&disk, end);
}

/// Sync after sync fails, so that more segments are in doubt than an opening looked back for: it read all of
/// them, and cut and made durable the newest only.
#[test]
fn many_segments_in_doubt_hide_no_copies() {
    let (disk, mut gateway, sensors) = with_pages_in_doubt(1);
    let mut now_ms = 3_000;
    let mut end = 26;
    for _ in 0..72 {
        add(&mut gateway, &sensors, 1);
        gateway.tick(now_ms + 2_000);
        gateway.tick(now_ms + 12_000);
        now_ms += 12_000;
        add(&mut gateway, &sensors, 1);
        end += 2;
        fail_next_sync(&disk);
        assert!(gateway.sync().is_err());
    }
    gateway.sync().unwrap();
    assert!(gateway.disk().segments > 66, "{:?}", gateway.disk());
    let said = levels(&gateway, &sensors);
    assert!(said.iter().all(|levels| levels.durable_seq == end), "{said:?}");
    drop(gateway);
    let crash = disk.crashable().unwrap();
    let mut wrong = Vec::new();
    for outcome in crash.outcomes() {
        let disk = SimDisk::new(&crash.after(outcome, 1));
        let (mut gateway, sensors) = open(&disk);
        add(&mut gateway, &sensors, 1);
        gateway.sync().unwrap();
        drop(gateway);
        let (mut gateway, sensors) = open(&disk);
        if let Err(text) = check_all(&mut gateway, &sensors, end + 1) {
            wrong.push(format!("{outcome}: {text}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
