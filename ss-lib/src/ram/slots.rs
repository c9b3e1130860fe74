//! The pool's memory, and the tokens that own it.
//!
//! A [`Sector`] is the right to a RAM sector. It can be moved, not copied, and only this module can
//! make one: once for each sector, when the pool is formatted. So a sector is at every moment in
//! one place: in a chain, in the free list, or in the hand of the code that moves it. Outside of this
//! module a double free or a second owner does not compile (field bugs B20, B21, B22); that the lists
//! which are kept with these tokens are whole, `check()` proves by walking them.
//!
//! The words themselves are relaxed atomics: a sector's memory is used under the lock of the chain
//! that owns it, and two chains have two locks. Relaxed loads and stores are the plain instructions
//! of every target here; the lock that moves a token orders them. It is what lets the whole engine
//! do without `unsafe`.

use core::{
    num::NonZeroU32,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

const SLOT_BITS: u32 = 22;
const SLOT_MASK: u32 = (1 << SLOT_BITS) - 1;

/// The most sectors that a pool can have: a link is 22 bits and 0 says "none" (so sector number 0
/// is a sector like any other: field bug B25).
pub const SECTORS_MAX: u32 = SLOT_MASK;

/// The address of a sector, without any right to it: enough to look, never to free or to link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot(u32);

impl Slot {
    pub(crate) const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A number for each sector such that a sum over several tells which they are, but for chance: what
/// proves, without memory to mark them in, that every sector was met once.
pub(crate) fn fingerprint(slot: Slot) -> u64 {
    // The finaliser of SplitMix64.
    let mut x = (u64::from(slot.0) + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    x = (x ^ x >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ x >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ x >> 31
}

/// The right to one sector.
#[derive(Debug)]
#[must_use = "a dropped sector is lost to the pool until the store is opened again"]
pub(crate) struct Sector(NonZeroU32);

impl Sector {
    pub(crate) const fn slot(&self) -> Slot {
        Slot(self.0.get() - 1)
    }
}

/// A place in a chain, in 4 B: a sector and a record in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position(u32);

impl Position {
    pub(crate) const ORIGIN: Self = Self(0);

    /// `record` is at most 1,020 (4 B records in a 4 KiB sector), so 10 bits hold it.
    pub(crate) const fn new(slot: Slot, record: u32) -> Self {
        debug_assert!(record >> (32 - SLOT_BITS) == 0);
        Self(slot.0 | record << SLOT_BITS)
    }

    /// The same record's number in another sector.
    pub(crate) const fn in_sector(self, slot: Slot) -> Self {
        // The second mask changes nothing. With it the two are one instruction.
        Self(self.0 & !SLOT_MASK | slot.0 & SLOT_MASK)
    }

    pub(crate) const fn slot(self) -> Slot {
        Slot(self.0 & SLOT_MASK)
    }

    pub(crate) const fn record(self) -> u32 {
        self.0 >> SLOT_BITS
    }
}

/// How many records a sector holds, as its link says it.
#[derive(Clone, Copy)]
pub(crate) struct Count {
    link: u32,
}

impl Count {
    #[inline]
    pub(crate) const fn records(self) -> u32 {
        self.link >> SLOT_BITS
    }

    /// The address of the sector behind this one.
    #[inline]
    pub(crate) fn next(self) -> Option<Slot> {
        (self.link & SLOT_MASK).checked_sub(1).map(Slot)
    }
}

/// The pool's memory: every sector's words, and beside them one word a sector with the link to the
/// next sector of its list (22 bits) and the number of records in it (10 bits). The count is kept
/// out of the sector so that a sector whose bytes went bad is still counted right.
#[derive(Clone, Copy)]
pub struct Slots<'m> {
    words: &'m [AtomicU32],
    links: &'m [AtomicU32],
    sector_words: usize,
}

impl<'m> Slots<'m> {
    /// `words` holds `sector_words` for each of the `links`.
    #[inline]
    pub(crate) fn new(words: &'m [AtomicU32], links: &'m [AtomicU32], sector_words: usize) -> Self {
        debug_assert_eq!(words.len(), links.len() * sector_words);
        Self { words, links, sector_words }
    }

    #[inline]
    pub(crate) fn sectors(self) -> u32 {
        // `Geometry` and the inline store's assertions keep pools below 2^22 sectors.
        self.links.len() as u32
    }

    #[inline]
    pub(crate) fn sector_words(self) -> u32 {
        self.sector_words as u32
    }

    /// Makes the one token of every sector, lowest slot last. Called once, when a store is opened:
    /// it wants the memory exclusively by contract of its only caller, `Pool::format`.
    pub(super) fn mint(self) -> impl Iterator<Item = Sector> + 'm {
        for link in self.links {
            link.store(0, Relaxed);
        }
        (1..=self.sectors()).rev().filter_map(NonZeroU32::new).map(Sector)
    }

    /// The sum of every sector's fingerprint.
    pub(crate) fn fingerprint(self) -> u64 {
        (0..self.sectors()).fold(0, |sum, index| sum.wrapping_add(fingerprint(Slot(index))))
    }

    /// The words of one sector.
    #[expect(clippy::inline_always, reason = "a call costs more than what it does")]
    #[inline(always)]
    pub(crate) fn words(self, slot: Slot) -> &'m [AtomicU32] {
        // Where every length is known, nothing else is left to be checked.
        assert!(slot.index() < self.links.len(), "no sector of the pool");
        let start = slot.index() * self.sector_words;
        &self.words[start..start + self.sector_words]
    }

    /// Flips one bit of a sector's words.
    #[cfg(feature = "fault-injection")]
    pub(super) fn flip_bit(self, sector: u32, bit: u32) {
        self.words(Slot(sector))[bit as usize / 32].fetch_xor(1 << (bit % 32), Relaxed);
    }

    /// How many records the sector holds.
    #[expect(clippy::inline_always, reason = "a call costs more than what it does")]
    #[inline(always)]
    pub(crate) fn count(self, slot: Slot) -> u32 {
        self.counted(slot).records()
    }

    /// The same for who is about to change it.
    #[expect(clippy::inline_always, reason = "a call costs more than what it does")]
    #[inline(always)]
    pub(crate) fn counted(self, slot: Slot) -> Count {
        Count { link: self.links[slot.index()].load(Relaxed) }
    }

    /// The sector, which holds `before` records, holds one more. The caller holds the lock of the
    /// sector's chain, so nobody changes the link meanwhile.
    #[inline]
    pub(crate) fn count_record(self, slot: Slot, before: Count) {
        self.links[slot.index()].store(before.link + (1 << SLOT_BITS), Relaxed);
    }

    /// The sector, the last of its list, holds one record.
    #[inline]
    pub(crate) fn set_single_record(self, slot: Slot) {
        self.links[slot.index()].store(1 << SLOT_BITS, Relaxed);
    }

    /// The address of the sector behind `slot` in its list.
    #[expect(clippy::inline_always, reason = "a call costs more than what it does")]
    #[inline(always)]
    pub(crate) fn next(self, slot: Slot) -> Option<Slot> {
        self.counted(slot).next()
    }

    /// Moves `next` behind `slot`, which holds `counted` records, and behind which nothing may be yet. Who
    /// links and unlinks holds the lock of the sector's list, so that nobody else changes the link meanwhile.
    #[expect(clippy::inline_always, reason = "a call costs more than what it does")]
    #[inline(always)]
    #[expect(clippy::needless_pass_by_value, reason = "the token moves into the link")]
    pub(crate) fn put_next(self, slot: Slot, counted: Count, next: Sector) {
        let before = counted.link;
        debug_assert_eq!(before & SLOT_MASK, 0, "a link was overwritten: its sector is lost");
        self.links[slot.index()].store(before | next.0.get(), Relaxed);
    }

    /// Takes the sector behind `slot` out of the list: the same lock is held.
    #[expect(clippy::inline_always, reason = "a call costs more than what it does")]
    #[inline(always)]
    pub(crate) fn take_next(self, slot: Slot) -> Option<Sector> {
        self.take_next_of_counted(slot, self.counted(slot))
    }

    /// The same for who has asked already how many records the sector holds.
    #[expect(clippy::inline_always, reason = "a call costs more than what it does")]
    #[inline(always)]
    pub(crate) fn take_next_of_counted(self, slot: Slot, counted: Count) -> Option<Sector> {
        self.links[slot.index()].store(counted.link & !SLOT_MASK, Relaxed);
        NonZeroU32::new(counted.link & SLOT_MASK).map(Sector)
    }

    /// Takes the sector behind `slot` out of the list: what lies behind it lies behind `slot` from now
    /// on. For who has looked at both already.
    #[expect(clippy::inline_always, reason = "a call costs more than what it does")]
    #[inline(always)]
    pub(crate) fn unlink_next(self, slot: Slot, counted: Count, next: Count) -> Option<Sector> {
        let sector = NonZeroU32::new(counted.link & SLOT_MASK).map(Sector)?;
        self.links[sector.slot().index()].store(next.link & !SLOT_MASK, Relaxed);
        let link = counted.link & !SLOT_MASK | next.link & SLOT_MASK;
        self.links[slot.index()].store(link, Relaxed);
        Some(sector)
    }
}

#[cfg(test)]
mod tests;
