//! Texts that only who prints them pays for.
//!
//! A compiler puts every string literal of an object into one section, which a microcontroller's linker
//! keeps or drops as a whole. A table of texts with a NUL behind each is no string literal: it has a section
//! of its own, which goes with the function that uses it.

use core::ffi::CStr;

/// The text in the `index`th place of a table, or the last one.
pub(crate) fn nth(table: &'static [u8], index: usize) -> &'static CStr {
    let mut rest = table;
    let mut text = c"";
    for _ in 0..=index {
        let Ok(next) = CStr::from_bytes_until_nul(rest) else { break };
        text = next;
        rest = &rest[next.count_bytes() + 1..];
    }
    text
}

/// A number's decimal digits, in a place for all that 64 bits can have.
pub(crate) fn decimal(number: u64, place: &mut [u8; 20]) -> &[u8] {
    let mut left = number;
    let mut first = place.len();
    for digit in place.iter_mut().rev() {
        *digit = b'0' + (left % 10) as u8;
        left /= 10;
        first -= 1;
        if left == 0 {
            break;
        }
    }
    place.get(first..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{decimal, nth};

    #[test]
    fn a_table_has_its_texts_in_order_and_the_last_one_behind_its_end() {
        static TABLE: [u8; 9] = *b"one\0\0two\0";
        assert_eq!([nth(&TABLE, 0), nth(&TABLE, 1), nth(&TABLE, 2)], [c"one", c"", c"two"]);
        assert_eq!(nth(&TABLE, usize::MAX), c"two");
    }

    #[test]
    fn a_number_has_its_decimal_digits() {
        for number in [0, 9, 10, 18_446_744, u64::MAX - 1, u64::MAX] {
            assert_eq!(decimal(number, &mut [0; 20]), number.to_string().as_bytes());
        }
    }
}
