//! What is called durable of pages whose sync failed, and what an opening makes of them.

use super::support::{
    SENSORS, add, add_in_doubt, check_durable, check_wherever_it_is_cut, config, drain,
    fail_next_sync, levels, open, register, with_20_durable, with_pages_in_doubt,
};
use ss_lib::{
    Sensor,
    disk::{
        Disk, plan, scan,
        sim::{Call, Due, Image, Outcome, SimDisk, SimFault},
    },
    gateway::{Gateway, GatewayConfig, HealthCause},
};
use std::time::Duration;

/// A sync fails, the kernel keeps the pages in its cache and calls them clean, and the store is killed. The
/// next opening reads them there. Its own sync says yes whatever the disk has: once it called them durable.
#[test]
fn what_a_failed_sync_left_is_durable_only_when_it_was_written_again() {
    for begins_another in [false, true] {
        let disk = SimDisk::crashable_from(&Image::default());
        let (mut gateway, sensors) = open(&disk);
        add(&mut gateway, &sensors, 20);
        gateway.sync().unwrap();
        add(&mut gateway, &sensors, 20);
        fail_next_sync(&disk);
        assert!(gateway.sync().is_err());
        if begins_another {
            // What RAM holds goes into another segment, and no sync comes to that.
            (0..5).for_each(|second| gateway.tick(second * 1_000));
        }
        // Killed.
        drop(gateway);
        let (gateway, sensors) = open(&disk);
        let said = levels(&gateway, &sensors);
        assert!(said.iter().all(|levels| levels.added_seq == 40), "{said:?}");
        drop(gateway);
        disk.cut_power(Outcome::Nothing, 1);
        let (mut gateway, sensors) = open(&disk);
        for (said, records) in said.iter().zip(drain(&mut gateway, &sensors)) {
            let seqs: Vec<_> = records.iter().map(|record| record.seq).collect();
            let durable: Vec<_> = (0..said.durable_seq).collect();
            assert!(
                seqs.starts_with(&durable),
                "{begins_another}: {said:?}, and {seqs:?} are left"
            );
        }
    }
}

/// The checkpoint of the next segment was synced, and its directory was not: it is given up and begun again. Its
/// first page is no proof of what the sync before had failed to make durable.
#[test]
fn a_checkpoint_that_was_begun_twice_proves_nothing_of_pages_in_doubt() {
    for pages in 2..5 {
        let (disk, mut gateway, sensors) = with_pages_in_doubt(pages);
        disk.fail(Due { call: Call::SyncDir, fault: SimFault::Io, nth: 0, times: 1 });
        assert!(gateway.sync().is_err());
        gateway.sync().unwrap();
        let said = levels(&gateway, &sensors);
        let end = 20 + pages * 5 + 1;
        assert!(said.iter().all(|levels| levels.durable_seq == end), "{said:?}");
        drop(gateway);
        check_wherever_it_is_cut(&disk, end);
    }
}

/// What a failed sync left is in doubt for the next opening alone, which makes it durable or cuts it. A page of
/// it that is bad after that was promised, and its records are lost.
#[test]
fn a_bad_page_of_what_an_opening_made_durable_is_damage() {
    let (disk, mut gateway, _) = with_pages_in_doubt(1);
    gateway.sync().unwrap();
    drop(gateway);
    let sealed = |image: &Image| {
        let scanned = scan(&SimDisk::new(image)).unwrap();
        scanned.segments.iter().map(|segment| segment.is_sealed).collect::<Vec<_>>()
    };
    assert_eq!(sealed(&disk.image()), [false, false]);
    // Behind the checkpoint's page and the one that was synced.
    let flip = |image: &mut Image| image.flip("0000000000000001-00.seg", 2 * 4096 + 40, 0);
    let look = |image: &Image| {
        let scanned = scan(&SimDisk::new(image)).unwrap();
        let segment = &scanned.segments[0];
        (segment.pages_corrupt, segment.pages_torn, plan(&scanned).records_lost)
    };
    let mut in_doubt = disk.image();
    flip(&mut in_doubt);
    // The segment ends in front of it, and what is missing stands in the next one.
    assert_eq!(look(&in_doubt), (0, 2, 0));
    let (mut gateway, sensors) = open(&disk);
    add(&mut gateway, &sensors, 1);
    gateway.sync().unwrap();
    drop(gateway);
    let mut settled = disk.image();
    assert_eq!((sealed(&settled), look(&settled)), (vec![false, false], (0, 0, 0)));
    flip(&mut settled);
    assert_eq!(look(&settled), (1, 0, u64::from(SENSORS) * 5));
}

/// A sealed segment's footer rots.
#[test]
fn a_rotten_footer_is_counted_and_not_cut() {
    let disk = SimDisk::crashable_from(&Image::default());
    let (mut gateway, sensors) = open(&disk);
    for _ in 0..60 {
        add(&mut gateway, &sensors, 20);
        gateway.sync().unwrap();
    }
    drop(gateway);
    let mut image = disk.image();
    let before = scan(&SimDisk::new(&image)).unwrap();
    let sealed: Vec<bool> = before.segments.iter().map(|segment| segment.is_sealed).collect();
    assert!(sealed.len() > 2 && sealed[0], "{sealed:?}");
    let pages = before.segments[0].pages;
    image.flip("0000000000000001-00.seg", u64::from(pages - 1) * 4096 + 40, 0);
    let disk = SimDisk::new(&image);
    let (mut gateway, sensors) = open(&disk);
    let after = scan(&disk).unwrap().segments[0].pages;
    let corrupt = gateway.recovery().corrupt_pages;
    let found: Vec<usize> = drain(&mut gateway, &sensors).iter().map(Vec::len).collect();
    assert_eq!((after, corrupt, found), (pages, 1, vec![1200; 3]), "{sealed:?}");
}

/// A sync failed over a whole disk sector and the kernel alone has it. An opening reads it, has the kernel forget
/// it, and writes again what the disk does not have: it let go of a page that it had not kept.
#[test]
fn an_opening_keeps_what_it_has_the_kernel_forget() {
    let disk = SimDisk::crashable_from(&Image::default());
    let config = GatewayConfig { pool_bytes: 512 << 10, ..config() };
    let mut gateway = Gateway::open(disk.clone(), &config).unwrap();
    let sensors = register(&mut gateway, SENSORS);
    while gateway.disk().bytes < 64 << 10 {
        add(&mut gateway, &sensors, 1);
        gateway.sync().unwrap();
    }
    add(&mut gateway, &sensors, 4_000);
    fail_next_sync(&disk);
    assert!(gateway.sync().is_err());
    drop(gateway);
    let mut gateway = Gateway::open(disk.clone(), &config).unwrap();
    let sensors = register(&mut gateway, SENSORS);
    let said = levels(&gateway, &sensors);
    drop(gateway);
    disk.cut_power(Outcome::Nothing, 1);
    gateway = Gateway::open(disk.clone(), &config).unwrap();
    let sensors = register(&mut gateway, SENSORS);
    for (said, records) in said.iter().zip(drain(&mut gateway, &sensors)) {
        let seqs: Vec<_> = records.iter().map(|record| record.seq).collect();
        assert!(seqs.iter().copied().eq(0..said.durable_seq), "{said:?}, {} left", seqs.len());
    }
    let found = gateway.recovery();
    assert_eq!((found.torn_pages, found.corrupt_pages), (0, 0), "{found:?}");
}

/// An opening makes what is in doubt durable and is killed before it writes a page, or an orderly end does. A page
/// that rots then was promised: it costs its own records, and none of those behind it.
#[test]
fn what_was_mended_is_in_doubt_no_more_though_no_page_says_so() {
    for is_orderly in [false, true] {
        let (disk, mut gateway, _) = with_pages_in_doubt(3);
        gateway.sync().unwrap();
        if is_orderly {
            assert!(gateway.shut_down(None, &mut |_| ()).is_complete());
        }
        drop(gateway);
        if !is_orderly {
            drop(open(&disk));
        }
        let mut image = disk.image();
        // Behind the checkpoint's page and the one that was synced.
        image.flip("0000000000000001-00.seg", 2 * 4096 + 40, 0);
        let scanned = scan(&SimDisk::new(&image)).unwrap();
        let segment = &scanned.segments[0];
        assert_eq!((segment.pages_corrupt, segment.pages_torn), (1, 0), "{is_orderly}");
        assert_eq!(plan(&scanned).records_lost, u64::from(SENSORS) * 5);
        let (gateway, _) = open(&SimDisk::new(&image));
        let recovery = gateway.recovery();
        assert_eq!((recovery.corrupt_pages, recovery.torn_pages), (1, 0), "{recovery:?}");
    }
}

/// Goes on until the store has so many segments.
fn go_on(gateway: &mut Gateway<SimDisk>, sensors: &[Sensor], segments: u32, now_ms: &mut u64) {
    while gateway.disk().segments < segments {
        add(gateway, sensors, 100);
        gateway.sync().unwrap();
        *now_ms += 1_000;
        gateway.tick(*now_ms);
    }
}

/// Part of what a failed sync left cannot be read when it is to be made durable. When another segment was mended,
/// all of it was called durable.
#[test]
fn what_could_not_be_mended_is_not_called_durable_with_another() {
    let (disk, mut gateway, sensors) = with_20_durable();
    let mut now_ms = 0;
    for mended in 0..2 {
        add_in_doubt(&disk, &mut gateway, &sensors, 400);
        gateway.sync().unwrap();
        if mended == 0 {
            disk.edit(|image| image.flip("0000000000000001-00.seg", 3 * 4096 + 40, 0));
        }
        let segments = gateway.disk().segments + 36;
        go_on(&mut gateway, &sensors, segments, &mut now_ms);
        assert!(gateway.health().has(HealthCause::Damaged), "{mended}");
        let said = levels(&gateway, &sensors);
        assert_eq!(said[0].durable_seq, 20, "{mended}: {said:?}");
    }
}

/// The kernel has let go of what a failed sync left, and one page of it cannot be written again: the others are.
#[test]
fn a_page_that_cannot_be_mended_takes_no_other_along() {
    let mut hit = 0;
    for nth in 2..9 {
        let (disk, mut gateway, sensors) = with_20_durable();
        let mut now_ms = 0;
        add_in_doubt(&disk, &mut gateway, &sensors, 400);
        gateway.sync().unwrap();
        go_on(&mut gateway, &sensors, 32, &mut now_ms);
        while gateway.disk().segments < 34 {
            add(&mut gateway, &sensors, 5);
            disk.fail(Due { call: Call::Write, fault: SimFault::Io, nth, times: 1 });
            let synced = gateway.sync();
            disk.heal();
            if synced.is_err() {
                gateway.sync().unwrap();
            }
        }
        let added = levels(&gateway, &sensors)[0].added_seq;
        for records in drain(&mut gateway, &sensors) {
            let lost = added - records.len() as u64;
            // 8 B each, and the page's own.
            assert!(lost < 4096 / 8, "{nth}: {lost} of {added}");
            hit += u32::from(lost > 0);
        }
    }
    assert!(hit > 0, "no page was lost");
}

/// The deadline of an orderly end has passed before anything is synced: what is only written is not promised.
#[test]
fn an_end_without_a_sync_is_not_called_orderly() {
    let disk = SimDisk::crashable_from(&Image::default());
    let (mut gateway, sensors) = open(&disk);
    gateway.tick(0);
    add(&mut gateway, &sensors, 5);
    gateway.tick(2_000);
    gateway.tick(3_000);
    let said = levels(&gateway, &sensors);
    assert!(said.iter().all(|it| (it.written_seq, it.durable_seq) == (5, 0)), "{said:?}");
    let report = gateway.shut_down(Some(Duration::ZERO), &mut |_| ());
    assert!(report.left == 0 && report.error.is_none(), "{report:?}");
    drop(gateway);
    disk.cut_power(Outcome::Nothing, 1);
    let (gateway, _) = open(&disk);
    let found = gateway.recovery();
    assert_eq!((found.was_clean, found.corrupt_pages), (false, 0), "{found:?}");
}

/// What a failed sync left far behind is to be made durable, and there is no file handle for that. It was taken
/// for mended: after a reopening, or when another segment was, records were called durable that were not.
#[test]
fn a_mending_that_failed_is_no_promise_and_is_tried_again() {
    for reopens in [false, true] {
        let (disk, mut gateway, mut sensors) = with_20_durable();
        add_in_doubt(&disk, &mut gateway, &sensors, 400);
        gateway.sync().unwrap();
        let (mut now_ms, mut was_refused) = (4_000, false);
        while gateway.disk().segments < 40 {
            add(&mut gateway, &sensors, 100);
            if (32..36).contains(&gateway.disk().segments) {
                // Behind the file that is sealed, that one is opened.
                let fault = SimFault::TooManyFiles;
                disk.fail(Due { call: Call::Open, fault, nth: 1, times: 1 });
                let _ = gateway.sync();
                disk.heal();
                let is_in_doubt = levels(&gateway, &sensors)[0].durable_seq == 20;
                if is_in_doubt && gateway.disk().segments > 33 && !was_refused {
                    was_refused = true;
                    if reopens {
                        drop(gateway);
                        (gateway, sensors) = open(&disk);
                    }
                }
            } else {
                gateway.sync().unwrap();
            }
            now_ms += 1_000;
            gateway.tick(now_ms);
        }
        assert!(was_refused);
        let said = levels(&gateway, &sensors);
        assert!(said.iter().all(|levels| levels.durable_seq == levels.added_seq), "{said:?}");
        drop(gateway);
        disk.cut_power(Outcome::Nothing, 1);
        let (mut gateway, sensors) = open(&disk);
        check_durable(&mut gateway, &sensors, &said);
    }
}

/// A store with records in doubt that RAM no longer has was shut down in order, and said that nothing was left.
#[test]
fn an_orderly_end_leaves_nothing_in_doubt() {
    for refuses in [false, true] {
        let (disk, mut gateway, sensors) = with_20_durable();
        add_in_doubt(&disk, &mut gateway, &sensors, 400);
        if refuses {
            disk.fail(Due { call: Call::Open, fault: SimFault::TooManyFiles, nth: 0, times: 9 });
        }
        let report = gateway.shut_down(None, &mut |_| ());
        assert_eq!(report.is_complete(), !refuses, "{report:?}");
        let said = levels(&gateway, &sensors);
        assert!(refuses || said.iter().all(|levels| levels.durable_seq == 420), "{said:?}");
        drop(gateway);
        disk.heal();
        disk.cut_power(Outcome::Nothing, 1);
        let (mut gateway, sensors) = open(&disk);
        assert_eq!(gateway.recovery().was_clean, !refuses);
        check_durable(&mut gateway, &sensors, &said);
    }
}

/// An orderly end makes durable what a failed sync has left where it lies. A squeeze of it that is under way is
/// given up first: it would take the place of what is sound by then.
#[test]
fn an_orderly_end_gives_up_the_squeeze_of_what_it_makes_durable() {
    let (disk, mut gateway, sensors) = with_20_durable();
    add_in_doubt(&disk, &mut gateway, &sensors, 400);
    gateway.sync().unwrap();
    let names = || {
        let mut names = Vec::new();
        disk.list(&mut |name, _| names.push(name.to_owned())).unwrap();
        // Segments' names begin with their numbers.
        names.retain(|name| name.starts_with('0'));
        names.sort();
        names
    };
    let [old, next] = ["0000000000000001-00.seg", "0000000000000002-00.seg"];
    assert_eq!(names(), [old, next]);
    gateway.tick(1_000);
    assert_eq!(names(), [old, "0000000000000001-01.seg", next], "the squeeze is under way");
    let report = gateway.shut_down(None, &mut |_| ());
    assert!(report.is_complete(), "{report:?}");
    assert_eq!(names(), [old, next]);
    let said = levels(&gateway, &sensors);
    assert!(said.iter().all(|levels| levels.durable_seq == 420), "{said:?}");
    drop(gateway);
    disk.cut_power(Outcome::Nothing, 1);
    let (mut gateway, sensors) = open(&disk);
    assert!(gateway.recovery().was_clean);
    check_durable(&mut gateway, &sensors, &said);
}

/// What a failed sync left is made durable by a squeeze, but for a page of it that rotted meanwhile: what stood in
/// that is not called durable, and the store says that it is damaged.
#[test]
fn a_squeeze_calls_nothing_durable_that_it_could_not_read() {
    for rots in [false, true] {
        let (disk, mut gateway, sensors) = with_20_durable();
        // More than RAM holds, in pages that are half full.
        for page in 1..=10 {
            add(&mut gateway, &sensors, 45);
            gateway.tick(page * 3_000 - 1_000);
            gateway.tick(page * 3_000);
        }
        fail_next_sync(&disk);
        add(&mut gateway, &sensors, 1);
        assert!(gateway.sync().is_err());
        gateway.sync().unwrap();
        if rots {
            disk.edit(|image| image.flip("0000000000000001-00.seg", 3 * 4096 + 40, 0));
        }
        (40..60).for_each(|second| gateway.tick(second * 1_000));
        assert_eq!(gateway.disk().segments_squeezed, 1, "{:?}", gateway.disk());
        assert_eq!(gateway.health().has(HealthCause::Damaged), rots);
        // The next commit says what is durable by then.
        add(&mut gateway, &sensors, 1);
        gateway.sync().unwrap();
        let said = levels(&gateway, &sensors);
        let durable_seq = if rots { 20 } else { 472 };
        assert!(said.iter().all(|levels| levels.durable_seq == durable_seq), "{said:?}");
    }
}
