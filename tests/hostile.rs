//! The inputs on which the fuzzer of whole stores begins, and those that once broke something, as a test
//! that needs no fuzzer: ss-lib/fuzz/seeds/store has them by name.
#![cfg(not(feature = "shuttle"))]
#![allow(clippy::unwrap_used, reason = "helpers are tests too")]

use ss_tests::disk::reopening::reopen_and_survive;
use std::{fs, path::Path};

#[test]
fn every_seed_of_the_store_fuzzer_is_survived() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ss-lib/fuzz/seeds/store");
    let mut count = 0;
    for entry in fs::read_dir(seeds).unwrap() {
        let path = entry.unwrap().path();
        println!("{}", path.display());
        reopen_and_survive(&fs::read(&path).unwrap());
        count += 1;
    }
    assert!(count >= 11, "{count} seeds");
}
