//! On Linux a handle is a number that is given once: a place in a table, and which of the stores that had
//! it. So a handle that was closed is told from every open one, and closing twice is an error.

use super::{
    callers::{self, Caller},
    explain,
};
use crate::{
    config::ss_config,
    placed::{self, Placed},
    status::ss_status,
    types::ss_store,
};
use core::{
    cell::UnsafeCell,
    marker::PhantomData,
    mem::ManuallyDrop,
    ops::{Deref, DerefMut},
    ptr::{self, NonNull},
    sync::atomic::{AtomicU32, AtomicUsize, Ordering::SeqCst},
};
use ss_lib::{
    gateway::{Gateway, Manager},
    ram::{Shared, Store},
};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Stores that one process can have open at once.
const PLACES: usize = 64;

/// What is open in a place.
pub(crate) enum Held {
    /// With a disk, and the thread that drives it.
    Disk(Gateway, Mutex<Option<Manager>>),
    /// In RAM; the number is the sensor that the next drain begins with.
    Ram(Store<Shared>, AtomicU32),
    /// In memory that the caller lends.
    Memory(Mutex<Lent>),
}

/// The head of memory that the caller lends, and how many bytes of it.
pub(crate) struct Lent {
    head: NonNull<Placed>,
    bytes: usize,
}

// SAFETY: the memory is the store's alone, whichever thread uses it, and the mutex lets in one at a time.
unsafe impl Send for Lent {}

impl Lent {
    /// Runs `f` over the store.
    pub(crate) fn enter<R>(
        &mut self,
        f: impl FnOnce(&mut placed::Body) -> Result<R, ss_status>,
    ) -> Result<R, ss_status> {
        // SAFETY: `placed::open` made it, and the unique borrow keeps others out.
        unsafe { placed::enter(self.head, f) }
    }

    fn overlaps(&self, memory: usize, bytes: usize) -> bool {
        let start = self.head.addr().get();
        memory < start + self.bytes && start < memory.saturating_add(bytes)
    }
}

struct Place {
    /// The handle of the store that is open here; 0: none.
    handle: AtomicUsize,
    held: UnsafeCell<Option<Held>>,
}

// SAFETY: `held` is written by whoever took the place from `Openings` while `handle` is 0, and shared while
// it is not; `callers` keeps the two apart. What is in it may be used by many threads.
unsafe impl Sync for Place {}

const _: fn() = || {
    const fn is_shared<T: Send + Sync>() {}
    is_shared::<Held>();
};

static PLACE: [Place; PLACES] =
    [const { Place { handle: AtomicUsize::new(0), held: UnsafeCell::new(None) } }; PLACES];

/// Which places are in use, and how many stores were ever opened.
struct Openings {
    in_use: u64,
    count: usize,
}

const _: () = assert!(PLACES == u64::BITS as usize);

static OPENINGS: Mutex<Openings> = Mutex::new(Openings { in_use: 0, count: 0 });

fn openings() -> MutexGuard<'static, Openings> {
    OPENINGS.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn enter_mutex<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn pointer(handle: usize) -> *mut ss_store {
    ptr::without_provenance_mut(handle)
}

/// Runs `f` over what is open under the handle.
#[inline]
pub(crate) fn enter<R>(
    store: *mut ss_store,
    f: impl FnOnce(&Held) -> Result<R, ss_status>,
) -> Result<R, ss_status> {
    let handle = store.addr();
    if handle == 0 {
        return Err(ss_status::SS_EINVAL);
    }
    let caller = Caller::mine();
    if caller.is_inside() {
        return Err(ss_status::SS_EBUSY);
    }
    let place = &PLACE[handle % PLACES];
    let _inside = caller.enter(handle);
    if place.handle.load(SeqCst) != handle {
        return Err(ss_status::SS_EHANDLE);
    }
    // SAFETY: the store was open after this thread said that it is inside, and whoever closes it waits
    // until it is not before `held` is changed.
    let held = unsafe { &*place.held.get() };
    held.as_ref().map_or(Err(ss_status::SS_EHANDLE), f)
}

/// Opens what `make` makes.
pub(crate) fn open(
    make: impl FnOnce() -> Result<Held, ss_status>,
) -> Result<*mut ss_store, ss_status> {
    callers::prepare();
    let (place, handle) = {
        let mut openings = openings();
        let index = openings.in_use.trailing_ones() as usize;
        if index == PLACES {
            return Err(ss_status::SS_EHANDLES);
        }
        openings.in_use |= 1 << index;
        openings.count += 1;
        (Reserved(index), openings.count * PLACES + index)
    };
    let held = make()?;
    let index = place.keep();
    // SAFETY: the place is this call's: its bit was free and is taken now. Nobody enters while `handle`
    // is 0.
    unsafe { *PLACE[index].held.get() = Some(held) };
    PLACE[index].handle.store(handle, SeqCst);
    Ok(pointer(handle))
}

/// A place whose bit is taken and in which nothing is open.
struct Reserved(usize);

impl Reserved {
    fn keep(self) -> usize {
        ManuallyDrop::new(self).0
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        openings().in_use &= !(1 << self.0);
    }
}

/// Opens a store in memory that the caller lends.
///
/// # Safety
/// As for [`placed::open`].
pub(crate) unsafe fn open_memory(
    config: &ss_config,
    memory: *mut u8,
    bytes: usize,
) -> Result<*mut ss_store, ss_status> {
    /// Openings in lent memory come one after the other: no two may find the same memory free.
    static ONE_BY_ONE: Mutex<()> = Mutex::new(());
    // From within a call the others' memory cannot be looked at.
    if Caller::mine().is_inside() {
        return Err(ss_status::SS_EBUSY);
    }
    let _one = enter_mutex(&ONE_BY_ONE);
    for place in &PLACE {
        let handle = place.handle.load(SeqCst);
        let is_taken = handle != 0
            && enter(pointer(handle), |held| {
                let Held::Memory(lent) = held else { return Ok(false) };
                Ok(enter_mutex(lent).overlaps(memory.addr(), bytes))
            }) == Ok(true);
        if is_taken {
            return Err(ss_status::SS_ELOCKED);
        }
    }
    open(|| {
        // SAFETY: the caller's promise; no other store of this process has a part of it.
        let head = unsafe { placed::open(config, memory, bytes) }?;
        Ok(Held::Memory(Mutex::new(Lent { head, bytes })))
    })
}

/// Closes the store: waits for the calls that are inside; what comes later finds it closed.
pub(crate) fn close(store: *mut ss_store) -> Result<(), ss_status> {
    let handle = store.addr();
    if handle == 0 {
        return Err(ss_status::SS_EINVAL);
    }
    if Caller::mine().is_inside() {
        return Err(ss_status::SS_EBUSY);
    }
    let index = handle % PLACES;
    // Of several that close one handle one goes on.
    if PLACE[index].handle.compare_exchange(handle, 0, SeqCst, SeqCst).is_err() {
        return Err(ss_status::SS_EHANDLE);
    }
    let _place = Reserved(index);
    callers::wait_until_left(handle);
    // SAFETY: nobody is inside, nobody comes in any more, and the place's bit is still taken.
    let held = unsafe { (*PLACE[index].held.get()).take() };
    match held {
        Some(Held::Disk(gateway, manager)) => {
            // The thread has a handle of its own: it goes first, so that the last one is this.
            drop(manager);
            drop(gateway);
        }
        Some(Held::Memory(lent)) => {
            let head = enter_mutex(&lent).head;
            // SAFETY: it was open, and nobody else is inside.
            unsafe { placed::close(head) }?;
        }
        Some(Held::Ram(..)) | None => {}
    }
    Ok(())
}

/// What tells this store's tokens from another one's.
pub(crate) fn tag(store: *mut ss_store) -> u32 {
    store.addr() as u32
}

/// A type whose values are counted handles to something shared: a bitwise copy is as good as a clone for
/// as long as the original is there, and is never dropped.
///
/// # Safety
/// The type is made of `Arc`s alone, and nothing that takes it by unique reference drops or replaces it.
pub(crate) unsafe trait Counted {}

// SAFETY: an `Arc` to the RAM tier and one to the rest. No method of it assigns to them.
unsafe impl Counted for Gateway {}
// SAFETY: an `Arc`. No method of it assigns to it.
unsafe impl Counted for Store<Shared> {}

/// A handle for one call: what the engine's methods want by unique reference, without the four atomic
/// counts of a clone and a drop, which would be half the price of an add.
pub(crate) struct Lease<'a, T>(ManuallyDrop<T>, PhantomData<&'a T>);

#[inline]
pub(crate) fn lend<T: Counted>(original: &T) -> Lease<'_, T> {
    // SAFETY: `Counted` says that a copy is a handle too; it is not dropped, and the original outlives it.
    Lease(ManuallyDrop::new(unsafe { ptr::read(original) }), PhantomData)
}

impl<T> Deref for Lease<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for Lease<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

/// Runs an expression with the store's engine, whichever it is.
macro_rules! with_store {
    ($store:expr, |$engine:ident| $body:expr) => {
        $crate::handle::enter($store, |held| match held {
            $crate::handle::Held::Disk(gateway, _) => {
                let $engine = &mut *$crate::handle::lend(gateway);
                $body
            }
            $crate::handle::Held::Ram(store, _) => {
                let $engine = &mut *$crate::handle::lend(store);
                $body
            }
            $crate::handle::Held::Memory(lent) => $crate::handle::enter_mutex(lent).enter(|body| {
                let $engine = &mut body.store;
                $body
            }),
        })
    };
}
pub(crate) use with_store;

/// Why a store on disk was not opened.
impl From<ss_lib::gateway::OpenError> for ss_status {
    fn from(error: ss_lib::gateway::OpenError) -> Self {
        use ss_lib::{disk::Operation, gateway::OpenError};
        explain(&error);
        match error {
            OpenError::Disk(error) if error.operation == Operation::Lock => Self::SS_ELOCKED,
            OpenError::Disk(_) => Self::SS_EIO,
            OpenError::NoSuperblock | OpenError::NoCheckpoint | OpenError::EpochsUsedUp => {
                Self::SS_EDAMAGED
            }
            OpenError::FutureVersion { .. } => Self::SS_EVERSION,
            OpenError::Geometry(_) | OpenError::Setting(_) => Self::SS_ECONFIG,
            OpenError::TooManySensors { .. } => Self::SS_ETOOMANY,
        }
    }
}
