//! On a microcontroller a handle is the address of the store's memory, and the caller's two functions keep
//! interrupts out.

use crate::{
    config::ss_config,
    placed::{self, Body, Placed},
    status::ss_status,
    types::ss_store,
};
use core::ptr::NonNull;

/// One operation of the store each.
struct Section(u32);

impl Section {
    fn enter() -> Self {
        Self(crate::bare::ss_critical_enter())
    }
}

impl Drop for Section {
    fn drop(&mut self) {
        crate::bare::ss_critical_leave(self.0);
    }
}

fn head(store: *mut ss_store) -> Result<NonNull<Placed>, ss_status> {
    let head = NonNull::new(store.cast::<Placed>()).ok_or(ss_status::SS_EINVAL)?;
    if head.is_aligned() { Ok(head) } else { Err(ss_status::SS_EHANDLE) }
}

/// # Safety
/// `store` is NULL, misaligned, or what `ss_open_memory` gave, whose memory is still there.
pub(crate) unsafe fn enter<R>(
    store: *mut ss_store,
    f: impl FnOnce(&mut Body) -> Result<R, ss_status>,
) -> Result<R, ss_status> {
    let head = head(store)?;
    let _section = Section::enter();
    // SAFETY: the memory is a store's; the section keeps others out, and the store's flag those whom it
    // does not.
    unsafe { placed::enter(head, f) }
}

/// # Safety
/// As for [`placed::open`].
pub(crate) unsafe fn open_memory(
    config: &ss_config,
    memory: *mut u8,
    bytes: usize,
) -> Result<*mut ss_store, ss_status> {
    // SAFETY: the caller's promise.
    unsafe { placed::open(config, memory, bytes) }.map(|head| head.as_ptr().cast())
}

/// # Safety
/// As for [`enter`].
pub(crate) unsafe fn close(store: *mut ss_store) -> Result<(), ss_status> {
    let head = head(store)?;
    let _section = Section::enter();
    // SAFETY: as in `enter`.
    unsafe { placed::close(head) }
}

/// What tells this store's tokens from another one's.
pub(crate) fn tag(store: *mut ss_store) -> u32 {
    store.addr() as u32
}

/// Runs an expression with the store's engine.
macro_rules! with_store {
    ($store:expr, |$engine:ident| $body:expr) => {{
        let operation = |body: &mut $crate::placed::Body| {
            let $engine = &mut body.store;
            $body
        };
        // SAFETY: what the caller owes for a handle.
        unsafe { $crate::handle::enter($store, operation) }
    }};
}
pub(crate) use with_store;
