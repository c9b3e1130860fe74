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

/// For each sensor the number of sectors that it could be made to give (those that hold no pending
/// record), and for each group of sensors the largest of these numbers. The answer looks at every
/// group's best and then into one group: with 100 sensors in groups of 8 that is 13 + 8 steps
/// instead of 100.
pub(crate) struct Holders<'a, C> {
    pub(crate) droppable: &'a mut [C],
    pub(crate) group_max: &'a mut [C],
    /// Sensors a group.
    pub(crate) group_sensors: usize,
}

impl<C: Small> Holders<'_, C> {
    /// How many sectors the sensor could be made to give.
    #[inline]
    pub(crate) fn count(&self, sensor: u32) -> u32 {
        self.droppable[sensor as usize].into()
    }

    #[inline]
    pub(crate) fn add(&mut self, sensor: u32, sectors: u32) {
        let count = &mut self.droppable[sensor as usize];
        *count = C::new((*count).into() + sectors);
        let max = &mut self.group_max[sensor as usize / self.group_sensors];
        *max = (*max).max(*count);
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
        }
    }

    /// The sensor that could give most sectors, if any could give one; of several the first.
    #[inline]
    pub(crate) fn richest(&self) -> Option<u32> {
        let (mut best, mut max) = (0, C::new(0));
        for (group, &of_group) in self.group_max.iter().enumerate() {
            if of_group > max {
                (best, max) = (group, of_group);
            }
        }
        if max == C::new(0) {
            return None;
        }
        let member = self.members(best).iter().position(|&count| count == max)?;
        Some((best * self.group_sensors + member) as u32)
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
    use super::{Holders, Small};

    fn agrees_with_a_scan<C: Small + std::fmt::Debug>(group_sensors: usize) {
        let mut droppable = [C::new(0); 100];
        let mut group_max = vec![C::new(0); 100_usize.div_ceil(group_sensors)];
        let mut holders =
            Holders { droppable: &mut droppable, group_max: &mut group_max, group_sensors };
        assert_eq!(holders.richest(), None);
        let mut state = 1_u32;
        // An interpreter takes a thousand times as long for a round.
        for _ in 0..if cfg!(miri) { 200 } else { 20_000 } {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let sensor = (state >> 8) % 100;
            let held = holders.droppable[sensor as usize].into();
            if state >> 31 == 0 && held < 250 {
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
    }
}
