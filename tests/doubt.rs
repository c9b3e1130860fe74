//! What a failed sync leaves in doubt, over kills, power cuts and openings: it is never called durable
//! before it is, its numbers are never given twice, and no gap is seen that the store does not name.
#![cfg(not(feature = "shuttle"))]
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "helpers are tests too, and test data are small"
)]

use ss_lib::{
    Levels, Record, Sensor, SensorConfig, SensorKey,
    disk::{
        plan, scan,
        sim::{Call, Due, Image, Outcome, SimDisk, SimFault},
    },
    gateway::{Durability, Gateway, GatewayConfig},
};

const SENSORS: u32 = 3;

fn config() -> GatewayConfig {
    GatewayConfig {
        pool_bytes: 8 << 10,
        sector_bytes: Some(64),
        segment_bytes: 64 << 10,
        reserve_bytes: 16 << 10,
        spill_after_ms: 2_000,
        durability: Durability::Interval { ms: 60_000 },
        ..GatewayConfig::new(SENSORS)
    }
}

fn open(disk: &SimDisk) -> (Gateway<SimDisk>, Vec<Sensor>) {
    open_for(disk, SENSORS)
}

/// With places for so many sensors, which are registered.
fn open_for(disk: &SimDisk, count: u32) -> (Gateway<SimDisk>, Vec<Sensor>) {
    let config = GatewayConfig { sensors_max: count, ..config() };
    let mut gateway = Gateway::open(disk.clone(), &config).unwrap();
    let sensors = register(&mut gateway, count);
    (gateway, sensors)
}

fn register(gateway: &mut Gateway<SimDisk>, count: u32) -> Vec<Sensor> {
    let register = |id| gateway.register(SensorConfig::event(SensorKey { source: 1, id })).unwrap();
    (0..count).map(register).collect()
}

/// Adds records to each sensor. Their value says which opening gave them.
fn add(gateway: &mut Gateway<SimDisk>, sensors: &[Sensor], records: u64) {
    let epoch = gateway.epoch();
    for &sensor in sensors {
        for _ in 0..records {
            let seq = gateway.levels(sensor).unwrap().added_seq;
            let value = seq as u32 * 100 + epoch;
            assert_eq!(gateway.append_event(sensor, value, seq), Ok(seq));
        }
    }
}

fn levels(gateway: &Gateway<SimDisk>, sensors: &[Sensor]) -> Vec<Levels> {
    sensors.iter().map(|&sensor| gateway.levels(sensor).unwrap()).collect()
}

fn fail_next_sync(disk: &SimDisk) {
    disk.fail(Due { call: Call::Sync, fault: SimFault::Io, nth: 0, times: 1 });
}

/// 20 records a sensor are durable, and a sync has failed over so many pages of 5 each, and one record more.
fn with_pages_in_doubt(pages: u64) -> (SimDisk, Gateway<SimDisk>, Vec<Sensor>) {
    let disk = SimDisk::crashable_from(&Image::default());
    let (mut gateway, sensors) = open(&disk);
    add(&mut gateway, &sensors, 20);
    gateway.sync().unwrap();
    // The first tick commits, and none after it for a minute: no page calls the one before it durable.
    gateway.tick(0);
    for page in 1..=pages {
        add(&mut gateway, &sensors, 5);
        gateway.tick(page * 3_000 - 1_000);
        gateway.tick(page * 3_000);
    }
    fail_next_sync(&disk);
    add(&mut gateway, &sensors, 1);
    assert!(gateway.sync().is_err());
    (disk, gateway, sensors)
}

/// Takes everything out; each sensor's records, none answered twice.
fn drain(gateway: &mut Gateway<SimDisk>, sensors: &[Sensor]) -> Vec<Vec<Record>> {
    let mut out = vec![Record::default(); 64];
    let mut all = vec![Vec::new(); sensors.len()];
    for (records, &sensor) in all.iter_mut().zip(sensors) {
        while let Some(token) = gateway.consume(sensor, &mut out).unwrap() {
            records.extend_from_slice(&out[..token.count() as usize]);
            gateway.ack(token).unwrap();
        }
    }
    all
}

/// Every record of 0 to `end` comes out, once and in order. Says what is wrong.
fn check_all(gateway: &mut Gateway<SimDisk>, sensors: &[Sensor], end: u64) -> Result<(), String> {
    for records in drain(gateway, sensors) {
        let seqs: Vec<_> = records.iter().map(|record| record.seq).collect();
        if seqs != (0..end).collect::<Vec<_>>() {
            let wrong = seqs.iter().zip(0..).find(|&(&seq, wanted)| seq != wanted);
            return Err(format!("{} records of {end}, first wrong {wrong:?}", seqs.len()));
        }
    }
    Ok(())
}

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

/// A segment whose sync had failed was squeezed, which makes it durable, before what RAM held of the same
/// numbers was durable behind it. After a power cut the checkpoint behind it told of an end in front of
/// them: the numbers were given again, and the old records were read in their place.
#[test]
fn a_squeezed_segment_in_doubt_gives_no_number_to_another_record() {
    let mut squeezed = 0;
    for seconds in [0, 1, 2, 3, 4, 30, 62, 63, 64, 65, 70] {
        for reopens in [false, true] {
            let disk = SimDisk::crashable_from(&Image::default());
            let (mut gateway, sensors) = open(&disk);
            // So many pages that they are worth a squeeze.
            for _ in 0..8 {
                add(&mut gateway, &sensors, 3);
                gateway.sync().unwrap();
            }
            add(&mut gateway, &sensors, 20);
            fail_next_sync(&disk);
            assert!(gateway.sync().is_err());
            let mut sensors = sensors;
            if reopens {
                drop(gateway);
                (gateway, sensors) = open(&disk);
            }
            add(&mut gateway, &sensors, 1);
            (0..seconds).for_each(|second| gateway.tick(second * 1_000));
            squeezed += gateway.disk().segments_squeezed;
            drop(gateway);
            disk.cut_power(Outcome::Nothing, 1);
            let (mut gateway, sensors) = open(&disk);
            let epoch = gateway.epoch();
            let ends = levels(&gateway, &sensors);
            // So many that RAM does not hold them all: they are read where the log has them.
            add(&mut gateway, &sensors, 500);
            gateway.sync().unwrap();
            for (end, records) in ends.iter().zip(drain(&mut gateway, &sensors)) {
                for record in records {
                    let is_new = record.seq >= end.added_seq;
                    let said = (record.epoch, record.value % 100, record.epoch == epoch);
                    let wanted = (record.epoch, record.epoch, is_new);
                    assert_eq!(said, wanted, "{seconds} s, {reopens}: {end:?}, {record:?}");
                }
            }
        }
    }
    assert!(squeezed > 0, "nothing that was in doubt was squeezed");
}

/// Records are answered in RAM while older ones of the sensor stand in the log, and younger ones are
/// written behind these. After a kill the older ones may come again, but not with a gap behind them that
/// nobody named.
#[test]
fn a_kill_shows_no_gap_where_records_were_answered_in_ram() {
    let disk = SimDisk::crashable_from(&Image::default());
    let (mut gateway, sensors) = open(&disk);
    add(&mut gateway, &sensors, 10);
    gateway.sync().unwrap();
    add(&mut gateway, &sensors, 10);
    let mut out = vec![Record::default(); 15];
    for &sensor in &sensors {
        let token = gateway.consume(sensor, &mut out).unwrap().unwrap();
        assert_eq!((token.first_seq(), token.count()), (0, 15));
        gateway.ack(token).unwrap();
    }
    (1..8).for_each(|second| gateway.tick(second * 1_000));
    let said = levels(&gateway, &sensors);
    assert!(said.iter().all(|levels| levels.written_seq == 20), "{said:?}");
    drop(gateway);
    let (mut gateway, sensors) = open(&disk);
    for records in drain(&mut gateway, &sensors) {
        let seqs: Vec<_> = records.iter().map(|record| record.seq).collect();
        let first = seqs.first().copied().unwrap_or(20);
        assert_eq!(seqs, (first..20).collect::<Vec<_>>());
    }
}

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
        let crash = disk.crashable().unwrap();
        let outcomes = crash.outcomes();
        assert!(outcomes.len() > 50, "{outcomes:?}");
        for outcome in outcomes {
            let image = crash.after(outcome, 1);
            let (mut gateway, sensors) = open(&SimDisk::new(&image));
            for records in drain(&mut gateway, &sensors) {
                let seqs: Vec<_> = records.iter().map(|record| record.seq).collect();
                let wanted: Vec<_> = (0..end).collect();
                assert_eq!(seqs, wanted, "{pages} pages in doubt, {outcome}");
            }
        }
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
    let crash = disk.crashable().unwrap();
    let mut wrong = Vec::new();
    for outcome in crash.outcomes() {
        let (mut gateway, sensors) = open(&SimDisk::new(&crash.after(outcome, 1)));
        if let Err(text) = check_all(&mut gateway, &sensors, end) {
            wrong.push(format!("{outcome}: {text}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
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

/// An opening makes what is in doubt durable and is killed before it writes a page. A page that rots then was
/// promised: it costs its own records, and none of those behind it.
#[test]
fn an_opening_that_wrote_nothing_has_settled_what_was_in_doubt() {
    let (disk, mut gateway, _) = with_pages_in_doubt(3);
    gateway.sync().unwrap();
    drop(gateway);
    let (gateway, _) = open(&disk);
    drop(gateway);
    let mut image = disk.image();
    // Behind the checkpoint's page and the one that was synced.
    image.flip("0000000000000001-00.seg", 2 * 4096 + 40, 0);
    let look = |image: &Image| {
        let scanned = scan(&SimDisk::new(image)).unwrap();
        let segment = &scanned.segments[0];
        (segment.pages_corrupt, segment.pages_torn, plan(&scanned).records_lost)
    };
    assert_eq!(look(&image), (1, 0, u64::from(SENSORS) * 5));
    let (gateway, _) = open(&SimDisk::new(&image));
    let recovery = gateway.recovery();
    assert_eq!((recovery.corrupt_pages, recovery.torn_pages), (1, 0), "{recovery:?}");
}

/// A sensor whose records were all answered is forgotten by an opening that has no place for it. The segment
/// that said so goes, and one whose sync failed stays in front of the newest checkpoint: its records of that
/// sensor came back.
#[test]
fn a_sensor_that_was_forgotten_does_not_come_back() {
    let disk = SimDisk::crashable_from(&Image::default());
    let (mut gateway, sensors) = open(&disk);
    let (first, others) = (sensors[0], &sensors[1..]);
    add(&mut gateway, &sensors, 20);
    gateway.sync().unwrap();
    gateway.tick(0);
    add(&mut gateway, others, 5);
    fail_next_sync(&disk);
    assert!(gateway.sync().is_err());
    gateway.sync().unwrap();
    drain(&mut gateway, others);
    gateway.sync().unwrap();
    drop(gateway);
    let (mut gateway, sensors) = open_for(&disk, 2);
    assert_eq!(sensors[0], first);
    let mut now_ms = 1_000;
    let has_second =
        |disk: &SimDisk| scan(disk).unwrap().segments.iter().any(|segment| segment.segment == 2);
    while has_second(&disk) {
        add(&mut gateway, &sensors[1..], 100);
        drain(&mut gateway, &sensors[1..]);
        gateway.sync().unwrap();
        now_ms += 61_000;
        gateway.tick(now_ms);
        assert!(now_ms < 100_000_000, "segment 2 stays");
    }
    let ids: Vec<u64> = scan(&disk).unwrap().segments.iter().map(|it| it.segment).collect();
    assert!(ids.len() == 2 && ids[0] == 1, "{ids:?}");
    drop(gateway);
    let found = scan(&disk).unwrap().sensor(SensorKey { source: 1, id: 2 }).map(|it| it.held);
    let (gateway, sensors) = open(&disk);
    let held: Vec<u64> = sensors.iter().map(|&it| gateway.retained(it).unwrap()).collect();
    assert_eq!((held, found.unwrap_or(0)), (vec![20, 0, 0], 0));
}

/// Behind a sync that failed, what RAM holds is written again and fills more than a segment. A kill in the midst of
/// it leaves checkpoints behind the segment in doubt that do not tell of the sensors whose turn had not come: their
/// numbers were given again.
#[test]
fn numbers_in_doubt_are_not_given_again_behind_a_full_segment() {
    let mut begun = 0;
    for write in 0..60 {
        let disk = SimDisk::crashable_from(&Image::default());
        let config = GatewayConfig { pool_bytes: 512 << 10, ..config() };
        let mut gateway = Gateway::open(disk.clone(), &config).unwrap();
        let sensors = register(&mut gateway, SENSORS);
        add(&mut gateway, &sensors, 20);
        gateway.sync().unwrap();
        gateway.tick(0);
        add(&mut gateway, &sensors, 1);
        gateway.tick(2_000);
        gateway.tick(3_000);
        add(&mut gateway, &sensors[..2], 12_000);
        fail_next_sync(&disk);
        assert!(gateway.sync().is_err());
        let segments = gateway.disk().segments;
        disk.fail(Due { call: Call::Write, fault: SimFault::Io, nth: write, times: 1 });
        let is_done = gateway.sync().is_ok();
        begun = begun.max(gateway.disk().segments - segments);
        drop(gateway);
        disk.heal();
        let mut gateway = Gateway::open(disk.clone(), &config).unwrap();
        let sensors = register(&mut gateway, SENSORS);
        let epoch = gateway.epoch();
        let ends = levels(&gateway, &sensors);
        add(&mut gateway, &sensors, 200);
        // So that they are read where the log has them.
        gateway.shut_down(None, &mut |_| ());
        drop(gateway);
        let mut gateway = Gateway::open(disk, &config).unwrap();
        let sensors = register(&mut gateway, SENSORS);
        for (end, records) in ends.iter().zip(drain(&mut gateway, &sensors)) {
            for (seq, record) in (0..).zip(records) {
                let is_new = record.seq >= end.added_seq;
                let said = (record.seq, record.value % 100, record.epoch == epoch);
                assert_eq!(said, (seq, record.epoch, is_new), "{write}: {end:?}, {record:?}");
            }
        }
        if is_done {
            break;
        }
    }
    assert!(begun > 1, "all of it found room in a segment");
}

/// Each sensor's records in order: all that were called durable, whatever is left behind them.
fn check_durable(gateway: &mut Gateway<SimDisk>, sensors: &[Sensor], said: &[Levels]) {
    for (said, records) in said.iter().zip(drain(gateway, sensors)) {
        let seqs: Vec<_> = records.iter().map(|record| record.seq).collect();
        let durable: Vec<_> = (0..said.durable_seq).collect();
        assert!(seqs.starts_with(&durable), "{said:?}, {} are left", seqs.len());
    }
}

/// What a failed sync left far behind is to be made durable, and there is no file handle for that. It was taken
/// for mended: after a reopening, or when another segment was, records were called durable that were not.
#[test]
fn a_mending_that_failed_is_no_promise_and_is_tried_again() {
    for reopens in [false, true] {
        let disk = SimDisk::crashable_from(&Image::default());
        let (mut gateway, mut sensors) = open(&disk);
        add(&mut gateway, &sensors, 20);
        gateway.sync().unwrap();
        gateway.tick(0);
        add(&mut gateway, &sensors, 400);
        fail_next_sync(&disk);
        assert!(gateway.sync().is_err());
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

/// Sync after sync fails, each over a checkpoint that went well, and the checkpoints do not tell of the numbers
/// that only the first segment in doubt has.
#[test]
fn numbers_in_doubt_far_behind_are_not_given_again() {
    for rounds in [3, 40] {
        let disk = SimDisk::crashable_from(&Image::default());
        let config = GatewayConfig { pool_bytes: 512 << 10, ..config() };
        let open = || {
            let mut gateway = Gateway::open(disk.clone(), &config).unwrap();
            let sensors = register(&mut gateway, SENSORS);
            (gateway, sensors)
        };
        let (mut gateway, sensors) = open();
        add(&mut gateway, &sensors, 20);
        gateway.sync().unwrap();
        gateway.tick(0);
        add(&mut gateway, &sensors, 1);
        gateway.tick(2_000);
        gateway.tick(3_000);
        add(&mut gateway, &sensors[..2], 12_000);
        fail_next_sync(&disk);
        assert!(gateway.sync().is_err());
        let mut failures = 0;
        for _ in 0..rounds {
            // Behind the sync of the checkpoint, and of what is mended far behind.
            let nth = if gateway.disk().segments > 32 { 3 } else { 1 };
            disk.fail(Due { call: Call::Sync, fault: SimFault::Io, nth, times: 1 });
            failures += u32::from(gateway.sync().is_err());
            disk.heal();
        }
        assert!(failures >= 3, "{failures} of {rounds}");
        drop(gateway);
        let (mut gateway, sensors) = open();
        let epoch = gateway.epoch();
        let ends = levels(&gateway, &sensors);
        add(&mut gateway, &sensors, 200);
        gateway.shut_down(None, &mut |_| ());
        drop(gateway);
        let (mut gateway, sensors) = open();
        for (end, records) in ends.iter().zip(drain(&mut gateway, &sensors)) {
            assert_eq!(records.len() as u64, end.added_seq + 200, "{rounds}");
            for (seq, record) in (0..).zip(records) {
                let is_new = record.seq >= end.added_seq;
                let said = (record.seq, record.value % 100, record.epoch == epoch);
                assert_eq!(said, (seq, record.epoch, is_new), "{rounds}: {end:?}, {record:?}");
            }
        }
    }
}

/// A store with records in doubt that RAM no longer has was shut down in order, and said that nothing was left.
#[test]
fn an_orderly_end_leaves_nothing_in_doubt() {
    for refuses in [false, true] {
        let disk = SimDisk::crashable_from(&Image::default());
        let (mut gateway, sensors) = open(&disk);
        add(&mut gateway, &sensors, 20);
        gateway.sync().unwrap();
        gateway.tick(0);
        add(&mut gateway, &sensors, 400);
        fail_next_sync(&disk);
        assert!(gateway.sync().is_err());
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

/// Whatever becomes of the power now, nothing is missing.
fn check_wherever_it_is_cut(disk: &SimDisk, end: u64) {
    let crash = disk.crashable().unwrap();
    let mut wrong = Vec::new();
    for outcome in crash.outcomes() {
        let (mut gateway, sensors) = open(&SimDisk::new(&crash.after(outcome, 1)));
        if let Err(text) = check_all(&mut gateway, &sensors, end) {
            wrong.push(format!("{outcome}: {text} {:?}", gateway.recovery()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn fail_next(disk: &SimDisk, call: Call) {
    if !disk.has_due(call) {
        disk.fail(Due { call, fault: SimFault::Io, nth: 0, times: 1 });
    }
}

/// A kill came between the sync of a new segment's checkpoint and that of its directory. The next opening went on
/// in it, and a power cut took its name, with all that had been called durable.
#[test]
fn a_segment_that_an_opening_goes_on_with_has_a_durable_name() {
    let disk = SimDisk::crashable_from(&Image::default());
    let (mut gateway, sensors) = open(&disk);
    add(&mut gateway, &sensors, 20);
    // What the gateway does about a failure is what a kill does not leave it the time for.
    fail_next(&disk, Call::SyncDir);
    fail_next(&disk, Call::Unlink);
    assert!(gateway.sync().is_err());
    assert!(!disk.has_due(Call::SyncDir) && !disk.has_due(Call::Unlink));
    drop(gateway);
    disk.heal();
    let (mut gateway, sensors) = open(&disk);
    add(&mut gateway, &sensors, 20);
    gateway.sync().unwrap();
    let end = levels(&gateway, &sensors)[0].durable_seq;
    assert!(end >= 20);
    drop(gateway);
    check_wherever_it_is_cut(&disk, end);
}

/// A kill came between the sync of a squeezed file's footer and that of its directory. The next opening took the
/// squeezed one and erased its source, and a power cut took the name of the squeezed one.
#[test]
fn a_squeezed_segment_has_a_durable_name_before_its_source_goes() {
    let disk = SimDisk::crashable_from(&Image::default());
    let (mut gateway, sensors) = open(&disk);
    let (mut end, mut now_ms) = (0, 0);
    while gateway.disk().segments < 5 {
        add(&mut gateway, &sensors, 100);
        end += 100;
        gateway.sync().unwrap();
    }
    let has_squeezed = || disk.image().list().any(|(name, _)| name.ends_with("-01.seg"));
    for _ in 0..200 {
        fail_next(&disk, Call::SyncDir);
        if has_squeezed() {
            fail_next(&disk, Call::Unlink);
        }
        now_ms += 100;
        gateway.tick(now_ms);
        if !disk.has_due(Call::SyncDir) {
            break;
        }
    }
    drop(gateway);
    disk.heal();
    assert!(has_squeezed());
    let (mut gateway, _) = open(&disk);
    gateway.tick(0);
    drop(gateway);
    check_wherever_it_is_cut(&disk, end);
}
