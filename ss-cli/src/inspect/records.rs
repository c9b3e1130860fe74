//! Records that are held, one a line.

use super::View;
use crate::{
    Failure,
    export::row::Row,
    store,
    text::{count, table},
    time,
};
use serde::Serialize;
use ss_lib::{
    SensorKey,
    disk::{Exported, RecordFilter, Records, SensorTime},
};

/// Records are kept until they are printed: more than this are for `ss export`.
const LIMIT_MAX: u64 = 1_000_000;

#[derive(Debug, Serialize)]
struct List {
    records: Vec<Row>,
    more: bool,
}

/// The oldest records, or those of one sensor.
pub(super) fn list(view: &View<'_>, key: Option<SensorKey>, limit: u64) -> Result<(), Failure> {
    if limit == 0 || limit > LIMIT_MAX {
        return Err(Failure::Usage(format!(
            "--limit {limit} is not in 1 to {LIMIT_MAX}: ss export writes any number of records"
        )));
    }
    // An unusable store is told of after it was shown, and has no records that can be told apart.
    let filter = RecordFilter { keys: key.into_iter().collect(), ..RecordFilter::default() };
    let mut records = Records::new(&view.store.disk, &view.store.scan, filter);
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut found = vec![Exported::default(); limit + 1];
    let read = records.next_records(&mut found);
    let read = read.map_err(|error| store::cannot(&view.store.path, &error))?;
    let more = read > limit;
    found.truncate(read.min(limit));
    let json = || List { records: found.iter().map(Row::from).collect(), more };
    let text = || text(&found, more, view.style.columns);
    view.print("records", json, text)
}

fn text(found: &[Exported], more: bool, columns: usize) -> String {
    let rows: Vec<_> = found
        .iter()
        .map(|Exported { key, record, utc_ms }| {
            let time = SensorTime { ms: record.time_ms, clock: record.clock, epoch: record.epoch };
            vec![
                key.to_string(),
                record.seq.to_string(),
                record.epoch.to_string(),
                record.value.to_string(),
                record.kind.name().to_owned(),
                time::of_record(time, *utc_ms),
            ]
        })
        .collect();
    let mut out = if rows.is_empty() {
        String::new()
    } else {
        table(&["sensor", "seq", "epoch", "value", "kind", "time"], &rows, columns)
    };
    out += &count(found.len() as u64, "record");
    out += if more { ", and there are more: --limit N, or ss export\n" } else { "\n" };
    out
}
