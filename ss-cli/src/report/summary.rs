//! The report for a person: the verdict first, in one screen.

use super::{Counts, Expected, Group, Report};
use crate::{
    histogram::Latency,
    lines::{push_fact, push_labelled, wrapped},
    output::{Style, printable},
    text::{self, grouped, table},
};
use std::fmt::Write;

/// Names of groups and expectations are shown up to this many characters.
const NAME_CHARS_MAX: usize = 24;

/// Missed expectations are named in the first line, if they are not more than this.
const NAMED_MAX: usize = 2;

const GREEN: &str = "1;32";
const RED: &str = "1;31";
const YELLOW: &str = "1;33";

/// The summary, each line at most `style.columns` wide as long as no single figure needs more.
pub(crate) fn summary(report: &Report, style: Style) -> String {
    let mut out = verdict(report, style);
    out.push('\n');
    out += &records(&report.groups, &report.records, style.columns);
    out.push('\n');
    out += &latency(report, style.columns);
    out.push('\n');
    out += &facts(report, style.columns);
    if !report.expect.is_empty() {
        out.push('\n');
        out += &expectations(&report.expect, style.columns);
    }
    let has_missed = report.expect.iter().any(|expected| !expected.ok);
    if has_missed && !report.overridden.is_empty() {
        let hint = format!(
            "The expectations are those of the file as it stands; this run had {}.",
            report.overridden
        );
        out.push('\n');
        push_labelled(&mut out, "", &printable(&hint), style.columns);
    }
    if report.verdict == "fail" {
        let _ = writeln!(out, "\nRepeat it with:\n  {}", printable(&report.command));
    }
    out
}

/// A verdict's colour, and its word.
pub(crate) fn verdict_colour(verdict: &str) -> (&'static str, &'static str) {
    match verdict {
        "pass" => (GREEN, "PASS"),
        "fail" => (RED, "FAIL"),
        _ => (YELLOW, "INTERRUPTED"),
    }
}

fn verdict(report: &Report, style: Style) -> String {
    let missed = report.expect.iter().filter(|expected| !expected.ok).count();
    let wanted = report.expect.len();
    let (colour, word) = verdict_colour(report.verdict);
    let why = if let Some(run) = report.repeat.first_differing() {
        format!("the runs differ: run {run} gave another digest than run 1")
    } else if report.violation.is_some() {
        "a promise was broken".to_owned()
    } else if report.verdict == "interrupted" {
        let (passed, wanted) = (report.virtual_ms, report.duration_ms);
        format!(
            "ended after {} of {}; no promise was broken until then",
            text::duration(passed),
            text::duration(wanted)
        )
    } else if missed > 0 {
        let all = report.expect.iter().filter(|expected| !expected.ok);
        let all: Vec<_> = all.map(|it| text::short_name(&it.name, NAME_CHARS_MAX)).collect();
        let named =
            if missed > NAMED_MAX { String::new() } else { format!(": {}", all.join(", ")) };
        format!("{missed} of {wanted} expectations missed{named}")
    } else if wanted > 0 {
        format!("every promise was kept, {wanted} of {wanted} expectations met")
    } else {
        "every promise was kept (the scenario states no expectations)".to_owned()
    };
    let mut out = String::new();
    push_labelled(&mut out, &format!("{word}  "), &why, style.columns);
    let mut out = out.replacen(word, &style.paint(colour, word), 1);
    let name = text::short_name(&report.scenario, 40);
    let _ = writeln!(out, "{name}, profile {}, seed {}", report.profile, report.seed);
    if let Some(broken) = &report.violation {
        let _ = write!(out, "\n{} broken at {}", broken.promise, text::duration(broken.virtual_ms));
        if let Some(sensor) = &broken.sensor {
            let _ = write!(out, ", sensor {sensor}");
        }
        if let Some(seq) = broken.seq {
            let _ = write!(out, ", seq {}", grouped(seq));
        }
        out.push_str(":\n");
        for line in wrapped(&printable(&broken.seen), style.columns.saturating_sub(2)) {
            let _ = writeln!(out, "  {line}");
        }
    }
    out
}

pub(crate) fn records(groups: &[Group], total: &Counts, columns: usize) -> String {
    let row = |name: String, sensors: u64, counts: &Counts| {
        let figures = [
            counts.added,
            counts.refused,
            counts.acked,
            counts.rejected,
            counts.pending,
            counts.unsent,
            counts.dropped.total(),
        ];
        [name, grouped(sensors)].into_iter().chain(figures.map(grouped)).collect()
    };
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut sensors = 0;
    for group in groups {
        sensors += u64::from(group.sensors);
        let name = text::short_name(&group.name, NAME_CHARS_MAX);
        rows.push(row(name, group.sensors.into(), &group.counts));
    }
    rows.push(row("total".to_owned(), sensors, total));
    let header = [
        "group",
        "sensors",
        "added",
        "refused",
        "delivered",
        "rejected",
        "pending",
        "unsent",
        "dropped",
    ];
    table(&header, &rows, columns)
}

fn latency(report: &Report, columns: usize) -> String {
    let figure = |ns: Option<u64>| ns.map_or("-".to_owned(), grouped);
    let row = |name: &str, latency: &Latency| {
        vec![
            name.to_owned(),
            grouped(latency.count),
            figure(latency.p50),
            figure(latency.p99),
            figure(latency.p999),
            figure(latency.max),
            figure(latency.mean.map(text::whole)),
        ]
    };
    let latencies = &report.latency_ns;
    let rows = [
        row("add", &latencies.add),
        row("consume", &latencies.consume),
        row("answer", &latencies.answer),
    ];
    let header = ["latency, ns", "measured", "p50", "p99", "p99.9", "max", "mean"];
    let clock = &report.latency_clock;
    let measured = match clock.sampled_every {
        1 => "Every operation".to_owned(),
        every => format!("Each {every}th operation"),
    };
    let note = format!(
        "{measured} measured by {}; one reading costs {} ns, not subtracted.",
        clock.name, clock.cost_ns
    );
    let mut out = table(&header, &rows, columns);
    for line in wrapped(&note, columns) {
        out.push_str(&line);
        out.push('\n');
    }
    out
}

pub(crate) fn lost(records: &Counts) -> String {
    let dropped = records.dropped;
    let mut causes = vec![(dropped.recycled, "recycled"), (dropped.corrupt, "corrupt")];
    causes.extend(dropped.quota.map(|count| (count, "over quota")));
    causes.extend(dropped.disk_max.map(|count| (count, "disk at its limit")));
    causes.retain(|&(count, _)| count > 0);
    let causes: Vec<_> =
        causes.into_iter().map(|(count, cause)| format!("{} {cause}", grouped(count))).collect();
    let causes =
        if causes.is_empty() { String::new() } else { format!(" ({})", causes.join(", ")) };
    format!(
        "{} dropped{causes}; {} adds refused",
        grouped(dropped.total()),
        grouped(records.refused)
    )
}

/// What only a store with a disk has to say.
fn disk_facts(report: &Report) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    if let Some(disk) = &report.disk {
        let segments = if disk.segments == 1 { "segment" } else { "segments" };
        lines.push((
            "disk",
            format!(
                "peak {}, {} in {} {segments} at the end; {} written, {} syncs",
                text::kib(disk.bytes_peak),
                text::kib(disk.bytes),
                grouped(disk.segments),
                text::kib(disk.bytes_written),
                grouped(disk.fsyncs)
            ),
        ));
        if disk.bytes_per_record > 0.0 {
            let bytes = disk.bytes_per_record;
            lines.push((
                "packing",
                format!("{bytes:.2} B of log for a record held, at the fullest"),
            ));
        }
    }
    if let Some(lag_ms) = report.durable_lag_ms {
        let lag = text::duration(lag_ms);
        lines.push(("durable", format!("every record held was durable or younger than {lag}")));
    }
    if let Some(restarts) = &report.restarts
        && let Some(slowest_ms) = restarts.slowest_ms
    {
        lines.push((
            "restarts",
            format!(
                "{}, each reopened within {}; kills took {} records in RAM, shutdowns left {}",
                grouped(restarts.recoveries),
                text::seconds(slowest_ms),
                grouped(restarts.lost_in_kills),
                grouped(restarts.shutdown_left)
            ),
        ));
    }
    if let Some(store) = &report.store {
        lines.push(("store", format!("left in {}", printable(store))));
    }
    lines
}

/// What is left to say, a line each.
fn facts(report: &Report, columns: usize) -> String {
    let wall_s = (report.wall_ms / 1_000.0).max(f64::MIN_POSITIVE);
    #[expect(clippy::cast_precision_loss, reason = "speeds are rounded")]
    let (virtual_s, added) = (report.virtual_ms as f64 / 1_000.0, report.records.added as f64);
    let Report { ram, deliveries, ledger, records, .. } = report;
    let lines = [
        (
            "time",
            format!(
                "{} virtual in {} wall{}: {} x real time, {} records/s",
                text::duration(report.virtual_ms),
                text::seconds(report.wall_ms),
                if report.repeat.runs > 1 { " (median)" } else { "" },
                text::ratio(virtual_s / wall_s),
                text::ratio(added / wall_s)
            ),
        ),
        (
            "RAM",
            format!(
                "peak {} of {} ({} of {} B)",
                text::kib(ram.bytes_peak),
                text::kib(ram.bytes_total),
                grouped(ram.bytes_peak),
                grouped(ram.bytes_total)
            ),
        ),
        (
            "sectors",
            format!(
                "peak {} of {}, {} used at the end, {} B each",
                grouped(ram.sectors_peak.into()),
                grouped(ram.sectors_total.into()),
                grouped(ram.sectors_used.into()),
                grouped(ram.sector_bytes.into())
            ),
        ),
        ("lost", lost(records)),
        (
            "uploads",
            format!(
                "{} records in {} batches; {} redelivered, {} stale answers",
                grouped(deliveries.records),
                grouped(deliveries.batches),
                grouped(deliveries.redelivered),
                grouped(deliveries.stale_answers)
            ),
        ),
        (
            "ledger",
            format!(
                "{} entries of {} records, {} of them forgotten",
                grouped(ledger.entries),
                grouped(ledger.records),
                grouped(ledger.forgotten)
            ),
        ),
        ("oldest", format!("{} in the store at most", text::duration(report.oldest_age_ms))),
        ("digest", report.digest.clone()),
    ];
    let mut out = String::new();
    // The digest stays last.
    let (facts, digest) = lines.split_at(lines.len() - 1);
    for (name, text) in facts.iter().chain(&disk_facts(report)).chain(digest) {
        push_fact(&mut out, name, text, columns);
    }
    if report.repeat.runs > 1 {
        push_fact(&mut out, "runs", &runs(report), columns);
    }
    out
}

/// Each run of several with its time, and its digest unless all are equal.
fn runs(report: &Report) -> String {
    let repeat = &report.repeat;
    if repeat.digests_equal {
        let times: Vec<_> = repeat.wall_ms.iter().map(|&ms| text::seconds(ms)).collect();
        return format!("{}, all of digest {}: {}", repeat.runs, report.digest, times.join(", "));
    }
    let runs: Vec<_> = repeat
        .digests
        .iter()
        .zip(&repeat.wall_ms)
        .enumerate()
        .map(|(at, (digest, &wall_ms))| format!("{}: {digest} {}", at + 1, text::seconds(wall_ms)))
        .collect();
    format!("{}, digests differ: {}", repeat.runs, runs.join(", "))
}

pub(crate) fn expectations(expect: &[Expected], columns: usize) -> String {
    let of_digest = |name: &str| name == "digest";
    let rows: Vec<_> = expect
        .iter()
        .map(|expected| {
            let figure = |text: &str| {
                if of_digest(&expected.name) { text.to_owned() } else { text::grouped_within(text) }
            };
            let state = if expected.ok { "ok" } else { "MISSED" };
            vec![
                // The group's name is the file's: `groups.NAME.figure`.
                text::short_name(&expected.name, 2 * NAME_CHARS_MAX),
                figure(&expected.wanted),
                figure(&expected.got),
                state.to_owned(),
            ]
        })
        .collect();
    table(&["expected", "wanted", "got", ""], &rows, columns)
}
