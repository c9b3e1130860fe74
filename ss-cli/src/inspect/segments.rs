//! Segments in a table, with their bad pages and the files that are none of the store's.

use super::{
    View, address,
    json::{Missing, place},
    strip::{State, push_strip},
};
use crate::{
    Failure,
    lines::push_labelled,
    output::printable,
    text::{self, count, grouped, table},
};
use serde::Serialize;
use ss_lib::disk::{BadPages, ForeignFile, LostPlace, SegmentScan};

#[derive(Debug, Serialize)]
struct List {
    segments: Vec<Segment>,
    bad_pages: Vec<BadRun>,
    missing_segments: Vec<Missing>,
    foreign: Vec<Foreign>,
}

#[expect(clippy::struct_field_names, reason = "a key of the JSON")]
#[derive(Debug, Serialize)]
struct Segment {
    file: String,
    segment: u64,
    generation: u8,
    role: &'static str,
    state: &'static str,
    first_sector: u64,
    bytes: u64,
    pages: u32,
    pages_valid: u32,
    pages_empty: u32,
    pages_torn: u32,
    pages_corrupt: u32,
    pages_stale: u32,
    records: u64,
    records_live: u64,
    first_lsn: u64,
    last_lsn: u64,
    sealed: bool,
    checkpoint_pages: u32,
    data_pages: u32,
    index_pages: u32,
    cut_from_page: Option<u32>,
    misplaced: Option<String>,
}

#[derive(Debug, Serialize)]
struct BadRun {
    file: String,
    first_page: u32,
    pages: u32,
    class: &'static str,
    durable: &'static str,
    damage: bool,
}

#[derive(Debug, Serialize)]
struct Foreign {
    file: String,
    bytes: u64,
}

impl Segment {
    fn new(segment: &SegmentScan, first_sector: u64) -> Self {
        Self {
            file: segment.file.as_str().to_owned(),
            segment: segment.segment,
            generation: segment.generation,
            role: segment.role.name(),
            state: State::of(segment).name(),
            first_sector,
            bytes: segment.bytes,
            pages: segment.pages,
            pages_valid: segment.pages_valid,
            pages_empty: segment.pages_empty,
            pages_torn: segment.pages_torn,
            pages_corrupt: segment.pages_corrupt,
            pages_stale: segment.pages_stale,
            records: segment.records,
            records_live: segment.records_live,
            first_lsn: segment.first_lsn,
            last_lsn: segment.last_lsn,
            sealed: segment.is_sealed,
            checkpoint_pages: segment.checkpoint_pages,
            data_pages: segment.data_pages,
            index_pages: segment.index_pages,
            cut_from_page: segment.tail_cut.map(|cut| cut.from_page),
            misplaced: segment.misplaced.map(|name| name.as_str().to_owned()),
        }
    }
}

impl From<&BadPages> for BadRun {
    fn from(run: &BadPages) -> Self {
        Self {
            file: run.file.as_str().to_owned(),
            first_page: run.first_page,
            pages: run.pages,
            class: run.class.name(),
            durable: run.durable.text(),
            damage: run.is_damage,
        }
    }
}

/// Every file of the log and beside it.
pub(super) fn list(view: &View<'_>) -> Result<(), Failure> {
    let (scan, plan) = (&view.store.scan, &view.store.plan);
    let mut first_sector = 0;
    let with_sector: Vec<(&SegmentScan, u64)> = scan
        .segments
        .iter()
        .map(|segment| {
            let first = first_sector;
            first_sector += address::sectors(segment);
            (segment, first)
        })
        .collect();
    let json = || List {
        segments: with_sector.iter().map(|&(it, sector)| Segment::new(it, sector)).collect(),
        bad_pages: scan.bad_pages.iter().map(BadRun::from).collect(),
        missing_segments: Missing::all(&plan.missing),
        foreign: scan
            .foreign
            .iter()
            .map(|ForeignFile { name, bytes }| Foreign { file: name.clone(), bytes: *bytes })
            .collect(),
    };
    view.print("segments", json, || segments_text(view, &with_sector))
}

fn segments_text(view: &View<'_>, segments: &[(&SegmentScan, u64)]) -> String {
    let (scan, plan, columns) = (&view.store.scan, &view.store.plan, view.style.columns);
    let mut out = String::new();
    push_strip(&mut out, scan, plan, view.style);
    out.push('\n');
    let rows: Vec<_> = segments
        .iter()
        .map(|&(it, sector)| {
            vec![
                text::short_name(it.file.as_str(), 32),
                it.segment.to_string(),
                state(it),
                grouped(it.pages.into()),
                grouped(it.pages_valid.into()),
                grouped(it.records),
                grouped(it.records_live),
                grouped(sector),
            ]
        })
        .collect();
    let header = ["file", "segment", "state", "pages", "valid", "records", "live", "sector"];
    out += &table(&header, &rows, columns);
    let mut notes = Vec::new();
    for run in &scan.bad_pages {
        let last = run.first_page.saturating_add(run.pages.saturating_sub(1));
        let pages = match run.pages {
            1 => format!("page {}", run.first_page),
            _ => format!("pages {} to {last}", run.first_page),
        };
        let (class, durable) = (run.class.name(), run.durable.text());
        notes.push(format!("{} {pages}: {class}; {durable}", run.file));
    }
    for missing in &plan.missing {
        let records = count(missing.records_lost, "record");
        let range = LostPlace::Segments { first: missing.first, count: missing.count };
        notes.push(format!("{}, and {records} with it", place(range)));
    }
    for file in &scan.foreign {
        notes.push(format!(
            "{} of {} is none of the store's files",
            file.name,
            text::size(file.bytes)
        ));
    }
    if !notes.is_empty() {
        out.push('\n');
    }
    for note in notes {
        push_labelled(&mut out, "", &printable(&note), columns);
    }
    out
}

/// The state, and for a file beside the log why it is there.
fn state(segment: &SegmentScan) -> String {
    match State::of(segment) {
        State::Aside => segment.role.name().to_owned(),
        state if segment.is_sealed => format!("{}, sealed", state.name()),
        state => state.name().to_owned(),
    }
}
