//! A counter of 40 bits in 5 B: 34 years at 1 kHz. It stops at its maximum instead of wrapping.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Count40([u8; 5]);

impl Count40 {
    pub(crate) const ZERO: Self = Self([0; 5]);
    const MAX: u64 = (1 << 40) - 1;

    pub(crate) const fn get(self) -> u64 {
        let [a, b, c, d, e] = self.0;
        u64::from_le_bytes([a, b, c, d, e, 0, 0, 0])
    }

    pub(crate) fn add(&mut self, n: u64) {
        let sum = self.get().saturating_add(n).min(Self::MAX);
        let [a, b, c, d, e, ..] = sum.to_le_bytes();
        self.0 = [a, b, c, d, e];
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
