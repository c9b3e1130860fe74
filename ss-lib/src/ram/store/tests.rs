//! What a store says of a sensor is what was asked for.

use crate::{
    AppendError, ClockKind, DropCause, Kind, Loss, Record, RegisterError, SensorConfig, SensorKey,
    Timestamp,
    ram::{
        Backing, Config, Env, Fault, FullPolicy, Geometry, Inline, LedgerStats, LentMemory,
        SensorPlace, Store,
    },
};
use core::sync::atomic::AtomicU32;

type Small = Store<Inline<1, 16, 16, 4>>;

fn with_sensor(period_ms: u32) -> (Small, crate::Sensor) {
    let mut store = Small::open(Config { epoch: 9, ..Config::default() });
    let key = SensorKey { source: 1, id: 7 };
    let sensor = store.register(SensorConfig::time_series(key, period_ms)).unwrap();
    (store, sensor)
}

#[test]
fn a_sensor_stays_what_it_was_told_to_be() {
    let (mut store, sensor) = with_sensor(10);
    for number in 0..2 {
        store.activate(sensor).unwrap();
        assert_eq!(store.is_active(sensor), Ok(true));
        assert_eq!(store.append(sensor, 1, Timestamp::utc(number * 10)), Ok(number));
    }
    for _ in 0..2 {
        store.deactivate(sensor).unwrap();
        assert_eq!(store.is_active(sensor), Ok(false));
        let refused = store.append(sensor, 1, Timestamp::utc(50));
        assert_eq!(refused, Err(AppendError::Inactive));
    }
    assert_eq!(store.epoch(), 9);
    let mut out = [Record::default(); 4];
    assert_eq!(store.consume(sensor, &mut out).unwrap().unwrap().count(), 2);
    assert!(out[..2].iter().all(|record| record.epoch == 9));
}

/// The grid may take half a period of a time, and no more: not with another period than the first one,
/// nor at the end of time.
#[test]
fn a_time_is_kept_to_half_a_period() {
    for (begin_ms, period_ms) in [(1_000, 100), (1_000, 60), (1 << 50, 100), (1 << 50, 61)] {
        let (mut store, sensor) = with_sensor(100);
        store.append(sensor, 0, Timestamp::utc(begin_ms)).unwrap();
        store.reconfigure(sensor, Kind::TimeSeries, period_ms).unwrap();
        let mut times = vec![begin_ms];
        let mut at_ms = begin_ms + 100;
        for off_ms in [0, 0, 20, 29, 31, 49, 51, 99, 130, 0, 0] {
            times.push(at_ms + off_ms);
            store.append(sensor, 0, Timestamp::utc(at_ms + off_ms)).unwrap();
            at_ms += u64::from(period_ms);
        }
        let mut out = [Record::default(); 20];
        let token = store.consume(sensor, &mut out).unwrap().unwrap();
        assert_eq!(token.count() as usize, times.len());
        for (record, time_ms) in out.iter().zip(times) {
            assert_eq!(record.clock, ClockKind::Utc);
            let off = record.time_ms.abs_diff(time_ms);
            assert!(off <= u64::from(period_ms / 2), "{begin_ms}, {period_ms}: {off} ms off");
        }
    }
}

const CONFIG: Config = Config { policy: FullPolicy::RecycleOldest, epoch: 9 };

/// An empty store of two sensors, four sectors and four ledger entries, wherever its memory lies: a sensor is
/// found by its name, what is lost is told with its time, and a store that contradicts itself is found out.
fn says_what_is_there<B: Backing>(store: &mut Store<B>) {
    assert_eq!((store.epoch(), store.sensors().len()), (CONFIG.epoch, 0));
    assert_eq!((store.ledger(), store.last_loss()), (LedgerStats::default(), None));
    assert_eq!(store.losses(&mut [Loss::NONE; 9]), 0);
    let key = |id| SensorKey { source: 1, id };
    let [one, other] = [7, 8].map(|id| {
        assert_eq!(store.find(key(id)), None);
        let sensor = store.register(SensorConfig::event(key(id))).unwrap();
        let again = store.register(SensorConfig::event(key(id)));
        assert_eq!((store.find(key(id)), again), (Some(sensor), Err(RegisterError::Duplicate)));
        sensor
    });

    // Events so far apart that each needs a sector.
    for (seq, now_ms, sensor) in [
        (0, 1, one),
        (1, 2, one),
        (2, 3, one),
        (3, 4, one),
        (4, 50, one),
        (0, 60, other),
        (1, 70, other),
    ] {
        store.tick(now_ms);
        assert_eq!(store.append_event(sensor, 1, seq << 40), Ok(seq));
        store.check().unwrap();
    }
    let loss = |sensor, count, at_ms| Loss {
        first_seq: 0,
        at_ms,
        count,
        sensor,
        cause: DropCause::Recycled,
    };
    let (mut losses, expected) = ([Loss::NONE; 9], [loss(one, 2, 60), loss(other, 1, 70)]);
    assert_eq!(store.losses(&mut losses), 2);
    assert_eq!((&losses[..2], &losses[2..]), (&expected[..], &[Loss::NONE; 7][..]));
    assert_eq!(store.losses(&mut losses[..1]), 1);
    assert_eq!((losses[0], store.last_loss()), (expected[1], Some(expected[1])));
    assert_eq!(store.ledger(), LedgerStats { entries: 2, records: 3, forgotten: 0 });
    assert_eq!(store.losses_recorded(), 3);

    assert_eq!(store.sensors().collect::<Vec<_>>(), [one, other]);
    assert_eq!((store.pool().sectors_used, store.totals().retained()), (4, 4));
    store.backing.with_env(|env| env.pool(|mut pool| pool.holders.add(other.0, 1)));
    let fault = store.check().unwrap_err();
    assert_eq!(fault, Fault::Droppable { sensor: other, believed: 2, found: 1 });
    assert_eq!(
        fault.to_string(),
        "sensor #1 has 1 sectors without pending records, the pool believes 2"
    );
    store.shut_down();
    assert_eq!(store.append_event(one, 1, 0), Err(AppendError::ShuttingDown));
}

#[test]
fn an_inline_store_says_what_is_there_and_again_when_it_is_emptied() {
    let mut store = Store::<Inline<2, 4, 8, 4>>::open(CONFIG);
    says_what_is_there(&mut store);
    store.reopen(CONFIG);
    says_what_is_there(&mut store);
}

#[test]
fn a_store_in_lent_memory_says_what_is_there_and_nothing_of_what_was() {
    let lost_before = Loss { count: 9, ..Loss::NONE };
    let memory = LentMemory {
        words: &[const { AtomicU32::new(0xDEAD_BEEF) }; 32],
        links: &[const { AtomicU32::new(u32::MAX) }; 4],
        places: &mut [const { SensorPlace::VACANT }; 2],
        order: &mut [3; 2],
        ranks: &mut [3; 2],
        more_than: &mut [3; 4],
        newest_losses: &mut [3; 2],
        losses: &mut [lost_before; 4],
    };
    let geometry = Geometry::new(128, 32, 2).unwrap();
    let mut store = Store::open_lent(CONFIG, geometry, memory).unwrap();
    says_what_is_there(&mut store);
}

#[test]
#[cfg(feature = "std")]
fn a_store_for_threads_says_what_is_there() {
    let config = crate::ram::SharedConfig {
        geometry: Geometry::new(128, 32, 2).unwrap(),
        sensors_max: 2,
        losses_max: 4,
        config: CONFIG,
    };
    says_what_is_there(&mut Store::open_shared(config));
}
