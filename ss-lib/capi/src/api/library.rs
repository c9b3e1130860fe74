//! About the library itself, and about configurations.

use super::{input, out};
use crate::{
    boundary::entry,
    config::{ss_config, ss_profile},
    placed,
    status::ss_status,
    types::SS_ABI_VERSION,
};
use core::ffi::{CStr, c_char, c_int};

const VERSION: &CStr =
    match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
        Ok(version) => version,
        Err(_) => panic!("a version without NUL"),
    };

/// The library's `SS_ABI_VERSION`. A program whose header has another one must not go on.
#[unsafe(no_mangle)]
pub extern "C" fn ss_abi_version() -> u32 {
    SS_ABI_VERSION
}

/// The library's version, such as "0.1.0". Static.
#[unsafe(no_mangle)]
pub extern "C" fn ss_version() -> *const c_char {
    VERSION.as_ptr()
}

/// The sentence of a status, also of one that this library does not have. Static, never NULL.
#[unsafe(no_mangle)]
pub extern "C" fn ss_strerror(status: c_int) -> *const c_char {
    ss_status::sentence(status).as_ptr()
}

/// What the last error of this thread had to say beside its status: which file, which figures, what to do
/// next. `ss_open`, `ss_open_ram`, `ss_shutdown`, `ss_sync`, `ss_drain` and `ss_check` leave it. Copies at
/// most `text_capacity_bytes`, its end of string included, into `text`. Linux only.
#[cfg(feature = "std")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_error_detail(text: *mut c_char, text_capacity_bytes: usize) -> c_int {
    entry(|| {
        if text.is_null() || text_capacity_bytes == 0 {
            return Err(ss_status::SS_EINVAL);
        }
        crate::handle::last_detail(|detail| {
            let copied = detail.count_bytes().min(text_capacity_bytes - 1);
            // SAFETY: the caller owes `text_capacity_bytes` bytes; `copied` is less.
            unsafe {
                core::ptr::copy_nonoverlapping(detail.as_ptr(), text, copied);
                text.add(copied).write(0);
            }
        });
        Ok(())
    })
}

/// Fills a configuration with the defaults of a profile (one of `ss_profile`; a microcontroller's library
/// knows `SS_PROFILE_STM32` alone).
///
/// SS_EINVAL: no such profile.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_config_init(config: *mut ss_config, profile: u32) -> c_int {
    entry(|| {
        let config = out!(config);
        config.set(ss_config::of_profile(profile)?);
        Ok(())
    })
}

/// The bytes that a store of this configuration takes: for `SS_PROFILE_STM32` what `ss_open_memory` must
/// be given, aligned to `SS_STORE_ALIGN_BYTES` (and what `SS_STORE_BYTES` says at compile time); for the
/// others what opening takes from the heap, and never more.
///
/// SS_ECONFIG: no store can have it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_store_size(config: *const ss_config, bytes: *mut u64) -> c_int {
    entry(|| {
        let config = input!(config);
        let bytes = out!(bytes);
        bytes.set(store_bytes(config)?);
        Ok(())
    })
}

fn store_bytes(config: &ss_config) -> Result<u64, ss_status> {
    #[cfg(feature = "std")]
    if config.profile == ss_profile::SS_PROFILE_LINUX as u32 {
        config.check(ss_profile::SS_PROFILE_LINUX)?;
        return Ok(ss_lib::gateway::footprint_bytes(&config.gateway())?);
    }
    #[cfg(feature = "std")]
    if config.profile == ss_profile::SS_PROFILE_LINUX_RAM as u32 {
        config.check(ss_profile::SS_PROFILE_LINUX_RAM)?;
        return Ok(ss_lib::ram::footprint_bytes(&config.shared()?));
    }
    config.check(ss_profile::SS_PROFILE_STM32)?;
    placed::bytes(config).map(|bytes| bytes as u64)
}
