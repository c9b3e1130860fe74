//! Chunks' bodies as FORMAT.md has them.

use super::{
    page::{Page, pack, signed, varint},
    store::Run,
};
use ss_lib::{DropCause, Kind};

const fn cause_code(cause: DropCause) -> u8 {
    match cause {
        DropCause::Recycled => 0,
        DropCause::Corrupt => 1,
        DropCause::Rejected => 2,
        DropCause::Quota => 3,
        DropCause::DiskMax => 4,
    }
}

pub const fn kind_word(kind: Kind) -> &'static str {
    match kind {
        Kind::TimeSeries => "series",
        Kind::Event => "event",
    }
}

pub(super) fn loss_fields(first: u64, count: u32, cause: DropCause, at_ms: u64) -> (u8, Vec<u8>) {
    let mut fields = Vec::new();
    varint(&mut fields, first);
    varint(&mut fields, u64::from(count));
    varint(&mut fields, at_ms);
    (4 | cause_code(cause) << 4, fields)
}

pub(super) fn clock_body(epoch: u32, offset_ms: i64) -> Vec<u8> {
    let mut body = vec![5];
    varint(&mut body, u64::from(epoch));
    signed(&mut body, offset_ms);
    body
}

pub(super) fn checkpoint_end_body(sensors: u64) -> Vec<u8> {
    let mut body = vec![7];
    varint(&mut body, sensors);
    body
}

/// One entry a sensor, with the pages that hold it as distances.
pub(super) fn push_index(page: &mut Page, runs: &[Run]) {
    for of_one in runs.chunk_by(|a, b| a.key == b.key) {
        let (first, last) = (of_one[0].first, of_one[of_one.len() - 1].end);
        let mut fields = Vec::new();
        varint(&mut fields, first);
        varint(&mut fields, last - first);
        varint(&mut fields, of_one.iter().map(|run| run.end - run.first).sum());
        let mut at = 0;
        for run in of_one {
            if run.page != at {
                varint(&mut fields, u64::from(run.page - at));
                at = run.page;
            }
        }
        assert!(page.keyed(8, of_one[0].key, &fields), "a test's index is one page");
    }
}

pub(super) fn footer_body(index_page: u32, index: &[Run]) -> Vec<u8> {
    let mut body = vec![9];
    varint(&mut body, u64::from(index_page));
    varint(&mut body, 1);
    varint(&mut body, index.iter().map(|run| run.end - run.first).sum());
    varint(&mut body, 1);
    let first_key = index.first().map_or(0, |run| pack(run.key));
    signed(&mut body, first_key.cast_signed());
    body
}
