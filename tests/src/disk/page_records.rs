//! Every record that any page of a store's files holds, read as FORMAT.md says without the engine's code, and
//! whatever the store makes of the page: what an engine shows or hands out must be among them.

use super::{
    memory::MemoryDisk,
    page::{PAGE_BYTES, Place},
};
use ss_lib::SensorKey;
use std::collections::{BTreeMap, BTreeSet};

/// By sensor and number, each (epoch, time, value) that some page has for it: forged pages may say several.
pub type PageRecords = BTreeMap<(SensorKey, u64), BTreeSet<(u32, u64, u32)>>;

/// Reads every page whose checksum is right for its file's name or for what the file's first page says.
pub fn read_all(disk: &MemoryDisk) -> PageRecords {
    let files = disk.files();
    let mut store_ids: BTreeSet<[u8; 16]> = BTreeSet::new();
    if let Some(superblock) = files.get("superblock") {
        let slots = superblock.chunks(PAGE_BYTES);
        store_ids.extend(slots.filter_map(|slot| <[u8; 16]>::try_from(slot.get(16..32)?).ok()));
    }
    let mut found = PageRecords::new();
    let is_segment = |name: &str| name.contains(".seg") && !name.contains('/');
    let segments = || files.iter().filter(|(name, _)| is_segment(name));
    store_ids.extend(segments().filter_map(|(_, bytes)| Some(head_of(bytes)?.0)));
    for (name, bytes) in segments() {
        let named = name_of(name);
        let headed = head_of(bytes).map(|(_, segment, generation)| (segment, generation));
        let places: BTreeSet<(u64, u8)> = named.into_iter().chain(headed).collect();
        for (number, page) in bytes.chunks_exact(PAGE_BYTES).enumerate() {
            let is_right = |&(store_id, (segment, generation)): &([u8; 16], (u64, u8))| {
                let place = Place { store_id, segment, generation, page: number as u32 };
                place.crc(page).to_le_bytes() == page[..4]
            };
            let mut seeds =
                store_ids.iter().flat_map(|&id| places.iter().map(move |&place| (id, place)));
            if seeds.any(|seed| is_right(&seed)) {
                read_page(page, &mut found);
            }
        }
    }
    found
}

fn name_of(name: &str) -> Option<(u64, u8)> {
    let segment = u64::from_str_radix(name.get(..16)?, 16).ok()?;
    Some((segment, u8::from_str_radix(name.get(17..19)?, 16).ok()?))
}

/// What a first page says of itself, whatever its checksum.
fn head_of(bytes: &[u8]) -> Option<([u8; 16], u64, u8)> {
    let mut fields = Fields(bytes.get(16..PAGE_BYTES)?);
    for _ in 0..3 {
        fields.varint()?;
    }
    let len = usize::try_from(fields.varint()?).ok()?;
    let mut body = Fields(fields.take(len)?);
    if body.byte()? & 15 != 6 {
        return None;
    }
    let store_id = <[u8; 16]>::try_from(body.take(16)?).ok()?;
    let segment = u64::from_le_bytes(body.take(8)?.try_into().ok()?);
    Some((store_id, segment, body.byte()?))
}

fn read_page(page: &[u8], found: &mut PageRecords) -> Option<()> {
    let used = usize::from(u16::from_le_bytes([page[6], page[7]]));
    let mut fields = Fields(page.get(16..used)?);
    let epoch = u32::try_from(fields.varint()?).ok()?;
    fields.varint()?;
    let base_ms = fields.varint()?;
    let mut key = 0_u64;
    while !fields.0.is_empty() {
        let len = usize::try_from(fields.varint()?).ok()?;
        let mut body = Fields(fields.take(len)?);
        let tag = body.byte()?;
        if matches!(tag & 15, 1..=4 | 8) {
            key = key.wrapping_add_signed(body.signed()?);
        }
        if matches!(tag & 15, 1 | 2) {
            // One that is impossible holds nothing; the next may be right.
            read_chunk(tag, key, epoch, base_ms, body, found);
        }
    }
    Some(())
}

fn read_chunk(
    tag: u8,
    key: u64,
    epoch: u32,
    page_base_ms: u64,
    mut fields: Fields<'_>,
    found: &mut PageRecords,
) -> Option<()> {
    let source = u8::try_from(key >> 32).ok()?;
    let key = SensorKey { source, id: key as u32 };
    let is_grid = (tag >> 4).is_multiple_of(4);
    let ext = if tag & 15 == 2 { fields.varint()? } else { 0 };
    let first_seq = fields.varint()?;
    let count = fields.varint()?;
    let mut base_ms = page_base_ms.wrapping_add_signed(fields.signed()?);
    let period_ms = if is_grid { fields.varint()? } else { 0 };
    if ext & 1 != 0 {
        fields.varint()?;
    }
    let epoch = if ext & 2 != 0 { u32::try_from(fields.varint()?).ok()? } else { epoch };
    let mut runs = BTreeMap::<u64, i64>::new();
    if ext & 4 != 0 {
        let mut begin = 0_u64;
        for _ in 0..fields.varint()? {
            begin = begin.checked_add(fields.varint()?)?;
            // Several may begin at one record: all of them move it.
            let off_grid_ms = runs.entry(begin).or_default();
            *off_grid_ms = off_grid_ms.wrapping_add(fields.signed()?);
        }
    }
    let record_bytes = if is_grid { 4 } else { 8 };
    if fields.0.len() as u64 != count.checked_mul(record_bytes)? {
        return None;
    }
    for (index, record) in (0_u64..).zip(fields.0.chunks_exact(record_bytes as usize)) {
        let word = |at: usize| u32::from_le_bytes(record[at..at + 4].try_into().unwrap());
        let (time_ms, value) = if is_grid {
            if index > 0 {
                base_ms = base_ms.wrapping_add(period_ms);
            }
            base_ms = base_ms.wrapping_add_signed(runs.get(&index).copied().unwrap_or(0));
            (base_ms, word(0))
        } else {
            (base_ms.wrapping_add_signed(i64::from(word(0).cast_signed())), word(4))
        };
        let seq = first_seq.checked_add(index)?;
        found.entry((key, seq)).or_default().insert((epoch, time_ms, value));
    }
    Some(())
}

/// Bytes that are read from the front.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7F).checked_shl(shift)?;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    fn signed(&mut self) -> Option<i64> {
        let value = self.varint()?;
        Some((value >> 1).cast_signed() ^ -((value & 1).cast_signed()))
    }
}
