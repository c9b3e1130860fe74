//! Memory over QEMU's test protocol: it works while the core runs, and does not stop it.

use super::qemu::Qemu;
use std::{
    io::{self, BufRead, BufReader, Write},
    os::unix::net::UnixStream,
};

pub(super) struct Qtest {
    input: BufReader<UnixStream>,
    output: UnixStream,
}

impl Qtest {
    pub(super) fn connect(qemu: &mut Qemu) -> Result<Self, String> {
        let output = qemu.connect("qtest")?;
        let input = output.try_clone().map_err(|error| error.to_string())?;
        Ok(Self { input: BufReader::new(input), output })
    }

    /// Reads `count` bytes from `address` on; at least one.
    pub(super) fn read(&mut self, address: u32, count: usize) -> io::Result<Vec<u8>> {
        let answer = self.ask(&format!("read {address:#x} {count:#x}"))?;
        let digits = answer.strip_prefix("0x").unwrap_or("");
        let bytes = from_hex(digits).filter(|bytes| bytes.len() == count);
        bytes.ok_or_else(|| malformed(&answer))
    }

    /// Writes bytes, at least one, from `address` on.
    pub(super) fn write(&mut self, address: u32, bytes: &[u8]) -> io::Result<()> {
        let digits = to_hex(bytes);
        self.ask(&format!("write {address:#x} {:#x} 0x{digits}", bytes.len()))?;
        Ok(())
    }

    /// One word, in one access: what a register wants.
    pub(super) fn read_word(&mut self, address: u32) -> io::Result<u32> {
        let answer = self.ask(&format!("readl {address:#x}"))?;
        let digits = answer.strip_prefix("0x").unwrap_or("");
        u64::from_str_radix(digits, 16).map(|word| word as u32).map_err(|_| malformed(&answer))
    }

    /// One word, in one access.
    pub(super) fn write_word(&mut self, address: u32, word: u32) -> io::Result<()> {
        self.ask(&format!("writel {address:#x} {word:#x}"))?;
        Ok(())
    }

    fn ask(&mut self, line: &str) -> io::Result<String> {
        self.output.write_all(format!("{line}\n").as_bytes())?;
        let mut answer = String::new();
        loop {
            answer.clear();
            if self.input.read_line(&mut answer)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let answer = answer.trim();
            if let Some(result) = answer.strip_prefix("OK") {
                return Ok(result.trim().to_owned());
            }
            // Other lines tell of interrupts.
            if answer.starts_with("FAIL") || answer.starts_with("ERR") {
                return Err(malformed(answer));
            }
        }
    }
}

fn malformed(answer: &str) -> io::Error {
    io::Error::other(format!("QEMU answered: {answer}"))
}

pub(super) fn to_hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// The bytes of pairs of hexadecimal digits, and nothing else.
pub(super) fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(|&[high, low]| Some(digit(high)? << 4 | digit(low)?)).collect()
}
