//! The gateway on real files.

use super::{Durability, Gateway, GatewayConfig};
use crate::{BatchToken, Record, Sensor, SensorConfig, SensorKey, Timestamp, disk::RealDisk};
use std::collections::HashMap;

fn small(sensors: u32) -> GatewayConfig {
    GatewayConfig {
        pool_bytes: 4 << 10,
        sector_bytes: Some(64),
        segment_bytes: 64 << 10,
        reserve_bytes: 16 << 10,
        durability: Durability::Interval { ms: 1_000 },
        ..GatewayConfig::new(sensors)
    }
}

fn sensors(gateway: &mut Gateway<RealDisk>, count: u32) -> Vec<Sensor> {
    (0..count)
        .map(|id| {
            let key = SensorKey { source: (id % 3) as u8, id };
            let config = if id % 2 == 0 {
                SensorConfig::event(key)
            } else {
                SensorConfig::time_series(key, 1_000)
            };
            gateway.register(config).unwrap()
        })
        .collect()
}

fn value(sensor: usize, n: u64) -> u32 {
    (sensor as u32) << 24 | n as u32 & 0xFF_FFFF
}

fn add(gateway: &mut Gateway<RealDisk>, sensors: &[Sensor], n: u64) {
    for (index, &sensor) in sensors.iter().enumerate() {
        let added = if index % 2 == 0 {
            gateway.append_event(sensor, value(index, n), n * 1_000 + index as u64)
        } else {
            gateway.append(sensor, value(index, n), Timestamp::utc(n * 1_000))
        };
        assert_eq!(added, Ok(n), "sensor {index}");
    }
}

fn drain_all(
    gateway: &mut Gateway<RealDisk>,
    sensors: &[Sensor],
    batch: usize,
) -> HashMap<Sensor, Vec<Record>> {
    let mut all = HashMap::new();
    let mut out = vec![Record::default(); batch];
    for &sensor in sensors {
        let records: &mut Vec<Record> = all.entry(sensor).or_default();
        while let Some(token) = gateway.consume(sensor, &mut out).unwrap() {
            records.extend(&out[..token.count() as usize]);
            gateway.ack(token).unwrap();
        }
    }
    all
}

fn assert_values(
    all: &HashMap<Sensor, Vec<Record>>,
    sensors: &[Sensor],
    range: core::ops::Range<u64>,
) {
    for (index, sensor) in sensors.iter().enumerate() {
        let seen: Vec<(u64, u32)> = all[sensor].iter().map(|r| (r.seq, r.value)).collect();
        let wanted: Vec<(u64, u32)> = range.clone().map(|n| (n, value(index, n))).collect();
        assert!(
            seen == wanted,
            "sensor {index}: {} of {}: {:?}",
            seen.len(),
            wanted.len(),
            seen.iter().zip(&wanted).find(|(a, b)| a != b)
        );
    }
}

#[test]
fn what_the_pool_has_no_room_for_comes_back_from_disk_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let mut gateway = Gateway::open_dir(dir.path(), &small(20)).unwrap();
    let sensors = sensors(&mut gateway, 20);
    for n in 0..5_000 {
        add(&mut gateway, &sensors, n);
        gateway.tick(n * 1_000);
        if n % 500 == 0 {
            gateway.check().unwrap();
        }
    }
    let disk = gateway.disk();
    assert!(disk.records > 90_000 && disk.segments > 2, "{disk:?}");
    assert!(disk.segments_squeezed > 0, "{disk:?}");
    gateway.check().unwrap();
    let all = drain_all(&mut gateway, &sensors, 100);
    assert_values(&all, &sensors, 0..5_000);
    gateway.tick(5_001_000);
    gateway.tick(5_003_000);
    gateway.check().unwrap();
    // Field bug B29: nothing is left behind.
    assert_eq!(gateway.disk().segments, 1);
    assert!(gateway.totals().is_conserved());
}

#[test]
fn a_kill_loses_nothing_that_was_written() {
    let dir = tempfile::tempdir().unwrap();
    let mut next = [0; 20];
    let mut acked = [0; 20];
    for round in 0..40 {
        let mut gateway = Gateway::open_dir(dir.path(), &small(20)).unwrap();
        assert_eq!(gateway.epoch(), round + 1);
        let sensors = sensors(&mut gateway, 20);
        gateway.check().unwrap();
        for (index, &sensor) in sensors.iter().enumerate() {
            let config = gateway.sensor_config(sensor).unwrap();
            assert!(config.first_seq >= next[index], "{} < {}", config.first_seq, next[index]);
            next[index] = config.first_seq;
        }
        for n in 0..200 {
            for (index, &sensor) in sensors.iter().enumerate() {
                let n = next[index];
                let added = if index % 2 == 0 {
                    gateway.append_event(sensor, value(index, n), n)
                } else {
                    gateway.append(sensor, value(index, n), Timestamp::utc(n * 1_000))
                };
                assert_eq!(added, Ok(n));
                next[index] += 1;
            }
            gateway.tick(u64::from(round) * 1_000_000 + n * 1_000);
        }
        let mut out = vec![Record::default(); 77];
        for (index, &sensor) in sensors.iter().enumerate() {
            for _ in 0..2 {
                let Some(token) = gateway.consume(sensor, &mut out).unwrap() else { break };
                assert!(token.first_seq() >= acked[index]);
                for (record, seq) in out[..token.count() as usize].iter().zip(token.first_seq()..) {
                    assert_eq!((record.seq, record.value), (seq, value(index, seq)));
                }
                gateway.ack(token).unwrap();
            }
        }
        gateway.tick(u64::from(round) * 1_000_000 + 500_000);
        gateway.check().unwrap();
        for (index, &sensor) in sensors.iter().enumerate() {
            let levels = gateway.levels(sensor).unwrap();
            next[index] = levels.written_seq;
            acked[index] = levels.acked_durable_seq;
        }
        assert!(gateway.health().is_ok() || gateway.health().has(super::HealthCause::Volatile));
    }
}

/// An answer to what was in RAM only is written when there is something else to write: until then a kill
/// takes the numbers back.
#[test]
fn what_was_answered_in_ram_only_is_not_called_written() {
    let dir = tempfile::tempdir().unwrap();
    let mut gateway = Gateway::open_dir(dir.path(), &small(1)).unwrap();
    let sensors_before = sensors(&mut gateway, 1);
    for n in 0..10 {
        add(&mut gateway, &sensors_before, n);
    }
    gateway.sync().unwrap();
    for n in 10..15 {
        add(&mut gateway, &sensors_before, n);
    }
    assert_eq!(drain_all(&mut gateway, &sensors_before, 100)[&sensors_before[0]].len(), 15);
    gateway.tick(1_000);
    let levels = gateway.levels(sensors_before[0]).unwrap();
    drop(gateway);
    let mut gateway = Gateway::open_dir(dir.path(), &small(1)).unwrap();
    let sensors = sensors(&mut gateway, 1);
    let after = gateway.levels(sensors[0]).unwrap();
    assert!(after.added_seq >= levels.written_seq, "{after:?} follows {levels:?}");
    assert!(after.acked_seq >= levels.acked_durable_seq, "{after:?} follows {levels:?}");

    for n in after.added_seq..after.added_seq + 5 {
        add(&mut gateway, &sensors, n);
    }
    drain_all(&mut gateway, &sensors, 100);
    for second in 0..100 {
        gateway.tick(2_000 + second * 1_000);
    }
    let levels = gateway.levels(sensors[0]).unwrap();
    drop(gateway);
    let gateway = Gateway::open_dir(dir.path(), &small(1)).unwrap();
    let after = gateway.levels(sensors[0]).unwrap();
    assert!(after.added_seq >= levels.written_seq, "{after:?} follows {levels:?}");
}

/// The ledger and the counts of a sensor reach the log together, also when nothing of the sensor's
/// records did.
#[test]
fn a_rejection_that_survives_a_kill_is_counted_and_named() {
    let dir = tempfile::tempdir().unwrap();
    let mut gateway = Gateway::open_dir(dir.path(), &small(2)).unwrap();
    let handles = sensors(&mut gateway, 2);
    for n in 0..10 {
        add(&mut gateway, &handles, n);
    }
    gateway.sync().unwrap();
    drain_all(&mut gateway, &handles, 100);
    gateway.tick(0);
    gateway.tick(1_000);
    for n in 10..17 {
        add(&mut gateway, &handles, n);
    }
    let token = gateway.consume(handles[0], &mut [Record::default(); 7]).unwrap().unwrap();
    gateway.reject(token).unwrap();
    for second in 2..4 {
        gateway.tick(second * 1_000);
    }
    drop(gateway);
    let mut gateway = Gateway::open_dir(dir.path(), &small(2)).unwrap();
    let handles = sensors(&mut gateway, 2);
    let stats = gateway.stats(handles[0]).unwrap();
    assert_eq!((gateway.ledger().records, stats.rejected, stats.added), (7, 7, 17), "{stats:?}");
}

/// A squeeze gathers as much as its buffer of 64 KiB holds: sensors with more than that in a segment come
/// out whole, and so do those with less beside them.
#[test]
fn a_squeeze_of_sensors_that_fill_its_buffer_loses_nothing() {
    for count in [1, 5, 14] {
        let dir = tempfile::tempdir().unwrap();
        let mut config = GatewayConfig { segment_bytes: 1 << 20, ..small(count) };
        (config.pool_bytes, config.sector_bytes) = (32 << 10, Some(512));
        let mut gateway = Gateway::open_dir(dir.path(), &config).unwrap();
        let mut register = |id| gateway.register(SensorConfig::event(SensorKey { source: 0, id }));
        let handles: Vec<Sensor> = (0..count).map(|id| register(id).unwrap()).collect();
        let records = 560_000 / u64::from(count);
        for n in 0..records {
            for (index, &sensor) in handles.iter().enumerate() {
                // Every other sensor has half as many.
                let every = 1 + index as u64 % 2;
                if n % every == 0 {
                    let n = n / every;
                    assert_eq!(gateway.append_event(sensor, value(index, n), n), Ok(n));
                }
            }
            if n % 100 == 0 {
                gateway.tick(n * 10);
            }
        }
        for n in 0..1_000 {
            gateway.tick((records + n) * 10);
        }
        assert!(gateway.disk().segments_squeezed > 0, "{:?}", gateway.disk());
        let all = drain_all(&mut gateway, &handles, 1_000);
        for (index, sensor) in handles.iter().enumerate() {
            let records = records.div_ceil(1 + index as u64 % 2);
            let wanted: Vec<_> = (0..records).map(|n| (n, value(index, n))).collect();
            let seen: Vec<_> = all[sensor].iter().map(|r| (r.seq, r.value)).collect();
            assert!(seen == wanted, "{index} of {count}: {} of {records}", seen.len());
        }
    }
}

/// A checkpoint has as many entries of the ledger as RAM has: what is older is forgotten, and counted so.
#[test]
fn what_the_ledger_forgot_is_still_counted_after_another_opening() {
    let dir = tempfile::tempdir().unwrap();
    let config = GatewayConfig { losses_max: 16, ..small(1) };
    let mut gateway = Gateway::open_dir(dir.path(), &config).unwrap();
    let handles = sensors(&mut gateway, 1);
    for n in 0..100 {
        add(&mut gateway, &handles, n);
        let token = gateway.consume(handles[0], &mut [Record::default(); 1]).unwrap().unwrap();
        if n % 2 == 0 { gateway.reject(token).unwrap() } else { gateway.ack(token).unwrap() }
    }
    let before = gateway.ledger();
    assert!(before.forgotten > 0, "{before:?}");
    assert!(gateway.shut_down(None, &mut |_| ()).is_complete());
    drop(gateway);
    let gateway = Gateway::open_dir(dir.path(), &config).unwrap();
    let after = gateway.ledger();
    assert_eq!((after.records, after.forgotten), (50, before.forgotten));
}

#[test]
fn an_orderly_end_keeps_everything() {
    let dir = tempfile::tempdir().unwrap();
    let mut gateway = Gateway::open_dir(dir.path(), &small(8)).unwrap();
    let handles = sensors(&mut gateway, 8);
    for n in 0..333 {
        add(&mut gateway, &handles, n);
    }
    let report = gateway.shut_down(None, &mut |_| ());
    assert!(report.is_complete() && report.records > 0, "{report:?}");
    drop(gateway);
    let mut gateway = Gateway::open_dir(dir.path(), &small(8)).unwrap();
    assert!(gateway.recovery().was_clean);
    let handles = sensors(&mut gateway, 8);
    for n in 333..400 {
        add(&mut gateway, &handles, n);
    }
    let all = drain_all(&mut gateway, &handles, 1_000);
    assert_values(&all, &handles, 0..400);
}

#[test]
fn a_drain_follows_the_log_and_gives_each_sensor_its_order() {
    let dir = tempfile::tempdir().unwrap();
    let mut gateway = Gateway::open_dir(dir.path(), &small(20)).unwrap();
    let sensors = sensors(&mut gateway, 20);
    for n in 0..3_000 {
        add(&mut gateway, &sensors, n);
        gateway.tick(n * 1_000);
    }
    let mut all: HashMap<Sensor, Vec<Record>> = HashMap::new();
    let mut out = vec![Record::default(); 1_000];
    let none = BatchToken { first_seq: 0, sensor: sensors[0], epoch: 0, count: 0, attempt: 0 };
    let mut batches = vec![none; 64];
    let mut nacked = 0;
    loop {
        let drained = gateway.drain(super::DrainLimits::default(), &mut out, &mut batches).unwrap();
        if drained.batches == 0 {
            break;
        }
        let mut from = 0;
        for token in &batches[..drained.batches] {
            let records = &out[from..from + token.count() as usize];
            from += records.len();
            nacked += 1;
            if nacked % 7 == 0 {
                gateway.nack(*token).unwrap();
                continue;
            }
            all.entry(token.sensor()).or_default().extend(records);
            gateway.ack(*token).unwrap();
        }
        assert_eq!(from, drained.records);
    }
    assert_values(&all, &sensors, 0..3_000);
    gateway.check().unwrap();
}

#[test]
fn a_quota_drops_the_oldest_of_its_sensor_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let config = GatewayConfig { quota_bytes: 4_000, ..small(4) };
    let mut gateway = Gateway::open_dir(dir.path(), &config).unwrap();
    let sensors = sensors(&mut gateway, 4);
    for n in 0..4_000 {
        add(&mut gateway, &sensors, n);
        gateway.tick(n * 1_000);
    }
    gateway.check().unwrap();
    for (index, &sensor) in sensors.iter().enumerate() {
        let stats = gateway.stats(sensor).unwrap();
        assert!(stats.dropped_quota > 0 && stats.is_conserved(), "{stats:?}");
        let mut out = vec![Record::default(); 4_000];
        let token = gateway.consume(sensor, &mut out).unwrap().unwrap();
        assert_eq!(token.first_seq(), stats.dropped_quota, "sensor {index}");
        assert_eq!(u64::from(token.count()), stats.unsent);
    }
}

/// A store was shut down in order, its last page rotted, and every tool called it sound: the page was
/// taken for one whose writing a kill had cut.
#[test]
fn an_end_that_went_missing_after_an_orderly_shutdown_is_damage() {
    use crate::disk::{PAGE_BYTES, RepairOptions, Verdict, plan, repair, scan};
    let dir = tempfile::tempdir().unwrap();
    let mut gateway = Gateway::open_dir(dir.path(), &small(8)).unwrap();
    let handles = sensors(&mut gateway, 8);
    for n in 0..333 {
        add(&mut gateway, &handles, n);
    }
    assert!(gateway.shut_down(None, &mut |_| ()).is_complete());
    drop(gateway);
    let judge = || plan(&scan(&RealDisk::open_shared(dir.path()).unwrap()).unwrap()).verdict;
    assert_eq!(judge(), Verdict::Sound);
    let newest = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|it| it == "seg"))
        .max()
        .unwrap();
    let file = std::fs::OpenOptions::new().write(true).open(&newest).unwrap();
    let len = file.metadata().unwrap().len();
    file.set_len(len - 2 * PAGE_BYTES as u64).unwrap();
    assert_eq!(judge(), Verdict::Damaged);
    let copy = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    let gateway = Gateway::open_dir(copy.path(), &small(8)).unwrap();
    assert!(gateway.health().has(super::HealthCause::Damaged));
    let disk = RealDisk::open_owned(dir.path()).unwrap();
    repair(&disk, &RepairOptions { now_ms: 1 }).unwrap();
    assert_eq!(judge(), Verdict::Sound);
}

/// The newest records of a sensor stood in a page that rotted, and nothing behind it said that there
/// had been any: the loss was counted too low.
#[test]
fn a_page_that_rots_after_an_orderly_shutdown_is_missed_exactly() {
    use crate::disk::{Exported, PAGE_BYTES, RecordFilter, Records, scan};
    use std::os::unix::fs::FileExt;
    let dir = tempfile::tempdir().unwrap();
    let mut gateway = Gateway::open_dir(dir.path(), &small(8)).unwrap();
    let handles = sensors(&mut gateway, 8);
    for n in 0..600 {
        add(&mut gateway, &handles, n);
    }
    assert!(gateway.shut_down(None, &mut |_| ()).is_complete());
    let held = gateway.totals().retained();
    drop(gateway);
    let name = "0000000000000001-00.seg";
    let path = dir.path().join(name);
    let file = std::fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
    let pages = file.metadata().unwrap().len() / PAGE_BYTES as u64;
    let look = || {
        let disk = RealDisk::open_shared(dir.path()).unwrap();
        let scan = scan(&disk).unwrap();
        let mut records = Records::new(&disk, &scan, RecordFilter::default());
        let mut out = vec![Exported::default(); 10_000];
        (scan.totals().lost, records.next_records(&mut out).unwrap() as u64)
    };
    assert_eq!(look(), (0, held));
    // The first page is the checkpoint, the last one says what every sensor holds.
    for page in 1..pages - 1 {
        let mut byte = [0];
        let at = page * PAGE_BYTES as u64 + 700;
        file.read_exact_at(&mut byte, at).unwrap();
        file.write_all_at(&[byte[0] ^ 1], at).unwrap();
        let (lost, readable) = look();
        assert_eq!(lost + readable, held, "page {page} of {pages}");
        assert!(lost > 0, "page {page} of {pages}");
        file.write_all_at(&byte, at).unwrap();
    }
}
