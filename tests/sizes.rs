//! What the microcontroller's store costs and holds.
#![cfg(not(feature = "shuttle"))]
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "helpers are tests too, and test data are small"
)]

use ss_lib::{
    AppendError, ClockKind, Kind, Record, Sensor, SensorConfig, SensorKey, Timestamp,
    ram::{Config, STM32_SENSORS, Stm32Store},
};

const RECORDS: u32 = 6_000;
const PERIOD_MS: u32 = 10_000;
const EPOCH: u32 = 3;

fn value(sensor: usize, number: u32) -> u32 {
    (sensor as u32) << 16 | number
}

fn time_ms(sensor: usize, number: u32) -> u64 {
    1_700_000_000_000 + sensor as u64 * 7 + u64::from(number) * u64::from(PERIOD_MS)
}

fn open_with_all_sensors() -> (Stm32Store, Vec<Sensor>) {
    let mut store = Stm32Store::open(Config { epoch: EPOCH, ..Config::default() });
    let sensors = (0..STM32_SENSORS as u32)
        .map(|id| {
            let key = SensorKey { source: (id % 3) as u8, id: id.wrapping_mul(0x9E37_79B9) };
            store.register(SensorConfig::time_series(key, PERIOD_MS)).unwrap()
        })
        .collect();
    (store, sensors)
}

#[test]
fn the_microcontrollers_store_is_at_most_32_kib() {
    let bytes = size_of::<Stm32Store>();
    eprintln!("Stm32Store: {bytes} B of 32,768 B");
    assert!(bytes <= 32 * 1024, "{bytes} B");
    assert_eq!(STM32_SENSORS, 100);
}

#[test]
fn a_hundred_sensors_hold_6000_readings_and_give_them_all_back() {
    let (mut store, sensors) = open_with_all_sensors();
    // Sensor by turns, as they come in the field: each sensor has its own sector.
    for number in 0..RECORDS / sensors.len() as u32 {
        for (place, &sensor) in sensors.iter().enumerate() {
            let at = Timestamp::utc(time_ms(place, number));
            assert_eq!(store.append(sensor, value(place, number), at), Ok(u64::from(number)));
        }
    }
    let totals = store.totals();
    assert_eq!((totals.added, totals.unsent), (u64::from(RECORDS), u64::from(RECORDS)));
    assert_eq!((totals.refused, totals.dropped(), store.ledger().records), (0, 0, 0));

    let mut out = [Record::default(); 64];
    for (place, &sensor) in sensors.iter().enumerate() {
        let token = store.consume(sensor, &mut out).unwrap().unwrap();
        assert_eq!(token.count(), 60);
        for (number, record) in (0..).zip(&out[..60]) {
            let expected = Record {
                seq: u64::from(number),
                time_ms: time_ms(place, number),
                epoch: EPOCH,
                value: value(place, number),
                clock: ClockKind::Utc,
                kind: Kind::TimeSeries,
            };
            assert_eq!(*record, expected);
        }
        assert_eq!(store.ack(token), Ok(()));
    }
    assert_eq!(store.totals().retained(), 0);
    assert_eq!(store.pool().sectors_used, 0);
    assert_eq!(store.check(), Ok(()));
}

#[test]
fn one_busy_sensor_may_use_the_whole_store() {
    let (mut store, sensors) = open_with_all_sensors();
    for number in 0..RECORDS {
        let at = Timestamp::utc(time_ms(0, number));
        assert_eq!(store.append(sensors[0], number, at), Ok(u64::from(number)));
    }
    assert_eq!(store.totals().dropped(), 0);
    let mut out = vec![Record::default(); RECORDS as usize + 1];
    let token = store.consume(sensors[0], &mut out).unwrap().unwrap();
    assert_eq!(token.count(), RECORDS);
    for (number, record) in (0..RECORDS).zip(&out) {
        assert_eq!((record.value, record.time_ms), (number, time_ms(0, number)));
    }
    assert_eq!(store.ack(token), Ok(()));
    assert_eq!(store.check(), Ok(()));
}

/// Who drains a store that was shut down has everything: nothing is stored behind the drain.
#[test]
fn a_store_that_is_shut_down_takes_nothing_more_and_gives_what_it_has() {
    let (mut store, sensors) = open_with_all_sensors();
    let add = |store: &mut Stm32Store, number| {
        let time = Timestamp::utc(time_ms(0, number));
        store.append(sensors[0], value(0, number), time)
    };
    for number in 0..10 {
        add(&mut store, number).unwrap();
    }
    store.shut_down();
    assert_eq!(add(&mut store, 10), Err(AppendError::ShuttingDown));
    let mut out = [Record::default(); 16];
    let token = store.consume(sensors[0], &mut out).unwrap().unwrap();
    assert_eq!(token.count(), 10);
    store.ack(token).unwrap();
    assert_eq!((store.totals().added, store.totals().retained()), (10, 0));
}
