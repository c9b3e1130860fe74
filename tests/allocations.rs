//! No allocation after opening, and no byte more at opening than the formula says.
#![cfg(not(feature = "shuttle"))]
#![allow(clippy::unwrap_used, reason = "helpers are tests too")]

use allocation_counter::measure;
use ss_lib::{
    BatchToken, Loss, Record, Sensor, SensorConfig, SensorKey, Timestamp,
    gateway::{self, DrainLimits, Durability, Gateway, GatewayConfig, WhenFull},
    ram::{Config, FullPolicy, Geometry, Shared, SharedConfig, Store, footprint_bytes},
};

const SENSORS: u32 = 2_048;
const POOL_BYTES: u64 = 64 * 1024;

fn gateway() -> SharedConfig {
    SharedConfig::auto(POOL_BYTES, SENSORS).unwrap()
}

fn sensor_config(id: u32) -> SensorConfig {
    let key = SensorKey { source: (id % 3) as u8, id };
    if id.is_multiple_of(2) {
        SensorConfig::time_series(key, 1_000)
    } else {
        SensorConfig::event(key)
    }
}

fn open_gateway(policy: FullPolicy) -> (Store<Shared>, Vec<Sensor>) {
    let config = SharedConfig { config: Config { policy, epoch: 1 }, ..gateway() };
    let mut store = Store::open_shared(config);
    let sensors = (0..SENSORS).map(|id| store.register(sensor_config(id)).unwrap()).collect();
    (store, sensors)
}

fn add(store: &mut Store<Shared>, sensor: Sensor, number: u32) {
    let at = Timestamp::utc(1_000_000 + u64::from(number) * 1_000);
    // Full is an answer too: what counts is that it costs no memory.
    let _ = if sensor.index().is_multiple_of(2) {
        store.append(sensor, number, at)
    } else {
        store.append_event(sensor, number, at.ms)
    };
}

/// A day in short: every operation of a running store, on every sensor, well beyond a full pool.
fn use_everything(store: &mut Store<Shared>, sensors: &[Sensor]) {
    let mut out = [Record::default(); 100];
    let mut losses = [Loss::NONE; 256];
    for round in 0..20 {
        store.tick(u64::from(round) * 100);
        for (place, &sensor) in sensors.iter().enumerate() {
            add(store, sensor, round);
            assert!(store.peek(sensor).is_ok());
            assert!(store.peek_batch(sensor, &mut out).is_ok());
            if (place + round as usize).is_multiple_of(3)
                && let Ok(Some(token)) = store.consume(sensor, &mut out)
            {
                assert!(store.read_at(sensor, token.first_seq()).is_ok());
                assert_eq!(store.pending_batch(sensor), Ok(Some(token)));
                // One in four stays pending, so that recycling has to look elsewhere.
                let _ = match (place / 3 + round as usize) % 4 {
                    0 => store.ack(token),
                    1 => store.nack(token),
                    2 => store.reject(token),
                    _ => Ok(()),
                };
            } else if let Ok(Some(token)) = store.pending_batch(sensor) {
                assert_eq!(store.ack(token), Ok(()));
                assert!(store.ack(token).is_err());
            }
        }
        // One sensor takes what the others gave back, and then takes from the richest.
        for number in 0..200 {
            add(store, sensors[round as usize], number);
        }
        store.limit_sectors(if round % 2 == 0 { 1_500 } else { u32::MAX });
        store.losses(&mut losses);
        assert!(store.totals().is_conserved());
        assert!(store.pool().sectors_used <= store.pool().sectors_total);
        assert!(store.ledger().records >= store.ledger().forgotten);
    }
    store.shut_down();
    add(store, sensors[0], 0);
}

#[test]
fn nothing_is_allocated_after_opening() {
    for policy in [FullPolicy::RecycleOldest, FullPolicy::RefuseNew] {
        let (mut store, sensors) = open_gateway(policy);
        let counted = measure(|| use_everything(&mut store, &sensors));
        assert_eq!(counted.count_total, 0, "{policy:?}: {counted:?}");
        let totals = store.totals();
        assert!(totals.added > 30_000 && totals.erased > 10_000, "too little happened: {totals:?}");
        match policy {
            FullPolicy::RecycleOldest => assert!(totals.dropped_recycled > 1_000, "{totals:?}"),
            FullPolicy::RefuseNew => assert!(totals.refused > 1_000, "{totals:?}"),
        }
        assert_eq!(store.check(), Ok(()));
    }
}

#[test]
fn registering_allocates_nothing() {
    let mut store = Store::open_shared(gateway());
    let counted = measure(|| {
        for id in 0..SENSORS {
            let sensor = store.register(sensor_config(id)).unwrap();
            assert_eq!(store.find(sensor_config(id).key), Some(sensor));
        }
        assert!(store.register(sensor_config(SENSORS)).is_err());
    });
    assert_eq!(counted.count_total, 0, "{counted:?}");
}

#[test]
fn opening_takes_exactly_the_bytes_of_the_formula() {
    let odd = SharedConfig {
        geometry: Geometry::new(1_000_003, 256, 33).unwrap(),
        sensors_max: 33,
        losses_max: 0,
        config: Config::default(),
    };
    let auto = |bytes, sensors| SharedConfig::auto(bytes, sensors).unwrap();
    let configs = [gateway(), odd, auto(32, 1), auto(4 << 20, 1_000), auto(64 * 1024, 16)];
    for config in configs {
        let mut opened = None;
        let counted = measure(|| opened = Some(Store::open_shared(config)));
        let formula = footprint_bytes(&config);
        assert_eq!(counted.bytes_current, formula.cast_signed(), "{config:?}");
        assert_eq!(counted.bytes_total, formula, "{config:?}: taken and given back");
        let freed = measure(|| drop(opened.take()));
        assert_eq!(freed.bytes_current, -formula.cast_signed(), "{config:?}: leaked");
    }
}

#[test]
fn the_gateways_store_is_at_most_1_mib() {
    let bytes = footprint_bytes(&gateway());
    eprintln!("2,048 sensors on a 64 KiB pool: {bytes} B of 1,048,576 B");
    assert!(bytes <= 1 << 20, "{bytes} B");
}

/// Everything that a gateway with a disk does in a day, in short: both tiers in use, segments begun,
/// sealed, squeezed and removed.
fn use_disk(
    store: &mut Gateway,
    sensors: &[Sensor],
    out: &mut [Record],
    tokens: &mut [BatchToken],
) {
    for round in 0..160_u64 {
        for _ in 0..12 {
            for &sensor in sensors {
                let seq = store.sensor_config(sensor).unwrap().first_seq;
                let value = seq as u32;
                let added = if sensor.index().is_multiple_of(2) {
                    store.append(sensor, value, Timestamp::utc(seq * 1_000))
                } else {
                    store.append_event(sensor, value, seq)
                };
                assert!(added.is_ok());
            }
        }
        store.tick(round * 500);
        let sensor = sensors[round as usize % sensors.len()];
        assert!(store.peek(sensor).is_ok());
        if let Ok(Some(token)) = store.consume(sensor, &mut out[..50]) {
            assert!(store.read_at(sensor, token.first_seq()).is_ok());
            let _ = match round % 5 {
                0 => store.nack(token),
                1 => store.reject(token),
                _ => store.ack(token),
            };
        }
        if round % 3 == 0 {
            let drained = store.drain(DrainLimits { batch_records: 100 }, out, tokens).unwrap();
            for &token in &tokens[..drained.batches] {
                assert_eq!(store.ack(token), Ok(()));
            }
        }
        if round % 40 == 7 {
            store.clock_synced(round.cast_signed());
            store.sync().unwrap();
        }
        assert!(store.totals().is_conserved() && store.disk().bytes_peak < 2 << 20);
    }
}

#[test]
fn a_gateway_with_its_disk_in_use_allocates_nothing() {
    for (squeezes, quota_bytes) in [(true, 1 << 30), (false, 4_000)] {
        let config = GatewayConfig {
            pool_bytes: 8 << 10,
            sector_bytes: Some(64),
            segment_bytes: 64 << 10,
            disk_max_bytes: 2 << 20,
            reserve_bytes: 16 << 10,
            full: WhenFull::Wait { ms: 0 },
            durability: Durability::Interval { ms: 1_000 },
            quota_bytes,
            squeezes,
            ..GatewayConfig::new(16)
        };
        let dir = tempfile::tempdir().unwrap();
        // Twice: what an opening finds must not cost more later.
        for opening in 0..2 {
            let mut store = Gateway::open_dir(dir.path(), &config).unwrap();
            let sensors: Vec<_> =
                (0..16).map(|id| store.register(sensor_config(id)).unwrap()).collect();
            let mut out = vec![Record::default(); 1_000];
            store.append(sensors[0], 0, Timestamp::utc(0)).unwrap();
            let token = store.consume(sensors[0], &mut out).unwrap().unwrap();
            let mut tokens = vec![token; 24];
            store.nack(token).unwrap();
            let counted = measure(|| use_disk(&mut store, &sensors, &mut out, &mut tokens));
            assert_eq!(counted.count_total, 0, "opening {opening}: {counted:?}");
            let disk = store.disk();
            assert!(disk.bytes_peak > 64 << 10 && disk.bytes_written > disk.bytes, "{disk:?}");
            assert!(disk.sectors > 20 && disk.pages_read > 0, "{disk:?}");
            store.check().unwrap();
        }
    }
}

#[test]
fn a_gateway_takes_exactly_the_bytes_of_the_formula_and_at_most_1_mib() {
    for sensors in [1, 100, 2_048] {
        let config = GatewayConfig::new(sensors);
        let dir = tempfile::tempdir().unwrap();
        let mut opened = None;
        let counted = measure(|| opened = Some(Gateway::open_dir(dir.path(), &config).unwrap()));
        let formula = gateway::footprint_bytes(&config).unwrap();
        eprintln!("{sensors} sensors: {formula} B");
        assert_eq!(counted.bytes_current, formula.cast_signed(), "{sensors} sensors");
        assert!(formula <= 1 << 20, "{sensors} sensors: {formula} B");
        let freed = measure(|| drop(opened.take()));
        assert_eq!(freed.bytes_current, -formula.cast_signed(), "{sensors} sensors: leaked");
    }
}
