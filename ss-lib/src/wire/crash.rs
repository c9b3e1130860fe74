//! What a device leaves in its memory when it breaks, for a host that looks there.
//!
//! ```text
//! word  0      1     2       3-10                        11    12    13     14    15 ...
//!      +------+-----+-------+---------------------------+-----+-----+------+-----+---------------+
//!      | CRSH | why | bytes | r0 r1 r2 r3 r12 lr pc xpsr | CFSR| HFSR| MMFAR| BFAR| text          |
//!      +------+-----+-------+---------------------------+-----+-----+------+-----+---------------+
//! why: 1 a panic (words 3 to 14 are 0), 2 a HardFault (text is empty)
//! ```
//!
//! The first word is written last and cleared at each reset, so a record is whole or not there.

/// The symbol of the record's place.
pub const CRASH_SYMBOL: &str = "SS_CRASH";

/// Words of a record.
pub const CRASH_WORDS: usize = TEXT_AT + CRASH_TEXT_BYTES / 4;

/// Bytes of its text.
pub const CRASH_TEXT_BYTES: usize = 256;

const CRASH_MAGIC: u32 = u32::from_le_bytes(*b"CRSH");
const TEXT_AT: usize = 15;

/// How a device broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// A panic, with its place and message.
    Panic {
        /// UTF-8, zeros behind it.
        text: [u8; CRASH_TEXT_BYTES],
        /// How much of it is used.
        len: usize,
    },
    /// A fault that nothing else handles.
    HardFault(FaultRegisters),
}

/// The registers at a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct FaultRegisters {
    /// r0, r1, r2, r3, r12, lr, pc, xpsr, as the core stacked them.
    pub stacked: [u32; 8],
    /// The configurable fault status register.
    pub cfsr: u32,
    /// The hard fault status register.
    pub hfsr: u32,
    /// The address of a fault of memory protection, if CFSR says so.
    pub mmfar: u32,
    /// The address of a bus fault, if CFSR says so.
    pub bfar: u32,
}

impl Crash {
    /// The record's words.
    pub fn to_words(&self) -> [u32; CRASH_WORDS] {
        let mut words = [0; CRASH_WORDS];
        words[0] = CRASH_MAGIC;
        match self {
            Self::Panic { text, len } => {
                words[1] = 1;
                words[2] = *len as u32;
                for (word, bytes) in words[TEXT_AT..].iter_mut().zip(text.as_chunks::<4>().0) {
                    *word = u32::from_le_bytes(*bytes);
                }
            }
            Self::HardFault(registers) => {
                words[1] = 2;
                words[3..11].copy_from_slice(&registers.stacked);
                words[11..15].copy_from_slice(&[
                    registers.cfsr,
                    registers.hfsr,
                    registers.mmfar,
                    registers.bfar,
                ]);
            }
        }
        words
    }

    /// The record in these words, if one is there.
    pub fn from_words(words: &[u32; CRASH_WORDS]) -> Option<Self> {
        if words[0] != CRASH_MAGIC {
            return None;
        }
        match words[1] {
            1 => {
                let mut text = [0; CRASH_TEXT_BYTES];
                for (bytes, word) in text.as_chunks_mut::<4>().0.iter_mut().zip(&words[TEXT_AT..]) {
                    *bytes = word.to_le_bytes();
                }
                let len = (words[2] as usize).min(CRASH_TEXT_BYTES);
                Some(Self::Panic { text, len })
            }
            2 => {
                let mut stacked = [0; 8];
                stacked.copy_from_slice(&words[3..11]);
                let [cfsr, hfsr, mmfar, bfar] = [words[11], words[12], words[13], words[14]];
                Some(Self::HardFault(FaultRegisters { stacked, cfsr, hfsr, mmfar, bfar }))
            }
            _ => None,
        }
    }
}

impl FaultRegisters {
    /// The program counter of what failed.
    pub const fn pc(&self) -> u32 {
        self.stacked[6]
    }

    /// Where it was called from.
    pub const fn lr(&self) -> u32 {
        self.stacked[5]
    }

    /// What the status registers say, in words.
    pub fn meaning(&self) -> &'static str {
        const MEANINGS: [(u32, &str); 14] = [
            (1 << 25, "a division by zero"),
            (1 << 24, "an unaligned access"),
            (1 << 19, "no coprocessor"),
            (1 << 18, "a bad return from an exception"),
            (1 << 17, "no Thumb code at the address"),
            (1 << 16, "an undefined instruction"),
            (1 << 12, "a bus error while stacking: the stack overflowed"),
            (1 << 9, "a bus error on an access to data"),
            (1 << 10, "a bus error on an access to data, reported late"),
            (1 << 8, "a bus error on fetching an instruction"),
            (1 << 4, "a protection fault while stacking: the stack overflowed"),
            (1 << 1, "an access that memory protection forbids"),
            (1 << 0, "an instruction where none may run"),
            (1 << 11, "a bus error on unstacking"),
        ];
        let found = MEANINGS.iter().find(|(bit, _)| self.cfsr & bit != 0);
        found.map_or("no cause in the status register", |&(_, meaning)| meaning)
    }
}

#[cfg(test)]
mod tests {
    use super::{CRASH_TEXT_BYTES, CRASH_WORDS, Crash, FaultRegisters};

    #[test]
    fn a_record_comes_back_as_it_was_left() {
        let mut text = [0; CRASH_TEXT_BYTES];
        text[..5].copy_from_slice(b"hello");
        let panic = Crash::Panic { text, len: 5 };
        let registers = FaultRegisters {
            stacked: [1, 2, 3, 4, 5, 6, 7, 8],
            cfsr: 1 << 9,
            hfsr: 1 << 30,
            mmfar: 9,
            bfar: 10,
        };
        for crash in [panic, Crash::HardFault(registers)] {
            assert_eq!(Crash::from_words(&crash.to_words()), Some(crash));
        }
        assert_eq!((registers.pc(), registers.lr()), (7, 6));
        assert_eq!(registers.meaning(), "a bus error on an access to data");
    }

    #[test]
    fn memory_after_a_reset_holds_no_record_and_a_wild_one_does_no_harm() {
        assert_eq!(Crash::from_words(&[0; CRASH_WORDS]), None);
        let mut words = Crash::Panic { text: [b'x'; CRASH_TEXT_BYTES], len: 3 }.to_words();
        words[2] = u32::MAX;
        let Some(Crash::Panic { len, .. }) = Crash::from_words(&words) else { panic!("no record") };
        assert_eq!(len, CRASH_TEXT_BYTES);
        words[1] = 77;
        assert_eq!(Crash::from_words(&words), None);
    }
}
