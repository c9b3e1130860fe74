//! The store's state as text, for a console. Without `core::fmt`, which costs a microcontroller more than
//! the store itself.

use super::looking::{ss_drop_cause_name, ss_store_stats_get};
use crate::{
    boundary::entry,
    engine::Engine,
    handle::with_store,
    status::ss_status,
    text,
    types::{ss_print_fn, ss_store, ss_store_stats},
};
use core::ffi::{CStr, c_char, c_int, c_void};
use ss_lib::{Kind, Loss, Sensor};

/// Newest losses that are printed.
const LOSSES: usize = 8;

/// Lines with `%` where a number stands.
static LINES: [u8; 418] = *b"opening %, % sensors\n\0\
    sectors % of % in use, % at most\n\0\
    records % added = % erased + % pending + % unsent + % dropped; % refused\n\0\
    ledger  % entries of % records, % forgotten\n\0\
    disk    % B in % segments, % records; % B written, % syncs, % damaged pages\n\0\
    sensor  %/% every % ms\0\
    sensor  %/% events\0\
    , inactive\0\
    : % pending, % unsent, % erased, % dropped, % rejected, % refused\n\0\
    lost    %/%: % records from % on, \0\
    , at % ms\n\0";

/// The places in the table.
#[derive(Clone, Copy)]
enum Line {
    Opening,
    Sectors,
    Records,
    Ledger,
    Disk,
    TimeSeries,
    Events,
    Inactive,
    Counts,
    Lost,
    At,
}

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
        let to = Printer { print: print.ok_or(ss_status::SS_EINVAL)?, user };
        // Refuses a handle that is none, for what it is.
        with_store!(store, |engine| Ok(Engine::epoch(engine)))?;
        let mut figures = ss_store_stats::default();
        // SAFETY: the store is the caller's promise; the place is a local.
        if unsafe { ss_store_stats_get(store, &raw mut figures) } != 0 {
            return Err(ss_status::SS_EBUSY);
        }
        print_store(&to, &figures);
        for index in 0..figures.sensors {
            print_sensor(&to, store, Sensor::from_index(index))?;
        }
        let mut losses = [Loss::NONE; LOSSES];
        let kept = with_store!(store, |engine| Ok(Engine::losses(engine, &mut losses)))?;
        for loss in losses.iter().take(kept) {
            print_loss(&to, store, loss)?;
        }
        Ok(())
    })
}

/// Text goes through the caller's function.
struct Printer {
    print: unsafe extern "C" fn(*mut c_void, *const c_char, usize),
    user: *mut c_void,
}

impl Printer {
    fn bytes(&self, text: &[u8]) {
        if !text.is_empty() {
            // SAFETY: the caller owes a function of this type that returns.
            unsafe { (self.print)(self.user, text.as_ptr().cast(), text.len()) };
        }
    }

    fn line(&self, line: Line, numbers: &[u64]) {
        let mut numbers = numbers.iter();
        for (index, piece) in
            text::nth(&LINES, line as usize).to_bytes().split(|&byte| byte == b'%').enumerate()
        {
            if index > 0
                && let Some(&number) = numbers.next()
            {
                self.bytes(text::decimal(number, &mut [0; 20]));
            }
            self.bytes(piece);
        }
    }
}

fn print_store(to: &Printer, figures: &ss_store_stats) {
    let totals = &figures.totals;
    let dropped = totals
        .dropped_recycled
        .saturating_add(totals.dropped_corrupt)
        .saturating_add(totals.dropped_quota)
        .saturating_add(totals.dropped_disk_max);
    to.line(Line::Opening, &[figures.epoch.into(), figures.sensors.into()]);
    to.line(
        Line::Sectors,
        &[figures.sectors_used.into(), figures.sectors_total.into(), figures.sectors_peak.into()],
    );
    to.line(
        Line::Records,
        &[totals.added, totals.erased, totals.pending, totals.unsent, dropped, totals.refused],
    );
    to.line(
        Line::Ledger,
        &[figures.ledger_entries, figures.ledger_records, figures.ledger_forgotten],
    );
    if figures.disk_segments > 0 {
        to.line(
            Line::Disk,
            &[
                figures.disk_bytes,
                figures.disk_segments.into(),
                figures.disk_records,
                figures.disk_bytes_written,
                figures.disk_syncs,
                figures.disk_damaged_pages,
            ],
        );
    }
}

fn print_sensor(to: &Printer, store: *mut ss_store, sensor: Sensor) -> Result<(), ss_status> {
    let (config, stats, is_active) = with_store!(store, |engine| {
        Ok((
            Engine::sensor_config(engine, sensor)?,
            Engine::stats(engine, sensor)?,
            Engine::is_active(engine, sensor)?,
        ))
    })?;
    let (source, id) = (config.key.source.into(), config.key.id.into());
    match config.kind {
        Kind::TimeSeries => to.line(Line::TimeSeries, &[source, id, config.period_ms.into()]),
        Kind::Event => to.line(Line::Events, &[source, id]),
    }
    if !is_active {
        to.line(Line::Inactive, &[]);
    }
    to.line(
        Line::Counts,
        &[
            stats.pending,
            stats.unsent,
            stats.erased,
            stats.dropped(),
            stats.rejected,
            stats.refused,
        ],
    );
    Ok(())
}

fn print_loss(to: &Printer, store: *mut ss_store, loss: &Loss) -> Result<(), ss_status> {
    let key = with_store!(store, |engine| Ok(Engine::sensor_config(engine, loss.sensor)?.key))?;
    to.line(Line::Lost, &[key.source.into(), key.id.into(), loss.count.into(), loss.first_seq]);
    // SAFETY: a static string.
    to.bytes(unsafe { CStr::from_ptr(ss_drop_cause_name(loss.cause as u32)) }.to_bytes());
    to.line(Line::At, &[loss.at_ms]);
    Ok(())
}
