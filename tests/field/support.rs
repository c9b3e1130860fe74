//! Short words for the stories: a store of 16 sectors of 64 B (12 series records or 6 events each)
//! and what is done to it.

use ss_lib::{
    BatchToken, Record, Sensor, SensorConfig, SensorKey, Timestamp,
    ram::{Backing, Config, FullPolicy, Geometry, Inline, Shared, SharedConfig, Store},
};

pub type Small = Store<Inline<4, 16, 16, 8>>;

/// Series records of a 64 B sector.
pub const SERIES_PER_SECTOR: u32 = 12;
/// Events of a 64 B sector.
pub const EVENTS_PER_SECTOR: u32 = 6;
pub const PERIOD_MS: u32 = 1_000;
pub const EPOCH: u32 = 5;

pub fn key(id: u32) -> SensorKey {
    SensorKey { source: 1, id }
}

pub fn small() -> Small {
    Store::open(Config { epoch: EPOCH, ..Config::default() })
}

pub fn small_refusing() -> Small {
    Store::open(Config { policy: FullPolicy::RefuseNew, epoch: EPOCH })
}

pub fn shared(sectors: u32, sensors_max: u32, policy: FullPolicy) -> Store<Shared> {
    Store::open_shared(SharedConfig {
        geometry: Geometry::new(u64::from(sectors) * 32, 32, 1).unwrap(),
        sensors_max,
        losses_max: 32,
        config: Config { policy, epoch: EPOCH },
    })
}

pub fn series<B: Backing>(store: &mut Store<B>, id: u32) -> Sensor {
    store.register(SensorConfig::time_series(key(id), PERIOD_MS)).unwrap()
}

pub fn events<B: Backing>(store: &mut Store<B>, id: u32) -> Sensor {
    store.register(SensorConfig::event(key(id))).unwrap()
}

/// Adds `count` readings on the sensor's grid, each with its own number as value.
pub fn add<B: Backing>(store: &mut Store<B>, sensor: Sensor, count: u32) {
    for _ in 0..count {
        let seq = store.sensor_config(sensor).unwrap().first_seq;
        let at = Timestamp::utc(seq * u64::from(PERIOD_MS));
        assert_eq!(store.append(sensor, seq as u32, at), Ok(seq));
    }
}

/// Adds `count` events, each with its own number as value and time.
pub fn add_events<B: Backing>(store: &mut Store<B>, sensor: Sensor, count: u32) {
    for _ in 0..count {
        let seq = store.sensor_config(sensor).unwrap().first_seq;
        assert_eq!(store.append_event(sensor, seq as u32, seq), Ok(seq));
    }
}

/// Hands out a batch of at most `limit` records, which must exist.
pub fn consume<B: Backing>(
    store: &mut Store<B>,
    sensor: Sensor,
    limit: usize,
) -> (BatchToken, Vec<Record>) {
    let mut out = vec![Record::default(); limit];
    let token = store.consume(sensor, &mut out).unwrap().expect("a record waits");
    out.truncate(token.count() as usize);
    assert_eq!(token.first_seq(), out[0].seq);
    (token, out)
}

pub fn seqs(batch: &[Record]) -> Vec<u64> {
    batch.iter().map(|record| record.seq).collect()
}

/// Everything that a store says of itself: two equal answers mean that nothing changed.
pub fn state<B: Backing>(store: &Store<B>) -> String {
    let mut said = format!("{:?} {:?}", store.pool(), store.ledger());
    for sensor in store.sensors() {
        let mut out = [Record::default(); 256];
        let count = store.peek_batch(sensor, &mut out).unwrap();
        let (stats, pending) = (store.stats(sensor), store.pending_batch(sensor));
        said = format!("{said}\n{stats:?} {pending:?} {:?}", &out[..count]);
    }
    said
}
