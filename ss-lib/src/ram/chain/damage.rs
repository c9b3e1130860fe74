//! Which numbers a sector holds when a bit of its memory may have flipped.
//!
//! The ledger must name a lost range exactly, and the number stands only in the header of the very
//! sector that is lost. A parity bit beside it tells whether it flipped; if it did, the checksum
//! tells which bit to flip back.

use super::{super::sector::SectorView, Chain, Owner, Slot, Slots};

impl Chain {
    /// The number of the sector's first record, right even if one of its bits flipped.
    #[inline]
    pub(super) fn first_seq_of(&self, slots: Slots<'_>, slot: Slot, owner: Owner) -> u64 {
        let view = self.view(slots, slot, owner);
        match view.plausible_first_seq(self.next_seq) {
            Some(first_seq) => first_seq,
            None => self.first_seq_by_checksum(slots, slot, owner),
        }
    }

    /// The same at the cost of a checksum, and right even if more of the sector rotted, as far as
    /// what follows it tells.
    #[cold]
    pub(super) fn first_seq_by_checksum(&self, slots: Slots<'_>, slot: Slot, owner: Owner) -> u64 {
        let view = self.view(slots, slot, owner);
        let said = view.first_seq(self.next_seq);
        if view.is_sound() {
            return said;
        }
        let held = u64::from(view.count());
        let end_max = self.end_max(slots, slot, owner);
        let without_gap = end_max.saturating_sub(held);
        let flipped = (0..u32::BITS).map(|bit| view.first_seq_with_flip(self.next_seq, bit));
        let proven = core::iter::once(without_gap)
            .chain(flipped)
            .find(|&first_seq| view.would_be_sound_from(first_seq));
        // Nothing proves a number: something else than the number rotted. So the number is right,
        // unless what follows contradicts it.
        let is_possible = said.checked_add(held).is_some_and(|end| end <= end_max);
        proven.unwrap_or(if is_possible { said } else { without_gap })
    }

    /// The number that the sector's records end at or before: what follows them is numbered from
    /// the next sound sector back.
    fn end_max(&self, slots: Slots<'_>, slot: Slot, owner: Owner) -> u64 {
        let mut between = 0;
        let mut place = slots.next(slot);
        while let Some(next) = place {
            let view: SectorView<'_> = self.view(slots, next, owner);
            if view.is_sound() {
                return view.first_seq(self.next_seq).saturating_sub(between);
            }
            between += u64::from(view.count());
            place = slots.next(next);
        }
        self.next_seq.saturating_sub(between)
    }
}

#[cfg(test)]
mod tests;
