//! A store that C wrote is Rust's to read, and the other way round.
#![cfg(not(miri))] // An interpreter has no files.

use core::ptr::null_mut;
use ss::{api::*, *};
use ss_lib::{
    ClockKind, Kind, Record, SensorConfig, SensorKey, Timestamp,
    gateway::{Gateway, GatewayConfig},
};
use std::{ffi::CString, mem::MaybeUninit, os::unix::ffi::OsStrExt, path::Path};

const SENSORS: u32 = 16;
const RECORDS: u32 = 1_000;
const BOILER: SensorKey = SensorKey { source: 2, id: 0x1F4 };
const DOOR: SensorKey = SensorKey { source: 1, id: u32::MAX };

fn open_c(directory: &Path) -> *mut ss_store {
    let directory = CString::new(directory.as_os_str().as_bytes()).expect("no NUL in it");
    let mut config = MaybeUninit::<ss_config>::uninit();
    let mut store = null_mut();
    // SAFETY: places of this function's; the configuration is initialised by the first call.
    unsafe {
        assert_eq!(ss_config_init(config.as_mut_ptr(), ss_profile::SS_PROFILE_LINUX as u32), 0);
        (*config.as_mut_ptr()).sensors_max = SENSORS;
        assert_eq!(ss_open(config.as_ptr(), directory.as_ptr(), &raw mut store), 0);
    }
    store
}

fn add_c(store: *mut ss_store, key: SensorKey, kind: Kind) -> u32 {
    let config = ss_sensor_config {
        id: key.id,
        source: key.source,
        period_ms: 1_000,
        kind: kind as u8,
        ..ss_sensor_config::default()
    };
    let mut sensor = SS_SENSOR_NONE;
    // SAFETY: an open store, and places of this function's.
    assert_eq!(unsafe { ss_sensor_add(store, &raw const config, &raw mut sensor) }, 0);
    sensor
}

const fn time_ms(n: u32) -> u64 {
    1_700_000_000_000 + n as u64 * 1_000
}

#[test]
fn what_c_wrote_rust_reads() {
    let directory = tempfile::tempdir().unwrap();
    let store = open_c(directory.path());
    let (boiler, door) = (add_c(store, BOILER, Kind::TimeSeries), add_c(store, DOOR, Kind::Event));
    let mut report = ss_shutdown_report::default();
    // SAFETY: an open store, and places of this function's.
    unsafe {
        for n in 0..RECORDS {
            assert_eq!(ss_ts_add(store, boiler, n * 7, time_ms(n), 1, null_mut()), 0);
            assert_eq!(ss_evt_add(store, door, n, u64::from(n) << 40, null_mut()), 0);
        }
        assert_eq!(ss_clock_synced(store, -5), 0);
        assert_eq!(ss_shutdown(store, 10_000, None, null_mut(), &raw mut report), 0);
        assert_eq!(ss_close(store), 0);
    }
    assert_eq!(report.left, 0);

    let mut store = Gateway::open_dir(directory.path(), &GatewayConfig::new(SENSORS)).unwrap();
    assert!(store.recovery().was_clean);
    assert_eq!((store.recovery().records, store.clock_offset_ms(1)), (2_000, Some(-5)));
    let mut batch = vec![Record::default(); RECORDS as usize];
    for (key, clock, kind) in
        [(BOILER, ClockKind::Utc, Kind::TimeSeries), (DOOR, ClockKind::Caller, Kind::Event)]
    {
        let sensor = store.find(key).unwrap();
        let token = store.consume(sensor, &mut batch).unwrap().unwrap();
        assert_eq!(token.count(), RECORDS);
        for (n, record) in (0..RECORDS).zip(&batch) {
            let (value, at_ms) =
                if key == BOILER { (n * 7, time_ms(n)) } else { (n, u64::from(n) << 40) };
            assert_eq!((record.seq, record.epoch), (u64::from(n), 1));
            assert_eq!((record.value, record.time_ms), (value, at_ms));
            assert_eq!((record.clock, record.kind), (clock, kind));
        }
        store.ack(token).unwrap();
    }
    store.check().unwrap();
}

#[test]
fn what_rust_wrote_c_reads() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = Gateway::open_dir(directory.path(), &GatewayConfig::new(SENSORS)).unwrap();
    let boiler = store.register(SensorConfig::time_series(BOILER, 1_000)).unwrap();
    for n in 0..RECORDS {
        store.append(boiler, n * 7, Timestamp::utc(time_ms(n))).unwrap();
    }
    let mut batch = [Record::default(); 10];
    let token = store.consume(boiler, &mut batch).unwrap().unwrap();
    store.reject(token).unwrap();
    assert!(store.shut_down(None, &mut |_| ()).is_complete());
    drop(store);

    let store = open_c(directory.path());
    let boiler = add_c(store, BOILER, Kind::TimeSeries);
    let mut records = vec![ss_record::default(); RECORDS as usize];
    let (mut token, mut taken) = (ss_token::default(), 0);
    let mut loss = ss_loss::default();
    let mut recovery = ss_recovery::default();
    // SAFETY: an open store, a buffer of so many records, places of this function's.
    unsafe {
        assert_eq!(ss_recovery_found(store, &raw mut recovery), 0);
        let out = records.as_mut_ptr();
        let status = ss_consume(store, boiler, out, records.len(), &raw mut token, &raw mut taken);
        assert_eq!((status, taken), (0, 990));
        assert_eq!(ss_last_loss(store, &raw mut loss), 0);
        assert_eq!(ss_ack(store, &raw const token), 0);
        assert_eq!(ss_close(store), 0);
    }
    assert_eq!((recovery.was_clean, recovery.is_new, recovery.records), (1, 0, 990));
    assert_eq!((loss.first_seq, loss.count, loss.cause), (0, 10, 2));
    for (n, record) in (10..RECORDS).zip(&records) {
        assert_eq!((record.seq, record.epoch), (u64::from(n), 1));
        assert_eq!((record.value, record.time_ms), (n * 7, time_ms(n)));
    }
}
