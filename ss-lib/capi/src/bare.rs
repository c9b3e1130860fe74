//! What a microcontroller's program can give to the library: two functions around each operation, at link
//! time, and a hook for what must never happen.

#![allow(
    unused_attributes,
    clippy::inline_always,
    reason = "rustc's lint does not know that whole-program optimisation heeds it; what it saves is measured"
)]

use core::{
    panic::PanicInfo,
    sync::atomic::{AtomicPtr, Ordering::Relaxed},
};

unsafe extern "C" {
    pub(crate) safe fn ss_critical_enter() -> u32;
    pub(crate) safe fn ss_critical_leave(state: u32);
}

// The defaults, for a program whose interrupts do not use the store. Weak: a program's own functions of
// these names stand in their places.
#[cfg(target_arch = "arm")]
core::arch::global_asm!(
    ".pushsection .text.ss_critical_defaults, \"ax\", %progbits",
    ".weak ss_critical_enter",
    ".type ss_critical_enter, %function",
    ".thumb_func",
    "ss_critical_enter:",
    "movs r0, #0",
    "bx lr",
    ".weak ss_critical_leave",
    ".type ss_critical_leave, %function",
    ".thumb_func",
    "ss_critical_leave:",
    "bx lr",
    ".popsection",
);

/// Told that the library panicked, and where if it was built with `panic-location`: the source file's name,
/// `file_bytes` bytes, not terminated, and the line; else 0 bytes and 0. It should not return; if it does,
/// an undefined instruction follows.
pub type ss_panic_fn =
    Option<unsafe extern "C" fn(file: *const core::ffi::c_char, file_bytes: usize, line: u32)>;

static HOOK: AtomicPtr<()> = AtomicPtr::new(core::ptr::null_mut());

/// Sets what is called when the library panics, which is a fault of its own. NULL: nothing is called.
///
/// Microcontrollers only. Any task or interrupt.
#[unsafe(no_mangle)]
pub extern "C" fn ss_set_panic_hook(hook: ss_panic_fn) {
    HOOK.store(hook.map_or(core::ptr::null_mut(), |hook| hook as *mut ()), Relaxed);
}

// Inlined into the one place that it is called from, so that the optimiser sees that nobody reads a panic's
// message, nor its place unless it was asked for, and both go: together they are a sixth of the library.
#[panic_handler]
#[allow(
    unused_attributes,
    reason = "the lint does not know that whole-program optimisation heeds it"
)]
#[inline(always)]
fn panic(info: &PanicInfo<'_>) -> ! {
    let location = if cfg!(feature = "panic-location") { info.location() } else { None };
    let (file, line) = location.map_or(("", 0), |location| (location.file(), location.line()));
    // SAFETY: NULL, which is `None`, or what `ss_set_panic_hook` was given.
    let hook: ss_panic_fn = unsafe { core::mem::transmute(HOOK.load(Relaxed)) };
    if let Some(hook) = hook {
        // SAFETY: a function of this type, by the contract of `ss_set_panic_hook`.
        unsafe { hook(file.as_ptr().cast(), file.len(), line) };
    }
    loop {
        #[cfg(target_arch = "arm")]
        // SAFETY: it does not return, and touches nothing.
        unsafe {
            core::arch::asm!("udf #0");
        }
    }
}
