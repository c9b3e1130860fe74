//! Which sensor holds most: asked when the pool is exhausted and some sensor must give a sector.

/// A small number in as many bytes as a backing spends on it.
pub trait Small: Copy + Ord + Into<u32> {
    fn new(value: u32) -> Self;
}

impl Small for u8 {
    #[inline]
    fn new(value: u32) -> Self {
        debug_assert!(value <= u32::from(Self::MAX), "{value} in 8 bits");
        value as Self
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

/// Who holds most, where the groups are few enough for a bit each.
#[derive(Debug)]
pub(crate) struct Richest {
    /// What the richest hold.
    held: u32,
    /// A bit for each group that has one of them.
    groups: u32,
}

impl Richest {
    pub(crate) const NOBODY: Self = Self { held: 0, groups: 0 };
}

/// For each sensor the number of sectors that it could be made to give (those that hold no pending
/// record), and for each group of sensors the largest of these numbers. With few groups, as on a
/// microcontroller, it is known at every moment which of them have the richest: an add that must take
/// from these cannot afford to look. With more groups, a look at every group's best tells.
pub(crate) struct Holders<'a, C> {
    pub(crate) droppable: &'a mut [C],
    pub(crate) group_max: &'a mut [C],
    pub(crate) richest: &'a mut Richest,
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
        let after = (*count).into() + sectors;
        *count = C::new(after);
        let group = sensor as usize / self.group_sensors;
        let max = &mut self.group_max[group];
        *max = (*max).max(C::new(after));
        if self.knows_richest() && after >= self.richest.held {
            let others = if after == self.richest.held { self.richest.groups } else { 0 };
            *self.richest = Richest { held: after, groups: others | 1 << group };
        }
    }

    #[inline]
    pub(crate) fn sub(&mut self, sensor: u32, sectors: u32) {
        let count = &mut self.droppable[sensor as usize];
        let before = *count;
        debug_assert!(before.into() >= sectors, "sensor {sensor} gives {sectors} of its sectors");
        let after = C::new(before.into().saturating_sub(sectors));
        *count = after;
        let group = sensor as usize / self.group_sensors;
        if before == self.group_max[group] {
            // Of the others none holds more than this one did, and few steps lead down.
            let members = self.members(group).iter();
            self.group_max[group] = members.fold(after, |max, &count| max.max(count));
            if self.knows_richest() && before.into() == self.richest.held {
                let held = self.group_max.iter().fold(C::new(0), |max, &held| max.max(held));
                *self.richest = Richest { held: held.into(), groups: self.groups_with(held) };
            }
        }
    }

    /// The sensor that could give most sectors, if any could give one; of several the first.
    #[expect(clippy::inline_always, reason = "where every length is known, little of it is left")]
    #[inline(always)]
    pub(crate) fn richest(&self) -> Option<u32> {
        let (group, max) = if self.knows_richest() {
            (self.richest.groups.trailing_zeros() as usize, C::new(self.richest.held))
        } else {
            self.richest_group()
        };
        if max == C::new(0) {
            return None;
        }
        let member = match self.eight(group) {
            Some(eight) => eight.iter().position(|&count| count == max),
            None => self.members(group).iter().position(|&count| count == max),
        };
        member.map(|member| (group * self.group_sensors + member) as u32)
    }

    /// `sensor`, which `richest` named, gives a sector.
    #[expect(clippy::inline_always, reason = "where every length is known, little of it is left")]
    #[inline(always)]
    pub(crate) fn take_from_richest(&mut self, sensor: u32) {
        if !self.knows_richest() {
            return self.sub(sensor, 1);
        }
        let most = C::new(self.richest.held);
        let less = C::new(self.richest.held.saturating_sub(1));
        self.droppable[sensor as usize] = less;
        let group = sensor as usize / self.group_sensors;
        let has_another = match self.eight(group) {
            Some(eight) => eight.iter().rev().any(|&count| count == most),
            None => self.members(group).contains(&most),
        };
        if has_another {
            return;
        }
        self.group_max[group] = less;
        self.richest.groups &= !(1 << group);
        if self.richest.groups == 0 {
            *self.richest = Richest { held: less.into(), groups: self.groups_with(less) };
        }
    }

    #[expect(clippy::inline_always, reason = "where every length is known, little of it is left")]
    #[inline(always)]
    const fn knows_richest(&self) -> bool {
        self.group_max.len() <= u32::BITS as usize
    }

    /// A bit for each group whose best holds this.
    #[expect(clippy::inline_always, reason = "where every length is known, little of it is left")]
    #[inline(always)]
    fn groups_with(&self, held: C) -> u32 {
        let groups = self.group_max.iter().enumerate();
        groups.fold(0, |set, (group, &max)| set | u32::from(max == held) << group)
    }

    #[inline]
    fn richest_group(&self) -> (usize, C) {
        let (mut best, mut max) = (0, C::new(0));
        for (group, &of_group) in self.group_max.iter().enumerate() {
            if of_group > max {
                (best, max) = (group, of_group);
            }
        }
        (best, max)
    }

    /// The members of a whole group of 8.
    #[expect(clippy::inline_always, reason = "where every length is known, little of it is left")]
    #[inline(always)]
    fn eight(&self, group: usize) -> Option<&[C; 8]> {
        if self.group_sensors == 8 { self.droppable.as_chunks().0.get(group) } else { None }
    }

    #[inline]
    fn members(&self, group: usize) -> &[C] {
        let start = group * self.group_sensors;
        let end = self.droppable.len().min(start + self.group_sensors);
        &self.droppable[start..end]
    }
}

#[cfg(test)]
mod tests {
    use super::{Holders, Richest, Small};

    fn agrees_with_a_scan<C: Small + std::fmt::Debug>(group_sensors: usize) {
        let mut droppable = [C::new(0); 100];
        let mut group_max = vec![C::new(0); 100_usize.div_ceil(group_sensors)];
        let mut richest = Richest::NOBODY;
        let mut holders = Holders {
            droppable: &mut droppable,
            group_max: &mut group_max,
            group_sensors,
            richest: &mut richest,
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
                holders.take_from_richest(richest);
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
        // More groups than there are bits.
        agrees_with_a_scan::<u32>(2);
    }
}
