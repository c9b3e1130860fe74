//! What a store says of a sensor is what was asked for.

use crate::{
    AppendError, ClockKind, Kind, Record, SensorConfig, SensorKey, Timestamp,
    ram::{Config, Inline, Store},
};

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
