//! Rows of the list that concern the store with a disk.

use ss_lib::{
    AppendError, BatchToken, Record, Sensor, SensorConfig, SensorKey,
    gateway::{Durability, Gateway, GatewayConfig, HealthCause, OpenError, Origin, WhenFull},
};
use ss_tests::disk::faulty::{Call, FaultyDisk};

fn config() -> GatewayConfig {
    GatewayConfig {
        pool_bytes: 8 << 10,
        sector_bytes: Some(64),
        segment_bytes: 64 << 10,
        reserve_bytes: 16 << 10,
        full: WhenFull::Wait { ms: 0 },
        durability: Durability::EverySpill,
        ..GatewayConfig::new(4)
    }
}

type Store = Gateway<FaultyDisk>;

fn key(id: u32) -> SensorKey {
    SensorKey { source: 1, id }
}

fn open(disk: &FaultyDisk, config: &GatewayConfig) -> (Store, Sensor) {
    let mut store = Gateway::open(disk.clone(), config).unwrap();
    let sensor = store.register(SensorConfig::event(key(1))).unwrap();
    (store, sensor)
}

fn add(store: &mut Store, sensor: Sensor, count: u64) {
    for _ in 0..count {
        let seq = store.levels(sensor).unwrap().added_seq;
        assert_eq!(store.append_event(sensor, seq as u32, seq), Ok(seq));
    }
}

fn consume(store: &mut Store, sensor: Sensor, limit: usize, first: u64) -> BatchToken {
    let mut out = vec![Record::default(); limit];
    let token = store.consume(sensor, &mut out).unwrap().expect("a record waits");
    for (record, seq) in out.iter().zip(first..first + u64::from(token.count())) {
        assert_eq!((record.seq, record.value, record.time_ms), (seq, seq as u32, seq));
    }
    token
}

/// Pending that lay on disk only was never erased, and the call said ok.
#[test]
fn field_b05_pending_is_erased_wherever_it_lies() {
    // Up to record 1,000 on disk only, behind it in RAM: batches in the one, in the other, over both.
    for (first, limit) in [(0, 100), (950, 100), (1_000, 50), (0, 1_100), (999, 1), (1_000, 1)] {
        let disk = FaultyDisk::default();
        let (mut store, sensor) = open(&disk, &config());
        add(&mut store, sensor, 1_000);
        store.sync().unwrap();
        // All of it leaves RAM.
        store.limit_sectors(1);
        store.tick(1);
        store.limit_sectors(u32::MAX);
        assert_eq!(store.disk().records, 1_000);
        add(&mut store, sensor, 100);
        if first > 0 {
            let token = consume(&mut store, sensor, first, 0);
            store.ack(token).unwrap();
        }
        let token = consume(&mut store, sensor, limit, first as u64);
        assert_eq!(token.count() as usize, limit, "{first}, {limit}");
        assert_eq!(store.pending(sensor), Ok(limit as u64));
        store.ack(token).unwrap();
        assert_eq!(store.pending(sensor), Ok(0));
        assert_eq!(store.retained(sensor), Ok(1_100 - (first + limit) as u64));
        assert!(store.ack(token).is_err());
        store.check().unwrap();
        // What was answered stays so over a kill.
        store.sync().unwrap();
        drop(store);
        let (store, sensor) = open(&disk, &config());
        assert_eq!(store.levels(sensor).unwrap().acked_seq, (first + limit) as u64);
    }
}

/// The last record of a page, a sector, a segment took another path than the others.
#[test]
fn field_b06_batches_end_exactly_where_something_on_disk_ends() {
    for step in [1, 2, 4, 255, 256, 257, 509, 510, 511, 4_080, 4_096] {
        let disk = FaultyDisk::default();
        let (mut store, sensor) = open(&disk, &config());
        add(&mut store, sensor, 9_000);
        store.tick(1);
        store.tick(2_000);
        assert!(store.disk().segments > 1, "{:?}", store.disk());
        let mut next = 0;
        while next < 9_000 {
            let token = consume(&mut store, sensor, step, next);
            assert_eq!(u64::from(token.count()), (step as u64).min(9_000 - next));
            // Every second one comes again, the same.
            store.nack(token).unwrap();
            let token = consume(&mut store, sensor, step, next);
            store.ack(token).unwrap();
            next += u64::from(token.count());
        }
        assert_eq!(store.retained(sensor), Ok(0));
        store.check().unwrap();
    }
}

/// Each read asked the disk fifteen times, though nothing was on it.
#[test]
fn field_b18_a_disk_with_nothing_on_it_is_not_asked() {
    let disk = FaultyDisk::default();
    let (mut store, sensor) = open(&disk, &config());
    let calls = |disk: &FaultyDisk| {
        [Call::Read, Call::Write, Call::Sync, Call::Create].map(|call| disk.calls(call))
    };
    // The reserve is taken.
    store.tick(0);
    let before = calls(&disk);
    for round in 0..100 {
        add(&mut store, sensor, 50);
        assert_eq!(store.peek(sensor).unwrap().map(|record| record.seq), Some(round * 50));
        let token = consume(&mut store, sensor, 50, round * 50);
        store.ack(token).unwrap();
        assert_eq!(store.consume(sensor, &mut [Record::default()]), Ok(None));
        store.tick(round * 100 + 1_000);
    }
    assert_eq!(calls(&disk), before, "the link is up, and the disk works");
    assert_eq!(store.disk().pages_read, 0);
}

/// 2,401 files were left behind.
#[test]
fn field_b29_after_a_full_ack_one_segment_is_left_and_it_knows_everything() {
    let disk = FaultyDisk::default();
    let (mut store, sensor) = open(&disk, &config());
    add(&mut store, sensor, 50_000);
    for round in 0..20 {
        store.tick(round * 1_000);
    }
    assert!(store.disk().segments > 5);
    while store.unsent(sensor).unwrap() > 0 {
        let next = store.levels(sensor).unwrap().acked_seq;
        let token = consume(&mut store, sensor, 1_000, next);
        store.ack(token).unwrap();
    }
    for round in 20..30 {
        store.tick(round * 1_000);
    }
    assert_eq!(store.disk().segments, 1);
    let segments = disk.memory().files().into_keys().filter(|name| name.contains(".seg"));
    assert_eq!(segments.count(), 1);
    drop(store);
    let (store, sensor) = open(&disk, &config());
    assert_eq!(store.levels(sensor).unwrap().added_seq, 50_000);
}

/// The overhead on disk was 69 %.
#[test]
fn field_b30_a_record_takes_few_bytes_on_disk() {
    let disk = FaultyDisk::default();
    let (mut store, sensor) = open(&disk, &GatewayConfig { squeezes: true, ..config() });
    add(&mut store, sensor, 50_000);
    for round in 0..200 {
        store.tick(round * 1_000);
    }
    let disk = store.disk();
    assert!(disk.records > 40_000 && disk.bytes <= 11 * disk.records, "{disk:?}");
}

/// The store lay in a directory that does not survive a restart, and nobody knew.
#[test]
fn field_b31_a_volatile_directory_is_said_to_be_one() {
    let shm = std::path::Path::new("/dev/shm");
    assert!(shm.is_dir(), "this machine has no /dev/shm to try it in");
    let dir = tempfile::tempdir_in(shm).unwrap();
    let store = Gateway::open_dir(dir.path(), &config()).unwrap();
    assert!(store.health().has(HealthCause::Volatile) && !store.health().is_ok());
    let (store, _) = open(&FaultyDisk::default(), &config());
    assert!(store.health().is_ok());
}

/// A file was removed before the pointer that said so was durable: after a power cut the system looked for
/// it, and crashed, again and again.
#[test]
fn field_b35_a_segment_goes_only_after_the_cursor_that_frees_it_is_durable() {
    let disk = FaultyDisk::default();
    disk.record();
    let (mut store, sensor) = open(&disk, &config());
    let mut removed = 0;
    for round in 0..60 {
        add(&mut store, sensor, 1_500);
        store.tick(round * 2_000);
        while store.unsent(sensor).unwrap() > 700 {
            let next = store.levels(sensor).unwrap().acked_seq;
            let token = consume(&mut store, sensor, 500, next);
            store.ack(token).unwrap();
        }
        let durable = store.levels(sensor).unwrap().acked_durable_seq;
        disk.take_done();
        store.tick(round * 2_000 + 1_000);
        let done = disk.take_done();
        let is_segment = |name: &str| name.contains(".seg");
        let unlinks = done.iter().position(|(c, f)| *c == Call::Unlink && is_segment(f));
        let Some(first) = unlinks else { continue };
        removed += 1;
        let moved = store.levels(sensor).unwrap().acked_durable_seq > durable;
        let write = done.iter().position(|(c, f)| *c == Call::Write && is_segment(f));
        let sync = done.iter().position(|(c, f)| *c == Call::Sync && is_segment(f));
        if moved {
            assert!(write < sync && sync < Some(first) && write.is_some(), "{done:?}");
        }
    }
    assert!(removed > 10, "{removed}");
}

/// A counter of the quota ran below zero: no space on an empty disk.
#[test]
fn field_b36_an_empty_store_has_its_whole_quota() {
    let disk = FaultyDisk::default();
    let config = GatewayConfig { quota_bytes: 8_000, ..config() };
    for round in 0..6 {
        let (mut store, sensor) = open(&disk, &config);
        let before = store.stats(sensor).unwrap();
        // As much as the quota takes, and all of it is delivered.
        add(&mut store, sensor, 900);
        store.sync().unwrap();
        store.tick(round * 1_000);
        let stats = store.stats(sensor).unwrap();
        assert_eq!((stats.unsent, stats.dropped()), (900, before.dropped()), "round {round}");
        assert!(!store.health().has(HealthCause::DiskFull));
        let next = store.levels(sensor).unwrap().acked_seq;
        let token = consume(&mut store, sensor, 900, next);
        store.ack(token).unwrap();
        store.sync().unwrap();
        store.tick(round * 1_000 + 500);
        assert_eq!(store.disk().records, 0);
    }
}

/// File numbers wrapped, and the test that should have found it had a tiny constant.
#[test]
fn field_b37_numbers_that_run_out_are_an_error_and_lose_nothing() {
    // Records' own numbers.
    let disk = FaultyDisk::default();
    let mut store = Gateway::open(disk.clone(), &config()).unwrap();
    let start = u64::MAX - 2_000;
    let sensor = store.register(SensorConfig::event(key(1)).starting_at(start)).unwrap();
    add(&mut store, sensor, 2_000);
    assert_eq!(store.append_event(sensor, 0, 0), Err(AppendError::SeqExhausted));
    store.sync().unwrap();
    drop(store);
    let (mut store, sensor) = open(&disk, &config());
    assert_eq!(store.append_event(sensor, 0, 0), Err(AppendError::SeqExhausted));
    let token = consume(&mut store, sensor, 2_000, start);
    assert_eq!(token.count(), 2_000);
    store.ack(token).unwrap();
    store.check().unwrap();

    // The numbers of segments and pages: what does not fit any more stays where it is.
    for (segment, lsn) in
        [(u64::MAX - 3, 1), (1, u64::MAX - (1 << 20) - 25), (u64::MAX, 1), (1, u64::MAX)]
    {
        let disk = FaultyDisk::default();
        let origin = Origin { segment, lsn, ..Origin::default() };
        let config = GatewayConfig { origin, full: WhenFull::Refuse, ..config() };
        let (mut store, sensor) = open(&disk, &config);
        let mut refused = 0;
        for round in 0..300 {
            for _ in 0..100 {
                let seq = store.levels(sensor).unwrap().added_seq;
                match store.append_event(sensor, seq as u32, seq) {
                    Ok(added) => assert_eq!(added, seq),
                    Err(error) => {
                        assert_eq!(error, AppendError::Full);
                        refused += 1;
                    }
                }
            }
            store.tick(round * 1_000);
        }
        assert!(refused > 0, "segment {segment}, page {lsn}: they never ran out");
        assert!(!store.health().is_ok(), "nobody is told");
        assert!(store.sync().is_err());
        let added = store.levels(sensor).unwrap().added_seq;
        let mut next = 0;
        while store.unsent(sensor).unwrap() > 0 {
            let token = consume(&mut store, sensor, 500, next);
            next += u64::from(token.count());
            store.ack(token).unwrap();
        }
        assert_eq!(next, added, "segment {segment}, page {lsn}");
        store.check().unwrap();
    }

    // Openings.
    let disk = FaultyDisk::default();
    let origin = Origin { epoch: u32::MAX - 1, ..Origin::default() };
    let config = GatewayConfig { origin, ..config() };
    for epoch in [u32::MAX - 1, u32::MAX] {
        let (store, _) = open(&disk, &config);
        assert_eq!(store.epoch(), epoch);
    }
    let files = disk.memory().files();
    let refused = Gateway::open(disk.clone(), &config).unwrap_err();
    assert!(matches!(refused, OpenError::EpochsUsedUp), "{refused}");
    assert_eq!(disk.memory().files(), files, "a refused opening changed something");
}

/// A sensor was renamed in the configuration: its queue stayed under the old name, and nothing read it.
#[test]
fn field_b40_a_sensor_that_left_the_configuration_is_drained_like_any_other() {
    let disk = FaultyDisk::default();
    let (mut store, sensor) = open(&disk, &config());
    add(&mut store, sensor, 1_000);
    store.sync().unwrap();
    drop(store);
    let mut store = Gateway::open(disk.clone(), &config()).unwrap();
    let renamed = store.register(SensorConfig::event(key(2))).unwrap();
    add(&mut store, renamed, 10);
    let old = store.find(key(1)).unwrap();
    assert_eq!(store.append_event(old, 0, 0), Err(AppendError::Inactive));
    let token = consume(&mut store, old, 2_000, 0);
    assert_eq!(token.count(), 1_000);
    store.ack(token).unwrap();
    store.sync().unwrap();
    drop(store);
    // It comes back, and goes on where it was.
    let (store, sensor) = open(&disk, &config());
    assert_eq!(store.levels(sensor).unwrap().added_seq, 1_000);
    assert_eq!(store.retained(sensor), Ok(0));
}
