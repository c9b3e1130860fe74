//! The golden stores are read exactly as they were written, by every later version of the engine.
#![cfg(not(feature = "shuttle"))]
#![allow(clippy::unwrap_used, reason = "helpers are tests too")]

use ss_lib::disk::Verdict;
use ss_tests::disk::{
    chunks::kind_word,
    damage::{look, mend},
    golden::{Kept, kept},
};
use std::fmt::Write;

#[test]
fn golden_stores_hold_what_they_were_made_with() {
    for Kept { name, disk, expect } in kept() {
        let (scan, plan, found) = look(&disk);
        let is_damaged = name.starts_with("damaged") && name != "damaged-torn-end";
        let verdict = if is_damaged { Verdict::Damaged } else { Verdict::Sound };
        assert_eq!(plan.verdict, verdict, "{name}: {:?}", plan.findings);
        let mut text = String::new();
        for sensor in &scan.sensors {
            let state = if sensor.is_active { "active" } else { "inactive" };
            let (key, kind) = (sensor.key, kind_word(sensor.kind));
            // A torn page's records never existed for the log.
            let (head, end) = (sensor.head_seq, sensor.end_seq);
            writeln!(text, "sensor {key} {kind} {state} {head} {end}").unwrap();
            for seq in head..end {
                if let Some((epoch, time_ms, value)) = found.get(&(key, seq)) {
                    writeln!(text, "{key} {seq} {epoch} {time_ms} {value}").unwrap();
                } else if plan
                    .losses
                    .iter()
                    .any(|loss| loss.key == key && (loss.first_seq..loss.end_seq()).contains(&seq))
                {
                    writeln!(text, "{key} {seq} lost").unwrap();
                }
            }
        }
        for loss in &scan.ledger {
            let (key, first, count) = (loss.key, loss.first_seq, loss.count);
            writeln!(text, "loss {key} {first} {count} {}", loss.cause.name()).unwrap();
        }
        if name == "damaged-torn-end" {
            // What the torn page held was never promised: its sensors end before it.
            let records = |text: &str| -> Vec<String> {
                let is_record =
                    |line: &&str| !line.starts_with("sensor") && !line.ends_with("lost");
                text.lines().filter(is_record).map(str::to_owned).collect()
            };
            assert_eq!(records(&text), records(&expect), "{name}");
        } else {
            assert_eq!(text, expect, "{name}");
        }
    }
}

#[test]
fn golden_stores_can_be_mended() {
    for Kept { disk, .. } in kept() {
        mend(&disk);
    }
}
