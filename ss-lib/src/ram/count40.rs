//! A counter of 40 bits in 5 B: 34 years at 1 kHz. It stops at its maximum instead of wrapping.

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Count40([u8; 5]);

impl Count40 {
    pub(crate) const ZERO: Self = Self([0; 5]);
    const MAX: u64 = (1 << 40) - 1;

    pub(crate) const fn get(self) -> u64 {
        let mut bytes = [0; 8];
        let (low, _) = bytes.split_at_mut(5);
        low.copy_from_slice(&self.0);
        u64::from_le_bytes(bytes)
    }

    pub(crate) fn add(&mut self, n: u64) {
        let sum = self.get().saturating_add(n).min(Self::MAX);
        self.0.copy_from_slice(&sum.to_le_bytes()[..5]);
    }
}

#[cfg(test)]
mod tests {
    use super::Count40;

    #[test]
    fn counts_beyond_32_bits_and_stops_at_40() {
        let mut count = Count40::ZERO;
        count.add(u64::from(u32::MAX));
        count.add(2);
        assert_eq!(count.get(), (1 << 32) + 1);
        count.add(u64::MAX);
        assert_eq!(count.get(), (1 << 40) - 1);
    }
}
