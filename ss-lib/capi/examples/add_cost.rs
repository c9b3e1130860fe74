//! What an add through the C interface costs beside the Rust one, in one run on one store of each:
//!
//!     cargo run --release -p ss-capi --example add_cost
//!
//! The C entry is called through a pointer of its C type, as a C program calls it; the Rust one as a Rust
//! program does. Rounds of both take turns. Exit code 1: the ratio of the medians is above 1.2.

use core::{ffi::c_int, hint::black_box, ptr};
use ss::{api, ss_config, ss_profile, ss_record, ss_sensor_config, ss_store, ss_token};
use ss_lib::{
    SensorConfig, SensorKey, Timestamp,
    gateway::{Gateway, GatewayConfig, WhenFull},
};
use std::{ffi::CString, os::unix::ffi::OsStrExt, process::ExitCode, time::Instant};

const SENSORS: u32 = 2_048;
const ADDS: u32 = 200_000;
const ROUNDS: usize = 101;
const BUDGET: f64 = 1.2;
/// Two sectors a sensor, which hold a round: none meets a full pool, which is another price.
const POOL_BYTES: u64 = 4 << 20;

type TsAdd = unsafe extern "C" fn(*mut ss_store, u32, u32, u64, u32, *mut u64) -> c_int;

fn main() -> ExitCode {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut ours = open_rust(&directory.path().join("rust"));
    let sensors: Vec<_> = ours.sensors().collect();
    let theirs = open_c(&directory.path().join("c"));
    let ts_add: TsAdd = black_box(api::ss_ts_add);
    let order = order();

    let (mut rust_ns, mut c_ns) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let time_ms = 1_000_000 + round as u64 * 1_000;
        let started = Instant::now();
        for (value, &index) in order.iter().enumerate() {
            let added = ours.append(sensors[index as usize], value as u32, Timestamp::utc(time_ms));
            assert!(added.is_ok());
        }
        rust_ns.push(started.elapsed().as_secs_f64() * 1e9 / f64::from(ADDS));

        let started = Instant::now();
        for (value, &index) in order.iter().enumerate() {
            // SAFETY: an open store; the number of a record is not wanted.
            let status =
                unsafe { ts_add(theirs, index, value as u32, time_ms, 1, ptr::null_mut()) };
            assert_eq!(status, 0);
        }
        c_ns.push(started.elapsed().as_secs_f64() * 1e9 / f64::from(ADDS));
        empty(&mut ours, theirs);
    }
    // SAFETY: an open store.
    assert_eq!(unsafe { api::ss_close(theirs) }, 0);

    let (rust, c) = (median(rust_ns), median(c_ns));
    let ratio = c / rust;
    println!("add, ns: Rust {rust:.1}, C {c:.1}: {ratio:.3} times (budget {BUDGET})");
    if ratio <= BUDGET { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn open_rust(directory: &std::path::Path) -> Gateway {
    let config = GatewayConfig {
        pool_bytes: POOL_BYTES,
        full: WhenFull::Refuse,
        ..GatewayConfig::new(SENSORS)
    };
    let mut store = Gateway::open_dir(directory, &config).expect("a fresh store");
    for id in 0..SENSORS {
        let key = SensorKey { source: 2, id };
        store.register(SensorConfig::time_series(key, 1_000)).expect("a place for each");
    }
    store
}

fn open_c(directory: &std::path::Path) -> *mut ss_store {
    let mut config = core::mem::MaybeUninit::<ss_config>::uninit();
    let mut store = ptr::null_mut();
    let directory = CString::new(directory.as_os_str().as_bytes()).expect("no NUL in it");
    // SAFETY: places of this function's; the configuration is initialised by the first call.
    unsafe {
        let profile = ss_profile::SS_PROFILE_LINUX as u32;
        assert_eq!(api::ss_config_init(config.as_mut_ptr(), profile), 0);
        let mut config = config.assume_init();
        config.pool_bytes = POOL_BYTES;
        config.when_full = 1;
        assert_eq!(api::ss_open(&raw const config, directory.as_ptr(), &raw mut store), 0);
        for id in 0..SENSORS {
            let mut sensor = 0;
            let config =
                ss_sensor_config { id, period_ms: 1_000, source: 2, ..ss_sensor_config::default() };
            assert_eq!(api::ss_sensor_add(store, &raw const config, &raw mut sensor), 0);
        }
    }
    store
}

/// Everything is consumed and acknowledged, which is not measured.
fn empty(ours: &mut Gateway, theirs: *mut ss_store) {
    let mut batch = vec![ss_lib::Record::default(); 1_024];
    for sensor in ours.sensors() {
        while let Ok(Some(token)) = ours.consume(sensor, &mut batch) {
            ours.ack(token).expect("the batch is pending");
        }
    }
    let mut batch = vec![ss_record::default(); 1_024];
    for sensor in 0..SENSORS {
        let (mut token, mut records) = (ss_token::default(), 1);
        while records > 0 {
            let out = batch.as_mut_ptr();
            // SAFETY: an open store, a buffer of so many records, places of this function's.
            unsafe {
                let (token, records) = (&raw mut token, &raw mut records);
                assert_eq!(api::ss_consume(theirs, sensor, out, 1_024, token, records), 0);
                api::ss_ack(theirs, token);
            }
        }
    }
}

/// Sensors in random order, the same for both and in every run.
fn order() -> Vec<u32> {
    let mut state = 1_u32;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) % SENSORS
    };
    std::iter::repeat_with(next).take(ADDS as usize).collect()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
