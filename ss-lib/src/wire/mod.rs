//! What a host and a microcontroller say to each other while a scenario runs there.
//!
//! The host asks, the device answers, one at a time: a [`Request`] has a number, its [`Response`] the
//! same one. Without an answer the host sends the same request again, and a device that has answered
//! it already sends that answer again and does nothing else. So whatever the line drops, doubles or
//! garbles, each command is carried out once.
//!
//! The first exchange is [`Command::Hello`], whose bytes never change. It says which version of the
//! rest both ends speak. Every answer carries the number of the device's present run since reset, so
//! that a reset in between shows.
//!
//! [`frame`] puts messages on the line, [`Device`] is the microcontroller's end and [`Client`] the
//! host's. Neither knows what the line is.

#[cfg(feature = "std")]
mod client;
pub mod crash;
mod device;
pub mod frame;
mod message;
mod meter;
mod port;

#[cfg(feature = "std")]
pub use client::{CallError, Client, HostLink};
pub use device::{Board, Device, DeviceMemory, Identity};
pub use message::{
    Answer, Begin, Buckets, Command, Cost, DeviceClock, Fault, Footprint, Geometry, Hello,
    Progress, Refusal, Report, Request, Response, VERSION_BYTES, text_of, version_bytes,
};
pub use meter::{BLOCK_BUCKETS, BUCKETS, Meter, OPERATIONS, Operation, bucket_of, bucket_range};
pub use port::{Link, Port};

/// The version of everything behind the first exchange. A change of any message's bytes is a new one.
pub const PROTOCOL: u16 = 1;

/// What the first answer begins with: "SSFW".
pub const MAGIC: u32 = u32::from_le_bytes(*b"SSFW");

/// What stands in the image's flash under the symbol `SS_FIRMWARE`, so that a host knows an ELF of
/// ours before it flashes it: [`IMAGE_MAGIC`], the protocol's version (u16, little-endian), two zeros,
/// and the version's text.
pub const IMAGE_SYMBOL: &str = "SS_FIRMWARE";

/// What it begins with.
pub const IMAGE_MAGIC: [u8; 8] = *b"ss-fw\0\r\n";

/// Its bytes.
pub const IMAGE_BYTES: usize = IMAGE_MAGIC.len() + 4 + VERSION_BYTES;

/// The bytes of an image of this version, whose text is `version`.
pub const fn image_bytes(version: &str) -> [u8; IMAGE_BYTES] {
    let (mut bytes, mut at) = ([0; IMAGE_BYTES], 0);
    while at < IMAGE_MAGIC.len() {
        bytes[at] = IMAGE_MAGIC[at];
        at += 1;
    }
    [bytes[at], bytes[at + 1]] = PROTOCOL.to_le_bytes();
    at += 4;
    let (version, mut from) = (version_bytes(version), 0);
    while from < VERSION_BYTES {
        bytes[at + from] = version[from];
        from += 1;
    }
    bytes
}
