//! What stands in a page: chunks, each of one sensor or of the log itself.
//!
//! ```text
//! chunk:  varint length of the body | body
//! body:   tag (low 4 bits type, high 4 bits flags) | fields of the type
//! key:    source << 32 | id, as the signed distance to the key of the chunk before it in the page
//! ```
//!
//! A reader that looks for one sensor needs the length, the tag and the key, and skips the rest.

mod control;
mod index;
mod records;

pub(crate) use control::{
    ClockChunk, Footer, FooterFields, Head, InDoubt, LifeCounts, LossChunk, SensorChunk,
};
pub(crate) use index::IndexChunk;
#[cfg(test)]
pub(crate) use records::tests;
pub(crate) use records::{Form, RecordsChunk, RunCoder, RunHeader};

use super::{page::PageInfo, varint::Decoder};
use crate::SensorKey;

/// Chunk types: the low four bits of a tag.
pub(crate) mod kind {
    pub(crate) const RECORDS: u8 = 1;
    pub(crate) const RECORDS_EXT: u8 = 2;
    pub(crate) const SENSOR: u8 = 3;
    pub(crate) const LOSS: u8 = 4;
    pub(crate) const CLOCK: u8 = 5;
    pub(crate) const HEAD: u8 = 6;
    pub(crate) const CHECKPOINT_END: u8 = 7;
    pub(crate) const INDEX: u8 = 8;
    pub(crate) const FOOTER: u8 = 9;
}

const TYPE_MASK: u8 = 0x0F;

/// Room for any chunk's fields in front of its payload.
pub(crate) const HEAD_BYTES_MAX: usize = 192;

/// A sensor's name as one number, in the order of pages.
pub(crate) const fn pack_key(key: SensorKey) -> u64 {
    (key.source as u64) << 32 | key.id as u64
}

/// The reverse of [`pack_key`]. `None`: more bits than a key has.
pub(crate) const fn unpack_key(packed: u64) -> Option<SensorKey> {
    if packed >> 40 != 0 {
        return None;
    }
    Some(SensorKey { source: (packed >> 32) as u8, id: packed as u32 })
}

/// One chunk, decoded.
#[derive(Clone, Copy)]
pub(crate) enum Chunk<'a> {
    Records(RecordsChunk<'a>),
    Sensor(SensorChunk),
    Loss(LossChunk),
    Clock(ClockChunk),
    Head(Head),
    /// The checkpoint before it is complete: so many sensors.
    CheckpointEnd {
        sensors: u64,
    },
    Index(IndexChunk<'a>),
    Footer(Footer<'a>),
}

/// Whose records a chunk holds, and which.
#[derive(Clone, Copy)]
pub(crate) struct Extent {
    pub(crate) key: u64,
    pub(crate) first_seq: u64,
    /// The number after the last one.
    pub(crate) end_seq: u64,
    pub(crate) skip: u64,
    pub(crate) kind: crate::Kind,
}

/// A chunk for whoever wants to know of records only where they are.
pub(crate) enum Part<'a> {
    Records(Extent),
    Other(Chunk<'a>),
}

/// A chunk cannot be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadChunk;

/// Reads a page's chunks one after the other.
#[derive(Clone)]
pub(crate) struct ChunkReader<'a> {
    rest: Decoder<'a>,
    info: PageInfo,
    key: u64,
    is_broken: bool,
}

impl<'a> ChunkReader<'a> {
    pub(super) const fn new(chunks: &'a [u8], info: PageInfo) -> Self {
        Self { rest: Decoder::new(chunks), info, key: 0, is_broken: false }
    }

    /// Bytes that were not read yet.
    pub(crate) fn bytes_left(&self) -> usize {
        self.rest.rest().len()
    }

    /// The next body and the key that it begins with, decoded no further.
    #[inline(always)]
    #[expect(
        clippy::inline_always,
        reason = "a body that goes through memory costs more than all else"
    )]
    fn next_body(&mut self) -> Option<Body<'a>> {
        let len = usize::try_from(self.rest.varint()?).ok()?;
        let mut fields = Decoder::new(self.rest.slice(len)?);
        let tag = fields.byte()?;
        let has_key = matches!(
            tag & TYPE_MASK,
            kind::RECORDS | kind::RECORDS_EXT | kind::SENSOR | kind::LOSS | kind::INDEX
        );
        if has_key {
            self.key = self.key.wrapping_add_signed(fields.signed()?);
        }
        Some(Body { tag, key: self.key, fields })
    }

    /// The next chunk of records of the sensor `key`; see [`next_records_in`](Self::next_records_in).
    #[inline]
    pub(crate) fn next_records_of(
        &mut self,
        key: u64,
    ) -> Result<Option<RecordsChunk<'a>>, BadChunk> {
        self.next_records_in(key..key + 1)
    }

    /// The next chunk of records with one of these keys, the others skipped at little cost. Chunks of
    /// records are sorted by key within a page, so that a larger one ends the search. `Err`: what
    /// follows cannot be told apart.
    #[inline]
    pub(crate) fn next_records_in(
        &mut self,
        keys: core::ops::Range<u64>,
    ) -> Result<Option<RecordsChunk<'a>>, BadChunk> {
        while !self.rest.is_empty() {
            let body = self.next_body().ok_or(BadChunk)?;
            if !matches!(body.tag & TYPE_MASK, kind::RECORDS | kind::RECORDS_EXT) {
                continue;
            }
            if body.key >= keys.end {
                return Ok(None);
            }
            if body.key >= keys.start {
                return records::decode(body, self.info).map(Some).ok_or(BadChunk);
            }
        }
        Ok(None)
    }

    /// The next chunk; of one of records only whose they are and which.
    #[inline]
    pub(crate) fn next_part(&mut self) -> Result<Option<Part<'a>>, BadChunk> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let body = self.next_body().ok_or(BadChunk)?;
        let is_records = matches!(body.tag & TYPE_MASK, kind::RECORDS | kind::RECORDS_EXT);
        let part = if is_records {
            records::extent(&body).map(Part::Records)
        } else {
            decode(body, self.info).map(Part::Other)
        };
        part.map(Some).ok_or(BadChunk)
    }

    /// Where the next chunk of records is; others are skipped at little cost.
    #[inline]
    pub(crate) fn next_extent(&mut self) -> Result<Option<Extent>, BadChunk> {
        while !self.rest.is_empty() {
            let body = self.next_body().ok_or(BadChunk)?;
            if matches!(body.tag & TYPE_MASK, kind::RECORDS | kind::RECORDS_EXT) {
                return records::extent(&body).map(Some).ok_or(BadChunk);
            }
        }
        Ok(None)
    }

    /// The next index entry of the sensor `key`.
    pub(crate) fn next_index_of(&mut self, key: u64) -> Result<Option<IndexChunk<'a>>, BadChunk> {
        loop {
            if self.rest.is_empty() {
                return Ok(None);
            }
            let body = self.next_body().ok_or(BadChunk)?;
            if body.tag & TYPE_MASK == kind::INDEX && body.key == key {
                return index::decode(body).map(Some).ok_or(BadChunk);
            }
        }
    }
}

/// A chunk's body behind its tag and key.
#[derive(Clone, Copy)]
pub(super) struct Body<'a> {
    tag: u8,
    key: u64,
    fields: Decoder<'a>,
}

impl<'a> Iterator for ChunkReader<'a> {
    type Item = Result<Chunk<'a>, BadChunk>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() || self.is_broken {
            return None;
        }
        let chunk = self.next_body().and_then(|body| decode(body, self.info));
        self.is_broken = chunk.is_none();
        Some(chunk.ok_or(BadChunk))
    }
}

fn decode(body: Body<'_>, info: PageInfo) -> Option<Chunk<'_>> {
    match body.tag & TYPE_MASK {
        kind::RECORDS | kind::RECORDS_EXT => records::decode(body, info).map(Chunk::Records),
        kind::SENSOR => control::decode_sensor(body).map(Chunk::Sensor),
        kind::LOSS => control::decode_loss(body).map(Chunk::Loss),
        kind::CLOCK => control::decode_clock(body).map(Chunk::Clock),
        kind::HEAD => control::decode_head(body).map(Chunk::Head),
        kind::CHECKPOINT_END => control::decode_checkpoint_end(body),
        kind::INDEX => index::decode(body).map(Chunk::Index),
        kind::FOOTER => control::decode_footer(body).map(Chunk::Footer),
        _ => None,
    }
}
