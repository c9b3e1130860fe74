use super::{
    Broken, Clock, Counts, Deliveries, Dropped, Expected, Group, Latencies, Ledger, Ram, Repeat,
    Report,
    disk::{Disk, Restarts},
    median,
    summary::summary,
};
use crate::{histogram::Latency, output::Style, text::grouped};
use serde_json::Value;

/// Every counter of it is above 2³² and no two are the same.
fn large() -> Report {
    let mut last = (1 << 60) + 7;
    let mut next = || {
        last += 1_000_000_000_003;
        last
    };
    let dropped =
        Dropped { recycled: next(), corrupt: next(), quota: Some(next()), disk_max: Some(next()) };
    let (acked, rejected, pending, unsent, refused) = (next(), next(), next(), next(), next());
    let erased = acked + rejected;
    let added = erased + pending + unsent + dropped.total();
    let counts = Counts { added, refused, erased, acked, rejected, pending, unsent, dropped };
    let latency = || Latency { count: 1 << 40, ..Latency::default() };
    Report {
        schema: 1,
        program: "ss",
        scenario: "large".to_owned(),
        profile: "linux-ram",
        verdict: "fail",
        seed: next(),
        digest: "00000000000000ff".to_owned(),
        virtual_ms: next(),
        duration_ms: next(),
        wall_ms: 1.5,
        records: counts,
        groups: vec![Group { name: "only".to_owned(), sensors: u32::MAX, counts }],
        latency_ns: Latencies { add: latency(), consume: latency(), answer: latency() },
        latency_clock: Clock { name: "monotonic", cost_ns: 20, sampled_every: 17 },
        ram: Ram {
            bytes_total: next(),
            bytes_peak: next(),
            sectors_total: u32::MAX,
            sectors_peak: u32::MAX,
            sectors_used: u32::MAX,
            sector_bytes: 4096,
        },
        deliveries: Deliveries {
            records: next(),
            redelivered: next(),
            batches: next(),
            stale_answers: next(),
        },
        ledger: Ledger { entries: next(), records: next(), forgotten: next() },
        oldest_age_ms: next(),
        disk: Some(Disk {
            segments_created: 3,
            bytes: next(),
            bytes_peak: next(),
            bytes_written: next(),
            sectors: next(),
            segments: next(),
            bytes_per_record: 8.25,
            fsyncs: next(),
            records: next(),
            reserve_bytes: next(),
        }),
        durable_lag_ms: Some(next()),
        restarts: Some(Restarts {
            recoveries: next(),
            lost_in_kills: next(),
            shutdown_left: next(),
            recoveries_ms: vec![1.5],
            slowest_ms: Some(1.5),
        }),
        store: None,
        expect: vec![Expected {
            name: "lost".to_owned(),
            wanted: "0".to_owned(),
            got: dropped.total().to_string(),
            ok: false,
        }],
        violation: Some(Broken {
            promise: "P2 order".to_owned(),
            sensor: Some("255/4294967295".to_owned()),
            seq: Some(next()),
            virtual_ms: 1,
            seen: "x".repeat(250),
        }),
        repeat: Repeat::default(),
        command: "ss simulate large.toml --seed 1".to_owned(),
        overridden: String::new(),
    }
}

fn numbers(value: &Value, out: &mut Vec<u64>) {
    match value {
        Value::Number(number) => out.extend(number.as_u64()),
        Value::Array(items) => items.iter().for_each(|item| numbers(item, out)),
        Value::Object(fields) => fields.values().for_each(|item| numbers(item, out)),
        _ => {}
    }
}

/// B45: a gateway that had run for a year printed its 64-bit counters with a 32-bit format: 5
/// billion records added were reported as 705 million, and the loss that they hid was found in the
/// cloud. Every counter must be printed whole, by the table and by the JSON.
#[test]
fn field_b45_counters_above_32_bits_are_printed_whole() {
    let report = large();
    let json = serde_json::to_string(&report).unwrap();
    let mut found = Vec::new();
    numbers(&serde_json::from_str(&json).unwrap(), &mut found);
    let deliveries = report.deliveries;
    let counters = [
        report.records.added,
        report.records.refused,
        report.records.acked,
        report.records.rejected,
        report.records.pending,
        report.records.unsent,
        report.records.dropped.recycled,
        report.records.dropped.corrupt,
        deliveries.records,
        deliveries.redelivered,
        deliveries.batches,
        deliveries.stale_answers,
        report.ledger.entries,
        report.ledger.records,
        report.ledger.forgotten,
    ];
    for columns in [80, 100] {
        let text = summary(&report, Style { colour: false, columns });
        for counter in counters {
            assert!(counter > u64::from(u32::MAX));
            assert!(found.contains(&counter), "{counter} is not in {json}");
            let shown = grouped(counter);
            assert!(text.contains(&shown), "{shown} is not in\n{text}");
        }
        assert!(text.contains(&grouped(report.expect[0].got.parse().unwrap())), "{text}");
        assert!(text.contains(&grouped(1 << 40)), "{text}");
    }
}

#[test]
fn no_line_is_wider_than_asked_for() {
    for columns in [80, 100] {
        let text = summary(&large(), Style { colour: false, columns });
        for line in text.lines() {
            assert!(line.chars().count() <= columns, "{} columns: {line}", line.chars().count());
        }
    }
}

#[test]
fn colour_is_there_only_when_it_is_wanted() {
    let report = large();
    let plain = summary(&report, Style { colour: false, columns: 100 });
    assert!(!plain.contains('\u{1b}'));
    let coloured = summary(&report, Style { colour: true, columns: 100 });
    assert!(coloured.starts_with("\u{1b}[1;31mFAIL\u{1b}[0m"));
}

#[test]
fn runs_that_differ_are_a_failure_that_names_the_run() {
    let mut report = Report { verdict: "pass", violation: None, ..large() };
    let digests = ["a", "a", "b"].map(str::to_owned).to_vec();
    let runs = Repeat { runs: 3, digests_equal: true, digests, wall_ms: vec![3.0, 1.0, 2.0] };
    report.repeated(runs);
    assert!(!report.repeat.digests_equal);
    assert_eq!((report.verdict, report.repeat.first_differing()), ("fail", Some(3)));
    assert!((report.wall_ms - 2.0).abs() < f64::EPSILON);
    let text = summary(&report, Style { colour: false, columns: 100 });
    assert!(text.starts_with("FAIL  the runs differ: run 3 gave another digest"), "{text}");
}

#[test]
fn the_median_is_the_middle() {
    assert_eq!(median(&[]), None);
    assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
    assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
}
