//! What a microcontroller's program can give to the library: two functions around each operation, at link
//! time, and a hook for what must never happen.

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

/// Told where the library panicked: the source file's name, `file_bytes` bytes, not terminated, and the
/// line. It should not return; if it does, an undefined instruction follows.
pub type ss_panic_fn =
    Option<unsafe extern "C" fn(file: *const core::ffi::c_char, file_bytes: usize, line: u32)>;

static HOOK: AtomicPtr<()> = AtomicPtr::new(core::ptr::null_mut());

/// Sets what is called when the library panics, which is a fault of its own. NULL: nothing is called.
///
/// Microcontrollers only. Any thread or interrupt.
#[unsafe(no_mangle)]
pub extern "C" fn ss_set_panic_hook(hook: ss_panic_fn) {
    HOOK.store(hook.map_or(core::ptr::null_mut(), |hook| hook as *mut ()), Relaxed);
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    let hook = HOOK.load(Relaxed);
    // SAFETY: NULL, which is `None`, or what `ss_set_panic_hook` was given.
    let hook: ss_panic_fn = unsafe { core::mem::transmute(hook) };
    if let (Some(hook), Some(location)) = (hook, info.location()) {
        let file = location.file();
        // SAFETY: a function of this type, by the contract of `ss_set_panic_hook`.
        unsafe { hook(file.as_ptr().cast(), file.len(), location.line()) };
    }
    loop {
        #[cfg(target_arch = "arm")]
        // SAFETY: it does not return, and touches nothing.
        unsafe {
            core::arch::asm!("udf #0");
        }
    }
}
