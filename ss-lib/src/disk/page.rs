//! One page: 4 KiB that stand alone.
//!
//! ```text
//! byte 0        4       5         6      8                 16
//!      +--------+-------+---------+------+-----------------+----------+-----------+-------+
//!      | CRC32C | magic | version | used | log sequence no | preamble | chunks ...| zeros |
//!      +--------+-------+---------+------+-----------------+----------+-----------+-------+
//! preamble: varint epoch, varint (lsn - durable lsn), varint base time in ms
//! ```
//!
//! The checksum runs over bytes 4 to 4095 and is seeded with the store, the segment, its generation
//! and the page's place in it, so that a page that was swapped, misdirected or left from another
//! store does not pass. A page is written once and never again. FORMAT.md is normative.

use super::{
    chunk::{Chunk, ChunkReader},
    varint::{Decoder, Encoder, VARINT_BYTES_MAX},
};
use crate::{
    crc32c_append,
    planted::{self, Bug},
};

/// Bytes of a page.
pub const PAGE_BYTES: usize = 4096;
/// Bytes of a page's fixed header.
pub const PAGE_HEADER_BYTES: usize = 16;
/// The version of the format that this library writes, and the newest that it reads.
pub const FORMAT_VERSION: u8 = 1;

pub(crate) const MAGIC: u8 = 0xA7;
pub(crate) const CRC_AT: usize = 0;
pub(crate) const MAGIC_AT: usize = 4;
pub(crate) const VERSION_AT: usize = 5;
pub(crate) const USED_AT: usize = 6;
pub(crate) const LSN_AT: usize = 8;

/// The longest preamble.
const PREAMBLE_BYTES_MAX: usize = 3 * VARINT_BYTES_MAX;
/// The bytes that chunks have in any page, whatever its preamble.
pub(crate) const CHUNK_ROOM_MIN: usize = PAGE_BYTES - PAGE_HEADER_BYTES - PREAMBLE_BYTES_MAX;

/// A store's identity, drawn at random when it is created.
pub type StoreId = [u8; 16];

/// What the checksums of one segment's pages are seeded with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentSeed(u32);

impl SegmentSeed {
    pub(crate) fn new(store_id: &StoreId, segment: u64, generation: u8) -> Self {
        if planted::is(Bug::ChecksumUnseeded) {
            return Self(0);
        }
        let crc = crc32c_append(0, store_id);
        let crc = crc32c_append(crc, &segment.to_le_bytes());
        Self(crc32c_append(crc, &[generation]))
    }

    fn page(self, number: u32) -> u32 {
        if planted::is(Bug::ChecksumUnseeded) {
            return self.0;
        }
        crc32c_append(self.0, &number.to_le_bytes())
    }
}

/// What a page says of itself beside its chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct PageInfo {
    /// The page's number in the life of the store: strictly increasing along the log.
    pub lsn: u64,
    /// Every page below this number was durable when this one was written.
    pub durable_lsn: u64,
    /// What the times of its chunks are relative to, in ms.
    pub base_ms: u64,
    /// The opening of the store that wrote it, and that its records are of unless a chunk says
    /// otherwise.
    pub epoch: u32,
}

/// Why bytes are not a page of this place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageFault {
    /// Nothing was ever written here: every byte is zero.
    Empty,
    /// The bytes are no page at all.
    Magic,
    /// The checksum is not the one of these bytes in this place.
    Checksum,
    /// A newer library wrote it: it must not be touched.
    FutureVersion(u8),
    /// The checksum is right and what stands in the page is not: a forgery or a fault of the writer.
    Content,
}

/// A page that is being filled.
#[derive(Debug)]
pub(crate) struct PageBuilder<'a> {
    bytes: &'a mut [u8],
    used: usize,
    pub(super) info: PageInfo,
    /// The key of the chunk before.
    pub(super) key: u64,
}

impl<'a> PageBuilder<'a> {
    /// Begins a page in `bytes`, which are exactly one page.
    pub(crate) fn begin(bytes: &'a mut [u8], info: PageInfo) -> Self {
        bytes.fill(0);
        let mut encoder = Encoder::new(&mut bytes[PAGE_HEADER_BYTES..]);
        encoder.varint(u64::from(info.epoch));
        encoder.varint(info.lsn.saturating_sub(info.durable_lsn));
        encoder.varint(info.base_ms);
        let used = PAGE_HEADER_BYTES + encoder.len();
        Self { bytes, used, info, key: 0 }
    }

    /// Goes on with a page that was begun.
    pub(crate) fn resume(bytes: &'a mut [u8], open: OpenPage) -> Self {
        let OpenPage { used, info, key } = open;
        Self { bytes, used, info, key }
    }

    /// Lays the page aside; [`resume`](Self::resume) goes on.
    pub(crate) fn suspend(self) -> OpenPage {
        OpenPage { used: self.used, info: self.info, key: self.key }
    }

    /// Bytes that are left for chunks, their length included.
    pub(crate) fn room(&self) -> usize {
        PAGE_BYTES - self.used
    }

    /// Appends one chunk: `head` and then `payload`. Says whether it fitted; if not, nothing changed.
    pub(super) fn push(&mut self, key: u64, head: &[u8], payload: &[u8]) -> bool {
        self.push_three(key, head, &[], payload)
    }

    /// The same for a chunk in three parts.
    pub(super) fn push_three(
        &mut self,
        key: u64,
        head: &[u8],
        middle: &[u8],
        payload: &[u8],
    ) -> bool {
        let body = head.len() + middle.len() + payload.len();
        let framed = super::varint::varint_len(body as u64) + body;
        if framed > self.room() {
            return false;
        }
        let mut encoder = Encoder::new(&mut self.bytes[self.used..]);
        encoder.varint(body as u64);
        encoder.slice(head);
        encoder.slice(middle);
        encoder.slice(payload);
        self.used += framed;
        self.key = key;
        true
    }

    /// Writes the header and the checksum.
    pub(crate) fn seal(self, seed: SegmentSeed, number: u32) {
        let Self { bytes, used, info, .. } = self;
        bytes[MAGIC_AT] = MAGIC;
        bytes[VERSION_AT] = FORMAT_VERSION;
        bytes[USED_AT..LSN_AT].copy_from_slice(&(used as u16).to_le_bytes());
        bytes[LSN_AT..PAGE_HEADER_BYTES].copy_from_slice(&info.lsn.to_le_bytes());
        write_crc(bytes, seed, number);
    }
}

/// A page that is begun and laid aside.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OpenPage {
    used: usize,
    info: PageInfo,
    key: u64,
}

impl OpenPage {
    /// Bytes that are left for chunks, their length included.
    pub(crate) const fn room(&self) -> usize {
        PAGE_BYTES - self.used
    }
}

/// Writes the checksum of a page whose other bytes stand.
pub(crate) fn write_crc(bytes: &mut [u8], seed: SegmentSeed, number: u32) {
    let crc = crc32c_append(seed.page(number), &bytes[MAGIC_AT..]);
    bytes[CRC_AT..MAGIC_AT].copy_from_slice(&crc.to_le_bytes());
}

/// A page whose checksum is right for its place.
#[derive(Clone, Copy)]
pub(crate) struct PageView<'a> {
    pub(crate) info: PageInfo,
    chunks: &'a [u8],
}

impl<'a> PageView<'a> {
    /// Checks the page that stands at place `number` of the seed's segment.
    pub(crate) fn check(
        bytes: &'a [u8; PAGE_BYTES],
        seed: SegmentSeed,
        number: u32,
    ) -> Result<Self, PageFault> {
        if bytes[MAGIC_AT] != MAGIC {
            let is_empty = bytes.iter().all(|&byte| byte == 0);
            return Err(if is_empty { PageFault::Empty } else { PageFault::Magic });
        }
        // A version says what the rest means, so it comes before the checksum; a rotten one is told
        // from a newer one by the checksum, which every version keeps in this place.
        let crc = crc32c_append(seed.page(number), &bytes[MAGIC_AT..]);
        let is_right = crc.to_le_bytes() == bytes[CRC_AT..MAGIC_AT];
        if !is_right && !planted::is(Bug::ChecksumUnchecked) {
            return Err(PageFault::Checksum);
        }
        if bytes[VERSION_AT] != FORMAT_VERSION {
            return Err(PageFault::FutureVersion(bytes[VERSION_AT]));
        }
        Self::parse(bytes).ok_or(PageFault::Content)
    }

    /// Reads a page whose checksum nobody has looked at: what it says of itself may be what its checksum
    /// is to be held against.
    pub(crate) fn parse_unchecked(bytes: &'a [u8; PAGE_BYTES]) -> Option<Self> {
        Self::parse(bytes)
    }

    /// The number in the log that the page says it has, whatever its checksum is.
    pub(crate) fn claimed_lsn(bytes: &[u8; PAGE_BYTES]) -> u64 {
        let mut lsn = [0; 8];
        lsn.copy_from_slice(&bytes[LSN_AT..LSN_AT + 8]);
        u64::from_le_bytes(lsn)
    }

    fn parse(bytes: &'a [u8; PAGE_BYTES]) -> Option<Self> {
        let mut header = Decoder::new(&bytes[USED_AT..]);
        let used = usize::from(u16::from_le_bytes(header.array()?));
        let lsn = u64::from_le_bytes(header.array()?);
        let mut decoder = Decoder::new(bytes.get(PAGE_HEADER_BYTES..used)?);
        let epoch = u32::try_from(decoder.varint()?).ok()?;
        let durable_lsn = lsn.checked_sub(decoder.varint()?)?;
        let base_ms = decoder.varint()?;
        Some(Self { info: PageInfo { lsn, durable_lsn, base_ms, epoch }, chunks: decoder.rest() })
    }

    /// The page's chunks. `Err` ends them: what follows cannot be told apart any more.
    pub(crate) fn chunks(&self) -> ChunkReader<'a> {
        ChunkReader::new(self.chunks, self.info)
    }

    /// Whether every chunk can be decoded.
    pub(crate) fn is_whole(&self) -> bool {
        self.chunks().all(|chunk| chunk.is_ok())
    }

    /// The first chunk, if it can be decoded.
    pub(crate) fn first_chunk(&self) -> Option<Chunk<'a>> {
        self.chunks().next()?.ok()
    }
}
