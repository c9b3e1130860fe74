//! Index entries: where a sealed segment holds one sensor's records.

use super::{
    super::{page::PageBuilder, varint::Decoder, varint::Encoder},
    Body, HEAD_BYTES_MAX, kind,
};

/// A part of one sensor's records in a segment. A sensor that lies in very many pages has several
/// entries, one behind the other.
#[derive(Clone, Copy)]
pub(crate) struct IndexChunk<'a> {
    pub(crate) key: u64,
    /// The first record's number.
    pub(crate) first_seq: u64,
    /// The number after the last record's.
    pub(crate) end_seq: u64,
    /// How many records.
    pub(crate) records: u64,
    pages: Decoder<'a>,
}

impl PageBuilder<'_> {
    /// Appends an entry; `pages` is its list of pages, as [`PageListCoder`] codes it.
    pub(crate) fn push_index(
        &mut self,
        key: u64,
        first_seq: u64,
        end_seq: u64,
        records: u64,
        pages: &[u8],
    ) -> bool {
        let mut head = [0; HEAD_BYTES_MAX];
        let mut out = Encoder::new(&mut head);
        out.byte(kind::INDEX);
        out.signed(key.wrapping_sub(self.key).cast_signed());
        out.varint(first_seq);
        out.varint(end_seq - first_seq);
        out.varint(records);
        let len = out.len();
        self.push(key, &head[..len], pages)
    }
}

pub(super) fn decode(body: Body<'_>) -> Option<IndexChunk<'_>> {
    let Body { key, mut fields, .. } = body;
    super::unpack_key(key)?;
    let first_seq = fields.varint()?;
    let span = fields.varint()?;
    let end_seq = first_seq.checked_add(span)?;
    let records = fields.varint()?;
    let pages = fields;
    let mut page = 0_u64;
    while !fields.is_empty() {
        page = page.checked_add(fields.varint()?)?;
    }
    let is_sound = records >= 1 && records <= span && u32::try_from(page).is_ok();
    is_sound.then_some(IndexChunk { key, first_seq, end_seq, records, pages })
}

impl IndexChunk<'_> {
    /// The pages that hold the records, in order.
    pub(crate) fn pages(&self) -> impl Iterator<Item = u32> {
        let mut rest = self.pages;
        let mut page = 0_u32;
        core::iter::from_fn(move || {
            // Decoding has seen that each number is there and that they do not overflow.
            page = page.wrapping_add(rest.varint()? as u32);
            Some(page)
        })
    }
}
