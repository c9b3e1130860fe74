//! The whole store in one screen.

use super::{
    View,
    json::{Dropped, Finding, LedgerEntry, Planned, Sensor},
    losses::{NOT_IN_LEDGER, losses_table},
    sensors::sensors_table,
    strip::push_strip,
};
use crate::{
    Failure,
    health::{push_findings, push_headline},
    lines::{push_fact, push_labelled},
    output::printable,
    store::Store,
    text::{count, grouped, grouped_wide, shell_word, size},
    time,
};
use serde::Serialize;
use ss_lib::{
    DropCause, SensorStats,
    disk::{FORMAT_VERSION, SensorScan, Verdict},
};
use std::cmp::Reverse;
use std::fmt::Write;

/// How many of each kind are shown, so that all of it is one screen.
const SHOWN: usize = 5;

#[derive(Debug, Serialize)]
struct Overview {
    store_id: Option<String>,
    format: u8,
    segment_pages: Option<u32>,
    epoch: u32,
    created_ms: Option<u64>,
    opened_ms: Option<u64>,
    is_clean: Option<bool>,
    owner_pid: Option<u32>,
    findings: Vec<Finding>,
    totals: Totals,
    records: Records,
    backlog: Vec<Sensor>,
    losses: Vec<LedgerEntry>,
    plan: Planned,
}

#[derive(Debug, Serialize)]
struct Totals {
    sensors: u64,
    sensors_active: u64,
    sensors_with_backlog: u64,
    segments: u64,
    pages: u64,
    pages_bad: u64,
    pages_torn: u64,
    bytes: u64,
}

/// Sums saturate at 2^64 - 1.
#[derive(Debug, Serialize)]
struct Records {
    added: u64,
    erased: u64,
    held: u64,
    lost: u64,
    dropped: Dropped,
    rejected: u64,
    refused: u64,
    conserved: bool,
}

pub(super) fn show(view: &View<'_>) -> Result<(), Failure> {
    let backlog = backlog(view.store);
    view.print("overview", || json(view.store, &backlog), || text(view, &backlog))
}

/// The sensors that hold most.
fn backlog(store: &Store) -> Vec<&SensorScan> {
    let mut sensors: Vec<&SensorScan> =
        store.scan.sensors.iter().filter(|sensor| sensor.held > 0).collect();
    sensors.sort_by_key(|sensor| (Reverse(sensor.held), sensor.key));
    sensors.truncate(SHOWN);
    sensors
}

fn json(store: &Store, backlog: &[&SensorScan]) -> Overview {
    let scan = &store.scan;
    let totals = scan.totals();
    let known = |ms: u64| (ms > 0).then_some(ms);
    let ledger = scan.ledger.iter().rev().take(SHOWN);
    Overview {
        store_id: scan.identity.map(|identity| hex(&identity.store_id)),
        format: FORMAT_VERSION,
        segment_pages: scan.identity.map(|identity| identity.segment_pages),
        epoch: scan.epoch,
        created_ms: scan.superblock.and_then(|it| known(it.created_ms)),
        opened_ms: scan.superblock.and_then(|it| known(it.opened_ms)),
        is_clean: scan.superblock.map(|it| it.is_clean),
        owner_pid: store.owner,
        findings: Finding::all(&store.plan),
        totals: Totals {
            sensors: totals.sensors,
            sensors_active: totals.sensors_active,
            sensors_with_backlog: totals.sensors_with_backlog,
            segments: totals.segments,
            pages: totals.pages,
            pages_bad: totals.pages_bad,
            pages_torn: totals.pages_torn,
            bytes: totals.bytes,
        },
        records: Records {
            added: totals.counts.added,
            erased: totals.counts.erased,
            held: totals.counts.retained().saturating_sub(totals.lost),
            lost: totals.lost,
            dropped: totals.counts.into(),
            rejected: totals.counts.rejected,
            refused: totals.counts.refused,
            conserved: scan.sensors.iter().all(|sensor| sensor.is_conserved),
        },
        backlog: backlog.iter().map(|it| Sensor::new(it, &scan.clocks)).collect(),
        losses: ledger.map(LedgerEntry::from).collect(),
        plan: Planned::from(&store.plan),
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn text(view: &View<'_>, backlog: &[&SensorScan]) -> String {
    let (store, columns) = (view.store, view.style.columns);
    let scan = &store.scan;
    let mut out = String::new();
    push_headline(&mut out, store, view.style);
    push_findings(&mut out, &store.plan, view.style, SHOWN);
    out.push('\n');
    push_identity(&mut out, store, columns);
    if matches!(store.plan.verdict, Verdict::Unusable(_)) {
        push_strip(&mut out, scan, &store.plan, view.style);
        return out;
    }
    push_records(&mut out, store, columns);
    push_strip(&mut out, scan, &store.plan, view.style);
    if !backlog.is_empty() {
        let all = scan.totals().sensors_with_backlog;
        let text = format!("\nBacklog: {} of {}\n", backlog.len(), count(all, "sensor"));
        out.push_str(&text);
        out += &sensors_table(scan, backlog, columns);
    }
    push_losses(&mut out, store, columns);
    push_plan(&mut out, store, columns);
    out
}

fn push_identity(out: &mut String, store: &Store, columns: usize) {
    let scan = &store.scan;
    let id = scan.identity.map_or("not known".to_owned(), |identity| {
        let pages = count(identity.segment_pages.into(), "page");
        format!("{}, format {FORMAT_VERSION}, {pages} a segment", hex(&identity.store_id))
    });
    push_fact(out, "store", &id, columns);
    let at = |ms: u64| if ms == 0 { "at a time not known".to_owned() } else { time::utc(ms) };
    let opened = match scan.superblock {
        Some(it) => {
            format!("{}, opening {}; created {}", at(it.opened_ms), scan.epoch, at(it.created_ms))
        }
        None if scan.epoch == 0 => "not known".to_owned(),
        None => format!("opening {} is the newest that any page names", scan.epoch),
    };
    push_fact(out, "opened", &opened, columns);
    let (label, ended) = match (store.owner, scan.superblock) {
        (Some(pid), _) => (
            "in use",
            format!("by process {pid}; what it holds in RAM alone is not here and not counted"),
        ),
        (None, Some(it)) if it.is_clean => {
            ("closed", "in order: nothing was left in RAM".to_owned())
        }
        (None, None) => ("closed", "not known".to_owned()),
        _ => (
            "closed",
            "not in order, or not yet: what was in RAM alone is not here and not counted"
                .to_owned(),
        ),
    };
    push_fact(out, label, &ended, columns);
    let totals = scan.totals();
    let mut disk = format!(
        "{} in {}, {}",
        size(totals.bytes),
        count(totals.segments, "segment"),
        count(totals.pages, "page")
    );
    if totals.pages_bad + totals.pages_torn > 0 {
        let _ = write!(disk, ": {} bad, {} torn", totals.pages_bad, totals.pages_torn);
    }
    push_fact(out, "disk", &disk, columns);
}

fn push_records(out: &mut String, store: &Store, columns: usize) {
    let scan = &store.scan;
    let totals = scan.totals();
    let sensors = format!(
        "{}: {} in the configuration, {} with a backlog",
        grouped(totals.sensors),
        totals.sensors_active,
        totals.sensors_with_backlog
    );
    push_fact(out, "sensors", &sensors, columns);
    let stats: Vec<_> = scan.sensors.iter().map(|it| (it.stats, it.lost)).collect();
    let mut records = equation_of(&stats);
    let broken = scan.sensors.iter().filter(|it| !it.is_conserved).count() as u64;
    if broken > 0 {
        let _ = write!(records, "; it does NOT add up for {}", count(broken, "sensor"));
    }
    push_fact(out, "records", &records, columns);
    let known = "as the disk knows it: added is what was ever written, held is pending and unsent";
    push_fact(out, "", known, columns);
}

/// `630 added = 66 erased + 503 held + 61 lost + 0 dropped`: conservation as the disk knows it.
pub(super) fn equation(stats: &SensorStats, lost: u64) -> String {
    equation_of(&[(*stats, lost)])
}

fn equation_of(all: &[(SensorStats, u64)]) -> String {
    // Sensors that are numbered from near 2^64 have sums beyond it.
    let sum = |of: fn(&SensorStats) -> u64| -> u128 {
        all.iter().map(|(stats, _)| u128::from(of(stats))).sum()
    };
    let lost: u128 = all.iter().map(|&(_, lost)| u128::from(lost)).sum();
    let held = sum(SensorStats::retained).saturating_sub(lost);
    let mut text = format!(
        "{} added = {} erased + {} held + {} lost + {} dropped",
        grouped_wide(sum(|it| it.added)),
        grouped_wide(sum(|it| it.erased)),
        grouped_wide(held),
        grouped_wide(lost),
        grouped_wide(sum(SensorStats::dropped))
    );
    let causes = [
        (DropCause::Recycled, sum(|it| it.dropped_recycled)),
        (DropCause::Corrupt, sum(|it| it.dropped_corrupt)),
        (DropCause::Quota, sum(|it| it.dropped_quota)),
        (DropCause::DiskMax, sum(|it| it.dropped_disk_max)),
    ];
    let causes: Vec<_> = causes
        .into_iter()
        .filter(|&(_, records)| records > 0)
        .map(|(cause, records)| format!("{} {}", grouped_wide(records), cause.name()))
        .collect();
    if !causes.is_empty() {
        let _ = write!(text, " ({})", causes.join(", "));
    }
    for (what, records) in
        [("of the erased rejected", sum(|it| it.rejected)), ("adds refused", sum(|it| it.refused))]
    {
        if records > 0 {
            let _ = write!(text, "; {} {what}", grouped_wide(records));
        }
    }
    text
}

fn push_losses(out: &mut String, store: &Store, columns: usize) {
    let scan = &store.scan;
    let all = scan.lost.len() + scan.ledger.len();
    if all == 0 {
        out.push_str("\nLosses: none, and none in the ledger\n");
        return;
    }
    let lost = &scan.lost[..scan.lost.len().min(SHOWN)];
    let room = SHOWN - lost.len();
    let newest: Vec<_> = scan.ledger.iter().rev().take(room).copied().collect();
    let _ = write!(
        out,
        "\nLosses: {} of {}, newest first",
        lost.len() + newest.len(),
        count(all as u64, "range")
    );
    out.push_str(if all > SHOWN { " (all: --losses)\n" } else { "\n" });
    *out += &losses_table(lost, NOT_IN_LEDGER, &newest, columns);
}

/// What a repair would do.
fn push_plan(out: &mut String, store: &Store, columns: usize) {
    let actions = &store.plan.actions;
    if actions.is_empty() {
        out.push_str("\nRepair: nothing to do\n");
        return;
    }
    let path = shell_word(&store.path.display().to_string());
    let text = format!("Repair: {} (ss repair {path})", count(actions.len() as u64, "step"));
    out.push('\n');
    push_labelled(out, "", &printable(&text), columns);
    for (at, action) in actions.iter().take(SHOWN).enumerate() {
        let label = format!("  {}  ", at + 1);
        push_labelled(out, &label, &printable(&action.to_string()), columns);
    }
    if actions.len() > SHOWN {
        let _ = writeln!(out, "  … {} more", actions.len() - SHOWN);
    }
}
