//! The superblock: which store this is, how its segments are cut, and which opening it is in.
//!
//! Two slots of a page each in a file of their own, written by turns, so that a torn write leaves the
//! slot before it. It is the only thing on disk that is written twice: a new opening needs no new
//! space, so that a store on a full disk can be opened.

use super::page::{FORMAT_VERSION, PAGE_BYTES, StoreId};
use crate::crc32c_append;

/// The file's name.
pub(crate) const SUPERBLOCK_FILE: &str = "superblock";
/// Bytes of the file.
pub(crate) const SUPERBLOCK_BYTES: usize = 2 * PAGE_BYTES;

pub(crate) const MAGIC: [u8; 8] = *b"SSTORE\r\n";
pub(crate) const VERSION_AT: usize = 8;
pub(crate) const CLEAN_AT: usize = 9;
pub(crate) const EPOCH_AT: usize = 12;
pub(crate) const STORE_ID_AT: usize = 16;
pub(crate) const SEGMENT_PAGES_AT: usize = 32;
pub(crate) const PAGE_BYTES_AT: usize = 36;
pub(crate) const SEQUENCE_AT: usize = 40;
pub(crate) const CREATED_AT: usize = 48;
pub(crate) const OPENED_AT: usize = 56;
pub(crate) const LAST_LSN_AT: usize = 64;
pub(crate) const SLOT_CRC_AT: usize = PAGE_BYTES - 4;

/// What a slot says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Superblock {
    /// The store's identity.
    pub store_id: StoreId,
    /// The pages after which a segment is sealed.
    pub segment_pages: u32,
    /// The number of the newest opening.
    pub epoch: u32,
    /// How often the superblock was written: its parity is the slot's number.
    pub sequence: u64,
    /// When the store was created, in ms since 1970 by the machine's clock.
    pub created_ms: u64,
    /// When this opening began, by the same clock.
    pub opened_ms: u64,
    /// After an orderly shutdown the number of the log's last page, so that an end that went missing
    /// is not taken for one that was never written; else 0.
    pub last_lsn: u64,
    /// The opening ended by an orderly shutdown.
    pub is_clean: bool,
}

/// What a slot holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// Sound.
    Valid(Superblock),
    /// Never written: every byte is zero.
    Empty,
    /// Bytes that are no superblock, or whose checksum is wrong.
    Bad,
    /// Written by a newer library.
    Future(u8),
}

impl Superblock {
    /// The slot that this superblock is written to, as an offset in the file.
    pub(crate) const fn offset(&self) -> u64 {
        (self.sequence & 1) * PAGE_BYTES as u64
    }

    pub(crate) fn encode(&self, slot: &mut [u8]) {
        slot.fill(0);
        slot[..VERSION_AT].copy_from_slice(&MAGIC);
        slot[VERSION_AT] = FORMAT_VERSION;
        slot[CLEAN_AT] = u8::from(self.is_clean);
        slot[EPOCH_AT..STORE_ID_AT].copy_from_slice(&self.epoch.to_le_bytes());
        slot[STORE_ID_AT..SEGMENT_PAGES_AT].copy_from_slice(&self.store_id);
        slot[SEGMENT_PAGES_AT..PAGE_BYTES_AT].copy_from_slice(&self.segment_pages.to_le_bytes());
        let page_bytes = PAGE_BYTES as u32;
        slot[PAGE_BYTES_AT..SEQUENCE_AT].copy_from_slice(&page_bytes.to_le_bytes());
        slot[SEQUENCE_AT..CREATED_AT].copy_from_slice(&self.sequence.to_le_bytes());
        slot[CREATED_AT..OPENED_AT].copy_from_slice(&self.created_ms.to_le_bytes());
        slot[OPENED_AT..LAST_LSN_AT].copy_from_slice(&self.opened_ms.to_le_bytes());
        slot[LAST_LSN_AT..LAST_LSN_AT + 8].copy_from_slice(&self.last_lsn.to_le_bytes());
        let crc = crc32c_append(0, &slot[..SLOT_CRC_AT]);
        slot[SLOT_CRC_AT..].copy_from_slice(&crc.to_le_bytes());
    }
}

impl Slot {
    /// Reads one slot of the file.
    pub(crate) fn decode(slot: &[u8]) -> Self {
        let Ok(slot) = <&[u8; PAGE_BYTES]>::try_from(slot) else { return Self::Bad };
        if slot.iter().all(|&byte| byte == 0) {
            return Self::Empty;
        }
        let crc = crc32c_append(0, &slot[..SLOT_CRC_AT]);
        if slot[..VERSION_AT] != MAGIC || slot[SLOT_CRC_AT..] != crc.to_le_bytes() {
            return Self::Bad;
        }
        if slot[VERSION_AT] != FORMAT_VERSION {
            return Self::Future(slot[VERSION_AT]);
        }
        let u32_at =
            |at: usize| u32::from_le_bytes([slot[at], slot[at + 1], slot[at + 2], slot[at + 3]]);
        let u64_at = |at: usize| u64::from(u32_at(at)) | u64::from(u32_at(at + 4)) << 32;
        let mut store_id = [0; 16];
        store_id.copy_from_slice(&slot[STORE_ID_AT..SEGMENT_PAGES_AT]);
        let superblock = Superblock {
            store_id,
            segment_pages: u32_at(SEGMENT_PAGES_AT),
            epoch: u32_at(EPOCH_AT),
            sequence: u64_at(SEQUENCE_AT),
            created_ms: u64_at(CREATED_AT),
            opened_ms: u64_at(OPENED_AT),
            last_lsn: u64_at(LAST_LSN_AT),
            is_clean: slot[CLEAN_AT] == 1,
        };
        let is_possible = u32_at(PAGE_BYTES_AT) as usize == PAGE_BYTES
            && (super::SEGMENT_PAGES_MIN..=super::SEGMENT_PAGES_MAX)
                .contains(&superblock.segment_pages);
        if is_possible { Self::Valid(superblock) } else { Self::Bad }
    }

    /// The newest of both slots.
    pub(crate) fn newest(file: &[u8]) -> Option<Superblock> {
        let valid = file.chunks(PAGE_BYTES).filter_map(|slot| match Self::decode(slot) {
            Self::Valid(superblock) => Some(superblock),
            _ => None,
        });
        valid.max_by_key(|superblock| superblock.sequence)
    }
}
