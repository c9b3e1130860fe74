//! The one checksum of this project: CRC32C (Castagnoli), as RFC 3720 appendix B.4 defines it.

/// Continues `crc`, the checksum of the bytes before, over `bytes`. Start with 0, or with any
/// other value as a seed: then only a reader that knows the seed accepts the bytes.
///
/// With `std` this is the `crc32c` crate (SSE 4.2 and `ARMv8` instructions where they exist).
#[cfg(feature = "std")]
#[inline]
pub fn crc32c_append(crc: u32, bytes: &[u8]) -> u32 {
    crc32c::crc32c_append(crc, bytes)
}

/// Continues `crc`, the checksum of the bytes before, over `bytes`. Start with 0, or with any
/// other value as a seed: then only a reader that knows the seed accepts the bytes.
///
/// Without `std` this is the `crc` crate's 1 KiB table: about 5.4 instructions a byte on a
/// Cortex-M4.
#[cfg(not(feature = "std"))]
#[inline]
pub fn crc32c_append(crc: u32, bytes: &[u8]) -> u32 {
    table_append(crc, bytes)
}

/// Continues `crc` over words, each as its little-endian bytes: the same as `crc32c_append` over these.
#[cfg(feature = "std")]
#[inline]
pub(crate) fn crc32c_words<const N: usize>(crc: u32, words: [u32; N]) -> u32 {
    let mut bytes = [[0; 4]; N];
    for (bytes, word) in bytes.iter_mut().zip(words) {
        *bytes = word.to_le_bytes();
    }
    crc32c::crc32c_append(crc, bytes.as_flattened())
}

/// Continues `crc` over words, each as its little-endian bytes: the same as `crc32c_append` over these.
///
/// A word in three steps of 11, 11 and 10 bits, about 10 instructions on a Cortex-M4: bytes ("slicing by
/// 4") take 14, and each add has one or two words. The tables are 20 KiB of flash.
#[cfg(all(not(feature = "std"), not(feature = "small")))]
#[inline]
pub(crate) fn crc32c_words<const N: usize>(crc: u32, words: [u32; N]) -> u32 {
    sliced_words(crc, words)
}

/// Continues `crc` over words, each as its little-endian bytes: the same as `crc32c_append` over these.
///
/// Half a byte at a time, about 34 instructions a word on a Cortex-M4. The table is 64 B of flash.
#[cfg(all(not(feature = "std"), feature = "small"))]
pub(crate) fn crc32c_words<const N: usize>(crc: u32, words: [u32; N]) -> u32 {
    words.into_iter().fold(crc, nibbled_word)
}

/// Mixes words into a hash, 3 instructions each. For what never leaves RAM: no reader elsewhere has to
/// know it.
///
/// Each step is a bijection of the state, and one of the word, so that two states or two words that
/// differ never give the same state. A product carries a difference only upwards: the highest bits of
/// two words would always cancel each other. So each step brings the upper half down as well. That makes
/// two bits of the state, at least, out of one bit of a word, and no single bit of the next word cancels
/// those.
#[inline]
pub(crate) fn mix<const N: usize>(state: u32, words: [u32; N]) -> u32 {
    // 2^32 by the golden ratio, as a prime.
    const MULTIPLIER: u32 = 0x9E37_79B1;
    words.into_iter().fold(state, |state, word| {
        let product = (state ^ word).wrapping_mul(MULTIPLIER);
        product ^ product >> 15
    })
}

/// `NIBBLES[n]`: what the half byte `n` leaves in the register.
#[cfg(any(test, all(not(feature = "std"), feature = "small")))]
static NIBBLES: [u32; 16] = {
    let slices = slices();
    let mut nibbles = [0; 16];
    let mut n = 0;
    while n < 16 {
        // A half byte and four bits of zeros are a byte.
        nibbles[n] = slices[0][n << 4];
        n += 1;
    }
    nibbles
};

#[cfg(any(test, all(not(feature = "std"), feature = "small")))]
fn nibbled_word(crc: u32, word: u32) -> u32 {
    let mut register = !crc ^ word;
    for _ in 0..8 {
        register = register >> 4 ^ NIBBLES[(register & 15) as usize];
    }
    !register
}

/// What the lowest 11 bits, the 11 above them and the highest 10 of the register leave in it behind 32
/// bits of zeros: a table for each, one behind the other, so that one address serves all.
#[cfg(any(test, all(not(feature = "std"), not(feature = "small"))))]
static BEHIND_A_WORD: Tables =
    Tables { low: behind_a_word(0), middle: behind_a_word(11), high: behind_a_word(22) };

#[cfg(any(test, all(not(feature = "std"), not(feature = "small"))))]
#[repr(C)]
struct Tables {
    low: [u32; 1 << 11],
    middle: [u32; 1 << 11],
    high: [u32; 1 << 10],
}

#[cfg(any(test, all(not(feature = "std"), not(feature = "small"))))]
const fn behind_a_word<const N: usize>(shift: u32) -> [u32; N] {
    let slices = slices();
    let mut table = [0; N];
    let mut index = 0;
    while index < N {
        let mut rest = (index as u32) << shift;
        let mut k = 4;
        while k > 0 {
            k -= 1;
            table[index] ^= slices[k][(rest & 0xFF) as usize];
            rest >>= 8;
        }
        index += 1;
    }
    table
}

/// `slices()[k][b]`: what the byte `b` leaves in the register when `k` bytes of zeros follow it.
#[cfg(any(test, not(feature = "std")))]
const fn slices() -> [[u32; 256]; 4] {
    /// The polynomial of CRC32C, its bits reversed.
    const POLYNOMIAL: u32 = 0x82F6_3B78;
    let mut slices = [[0; 256]; 4];
    let mut byte = 0;
    while byte < 256 {
        let mut register = byte as u32;
        let mut k = 0;
        while k < 4 {
            let mut bit = 0;
            while bit < 8 {
                register = register >> 1 ^ if register & 1 != 0 { POLYNOMIAL } else { 0 };
                bit += 1;
            }
            slices[k][byte] = register;
            k += 1;
        }
        byte += 1;
    }
    slices
}

#[cfg(any(test, all(not(feature = "std"), not(feature = "small"))))]
#[expect(clippy::inline_always, reason = "a call costs as much as a word")]
#[inline(always)]
fn sliced_words<const N: usize>(crc: u32, words: [u32; N]) -> u32 {
    let mut register = !crc;
    for word in words {
        let sum = register ^ word;
        let (low, middle, high) = (sum & 0x7FF, sum >> 11 & 0x7FF, sum >> 22);
        let tables = &BEHIND_A_WORD;
        register =
            tables.low[low as usize] ^ tables.middle[middle as usize] ^ tables.high[high as usize];
    }
    !register
}

/// The portable implementation, compiled everywhere so that a host test can hold both together.
#[cfg(any(test, not(feature = "std")))]
fn table_append(crc: u32, bytes: &[u8]) -> u32 {
    const CRC32C: crc::Crc<u32> = crc::Crc::<u32>::new(&crc::CRC_32_ISCSI);
    // The crate takes its initial register unreflected and before the final inversion.
    let mut digest = CRC32C.digest_with_initial((!crc).reverse_bits());
    digest.update(bytes);
    digest.finalize()
}

#[cfg(test)]
mod tests {
    use super::{crc32c_append, crc32c_words, mix, nibbled_word, sliced_words, table_append};

    #[test]
    fn both_implementations_give_the_published_check_value() {
        assert_eq!(crc32c_append(0, b"123456789"), 0xE306_9283);
        assert_eq!(table_append(0, b"123456789"), 0xE306_9283);
    }

    #[test]
    fn words_are_their_little_endian_bytes_in_every_implementation() {
        let words: [u32; 5] = [0, u32::MAX, 0x0102_0304, 0xDEAD_BEEF, 0x8000_0001];
        for seed in [0, 1, 0xE306_9283, u32::MAX] {
            let bytes = words.map(u32::to_le_bytes);
            let appended = crc32c_append(seed, bytes.as_flattened());
            assert_eq!(crc32c_words(seed, words), appended);
            assert_eq!(sliced_words(seed, words), appended);
            assert_eq!(words.into_iter().fold(seed, nibbled_word), appended);
        }
        for bit in 0..32 {
            let word = 1_u32 << bit;
            assert_eq!(sliced_words(7, [word]), crc32c_append(7, &word.to_le_bytes()));
            assert_eq!(nibbled_word(7, word), crc32c_append(7, &word.to_le_bytes()));
        }
    }

    #[test]
    fn both_implementations_agree_when_continued_from_any_seed() {
        let bytes: [u8; 97] = core::array::from_fn(|i| (i * 37 + 11) as u8);
        for seed in [0, 1, 0xE306_9283, u32::MAX] {
            for cut in [0, 1, 4, 8, 33, 97] {
                let (a, b) = bytes.split_at(cut);
                let hardware = crc32c_append(crc32c_append(seed, a), b);
                let table = table_append(table_append(seed, a), b);
                assert_eq!(hardware, table, "seed {seed:#x}, cut at {cut}");
                assert_eq!(hardware, crc32c_append(seed, &bytes));
            }
        }
    }

    #[test]
    fn a_bit_in_a_word_or_in_each_of_two_neighbours_changes_what_is_mixed() {
        let mut state = 1_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state
        };
        for round in 0..if cfg!(miri) { 3 } else { 1_000 } {
            // Words as they are in a header, and any.
            let words = if round % 2 == 0 {
                [next() >> 20, next(), next() & 0x0C00_FFFF]
            } else {
                [next(), next(), next()]
            };
            let sensor = next() % 100;
            let mixed = mix(sensor, words);
            for at in 0..3 {
                for bit in 0..32 {
                    let mut damaged = words;
                    damaged[at] ^= 1 << bit;
                    assert_ne!(mix(sensor, damaged), mixed, "{words:x?} from {sensor}");
                    for neighbour in (0..32).filter(|_| at < 2) {
                        damaged[at + 1] = words[at + 1] ^ 1 << neighbour;
                        assert_ne!(mix(sensor, damaged), mixed, "{words:x?} from {sensor}");
                    }
                }
            }
            assert_ne!(mix(sensor + 1, words), mixed);
        }
    }
}
