//! Threads on a gateway over a disk in memory: what each test says holds in every schedule that is tried.
//!
//! With the feature `shuttle` a scheduler samples the schedules (`SS_SHUTTLE_ITERATIONS` asks for more, a
//! failure prints the schedule that repeats it). Without it the threads are real ones: on this machine
//! (`SS_THREAD_ROUNDS` asks for more), or under an interpreter that knows the rules on memory, with one seed
//! after the other. `.ci/capi` has a gateway's threads under the compiler's thread sanitizer.
//!
//! What two threads can touch at the same time, and what orders them:
//!
//! | what | where | shared by | ordered by |
//! | --- | --- | --- | --- |
//! | a sensor's chain and its disk cursors | `ram/shared.rs`, `Place` | everybody | the sensor's lock |
//! | registered sensors by key | `ram/shared.rs`, `Registry` | `register`, `find`, spills | its lock, before a sensor's |
//! | how many there are | `ram/shared.rs`, `sensors` | everybody | release behind the place, acquire |
//! | free sectors, who holds how many | `ram/shared.rs`, `PoolMemory` | adds, acks, spills | its lock, after a sensor's |
//! | words of sectors, links | `ram/shared.rs`, `Slots` | chain and pool | the lock of whoever owns the sector |
//! | loss ledger, and its count | `ram/shared.rs`, `LedgerMemory` | drops, rejects, saves | its lock, after a sensor's |
//! | no more adds | `ram/shared.rs`, `is_closing` | shutdown, adds | asked under the sensor's lock |
//! | the clock of the ledger | `ram/shared.rs`, `now_ms` | ticks, losses | atomic, a hint |
//! | log, squeeze, cache, places, drain | `gateway.rs`, `Core` | ticks, starved adds, reads from disk | its lock, before a sensor's |
//! | the open segment's file | `disk/log.rs`, `OpenFile` | writes, a sync without the log's lock | a lock for readers and a writer |
//! | one sync at a time, and which failed | `disk/log.rs`, `SyncGate` | syncs, a new segment | its lock, before the file's |
//! | what a sync covers | `gateway/commit.rs` | commits, whoever writes meanwhile | numbers, compared under the log's lock |
//! | health, the longest lag | `gateway/health.rs`, `Inner` | everybody | atomics, each by itself |
//! | the manager's bell | `gateway/bell.rs` | adds, the manager, its drop | its lock and condition |
//! | it was rung already, there is one | `gateway.rs`, `is_rung`, `has_manager` | adds, the manager | atomics, hints |
//! | the manager's end, its thread | `gateway/manager.rs`, `stop` | its drop, the manager | the bell's lock, the join |
//! | the manager's pace | `gateway/manager.rs`, `Pace` | the manager alone | - |
//! | the disk's files | the disk | everybody above | its own affair |
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "helpers are tests too, and test data are small"
)]

#[path = "gateway_threads/books.rs"]
mod books;
#[path = "gateway_threads/exploring.rs"]
mod exploring;
#[path = "gateway_threads/stories.rs"]
mod stories;

use exploring::explore;

#[cfg(feature = "shuttle")]
mod planted {
    use crate::{exploring::caught, stories};
    use ss_lib::planted::Bug;

    #[test]
    fn a_ring_that_is_lost_is_caught() {
        let text = caught(Bug::RingUnkept, stories::managers_come_and_go);
        assert!(text.as_ref().is_some_and(|text| text.contains("deadlock")), "{text:?}");
    }

    #[test]
    fn two_locks_in_two_orders_are_caught() {
        let text =
            caught(Bug::LocksCrossed, || stories::backlog_is_drained_while_it_is_squeezed(2));
        assert!(text.as_ref().is_some_and(|text| text.contains("deadlock")), "{text:?}");
    }

    #[test]
    fn a_sync_that_covers_too_much_is_caught() {
        let text = caught(Bug::SyncCoversLater, stories::two_tick);
        assert!(text.as_ref().is_some_and(|text| text.contains("was said")), "{text:?}");
    }
}

/// Whether there is time for a backlog of several segments: an interpreter takes minutes to make one.
const HAS_BACKLOG: bool = !cfg!(miri);

#[test]
fn producers_uploader_manager_and_observer_lose_nothing() {
    explore(16, || stories::everybody_at_once(6));
    if !cfg!(miri) {
        explore(16, || stories::everybody_at_once(3));
    }
}

#[test]
fn a_shutdown_in_the_middle_leaves_all_that_was_taken_on_disk() {
    explore(16, || stories::shutdown_in_the_middle(1));
    if HAS_BACKLOG {
        explore(32, || stories::shutdown_in_the_middle(5));
    }
}

#[cfg(not(miri))]
#[test]
fn a_tick_changes_nothing_behind_a_shutdown() {
    explore(16, stories::shutdown_beside_a_tick);
}

#[test]
fn several_commits_at_once_call_durable_only_what_is() {
    explore(8, stories::several_commits);
}

#[test]
fn two_that_tick_call_durable_only_what_is() {
    explore(4, stories::two_tick);
}

#[test]
fn a_failed_sync_is_believed_by_nobody() {
    let nths = if cfg!(miri) { 3..4 } else { 0..6 };
    for nth in nths {
        explore(48, move || stories::a_sync_fails(nth));
    }
}

#[test]
fn a_backlog_is_drained_while_it_is_squeezed_and_reclaimed() {
    explore(32, || {
        stories::backlog_is_drained_while_it_is_squeezed(if HAS_BACKLOG { 5 } else { 1 });
    });
}

#[test]
fn of_two_that_want_one_key_one_gets_it() {
    explore(8, stories::two_want_one_key);
}

#[test]
fn a_sensor_that_is_found_while_it_is_registered_can_be_used() {
    explore(8, stories::found_while_it_is_registered);
}

#[test]
fn managers_come_and_go_while_records_are_added() {
    explore(8, stories::managers_come_and_go);
}
