//! One page of a store, decoded for a person: as much of it as can be told, and its bytes.

use super::{
    chunk::{Chunk, unpack_key},
    io::{Disk, DiskError, FileName, Operation},
    page::{CRC_AT, MAGIC_AT, PAGE_BYTES, PageFault, PageInfo, PageView, SegmentSeed, USED_AT},
    plan::count,
    scan::{Fault, PageClass, PageReader, Scan},
};
use crate::SensorKey;
use std::io;

/// A page in words.
#[derive(Clone, Debug)]
pub struct PageDump {
    /// The file.
    pub file: FileName,
    /// The segment that it holds.
    pub segment: u64,
    /// Its generation.
    pub generation: u8,
    /// The page's place.
    pub page: u32,
    /// Its state in the store: a page alone does not know that it is stale or torn.
    pub class: PageClass,
    /// What it says of itself; also of a page whose checksum is wrong, as far as it can be told.
    pub info: Option<PageInfo>,
    /// Bytes in use, as its header says.
    pub used: u32,
    /// Its checksum, as its header says.
    pub crc: u32,
    /// Its chunks up to the first that cannot be decoded.
    pub chunks: Vec<ChunkDump>,
    /// The page, byte for byte.
    pub bytes: Vec<u8>,
}

/// A chunk in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChunkDump {
    /// Where it begins in the page.
    pub offset: u32,
    /// Its bytes, the length in front included.
    pub len: u32,
    /// Its type in a word.
    pub kind: &'static str,
    /// The sensor, if it is of one.
    pub key: Option<SensorKey>,
    /// Its fields in words.
    pub text: String,
}

/// Decodes one page of a segment's file. A page that the file does not have is an error.
pub fn decode_page<D: Disk>(
    disk: &D,
    scan: &Scan,
    file: &FileName,
    page: u32,
) -> Result<PageDump, DiskError> {
    let missing = || DiskError::new(Operation::Read, *file, io::ErrorKind::NotFound.into());
    let segment = scan.segments.iter().find(|segment| segment.file == *file).ok_or_else(missing)?;
    if page >= segment.pages {
        let end = io::ErrorKind::UnexpectedEof.into();
        return Err(DiskError::new(Operation::Read, *file, end));
    }
    let store_id = match segment.role {
        super::Role::OtherStore(other) => Some(other),
        _ => scan.identity.map(|identity| identity.store_id),
    };
    let mut reader = PageReader::new(disk);
    let opened = reader.open(*file)?;
    let mut dump = PageDump {
        file: *file,
        segment: segment.segment,
        generation: segment.generation,
        page,
        class: PageClass::Unreadable,
        info: None,
        used: 0,
        crc: 0,
        chunks: Vec::new(),
        bytes: Vec::new(),
    };
    let bytes = match reader.page(&opened, page) {
        Ok(bytes) => bytes,
        Err(Fault::Short) => {
            dump.class = PageClass::Torn;
            return Ok(dump);
        }
        Err(_) => return Ok(dump),
    };
    dump.bytes = bytes.to_vec();
    dump.used = u32::from(u16::from_le_bytes([bytes[USED_AT], bytes[USED_AT + 1]]));
    dump.crc = bytes[CRC_AT..MAGIC_AT].iter().rev().fold(0, |crc, &b| crc << 8 | u32::from(b));
    let seed = SegmentSeed::new(&store_id.unwrap_or_default(), dump.segment, dump.generation);
    dump.class = match PageView::check(bytes, seed, page) {
        Ok(view) if view.is_whole() => PageClass::Valid,
        Ok(_) => PageClass::Corrupt(PageFault::Content),
        Err(PageFault::Empty) => PageClass::Empty,
        Err(PageFault::FutureVersion(version)) => PageClass::FutureVersion(version),
        Err(fault) => PageClass::Corrupt(fault),
    };
    let in_run = scan.bad_pages.iter().find(|run| {
        run.file == *file && (run.first_page..run.first_page + run.pages).contains(&page)
    });
    if let Some(run) = in_run {
        dump.class = run.class;
    }
    let Some(view) = PageView::parse_unchecked(bytes) else { return Ok(dump) };
    dump.info = Some(view.info);
    let mut chunks = view.chunks();
    loop {
        let begin = chunks.bytes_left();
        let Some(Ok(chunk)) = chunks.next() else { break };
        let (kind, key, text) = describe(&chunk);
        dump.chunks.push(ChunkDump {
            offset: dump.used.saturating_sub(begin as u32),
            len: (begin - chunks.bytes_left()) as u32,
            kind,
            key: key.and_then(unpack_key),
            text,
        });
    }
    debug_assert!(dump.chunks.len() <= PAGE_BYTES);
    Ok(dump)
}

fn describe(chunk: &Chunk<'_>) -> (&'static str, Option<u64>, String) {
    match chunk {
        Chunk::Records(records) => {
            let header = &records.header;
            let text = format!(
                "{}, seq {} to {}, {}, {} clock, base {} ms, epoch {}{}{}",
                count(records.count.into(), "record"),
                header.first_seq,
                records.end_seq() - 1,
                header.form.name(),
                header.clock.name(),
                header.base_ms,
                header.epoch,
                part(header.period_ms > 0, "period", u64::from(header.period_ms)),
                part(header.skip > 0, "skip", header.skip),
            );
            ("records", Some(header.key), text)
        }
        Chunk::Sensor(sensor) => {
            let text = format!(
                "{}, period {} ms, {}, head {}, end {}, held {}, from segment {}{}{}",
                sensor.kind.name(),
                sensor.period_ms,
                if sensor.is_active { "active" } else { "inactive" },
                sensor.head_seq,
                sensor.end_seq,
                sensor.held,
                sensor.first_segment,
                part(sensor.hole.0 < sensor.hole.1, "hole from", sensor.hole.0),
                part(sensor.hole.0 < sensor.hole.1, "to", sensor.hole.1),
            );
            ("sensor", Some(sensor.key), text)
        }
        Chunk::Loss(loss) => {
            let text = format!(
                "{} from seq {}, {}, at {} ms",
                count(loss.count.into(), "record"),
                loss.first_seq,
                loss.cause.name(),
                loss.at_ms
            );
            ("loss", Some(loss.key), text)
        }
        Chunk::Clock(clock) => {
            let text = format!("epoch {}, UTC is monotonic + {} ms", clock.epoch, clock.offset_ms);
            ("clock", None, text)
        }
        Chunk::Head(head) => {
            let text = format!(
                "segment {}, generation {}, sealed after {} pages",
                head.segment, head.generation, head.segment_pages
            );
            ("head", None, text)
        }
        Chunk::CheckpointEnd { sensors } => {
            ("checkpoint-end", None, format!("{} before it", count(*sensors, "sensor")))
        }
        Chunk::Index(entry) => {
            let text = format!(
                "{}, seq {} to {}, in {}",
                count(entry.records, "record"),
                entry.first_seq,
                entry.end_seq.saturating_sub(1),
                count(entry.pages().count() as u64, "page")
            );
            ("index", Some(entry.key), text)
        }
        Chunk::Footer(footer) => {
            let fields = &footer.fields;
            let text = format!(
                "index from page {} on, {}; {}",
                fields.index_page,
                count(fields.index_pages.into(), "page"),
                count(fields.records, "record")
            );
            ("footer", None, text)
        }
    }
}

fn part(is_there: bool, name: &str, value: u64) -> String {
    if is_there { format!(", {name} {value}") } else { String::new() }
}
