//! Which sensor holds most: asked when the pool is exhausted and some sensor must give a sector.

/// A small number in as many bytes as a backing spends on it.
pub trait Small: Copy + Ord + Into<u32> {
    fn new(value: u32) -> Self;

    /// Not 0 if one of four is this number. Of the bits that are set the lowest lies in the byte whose
    /// place is the first one's.
    #[inline]
    fn find(four: &[Self; 4], value: Self) -> u32 {
        four.iter().rev().fold(0, |found, &it| found << 8 | u32::from(it == value))
    }
}

impl Small for u8 {
    #[inline]
    fn new(value: u32) -> Self {
        debug_assert!(value <= u32::from(Self::MAX), "{value} in 8 bits");
        value as Self
    }

    /// All four in one word: a microcontroller has no time for one after the other.
    #[expect(clippy::inline_always, reason = "a call costs more than what it does")]
    #[inline(always)]
    fn find(four: &[Self; 4], value: Self) -> u32 {
        let differing = u32::from_le_bytes(*four) ^ (u32::from(value) * 0x0101_0101);
        // Of the bytes that are 0, the borrow of the first sets its highest bit. It may set that of a
        // byte above, never that of one below.
        differing.wrapping_sub(0x0101_0101) & !differing & 0x8080_8080
    }
}

impl Small for u16 {
    #[inline]
    fn new(value: u32) -> Self {
        debug_assert!(value <= u32::from(Self::MAX), "{value} in 16 bits");
        value as Self
    }
}

impl Small for u32 {
    #[inline]
    fn new(value: u32) -> Self {
        value
    }
}

/// For each sensor the number of sectors that it could be made to give (those that hold no pending
/// record), for each group of sensors the largest of these numbers, and the largest of all: an add that
/// must take a sector from the sensor that holds most looks for a number that it knows.
pub(crate) struct Holders<'a, C> {
    pub(crate) droppable: &'a mut [C],
    pub(crate) group_max: &'a mut [C],
    pub(crate) max: &'a mut C,
    /// Sensors a group.
    pub(crate) group_sensors: usize,
}

impl<C: Small> Holders<'_, C> {
    /// How many sectors the sensor could be made to give.
    #[inline]
    pub(crate) fn count(&self, sensor: u32) -> u32 {
        self.droppable[sensor as usize].into()
    }

    #[expect(clippy::inline_always, reason = "where every length is known, little of it is left")]
    #[inline(always)]
    pub(crate) fn add(&mut self, sensor: u32, sectors: u32) {
        let count = &mut self.droppable[sensor as usize];
        *count = C::new((*count).into() + sectors);
        let group_max = &mut self.group_max[sensor as usize / self.group_sensors];
        *group_max = (*group_max).max(*count);
        *self.max = (*self.max).max(*count);
    }

    #[inline]
    pub(crate) fn sub(&mut self, sensor: u32, sectors: u32) {
        let count = &mut self.droppable[sensor as usize];
        let before = *count;
        debug_assert!(before.into() >= sectors, "sensor {sensor} gives {sectors} of its sectors");
        *count = C::new(before.into().saturating_sub(sectors));
        let group = sensor as usize / self.group_sensors;
        if before == self.group_max[group] {
            let none = C::new(0);
            self.group_max[group] = self.members(group).iter().fold(none, |max, &it| max.max(it));
            if before == *self.max {
                *self.max = self.group_max.iter().fold(none, |max, &it| max.max(it));
            }
        }
    }

    /// The sensor that could give most sectors, if any could give one; of several the first.
    pub(crate) fn richest(&self) -> Option<u32> {
        if *self.max == C::new(0) {
            return None;
        }
        let group = position(self.group_max, *self.max)?;
        let member = self.in_group(group, |members| position(members, *self.max))?;
        Some((group * self.group_sensors + member) as u32)
    }

    /// The sensor that `richest` names gives a sector to `sensor`, which could give none so far.
    #[expect(clippy::inline_always, reason = "where every length is known, little of it is left")]
    #[inline(always)]
    pub(crate) fn take_from_richest(&mut self, sensor: u32) -> Option<u32> {
        let most = *self.max;
        let less = C::new(most.into().checked_sub(1)?);
        let group = position(self.group_max, most)?;
        let member = self.in_group(group, |members| position(members, most))?;
        let richest = group * self.group_sensors + member;
        self.droppable[richest] = less;
        let one = C::new(1);
        // Where none holds as much as this one did, one less is the most: this one still holds it. Where
        // that is nothing, the sensor's one is the most, as this one was before.
        if !self.in_group(group, |members| contains(members, most)) {
            self.group_max[group] = less;
            if most > one && !contains(self.group_max, most) {
                *self.max = less;
            }
        }
        self.droppable[sensor as usize] = one;
        let group_max = &mut self.group_max[sensor as usize / self.group_sensors];
        if *group_max < one {
            *group_max = one;
        }
        Some(richest as u32)
    }

    /// What `f` says of the group's members.
    #[expect(clippy::inline_always, reason = "where every length is known, little of it is left")]
    #[inline(always)]
    fn in_group<R>(&self, group: usize, f: impl Fn(&[C]) -> R) -> R {
        // A whole group, whose length is known.
        if self.group_sensors == 8
            && let Some(eight) = self.droppable.as_chunks::<8>().0.get(group)
        {
            return f(eight);
        }
        f(self.members(group))
    }

    #[inline]
    fn members(&self, group: usize) -> &[C] {
        let start = group * self.group_sensors;
        let end = self.droppable.len().min(start + self.group_sensors);
        &self.droppable[start..end]
    }
}

/// The place of the first of `counts` that is this one.
#[expect(clippy::inline_always, reason = "where every length is known, little of it is left")]
#[inline(always)]
fn position<C: Small>(counts: &[C], count: C) -> Option<usize> {
    let (fours, rest) = counts.as_chunks::<4>();
    for (at, four) in fours.iter().enumerate() {
        let found = C::find(four, count);
        if found != 0 {
            return Some(at * 4 + found.trailing_zeros() as usize / 8);
        }
    }
    rest.iter().position(|&it| it == count).map(|at| fours.len() * 4 + at)
}

/// Whether one of `counts` is this one.
#[expect(clippy::inline_always, reason = "where every length is known, little of it is left")]
#[inline(always)]
fn contains<C: Small>(counts: &[C], count: C) -> bool {
    let (fours, rest) = counts.as_chunks::<4>();
    fours.iter().fold(0, |found, four| found | C::find(four, count)) != 0 || rest.contains(&count)
}

#[cfg(test)]
mod tests {
    use super::{Holders, Small};

    fn agrees_with_a_scan<C: Small + std::fmt::Debug>(group_sensors: usize) {
        let mut droppable = [C::new(0); 100];
        let mut group_max = vec![C::new(0); 100_usize.div_ceil(group_sensors)];
        let mut max = C::new(0);
        let mut holders = Holders {
            droppable: &mut droppable,
            group_max: &mut group_max,
            max: &mut max,
            group_sensors,
        };
        assert_eq!(holders.richest(), None);
        let mut state = 1_u32;
        // An interpreter takes a thousand times as long for a round.
        for _ in 0..if cfg!(miri) { 200 } else { 20_000 } {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let sensor = (state >> 8) % 100;
            let held = holders.droppable[sensor as usize].into();
            if let Some(richest) = holders.richest()
                && state >> 28 == 15
            {
                let poor = (0..100).find(|&poor| holders.count(poor) == 0);
                if let Some(poor) = poor {
                    assert_eq!(holders.take_from_richest(poor), Some(richest));
                }
            } else if state >> 31 == 0 && held < 250 {
                holders.add(sensor, 1 + (state >> 20) % 3);
            } else {
                holders.sub(sensor, held.min(1 + (state >> 20) % 4));
            }
            let counts = holders.droppable.iter().map(|&count| count.into());
            let max: Option<u32> = counts.clone().max().filter(|&max| max > 0);
            let first = counts.clone().position(|count| Some(count) == max);
            assert_eq!(holders.richest(), first.map(|index| index as u32));
        }
    }

    #[test]
    fn richest_agrees_with_a_scan_of_all_sensors() {
        agrees_with_a_scan::<u8>(10);
        agrees_with_a_scan::<u16>(8);
        agrees_with_a_scan::<u32>(16);
        agrees_with_a_scan::<u32>(2);
    }
}
