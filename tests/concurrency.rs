//! Producers and an uploader on one store, on real threads, with values that say whose they are.
//!
//! `SS_SOAK_SECONDS` asks for longer runs. How much happens in that time differs from machine to
//! machine; what is checked does not.
#![cfg(not(feature = "shuttle"))]
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "helpers are tests too, and test data are small"
)]

use ss_lib::{
    AppendError, Kind, Record, Sensor, SensorConfig, SensorKey, Timestamp,
    gateway::{Durability, Gateway, GatewayConfig, WhenFull},
    ram::{Config, FullPolicy, Geometry, Shared, SharedConfig, Store},
};
use ss_tests::{
    settings,
    tagged::{Account, add, check_ledger, time_ms, value},
};
use std::{
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

const PRODUCERS: usize = 4;
const SENSORS_EACH: usize = 4;
const LOSSES: usize = 64;

/// Stops the producers, also when a check fails: the scope waits for them.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

fn soak_time(part: u32) -> Duration {
    Duration::from_secs(settings::number("SS_SOAK_SECONDS", 3)) / part
}

/// Even sensors are time series, odd ones events.
fn kind_of(sensor: usize) -> Kind {
    if sensor.is_multiple_of(2) { Kind::TimeSeries } else { Kind::Event }
}

fn open(sectors: u32, sensors: usize, policy: FullPolicy) -> (Store<Shared>, Vec<Sensor>) {
    let mut store = Store::open_shared(SharedConfig {
        geometry: Geometry::new(u64::from(sectors) * 64, 64, 1).unwrap(),
        sensors_max: sensors as u32,
        losses_max: LOSSES as u32,
        config: Config { policy, epoch: 1 },
    });
    let handles = (0..sensors)
        .map(|place| {
            let key = SensorKey { source: 2, id: place as u32 };
            let config = match kind_of(place) {
                Kind::TimeSeries => SensorConfig::time_series(key, 10),
                Kind::Event => SensorConfig::event(key),
            };
            store.register(config).unwrap()
        })
        .collect();
    (store, handles)
}

/// Adds to its sensors until told to stop. Returns how many adds were refused.
fn produce(mut store: Store<Shared>, sensors: &[(usize, Sensor)], stop: &AtomicBool) -> u64 {
    let mut next = vec![0; sensors.len()];
    let mut refused = 0;
    let mut turn = 0_usize;
    while !stop.load(Relaxed) {
        // Sensors are served unevenly, so that there is a richest one.
        turn = turn.wrapping_mul(5).wrapping_add(3);
        let at = (turn >> 3) % sensors.len();
        let (place, sensor) = sensors[at];
        match add(&mut store, sensor, kind_of(place), next[at]) {
            Ok(seq) => {
                assert_eq!(seq, next[at], "another number than the next");
                next[at] += 1;
            }
            Err(error) => {
                assert_eq!(error, AppendError::Full);
                refused += 1;
            }
        }
        if turn.is_multiple_of(61) {
            let _ = store.stats(sensor).map(|stats| assert!(stats.is_conserved()));
        }
    }
    for (&(_, sensor), next) in sensors.iter().zip(next) {
        assert_eq!(store.stats(sensor).map(|stats| stats.added), Ok(next));
    }
    refused
}

/// Consumes all sensors by turns, answers in every way, answers again late, and checks the store.
fn upload(store: &mut Store<Shared>, sensors: &[Sensor], accounts: &mut [Account], turns: u64) {
    let mut out = [Record::default(); 32];
    for turn in 0..turns {
        let place = (turn % sensors.len() as u64) as usize;
        let (sensor, account) = (sensors[place], &mut accounts[place]);
        let limit = 1 + (turn / 3 % 32) as usize;
        let Ok(Some(token)) = store.consume(sensor, &mut out[..limit]) else { continue };
        account.check(token, kind_of(place), &out[..token.count() as usize]);
        match turn % 7 {
            0 | 1 => assert_eq!(store.nack(token), Ok(())),
            2 => {
                assert_eq!(store.reject(token), Ok(()));
                account.answer(token, true);
            }
            _ => {
                assert_eq!(store.ack(token), Ok(()));
                account.answer(token, false);
            }
        }
        assert!(store.ack(token).is_err() && store.nack(token).is_err());
        if turn % 512 == 0 {
            assert_eq!(store.check(), Ok(()));
        }
    }
}

fn drain(store: &mut Store<Shared>, sensors: &[Sensor], accounts: &mut [Account]) {
    let mut out = [Record::default(); 64];
    for (place, (&sensor, account)) in sensors.iter().zip(accounts).enumerate() {
        while let Some(token) = store.consume(sensor, &mut out).unwrap() {
            account.check(token, kind_of(place), &out[..token.count() as usize]);
            assert_eq!(store.ack(token), Ok(()));
            account.answer(token, false);
        }
        account.close(store.stats(sensor).unwrap());
    }
    assert_eq!(store.pool().sectors_used, 0);
    assert_eq!(store.check(), Ok(()));
    check_ledger(store, LOSSES);
}

/// Runs the soak and returns (adds, refused, dropped).
fn soak(sectors: u32, policy: FullPolicy, time: Duration) -> (u64, u64, u64) {
    let count = PRODUCERS * SENSORS_EACH;
    let (mut store, sensors) = open(sectors, count, policy);
    let mut accounts = vec![Account::default(); count];
    let stop = AtomicBool::new(false);
    let end = Instant::now() + time;
    let refused: u64 = thread::scope(|scope| {
        let stop_at_end = Stop(&stop);
        let producers: Vec<_> = (0..PRODUCERS)
            .map(|producer| {
                let own: Vec<_> = sensors
                    .iter()
                    .copied()
                    .enumerate()
                    .filter(|(place, _)| place % PRODUCERS == producer)
                    .collect();
                let (store, stop) = (store.clone(), &stop);
                scope.spawn(move || produce(store, &own, stop))
            })
            .collect();
        // A producer that failed must not be waited for until the end of a long soak.
        while Instant::now() < end && !producers.iter().any(thread::ScopedJoinHandle::is_finished) {
            upload(&mut store, &sensors, &mut accounts, 4_096);
            store.tick(1);
        }
        drop(stop_at_end);
        producers.into_iter().map(|producer| producer.join().unwrap()).sum()
    });
    assert_eq!(store.check(), Ok(()));
    drain(&mut store, &sensors, &mut accounts);
    let totals = store.totals();
    assert_eq!(totals.refused, refused);
    (totals.added, refused, totals.dropped())
}

#[test]
fn field_b20_producers_and_an_uploader_never_cross_link_chains_while_recycling() {
    // The earlier manager freed a sector before it unlinked it: after two hours two chains shared
    // one, readings of one sensor came out of another, and a cycle locked the gateway up.
    for sectors in [3, 24, 200] {
        let (added, refused, dropped) = soak(sectors, FullPolicy::RecycleOldest, soak_time(3));
        eprintln!("soak: {sectors} sectors, {added} added, {refused} refused, {dropped} recycled");
        assert!(added > 0 && (sectors > 24 || dropped > 0));
    }
}

#[test]
fn producers_and_an_uploader_lose_nothing_when_new_readings_are_refused() {
    for sectors in [3, 24] {
        let (added, refused, dropped) = soak(sectors, FullPolicy::RefuseNew, soak_time(6));
        eprintln!("soak: {sectors} sectors, {added} added, {refused} refused");
        assert!(added > 0 && refused > 0);
        assert_eq!(dropped, 0);
    }
}

#[test]
fn two_producers_on_one_sensor_each_keep_their_own_order() {
    let (mut store, sensors) = open(16, 2, FullPolicy::RefuseNew);
    let sensor = sensors[1];
    let stop = AtomicBool::new(false);
    let end = Instant::now() + soak_time(6);
    let mut seen = [0_u64; 2];
    let mut next_seq = 0;
    let mut take = |store: &mut Store<Shared>| {
        let mut out = [Record::default(); 50];
        let Some(token) = store.consume(sensor, &mut out).unwrap() else { return false };
        for record in &out[..token.count() as usize] {
            assert_eq!(record.seq, next_seq, "nothing is dropped, so no number is skipped");
            next_seq += 1;
            let producer = (record.value >> 31) as usize;
            assert_eq!(u64::from(record.value & 0x7FFF_FFFF), seen[producer] & 0x7FFF_FFFF);
            assert_eq!(record.time_ms, seen[producer]);
            seen[producer] += 1;
        }
        assert_eq!(store.ack(token), Ok(()));
        true
    };
    thread::scope(|scope| {
        let _stop_at_end = Stop(&stop);
        for producer in 0..2_u32 {
            let (mut store, stop) = (store.clone(), &stop);
            scope.spawn(move || {
                let mut number = 0_u64;
                while !stop.load(Relaxed) {
                    let value = producer << 31 | number as u32 & 0x7FFF_FFFF;
                    number += u64::from(store.append_event(sensor, value, number).is_ok());
                }
            });
        }
        while Instant::now() < end {
            take(&mut store);
            assert_eq!(store.check(), Ok(()));
        }
    });
    while take(&mut store) {}
    let stats = store.stats(sensor).unwrap();
    eprintln!("two producers: {} added, {} refused", stats.added, stats.refused);
    assert_eq!(stats.added, seen[0] + seen[1]);
    assert!(seen[0] > 0 && seen[1] > 0);
}

/// Whoever shuts the store down, drains it and exits must have everything: an add that passed its
/// look at the flag on another thread must not store a reading behind the drain.
#[test]
fn after_shutting_down_and_draining_nothing_is_stored_any_more() {
    for _ in 0..200 {
        let (mut store, sensors) = open(64, PRODUCERS, FullPolicy::RecycleOldest);
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            let _stop_at_end = Stop(&stop);
            for (place, &sensor) in sensors.iter().enumerate() {
                let (mut store, stop) = (store.clone(), &stop);
                scope.spawn(move || {
                    let mut number = 0;
                    while !stop.load(Relaxed) {
                        match add(&mut store, sensor, kind_of(place), number) {
                            Ok(_) => number += 1,
                            Err(AppendError::ShuttingDown) => return,
                            Err(error) => assert_eq!(error, AppendError::Full),
                        }
                    }
                });
            }
            thread::yield_now();
            store.shut_down();
            let mut out = [Record::default(); 50];
            for &sensor in &sensors {
                while let Some(token) = store.consume(sensor, &mut out).unwrap() {
                    assert_eq!(store.ack(token), Ok(()));
                }
            }
        });
        assert_eq!(store.totals().retained(), 0);
    }
}

/// The same over a disk: two producers, an uploader and the manager's thread, with records in both tiers.
#[test]
fn field_b20_a_gateway_keeps_every_sensors_records_apart_and_in_order() {
    const SENSORS: usize = 8;
    let dir = tempfile::tempdir().unwrap();
    let config = GatewayConfig {
        pool_bytes: 16 << 10,
        sector_bytes: Some(64),
        segment_bytes: 64 << 10,
        reserve_bytes: 16 << 10,
        durability: Durability::Interval { ms: 20 },
        full: WhenFull::Wait { ms: 10_000 },
        ..GatewayConfig::new(SENSORS as u32)
    };
    let mut store = Gateway::open_dir(dir.path(), &config).unwrap();
    let sensors: Vec<_> = (0..SENSORS)
        .map(|place| {
            let key = SensorKey { source: 2, id: place as u32 };
            let config = match kind_of(place) {
                Kind::TimeSeries => SensorConfig::time_series(key, 10),
                Kind::Event => SensorConfig::event(key),
            };
            store.register(config).unwrap()
        })
        .collect();
    let manager = store.start_manager();
    let stop = AtomicBool::new(false);
    let end = Instant::now() + soak_time(3);
    let mut accounts = [Account::default(); SENSORS];
    let mut out = [Record::default(); 200];
    let mut upload = |store: &mut Gateway, turn: u64| {
        let place = (turn % SENSORS as u64) as usize;
        let limit = 1 + (turn / 3 % 200) as usize;
        let Some(token) = store.consume(sensors[place], &mut out[..limit]).unwrap() else { return };
        accounts[place].check(token, kind_of(place), &out[..token.count() as usize]);
        match turn % 7 {
            0 | 1 => assert_eq!(store.nack(token), Ok(())),
            2 => {
                assert_eq!(store.reject(token), Ok(()));
                accounts[place].answer(token, true);
            }
            _ => {
                assert_eq!(store.ack(token), Ok(()));
                accounts[place].answer(token, false);
            }
        }
        assert!(store.ack(token).is_err() && store.nack(token).is_err());
    };
    let mut turn = 0;
    thread::scope(|scope| {
        let stop_at_end = Stop(&stop);
        for producer in 0..2 {
            let own: Vec<_> = sensors
                .iter()
                .copied()
                .enumerate()
                .filter(|(place, _)| place % 2 == producer)
                .collect();
            let (mut store, stop) = (store.clone(), &stop);
            scope.spawn(move || {
                let mut number = 0_u64;
                while !stop.load(Relaxed) {
                    for &(place, sensor) in &own {
                        let (value, at_ms) = (value(sensor, number), time_ms(sensor, number));
                        let added = match kind_of(place) {
                            Kind::TimeSeries => store.append(sensor, value, Timestamp::utc(at_ms)),
                            Kind::Event => store.append_event(sensor, value, at_ms),
                        };
                        assert_eq!(added, Ok(number));
                    }
                    number += 1;
                    if number.is_multiple_of(64) {
                        thread::yield_now();
                    }
                }
            });
        }
        while Instant::now() < end {
            for _ in 0..64 {
                turn += 1;
                upload(&mut store, turn);
            }
            if turn % 4_096 == 0 {
                store.sync().unwrap();
                assert_eq!(store.check(), Ok(()));
            }
        }
        drop(stop_at_end);
    });
    assert_eq!(store.check(), Ok(()));
    let disk = store.disk();
    while store.totals().unsent > 0 {
        turn += 1;
        upload(&mut store, turn);
    }
    drop(manager);
    let added = store.totals().added;
    eprintln!("gateway soak: {added} added, {disk:?}");
    assert!(disk.bytes_peak > 128 << 10 && disk.pages_read > 0, "{disk:?}");
    for (&sensor, account) in sensors.iter().zip(&accounts) {
        account.close(store.stats(sensor).unwrap());
    }
    assert_eq!(store.check(), Ok(()));
}
