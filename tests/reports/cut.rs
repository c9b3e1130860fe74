//! What a power cut leaves of a gateway at work, in every way that it can, also after a sync has failed.

use super::{
    report::hold_reports,
    work::{Work, config, config_of_many},
};
use ss_lib::{
    disk::sim::{Call, Due, Image, SimFault},
    gateway::{Durability, GatewayConfig},
};
use ss_tests::disk::memory::MemoryDisk;
use std::collections::BTreeMap;

fn memory(image: &Image) -> MemoryDisk {
    let mut files = BTreeMap::new();
    image.each_file(&mut |name, bytes| {
        files.insert(name.to_owned(), bytes.to_vec());
    });
    MemoryDisk::new(files)
}

/// Some `most` of what a cut can leave now.
fn cuts(work: &Work, when: &str, most: usize) -> Vec<(String, MemoryDisk)> {
    let crash = work.disk.crashable().unwrap();
    let outcomes = crash.outcomes();
    let step = outcomes.len().div_ceil(most);
    let some = outcomes.into_iter().step_by(step);
    some.map(|outcome| (format!("{when} {outcome}"), memory(&crash.after(outcome, 1)))).collect()
}

#[test]
fn reports_of_cuts() {
    let durability = Durability::Interval { ms: 30_000 };
    let mut work = Work::new(GatewayConfig { durability, ..config() }, 4);
    let mut stores = Vec::new();
    for round in 0..60 {
        work.round();
        if round % 4 == 3 {
            stores.extend(cuts(&work, &format!("round {round},"), 10));
        }
    }
    hold_reports("cuts", stores);
}

/// Pages in doubt in segments that later ones stand behind.
#[test]
fn reports_of_cuts_after_failed_syncs() {
    let durability = Durability::Interval { ms: 30_000 };
    let mut work = Work::new(GatewayConfig { durability, ..config() }, 5);
    let mut stores = Vec::new();
    for round in 0..50 {
        work.round();
        if round % 5 == 4 {
            work.disk.fail(Due { call: Call::Sync, fault: SimFault::Io, nth: 0, times: 1 });
            let synced = work.gateway().sync();
            assert!(synced.is_err(), "the fault did not come in round {round}");
            stores.extend(cuts(&work, &format!("round {round},"), 8));
            if round % 10 == 9 {
                work.gateway().sync().unwrap();
                stores.extend(cuts(&work, &format!("round {round}, synced,"), 8));
            }
        }
    }
    hold_reports("cuts-in-doubt", stores);
}

#[test]
fn reports_of_cuts_of_many_sensors() {
    let mut work = Work::new(config_of_many(), 7);
    let mut stores = Vec::new();
    for round in 0..40 {
        work.round();
        if round % 10 == 9 {
            stores.extend(cuts(&work, &format!("round {round},"), 6));
        }
    }
    hold_reports("cuts-of-many", stores);
}
