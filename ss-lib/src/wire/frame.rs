//! One message on the line: postcard, CRC32C, COBS.
//!
//! ```text
//! 0 | COBS of ( message in postcard | CRC32C of the message, little-endian ) | 0
//! ```
//!
//! A zero stands at both ends, so that what was cut off before a frame never runs into it; between
//! frames any number of zeros may stand.

use crate::crc32c_append;
use serde::{Deserialize, Serialize};

/// The longest frame in bytes, both zeros included.
pub const FRAME_BYTES_MAX: usize = 512;

const CRC_BYTES: usize = 4;

/// The longest message in bytes: COBS adds one byte for each 254 that are begun.
pub const MESSAGE_BYTES_MAX: usize =
    FRAME_BYTES_MAX - 2 - CRC_BYTES - FRAME_BYTES_MAX.div_ceil(254);

/// Why bytes are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// More bytes than a frame can have.
    TooLong,
    /// No COBS, or too short for a checksum.
    Malformed,
    /// The checksum is another one.
    Checksum,
    /// The checksum fits and the message is none: the other end speaks another version.
    Message,
}

impl core::fmt::Display for FrameError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::TooLong => "a frame is too long",
            Self::Malformed => "a frame is malformed",
            Self::Checksum => "a frame's checksum is wrong",
            Self::Message => "a frame holds no message of this protocol version",
        })
    }
}

impl core::error::Error for FrameError {}

/// Writes `message` as a frame into `out`. Returns the frame's length, or `None` if the message is
/// longer than [`MESSAGE_BYTES_MAX`].
pub fn encode(message: &impl Serialize, out: &mut [u8; FRAME_BYTES_MAX]) -> Option<usize> {
    let mut plain = [0; MESSAGE_BYTES_MAX + CRC_BYTES];
    let used = postcard::to_slice(message, &mut plain[..MESSAGE_BYTES_MAX]).ok()?.len();
    let crc = crc32c_append(0, &plain[..used]);
    plain[used..used + CRC_BYTES].copy_from_slice(&crc.to_le_bytes());
    out[0] = 0;
    let coded = cobs::encode(&plain[..used + CRC_BYTES], &mut out[1..]);
    out[1 + coded] = 0;
    Some(coded + 2)
}

/// Finds frames in a stream of bytes.
#[derive(Debug)]
pub struct Decoder {
    bytes: [u8; FRAME_BYTES_MAX],
    len: usize,
    is_too_long: bool,
    message: usize,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder {
    /// A decoder that has seen nothing.
    pub const fn new() -> Self {
        Self { bytes: [0; FRAME_BYTES_MAX], len: 0, is_too_long: false, message: 0 }
    }

    /// Takes one byte. At a frame's end says whether a message is there for [`message`](Self::message)
    /// to decode, before the next byte is pushed.
    pub fn push(&mut self, byte: u8) -> Option<Result<(), FrameError>> {
        if byte != 0 {
            if let Some(place) = self.bytes.get_mut(self.len) {
                *place = byte;
                self.len += 1;
            } else {
                self.is_too_long = true;
            }
            return None;
        }
        let (len, is_too_long) = (self.len, self.is_too_long);
        (self.len, self.is_too_long, self.message) = (0, false, 0);
        if is_too_long {
            return Some(Err(FrameError::TooLong));
        }
        if len == 0 {
            return None;
        }
        Some(self.unpack(len))
    }

    fn unpack(&mut self, len: usize) -> Result<(), FrameError> {
        let plain = cobs::decode_in_place(&mut self.bytes[..len]);
        let plain = plain.map_err(|_| FrameError::Malformed)?;
        let message = plain.checked_sub(CRC_BYTES).ok_or(FrameError::Malformed)?;
        let (bytes, crc) = self.bytes[..plain].split_at(message);
        if crc != crc32c_append(0, bytes).to_le_bytes() {
            return Err(FrameError::Checksum);
        }
        self.message = message;
        Ok(())
    }

    /// The message of the frame that has just ended.
    pub fn message<'a, T: Deserialize<'a>>(&'a self) -> Result<T, FrameError> {
        match postcard::take_from_bytes(&self.bytes[..self.message]) {
            Ok((message, [])) => Ok(message),
            _ => Err(FrameError::Message),
        }
    }
}
