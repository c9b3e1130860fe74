//! Sensors: all of them in a table, or one in full.

use super::{
    Order, View,
    json::{LedgerEntry, Lost, Sensor},
    losses::{NOT_IN_LEDGER, losses_table},
};
use crate::{
    Failure,
    lines::push_fact,
    text::{self, count, grouped, table},
    time,
};
use serde::Serialize;
use ss_lib::{
    Kind,
    disk::{LedgerLoss, LostRange, Scan, SensorScan, SensorTime},
};
use std::cmp::Reverse;

/// Which sensors, in which order.
pub(super) struct Choice {
    pub(super) order: Order,
    pub(super) source: Option<u8>,
    pub(super) id: Option<u32>,
}

#[derive(Debug, Serialize)]
struct List {
    sensors: Vec<Sensor>,
}

#[derive(Debug, Serialize)]
struct One {
    sensor: Sensor,
    lost: Vec<Lost>,
    ledger: Vec<LedgerEntry>,
}

/// Every sensor that was asked for.
pub(super) fn list(view: &View<'_>, choice: &Choice) -> Result<(), Failure> {
    let scan = &view.store.scan;
    let mut sensors: Vec<&SensorScan> = scan
        .sensors
        .iter()
        .filter(|it| choice.source.is_none_or(|source| source == it.key.source))
        .filter(|it| choice.id.is_none_or(|id| id == it.key.id))
        .collect();
    match choice.order {
        Order::Key => {}
        Order::Backlog => sensors.sort_by_key(|it| (Reverse(it.held), it.key)),
        Order::Losses => sensors.sort_by_key(|it| (Reverse(lost_in_all(it)), it.key)),
    }
    let json =
        || List { sensors: sensors.iter().map(|it| Sensor::new(it, &scan.clocks)).collect() };
    let text = || match (sensors.len(), scan.sensors.len()) {
        (0, all) => format!("0 of {}\n", count(all as u64, "sensor")),
        (shown, all) if shown < all => {
            let table = sensors_table(scan, &sensors, view.style.columns);
            format!("{table}{} of {all} sensors\n", grouped(shown as u64))
        }
        _ => sensors_table(scan, &sensors, view.style.columns),
    };
    view.print("sensors", json, text)
}

/// Records that were lost, in the ledger or not.
fn lost_in_all(sensor: &SensorScan) -> u64 {
    sensor.lost.saturating_add(sensor.stats.dropped())
}

/// One sensor a line.
pub(super) fn sensors_table(scan: &Scan, sensors: &[&SensorScan], columns: usize) -> String {
    let rows: Vec<_> = sensors
        .iter()
        .map(|it| {
            vec![
                it.key.to_string(),
                grouped(it.held),
                grouped(it.lost),
                grouped(it.stats.dropped()),
                grouped(it.stats.erased),
                kind(it),
                at(scan, it.newest_ms),
                state(it).to_owned(),
            ]
        })
        .collect();
    let header = ["sensor", "held", "lost", "dropped", "erased", "kind", "newest", "state"];
    table(&header, &rows, columns)
}

/// `every 1s` or `events`.
fn kind(sensor: &SensorScan) -> String {
    match sensor.kind {
        Kind::TimeSeries => format!("every {}", text::duration(sensor.period_ms.into())),
        Kind::Event => "events".to_owned(),
    }
}

const fn state(sensor: &SensorScan) -> &'static str {
    match (sensor.is_defined, sensor.is_active) {
        (false, _) => "unknown",
        (true, true) => "active",
        (true, false) => "removed",
    }
}

fn at(scan: &Scan, time: Option<SensorTime>) -> String {
    let text = time.map(|it| time::of_record(it, time::utc_ms(it, &scan.clocks)));
    text.unwrap_or_else(|| "-".to_owned())
}

/// Everything about one sensor.
pub(super) fn show(view: &View<'_>, sensor: &SensorScan) -> Result<(), Failure> {
    let scan = &view.store.scan;
    let lost: Vec<LostRange> =
        scan.lost.iter().filter(|it| it.key == sensor.key).copied().collect();
    let ledger: Vec<LedgerLoss> =
        scan.ledger.iter().filter(|it| it.key == sensor.key).copied().collect();
    let json = || One {
        sensor: Sensor::new(sensor, &scan.clocks),
        lost: Lost::all(&lost),
        ledger: ledger.iter().map(LedgerEntry::from).collect(),
    };
    let text = || {
        let columns = view.style.columns;
        let mut out = String::new();
        let state = match state(sensor) {
            "active" => "in the configuration at the last opening",
            "removed" => "no longer in the configuration; what it holds stays readable",
            _ => "known from its records alone: its definition is lost",
        };
        push_fact(&mut out, "sensor", &format!("{}, {}", sensor.key, kind(sensor)), columns);
        push_fact(&mut out, "state", state, columns);
        push_fact(&mut out, "records", &equation(sensor), columns);
        let cursors = format!(
            "head {}, end {}: what is held lies between; from segment {} on",
            sensor.head_seq, sensor.end_seq, sensor.first_segment
        );
        push_fact(&mut out, "seq", &cursors, columns);
        push_fact(&mut out, "oldest", &at(scan, sensor.oldest_ms), columns);
        push_fact(&mut out, "newest", &at(scan, sensor.newest_ms), columns);
        if !lost.is_empty() || !ledger.is_empty() {
            out.push('\n');
            out += &losses_table(&lost, NOT_IN_LEDGER, &ledger, columns);
        }
        out
    };
    view.print("sensor", json, text)
}

fn equation(sensor: &SensorScan) -> String {
    let conserved = if sensor.is_conserved { "" } else { "; this does NOT add up" };
    format!("{}{conserved}", super::overview::equation(&sensor.stats, sensor.lost))
}
