//! Stores with a disk under the oracle: one that keeps its promises over kills and restarts, and ones
//! that break one of them each.
#![cfg(not(feature = "shuttle"))]
#![allow(clippy::unwrap_used, reason = "helpers are tests too")]

use ss_lib::scenario::{
    oracle::{Promise, Violation},
    run::{DiskFigures, Outcome, StoreSize, Unwatched, run_in},
    text::{Overrides, Scenario},
};
use ss_tests::standin::{Breach, Standin};

/// Kills and restarts under a cloud that does everything.
const KILLS: &str = r#"
profile = "linux"
duration = "40m"
seed = 11
[[sensors]]
name = "series"
count = 6
kind = "time-series"
period = "1s"
jitter = "30ms"
first_seq = "18446744069414584320"
[[sensors]]
name = "events"
count = 3
kind = "event"
source = 1
period = "2s"
first_seq = 1_000_000
[uploader]
every = "7s"
batch = 20
latency = "400ms"
timeout = "1s"
nack = "10%"
late = "10%"
duplicate = "5%"
reject = "5%"
[[outage]]
at = "10m"
for = "5m"
[[clock_step]]
at = "12m"
by = "-1h"
[[kill]]
at = "61s"
every = "97s"
[[restart]]
at = "3m"
every = "5m"
"#;

/// A disk that is too small, and a shutdown without the time to write.
const QUOTA: &str = r#"
profile = "linux"
duration = "20m"
seed = 12
[store]
quota = "4KiB"
[[sensors]]
name = "chatty"
count = 2
kind = "event"
period = "200ms"
[[sensors]]
name = "quiet"
count = 2
kind = "event"
period = "10s"
[uploader]
every = "50s"
batch = 20
latency = "30s"
[[kill]]
at = "2m"
every = "3m"
[[restart]]
at = "4m"
deadline = "0s"
[[restart]]
at = "9m"
quota = "2KiB"
drop = ["chatty"]
"#;

fn outcome(text: &str, breach: Breach) -> Outcome {
    let scenario = Scenario::parse(text, "restarts.toml", "restarts", &Overrides::default())
        .unwrap_or_else(|error| panic!("{error}"));
    let quota_bytes = scenario.disk.unwrap().quota_bytes;
    let mut engine = Standin::new(scenario.sensors(), scenario.store_config(), quota_bytes, breach);
    let size = StoreSize { bytes_total: 0, sector_bytes: scenario.geometry.sector_bytes() };
    run_in(&scenario, &mut engine, size, &mut Unwatched).unwrap()
}

fn judged(text: &str, breach: Breach) -> Option<Violation> {
    outcome(text, breach).violation
}

fn disk(outcome: &Outcome) -> DiskFigures {
    assert_eq!(outcome.violation, None);
    assert!(outcome.figures.totals.is_conserved());
    outcome.figures.disk.unwrap()
}

#[test]
fn an_honest_store_loses_in_kills_what_was_in_ram_only() {
    let run = outcome(KILLS, Breach::None);
    let figures = disk(&run);
    assert_eq!((figures.recoveries, figures.shutdown_left), (33, 0));
    // At most ten seconds of seven and a half records each are not yet written.
    assert!((1..=25 * 75).contains(&figures.lost_in_kills), "{figures:?}");
    assert!((10_000..=30_000).contains(&figures.durable_lag_ms), "{figures:?}");
    let totals = run.figures.totals;
    // Numbers begin near the end of 64 bits; the counts are this run's.
    assert!((10_000..=18_000).contains(&totals.added), "{totals:?}");
    assert!(run.figures.stale_answers > 0 && run.figures.redelivered > 0);
    assert_eq!(outcome(KILLS, Breach::None).figures, run.figures);
}

#[test]
fn an_honest_store_drops_over_its_quota_and_drains_who_left() {
    let run = outcome(QUOTA, Breach::None);
    let figures = disk(&run);
    assert!(figures.shutdown_left > 0, "{figures:?}");
    let [chatty, quiet] = [0, 1].map(|group| run.figures.groups[group].stats);
    assert!(chatty.dropped_quota > 0 && quiet.dropped() == 0, "{chatty:?} {quiet:?}");
    // It left after nine of twenty minutes, and everything that was held is taken.
    assert_eq!(chatty.retained(), 0);
    assert!(chatty.added < 2 * 5 * 60 * 10 && quiet.added > 200, "{chatty:?} {quiet:?}");
}

#[test]
fn every_breach_is_blamed_on_the_promise_that_it_breaks() {
    let cases = [
        (KILLS, Breach::LosesWritten, Promise::Levels),
        (KILLS, Breach::InventsRecords, Promise::Levels),
        (KILLS, Breach::Resurrects, Promise::Resurrection),
        (KILLS, Breach::SkipsHeld, Promise::Levels),
        (KILLS, Breach::AltersEpoch, Promise::Order),
        (KILLS, Breach::ReusesEpoch, Promise::Levels),
        (KILLS, Breach::AltersValue, Promise::Order),
        (KILLS, Breach::TakesOldTokens, Promise::Tokens),
        (KILLS, Breach::ShutdownForgets, Promise::Levels),
        (KILLS, Breach::CallsUnwrittenDurable, Promise::Levels),
        (KILLS, Breach::ForgetsSensor, Promise::Levels),
        (KILLS, Breach::MiscountsAfterStop, Promise::Conservation),
        (QUOTA, Breach::QuotaNamesNewest, Promise::Conservation),
        (QUOTA, Breach::QuotaTooEarly, Promise::Conservation),
        (QUOTA, Breach::QuotaNamesPending, Promise::Conservation),
        (QUOTA, Breach::OutgrowsDisk, Promise::BoundedDisk),
    ];
    for (text, breach, promise) in cases {
        let violation = judged(text, breach).unwrap_or_else(|| panic!("{breach:?} went unseen"));
        assert_eq!(violation.promise, promise, "{breach:?}: {violation}");
    }
}

#[test]
fn a_store_in_ram_refuses_to_be_stopped() {
    for (lines, what) in [
        ("[[kill]]\nat = \"1m\"\n", "a kill needs a disk"),
        ("[[restart]]\nat = \"1m\"\n", "a restart needs a disk"),
        ("[[disk_full]]\nat = \"1m\"\nfor = \"1s\"\n", "a full disk needs a disk"),
        ("[store]\nquota = \"1MiB\"\n", "`quota` needs a disk"),
        ("[store]\npolicy = \"wait\"\n", "`policy = \"wait\"` needs a disk"),
    ] {
        let text = format!(
            "profile = \"linux-ram\"\nduration = \"1h\"\n{lines}[[sensors]]\nname = \"a\"\n\
             kind = \"event\"\nperiod = \"1s\"\n"
        );
        let error = Scenario::parse(&text, "t.toml", "t", &Overrides::default()).unwrap_err();
        let error = error.to_string();
        assert!(error.starts_with("t.toml:") && error.contains(what), "{error}");
    }
}
