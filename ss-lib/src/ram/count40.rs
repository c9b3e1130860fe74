//! A counter of 40 bits in 5 B: 34 years at 1 kHz. It stops at its maximum instead of wrapping.

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Count40 {
    low: [u8; 4],
    high: u8,
}

impl Count40 {
    pub(crate) const ZERO: Self = Self { low: [0; 4], high: 0 };

    #[inline]
    pub(crate) const fn get(self) -> u64 {
        (self.high as u64) << 32 | u32::from_le_bytes(self.low) as u64
    }

    #[inline]
    pub(crate) fn add(&mut self, n: u64) {
        let (low, carry) = u32::from_le_bytes(self.low).overflowing_add(n as u32);
        self.low = low.to_le_bytes();
        if carry || n >> 32 != 0 {
            self.add_above(u64::from(carry) + (n >> 32));
        }
    }

    /// Adds `n` × 2^32.
    #[cold]
    fn add_above(&mut self, n: u64) {
        match u8::try_from(u64::from(self.high) + n) {
            Ok(high) => self.high = high,
            Err(_) => *self = Self { low: [u8::MAX; 4], high: u8::MAX },
        }
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
        count.add((3 << 32) + 7);
        assert_eq!(count.get(), (4 << 32) + 8);
        count.add(2 << 32);
        assert_eq!(count.get(), (6 << 32) + 8);
        count.add(u64::MAX);
        assert_eq!(count.get(), (1 << 40) - 1);
    }
}
