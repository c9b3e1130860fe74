//! The free list, and who could give a sector when it is empty.

use super::{
    holders::{Holders, Small},
    slots::{Sector, Slots, fingerprint},
};

/// What the pool keeps for itself; the sectors' memory is [`Slots`].
#[derive(Debug)]
pub(crate) struct PoolState {
    /// The first free sector; each free sector owns the next.
    free: Option<Sector>,
    free_sectors: u32,
    in_use_peak: u32,
    /// Sectors on their way from one chain to another: between the locks of the two they are in
    /// neither.
    in_hand: u32,
    /// Sectors that may be in use at once.
    limit: u32,
}

impl PoolState {
    /// A pool without sectors: `Pool::format` gives it some.
    pub(crate) const EMPTY: Self =
        Self { free: None, free_sectors: 0, in_use_peak: 0, in_hand: 0, limit: 0 };

    fn used(&self, slots: Slots<'_>) -> u32 {
        slots.sectors() - self.free_sectors
    }

    pub(crate) fn stats(&self, slots: Slots<'_>) -> PoolStats {
        PoolStats {
            sectors_total: slots.sectors(),
            sectors_used: self.used(slots),
            sectors_peak: self.in_use_peak,
            sectors_limit: self.limit,
        }
    }

    /// Walks the free list: how many sectors it really has, and the sum of their fingerprints.
    /// Bounded by the pool's size, so that a cycle is a wrong count and not an endless loop.
    pub(crate) fn walk_free(&self, slots: Slots<'_>) -> (u32, u64) {
        let first = self.free.as_ref().map(Sector::slot);
        core::iter::successors(first, |&slot| slots.next(slot))
            .take(slots.sectors() as usize + 1)
            .fold((0, 0), |(count, sum), slot| (count + 1, sum.wrapping_add(fingerprint(slot))))
    }

    /// The number of free sectors as the pool counts them.
    pub(crate) const fn free_sectors(&self) -> u32 {
        self.free_sectors
    }

    /// The number of sectors that are on their way from one chain to another.
    pub(crate) const fn in_hand(&self) -> u32 {
        self.in_hand
    }
}

/// The pool, under its lock.
pub struct Pool<'a, C> {
    pub(crate) state: &'a mut PoolState,
    pub(crate) holders: Holders<'a, C>,
    pub(crate) slots: Slots<'a>,
}

/// How the pool's sectors are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[cfg_attr(feature = "wire", derive(serde::Serialize, serde::Deserialize))]
pub struct PoolStats {
    /// Sectors in all.
    pub sectors_total: u32,
    /// Sectors that chains own now.
    pub sectors_used: u32,
    /// The most that chains ever owned at once since opening.
    pub sectors_peak: u32,
    /// Sectors that chains may own at once: `sectors_total` unless it was limited.
    pub sectors_limit: u32,
}

impl<C: Small> Pool<'_, C> {
    /// Makes every sector free. Only for a pool whose sectors no chain owns.
    pub(crate) fn format(&mut self) {
        self.holders.clear();
        *self.state = PoolState { limit: self.slots.sectors(), ..PoolState::EMPTY };
        for sector in self.slots.mint() {
            self.put_free(sector);
        }
    }

    fn put_free(&mut self, sector: Sector) {
        if let Some(next) = self.state.free.take() {
            self.slots.put_next(sector.slot(), self.slots.counted(sector.slot()), next);
        }
        self.state.free = Some(sector);
        self.state.free_sectors += 1;
    }

    /// Takes a free sector for `sensor`, which holds one droppable sector more from now on.
    #[expect(clippy::inline_always, reason = "where every length is known, little of it is left")]
    #[inline(always)]
    pub(crate) fn take(&mut self, sensor: u32) -> Option<Sector> {
        if self.state.used(self.slots) >= self.state.limit {
            return None;
        }
        let sector = self.state.free.take()?;
        self.state.free = self.slots.take_next(sector.slot());
        self.state.free_sectors -= 1;
        self.state.in_use_peak = self.state.in_use_peak.max(self.state.used(self.slots));
        self.holders.add_one(sensor);
        Some(sector)
    }

    /// Takes back a sector that no chain owns.
    pub(crate) fn give_back(&mut self, sector: Sector) {
        debug_assert_eq!(self.slots.next(sector.slot()), None, "a given sector still owns another");
        self.put_free(sector);
    }

    /// A sector without pending records leaves `sensor`'s chain for another one, or comes back by
    /// `give_back_from_hand`.
    pub(crate) fn take_in_hand(&mut self, sensor: u32) {
        self.state.in_hand += 1;
        self.holders.sub(sensor, 1);
    }

    /// The sector in hand enters `sensor`'s chain.
    pub(crate) fn hand_over(&mut self, sensor: u32) {
        self.state.in_hand -= 1;
        self.holders.add_one(sensor);
    }

    /// The sector in hand was not needed.
    pub(crate) fn give_back_from_hand(&mut self, sector: Sector) {
        self.state.in_hand -= 1;
        self.give_back(sector);
    }

    /// Limits the sectors that chains may own at once. Those that they own already stay theirs.
    pub(crate) fn set_limit(&mut self, sectors: u32) {
        self.state.limit = sectors.min(self.slots.sectors());
    }
}
