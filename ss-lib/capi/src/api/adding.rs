//! Adding: one reading, or many of one sensor.

use super::{optional_out, out};
use crate::{
    boundary::{entry, inputs},
    engine::Engine,
    handle::with_store,
    status::ss_status,
    types::{ss_sample, ss_store, timestamp},
};
use core::ffi::c_int;
use ss_lib::Sensor;

/// Adds a reading of a time series, taken at `time_ms` of `clock` (`SS_CLOCK_MONOTONIC` or `SS_CLOCK_UTC`).
/// `seq` (may be NULL) gets its number. A reading within half a period of the sensor's grid is kept in 4 B
/// and reported on the grid; any other starts a new grid.
///
/// Nothing is stored unless the result is 0. SS_ESENSOR, SS_EKIND, SS_EINACTIVE, SS_EFULL, SS_ESHUTDOWN,
/// SS_ESEQ, SS_EINVAL (no such clock). With a disk, a full pool and `SS_WHEN_FULL_WAIT` it waits at most
/// `wait_ms`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_ts_add(
    store: *mut ss_store,
    sensor: u32,
    value: u32,
    time_ms: u64,
    clock: u32,
    seq: *mut u64,
) -> c_int {
    entry(|| {
        let seq = optional_out!(seq);
        let (sensor, at) = (Sensor::from_index(sensor), timestamp(time_ms, clock)?);
        let added = with_store!(store, |engine| Ok(Engine::append(engine, sensor, value, at)?))?;
        if let Some(seq) = seq {
            seq.set(added);
        }
        Ok(())
    })
}

/// Adds an event with the caller's own timestamp, kept exactly: any value, in any order. `seq` (may be
/// NULL) gets its number. Errors as for `ss_ts_add`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_evt_add(
    store: *mut ss_store,
    sensor: u32,
    value: u32,
    ts_ms: u64,
    seq: *mut u64,
) -> c_int {
    entry(|| {
        let seq = optional_out!(seq);
        let sensor = Sensor::from_index(sensor);
        let added =
            with_store!(store, |engine| Ok(Engine::append_event(engine, sensor, value, ts_ms)?))?;
        if let Some(seq) = seq {
            seq.set(added);
        }
        Ok(())
    })
}

/// Adds readings of one time series, in order, until one is refused. `added` gets the number of those that
/// were taken, whatever the result; the errors are those of `ss_ts_add` for the first that was not. On a
/// microcontroller all of them are one critical section.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_ts_add_batch(
    store: *mut ss_store,
    sensor: u32,
    clock: u32,
    samples: *const ss_sample,
    samples_count: usize,
    added: *mut usize,
) -> c_int {
    entry(|| {
        let added = out!(added);
        added.set(0);
        // SAFETY: the caller owes `samples_count` structs.
        let samples = unsafe { inputs(samples, samples_count) }?;
        let sensor = Sensor::from_index(sensor);
        timestamp(0, clock)?;
        let (taken, result) = with_store!(store, |engine| {
            Ok(add_all(samples, |sample| {
                let at = timestamp(sample.time_ms, clock)?;
                Ok(Engine::append(engine, sensor, sample.value, at)?)
            }))
        })?;
        added.set(taken);
        result
    })
}

/// Adds events of one sensor, in order, until one is refused. As `ss_ts_add_batch`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_evt_add_batch(
    store: *mut ss_store,
    sensor: u32,
    samples: *const ss_sample,
    samples_count: usize,
    added: *mut usize,
) -> c_int {
    entry(|| {
        let added = out!(added);
        added.set(0);
        // SAFETY: the caller owes `samples_count` structs.
        let samples = unsafe { inputs(samples, samples_count) }?;
        let sensor = Sensor::from_index(sensor);
        let (taken, result) = with_store!(store, |engine| {
            Ok(add_all(samples, |sample| {
                Ok(Engine::append_event(engine, sensor, sample.value, sample.time_ms)?)
            }))
        })?;
        added.set(taken);
        result
    })
}

fn add_all(
    samples: &[ss_sample],
    mut add: impl FnMut(&ss_sample) -> Result<u64, ss_status>,
) -> (usize, Result<(), ss_status>) {
    for (taken, sample) in samples.iter().enumerate() {
        if let Err(status) = add(sample) {
            return (taken, Err(status));
        }
    }
    (samples.len(), Ok(()))
}
