//! The store's state as text, for a console.

use super::looking::{ss_drop_cause_name, ss_store_stats_get};
use crate::{
    boundary::entry,
    engine::Engine,
    handle::with_store,
    status::ss_status,
    types::{ss_print_fn, ss_store, ss_store_stats},
};
use core::{
    ffi::{CStr, c_char, c_int, c_void},
    fmt::{self, Write},
};
use ss_lib::{Kind, Loss, Sensor};

/// Newest losses that are printed.
const LOSSES: usize = 8;

/// Prints the store's figures, a line a sensor, and the newest losses, through the caller's function, in
/// pieces. Between two lines the store may change: no lock or critical section is held while `print` runs,
/// which may use the store.
///
/// SS_EINVAL: `print` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_dump(
    store: *mut ss_store,
    print: ss_print_fn,
    user: *mut c_void,
) -> c_int {
    entry(|| {
        let print = print.ok_or(ss_status::SS_EINVAL)?;
        let mut to = Printer { print, user };
        let mut figures = ss_store_stats::default();
        // SAFETY: the store is the caller's promise; the place is a local.
        let status = unsafe { ss_store_stats_get(store, &raw mut figures) };
        if status != 0 {
            // Asked once more for the status as a value.
            return with_store!(store, |engine| Ok(Engine::epoch(engine))).map(|_| ());
        }
        // Printing does not fail.
        let _ = print_store(&mut to, &figures);
        for index in 0..figures.sensors {
            print_sensor(&mut to, store, Sensor::from_index(index))?;
        }
        let mut losses = [Loss::NONE; LOSSES];
        let kept = with_store!(store, |engine| Ok(Engine::losses(engine, &mut losses)))?;
        for loss in &losses[..kept] {
            print_loss(&mut to, store, loss)?;
        }
        Ok(())
    })
}

/// Text goes through the caller's function.
struct Printer {
    print: unsafe extern "C" fn(*mut c_void, *const c_char, usize),
    user: *mut c_void,
}

impl Write for Printer {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // SAFETY: the caller owes a function of this type that returns.
        unsafe { (self.print)(self.user, text.as_ptr().cast(), text.len()) };
        Ok(())
    }
}

fn print_store(to: &mut Printer, figures: &ss_store_stats) -> fmt::Result {
    let ss_store_stats {
        totals, epoch, sensors, sectors_total, sectors_used, sectors_peak, ..
    } = figures;
    writeln!(to, "opening {epoch}, {sensors} sensors")?;
    writeln!(to, "sectors {sectors_used} of {sectors_total} in use, {sectors_peak} at most")?;
    let dropped = totals
        .dropped_recycled
        .saturating_add(totals.dropped_corrupt)
        .saturating_add(totals.dropped_quota)
        .saturating_add(totals.dropped_disk_max);
    writeln!(
        to,
        "records {} added = {} erased + {} pending + {} unsent + {dropped} dropped; {} refused",
        totals.added, totals.erased, totals.pending, totals.unsent, totals.refused
    )?;
    let ss_store_stats { ledger_entries, ledger_records, ledger_forgotten, .. } = figures;
    writeln!(
        to,
        "ledger  {ledger_entries} entries of {ledger_records} records, {ledger_forgotten} forgotten"
    )?;
    if figures.disk_segments > 0 {
        writeln!(
            to,
            "disk    {} B in {} segments, {} records; {} B written, {} syncs, {} damaged pages",
            figures.disk_bytes,
            figures.disk_segments,
            figures.disk_records,
            figures.disk_bytes_written,
            figures.disk_syncs,
            figures.disk_damaged_pages
        )?;
    }
    Ok(())
}

fn print_sensor(to: &mut Printer, store: *mut ss_store, sensor: Sensor) -> Result<(), ss_status> {
    let (config, stats, is_active) = with_store!(store, |engine| {
        Ok((
            Engine::sensor_config(engine, sensor)?,
            Engine::stats(engine, sensor)?,
            Engine::is_active(engine, sensor)?,
        ))
    })?;
    let _ = write!(to, "sensor  {} ", config.key);
    let _ = match config.kind {
        Kind::TimeSeries => write!(to, "every {} ms", config.period_ms),
        Kind::Event => to.write_str("events"),
    };
    let _ = writeln!(
        to,
        "{}: {} pending, {} unsent, {} erased, {} dropped, {} rejected, {} refused",
        if is_active { "" } else { ", inactive" },
        stats.pending,
        stats.unsent,
        stats.erased,
        stats.dropped(),
        stats.rejected,
        stats.refused
    );
    Ok(())
}

fn print_loss(to: &mut Printer, store: *mut ss_store, loss: &Loss) -> Result<(), ss_status> {
    let key = with_store!(store, |engine| Ok(Engine::sensor_config(engine, loss.sensor)?.key))?;
    // SAFETY: a static string.
    let cause = unsafe { CStr::from_ptr(ss_drop_cause_name(loss.cause as u32)) };
    let _ = writeln!(
        to,
        "lost    {key}: {} records from {} on, {}, at {} ms",
        loss.count,
        loss.first_seq,
        cause.to_str().unwrap_or_default(),
        loss.at_ms
    );
    Ok(())
}
