//! The Black Magic Probe's remote protocol, version 4, as text: requests in, answers out.
//!
//! A request is `!…#`, an answer `&K…#` (done), `&E…#` (failed) or `&N#` (not known). Numbers are
//! hexadecimal; the bytes of registers and memory stand in their order in memory.

use super::{
    adi::Adi,
    qtest::{from_hex, to_hex},
    swd::Swd,
};

/// The longest request: a write of the most that a probe writes at once, and room for more.
const REQUEST_BYTES_MAX: usize = 64 * 1024;
/// The most bytes that a probe reads at once.
const READ_BYTES_MAX: usize = 16 * 1024;
/// "The target failed", as the protocol numbers errors.
const TARGET_FAILED: &str = "E5";

/// One probe: what came of a request so far, and what it works on.
pub(super) struct Remote {
    adi: Adi,
    swd: Swd,
    request: Vec<u8>,
}

impl Remote {
    pub(super) fn new(adi: Adi) -> Self {
        Self { adi, swd: Swd::default(), request: Vec::new() }
    }

    /// Another tool is attached.
    pub(super) fn begin(&mut self) {
        self.request.clear();
        self.swd.clear();
    }

    /// Takes bytes of requests. Returns the answers to those that ended.
    pub(super) fn take(&mut self, bytes: &[u8]) -> String {
        let mut answers = String::new();
        for &byte in bytes {
            match byte {
                b'!' => self.request = vec![byte],
                b'#' => {
                    let request = std::mem::take(&mut self.request);
                    if let Some((b'!', request)) = request.split_first() {
                        let request = String::from_utf8_lossy(request);
                        let answer = self.answer(&request).unwrap_or_else(|| "N".to_owned());
                        answers += &format!("&{answer}#");
                    }
                }
                // What stands outside of a request is a greeting; what is too long is none.
                _ if !self.request.is_empty() && self.request.len() < REQUEST_BYTES_MAX => {
                    self.request.push(byte);
                }
                _ => {}
            }
        }
        answers
    }

    /// The answer, or `None` to what is not understood.
    fn answer(&mut self, request: &str) -> Option<String> {
        let (group, rest) = (request.get(..1)?, request.get(1..)?);
        match group {
            "G" => Some(general(rest)?.to_owned()),
            "H" => Some(high_level(rest)?.to_owned()),
            "S" => self.line(rest),
            "A" => self.debug_interface(rest),
            _ => None,
        }
    }

    fn line(&mut self, rest: &str) -> Option<String> {
        let command = rest.get(..1)?;
        match command {
            "S" => {
                self.swd.clear();
                Some("K0".to_owned())
            }
            "o" | "O" => {
                let (bits, value) = (number(rest, 1, 2)?, number_to_end(rest, 3)?);
                let done = self.swd.take(bits as u32, value, &mut self.adi);
                Some(if done.is_ok() { "K0" } else { TARGET_FAILED }.to_owned())
            }
            "i" | "I" => {
                let bits = number(rest, 1, 2)? as u32;
                Some(format!("K{:x}", self.swd.give(bits, &mut self.adi)))
            }
            _ => None,
        }
    }

    /// Every request names a device on the line (2 digits) and an access port (2 digits).
    fn debug_interface(&mut self, rest: &str) -> Option<String> {
        let port = number(rest, 3, 2)? as u32;
        match rest.get(..1)? {
            // Debug port, read: register.
            "d" => Some(word(self.adi.read_dp(number(rest, 5, 4)? as u32))),
            // Debug port, raw: the port's place says whether to read; register, value.
            "R" => {
                let register = number(rest, 5, 4)? as u32;
                if port != 0 {
                    return Some(word(self.adi.read_dp(register)));
                }
                self.adi.write_dp(register, number(rest, 9, 8)? as u32);
                Some(word(0))
            }
            // Access port, read: register.
            "a" => Some(match self.adi.read_ap(port, number(rest, 5, 4)? as u32) {
                Ok(value) => word(value),
                Err(_) => TARGET_FAILED.to_owned(),
            }),
            // Access port, write: register, value.
            "A" => {
                let value = from_hex(rest.get(9..17)?)?;
                let value = u32::from_le_bytes(value.try_into().ok()?);
                Some(done(self.adi.write_ap(port, number(rest, 5, 4)? as u32, value)))
            }
            // Memory, read: CSW (8 digits), address (16), length (8).
            "m" => {
                let (address, count) = (number(rest, 13, 16)?, number(rest, 29, 8)? as usize);
                let address = in_memory(address, count)?;
                Some(match self.adi.core.read(address, count) {
                    Ok(bytes) => format!("K{}", to_hex(&bytes)),
                    Err(_) => TARGET_FAILED.to_owned(),
                })
            }
            // Memory, write: CSW (8 digits), alignment (2), address (16), length (8), bytes.
            "M" => {
                let (address, count) = (number(rest, 15, 16)?, number(rest, 31, 8)? as usize);
                let bytes = from_hex(rest.get(39..)?)?;
                if bytes.len() != count {
                    return None;
                }
                let address = in_memory(address, count)?;
                Some(done(self.adi.core.write(address, &bytes)))
            }
            _ => None,
        }
    }
}

/// What the probe says of itself.
fn general(rest: &str) -> Option<&'static str> {
    Some(match rest.get(..1)? {
        "A" => "Kss virtual board",
        "V" => "K3.3V",
        // Its line's frequency, 4 MHz: there is no line.
        "f" => "K3d0900",
        // Attach, detach, reset line, set frequency: nothing to be done.
        _ => "K0",
    })
}

fn high_level(rest: &str) -> Option<&'static str> {
    match rest.get(..1)? {
        "C" => Some("K4"),
        // Of its accelerators it has the debug interface's.
        "A" => Some("K1"),
        _ => None,
    }
}

fn done(result: std::io::Result<()>) -> String {
    if result.is_ok() { "K0" } else { TARGET_FAILED }.to_owned()
}

fn word(value: u32) -> String {
    format!("K{}", to_hex(&value.to_le_bytes()))
}

/// The address if the bytes lie in the 4 GiB that there are.
fn in_memory(address: u64, count: usize) -> Option<u32> {
    let end = address.checked_add(count as u64)?;
    (count <= READ_BYTES_MAX && end <= 1 << 32).then_some(address as u32)
}

fn number(text: &str, at: usize, digits: usize) -> Option<u64> {
    hexadecimal(text.get(at..at + digits)?)
}

fn number_to_end(text: &str, at: usize) -> Option<u64> {
    hexadecimal(text.get(at..)?)
}

/// Digits alone: no sign.
fn hexadecimal(digits: &str) -> Option<u64> {
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    u64::from_str_radix(digits, 16).ok()
}
