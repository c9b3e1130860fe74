//! Numbers that only pages in doubt have: they are not given again, and no gap is seen.

use super::support::{
    SENSORS, add, config, drain, fail_next_sync, levels, open, open_for, register,
};
use ss_lib::{
    Record, Sensor, SensorKey,
    disk::{
        scan,
        sim::{Call, Due, Image, Outcome, SimDisk, SimFault},
    },
    gateway::{Gateway, GatewayConfig},
};

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

/// With a pool of more than a segment.
fn open_large(disk: &SimDisk) -> (Gateway<SimDisk>, Vec<Sensor>) {
    let config = GatewayConfig { pool_bytes: 512 << 10, ..config() };
    let mut gateway = Gateway::open(disk.clone(), &config).unwrap();
    let sensors = register(&mut gateway, SENSORS);
    (gateway, sensors)
}

/// A sync failed over a record of each sensor that RAM no longer has, and over more of the first two than a segment
/// takes, which RAM has.
fn with_much_in_ram() -> (SimDisk, Gateway<SimDisk>, Vec<Sensor>) {
    let disk = SimDisk::crashable_from(&Image::default());
    let (mut gateway, sensors) = open_large(&disk);
    add(&mut gateway, &sensors, 20);
    gateway.sync().unwrap();
    gateway.tick(0);
    add(&mut gateway, &sensors, 1);
    gateway.tick(2_000);
    gateway.tick(3_000);
    add(&mut gateway, &sensors[..2], 12_000);
    fail_next_sync(&disk);
    assert!(gateway.sync().is_err());
    (disk, gateway, sensors)
}

/// The store goes on behind the numbers that it shows, and each comes out once, as the opening gave it.
fn check_that_no_number_is_given_again(disk: &SimDisk, when: &str) {
    let (mut gateway, sensors) = open_large(disk);
    let epoch = gateway.epoch();
    let ends = levels(&gateway, &sensors);
    add(&mut gateway, &sensors, 200);
    // So that they are read where the log has them.
    gateway.shut_down(None, &mut |_| ());
    drop(gateway);
    let (mut gateway, sensors) = open_large(disk);
    for (end, records) in ends.iter().zip(drain(&mut gateway, &sensors)) {
        assert_eq!(records.len() as u64, end.added_seq + 200, "{when}: {end:?}");
        for (seq, record) in (0..).zip(records) {
            let is_new = record.seq >= end.added_seq;
            let said = (record.seq, record.value % 100, record.epoch == epoch);
            assert_eq!(said, (seq, record.epoch, is_new), "{when}: {end:?}, {record:?}");
        }
    }
}

/// Behind a sync that failed, what RAM holds is written again and fills more than a segment. A kill in the midst of
/// it leaves checkpoints behind the segment in doubt that do not tell of the sensors whose turn had not come: their
/// numbers were given again.
#[test]
fn numbers_in_doubt_are_not_given_again_behind_a_full_segment() {
    let mut begun = 0;
    for write in 0..60 {
        let (disk, mut gateway, _) = with_much_in_ram();
        let segments = gateway.disk().segments;
        disk.fail(Due { call: Call::Write, fault: SimFault::Io, nth: write, times: 1 });
        let is_done = gateway.sync().is_ok();
        begun = begun.max(gateway.disk().segments - segments);
        drop(gateway);
        disk.heal();
        check_that_no_number_is_given_again(&disk, &format!("at write {write}"));
        if is_done {
            break;
        }
    }
    assert!(begun > 1, "all of it found room in a segment");
}

/// Sync after sync fails, each behind a checkpoint that went well, and the checkpoints do not tell of the numbers
/// that only the first segment in doubt has. An opening looked for it in the 16 newest.
#[test]
fn numbers_in_doubt_far_behind_are_not_given_again() {
    for segments in [4, 20, 40] {
        let (disk, mut gateway, _) = with_much_in_ram();
        let mut nth = 1;
        while gateway.disk().segments < segments && nth < 10 {
            let before = gateway.disk().segments;
            disk.fail(Due { call: Call::Sync, fault: SimFault::Io, nth, times: 1_000 });
            assert!(gateway.sync().is_err());
            disk.heal();
            // Neither the checkpoint's sync may fail nor, farther on, those of what is mended in front of it.
            nth += u64::from(gateway.disk().segments == before);
        }
        assert!(gateway.disk().segments >= segments, "{:?}", gateway.disk());
        drop(gateway);
        check_that_no_number_is_given_again(&disk, &format!("{segments} segments"));
    }
}
