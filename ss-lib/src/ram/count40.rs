//! A counter of 40 bits in 5 B: 34 years at 1 kHz. It stops at its maximum instead of wrapping.

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Count40 {
    low: [u8; 4],
    high: u8,
}

impl Count40 {
    pub(crate) const ZERO: Self = Self { low: [0; 4], high: 0 };
    const MAX: u64 = (1 << 40) - 1;

    #[inline]
    pub(crate) const fn get(self) -> u64 {
        (self.high as u64) << 32 | u32::from_le_bytes(self.low) as u64
    }

    #[inline]
    pub(crate) fn add(&mut self, n: u64) {
        let sum = self.get().saturating_add(n).min(Self::MAX);
        self.low = (sum as u32).to_le_bytes();
        self.high = (sum >> 32) as u8;
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
