//! `ss bench --disk`: what the disk tier costs, on real files.

mod backlog;
mod producers;

use super::{Machine, machine};
use crate::{
    Answer, Failure,
    output::{self, Style},
    report::median,
    text::{self, table},
};
use backlog::{Backlog, KINDS, Kind};
use serde::Serialize;
use std::{fmt::Write, path::Path};

/// Each figure is the median of this many runs, each over a store of its own.
const RUNS: usize = 3;

#[derive(Debug, Serialize)]
struct Report {
    schema: u32,
    program: &'static str,
    machine: Machine,
    directory: String,
    sensors: u32,
    records: u64,
    runs: usize,
    budgets: Vec<Budget>,
}

/// Measures in `directory`; everything that is made there is removed again.
pub(super) fn run(
    directory: &Path,
    records: u64,
    json: bool,
    check: bool,
) -> Result<Answer, Failure> {
    let fail = |error: Box<dyn std::error::Error>| {
        Failure::Store(format!(
            "the disk tier cannot be measured in {}: {error}",
            directory.display()
        ))
    };
    let per_sensor = records.div_ceil(u64::from(backlog::SENSORS));
    let mut budgets = Vec::new();
    for kind in KINDS {
        let mut runs: Vec<Vec<Row>> = Vec::new();
        for _ in 0..RUNS {
            // A reading of a series takes half of what an event takes, and segments must fill.
            let per_sensor = per_sensor * if kind == Kind::Series { 2 } else { 1 };
            runs.push(rows(directory, kind, per_sensor).map_err(fail)?);
        }
        for at in 0..runs[0].len() {
            let Row { name, most, is_least, .. } = runs[0][at];
            let figures: Vec<f64> = runs.iter().map(|rows| rows[at].got).collect();
            let got = median(&figures).unwrap_or(f64::NAN);
            let met = if is_least { got >= most } else { got <= most };
            budgets.push(Budget {
                name: format!("{}: {name}", kind.name()),
                wanted: most,
                got,
                met,
            });
        }
    }
    let adds = producers::measure(directory).map_err(fail)?;
    budgets.push(Budget {
        name: "add p99.9 while spilling and syncing, 2 producers, ns".to_owned(),
        wanted: 5_000.0,
        got: adds,
        met: adds <= 5_000.0,
    });
    let report = Report {
        schema: crate::report::SCHEMA,
        program: concat!("ss ", env!("SS_VERSION")),
        machine: machine(),
        directory: directory.display().to_string(),
        sensors: backlog::SENSORS,
        records: per_sensor * u64::from(backlog::SENSORS),
        runs: RUNS,
        budgets,
    };
    let met = report.budgets.iter().all(|budget| budget.met);
    let answer = if met || !check { Answer::Yes } else { Answer::No };
    let text = if json {
        let json = serde_json::to_string_pretty(&report);
        json.map_err(|error| Failure::Output(error.into()))? + "\n"
    } else {
        summary(&report, Style::of_stdout())
    };
    output::print(&text, answer)
}

/// A figure of the report, in the unit that its name ends with.
#[derive(Debug, Serialize)]
struct Budget {
    name: String,
    wanted: f64,
    got: f64,
    met: bool,
}

/// One figure with its budget.
struct Row {
    name: &'static str,
    most: f64,
    is_least: bool,
    got: f64,
}

fn rows(
    directory: &Path,
    kind: Kind,
    per_sensor: u64,
) -> Result<Vec<Row>, Box<dyn std::error::Error>> {
    let row = |name, most, got| Row { name, most, is_least: false, got };
    let (fresh, squeezed_bytes) = if kind == Kind::Events { (17.0, 9.0) } else { (9.0, 5.0) };
    let backlog = Backlog::build(directory, kind, per_sensor)?;
    let mut rows = vec![
        row("an append with all its writing, ns", 2_240.0, backlog.add_ns),
        row("on disk a record, fresh, B", fresh, backlog.bytes_per_record),
    ];
    let (open_ms, rss_kib) = backlog.open_in_another_process()?;
    rows.push(row("open after a kill, ms", 20.0, open_ms));
    rows.push(row("resident after that, whole process, KiB", 8_192.0, rss_kib));
    rows.push(Row {
        name: "drained in log order, million records/s",
        most: 10.0,
        is_least: true,
        got: backlog.copy()?.drain_in_log_order()?,
    });
    let by_sensor = backlog.copy()?.drain_by_sensor(u64::MAX)?;
    rows.push(row("a record drained by sensor, fresh, ns", 1_000.0, by_sensor));
    let squeezed = backlog.copy()?.squeeze()?;
    rows.push(row("on disk a record, squeezed, B", squeezed_bytes, squeezed.bytes_per_record));
    rows.push(row("a segment squeezed, ms", 2_000.0, squeezed.ms_per_segment));
    let by_sensor = squeezed.backlog.drain_by_sensor(squeezed.records_per_sensor)?;
    rows.push(row("a record drained by sensor, squeezed, ns", 100.0, by_sensor));
    Ok(rows)
}

/// Opens a store and says how long that took and what the process then holds: what
/// [`Backlog::open_in_another_process`] starts.
pub(super) fn open_only(directory: &Path) -> Result<Answer, Failure> {
    let text = backlog::open_only(directory)
        .map_err(|error| Failure::Store(format!("{}: {error}", directory.display())))?;
    output::print(&text, Answer::Yes)
}

fn summary(report: &Report, style: Style) -> String {
    let Machine { cores, cpu } = &report.machine;
    let columns = style.columns;
    let mut out = format!("{cores} cores, {}\n", text::short_name(cpu, columns.max(40) - 12));
    let missed = report.budgets.iter().filter(|budget| !budget.met).count();
    let word = match missed {
        0 => style.paint("1;32", "Every budget was met"),
        missed => style.paint("1;31", &format!("{missed} budgets were MISSED")),
    };
    let _ = write!(
        out,
        "{word}: medians of {} runs over {} records of {} sensors in {}.\n\n",
        report.runs,
        text::grouped(report.records),
        text::grouped(report.sensors.into()),
        report.directory
    );
    let rows: Vec<_> = report
        .budgets
        .iter()
        .map(|budget| {
            vec![
                budget.name.clone(),
                text::grouped(text::whole(budget.wanted)),
                if budget.got < 100.0 {
                    format!("{:.2}", budget.got)
                } else {
                    text::grouped(text::whole(budget.got))
                },
                if budget.met { "met" } else { "MISSED" }.to_owned(),
            ]
        })
        .collect();
    out += &table(&["disk", "budget", "measured", ""], &rows, columns);
    out
}
