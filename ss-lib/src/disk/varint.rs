//! Whole numbers in as few bytes as they need: unsigned LEB128, in its shortest form only, so that
//! every number has one coding and a page that decodes is a page that was encoded.

/// The longest coding of a number.
pub(crate) const VARINT_BYTES_MAX: usize = 10;

/// Bytes that `value` takes.
#[inline]
pub(crate) const fn varint_len(value: u64) -> usize {
    // Seven bits a byte; `| 1` makes zero one bit long.
    (70 - (value | 1).leading_zeros() as usize) / 7
}

/// A signed distance as an unsigned number: small ones of either sign stay small.
#[inline]
pub(crate) const fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

/// The reverse of [`zigzag`].
#[inline]
pub(crate) const fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -((value & 1).cast_signed())
}

/// Writes into a slice that the caller knows to be long enough.
pub(crate) struct Encoder<'a> {
    bytes: &'a mut [u8],
    at: usize,
}

impl<'a> Encoder<'a> {
    pub(crate) fn new(bytes: &'a mut [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(crate) const fn len(&self) -> usize {
        self.at
    }

    pub(crate) fn byte(&mut self, byte: u8) {
        self.bytes[self.at] = byte;
        self.at += 1;
    }

    pub(crate) fn slice(&mut self, slice: &[u8]) {
        self.bytes[self.at..self.at + slice.len()].copy_from_slice(slice);
        self.at += slice.len();
    }

    #[inline]
    pub(crate) fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.byte(value as u8 | 0x80);
            value >>= 7;
        }
        self.byte(value as u8);
    }

    #[inline]
    pub(crate) fn signed(&mut self, value: i64) {
        self.varint(zigzag(value));
    }
}

/// Reads from a slice that may hold anything: `None` is the end, or a coding that is none.
#[derive(Clone, Copy)]
pub(crate) struct Decoder<'a> {
    bytes: &'a [u8],
}

impl<'a> Decoder<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// What has not been read yet.
    pub(crate) const fn rest(self) -> &'a [u8] {
        self.bytes
    }

    #[inline]
    pub(crate) fn byte(&mut self) -> Option<u8> {
        let (&byte, rest) = self.bytes.split_first()?;
        self.bytes = rest;
        Some(byte)
    }

    #[inline]
    pub(crate) fn slice(&mut self, len: usize) -> Option<&'a [u8]> {
        let (slice, rest) = self.bytes.split_at_checked(len)?;
        self.bytes = rest;
        Some(slice)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.slice(N)?.try_into().ok()
    }

    #[inline]
    pub(crate) fn varint(&mut self) -> Option<u64> {
        let first = self.byte()?;
        if first < 0x80 {
            return Some(u64::from(first));
        }
        self.longer_varint(first)
    }

    fn longer_varint(&mut self, first: u8) -> Option<u64> {
        let mut value = u64::from(first & 0x7F);
        for shift in (7..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7F);
            // The tenth byte has one bit of the number; more would be shifted out unseen.
            if shift == 63 && bits > 1 {
                return None;
            }
            value |= bits << shift;
            if byte < 0x80 {
                // A last byte of zero would be a second coding of a shorter number.
                return (byte != 0).then_some(value);
            }
        }
        None
    }

    #[inline]
    pub(crate) fn signed(&mut self) -> Option<i64> {
        self.varint().map(unzigzag)
    }
}

#[cfg(test)]
mod tests {
    use super::{Decoder, Encoder, VARINT_BYTES_MAX, unzigzag, varint_len, zigzag};

    fn edges() -> impl Iterator<Item = u64> {
        (0..64).flat_map(|bit| {
            let power = 1_u64 << bit;
            [power - 1, power, power + 1]
        })
    }

    #[test]
    fn numbers_come_back_in_the_length_that_was_said() {
        for value in edges().chain([u64::MAX]) {
            let mut bytes = [0; VARINT_BYTES_MAX];
            let mut encoder = Encoder::new(&mut bytes);
            encoder.varint(value);
            let len = encoder.len();
            assert_eq!(len, varint_len(value), "{value}");
            let mut decoder = Decoder::new(&bytes[..len]);
            assert_eq!((decoder.varint(), decoder.is_empty()), (Some(value), true));
            assert_eq!(zigzag(unzigzag(value)), value);
        }
    }

    #[test]
    fn a_second_coding_of_a_number_is_none() {
        for bytes in [&[0x80, 0x00][..], &[0xFF, 0x80, 0x00], &[0x80], &[]] {
            assert_eq!(Decoder::new(bytes).varint(), None, "{bytes:?}");
        }
        let too_large = [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x02];
        assert_eq!(Decoder::new(&too_large).varint(), None);
        let eleven = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01];
        assert_eq!(Decoder::new(&eleven).varint(), None);
    }
}
