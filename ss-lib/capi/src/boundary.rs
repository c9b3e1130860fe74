//! C's pointers, believed in one place: NULL and misaligned ones are refused, what else is owed the head
//! of the header says.

use crate::{status::ss_status, types::Mirrors};
use core::{
    ffi::c_int,
    ptr::{self, NonNull},
};

/// A place of the caller's for a result.
#[derive(Clone, Copy)]
pub(crate) struct Out<T>(NonNull<T>);

impl<T> Out<T> {
    /// # Safety
    /// `place` is NULL, misaligned, or valid for a write for as long as the call lasts, and nothing else
    /// uses it meanwhile.
    pub(crate) unsafe fn new(place: *mut T) -> Result<Self, ss_status> {
        usable(place).map(Self)
    }

    pub(crate) fn set(self, value: T) {
        // SAFETY: `new` was promised that the place can be written to.
        unsafe { self.0.write(value) };
    }
}

fn usable<T>(pointer: *mut T) -> Result<NonNull<T>, ss_status> {
    NonNull::new(pointer).filter(|pointer| pointer.is_aligned()).ok_or(ss_status::SS_EINVAL)
}

/// # Safety
/// `value` is NULL, misaligned, or points to a `T` that nobody changes for as long as the call lasts.
/// Every bit pattern is a `T`.
pub(crate) unsafe fn input<'a, T>(value: *const T) -> Result<&'a T, ss_status> {
    // SAFETY: not NULL and aligned; the rest the caller promises.
    usable(value.cast_mut()).map(|value| unsafe { value.as_ref() })
}

/// # Safety
/// As for [`input`], of `count` values.
pub(crate) unsafe fn inputs<'a, T>(values: *const T, count: usize) -> Result<&'a [T], ss_status> {
    let values = usable(values.cast_mut())?;
    check_length::<T>(count)?;
    // SAFETY: not NULL, aligned, not larger than memory can be; the rest the caller promises.
    Ok(unsafe { core::slice::from_raw_parts(values.as_ptr(), count) })
}

/// A buffer of the caller's, whatever stands in it, as one of the engine's: its first `used` places.
///
/// # Safety
/// `places` is NULL, misaligned, or valid for writes of `capacity` places for as long as the call lasts,
/// and nothing else uses them meanwhile.
pub(crate) unsafe fn buffer<'a, Native, T: Mirrors<Native>>(
    places: *mut T,
    capacity: usize,
    used: usize,
) -> Result<&'a mut [Native], ss_status> {
    let places = usable(places)?;
    check_length::<T>(capacity)?;
    let used = used.min(capacity);
    // SAFETY: the caller promises `capacity` places.
    unsafe { ptr::write_bytes(places.as_ptr(), 0, used) };
    // SAFETY: zeroed just now, which `Mirrors` says is a valid `Native` of the same layout.
    Ok(unsafe { core::slice::from_raw_parts_mut(places.as_ptr().cast::<Native>(), used) })
}

/// Makes the first `written` places of a buffer whole that the engine has written.
///
/// # Safety
/// As for [`buffer`], which gave the engine these places; nothing uses what it gave any more.
pub(crate) unsafe fn settle<Native, T: Mirrors<Native>>(places: *mut T, written: usize) {
    for index in 0..written {
        // SAFETY: one of the places.
        unsafe { T::settle(places.add(index)) };
    }
}

fn check_length<T>(count: usize) -> Result<(), ss_status> {
    match count.checked_mul(size_of::<T>()) {
        Some(bytes) if isize::try_from(bytes).is_ok() => Ok(()),
        _ => Err(ss_status::SS_EINVAL),
    }
}

/// What an entry returns. A panic stays on this side.
#[cfg(feature = "std")]
#[inline]
pub(crate) fn entry(f: impl FnOnce() -> Result<(), ss_status>) -> c_int {
    // What was in use when it panicked says `SS_EPANIC` or `SS_EFAULT` from then on, or goes on whole.
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(f)) {
        Ok(result) => code(result),
        Err(_) => ss_status::SS_EPANIC as c_int,
    }
}

/// What an entry returns. A panic aborts, by the caller's hook.
#[cfg(not(feature = "std"))]
#[inline]
pub(crate) fn entry(f: impl FnOnce() -> Result<(), ss_status>) -> c_int {
    code(f())
}

#[inline]
fn code(result: Result<(), ss_status>) -> c_int {
    match result {
        Ok(()) => 0,
        Err(status) => status as c_int,
    }
}
