//! What threads do to a gateway at the same time.

use crate::books::{SENSORS, Scene, Store, claim, config, drain, key, observe, produce, upload};
use ss_lib::{
    BatchToken, Kind, Record, RegisterError, Sensor, SensorConfig,
    disk::sim::{Call, Due, SimFault},
    gateway::{DrainLimits, Durability, GatewayConfig},
};
use ss_tests::{
    tagged::Account,
    threads::{JoinHandle, spawn, yield_now},
};
use std::time::Duration;

/// An interpreter takes a thousand times as long.
const fn sized(machine: u64, interpreter: u64) -> u64 {
    if cfg!(miri) { interpreter } else { machine }
}

/// A producer for each sensor: says how many records were taken.
fn producers(scene: &Scene, adds: u64) -> Vec<JoinHandle<u64>> {
    let produce = |&sensor: &Sensor| {
        let store = scene.store.clone();
        spawn(move || produce(store, sensor, adds))
    };
    scene.sensors.iter().map(produce).collect()
}

fn uploader(scene: &Scene, turns: u64) -> JoinHandle<Vec<Account>> {
    let (mut store, sensors) = (scene.store.clone(), scene.sensors.clone());
    spawn(move || {
        let mut accounts = vec![Account::default(); sensors.len()];
        upload(&mut store, &sensors, &mut accounts, turns);
        accounts
    })
}

fn join<T>(threads: Vec<JoinHandle<T>>) -> Vec<T> {
    threads.into_iter().map(|thread| thread.join().unwrap()).collect()
}

/// Producers, an uploader and the manager; somebody looks on. In the end every record was uploaded once,
/// in order, and at every moment what was called durable was.
pub fn everybody_at_once(sectors: u64) {
    let mut scene = Scene::new(config(sectors));
    let manager = scene.store.start_manager();
    let producers = producers(&scene, sized(9, 4));
    let uploader = uploader(&scene, sized(10, 4));
    let claims = observe(&mut scene.store, &scene.disk, sized(3, 1));
    join(producers);
    let mut accounts = uploader.join().unwrap();
    drop(manager);
    drain(&mut scene.store, &scene.sensors, &mut accounts);
    for claim in claims {
        claim.judge(&scene.config, false);
    }
}

/// Adds and syncs until there are so many segments. Says how many records each sensor has.
fn pile_up(scene: &mut Scene, segments: u32) -> u64 {
    let mut made = 0;
    while scene.store.disk().segments < segments {
        made += 1;
        for &sensor in &scene.sensors {
            produce(scene.store.clone(), sensor, made);
        }
        scene.store.sync().unwrap();
    }
    made
}

/// The store is shut down in the midst of it, with a backlog in which the manager has things to do. What was
/// taken is on disk when the shutdown says so, nothing is taken behind it, and nothing is written.
pub fn shutdown_in_the_middle(segments: u32) {
    let mut scene = Scene::new(GatewayConfig { durability: Durability::EverySpill, ..config(4) });
    let made = pile_up(&mut scene, segments);
    let manager = scene.store.start_manager();
    let producers = producers(&scene, made + sized(10, 5));
    let uploader = uploader(&scene, sized(6, 2));
    for _ in 0..3 {
        yield_now();
    }
    let mut progress = Vec::new();
    let report = scene.store.shut_down(Some(Duration::from_secs(60)), &mut |now| {
        progress.push(now);
    });
    let files = scene.disk.sim.image().hash();
    assert!(report.is_complete(), "{report:?}");
    assert!(progress.windows(2).all(|pair| pair[0].left >= pair[1].left), "{progress:?}");
    let added = join(producers);
    let mut accounts = uploader.join().unwrap();
    drop(manager);
    assert_eq!(scene.disk.sim.image().hash(), files, "changed behind the end");
    let reopened = claim(&scene.store, &scene.disk).judge(&scene.config, false);
    assert!(reopened.was_clean);
    assert_eq!(reopened.end_seqs, added);
    drain(&mut scene.store, &scene.sensors, &mut accounts);
}

/// The same with nobody but a caller of `tick`, whose sync may be under way when the shutdown begins.
#[cfg(not(miri))]
pub fn shutdown_beside_a_tick() {
    let mut scene = Scene::new(GatewayConfig { durability: Durability::EverySpill, ..config(4) });
    let made = pile_up(&mut scene, 5);
    produce(scene.store.clone(), scene.sensors[0], made + 3);
    let ticker = {
        let mut store = scene.store.clone();
        spawn(move || {
            store.tick(100);
            store.tick(900);
        })
    };
    let report = scene.store.shut_down(None, &mut |_| {});
    assert!(report.is_complete(), "{report:?}");
    let files = scene.disk.sim.image().hash();
    ticker.join().unwrap();
    assert_eq!(scene.disk.sim.image().hash(), files, "changed behind the end");
    let reopened = claim(&scene.store, &scene.disk).judge(&scene.config, false);
    assert!(reopened.was_clean);
    assert_eq!(reopened.end_seqs, [made + 3, made]);
}

/// Two threads call `tick` and one calls `sync`: what a sync covers is durable, and no more.
pub fn several_commits() {
    let mut scene = Scene::new(GatewayConfig { durability: Durability::EverySpill, ..config(8) });
    let producers = producers(&scene, sized(5, 3));
    let uploader = uploader(&scene, sized(6, 2));
    let tickers: Vec<_> = (0..2)
        .map(|_| {
            let mut store = scene.store.clone();
            spawn(move || {
                for now_ms in 1..sized(4, 3) {
                    store.tick(now_ms * 200);
                }
            })
        })
        .collect();
    let syncer = {
        let mut store = scene.store.clone();
        spawn(move || {
            let before: Vec<_> = store.sensors().map(|s| store.levels(s).unwrap()).collect();
            store.sync().unwrap();
            for (sensor, before) in store.sensors().zip(before) {
                let now = store.levels(sensor).unwrap();
                assert!(now.durable_seq >= before.added_seq, "{before:?}, {now:?}");
            }
        })
    };
    let claims = observe(&mut scene.store, &scene.disk, sized(4, 1));
    join(producers);
    join(tickers);
    syncer.join().unwrap();
    let mut accounts = uploader.join().unwrap();
    let last = claim(&scene.store, &scene.disk);
    drain(&mut scene.store, &scene.sensors, &mut accounts);
    for claim in claims.iter().chain([&last]) {
        claim.judge(&scene.config, false);
    }
}

/// Two threads answer for records and tick, as two that both think that the store is theirs would: what one
/// tells the log while the other's sync is under way is durable with its own.
pub fn two_tick() {
    let scene = Scene::new(GatewayConfig { durability: Durability::EverySpill, ..config(6) });
    produce(scene.store.clone(), scene.sensors[0], 6);
    scene.store.clone().sync().unwrap();
    let tickers = (1..3).map(|now_ms| {
        let (mut store, disk, sensor) = (scene.store.clone(), scene.disk.clone(), scene.sensors[0]);
        spawn(move || {
            let answered = store.consume(sensor, &mut [Record::default(); 2]);
            if let Ok(Some(token)) = answered {
                assert_eq!(store.ack(token), Ok(()));
            }
            store.tick(now_ms * 100);
            claim(&store, &disk)
        })
    });
    for claim in join(tickers.collect()) {
        claim.judge(&scene.config, false);
    }
}

/// The nth sync fails, once; nobody is told otherwise, and nothing is lost while there is power.
pub fn a_sync_fails(nth: u64) {
    let mut scene = Scene::new(GatewayConfig { durability: Durability::EverySpill, ..config(6) });
    scene.disk.sim.fail(Due { call: Call::Sync, fault: SimFault::Io, nth, times: 1 });
    let manager = scene.store.start_manager();
    let producers = producers(&scene, sized(7, 3));
    let uploader = uploader(&scene, sized(5, 2));
    let syncer = {
        let mut store = scene.store.clone();
        // One of them may be told of the failure.
        spawn(move || (0..2).filter(|_| store.sync().is_err()).count())
    };
    let claims = observe(&mut scene.store, &scene.disk, sized(3, 1));
    join(producers);
    assert!(syncer.join().unwrap() <= 1);
    let mut accounts = uploader.join().unwrap();
    drop(manager);
    drain(&mut scene.store, &scene.sensors, &mut accounts);
    for claim in claims {
        claim.judge(&scene.config, true);
    }
}

/// A backlog of several segments is drained in the order of the log, and by one sensor's batches, while
/// the manager squeezes and reclaims what lies behind and another record is added to the front.
pub fn backlog_is_drained_while_it_is_squeezed(segments: u32) {
    let mut scene = Scene::new(config(8));
    let made = pile_up(&mut scene, segments);
    let producer = {
        let (store, sensor) = (scene.store.clone(), scene.sensors[0]);
        spawn(move || produce(store, sensor, made + 4))
    };
    let ticker = {
        let mut store = scene.store.clone();
        spawn(move || {
            for now_ms in 1..sized(8, 3) {
                store.tick(now_ms * 200);
            }
        })
    };
    let drainer = {
        let store = scene.store.clone();
        let sensors = scene.sensors.clone();
        spawn(move || drain_in_log_order(store, &sensors, sized(6, 4)))
    };
    let claims = observe(&mut scene.store, &scene.disk, sized(2, 1));
    producer.join().unwrap();
    ticker.join().unwrap();
    let mut accounts = drainer.join().unwrap();
    scene.store.sync().unwrap();
    let last = claim(&scene.store, &scene.disk);
    for claim in claims.iter().chain([&last]) {
        claim.judge(&scene.config, false);
    }
    drain(&mut scene.store, &scene.sensors, &mut accounts);
}

/// Batches of all sensors, each answered in one of three ways.
fn drain_in_log_order(mut store: Store, sensors: &[Sensor], turns: u64) -> Vec<Account> {
    let mut accounts = vec![Account::default(); sensors.len()];
    let mut out = [Record::default(); 12];
    let mut tokens = [BatchToken::from_parts(0, sensors[0], 0, 0, 0); SENSORS];
    for turn in 0..turns {
        let limits = DrainLimits { batch_records: 5 };
        let drained = store.drain(limits, &mut out, &mut tokens).unwrap();
        let mut from = 0;
        for &token in &tokens[..drained.batches] {
            let records = &out[from..from + token.count() as usize];
            let account = &mut accounts[token.sensor().index()];
            account.check(token, Kind::Event, records);
            from += records.len();
            match turn % 4 {
                0 => assert_eq!(store.nack(token), Ok(())),
                1 => {
                    assert_eq!(store.reject(token), Ok(()));
                    account.answer(token, true);
                }
                _ => {
                    assert_eq!(store.ack(token), Ok(()));
                    account.answer(token, false);
                }
            }
        }
        assert_eq!(from, drained.records);
        yield_now();
    }
    accounts
}

/// Two threads want the same keys, one that the log knows and a new one, while another writes: exactly one
/// gets each.
pub fn two_want_one_key() {
    let disk = {
        let mut scene = Scene::new(config(6));
        produce(scene.store.clone(), scene.sensors[0], 2);
        scene.store.sync().unwrap();
        scene.disk
    };
    let store = Store::open(disk, &GatewayConfig { sensors_max: 3, ..config(6) }).unwrap();
    let wanted = [(key(0), 2), (key(7), 0)];
    let registrars: Vec<_> = (0..2)
        .map(|_| {
            let mut store = store.clone();
            spawn(move || {
                wanted.map(|(key, start)| match store.register(SensorConfig::event(key)) {
                    Ok(sensor) => {
                        assert_eq!(store.find(key), Some(sensor));
                        assert_eq!(produce(store.clone(), sensor, start + 2), start + 2);
                        true
                    }
                    Err(error) => {
                        assert_eq!(error, RegisterError::Duplicate);
                        false
                    }
                })
            })
        })
        .collect();
    store.clone().sync().unwrap();
    let got = join(registrars);
    for (place, (key, start)) in wanted.into_iter().enumerate() {
        assert!(got[0][place] != got[1][place], "{key:?}: {got:?}");
        let stats = store.stats(store.find(key).unwrap()).unwrap();
        assert_eq!((stats.added, stats.retained()), (start + 2, start + 2), "{stats:?}");
    }
    assert_eq!(store.clone().check(), Ok(()));
}

/// A sensor is found by one thread while another registers it, and used at once: what the finder adds is
/// written and counted like anything else.
pub fn found_while_it_is_registered() {
    let config = GatewayConfig { sensors_max: 3, ..config(6) };
    let scene = Scene::with_sensors(config, SENSORS);
    let finder = {
        let mut store = scene.store.clone();
        spawn(move || {
            for _ in 0..6 {
                if let Some(sensor) = store.find(key(7)) {
                    let added = produce(store.clone(), sensor, 5);
                    store.sync().unwrap();
                    return added;
                }
                yield_now();
            }
            0
        })
    };
    let mut store = scene.store.clone();
    let sensor = store.register(SensorConfig::event(key(7))).unwrap();
    let added = finder.join().unwrap();
    let levels = store.levels(sensor).unwrap();
    assert_eq!((levels.added_seq, levels.durable_seq), (added, added), "{levels:?}");
    drain(&mut store, &[sensor], &mut [Account::default()]);
}

/// Managers come and go while records are added; each one that is dropped is gone when that returns.
pub fn managers_come_and_go() {
    let mut scene = Scene::new(config(5));
    let producers = producers(&scene, sized(6, 4));
    for _ in 0..3 {
        drop(scene.store.start_manager());
    }
    join(producers);
    drain(&mut scene.store, &scene.sensors, &mut [Account::default(); SENSORS]);
}
