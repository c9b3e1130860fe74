//! Which sensor holds most: asked when the pool is exhausted and some sensor must give a sector.

/// Sensors a group. The answer looks at every group's best and then into one group, so that with
/// 100 sensors it is found in 7 + 16 steps instead of 100.
pub(crate) const GROUP_SENSORS: usize = 16;

/// For each sensor the number of sectors that it could be made to give (those that hold no pending
/// record), and for each group of 16 sensors the largest of these numbers.
pub(crate) struct Holders<'a> {
    pub(crate) droppable: &'a mut [u32],
    pub(crate) group_max: &'a mut [u32],
}

impl Holders<'_> {
    pub(crate) fn add(&mut self, sensor: u32, sectors: u32) {
        let count = &mut self.droppable[sensor as usize];
        *count += sectors;
        let max = &mut self.group_max[sensor as usize / GROUP_SENSORS];
        *max = (*max).max(*count);
    }

    pub(crate) fn sub(&mut self, sensor: u32, sectors: u32) {
        let count = &mut self.droppable[sensor as usize];
        let before = *count;
        debug_assert!(before >= sectors, "sensor {sensor} gives {sectors} of {before} sectors");
        *count = before.saturating_sub(sectors);
        let group = sensor as usize / GROUP_SENSORS;
        if before == self.group_max[group] {
            self.group_max[group] = self.members(group).iter().copied().max().unwrap_or(0);
        }
    }

    /// The sensor that could give most sectors, if any could give one; of several the first.
    pub(crate) fn richest(&self) -> Option<u32> {
        let mut best = (0, 0);
        for (group, &max) in self.group_max.iter().enumerate() {
            if max > best.1 {
                best = (group, max);
            }
        }
        let (group, max) = best;
        let member = self.members(group).iter().position(|&count| count == max)?;
        (max > 0).then_some((group * GROUP_SENSORS + member) as u32)
    }

    fn members(&self, group: usize) -> &[u32] {
        let start = group * GROUP_SENSORS;
        let end = self.droppable.len().min(start + GROUP_SENSORS);
        &self.droppable[start..end]
    }
}

#[cfg(test)]
mod tests {
    use super::{GROUP_SENSORS, Holders};

    #[test]
    fn richest_agrees_with_a_scan_of_all_sensors() {
        let mut droppable = [0; 100];
        let mut group_max = [0; 100usize.div_ceil(GROUP_SENSORS)];
        let mut holders = Holders { droppable: &mut droppable, group_max: &mut group_max };
        assert_eq!(holders.richest(), None);
        let mut state = 1_u32;
        // An interpreter takes a thousand times as long for a round.
        for _ in 0..if cfg!(miri) { 200 } else { 20_000 } {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let sensor = (state >> 8) % 100;
            let held = holders.droppable[sensor as usize];
            if state >> 31 == 0 {
                holders.add(sensor, 1 + (state >> 20) % 3);
            } else {
                holders.sub(sensor, held.min(1 + (state >> 20) % 4));
            }
            let max = holders.droppable.iter().copied().max().filter(|&max| max > 0);
            let first = holders.droppable.iter().position(|&count| Some(count) == max);
            assert_eq!(holders.richest(), first.map(|index| index as u32));
        }
    }
}
