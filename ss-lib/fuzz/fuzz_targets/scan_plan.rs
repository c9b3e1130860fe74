//! A golden store with edits behind right checksums: looked at in every way, salvaged and repaired.
//! Nothing panics, looking changes nothing, and what a repair leaves is sound and needs no other.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ss_tests::disk::edits::{hostile_store, survive};

fuzz_target!(|bytes: &[u8]| survive(&hostile_store(bytes)));
