//! What was lost: what the ledger says, and what it does not know yet.

use super::{
    View,
    json::{LedgerEntry, Lost, last_seq, place},
};
use crate::{
    Failure,
    text::{count, grouped, table},
    time,
};
use serde::Serialize;
use ss_lib::{
    SensorKey,
    disk::{LedgerLoss, LostRange},
};
use std::fmt::Write;

#[derive(Debug, Serialize)]
struct Losses {
    lost: Vec<Lost>,
    ledger: Vec<LedgerEntry>,
}

/// Every range, or those of one sensor.
pub(super) fn list(view: &View<'_>, key: Option<SensorKey>) -> Result<(), Failure> {
    let is_wanted = |of: SensorKey| key.is_none_or(|key| key == of);
    let scan = &view.store.scan;
    let lost: Vec<LostRange> = scan.lost.iter().filter(|it| is_wanted(it.key)).copied().collect();
    let ledger: Vec<LedgerLoss> =
        scan.ledger.iter().filter(|it| is_wanted(it.key)).copied().collect();
    let json = || Losses {
        lost: Lost::all(&lost),
        ledger: ledger.iter().map(LedgerEntry::from).collect(),
    };
    let text = || {
        let records = lost.iter().map(|it| it.count).fold(0, u64::saturating_add);
        let mut out = format!(
            "{} not in the ledger yet, in {}; {} of the ledger, oldest first\n",
            count(records, "record"),
            count(lost.len() as u64, "range"),
            if ledger.len() == 1 { "1 entry".into() } else { format!("{} entries", ledger.len()) }
        );
        if !lost.is_empty() || !ledger.is_empty() {
            out.push('\n');
            out += &losses_table(&lost, NOT_IN_LEDGER, &ledger, view.style.columns);
        }
        if scan.lost_unlisted > 0 {
            let _ = writeln!(
                out,
                "{} more are lost in ranges too many to list.",
                count(scan.lost_unlisted, "record")
            );
        }
        out
    };
    view.print("losses", json, text)
}

/// The cause of a loss that no ledger knows yet.
pub(crate) const NOT_IN_LEDGER: &str = "not in ledger";

/// Ranges with sensor, exact bounds, cause (`cause` for those that have none of the ledger's), and
/// place or time.
pub(crate) fn losses_table(
    lost: &[LostRange],
    cause: &str,
    ledger: &[LedgerLoss],
    columns: usize,
) -> String {
    let row = |key: SensorKey, first: u64, records: u64, cause: &str, place: &str| {
        let seq = match records {
            1 => first.to_string(),
            _ => format!("{first} to {}", last_seq(first, records)),
        };
        vec![key.to_string(), grouped(records), seq, format!("{cause}, {place}")]
    };
    let lost = lost.iter().map(|it| row(it.key, it.first_seq, it.count, cause, &place(it.place)));
    let ledger = ledger.iter().map(|it| {
        row(it.key, it.first_seq, it.count.into(), it.cause.name(), &time::utc(it.at_ms))
    });
    let rows: Vec<_> = lost.chain(ledger).collect();
    table(&["sensor", "records", "seq", "cause"], &rows, columns)
}
