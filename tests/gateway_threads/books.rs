//! What is held against a store that several threads use: counts, order, and what it says of durability.

use ss_lib::{
    AppendError, Kind, Levels, Record, Sensor, SensorConfig, SensorKey,
    disk::sim::Image,
    gateway::{Durability, Gateway, GatewayConfig, WhenFull},
};
use ss_tests::{
    disk::interleaved::InterleavedDisk,
    tagged::{Account, time_ms, value},
    threads::yield_now,
};

pub type Store = Gateway<InterleavedDisk>;

pub const SENSORS: usize = 2;

pub fn key(id: usize) -> SensorKey {
    SensorKey { source: 0, id: id as u32 }
}

/// Two events fill a RAM sector, few sectors make a pool, and a segment has 16 pages: what takes a gateway
/// an hour happens within a few records.
pub fn config(sectors: u64) -> GatewayConfig {
    GatewayConfig {
        pool_bytes: sectors * 32,
        sector_bytes: Some(32),
        losses_max: 16,
        full: WhenFull::Wait { ms: 300 },
        durability: Durability::Interval { ms: 50 },
        spill_after_ms: 400,
        disk_max_bytes: 1 << 20,
        segment_bytes: 64 << 10,
        reserve_bytes: 0,
        ..GatewayConfig::new(SENSORS as u32)
    }
}

/// A store on a disk of its own, with event sensors 0, 1, …
pub struct Scene {
    pub config: GatewayConfig,
    pub disk: InterleavedDisk,
    pub store: Store,
    pub sensors: Vec<Sensor>,
}

impl Scene {
    pub fn new(config: GatewayConfig) -> Self {
        Self::with_sensors(config, config.sensors_max as usize)
    }

    pub fn with_sensors(config: GatewayConfig, sensors: usize) -> Self {
        let disk = InterleavedDisk::new(&Image::default());
        let mut store = Gateway::open(disk.clone(), &config).unwrap();
        let register = |id| store.register(SensorConfig::event(key(id))).unwrap();
        let sensors = (0..sensors).map(register).collect();
        Self { config, disk, store, sensors }
    }
}

/// Adds records until the sensor has `until` of them or the store takes no more; says how many it has. Who
/// is refused for want of room tries again.
pub fn produce(mut store: Store, sensor: Sensor, until: u64) -> u64 {
    let mut next = store.levels(sensor).unwrap().added_seq;
    while next < until {
        match store.append_event(sensor, value(sensor, next), time_ms(sensor, next)) {
            Ok(seq) => {
                assert_eq!(seq, next);
                next += 1;
            }
            Err(AppendError::ShuttingDown) => break,
            Err(error) => {
                assert_eq!(error, AppendError::Full);
                yield_now();
            }
        }
    }
    assert_eq!(store.stats(sensor).unwrap().added, next);
    next
}

/// Consumes the sensors by turns; nacks, rejects and acks.
pub fn upload(store: &mut Store, sensors: &[Sensor], accounts: &mut [Account], turns: u64) {
    let mut out = [Record::default(); 3];
    for turn in 0..turns {
        let place = turn as usize % sensors.len();
        let Some(token) = store.consume(sensors[place], &mut out).unwrap() else {
            yield_now();
            continue;
        };
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
        assert!(store.ack(token).is_err(), "answered twice");
    }
}

/// Takes everything that is left, and closes the books: every record was answered once, in order.
pub fn drain(store: &mut Store, sensors: &[Sensor], accounts: &mut [Account]) {
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
    assert_eq!(store.ledger().records, store.totals().rejected);
}

/// What the store said of each sensor, and the disk as a power cut would have left it right after that.
pub struct Claim {
    levels: Vec<Levels>,
    image: Image,
    /// How far each sensor was answered when the image had been taken.
    acked_seqs: Vec<u64>,
}

/// Looks on: levels only rise, the books balance at every moment, and what is said can be held against
/// the disk later.
pub fn observe(store: &mut Store, disk: &InterleavedDisk, looks: u64) -> Vec<Claim> {
    let mut claims: Vec<Claim> = Vec::new();
    for _ in 0..looks {
        let claim = claim(store, disk);
        if let Some(before) = claims.last() {
            for (before, now) in before.levels.iter().zip(&claim.levels) {
                assert!(has_risen(before, now), "{before:?}, {now:?}");
            }
        }
        claims.push(claim);
        assert_eq!(store.check(), Ok(()));
        for sensor in store.sensors() {
            let stats = store.stats(sensor).unwrap();
            assert!(stats.is_conserved(), "{stats:?}");
        }
        yield_now();
    }
    claims
}

pub fn claim(store: &Store, disk: &InterleavedDisk) -> Claim {
    // The image comes after the words: what they promise was true by then.
    let levels = || store.sensors().map(|sensor| store.levels(sensor).unwrap());
    let said = levels().collect();
    let image = disk.durable();
    Claim { levels: said, image, acked_seqs: levels().map(|levels| levels.acked_seq).collect() }
}

/// Of `written_seq` only without faults: a failed sync takes it back.
fn has_risen(before: &Levels, now: &Levels) -> bool {
    assert!(now.acked_durable_seq <= now.acked_seq && now.acked_seq <= now.added_seq, "{now:?}");
    assert!(now.durable_seq <= now.written_seq && now.written_seq <= now.added_seq, "{now:?}");
    before.added_seq <= now.added_seq
        && before.durable_seq <= now.durable_seq
        && before.acked_seq <= now.acked_seq
        && before.acked_durable_seq <= now.acked_durable_seq
}

impl Claim {
    /// The power was cut when this was said: opens what is left. Nothing that was called durable is
    /// missing, nothing that was durably answered comes back, and what is held is whole and in order.
    pub fn judge(&self, config: &GatewayConfig, may_be_corrupt: bool) -> Reopened {
        let disk = InterleavedDisk::new(&self.image);
        let mut store = Gateway::open(disk, config).unwrap();
        let recovery = store.recovery();
        assert!(may_be_corrupt || recovery.corrupt_pages == 0, "{recovery:?}");
        let mut reopened = Reopened { was_clean: recovery.was_clean, end_seqs: Vec::new() };
        for (id, said) in self.levels.iter().enumerate() {
            let Some(sensor) = store.find(key(id)) else {
                assert_eq!((said.durable_seq, said.acked_durable_seq), (0, 0), "{said:?} is gone");
                reopened.end_seqs.push(0);
                continue;
            };
            let found = store.levels(sensor).unwrap();
            let at = format!("sensor {id}: {said:?} was said, {found:?} was found");
            assert!(found.added_seq >= said.durable_seq, "{at}");
            assert!(found.acked_seq >= said.acked_durable_seq, "{at}");
            assert!(found.acked_seq <= self.acked_seqs[id], "never answered: {at}");
            let (mut next, mut lost) = (found.acked_seq, 0);
            // What a failed sync took is listed as lost, if nobody had promised it, or it was answered by
            // then and only that was not durable yet.
            let may_be_missing =
                |seq| may_be_corrupt && (seq >= said.durable_seq || seq < self.acked_seqs[id]);
            let mut out = [Record::default(); 8];
            while let Some(token) = store.consume(sensor, &mut out).unwrap() {
                for record in &out[..token.count() as usize] {
                    if (next..record.seq).all(may_be_missing) {
                        lost += record.seq - next;
                        next = record.seq;
                    }
                    assert_eq!(record.seq, next, "{at}");
                    assert_eq!(record.value, value(sensor, next), "{at}");
                    next += 1;
                }
                assert_eq!(store.ack(token), Ok(()));
            }
            if (next..found.added_seq).all(may_be_missing) {
                lost += found.added_seq - next;
                next = found.added_seq;
            }
            assert_eq!(next, found.added_seq, "{at}");
            assert_eq!(store.stats(sensor).unwrap().dropped_corrupt, lost, "{at}");
            reopened.end_seqs.push(next);
        }
        reopened
    }
}

/// What an opening found.
pub struct Reopened {
    pub was_clean: bool,
    /// For each sensor the number after its last record.
    pub end_seqs: Vec<u64>,
}
