//! The store's locks under a scheduler that samples interleavings, at random and by few preemptions.
//!
//! `SS_SHUTTLE_ITERATIONS` asks for more schedules. A failure prints the schedule that repeats it.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "helpers are tests too, and test data are small"
)]

use shuttle::{check_pct, check_random, current::context_switches, thread};
use ss_lib::{
    AppendError, Kind, Record, Sensor, SensorConfig, SensorKey,
    ram::{Config, FullPolicy, Geometry, Shared, SharedConfig, Store},
};
use ss_tests::{
    settings,
    tagged::{Account, add, check_ledger},
};
use std::panic::{AssertUnwindSafe, catch_unwind};

const LOSSES: usize = 16;
/// Scheduling points at which PCT may preempt: most bugs of this kind need two or three.
const PCT_DEPTH: usize = 3;

fn iterations() -> usize {
    settings::number("SS_SHUTTLE_ITERATIONS", 2_000)
}

/// Half of the schedules at random, half by probabilistic concurrency testing.
fn explore(body: fn()) {
    check_random(body, iterations() / 2);
    check_pct(body, iterations() / 2, PCT_DEPTH);
}

fn key(id: u32) -> SensorKey {
    SensorKey { source: 0, id }
}

fn open(sectors: u32, sensors_max: u32, policy: FullPolicy) -> Store<Shared> {
    Store::open_shared(SharedConfig {
        geometry: Geometry::new(u64::from(sectors) * 32, 32, 1).unwrap(),
        sensors_max,
        losses_max: LOSSES as u32,
        config: Config { policy, epoch: 1 },
    })
}

/// Two events fill a sector, so that a few adds are enough to need another.
fn events(store: &mut Store<Shared>, count: u32) -> Vec<Sensor> {
    (0..count).map(|id| store.register(SensorConfig::event(key(id))).unwrap()).collect()
}

fn produce(mut store: Store<Shared>, sensor: Sensor, adds: u64) {
    let mut next = 0;
    for _ in 0..adds {
        match add(&mut store, sensor, Kind::Event, next) {
            Ok(seq) => {
                assert_eq!(seq, next);
                next += 1;
            }
            Err(error) => assert_eq!(error, AppendError::Full),
        }
    }
    assert_eq!(store.stats(sensor).unwrap().added, next);
}

/// Consumes the sensors by turns; nacks, rejects and acks.
fn upload(store: &mut Store<Shared>, sensors: &[Sensor], accounts: &mut [Account], turns: usize) {
    let mut out = [Record::default(); 3];
    for turn in 0..turns {
        let place = turn % sensors.len();
        let Ok(Some(token)) = store.consume(sensors[place], &mut out) else { continue };
        accounts[place].check(token, Kind::Event, &out[..token.count() as usize]);
        match turn % 5 {
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
        assert!(store.ack(token).is_err());
    }
}

fn drain(store: &mut Store<Shared>, sensors: &[Sensor], accounts: &mut [Account]) {
    let mut out = [Record::default(); 8];
    assert_eq!(store.check(), Ok(()));
    for (&sensor, account) in sensors.iter().zip(accounts) {
        while let Some(token) = store.consume(sensor, &mut out).unwrap() {
            account.check(token, Kind::Event, &out[..token.count() as usize]);
            assert_eq!(store.ack(token), Ok(()));
            account.answer(token, false);
        }
        account.close(store.stats(sensor).unwrap());
    }
    assert_eq!(store.pool().sectors_used, 0);
    assert_eq!(store.check(), Ok(()));
    check_ledger(store, LOSSES);
}

/// Two producers, an uploader and an inspector on three sensors.
fn everybody_at_once(sectors: u32, policy: FullPolicy) {
    let mut store = open(sectors, 3, policy);
    let sensors = events(&mut store, 3);
    let mut accounts = vec![Account::default(); 3];
    // The third sensor begins as the richest and never adds again.
    produce(store.clone(), sensors[2], 2 * u64::from(sectors));
    let threads: Vec<_> = sensors[..2]
        .iter()
        .map(|&sensor| {
            let store = store.clone();
            thread::spawn(move || produce(store, sensor, 7))
        })
        .collect();
    let inspector = {
        let mut store = store.clone();
        thread::spawn(move || {
            for _ in 0..3 {
                assert_eq!(store.check(), Ok(()));
                assert!(store.totals().is_conserved());
            }
        })
    };
    upload(&mut store, &sensors, &mut accounts, 9);
    for thread in threads {
        thread.join().unwrap();
    }
    inspector.join().unwrap();
    drain(&mut store, &sensors, &mut accounts);
}

#[test]
fn recycling_from_the_richest_among_producers_uploader_and_check() {
    explore(|| everybody_at_once(2, FullPolicy::RecycleOldest));
    explore(|| everybody_at_once(4, FullPolicy::RecycleOldest));
}

#[test]
fn refusing_among_producers_uploader_and_check() {
    explore(|| everybody_at_once(3, FullPolicy::RefuseNew));
}

#[test]
fn sensors_are_registered_and_found_while_others_add() {
    explore(|| {
        let mut store = open(4, 4, FullPolicy::RecycleOldest);
        let sensors = events(&mut store, 1);
        let producer = {
            let (store, first) = (store.clone(), sensors[0]);
            thread::spawn(move || produce(store, first, 8))
        };
        let registrars: Vec<_> = (1..3)
            .map(|id| {
                let mut store = store.clone();
                thread::spawn(move || {
                    let sensor = store.register(SensorConfig::event(key(id))).unwrap();
                    assert_eq!(store.find(key(id)), Some(sensor));
                    // Both want this one: exactly one gets it.
                    let both = store.register(SensorConfig::event(key(9))).is_ok();
                    produce(store, sensor, 3);
                    both
                })
            })
            .collect();
        for _ in 0..2 {
            for known in store.sensors() {
                assert!(store.stats(known).unwrap().is_conserved());
            }
            assert_eq!(store.check(), Ok(()));
        }
        let both: Vec<_> = registrars.into_iter().map(|thread| thread.join().unwrap()).collect();
        assert!(both[0] != both[1], "one key was registered {both:?}");
        producer.join().unwrap();
        assert_eq!(store.sensors().len(), 4);
        assert_eq!(store.check(), Ok(()));
    });
}

#[test]
fn two_uploaders_never_get_the_same_records() {
    explore(|| {
        let mut store = open(3, 1, FullPolicy::RefuseNew);
        let sensor = events(&mut store, 1)[0];
        produce(store.clone(), sensor, 6);
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let mut store = store.clone();
                thread::spawn(move || {
                    let mut out = [Record::default(); 2];
                    let mut firsts = Vec::new();
                    for _ in 0..4 {
                        let Ok(Some(token)) = store.consume(sensor, &mut out) else { continue };
                        firsts.push(token.first_seq());
                        assert_eq!(store.ack(token), Ok(()));
                    }
                    firsts
                })
            })
            .collect();
        let mut all: Vec<_> = threads.into_iter().flat_map(|t| t.join().unwrap()).collect();
        all.sort_unstable();
        assert!([0, 2, 4].starts_with(&all), "{all:?}");
    });
}

/// Says whether exploring finds a failure in `body`.
fn is_caught(body: fn()) -> bool {
    catch_unwind(AssertUnwindSafe(|| explore(body))).is_err()
}

#[test]
fn a_planted_lost_update_is_caught() {
    assert!(is_caught(|| {
        let counter = shuttle::sync::Arc::new(shuttle::sync::Mutex::new(0));
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let counter = counter.clone();
                thread::spawn(move || {
                    // The lock is given up between reading and writing.
                    let read = *counter.lock().unwrap();
                    *counter.lock().unwrap() = read + 1;
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(*counter.lock().unwrap(), 2);
    }));
}

#[test]
fn a_planted_check_then_act_on_the_store_is_caught() {
    assert!(is_caught(|| {
        let mut store = open(2, 1, FullPolicy::RecycleOldest);
        let sensor = events(&mut store, 1)[0];
        let producer = {
            let store = store.clone();
            thread::spawn(move || produce(store, sensor, 3))
        };
        // What was counted is not what is there when it is consumed.
        let unsent = store.unsent(sensor).unwrap();
        let token = store.consume(sensor, &mut [Record::default(); 8]).unwrap();
        assert_eq!(token.map_or(0, |token| token.count()), unsent);
        producer.join().unwrap();
    }));
}

#[test]
fn field_b11_the_work_of_an_answer_does_not_grow_with_the_sensors() {
    // Nack handling scanned every sensor: with thousands of them the uploader stood for 3 s. Here
    // each chain has a lock and each lock is a step of the scheduler, so that the steps of an
    // answer count the chains that it touches.
    fn steps_of_answers(sensors: u32) -> usize {
        let mut store = open(sensors * 2, sensors, FullPolicy::RecycleOldest);
        let all = events(&mut store, sensors);
        for &sensor in &all {
            produce(store.clone(), sensor, 4);
        }
        let before = context_switches();
        for reply in [Store::nack, Store::reject] {
            let token = store.consume(all[0], &mut [Record::default(); 2]).unwrap().unwrap();
            assert_eq!(reply(&mut store, token), Ok(()));
        }
        let token = store.consume(all[0], &mut [Record::default(); 2]).unwrap().unwrap();
        assert_eq!(store.ack(token), Ok(()));
        context_switches() - before
    }
    check_random(
        || {
            // A second thread, so that there is something to schedule.
            let other = thread::spawn(thread::yield_now);
            other.join().unwrap();
            let few = steps_of_answers(2);
            assert!(few > 0, "nothing was counted");
            assert_eq!(few, steps_of_answers(64));
        },
        1,
    );
}
