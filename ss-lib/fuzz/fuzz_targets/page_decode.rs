//! Any bytes as a page, with and without a right checksum: it is decoded or refused, and what was
//! decoded lies inside of it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ss_lib::disk::{
    Exported, FileName, PAGE_BYTES, PageClass, RecordFilter, Records, decode_page, scan,
};
use ss_tests::disk::{
    memory::MemoryDisk,
    page::{Page, Place, varint},
};
use std::collections::BTreeMap;

const STORE_ID: [u8; 16] = [7; 16];
const FILE: &str = "0000000000000000-00.seg";

fn place(page: u32) -> Place {
    Place { store_id: STORE_ID, segment: 0, generation: 0, page }
}

/// The segment's first page, so that the next one is read at all.
fn head() -> Vec<u8> {
    let mut body = vec![6];
    body.extend(STORE_ID);
    body.extend(0_u64.to_le_bytes());
    body.push(0);
    varint(&mut body, 16);
    let mut page = Page::new(0, 0, 0, 1);
    assert!(page.framed(&body) && page.framed(&[7, 0]));
    page.seal(place(0))
}

/// The first byte says what the others are: a whole page, or what stands behind a right header.
fn page(bytes: &[u8]) -> Vec<u8> {
    let (&mode, bytes) = bytes.split_first().unwrap_or((&0, &[]));
    let mut page = Vec::with_capacity(PAGE_BYTES);
    if mode & 1 == 0 {
        page.extend(&bytes[..bytes.len().min(PAGE_BYTES)]);
    } else {
        let used = (16 + bytes.len()).min(PAGE_BYTES);
        page.extend([0, 0, 0, 0, 0xA7, 1]);
        page.extend((used as u16).to_le_bytes());
        page.extend(1_u64.to_le_bytes());
        page.extend(&bytes[..used - 16]);
    }
    page.resize(PAGE_BYTES, 0);
    if mode & 2 == 0 {
        place(1).fix_crc(&mut page);
    }
    page
}

fuzz_target!(|bytes: &[u8]| {
    let segment = [head(), page(bytes)].concat();
    let disk = MemoryDisk::new(BTreeMap::from([(FILE.to_owned(), segment)]));
    let found = scan(&disk).unwrap();
    let dump = decode_page(&disk, &found, &FileName::new(FILE), 1).unwrap();
    let mut end = 0;
    for chunk in &dump.chunks {
        assert!(chunk.offset >= end && chunk.len > 0, "chunks overlap");
        end = chunk.offset + chunk.len;
    }
    assert!(end as usize <= PAGE_BYTES);
    if dump.class == PageClass::Valid {
        assert!(dump.chunks.is_empty() || end == dump.used, "a chunk that nobody decodes");
    }
    let filter = RecordFilter { is_everything: true, ..RecordFilter::default() };
    let mut records = Records::new(&disk, &found, filter);
    let mut out = [Exported::default(); 64];
    let mut sum = 0;
    loop {
        match records.next_records(&mut out).unwrap() {
            0 => break,
            count => sum += count,
        }
    }
    // No record takes less than four bytes.
    assert!(sum <= PAGE_BYTES / 4);
});
