//! Rot at a time of a run: a page of records that was durable goes bad under a store that works.
//!
//! Only pages that hold nothing but records, and that a later page calls durable, so that what may be
//! missing afterwards is exactly what stood in the page. What a rotten page of cursors costs, or one of the
//! newest pages, an exploration looks at.

use crate::{
    SensorKey,
    disk::{
        Chunk, FileName, PAGE_BYTES, PageView, SegmentSeed,
        sim::{Image, SimDisk},
        unpack_key,
    },
};

/// Records whose page went bad: the store may find them lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotten {
    /// Whose they are.
    pub key: SensorKey,
    /// The first one's number.
    pub first_seq: u64,
    /// The number after the last one's.
    pub end_seq: u64,
}

/// How a page goes bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// A bit of it flips.
    Flip,
    /// Another page of its file is written over it.
    Misdirect,
}

struct RecordPage {
    file: FileName,
    page: u64,
    records: Vec<Rotten>,
}

/// Lets a page that `drawn` decides go bad, and names what stood in it. `None`: no page can yet.
pub(super) fn rot(disk: &SimDisk, way: Way, drawn: u64) -> Option<Vec<Rotten>> {
    let mut pages = record_pages(&disk.image());
    if pages.is_empty() {
        return None;
    }
    let page = pages.swap_remove((drawn % pages.len() as u64) as usize);
    let (name, number) = (page.file.as_str(), page.page);
    let (byte, bit) = (drawn / 8 % PAGE_BYTES as u64, (drawn % 8) as u8);
    disk.edit(|image| match way {
        Way::Flip => image.flip(name, number * PAGE_BYTES as u64 + byte, bit),
        // A file's first page is never one of records.
        Way::Misdirect => image.misdirect((name, 0), (name, number)),
    });
    Some(page.records)
}

fn record_pages(image: &Image) -> Vec<RecordPage> {
    let mut found = Vec::new();
    image.each_file(&mut |name, bytes| {
        let Some((segment, generation)) = FileName::segment(name) else { return };
        let pages: Vec<&[u8; PAGE_BYTES]> =
            bytes.chunks_exact(PAGE_BYTES).filter_map(|page| page.try_into().ok()).collect();
        let head = pages.first().and_then(|page| PageView::parse_unchecked(page)?.first_chunk());
        let Some(Chunk::Head(head)) = head else { return };
        let seed = SegmentSeed::new(&head.store_id, segment, generation);
        let views: Vec<_> =
            (0..).zip(pages).map(|(page, bytes)| PageView::check(bytes, seed, page).ok()).collect();
        let durable_lsn = views.iter().flatten().map(|view| view.info.durable_lsn).max();
        for (page, view) in (0..).zip(views) {
            let is_durable = |view: &PageView<'_>| Some(view.info.lsn) < durable_lsn;
            let Some(records) = view.filter(is_durable).and_then(|view| records_of(&view)) else {
                continue;
            };
            found.push(RecordPage { file: FileName::new(name), page, records });
        }
    });
    found
}

/// What stands in a page that has nothing but records in it, none of them behind skipped numbers.
fn records_of(page: &PageView<'_>) -> Option<Vec<Rotten>> {
    let mut records = Vec::new();
    for chunk in page.chunks() {
        let Ok(Chunk::Records(chunk)) = chunk else { return None };
        if chunk.header.skip > 0 {
            return None;
        }
        records.push(Rotten {
            key: unpack_key(chunk.header.key)?,
            first_seq: chunk.header.first_seq,
            end_seq: chunk.end_seq(),
        });
    }
    (!records.is_empty()).then_some(records)
}
