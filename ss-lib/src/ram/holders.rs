//! Which sensor holds most: asked when the pool is exhausted and some sensor must give a sector.

/// A small number in as many bytes as a backing spends on it.
pub trait Small: Copy + Ord + Into<u32> {
    /// The largest: no place in a ledger.
    const NONE: Self;

    fn new(value: u32) -> Self;
}

impl Small for u8 {
    const NONE: Self = Self::MAX;

    #[inline]
    fn new(value: u32) -> Self {
        debug_assert!(value <= u32::from(Self::MAX), "{value} in 8 bits");
        value as Self
    }
}

impl Small for u16 {
    const NONE: Self = Self::MAX;

    #[inline]
    fn new(value: u32) -> Self {
        debug_assert!(value <= u32::from(Self::MAX), "{value} in 16 bits");
        value as Self
    }
}

impl Small for u32 {
    const NONE: Self = Self::MAX;

    #[inline]
    fn new(value: u32) -> Self {
        value
    }
}

/// The sensors in order of the number of sectors that each could be made to give (those that hold no
/// pending record), most first. One sector more or less moves a sensor to the edge of those that could
/// give as many, where it changes places with one of them: the same few steps however many sensors
/// there are. An add that must take a sector has no time to look for who could give most.
pub(crate) struct Holders<'a, C> {
    /// The sensors in this order.
    pub(crate) order: &'a mut [C],
    /// Each sensor's place in it.
    pub(crate) ranks: &'a mut [C],
    /// For each number of sectors, below the pool's, how many sensors could give more.
    pub(crate) more_than: &'a mut [C],
    /// The most that a sensor could give.
    pub(crate) max: &'a mut C,
}

/// How many sectors the sensor could be made to give, by what the pool keeps.
pub(crate) fn count<C: Small>(ranks: &[C], more_than: &[C], sensor: u32) -> u32 {
    let rank = ranks[sensor as usize];
    // The more sectors, the fewer sensors.
    more_than.partition_point(|&sensors| sensors > rank) as u32
}

impl<C: Small> Holders<'_, C> {
    /// Nobody could give any.
    pub(crate) fn clear(&mut self) {
        for (sensor, (place, rank)) in self.order.iter_mut().zip(&mut *self.ranks).enumerate() {
            (*place, *rank) = (C::new(sensor as u32), C::new(sensor as u32));
        }
        self.more_than.fill(C::new(0));
        *self.max = C::new(0);
    }

    /// Whether the sensor could give any sector.
    #[inline]
    pub(crate) fn could_give(&self, sensor: u32) -> bool {
        self.ranks[sensor as usize] < self.more_than[0]
    }

    #[expect(clippy::inline_always, reason = "where every length is known, little of it is left")]
    #[inline(always)]
    fn count(&self, sensor: u32) -> u32 {
        count(self.ranks, &self.more_than[..(*self.max).into() as usize], sensor)
    }

    #[expect(clippy::inline_always, reason = "where every length is known, little of it is left")]
    #[inline(always)]
    pub(crate) fn add_one(&mut self, sensor: u32) {
        self.raise(sensor, self.count(sensor));
    }

    pub(crate) fn add(&mut self, sensor: u32, sectors: u32) {
        let held = self.count(sensor);
        (held..held + sectors).for_each(|held| self.raise(sensor, held));
    }

    pub(crate) fn sub(&mut self, sensor: u32, sectors: u32) {
        let held = self.count(sensor);
        debug_assert!(held >= sectors, "sensor {sensor} gives {sectors} of {held} sectors");
        (held.saturating_sub(sectors)..held).rev().for_each(|left| self.lower(sensor, left));
    }

    /// A sensor that could give most sectors, if any could give one.
    pub(crate) fn richest(&self) -> Option<u32> {
        let less = (*self.max).into().checked_sub(1)?;
        let last = self.more_than[less as usize].into().checked_sub(1)?;
        Some(self.order[last as usize].into())
    }

    /// The sensor that `richest` names gives a sector to `sensor`, which could give none so far.
    #[expect(clippy::inline_always, reason = "where every length is known, little of it is left")]
    #[inline(always)]
    pub(crate) fn take_from_richest(&mut self, sensor: u32) -> Option<u32> {
        let less = (*self.max).into().checked_sub(1)?;
        // There is one at least.
        let last = self.more_than[less as usize].into().wrapping_sub(1);
        let richest = (*self.order.get(last as usize)?).into();
        // It is the last of those that could give as many: where it stands it is the first of the next.
        self.more_than[less as usize] = C::new(last);
        // If that is those that could give none, one sector is still the most: the other sensor's.
        if last == 0 && less > 0 {
            *self.max = C::new(less);
        }
        let first = self.more_than[0];
        self.move_to(sensor, first);
        self.more_than[0] = C::new(first.into() + 1);
        Some(richest)
    }

    /// The sensor, which could give `held` sectors, could give one more.
    #[expect(clippy::inline_always, reason = "where every length is known, little of it is left")]
    #[inline(always)]
    fn raise(&mut self, sensor: u32, held: u32) {
        let first = self.more_than[held as usize];
        self.move_to(sensor, first);
        self.more_than[held as usize] = C::new(first.into() + 1);
        if *self.max == C::new(held) {
            *self.max = C::new(held + 1);
        }
    }

    /// The sensor could give `left` sectors, one less than before.
    fn lower(&mut self, sensor: u32, left: u32) {
        let last = C::new(self.more_than[left as usize].into() - 1);
        self.move_to(sensor, last);
        self.more_than[left as usize] = last;
        if last == C::new(0) {
            *self.max = C::new(left);
        }
    }

    /// The sensor changes places with the one of this rank.
    #[expect(clippy::inline_always, reason = "where every length is known, little of it is left")]
    #[inline(always)]
    fn move_to(&mut self, sensor: u32, rank: C) {
        let before = self.ranks[sensor as usize];
        let other = self.order[rank.into() as usize];
        self.order[before.into() as usize] = other;
        self.ranks[other.into() as usize] = before;
        self.order[rank.into() as usize] = C::new(sensor);
        self.ranks[sensor as usize] = rank;
    }
}

#[cfg(test)]
mod tests {
    use super::{Holders, Small, count};

    const SENSORS: usize = 100;
    const SECTORS: u32 = 250;

    fn agrees_with_plain_counts<C: Small + std::fmt::Debug>() {
        let (mut order, mut ranks) = ([C::new(9); SENSORS], [C::new(9); SENSORS]);
        let (mut more_than, mut max) = ([C::new(9); SECTORS as usize], C::new(9));
        let mut holders = Holders {
            order: &mut order,
            ranks: &mut ranks,
            more_than: &mut more_than,
            max: &mut max,
        };
        holders.clear();
        assert_eq!((holders.richest(), holders.take_from_richest(3)), (None, None));
        let mut counts = [0_u32; SENSORS];
        let (mut state, mut taken) = (1_u32, 0);
        // An interpreter takes a thousand times as long for a round.
        for _ in 0..if cfg!(miri) { 40 } else { 20_000 } {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let sensor = (state >> 8) % SENSORS as u32;
            let held = &mut counts[sensor as usize];
            if state >> 28 == 15 {
                if *held == 0
                    && let Some(richest) = holders.richest()
                {
                    assert_eq!(holders.take_from_richest(sensor), Some(richest));
                    *held += 1;
                    counts[richest as usize] -= 1;
                    taken += 1;
                }
            } else if state >> 31 == 0 {
                // One of them comes to hold nearly all.
                let sensor = if state >> 29 == 0 { 7 } else { sensor };
                let held = &mut counts[sensor as usize];
                let more = (1 + (state >> 20) % 3).min(SECTORS - *held);
                holders.add(sensor, more);
                *held += more;
            } else {
                let less = (*held).min(1 + (state >> 20) % 4);
                holders.sub(sensor, less);
                *held -= less;
            }
            let most = counts.iter().copied().max().unwrap();
            assert_eq!((*holders.max).into(), most);
            assert_eq!(holders.richest().is_some(), most > 0);
            assert!(holders.richest().is_none_or(|richest| counts[richest as usize] == most));
            for (sensor, &held) in counts.iter().enumerate() {
                let rank = holders.ranks[sensor].into() as usize;
                assert_eq!(holders.order[rank].into(), sensor as u32);
                assert_eq!(count(holders.ranks, holders.more_than, sensor as u32), held);
                assert_eq!(holders.could_give(sensor as u32), held > 0);
            }
        }
        assert!(cfg!(miri) || taken > 100, "{taken}");
    }

    #[test]
    fn sensors_stand_in_the_order_of_what_they_hold() {
        agrees_with_plain_counts::<u8>();
        agrees_with_plain_counts::<u16>();
        agrees_with_plain_counts::<u32>();
    }
}
