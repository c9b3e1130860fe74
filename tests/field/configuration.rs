//! Rows of the list that concern other configurations, crash points, and health.

use ss_lib::{
    Record, Sensor, SensorConfig, SensorKey,
    disk::{PAGE_BYTES, Verdict},
    gateway::{Durability, Gateway, GatewayConfig, HealthCause, WhenFull},
};
use ss_tests::disk::{damage::look, faulty::FaultyDisk, memory::MemoryDisk};

const KEYS: [SensorKey; 2] = [SensorKey { source: 1, id: 1 }, SensorKey { source: 2, id: 1 }];

fn config() -> GatewayConfig {
    GatewayConfig {
        pool_bytes: 8 << 10,
        sector_bytes: Some(64),
        segment_bytes: 64 << 10,
        reserve_bytes: 16 << 10,
        full: WhenFull::Wait { ms: 0 },
        durability: Durability::EverySpill,
        ..GatewayConfig::new(2)
    }
}

fn open(disk: &FaultyDisk, config: &GatewayConfig) -> (Gateway<FaultyDisk>, [Sensor; 2]) {
    let mut gateway = Gateway::open(disk.clone(), config).unwrap();
    let sensors = KEYS.map(|key| gateway.register(SensorConfig::event(key)).unwrap());
    (gateway, sensors)
}

/// Adds so many events, whose value and time are their numbers. Says how many were taken.
fn add(gateway: &mut Gateway<FaultyDisk>, sensor: Sensor, count: u64) -> u64 {
    let next = |gateway: &Gateway<FaultyDisk>| gateway.levels(sensor).unwrap().added_seq;
    let before = next(gateway);
    for _ in 0..count {
        let seq = next(gateway);
        let _ = gateway.append_event(sensor, seq as u32, seq);
    }
    next(gateway) - before
}

/// Growing or shrinking the quota corrupted a ring that had wrapped.
#[test]
fn field_b38_a_store_that_has_wrapped_is_reopened_with_any_other_configuration() {
    const KIB: u64 = 1 << 10;
    let disk = FaultyDisk::default();
    let mut now_ms = 0;
    let mut wraps = 0;
    // Quota and limit in KiB, pool and RAM sector in bytes: larger and smaller again, each beside each.
    let mut settings = Vec::new();
    for (quota, limit) in [(64, 400), (1_000, 400), (16, 900), (200, 2_000), (8, 400), (500, 600)] {
        for (pool, sector) in [(8_192, 64), (2_048, 32), (32_768, 4_096), (16_384, 256)] {
            settings.push((quota * KIB, limit * KIB, pool, sector));
        }
    }
    for (quota_bytes, disk_max_bytes, pool_bytes, sector) in settings {
        let config = GatewayConfig {
            quota_bytes,
            disk_max_bytes,
            pool_bytes,
            sector_bytes: Some(sector),
            ..config()
        };
        let at = format!("{config:?}");
        let (mut gateway, sensors) = open(&disk, &config);
        for round in 0..12 {
            for (&sensor, count) in sensors.iter().zip([700, 150]) {
                assert!(add(&mut gateway, sensor, count) > 0, "{at}");
            }
            now_ms += 1_000;
            gateway.tick(now_ms);
            let token = gateway.consume(sensors[1], &mut vec![Record::default(); 60]).unwrap();
            if let Some(token) = token
                && round % 2 == 0
            {
                gateway.ack(token).unwrap();
            } else if let Some(token) = token {
                gateway.nack(token).unwrap();
            }
        }
        gateway.check().unwrap_or_else(|fault| panic!("{at}: {fault}"));
        gateway.sync().unwrap();
        let stats = sensors.map(|sensor| gateway.stats(sensor).unwrap());
        wraps += u64::from(stats[0].dropped() > 0);
        drop(gateway);
        // What the pages say is what the gateway said, whoever wrote them.
        let (scan, plan, found) = look(disk.memory());
        assert_eq!(plan.verdict, Verdict::Sound, "{at}: {:?}", plan.findings);
        for ((_, seq), (_, time_ms, value)) in &found {
            assert_eq!((*time_ms, u64::from(*value)), (*seq, *seq), "{at}");
        }
        for (key, stats) in KEYS.iter().zip(stats) {
            let scanned = scan.sensor(*key).unwrap();
            assert_eq!((scanned.held, scanned.stats), (stats.retained(), stats), "{at}");
        }
    }
    assert!(wraps >= 12, "only {wraps} configurations made the store drop its oldest");
}

/// After a power cut the end of the file lay behind the data: what stood between was read as records.
#[test]
fn field_b41_an_end_that_ran_ahead_of_the_data_is_cut_at_every_crash_point() {
    let config = GatewayConfig { spill_after_ms: 500, ..config() };
    let mut points = 0;
    for changes in 0.. {
        let disk = FaultyDisk::over(MemoryDisk::default().failing_after(changes));
        let Ok(mut gateway) = Gateway::open(disk.clone(), &config) else { continue };
        let sensors = KEYS.map(|key| gateway.register(SensorConfig::event(key)).unwrap());
        for second in 1..90 {
            add(&mut gateway, sensors[0], 40);
            add(&mut gateway, sensors[1], 20);
            gateway.tick(second * 1_000);
        }
        let durable = sensors.map(|sensor| gateway.levels(sensor).unwrap().durable_seq);
        drop(gateway);
        let files = disk.memory().files();
        let newest = files.keys().rfind(|name| name.ends_with("-00.seg")).cloned();
        // The size of the file has come, and of what was written behind its end nothing.
        for (ahead, byte) in [(0, 0), (1, 0), (PAGE_BYTES, 0), (3 * PAGE_BYTES + 512, 0xA7)] {
            let after = MemoryDisk::new(files.clone());
            if let Some(newest) = &newest {
                after.edit(newest, |file| file.resize(file.len() + ahead, byte));
            }
            let after = FaultyDisk::over(after);
            let (mut gateway, sensors) = open(&after, &config);
            for (&sensor, durable) in sensors.iter().zip(durable) {
                let end = gateway.levels(sensor).unwrap().added_seq;
                assert!(end >= durable, "after {changes} changes: {end} of {durable}");
                let mut out = vec![Record::default(); 4_000];
                let token = gateway.consume(sensor, &mut out).unwrap();
                let count = token.map_or(0, |token| u64::from(token.count()));
                assert_eq!(count, end, "after {changes} changes and {ahead} B");
                for (seq, record) in (0..end).zip(&out) {
                    assert_eq!((record.seq, record.value, record.time_ms), (seq, seq as u32, seq));
                }
                assert_eq!(add(&mut gateway, sensor, 5), 5);
            }
            gateway.sync().unwrap();
            let plan = look(after.memory()).1;
            let at = format!("after {changes} changes and {ahead} B");
            assert_eq!(plan.verdict, Verdict::Sound, "{at}: {:?}", plan.findings);
        }
        points += 1;
        if disk.memory().changes() <= changes {
            break;
        }
    }
    assert!(points > 50, "{points} crash points");
}

/// A threshold that was crossed before somebody watched was never told.
#[test]
fn field_b46_the_disks_health_is_a_state_whoever_asks_and_whenever() {
    let disk = FaultyDisk::default();
    let (mut gateway, sensors) = open(&disk, &config());
    add(&mut gateway, sensors[0], 50);
    gateway.sync().unwrap();
    assert!(gateway.health().is_ok());
    disk.leave_bytes(0);
    let mut now_ms = 0;
    let mut tick = |gateway: &mut Gateway<FaultyDisk>| {
        now_ms += 30_000;
        gateway.tick(now_ms);
    };
    for _ in 0..6 {
        add(&mut gateway, sensors[0], 500);
        tick(&mut gateway);
    }
    // Who comes late is told, and as often as he asks.
    let late = gateway.clone();
    for asked in [&late, &gateway, &late] {
        assert!(asked.health().has(HealthCause::DiskFull), "{:?}", asked.health());
        assert_eq!(asked.health(), gateway.health());
    }
    disk.heal();
    for _ in 0..6 {
        tick(&mut gateway);
    }
    assert!(late.health().is_ok(), "{:?}", late.health());
}
