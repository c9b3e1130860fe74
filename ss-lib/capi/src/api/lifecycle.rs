//! Opening, driving and ending a store.

use super::{input, optional_out, out};
use crate::{
    boundary::entry,
    config::ss_config,
    engine::Engine,
    handle::{self, with_store},
    types::{ss_progress_fn, ss_shutdown_report, ss_store},
};
use core::ffi::{c_int, c_void};

#[cfg(feature = "std")]
pub use linux::*;

/// Opens a store in memory that the caller lends: `memory_bytes` bytes at `memory`, aligned to
/// `SS_STORE_ALIGN_BYTES`. The memory is the store's until it is closed; what stood in it is gone. The
/// profile is `SS_PROFILE_STM32`.
///
/// SS_EMEMORY: too small, see `ss_store_size`, or not aligned. SS_ECONFIG: no store can have the
/// configuration. SS_ELOCKED (Linux): another store has part of the memory. SS_EBUSY (Linux): called from a
/// progress function. On a microcontroller a store that is open there is emptied.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_open_memory(
    config: *const ss_config,
    memory: *mut c_void,
    memory_bytes: usize,
    store: *mut *mut ss_store,
) -> c_int {
    entry(|| {
        let config = input!(config);
        let store = out!(store);
        // SAFETY: the caller owes the memory.
        store.set(unsafe { handle::open_memory(config, memory.cast(), memory_bytes) }?);
        Ok(())
    })
}

/// Does what is due, and tells the store the time; call it about every 100 ms unless the manager does.
/// `now_ms` is the clock that the ledger's times are of; it may jump.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_tick(store: *mut ss_store, now_ms: u64) -> c_int {
    entry(|| {
        with_store!(store, |engine| {
            Engine::tick(engine, now_ms);
            Ok(())
        })
    })
}

/// Refuses every add from now on, writes everything that is in RAM, makes it durable, and marks the store as
/// closed in order. A disk that fails is tried again until `deadline_ms` have passed; with 0, once. Stops
/// the manager. What is held can still be consumed; answers that come after are not saved. A store without
/// a disk only refuses adds.
///
/// `progress` (may be NULL) is told how far it is, with `user`. `report` (may be NULL) says how it ended,
/// also where the result is SS_ETIMEDOUT or SS_EIO.
///
/// SS_ETIMEDOUT: records remained in RAM only. SS_EIO: the disk failed. Either way it can be called again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_shutdown(
    store: *mut ss_store,
    deadline_ms: u32,
    progress: ss_progress_fn,
    user: *mut c_void,
    report: *mut ss_shutdown_report,
) -> c_int {
    entry(|| {
        let report = optional_out!(report);
        let mut tell = |records, left| {
            if let Some(progress) = progress {
                // SAFETY: the caller owes a function of this type that returns.
                unsafe { progress(user, records, left) };
            }
        };
        #[cfg(feature = "std")]
        linux::stop_manager(store)?;
        let ended =
            with_store!(store, |engine| Ok(Engine::shut_down(engine, deadline_ms, &mut tell)))?;
        let (result, records, left) = match ended {
            Ok((records, left)) => (Ok(()), records, left),
            Err((status, records, left)) => (Err(status), records, left),
        };
        if let Some(report) = report {
            report.set(ss_shutdown_report { records, left });
        }
        result
    })
}

/// Closes the store and gives everything back that it took. Without `ss_shutdown` before, this is what a
/// kill is: what is in RAM only is gone. Waits for calls of other threads that are inside; later ones get
/// SS_EHANDLE, as does a second close.
///
/// SS_EBUSY: called from within a call, such as from a progress function.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_close(store: *mut ss_store) -> c_int {
    entry(|| {
        #[cfg(feature = "std")]
        return handle::close(store);
        #[cfg(not(feature = "std"))]
        // SAFETY: the caller owes a handle.
        unsafe {
            handle::close(store)
        }
    })
}

/// This opening's number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_epoch(store: *mut ss_store, epoch: *mut u32) -> c_int {
    entry(|| {
        let epoch = out!(epoch);
        epoch.set(with_store!(store, |engine| Ok(Engine::epoch(engine)))?);
        Ok(())
    })
}

/// Limits the RAM sectors that may be in use at once, as if the pool were smaller; `UINT32_MAX` lifts the
/// limit. What is stored stays stored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_limit_sectors(store: *mut ss_store, sectors: u32) -> c_int {
    entry(|| {
        with_store!(store, |engine| {
            Engine::limit_sectors(engine, sectors);
            Ok(())
        })
    })
}

/// What only Linux has.
#[cfg(feature = "std")]
mod linux {
    use super::{c_int, entry, handle, input, out, ss_config, ss_store};
    use crate::{
        config::ss_profile,
        handle::{Held, enter_mutex, explain, lend},
        status::ss_status,
        types::ss_recovery,
    };
    use core::{ffi::CStr, ffi::c_char, sync::atomic::AtomicU32};
    use ss_lib::{
        gateway::{self, Gateway},
        ram::{self, Store},
    };
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt, path::Path, sync::Mutex};

    /// Opens the store in a directory, as its one owner; creates it if there is none. All memory is taken
    /// here. The profile is `SS_PROFILE_LINUX`. Then call `ss_manager_start`, or `ss_tick` every 100 ms.
    ///
    /// SS_ELOCKED: it has an owner. SS_EIO, SS_EVERSION, SS_EDAMAGED, SS_ECONFIG, SS_ETOOMANY (more sensors
    /// hold records than the configuration has places for), SS_EMEMORY, SS_EHANDLES. `ss_error_detail` has
    /// the sentence. Linux only.
    #[unsafe(no_mangle)]
    pub unsafe extern "C" fn ss_open(
        config: *const ss_config,
        directory: *const c_char,
        store: *mut *mut ss_store,
    ) -> c_int {
        entry(|| {
            let config = input!(config);
            let store = out!(store);
            if directory.is_null() {
                return Err(ss_status::SS_EINVAL);
            }
            // SAFETY: the caller owes a string that ends.
            let directory = unsafe { CStr::from_ptr(directory) };
            let directory = Path::new(OsStr::from_bytes(directory.to_bytes()));
            config.check(ss_profile::SS_PROFILE_LINUX)?;
            let config = config.gateway();
            may_take(gateway::footprint_bytes(&config)?)?;
            let opened = handle::open(|| {
                Ok(Held::Disk(Gateway::open_dir(directory, &config)?, Mutex::new(None)))
            })?;
            store.set(opened);
            Ok(())
        })
    }

    /// Opens an empty store in RAM, for threads. The profile is `SS_PROFILE_LINUX_RAM`.
    ///
    /// SS_ECONFIG, SS_EMEMORY, SS_EHANDLES. Linux only.
    #[unsafe(no_mangle)]
    pub unsafe extern "C" fn ss_open_ram(
        config: *const ss_config,
        store: *mut *mut ss_store,
    ) -> c_int {
        entry(|| {
            let config = input!(config);
            let store = out!(store);
            config.check(ss_profile::SS_PROFILE_LINUX_RAM)?;
            let config = config.shared()?;
            may_take(ram::footprint_bytes(&config))?;
            store.set(handle::open(|| {
                Ok(Held::Ram(Store::open_shared(config), AtomicU32::new(0)))
            })?);
            Ok(())
        })
    }

    /// Whether the heap has so much: what a store takes is taken without asking again.
    fn may_take(bytes: u64) -> Result<(), ss_status> {
        let bytes = usize::try_from(bytes).map_err(|_| ss_status::SS_EMEMORY)?;
        Vec::<u8>::new().try_reserve_exact(bytes).map_err(|error| {
            explain(&format_args!("a store of {bytes} B: {error}"));
            ss_status::SS_EMEMORY
        })
    }

    /// Runs `f` over a store with a disk.
    fn with_disk<R>(
        store: *mut ss_store,
        f: impl FnOnce(&mut Gateway, &Mutex<Option<gateway::Manager>>) -> Result<R, ss_status>,
    ) -> Result<R, ss_status> {
        handle::enter(store, |held| match held {
            Held::Disk(gateway, manager) => f(&mut lend(gateway), manager),
            Held::Ram(..) | Held::Memory(_) => Err(ss_status::SS_ENOTSUP),
        })
    }

    /// Starts a thread that ticks every 100 ms, and at once when an add finds the pool nearly full. It runs
    /// until `ss_manager_stop`, `ss_shutdown` or `ss_close`. Nothing happens if it runs already. The
    /// ledger's times are UTC then.
    ///
    /// SS_ENOTSUP: a store without a disk has nothing to do. Linux only.
    #[unsafe(no_mangle)]
    pub unsafe extern "C" fn ss_manager_start(store: *mut ss_store) -> c_int {
        entry(|| {
            with_disk(store, |gateway, manager| {
                enter_mutex(manager).get_or_insert_with(|| gateway.start_manager());
                Ok(())
            })
        })
    }

    /// Stops the manager, and waits until it has ended. Nothing happens if none runs.
    ///
    /// SS_ENOTSUP: a store without a disk. Linux only.
    #[unsafe(no_mangle)]
    pub unsafe extern "C" fn ss_manager_stop(store: *mut ss_store) -> c_int {
        entry(|| {
            with_disk(store, |_, manager| {
                drop(enter_mutex(manager).take());
                Ok(())
            })
        })
    }

    pub(super) fn stop_manager(store: *mut ss_store) -> Result<(), ss_status> {
        handle::enter(store, |held| {
            if let Held::Disk(_, manager) = held {
                drop(enter_mutex(manager).take());
            }
            Ok(())
        })
    }

    /// Makes everything added and answered so far durable before it returns.
    ///
    /// SS_EIO: the disk failed. SS_ENOTSUP: a store without a disk. Linux only.
    #[unsafe(no_mangle)]
    pub unsafe extern "C" fn ss_sync(store: *mut ss_store) -> c_int {
        entry(|| {
            with_disk(store, |gateway, _| {
                gateway.sync().map_err(|error| {
                    explain(&error);
                    ss_status::SS_EIO
                })
            })
        })
    }

    /// Records that a monotonic time of this opening plus `offset_ms` is UTC, for whoever reads its records
    /// later. Saved with the next commit.
    ///
    /// SS_ENOTSUP: a store without a disk has one opening, whose offset its caller knows. Linux only.
    #[unsafe(no_mangle)]
    pub unsafe extern "C" fn ss_clock_synced(store: *mut ss_store, offset_ms: i64) -> c_int {
        entry(|| {
            with_disk(store, |gateway, _| {
                gateway.clock_synced(offset_ms);
                Ok(())
            })
        })
    }

    /// The offset from an opening's monotonic clock to UTC, in ms.
    ///
    /// SS_ENOTFOUND: it was never told. SS_ENOTSUP: a store without a disk. Linux only.
    #[unsafe(no_mangle)]
    pub unsafe extern "C" fn ss_clock_offset(
        store: *mut ss_store,
        epoch: u32,
        offset_ms: *mut i64,
    ) -> c_int {
        entry(|| {
            let offset_ms = out!(offset_ms);
            let known = with_disk(store, |gateway, _| Ok(gateway.clock_offset_ms(epoch)))?;
            offset_ms.set(known.ok_or(ss_status::SS_ENOTFOUND)?);
            Ok(())
        })
    }

    /// What opening found.
    ///
    /// SS_ENOTSUP: a store without a disk. Linux only.
    #[unsafe(no_mangle)]
    pub unsafe extern "C" fn ss_recovery_found(
        store: *mut ss_store,
        recovery: *mut ss_recovery,
    ) -> c_int {
        entry(|| {
            let recovery = out!(recovery);
            let found = with_disk(store, |gateway, _| Ok(gateway.recovery()))?;
            recovery.set(ss_recovery {
                records: found.records,
                pages_read: found.pages_read,
                wall_us: found.wall_us,
                segments: found.segments,
                torn_pages: found.torn_pages,
                corrupt_pages: found.corrupt_pages,
                was_clean: u32::from(found.was_clean),
                is_new: u32::from(found.is_new),
                reserved: 0,
            });
            Ok(())
        })
    }
}
