//! A store's health in words and colour: the first line of what is said about it.

use crate::{
    inspect::place,
    lines::push_labelled,
    output::{Style, printable},
    store::Store,
    text::{count, grouped_wide, short_name},
};
use ss_lib::disk::{LostPlace, Plan, Severity, Verdict};
use std::fmt::Write;

const GREEN: &str = "1;32";
const RED: &str = "1;31";

/// `DAMAGED  2 faults; 61 records …`, and the store's name in the next line.
pub(crate) fn push_headline(out: &mut String, store: &Store, style: Style) {
    let (colour, word) = match store.plan.verdict {
        Verdict::Sound => (GREEN, "SOUND"),
        Verdict::Damaged => (RED, "DAMAGED"),
        Verdict::Unusable(_) => (RED, "UNUSABLE"),
    };
    let mut text = String::new();
    push_labelled(&mut text, &format!("{word}  "), &why(store), style.columns);
    out.push_str(&text.replacen(word, &style.paint(colour, word), 1));
    out.push_str(&short_name(&store.name(), style.columns));
    out.push('\n');
}

fn why(store: &Store) -> String {
    match store.plan.verdict {
        Verdict::Sound if store.plan.findings.is_empty() => {
            "every page that should be there is whole".to_owned()
        }
        Verdict::Sound => {
            let notes = count(store.plan.findings.len() as u64, "note");
            format!("no durable record is known to be lost; {notes}")
        }
        Verdict::Damaged => {
            let faults = store.plan.findings.iter().filter(|it| it.severity == Severity::Damage);
            let lost = match store.plan.records_lost {
                0 => "no record is known to be lost".to_owned(),
                lost => format!("{} lost and not in the ledger yet", count(lost, "record")),
            };
            format!("{}; {lost}", count(faults.count() as u64, "fault"))
        }
        Verdict::Unusable(why) => printable(&why.to_string()),
    }
}

/// Records that can be read. Numbers from near 2^64 have sums beyond it.
pub(crate) fn held(store: &Store) -> String {
    grouped_wide(store.scan.sensors.iter().map(|sensor| u128::from(sensor.held)).sum())
}

/// The damage, then what a kill or a power cut left: a line each, `limit` of them at most.
pub(crate) fn push_findings(out: &mut String, plan: &Plan, style: Style, limit: usize) {
    // An unusable store's one finding stands in the first line.
    if matches!(plan.verdict, Verdict::Unusable(_)) {
        return;
    }
    let missing = plan.missing.iter().map(|it| {
        let place = place(LostPlace::Segments { first: it.first, count: it.count });
        (Severity::Damage, format!("{place}, and {} with it", count(it.records_lost, "record")))
    });
    let findings = plan.findings.iter().map(|it| (it.severity, it.text.clone()));
    let all: Vec<_> = missing.chain(findings).collect();
    for (severity, text) in all.iter().take(limit) {
        let (sign, ansi) = match severity {
            Severity::Damage => ("!", RED),
            Severity::Note => ("-", "2"),
        };
        let mut lines = String::new();
        push_labelled(&mut lines, &format!("  {sign} "), &printable(text), style.columns);
        out.push_str(&lines.replacen(sign, &style.paint(ansi, sign), 1));
    }
    if all.len() > limit {
        let _ = writeln!(out, "  … {} more", all.len() - limit);
    }
}
