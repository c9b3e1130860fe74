//! Handing out and answering.

use super::{input, out};
use crate::{
    boundary::{Out, buffer, entry, settle},
    engine::{Drained, Engine},
    handle::{self, with_store},
    status::ss_status,
    types::{SS_BATCH_RECORDS_MAX, ss_record, ss_store, ss_token},
};
use core::ffi::c_int;
use ss_lib::{BatchToken, Record, Sensor};

/// Hands out the sensor's oldest unsent record as a batch of one, and makes it pending. `records` gets 1,
/// or 0 if none waits: then there is no token.
///
/// SS_EPENDING: the sensor's last batch is not answered yet. SS_EUNREADABLE: the disk; try again.
/// SS_ESENSOR.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_consume_one(
    store: *mut ss_store,
    sensor: u32,
    record: *mut ss_record,
    token: *mut ss_token,
    records: *mut usize,
) -> c_int {
    entry(|| {
        let (token, records) = (out!(token), out!(records));
        // SAFETY: the caller owes one record.
        unsafe { consume(store, sensor, record, 1, token, records) }
    })
}

/// Hands out the sensor's oldest unsent records, at most `records_capacity`, as one batch, and makes them
/// pending: until the token is answered the sensor hands out nothing more. `records` gets their number; 0:
/// nothing waits, and there is no token. A batch ends early at a gap in the numbers, so that a short one is
/// no sign that no more wait.
///
/// SS_EPENDING: the sensor's last batch is not answered yet. SS_EUNREADABLE: the disk; try again.
/// SS_ESENSOR.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_consume(
    store: *mut ss_store,
    sensor: u32,
    out: *mut ss_record,
    records_capacity: usize,
    token: *mut ss_token,
    records: *mut usize,
) -> c_int {
    entry(|| {
        let (token, records) = (out!(token), out!(records));
        // SAFETY: the caller owes `records_capacity` records.
        unsafe { consume(store, sensor, out, records_capacity, token, records) }
    })
}

/// # Safety
/// As for [`buffer`].
unsafe fn consume(
    store: *mut ss_store,
    sensor: u32,
    out: *mut ss_record,
    capacity: usize,
    token: Out<ss_token>,
    records: Out<usize>,
) -> Result<(), ss_status> {
    records.set(0);
    token.set(ss_token::default());
    let sensor = Sensor::from_index(sensor);
    // SAFETY: the caller's promise. Nothing is used of it yet.
    let _: &mut [Record] = unsafe { buffer(out, capacity, 0) }?;
    let handed = with_store!(store, |engine| {
        // Only as much of the buffer as can be needed is written to. Asked for a batch while one is
        // pending, the engine says so whatever the buffer.
        let unsent = Engine::unsent(engine, sensor)?;
        let used = usize::try_from(unsent).unwrap_or(usize::MAX).min(SS_BATCH_RECORDS_MAX);
        // SAFETY: as above.
        let out = unsafe { buffer(out, capacity, used) }?;
        Ok(Engine::consume(engine, sensor, out)?)
    })?;
    if let Some(handed) = handed {
        token.set(ss_token::new(handed, handle::tag(store)));
        records.set(handed.count() as usize);
        // SAFETY: the engine wrote so many of the caller's records.
        unsafe { settle::<Record, _>(out, handed.count() as usize) };
    }
    Ok(())
}

/// Hands out batches across all sensors, a store on disk in the order of its log, which reads a backlog
/// once, front to back: as many as there is room for, each of at most `batch_records_max` records. The
/// records of each batch lie in `out` behind those of the batch before; `batches` and `records` get the
/// numbers of both. A sensor has one batch at most: answer them, then drain again. 0 batches: nothing waits,
/// or what waits is behind a pending batch.
///
/// SS_EUNREADABLE: the disk; what was handed out before it failed is pending, and `ss_pending_batch` has its
/// tokens.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_drain(
    store: *mut ss_store,
    batch_records_max: usize,
    out: *mut ss_record,
    records_capacity: usize,
    tokens: *mut ss_token,
    tokens_capacity: usize,
    batches: *mut usize,
    records: *mut usize,
) -> c_int {
    entry(|| {
        let (batches, records) = (out!(batches), out!(records));
        batches.set(0);
        records.set(0);
        if batch_records_max == 0 {
            return Err(ss_status::SS_EINVAL);
        }
        // SAFETY: the caller owes `records_capacity` records.
        let natives: &mut [Record] = unsafe { buffer(out, records_capacity, records_capacity) }?;
        // SAFETY: the caller owes `tokens_capacity` tokens.
        let native_tokens: &mut [BatchToken] =
            unsafe { buffer(tokens, tokens_capacity, tokens_capacity) }?;
        let drained = drain(store, batch_records_max, natives, native_tokens)?;
        // SAFETY: the engine wrote so many of the caller's records.
        unsafe { settle::<Record, _>(out, drained.records) };
        for index in 0..drained.batches {
            // SAFETY: one of the tokens that were just written there. The engine's slice is not used any
            // more.
            unsafe { (&raw mut (*tokens.add(index)).store).write(handle::tag(store)) };
        }
        batches.set(drained.batches);
        records.set(drained.records);
        Ok(())
    })
}

#[cfg(feature = "std")]
fn drain(
    store: *mut ss_store,
    batch_records: usize,
    out: &mut [Record],
    tokens: &mut [BatchToken],
) -> Result<Drained, ss_status> {
    use crate::handle::{Held, enter_mutex, lend};
    use core::sync::atomic::Ordering::Relaxed;
    handle::enter(store, |held| match held {
        Held::Disk(gateway, _) => {
            Engine::drain(&mut *lend(gateway), &mut 0, batch_records, out, tokens)
        }
        Held::Ram(ram, turn) => {
            let mut next = turn.load(Relaxed);
            let drained = Engine::drain(&mut *lend(ram), &mut next, batch_records, out, tokens);
            turn.store(next, Relaxed);
            drained
        }
        Held::Memory(lent) => enter_mutex(lent).enter(|body| {
            Engine::drain(&mut body.store, &mut body.turn, batch_records, out, tokens)
        }),
    })
}

#[cfg(not(feature = "std"))]
fn drain(
    store: *mut ss_store,
    batch_records: usize,
    out: &mut [Record],
    tokens: &mut [BatchToken],
) -> Result<Drained, ss_status> {
    // SAFETY: what the caller owes for a handle.
    unsafe {
        handle::enter(store, |body| {
            Engine::drain(&mut body.store, &mut body.turn, batch_records, out, tokens)
        })
    }
}

/// Erases exactly the batch's records: the cloud has them. With a disk, durable with the next commit.
///
/// SS_ESTALE: the token does not name the batch that is pending now. Nothing was changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_ack(store: *mut ss_store, token: *const ss_token) -> c_int {
    entry(|| {
        let token = input!(token).native(handle::tag(store));
        with_store!(store, |engine| Ok(Engine::ack(engine, token?)?))
    })
}

/// Returns exactly the batch's records to unsent: they are the next to be consumed.
///
/// SS_ESTALE: the token does not name the batch that is pending now. Nothing was changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_nack(store: *mut ss_store, token: *const ss_token) -> c_int {
    entry(|| {
        let token = input!(token).native(handle::tag(store));
        with_store!(store, |engine| Ok(Engine::nack(engine, token?)?))
    })
}

/// Erases exactly the batch's records and enters them into the loss ledger: the cloud will never take them.
///
/// SS_ESTALE: the token does not name the batch that is pending now. Nothing was changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_reject(store: *mut ss_store, token: *const ss_token) -> c_int {
    entry(|| {
        let token = input!(token).native(handle::tag(store));
        with_store!(store, |engine| Ok(Engine::reject(engine, token?)?))
    })
}

/// The token of the sensor's pending batch, for an uploader that lost it.
///
/// SS_ENOTFOUND: nothing is pending. SS_ESENSOR.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_pending_batch(
    store: *mut ss_store,
    sensor: u32,
    token: *mut ss_token,
) -> c_int {
    entry(|| {
        let token = out!(token);
        let sensor = Sensor::from_index(sensor);
        let pending = with_store!(store, |engine| Ok(Engine::pending_batch(engine, sensor)?))?;
        let pending = pending.ok_or(ss_status::SS_ENOTFOUND)?;
        token.set(ss_token::new(pending, handle::tag(store)));
        Ok(())
    })
}
