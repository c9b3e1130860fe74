//! A store at the head of the memory that the caller lends it: how that memory is cut, and how it is
//! entered.

use crate::{config::ss_config, config::ss_profile, status::ss_status};
use core::{
    ptr::NonNull,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};
use ss_lib::{
    Loss,
    ram::{LENT_LOSSES_MAX, LENT_SECTORS_MAX, Lent, LentMemory, SensorPlace, Store},
};

/// How the memory that a store is given must be aligned, in bytes.
pub const SS_STORE_ALIGN_BYTES: usize = 8;

/// What a store takes beside its sensors, sectors and ledger entries, in bytes.
pub const SS_STORE_BASE_BYTES: usize = 320;
/// What each sensor takes of it, in bytes.
pub const SS_STORE_SENSOR_BYTES: usize = 66;
/// What each RAM sector takes of it beside its own bytes.
pub const SS_STORE_SECTOR_LINK_BYTES: usize = 6;
/// What each ledger entry takes of it, in bytes.
pub const SS_STORE_LOSS_BYTES: usize = 32;

const _: () = {
    assert!(size_of::<Placed>() <= SS_STORE_BASE_BYTES);
    assert!(align_of::<Placed>() <= SS_STORE_ALIGN_BYTES && align_of::<Loss>() <= 8);
    assert!(size_of::<SensorPlace>() + 6 == SS_STORE_SENSOR_BYTES);
    assert!(align_of::<SensorPlace>() <= 4 && size_of::<Loss>() == SS_STORE_LOSS_BYTES);
    assert!(SS_STORE_BASE_BYTES.is_multiple_of(SS_STORE_ALIGN_BYTES));
};

/// What stands at the head of an open store's memory, and of no other.
const MAGIC: u32 = u32::from_le_bytes(*b"ss\x01O");
const CLOSED: u32 = u32::from_le_bytes(*b"ss\x01C");

/// The head of the memory.
#[repr(C, align(8))]
pub(crate) struct Placed {
    /// Atomic, because an interrupt may ask while the store is in use.
    magic: AtomicU32,
    is_busy: AtomicU32,
    pub(crate) body: Body,
}

/// What an entry works with.
pub(crate) struct Body {
    pub(crate) store: Store<Lent<'static>>,
    /// The sensor that the next drain begins with.
    pub(crate) turn: u32,
}

/// How the memory is cut: the head, the ledger's entries, the sensors' places, the pool, its links, and
/// counts of 2 B. Offsets in bytes.
struct Cut {
    losses_at: usize,
    places_at: usize,
    words_at: usize,
    links_at: usize,
    order_at: usize,
    ranks_at: usize,
    more_than_at: usize,
    newest_at: usize,
    bytes: usize,
    sensors: usize,
    words: usize,
    sectors: usize,
    losses: usize,
}

impl Cut {
    fn of(config: &ss_config) -> Result<Self, ss_status> {
        let geometry = config.geometry()?;
        let sensors = config.sensors_max as usize;
        let losses = config.losses_max as usize;
        let sectors = geometry.sectors() as usize;
        let words = sectors.checked_mul(geometry.sector_bytes() as usize / 4);
        // 16 bits count sectors and name entries.
        if geometry.sectors() > LENT_SECTORS_MAX || config.losses_max > LENT_LOSSES_MAX {
            return Err(ss_status::SS_ECONFIG);
        }
        let cut = (|| {
            let words = words?;
            let after = |at: usize, count: usize, each: usize| {
                count.checked_mul(each).and_then(|bytes| at.checked_add(bytes))
            };
            let losses_at = SS_STORE_BASE_BYTES;
            let places_at = after(losses_at, losses, size_of::<Loss>())?;
            let words_at = after(places_at, sensors, size_of::<SensorPlace>())?;
            let links_at = after(words_at, words, 4)?;
            let order_at = after(links_at, sectors, 4)?;
            let ranks_at = after(order_at, sensors, 2)?;
            let more_than_at = after(ranks_at, sensors, 2)?;
            let newest_at = after(more_than_at, sectors, 2)?;
            let end = after(newest_at, sensors, 2)?;
            let bytes = end.checked_next_multiple_of(SS_STORE_ALIGN_BYTES)?;
            isize::try_from(bytes).ok()?;
            Some(Self {
                losses_at,
                places_at,
                words_at,
                links_at,
                order_at,
                ranks_at,
                more_than_at,
                newest_at,
                bytes,
                sensors,
                words,
                sectors,
                losses,
            })
        })();
        cut.ok_or(ss_status::SS_ECONFIG)
    }
}

/// The bytes that a store of this configuration needs.
pub(crate) fn bytes(config: &ss_config) -> Result<usize, ss_status> {
    config.check(ss_profile::SS_PROFILE_STM32)?;
    Ok(Cut::of(config)?.bytes)
}

/// Opens a store in `bytes` bytes at `memory`.
///
/// # Safety
/// `memory` is NULL, misaligned, or belongs to the store alone from now until it is closed.
pub(crate) unsafe fn open(
    config: &ss_config,
    memory: *mut u8,
    bytes: usize,
) -> Result<NonNull<Placed>, ss_status> {
    config.check(ss_profile::SS_PROFILE_STM32)?;
    let native = config.ram()?;
    let geometry = config.geometry()?;
    let cut = Cut::of(config)?;
    let head = NonNull::new(memory.cast::<Placed>()).ok_or(ss_status::SS_EINVAL)?;
    if bytes < cut.bytes || !memory.addr().is_multiple_of(SS_STORE_ALIGN_BYTES) {
        return Err(ss_status::SS_EMEMORY);
    }
    // SAFETY: every part lies in the memory, which is the store's, behind the parts before it, and is
    // aligned: the head's size is a multiple of 8, as is a ledger entry's; places, words and links are
    // aligned to 4 and made of multiples of 4; what is behind them is aligned to 2. Every bit is written
    // before it is read: zeros are the value of words, links, counts and entries (as `Loss::NONE`), and
    // places are written one by one.
    let memory = unsafe {
        core::ptr::write_bytes(memory, 0, cut.bytes);
        let places = memory.add(cut.places_at).cast::<SensorPlace>();
        for place in 0..cut.sensors {
            places.add(place).write(SensorPlace::VACANT);
        }
        LentMemory {
            words: core::slice::from_raw_parts(memory.add(cut.words_at).cast(), cut.words),
            links: core::slice::from_raw_parts(memory.add(cut.links_at).cast(), cut.sectors),
            places: core::slice::from_raw_parts_mut(places, cut.sensors),
            order: part(memory, cut.order_at, cut.sensors),
            ranks: part(memory, cut.ranks_at, cut.sensors),
            more_than: part(memory, cut.more_than_at, cut.sectors),
            newest_losses: part(memory, cut.newest_at, cut.sensors),
            losses: core::slice::from_raw_parts_mut(memory.add(cut.losses_at).cast(), cut.losses),
        }
    };
    let store = Store::open_lent(native, geometry, memory).map_err(|_| ss_status::SS_EFAULT)?;
    let placed = Placed {
        magic: AtomicU32::new(MAGIC),
        is_busy: AtomicU32::new(0),
        body: Body { store, turn: 0 },
    };
    // SAFETY: the head is part of the memory, aligned, and no other part overlaps it.
    unsafe { head.write(placed) };
    Ok(head)
}

/// # Safety
/// `count` halves of words lie there, written, and are nobody else's.
unsafe fn part(memory: *mut u8, at: usize, count: usize) -> &'static mut [u16] {
    // SAFETY: the caller's promise, in the caller's words.
    unsafe { core::slice::from_raw_parts_mut(memory.add(at).cast(), count) }
}

/// Runs `f` over the store at `head`, if an open one is there and not in use.
///
/// # Safety
/// `head` is aligned; a head's size of memory can be read there, and if it says that a store is open there,
/// `open` has made it. Of the calls of this function for one store none runs beside another, unless as an
/// interrupt of it.
pub(crate) unsafe fn enter<R>(
    head: NonNull<Placed>,
    f: impl FnOnce(&mut Body) -> Result<R, ss_status>,
) -> Result<R, ss_status> {
    let head = head.as_ptr();
    // SAFETY: the head can be read; these two are atomics, and nobody has a unique reference to them.
    let (magic, is_busy) = unsafe { (&(*head).magic, &(*head).is_busy) };
    if magic.load(Relaxed) != MAGIC {
        return Err(ss_status::SS_EHANDLE);
    }
    // An interrupt that comes between these two ends before this goes on.
    if is_busy.load(Relaxed) != 0 {
        return Err(ss_status::SS_EBUSY);
    }
    is_busy.store(1, Relaxed);
    let _in_use = InUse(is_busy);
    // SAFETY: whoever else is in here found the flag set and went away.
    f(unsafe { &mut (*head).body })
}

struct InUse<'a>(&'a AtomicU32);

impl Drop for InUse<'_> {
    fn drop(&mut self) {
        self.0.store(0, Relaxed);
    }
}

/// Closes the store at `head`: its memory is the caller's again.
///
/// # Safety
/// As for [`enter`].
pub(crate) unsafe fn close(head: NonNull<Placed>) -> Result<(), ss_status> {
    // SAFETY: as for `enter`. The body owns nothing but borrowed memory: there is nothing to drop.
    unsafe {
        enter(head, |_| Ok(()))?;
        (*head.as_ptr()).magic.store(CLOSED, Relaxed);
    }
    Ok(())
}
