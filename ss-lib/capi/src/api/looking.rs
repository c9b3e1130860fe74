//! Looking: without any effect on what the store holds.

use super::out;
use crate::{
    boundary::{buffer, entry, settle},
    engine::Engine,
    handle::with_store,
    status::ss_status,
    text,
    types::{ss_levels, ss_loss, ss_record, ss_sensor_stats, ss_store, ss_store_stats},
};
use core::ffi::{c_char, c_int};
use ss_lib::{Loss, Record, Sensor};

/// Copies what `ss_consume` would hand out next, at most `records_capacity` records, without any effect.
/// `records` gets their number.
///
/// SS_ESENSOR.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_peek(
    store: *mut ss_store,
    sensor: u32,
    out: *mut ss_record,
    records_capacity: usize,
    records: *mut usize,
) -> c_int {
    entry(|| {
        let records = out!(records);
        records.set(0);
        // SAFETY: the caller owes `records_capacity` records. Nothing is used of it yet.
        let _: &mut [Record] = unsafe { buffer(out, records_capacity, 0) }?;
        let sensor = Sensor::from_index(sensor);
        let copied = with_store!(store, |engine| {
            let unsent = usize::try_from(Engine::unsent(engine, sensor)?).unwrap_or(usize::MAX);
            // SAFETY: as above.
            let out = unsafe { buffer(out, records_capacity, unsent) }?;
            Ok(Engine::peek_batch(engine, sensor, out)?)
        })?;
        // SAFETY: the engine wrote so many of the caller's records.
        unsafe { settle::<Record, _>(out, copied) };
        records.set(copied);
        Ok(())
    })
}

/// Reads one record that the store holds, pending or unsent, by its number. For diagnostics: the cost
/// follows the backlog's length.
///
/// SS_ENOTFOUND: it was erased, dropped or never added. SS_ECORRUPT. SS_ESENSOR.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_read_at(
    store: *mut ss_store,
    sensor: u32,
    seq: u64,
    record: *mut ss_record,
) -> c_int {
    entry(|| {
        let record = out!(record);
        let sensor = Sensor::from_index(sensor);
        let read = with_store!(store, |engine| Ok(Engine::read_at(engine, sensor, seq)?))?;
        record.set(read.into());
        Ok(())
    })
}

/// How many of the sensor's records wait to be consumed.
///
/// SS_ESENSOR.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_count_unsent(
    store: *mut ss_store,
    sensor: u32,
    records: *mut u64,
) -> c_int {
    entry(|| {
        let records = out!(records);
        let sensor = Sensor::from_index(sensor);
        records.set(with_store!(store, |engine| Ok(Engine::unsent(engine, sensor)?))?);
        Ok(())
    })
}

/// How many of the sensor's records are handed out and not yet answered.
///
/// SS_ESENSOR.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_count_pending(
    store: *mut ss_store,
    sensor: u32,
    records: *mut u64,
) -> c_int {
    entry(|| {
        let records = out!(records);
        let sensor = Sensor::from_index(sensor);
        records.set(with_store!(store, |engine| Ok(Engine::pending(engine, sensor)?))?);
        Ok(())
    })
}

/// How many of the sensor's records the store holds: pending and unsent.
///
/// SS_ESENSOR.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_count_retained(
    store: *mut ss_store,
    sensor: u32,
    records: *mut u64,
) -> c_int {
    entry(|| {
        let records = out!(records);
        let sensor = Sensor::from_index(sensor);
        records.set(with_store!(store, |engine| Ok(Engine::stats(engine, sensor)?.retained()))?);
        Ok(())
    })
}

/// Whether `ss_consume` would look for a batch: something is unsent and nothing pending.
///
/// SS_ESENSOR.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_is_ready(
    store: *mut ss_store,
    sensor: u32,
    is_ready: *mut bool,
) -> c_int {
    entry(|| {
        let is_ready = out!(is_ready);
        let sensor = Sensor::from_index(sensor);
        is_ready.set(with_store!(store, |engine| Ok(Engine::is_ready(engine, sensor)?))?);
        Ok(())
    })
}

/// The sensor's counts over its whole life.
///
/// SS_ESENSOR.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_sensor_stats_get(
    store: *mut ss_store,
    sensor: u32,
    stats: *mut ss_sensor_stats,
) -> c_int {
    entry(|| {
        let stats = out!(stats);
        let sensor = Sensor::from_index(sensor);
        stats.set(with_store!(store, |engine| Ok(Engine::stats(engine, sensor)?))?.into());
        Ok(())
    })
}

/// The store's figures. The cost follows the number of sensors.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_store_stats_get(
    store: *mut ss_store,
    stats: *mut ss_store_stats,
) -> c_int {
    entry(|| {
        let stats = out!(stats);
        let figures = with_store!(store, |engine| Ok(store_stats(engine)))?;
        #[cfg(feature = "std")]
        let figures = with_disk_stats(store, figures)?;
        stats.set(figures);
        Ok(())
    })
}

fn store_stats(engine: &impl Engine) -> ss_store_stats {
    let (pool, ledger) = (engine.pool(), engine.ledger());
    ss_store_stats {
        totals: engine.totals().into(),
        ledger_entries: ledger.entries,
        ledger_records: ledger.records,
        ledger_forgotten: ledger.forgotten,
        epoch: engine.epoch(),
        sensors: engine.sensors(),
        sectors_total: pool.sectors_total,
        sectors_used: pool.sectors_used,
        sectors_peak: pool.sectors_peak,
        sectors_limit: pool.sectors_limit,
        ..ss_store_stats::default()
    }
}

#[cfg(feature = "std")]
fn with_disk_stats(
    store: *mut ss_store,
    figures: ss_store_stats,
) -> Result<ss_store_stats, ss_status> {
    crate::handle::enter(store, |held| {
        let crate::handle::Held::Disk(gateway, _) = held else { return Ok(figures) };
        let disk = gateway.disk();
        Ok(ss_store_stats {
            disk_bytes: disk.bytes,
            disk_bytes_peak: disk.bytes_peak,
            disk_bytes_written: disk.bytes_written,
            disk_records: disk.records,
            disk_syncs: disk.fsyncs,
            disk_pages_read: disk.pages_read,
            disk_damaged_pages: disk.damaged_pages,
            disk_reserve_bytes: disk.reserve_bytes,
            disk_durable_lag_ms: disk.durable_lag_ms,
            disk_segments_squeezed: disk.segments_squeezed,
            disk_segments: disk.segments,
            ..figures
        })
    })
}

/// How far the sensor's records have come.
///
/// SS_ESENSOR.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_levels_get(
    store: *mut ss_store,
    sensor: u32,
    levels: *mut ss_levels,
) -> c_int {
    entry(|| {
        let levels = out!(levels);
        let sensor = Sensor::from_index(sensor);
        levels.set(with_store!(store, |engine| Engine::levels(engine, sensor))?.into());
        Ok(())
    })
}

/// Copies the newest entries of the loss ledger, at most `losses_capacity`, oldest of them first. `losses`
/// gets their number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_losses(
    store: *mut ss_store,
    out: *mut ss_loss,
    losses_capacity: usize,
    losses: *mut usize,
) -> c_int {
    entry(|| {
        let losses = out!(losses);
        losses.set(0);
        // SAFETY: the caller owes `losses_capacity` structs.
        let natives: &mut [Loss] = unsafe { buffer(out, losses_capacity, losses_capacity) }?;
        let copied = with_store!(store, |engine| Ok(Engine::losses(engine, natives)))?;
        // SAFETY: the engine wrote so many of the caller's structs.
        unsafe { settle::<Loss, _>(out, copied) };
        losses.set(copied);
        Ok(())
    })
}

/// The ledger's entry that was last made or extended.
///
/// SS_ENOTFOUND: nothing was ever lost.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_last_loss(store: *mut ss_store, loss: *mut ss_loss) -> c_int {
    entry(|| {
        let loss = out!(loss);
        let last = with_store!(store, |engine| Ok(Engine::last_loss(engine)))?;
        loss.set(last.ok_or(ss_status::SS_ENOTFOUND)?.into());
        Ok(())
    })
}

/// What is wrong now: the bits of `ss_health_cause`; 0: nothing. A store without a disk is always well.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_health(store: *mut ss_store, causes: *mut u32) -> c_int {
    entry(|| {
        let causes = out!(causes);
        causes.set(with_store!(store, |engine| Ok(Engine::health(engine)))?);
        Ok(())
    })
}

/// The word of one bit of `ss_health`, such as "disk-full". Static, never NULL.
#[unsafe(no_mangle)]
pub extern "C" fn ss_health_name(cause: u32) -> *const c_char {
    static NAMES: [u8; 102] =
        *b"disk-full\0io-error\0sync-failed\0volatile\0damaged\0quota-reached\0\
        disk-max-reached\0reserve-in-use\0unknown\0";
    let place = if cause.is_power_of_two() { cause.trailing_zeros() as usize } else { usize::MAX };
    text::nth(&NAMES, place).as_ptr()
}

/// The word of one of `ss_drop_cause`, such as "recycled". Static, never NULL.
#[unsafe(no_mangle)]
pub extern "C" fn ss_drop_cause_name(cause: u32) -> *const c_char {
    static NAMES: [u8; 49] = *b"recycled\0corrupt\0rejected\0quota\0disk-max\0unknown\0";
    text::nth(&NAMES, cause as usize).as_ptr()
}

/// Walks the whole store and holds every counter and cursor against what is there. Stops all other use while
/// it runs.
///
/// SS_EFAULT: they contradict each other, which is a fault of the library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_check(store: *mut ss_store) -> c_int {
    entry(|| with_store!(store, |engine| Engine::check(engine)))
}
