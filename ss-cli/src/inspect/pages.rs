//! Pages decoded chunk by chunk, with their bytes if asked for.

use super::{View, overview::hex};
use crate::{
    Failure,
    lines::{push_fact, push_labelled},
    output::printable,
    store,
};
use serde::Serialize;
use ss_lib::disk::{
    self, ChunkDump, PAGE_BYTES, PageClass, PageDump, PageFault, SECTOR_PAGES, SegmentScan,
};
use std::{fmt::Write, ops::Range};

#[derive(Debug, Serialize)]
struct Pages {
    pages: Vec<Decoded>,
}

#[derive(Debug, Serialize)]
struct Decoded {
    file: String,
    segment: u64,
    generation: u8,
    page: u32,
    class: &'static str,
    lsn: Option<u64>,
    durable_lsn: Option<u64>,
    epoch: Option<u32>,
    base_ms: Option<u64>,
    used: u32,
    crc: String,
    chunks: Vec<ChunkOf>,
    hex: Option<String>,
}

#[derive(Debug, Serialize)]
struct ChunkOf {
    offset: u32,
    len: u32,
    kind: &'static str,
    sensor: Option<String>,
    text: String,
}

impl From<&ChunkDump> for ChunkOf {
    fn from(chunk: &ChunkDump) -> Self {
        Self {
            offset: chunk.offset,
            len: chunk.len,
            kind: chunk.kind,
            sensor: chunk.key.map(|key| key.to_string()),
            text: chunk.text.clone(),
        }
    }
}

impl Decoded {
    fn new(page: &PageDump, with_hex: bool) -> Self {
        Self {
            file: page.file.as_str().to_owned(),
            segment: page.segment,
            generation: page.generation,
            page: page.page,
            class: page.class.name(),
            lsn: page.info.map(|info| info.lsn),
            durable_lsn: page.info.map(|info| info.durable_lsn),
            epoch: page.info.map(|info| info.epoch),
            base_ms: page.info.map(|info| info.base_ms),
            used: page.used,
            crc: format!("{:08x}", page.crc),
            chunks: page.chunks.iter().map(ChunkOf::from).collect(),
            hex: with_hex.then(|| hex(&page.bytes)),
        }
    }
}

/// These pages of one file.
pub(super) fn show(
    view: &View<'_>,
    segment: &SegmentScan,
    pages: Range<u32>,
    with_hex: bool,
) -> Result<(), Failure> {
    let scan = &view.store.scan;
    let dumps = pages
        .map(|page| disk::decode_page(&view.store.disk, scan, &segment.file, page))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| store::cannot(&view.store.path, &error))?;
    let json = || Pages { pages: dumps.iter().map(|page| Decoded::new(page, with_hex)).collect() };
    let text = || {
        let texts: Vec<_> =
            dumps.iter().map(|page| page_text(page, with_hex, view.style.columns)).collect();
        texts.join("\n")
    };
    view.print("pages", json, text)
}

fn page_text(page: &PageDump, with_hex: bool, columns: usize) -> String {
    let mut out = String::new();
    let file = printable(page.file.as_str());
    let title = format!("{file} page {}: {}", page.page, class(page.class));
    push_labelled(&mut out, "", &title, columns);
    let place = format!(
        "segment {} generation {}, disk sector {}, byte {} of the file",
        page.segment,
        page.generation,
        page.page / SECTOR_PAGES as u32,
        u64::from(page.page) * PAGE_BYTES as u64
    );
    push_fact(&mut out, "place", &place, columns);
    if let Some(info) = page.info {
        let header = format!(
            "lsn {}, opening {}, durable below lsn {}, base {} ms, {} of {PAGE_BYTES} B in use, CRC32C {:08x}",
            info.lsn, info.epoch, info.durable_lsn, info.base_ms, page.used, page.crc
        );
        push_fact(&mut out, "header", &header, columns);
        if page.class != PageClass::Valid {
            push_fact(
                &mut out,
                "",
                "what follows is what its bytes say, and not to be trusted",
                columns,
            );
        }
    }
    for chunk in &page.chunks {
        let sensor = chunk.key.map_or(String::new(), |key| key.to_string());
        let label = format!("  {:>4}  {:14} ", chunk.offset, chunk.kind);
        let text = match chunk.key {
            Some(_) => format!("{sensor}: {}", chunk.text),
            None => chunk.text.clone(),
        };
        push_labelled(&mut out, &label, &printable(&text), columns);
    }
    if with_hex {
        push_hex(&mut out, &page.bytes, columns);
    }
    out
}

const fn class(class: PageClass) -> &'static str {
    match class {
        PageClass::Corrupt(PageFault::Checksum) => "corrupt, its checksum does not match",
        PageClass::Corrupt(PageFault::Magic) => "corrupt, these bytes are no page",
        PageClass::Corrupt(PageFault::Empty) => "corrupt, all zeros where a page was",
        PageClass::Corrupt(PageFault::Content) => {
            "corrupt, a right checksum over impossible content"
        }
        class => class.name(),
    }
}

/// The bytes in lines of 16, or of 8 on a narrow terminal; equal lines are shown once.
fn push_hex(out: &mut String, bytes: &[u8], columns: usize) {
    /// Offset, spaces and bars beside the bytes.
    const FRAME: usize = 12;
    let width = if columns >= FRAME + 16 * 4 { 16 } else { 8 };
    let mut before: &[u8] = &[];
    let mut is_repeated = false;
    for (at, line) in bytes.chunks(width).enumerate() {
        let is_last = (at + 1) * width >= bytes.len();
        if line == before && !is_last {
            if !is_repeated {
                out.push_str("  *\n");
            }
            is_repeated = true;
            continue;
        }
        (before, is_repeated) = (line, false);
        let _ = write!(out, "  {:>4} ", at * width);
        for byte in line {
            let _ = write!(out, " {byte:02x}");
        }
        out.push_str("  |");
        out.extend(line.iter().map(|&byte| match byte {
            b' '..=b'~' => char::from(byte),
            _ => '.',
        }));
        out.push_str("|\n");
    }
}
