//! What a power cut leaves of a gateway at work, in every way that it can, also after a sync has failed.

use super::{
    draw::Draw,
    report::hold_reports,
    work::{Work, config},
};
use ss_lib::{
    disk::sim::{Call, Crashable, Due, Image, SimFault},
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

/// What a cut within each `every`th operation of a run can leave: one of the outcomes, of all kinds in turn.
fn cuts_within(work: &Work, every: usize) -> Vec<(String, MemoryDisk)> {
    let mut stores = Vec::new();
    let mut crash = Crashable::new(Image::default());
    let mut draw = Draw::new(1);
    for (number, step) in work.steps.iter().enumerate() {
        if number % every == 0 {
            let mut begun = crash.clone();
            begun.push_begun(step);
            let outcomes = begun.outcomes();
            let outcome = outcomes[draw.below(outcomes.len() as u64) as usize];
            let what = format!("operation {number}, {}: {outcome}", step.name());
            stores.push((what, memory(&begun.after(outcome, 1))));
        }
        crash.push(step);
    }
    stores
}

#[test]
fn reports_of_cuts() {
    hold_reports("cuts", cuts_within(&Work::at_work(), 1));
}

#[test]
fn reports_of_cuts_of_a_disk_that_fails() {
    hold_reports("cuts-of-failing", cuts_within(&Work::failing(), 3));
}

#[test]
fn reports_of_cuts_of_many_sensors() {
    hold_reports("cuts-of-many", cuts_within(&Work::of_many(), 4));
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
