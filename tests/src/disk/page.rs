//! Pages written byte by byte as FORMAT.md says, without the engine's code: what both agree on is what
//! the page says.

use ss_lib::{SensorKey, crc32c_append};

pub const PAGE_BYTES: usize = 4096;

/// What a page's checksum is seeded with.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    pub store_id: [u8; 16],
    pub segment: u64,
    pub generation: u8,
    pub page: u32,
}

impl Place {
    pub fn crc(&self, page: &[u8]) -> u32 {
        let mut seed = self.store_id.to_vec();
        seed.extend(self.segment.to_le_bytes());
        seed.push(self.generation);
        seed.extend(self.page.to_le_bytes());
        crc32c_append(crc32c_append(0, &seed), &page[4..])
    }

    /// Gives a page, whatever is in it, the checksum of this place.
    pub fn fix_crc(&self, page: &mut [u8]) {
        let crc = self.crc(page);
        page[..4].copy_from_slice(&crc.to_le_bytes());
    }
}

pub fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub fn signed(out: &mut Vec<u8>, value: i64) {
    varint(out, ((value << 1) ^ (value >> 63)).cast_unsigned());
}

pub fn pack(key: SensorKey) -> u64 {
    u64::from(key.source) << 32 | u64::from(key.id)
}

/// A page that is being filled.
#[derive(Clone, Debug)]
pub struct Page {
    bytes: Vec<u8>,
    last_key: u64,
    pub lsn: u64,
    pub base_ms: u64,
    pub epoch: u32,
}

impl Page {
    pub fn new(lsn: u64, durable_lsn: u64, base_ms: u64, epoch: u32) -> Self {
        let mut bytes = vec![0; 16];
        bytes[4] = 0xA7;
        bytes[5] = 1;
        bytes[8..16].copy_from_slice(&lsn.to_le_bytes());
        varint(&mut bytes, u64::from(epoch));
        varint(&mut bytes, lsn - durable_lsn);
        varint(&mut bytes, base_ms);
        Self { bytes, last_key: 0, lsn, base_ms, epoch }
    }

    /// Appends a chunk with a key. Says whether it fitted.
    pub fn keyed(&mut self, tag: u8, key: SensorKey, fields: &[u8]) -> bool {
        let mut body = vec![tag];
        signed(&mut body, pack(key).wrapping_sub(self.last_key).cast_signed());
        body.extend(fields);
        let fits = self.framed(&body);
        if fits {
            self.last_key = pack(key);
        }
        fits
    }

    /// Appends a chunk without one.
    pub fn framed(&mut self, body: &[u8]) -> bool {
        let mut framed = Vec::new();
        varint(&mut framed, body.len() as u64);
        framed.extend(body);
        let fits = self.bytes.len() + framed.len() <= PAGE_BYTES;
        if fits {
            self.bytes.extend(framed);
        }
        fits
    }

    pub fn room(&self) -> usize {
        PAGE_BYTES - self.bytes.len()
    }

    pub fn seal(mut self, place: Place) -> Vec<u8> {
        let used = self.bytes.len() as u16;
        self.bytes[6..8].copy_from_slice(&used.to_le_bytes());
        self.bytes.resize(PAGE_BYTES, 0);
        place.fix_crc(&mut self.bytes);
        self.bytes
    }
}
