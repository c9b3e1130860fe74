//! The report of a run on a board for a person: the verdict first, in one screen.

use super::report::{Compared, HwReport, OperationCost};
use crate::{
    lines::{push_fact, push_labelled, wrapped},
    output::{Style, printable},
    report::summary::{expectations, lost, records, verdict_colour},
    text::{self, grouped, table},
};
use std::fmt::Write;

pub(super) fn summary(report: &HwReport, style: Style) -> String {
    let mut out = verdict(report, style);
    out.push('\n');
    out += &records(&report.groups, &report.records, style.columns);
    out.push('\n');
    out += &costs(report, style.columns);
    if let Some(compared) = &report.compare {
        out.push('\n');
        out += &comparison(report, compared, style.columns);
    }
    out.push('\n');
    out += &facts(report, style.columns);
    if !report.expect.is_empty() {
        out.push('\n');
        out += &expectations(&report.expect, style.columns);
    }
    if !report.not_judged.is_empty() {
        let names = report.not_judged.join(", ");
        let note = format!("Not judged on a board, which does not see it: {names}.");
        for line in wrapped(&note, style.columns) {
            let _ = writeln!(out, "{line}");
        }
    }
    if report.verdict == "fail" {
        let _ = writeln!(out, "\nRepeat it with:\n  {}", printable(&report.command));
    }
    out
}

fn verdict(report: &HwReport, style: Style) -> String {
    let missed = report.expect.iter().filter(|expected| !expected.ok).count();
    let wanted = report.expect.len();
    let differs = report.compare.as_ref().map(|it| !it.digests_equal || !it.figures_equal);
    let (colour, word) = verdict_colour(report.verdict);
    let why = if !report.is_sound {
        "the walk over the store at the end found it broken".to_owned()
    } else if report.verdict == "interrupted" {
        let (passed, wanted) = (report.virtual_ms, report.duration_ms);
        format!("ended after {} of {}", text::duration(passed), text::duration(wanted))
    } else if differs == Some(true) {
        "board and host differ".to_owned()
    } else if missed > 0 {
        format!("{missed} of {wanted} expectations missed")
    } else {
        let met = format!("{wanted} of {wanted} expectations met");
        let agree = if differs == Some(false) { ", board and host agree to the bit" } else { "" };
        format!("{met}{agree}")
    };
    let mut out = String::new();
    push_labelled(&mut out, &format!("{word}  "), &why, style.columns);
    let mut out = out.replacen(word, &style.paint(colour, word), 1);
    let place =
        if report.board.is_virtual { "a virtual board" } else { report.board.chip.as_str() };
    let name = text::short_name(&report.scenario, 40);
    let _ = writeln!(out, "{name} on {place}, seed {}", report.seed);
    out
}

fn costs(report: &HwReport, columns: usize) -> String {
    let clock = &report.clock;
    let figure = |value: Option<u64>| value.map_or("-".to_owned(), grouped);
    let whole = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.1}"));
    let us = |value: Option<u64>| match (value, clock.hz) {
        #[expect(clippy::cast_precision_loss, reason = "rounded to 0.1 us")]
        (Some(value), Some(hz)) => format!("{:.1}", value as f64 * 1e6 / f64::from(hz)),
        _ => "-".to_owned(),
    };
    let row = |cost: &OperationCost| {
        let mut row = vec![
            cost.operation.to_owned(),
            grouped(cost.count),
            figure(cost.min),
            figure(cost.p50),
            figure(cost.p99),
            figure(cost.max),
            whole(cost.mean),
            whole(cost.per_record),
        ];
        if clock.hz.is_some() {
            row.push(us(cost.p50));
            row.push(us(cost.max));
        }
        row
    };
    let rows: Vec<_> = report.costs.iter().map(row).collect();
    let title = format!("cost, {}", clock.unit);
    let mut header =
        vec![title.as_str(), "measured", "min", "p50", "p99", "max", "mean", "a record"];
    if clock.hz.is_some() {
        header.extend(["p50, us", "max, us"]);
    }
    let mut out = table(&header, &rows, columns);
    let rate = match clock.hz {
        Some(hz) => format!("The core's clock runs at {} kHz.", grouped(u64::from(hz / 1_000))),
        None => "QEMU counts instructions, which have no duration.".to_owned(),
    };
    let note = format!(
        "Every operation measured; a measurement of nothing costs {} {}, not subtracted. {rate}",
        clock.empty_cost, clock.unit
    );
    for line in wrapped(&note, columns) {
        let _ = writeln!(out, "{line}");
    }
    out
}

fn comparison(report: &HwReport, host: &Compared, columns: usize) -> String {
    let row = |name: &str, board: u64, host: u64| {
        let same = if board == host { "same" } else { "DIFFERS" };
        vec![name.to_owned(), grouped(board), grouped(host), same.to_owned()]
    };
    let (ours, theirs) = (&report.records, &host.records);
    let mut rows = vec![
        row("added", ours.added, theirs.added),
        row("refused", ours.refused, theirs.refused),
        row("acked", ours.acked, theirs.acked),
        row("rejected", ours.rejected, theirs.rejected),
        row("pending", ours.pending, theirs.pending),
        row("unsent", ours.unsent, theirs.unsent),
        row("recycled", ours.dropped.recycled, theirs.dropped.recycled),
        row("corrupt", ours.dropped.corrupt, theirs.dropped.corrupt),
        row("delivered", report.deliveries.records, host.deliveries.records),
        row("batches", report.deliveries.batches, host.deliveries.batches),
        row("stale answers", report.deliveries.stale_answers, host.deliveries.stale_answers),
        row("ledger entries", report.ledger.entries, host.ledger.entries),
    ];
    let same = if host.digests_equal { "same" } else { "DIFFERS" };
    rows.push(vec![
        "digest".to_owned(),
        report.digest.clone(),
        host.digest.clone(),
        same.to_owned(),
    ]);
    table(&["figure", "board", "host", ""], &rows, columns)
}

fn facts(report: &HwReport, columns: usize) -> String {
    let HwReport { ram, deliveries, ledger, board, .. } = report;
    let bytes = |bytes: u32| grouped(u64::from(bytes));
    let facts = [
        (
            "time",
            format!(
                "{} virtual in {}",
                text::duration(report.virtual_ms),
                text::seconds(report.wall_ms)
            ),
        ),
        (
            "board",
            format!(
                "{}, {} over {}; {} frames repeated",
                board.firmware,
                board.chip,
                board.probe,
                grouped(board.frames_repeated)
            ),
        ),
        (
            "RAM",
            format!(
                "{} B static, {} B of them the store; stack peak {} of {} B",
                bytes(ram.static_bytes),
                bytes(ram.store_bytes),
                bytes(ram.stack_peak_bytes),
                bytes(ram.stack_bytes)
            ),
        ),
        ("flash", format!("{} B", bytes(report.flash_bytes))),
        (
            "sectors",
            format!(
                "peak {} of {}, {} used at the end, {} B each",
                bytes(ram.sectors_peak),
                bytes(ram.sectors_total),
                bytes(ram.sectors_used),
                bytes(ram.sector_bytes)
            ),
        ),
        ("lost", lost(&report.records)),
        (
            "uploads",
            format!(
                "{} records in {} batches; {} stale answers",
                grouped(deliveries.records),
                grouped(deliveries.batches),
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
        ("digest", report.digest.clone()),
    ];
    let mut out = String::new();
    for (name, text) in &facts {
        push_fact(&mut out, name, text, columns);
    }
    out
}
