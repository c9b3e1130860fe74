//! One record as a line of text.

use super::Format;
use crate::time;
use serde::Serialize;
use ss_lib::disk::Exported;
use std::io::{self, Write};

/// A record's keys in their order.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    source: u8,
    id: u32,
    seq: u64,
    epoch: u32,
    kind: &'static str,
    value: u32,
    time: Option<String>,
    clock: &'static str,
    time_ms: u64,
}

impl From<&Exported> for Row {
    fn from(Exported { key, record, utc_ms }: &Exported) -> Self {
        Self {
            source: key.source,
            id: key.id,
            seq: record.seq,
            epoch: record.epoch,
            kind: record.kind.name(),
            value: record.value,
            time: utc_ms.and_then(time::rfc3339),
            clock: record.clock.name(),
            time_ms: record.time_ms,
        }
    }
}

/// The line before the first record.
pub(super) fn header(format: Format, out: &mut impl Write) -> io::Result<()> {
    match format {
        Format::Csv => out.write_all(b"source,id,seq,epoch,kind,value,time,clock,time_ms\n"),
        Format::Jsonl => Ok(()),
    }
}

/// A record's line. Numbers and fixed words: nothing in it needs quotes.
pub(super) fn record(format: Format, exported: &Exported, out: &mut impl Write) -> io::Result<()> {
    let row = Row::from(exported);
    match format {
        Format::Csv => {
            let Row { source, id, seq, epoch, kind, value, time, clock, time_ms } = row;
            let time = time.unwrap_or_default();
            writeln!(out, "{source},{id},{seq},{epoch},{kind},{value},{time},{clock},{time_ms}")
        }
        Format::Jsonl => {
            serde_json::to_writer(&mut *out, &row)?;
            out.write_all(b"\n")
        }
    }
}
