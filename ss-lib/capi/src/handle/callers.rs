//! Which threads are inside of which store, so that closing one waits for them, and a use that comes after
//! is told from one that came before: without a lock, and without a fence, on the way of an add.
//!
//! A thread says in its own record which store it enters, then looks whether the store is still open. Who
//! closes says that it is not, then looks at all records. Between the two steps of each there must be a
//! full fence, or both could miss the other. Closing is rare and adding is not, so that the thread's fence
//! binds the compiler only, and who closes has the kernel run one on every processor that executes a thread
//! of this process (`membarrier`, Linux 4.14). Where the kernel does not do that, both run one.

use core::sync::atomic::{
    AtomicBool, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release, SeqCst},
    compiler_fence, fence,
};
use std::{
    cell::Cell,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// One thread's. They are never freed, only passed on: as many as there were threads at once.
#[repr(align(64))]
pub(super) struct Caller {
    /// The store that the thread is inside of; 0: none.
    inside: AtomicUsize,
    is_taken: AtomicBool,
}

static CALLERS: Mutex<Vec<&'static Caller>> = Mutex::new(Vec::new());

thread_local! {
    static MINE: Cell<Option<&'static Caller>> = const { Cell::new(None) };
    static KEEPER: Keeper = const { Keeper };
}

/// Passes the thread's record on when the thread ends.
struct Keeper;

impl Drop for Keeper {
    fn drop(&mut self) {
        if let Some(caller) = MINE.take() {
            caller.is_taken.store(false, Release);
        }
    }
}

fn callers() -> MutexGuard<'static, Vec<&'static Caller>> {
    CALLERS.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Caller {
    /// This thread's.
    #[inline]
    pub(super) fn mine() -> &'static Self {
        MINE.get().unwrap_or_else(Self::take_one)
    }

    #[cold]
    fn take_one() -> &'static Self {
        let mut all = callers();
        let free = all.iter().find(|caller| !caller.is_taken.swap(true, Acquire));
        let mine = free.copied().unwrap_or_else(|| {
            let new = Box::leak(Box::new(Self {
                inside: AtomicUsize::new(0),
                is_taken: AtomicBool::new(true),
            }));
            all.push(new);
            new
        });
        drop(all);
        // A thread that is ending has no keeper any more: its record stays taken.
        if KEEPER.try_with(|_| ()).is_ok() {
            MINE.set(Some(mine));
        }
        mine
    }

    /// Whether the thread is inside of a store.
    pub(super) fn is_inside(&self) -> bool {
        self.inside.load(Relaxed) != 0
    }

    /// Says that the thread enters `store`. The next thing is to look whether it is open.
    #[inline]
    pub(super) fn enter(&'static self, store: usize) -> Inside {
        self.inside.store(store, Relaxed);
        light_fence();
        Inside(self)
    }
}

/// The thread is inside until this is dropped.
pub(super) struct Inside(&'static Caller);

impl Drop for Inside {
    #[inline]
    fn drop(&mut self) {
        self.0.inside.store(0, Release);
    }
}

/// Waits until no thread is inside of `store`, which nobody enters any more.
pub(super) fn wait_until_left(store: usize) {
    heavy_fence();
    let mut pause_us = 10;
    while callers().iter().any(|caller| caller.inside.load(Acquire) == store) {
        std::thread::sleep(std::time::Duration::from_micros(pause_us));
        pause_us = (pause_us * 2).min(10_000);
    }
}

/// Whether the kernel fences other threads for us: asked once, before the first store is opened.
static IS_ASYMMETRIC: AtomicBool = AtomicBool::new(false);

/// Before the first store is opened.
pub(super) fn prepare() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| IS_ASYMMETRIC.store(kernel::register(), SeqCst));
}

#[inline]
fn light_fence() {
    if IS_ASYMMETRIC.load(Relaxed) {
        compiler_fence(SeqCst);
    } else {
        fence(SeqCst);
    }
}

fn heavy_fence() {
    fence(SeqCst);
    // Registered, it does not fail: it has nothing to allocate and no right to be refused.
    if IS_ASYMMETRIC.load(Relaxed) && !kernel::fence_all() {
        std::process::abort();
    }
}

#[cfg(not(miri))]
mod kernel {
    use libc::{SYS_membarrier, c_int, c_long, syscall};

    const PRIVATE_EXPEDITED: c_int = 1 << 3;
    const REGISTER_PRIVATE_EXPEDITED: c_int = 1 << 4;

    fn membarrier(command: c_int) -> bool {
        let (flags, cpu) = (0 as c_int, 0 as c_int);
        // SAFETY: three integers, no memory. An unknown command is refused.
        let result: c_long = unsafe { syscall(SYS_membarrier, command, flags, cpu) };
        result == 0
    }

    pub(super) fn register() -> bool {
        membarrier(REGISTER_PRIVATE_EXPEDITED)
    }

    pub(super) fn fence_all() -> bool {
        membarrier(PRIVATE_EXPEDITED)
    }
}

/// An interpreter has no kernel.
#[cfg(miri)]
mod kernel {
    pub(super) const fn register() -> bool {
        false
    }

    pub(super) const fn fence_all() -> bool {
        true
    }
}
