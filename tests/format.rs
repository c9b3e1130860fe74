//! FORMAT.md and the code say the same: its tables' offsets are where the code finds the fields, and its
//! vectors are a store that the code reads.
#![cfg(not(feature = "shuttle"))]
#![allow(clippy::unwrap_used, reason = "helpers are tests too")]

use ss_lib::{
    SensorKey, crc32c_append,
    disk::{
        Exported, FORMAT_VERSION, FileName, LEDGER_MAX, LOST_RANGES_MAX, PAGE_BYTES, PageClass,
        RecordFilter, Records, SEGMENT_PAGES_MAX, SEGMENT_PAGES_MIN, SENSORS_MAX, Verdict,
        decode_page, plan, scan,
    },
};
use ss_tests::disk::{
    golden,
    memory::MemoryDisk,
    page::{signed, varint},
};
use std::collections::BTreeMap;

const FORMAT: &str = include_str!("../ss-lib/FORMAT.md");

/// The rows of the table behind a marker, cell by cell.
fn table(marker: &str) -> Vec<Vec<&'static str>> {
    let (_, rest) = FORMAT.split_once(&format!("<!-- {marker} -->\n")).expect(marker);
    let rows = rest.lines().take_while(|line| line.starts_with('|')).skip(2);
    rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect()).collect()
}

fn hex(text: &str) -> Vec<u8> {
    text.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
}

/// The bytes behind a marker, and the last ones that it names.
fn vector(marker: &str) -> Vec<u8> {
    let (_, rest) = FORMAT.split_once(&format!("<!-- vector: {marker}")).expect(marker);
    let (tail, rest) = rest.split_once(" -->\n```text\n").unwrap();
    let mut bytes = hex(rest.split_once("```").unwrap().0);
    bytes.resize(PAGE_BYTES, 0);
    if let Some((_, tail)) = tail.split_once("tail ") {
        let tail = hex(tail);
        bytes[PAGE_BYTES - tail.len()..].copy_from_slice(&tail);
    }
    bytes
}

/// The little-endian number of a table's row in these bytes.
fn field(table: &[Vec<&str>], name: &str, bytes: &[u8]) -> u64 {
    let row = table.iter().find(|row| row[2].starts_with(name)).expect(name);
    let (offset, len): (usize, usize) = (row[0].parse().unwrap(), row[1].parse().unwrap());
    bytes[offset..offset + len].iter().rev().fold(0, |value, &b| value << 8 | u64::from(b))
}

fn assert_covers(table: &[Vec<&str>], from: usize, until: usize) {
    let mut at = from;
    for row in table {
        assert_eq!(row[0].parse::<usize>().unwrap(), at, "{row:?} leaves a gap or overlaps");
        at += row[1].parse::<usize>().unwrap();
    }
    assert_eq!(at, until);
}

fn vector_store() -> MemoryDisk {
    let mut superblock = vec![0; PAGE_BYTES];
    superblock.extend(vector("superblock slot 1,"));
    let segment = [vector("page 0"), vector("page 1")].concat();
    MemoryDisk::new(BTreeMap::from([
        ("superblock".to_owned(), superblock),
        ("0000000000000000-00.seg".to_owned(), segment),
    ]))
}

/// Row B42 of the field's bugs: the documentation said CRC32C, the code computed another one.
#[test]
fn field_b42_the_checksum_is_the_one_that_is_written_down() {
    let (_, rest) = FORMAT.split_once("`123456789`: `").unwrap();
    let written = u32::from_str_radix(&rest[..8], 16).unwrap();
    assert_eq!(crc32c_append(0, b"123456789"), written);
    assert_eq!(written, 0xE306_9283, "the published check value of CRC32C");
    let page = vector("page 1");
    let mut seeded: Vec<u8> = (0..16).collect();
    seeded.extend(0_u64.to_le_bytes());
    seeded.push(0);
    seeded.extend(1_u32.to_le_bytes());
    seeded.extend(&page[4..]);
    assert_eq!(crc32c_append(0, &seeded).to_le_bytes(), page[..4]);
}

#[test]
fn the_page_tables_offsets_are_where_the_code_finds_the_fields() {
    let table = table("table: page");
    assert_covers(&table, 0, 16);
    for golden in golden::all().into_iter().filter(|golden| golden.gone.is_empty()) {
        let disk = &golden.writer.disk;
        let scan = scan(disk).unwrap();
        for segment in &scan.segments {
            for page in 0..segment.pages {
                let dump = decode_page(disk, &scan, &segment.file, page).unwrap();
                if dump.class != PageClass::Valid {
                    continue;
                }
                let (bytes, info) = (&dump.bytes, dump.info.unwrap());
                assert_eq!(field(&table, "CRC32C", bytes), u64::from(dump.crc));
                assert_eq!(field(&table, "magic = 0xA7", bytes), 0xA7);
                assert_eq!(field(&table, "version = 1", bytes), u64::from(FORMAT_VERSION));
                assert_eq!(field(&table, "used", bytes), u64::from(dump.used));
                assert_eq!(field(&table, "lsn", bytes), info.lsn);
                let last = dump.chunks.last().unwrap();
                assert_eq!(last.offset + last.len, dump.used, "a chunk that nobody decodes");
            }
        }
    }
}

#[test]
fn the_superblock_tables_offsets_are_where_the_code_finds_the_fields() {
    let table = table("table: superblock");
    assert_covers(&table, 0, PAGE_BYTES);
    for golden in golden::all() {
        let disk = &golden.writer.disk;
        let superblock = scan(disk).unwrap().superblock.unwrap();
        let at = (superblock.sequence % 2) as usize * PAGE_BYTES;
        let slot = &disk.files()["superblock"][at..at + PAGE_BYTES];
        assert_eq!(field(&table, "version = 1", slot), u64::from(FORMAT_VERSION));
        assert_eq!(field(&table, "1 after", slot), u64::from(superblock.is_clean));
        assert_eq!(field(&table, "epoch", slot), u64::from(superblock.epoch));
        assert_eq!(field(&table, "pages of", slot), u64::from(superblock.segment_pages));
        assert_eq!(field(&table, "bytes of", slot), PAGE_BYTES as u64);
        assert_eq!(field(&table, "sequence", slot), superblock.sequence);
        assert_eq!(field(&table, "created", slot), superblock.created_ms);
        assert_eq!(field(&table, "opened", slot), superblock.opened_ms);
        assert_eq!(field(&table, "last page's lsn", slot), superblock.last_lsn);
        let crc = crc32c_append(0, &slot[..PAGE_BYTES - 4]);
        assert_eq!(field(&table, "CRC32C", slot), u64::from(crc));
        assert_eq!(slot[16..32], superblock.store_id);
    }
}

/// Each type number of the table is the one of the chunk that the code calls so.
#[test]
fn the_chunk_tables_types_are_the_codes() {
    let mut seen = BTreeMap::new();
    for golden in golden::all().into_iter().filter(|golden| golden.gone.is_empty()) {
        let disk = &golden.writer.disk;
        let scan = scan(disk).unwrap();
        for segment in &scan.segments {
            for page in 0..segment.pages {
                let dump = decode_page(disk, &scan, &segment.file, page).unwrap();
                for chunk in dump.chunks.iter().filter(|_| dump.class == PageClass::Valid) {
                    let body = chunk.offset as usize + 1 + usize::from(chunk.len > 128);
                    seen.insert(dump.bytes[body] & 0x0F, chunk.kind);
                }
            }
        }
    }
    for row in table("table: chunks") {
        let (number, name): (u8, &str) = (row[0].parse().unwrap(), row[1]);
        let kind = name.to_lowercase().replace('_', "-").replace("-ext", "");
        assert_eq!(seen.remove(&number), Some(kind.as_str()), "{name}");
    }
    assert!(seen.is_empty(), "types that the table does not have: {seen:?}");
}

#[test]
fn the_limits_are_the_codes() {
    let limits: BTreeMap<_, u64> =
        table("table: limits").into_iter().map(|row| (row[0], row[1].parse().unwrap())).collect();
    let code = BTreeMap::from([
        ("page bytes", PAGE_BYTES as u64),
        ("pages of a segment, least", u64::from(SEGMENT_PAGES_MIN)),
        ("pages of a segment, most", u64::from(SEGMENT_PAGES_MAX)),
        ("sensors that a reader tells apart", SENSORS_MAX as u64),
        ("ledger entries that a reader keeps", LEDGER_MAX as u64),
        ("lost ranges that a reader lists", LOST_RANGES_MAX as u64),
    ]);
    assert_eq!(limits, code);
}

#[test]
fn the_varint_vectors_are_what_the_second_writer_writes() {
    for row in table("vectors: varint") {
        let number: u64 = row[0].parse().unwrap();
        let (mut unsigned, mut zigzag) = (Vec::new(), Vec::new());
        varint(&mut unsigned, number);
        signed(&mut zigzag, number.cast_signed());
        assert_eq!(unsigned, hex(row[1].trim_matches('`')), "{number}");
        assert_eq!(zigzag, hex(row[2].trim_matches('`')), "{number}");
    }
}

#[test]
fn the_vectors_are_a_sound_store() {
    let disk = vector_store();
    let scan = scan(&disk).unwrap();
    let plan = plan(&scan);
    assert_eq!(plan.verdict, Verdict::Sound, "{:?}", plan.findings);
    let mut out = [Exported::default(); 8];
    let mut records = Records::new(&disk, &scan, RecordFilter::default());
    assert_eq!(records.next_records(&mut out).unwrap(), 3);
    let values: Vec<u32> = out[..3].iter().map(|exported| exported.record.value).collect();
    assert_eq!(values, [500, 2_654_435_405, 1_013_904_006]);
    let key = SensorKey { source: 2, id: 500 };
    assert!(out[..3].iter().all(|exported| exported.key == key && exported.record.epoch == 1));
    assert_eq!(out[2].utc_ms, Some(1_700_000_002_000));
    let file = FileName::new("0000000000000000-00.seg");
    let info = decode_page(&disk, &scan, &file, 1).unwrap().info.unwrap();
    assert_eq!((info.lsn, info.durable_lsn), (2, 1));
}
